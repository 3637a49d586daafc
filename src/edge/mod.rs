//! Where it runs.
use wasm_bindgen::prelude::*;

/// A visitor's click, answered without a promise when everything it needs is in memory.
#[wasm_bindgen]
pub fn click(_packed: &str, _now_ms: f64) -> Option<String> {
    None
}

/// Everything else.
#[wasm_bindgen]
pub async fn answer(
    _packed: String,
    _body: Vec<u8>,
    _env: JsValue,
    _ctx: JsValue,
) -> Result<JsValue, JsValue> {
    let _ = worker::Date::now();
    Ok(js_sys::Array::of2(
        &"200\ncontent-type\tapplication/json\n".into(),
        &"{\"status\":\"ok\"}".into(),
    )
    .into())
}

/// What is due behind a reply.
#[wasm_bindgen]
pub async fn behind(_env: JsValue) {}

/// The cron job.
#[wasm_bindgen]
pub async fn tick(_env: JsValue) {}

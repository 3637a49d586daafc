//! D1 and KV as the executors of `store/`.
//!
//! The framework's own wrappers cross the boundary several times per statement and unwrap what
//! the platform throws; these cross once per batch, and an exception is an error value.

use wasm_bindgen::prelude::*;

use super::environment;
use crate::domain::cap::LocalDate;
use crate::domain::time::Timestamp;
use crate::store::json_text::ArrayText;
use crate::store::{BlobFault, Blobs, Database, DatabaseFault, Row, Statement, Value};

#[wasm_bindgen(module = "/src/edge/gather.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn batch(
        database: &JsValue,
        statements: &str,
        shared: bool,
        milliseconds: f64,
    ) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(module = "/src/edge/bindings.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = blobGet)]
    async fn blob_get(blobs: &JsValue, key: &str, milliseconds: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobGetMany)]
    async fn blob_get_many(
        blobs: &JsValue,
        keys: &str,
        milliseconds: f64,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobPut)]
    async fn blob_put(
        blobs: &JsValue,
        key: &str,
        text: &str,
        ttl: f64,
        milliseconds: f64,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobDelete)]
    async fn blob_delete(blobs: &JsValue, key: &str, milliseconds: f64)
    -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobList)]
    async fn blob_list(
        blobs: &JsValue,
        prefix: &str,
        most: f64,
        milliseconds: f64,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn sleep(milliseconds: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = localDate)]
    fn date_in_zone(zone: &str, milliseconds: f64) -> String;
    #[wasm_bindgen(js_name = log)]
    fn console(text: &str);
}

/// Writes a line to the log: what failed, never what somebody sent.
pub(super) fn log(text: &str) {
    console(text);
}

/// The date in a time zone; `None` for one that the runtime does not know.
pub(super) fn local_date(zone: &str, at: Timestamp) -> Option<LocalDate> {
    LocalDate::parse(&date_in_zone(zone, at.ms() as f64))
}

/// Waits.
pub(super) async fn pause(milliseconds: u64) {
    // A timer cannot fail; if it did, not waiting would only mean smaller pages.
    let _ = sleep(milliseconds as f64).await;
}

/// D1.
pub(super) struct D1 {
    binding: JsValue,
    timeout_ms: f64,
    is_shared: bool,
}

impl D1 {
    /// The database of the environment; a call that takes longer than the timeout has failed.
    /// `is_shared`: its batches are short and may go together with those of other requests.
    pub(super) fn new(env: &JsValue, timeout_ms: u64, is_shared: bool) -> Self {
        Self {
            binding: environment::value(env, environment::DATABASE),
            timeout_ms: timeout_ms as f64,
            is_shared,
        }
    }
}

impl Database for D1 {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseFault> {
        let text = packed(&statements);
        let results = batch(&self.binding, &text, self.is_shared, self.timeout_ms)
            .await
            .map_err(|error| fault(&error))?;
        let unreadable = || DatabaseFault::Unavailable("the results cannot be read".into());
        let text = results.as_string().ok_or_else(unreadable)?;
        serde_json::from_str(&text).map_err(|_| unreadable())
    }
}

/// The statements as a JSON array of arrays: a statement's text, then its values.
fn packed(statements: &[Statement]) -> String {
    let mut text = String::with_capacity(4096);
    let mut list = ArrayText::begin(&mut text);
    for statement in statements {
        let mut array = ArrayText::begin(list.place());
        array.text(Some(&statement.sql));
        for value in &statement.parameters {
            match value {
                Value::Null => array.text(None),
                Value::Integer(number) => array.number(Some(*number)),
                Value::Text(text) => array.text(Some(text)),
            };
        }
        array.end();
    }
    list.end();
    text
}

fn fault(error: &JsValue) -> DatabaseFault {
    let text = message(error);
    // D1 gives SQLite's message behind its own: `D1_ERROR: UNIQUE constraint failed: …`.
    if text.contains("constraint failed") {
        DatabaseFault::Constraint(text)
    } else {
        DatabaseFault::Unavailable(text)
    }
}

fn message(error: &JsValue) -> String {
    let text = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    text.or_else(|| error.as_string()).unwrap_or_else(|| "an error without a message".into())
}

/// KV.
pub(super) struct Kv {
    binding: JsValue,
    timeout_ms: f64,
}

impl Kv {
    /// The KV namespace of the environment; a call that takes longer than the timeout has failed.
    pub(super) fn new(env: &JsValue, timeout_ms: u64) -> Self {
        Self { binding: environment::value(env, environment::BLOBS), timeout_ms: timeout_ms as f64 }
    }
}

fn blob_fault(error: &JsValue) -> BlobFault {
    BlobFault(message(error))
}

impl Blobs for Kv {
    async fn get(&self, key: &str) -> Result<Option<String>, BlobFault> {
        let value = blob_get(&self.binding, key, self.timeout_ms).await;
        value.map(|value| value.as_string()).map_err(|error| blob_fault(&error))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, BlobFault> {
        let unreadable = |_| BlobFault("the texts cannot be read".into());
        let keys = serde_json::to_string(keys).map_err(unreadable)?;
        let texts = blob_get_many(&self.binding, &keys, self.timeout_ms)
            .await
            .map_err(|error| blob_fault(&error))?;
        serde_json::from_str(&texts.as_string().unwrap_or_default()).map_err(unreadable)
    }

    async fn put(&self, key: &str, text: &str, ttl_seconds: Option<u64>) -> Result<(), BlobFault> {
        let ttl = ttl_seconds.unwrap_or(0) as f64;
        let put = blob_put(&self.binding, key, text, ttl, self.timeout_ms).await;
        put.map(|_| ()).map_err(|error| blob_fault(&error))
    }

    async fn delete(&self, key: &str) -> Result<(), BlobFault> {
        let deleted = blob_delete(&self.binding, key, self.timeout_ms).await;
        deleted.map(|_| ()).map_err(|error| blob_fault(&error))
    }

    async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<String>, BlobFault> {
        let names = blob_list(&self.binding, prefix, limit as f64, self.timeout_ms)
            .await
            .map_err(|error| blob_fault(&error))?;
        let text = names.as_string().unwrap_or_default();
        serde_json::from_str(&text).map_err(|_| BlobFault("the names cannot be read".into()))
    }
}

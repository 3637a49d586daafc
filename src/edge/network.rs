//! `fetch` and the queue: requests to receivers, and messages that wake the sender.

use std::rc::Rc;

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use super::environment;
use crate::app::sender::{Network, Received, SendFault, Silence};
use crate::domain::connector::render::Outgoing;

#[wasm_bindgen(module = "/src/edge/network.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = send)]
    async fn fetch(packed: &str, milliseconds: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = wake)]
    async fn send_message(queue: &JsValue, milliseconds: f64) -> Result<JsValue, JsValue>;
}

/// What makes requests on this platform.
pub(super) fn network() -> Network {
    Rc::new(|request, timeout_ms| {
        let packed = packed(request);
        Box::pin(async move {
            let result = fetch(&packed, timeout_ms as f64).await.ok();
            let text = result.and_then(|result| result.as_string()).unwrap_or_default();
            let unreadable = || SendFault {
                silence: Silence::Connection,
                detail: "the platform gave no result".into(),
                duration_ms: 0,
            };
            let value: Value = serde_json::from_str(&text).map_err(|_| unreadable())?;
            result_of(&value).unwrap_or_else(|| Err(unreadable()))
        })
    })
}

/// The request in the order that `network.js` reads.
fn packed(request: &Outgoing) -> String {
    json!([request.method, request.url, request.headers, request.body]).to_string()
}

fn result_of(value: &Value) -> Option<Result<Received, SendFault>> {
    let text = |place: usize| value.get(place)?.as_str().map(str::to_owned);
    if let Some(status) = value.get(0)?.as_u64() {
        return Some(Ok(Received {
            status: status.try_into().ok()?,
            retry_after: text(1),
            answer: text(2)?,
            duration_ms: value.get(3)?.as_u64()?,
        }));
    }
    let silence = match value.get(0)?.as_str()? {
        "timeout" => Silence::Timeout,
        "not sent" => Silence::NotSent,
        _ => Silence::Connection,
    };
    Some(Err(SendFault { silence, detail: text(1)?, duration_ms: value.get(2)?.as_u64()? }))
}

/// Sends the message that wakes the sender, to arrive in so many milliseconds.
pub(super) async fn wake(env: &JsValue, milliseconds: u64) {
    // What fails is in the log, and the cron job finds what is due.
    let queue = environment::value(env, environment::QUEUE);
    let _ = send_message(&queue, milliseconds as f64).await;
}

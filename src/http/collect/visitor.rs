//! What a report says of its visitor, and what it is answered besides its conversion.

use serde_json::{Map, Value, json};

use crate::app::arrive::Arrival;
use crate::app::pixels::Fired;
use crate::domain::contact::contact;
use crate::domain::touch::is_fbc;
use crate::http::request::is_gpc;

/// Digits of a visitor's name.
const VISITOR_DIGITS: usize = 32;

/// The visitor of a report; `None` where the browser does not allow to know it (`Sec-GPC`), or the
/// page names none.
pub(super) fn read(fields: &Map<String, Value>, gpc: &str) -> Option<Arrival> {
    let text = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    let is_name = |text: &String| text.len() == VISITOR_DIGITS && text.bytes().all(is_digit);
    let visitor = text("visitor").filter(is_name).filter(|_| !is_gpc(gpc))?;
    let said = fields.get("contact").and_then(Value::as_object);
    let value = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    Some(Arrival {
        visitor,
        click_id: text("click_id"),
        address: text("arrival"),
        ago_ms: fields.get("arrived_ago").and_then(Value::as_u64).unwrap_or_default(),
        fbc: text("fbc").filter(|cookie| is_fbc(cookie)),
        contact: contact(said.into_iter().flatten().map(|(key, v)| (key.as_str(), value(v)))),
    })
}

/// The members of a receipt behind its conversion, with a comma before each.
pub(super) fn receipt(is_arrival_kept: bool, pixels: &[Fired]) -> String {
    let pixels: Vec<Value> = pixels
        .iter()
        .map(|pixel| {
            json!({ "id": pixel.delivery_id, "html": pixel.html, "is_sandboxed": pixel.is_sandboxed })
        })
        .collect();
    format!(",\"is_arrival_kept\":{is_arrival_kept},\"pixels\":{}", Value::Array(pixels))
}

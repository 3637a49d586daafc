//! The texts of JSON columns.

use serde_json::Value;

use super::json_text::{ArrayText, push_object, push_text};
use crate::domain::verdict::{Warning, WarningCode};

/// Names and values as the text of a JSON object, in order.
pub(crate) fn object<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    push_object(&mut text, pairs);
    text
}

/// The names and values of a JSON object of texts; anything else in it is left out.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(map)) => map
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect(),
        _ => Vec::new(),
    }
}

/// The texts of a JSON array.
pub(crate) fn texts(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Warnings as the text of a JSON array, in the shape of the wire.
pub(crate) fn warnings_to_text(warnings: &[Warning]) -> String {
    let mut text = String::new();
    let mut list = ArrayText::begin(&mut text);
    for warning in warnings {
        let place = list.place();
        place.push_str("{\"code\":");
        push_text(place, warning.code.as_str());
        place.push_str(",\"parameter\":");
        match &warning.parameter {
            Some(parameter) => push_text(place, parameter),
            None => place.push_str("null"),
        }
        place.push_str(",\"message\":");
        push_text(place, &warning.message);
        place.push('}');
    }
    list.end();
    text
}

/// The warnings of a text that [`warnings_to_text`] wrote.
pub(crate) fn warnings_from_text(text: &str) -> Vec<Warning> {
    let list: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    list.iter()
        .filter_map(|warning| {
            Some(Warning {
                code: WarningCode::from_word(warning.get("code")?.as_str()?)?,
                parameter: warning.get("parameter").and_then(Value::as_str).map(str::to_owned),
                message: warning.get("message")?.as_str()?.to_owned(),
            })
        })
        .collect()
}

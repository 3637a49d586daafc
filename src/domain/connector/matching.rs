//! The JSON of a connector's matching, sent or stored, read with every fault that it has.

use serde_json::Value;

use super::webhook::Fault;
use super::{MAX_WINDOW_DAYS, Matching, Model};
use crate::domain::parameters::{PARAMETER_NAME, is_parameter_name};

/// The window unless another is sent, in days.
const DEFAULT_WINDOW_DAYS: u32 = 30;

/// What a matching has.
const FIELDS: [&str; 5] = ["parameter", "source_parameter", "source_value", "model", "window_days"];

/// The most characters of a source's value.
const MAX_SOURCE_VALUE: usize = 128;

impl Matching {
    /// Reads what an operator sent, or what is stored of it.
    ///
    /// # Errors
    /// Everything that is wrong with it, at least one thing.
    pub fn read(value: &Value) -> Result<Self, Vec<Fault>> {
        let fault =
            |field: &str, code, message: String| Fault { field: field.to_owned(), code, message };
        let Value::Object(object) = value else {
            let message = "Send an object with parameter.".to_owned();
            return Err(vec![fault("", "invalid", message)]);
        };
        let mut faults = Vec::new();
        for name in object.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            let message = format!("There is no such field; there are {}.", FIELDS.join(", "));
            faults.push(fault(name, "unknown_field", message));
        }
        let member = |name: &str| object.get(name).filter(|value| !value.is_null());
        let mut text = |name: &str, is_valid: fn(&str) -> bool, message: String| {
            let text = member(name)?.as_str().filter(|text| is_valid(text)).map(str::to_owned);
            if text.is_none() {
                faults.push(fault(name, "invalid", message));
            }
            text
        };
        let names = || PARAMETER_NAME.to_owned();
        let is_text = |text: &str| {
            (1..=MAX_SOURCE_VALUE).contains(&text.chars().count())
                && !text.chars().any(char::is_control)
        };
        let parameter = text("parameter", is_parameter_name, names());
        let source_parameter = text("source_parameter", is_parameter_name, names());
        let message = format!("Send 1 to {MAX_SOURCE_VALUE} characters.");
        let source_value = text("source_value", is_text, message);
        let is_model = |text: &str| Model::from_word(text).is_some();
        let message = format!("Send one of {}.", Model::WORDS.join(", "));
        let model = text("model", is_model, message);
        if member("parameter").is_none() {
            let message = "Send the parameter of the landing page's address that has the click id.";
            faults.push(fault("parameter", "required", message.to_owned()));
        }
        if member("source_value").is_some() && member("source_parameter").is_none() {
            let message = "Send the parameter that has to have this value as source_parameter.";
            faults.push(fault("source_value", "invalid", message.to_owned()));
        }
        let days = match member("window_days") {
            None => Some(DEFAULT_WINDOW_DAYS),
            Some(days) => days.as_u64().and_then(|days| u32::try_from(days).ok()),
        };
        let window_days = days.filter(|days| (1..=MAX_WINDOW_DAYS).contains(days));
        if window_days.is_none() {
            let message = format!("Send a whole number from 1 to {MAX_WINDOW_DAYS}.");
            faults.push(fault("window_days", "invalid", message));
        }
        match (parameter, window_days) {
            (Some(parameter), Some(window_days)) if faults.is_empty() => Ok(Self {
                parameter,
                source_parameter,
                source_value,
                model: model.as_deref().and_then(Model::from_word).unwrap_or(Model::Last),
                window_days,
            }),
            _ => Err(faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_left_open_is_the_last_touch_within_thirty_days() {
        let matching = Matching::read(&json!({ "parameter": "cid", "model": null })).unwrap();
        assert_eq!((matching.model, matching.window_days), (Model::Last, 30));
        assert_eq!((matching.source_parameter, matching.source_value), (None, None));
    }

    #[test]
    fn each_fault_is_named_by_its_field() {
        let sent = json!({
            "parametre": "cid", "source_parameter": "a b", "source_value": "", "model": "first",
            "window_days": 4_294_967_297_u64,
        });
        let faults = Matching::read(&sent).unwrap_err();
        let named: Vec<String> =
            faults.iter().map(|fault| format!("{}: {}", fault.field, fault.code)).collect();
        assert_eq!(
            named,
            [
                "parametre: unknown_field",
                "source_parameter: invalid",
                "source_value: invalid",
                "model: invalid",
                "parameter: required",
                "window_days: invalid",
            ]
        );
    }
}

//! `GET /openapi.json`: what crosses the wire, described by OpenAPI 3.1.
//!
//! Whatever the code has as a table is read from there: resources and their fields, routes of the
//! API, reasons and their status codes, warnings, statuses, names of parameters, keys of replies.
//! `frame.json` holds what no table says: sentences, and the forms of texts.
//!
//! The Worker serves `written.json`, which a test keeps equal to what is generated here: the
//! generator would take 24 KB of the compressed module, its result takes 10, and nothing is
//! computed for whoever asks. `docs/openapi.json` says the same, with sentences for readers.

mod replies;

use serde_json::{Map, Value};

use super::api;
use super::response::{Body, Response};
use crate::app::settings::Settings;
use crate::domain::configuration::Status;
use crate::domain::parameters::NAMES;
use crate::domain::postback::ReplyFormat;
use crate::domain::verdict::{Reason, Verdict, WarningCode};

/// A JSON object, its keys in alphabetical order.
pub type Object = Map<String, Value>;

/// Answers with the description.
pub(super) fn respond() -> Response {
    let mut response = Response::text(200, "application/json", "");
    response.body = Body::Bytes(include_bytes!("written.json"));
    response.headers.retain(|(name, _)| *name != "cache-control");
    response.with("cache-control", "public, max-age=300")
}

/// The description; the same in every installation of one version.
pub fn description(settings: &Settings) -> Object {
    let mut root: Object = serde_json::from_str(include_str!("frame.json")).unwrap_or_default();
    put(&mut root, "info version", &quoted(env!("CARGO_PKG_VERSION")));
    put_words(&mut root);
    let postback = put_parameters(&mut root);
    replies::describe(&mut root, &postback);
    api::describe(&mut root, settings);
    root
}

/// What is served of a description: everything that programs go by, without the sentences and
/// examples for readers. Those would take several KB of the module more.
pub fn served(root: &Object) -> Object {
    let mut served = root.clone();
    let info = served.remove("info");
    served.remove("tags");
    served.values_mut().for_each(|value| strip(value, false));
    served.extend(info.map(|info| ("info".to_owned(), info)));
    served
}

/// Takes away what is said to readers only. Names of `properties` and the like are no keywords; a
/// response has to have a description.
fn strip(value: &mut Value, are_names: bool) {
    match value {
        Value::Object(object) if are_names => object.values_mut().for_each(|v| strip(v, false)),
        Value::Object(object) => {
            // A response is an object with a description and none of the keys of other objects.
            let is_response = !["type", "name", "enum", "anyOf", "pattern", "schema", "scheme"]
                .iter()
                .any(|key| object.contains_key(*key));
            let is_operation = object.contains_key("operationId");
            for word in ["examples", "summary", "default", "x-also-as"] {
                object.remove(word);
            }
            if let Some(description) = object.get_mut("description") {
                if is_response && !is_operation {
                    *description = Value::from("");
                } else {
                    object.remove("description");
                }
            }
            for (name, value) in object {
                strip(
                    value,
                    matches!(&**name, "properties" | "responses" | "schemas" | "parameters"),
                );
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| strip(value, false)),
        _ => {}
    }
}

/// Puts JSON in its place, making the objects on the way. `at` has a space between steps.
pub(super) fn put(root: &mut Object, at: &str, json: &str) {
    let mut object = root;
    let mut steps = at.split(' ').peekable();
    while let Some(step) = steps.next() {
        if steps.peek().is_none() {
            object.insert(step.to_owned(), serde_json::from_str(json).unwrap_or_default());
            return;
        }
        let next = object.entry(step).or_insert_with(|| Value::Object(Object::new()));
        let Value::Object(next) = next else { return };
        object = next;
    }
}

/// A piece of text in which each `%` is replaced, in their order.
pub(super) fn fill(text: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut filled = String::new();
    for (index, part) in text.split('%').enumerate() {
        if index > 0 {
            filled.push_str(values.next().unwrap_or(&""));
        }
        filled.push_str(part);
    }
    filled
}

/// A text as JSON. The words of this code need no escaping.
pub(super) fn quoted(text: &str) -> String {
    fill("\"%\"", &[text])
}

/// A JSON list of pieces of JSON.
pub(super) fn list(items: &[String]) -> String {
    fill("[%]", &[&items.join(",")])
}

/// A reference to a component.
pub(super) fn reference(kind: &str, name: &str) -> String {
    fill(r##"{"$ref":"#/components/%/%"}"##, &[kind, name])
}

/// One of these words.
pub(super) fn one_of(words: &[&str]) -> String {
    fill(r#"{"type":"string","enum":["%"]}"#, &[&words.join("\",\"")])
}

/// The closed lists of words.
fn put_words(root: &mut Object) {
    let verdicts: Vec<&str> = Verdict::ALL.iter().map(|word| word.as_str()).collect();
    let reasons: Vec<&str> = Reason::ALL.iter().map(|word| word.as_str()).collect();
    let warnings: Vec<&str> = WarningCode::ALL.iter().map(|word| word.as_str()).collect();
    let statuses: Vec<&str> = Status::ALL.iter().map(|word| word.as_str()).collect();
    put(root, "components schemas Verdict", &one_of(&verdicts));
    put(root, "components schemas Reason", &one_of(&reasons));
    put(root, "components schemas WarningCode", &one_of(&warnings));
    put(root, "components schemas Status", &one_of(&statuses));
}

/// The parameters of a postback, in bodies and in queries. Gives back the latter.
fn put_parameters(root: &mut Object) -> Vec<String> {
    let mut listed = Vec::new();
    for (name, _) in NAMES.iter().filter(|(name, canonical)| name == canonical) {
        let property = fill("components schemas PostbackParameters properties %", &[name]);
        let formats: Vec<&str> = ReplyFormat::ALL.iter().map(|word| word.as_str()).collect();
        if *name == "response" {
            put(root, &fill("% enum", &[&property]), &fill(r#"["%"]"#, &[&formats.join("\",\"")]));
        } else {
            put(root, &fill("% type", &[&property]), r#"["string","number","boolean"]"#);
        }
        let also = NAMES.iter().filter(|(other, canonical)| canonical == name && other != name);
        let also: Vec<String> = also.map(|(other, _)| quoted(other)).collect();
        if !also.is_empty() {
            put(root, &fill("% x-also-as", &[&property]), &list(&also));
        }
        let component = fill("postback.%", &[name]);
        let parameter = fill(
            r##"{"name":"%","in":"query","schema":{"$ref":"#/components/schemas/PostbackParameters/properties/%"}}"##,
            &[name, name],
        );
        put(root, &fill("components parameters %", &[&component]), &parameter);
        listed.push(reference("parameters", &component));
    }
    listed
}

/// The headers that a status code brings.
pub(super) fn headers(status: &str) -> Option<String> {
    let name = matches!(status, "429" | "503").then_some("Retry-After")?;
    Some(fill(r#"{"%":%}"#, &[name, &reference("headers", name)]))
}

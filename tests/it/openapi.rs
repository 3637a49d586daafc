//! The description of everything that crosses the wire.

use std::collections::BTreeSet;
use std::path::Path;

use backtrail::app::{catalog::resources, history};
use backtrail::domain::click_parameters;
use backtrail::domain::parameters::{NAMES, canonical_name};
use backtrail::http::openapi::{description, served};
use backtrail::http::request::{Headers, Method::Get};
use backtrail::http::response::Body;
use serde_json::Value;

use crate::support::World;

fn described() -> Value {
    Value::Object(description(&World::settings()))
}

#[test]
fn the_description_that_is_served_is_what_the_code_generates() {
    let root = described();
    let served = Value::Object(served(root.as_object().unwrap())).to_string();
    let printed = serde_json::to_string_pretty(&root).unwrap() + "\n";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let for_readers = folder.join("docs/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(folder.join("src/http/openapi/written.json"), &served).unwrap();
        std::fs::write(&for_readers, &printed).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&for_readers).unwrap();
    let mut lines = golden.lines().zip(printed.lines()).enumerate();
    let place = lines.find(|(_, (golden, printed))| golden != printed);
    let answer = World::new().answers(Get, "any.example/openapi.json", Headers::default(), b"");
    assert!(
        golden == printed && answer.body == Body::Bytes(served.leak().as_bytes()),
        "docs/openapi.json, or what is served, is not what the code generates: {place:?}\n\
         If the change is meant, write both anew and look at the difference:\n\
         UPDATE_GOLDEN=1 cargo test --test it openapi && git diff docs/openapi.json"
    );
}

/// Calls `look` with every object in a value.
fn walk<'a>(value: &'a Value, look: &mut dyn FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            look(object);
            object.values().for_each(|value| walk(value, look));
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, look)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let root = described();
    let mut used = BTreeSet::new();
    walk(&root, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(root.pointer(pointer).is_some(), "{reference} leads nowhere");
            used.insert(pointer.split('/').take(4).collect::<Vec<_>>().join("/"));
        }
    });
    for kind in ["headers", "parameters", "responses", "schemas"] {
        for name in root["components"][kind].as_object().unwrap().keys() {
            let pointer = format!("/components/{kind}/{name}");
            assert!(used.contains(&pointer), "{pointer} is not used");
        }
    }
}

#[test]
fn every_operation_has_its_own_name_and_says_what_it_answers() {
    let root = described();
    let mut names = BTreeSet::new();
    for (path, item) in root["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            let name = operation["operationId"].as_str().unwrap_or_default();
            assert!(!name.is_empty() && names.insert(name), "{method} {path}: {name:?}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(!responses.is_empty(), "{method} {path}");
            for (status, response) in responses {
                let is_described = response["description"].is_string();
                assert!(is_described || response["$ref"].is_string(), "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn every_resource_and_every_field_is_described() {
    let root = described();
    let frame: Value =
        serde_json::from_str(include_str!("../../src/http/openapi/frame.json")).unwrap();
    for resource in resources::ALL.into_iter().chain(history::ALL) {
        let list = &root["paths"][format!("/api/v1/{}", resource.name)]["get"];
        assert!(list.is_object(), "{}", resource.name);
        let page = &list["responses"]["200"]["content"]["application/json"]["schema"];
        let shown = page["properties"]["data"]["items"]["$ref"].as_str().unwrap();
        assert!(frame.pointer(&shown[1..]).is_none(), "{shown} would be overwritten");
        let shown = &root.pointer(&shown[1..]).unwrap()["properties"];
        let listed = list["parameters"].as_array().unwrap();
        for field in resource.fields {
            assert!(shown[field.name].is_object(), "{}.{}", resource.name, field.name);
            let is_listed = listed.iter().any(|parameter| parameter["name"] == field.name);
            assert_eq!(is_listed, field.is_filter, "{}.{}", resource.name, field.name);
        }
    }
}

#[test]
fn every_key_of_a_reply_is_described() {
    let reply = &described()["components"]["schemas"]["Reply"];
    for key in reply["required"].as_array().unwrap() {
        let is_described = reply["properties"][key.as_str().unwrap()].is_object();
        assert!(is_described, "{key} is missing in Reply in src/http/openapi/frame.json");
    }
}

#[test]
fn every_parameter_that_is_described_is_known() {
    let root = described();
    let schema = &root["components"]["schemas"]["PostbackParameters"]["properties"];
    for name in schema.as_object().unwrap().keys() {
        assert_eq!(canonical_name(name), Some(name.as_str()));
    }
    for (_, canonical) in NAMES {
        assert!(schema[canonical].is_object(), "{canonical}");
    }
    for (name, parameter) in root["components"]["parameters"].as_object().unwrap() {
        if !name.starts_with("click.") {
            continue;
        }
        let query = format!("{}=1", parameter["name"].as_str().unwrap());
        assert!(click_parameters::parse(&query).extra.is_empty(), "{query}");
    }
}

//! Webhooks read and rendered.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::*;
use crate::domain::connector::macros::Origin;
use crate::domain::connector::render::Outgoing;

fn rendered(webhook: &Value, values: &[(&str, &str)]) -> Outgoing {
    let webhook = Webhook::read(webhook).unwrap();
    webhook.render(&|key| {
        values.iter().find(|(name, _)| *name == key).map(|(_, value)| Cow::Borrowed(*value))
    })
}

fn named(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

#[test]
fn rendering_stops_where_a_request_is_too_long() {
    let long = "\u{1}".repeat(7_000);
    let many = "{{VALUE}}".repeat(200);
    let parameters = named(&[("a", &many), ("b", &many), ("c", &many)]);
    let address = "https://r.example/in";
    for (webhook, is_too_long) in [
        (json!({ "url": address, "method": "GET", "parameters": parameters }), true),
        (json!({ "url": address, "method": "POST", "parameters": parameters }), true),
        (
            json!({ "url": address, "method": "POST", "format": "json", "parameters": parameters }),
            true,
        ),
        (
            json!({ "url": address, "method": "POST", "format": "json", "body": format!("\"{many}\"") }),
            true,
        ),
        (json!({ "url": address, "method": "POST", "body": many }), true),
        (json!({ "url": format!("{address}?{many}"), "method": "GET" }), true),
        (json!({ "url": address, "headers": named(&[("x-a", &many)]) }), true),
        (json!({ "url": format!("{address}?v={{{{VALUE{}}}}}", ":urlencode".repeat(99)) }), true),
        (json!({ "url": format!("{address}?v={{{{VALUE}}}}") }), false),
    ] {
        let request = rendered(&webhook, &[("VALUE", &long)]);
        assert_eq!(request.is_too_long, is_too_long, "{webhook}");
        let headers = request.headers.iter().map(|(_, value)| value.len()).sum();
        let body = request.body.map_or(0, |body| body.len());
        for bytes in [request.url.len(), body, headers, request.shown_url.len()] {
            // What the last value added, encoded.
            assert!(bytes < 450_000, "{bytes}: {webhook}");
        }
    }
}

fn seed(method: &str) -> Value {
    json!({
        "method": method,
        "url": "https://example.com/webhook",
        "parameters": named(&[
            ("value", "{{VALUE}}"), ("track", "{{EVENT_NAME}}"), ("gclid", "{{GCLID}}"),
            ("email", "{{EMAIL}}"),
        ]),
        "headers": named(&[("Authorization", "Bearer abc123")]),
    })
}

const SEED: &[(&str, &str)] = &[
    ("VALUE", "15"),
    ("EVENT_NAME", "Purchase"),
    ("GCLID", "12a34bC"),
    ("EMAIL", "example@email.com"),
];

#[test]
fn a_get_appends_its_parameters_as_the_preview_of_the_original_does() {
    let request = rendered(&seed("GET"), SEED);
    let expected =
        "https://example.com/webhook?value=15&track=Purchase&gclid=12a34bC&email=example@email.com";
    assert_eq!(request.url, expected);
    assert_eq!(request.headers, [("Authorization".to_owned(), "Bearer abc123".to_owned())]);
    assert_eq!((request.method, request.body), ("GET", None));
    assert!(request.shown_url.ends_with("email=e***@email.com"));
}

#[test]
fn a_post_or_put_has_a_form_or_json() {
    for method in ["POST", "PUT"] {
        let request = rendered(&seed(method), SEED);
        assert_eq!(request.url, "https://example.com/webhook");
        let form = "value=15&track=Purchase&gclid=12a34bC&email=example@email.com";
        assert_eq!(request.body.as_deref(), Some(form));
        let content_type =
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        assert!(request.headers.contains(&content_type));
        assert_eq!(request.method, method);
    }
    let mut webhook = seed("POST");
    webhook["format"] = "json".into();
    let body = rendered(&webhook, SEED).body.unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["value"], "15");
    assert_eq!(body["email"], "example@email.com");
}

#[test]
fn a_query_of_the_address_stays_and_parameters_follow_it() {
    for (url, expected) in [
        ("https://x.example/a?b=1#f", "https://x.example/a?b=1&p=1%262"),
        ("https://x.example/a?", "https://x.example/a?p=1%262"),
        ("https://x.example", "https://x.example/?p=1%262"),
        ("https://x.example/{sub1}/{{VALUE}}", "https://x.example/1%262/1%262?p=1%262"),
    ] {
        let webhook = json!({ "url": url, "parameters": named(&[("p", "{{VALUE}}")]) });
        assert_eq!(rendered(&webhook, &[("VALUE", "1&2"), ("SUB1", "1&2")]).url, expected);
    }
}

#[test]
fn an_event_is_renamed_where_its_name_is_told() {
    let mut webhook = seed("GET");
    webhook["renamed_events"] = json!({ "Purchase": "sale & more" });
    assert!(rendered(&webhook, SEED).url.contains("track=sale%20%26%20more&"));
}

#[test]
fn a_body_of_json_takes_values_within_strings_and_as_literals() {
    let webhook = json!({
        "method": "POST", "url": "https://x.example/", "format": "json",
        "body": "{\"s\":\"a {{EXTRA}} b\",\"n\":{{VALUE}},\"none\":{{NOTHING}}}",
    });
    let hostile = "\",\"admin\":true,\"x\":\"";
    let request = rendered(&webhook, &[("EXTRA", hostile), ("VALUE", "15.50")]);
    let body: Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
    assert_eq!(body["s"], format!("a {hostile} b"));
    assert!(request.body.unwrap().contains("\"n\":15.50"), "as sent");
    assert_eq!(body["none"], Value::Null);
    assert_eq!(body.as_object().unwrap().len(), 3);
}

#[test]
fn secrets_and_persons_are_masked_in_the_log() {
    let webhook = json!({
        "url": "https://x.example/?token=abc&api_key=def&a=1#f",
        "parameters": named(&[("mail", "{{EMAIL}}"), ("key", "{{VALUE}}"), ("phone", "{{PHONE}}")]),
    });
    let values = [("EMAIL", "eva@example.com"), ("VALUE", "1"), ("PHONE", "+49 30 123")];
    assert_eq!(
        rendered(&webhook, &values).shown_url,
        "https://x.example/?token=***&api_key=***&a=1&mail=e***@example.com&key=***&phone=%2B***"
    );
}

#[test]
fn a_hostile_value_adds_no_header() {
    let webhook = json!({
        "url": "https://x.example/", "headers": named(&[("X-Name", "a {{EXTRA}}")]),
    });
    let request = rendered(&webhook, &[("EXTRA", "b\r\nX-Admin: 1\u{0}é")]);
    assert_eq!(request.headers, [("X-Name".to_owned(), "a b%0D%0AX-Admin: 1%00%C3%A9".to_owned())]);
}

#[test]
fn each_fault_names_its_field() {
    for (change, field, code) in [
        (json!({ "method": "DELETE" }), "method", "invalid"),
        (json!({ "format": "xml" }), "format", "invalid"),
        (json!({ "url": null }), "url", "required"),
        (json!({ "url": "https://{{HOST}}/" }), "url", "invalid"),
        (json!({ "url": "{{URL}}" }), "url", "invalid"),
        (json!({ "url": "https://x.example{{PATH}}" }), "url", "invalid"),
        (json!({ "url": "https://x.example/{sub11}" }), "url", "unknown_macro"),
        (json!({ "url": "https://x.example/{{VALUE" }), "url", "invalid"),
        (json!({ "parameters": named(&[("a", "1"), ("", "1")]) }), "parameters[1].name", "invalid"),
        (json!({ "parameters": named(&[("a", "{x}")]) }), "parameters[0].value", "unknown_macro"),
        (json!({ "parameters": [{ "name": "a" }] }), "parameters[0]", "invalid"),
        (json!({ "parameters": "a" }), "parameters", "invalid"),
        (json!({ "headers": named(&[("Host", "x")]) }), "headers[0].name", "reserved"),
        (json!({ "headers": named(&[("webhook-id", "x")]) }), "headers[0].name", "reserved"),
        (json!({ "headers": named(&[("a b", "x")]) }), "headers[0].name", "invalid"),
        (json!({ "headers": named(&[("a", "x\r\ny")]) }), "headers[0].value", "invalid"),
        (json!({ "headers": named(&[("a", "é")]) }), "headers[0].value", "invalid"),
        (json!({ "body": "x" }), "body", "invalid"),
        (json!({ "renamed_events": { "a": "" } }), "renamed_events.a", "invalid"),
        (json!({ "verb": "GET" }), "verb", "unknown_field"),
    ] {
        let mut webhook = json!({ "url": "https://x.example/" });
        webhook.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let faults = Webhook::read(&webhook).unwrap_err();
        assert_eq!((faults[0].field.as_str(), faults[0].code), (field, code), "{change}");
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let webhook = json!({
        "method": "X", "url": "x{", "headers": named(&[("Host", "{x}")]), "nothing": 1,
    });
    assert_eq!(Webhook::read(&webhook).unwrap_err().len(), 4);
}

#[test]
fn it_knows_what_it_mentions() {
    let webhook = Webhook::read(&json!({
        "url": "https://x.example/{sub_id_2}", "headers": named(&[("a", "{{EMAIL:sha256}}")]),
    }))
    .unwrap();
    assert!(webhook.mentions("SUB2") && webhook.mentions("EMAIL") && webhook.is_personal());
    assert!(!webhook.mentions("SUB1") && !webhook.mentions_any(Origin::Touch));
    assert!(webhook.mentions_any(Origin::Click));
}

#[test]
fn the_address_is_the_one_that_fetch_sends() {
    for (written, expected) in [
        ("https://hooks.example?cid=1", "https://hooks.example/?cid=1"),
        ("https://hooks.example", "https://hooks.example/"),
        ("https://hooks.example#a", "https://hooks.example/"),
        ("HTTPS://Hooks.Example:443/Path?Q", "https://hooks.example/Path?Q"),
        ("https://hooks.example:08443/", "https://hooks.example:8443/"),
        ("http://127.0.0.1:80?a", "http://127.0.0.1/?a"),
        ("https://hooks.example:80/", "https://hooks.example:80/"),
        ("https://hooks.example./a", "https://hooks.example/a"),
        ("https://[2606:4700::ABCD]:443", "https://[2606:4700::abcd]/"),
        ("https://hooks.example/a?b#c{{VALUE}}#d", "https://hooks.example/a?b"),
        ("https://hooks.example//a/.b/..c/?", "https://hooks.example//a/.b/..c/?"),
        (
            "https://hooks.example/é|^'`/?é|^'`",
            "https://hooks.example/%C3%A9%7C%5E%27%60/?%C3%A9%7C%5E%27%60",
        ),
        ("https://hooks.example/{{VALUE}}?{{VALUE}}", "https://hooks.example/?.."),
        (
            "https://hooks.example/{{EXTRA}}?{{EXTRA}}",
            "https://hooks.example/%252e%2F%5C%23?%252e%2F%5C%23",
        ),
    ] {
        let webhook = json!({ "url": written });
        let values = [("VALUE", ".."), ("EXTRA", "%2e/\\#")];
        let request = rendered(&webhook, &values);
        assert_eq!(request.url, expected, "{written}");
        assert_eq!(url::Url::parse(&request.url).unwrap().as_str(), request.url, "{written}");
        assert_eq!(request.shown_url, request.url, "{written}");
    }
}

#[test]
fn a_fault_names_the_header_that_has_it_whatever_stands_before() {
    let headers = json!([
        { "name": "a" }, { "name": "b", "value": "{{VALUE" }, { "name": "c", "value": "x" },
        { "name": "Host", "value": "x" },
    ]);
    let webhook = json!({ "url": "https://r.example/", "headers": headers });
    let faults = Webhook::read(&webhook).unwrap_err();
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["headers[0]", "headers[1].value", "headers[3].name"]);
}

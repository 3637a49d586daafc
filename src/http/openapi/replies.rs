//! What clicks, postbacks and site events are answered.

use serde_json::Value;

use super::{Object, fill, headers, list, one_of, put, quoted, reference};
use crate::app::judge::Outcome;
use crate::domain::postback::ReplyFormat;
use crate::domain::verdict::Reason::{
    MethodNotAllowed, NotFound, RateLimited, UnsupportedMediaType,
};
use crate::domain::verdict::{Reason, Refusal};
use crate::http::reply::{json_of, status_of};

/// Reasons that occur on other addresses only. A GET has no body whose type could be wrong.
const NEVER_TO_POSTBACKS: &[Reason] = &[MethodNotAllowed, NotFound, RateLimited];
const NEVER_TO_QUERIES: &[Reason] =
    &[MethodNotAllowed, NotFound, RateLimited, UnsupportedMediaType];
/// A request to `/` that is neither a click nor a postback finds nothing there.
const NEVER_TO_ROOT: &[Reason] = &[MethodNotAllowed, RateLimited, UnsupportedMediaType];
const NEVER_TO_PAGES: &[Reason] = &[MethodNotAllowed, NotFound, UnsupportedMediaType];
/// Whether an origin may report is known before its report is read.
const TO_PREFLIGHTS: &[Reason] =
    &[Reason::IpNotAllowed, Reason::UnknownNamespace, Reason::StorageUnavailable];

/// Adds parameters, bodies and responses; `postback` are the parameters of a postback's query.
pub(super) fn describe(root: &mut Object, postback: &[String]) {
    let always = keys_of(&Outcome { refusal: None, ..refused() });
    put(root, "components schemas Reply required", &always);

    let click = click_parameters(root);
    // Where both are taken, a name that both have is described once.
    let name = |parameter: &str| parameter.split_once('.').map(|(_, name)| name.to_owned());
    let taken: Vec<Option<String>> = postback.iter().map(|parameter| name(parameter)).collect();
    let own = click.iter().filter(|parameter| !taken.contains(&name(parameter)));
    let both: Vec<String> = postback.iter().chain(own).cloned().collect();
    for method in ["get", "head"] {
        put(root, &fill("paths /click % parameters", &[method]), &list(&click));
    }
    put(root, "paths / get responses 302", &reference("responses", "302"));
    put(root, "paths /pixel.gif get parameters", &list(postback));

    operation(root, "/postback get", postback, NEVER_TO_QUERIES);
    operation(root, "/postback post", &[], NEVER_TO_POSTBACKS);
    operation(root, "/ get", &both, NEVER_TO_ROOT);
    operation(root, "/ post", &[], NEVER_TO_POSTBACKS);
    site_events(root, "post", |reason| !NEVER_TO_PAGES.contains(&reason));
    site_events(root, "options", |reason| TO_PREFLIGHTS.contains(&reason));
}

fn click_parameters(root: &Object) -> Vec<String> {
    let all = root.get("components").and_then(|components| components.get("parameters"));
    let names = all.and_then(Value::as_object).into_iter().flat_map(Object::keys);
    let clicks = names.filter(|name| name.starts_with("click."));
    clicks.map(|name| reference("parameters", name)).collect()
}

/// An address that takes postbacks.
fn operation(root: &mut Object, place: &str, parameters: &[String], never: &[Reason]) {
    let at = |last| fill("paths % %", &[place, last]);
    if place.ends_with("post") {
        put(root, &at("requestBody"), &reference("requestBodies", "postback"));
    } else {
        put(root, &at("parameters"), &list(parameters));
    }
    let is_page = place == "/ get";
    put(root, &at("responses 200"), &reference("responses", "200"));
    for (status, schema) in refusals(|reason| !never.contains(&reason)) {
        let page =
            if is_page && matches!(&*status, "404" | "503") { r#","text/html":{}"# } else { "" };
        let response = fill(
            r#"{"description":"Refused.","content":{"application/json":{"schema":%},"text/plain":{"schema":{"type":"string"}},"image/gif":{}%}}"#,
            &[&schema, page],
        );
        if page.is_empty() {
            let shared = fill("refused.%", &[&status]);
            put(root, &fill("% %", &[&at("responses"), &status]), &reference("responses", &shared));
            put_response(root, "components responses", &shared, &status, &response);
        } else {
            put_response(root, &at("responses"), &status, &status, &response);
        }
    }
}

/// `/collect`, whose refusals are those of the report itself or of the conversion within it.
fn site_events(root: &mut Object, method: &str, does_occur: impl Fn(Reason) -> bool) {
    for (status, schema) in refusals(does_occur) {
        // What postbacks are told as well is described there.
        let shared =
            reference("responses", &fill("refused.%/content/application~1json/schema", &[&status]));
        let schema = if status == "429" { schema } else { shared };
        let response = fill(
            r#"{"description":"Refused.","content":{"application/json":{"schema":{"anyOf":[%,%]}}}}"#,
            &[&schema, &reference("schemas", "Receipt")],
        );
        let at = fill("paths /collect % responses", &[method]);
        put_response(root, &at, &status, &status, &response);
    }
}

fn put_response(root: &mut Object, at: &str, name: &str, status: &str, response: &str) {
    let at = fill("% %", &[at, name]);
    put(root, &at, response);
    if let Some(headers) = headers(status) {
        put(root, &fill("% headers", &[&at]), &headers);
    }
}

/// For each status code of these reasons the schema of its body, which names them.
fn refusals(does_occur: impl Fn(Reason) -> bool) -> Vec<(String, String)> {
    let reasons: Vec<Reason> = Reason::ALL.iter().copied().filter(|r| does_occur(*r)).collect();
    let mut statuses: Vec<u16> = reasons.iter().map(|reason| status_of(*reason)).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let required = keys_of(&refused());
    let describe = |status: u16| {
        let those = reasons.iter().filter(|reason| status_of(**reason) == status);
        let words: Vec<&str> = those.map(|reason| reason.as_str()).collect();
        let schema = fill(
            r##"{"allOf":[{"$ref":"#/components/schemas/Reply"},{"required":%,"properties":{"verdict":{"const":"rejected"},"reason":%}}]}"##,
            &[&required, &one_of(&words)],
        );
        (status.to_string(), schema)
    };
    statuses.into_iter().map(describe).collect()
}

fn refused() -> Outcome {
    let refusal = Refusal::new(Reason::NotFound, "");
    Outcome::refused(String::new(), refusal, ReplyFormat::Json)
}

/// The keys that the code writes into a reply.
fn keys_of(outcome: &Outcome) -> String {
    let body: Object = serde_json::from_str(&json_of(outcome)).unwrap_or_default();
    list(&body.keys().map(|key| quoted(key)).collect::<Vec<_>>())
}

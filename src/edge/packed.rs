//! The packed forms in which `entry.js` hands requests over and takes responses back: one crossing
//! in, one out. Those of most clicks are in [`super::click`] and [`super::tray`]. A header's value
//! cannot contain a line feed, so lines separate them.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;

use crate::domain::encoding;
use crate::http::Answer;
use crate::http::request::{Headers, Method, Request};
use crate::http::response::{Body, Response};

/// Reads a packed request: method, URL, then the headers in the order below.
pub(super) fn read<'a>(packed: &'a str, body: &'a [u8]) -> Option<Request<'a>> {
    let mut lines = encoding::pieces(packed, b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let method = Method::parse(next());
    let url = next();
    let headers = Headers {
        user_agent: next(),
        referer: next(),
        cookie: next(),
        purpose: next(),
        fetch_dest: next(),
        gpc: next(),
        country: next(),
        client_ip: next(),
        asn: next(),
        content_type: next(),
        authorization: next(),
        origin: next(),
        idempotency_key: next(),
        namespace: next(),
        timestamp: next(),
        signature: next(),
    };
    Request::new(method, url, headers, body)
}

/// A response's first line (status, duties) and its headers, a line each, name and value
/// separated by a tab.
pub(super) fn head(answer: &Answer, duties: &str) -> String {
    let mut head = String::with_capacity(512);
    head.push_str(&answer.response.status.to_string());
    if !duties.is_empty() {
        head.push(' ');
        head.push_str(duties);
    }
    for (name, value) in &answer.response.headers {
        head.push('\n');
        head.push_str(name);
        head.push('\t');
        head.push_str(value);
    }
    head
}

/// Head and body as JavaScript takes them.
pub(super) fn with_body(head: &str, response: &Response) -> JsValue {
    let body = match &response.body {
        Body::Empty => JsValue::NULL,
        Body::Text(text) => text.as_str().into(),
        Body::Bytes(bytes) => Uint8Array::from(*bytes).into(),
    };
    Array::of2(&head.into(), &body).into()
}

/// The installation's variables or secrets are missing; its operator is told which.
pub(super) fn not_configured(message: &str) -> JsValue {
    super::log(message);
    with_body(
        "503\ncontent-type\ttext/plain; charset=utf-8\nretry-after\t60",
        &Response::text(503, "text/plain", format!("Backtrail is not set up: {message}\n")),
    )
}

/// The platform gave a URL that is none; nobody should ever see this.
pub(super) fn not_readable() -> JsValue {
    with_body(
        "400\ncontent-type\ttext/plain; charset=utf-8",
        &Response::text(400, "text/plain", "the request has no address\n"),
    )
}

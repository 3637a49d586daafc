//! A response as the edge sends it, and the two shapes of JSON errors.

use serde_json::{Value, json};

/// A body. Texts and constants only; nothing here streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// No body.
    Empty,
    /// UTF-8 text.
    Text(String),
    /// Constant bytes, such as the pixel.
    Bytes(&'static [u8]),
}

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names and values; a name may come more than once (`Set-Cookie`).
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// A response without a body. Nothing of Backtrail's may be cached unless it says so.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: vec![("cache-control", "no-store".into())], body: Body::Empty }
    }

    /// JSON.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::text(status, "application/json", value.to_string())
    }

    /// Text of a content type.
    pub fn text(status: u16, content_type: &str, text: impl Into<String>) -> Self {
        Self { body: Body::Text(text.into()), ..Self::empty(status) }
            .with("content-type", content_type)
    }

    /// An HTML page. Where it leads is not told its address, which may hold a click_id.
    pub fn page(status: u16, html: impl Into<String>) -> Self {
        Self::text(status, "text/html; charset=utf-8", html)
            .with("x-content-type-options", "nosniff")
            .with("referrer-policy", "no-referrer")
    }

    /// This response with one header more. A value that could break the header block is dropped:
    /// callers encode what comes from outside, so this is a second line of defence.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.bytes().any(|b| b.is_ascii_control()) {
            self.headers.push((name, value));
        }
        self
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// An error of the API by RFC 9457, with a `code` for programs.
    pub fn problem(status: u16, code: &str, detail: &str) -> Self {
        Self::problem_of_fields(status, code, detail, &[])
    }

    /// The same, naming the fields at fault: `(field, code, message)`.
    pub fn problem_of_fields(
        status: u16,
        code: &str,
        detail: &str,
        errors: &[(String, &'static str, String)],
    ) -> Self {
        let mut problem = json!({ "type": "about:blank", "title": code, "status": status, "code": code, "detail": detail });
        if !errors.is_empty() {
            let errors: Vec<Value> = errors
                .iter()
                .map(|(field, code, message)| json!({ "field": field, "code": code, "message": message }))
                .collect();
            if let Some(object) = problem.as_object_mut() {
                object.insert("errors".to_owned(), Value::Array(errors));
            }
        }
        Self::text(status, "application/problem+json", problem.to_string())
    }
}

//! A webhook with its values filled in: the request, and what may be shown of it.

use serde_json::Value;

use super::address::{MAX_CALLED_BYTES, as_sent};
use super::bin::Bin;
use super::encode;
use super::text::{Lookup, MAX_REQUEST_BYTES, Mentions, Piece, Text, Values, is_too_long};
use super::webhook::{Format, Method, Pair, Webhook};
use crate::domain::encoding;

/// What is shown in place of a secret.
const MASK: &str = "***";

/// One request, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// In full, in the very form in which it is sent.
    pub url: String,
    /// The request bin to which it goes, if it does not leave the installation.
    pub bin: Option<Bin>,
    /// Names and values, the content type among them.
    pub headers: Vec<(String, String)>,
    /// What is sent; `None` for a GET.
    pub body: Option<String>,
    /// The address as the log keeps it: secrets and personal values are masked.
    pub shown_url: String,
    /// Headers and body with personal values masked; `None` if there are no personal values in the
    /// request at all.
    pub masked: Option<Masked>,
    /// Whether address, headers or body would have more than [`MAX_REQUEST_BYTES`]. Then they end
    /// early, and must not be sent.
    pub is_too_long: bool,
}

impl Outgoing {
    /// Why the request cannot be sent as it is, in words for whoever wrote the templates.
    pub fn fault(&self) -> Option<String> {
        let is_called_too_long = self.bin.is_none() && self.url.len() > MAX_CALLED_BYTES;
        if is_called_too_long && !is_too_long(&self.url) {
            return Some(format!(
                "the address would be longer than {MAX_CALLED_BYTES} bytes with its macros and \
                 parameters filled in; send them in the body of a POST, or use shorter values"
            ));
        }
        self.is_too_long.then(|| {
            format!(
                "the request would be longer than {MAX_REQUEST_BYTES} bytes with its macros filled in; \
                 use fewer macros, or shorter values"
            )
        })
    }
}

/// What of a request those see who may not see personal values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<String>,
}

impl Webhook {
    /// Fills in the values, which are looked up by the macros' keys (`macros`).
    pub fn render(&self, lookup: &Lookup<'_>) -> Outgoing {
        let values = Values { lookup, renamed: &self.renamed, is_masked: false };
        let shown = Values { is_masked: true, ..values };
        let body = self.body_with(&values);
        let masked = self
            .is_personal()
            .then(|| Masked { headers: self.headers_with(&shown).0, body: self.body_with(&shown) });
        let (mut headers, are_headers_too_long) = self.headers_with(&values);
        let url = self.url_with(&values);
        let is_too_long =
            are_headers_too_long || is_too_long(&url) || body.as_deref().is_some_and(is_too_long);
        let has_type = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if body.is_some() && !has_type {
            let content_type = match self.format {
                Format::Form => "application/x-www-form-urlencoded",
                Format::Json => "application/json",
            };
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        Outgoing {
            method: self.method.as_str(),
            url,
            bin: Bin::parse(&self.written_url),
            headers,
            body,
            masked,
            // The mask is no value, and legible.
            shown_url: without_secrets(&self.url_with(&shown)).replace("%2A%2A%2A", MASK),
            is_too_long,
        }
    }

    /// The headers, and whether they would be too long; then they end early.
    fn headers_with(&self, values: &Values<'_, '_>) -> (Vec<(String, String)>, bool) {
        let (mut headers, mut bytes) = (Vec::new(), 0);
        for pair in &self.headers {
            let plain = pair.value.plain(values);
            let value = encode::header(&plain);
            bytes += pair.name.len() + plain.len().max(value.len());
            if bytes > MAX_REQUEST_BYTES {
                return (headers, true);
            }
            headers.push((pair.name.clone(), value));
        }
        (headers, false)
    }

    /// The address, with the parameters of a GET.
    pub(super) fn url_with(&self, values: &Values<'_, '_>) -> String {
        let mut url = address(&self.url, values);
        if self.method == Method::Get && !self.parameters.is_empty() {
            match url.find('?') {
                None => url.push('?'),
                Some(_) if url.ends_with(['?', '&']) => {}
                Some(_) => url.push('&'),
            }
            url.push_str(&self.query_with(values));
        }
        url
    }

    fn query_with(&self, values: &Values<'_, '_>) -> String {
        self.joined("&", |pair| {
            format!("{}={}", encode::query(&pair.name), encode::query(&pair.value.plain(values)))
        })
    }

    /// The parameters, each written in one way; it ends early where it is too long.
    fn joined(&self, between: &str, written: impl Fn(&Pair) -> String) -> String {
        let mut out = String::new();
        for (place, pair) in self.parameters.iter().enumerate() {
            if is_too_long(&out) {
                break;
            }
            if place > 0 {
                out.push_str(between);
            }
            out.push_str(&written(pair));
        }
        out
    }

    /// The body, where there is one.
    pub(super) fn body_with(&self, values: &Values<'_, '_>) -> Option<String> {
        match (self.method, &self.body, self.format) {
            (Method::Get, ..) => None,
            (_, Some(body), Format::Json) => Some(json(body, values)),
            (_, Some(body), Format::Form) => Some(encoded(body, values, encode::query)),
            (_, None, Format::Form) => Some(self.query_with(values)),
            (_, None, Format::Json) => {
                let pairs = self.joined(",", |pair| {
                    let value = encode::string(&pair.value.plain(values));
                    format!("\"{}\":\"{value}\"", encode::string(&pair.name))
                });
                Some(format!("{{{pairs}}}"))
            }
        }
    }
}

/// A text with each value encoded in one way.
fn encoded(text: &Text, values: &Values<'_, '_>, encode: fn(&str) -> String) -> String {
    let mut out = String::new();
    for piece in &text.pieces {
        if is_too_long(&out) {
            break;
        }
        match piece {
            Piece::Literal(literal) => out.push_str(literal),
            Piece::Value(value) => out.push_str(&encode(&values.of(value))),
        }
    }
    out
}

/// An address: literals are percent-encoded where they have to be, values for path or query.
fn address(text: &Text, values: &Values<'_, '_>) -> String {
    let mut out = String::new();
    let mut is_behind_path = false;
    for piece in &text.pieces {
        if is_too_long(&out) {
            break;
        }
        match piece {
            Piece::Literal(literal) => {
                is_behind_path |= literal.contains(['?', '#']);
                encoding::encode_unless(&mut out, literal, encoding::is_address_byte);
            }
            Piece::Value(value) if is_behind_path => {
                out.push_str(&encode::query(&values.of(value)));
            }
            Piece::Value(value) => out.push_str(&encode::path(&values.of(value))),
        }
    }
    as_sent(&out)
}

/// A body of JSON: within a string a value is part of it, outside it is a literal of its own.
fn json(text: &Text, values: &Values<'_, '_>) -> String {
    let mut out = String::new();
    let (mut is_in_string, mut is_escaped) = (false, false);
    for piece in &text.pieces {
        if is_too_long(&out) {
            break;
        }
        match piece {
            Piece::Literal(literal) => {
                for c in literal.chars() {
                    match c {
                        _ if is_escaped => is_escaped = false,
                        '\\' => is_escaped = is_in_string,
                        '"' => is_in_string = !is_in_string,
                        _ => {}
                    }
                }
                out.push_str(literal);
            }
            Piece::Value(value) if is_in_string => {
                out.push_str(&encode::string(&values.of(value)));
            }
            Piece::Value(value) => out.push_str(&encode::literal(&values.of(value))),
        }
    }
    out
}

/// Whether what goes by this name is a secret, as far as names tell.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts = [
        "secret",
        "token",
        "passw",
        "pwd",
        "auth",
        "signature",
        "apikey",
        "api_key",
        "api-key",
        "cookie",
    ];
    parts.iter().any(|part| name.contains(part))
        || ["key", "sig", "secure", "hash", "pass"].contains(&name.as_str())
        || name.ends_with("_key")
        || name.ends_with("-key")
}

/// An address whose query's secrets are masked.
pub fn without_secrets(url: &str) -> String {
    let (url, fragment) = match url.split_once('#') {
        Some((url, fragment)) => (url, Some(fragment)),
        None => (url, None),
    };
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    let Some((base, query)) = url.split_once('?') else { return format!("{url}{fragment}") };
    let piece = |piece: &str| match piece.split_once('=') {
        Some((name, value)) if !value.is_empty() && is_secret(name) => format!("{name}={MASK}"),
        _ => piece.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(piece).collect();
    format!("{base}?{}{fragment}", query.join("&"))
}

/// A body whose secrets are masked: members of JSON and pairs of a form, by their names. One that is
/// neither, or a template that is not JSON yet, is masked whole if any word of it could be such a
/// name. A body of JSON that has secrets is written anew.
pub fn body_without_secrets(body: &str) -> String {
    if let Ok(mut json) = serde_json::from_str::<Value>(body) {
        return if mask_members(&mut json) { json.to_string() } else { body.to_owned() };
    }
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-._~*@%+[]".contains(c);
    let masked = |piece: &'_ str| {
        let (name, value) =
            piece.split_once('=').filter(|(name, _)| name.chars().all(is_of_name))?;
        let is_masked = encoding::decode(name).is_none_or(|name| is_secret(&name));
        let value = if is_masked && !value.is_empty() { MASK } else { value };
        Some(format!("{name}={value}"))
    };
    if let Some(form) = body.split('&').map(masked).collect::<Option<Vec<_>>>() {
        return form.join("&");
    }
    let mut words = body.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
    if words.any(is_secret) { MASK.to_owned() } else { body.to_owned() }
}

/// Masks members by their names, however deep; says whether there were any.
fn mask_members(json: &mut Value) -> bool {
    let mut is_masked = false;
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                if is_secret(name) {
                    *value = MASK.into();
                    is_masked = true;
                } else {
                    is_masked |= mask_members(value);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                is_masked |= mask_members(item);
            }
        }
        _ => {}
    }
    is_masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_without_the_secrets_that_names_tell() {
        for (body, expected) in [
            ("api_key=s3cret&v=15", "api_key=***&v=15"),
            ("user%5Fto%6Ben=s3cret&empty=", "user%5Fto%6Ben=***&empty="),
            (r#"{"v":15.50,"a":[{"b":1}]}"#, r#"{"v":15.50,"a":[{"b":1}]}"#),
            (
                r#"{"v":1,"Token":"s3cret","a":[{"pass":{"x":"s3cret"}}]}"#,
                r#"{"Token":"***","a":[{"pass":"***"}],"v":1}"#,
            ),
            ("<a><token>s3cret</token></a>", "***"),
            ("<a><v>15</v></a>", "<a><v>15</v></a>"),
            (r#"{"api_key":"s3cret","v":{{VALUE}}}"#, "***"),
            (r#"{"v":{{VALUE}}}"#, r#"{"v":{{VALUE}}}"#),
        ] {
            assert_eq!(body_without_secrets(body), expected, "{body}");
        }
    }
}

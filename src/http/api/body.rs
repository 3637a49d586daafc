//! What a call brings: its key, its body as JSON, its name.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::problem;
use crate::app::catalog::Idempotency;
use crate::domain::encoding::hex;
use crate::http::request::Request;
use crate::http::response::Response;

/// The longest body in bytes, as everywhere (wire.md 2).
const MAX_BODY: usize = 64 * 1024;

/// The longest body where many links come at once: 5,000 of them at about 400 bytes.
const MAX_LINKS_BODY: usize = 2 * 1024 * 1024;

/// The longest body with statuses: 1,000 of them at about a kilobyte, most of it the reason.
const MAX_STATUSES_BODY: usize = 1024 * 1024;

/// The longest body with coupons or customers: 1,000 of them at about 500 bytes.
const MAX_LIST_BODY: usize = 512 * 1024;

/// The longest `Idempotency-Key`.
const MAX_IDEMPOTENCY_KEY: usize = 200;

/// The longest body that is accepted under a path, in bytes.
fn limit(path: &str) -> usize {
    match path {
        "/api/v1/links" => MAX_LINKS_BODY,
        "/api/v1/coupons" | "/api/v1/customers" => MAX_LIST_BODY,
        "/api/v1/conversions/statuses" => MAX_STATUSES_BODY,
        _ => MAX_BODY,
    }
}

/// The key of an `Authorization` header; empty if it holds none.
pub(super) fn bearer(authorization: &str) -> &str {
    match authorization.trim().split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => "",
    }
}

/// The body as a JSON object.
pub(super) fn object(request: &Request<'_>) -> Result<Map<String, Value>, Response> {
    if request.body.len() > limit(request.path) {
        return Err(problem::too_large(limit(request.path)));
    }
    let essence = request.headers.content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") && !essence.ends_with("+json") {
        return Err(problem::unsupported_media_type());
    }
    match serde_json::from_slice(request.body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(problem::invalid_json("The body has to be a JSON object.")),
        Err(error) => Err(problem::invalid_json(&format!("The body is not JSON: {error}."))),
    }
}

/// Refuses a body where none is read; an empty object says no more than none.
pub(super) fn nothing(request: &Request<'_>) -> Result<(), Response> {
    let body = request.body.trim_ascii();
    if body.is_empty() {
        return Ok(());
    }
    let short = Some(body).filter(|body| body.len() <= MAX_BODY);
    match short.and_then(|body| serde_json::from_slice::<Map<String, Value>>(body).ok()) {
        Some(object) if object.is_empty() => Ok(()),
        Some(object) => {
            let message = "This call takes no fields; leave the body out.".to_owned();
            let fault = |name: &String| problem::field(name, ("unknown_field", message.clone()));
            Err(problem::invalid_fields(object.keys().map(fault).collect()))
        }
        None => Err(problem::invalid_json("This call takes no body; leave it out.")),
    }
}

/// The caller's name for the request, with a fingerprint of what it asks for.
pub(super) fn idempotency(
    request: &Request<'_>,
    body: &Map<String, Value>,
) -> Result<Option<Idempotency>, Response> {
    let key = request.headers.idempotency_key;
    if key.is_empty() {
        return Ok(None);
    }
    if key.len() > MAX_IDEMPOTENCY_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(problem::invalid_idempotency_key(MAX_IDEMPOTENCY_KEY));
    }
    // Maps are sorted by name, so that equal objects are written equally.
    let body = Value::Object(body.clone()).to_string();
    let digest = Sha256::digest(format!("POST {}\n{body}", request.path).as_bytes());
    Ok(Some(Idempotency { key: key.to_owned(), fingerprint: hex(&digest) }))
}

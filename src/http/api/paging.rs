//! Pages of lists: limit, cursor and filters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{problem, value};
use crate::app::catalog::Selection;
use crate::app::catalog::resource::{Kind, Resource};
use crate::domain::encoding;
use crate::http::request::Request;
use crate::http::response::Response;

/// How many objects a page has unless `limit` says otherwise.
pub(super) const DEFAULT_LIMIT: u32 = 50;

/// The most that `limit` may say.
pub(super) const MAX_LIMIT: u32 = 500;

/// The query's parameters, decoded. An empty one is refused: taken for an absent one, a filter whose
/// value got lost would let everything through.
pub(super) fn parameters(request: &Request<'_>) -> Result<Vec<(String, String)>, Response> {
    let mut parameters = Vec::new();
    for (name, value) in encoding::pairs(request.query) {
        let (Some(name), Some(value)) = (encoding::decode(name), encoding::decode(value)) else {
            return Err(problem::invalid_parameter("of the query", "it is not UTF-8."));
        };
        if value.contains('\0') {
            return Err(problem::invalid_parameter(&name, "it holds a NUL."));
        }
        // The first page has no cursor, which loops send as an empty one.
        if value.is_empty() && name == "cursor" {
            continue;
        }
        if value.is_empty() {
            return Err(problem::invalid_parameter(
                &name,
                "it has no value; leave it out or give it one.",
            ));
        }
        parameters.push((name.into_owned(), value.into_owned()));
    }
    Ok(parameters)
}

/// What `limit` says.
pub(super) fn limit(text: &str) -> Result<u32, Response> {
    let limit = number(text).and_then(|limit| u32::try_from(limit.as_u64()?).ok());
    let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
    let detail = || format!("it has to be a number from 1 to {MAX_LIMIT}.");
    limit.ok_or_else(|| problem::invalid_parameter("limit", &detail()))
}

/// The cursor of the page that follows this key.
pub(super) fn cursor(last: &Value) -> String {
    URL_SAFE_NO_PAD.encode(last.to_string())
}

/// The key in a cursor.
pub(super) fn key_of_cursor(text: &str) -> Result<Value, Response> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| problem::invalid_cursor())?;
    serde_json::from_slice(&bytes).map_err(|_| problem::invalid_cursor())
}

/// What a list of managed objects shall hold, and how many of it are to be shown.
pub(super) fn selection(
    request: &Request<'_>,
    resource: &Resource,
) -> Result<(Selection, usize), Response> {
    let mut selection = Selection::default();
    let mut limit = DEFAULT_LIMIT;
    for (name, text) in parameters(request)? {
        if name == "limit" {
            limit = self::limit(&text)?;
        } else if name == "cursor" {
            let key = key_of_cursor(&text)?;
            let is_name = key.as_str().is_some_and(is_plain);
            let fits = if resource.is_numbered() { key.is_u64() } else { is_name };
            selection.after = Some(key).filter(|_| fits);
            selection.after.as_ref().ok_or_else(problem::invalid_cursor)?;
        } else if let Some(field) = resource.field(&name).filter(|field| field.is_filter) {
            let sent = match field.kind {
                Kind::Reference(_) | Kind::Limit(_) | Kind::TokenOwner => number(&text),
                _ => Some(Value::String(text)),
            };
            let stored = value::filter(field.kind, sent)
                .map_err(|(_, message)| problem::invalid_parameter(&name, &message))?;
            selection.filters.push((field.name, stored));
        } else {
            return Err(problem::unknown_parameter(&name, &known(resource, &["limit", "cursor"])));
        }
    }
    // One more, to know whether there are more.
    selection.limit = limit + 1;
    Ok((selection, limit as usize))
}

/// The parameters that a list takes: its own and the filters.
pub(super) fn known(resource: &Resource, own: &[&str]) -> String {
    let filters = resource.fields.iter().filter(|field| field.is_filter).map(|field| field.name);
    own.iter().copied().chain(filters).collect::<Vec<_>>().join(", ")
}

/// A number as an address or query writes it, in its only form: digits without a sign or zeros before
/// them, below 2^53 since numbers are bound as doubles.
pub(super) fn number(text: &str) -> Option<Value> {
    let number = text.parse::<u64>().ok().filter(|number| *number < 1 << 53)?;
    (number.to_string() == text).then(|| number.into())
}

/// Whether a text can be the key of anything.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 300 && !text.chars().any(char::is_control)
}

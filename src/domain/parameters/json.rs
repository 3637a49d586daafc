//! A postback's JSON body: one flat object whose numbers keep their literal text.

use super::{Field, MAX_PARAMETERS, named};
use crate::domain::verdict::{Reason, Refusal};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The fields of a JSON object, repeats included.
pub(super) fn fields(text: &str) -> Result<Vec<Field<'_>>, Refusal> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader
        .deserialize_map(Members)
        .and_then(|members| reader.end().map(|()| members))
        .map_err(|error| {
            // Where, not what: the parser's own words may quote a secret, and refusals are kept.
            let (line, column) = (error.line(), error.column());
            Refusal::new(
                Reason::InvalidParameter,
                format!("The body is not one JSON object; see line {line}, column {column}."),
            )
        })?;
    members.into_iter().map(|(wire, raw)| field(wire, raw.get())).collect()
}

/// The members of a JSON object with their values as text: numbers with the digits that were sent,
/// nested values compact, `null` empty. At most one more than a postback has parameters. `None` for
/// what is no object.
pub fn members(text: &str) -> Option<Vec<(String, String)>> {
    let owned = |field: Field<'_>| (field.wire.into_owned(), field.value.into_owned());
    Some(fields(text).ok()?.into_iter().map(owned).collect())
}

/// One member as a field: strings unescaped, numbers and booleans as they stand, `null` empty,
/// nested values as compact text.
fn field<'a>(wire: String, raw: &'a str) -> Result<Field<'a>, Refusal> {
    let raw = raw.trim_ascii();
    let (value, is_nested) = match raw.as_bytes().first() {
        Some(b'"') => (string(raw).map(Cow::Owned), false),
        Some(b'{' | b'[') => (Some(compact(raw)), true),
        _ if raw == "null" => (Some(Cow::Borrowed("")), false),
        _ => (Some(Cow::Borrowed(raw)), false),
    };
    let Some(value) = value else {
        return Err(Refusal::of(
            Reason::InvalidParameter,
            named(&wire),
            "The value is not valid Unicode.",
        ));
    };
    Ok(Field::new(Cow::Owned(wire), value, is_nested))
}

/// A JSON string's value; nothing if it has half of a surrogate pair.
fn string(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// JSON without the white space between its tokens.
fn compact(raw: &str) -> Cow<'_, str> {
    let mut compacted = String::with_capacity(raw.len());
    let (mut is_in_string, mut is_escaped) = (false, false);
    for c in raw.chars() {
        if is_in_string || !matches!(c, ' ' | '\t' | '\n' | '\r') {
            compacted.push(c);
        }
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_in_string,
            '"' => is_in_string = !is_in_string,
            _ => {}
        }
    }
    Cow::Owned(compacted)
}

/// Collects an object's members with their literal text; serde's maps would keep one of repeats.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
            // One more than allowed is enough to know that there are too many.
            if members.len() <= MAX_PARAMETERS {
                members.push(member);
            }
        }
        Ok(members)
    }
}

//! The parameters of a postback, read strictly: every doubt is a refusal that names its cause.
//!
//! Here ends the variety of senders (query, form or JSON; aliases; repeats), so that nothing
//! behind this module asks how something was sent.
//! Not here: what a value means, and the parameters of a click (`click_parameters`).

use super::encoding;
use super::verdict::{Reason, Refusal, Warning, WarningCode};
use std::borrow::Cow;

mod json;
mod names;
#[cfg(test)]
mod tests;

pub use json::members;
pub use names::{
    NAMES, PARAMETER_NAME, canonical_name, is_parameter_name, is_placeholder, looks_like_click,
    looks_like_postback,
};
use names::{is_prose, known_name};

/// The longest query in bytes (wire.md 2).
pub const MAX_QUERY_BYTES: usize = 16 * 1024;
/// The longest body in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// The most parameters, query and body together, empty ones included.
pub const MAX_PARAMETERS: usize = 100;
/// The most unknown parameters that are kept.
pub const MAX_UNKNOWN: usize = 20;
/// The longest name of an unknown parameter that is kept, in bytes.
pub const MAX_UNKNOWN_NAME_BYTES: usize = 64;
/// The longest value of an unknown parameter that is kept, in bytes.
pub const MAX_UNKNOWN_VALUE_BYTES: usize = 512;

/// The parameters of one postback: canonical name to value, in order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    known: Vec<Known>,
    unknown: Vec<(String, String)>,
}

/// A parameter of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    canonical: &'static str,
    wire: &'static str,
    value: String,
}

impl Parameters {
    /// The value of a parameter by its canonical name. Never empty.
    pub fn get(&self, canonical: &str) -> Option<&str> {
        self.find(canonical).map(|known| known.value.as_str())
    }

    /// Known parameters as (canonical name, value), in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.known.iter().map(|known| (known.canonical, known.value.as_str()))
    }

    /// Unknown parameters that are kept, as (name, value), in order of arrival.
    pub fn unknown(&self) -> &[(String, String)] {
        &self.unknown
    }

    /// The name under which a parameter was sent, for messages; the canonical one if it was not.
    pub fn wire_name<'a>(&'a self, canonical: &'a str) -> &'a str {
        self.find(canonical).map_or(canonical, |known| known.wire)
    }

    fn find(&self, canonical: &str) -> Option<&Known> {
        self.known.iter().find(|known| known.canonical == canonical)
    }
}

/// Reads the query and the body of a postback (wire.md 2).
///
/// 1. Sizes: `too_large`.
/// 2. The query, then the body by its content type: `unsupported_media_type`, and
///    `invalid_parameter` for what is not UTF-8, not JSON, or repeated with another value.
/// 3. The body wins over the query, with a warning.
/// 4. Placeholders and control characters in known parameters are refused.
/// 5. Of the unknown ones those within the bounds are kept, the others dropped with a warning.
pub fn parse_postback(
    query: Option<&str>,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<(Parameters, Vec<Warning>), Refusal> {
    let query = query.unwrap_or_default();
    if query.len() > MAX_QUERY_BYTES {
        return Err(too_large("The query is longer than 16 KiB; send a body instead."));
    }
    if body.len() > MAX_BODY_BYTES {
        return Err(too_large("The body is longer than 64 KiB."));
    }

    let from_query = Source::read(form_fields(query)?)?;
    let from_body = Source::read(body_fields(content_type, body)?)?;
    if from_query.sent + from_body.sent > MAX_PARAMETERS {
        return Err(too_large("There are more than 100 parameters."));
    }

    let mut warnings = Vec::new();
    let fields = merge(from_query.fields, from_body.fields, &mut warnings);
    let parameters = sort_out(fields, &mut warnings)?;
    Ok((parameters, warnings))
}

fn too_large(detail: &str) -> Refusal {
    Refusal::new(Reason::TooLarge, detail)
}

/// One parameter as it was sent, decoded.
struct Field<'a> {
    wire: Cow<'a, str>,
    value: Cow<'a, str>,
    /// A nested JSON value: its brackets are not those of a placeholder.
    is_nested: bool,
    /// The canonical name, and the name as it was sent, if it is one of ours.
    known: Option<(&'static str, &'static str)>,
}

impl<'a> Field<'a> {
    fn new(wire: Cow<'a, str>, value: Cow<'a, str>, is_nested: bool) -> Self {
        let known = known_name(&wire);
        Self { wire, value, is_nested, known }
    }

    /// Whether two fields mean the same parameter.
    fn is_same_parameter(&self, other: &Self) -> bool {
        match (self.known, other.known) {
            (None, None) => self.wire == other.wire,
            (Some((ours, _)), Some((theirs, _))) => ours == theirs,
            _ => false,
        }
    }
}

/// The parameters of the query or of the body, each once.
struct Source<'a> {
    fields: Vec<Field<'a>>,
    /// How many were sent, with repeats and empty ones.
    sent: usize,
}

impl<'a> Source<'a> {
    /// Drops empty values and equal repeats; a repeat with another value is refused.
    fn read(sent: Vec<Field<'a>>) -> Result<Self, Refusal> {
        let count = sent.len();
        if count > MAX_PARAMETERS {
            return Err(too_large("There are more than 100 parameters."));
        }
        let mut fields: Vec<Field<'a>> = Vec::with_capacity(count);
        for mut field in sent {
            field.value = encoding::trim_spaces(field.value);
            if field.value.is_empty() || field.wire.is_empty() {
                continue;
            }
            match fields.iter().find(|known| known.is_same_parameter(&field)) {
                None => fields.push(field),
                Some(known) if known.value == field.value => {}
                Some(_) => {
                    return Err(Refusal::of(
                        Reason::InvalidParameter,
                        named(&field.wire),
                        "The parameter, or another name of it, comes twice with different \
                         values. Send it once.",
                    ));
                }
            }
        }
        Ok(Self { fields, sent: count })
    }
}

/// A parameter's name for a message; one over the bound is not repeated to its sender.
fn named(wire: &str) -> &str {
    if wire.len() <= MAX_UNKNOWN_NAME_BYTES { wire } else { "(a name over 64 bytes)" }
}

/// The fields of a query or form. One more than allowed is enough to know that it is too large.
fn form_fields(text: &str) -> Result<Vec<Field<'_>>, Refusal> {
    encoding::pairs(text)
        .take(MAX_PARAMETERS + 1)
        .map(|(name, value)| {
            let wire = encoding::decode(name).ok_or_else(|| {
                Refusal::new(Reason::InvalidParameter, "A parameter's name is not UTF-8.")
            })?;
            let value = encoding::decode(value).ok_or_else(|| {
                Refusal::of(Reason::InvalidParameter, named(&wire), "The value is not UTF-8.")
            })?;
            Ok(Field::new(wire, value, false))
        })
        .collect()
}

/// The fields of a body, read by its content type.
fn body_fields<'a>(content_type: Option<&str>, body: &'a [u8]) -> Result<Vec<Field<'a>>, Refusal> {
    let format = Format::of(content_type.unwrap_or_default());
    if body.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    if format == Some(Format::Unreadable) {
        return Err(Refusal::new(
            Reason::UnsupportedMediaType,
            "Send the body as application/json or application/x-www-form-urlencoded.",
        ));
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return Err(Refusal::new(Reason::InvalidParameter, "The body is not UTF-8."));
    };
    // A byte order mark, which some .NET clients send, is no part of the text.
    let text = text.trim_start_matches('\u{feff}').trim_ascii();
    let is_json = match format {
        Some(format) => format == Format::Json,
        None => text.starts_with('{'),
    };
    if is_json { json::fields(text) } else { form_fields(text) }
}

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Form,
    /// A type that we know and do not read.
    Unreadable,
}

impl Format {
    /// The format that a content type promises; nothing for one that says little (`text/plain`).
    fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        match (kind, subtype) {
            (_, "json") => Some(Self::Json),
            ("application", "x-www-form-urlencoded") => Some(Self::Form),
            (_, suffixed) if suffixed.ends_with("+json") => Some(Self::Json),
            ("multipart" | "image" | "audio" | "video" | "font", _) => Some(Self::Unreadable),
            (_, subtype) if is_unreadable(subtype) => Some(Self::Unreadable),
            _ => None,
        }
    }
}

/// Whether a content type is one that is certainly neither JSON nor a form.
pub fn is_unreadable_type(content_type: &str) -> bool {
    Format::of(content_type) == Some(Format::Unreadable)
}

/// Whether a content type's subtype is one that is certainly neither JSON nor a form.
fn is_unreadable(subtype: &str) -> bool {
    subtype.ends_with("+xml")
        || matches!(
            subtype,
            "xml"
                | "html"
                | "csv"
                | "pdf"
                | "zip"
                | "gzip"
                | "msgpack"
                | "x-msgpack"
                | "protobuf"
                | "x-protobuf"
                | "cbor"
                | "yaml"
                | "x-yaml"
        )
}

/// Query and body as one list; where they disagree the body wins, with a warning.
fn merge<'a>(
    mut fields: Vec<Field<'a>>,
    from_body: Vec<Field<'a>>,
    warnings: &mut Vec<Warning>,
) -> Vec<Field<'a>> {
    for field in from_body {
        match fields.iter_mut().find(|known| known.is_same_parameter(&field)) {
            None => fields.push(field),
            Some(known) => {
                if known.value != field.value {
                    warnings.push(Warning::about(
                        WarningCode::BodyWins,
                        named(&field.wire),
                        "Query and body have different values; the body's was used.",
                    ));
                }
                *known = field;
            }
        }
    }
    fields
}

/// Tells known from unknown parameters, and checks the former and bounds the latter.
fn sort_out(fields: Vec<Field<'_>>, warnings: &mut Vec<Warning>) -> Result<Parameters, Refusal> {
    let mut parameters = Parameters::default();
    let mut dropped = 0;
    for field in fields {
        // A NUL ends the text for some of the programs that read the ledger.
        if field.value.contains('\0') || field.wire.contains('\0') {
            return Err(Refusal::of(
                Reason::InvalidParameter,
                &named(&field.wire).replace('\0', ""),
                "The parameter contains a NUL character.",
            ));
        }
        if let Some((canonical, wire)) = field.known {
            check_known(canonical, wire, &field)?;
            parameters.known.push(Known { canonical, wire, value: field.value.into_owned() });
        } else if parameters.unknown.len() < MAX_UNKNOWN
            && field.wire.len() <= MAX_UNKNOWN_NAME_BYTES
            && field.value.len() <= MAX_UNKNOWN_VALUE_BYTES
        {
            parameters.unknown.push((field.wire.into_owned(), field.value.into_owned()));
        } else {
            dropped += 1;
        }
    }
    if dropped > 0 {
        warnings.push(Warning::general(
            WarningCode::TooManyUnknown,
            format!(
                "Unknown parameters that were dropped: {dropped}. At most {MAX_UNKNOWN} are kept, \
                 with names up to {MAX_UNKNOWN_NAME_BYTES} and values up to \
                 {MAX_UNKNOWN_VALUE_BYTES} bytes."
            ),
        ));
    }
    Ok(parameters)
}

/// Refuses what no parameter of ours can mean: placeholders and control characters.
fn check_known(canonical: &str, wire: &str, field: &Field<'_>) -> Result<(), Refusal> {
    if !field.is_nested && is_placeholder(&field.value) {
        return Err(Refusal::of(
            Reason::PlaceholderNotReplaced,
            wire,
            format!(
                "The value of {wire} is still a placeholder. Put the real value there, or leave \
                 the parameter out."
            ),
        ));
    }
    let is_control =
        |c: char| c.is_control() && !(is_prose(canonical) && matches!(c, '\t' | '\n' | '\r'));
    if field.value.contains(is_control) {
        return Err(Refusal::of(
            Reason::InvalidParameter,
            wire,
            format!("The value of {wire} contains control characters."),
        ));
    }
    Ok(())
}

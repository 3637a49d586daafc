//! Texts with macros and filters, compiled: `Bearer {{TOKEN}}`, `{{EMAIL:lower:sha256}}`, `{sub1}`.
//!
//! Not here: how a value is encoded for where it stands (`encode`), which macros there are (`macros`).

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::encode;
use super::macros::{self, Macro, Origin};
use crate::domain::encoding::hex;

/// A request's address, its headers together, and its body have no more bytes each; so much no
/// receiver of postbacks reads. Rendering stops there, whatever macros stand for.
pub const MAX_REQUEST_BYTES: usize = 65_536;

/// Whether a text is longer than a request may be, so that nothing needs to be added to it.
pub(super) fn is_too_long(text: &str) -> bool {
    text.len() > MAX_REQUEST_BYTES
}

/// Values of macros by their keys ([`macros`]); what is absent is empty.
pub type Lookup<'v> = dyn Fn(&str) -> Option<Cow<'v, str>> + 'v;

/// Which braces name macros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Braces {
    /// `{{UPPER}}` and `{single}`: addresses, parameters and headers.
    Both,
    /// `{{UPPER}}` only: pixels and bodies, whose own language has braces.
    Double,
}

/// What is done to a value before it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Lower case.
    Lower,
    /// The SHA-256 of the trimmed, lower-cased value in hexadecimal digits; empty stays empty.
    Sha256,
    /// Percent-encoded, for a value that stands in an address within a value.
    UrlEncode,
    /// This text if it is empty.
    Default(String),
}

/// A macro at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// By what its value is looked up.
    pub key: String,
    /// What is done to it, in order.
    pub filters: Vec<Filter>,
}

/// What is written with macros.
pub trait Mentions {
    /// Its macros, one for each place.
    fn uses(&self) -> impl Iterator<Item = &Use>;

    /// Whether a macro of this key occurs anywhere.
    fn mentions(&self, key: &str) -> bool {
        self.uses().any(|one| one.key == key)
    }

    /// Whether any built-in macro of this origin occurs. Touches give also what [`Origin::Touch`]
    /// lists.
    fn mentions_any(&self, origin: Origin) -> bool {
        self.uses().any(|one| Macro::of_key(&one.key).is_some_and(|known| known.origin == origin))
    }

    /// Whether personal values occur.
    fn is_personal(&self) -> bool {
        self.uses().any(|one| macros::is_personal(&one.key))
    }
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Literal(String),
    /// A value.
    Value(Use),
}

/// A compiled text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Its parts in order.
    pub pieces: Vec<Piece>,
}

/// What is wrong with a text, in words for whoever wrote it, and its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFault {
    /// `unknown_macro` or `invalid`.
    pub code: &'static str,
    /// What to do about it.
    pub message: String,
}

fn invalid(message: String) -> TextFault {
    TextFault { code: "invalid", message }
}

fn unknown(message: String) -> TextFault {
    TextFault { code: "unknown_macro", message }
}

impl Text {
    /// Compiles a text.
    ///
    /// # Errors
    /// An opening brace without a closing one, an unknown single-brace name, a name in double
    /// braces that is not in upper case, or an unknown filter. Any `{{UPPER}}` name is one: it may
    /// be a key of events to come.
    pub fn parse(text: &str, braces: Braces) -> Result<Self, TextFault> {
        let mut parsed = Self::default();
        let mut rest = text;
        // Behind the last one nothing is closed, which must not be found out by every brace anew.
        let last_close = text.rfind("}}").unwrap_or_default();
        while let Some((literal, after)) = rest.split_once('{') {
            parsed.literal(literal);
            rest = match after.strip_prefix('{') {
                Some(inner) => match double(inner, braces, text.len() - inner.len() <= last_close)?
                {
                    Some((value, tail)) => {
                        parsed.pieces.push(Piece::Value(value));
                        tail
                    }
                    None => {
                        parsed.literal("{");
                        after
                    }
                },
                None if braces == Braces::Double => {
                    parsed.literal("{");
                    after
                }
                None => {
                    let (value, tail) = single(after)?;
                    parsed.pieces.push(Piece::Value(value));
                    tail
                }
            };
        }
        parsed.literal(rest);
        Ok(parsed)
    }

    fn literal(&mut self, literal: &str) {
        match self.pieces.last_mut() {
            _ if literal.is_empty() => {}
            Some(Piece::Literal(text)) => text.push_str(literal),
            _ => self.pieces.push(Piece::Literal(literal.to_owned())),
        }
    }

    /// The macros of the text, repeats included.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(value) => Some(value),
            Piece::Literal(_) => None,
        })
    }

    /// The text with every macro replaced by its filtered value, not encoded. It ends early where it
    /// is longer than [`MAX_REQUEST_BYTES`].
    pub fn plain(&self, values: &Values<'_, '_>) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            if is_too_long(&out) {
                break;
            }
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Value(value) => out.push_str(&values.of(value)),
            }
        }
        out
    }
}

/// Reads what stands behind `{{`; nothing if that is no macro but text. What is neither the end of
/// a name nor filters is not searched for braces that close it: code may have any number of braces.
fn double(inner: &str, braces: Braces, may_close: bool) -> Result<Option<(Use, &str)>, TextFault> {
    let name_end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let (name, rest) = inner.split_at(name_end.unwrap_or(inner.len()));
    let has_filters = !name.is_empty() && rest.starts_with(':');
    let closed = match rest.strip_prefix("}}") {
        Some(tail) => Some(("", tail)),
        None if may_close && has_filters => split_at_close(rest),
        None => None,
    };
    match closed {
        Some((behind, tail)) if macros::is_upper(name) => {
            let value = Use { key: name.to_owned(), filters: filters(behind)? };
            Ok(Some((value, tail)))
        }
        Some(_) if !name.is_empty() => Err(unknown(format!(
            "Macros in double braces are in upper case: write {{{{{}}}}}.",
            macros::upper_name(&shortened(name))
        ))),
        _ if braces == Braces::Both || macros::is_upper(name) => Err(unclosed(name)),
        _ => Ok(None),
    }
}

fn split_at_close(text: &str) -> Option<(&str, &str)> {
    let found = text.split_once("}}");
    #[cfg(test)]
    tests::SEARCHED.set(tests::SEARCHED.get() + found.map_or(text, |(body, _)| body).len());
    found
}

/// Reads what stands behind `{`.
fn single(inner: &str) -> Result<(Use, &str), TextFault> {
    let (body, tail) = inner.split_once('}').ok_or_else(|| unclosed(inner))?;
    let name = body.split(':').next().unwrap_or_default();
    let known = Macro::of_single(name).ok_or_else(|| {
        let nearest = macros::nearest_single(name);
        let name = shortened(name);
        unknown(format!("There is no macro {{{name}}}; the nearest is {{{nearest}}}."))
    })?;
    let behind = body.strip_prefix(name).unwrap_or_default();
    Ok((Use { key: known.key.to_owned(), filters: filters(behind)? }, tail))
}

fn unclosed(name: &str) -> TextFault {
    let name = shortened(name);
    invalid(format!("The macro that begins with {name:?} has no closing brace, or is no macro."))
}

fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

/// The filters behind a macro's name.
fn filters(behind: &str) -> Result<Vec<Filter>, TextFault> {
    let Some(list) = behind.strip_prefix(':') else { return Ok(Vec::new()) };
    list.split(':').map(filter).collect()
}

fn filter(word: &str) -> Result<Filter, TextFault> {
    match word {
        "lower" => Ok(Filter::Lower),
        "sha256" => Ok(Filter::Sha256),
        "urlencode" => Ok(Filter::UrlEncode),
        _ => match word.strip_prefix("default=") {
            Some(text) => Ok(Filter::Default(text.to_owned())),
            None => Err(TextFault {
                code: "unknown_filter",
                message: format!(
                    "There is no filter {:?}; there are lower, sha256, urlencode and default=….",
                    shortened(word)
                ),
            }),
        },
    }
}

/// What macros stand for while one request is rendered.
#[derive(Clone, Copy)]
pub struct Values<'a, 'v> {
    /// The values.
    pub lookup: &'a Lookup<'v>,
    /// New names of events.
    pub renamed: &'a [(String, String)],
    /// Whether personal values are masked, as the log shows them.
    pub is_masked: bool,
}

impl Values<'_, '_> {
    /// The filtered value of a macro.
    pub fn of(&self, wanted: &Use) -> String {
        let mut value = (self.lookup)(&wanted.key).unwrap_or_default().into_owned();
        if wanted.key == "EVENT_NAME"
            && let Some((_, new)) = self.renamed.iter().find(|(old, _)| *old == value)
        {
            value.clone_from(new);
        }
        for filter in &wanted.filters {
            value = match filter {
                Filter::Lower => value.to_lowercase(),
                Filter::Sha256 if value.trim().is_empty() => String::new(),
                Filter::Sha256 => hex(&Sha256::digest(value.trim().to_lowercase().as_bytes())),
                // Encoded over and over, it would grow without end.
                Filter::UrlEncode if is_too_long(&value) => value,
                Filter::UrlEncode => encode::query(&value),
                Filter::Default(text) if value.is_empty() => text.clone(),
                Filter::Default(_) => value,
            };
        }
        if self.is_masked && macros::is_personal(&wanted.key) { masked(&value) } else { value }
    }
}

/// A personal value as whoever may not see it sees it: `e***@example.com`, `J***`.
pub fn masked(value: &str) -> String {
    let Some(first) = value.chars().next() else { return String::new() };
    match value.split_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.contains('@') => {
            format!("{first}***@{domain}")
        }
        _ => format!("{first}***"),
    }
}

//! Pixels: HTML or JavaScript for a visitor's browser, each value encoded for where it stands.
//!
//! Not here: who approves them (`Neighbourhood::approve` in `app/connectors`), how they run in the page (the site script).

mod place;
mod script;
#[cfg(test)]
mod tests;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::encode;
use super::text::{
    Braces, Lookup, MAX_REQUEST_BYTES, Mentions, Piece, Text, Use, Values, is_too_long,
};
use super::webhook::Fault;
use crate::domain::encoding::hex;
use place::{Place, Scanner};

/// The most bytes of a pixel's code.
pub const MAX_CODE_BYTES: usize = 16_384;

/// What a pixel has.
const FIELDS: &[&str] = &["code", "is_sandboxed"];

/// A pixel. Made by [`Pixel::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixel {
    /// The code as it was written.
    pub code: String,
    /// Whether it runs in a frame of its own, without access to the page.
    pub is_sandboxed: bool,
    text: Text,
    /// Where each of the text's macros stands.
    places: Vec<Place>,
    /// Whether the code is JavaScript alone.
    is_script: bool,
}

/// A pixel with its values filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// What the page is to run.
    pub html: String,
    /// Whether it would have more than [`MAX_REQUEST_BYTES`]. Then it ends early, and must not be
    /// handed out.
    pub is_too_long: bool,
}

impl Rendered {
    /// Why the pixel cannot be handed out as it is, in words for whoever wrote it.
    pub fn fault(&self) -> Option<String> {
        self.is_too_long.then(|| {
            format!(
                "the pixel would be longer than {MAX_REQUEST_BYTES} bytes with its macros filled in; \
                 use fewer macros, or shorter values"
            )
        })
    }
}

impl Pixel {
    /// Reads a stored pixel.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let value = serde_json::from_str(text).unwrap_or(Value::Null);
        Self::read(&value).map_err(|mut faults| faults.swap_remove(0))
    }

    /// Reads what an operator sent.
    ///
    /// # Errors
    /// Everything that is wrong with it, at least one thing.
    pub fn read(value: &Value) -> Result<Self, Vec<Fault>> {
        let fault = |field: &str, code, message: &str| {
            vec![Fault { field: field.to_owned(), code, message: message.to_owned() }]
        };
        let Value::Object(object) = value else {
            return Err(fault("", "invalid", "Send an object with code."));
        };
        if let Some(name) = object.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            let message = format!("There is no such field; there are {}.", FIELDS.join(", "));
            return Err(fault(name, "unknown_field", &message));
        }
        let is_sandboxed = match object.get("is_sandboxed") {
            None | Some(Value::Null) => true,
            Some(Value::Bool(is_sandboxed)) => *is_sandboxed,
            Some(_) => return Err(fault("is_sandboxed", "invalid", "Send true or false.")),
        };
        let code = object.get("code").and_then(Value::as_str).unwrap_or_default();
        if code.trim().is_empty() || code.len() > MAX_CODE_BYTES || code.contains('\0') {
            let message = format!("Send HTML or JavaScript of 1 to {MAX_CODE_BYTES} bytes.");
            return Err(fault("code", "invalid", &message));
        }
        let text = Text::parse(code, Braces::Double)
            .map_err(|found| fault("code", found.code, &found.message))?;
        let is_script = !code.trim_start().starts_with('<');
        if is_script && code.to_ascii_lowercase().contains("</script") {
            let message = "JavaScript cannot contain </script; begin with <script> to send HTML.";
            return Err(fault("code", "invalid", message));
        }
        let places = places(&text, is_script).map_err(|(key, message)| {
            fault("code", "macro_place", &format!("{{{{{key}}}}}: {message}"))
        })?;
        Ok(Self { code: code.to_owned(), is_sandboxed, text, places, is_script })
    }

    /// The HTML with every value filled in, looked up by the macros' keys (`macros`).
    pub fn render(&self, lookup: &Lookup<'_>) -> Rendered {
        self.render_with(&Values { lookup, renamed: &[], is_masked: false })
    }

    /// The same as the log shows it: personal values are masked.
    pub fn render_masked(&self, lookup: &Lookup<'_>) -> Rendered {
        self.render_with(&Values { lookup, renamed: &[], is_masked: true })
    }

    fn render_with(&self, values: &Values<'_, '_>) -> Rendered {
        let mut html = String::with_capacity(self.code.len() + 256);
        if self.is_script {
            html.push_str("<script>");
        }
        let mut places = self.places.iter();
        for piece in &self.text.pieces {
            if is_too_long(&html) {
                break;
            }
            match piece {
                Piece::Literal(literal) => html.push_str(literal),
                Piece::Value(value) => {
                    let value = values.of(value);
                    html.push_str(&match places.next() {
                        Some(Place::Path) => encode::path(&value),
                        Some(Place::Query) => encode::query(&value),
                        Some(Place::Text) => encode::string(&value),
                        Some(Place::Code) => encode::literal(&value),
                        Some(Place::Html) | None => encode::html(&value),
                    });
                }
            }
        }
        let is_too_long = is_too_long(&html);
        if self.is_script {
            html.push_str("</script>");
        }
        Rendered { html, is_too_long }
    }

    /// The text of the code, for those who judge its macros.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// What an approval binds: SHA-256 of mode and code, in hexadecimal digits.
    pub fn hash(&self) -> String {
        let mode: &[u8] = if self.is_sandboxed { b"sandbox\0" } else { b"page\0" };
        hex(&Sha256::new().chain_update(mode).chain_update(self.code.as_bytes()).finalize())
    }

    /// Whether a connector's approval, a stored JSON object, is of this code and mode.
    pub fn is_approved(&self, approval: &str) -> bool {
        let approval: Value = serde_json::from_str(approval).unwrap_or(Value::Null);
        approval.get("hash").and_then(Value::as_str) == Some(self.hash().as_str())
    }
}

impl Mentions for Pixel {
    fn uses(&self) -> impl Iterator<Item = &Use> {
        self.text.uses()
    }
}

/// Where each macro stands, or the one that cannot stand where it does, and why.
fn places(text: &Text, is_script: bool) -> Result<Vec<Place>, (String, &'static str)> {
    let mut scanner = Scanner::new(is_script);
    let mut places = Vec::new();
    for piece in &text.pieces {
        match piece {
            Piece::Literal(literal) => scanner.feed(literal),
            Piece::Value(value) => {
                places.push(scanner.place().map_err(|message| (value.key.clone(), message))?);
                scanner.value();
            }
        }
    }
    Ok(places)
}

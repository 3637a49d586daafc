//! Webhooks: the request that a connector sends, as it is configured.
//!
//! Not here: which addresses may be called (`address`), how values are filled in (`render`).

mod read;
#[cfg(test)]
mod tests;

use super::text::{Mentions, Text, Use};
use crate::domain::verdict::words;

words! {
    /// How a webhook asks.
    Method {
        /// Parameters are appended to the address.
        Get = "GET",
        /// Parameters are in the body.
        Post = "POST",
        /// Likewise.
        Put = "PUT",
    }
}

words! {
    /// What a body is.
    Format {
        /// `application/x-www-form-urlencoded`.
        Form = "form",
        /// `application/json`.
        Json = "json",
    }
}

/// The most parameters.
pub const MAX_PARAMETERS: usize = 50;
/// The most headers.
pub const MAX_HEADERS: usize = 20;
/// The most renamed events.
pub const MAX_RENAMED: usize = 50;
/// The most characters of a parameter's or header's name, and of an event's new one.
pub const MAX_NAME: usize = 128;
/// The most characters of a parameter's or header's value.
pub const MAX_VALUE: usize = 2_048;
/// The most bytes of a body; Standard Webhooks asks for less than 20 KB.
pub const MAX_BODY_BYTES: usize = 16_384;

/// A parameter or header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Its name, as it is sent.
    pub name: String,
    /// Its value.
    pub value: Text,
}

/// A webhook. Made by [`Webhook::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// How it asks.
    pub method: Method,
    /// The address as it was written.
    pub written_url: String,
    /// The same, compiled.
    pub url: Text,
    /// What its body is; a GET has none.
    pub format: Format,
    /// What it tells.
    pub parameters: Vec<Pair>,
    /// Its own headers.
    pub headers: Vec<Pair>,
    /// The body, in place of one made of the parameters.
    pub body: Option<Text>,
    /// Names of events, and what the receiver calls them.
    pub renamed: Vec<(String, String)>,
}

/// What is wrong with a webhook, pixel or matching: the field, a code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Such as `url` or `headers[0].name`, within the object.
    pub field: String,
    /// Such as `invalid` or `unknown_macro`.
    pub code: &'static str,
    /// What to send instead.
    pub message: String,
}

impl Webhook {
    /// Every text with macros, by its field.
    pub fn texts(&self) -> impl Iterator<Item = (String, &Text)> {
        let parameters = self.parameters.iter().enumerate();
        let headers = self.headers.iter().enumerate();
        [("url".to_owned(), &self.url)]
            .into_iter()
            .chain(parameters.map(|(i, pair)| (format!("parameters[{i}].value"), &pair.value)))
            .chain(headers.map(|(i, pair)| (format!("headers[{i}].value"), &pair.value)))
            .chain(self.body.iter().map(|body| ("body".to_owned(), body)))
    }
}

impl Mentions for Webhook {
    fn uses(&self) -> impl Iterator<Item = &Use> {
        self.texts().flat_map(|(_, text)| text.uses())
    }
}

//! The JSON of a webhook, read with every fault that it has.

use serde_json::{Map, Value};

use super::{
    Fault, Format, MAX_BODY_BYTES, MAX_HEADERS, MAX_NAME, MAX_PARAMETERS, MAX_RENAMED, MAX_VALUE,
    Method, Pair, Webhook,
};
use crate::domain::connector::text::{Braces, Piece, Text, TextFault};
use crate::domain::web_address::MAX_ADDRESS_BYTES;

/// What a webhook has.
const FIELDS: &[&str] =
    &["method", "url", "format", "parameters", "headers", "body", "renamed_events"];

/// Headers that say where a request goes, how long it is and who signed it, or that HTTP keeps to
/// itself.
const RESERVED_HEADERS: &[&str] = &[
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "accept-encoding",
    "cookie",
    "cookie2",
    "set-cookie",
    "date",
    "via",
    "forwarded",
];

/// What names of reserved headers begin with.
const RESERVED_PREFIXES: &[&str] =
    &["webhook-", "cf-", "x-forwarded-", "proxy-", "sec-", "x-real-ip"];

/// Collects what is wrong.
struct Reader {
    faults: Vec<Fault>,
}

impl Webhook {
    /// Reads a stored webhook.
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
        let mut reader = Reader { faults: Vec::new() };
        let Value::Object(object) = value else {
            reader.fault("", "invalid", "Send an object with method and url.");
            return Err(reader.faults);
        };
        let webhook = reader.webhook(object);
        match webhook {
            Some(webhook) if reader.faults.is_empty() => Ok(webhook),
            _ => Err(reader.faults),
        }
    }
}

fn unnumbered(pairs: Vec<(usize, Pair)>) -> Vec<Pair> {
    pairs.into_iter().map(|(_, pair)| pair).collect()
}

impl Reader {
    fn fault(&mut self, field: &str, code: &'static str, message: &str) {
        let fault = Fault { field: field.to_owned(), code, message: message.to_owned() };
        self.faults.push(fault);
    }

    fn webhook(&mut self, object: &Map<String, Value>) -> Option<Webhook> {
        for name in object.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            let message = format!("There is no such field; there are {}.", FIELDS.join(", "));
            self.fault(name, "unknown_field", &message);
        }
        let method = self.word(
            object,
            "method",
            "GET",
            Method::from_word,
            Method::ALL.iter().map(|m| m.as_str()).collect(),
        );
        let format = self.word(
            object,
            "format",
            "form",
            Format::from_word,
            Format::ALL.iter().map(|f| f.as_str()).collect(),
        );
        let url = self.url(object);
        let parameters = self.pairs(object, "parameters", MAX_PARAMETERS);
        let headers = self.pairs(object, "headers", MAX_HEADERS);
        for (index, pair) in &headers {
            self.header(*index, pair);
        }
        let body = self.body(object, method);
        if body.is_some() && !parameters.is_empty() {
            let message = "A body takes the place of parameters; put their macros into it, or \
                           into the address, and leave the list empty.";
            self.fault("parameters", "invalid", message);
        }
        let (written_url, url) = url?;
        Some(Webhook {
            method: method?,
            written_url,
            url,
            format: format?,
            parameters: unnumbered(parameters),
            headers: unnumbered(headers),
            body,
            renamed: self.renamed(object),
        })
    }

    fn word<T>(
        &mut self,
        object: &Map<String, Value>,
        field: &str,
        default: &str,
        parse: fn(&str) -> Option<T>,
        words: Vec<&str>,
    ) -> Option<T> {
        let word = match object.get(field) {
            None | Some(Value::Null) => Some(default),
            Some(sent) => sent.as_str(),
        };
        let parsed = word.and_then(parse);
        if parsed.is_none() {
            self.fault(field, "invalid", &format!("Send one of {}.", words.join(", ")));
        }
        parsed
    }

    fn text(&mut self, field: &str, text: &str, braces: Braces) -> Option<Text> {
        match Text::parse(text, braces) {
            Ok(text) => Some(text),
            Err(TextFault { code, message }) => {
                self.fault(field, code, &message);
                None
            }
        }
    }

    fn url(&mut self, object: &Map<String, Value>) -> Option<(String, Text)> {
        let Some(url) = object.get("url").and_then(Value::as_str) else {
            self.fault("url", "required", "Send the address, such as https://example.com/webhook.");
            return None;
        };
        if url.is_empty() || url.len() > MAX_ADDRESS_BYTES {
            let message = format!("The address must have between 1 and {MAX_ADDRESS_BYTES} bytes.");
            self.fault("url", "invalid", &message);
            return None;
        }
        let text = self.text("url", url, Braces::Both)?;
        let begins_plainly = match text.pieces.first() {
            Some(Piece::Literal(literal)) if text.pieces.len() > 1 => {
                let rest = literal.split_once("://").map(|(_, rest)| rest);
                literal.starts_with("bin:")
                    || rest.is_some_and(|rest| rest.contains(['/', '?', '#']))
            }
            Some(Piece::Literal(_)) => true,
            _ => false,
        };
        if !begins_plainly {
            let message = "Macros may stand in path, query and fragment only.";
            self.fault("url", "invalid", message);
            return None;
        }
        Some((url.to_owned(), text))
    }

    /// A list's pairs that can be read, each with its place in the list.
    fn pairs(
        &mut self,
        object: &Map<String, Value>,
        field: &str,
        most: usize,
    ) -> Vec<(usize, Pair)> {
        let list = match object.get(field) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(list)) if list.len() <= most => list,
            Some(Value::Array(_)) => {
                self.fault(field, "invalid", &format!("Send at most {most} of them."));
                return Vec::new();
            }
            Some(_) => {
                self.fault(field, "invalid", "Send a list of objects with name and value.");
                return Vec::new();
            }
        };
        let pairs = list.iter().enumerate();
        pairs
            .filter_map(|(index, item)| {
                Some((index, self.pair(&format!("{field}[{index}]"), item)?))
            })
            .collect()
    }

    fn pair(&mut self, field: &str, item: &Value) -> Option<Pair> {
        let member = |name: &str| item.get(name).and_then(Value::as_str);
        let is_known = |name: &String| name == "name" || name == "value";
        let (Some(name), Some(value)) = (member("name"), member("value")) else {
            self.fault(field, "invalid", "Send an object with the strings name and value.");
            return None;
        };
        if !item.as_object().is_some_and(|item| item.keys().all(is_known)) {
            self.fault(field, "unknown_field", "There are name and value only.");
        }
        let is_plain = |text: &str| !text.chars().any(char::is_control);
        if name.is_empty() || name.chars().count() > MAX_NAME || !is_plain(name) {
            let message = format!("Send 1 to {MAX_NAME} characters without control characters.");
            self.fault(&format!("{field}.name"), "invalid", &message);
            return None;
        }
        let field = format!("{field}.value");
        if value.chars().count() > MAX_VALUE || !is_plain(value) {
            let message =
                format!("Send at most {MAX_VALUE} characters without control characters.");
            self.fault(&field, "invalid", &message);
            return None;
        }
        let value = self.text(&field, value, Braces::Both)?;
        Some(Pair { name: name.to_owned(), value })
    }

    fn header(&mut self, index: usize, pair: &Pair) {
        let field = format!("headers[{index}].name");
        let lower = pair.name.to_ascii_lowercase();
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !lower.bytes().all(is_token) {
            let message = "A header's name has letters, digits, - and _ only.";
            self.fault(&field, "invalid", message);
        } else if RESERVED_HEADERS.contains(&lower.as_str())
            || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
        {
            let message =
                format!("{} is set by Backtrail or by HTTP itself; leave it out.", pair.name);
            self.fault(&field, "reserved", &message);
        }
        let is_latin = |piece: &Piece| match piece {
            Piece::Literal(text) => text.is_ascii(),
            Piece::Value(_) => true,
        };
        if !pair.value.pieces.iter().all(is_latin) {
            let message = "A header's value is in ASCII; only macros may bring other letters, \
                           which are percent-encoded.";
            self.fault(&format!("headers[{index}].value"), "invalid", message);
        }
    }

    fn body(&mut self, object: &Map<String, Value>, method: Option<Method>) -> Option<Text> {
        let body = match object.get("body") {
            None | Some(Value::Null) => return None,
            Some(sent) => sent.as_str(),
        };
        let Some(body) = body.filter(|body| (1..=MAX_BODY_BYTES).contains(&body.len())) else {
            let message = format!("Send a string of 1 to {MAX_BODY_BYTES} bytes, or null.");
            self.fault("body", "invalid", &message);
            return None;
        };
        if method == Some(Method::Get) {
            self.fault("body", "invalid", "A GET has no body; choose POST or PUT.");
            return None;
        }
        self.text("body", body, Braces::Double)
    }

    fn renamed(&mut self, object: &Map<String, Value>) -> Vec<(String, String)> {
        let entries = match object.get("renamed_events") {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Object(entries)) if entries.len() <= MAX_RENAMED => entries,
            Some(_) => {
                let message = format!("Send an object of at most {MAX_RENAMED} strings.");
                self.fault("renamed_events", "invalid", &message);
                return Vec::new();
            }
        };
        let mut renamed = Vec::new();
        for (old, new) in entries {
            match new.as_str().filter(|new| (1..=MAX_NAME).contains(&new.chars().count())) {
                Some(new) if !new.chars().any(char::is_control) => {
                    renamed.push((old.clone(), new.to_owned()));
                }
                _ => {
                    let field = format!("renamed_events.{old}");
                    self.fault(&field, "invalid", &format!("Send 1 to {MAX_NAME} characters."));
                }
            }
        }
        renamed
    }
}

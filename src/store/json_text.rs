//! JSON written as text at once. A page holds half a thousand clicks and a commit some sixty
//! values, and a tree of values in between would cost several times the text.

use std::fmt::Write as _;

/// An array under construction.
pub(crate) struct ArrayText<'a> {
    text: &'a mut String,
    is_empty: bool,
}

impl<'a> ArrayText<'a> {
    /// Begins an array at the end of a text; [`Self::end`] closes it.
    pub(crate) fn begin(text: &'a mut String) -> Self {
        text.push('[');
        Self { text, is_empty: true }
    }

    /// The place for one more item, whose JSON the caller appends.
    pub(crate) fn place(&mut self) -> &mut String {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        self.text
    }

    /// A text, or null.
    pub(crate) fn text(&mut self, item: Option<&str>) -> &mut Self {
        let place = self.place();
        match item {
            Some(item) => push_text(place, item),
            None => place.push_str("null"),
        }
        self
    }

    /// A number, or null.
    pub(crate) fn number(&mut self, item: Option<impl Into<i64>>) -> &mut Self {
        let place = self.place();
        match item {
            // Writing to a string cannot fail.
            Some(item) => drop(write!(place, "{}", item.into())),
            None => place.push_str("null"),
        }
        self
    }

    /// Closes the array.
    pub(crate) fn end(self) {
        self.text.push(']');
    }
}

/// Names and values as a JSON object, in order. A name that comes twice is written twice.
pub(crate) fn push_object<'a>(
    text: &mut String,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    text.push('{');
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_text(text, name);
        text.push(':');
        push_text(text, value);
    }
    text.push('}');
}

/// A JSON string (RFC 8259, 7): quotes, backslashes and control characters are escaped.
pub(crate) fn push_text(text: &mut String, item: &str) {
    text.push('"');
    let mut rest = item;
    while let Some((plain, special, tail)) = split_at_special(rest) {
        text.push_str(plain);
        match special {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            control => drop(write!(text, "\\u{control:04x}")),
        }
        rest = tail;
    }
    text.push_str(rest);
    text.push('"');
}

/// What is before the first byte that must be escaped, the byte, and what is behind it.
fn split_at_special(text: &str) -> Option<(&str, u8, &str)> {
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let at = text.as_bytes().iter().position(is_special)?;
    let (plain, rest) = text.split_at_checked(at)?;
    // Such a byte is a whole character.
    Some((plain, *rest.as_bytes().first()?, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    proptest! {
        #[test]
        fn every_text_is_read_back(item in any::<String>(), name in "\\PC{0,9}") {
            let mut text = String::new();
            let mut array = ArrayText::begin(&mut text);
            array.text(Some(&item)).text(None);
            push_object(array.place(), [(name.as_str(), item.as_str())]);
            array.end();
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read, json!([item, null, { name: item }]));
        }
    }

    #[test]
    fn numbers_are_written_to_the_letter() {
        let mut text = String::new();
        let mut array = ArrayText::begin(&mut text);
        array.number(Some(-5)).number(Some((1_i64 << 53) - 1)).number(None::<i64>);
        array.end();
        assert_eq!(text, "[-5,9007199254740991,null]");
    }

    #[test]
    fn an_empty_array_and_an_empty_object_are_valid() {
        let mut text = String::new();
        let mut array = ArrayText::begin(&mut text);
        push_object(array.place(), []);
        array.end();
        ArrayText::begin(&mut text).end();
        assert_eq!(text, "[{}][]");
    }
}

//! Values encoded for where they stand, so that each stays one value: it adds no parameter, header
//! or markup, whoever sent it.

use crate::domain::encoding;

/// A value of a query, form or path: all but `A–Z a–z 0–9 - . _ ~ @` percent-encoded (wire.md 9).
pub fn query(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    encoding::encode_unless(&mut out, value, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@')
    });
    out
}

/// A value of a path: as in a query, but dots alone, which could make a dot segment, are left out.
pub fn path(value: &str) -> String {
    if value.bytes().all(|byte| byte == b'.') { String::new() } else { query(value) }
}

/// A header's value: visible ASCII and inner spaces; everything else percent-encoded.
pub fn header(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    encoding::encode_unless(&mut out, value.trim_matches([' ', '\t']), |byte| {
        byte == b' ' || byte.is_ascii_graphic()
    });
    out
}

/// What stands within a string of JSON or JavaScript: everything that could end the string, the
/// script or the tag is `\uXXXX`, which both languages read.
pub fn string(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '.' | '_' | '~' | '@' | ',' | ':') {
            out.push(c);
        } else if c.is_alphanumeric() {
            // Letters of all languages but ASCII's: harmless, and shorter than their escapes.
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// A value outside of strings, in JSON or JavaScript: a number, `true`, `false`, a string, or `null` if
/// it is empty.
pub fn literal(value: &str) -> String {
    match value {
        "" => "null".to_owned(),
        "true" | "false" => value.to_owned(),
        // So that it cannot join a minus before it.
        _ if is_number(value) && value.starts_with('-') => format!(" {value}"),
        _ if is_number(value) => value.to_owned(),
        _ => format!("\"{}\"", string(value)),
    }
}

/// Whether a text is a number of JSON of no unusual length.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    text.len() <= 32
        && digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
}

/// Text of HTML, or within a quoted attribute.
pub fn html(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' | '`' | '\\' | '=' | '{' | '}' => {
                out.push_str(&format!("&#{};", u32::from(c)));
            }
            _ if c.is_control() => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_sign_stays_and_separators_do_not() {
        assert_eq!(query("example@email.com"), "example@email.com");
        assert_eq!(query("a&b=c#d é+"), "a%26b%3Dc%23d%20%C3%A9%2B");
        assert_eq!(path(".."), "");
        assert_eq!(path("a/../b"), "a%2F..%2Fb");
    }

    #[test]
    fn outside_of_strings_a_value_is_one_literal() {
        for (value, expected) in [
            ("15", "15"),
            ("15.50", "15.50"),
            ("-3", " -3"),
            ("", "null"),
            ("true", "true"),
            ("01", "\"01\""),
            ("1e5", "\"1e5\""),
            ("1.", "\"1.\""),
            ("alert(1)", "\"alert\\u00281\\u0029\""),
        ] {
            assert_eq!(literal(value), expected);
        }
    }

    proptest! {
        #[test]
        fn a_value_of_a_query_is_that_value_again(value in "\\PC{0,40}|[\u{0}-\u{7f}]{0,20}") {
            let address = format!("https://x.example/?a={}&b=1", query(&value));
            let read = url::Url::parse(&address).unwrap();
            let pairs: Vec<(String, String)> = read.query_pairs().into_owned().collect();
            prop_assert_eq!(pairs, [("a".to_owned(), value), ("b".to_owned(), "1".to_owned())]);
        }

        #[test]
        fn a_value_of_a_path_adds_no_segment(value in "[./\\\\%a?#]{0,8}") {
            let address = format!("https://x.example/p/{}/q", path(&value));
            let read = url::Url::parse(&address).unwrap();
            prop_assert_eq!(read.path_segments().unwrap().count(), 3);
            prop_assert!(read.query().is_none() && read.fragment().is_none());
        }

        #[test]
        fn a_string_of_json_is_that_value_again(value in "\\PC{0,40}|[\u{0}-\u{7f}\u{2028}]{0,20}") {
            let text = format!("\"{}\"", string(&value));
            prop_assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value.clone());
            let unsafe_here = ['<', '>', '&', '\'', '`', '\n', '\r', '\u{2028}', '\u{2029}'];
            prop_assert!(!text.contains(unsafe_here));
            let literal = literal(&value);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&literal).is_ok());
        }

        #[test]
        fn a_value_of_a_header_is_one_line_of_ascii(value in "[\u{0}-\u{ff}]{0,20}") {
            prop_assert!(header(&value).bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
        }

        #[test]
        fn a_value_in_html_opens_and_closes_nothing(value in "\\PC{0,20}|[\u{0}-\u{7f}]{0,20}") {
            let shown = html(&value);
            prop_assert!(!shown.contains(['<', '>', '"', '\'', '`', '\\', '\n']));
        }
    }
}

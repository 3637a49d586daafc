//! Percent-encoding, both ways, as queries, forms and addresses use it.

use std::borrow::Cow;

/// The `name=value` pieces of a query or form, still encoded; empty pieces are skipped.
/// A piece without `=` has an empty value.
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pieces = pieces(text, b'&').filter(|piece| !piece.is_empty());
    pieces.map(|piece| cut(piece, b'=').unwrap_or((piece, "")))
}

/// What stands between an ASCII character, like `split`; see [`cut`].
pub fn pieces(text: &str, between: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (piece, behind) = cut(text, between).map_or((text, None), |(a, b)| (a, Some(b)));
        rest = behind;
        Some(piece)
    })
}

/// What stands before the first of an ASCII character and what behind it, like `split_once`. A click
/// is cut at twenty places, and the library's search, made for long texts and any pattern, is five
/// times as much code.
#[inline(never)]
pub fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let lacks = |eight: &&[u8; 8]| !has_byte(u64::from_ne_bytes(**eight), at);
    let skipped = 8 * bytes.as_chunks().0.iter().take_while(lacks).count();
    let place = skipped + bytes.get(skipped..)?.iter().position(|byte| *byte == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

/// Whether one of eight bytes is this one: where they are equal the difference is zero, and of these
/// bytes only a zero borrows from its highest bit without having it.
fn has_byte(eight: u64, byte: u8) -> bool {
    let difference = eight ^ u64::from_ne_bytes([byte; 8]);
    let lows = u64::from_ne_bytes([0x01; 8]);
    difference.wrapping_sub(lows) & !difference & (lows << 7) != 0
}

/// Lower-case hexadecimal digits, two a byte.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Appends a number in decimal digits, with zeros in front of it up to a width. Many texts of a reply
/// end so, and the general formatting takes ten times as long.
pub fn push_padded(text: &mut String, number: u64, width: u32) {
    let (mut unit, mut digits) = (1, 1);
    while digits < width || number / unit >= 10 {
        (unit, digits) = (unit * 10, digits + 1);
    }
    while unit > 0 {
        let digit = u32::try_from(number / unit % 10).unwrap_or_default();
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
        unit /= 10;
    }
}

/// Whether a text is visible ASCII without `%` and `+`: there is nothing in it to decode or to trim.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%' && byte != b'+')
}

/// Decodes one name or value of a query or form, or nothing if the result is not UTF-8.
/// `+` is a space; a malformed percent sequence stays as it is, as in WHATWG's URL standard.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => break,
            [b'+', rest @ ..] => {
                decoded.push(b' ');
                rest
            }
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(hex_digit(*high) << 4 | hex_digit(*low));
                rest
            }
            [byte, rest @ ..] => {
                decoded.push(*byte);
                rest
            }
        };
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The value of an ASCII hexadecimal digit.
fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// Removes ASCII spaces (U+0020 only) at both ends; what was borrowed stays borrowed.
pub fn trim_spaces(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(' ')),
        Cow::Owned(text) if text.starts_with(' ') || text.ends_with(' ') => {
            Cow::Owned(text.trim_matches(' ').to_owned())
        }
        owned => owned,
    }
}

/// Appends a value so that it can only ever be one value, wherever in an address it stands:
/// everything but `A–Z a–z 0–9 - . _ ~` is percent-encoded.
pub fn encode_into(out: &mut String, value: &str) {
    encode_unless(out, value, |byte| {
        let bits = if byte < 64 { UNRESERVED_LOW } else { UNRESERVED_HIGH };
        bits >> (byte % 64) & 1 == 1
    });
}

/// What [`encode_into`] keeps of ASCII, a bit each. Bits, because the letters of a click_id are random
/// and comparing them would make the processor guess wrong at every other one.
const UNRESERVED_LOW: u64 = unreserved(0);
const UNRESERVED_HIGH: u64 = unreserved(64);

const fn unreserved(from: u8) -> u64 {
    let (mut bits, mut offset) = (0, 0);
    while offset < 64 {
        let byte = from + offset;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            bits |= 1 << offset;
        }
        offset += 1;
    }
    bits
}

/// Appends text with every byte percent-encoded for which `keep` is false.
/// Bytes beyond ASCII are always encoded.
pub fn encode_unless(out: &mut String, text: &str, keep: impl Fn(u8) -> bool) {
    if text.bytes().all(|byte| byte.is_ascii() && keep(byte)) {
        out.push_str(text);
        return;
    }
    for byte in text.bytes() {
        if byte.is_ascii() && keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                let letter = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
                out.push(char::from(letter));
            }
        }
    }
}

/// Whether a byte may stand in an address as it is: visible ASCII without quotes, brackets
/// that end an attribute or a macro, and the backslash, which browsers take for a slash.
pub fn is_address_byte(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_bytes_are_written_as_the_general_formatting_does(
            number in prop_oneof![any::<u64>(), 0u64..2_000], width in 1u32..=10, bytes in any::<Vec<u8>>()
        ) {
            let mut text = String::new();
            push_padded(&mut text, number, width);
            prop_assert_eq!(text, format!("{number:0width$}", width = width as usize));
            let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(hex(&bytes), pairs.concat());
        }
    }

    proptest! {
        #[test]
        fn a_text_is_cut_as_the_library_splits_it(text in "[a-c&\u{80}-\u{a6}\u{2600}]{0,40}", at in "[&a\u{1}%]") {
            let byte = at.as_bytes()[0];
            prop_assert_eq!(cut(&text, byte), text.split_once(&at));
            prop_assert!(pieces(&text, byte).eq(text.split(&at)));
            let mut bytes = text.into_bytes();
            bytes.resize(8, 0xff);
            let eight = u64::from_ne_bytes(bytes[..8].try_into().unwrap());
            prop_assert_eq!(has_byte(eight, byte), bytes[..8].contains(&byte));
        }
    }

    #[test]
    fn a_query_value_is_decoded_as_browsers_do() {
        for (encoded, expected) in [
            ("abc", Some("abc")),
            ("a+b%20c", Some("a b c")),
            ("%C3%A9%E2%82%ac", Some("é€")),
            ("100%", Some("100%")),
            ("%zz%4", Some("%zz%4")),
            ("%%41", Some("%A")),
            ("%2B%25", Some("+%")),
            ("é", Some("é")),
            ("%ff", None),
            ("%C0%AF", None),
            ("%ED%A0%80", None),
        ] {
            assert_eq!(decode(encoded).as_deref(), expected, "{encoded:?}");
        }
    }

    #[test]
    fn letters_digits_and_four_marks_are_not_encoded() {
        let ascii: String = (0..128u8).map(char::from).collect();
        let kept = ascii.chars().filter(|letter| {
            let mut encoded = String::new();
            encode_into(&mut encoded, &letter.to_string());
            encoded == letter.to_string()
        });
        let expected = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
        assert_eq!(kept.collect::<String>(), expected);
    }

    #[test]
    fn pieces_without_a_value_have_an_empty_one() {
        let read: Vec<_> = pairs("a=1&&b&=c&d=e=f&").collect();
        assert_eq!(read, [("a", "1"), ("b", ""), ("", "c"), ("d", "e=f")]);
    }

    #[test]
    fn only_ascii_spaces_are_trimmed() {
        assert_eq!(trim_spaces(Cow::Borrowed("  a b ")), "a b");
        assert_eq!(trim_spaces(Cow::Owned(" \ta\u{a0} ".to_owned())), "\ta\u{a0}");
    }

    proptest::proptest! {
        #[test]
        fn a_plain_text_is_left_alone_by_all_that_reads_it(text in "([a-z%+ \\n\u{85}é]|\\PC){0,6}") {
            let read = trim_spaces(decode(&text).unwrap_or_default());
            let is_left_alone = read == text && !text.contains(char::is_control);
            if is_plain(&text) {
                proptest::prop_assert!(is_left_alone);
            } else if text.is_ascii() && !text.contains(['%', ' ']) {
                proptest::prop_assert!(!is_left_alone);
            }
        }

        #[test]
        fn what_is_encoded_decodes_to_itself(value in "\\PC{0,40}") {
            let mut encoded = String::new();
            encode_into(&mut encoded, &value);
            proptest::prop_assert_eq!(decode(&encoded).unwrap(), value);
        }

        #[test]
        fn decoding_agrees_with_the_url_crate(text in "[a%+ 0-9A-F\u{e9}]{0,24}") {
            let theirs: String = url::form_urlencoded::parse(text.as_bytes())
                .map(|(name, _)| name.into_owned())
                .collect();
            if let Some(ours) = decode(&text) {
                proptest::prop_assert_eq!(ours, theirs);
            }
        }
    }
}

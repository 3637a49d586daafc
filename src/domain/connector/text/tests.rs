//! Texts with macros, and with braces of other languages.

use std::cell::Cell;

use super::*;

thread_local! {
    /// Bytes that this thread has searched for closing braces.
    pub(super) static SEARCHED: Cell<usize> = const { Cell::new(0) };
}

#[test]
fn however_many_braces_there_are_they_are_read_once() {
    for repeated in ["{", "{{a:", "{{:", "{{a", "{{A:lower}}", "{{}}"] {
        let text = repeated.repeat(16_384 / repeated.len());
        let before = SEARCHED.get();
        Text::parse(&text, Braces::Double).unwrap();
        assert!(SEARCHED.get() - before <= text.len(), "{repeated}: {}", SEARCHED.get());
    }
}

fn filled(text: &str) -> String {
    let lookup = |key: &str| match key {
        "VALUE" => Some(Cow::Borrowed("15.50")),
        "EMAIL" => Some(Cow::Borrowed(" Jane@Example.com ")),
        "EVENT_NAME" => Some(Cow::Borrowed("Purchase")),
        "BACKTRAIL_CLICK_ID" => Some(Cow::Borrowed("abc")),
        _ => None,
    };
    let renamed = [("Purchase".to_owned(), "sale".to_owned())];
    let values = Values { lookup: &lookup, renamed: &renamed, is_masked: false };
    Text::parse(text, Braces::Both).unwrap().plain(&values)
}

#[test]
fn macros_are_filled_in_and_filtered_in_order() {
    for (text, expected) in [
        ("{{VALUE}}", "15.50"),
        ("a{{VALUE}}b{click_id}{{NOTHING}}", "a15.50babc"),
        ("{{NOTHING:default=0}}|{{VALUE:default=0}}", "0|15.50"),
        ("{{EVENT_NAME}}", "sale"),
        ("{{EVENT_NAME:default=x:lower}}", "sale"),
        ("{{EMAIL:lower}}", " jane@example.com "),
        ("{{EMAIL:urlencode}}", "%20Jane@Example.com%20"),
        ("{{NOTHING:sha256}}", ""),
        ("{transaction_id:default=none}", "abc"),
        ("}} is text", "}} is text"),
    ] {
        assert_eq!(filled(text), expected, "{text}");
    }
    // echo -n jane@example.com | sha256sum
    let hashed = "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d";
    assert_eq!(filled("{{EMAIL:sha256}}"), hashed);
    assert_eq!(filled("{{EMAIL:lower:sha256}}"), hashed);
}

#[test]
fn what_cannot_be_parsed_is_named() {
    for (text, braces, code, part) in [
        ("{click_di}", Braces::Both, "unknown_macro", "{click_id}"),
        ("{{value}}", Braces::Both, "unknown_macro", "{{VALUE}}"),
        ("{{value}}", Braces::Double, "unknown_macro", "{{VALUE}}"),
        ("{{VALUE", Braces::Both, "invalid", "VALUE"),
        ("{{VALUE}", Braces::Double, "invalid", "VALUE"),
        ("{sub1", Braces::Both, "invalid", "sub1"),
        ("{\"a\":1}", Braces::Both, "unknown_macro", "nearest"),
        ("{{VALUE:uper}}", Braces::Double, "unknown_filter", "sha256"),
        ("{{VALUE:}}", Braces::Double, "unknown_filter", "lower"),
        ("{{ VALUE }}", Braces::Both, "invalid", "closing"),
    ] {
        let fault = Text::parse(text, braces).unwrap_err();
        assert_eq!(fault.code, code, "{text}");
        assert!(fault.message.contains(part), "{text}: {}", fault.message);
    }
}

#[test]
fn braces_of_another_language_are_text() {
    for text in ["function(){return {a:{b:1}}}", "{}", "{{}}", "{{ a }}", "`${x}`"] {
        let parsed = Text::parse(text, Braces::Double).unwrap();
        assert_eq!(parsed.pieces, [Piece::Literal(text.to_owned())]);
    }
    let body = Text::parse("{\"v\":{{VALUE}}}", Braces::Double).unwrap();
    assert_eq!(body.pieces.len(), 3);
}

#[test]
fn a_masked_value_shows_little() {
    for (value, shown) in
        [("eva@example.com", "e***@example.com"), ("Jane", "J***"), ("", ""), ("@x", "@***")]
    {
        assert_eq!(masked(value), shown);
    }
}

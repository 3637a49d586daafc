//! Tests of [`super`].

use super::names::NAMES;
use super::*;

fn query(text: &str) -> Result<(Parameters, Vec<Warning>), Refusal> {
    parse_postback(Some(text), None, b"")
}

fn json(body: &str) -> Result<(Parameters, Vec<Warning>), Refusal> {
    parse_postback(None, Some("application/json"), body.as_bytes())
}

fn read(parsed: Result<(Parameters, Vec<Warning>), Refusal>) -> Vec<(String, String)> {
    let (parameters, warnings) = parsed.unwrap();
    assert_eq!(warnings, []);
    let known = parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    known.chain(parameters.unknown().iter().cloned()).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[track_caller]
fn refused(
    parsed: Result<(Parameters, Vec<Warning>), Refusal>,
    reason: Reason,
    parameter: Option<&str>,
) {
    let refusal = parsed.unwrap_err();
    assert_eq!((refusal.reason, refusal.parameter.as_deref()), (reason, parameter), "{refusal:?}");
    assert!(!refusal.detail.is_empty());
}

#[test]
fn aliases_become_canonical_names_in_order_of_arrival() {
    assert_eq!(
        read(query("transaction_id=X&offer=7&sale_amount=10.00&token=t&x=1&custom10=c")),
        owned(&[
            ("click_id", "X"),
            ("campaign_id", "7"),
            ("amount", "10.00"),
            ("secure", "t"),
            ("custom10", "c"),
            ("x", "1"),
        ])
    );
    let (parameters, _) = query("aff_id=3").unwrap();
    assert_eq!(parameters.wire_name("affiliate_id"), "aff_id");
    assert_eq!(parameters.wire_name("click_id"), "click_id");
}

#[test]
fn every_alias_leads_to_a_name_that_is_its_own() {
    for (wire, canonical) in NAMES {
        assert_eq!(canonical_name(wire), Some(*canonical));
        assert_eq!(canonical_name(canonical), Some(*canonical));
        assert_eq!(NAMES.iter().filter(|(name, _)| name == wire).count(), 1, "{wire}");
    }
    assert_eq!(canonical_name("Click_Id"), None);
    assert_eq!(canonical_name("sub1"), None);
}

#[test]
fn empty_values_are_absent_and_spaces_are_trimmed() {
    assert_eq!(
        read(query("click_id=&click_id=+A%20b++&revenue=&payout=+&order_id&=x&x=&coupon=A%2BB")),
        owned(&[("click_id", "A b"), ("coupon", "A+B")])
    );
}

#[test]
fn equal_repeats_are_one_and_others_are_refused_by_name() {
    assert_eq!(read(query("click_id=a&transaction_id=a+")), owned(&[("click_id", "a")]));
    refused(query("click_id=a&transaction_id=b"), Reason::InvalidParameter, Some("transaction_id"));
    refused(query("amount=1&amount=1.0"), Reason::InvalidParameter, Some("amount"));
    refused(query("x=1&x=2"), Reason::InvalidParameter, Some("x"));
    refused(json(r#"{"amount":1,"amount":2}"#), Reason::InvalidParameter, Some("amount"));
    assert_eq!(read(json(r#"{"amount":"1","amount":1}"#)), owned(&[("amount", "1")]));
}

#[test]
fn the_body_wins_over_the_query_with_a_warning() {
    let form = Some("application/x-www-form-urlencoded; charset=utf-8");
    let (parameters, warnings) =
        parse_postback(Some("click_id=q&amount=5"), form, b"transaction_id=b&amount=5").unwrap();
    assert_eq!(parameters.get("click_id"), Some("b"));
    assert_eq!(parameters.wire_name("click_id"), "transaction_id");
    let told: Vec<_> = warnings.iter().map(|w| (w.code, w.parameter.as_deref())).collect();
    assert_eq!(told, [(WarningCode::BodyWins, Some("transaction_id"))]);
    let (parameters, warnings) = parse_postback(Some("a=1"), form, b"a=").unwrap();
    assert_eq!((parameters.unknown(), warnings), (&owned(&[("a", "1")])[..], vec![]));
}

#[test]
fn json_numbers_keep_their_text() {
    assert_eq!(
        read(json(
            " {\"amount\": 123456789012345678901234567890.10, \"revenue\":1e309, \"a\":-0,\n\
             \"new_customer\": true, \"skip_lifetime\":false, \"payout\":null, \"coupon\":\"\",\
             \"comment\":\"\\u00e9\\ud83d\\ude00\\n\\\"x\\\"\"} "
        )),
        owned(&[
            ("amount", "123456789012345678901234567890.10"),
            ("revenue", "1e309"),
            ("new_customer", "true"),
            ("skip_lifetime", "false"),
            ("comment", "é😀\n\"x\""),
            ("a", "-0"),
        ])
    );
}

#[test]
fn nested_json_is_compact_text_and_no_placeholder() {
    assert_eq!(
        read(json("{\"custom1\": {\"a b\" : [1, \"x  \\\" y\" ]}, \"items\":[ 1 , 2 ]}")),
        owned(&[("custom1", "{\"a b\":[1,\"x  \\\" y\"]}"), ("items", "[1,2]")])
    );
    refused(json(r#"{"custom1":"{x}"}"#), Reason::PlaceholderNotReplaced, Some("custom1"));
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    for body in [
        "[]",
        "1",
        "\"a\"",
        "{",
        "{}x",
        "{}{}",
        "{a:1}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":01}",
        "{\"a\":1,}",
        "{'a':1}",
        "a=1",
        "{\"a\":\"\u{1}\"}",
        "{\"\\ud800\":1}",
    ] {
        refused(json(body), Reason::InvalidParameter, None);
    }
    refused(json(r#"{"order_id":"\ud800"}"#), Reason::InvalidParameter, Some("order_id"));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let (parameters, warnings) = json(&deep).unwrap();
    assert_eq!((parameters.unknown().len(), warnings.len()), (0, 1));
}

#[test]
fn a_body_is_read_by_its_content_type_or_else_by_its_first_letter() {
    let parse = |content_type: Option<&str>, body: &str| {
        parse_postback(None, content_type, body.as_bytes())
            .map(|(parameters, _)| parameters.get("amount").map(str::to_owned))
            .map_err(|refusal| refusal.reason)
    };
    let one = Ok(Some("1".to_owned()));
    for content_type in [None, Some("text/plain"), Some("application/octet-stream"), Some("")] {
        assert_eq!(parse(content_type, " {\"amount\":1}"), one, "{content_type:?}");
        assert_eq!(parse(content_type, "amount=1\r\n"), one, "{content_type:?}");
    }
    for content_type in
        ["application/json", "Application/JSON; charset=UTF-8", "text/json", "application/ld+json"]
    {
        assert_eq!(parse(Some(content_type), "\u{feff}{\"amount\":1}"), one);
        assert_eq!(parse(Some(content_type), "amount=1"), Err(Reason::InvalidParameter));
    }
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(parse(form, "amount=1"), one);
    assert_eq!(parse(form, "{\"amount\":1}"), Ok(None));
    for content_type in [
        "multipart/form-data; boundary=x",
        "Multipart/Mixed",
        "application/xml",
        "text/xml",
        "image/png",
        "application/soap+xml",
        "application/x-protobuf",
    ] {
        assert_eq!(parse(Some(content_type), "amount=1"), Err(Reason::UnsupportedMediaType));
        assert_eq!(parse(Some(content_type), ""), Ok(None), "no body to read");
    }
}

#[test]
fn invalid_utf8_is_refused_wherever_it_stands() {
    refused(query("order_id=%ff"), Reason::InvalidParameter, Some("order_id"));
    refused(query("order_id=%C0%80"), Reason::InvalidParameter, Some("order_id"));
    refused(query("%ff=1"), Reason::InvalidParameter, None);
    refused(parse_postback(None, None, b"amount=\xff"), Reason::InvalidParameter, None);
    refused(
        parse_postback(None, None, b"{\"a\":\"\xed\xa0\x80\"}"),
        Reason::InvalidParameter,
        None,
    );
    assert_eq!(read(query("order_id=%zz")), owned(&[("order_id", "%zz")]));
}

#[test]
fn a_placeholder_in_a_known_parameter_is_refused_by_the_name_that_was_sent() {
    for value in [
        "REPLACE",
        "CLICK_ID",
        "ORDER_ID",
        "AMOUNT",
        "{click_id}",
        "{{CLICK_ID}}",
        "[sub1]",
        "[[id]]",
        "%25click_id%25",
        "%23tid%23",
        "%7Btransaction_id%7D",
        "{}",
        "+{x}+",
        "%%",
        "{order id}",
        "%23%23a%23%23",
    ] {
        for name in ["transaction_id", "sale_amount", "custom3", "order_id", "comment"] {
            refused(query(&format!("{name}={value}")), Reason::PlaceholderNotReplaced, Some(name));
        }
    }
    for value in
        ["REPLACED", "replace", "{x", "x}", "[VIP] order [2]", "100%", "%", "{", "%2341", "{a}-{b}"]
    {
        assert!(query(&format!("order_id={value}")).is_ok(), "{value}");
    }
    assert_eq!(read(query("x={y}")), owned(&[("x", "{y}")]));
}

#[test]
fn control_characters_are_refused_except_line_breaks_in_prose() {
    for text in ["%00", "a%00b", "a%0d%0aSet-Cookie:x", "%09a", "%7f", "%C2%85"] {
        refused(query(&format!("order_id={text}")), Reason::InvalidParameter, Some("order_id"));
    }
    refused(query("customer_id=a%0Ab"), Reason::InvalidParameter, Some("customer_id"));
    refused(query("x=a%00"), Reason::InvalidParameter, Some("x"));
    refused(query("x%00=a"), Reason::InvalidParameter, Some("x"));
    refused(query("comment=%1b"), Reason::InvalidParameter, Some("comment"));
    assert_eq!(
        read(query("comment=a%0D%0Ab&reason=a%09b&x=a%0A")),
        owned(&[("comment", "a\r\nb"), ("reason", "a\tb"), ("x", "a\n")])
    );
}

#[test]
fn what_is_too_large_is_refused() {
    assert!(query(&format!("comment={}", "a".repeat(MAX_QUERY_BYTES - 8))).is_ok());
    refused(query(&"a".repeat(MAX_QUERY_BYTES + 1)), Reason::TooLarge, None);
    let body = format!("comment={}", "a".repeat(MAX_BODY_BYTES - 8));
    assert!(parse_postback(None, None, body.as_bytes()).is_ok());
    refused(parse_postback(None, None, &vec![b'a'; MAX_BODY_BYTES + 1]), Reason::TooLarge, None);

    let many = |count: usize| (0..count).map(|i| format!("p{i}=&")).collect::<String>();
    assert!(query(&many(100)).is_ok());
    refused(query(&many(101)), Reason::TooLarge, None);
    refused(parse_postback(Some(&many(50)), None, many(51).as_bytes()), Reason::TooLarge, None);
    refused(parse_postback(None, None, "a=&".repeat(10_000).as_bytes()), Reason::TooLarge, None);
    let members: Vec<_> = (0..5_000).map(|i| format!("\"{i}\":0")).collect();
    refused(json(&format!("{{{}}}", members.join(","))), Reason::TooLarge, None);
}

#[test]
fn unknown_parameters_beyond_the_bounds_are_dropped_with_one_warning() {
    let text: String = (0..25).map(|i| format!("p{i}=v&")).collect();
    let (parameters, warnings) = query(&text).unwrap();
    assert_eq!(parameters.unknown().len(), 20);
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code, WarningCode::TooManyUnknown);
    let bounds = |name: usize, value: usize| {
        let text = format!("{}={}&click_id=a", "n".repeat(name), "v".repeat(value));
        let (parameters, warnings) = query(&text).unwrap();
        (parameters.unknown().len(), warnings.len())
    };
    assert_eq!(bounds(64, 512), (1, 0));
    assert_eq!(bounds(65, 512), (0, 1));
    assert_eq!(bounds(64, 513), (0, 1));
    let long = "n".repeat(70);
    refused(
        query(&format!("{long}=1&{long}=2")),
        Reason::InvalidParameter,
        Some("(a name over 64 bytes)"),
    );
}

#[test]
fn a_request_to_the_root_is_told_by_its_names() {
    assert!(looks_like_postback("offer=1&%73ecure=x"));
    assert!(looks_like_postback("event_name=purchase"));
    assert!(!looks_like_postback("offer=1&click_id=2&securer=3"));
    assert!(!looks_like_postback("secure=&token=+"));
    assert!(looks_like_click("a=b&offer=1"));
    assert!(looks_like_click("ref_id=1"));
    assert!(!looks_like_click("affiliate_id=1"));
    assert!(!looks_like_click(""));
}

proptest::proptest! {
    #[test]
    fn no_request_makes_the_parser_panic(
        query in "([a-c_%&=+{}\\[\\]]|\\PC|click_id|=){0,40}",
        content_type in "(application/json|text/xml|multipart/form-data|[a-z/;]{0,10})",
        body in proptest::collection::vec(proptest::num::u8::ANY, 0..80),
    ) {
        let _ = parse_postback(Some(&query), Some(&content_type), &body);
        let _ = parse_postback(Some(&query), None, &body);
        let _ = (looks_like_click(&query), looks_like_postback(&query));
    }

    #[test]
    fn no_json_makes_the_parser_panic(body in "[{}\\[\\]\":,a1.e\\\\ \\-ntu]{0,60}") {
        let _ = json(&format!("{{{body}"));
    }

    #[test]
    fn a_value_comes_back_whichever_way_it_was_sent(value in "[a-zA-Z0-9é%&=+\"\\\\ ;/?]{1,40}") {
        let trimmed = value.trim_matches(' ');
        proptest::prop_assume!(!trimmed.is_empty() && !is_placeholder(trimmed));
        let mut form = "order_id=".to_owned();
        encoding::encode_into(&mut form, &value);
        let member = serde_json::json!({ "order_id": value }).to_string();
        for parsed in [query(&form), json(&member), parse_postback(None, None, form.as_bytes())] {
            let (parameters, warnings) = parsed.unwrap();
            proptest::prop_assert_eq!(parameters.get("order_id"), Some(trimmed));
            proptest::prop_assert!(warnings.is_empty());
        }
    }

    #[test]
    fn a_json_number_comes_back_letter_by_letter(number in "(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?") {
        let (parameters, _) = json(&format!("{{\"amount\":{number}}}")).unwrap();
        proptest::prop_assert_eq!(parameters.get("amount"), Some(number.as_str()));
    }
}

//! Values in pixels, hostile ones too.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn pixel(code: &str) -> Pixel {
    Pixel::read(&json!({ "code": code })).unwrap_or_else(|faults| panic!("{code}: {faults:?}"))
}

fn rendered(code: &str, value: &str) -> String {
    pixel(code).render(&|_| Some(Cow::Borrowed(value))).html
}

const SEED: &str = r#"<script>
  somePixelLibrary.track("{{EVENT_NAME}}", { value: "{{VALUE}}", orderId: "{{TRANSACTION_ID}}" });
</script>"#;

#[test]
fn the_pixel_of_the_original_is_filled_in() {
    let html = pixel(SEED).render(&|key| {
        let value = match key {
            "EVENT_NAME" => "Purchase",
            "VALUE" => "15.50",
            _ => "12345",
        };
        Some(Cow::Borrowed(value))
    });
    let html = html.html;
    assert!(html.contains(r#"track("Purchase", { value: "15.50", orderId: "12345" });"#));
}

#[test]
fn a_value_is_encoded_for_where_it_stands() {
    let hostile = "</script><b a=\"'`\\\n&${1}//*/";
    for (code, expected) in [
        ("<p>{{A}}</p>", Place::Html),
        ("<p content='{{A}}'>", Place::Html),
        ("<p title='{{A}}'>", Place::Html),
        ("<p title = \"x {{A}}\">", Place::Html),
        ("<img src=\"https://x.example/{{A}}\">", Place::Path),
        ("<img src='//x.example/?a=1&amp;v={{A}}'>", Place::Query),
        ("<img src=https://x.example/?v={{A}}>", Place::Query),
        ("<a href=\"/p/{{A}}\">", Place::Path),
        ("<a href=\"\n  /p{{A}}\">", Place::Path),
        ("<a href=\"/?a=1&amp;v={{A}}\">", Place::Query),
        ("<script>f(\"{{A}}\")</script>", Place::Text),
        ("<script>f('a\\'{{A}}')</script>", Place::Text),
        ("<SCRIPT type=x>f(`a${b({c:1})}{{A}}`)</SCRIPT>", Place::Text),
        ("<script>f(`a${ {{A}} }`)</script>", Place::Code),
        ("<script>f({v: {{A}}, w: 1})</script>", Place::Code),
        ("<script>// it's\nf({{A}})</script>", Place::Code),
        ("<script>/* it's */ f({{A}})</script>", Place::Code),
        ("<script>// {{A}}\n</script>", Place::Text),
        ("<script>x = a.replace(/[/\"]/g, {{A}})</script>", Place::Code),
        ("<script>x = 4 / 2; y = '/{{A}}'</script>", Place::Text),
        ("<script>return /'/.test({{A}})</script>", Place::Code),
        ("<script>a</script><p>{{A}}", Place::Html),
        ("<script>'</script >{{A}}", Place::Html),
        ("<!-- it's <script> --><p>{{A}}", Place::Html),
        ("<!--><p>{{A}}", Place::Html),
        ("<p a=\">\" b=c>{{A}}", Place::Html),
        ("< p {{A}}", Place::Html),
        ("<style>a{b:c}</style>{{A}}", Place::Html),
        ("<noscript><img src=\"https://x.example/?{{A}}\"></noscript>", Place::Query),
        ("f(\"{{A}}\")", Place::Text),
        ("f({{A}})", Place::Code),
    ] {
        let pixel = pixel(code);
        assert_eq!(pixel.places, [expected], "{code}");
        let html = pixel.render(&|_| Some(Cow::Borrowed(hostile))).html;
        let empty = pixel.render(&|_| None).html;
        let count = |text: &str, c: char| text.matches(c).count();
        for c in ['<', '>', '\'', '`', '\n', '$', '(', ')'] {
            let is_text = expected == Place::Html && matches!(c, '$' | '(' | ')');
            assert!(is_text || count(&html, c) == count(&empty, c), "{c:?} in {html}");
        }
    }
}

#[test]
fn where_no_value_can_stand_safely_none_does() {
    for code in [
        "<{{A}}>",
        "</{{A}}>",
        "<p{{A}}>",
        "<p {{A}}>",
        "<p {{A}}=\"x\">",
        "<p a={{A}}>",
        "<p a=b{{A}}>",
        "<p onclick=\"f('{{A}}')\">",
        "<p style=\"color:{{A}}\">",
        "<iframe srcdoc=\"{{A}}\">",
        "<img src=\"{{A}}\">",
        "<img src=\"https://{{A}}/\">",
        "<img src=\"https://x.example{{A}}\">",
        "<img src=\"/\\{{A}}\">",
        "<img src=\"/&#47;{{A}}\">",
        "<img src=\"/\t/{{A}}\">",
        "<img src=\"/\n{{A}}\">",
        "<img src=\"https://\t/{{A}}\">",
        "<img src=\"https://\\/{{A}}\">",
        "<img src=\"https://&#9;/{{A}}\">",
        "<img src=\"/{{A}}/p.gif\">",
        "<img src=/{{A}}{{B}}/p.gif>",
        "<a href=\"javascript:f('{{A}}')\">",
        "<a href=\"data:text/html,{{A}}\">",
        "<meta http-equiv=\"refresh\" content=\"0;url={{A}}\">",
        "<META content='{{A}}'>",
        "<svg><a><set attributeName=\"href\" to=\"{{A}}\"/></a></svg>",
        "<animate attributeName=\"href\" from=\"x\" values=\"y;{{A}}\">",
        "<animate from=\"{{A}}\">",
        "<animate by='{{A}}'>",
        "<!-- {{A}} -->",
        "<!{{A}}>",
        "<style>a{b:{{A}}}</style>",
        "<textarea>{{A}}</textarea>",
        "<script>\"\\{{A}}\"</script>",
        "<script><!--\nf({{A}})</script>",
    ] {
        let faults = Pixel::read(&json!({ "code": code })).unwrap_err();
        assert_eq!((faults[0].field.as_str(), faults[0].code), ("code", "macro_place"), "{code}");
        assert!(faults[0].message.starts_with("{{A}}: "), "{}", faults[0].message);
    }
}

#[test]
fn numbers_stay_numbers_in_code() {
    assert_eq!(rendered("f({v: {{A}}})", "15.50"), "<script>f({v: 15.50})</script>");
    assert_eq!(rendered("f({v: {{A}}})", ""), "<script>f({v: null})</script>");
    assert_eq!(
        rendered("f({v: {{A}}})", "alert(1)"),
        "<script>f({v: \"alert\\u00281\\u0029\"})</script>"
    );
}

#[test]
fn what_is_no_pixel_is_refused() {
    for (value, field, code) in [
        (json!("<p>"), "", "invalid"),
        (json!({}), "code", "invalid"),
        (json!({ "code": " " }), "code", "invalid"),
        (json!({ "code": "x".repeat(MAX_CODE_BYTES + 1) }), "code", "invalid"),
        (json!({ "code": "<p>", "is_sandboxed": 1 }), "is_sandboxed", "invalid"),
        (json!({ "code": "<p>", "mode": 1 }), "mode", "unknown_field"),
        (json!({ "code": "<p>{{A" }), "code", "invalid"),
        (json!({ "code": "f('</script>')" }), "code", "invalid"),
    ] {
        let faults = Pixel::read(&value).unwrap_err();
        assert_eq!((faults[0].field.as_str(), faults[0].code), (field, code), "{value}");
    }
}

#[test]
fn an_approval_is_of_one_code_and_one_mode() {
    let approved = pixel("<p>");
    let approval = json!({ "hash": approved.hash(), "at": 1, "key_id": 1 }).to_string();
    assert!(approved.is_approved(&approval));
    assert!(!pixel("<p >").is_approved(&approval));
    let in_page = Pixel::read(&json!({ "code": "<p>", "is_sandboxed": false })).unwrap();
    assert!(!in_page.is_approved(&approval));
    assert!(!approved.is_approved("null") && !approved.is_approved(""));
}

proptest! {
    #[test]
    fn no_value_changes_what_the_code_around_it_is(
        value in "\\PC{0,30}|[\u{0}-\u{7f}]{0,30}|[<>/'\"`\\\\${}a!-]{0,12}",
    ) {
        // Behind the value the reader is where it would be behind a harmless one.
        for code in [
            "<p>{{A}}</p>", "<p title='{{A}}'>", "<img src=\"https://x.example/?v={{A}}\">",
            "<script>f(\"{{A}}\")</script>", "<script>f('{{A}}')</script>",
            "<script>f(`{{A}}`)</script>", "<script>f({v: {{A}}})</script>",
            "<script>/* {{A}} */</script>", "<script>// {{A}}\nx</script>",
        ] {
            let html = rendered(code, &value);
            let (before, after) = code.split_once("{{A}}").unwrap();
            let inner = html.strip_prefix(before).unwrap().strip_suffix(after).unwrap();
            let mut plain = Scanner::new(false);
            plain.feed(before);
            let place = plain.place();
            plain.feed(inner);
            prop_assert_eq!(plain.place(), place, "{}", html);
        }
    }

    #[test]
    fn no_code_is_read_with_a_panic(code in "[<>/a-c!\"'`=\\\\{}$ -]{0,30}\\{\\{A\\}\\}[<>/\"' ]{0,5}") {
        let _ = Pixel::read(&json!({ "code": code }));
    }
}

#[test]
fn however_much_its_macros_stand_for_a_pixel_has_an_end() {
    let value = "x".repeat(8_000);
    let lookup = |_: &str| Some(Cow::Borrowed(value.as_str()));
    let pixel = pixel(&format!("<p>{}", "{{A}}".repeat(3_000)));
    for rendered in [pixel.render(&lookup), pixel.render_masked(&lookup)] {
        assert!(rendered.html.len() < 100_000, "{}", rendered.html.len());
        assert!(rendered.fault().unwrap().contains("65536 bytes"));
    }
    assert_eq!(pixel.render(&|_| Some(Cow::Borrowed("15"))).fault(), None);
}

proptest! {
    /// Whatever stands before a macro, the host is the one that the code names, or the page's.
    #[test]
    fn no_value_chooses_the_host(before in "(https:|)[/\\\\\t&#47;?a.:@]{0,8}", after in "[/a.]{0,4}") {
        let code = format!("<img src=\"{before}{{{{A}}}}{after}\">");
        let Ok(pixel) = Pixel::read(&json!({ "code": code })) else { return Ok(()) };
        let base = url::Url::parse("https://page.example/").unwrap();
        let host = |value: &str| {
            let html = pixel.render(&|_| Some(Cow::Borrowed(value))).html;
            let address = html.strip_prefix("<img src=\"").unwrap().strip_suffix("\">").unwrap();
            let address = address.replace("&#47;", "/").replace("&#61;", "=");
            base.join(&address).ok().and_then(|url| url.host_str().map(str::to_owned))
        };
        let written = host("v");
        for value in ["", "evil.example", "/evil.example", "//evil.example", "\\evil.example", "@evil.example", "."] {
            let host = host(value);
            prop_assert!(host.is_none() || host == written, "{value:?} in {code}: {host:?}");
        }
    }
}

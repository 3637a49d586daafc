//! Tests of [`super`], against the `url` crate, which reads addresses as browsers do.

use super::*;
use url::Url;

/// The open-redirect payloads and their kin: none may be accepted with any host but its own.
const HOSTILE: &[&str] = &[
    "",
    "/",
    "//evil.com",
    "//evil.com/%2f..",
    "/\\evil.com",
    "\\/\\/evil.com",
    "\\\\evil.com",
    "https:evil.com",
    "https:/evil.com",
    "https:///evil.com",
    "https:\\\\evil.com",
    "https:\\/evil.com",
    "https://\\evil.com",
    "https:////evil.com",
    "http://shop.example/",
    "ftp://shop.example/",
    "javascript:alert(1)",
    "javascript://shop.example/%0aalert(1)",
    "java\tscript:alert(1)",
    "java%0d%0ascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://shop.example/x",
    "about:blank",
    " https://shop.example/",
    "\u{1}https://shop.example/",
    "https ://shop.example/",
    "https\t://shop.example/",
    "ht\ntps://shop.example/",
    "https://shop.example\t.evil.com/",
    "https://sh\nop.example/",
    "https://shop.example\r\nSet-Cookie: a=b",
    "https://shop.example/\r\nSet-Cookie: a=b",
    "https://shop.example/\u{0}",
    "https://shop.example/\u{85}",
    "https://shop.example@evil.com/",
    "https://shop.example:443@evil.com/",
    "https://user:pass@shop.example/",
    "https://@shop.example/",
    "https://:@shop.example/",
    "https://shop.example\\@evil.com/",
    "https://evil.com\\.shop.example/",
    "https://evil.com\\@shop.example/",
    "https://shop.example%2eevil.com/",
    "https://shop.example%00.evil.com/",
    "https://shop.example%2f.evil.com/",
    "https://shop.example&@evil.com/",
    "https://shop.example:8443/",
    "https://shop.example:/",
    "https://shop.example:0443/",
    "https://shop.example:443:443/",
    "https://shop.example:+443/",
    "https://shop.example:443\\/",
    "https://shop.example:80/",
    "https://shop.example:65979/",
    "https://shop.example../",
    "https://.shop.example/",
    "https://shop..example/",
    "https://./",
    "https://-shop.example/",
    "https://shop-.example/",
    "https://shop_a.example/",
    "https://sh op.example/",
    "https://shop.example /",
    "https://shop.example;evil.com/",
    "https://shop.example,evil.com/",
    "https://shop.example|evil.com/",
    "https://shop.example^.evil.com/",
    "https://{click_id}.example/",
    "https://evil。com/",
    "https://ｅvil.com/",
    "https://evil.c℀.example/",
    "https://①②⑦.⓪.⓪.①/",
    "https://bücher.example/",
    "https://faß.example/",
    "https://shop\u{ad}.example/",
    "https://shop\u{200d}.example/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://1.2.3.0x/",
    "https://example.0x/",
    "https://example.09/",
    "https://example.1/",
    "https://0/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::1%25eth0]/",
    "https://[v1.a]/",
];

#[test]
fn hostile_addresses_are_refused() {
    for text in HOSTILE {
        assert_eq!(parse_https(text), None, "{text:?}");
    }
    assert_eq!(parse_https(&format!("https://shop.example/{}", "a".repeat(4096))), None);
    assert_eq!(parse_https(&format!("https://{}.example/", "a".repeat(64))), None);
    assert_eq!(parse_https(&format!("https://{}example/", "abcdefg.".repeat(32))), None);
}

#[test]
fn ordinary_deep_links_are_read_and_made_safe() {
    for (text, host, written) in [
        ("https://shop.example", "shop.example", "https://shop.example/"),
        ("HTTPS://Shop.EXAMPLE:443/A", "shop.example", "https://shop.example/A"),
        ("https://shop.example./a", "shop.example", "https://shop.example/a"),
        ("https://shop.example?a=b#c", "shop.example", "https://shop.example/?a=b#c"),
        ("https://shop.example#c", "shop.example", "https://shop.example/#c"),
        ("https://a-b.1c.co/x y", "a-b.1c.co", "https://a-b.1c.co/x%20y"),
        (
            "https://s.example/é\"'<>\\^`{|}",
            "s.example",
            "https://s.example/%C3%A9%22%27%3C%3E%5C%5E%60%7B%7C%7D",
        ),
        (
            "https://s.example/%41%zz?q=a+b&c=[1]",
            "s.example",
            "https://s.example/%41%zz?q=a+b&c=[1]",
        ),
        (
            "https://xn--bcher-kva.example/",
            "xn--bcher-kva.example",
            "https://xn--bcher-kva.example/",
        ),
        ("https://s.example//evil.com/@x:y", "s.example", "https://s.example//evil.com/@x:y"),
        ("https://s.example/{click_id}", "s.example", "https://s.example/%7Bclick_id%7D"),
        ("https://localhost/", "localhost", "https://localhost/"),
    ] {
        let address = parse_https(text).unwrap();
        assert_eq!((address.host(), address.as_str()), (host, written), "{text:?}");
        assert!(address.as_str().starts_with("https://"));
        let theirs = Url::parse(address.as_str()).unwrap();
        assert_eq!(theirs.host_str(), Some(host));
        assert_eq!(parse_https(written).unwrap().as_str(), written);
    }
}

#[test]
fn hosts_are_compared_exactly_and_wildcards_mean_subdomains_only() {
    let allowed =
        ["shop.example".to_owned(), "*.Store.example".to_owned(), "*.".to_owned(), String::new()];
    for (host, expected) in [
        ("shop.example", true),
        ("www.shop.example", false),
        ("evilshop.example", false),
        ("shop.example.evil.com", false),
        ("a.store.example", true),
        ("b.a.store.example", true),
        ("store.example", false),
        ("xstore.example", false),
        (".store.example", false),
        ("store.example.evil.com", false),
        ("example", false),
    ] {
        assert_eq!(host_allowed(host, &allowed), expected, "{host}");
    }
    assert!(!host_allowed("shop.example", &[]));
}

#[test]
fn host_patterns_and_schemes_are_checked_when_they_are_saved() {
    for pattern in ["shop.example", "*.shop.example", "Shop.Example", "xn--bcher-kva.example"] {
        assert!(is_host_pattern(pattern), "{pattern}");
    }
    for pattern in [
        "",
        "*",
        "*.",
        "*.*.example",
        "shop.*",
        "https://shop.example",
        "a.example/b",
        "shop.example:443",
        "bücher.example",
        "127.0.0.1",
        "shop.example.",
    ] {
        assert!(!is_host_pattern(pattern), "{pattern}");
    }
    for scheme in ["market", "itms-apps", "intent", "myapp+x.1", "tel"] {
        assert!(is_app_scheme(scheme), "{scheme}");
    }
    for scheme in [
        "",
        "javascript",
        "JavaScript",
        "data",
        "file",
        "vbscript",
        "blob",
        "about",
        "https",
        "http",
        "1app",
        "my app",
        "a:b",
        "a/b",
        "view-source",
    ] {
        assert!(!is_app_scheme(scheme), "{scheme}");
    }
}

#[test]
fn landing_pages_are_https_or_a_listed_app() {
    let apps = ["market".to_owned(), "itms-apps".to_owned(), "javascript".to_owned()];
    let check = |text: &str| check_landing_page(text, false, &apps);
    for text in [
        "https://shop.example/?c={click_id}",
        "HTTPS://shop.example:8443/a/{sub1}#x",
        "https://shop.example",
        "https://shop.example/é",
        "market://details?id=a&referrer={click_id}",
        "Market:x",
        "itms-apps://apps.apple.com/app/id1",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
    use AddressFault::*;
    for (text, fault) in [
        ("", Length),
        ("http://shop.example/", Scheme),
        ("shop.example/x", Scheme),
        ("//shop.example/x", Scheme),
        ("javascript:alert(1)", Scheme),
        ("JAVASCRIPT://shop.example/%0aalert(1)", Scheme),
        ("data:text/html,x", Scheme),
        ("file:///etc/passwd", Scheme),
        ("whatsapp://send", Scheme),
        ("{source}://shop.example/", MacroInHost),
        ("https://{source}.example/", MacroInHost),
        ("https://shop.example:{sub1}/", MacroInHost),
        ("https://shop.example{sub1}", MacroInHost),
        ("market://{sub1}/x", MacroInHost),
        ("{source}", Scheme),
        ("https:shop.example/", Host),
        ("https:///shop.example/", Host),
        ("https://user@shop.example/", Host),
        ("https://shop.example:0/", Host),
        ("https://shop.example:65536/", Host),
        ("https://shop.example:/", Host),
        ("https://127.0.0.1/", Host),
        ("https://[::1]/", Host),
        ("https://bücher.example/", Host),
        ("https://shop.example/a b", Character),
        ("https://shop.example/\r\nX: y", Character),
        ("https://shop.example\\@evil.com/", Character),
        (" https://shop.example/", Character),
    ] {
        assert_eq!(check(text), Err(fault), "{text:?}");
        assert!(!fault.message().is_empty());
    }
    assert_eq!(check(&format!("https://a.b/{}", "x".repeat(4096))), Err(Length));
    for text in [
        "http://localhost:8787/demo-shop?x={click_id}",
        "http://127.0.0.1:8787/",
        "http://demo-tracking.localhost:8787/demo-shop",
        "https://shop.example/",
    ] {
        assert_eq!(check_landing_page(text, true, &[]), Ok(()), "{text}");
    }
    assert_eq!(check_landing_page("http://user@localhost/", true, &[]), Err(Host));
}

#[test]
fn origins_are_as_browsers_send_them() {
    for text in ["https://shop.example", "https://shop.example:8443"] {
        assert!(is_origin(text, false), "{text}");
    }
    for text in [
        "",
        "*",
        "null",
        "http://shop.example",
        "https://shop.example/",
        "https://Shop.example",
        "https://shop.example.",
        "https://a@shop.example",
        "https://*.shop.example",
    ] {
        assert!(!is_origin(text, false), "{text}");
    }
    assert!(is_origin("http://localhost:3000", true));
}

/// What is accepted is read alike by browsers, and is safe in a header.
fn agrees_with_browsers(text: &str) {
    let Some(address) = parse_https(text) else { return };
    // The text as the visitor sent it and the one that is written have the same host.
    for written in [text, address.as_str()] {
        match Url::parse(written) {
            Ok(theirs) => {
                let host = theirs.host_str().unwrap_or_default();
                assert_eq!(host.strip_suffix('.').unwrap_or(host), address.host(), "{text:?}");
                assert_eq!(theirs.scheme(), "https", "{text:?}");
                assert_eq!(theirs.port_or_known_default(), Some(443), "{text:?}");
                assert!(theirs.username().is_empty() && theirs.password().is_none());
            }
            // Punycode that decodes to nothing valid is an error there: no other host either.
            Err(_) => assert!(address.host().contains("xn--"), "{text:?}"),
        }
    }
    assert!(address.as_str().bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b'"'));
    assert_eq!(parse_https(address.as_str()).as_ref(), Some(&address), "{text:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_refused_or_read_as_browsers_do(text in "\\PC{0,60}") {
        agrees_with_browsers(&text);
        agrees_with_browsers(&format!("https://{text}"));
    }

    #[test]
    fn near_addresses_are_refused_or_read_as_browsers_do(
        scheme in "https|HTTPS|http|https:|httpſ",
        slashes in "://|:|:/|:///|:\\\\\\\\|:/\\\\",
        host in "([a-z0-9-]{1,5}|xn--[a-z0-9]{1,6}|0x[0-9a-f]{0,3}|[0-9]{1,3}|é|%2e|@|:443|\\\\){1,2}(\\.(com|example|0x1|9|xn--p1ai|a--b)){0,2}\\.?",
        rest in "(:443|:80|@evil.com|\\\\|)[/?#]?[!-~é]{0,12}",
    ) {
        let text = format!("{scheme}{slashes}{host}{rest}");
        agrees_with_browsers(&text);
        let _ = check_landing_page(&text, true, &[]);
    }

    #[test]
    fn a_landing_page_that_is_accepted_has_the_host_it_shows(
        host in "[a-z0-9.:@{}-]{1,12}",
        rest in "[!-~]{0,12}",
    ) {
        let text = format!("https://{host}{rest}");
        if check_landing_page(&text, false, &[]).is_ok() {
            let authority = text.split(['/', '?', '#']).nth(2).unwrap_or_default();
            let name = authority.split(':').next().unwrap_or_default().to_ascii_lowercase();
            match Url::parse(&text) {
                Ok(theirs) => proptest::prop_assert_eq!(theirs.host_str(), Some(name.as_str())),
                Err(_) => proptest::prop_assert!(name.contains("xn--")),
            }
        }
    }
}

//! Tests of [`super`].

use super::*;
use url::Url;

fn render(template: &Template, value: &str) -> String {
    let mut out = String::new();
    template.render_into(&mut out, &|_| Some(Cow::Borrowed(value)));
    out
}

#[test]
fn macros_are_replaced_by_encoded_values() {
    let template =
        compile("https://s.example/{sub1}/p?c={click_id}&o={offer}&t={unix_time}#{aid}").unwrap();
    let mut out = "Location: ".to_owned();
    template.render_into(&mut out, &|name| match name {
        Macro::Sub1 => Some("a b/ü".into()),
        Macro::ClickId => Some("x&y=#?".into()),
        Macro::CampaignId => Some(7.to_string().into()),
        Macro::AdvertiserId => Some("%41+".into()),
        _ => None,
    });
    assert_eq!(
        out,
        "Location: https://s.example/a%20b%2F%C3%BC/p?c=x%26y%3D%23%3F&o=7&t=#%2541%2B"
    );
}

#[test]
fn every_name_and_alias_is_known() {
    for (name, meaning) in [
        ("click_id", Macro::ClickId),
        ("transaction_id", Macro::ClickId),
        ("campaign_id", Macro::CampaignId),
        ("offer_id", Macro::CampaignId),
        ("offer", Macro::CampaignId),
        ("ref_id", Macro::RefId),
        ("affiliate_id", Macro::AffiliateId),
        ("publisher_id", Macro::AffiliateId),
        ("publisher", Macro::AffiliateId),
        ("advertiser_id", Macro::AdvertiserId),
        ("aid", Macro::AdvertiserId),
        ("sub1", Macro::Sub1),
        ("sub_id", Macro::Sub1),
        ("sub10", Macro::Sub10),
        ("sub_id_2", Macro::Sub2),
        ("sub_id_10", Macro::Sub10),
        ("source", Macro::Source),
        ("external_click_id", Macro::ExternalClickId),
        ("external_transaction_id", Macro::ExternalClickId),
        ("country", Macro::Country),
        ("device", Macro::Device),
        ("os", Macro::Os),
        ("browser", Macro::Browser),
        ("referer", Macro::Referer),
        ("user_agent", Macro::UserAgent),
        ("timestamp", Macro::Timestamp),
        ("unix_time", Macro::Timestamp),
        ("random", Macro::Random),
    ] {
        assert_eq!(Macro::named(name), Some(meaning), "{name}");
        let template = compile(&format!("https://s.example/?{{{name}}}")).unwrap();
        assert!(template.mentions(meaning), "{name}");
    }
    let subs: Vec<_> = Macro::ALL.iter().filter_map(|name| name.sub_index()).collect();
    assert_eq!(subs, (0..10).collect::<Vec<_>>());
    assert!(!compile("https://s.example/?click_id=1").unwrap().mentions(Macro::ClickId));
}

#[test]
fn unknown_macros_are_faults_when_saved_and_empty_when_they_run() {
    for (text, name, nearest, rendered) in [
        ("/?{clickid}x", "clickid", "click_id", "/?x"),
        ("/?{CLICK_ID}", "CLICK_ID", "click_id", "/?"),
        ("/?{sub_11}", "sub_11", "sub1", "/?"),
        ("/?{}", "", "os", "/?"),
        ("/?{{click_id}}", "{click_id", "click_id", "/?%7D"),
        ("/?{contry}{click_id}", "contry", "country", "/?V"),
        ("/?{ click_id }", " click_id ", "click_id", "/?"),
    ] {
        let fault = TemplateFault::UnknownMacro { name: name.to_owned(), nearest };
        assert_eq!(compile(text), Err(fault.clone()), "{text}");
        assert!(fault.message().contains(nearest));
        assert_eq!(render(&compile_leniently(text), "V"), rendered, "{text}");
    }
    assert_eq!(compile("/?a={click_id"), Err(TemplateFault::Unclosed));
    assert_eq!(render(&compile_leniently("/?a={click_id"), "V"), "/?a=%7Bclick_id");
    assert_eq!(render(&compile("/?a=}").unwrap(), "V"), "/?a=%7D");
}

#[test]
fn the_text_of_a_template_is_safe_in_a_header() {
    let template = compile_leniently("https://s.example/a b\r\nX: y\"é\\");
    assert_eq!(render(&template, ""), "https://s.example/a%20b%0D%0AX:%20y%22%C3%A9%5C");
}

#[test]
fn a_value_is_never_a_dot_segment() {
    let path = compile("https://s.example/a/{sub1}/b").unwrap();
    assert_eq!(render(&path, ".."), "https://s.example/a//b");
    assert_eq!(render(&path, "."), "https://s.example/a//b");
    assert_eq!(render(&path, "..."), "https://s.example/a/.../b");
    assert_eq!(render(&path, "%2e%2e"), "https://s.example/a/%252e%252e/b");
    let query = compile("https://s.example/a?b={sub1}").unwrap();
    assert_eq!(render(&query, ".."), "https://s.example/a?b=..");
}

#[test]
fn a_parameter_is_appended_where_it_belongs() {
    for (location, expected) in [
        ("https://s.example/", "https://s.example/?click_id=x%26"),
        ("https://s.example", "https://s.example?click_id=x%26"),
        ("https://s.example/?", "https://s.example/?click_id=x%26"),
        ("https://s.example/?a=b", "https://s.example/?a=b&click_id=x%26"),
        ("https://s.example/?a=b&", "https://s.example/?a=b&click_id=x%26"),
        ("https://s.example/#f", "https://s.example/?click_id=x%26#f"),
        ("https://s.example/#f?g", "https://s.example/?click_id=x%26#f?g"),
        ("https://s.example/?a#", "https://s.example/?a&click_id=x%26#"),
        ("market://details?id=a", "market://details?id=a&click_id=x%26"),
    ] {
        let mut appended = location.to_owned();
        append_parameter(&mut appended, "click_id", "x&");
        assert_eq!(appended, expected);
    }
}

#[test]
fn a_template_gets_the_click_id_where_it_would_be_appended() {
    for text in [
        "https://s.example/",
        "https://s.example",
        "https://s.example/?",
        "https://s.example/?a=b",
        "https://s.example/?a=b&",
        "https://s.example/{sub1}",
        "https://s.example/?a={sub1}",
        "https://s.example/?a={sub1}&",
        "https://s.example/#f",
        "https://s.example/#{sub1}?g",
        "https://s.example/{sub1}#f?{sub1}#g",
        "https://s.example/?a#",
        "https://s.example/?{sub1}",
        "https://s.example/?a&{sub1}{sub2}#f",
        "market://details?id={sub1}",
    ] {
        let template = compile(text).unwrap();
        for value in ["v?#", ""] {
            let mut appended = render(&template, value);
            append_parameter(&mut appended, "a b[]", value);
            assert_eq!(render(&template.with_click_id("a b[]"), value), appended, "{text}");
        }
    }
    // One that names the id has it where it wants it.
    let own = compile("https://s.example/{click_id}/?t={transaction_id}").unwrap();
    assert_eq!(own.with_click_id("click_id"), own);
    assert_eq!(
        compile("https://s.example/{transaction_id}").unwrap().with_click_id("c").pieces.len(),
        2
    );
}

#[test]
fn a_parameter_is_removed_wherever_it_stands() {
    for (location, expected) in [
        ("https://s.example/?click_id=1", "https://s.example/"),
        ("https://s.example/?click_id=1#f", "https://s.example/#f"),
        ("https://s.example/?a=1&click%5Fid=2&b&click_id", "https://s.example/?a=1&b"),
        ("https://s.example/?click_id=1&a=2#?click_id=3", "https://s.example/?a=2#?click_id=3"),
        ("https://s.example/#?click_id=1", "https://s.example/#?click_id=1"),
        ("https://s.example/?xclick_id=1", "https://s.example/?xclick_id=1"),
        ("https://s.example/", "https://s.example/"),
    ] {
        let mut removed = location.to_owned();
        remove_parameter(&mut removed, "click_id");
        assert_eq!(removed, expected);
    }
}

proptest::proptest! {
    #[test]
    fn a_value_stays_one_value(value in "(\\PC|[\r\n\t\0&=#?/.%;:@+\\\\ ]){0,30}") {
        let template = compile("https://s.example/a/{sub1}/z?b={sub2}&c=d#e{sub3}").unwrap();
        let out = render(&template, &value);
        let url = Url::parse(&out).unwrap();
        proptest::prop_assert_eq!(url.host_str(), Some("s.example"));
        proptest::prop_assert_eq!(url.path_segments().unwrap().count(), 3);
        let pairs: Vec<_> = url.query_pairs().collect();
        proptest::prop_assert_eq!(pairs.len(), 2);
        proptest::prop_assert_eq!((pairs[0].1.as_ref(), pairs[1].1.as_ref()), (value.as_str(), "d"));
        proptest::prop_assert!(url.fragment().unwrap().starts_with('e'));
        proptest::prop_assert!(out.bytes().all(|b| b.is_ascii_graphic()));
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in "([{}?#/]|click_id|sub1|\\PC){0,40}") {
        let template = compile_leniently(&text);
        let out = render(&template, "v");
        proptest::prop_assert!(out.bytes().all(|b| b.is_ascii_graphic()));
        if let Ok(strict) = compile(&text) {
            proptest::prop_assert_eq!(strict, template);
        }
    }

    #[test]
    fn a_click_id_in_a_template_is_the_appended_parameter(
        text in "https://s\\.example/([a-z/?=&#%]|[?=&#]a|\\{sub1\\}){0,12}", parameter in "\\PC{1,8}", value in "v?",
    ) {
        let template = compile_leniently(&text);
        let mut appended = render(&template, &value);
        append_parameter(&mut appended, &parameter, &value);
        proptest::prop_assert_eq!(render(&template.with_click_id(&parameter), &value), appended);
    }

    #[test]
    fn an_appended_parameter_is_read_back_and_removed(
        location in "https://s\\.example/[a-z/]{0,5}(\\?[a-z=&%]{0,8})?(#[a-z?&=]{0,6})?",
        name in "[a-z\\[\\]&= é]{1,8}",
        value in "\\PC{0,12}",
    ) {
        let mut extended = location.clone();
        append_parameter(&mut extended, &name, &value);
        let url = Url::parse(&extended).unwrap();
        let before = Url::parse(&location).unwrap();
        proptest::prop_assert_eq!(url.fragment(), before.fragment());
        let last = url.query_pairs().last().unwrap();
        proptest::prop_assert_eq!((last.0.as_ref(), last.1.as_ref()), (name.as_str(), value.as_str()));
        remove_parameter(&mut extended, &name);
        let url = Url::parse(&extended).unwrap();
        proptest::prop_assert!(url.query_pairs().all(|(known, _)| known != name.as_str()));
    }
}

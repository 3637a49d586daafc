//! Tests of [`super`].

use super::*;

fn codes(click: &ClickParameters<'_>) -> Vec<(WarningCode, Option<String>)> {
    click.warnings.iter().map(|w| (w.code, w.parameter.clone())).collect()
}

#[test]
fn every_name_and_alias_is_read() {
    for (query, read) in [
        ("campaign_id=7", "campaign 7"),
        ("offer=7", "campaign 7"),
        ("offer_id=7", "campaign 7"),
        ("ref_id=4294967295", "link 4294967295"),
        ("affiliate_id=3", "affiliate 3"),
        ("publisher=3", "affiliate 3"),
        ("aff_id=+3+", "affiliate 3"),
        ("lp=2", "page 2"),
    ] {
        let click = parse(query);
        let seen = [
            click.campaign_id.map(|id| format!("campaign {id}")),
            click.ref_id.map(|id| format!("link {id}")),
            click.affiliate_id.map(|id| format!("affiliate {id}")),
            click.lp.map(|id| format!("page {id}")),
        ];
        assert_eq!(seen.into_iter().flatten().collect::<Vec<_>>(), [read], "{query}");
        assert_eq!(click.warnings, []);
    }
    for name in ["external_click_id", "external_transaction_id", "aff_click_id"] {
        let query = format!("{name}=a%2Fb");
        assert_eq!(parse(&query).external_click_id.as_deref(), Some("a/b"));
    }
    assert_eq!(parse("dl=https://a.b/?c=d").dl.as_deref(), Some("https://a.b/?c=d"));
    assert_eq!(parse("redirect_url=https%3A%2F%2Fa.b").dl.as_deref(), Some("https://a.b"));
    assert_eq!(parse("source=x").source.as_deref(), Some("x"));
    assert!(parse("consent=0").consent_denied && parse("cons=0").consent_denied);
    assert!(!parse("consent=1").consent_denied && !parse("consent=").consent_denied);
}

#[test]
fn sub_ids_have_two_spellings() {
    for number in 1..=10 {
        let names = match number {
            1 => vec!["sub1".to_owned(), "sub_id".to_owned(), "sub_id_1".to_owned()],
            _ => vec![format!("sub{number}"), format!("sub_id_{number}")],
        };
        for name in names {
            let query = format!("{name}=v");
            let click = parse(&query);
            for (index, sub) in click.subs.iter().enumerate() {
                assert_eq!(sub.is_some(), index + 1 == number, "{name}");
            }
        }
    }
    for name in ["sub", "sub0", "sub11", "sub01", "sub_1", "sub_id_0", "sub_id_", "Sub1"] {
        let query = format!("{name}=v");
        let click = parse(&query);
        assert!(click.subs.iter().all(Option::is_none), "{name}");
        assert_eq!(click.extra.len(), 1, "{name}");
    }
}

#[test]
fn the_first_value_wins_with_a_warning() {
    let click = parse("offer=7&campaign_id=8&sub1=a&sub_id=b&utm_source=x&utm_source=y&sub1=a");
    assert_eq!(click.campaign_id, Some(7));
    assert_eq!(click.subs[0].as_deref(), Some("a"));
    assert_eq!(click.extra, [("utm_source".into(), "x".into())]);
    let repeated = |name: &str| (WarningCode::RepeatedParameter, Some(name.to_owned()));
    assert_eq!(
        codes(&click),
        [repeated("campaign_id"), repeated("sub_id"), repeated("utm_source")]
    );
}

#[test]
fn what_is_invalid_is_dropped_with_a_warning() {
    let long = "x".repeat(513);
    for query in [
        "campaign_id=0".to_owned(),
        "campaign_id=-1".to_owned(),
        "campaign_id=%2B1".to_owned(),
        "campaign_id=4294967296".to_owned(),
        "campaign_id=1e3".to_owned(),
        "campaign_id=%D9%A1".to_owned(),
        "campaign_id=7abc".to_owned(),
        "sub1=a%0D%0Ab".to_owned(),
        "sub1=%00".to_owned(),
        "sub1=%ff".to_owned(),
        "%ff=1".to_owned(),
        "x=%C2%85".to_owned(),
        "x%0A=1".to_owned(),
        "dl=https://a%09.b/".to_owned(),
        format!("sub1={long}"),
        format!("source={long}"),
        format!("dl=https://a.b/{}", "x".repeat(4096)),
    ] {
        let click = parse(&query);
        let warnings = click.warnings.clone();
        assert_eq!(warnings.len(), 1, "{query}");
        assert_eq!(warnings[0].code, WarningCode::DroppedParameter, "{query}");
        assert_eq!(ClickParameters { warnings, ..Default::default() }, click, "{query}");
    }
    assert_eq!(parse("campaign_id=x&campaign_id=5").campaign_id, Some(5));
}

#[test]
fn nothing_is_read_beyond_the_bounds() {
    let many: String = (0..10_000).map(|i| format!("p{i}=v&")).collect();
    let click = parse(&many);
    assert_eq!(click.extra.len(), MAX_UNKNOWN);
    let told = codes(&click);
    assert_eq!(told, [(WarningCode::DroppedParameter, None), (WarningCode::TooManyUnknown, None)]);
    let late = format!("sub1={}&ref_id=1", "x".repeat(20_000));
    assert_eq!(parse(&late).ref_id, None);
    let fits = format!("{}ref_id=1", "x&".repeat(99));
    assert_eq!(parse(&fits).ref_id, Some(1));
    let bad: String = (0..60).map(|i| format!("p{i}=%00&")).collect();
    assert_eq!(parse(&bad).warnings.len(), MAX_WARNINGS);
}

#[test]
fn plain_values_are_borrowed() {
    let click = parse("sub1=abc&x=y&source=a%20b");
    assert!(matches!(click.subs[0], Some(Cow::Borrowed("abc"))));
    assert!(matches!(click.extra[0], (Cow::Borrowed("x"), Cow::Borrowed("y"))));
    assert!(matches!(click.source, Some(Cow::Owned(_))));
}

proptest::proptest! {
    #[test]
    fn no_query_makes_the_reader_panic_and_all_it_reads_is_clean(
        query in "((sub1|dl|offer|x|utm_a)=|[a-c%0-9&=+]|\\PC){0,60}",
    ) {
        let click = parse(&query);
        let texts = click.subs.iter().chain([&click.dl, &click.source]).flatten();
        let extra = click.extra.iter().flat_map(|(name, value)| [name, value]);
        for text in texts.chain(extra) {
            proptest::prop_assert!(!text.is_empty() && !text.chars().any(char::is_control));
            proptest::prop_assert_eq!(text.len(), text.len().min(MAX_DEEP_LINK_BYTES));
        }
    }

    #[test]
    fn a_sub_id_comes_back(value in "[!-~é]{1,100}") {
        let mut query = "sub3=".to_owned();
        encoding::encode_into(&mut query, &value);
        let click = parse(&query);
        proptest::prop_assert_eq!(click.subs[2].as_deref(), Some(value.as_str()));
    }
}

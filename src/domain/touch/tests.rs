//! Touches and whose click they are, in tables.

use super::*;
use crate::domain::time::{HOUR_MS, MINUTE_MS};

const DAY: u64 = DAY_MS;
/// When the event of most tests happened.
const NOW: u64 = 100 * DAY;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn touch(parameter: &str, value: &str, ms: u64, source: Option<&str>) -> Touch {
    let sources = source.map(|source| ("utm_source".to_owned(), source.to_owned()));
    Touch {
        at: at(ms),
        parameter: parameter.into(),
        value: value.into(),
        sources: sources.into_iter().collect(),
    }
}

fn matching(parameter: &str, source: Option<&str>, model: Model, days: u32) -> Matching {
    Matching {
        parameter: parameter.into(),
        source_parameter: source.map(|_| "utm_source".into()),
        source_value: source.filter(|value| !value.is_empty()).map(str::to_owned),
        model,
        window_days: days,
    }
}

fn found<'a>(click_id: &'a str, source: Option<&'a str>) -> Match<'a> {
    Match::Found { click_id, source }
}

#[test]
fn two_platforms_find_their_clicks_by_model_and_window() {
    // The seed's two: X calls its id cid, Y sub; both may be last or any, with windows of their own.
    let x = |model, days| matching("cid", None, model, days);
    let y = |model, days| matching("sub", None, model, days);
    let (early, late) = (NOW - 10 * DAY, NOW - DAY);
    let x_then_y = vec![touch("cid", "x1", early, None), touch("sub", "y1", late, None)];
    let y_then_x = vec![touch("sub", "y1", early, None), touch("cid", "x1", late, None)];
    let both_at_once = vec![touch("cid", "x1", late, None), touch("sub", "y1", late, None)];
    let twice = vec![touch("cid", "x1", early, None), touch("cid", "x2", late, None)];
    use Model::{Any, Last};
    type Case<'a> = (&'a str, &'a Vec<Touch>, Matching, Matching, Option<&'a str>, Option<&'a str>);
    let cases: Vec<Case<'_>> = vec![
        ("last, last", &x_then_y, x(Last, 14), y(Last, 14), None, Some("y1")),
        ("last, last", &y_then_x, x(Last, 14), y(Last, 14), Some("x1"), None),
        ("any, any", &x_then_y, x(Any, 14), y(Any, 14), Some("x1"), Some("y1")),
        ("last, any", &y_then_x, x(Last, 14), y(Any, 14), Some("x1"), Some("y1")),
        ("any with a window that is over", &x_then_y, x(Any, 9), y(Any, 14), None, Some("y1")),
        (
            "any with a window that just holds",
            &x_then_y,
            x(Any, 10),
            y(Any, 1),
            Some("x1"),
            Some("y1"),
        ),
        (
            "the other's newer click is in my window",
            &x_then_y,
            x(Last, 30),
            y(Any, 1),
            None,
            Some("y1"),
        ),
        ("one landing of both", &both_at_once, x(Last, 14), y(Last, 14), Some("x1"), Some("y1")),
        ("two clicks of one", &twice, x(Last, 14), y(Last, 14), Some("x2"), None),
        ("two clicks of one, any", &twice, x(Any, 14), y(Any, 14), Some("x2"), None),
    ];
    for (name, touches, x, y, of_x, of_y) in cases {
        let all = [x.clone(), y.clone()];
        for (matching, expected) in [(&x, of_x), (&y, of_y)] {
            let expected = expected.map_or(Match::None, |click_id| found(click_id, None));
            let result = find_match(matching, &all, touches, at(NOW));
            assert_eq!(result, expected, "{name}: {matching:?}");
        }
    }
}

#[test]
fn a_window_begins_exactly_so_many_days_before_the_event() {
    for (ms, is_found) in [
        (NOW, true),
        (NOW - 14 * DAY, true),
        (NOW - 14 * DAY - 1, false),
        // What came after the event did not lead to it.
        (NOW + 1, false),
    ] {
        for model in [Model::Last, Model::Any] {
            let matching = matching("cid", None, model, 14);
            let touches = [touch("cid", "x", ms, None)];
            let result = find_match(&matching, std::slice::from_ref(&matching), &touches, at(NOW));
            assert_eq!(result != Match::None, is_found, "{ms} {model:?}");
        }
    }
}

#[test]
fn the_source_tells_platforms_apart_that_call_their_id_the_same() {
    let x = matching("click_id", Some("platform_x"), Model::Last, 14);
    let y = matching("click_id", Some("platform_y"), Model::Last, 14);
    let whatever = matching("click_id", Some(""), Model::Last, 14);
    let bare = matching("click_id", None, Model::Last, 14);
    let all = [x.clone(), y.clone()];
    let result = |matching: &Matching, source: Option<&str>| {
        let touches = [touch("click_id", "12345", NOW - DAY, source)];
        match find_match(matching, &all, &touches, at(NOW)) {
            Match::Found { click_id, source } => {
                assert_eq!(click_id, "12345");
                Some(source.map(str::to_owned))
            }
            Match::None => None,
        }
    };
    let told = |source: &str| Some(Some(source.to_owned()));
    assert_eq!(result(&x, Some("platform_x")), told("platform_x"));
    assert_eq!(result(&x, Some("Platform_X")), None, "exactly");
    assert_eq!(result(&x, Some("platform_y")), None);
    assert_eq!(result(&x, None), None);
    assert_eq!(result(&y, Some("platform_y")), told("platform_y"));
    assert_eq!(result(&whatever, Some("platform_y")), told("platform_y"));
    assert_eq!(result(&whatever, None), Some(None));
    assert_eq!(result(&bare, Some("platform_y")), Some(None), "it does not ask for the source");
}

#[test]
fn last_is_beaten_by_backtrails_own_clicks_and_by_no_other_arrivals() {
    let x = matching("cid", None, Model::Last, 14);
    let other = matching("sub", Some("platform_y"), Model::Last, 14);
    let all = [x.clone(), other];
    let mine = touch("cid", "x", NOW - 2 * DAY, None);
    let is_found = |newer: Touch| {
        let touches = [newer, mine.clone()];
        find_match(&x, &all, &touches, at(NOW)) != Match::None
    };
    assert!(!is_found(touch(OWN, "own", NOW - DAY, None)));
    assert!(is_found(touch(OWN, "own", NOW - 3 * DAY, None)), "an older one");
    assert!(is_found(touch(OWN, "own", NOW + 1, None)), "one after the event");
    assert!(!is_found(touch("sub", "y", NOW - DAY, Some("platform_y"))));
    assert!(is_found(touch("sub", "y", NOW - DAY, Some("platform_z"))), "nobody's");
    assert!(is_found(touch("gclid", "g", NOW - DAY, None)), "no connector asks for it");
    // The control: any does not mind.
    let any = Matching { model: Model::Any, ..x.clone() };
    let touches = [touch(OWN, "own", NOW - DAY, None), mine.clone()];
    assert_eq!(find_match(&any, &all, &touches, at(NOW)), found("x", None));
    assert_eq!(find_match(&x, &all, &touches, at(NOW)), Match::None);
}

#[test]
fn fbc_is_the_cookie_else_made_of_the_newest_fbclid() {
    let value = |touches: &[Touch]| {
        let values = platform_values(touches, at(NOW));
        values.into_iter().find(|(name, _)| *name == "FBC").map(|(_, value)| value)
    };
    let click = |id: &str, ms| touch("fbclid", id, ms, None);
    let cookie = touch(FBC_COOKIE, "fb.1.1554763741205.AbCd", NOW - 9 * DAY, None);
    assert_eq!(value(&[]), None);
    let made = format!("fb.1.{}.new", NOW - DAY);
    assert_eq!(value(&[click("old", NOW - 2 * DAY), click("new", NOW - DAY)]), Some(made));
    assert_eq!(value(&[click("late", NOW + 1)]), None);
    let both = [click("new", NOW - DAY), cookie];
    assert_eq!(value(&both).as_deref(), Some("fb.1.1554763741205.AbCd"));
}

#[test]
fn each_platform_has_its_macro_and_the_newest_wins() {
    let touches = [
        touch("gclid", "g1", NOW - 2 * DAY, None),
        touch("gclid", "g2", NOW - DAY, None),
        touch("ScCid", "s", NOW - HOUR_MS, None),
        touch("li_fat_id", "l", NOW - MINUTE_MS, None),
        touch("cid", "x", NOW, None),
    ];
    let expected =
        [("GCLID", "g2"), ("SCCLID", "s"), ("LI_FAT_ID", "l")].map(|(n, v)| (n, v.to_owned()));
    assert_eq!(platform_values(&touches, at(NOW)), expected);
}

#[test]
fn an_arrival_leaves_the_ids_that_somebody_asks_for() {
    let all = [
        matching("aff_click_id", Some("x"), Model::Last, 14),
        matching("aff_click_id", None, Model::Last, 14),
        matching("cid", None, Model::Any, 14),
    ];
    let own = |text: &str| (text == "OURS").then(|| at(7));
    let read = |address: &str| touches_of(address, None, at(NOW), &all, own);
    let address = "https://shop.example/?utm_source=platform_x&aff_click_id=abc%20123&gclid=G&utm_medium=m&foo=1&click_id=OURS#cid=9";
    let expected = [
        touch("aff_click_id", "abc 123", NOW, Some("platform_x")),
        touch("gclid", "G", NOW, None),
        touch(OWN, "OURS", 7, None),
    ];
    assert_eq!(read(address), expected);
    for nothing in [
        "",
        "https://shop.example/",
        "https://shop.example/?gclid=&sccid=small",
        "https://shop.example/?gclid=%7Bgclid%7D&cid={{CID}}",
        "https://shop.example/?gclid=a%00b&foo=OURS2",
        &format!("https://shop.example/?gclid={}", "x".repeat(513)),
    ] {
        assert_eq!(read(nothing), [], "{nothing}");
    }
    // The first of several values, wherever an own id stands.
    assert_eq!(read("?gclid=A&gclid=B&x=OURS").len(), 2);
    // What is no id does not stand in the way of one.
    assert_eq!(read("?gclid=&gclid=B"), [touch("gclid", "B", NOW, None)]);
}

#[test]
fn a_cookie_of_metas_shape_is_kept_with_its_own_time() {
    let read = |cookie: &str| touches_of("", Some(cookie), at(NOW), &[], |_| None);
    let cookie = "fb.1.1234.IwAR_a.b-c";
    assert_eq!(read(cookie), [touch(FBC_COOKIE, cookie, 1_234, None)]);
    let of_tomorrow = "fb.1.1554763741205.x";
    assert_eq!(read(of_tomorrow), [touch(FBC_COOKIE, of_tomorrow, NOW, None)]);
    for nothing in ["", "fb.1.x.a", "fb.1.5", "fb.1.5.", "gb.1.5.a", "fb.1.5.a\n"] {
        assert_eq!(read(nothing), [], "{nothing}");
    }
}

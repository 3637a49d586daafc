//! Tests of [`super`].

use super::*;
use crate::domain::click_id::Flags;

const WAIT_MS: u64 = 250;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_000_000 + ms)
}

fn click(place: Place, text: &str) -> ClickRecord {
    ClickRecord {
        namespace: Namespace::parse("demo").unwrap(),
        click_id: String::new(),
        id: ClickId {
            flags: Flags::COUNTED,
            shard: 0,
            time: at(0),
            ref_id: 1,
            country: None,
            page: place.page,
            ordinal: place.ordinal,
        },
        campaign_id: 1,
        affiliate_id: 1,
        landing_page_id: None,
        uncounted: None,
        device: Device::Other,
        os: Os::Other,
        browser: Browser::Other,
        referrer: text.to_owned(),
        user_agent: String::new(),
        source: None,
        external_click_id: None,
        parameters: Vec::new(),
        warnings: Vec::new(),
        window_seconds: 60,
        trace: None,
    }
}

fn add(pages: &Pages, name: u64, ms: u64) -> Duty {
    let place = pages.place(|| name, at(ms));
    pages.add(click(place, ""), WAIT_MS, at(ms))
}

#[test]
fn the_first_click_opens_and_the_others_only_add() {
    let pages = Pages::default();
    assert_eq!(add(&pages, 7, 0), Duty { has_opened: true, has_overdue: false });
    assert_eq!(add(&pages, 8, 100), Duty::default());
    let taken = pages.take(WAIT_MS, at(250));
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].name, taken[0].clicks.len()), (7, 2));
    assert!(pages.take(WAIT_MS, at(260)).is_empty(), "somebody is writing it");
}

#[test]
fn a_page_whose_opener_went_missing_is_written_by_a_later_click() {
    let pages = Pages::default();
    add(&pages, 7, 0);
    assert!(!add(&pages, 8, 1_000).has_overdue);
    assert!(add(&pages, 8, 1_001).has_overdue);
    assert_eq!(pages.take(WAIT_MS, at(1_001))[0].clicks.len(), 3);
}

#[test]
fn an_unconfirmed_page_is_taken_again_and_a_confirmed_one_is_forgotten() {
    let pages = Pages::default();
    add(&pages, 7, 0);
    pages.take(WAIT_MS, at(250));
    assert_eq!(add(&pages, 8, 300), Duty { has_opened: true, has_overdue: false });
    assert!(add(&pages, 9, 1_251).has_overdue);
    let names: Vec<u64> = pages.take(WAIT_MS, at(1_251)).iter().map(|page| page.name).collect();
    assert_eq!(names, [7, 8]);
    pages.confirm(7);
    pages.confirm(8);
    assert!(pages.take(WAIT_MS, at(9_999)).is_empty());
}

#[test]
fn a_page_closes_at_500_clicks_and_at_a_million_bytes() {
    let pages = Pages::default();
    for _ in 0..MAX_CLICKS - 1 {
        assert!(!add(&pages, 7, 0).has_overdue);
    }
    assert!(add(&pages, 7, 0).has_overdue);
    assert!(add(&pages, 8, 0).has_opened);

    let pages = Pages::default();
    let place = pages.place(|| 1, at(0));
    assert!(pages.add(click(place, &"x".repeat(MAX_BYTES)), WAIT_MS, at(0)).has_overdue);
}

#[test]
fn beyond_eight_megabytes_clicks_are_dropped_and_counted() {
    let pages = Pages::default();
    for name in 0..10 {
        let place = pages.place(|| name, at(0));
        pages.add(click(place, &"x".repeat(MAX_BYTES)), WAIT_MS, at(0));
    }
    assert_eq!(pages.dropped(), 3);
    assert_eq!(pages.take(WAIT_MS, at(0)).len(), 7);
}

#[test]
fn visits_without_consent_are_only_numbers() {
    let pages = Pages::default();
    let namespace = Namespace::parse("demo").unwrap();
    for _ in 0..3 {
        let place = pages.place(|| 7, at(0));
        pages.count(&namespace, 5, place, WAIT_MS, at(0));
    }
    let page = &pages.take(WAIT_MS, at(250))[0];
    assert_eq!((page.clicks.len(), page.aggregates.len(), page.aggregates[0].clicks), (0, 1, 3));
}

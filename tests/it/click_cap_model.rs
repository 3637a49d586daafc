//! Random histories of clicks, caps of clicks that come, go and are raised, pages that are written
//! late, and days of 23 and 25 hours.
//!
//! **What must hold after every run of the cron job that has caught up:** what is counted is what
//! the clicks themselves add up to, day by day, from the beginning of the day on which a cap came;
//! and a link leads nowhere exactly while a cap that bounds it is full.

use std::collections::{BTreeMap, BTreeSet};

use backtrail::domain::cap::LocalDate;
use backtrail::domain::time::{DAY_MS, MINUTE_MS, Timestamp};
use backtrail::http::request::{Headers, Method};
use backtrail::store::{Blobs as _, keys};
use proptest::prelude::*;
use serde_json::json;

use crate::click_caps::click_cap;
use crate::support::database::Break;
use crate::support::shop::person;
use crate::support::{Edge, Shop, World, block_on, zones};

const PERIODS: [&str; 3] = ["day", "month", "total"];

/// Zones, and when their histories begin: before a clock changes, at a half hour, in between.
const PLACES: [(&str, &str); 5] = [
    ("UTC", "2026-11-30T20:00:00Z"),
    ("Europe/Paris", "2027-03-27T20:10:00Z"),
    ("Europe/Paris", "2027-10-30T20:20:00Z"),
    ("Africa/Cairo", "2027-04-29T18:30:00Z"),
    ("Asia/Kolkata", "2026-12-31T16:00:00Z"),
];

#[derive(Clone, Debug)]
enum Step {
    /// Visits of the link of affiliate 1 or 2.
    Clicks { affiliate: u32, times: u8 },
    /// A bot, which is not counted.
    Bot,
    /// Another isolate has a page of clicks that the ledger does not take, and keeps it aside.
    Late { affiliate: u32 },
    /// The cron job sees what was kept aside from now on.
    Arrive,
    /// Another cap; affiliate 0 is everybody.
    Cap { affiliate: u32, period: usize, limit: u8 },
    /// A cap gets another limit.
    Limit { cap: usize, limit: u8 },
    /// A cap ends.
    Archive(usize),
    /// It returns.
    Return(usize),
    /// The cron job runs, and perhaps fails after so many calls of the ledger.
    Tick(Option<(bool, usize)>),
    /// Minutes pass.
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let fails = prop::option::weighted(0.3, (any::<bool>(), 0..6usize));
    prop_oneof![
        6 => (1..3u32, 1..4u8).prop_map(|(affiliate, times)| Step::Clicks { affiliate, times }),
        1 => Just(Step::Bot),
        1 => (1..3u32).prop_map(|affiliate| Step::Late { affiliate }),
        1 => Just(Step::Arrive),
        3 => (0..3u32, 0..3usize, 1..9u8).prop_map(|(affiliate, period, limit)| Step::Cap { affiliate, period, limit }),
        1 => (any::<usize>(), 1..12u8).prop_map(|(cap, limit)| Step::Limit { cap, limit }),
        1 => any::<usize>().prop_map(Step::Archive),
        1 => any::<usize>().prop_map(Step::Return),
        4 => fails.prop_map(Step::Tick),
        2 => (1..30u16).prop_map(Step::Wait),
        2 => (30..500u16).prop_map(Step::Wait),
    ]
}

struct Cap {
    affiliate: u32,
    period: usize,
    limit: u64,
    is_active: bool,
    /// Since when clicks count for it: the beginning of the day of the run that saw it first.
    since: Option<Timestamp>,
    full_in: Option<String>,
}

type Click = (u32, Timestamp);

/// What a visit left aside: its click, unless it led nowhere, and its page by key and text.
type Aside = (Option<Click>, Vec<(String, String)>);

/// What is used in each place: of an affiliate (0: of all), on a day.
type Uses = BTreeMap<(u32, String), u64>;

struct History<'w> {
    shop: Shop<'w>,
    other: Edge<'w>,
    zone: &'static str,
    caps: Vec<Cap>,
    /// The clicks that are in the ledger, by affiliate and time; those that the cron job will find
    /// aside; and those that it does not see yet, with their page.
    clicks: Vec<Click>,
    late: Vec<Click>,
    aside: Vec<Aside>,
    /// Which of the clicks are counted for whom.
    counted: BTreeMap<u32, BTreeSet<usize>>,
}

impl<'w> History<'w> {
    fn new(world: &'w World, (zone, begins): (&'static str, &str)) -> Self {
        world.waits_ms(Timestamp::parse(begins).unwrap().ms_since(world.now()));
        let shop = Shop::open(world);
        shop.operator.changes("namespaces/demo", json!({ "time_zone": zone }));
        let other = Edge::of(world);
        let counted = BTreeMap::new();
        Self {
            shop,
            other,
            zone,
            caps: vec![],
            clicks: vec![],
            late: vec![],
            aside: vec![],
            counted,
        }
    }

    fn date(&self, at: Timestamp) -> LocalDate {
        zones::local_date(self.zone, at).unwrap()
    }

    fn period(&self, cap: &Cap, at: Timestamp) -> String {
        let date = self.date(at);
        match cap.period {
            0 => date.as_str().to_owned(),
            1 => date.as_str()[..7].to_owned(),
            _ => "total".to_owned(),
        }
    }

    fn counted(&self) -> Uses {
        let rows =
            self.shop.rows("SELECT affiliate_id, day, clicks FROM cap_uses WHERE clicks > 0");
        let uses = rows.iter().map(|row| {
            let affiliate = row["affiliate_id"].as_u64().unwrap() as u32;
            ((affiliate, row["day"].as_str().unwrap().to_owned()), row["clicks"].as_u64().unwrap())
        });
        uses.collect()
    }

    /// The same, added up from the clicks themselves.
    fn added_up(&self) -> Uses {
        let mut uses = Uses::new();
        for (place, counted) in &self.counted {
            for click in counted {
                let day = self.date(self.clicks[*click].1).as_str().to_owned();
                *uses.entry((*place, day)).or_default() += 1;
            }
        }
        uses
    }

    /// Whether the link of an affiliate leads nowhere, as it should be now.
    fn is_closed(&self, affiliate: u32) -> bool {
        let active = || self.caps.iter().filter(|cap| cap.is_active);
        let has_own = |general: &Cap| {
            active().any(|cap| cap.affiliate == affiliate && cap.period == general.period)
        };
        active()
            .filter(|cap| cap.affiliate == affiliate || cap.affiliate == 0 && !has_own(cap))
            .any(|cap| cap.full_in.as_ref() == Some(&self.period(cap, self.shop.world().now())))
    }

    /// Visits a link, and says whether it led somewhere.
    fn visit(&self, edge: &Edge<'_>, method: Method, affiliate: u32) -> bool {
        let address = format!("{}/click?ref_id={affiliate}", self.shop.host);
        let status = edge.answers(method, &address, person(), b"").status;
        let should_be = if self.is_closed(affiliate) { 404 } else { 302 };
        assert_eq!(status, should_be, "of {affiliate}, {}", self.shop.world().now().to_rfc3339());
        status == 302
    }

    /// What the cron job has to come to.
    fn expect_run(&mut self) {
        let now = self.shop.world().now();
        self.clicks.append(&mut self.late);
        let today = self.date(now);
        // By steps of a minute, unlike the code.
        let mut beginning = now.ms() / MINUTE_MS * MINUTE_MS;
        while self.date(Timestamp::from_ms(beginning - MINUTE_MS)) == today {
            beginning -= MINUTE_MS;
        }
        // What is older is never counted again.
        let oldest = (now.ms() - 2 * DAY_MS) / (5 * MINUTE_MS) * (5 * MINUTE_MS);
        for cap in self.caps.iter_mut().filter(|cap| cap.is_active) {
            let since = *cap.since.get_or_insert(Timestamp::from_ms(beginning));
            let counted = self.counted.entry(cap.affiliate).or_default();
            let is_its = |(_, (affiliate, at)): &(usize, &(u32, Timestamp))| {
                [0, *affiliate].contains(&cap.affiliate) && *at >= since && at.ms() >= oldest
            };
            counted.extend(self.clicks.iter().enumerate().filter(is_its).map(|(index, _)| index));
        }
        let uses = self.added_up();
        for index in 0..self.caps.len() {
            let cap = &self.caps[index];
            let period = self.period(cap, now);
            let begins = if cap.period == 2 { "" } else { period.as_str() };
            let days = uses
                .iter()
                .filter(|((of, day), _)| *of == cap.affiliate && day.starts_with(begins));
            let is_full = cap.is_active && days.map(|(_, clicks)| clicks).sum::<u64>() >= cap.limit;
            match (is_full, cap.is_active) {
                (true, _) => self.caps[index].full_in = Some(period),
                // What was noted of another period does not matter.
                (false, true) => self.caps[index].full_in = None,
                (false, false) => {}
            }
        }
    }

    fn change(&mut self, cap: usize, says: serde_json::Value, edit: impl FnOnce(&mut Cap)) {
        if let Some(index) = cap.checked_rem(self.caps.len()) {
            self.shop.operator.changes(&format!("caps/{}", index + 1), says);
            self.shop.world().waits_ms(30_001);
            edit(&mut self.caps[index]);
        }
    }

    fn run(&mut self, step: &Step) {
        let world = self.shop.world();
        match step {
            Step::Clicks { affiliate, times } => {
                for _ in 0..*times {
                    if self.visit(&self.shop.edge, Method::Get, *affiliate) {
                        self.clicks.push((*affiliate, world.now()));
                    }
                }
                self.shop.edge.settles();
            }
            Step::Bot => {
                self.shop.visits_with(
                    Headers { user_agent: "Googlebot/2.1", ..person() },
                    "/click?ref_id=1",
                );
                self.shop.edge.settles();
            }
            Step::Late { affiliate } => {
                let is_click = self.visit(&self.other, Method::Get, *affiliate);
                let before = world.stores.blobs.keys();
                let click = is_click.then(|| (*affiliate, world.now()));
                world.database().breaks(Break::BeforeCommit, 1);
                self.other.settles_now();
                world.waits_ms(250);
                self.other.settles_now();
                world.database().mends();
                let blobs = &world.stores.blobs;
                let is_new = |key: &String| key.starts_with(keys::ASIDE) && !before.contains(key);
                let mut pages = Vec::new();
                for key in blobs.keys().into_iter().filter(is_new) {
                    pages.push((key.clone(), blobs.text(&key).unwrap()));
                    block_on(blobs.delete(&key)).unwrap();
                }
                self.aside.push((click, pages));
            }
            Step::Arrive => {
                for (click, pages) in std::mem::take(&mut self.aside) {
                    self.late.extend(click);
                    for (key, text) in pages {
                        block_on(world.stores.blobs.put(&key, &text, None)).unwrap();
                    }
                }
            }
            Step::Cap { affiliate, period, limit } => {
                let mut fields = json!({ "period": PERIODS[*period] });
                if *affiliate > 0 {
                    fields["affiliate_id"] = json!(affiliate);
                }
                click_cap(&self.shop, u32::from(*limit), fields);
                let (affiliate, period, limit) = (*affiliate, *period, u64::from(*limit));
                let cap =
                    Cap { affiliate, period, limit, is_active: true, since: None, full_in: None };
                self.caps.push(cap);
            }
            Step::Limit { cap, limit } => {
                self.change(*cap, json!({ "clicks_limit": limit }), |cap| {
                    cap.limit = u64::from(*limit)
                });
            }
            Step::Archive(cap) => self.change(*cap, json!({ "state": "archived" }), |cap| {
                cap.is_active = false;
                cap.since = None;
            }),
            Step::Return(cap) => {
                self.change(*cap, json!({ "state": "active" }), |cap| cap.is_active = true);
            }
            Step::Tick(fails) => {
                if let Some((is_lost, well)) = fails {
                    let how = if *is_lost { Break::AfterCommit } else { Break::BeforeCommit };
                    world.database().breaks_after(how, *well);
                    self.shop.edge.ticks();
                    world.database().mends();
                }
                self.expect_run();
                // A day is caught up with in some steps, and ten caps a run are noted.
                for _ in 0..30 {
                    self.shop.edge.ticks();
                }
                assert_eq!(self.counted(), self.added_up());
                // Whoever was not told reads the copies again because of their age.
                world.waits_ms(if fails.is_some() { 600_001 } else { 30_001 });
                assert_eq!(
                    self.shop.value("SELECT COUNT(*) FROM click_watches WHERE has_new = 1"),
                    0
                );
            }
            Step::Wait(minutes) => world.waits_ms(u64::from(*minutes) * MINUTE_MS),
        }
        // Without a trace.
        for affiliate in [1, 2] {
            self.visit(&self.shop.edge, Method::Head, affiliate);
        }
        world.waits_ms(1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_counted_is_what_was_clicked(
        place in 0..PLACES.len(), steps in prop::collection::vec(step(), 1..30)
    ) {
        let world = World::new();
        let mut history = History::new(&world, PLACES[place]);
        for step in &steps {
            history.run(step);
        }
        history.run(&Step::Arrive);
        history.run(&Step::Tick(None));
    }
}

#[test]
fn a_count_of_clicks_that_went_wrong_is_noticed() {
    for breaks in [
        "UPDATE cap_uses SET clicks = clicks + 1",
        "UPDATE cap_uses SET day = '2026-11-29'",
        "DELETE FROM cap_uses",
        "INSERT INTO cap_uses VALUES ('demo', 1, 2, '2026-11-30', 0, 0, 0, 1)",
    ] {
        let world = World::new();
        let mut history = History::new(&world, PLACES[0]);
        history.run(&Step::Cap { affiliate: 0, period: 0, limit: 5 });
        history.run(&Step::Clicks { affiliate: 1, times: 3 });
        history.run(&Step::Tick(None));
        assert_eq!(history.counted(), history.added_up());
        assert_eq!(history.counted().len(), 1);
        world.database().execute(breaks);
        assert_ne!(history.counted(), history.added_up(), "{breaks}");
    }
}

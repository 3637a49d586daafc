//! Judging again by filter: bounded steps that can be interrupted anywhere and continued.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use backtrail::app::judge_again::{Filter, step};
use backtrail::app::ports::Ledger as _;
use backtrail::app::settings::Moment;
use backtrail::app::steps::Cursor;
use backtrail::domain::click_id::{ClickId, Flags};
use backtrail::domain::namespace::Namespace;
use backtrail::domain::time::Timestamp;
use backtrail::domain::verdict::Reason;
use backtrail::http::request::Method::{Get, Post};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::world::BEGINNING_MS;
use crate::support::{Operator, Shop, World, block_on};

/// What D1 lets one invocation run on a free plan.
const MAX_QUERIES: usize = 50;

const DAY_MS: u64 = 86_400_000;

fn demo() -> Namespace {
    Namespace::parse("demo").unwrap()
}

/// The click_id of the `n`th visitor of link 1, at this time.
fn click_id(world: &World, n: usize, at: u64) -> String {
    let id = ClickId {
        flags: Flags::COUNTED,
        shard: 0,
        time: Timestamp::from_ms(at),
        ref_id: 1,
        country: None,
        page: 1,
        ordinal: n as u16,
    };
    world.stores.settings.keyring.of(&demo()).sign(&id).unwrap().to_string()
}

/// A request that was refused `n` milliseconds after the beginning, as a row to insert.
fn refused(n: usize, reason: Reason, parameters: &[(&str, &str)]) -> String {
    let at = BEGINNING_MS + n as u64;
    let parameters: serde_json::Map<String, Value> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    format!(
        "('demo', 'req_{at:012x}{n:020x}', {at}, 'postback', 'token', 1, '{}', 'rejected', '{}', 'as it was then', {at})",
        Value::from(parameters),
        reason.as_str()
    )
}

/// Puts rows into the inbox.
fn keeps(world: &World, rows: &[String]) {
    for rows in rows.chunks(500) {
        world.database().execute(&format!(
            "INSERT INTO inbox (namespace, request_id, received_at, source, proof, campaign_id, parameters, \
             verdict, reason, detail, judged_at) VALUES {}",
            rows.join(", ")
        ));
    }
}

/// A step over the API, with the statements that it ran counted.
fn steps(operator: &Operator<'_>, body: &Value) -> Value {
    let database = operator.world.database();
    let before = database.statements();
    let answer = operator.calls(Post, "inbox/judge-again", Some(body.clone()), 200);
    let ran = database.statements() - before;
    assert!(ran < MAX_QUERIES, "{ran} statements");
    answer
}

/// Steps until nothing is left; the verdicts together.
fn runs(operator: &Operator<'_>, filter: Value) -> Value {
    let (mut body, mut sums) = (filter, json!({ "judged": 0 }));
    loop {
        let answer = steps(operator, &body);
        let add = |sum: &mut Value, n: &Value| {
            *sum = json!(sum.as_u64().unwrap_or(0) + n.as_u64().unwrap());
        };
        add(&mut sums["judged"], &answer["judged"]);
        for (verdict, n) in answer["verdicts"].as_object().unwrap() {
            add(&mut sums[verdict], n);
        }
        if answer["next_cursor"].is_null() {
            return sums;
        }
        body["cursor"] = answer["next_cursor"].clone();
    }
}

#[test]
fn ten_thousand_are_judged_again_in_bounded_steps_through_every_interruption() {
    const ROWS: usize = 10_000;
    let world = World::new();
    let shop = Shop::open(&world);
    world.waits_ms(DAY_MS);
    let row = |n: usize| {
        let order = format!("O{}", n - n % 5);
        // The second is the first once more.
        let fresh = click_id(&world, n - usize::from(n % 5 == 1), BEGINNING_MS);
        let old = click_id(&world, n, BEGINNING_MS - 60 * DAY_MS);
        let (click, more) = match n % 5 {
            0 | 1 => (fresh.as_str(), ("order_id", order.as_str())),
            2 => ("of-nobody", ("custom1", "x")),
            3 => (old.as_str(), ("custom1", "x")),
            _ => (fresh.as_str(), ("custom1", "x")),
        };
        let parameters = [("click_id", click), more];
        refused(n, Reason::CampaignArchived, &parameters)
    };
    keeps(&world, &(0..ROWS).map(row).collect::<Vec<_>>());

    let mut body = json!({ "reason": "campaign_archived" });
    let database = world.database();
    let (mut calls, mut cut) = (0, 0);
    loop {
        calls += 1;
        world.waits_ms(10);
        // Each way of being interrupted, at every place of a step in turn.
        let well = calls % 37;
        match calls % 6 {
            1 => database.breaks_after(Break::BeforeCommit, well),
            3 => database.breaks_after(Break::AfterCommit, well),
            5 => {
                // Whoever called is gone: the step ends wherever it is, and nobody has its cursor.
                database.breaks_after(Break::Silent, well);
                let cursor = cursor_of(&body);
                let filter = Filter { reason: Some(Reason::CampaignArchived), ..Filter::default() };
                let random = || [7; 32];
                let moment = Moment { now: world.now(), random: &random };
                let (memory, space) = (&world.isolate.memory, demo());
                let mut step = pin!(step(&world.stores, memory, &moment, &space, &filter, cursor));
                let polled = step.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                cut += usize::from(matches!(polled, Poll::Pending));
                database.mends();
                continue;
            }
            _ => {}
        }
        let before = database.statements();
        let response = shop.operator.sends(Post, "inbox/judge-again", Some(body.clone()), "");
        assert!(database.statements() - before < MAX_QUERIES);
        database.mends();
        if response.status == 503 {
            continue;
        }
        let answer = crate::support::world::json_of(&response, 200);
        if answer["next_cursor"].is_null() {
            break;
        }
        body["cursor"] = answer["next_cursor"].clone();
    }
    assert!(calls < 1_500 && cut > 50, "{calls} calls, {cut} of them cut short");

    // The model: of five rows one repeats the one before it, one names nobody's click, and one's
    // click is too old.
    let n = (ROWS / 5) as u64;
    let of = |verdict: &str, reason: &str| {
        shop.value(&format!(
            "SELECT COUNT(*) FROM inbox WHERE verdict = '{verdict}' AND COALESCE(reason, '') = '{reason}'"
        ))
    };
    assert_eq!(of("rejected", "campaign_archived"), 0, "every row was reached");
    assert_eq!((of("recorded", ""), of("duplicate", "")), (json!(2 * n), json!(n)));
    assert_eq!(
        (of("rejected", "unknown_click"), of("rejected", "expired_click")),
        (json!(n), json!(n))
    );
    assert_eq!(shop.count("conversions"), 2 * n);
    assert_eq!(shop.value("SELECT SUM(payout) FROM conversions"), 2 * n * 500);
    let without = "SELECT COUNT(*) FROM conversions c LEFT JOIN inbox i ON i.namespace = c.namespace \
         AND i.request_id = c.request_id AND i.verdict = 'recorded' AND i.conversion_id = c.conversion_id \
         WHERE i.request_id IS NULL";
    assert_eq!(shop.value(without), 0, "each conversion has the row that made it");
    // Done once more, it changes nothing.
    world.waits_ms(1_000);
    let to = Timestamp::from_ms(BEGINNING_MS + 500).to_rfc3339();
    let again = runs(&shop.operator, json!({ "reason": "unknown_click", "to": to }));
    assert_eq!((&again["judged"], &again["rejected"]), (&json!(100), &json!(100)));
    assert_eq!(shop.count("conversions"), 2 * n);
}

/// The cursor of a body, as the API reads it.
fn cursor_of(body: &Value) -> Option<Cursor> {
    use base64::Engine as _;
    let text = body["cursor"].as_str()?;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
    let key: Value = serde_json::from_slice(&bytes).unwrap();
    let (after, to) = (key[0].as_str()?.to_owned(), Timestamp::from_ms(key[1].as_u64()?));
    Some(Cursor { after, to })
}

#[test]
fn a_filter_chooses_by_reason_campaign_and_time() {
    let world = World::new();
    let shop = Shop::open(&world);
    world.waits_ms(DAY_MS);
    for n in 0..60 {
        let reason = if n % 2 == 0 { Reason::UnknownClick } else { Reason::CampaignArchived };
        keeps(&world, &[refused(n * 1_000, reason, &[("click_id", "of-nobody")])]);
    }
    world.database().execute("UPDATE inbox SET campaign_id = 2 WHERE received_at % 3 = 0");
    let of_two = shop.value("SELECT COUNT(*) FROM inbox WHERE campaign_id = 2");
    assert!((10..50).contains(&of_two.as_u64().unwrap()));
    for (filter, expected) in [
        (json!({}), json!(60)),
        (json!({ "campaign_id": 2 }), of_two),
        (json!({ "from": "2026-11-21T09:30:10Z", "to": "2026-11-21T09:30:15Z" }), json!(5)),
        (json!({ "from": "2026-11-21T09:30:55Z" }), json!(5)),
        (json!({ "reason": "expired_coupon" }), json!(0)),
        (json!({ "reason": "campaign_archived", "cursor": null }), json!(0)),
    ] {
        world.waits_ms(1_000);
        assert_eq!(runs(&shop.operator, filter.clone())["judged"], expected, "{filter}");
    }
    assert_eq!(runs(&world.operator_of("other"), json!({}))["judged"], 0);
}

#[test]
fn a_conversion_is_judged_before_what_repeats_it_and_only_what_was_there_at_the_start() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.changes_campaign(json!({ "state": "archived" }));
    for _ in 0..30 {
        world.waits_ms(10);
        shop.is_refused((422, "campaign_archived"), &format!("click_id={id}&order_id=A"));
    }
    let first = steps(&shop.operator, &json!({}));
    assert!(first["judged"].as_u64().unwrap() >= 15, "{first}");
    assert_eq!(first["reasons"], json!({ "campaign_archived": first["judged"] }));
    world.waits_ms(1_000);
    shop.is_refused((422, "campaign_archived"), &format!("click_id={id}&order_id=Z"));
    let rest = runs(&shop.operator, json!({ "cursor": first["next_cursor"] }));
    let judged = first["judged"].as_u64().unwrap() + rest["judged"].as_u64().unwrap();
    assert_eq!(judged, 30, "what was refused meanwhile waits for the next time");
    shop.changes_campaign(json!({ "state": "active" }));
    let all = runs(&shop.operator, json!({}));
    assert_eq!(
        all,
        json!({ "judged": 31, "recorded": 1, "updated": 0, "duplicate": 29, "rejected": 1 })
    );
    let recorded = shop.value("SELECT request_id FROM inbox WHERE verdict = 'recorded'");
    assert_eq!(recorded, shop.value("SELECT MIN(request_id) FROM inbox"));
    assert_eq!(runs(&shop.operator, json!({}))["judged"], 1);
    // What was recorded is copied for the time when the ledger is down.
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    shop.reports(200, &format!("click_id={id}&order_id=A"));
}

#[test]
fn whoever_is_overtaken_does_not_undo_what_the_other_recorded() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    world.waits_ms(1_000);
    keeps(&world, &[refused(10, Reason::CampaignArchived, &[("click_id", &id)])]);
    let request_id = shop.value("SELECT request_id FROM inbox");
    let entry = block_on(world.stores.inbox_entry(&demo(), request_id.as_str().unwrap()));
    let entry = entry.unwrap().unwrap();
    assert_eq!(runs(&shop.operator, json!({}))["recorded"], 1);
    // Another task had read the row before that.
    world.waits_ms(1_000);
    let random = || [7; 32];
    let moment = Moment { now: world.now(), random: &random };
    let memory = &world.isolate.memory;
    let space = demo();
    let late = backtrail::app::judge::again(&world.stores, memory, &moment, &space, &entry);
    block_on(late).unwrap();
    assert_eq!(
        shop.rows("SELECT verdict, judgements FROM inbox"),
        [json!({ "verdict": "recorded", "judgements": 2 })]
    );
    assert_eq!(shop.count("conversions"), 1);
}

#[test]
fn many_clicks_and_campaigns_that_memory_does_not_know_keep_within_the_bound() {
    let world = World::new();
    let shop = Shop::open(&world);
    for n in 2..40 {
        let campaign = json!({ "name": "c", "advertiser_id": 1, "currency": "USD", "authentication": "token" });
        shop.operator.creates("campaigns", campaign);
        keeps(
            &world,
            &[refused(
                n,
                Reason::NoAttribution,
                &[("campaign_id", &n.to_string()), ("order_id", "A")],
            )],
        );
    }
    world.stores.blobs.clear();
    world.waits_ms(DAY_MS);
    let all = runs(&shop.operator, json!({}));
    assert_eq!((&all["judged"], &all["rejected"]), (&json!(38), &json!(38)));
}

#[test]
fn judging_again_needs_scope_write_and_a_filter_that_can_be_understood() {
    let world = World::new();
    let shop = Shop::open(&world);
    let path = "inbox/judge-again";
    for (body, faults) in [
        (json!({ "reason": "nonsense" }), &["reason: invalid"][..]),
        (json!({ "reason": 1, "campaign_id": "1" }), &["campaign_id: invalid", "reason: invalid"]),
        (json!({ "from": "yesterday", "to": 5 }), &["from: invalid", "to: invalid"]),
        (json!({ "until": "2026-11-21T09:30:00Z" }), &["until: unknown_field"]),
    ] {
        shop.operator.is_told(Post, path, body, faults);
    }
    for cursor in [json!(""), json!("x"), json!(5), json!("WyJ4Il0"), json!("WyJ4IiwieSJd")] {
        let body = Some(json!({ "cursor": cursor }));
        shop.operator.is_refused(Post, path, body, (400, "invalid_cursor"));
    }
    shop.operator.is_refused(Get, path, None, (405, "method_not_allowed"));
    shop.operator.is_refused(Post, path, None, (415, "unsupported_media_type"));
    let key = shop.operator.creates("keys", json!({ "name": "k", "scopes": ["read"] }));
    let reader = shop.operator.with_key(&key["key"]);
    reader.is_refused(Post, path, Some(json!({})), (403, "missing_scope"));
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    shop.operator.is_refused(Post, path, Some(json!({})), (503, "storage_unavailable"));
}

//! Caps over the API: what makes sense, and what is refused by name.

use backtrail::app::catalog::resources::CAPS;
use backtrail::http::request::Method::{Delete, Patch, Post};
use backtrail::store::Database as _;
use serde_json::{Value, json};

use crate::caps::cap;
use crate::support::{Shop, World};

const DOCUMENT: &str = include_str!("../../docs/caps.md");

#[test]
fn a_cap_is_created_changed_listed_and_never_deleted() {
    let world = World::new();
    let shop = Shop::open(&world);
    let made = cap(
        &shop,
        json!({ "what": "payout", "period": "day", "amount_limit": "500.00", "affiliate_id": 2 }),
    );
    assert_eq!(
        made,
        json!({
            "id": 1, "campaign_id": 1, "currency": "USD", "affiliate_id": 2, "what": "payout", "period": "day",
            "conversions_limit": null, "amount_limit": "500.00", "clicks_limit": null, "mode": "hard", "state": "active",
            "used": "0.00", "full_in": null, "counted_since": null, "created_at": "2026-11-21T09:30:00.000Z",
        })
    );
    let changed = shop.operator.changes("caps/1", json!({ "mode": "soft", "amount_limit": "1" }));
    assert_eq!((&changed["mode"], &changed["amount_limit"]), (&json!("soft"), &json!("1.00")));
    cap(&shop, json!({ "conversions_limit": 5 }));
    assert_eq!(shop.operator.lists("caps?affiliate_id=2").len(), 1);
    assert_eq!(shop.operator.lists("caps?campaign_id=1").len(), 2);
    assert_eq!(shop.operator.lists("caps?state=archived").len(), 0);
    shop.operator.is_refused(Delete, "caps/1", None, (405, "method_not_allowed"));
}

#[test]
fn a_cap_that_makes_no_sense_is_refused_by_its_field() {
    let world = World::new();
    let shop = Shop::open(&world);
    let told = |says: Value, faults: &[&str]| {
        let mut fields =
            json!({ "campaign_id": 1, "what": "conversions", "period": "day", "mode": "hard" });
        for (field, value) in says.as_object().unwrap() {
            fields[field] = value.clone();
        }
        shop.operator.is_told(Post, "caps", fields, faults);
    };
    told(json!({}), &["conversions_limit: required"]);
    told(json!({ "amount_limit": "5.00" }), &["amount_limit: invalid"]);
    told(json!({ "conversions_limit": 0 }), &["conversions_limit: invalid"]);
    told(json!({ "conversions_limit": 1, "amount_limit": "5.00" }), &["amount_limit: invalid"]);
    told(json!({ "what": "payout", "conversions_limit": 1 }), &["conversions_limit: invalid"]);
    told(json!({ "what": "revenue" }), &["amount_limit: required"]);
    told(json!({ "what": "revenue", "amount_limit": "0.00" }), &["amount_limit: invalid"]);
    told(json!({ "what": "revenue", "amount_limit": "0.001" }), &["amount_limit: too_many_digits"]);
    told(json!({ "what": "clicks", "conversions_limit": 1 }), &["conversions_limit: invalid"]);
    told(json!({ "what": "visits", "conversions_limit": 1 }), &["what: invalid"]);
    told(json!({ "what": "clicks" }), &["clicks_limit: required"]);
    told(json!({ "what": "clicks", "clicks_limit": 0 }), &["clicks_limit: invalid"]);
    told(json!({ "conversions_limit": 1, "clicks_limit": 1 }), &["clicks_limit: invalid"]);
    told(json!({ "conversions_limit": 1, "period": "week" }), &["period: invalid"]);
    told(json!({ "conversions_limit": 1, "full_in": "2026" }), &["full_in: read_only"]);
    told(json!({ "conversions_limit": 1, "campaign_id": 9 }), &["campaign_id: unknown_reference"]);
    told(
        json!({ "conversions_limit": 1, "affiliate_id": 9 }),
        &["affiliate_id: unknown_reference"],
    );
    cap(&shop, json!({ "conversions_limit": 5 }));
    let changed = |says: Value, faults: &[&str]| {
        shop.operator.is_told(Patch, "caps/1", says, faults);
    };
    changed(json!({ "conversions_limit": null }), &["conversions_limit: required"]);
    changed(json!({ "amount_limit": "1.00" }), &["amount_limit: invalid"]);
    changed(json!({ "period": "day" }), &["period: create_only"]);
    changed(json!({ "clicks_limit": 1 }), &["clicks_limit: invalid"]);
    assert_eq!(shop.operator.changes("caps/1", json!({}))["conversions_limit"], 5);
}

#[test]
fn a_cap_of_clicks_is_hard_and_says_so() {
    let world = World::new();
    let shop = Shop::open(&world);
    let soft = json!({ "campaign_id": 1, "what": "clicks", "period": "day", "clicks_limit": 5, "mode": "soft" });
    let told = shop.operator.is_told(Post, "caps", soft.clone(), &["mode: invalid"]);
    assert!(told["errors"][0]["message"].as_str().unwrap().contains("Send hard"), "{told}");
    let made = cap(&shop, json!({ "what": "clicks", "clicks_limit": 5 }));
    assert_eq!((&made["clicks_limit"], &made["conversions_limit"]), (&json!(5), &Value::Null));
    shop.operator.is_told(Patch, "caps/1", json!({ "mode": "soft" }), &["mode: invalid"]);
    shop.operator.is_told(
        Patch,
        "caps/1",
        json!({ "clicks_limit": null }),
        &["clicks_limit: required"],
    );
    shop.operator.is_told(
        Patch,
        "caps/1",
        json!({ "counted_since": 5 }),
        &["counted_since: read_only"],
    );
    let changed = shop.operator.changes("caps/1", json!({ "mode": "hard", "clicks_limit": 7 }));
    assert_eq!(changed["clicks_limit"], 7);
    // The control: others may be soft.
    cap(&shop, json!({ "conversions_limit": 5, "mode": "soft" }));
}

#[test]
fn the_schema_keeps_a_cap_to_one_limit() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 5 }));
    for wrong in [
        "UPDATE caps SET amount_limit = 5",
        "UPDATE caps SET conversions_limit = NULL",
        "UPDATE caps SET conversions_limit = 0",
        "UPDATE caps SET what = 'payout'",
        "UPDATE caps SET clicks_limit = 5",
        "UPDATE caps SET what = 'clicks', conversions_limit = NULL",
        "UPDATE caps SET what = 'clicks', conversions_limit = NULL, clicks_limit = 0",
        "UPDATE caps SET what = 'clicks', conversions_limit = NULL, clicks_limit = 5, mode = 'soft'",
        "UPDATE caps SET counted_since = 5",
        "UPDATE caps SET mode = 'firm'",
        "UPDATE caps SET campaign_id = 9",
    ] {
        let statement = backtrail::store::Statement::new(wrong, vec![]);
        let written = crate::support::block_on(world.database().batch(vec![statement]));
        assert!(written.is_err(), "{wrong}");
    }
    world
        .database()
        .execute("UPDATE caps SET what = 'clicks', conversions_limit = NULL, clicks_limit = 5");
}

#[test]
fn a_time_zone_that_the_platform_does_not_know_is_refused_when_it_is_saved() {
    let world = World::new();
    let shop = Shop::open(&world);
    let zone = |zone: &str| json!({ "time_zone": zone });
    shop.operator.changes("namespaces/demo", zone("Europe/Paris"));
    let told = shop.operator.is_told(
        Patch,
        "namespaces/demo",
        zone("Europe/Atlantis"),
        &["time_zone: invalid"],
    );
    assert!(told["detail"].as_str().unwrap().contains("IANA"), "{told}");
    assert_eq!(shop.operator.sees("namespaces/demo")["time_zone"], "Europe/Paris");
}

#[test]
fn the_document_explains_every_field() {
    for field in CAPS.fields {
        assert!(DOCUMENT.contains(&format!("`{}`", field.name)), "{}", field.name);
    }
    assert!(!DOCUMENT.contains("`colour`"), "the control");
}

#[test]
fn a_cap_shows_what_is_used_of_it_in_its_period() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "period": "day", "conversions_limit": 9 }));
    cap(&shop, json!({ "period": "month", "what": "payout", "amount_limit": "99.00" }));
    cap(&shop, json!({ "what": "revenue", "amount_limit": "99.00", "affiliate_id": 2 }));
    cap(&shop, json!({ "what": "clicks", "clicks_limit": 99, "period": "month" }));
    cap(&shop, json!({ "what": "clicks", "clicks_limit": 99, "period": "day", "affiliate_id": 1 }));
    let used = || -> Vec<Value> {
        let caps = shop.operator.lists("caps");
        let one = |cap: &Value| shop.operator.sees(&format!("caps/{}", cap["id"]));
        assert_eq!(caps.iter().map(one).collect::<Vec<_>>(), caps);
        caps.into_iter().map(|cap| cap["used"].clone()).collect()
    };
    let nothing = vec![json!(0), json!("0.00"), json!("0.00"), json!(0), json!(0)];
    assert_eq!(used(), nothing);
    for link in [1, 2] {
        shop.reports(200, &format!("click_id={}", shop.clicks(link)));
    }
    shop.edge.settles();
    (0..9).for_each(|_| shop.edge.ticks());
    assert_eq!(used(), [json!(2), json!("10.00"), json!("8.00"), json!(2), json!(1)]);
    // The next day begins at nine hours before that of UTC.
    shop.operator.changes("namespaces/demo", json!({ "time_zone": "Asia/Tokyo" }));
    world.waits_ms(6 * 3_600_000);
    assert_eq!(used(), [json!(0), json!("10.00"), json!("8.00"), json!(2), json!(0)]);
    world.waits_ms(10 * 86_400_000);
    assert_eq!(used(), [json!(0), json!("0.00"), json!("8.00"), json!(0), json!(0)]);
    let changed = shop.operator.changes("caps/3", json!({ "amount_limit": "1.00" }));
    assert_eq!(changed["used"], "8.00");
    shop.operator.is_told(Patch, "caps/1", json!({ "used": 5 }), &["used: read_only"]);
    // Another namespace's are its own.
    let other = Shop::named(&world, "other", json!({}));
    cap(&other, json!({ "conversions_limit": 9 }));
    assert_eq!(other.operator.sees("caps/1")["used"], 0);
    // Without it the cap is shown all the same.
    world.database().breaks_after(crate::support::database::Break::BeforeCommit, 2);
    assert_eq!(shop.operator.sees("caps/1")["used"], Value::Null);
    assert_eq!(shop.operator.sees("caps/1")["used"], 0);
    // What others pay for it: nothing.
    let before = world.database().statements();
    shop.operator.sees("campaigns/1");
    let plain = world.database().statements() - before;
    shop.operator.sees("caps/1");
    assert_eq!(world.database().statements() - before, 2 * plain + 2);
}

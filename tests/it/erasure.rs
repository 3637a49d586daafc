//! Erasing persons (`DELETE /api/v1/persons`): afterwards nothing in ledger or copies says anything
//! of them, nobody else has lost anything, and no money has moved.

use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Delete, Patch};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::{id_in, location, person};
use crate::support::world::json_of;
use crate::support::{Shop, World};

/// What is known of the person who is erased, and nobody else has.
const SECRETS: [&str; 9] = [
    "jane@example.com",
    "Jane-Agent",
    "jane.example",
    "jane-sub",
    "jane-external",
    "jane-custom",
    "jane-comment",
    "jane-reason",
    "jane-order@",
];

fn world() -> World {
    let settings = World::settings();
    World::of(backtrail::app::settings::Settings { has_click_copies: true, ..settings })
}

fn open(world: &World) -> Shop<'_> {
    named(world, "demo")
}

fn named<'w>(world: &'w World, name: &str) -> Shop<'w> {
    let shop = Shop::named(world, name, json!({ "conversions_per_click": "per_order" }));
    let rule = json!({ "campaign_id": 1, "is_lifetime": true, "payout_fixed": "2.00" });
    shop.operator.creates("payouts", rule);
    world.waits_ms(30_001);
    shop
}

/// A click that says much of the visitor.
fn click_of(shop: &Shop<'_>, name: &str) -> String {
    let agent = format!("{name}-Agent Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0");
    let small = name.to_lowercase();
    let referrer = format!("https://{small}.example/");
    let headers = Headers { user_agent: &agent, referer: &referrer, ..person() };
    let query = format!(
        "/click?campaign_id=1&ref_id=2&sub1={small}-sub&aff_click_id={small}-external&external_click_id={small}-external"
    );
    id_in(&location(&shop.visits_with(headers, &query)))
}

/// A person with a click, orders, repeats, changes and refusals.
fn lives(shop: &Shop<'_>, name: &str) -> String {
    let click_id = click_of(shop, name);
    shop.edge.settles();
    let small = name.to_lowercase();
    let customer = format!("{small}%40example.com");
    for order in 0..3 {
        let query = format!(
            "click_id={click_id}&order_id={small}-{order}&customer_id={customer}&new_customer=true\
             &custom1={small}-custom&comment={small}-comment&reason={small}-reason&nonsense={small}-custom"
        );
        shop.reports(200, &query);
        shop.reports(200, &query);
    }
    let query = format!("click_id={click_id}&order_id={small}-order%40x&customer_id={customer}");
    let id = shop.reports(200, &query)["conversion_id"].as_str().unwrap().to_owned();
    let change = json!({ "status": "pending", "reason": format!("{small}-reason") });
    shop.operator.calls(Patch, &format!("conversions/{id}"), Some(change), 200);
    // Without a click, for life; and refused: of the click, and of the customer alone.
    shop.reports(200, &format!("campaign_id=1&customer_id={customer}&order_id={small}-life"));
    shop.reports(404, &format!("click_id={click_id}&order_id={small}-9&event_id=77&custom1={small}-custom&customer_id={customer}"));
    shop.reports(
        404,
        &format!("campaign_id=1&customer_id={customer}&event_id=77&custom1={small}-custom"),
    );
    // Without any proof.
    let stranger = format!(
        "click_id={click_id}&campaign_id=1&order_id=1&customer_id={customer}&custom1={small}-custom"
    );
    shop.asks(&stranger);
    shop.edge.settles();
    click_id
}

/// Every value of every table and every copy that has one of these texts in it, with its place.
pub fn found(shop: &Shop<'_>, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let holds = |text: &str| texts.iter().any(|secret| text.contains(secret));
    for table in shop.rows("SELECT name FROM sqlite_schema WHERE type = 'table'") {
        let name = table["name"].as_str().unwrap();
        for row in shop.rows(&format!("SELECT * FROM {name}")) {
            for (column, value) in row.as_object().unwrap() {
                if value.as_str().is_some_and(holds) {
                    found.push(format!("{name}.{column}: {value}"));
                }
            }
        }
    }
    let copies = &shop.world().stores.blobs;
    for key in copies.keys() {
        if holds(&key) || holds(&copies.text(&key).unwrap()) {
            found.push(key);
        }
    }
    found
}

fn places(found: &[String]) -> Vec<String> {
    let place = |text: &String| text.split(['.', '/', ':']).next().unwrap().to_owned();
    let mut places: Vec<String> = found.iter().map(place).collect();
    places.sort();
    places.dedup();
    places
}

/// Everything that is stored, but what an erasure may add.
fn everything(shop: &Shop<'_>) -> Vec<(String, Vec<Value>)> {
    let tables = shop.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    let names = tables.iter().map(|table| table["name"].as_str().unwrap().to_owned());
    names.map(|name| (name.clone(), shop.rows(&format!("SELECT * FROM {name}")))).collect()
}

pub const MONEY: &str = "SELECT conversion_id, namespace, click_id, campaign_id, affiliate_id, ref_id, event_id, status, amount, \
     revenue, payout, first_revenue, first_payout, sent_money, refunds, request_id FROM conversions ORDER BY conversion_id";

/// Calls until all is done; what was erased in all.
pub fn erases(shop: &Shop<'_>, query: &str) -> Value {
    let mut sums = json!({});
    for _ in 0..50 {
        let step = shop.operator.calls(Delete, &format!("persons?{query}"), None, 200);
        for (part, count) in step["erased"].as_object().unwrap() {
            sums[part] = json!(sums[part].as_u64().unwrap_or(0) + count.as_u64().unwrap());
        }
        if step["is_done"] == true {
            return sums;
        }
    }
    panic!("it never ends: {sums}");
}

fn is_nothing(erased: &Value) -> bool {
    erased.as_object().unwrap().values().all(|count| count == 0)
}

#[test]
fn nothing_is_left_of_a_person_anywhere_whichever_way_the_person_is_named() {
    for way in ["click", "customer"] {
        let world = world();
        let shop = open(&world);
        let click_id = lives(&shop, "Jane");
        lives(&shop, "Bob");
        let before = places(&found(&shop, &SECRETS));
        for place in [
            "answer",
            "changes",
            "clicks",
            "conversion_customers",
            "conversions",
            "customers",
            "inbox",
        ] {
            assert!(before.iter().any(|known| known == place), "{place} of {before:?}");
        }
        let bobs = found(&shop, &["bob", "Bob"]);
        let money = shop.rows(MONEY);
        let query = match way {
            "click" => format!("click_id={click_id}"),
            _ => "customer_id=jane%40example.com".to_owned(),
        };
        let erased = erases(&shop, &query);
        assert_eq!(found(&shop, &SECRETS), [""; 0], "{way}");
        assert_eq!(found(&shop, &["bob", "Bob"]), bobs);
        assert_eq!(shop.rows(MONEY), money);
        assert_eq!(
            (&erased["clicks"], &erased["conversions"], &erased["customers"]),
            (&json!(1), &json!(4), &json!(1)),
            "{erased}"
        );
        assert_eq!(shop.count("erasing"), 0);
        assert!(is_nothing(&erases(&shop, &query)), "a second time there is nothing left");
        // A repeat of anything pays nothing and brings nobody back.
        for order in ["jane-0", "jane-1", "jane-order%40x"] {
            let query = format!(
                "click_id={click_id}&order_id={order}&customer_id=jane%40example.com&custom1=jane-custom&reason=jane-reason"
            );
            let reply = shop.reports(200, &query);
            assert_eq!(reply["verdict"], "duplicate", "{reply}");
        }
        shop.is_refused(
            (422, "no_attribution"),
            "campaign_id=1&customer_id=jane%40example.com&order_id=77&custom1=jane-custom",
        );
        shop.reports(404, &format!("click_id={click_id}&order_id=78&custom1=jane-custom"));
        shop.edge.settles();
        assert_eq!(shop.rows(MONEY), money);
        assert_eq!(found(&shop, &SECRETS), [""; 0], "{way}");
    }
}

#[test]
fn an_erased_click_that_had_not_converted_converts_no_more() {
    let world = world();
    let shop = open(&world);
    let click_id = click_of(&shop, "Jane");
    let other = click_of(&shop, "Bob");
    shop.edge.settles();
    erases(&shop, &format!("click_id={click_id}"));
    let query = format!(
        "click_id={click_id}&order_id=1&customer_id=jane%40example.com&custom1=jane-custom"
    );
    let refused = shop.is_refused((404, "unknown_click"), &query);
    assert_eq!(refused["parameter"], "click_id");
    shop.is_refused((404, "unknown_click"), &format!("{query}&dry_run=1"));
    let request = shop.value("SELECT request_id FROM inbox WHERE verdict = 'rejected'");
    let judged = format!("inbox/{}/judge", request.as_str().unwrap());
    world.waits_ms(1_000);
    shop.operator.calls(backtrail::http::request::Method::Post, &judged, None, 200);
    assert_eq!(shop.count("conversions"), 0);
    assert_eq!(found(&shop, &SECRETS), [""; 0]);
    shop.reports(200, &format!("click_id={other}&order_id=1"));
    assert_eq!(shop.count("conversions"), 1);
}

#[test]
fn an_erased_customer_who_buys_by_a_new_click_is_paid_for_and_stays_unknown() {
    let world = world();
    let shop = open(&world);
    lives(&shop, "Jane");
    erases(&shop, "customer_id=jane%40example.com");
    let click_id = shop.clicks(2);
    let query = format!(
        "click_id={click_id}&order_id=new&customer_id=jane%40example.com&new_customer=true&custom1=jane-custom&comment=jane-comment"
    );
    let reply = shop.reports(200, &query);
    assert_eq!(
        (&reply["verdict"], &reply["payout"]["amount"]),
        (&json!("recorded"), &json!("5.00"))
    );
    assert_eq!(shop.reports(200, &query)["verdict"], "duplicate");
    shop.edge.settles();
    assert_eq!(found(&shop, &SECRETS), [""; 0]);
    assert_eq!((shop.count("customers"), shop.count("conversion_customers")), (0, 0));
}

#[test]
fn a_click_that_is_written_after_its_erasure_is_left_out_and_its_neighbours_are_not() {
    let world = world();
    let shop = open(&world);
    let clicks = [click_of(&shop, "Bob"), click_of(&shop, "Jane"), click_of(&shop, "Bob")];
    world.database().breaks(Break::BeforeCommit, 9);
    shop.edge.settles();
    world.database().mends();
    assert_eq!(
        (shop.count("clicks"), places(&found(&shop, &SECRETS))),
        (0, vec!["aside".to_owned(), "clicks".into()])
    );
    erases(&shop, &format!("click_id={}", clicks[1]));
    assert_eq!(found(&shop, &SECRETS), [""; 0]);
    shop.edge.ticks();
    assert_eq!(shop.count("clicks"), 2);
    assert_eq!(found(&shop, &SECRETS), [""; 0]);
}

/// How many rows each table has, and how often each conversion was changed.
fn shape(shop: &Shop<'_>) -> Vec<String> {
    let tables = everything(shop).into_iter().map(|(name, rows)| format!("{name} {}", rows.len()));
    let revisions = shop.rows("SELECT order_id, revision FROM conversions ORDER BY order_id");
    tables.chain(revisions.iter().map(Value::to_string)).collect()
}

#[test]
fn an_erasure_that_is_interrupted_anywhere_goes_on_to_the_same_result() {
    let erased = |interruption: Option<(Break, usize)>| {
        let world = world();
        let shop = open(&world);
        lives(&shop, "Jane");
        let money = shop.rows(MONEY);
        let query = "customer_id=jane%40example.com";
        if let Some((how, well)) = interruption {
            world.database().breaks_after(how, well);
            shop.operator.sends(Delete, &format!("persons?{query}"), None, "");
            world.database().mends();
        }
        erases(&shop, query);
        assert_eq!(found(&shop, &SECRETS), [""; 0], "{interruption:?}");
        assert_eq!(shop.rows(MONEY), money, "{interruption:?}");
        shape(&shop)
    };
    let expected = erased(None);
    for how in [Break::BeforeCommit, Break::AfterCommit] {
        for well in 0..12 {
            assert_eq!(erased(Some((how, well))), expected, "{how:?} {well}");
        }
    }
}

#[test]
fn an_erasure_waits_for_the_copies() {
    let world = world();
    let shop = open(&world);
    let click_id = lives(&shop, "Jane");
    let path = format!("persons?click_id={click_id}");
    world.stores.blobs.breaks();
    shop.operator.calls(Delete, &path, None, 503);
    world.stores.blobs.mends();
    erases(&shop, &format!("click_id={click_id}"));
    assert_eq!(found(&shop, &SECRETS), [""; 0]);
}

#[test]
fn no_statement_of_an_erasure_goes_through_a_whole_table() {
    let world = world();
    let shop = open(&world);
    let click_id = lives(&shop, "Jane");
    let before = world.database().plans();
    erases(&shop, &format!("click_id={click_id}"));
    for (sql, steps) in world.database().plans().into_iter().filter(|p| !before.contains(p)) {
        for step in steps {
            let is_list = step.contains("VIRTUAL TABLE") || step.contains("CONSTANT ROW");
            assert!(is_list || !step.starts_with("SCAN"), "{step}: {sql}");
            let is_sample = step.starts_with("SEARCH refusal_samples");
            assert!(is_sample || !step.ends_with("(namespace=?)"), "{step}: {sql}");
        }
    }
}

#[test]
fn other_namespaces_lose_nothing() {
    let world = world();
    let shop = open(&world);
    let others = named(&world, "other");
    let click_id = lives(&others, "Jane");
    let before = everything(&shop);
    let erased = erases(&shop, &format!("click_id={click_id}"));
    assert!(is_nothing(&erased), "{erased}");
    erases(&shop, "customer_id=jane%40example.com");
    let mut after = everything(&shop);
    for ((name, was), (_, is)) in before.into_iter().zip(&mut after) {
        if name != "erased_persons" {
            assert_eq!((&name, &was), (&name, &*is));
        }
    }
    let reply = others.reports(200, &format!("click_id={click_id}&order_id=more"));
    assert_eq!(reply["verdict"], "recorded");
}

#[test]
fn many_conversions_take_several_bounded_calls() {
    let world = world();
    let shop = open(&world);
    let click_id = click_of(&shop, "Jane");
    for order in 0..45 {
        shop.reports(200, &format!("click_id={click_id}&order_id=o{order}&custom1=jane-custom"));
    }
    shop.edge.settles();
    let path = format!("persons?click_id={click_id}");
    let mut calls = 0;
    loop {
        let before = world.database().statements();
        let step = shop.operator.calls(Delete, &path, None, 200);
        // Letting the caller in takes one or two of its own.
        assert!(world.database().statements() - before <= 42);
        calls += 1;
        if step["is_done"] == true {
            break;
        }
    }
    assert!(calls > 1);
    assert_eq!(found(&shop, &SECRETS), [""; 0]);
}

#[test]
fn only_who_may_write_and_see_personal_data_erases_and_an_unknown_person_is_nothing() {
    let world = world();
    let shop = open(&world);
    for (scopes, status) in [
        (json!(["read", "write"]), 403),
        (json!(["read", "pii"]), 403),
        (json!(["write", "pii"]), 200),
    ] {
        let key = shop.operator.creates("keys", json!({ "name": "k", "scopes": scopes }));
        let caller = shop.operator.with_key(&key["key"]);
        let answer = caller.calls(Delete, "persons?customer_id=nobody", None, status);
        if status == 200 {
            assert!(is_nothing(&answer["erased"]) && answer["is_done"] == true, "{answer}");
        } else {
            assert_eq!(answer["code"], "missing_scope");
        }
    }
    for query in ["", "?click_id=a&customer_id=b", "?conversion_id=a"] {
        shop.operator.calls(Delete, &format!("persons{query}"), None, 400);
    }
    let response = shop.operator.sends(Delete, "persons?click_id=x%00y", None, "");
    json_of(&response, 400);
}

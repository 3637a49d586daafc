//! Customers for life (design.md 5): the three conditions, what follows from them, and what an
//! operator can do.

use backtrail::http::request::Method;
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::world::json_of;
use crate::support::{Shop, World};

/// A campaign that pays 5.00, and 2.00 for purchases of customers for life.
pub fn open(world: &World) -> Shop<'_> {
    with(world, json!({}))
}

fn with(world: &World, campaign: Value) -> Shop<'_> {
    let shop = Shop::with(world, campaign);
    let rule = json!({ "campaign_id": 1, "is_lifetime": true, "payout_fixed": "2.00" });
    shop.operator.creates("payouts", rule);
    world.waits_ms(30_001);
    shop
}

/// The customer of this number, as the operator sees it.
fn customer(shop: &Shop<'_>, customer_id: &str) -> Option<Value> {
    shop.operator.lists(&format!("customers?customer_id={customer_id}")).pop()
}

fn affiliate_of(shop: &Shop<'_>, customer_id: &str) -> Value {
    customer(shop, customer_id).map_or(json!("unknown"), |found| found["affiliate_id"].clone())
}

fn paid(reply: &Value) -> (Value, Value) {
    (reply["affiliate_id"].clone(), reply["payout"]["amount"].clone())
}

fn explained(shop: &Shop<'_>, reply: &Value, what: &str) -> String {
    let id = reply["conversion_id"].as_str().unwrap();
    let seen = shop.operator.sees(&format!("conversions/{id}"));
    seen["explanation"][what].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_customer_belongs_to_an_affiliate_under_exactly_three_conditions() {
    for has_rule in [true, false] {
        for parameters in
            ["new_customer=true&customer_id=K", "customer_id=K", "new_customer=true", ""]
        {
            let world = World::new();
            let shop = if has_rule { open(&world) } else { Shop::open(&world) };
            let id = shop.clicks(2);
            let first = shop.reports(200, &format!("click_id={id}&order_id=1&{parameters}"));
            let is_linked = has_rule && parameters == "new_customer=true&customer_id=K";
            let amount = if is_linked { "2.00" } else { "5.00" };
            assert_eq!(paid(&first), (json!(2), json!(amount)), "{has_rule} {parameters}");
            let expected = match (is_linked, parameters.contains("customer_id")) {
                (true, _) => json!(2),
                (false, true) => Value::Null,
                (false, false) => json!("unknown"),
            };
            assert_eq!(affiliate_of(&shop, "K"), expected, "{has_rule} {parameters}");
            // From then on a purchase needs no click.
            let query = "campaign_id=1&customer_id=K&order_id=2";
            if is_linked {
                assert_eq!(paid(&shop.reports(200, query)), (json!(2), json!("2.00")));
            } else {
                let refused = shop.is_refused((422, "no_attribution"), query);
                assert_eq!(refused["parameter"], "customer_id", "{refused}");
            }
        }
    }
}

#[test]
fn every_purchase_of_a_linked_customer_pays_without_a_click_and_counts_once() {
    let world = World::new();
    let shop = open(&world);
    let id = shop.clicks(2);
    shop.reports(200, &format!("click_id={id}&order_id=1&customer_id=Kundin-77&new_customer=true"));
    world.waits_ms(400 * 86_400_000);
    for order in 2..5 {
        let query = format!("campaign_id=1&customer_id=Kundin-77&order_id={order}");
        let reply = shop.reports(200, &query);
        assert_eq!(paid(&reply), (json!(2), json!("2.00")));
        assert_eq!((&reply["click_id"], &reply["verdict"]), (&Value::Null, &json!("recorded")));
        assert_eq!(shop.reports(200, &query)["verdict"], "duplicate");
        let why = explained(&shop, &reply, "attribution");
        assert!(why.contains("customer 1 belongs to affiliate 2 for life (link 2)"), "{why}");
    }
    // Nothing but the order tells one purchase from the next.
    let refused =
        shop.is_refused((400, "missing_parameter"), "campaign_id=1&customer_id=Kundin-77");
    assert_eq!(refused["parameter"], "order_id");
    assert_eq!((shop.count("conversions"), shop.count("customers")), (4, 1));
    assert_eq!(shop.count("conversion_customers"), 4);
    // Who the person is stands in the profile, and in no explanation.
    let told = shop.rows("SELECT explanation FROM conversions");
    assert!(!format!("{told:?}").contains("Kundin"), "{told:?}");
}

#[test]
fn skip_lifetime_keeps_the_profile_and_pays_no_lifetime_rule() {
    let world = World::new();
    let shop = open(&world);
    let sale = |order: u32, more: &str| {
        let id = shop.clicks(2);
        shop.reports(200, &format!("click_id={id}&order_id={order}&customer_id=K{more}"))
    };
    let skipped = sale(1, "&new_customer=true&skip_lifetime=true");
    assert_eq!(paid(&skipped), (json!(2), json!("5.00")));
    assert_eq!(affiliate_of(&shop, "K"), Value::Null);
    assert_eq!(paid(&sale(2, "&new_customer=true")), (json!(2), json!("2.00")));
    assert_eq!(paid(&sale(3, "&skip_lifetime=1")), (json!(2), json!("5.00")));
    assert_eq!(affiliate_of(&shop, "K"), 2, "the link stays");
    let query = "campaign_id=1&customer_id=K&order_id=4&skip_lifetime=true";
    let refused = shop.is_refused((422, "no_attribution"), query);
    assert!(refused["detail"].as_str().unwrap().contains("skip_lifetime"), "{refused}");
    shop.is_refused((400, "invalid_parameter"), &query.replace("true", "maybe"));
}

#[test]
fn the_first_link_wins_and_another_affiliates_click_is_paid_as_a_click() {
    let world = World::new();
    let shop = open(&world);
    let (bea, ann) = (shop.clicks(2), shop.clicks(1));
    shop.reports(200, &format!("click_id={bea}&order_id=1&customer_id=K&new_customer=true"));
    let query = format!("click_id={ann}&order_id=2&customer_id=K&new_customer=true");
    let second = shop.reports(200, &query);
    assert_eq!(paid(&second), (json!(1), json!("5.00")));
    assert_eq!(affiliate_of(&shop, "K"), 2);
    let (lost, why) =
        (explained(&shop, &second, "claims_lost"), explained(&shop, &second, "lifetime"));
    assert!(lost.starts_with("customer_id: customer 1 belongs to affiliate 2"), "{lost}");
    assert!(why.contains("belongs to affiliate 2, and 1 is credited"), "{why}");
    // A click of the affiliate to whom the customer belongs is a purchase for life as well.
    let bea = shop.clicks(2);
    let third = shop.reports(200, &format!("click_id={bea}&order_id=3&customer_id=K"));
    assert_eq!(paid(&third), (json!(2), json!("2.00")));
}

#[test]
fn a_new_customer_takes_one_round_trip_and_a_known_one_two() {
    let world = World::new();
    let shop = open(&world);
    let sale = |order: u32| {
        format!("click_id={}&order_id={order}&customer_id=K&new_customer=true", shop.clicks(2))
    };
    let first = sale(1);
    let before = world.database().batches();
    shop.reports(200, &first);
    assert_eq!(world.database().batches() - before, 2, "the advertiser's tokens, and the commit");
    let second = sale(2);
    let before = (world.database().batches(), world.database().statements());
    assert_eq!(paid(&shop.reports(200, &second)), (json!(2), json!("2.00")));
    let after = (world.database().batches(), world.database().statements());
    // The commit finds that the customer belongs to somebody; facts; the commit.
    assert_eq!((after.0 - before.0, after.1 - before.1), (3, 4 + 3 + 4));
    // A sale that names no customer asks and writes nothing of customers.
    let third = format!("click_id={}&order_id=3", shop.clicks(2));
    let before = (world.database().batches(), world.database().statements());
    shop.reports(200, &third);
    let after = (world.database().batches(), world.database().statements());
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 2));
    let plans = world.database().plans();
    let is_plain =
        |sql: &String| sql.starts_with("INSERT INTO conversions") && !sql.contains("customers");
    assert!(plans.iter().any(|(sql, _)| is_plain(sql)));
}

#[test]
fn a_link_is_made_once_whatever_happens_on_the_way() {
    let world = World::new();
    let shop = open(&world);
    let (bea, ann) = (shop.clicks(2), shop.clicks(1));
    let first = format!("click_id={bea}&order_id=1&customer_id=K&new_customer=true");
    shop.reports(200, &format!("click_id={}&order_id=0", shop.clicks(1)));
    world.database().breaks(Break::BeforeCommit, 1);
    shop.reports(503, &first);
    assert_eq!(affiliate_of(&shop, "K"), "unknown", "all of it, or nothing");
    world.database().breaks(Break::AfterCommit, 1);
    shop.reports(503, &first);
    assert_eq!(affiliate_of(&shop, "K"), 2);
    assert_eq!(shop.reports(200, &first)["verdict"], "duplicate");
    // A repeat of another one's sale that was lost makes no second link.
    let second = format!("click_id={ann}&order_id=2&customer_id=K&new_customer=true");
    assert_eq!(paid(&shop.reports(200, &second)), (json!(1), json!("5.00")));
    assert_eq!(affiliate_of(&shop, "K"), 2);
    assert_eq!((shop.count("customers"), shop.count("conversion_customers")), (1, 2));
    // What is refused makes no profile.
    shop.is_refused((422, "no_attribution"), "campaign_id=1&customer_id=L&order_id=3");
    let repeated = format!("click_id={ann}&order_id=4&customer_id=M");
    shop.is_refused((422, "repeated_conversion"), &repeated);
    assert_eq!(shop.count("customers"), 1);
}

#[test]
fn customers_can_be_listed_imported_and_assigned_to_somebody_else() {
    let world = World::new();
    let shop = open(&world);
    let demo = &shop.operator;
    let import = json!({ "customers": [
        { "campaign_id": 1, "customer_id": "a@shop.example", "affiliate_id": 1 },
        { "campaign_id": 1, "customer_id": "b@shop.example" },
    ] });
    let made = demo.creates("customers", import.clone());
    let expected = json!({ "id": 1, "campaign_id": 1, "customer_id": "a@shop.example", "affiliate_id": 1, "ref_id": 1 });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(made["data"][0][name], *value, "{name}");
    }
    assert_eq!(
        (&made["data"][1]["affiliate_id"], &made["data"][1]["ref_id"]),
        (&Value::Null, &Value::Null)
    );
    let query = |order: u32| format!("campaign_id=1&customer_id=a@shop.example&order_id={order}");
    assert_eq!(paid(&shop.reports(200, &query(1))), (json!(1), json!("2.00")));
    let changed = demo.changes("customers/1", json!({ "affiliate_id": 2 }));
    assert_eq!((&changed["affiliate_id"], &changed["ref_id"]), (&json!(2), &json!(2)));
    assert_eq!(paid(&shop.reports(200, &query(2))), (json!(2), json!("2.00")));
    // What was recorded stays as it was.
    assert_eq!(shop.reports(200, &query(1))["affiliate_id"], 1);
    let freed = demo.changes("customers/1", json!({ "affiliate_id": null }));
    assert_eq!((&freed["affiliate_id"], &freed["ref_id"]), (&Value::Null, &Value::Null));
    shop.is_refused((422, "no_attribution"), &query(3));

    assert_eq!(demo.lists("customers?affiliate_id=2").len(), 0);
    assert_eq!(demo.lists("customers?campaign_id=1").len(), 2);
    let mut again = import;
    again["customers"][0]["customer_id"] = "c@shop.example".into();
    let told = demo.is_refused(Method::Post, "customers", Some(again), (409, "conflict"));
    assert_eq!(told["errors"][0]["field"], "customers[1].customer_id", "{told}");
    assert_eq!(told["errors"].as_array().unwrap().len(), 1);
    demo.creates("affiliates", json!({ "name": "Cleo" }));
    demo.is_told(
        Method::Patch,
        "customers/1",
        json!({ "affiliate_id": 3 }),
        &["affiliate_id: link_required"],
    );
    demo.is_told(
        Method::Patch,
        "customers/1",
        json!({ "affiliate_id": 9 }),
        &["affiliate_id: unknown_reference"],
    );
    let of_nobody = json!({ "campaign_id": 9, "customer_id": "c" });
    demo.is_told(Method::Post, "customers", of_nobody, &["campaign_id: unknown_reference"]);
    let other = world.operator_of("other");
    other.is_refused(Method::Get, "customers/1", None, (404, "not_found"));
    other.is_refused(
        Method::Patch,
        "customers/1",
        Some(json!({ "affiliate_id": null })),
        (404, "not_found"),
    );
    assert!(other.lists("customers").is_empty());
}

#[test]
fn a_thousand_customers_are_imported_at_once() {
    let world = World::new();
    let shop = open(&world);
    let one = |n: u32| json!({ "campaign_id": 1, "customer_id": format!("person-{n}@shop.example"), "affiliate_id": 2 });
    let many = |count: u32| json!({ "customers": (0..count).map(one).collect::<Vec<_>>() });
    shop.operator.is_refused(Method::Post, "customers", Some(many(1_001)), (400, "invalid_fields"));
    shop.operator.creates("customers", many(1_000));
    let reply = shop.reports(200, "campaign_id=1&customer_id=person-999@shop.example&order_id=1");
    assert_eq!(paid(&reply), (json!(2), json!("2.00")));
}

#[test]
fn a_campaign_can_require_to_know_its_customers() {
    let world = World::new();
    let shop = with(&world, json!({ "is_customer_required": true }));
    let asks =
        |order: u32, more: &str| format!("click_id={}&order_id={order}{more}", shop.clicks(2));
    let missing =
        |query: String| shop.is_refused((400, "missing_parameter"), &query)["parameter"].clone();
    assert_eq!(missing(asks(1, "")), "customer_id");
    assert_eq!(missing(asks(1, "&new_customer=true")), "customer_id");
    assert_eq!(missing(asks(1, "&customer_id=K")), "new_customer");
    assert_eq!(missing(asks(1, "&customer_id=K&new_customer=false")), "new_customer");
    let first = shop.reports(200, &asks(1, "&customer_id=K&new_customer=true"));
    assert_eq!(paid(&first), (json!(2), json!("2.00")));
    let second = shop.reports(200, &asks(2, "&customer_id=K"));
    assert_eq!(paid(&second), (json!(2), json!("2.00")));
    // The address to copy marks both.
    let urls = shop.operator.sees("campaigns/1/postback-urls");
    let mandatory: Vec<&str> = urls["data"][0]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|parameter| parameter["is_mandatory"] == true)
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    assert_eq!(mandatory, ["click_id", "customer_id", "new_customer", "token"]);
}

#[test]
fn an_event_finds_its_initial_conversion_by_the_customer() {
    let world = World::new();
    let shop = open(&world);
    for (name, repeat) in [("deposit", "once"), ("renewal", "per_order")] {
        let event =
            json!({ "campaign_id": 1, "name": name, "repeat": repeat, "payout_fixed": "1.00" });
        shop.operator.creates("events", event);
    }
    world.waits_ms(30_001);
    let once = "campaign_id=1&event_name=deposit&customer_id=K";
    let early = shop.is_refused((422, "no_conversion_for_event"), once);
    assert_eq!(early["parameter"], "customer_id");
    let id = shop.clicks(2);
    shop.reports(200, &format!("click_id={id}&order_id=1&customer_id=K"));
    let made = shop.reports(200, once);
    assert_eq!(paid(&made), (json!(2), json!("1.00")));
    assert_eq!((&made["click_id"], &made["verdict"]), (&json!(id), &json!("recorded")));
    // It counts once, by whatever it is found, also after the customer has bought again.
    shop.reports(200, &format!("click_id={}&order_id=2&customer_id=K", shop.clicks(1)));
    for query in [once.to_owned(), format!("click_id={id}&event_name=deposit")] {
        assert_eq!(shop.reports(200, &query)["verdict"], "duplicate", "{query}");
    }
    world.database().execute("UPDATE conversions SET status = 'rejected' WHERE order_id = '1'");
    assert_eq!(shop.reports(200, once)["verdict"], "duplicate");
    // The first sale that stands is followed.
    let renewal = shop.reports(200, "campaign_id=1&event_name=renewal&customer_id=K&order_id=R1");
    assert_eq!(renewal["affiliate_id"], 1);
    // Where the customer has none, the parent order tells.
    let by_order = "campaign_id=1&event_name=renewal&customer_id=L&parent_order_id=2&order_id=R2";
    assert_eq!(shop.reports(200, by_order)["affiliate_id"], 1);
    assert_eq!(shop.reports(200, by_order)["verdict"], "duplicate");
    shop.is_refused(
        (422, "no_conversion_for_event"),
        "campaign_id=1&event_name=renewal&customer_id=M&order_id=R3",
    );
    world.waits_ms(1_000);
    let path = format!("inbox/{}/judge", early["request_id"].as_str().unwrap());
    let late = shop.operator.calls(Method::Post, &path, None, 200);
    assert_eq!(late["verdict"], "duplicate");
}

#[test]
fn a_purchase_that_came_before_its_customer_is_matched_late() {
    let world = World::new();
    let shop = open(&world);
    let early = shop.is_refused((422, "no_attribution"), "campaign_id=1&customer_id=K&order_id=2");
    let id = shop.clicks(2);
    shop.reports(200, &format!("click_id={id}&order_id=1&customer_id=K&new_customer=true"));
    world.waits_ms(1_000);
    let path = format!("inbox/{}/judge", early["request_id"].as_str().unwrap());
    assert_eq!(shop.operator.calls(Method::Post, &path, None, 200)["verdict"], "recorded");
    assert_eq!(shop.value("SELECT payout FROM conversions WHERE order_id = '2'"), 200);
}

#[test]
fn whoever_proves_nothing_makes_nobody_a_customer() {
    let world = World::new();
    let shop = with(&world, json!({ "authentication": "none" }));
    let id = shop.clicks(2);
    let query = format!("click_id={id}&order_id=1&customer_id=K&new_customer=true");
    let reply = json_of(&shop.asks(&query), 200);
    assert_eq!(reply["warnings"][0]["parameter"], "customer_id", "{reply}");
    assert_eq!(shop.value("SELECT payout FROM conversions"), 500);
    assert_eq!((shop.count("customers"), shop.count("conversion_customers")), (0, 0));
}

#[test]
fn an_update_is_paid_by_the_rule_of_the_purchase() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_conflict_updated": true }));
    let rule = json!({ "campaign_id": 1, "is_lifetime": true, "payout_type": "cps", "payout_percent": "10" });
    shop.operator.creates("payouts", rule);
    world.waits_ms(30_001);
    let sale = format!("click_id={}&order_id=1&customer_id=K&new_customer=true", shop.clicks(2));
    assert_eq!(shop.reports(200, &format!("{sale}&amount=50"))["payout"]["amount"], "5.00");
    let updated = shop.reports(200, &format!("{sale}&amount=70"));
    assert_eq!(updated["payout"]["amount"], "7.00");
}

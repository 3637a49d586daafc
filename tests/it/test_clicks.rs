//! Test clicks (wire.md 3): who can make them, and that they go through everything and count
//! nowhere.

use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Get, Patch, Post};
use serde_json::{Value, json};

use crate::caps::{CAPPED, cap, sale, used};
use crate::support::shop::{id_in, location, person};
use crate::support::{Shop, World};

/// The path and query of an address that an operator had made for a link.
fn signed(shop: &Shop<'_>, ref_id: u32) -> String {
    let made = shop.operator.calls(Post, &format!("links/{ref_id}/test-url"), None, 200);
    let origin = format!("https://{}", shop.host);
    made["url"].as_str().unwrap().strip_prefix(&origin).unwrap().to_owned()
}

/// A test click on a link.
pub fn tries(shop: &Shop<'_>, ref_id: u32) -> String {
    id_in(&location(&shop.visits(&signed(shop, ref_id))))
}

pub fn warnings(reply: &Value) -> Vec<&str> {
    let codes = reply["warnings"].as_array().unwrap().iter();
    codes.map(|warning| warning["code"].as_str().unwrap()).collect()
}

fn click(shop: &Shop<'_>, id: &str) -> Value {
    shop.edge.settles();
    shop.operator.sees(&format!("clicks/{id}"))
}

/// Whether a click on this address is a test, and what its row warns of.
fn outcome(shop: &Shop<'_>, path_and_query: &str) -> (Value, Vec<String>) {
    let row = click(shop, &id_in(&location(&shop.visits(path_and_query))));
    (row["is_test"].clone(), warnings(&row).into_iter().map(str::to_owned).collect())
}

#[test]
fn a_test_goes_through_everything_and_says_so_everywhere() {
    let world = World::new();
    let shop = Shop::open(&world);
    let tool = Headers { user_agent: "curl/8.5.0", ..person() };
    let id = id_in(&location(&shop.visits_with(tool, &signed(&shop, 1))));
    let row = click(&shop, &id);
    assert_eq!((&row["is_test"], &row["counted"]), (&json!(true), &json!(false)), "{row}");
    assert_eq!((&row["uncounted_reason"], &row["parameters"]), (&json!("test"), &json!({})));

    let reply = shop.reports(200, &format!("click_id={id}&order_id=A"));
    assert_eq!((&reply["verdict"], &reply["status"]), (&json!("recorded"), &json!("approved")));
    assert_eq!(reply["payout"]["amount"], "5.00", "what would be paid is shown: {reply}");
    assert_eq!((warnings(&reply), &reply["is_test"]), (vec!["test_click"], &json!(true)));
    let again = shop.reports(200, &format!("click_id={id}&order_id=A"));
    assert_eq!((&again["verdict"], &again["is_test"]), (&json!("duplicate"), &json!(true)));
    assert_eq!(again["conversion_id"], reply["conversion_id"]);
    // A test that converts stays out of the count of clicks.
    assert_eq!(click(&shop, &id)["counted"], false);
    let story = shop.operator.sees(&format!("explain?click_id={id}")).to_string();
    assert!(story.contains("out of caps, sums and payouts"), "{story}");

    // The control: the same without a proof.
    let ordinary = shop.clicks(1);
    let row = click(&shop, &ordinary);
    assert_eq!((&row["is_test"], &row["counted"]), (&json!(false), &json!(true)), "{row}");
    let reply = shop.reports(200, &format!("click_id={ordinary}&order_id=B"));
    assert_eq!((warnings(&reply), reply.get("is_test")), (vec![], None));
    let story = shop.operator.sees(&format!("explain?click_id={ordinary}")).to_string();
    assert!(!story.contains("test"), "{story}");

    for (list, key) in [("clicks", "click_id"), ("conversions", "click_id")] {
        for (is_test, expected) in [(true, &id), (false, &ordinary)] {
            let found = shop.operator.lists(&format!("{list}?is_test={is_test}"));
            let ids: Vec<&Value> = found.iter().map(|row| &row[key]).collect();
            assert_eq!(ids, [&json!(expected)], "{list} {is_test}");
            assert_eq!(found[0]["is_test"], is_test);
        }
        assert_eq!(shop.operator.lists(list).len(), 2);
        let path = format!("{list}?is_test=maybe");
        shop.operator.is_refused(Get, &path, None, (400, "invalid_parameter"));
    }
}

#[test]
fn only_an_operators_address_makes_a_test_and_only_of_its_link_and_for_seven_days() {
    let world = World::new();
    let shop = Shop::open(&world);
    let other = Shop::named(&world, "other", json!({}));
    let address = signed(&shop, 1);
    let refused = (json!(false), vec!["test_refused".to_owned()]);
    let genuine = (json!(true), vec![]);
    assert_eq!(outcome(&shop, &address), genuine);
    for (why, wrong) in [
        ("another link", address.replace("ref_id=1", "ref_id=2")),
        ("no signature", "/click?ref_id=1&bt_test=1".to_owned()),
        (
            "a guess",
            format!("/click?ref_id=1&bt_test=1&bt_expires=9999999999&bt_signature={:064}", 0),
        ),
        ("a later end", address.replace("bt_expires=17", "bt_expires=18")),
        ("another namespace", signed(&other, 1)),
    ] {
        assert_eq!(outcome(&shop, &wrong), refused, "{why}");
    }
    // Nothing is said of an address that does not claim to be a test, and nothing of it is kept.
    let silent = address.replace("bt_test=1&", "");
    assert_eq!(outcome(&shop, &silent), (json!(false), vec![]));
    let row = click(&shop, &id_in(&location(&shop.visits(&format!("{silent}&colour=red")))));
    assert_eq!(row["parameters"], json!({ "colour": "red" }));
    // An affiliate may add what he likes to it.
    assert_eq!(outcome(&shop, &format!("{address}&sub1=x")), genuine);
    world.waits_ms(7 * 86_400_000 - 10_000);
    assert_eq!(outcome(&shop, &address), genuine);
    world.waits_ms(10_000);
    assert_eq!(outcome(&shop, &address), refused);
    let url = "links/9/test-url";
    shop.operator.is_refused(Post, url, None, (404, "not_found"));
    shop.operator.is_refused(Get, "links/1/test-url", None, (405, "method_not_allowed"));
}

#[test]
fn a_link_of_kind_test_makes_nothing_but_tests_for_good() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.operator.creates("affiliates", json!({ "name": "Cid" }));
    let fields = json!({ "campaign_id": 1, "affiliate_id": 3, "kind": "test" });
    let link = shop.operator.creates("links", fields);
    assert_eq!((&link["kind"], &link["is_default"]), (&json!("test"), &json!(false)), "{link}");
    assert_eq!(shop.operator.sees("links/1")["kind"], "ordinary");
    assert_eq!(shop.operator.lists("links?kind=test").len(), 1);
    let reply = shop.reports(200, &format!("click_id={}", shop.clicks(3)));
    assert_eq!((&reply["is_test"], &reply["affiliate_id"]), (&json!(true), &json!(3)));
    // An address of its own is not needed, and a wrong one takes nothing away.
    assert_eq!(outcome(&shop, "/click?ref_id=3&bt_test=1"), (json!(true), vec![]));

    for change in [json!({ "kind": "ordinary" }), json!({ "is_default": true })] {
        let path = "links/3";
        let response = shop.operator.sends(Patch, path, Some(change), "");
        assert!(response.status == 409 || response.status == 400, "{response:?}");
    }
    for sql in [
        "UPDATE links SET kind = 'ordinary' WHERE id = 3",
        "UPDATE links SET kind = 'test' WHERE id = 2",
    ] {
        let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world.database().execute(sql);
        }));
        assert!(wrong.is_err(), "{sql}");
    }
    // It credits by its clicks alone: naming it makes neither a test nor a sale.
    shop.changes_campaign(json!({ "attribution_order": ["click_id", "ref_id", "affiliate_id"] }));
    shop.is_refused((422, "no_attribution"), "campaign_id=1&ref_id=3&order_id=A");
    shop.is_refused((422, "no_attribution"), "campaign_id=1&affiliate_id=3&order_id=A");
    let control = shop.reports(200, "campaign_id=1&ref_id=2&order_id=A");
    assert_eq!((&control["verdict"], control.get("is_test")), (&json!("recorded"), None));
}

#[test]
fn tests_use_nothing_of_a_cap_and_go_through_a_full_one() {
    let world = World::new();
    let shop = Shop::open(&world);
    cap(&shop, json!({ "conversions_limit": 1 }));
    cap(&shop, json!({ "what": "payout", "conversions_limit": null, "amount_limit": "5.00" }));
    for _ in 0..3 {
        let reply = shop.reports(200, &format!("click_id={}", tries(&shop, 1)));
        assert_eq!(reply["status"], "approved", "{reply}");
    }
    assert_eq!(shop.count("cap_uses"), 0);
    let late = sale(&shop, 1);
    shop.reports(200, &sale(&shop, 1));
    assert_eq!(used(&shop), 1);
    // It is full now, also for the redirect.
    shop.edge.ticks();
    world.waits_ms(30_001);
    assert_eq!(shop.visits("/click?ref_id=1").status, 404);
    shop.is_refused(CAPPED, &late);
    let test = tries(&shop, 1);
    assert_eq!(shop.reports(200, &format!("click_id={test}"))["status"], "approved");
    shop.reports(200, &format!("click_id={test}&status=rejected"));
    shop.reports(200, &format!("click_id={test}&status=approved"));
    assert_eq!(used(&shop), 1);
}

#[test]
fn a_test_makes_nobody_a_customer_for_life() {
    for is_test in [true, false] {
        let world = World::new();
        let shop = crate::customers::open(&world);
        let id = if is_test { tries(&shop, 2) } else { shop.clicks(2) };
        let query = format!("click_id={id}&order_id=1&customer_id=K&new_customer=true");
        let reply = shop.reports(200, &query);
        assert_eq!(
            (&reply["verdict"], &reply["payout"]["amount"]),
            (&json!("recorded"), &json!("2.00"))
        );
        let path = format!("conversions/{}", reply["conversion_id"].as_str().unwrap());
        let why = shop.operator.sees(&path)["explanation"]["lifetime"].to_string();
        assert_eq!(why.contains("a test makes nobody a customer for life"), is_test, "{why}");
        let tables = ["customers", "conversion_customers"].map(|table| shop.count(table));
        assert_eq!(tables, if is_test { [0, 0] } else { [1, 1] });
        let second = "campaign_id=1&customer_id=K&order_id=2";
        if is_test {
            shop.is_refused((422, "no_attribution"), second);
        } else {
            assert_eq!(shop.reports(200, second)["affiliate_id"], 2);
        }
    }
}

#[test]
fn a_test_of_somebody_elses_customer_or_coupon_stays_a_test_and_earns_nothing() {
    let world = World::new();
    let order = json!(["customer_id", "coupon", "click_id"]);
    let shop = crate::customers::open(&world);
    shop.changes_campaign(json!({ "attribution_order": order }));
    shop.operator.creates("coupons", json!({ "campaign_id": 1, "affiliate_id": 1, "code": "ANN" }));
    let first = format!("click_id={}&order_id=1&customer_id=K&new_customer=true", shop.clicks(2));
    shop.reports(200, &first);
    for (parameters, affiliate) in [("customer_id=K", 2), ("coupon=ann", 1)] {
        let id = tries(&shop, 1);
        let reply = shop.reports(200, &format!("click_id={id}&{parameters}"));
        assert_eq!((&reply["is_test"], &reply["affiliate_id"]), (&json!(true), &json!(affiliate)));
    }
    assert_eq!(shop.count("conversion_customers"), 1);
    assert_eq!(shop.value("SELECT COUNT(*) FROM conversions WHERE is_test = 0"), 1);
}

#[test]
fn integrators_test_before_the_start_but_not_after_the_end() {
    let world = World::new();
    let shop = Shop::open(&world);
    for (state, of_test, of_person) in
        [("paused", 302, 404), ("archived", 404, 404), ("active", 302, 302)]
    {
        let address = signed(&shop, 1);
        if state == "archived" {
            let id = tries(&shop, 1);
            shop.changes_campaign(json!({ "state": state }));
            shop.is_refused((422, "campaign_archived"), &format!("click_id={id}"));
        } else {
            shop.changes_campaign(json!({ "state": state }));
        }
        assert_eq!(shop.visits(&address).status, of_test, "{state}");
        assert_eq!(shop.visits("/click?ref_id=1").status, of_person, "{state}");
    }
    shop.operator.changes("links/1", json!({ "state": "archived" }));
    world.waits_ms(30_001);
    assert_eq!(shop.visits(&signed(&shop, 1)).status, 404, "an archived link takes no clicks");
}

#[test]
fn without_consent_a_test_leaves_nothing() {
    let world = World::new();
    let shop = Shop::open(&world);
    let address = format!("{}&consent=0", signed(&shop, 1));
    assert!(!location(&shop.visits(&address)).contains("click_id"));
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 0);
}

#[test]
fn the_rules_for_clicks_look_at_no_test_and_a_test_stops_no_sale() {
    let world = World::new();
    let rules = json!({
        "too_fast_action": "reject", "duplicate_click_action": "reject", "ip_cool_down_action": "reject",
    });
    let shop = Shop::with(&world, rules);
    let examined = || shop.count("doubts");
    let sells = |id: String| {
        shop.edge.settles();
        let reply = shop.reports(200, &format!("click_id={id}"));
        let path = format!("conversions/{}", reply["conversion_id"].as_str().unwrap());
        shop.edge.ticks();
        shop.operator.sees(&path)
    };
    for _ in 0..2 {
        assert_eq!(sells(tries(&shop, 1))["status"], "approved", "at once, and from one address");
    }
    assert_eq!((examined(), shop.count("visitor_clicks")), (0, 0));
    let traced = || shop.value("SELECT COUNT(address) FROM clicks");
    assert_eq!(traced(), 0);
    // The same visitor's first click that is none leads to a sale.
    let id = shop.clicks(1);
    world.waits_ms(11_000);
    assert_eq!(sells(id)["status"], "approved");
    // The control: his next ones are stopped, for what the rules know of him by then.
    let id = shop.clicks(2);
    world.waits_ms(11_000);
    assert_eq!(sells(id)["status"], "rejected");
    assert_eq!(sells(shop.clicks(2))["status"], "rejected");
    assert_eq!((examined(), shop.count("visitor_clicks"), traced()), (2, 1, json!(3)));
}

//! Tests and sales of the same order do not know each other: neither takes the other's place, and
//! an order alone is the sale.

use backtrail::http::request::Method::Post;
use serde_json::{Value, json};

use crate::support::shop::TOKEN;
use crate::support::world::json_of;
use crate::support::{Shop, World};
use crate::test_clicks::{tries, warnings};

fn status(shop: &Shop<'_>, reply: &Value) -> Value {
    let id = reply["conversion_id"].as_str().unwrap();
    shop.operator.sees(&format!("conversions/{id}"))["status"].clone()
}

/// A test and a sale of order A, in this order or the other one.
fn both(shop: &Shop<'_>, is_test_first: bool) -> [(String, Value); 2] {
    let test = || tries(shop, 1);
    let sale = || shop.clicks(2);
    let reports = |id: String| {
        let reply = shop.reports(200, &format!("click_id={id}&order_id=A"));
        assert_eq!(reply["verdict"], "recorded", "{reply}");
        (id, reply)
    };
    if is_test_first {
        [reports(test()), reports(sale())]
    } else {
        let sale = reports(sale());
        [reports(test()), sale]
    }
}

#[test]
fn a_test_blocks_no_sale_of_its_order_and_a_sale_no_test() {
    for counting in ["one", "per_order"] {
        for is_test_first in [true, false] {
            let world = World::new();
            let shop = Shop::with(&world, json!({ "conversions_per_click": counting }));
            let [(test, tried), (click, sold)] = both(&shop, is_test_first);
            let why = format!("{counting} {is_test_first}");
            assert_ne!(tried["conversion_id"], sold["conversion_id"], "{why}");
            assert_eq!(sold.get("is_test"), None, "{why}");
            // Each is repeated by naming its click, and the sale by its order alone.
            for (query, of) in [
                (format!("click_id={test}&order_id=A"), &tried),
                (format!("click_id={click}&order_id=A"), &sold),
                ("campaign_id=1&order_id=A".to_owned(), &sold),
            ] {
                let again = shop.reports(200, &query);
                assert_eq!(again["verdict"], "duplicate", "{why} {query}");
                assert_eq!(again["conversion_id"], of["conversion_id"], "{why} {query}");
            }
            // Another test of the order is one too many, as another sale would be.
            let other = tries(&shop, 1);
            let refused =
                json_of(&shop.asks(&format!("click_id={other}&order_id=A&token={TOKEN}")), 409);
            assert_eq!(refused["reason"], "conflict", "{why} {refused}");
            assert_eq!(shop.count("conversions"), 2);
        }
    }
}

#[test]
fn an_order_alone_is_the_sale_and_a_test_is_named_by_its_click() {
    for is_test_first in [true, false] {
        let world = World::new();
        let shop = Shop::open(&world);
        let [(test, tried), (_, sold)] = both(&shop, is_test_first);
        let changed = |query: &str| shop.reports(200, query)["conversion_id"].clone();
        let order = "campaign_id=1&order_id=A";
        assert_eq!(changed(&format!("{order}&status=hold")), sold["conversion_id"]);
        assert_eq!(
            (status(&shop, &sold), status(&shop, &tried)),
            (json!("hold"), json!("approved"))
        );
        assert_eq!(changed(&format!("{order}&new_rejected_reason=fraud")), sold["conversion_id"]);
        assert_eq!(status(&shop, &sold), "rejected");
        assert_eq!(changed(&format!("{order}&status=approved")), sold["conversion_id"]);
        // So it is for an operator.
        let items =
            json!({ "items": [{ "campaign_id": 1, "order_id": "A", "status": "pending" }] });
        shop.operator.calls(Post, "conversions/statuses", Some(items), 200);
        assert_eq!(
            (status(&shop, &sold), status(&shop, &tried)),
            (json!("pending"), json!("approved"))
        );
        let refund = format!("click_id={test}&order_id=A&status=refunded");
        assert_eq!(changed(&refund), tried["conversion_id"]);
        assert_eq!(
            (status(&shop, &sold), status(&shop, &tried)),
            (json!("pending"), json!("refunded"))
        );
    }
}

#[test]
fn an_order_of_a_test_only_is_unknown() {
    let world = World::new();
    let shop = Shop::open(&world);
    let tested = |order: &str| format!("click_id={}&order_id={order}", tries(&shop, 1));
    let test = tested("A");
    shop.reports(200, &test);
    let query = "campaign_id=1&order_id=A&status=refunded";
    shop.is_refused((404, "unknown_order"), query);
    shop.is_refused((404, "unknown_order"), "campaign_id=1&order_id=A&new_rejected_reason=x");
    // Nor does it name its campaign to the namespace's own token.
    let token = shop.operator.creates("tokens", json!({ "level": "namespace" }));
    let token = token["token"].as_str().unwrap();
    world.waits_ms(30_001);
    let asked = shop.asks(&format!("order_id=A&status=refunded&token={token}"));
    assert_eq!(json_of(&asked, 422)["reason"], "no_attribution");
    let changed = shop.reports(200, &format!("{test}&status=rejected"));
    assert_eq!((&changed["verdict"], &changed["status"]), (&json!("updated"), &json!("rejected")));
}

#[test]
fn events_of_a_test_are_tests_and_take_no_place_either() {
    let world = World::new();
    let shop = crate::events::open(&world);
    let [(test, _), (sale, _)] = both(&shop, true);
    let mut rows = 0;
    for query in ["event_id=1", "event_id=2&order_id=E", "event_id=3", "event_id=3&order_id=E"] {
        for (id, is_test) in [(&test, true), (&sale, false)] {
            let reply = shop.reports(200, &format!("click_id={id}&{query}"));
            assert_eq!(reply["verdict"], "recorded", "{query} {is_test}: {reply}");
            assert_eq!(warnings(&reply).contains(&"test_click"), is_test, "{query}");
            assert_eq!(reply.get("is_test").is_some(), is_test, "{query}");
            let again = shop.reports(200, &format!("click_id={id}&{query}"));
            assert_eq!(again["verdict"], "duplicate", "{query} {is_test}");
            assert_eq!(again["conversion_id"], reply["conversion_id"]);
            rows += 1;
        }
    }
    let of = |is_test: u8| {
        let query =
            format!("SELECT COUNT(*) FROM conversions WHERE event_id > 0 AND is_test = {is_test}");
        shop.value(&query)
    };
    assert_eq!((of(0), of(1)), (json!(rows / 2), json!(rows / 2)));
    // An event by its parent's order follows the sale.
    let reply = shop.reports(200, "campaign_id=1&parent_order_id=A&event_id=2&order_id=F");
    assert_eq!((&reply["affiliate_id"], reply.get("is_test")), (&json!(2), None), "{reply}");
}

#[test]
fn an_event_by_order_does_not_follow_a_test() {
    let world = World::new();
    let shop = crate::events::open(&world);
    shop.reports(200, &format!("click_id={}&order_id=A", tries(&shop, 1)));
    let query = "campaign_id=1&parent_order_id=A&event_id=2&order_id=F";
    shop.is_refused((422, "no_conversion_for_event"), query);
    // The control: the sale it may follow.
    shop.reports(200, &format!("click_id={}&order_id=A", shop.clicks(2)));
    assert_eq!(shop.reports(200, query)["verdict"], "recorded");
}

//! Clicks whose key was taken out of `CLICK_KEYS`, named together with the order of a sale: the
//! click's own conversion is known by it, and nobody gets at another's by a click that says nothing
//! any more.

use backtrail::app::settings::Settings;
use backtrail::domain::click_id::Keyring;
use serde_json::{Value, json};

use crate::support::{Edge, Shop, World};
use crate::test_clicks::tries;

/// The same shop, deployed anew without the key that signed the clicks so far.
fn without_key<'w>(shop: &Shop<'w>) -> Shop<'w> {
    let keyring = Keyring::parse("1:11111111111111111111111111111111").unwrap();
    let settings = Settings { keyring, ..World::settings() };
    let edge = Edge::with(shop.world(), settings);
    Shop { edge, operator: shop.operator.clone(), host: shop.host.clone() }
}

fn verdict(reply: &Value) -> String {
    let reason = if reply["reason"].is_null() { "" } else { " " };
    format!(
        "{}{reason}{}",
        reply["verdict"].as_str().unwrap(),
        reply["reason"].as_str().unwrap_or_default()
    )
}

fn says(shop: &Shop<'_>, query: &str) -> Value {
    let response = shop.asks(&format!("{query}&token={}", crate::support::shop::TOKEN));
    serde_json::from_str(crate::support::shop::text(&response)).unwrap()
}

const SALES: &str = "SELECT conversion_id, order_id, click_id, status, payout, is_test FROM conversions ORDER BY conversion_id";

#[test]
fn a_click_of_a_retired_key_with_the_order_of_a_sale_is_that_sale_or_nothing() {
    for how in ["one", "per_order"] {
        for key in ["retired", "valid"] {
            let world = World::new();
            let shop = Shop::with(&world, json!({ "conversions_per_click": how }));
            let (own, other, idle) = (shop.clicks(1), shop.clicks(2), shop.clicks(2));
            let sale = shop.reports(200, &format!("click_id={own}&order_id=A"));
            shop.reports(200, &format!("click_id={other}&order_id=B"));
            let before = shop.rows(SALES);
            let shop = if key == "retired" { without_key(&shop) } else { shop };
            for campaign in ["campaign_id=1&", ""] {
                let case = format!("{how} {key} {campaign}");
                let same = says(&shop, &format!("{campaign}click_id={own}&order_id=A"));
                assert_eq!(verdict(&same), "duplicate", "{case}: {same}");
                assert_eq!(same["conversion_id"], sale["conversion_id"], "{case}");
                // The order of one, the click of another.
                for query in [
                    format!("{campaign}click_id={idle}&order_id=A"),
                    format!("{campaign}click_id={other}&order_id=A"),
                    format!("{campaign}click_id={other}&order_id=A&amount=5"),
                ] {
                    let reply = says(&shop, &query);
                    assert_eq!(reply["verdict"], "rejected", "{case}: {query}: {reply}");
                }
                for change in ["status=rejected", "status=refunded", "new_rejected_reason=x"] {
                    for click in [&other, &idle] {
                        let query = format!("{campaign}click_id={click}&order_id=A&{change}");
                        let reply = says(&shop, &query);
                        assert_eq!(reply["verdict"], "rejected", "{case}: {query}: {reply}");
                    }
                }
            }
            assert_eq!(shop.rows(SALES), before, "{how} {key}");
            // Whoever names both rightly may change it.
            let query = format!("click_id={own}&order_id=A&status=rejected");
            let changed = shop.reports(200, &query);
            assert_eq!(
                (verdict(&changed).as_str(), &changed["conversion_id"]),
                ("updated", &sale["conversion_id"])
            );
            assert_eq!(shop.value("SELECT COUNT(*) FROM conversions WHERE status = 'rejected'"), 1);
        }
    }
}

#[test]
fn where_orders_count_a_test_of_a_retired_key_leaves_the_sale_alone() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "conversions_per_click": "per_order" }));
    let (test, click) = (tries(&shop, 1), shop.clicks(1));
    for order in ["A", "B"] {
        shop.reports(200, &format!("click_id={test}&order_id={order}"));
    }
    shop.reports(200, &format!("click_id={click}&order_id=A"));
    let before = shop.rows(SALES);
    let shop = without_key(&shop);
    for rest in ["", "&status=rejected", "&new_rejected_reason=x", "&status=refunded"] {
        for order in ["A", "B"] {
            let reply =
                says(&shop, &format!("campaign_id=1&click_id={test}&order_id={order}{rest}"));
            assert_eq!(reply["verdict"], "rejected", "{order}{rest}: {reply}");
        }
    }
    assert_eq!(shop.rows(SALES), before);
}

#[test]
fn a_test_click_of_a_retired_key_is_its_test_and_not_the_sale_of_the_same_order() {
    let world = World::new();
    let shop = Shop::open(&world);
    let (test, click) = (tries(&shop, 1), shop.clicks(1));
    let tested = shop.reports(200, &format!("click_id={test}&order_id=A"));
    let sold = shop.reports(200, &format!("click_id={click}&order_id=A"));
    assert_ne!(tested["conversion_id"], sold["conversion_id"]);
    let shop = without_key(&shop);
    for campaign in ["campaign_id=1&", ""] {
        for (click, known) in [(&test, &tested), (&click, &sold)] {
            let reply = says(&shop, &format!("{campaign}click_id={click}&order_id=A"));
            assert_eq!(verdict(&reply), "duplicate", "{campaign}{reply}");
            assert_eq!(reply["conversion_id"], known["conversion_id"], "{campaign}{reply}");
        }
    }
    let changed = shop.reports(200, &format!("click_id={test}&order_id=A&status=rejected"));
    assert_eq!(changed["conversion_id"], tested["conversion_id"]);
    // With the order of another sale it is nothing.
    let order = shop.rows(SALES);
    let other = says(&shop, &format!("click_id={test}&order_id=B&status=rejected"));
    assert_eq!(other["verdict"], "rejected", "{other}");
    assert_eq!(shop.rows(SALES), order);
    let statuses = shop.rows("SELECT is_test, status FROM conversions ORDER BY is_test");
    assert_eq!(
        statuses,
        [
            json!({ "is_test": 0, "status": "approved" }),
            json!({ "is_test": 1, "status": "rejected" })
        ]
    );
}

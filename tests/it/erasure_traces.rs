//! Erasing whom rules for clicks looked at, and whose clicks were tests.

use backtrail::http::request::Headers;
use serde_json::{Value, json};

use crate::erasure::{MONEY, erases, found};
use crate::outbox::{column, connects, only_delivery};
use crate::support::shop::person;
use crate::support::visitor::{self, Visitor};
use crate::support::{Shop, World};
use crate::test_clicks::tries;

/// A shop with every rule that looks at the row of a click.
fn open<'w>(world: &'w World, action: &str) -> Shop<'w> {
    let rules = json!({
        "duplicate_click_action": action, "ip_cool_down_action": action,
        "data_centre_action": action, "too_fast_action": "off",
    });
    Shop::with(world, rules)
}

/// Jane is in a data centre, and clicks twice.
fn jane() -> Headers<'static> {
    Headers { client_ip: "203.0.113.77", asn: "24940", ..person() }
}

fn bob() -> Headers<'static> {
    Headers { client_ip: "203.0.113.8", asn: "3320", ..person() }
}

/// What is kept of a click for the rules.
fn traces(shop: &Shop<'_>, click_id: &str) -> Vec<String> {
    let row = &shop.rows(&format!(
        "SELECT k.address, v.visitor FROM clicks AS k LEFT JOIN visitor_clicks AS v ON v.click_id = k.click_id \
         WHERE k.click_id = '{click_id}'"
    ))[0];
    ["address", "visitor"]
        .iter()
        .filter_map(|name| row[*name].as_str())
        .map(str::to_owned)
        .collect()
}

fn status(shop: &Shop<'_>, order: &str) -> Value {
    shop.value(&format!("SELECT status FROM conversions WHERE order_id = '{order}'"))
}

#[test]
fn nothing_is_left_of_what_the_rules_kept_and_found_of_a_person() {
    for action in ["hold", "reject"] {
        let world = World::new();
        let shop = open(&world, action);
        let others = shop.clicks_with(bob(), 1);
        let first = shop.clicks_with(jane(), 1);
        let second = shop.clicks_with(jane(), 1);
        shop.edge.settles();
        for (click, order) in [(&others, "O"), (&first, "A"), (&second, "B")] {
            shop.reports(200, &format!("click_id={click}&order_id={order}&customer_id={order}"));
            shop.edge.examines();
        }
        let words: Vec<String> = [traces(&shop, &first), traces(&shop, &second)].concat();
        assert_eq!(words.len(), 3, "two addresses and a visitor: {words:?}");
        let mut secrets: Vec<&str> = words.iter().map(String::as_str).collect();
        secrets.push("AS24940");
        secrets.push("the same visitor");
        secrets.push("the same address");
        let before = found(&shop, &secrets);
        for place in [
            "clicks.address",
            "visitor_clicks",
            "doubts.finding",
            "conversions.explanation",
            "changes",
        ] {
            assert!(before.iter().any(|text| text.starts_with(place)), "{place}: {before:#?}");
        }
        let money = shop.rows(MONEY);
        for click in [&first, &second] {
            erases(&shop, &format!("click_id={click}"));
        }
        assert_eq!(found(&shop, &secrets), [""; 0], "{action}");
        assert_eq!(shop.rows(MONEY), money);
        assert_eq!(
            shop.value(
                "SELECT COUNT(*) FROM clicks WHERE asn = 24940 OR earlier_click IS NOT NULL"
            ),
            0
        );
        // Bob's stay, and the cron job finds nothing more to do.
        let bobs = traces(&shop, &others);
        assert!(!found(&shop, &bobs.iter().map(String::as_str).collect::<Vec<_>>()).is_empty());
        shop.edge.ticks();
        assert_eq!(found(&shop, &secrets), [""; 0], "{action}");
        assert_eq!(shop.rows(MONEY), money);
        assert_eq!(
            (status(&shop, "O"), status(&shop, "A") == "approved"),
            (json!("approved"), false)
        );
    }
}

#[test]
fn a_doubt_that_waits_is_settled_after_an_erasure_without_what_was_erased() {
    for is_row_there in [true, false] {
        let world = World::new();
        let shop = open(&world, "reject");
        let click = shop.clicks_with(jane(), 1);
        if is_row_there {
            shop.edge.settles();
        }
        shop.reports(200, &format!("click_id={click}&order_id=A"));
        erases(&shop, &format!("click_id={click}"));
        shop.edge.settles();
        shop.edge.ticks();
        world.waits_ms(11 * 60_000);
        shop.edge.ticks();
        // Nothing speaks against the sale any more, and nothing is left to examine.
        assert_eq!(status(&shop, "A"), "approved");
        assert_eq!(shop.value("SELECT COUNT(*) FROM doubts WHERE examined_at IS NULL"), 0);
        assert_eq!(found(&shop, &["AS24940"]), [""; 0]);
        assert_eq!(
            shop.value("SELECT COUNT(*) FROM clicks WHERE address IS NOT NULL OR asn IS NOT NULL"),
            0
        );
        assert_eq!(shop.value("SELECT COUNT(*) FROM doubts WHERE address IS NOT NULL"), 0);
    }
}

#[test]
fn an_erased_test_click_leaves_its_test_a_test_and_says_nothing_of_who_tested() {
    for has_converted in [true, false] {
        let world = World::new();
        let shop = open(&world, "hold");
        let click = tries(&shop, 1);
        let sale = shop.clicks(2);
        shop.edge.settles();
        let query = format!(
            "click_id={click}&order_id=A&customer_id=jane%40example.com&new_customer=true&custom1=jane-custom"
        );
        if has_converted {
            assert_eq!(shop.reports(200, &query)["is_test"], true);
        }
        shop.reports(200, &format!("click_id={sale}&order_id=A"));
        let money = shop.rows(MONEY);
        let secrets = ["jane", "Windows NT"];
        let erased = erases(&shop, &format!("click_id={click}"));
        assert_eq!(erased["clicks"], 1, "{erased}");
        let left = found(&shop, &secrets);
        let is_others = |text: &String| text.starts_with("clicks");
        assert!(left.iter().all(is_others), "{left:#?}");
        assert_eq!(left.len(), 2, "the other's row, and its copy: {left:#?}");
        assert_eq!(shop.rows(MONEY), money, "the sale of the same order is another's");
        let row = shop.operator.sees(&format!("clicks/{click}"));
        assert_eq!((&row["is_test"], &row["uncounted_reason"]), (&json!(true), &json!("test")));
        // A repeat is a repeat of the test; nothing new comes of it, and nothing of it comes back.
        if has_converted {
            let again = shop.reports(200, &query);
            assert_eq!((&again["verdict"], &again["is_test"]), (&json!("duplicate"), &json!(true)));
        } else {
            shop.is_refused((404, "unknown_click"), &query);
        }
        let new = format!("click_id={click}&order_id=N&custom1=jane-custom");
        let reason =
            if has_converted { (422, "repeated_conversion") } else { (404, "unknown_click") };
        shop.is_refused(reason, &new);
        shop.edge.settles();
        assert_eq!(found(&shop, &["jane"]), [""; 0]);
        assert_eq!(shop.rows(MONEY), money);
        // The sale is still known by its order alone.
        let known = shop.reports(200, "campaign_id=1&order_id=A&status=rejected");
        assert_eq!((&known["verdict"], known.get("is_test")), (&json!("updated"), None));
    }
}

#[test]
fn whoever_is_erased_by_a_customers_number_goes_from_tests_too() {
    let world = World::new();
    let shop = Shop::open(&world);
    let (test, other) = (tries(&shop, 1), tries(&shop, 2));
    let says = "customer_id=jane%40example.com&custom1=jane-custom&comment=jane-comment";
    shop.reports(200, &format!("click_id={test}&order_id=A&{says}"));
    shop.reports(200, &format!("click_id={other}&order_id=B&customer_id=bob&custom1=bob-custom"));
    shop.edge.settles();
    let (bobs, money) = (found(&shop, &["bob"]), shop.rows(MONEY));
    assert!(!bobs.is_empty() && found(&shop, &["jane"]).len() >= 3);
    let erased = erases(&shop, "customer_id=jane%40example.com");
    assert_eq!(erased["conversions"], 1, "{erased}");
    assert_eq!(found(&shop, &["jane"]), [""; 0]);
    assert_eq!((found(&shop, &["bob"]), shop.rows(MONEY)), (bobs, money));
    // Her click tests no more; his does.
    shop.is_refused((422, "repeated_conversion"), &format!("click_id={test}&order_id=C&{says}"));
    shop.reports(200, &format!("click_id={other}&order_id=B&customer_id=bob&custom1=bob-custom"));
    assert_eq!(found(&shop, &["jane"]), [""; 0]);
}

#[test]
fn the_cookie_of_a_sale_that_a_page_reported_is_told_later_and_goes_with_its_person() {
    let world = World::new();
    let shop = visitor::open(&world);
    connects(&shop, 1, json!(["Lead"]), "statuses = '[\"approved\"]'");
    let (click_id, cookie) = (shop.clicks(1), "fb.1.1554763741205.AbCd");
    let jane = Visitor::of(&shop, 1);
    // Meta's script has made the cookie after the arrival was told: no touch has it.
    let report = json!({ "event": "Lead", "click_id": click_id, "fbc": cookie });
    let id = jane.reports(report)["conversion"]["conversion_id"].clone();
    assert_eq!(shop.count("touches"), 0);
    world.waits_ms(1_000);
    let path = format!("conversions/{}", id.as_str().unwrap());
    shop.operator.changes(&path, json!({ "status": "approved" }));
    assert_eq!(column(&only_delivery(&shop), "values")["FBC"], cookie);
    let places = found(&shop, &[cookie]);
    assert!(places.iter().any(|place| place.starts_with("conversions")), "{places:?}");
    erases(&shop, &format!("click_id={click_id}"));
    assert_eq!(found(&shop, &[cookie]), [""; 0]);
}

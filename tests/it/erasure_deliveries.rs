//! Erasing persons of whom connectors were told, or are to be.

use backtrail::http::request::Method::{Delete, Post};
use serde_json::{Value, json};

use crate::erasure::{SECRETS, click_of, erases, found, lives, open, world};
use crate::outbox::{connects, page_sends};
use crate::support::Shop;

/// Connectors that are told of everything, and a page that may report.
pub fn connects_all(shop: &Shop<'_>) {
    connects(shop, 1, json!(["Purchase", "Lead"]), "");
    connects(shop, 2, json!(["Purchase"]), "statuses = '[\"pending\"]'");
    let name = shop.host.strip_suffix("-tracking.example.com").unwrap();
    let path = format!("namespaces/{name}");
    shop.operator.changes(&path, json!({ "collect_origins": ["https://shop.example"] }));
}

/// The person's browser reports a site event that becomes no conversion.
pub fn reports_by_page(shop: &Shop<'_>, name: &str, click_id: &str) {
    let small = name.to_lowercase();
    let data =
        json!({ "email": format!("{small}@example.com"), "note": format!("{small}-custom") });
    let body = json!({ "event": "Lead", "click_id": click_id, "data": data });
    page_sends(shop, 200, &body.to_string());
}

/// Everything that waits is tried once.
pub fn attempts_all(shop: &Shop<'_>, name: &str) {
    let small = name.to_lowercase();
    shop.world().database().execute(&format!(
        "INSERT INTO attempts SELECT namespace, delivery_id, 1, created_at, 'GET', 'https://r.example/?to={small}-custom', \
         500, 12, 'not 2xx', '{small}-reason' FROM deliveries WHERE true ON CONFLICT DO NOTHING"
    ));
}

/// What is left of deliveries.
fn left(shop: &Shop<'_>) -> Vec<Value> {
    shop.rows(
        "SELECT state, COUNT(*) AS count, COUNT(due_at) + COUNT(lease) + COUNT(personal) + SUM(\"values\" <> '{}') AS more \
         FROM deliveries GROUP BY state ORDER BY state",
    )
}

#[test]
fn what_waits_for_an_erased_person_is_cancelled_and_what_has_ended_stays_ended() {
    let world = world();
    let shop = open(&world);
    let click_id = lives(&shop, "Jane");
    assert_eq!(shop.count("deliveries"), 1 + 5 + 1, "site event, sales, and the change to pending");
    world.database().execute(
        "UPDATE deliveries SET state = 'delivered', due_at = NULL, ended_at = 5 WHERE connector_id = 2; \
         UPDATE deliveries SET lease = 'x' WHERE connector_id = 1",
    );
    let erased = erases(&shop, &format!("click_id={click_id}"));
    assert_eq!(erased["deliveries"], 7, "{erased}");
    assert_eq!(
        left(&shop),
        [
            json!({ "state": "cancelled", "count": 6, "more": 0 }),
            json!({ "state": "delivered", "count": 1, "more": 0 }),
        ]
    );
    assert_eq!(shop.value("SELECT ended_at FROM deliveries WHERE connector_id = 2"), 5);
    assert_eq!(found(&shop, &SECRETS), [""; 0]);
    assert_eq!(shop.count("attempts"), 7, "that something was sent stays");
    // Nothing that the page reports afterwards brings the person back.
    reports_by_page(&shop, "Jane", &click_id);
    assert_eq!(found(&shop, &SECRETS), [""; 0]);
    assert_eq!(shop.count("deliveries"), 7);
    reports_by_page(&shop, "Bob", &click_of(&shop, "Bob"));
    assert_eq!(shop.count("deliveries"), 8);
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
fn what_was_erased_is_not_replayed() {
    let world = world();
    let shop = open(&world);
    let click_id = lives(&shop, "Jane");
    erases(&shop, &format!("click_id={click_id}"));
    reports_by_page(&shop, "Bob", &click_of(&shop, "Bob"));
    let of_bob = "FROM deliveries WHERE \"values\" <> '{}'";
    world.database().execute(
        "UPDATE deliveries SET state = 'cancelled', due_at = NULL, ended_at = created_at WHERE \"values\" <> '{}'",
    );
    let ids = |of: &str| {
        let rows = shop.rows(&format!("SELECT delivery_id {of}"));
        rows.iter().map(|row| row["delivery_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let erased = ids("FROM deliveries WHERE \"values\" = '{}'");
    assert_eq!((erased.len(), ids(of_bob).len()), (7, 1));
    for id in &erased {
        let path = format!("deliveries/{id}/replay");
        shop.operator.is_refused(Post, &path, None, (400, "erased"));
    }
    let body = json!({ "state": "cancelled" });
    let step = shop.operator.calls(Post, "deliveries/replay", Some(body), 200);
    assert_eq!(step["replayed"], 1, "{step}");
    assert_eq!(
        left(&shop),
        [
            json!({ "state": "cancelled", "count": 7, "more": 0 }),
            json!({ "state": "waiting", "count": 1, "more": 3 }),
        ]
    );
    assert_eq!(ids("FROM deliveries WHERE state = 'waiting'"), ids(of_bob));
}

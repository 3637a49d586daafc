//! Judging again over the API: what was refused is matched late, what was not stays as it is.

use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Get, Post};
use serde_json::{Value, json};

use crate::support::{Operator, World};

/// A campaign with one link and a token; says the query of a sale through it.
fn campaign(world: &World, demo: &Operator<'_>) -> String {
    demo.creates("advertisers", json!({ "name": "Shop" }));
    demo.creates(
        "campaigns",
        json!({ "name": "Spring", "advertiser_id": 1, "currency": "EUR", "authentication": "token",
                "payout_type": "cps", "payout_percent": "10" }),
    );
    let page =
        json!({ "campaign_id": 1, "name": "Home", "url": "https://shop.example/?c={click_id}" });
    demo.creates("landing-pages", page);
    demo.creates("affiliates", json!({ "name": "Alma" }));
    demo.creates("links", json!({ "campaign_id": 1, "affiliate_id": 1 }));
    let token = demo.creates("tokens", json!({ "level": "campaign", "level_id": 1 }));
    let click =
        world.answers(Get, "demo-tracking.example.com/click?ref_id=1", Headers::default(), b"");
    let (_, click_id) = click.header("location").unwrap().split_once("c=").unwrap();
    format!("click_id={click_id}&order_id=a&amount=20&token={}", token["token"].as_str().unwrap())
}

fn posts(world: &World, query: &str) -> Value {
    let address = format!("demo-tracking.example.com/postback?{query}");
    let response = world.answers(Get, &address, Headers::default(), b"");
    let backtrail::http::response::Body::Text(text) = response.body else { panic!("no text") };
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_refused_postback_is_recorded_once_its_campaign_takes_it() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let query = campaign(&world, &demo);
    demo.changes("campaigns/1", json!({ "state": "archived" }));
    assert_eq!(posts(&world, &query)["reason"], "campaign_archived");
    let entry = demo.lists("inbox?verdict=rejected").remove(0);
    let path = format!("inbox/{}/judge", entry["request_id"].as_str().unwrap());

    // Nothing has changed, so neither does the verdict; the row says that it was judged again.
    world.waits_ms(1_000);
    let same = demo.calls(Post, &path, None, 200);
    assert_eq!(
        (&same["verdict"], &same["reason"]),
        (&json!("rejected"), &json!("campaign_archived"))
    );
    assert_eq!(same["judgements"], 2);

    demo.changes("campaigns/1", json!({ "state": "active" }));
    // The window counts from the click to the arrival, however late it is judged.
    world.waits_ms(90 * 86_400_000);
    let recorded = demo.calls(Post, &path, None, 200);
    assert_eq!((&recorded["verdict"], &recorded["reason"]), (&json!("recorded"), &Value::Null));
    let conversions = demo.lists("conversions");
    assert_eq!(conversions.len(), 1);
    assert_eq!(conversions[0]["conversion_id"], recorded["conversion_id"]);
    assert_eq!(conversions[0]["payout"], json!({ "amount": "2.00", "currency": "EUR" }));

    // Judged once more, or sent once more, it counts no second time.
    world.waits_ms(1_000);
    assert_eq!(demo.calls(Post, &path, None, 200), recorded);
    assert_eq!(posts(&world, &query)["verdict"], "duplicate");
    assert_eq!(demo.lists("conversions").len(), 1);
}

#[test]
fn only_what_is_in_the_own_inbox_can_be_judged_again() {
    let world = World::new();
    let demo = world.operator_of("demo");
    let query = campaign(&world, &demo);
    posts(&world, &query);
    let id = demo.lists("inbox").remove(0)["request_id"].clone();
    let path = format!("inbox/{}/judge", id.as_str().unwrap());
    let other = world.operator_of("other");
    other.is_refused(Post, &path, None, (404, "not_found"));
    demo.is_refused(Post, "inbox/req_1/judge", None, (404, "not_found"));
}

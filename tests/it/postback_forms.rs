//! How a postback may be sent, and in which form it is answered (wire.md 2 and 5).

use backtrail::http::response::Body;
use serde_json::{Value, json};

use crate::support::shop::{TOKEN, text};
use crate::support::world::json_of;
use crate::support::{Shop, World};

#[test]
fn a_postback_may_come_as_query_form_or_json_and_to_both_addresses() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "payout_percent": "10" }));
    let form = "application/x-www-form-urlencoded";
    for (path, content_type, body) in [
        ("/postback", form, "transaction_id=ID&purchase_value=49.90&order_id=a+b&secure=TOK"),
        ("/postback?token=TOK", form, "click_id=ID&sale_amount=49.9&order_id=a%20b"),
        ("/?token=TOK", "application/json", r#"{"click_id":"ID","amount":49.90,"order_id":"a b"}"#),
        (
            "/",
            "application/json; charset=utf-8",
            r#"{"click_id":"ID","amount":"49.90","order_id":"a b","token":"TOK"}"#,
        ),
        (
            "/postback",
            "application/vnd.api+json",
            r#"{"click_id":"ID","amount":49.90,"order_id":"a b","token":"TOK","x":null}"#,
        ),
        ("/postback", "", r#" {"click_id":"ID","amount":49.9,"order_id":"a b","token":"TOK"}"#),
        ("/postback", "text/plain", "click_id=ID&amount=49.900&order_id=a+b&token=TOK"),
        ("/postback?click_id=ID&amount=49.90&order_id=+a+b+&token=TOK&revenue=&payout=", "", ""),
    ] {
        let id = shop.clicks(1);
        world.database().execute("DELETE FROM conversions");
        let fill = |text: &str| {
            text.replace("ID\"", &format!("{id}\""))
                .replace("=ID", &format!("={id}"))
                .replace("TOK", TOKEN)
        };
        let response = shop.posts(&fill(path), content_type, fill(body).as_bytes());
        let reply = json_of(&response, 200);
        assert_eq!(reply["payout"]["amount"], "9.99", "{path} {body}");
        let row = shop.rows("SELECT amount, order_id, parameters FROM conversions").remove(0);
        assert_eq!(
            row,
            json!({ "amount": 4990, "order_id": "a b", "parameters": "{}" }),
            "{path} {body}"
        );
    }
}

#[test]
fn the_body_wins_over_the_query_with_a_warning() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "payout_percent": "10", "payout_fixed": "0" }));
    let id = shop.clicks(1);
    let path = format!("/postback?click_id={id}&amount=1&order_id=A&token={TOKEN}");
    let reply = json_of(
        &shop.posts(&path, "application/json", br#"{"purchase_value":20,"order_id":"A"}"#),
        200,
    );
    assert_eq!(reply["payout"]["amount"], "2.00");
    let codes: Vec<&Value> =
        reply["warnings"].as_array().unwrap().iter().map(|w| &w["code"]).collect();
    assert_eq!(codes, ["body_wins"]);
}

#[test]
fn unreadable_bodies_are_refused() {
    let world = World::new();
    let shop = Shop::open(&world);
    let big = vec![b'x'; 65_537];
    let many = (0..101).map(|i| format!("p{i}=1&")).collect::<String>();
    for (status, reason, content_type, body) in [
        (415, "unsupported_media_type", "multipart/form-data; boundary=x", b"--x".as_slice()),
        (415, "unsupported_media_type", "text/xml", b"<a/>"),
        (413, "too_large", "", &big),
        (413, "too_large", "application/x-www-form-urlencoded", many.as_bytes()),
        (400, "invalid_parameter", "application/json", b"{\"a\":"),
        (400, "invalid_parameter", "application/json", b"[1]"),
        (400, "invalid_parameter", "application/json", b"{\"order_id\":\"A\",\"order_id\":\"B\"}"),
        (400, "invalid_parameter", "application/json", b"{\"order_id\":\"\\u0000\"}"),
        (400, "invalid_parameter", "application/json", b"{\"order_id\":\"\\ud800\"}"),
        (400, "invalid_parameter", "", b"\xff\xfe"),
        (400, "invalid_parameter", "", b"order_id=a%00b"),
        (400, "invalid_parameter", "", b"order_id=a%0Ab"),
    ] {
        let reply =
            json_of(&shop.posts(&format!("/postback?token={TOKEN}"), content_type, body), status);
        assert_eq!(
            reply["reason"],
            reason,
            "{content_type} {}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
    }
    assert_eq!(shop.count("inbox"), 0);
}

#[test]
fn replies_come_as_text_or_image_with_the_same_status() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    let text_of = |query: &str| {
        let response = shop.asks(&format!("{query}&response=text"));
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
        (response.status, text(&response).to_owned())
    };
    assert_eq!(text_of(&format!("click_id={id}&token={TOKEN}")), (200, "recorded\n".into()));
    assert_eq!(text_of(&format!("click_id={id}&token={TOKEN}")), (200, "duplicate\n".into()));
    assert_eq!(text_of(&format!("click_id={id}")), (401, "rejected bad_token\n".into()));
    assert_eq!(text_of("amount=x"), (400, "rejected invalid_parameter\n".into()));
    for (status, query) in [
        (200, format!("click_id={id}&token={TOKEN}")),
        (401, String::new()),
        (400, "amount=x".into()),
    ] {
        let response = shop.asks(&format!("{query}&response=gif"));
        assert_eq!((response.status, response.header("content-type")), (status, Some("image/gif")));
        assert!(matches!(response.body, Body::Bytes(bytes) if bytes.len() == 43));
    }
}

#[test]
fn what_is_unknown_is_kept_within_its_bounds() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    let unknown = (0..25).map(|i| format!("&u{i:02}=v{i}")).collect::<String>();
    let body = shop.reports(
        200,
        &format!("click_id={id}{unknown}&custom1=one&comment=hi&goal=g&long={}", "x".repeat(513)),
    );
    assert_eq!(body["warnings"][0]["code"], "too_many_unknown");
    let row = shop.rows("SELECT parameters, comment, goal FROM conversions").remove(0);
    assert_eq!((&row["comment"], &row["goal"]), (&json!("hi"), &json!("g")));
    let kept: Value = serde_json::from_str(row["parameters"].as_str().unwrap()).unwrap();
    assert_eq!(kept.as_object().unwrap().len(), 21);
    assert_eq!((&kept["custom1"], &kept["u19"]), (&json!("one"), &json!("v19")));
}

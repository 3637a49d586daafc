//! Signed postbacks (wire.md 7): signing secrets by the API, requests that are signed with them,
//! and what a campaign that wants signatures does without one.

use backtrail::domain::click_id::Keyring;
use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Delete, Get, Patch, Post};
use backtrail::http::response::Response;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::shop::{SERVER, TOKEN, id_in, server};
use crate::support::world::json_of;
use crate::support::{Edge, Shop, World};

const FORM: &str = "application/x-www-form-urlencoded";

/// A shop whose campaign 1 takes signed requests only, and its secret.
fn signing(world: &World) -> (Shop<'_>, String) {
    let shop = Shop::with(world, json!({ "authentication": "hmac" }));
    let secret = new_secret(&shop, 1);
    (shop, secret)
}

fn new_secret(shop: &Shop<'_>, campaign_id: u32) -> String {
    let made = shop.operator.creates("signing-secrets", json!({ "campaign_id": campaign_id }));
    made["secret"].as_str().unwrap().to_owned()
}

/// What a sender of its own signs: joined by line feeds.
fn sign(secret: &str, message: &[&str]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.join("\n").as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn seconds(world: &World) -> String {
    (world.now().ms() / 1_000).to_string()
}

/// A signed GET of `/postback`.
fn asks_signed(shop: &Shop<'_>, secret: &str, query: &str) -> Response {
    let now = seconds(shop.world());
    let query = format!("{query}&timestamp={now}");
    let signature = sign(secret, &[&now, "GET", &shop.host, "/postback", &query, ""]);
    shop.asks(&format!("{query}&signature={signature}"))
}

/// A POST that is signed by its headers, with what is really sent.
fn posts_signed(
    shop: &Shop<'_>,
    secret: &str,
    signed: &str,
    content_type: &str,
    sent: &str,
) -> Response {
    let timestamp = &seconds(shop.world());
    let signature = &sign(secret, &[timestamp, "POST", &shop.host, "/postback", "", signed]);
    let headers = Headers { content_type, timestamp, signature, ..server() };
    shop.edge.answers(Post, &format!("{}/postback", shop.host), headers, sent.as_bytes())
}

fn refused(response: &Response, status: u16, reason: &str) -> Value {
    let body = json_of(response, status);
    assert_eq!(body["reason"], reason, "{body}");
    body
}

#[test]
fn a_signed_postback_may_all_that_one_with_a_token_may() {
    let world = World::new();
    let (shop, secret) = signing(&world);
    shop.changes_campaign(json!({ "is_explicit_money_allowed": true }));
    let id = shop.clicks(1);
    let query = format!("click_id={id}&order_id=A&amount=50&payout=9&status=pending");
    let body = json_of(&asks_signed(&shop, &secret, &query), 200);
    assert_eq!((&body["verdict"], &body["status"]), (&json!("recorded"), &json!("pending")));
    assert_eq!((&body["payout"]["amount"], &body["affiliate_id"]), (&json!("9.00"), &json!(1)));
    for table in ["conversions", "inbox"] {
        assert_eq!(shop.value(&format!("SELECT proof FROM {table}")), "signature");
    }
    let kept = shop.value("SELECT parameters FROM inbox");
    for secret in ["signature", "timestamp", secret.as_str()] {
        assert!(!kept.as_str().unwrap().contains(secret), "{kept}");
    }
    let body = json_of(&asks_signed(&shop, &secret, &format!("click_id={id}&dry_run=1")), 200);
    assert_eq!(body["dry_run"], true);
}

#[test]
fn forms_and_json_are_signed_by_headers() {
    let world = World::new();
    let (shop, secret) = signing(&world);
    let (first, second) = (shop.clicks(1), shop.clicks(1));
    let form = format!("click_id={first}&order_id=A&comment=a+b%20%C3%A9");
    json_of(&posts_signed(&shop, &secret, &form, FORM, &form), 200);
    let json = format!("{{\n \"click_id\": \"{second}\",\n \"order_id\": \"é\"\n}}\n");
    json_of(&posts_signed(&shop, &secret, &json, "application/json", &json), 200);
    assert_eq!(shop.count("conversions"), 2);
}

#[test]
fn the_content_type_is_not_signed_and_decides_nothing() {
    let world = World::new();
    let (shop, secret) = signing(&world);
    let id = shop.clicks(1);
    let json = format!("{{\"click_id\":\"{id}\",\"order_id\":\"A\"}}");
    // As a form this would be one unknown parameter, and nothing to attribute.
    json_of(&posts_signed(&shop, &secret, &json, FORM, &json), 200);
    let form = format!("click_id={id}&order_id=A");
    let again = json_of(&posts_signed(&shop, &secret, &form, "application/json", &form), 200);
    assert_eq!(again["verdict"], "duplicate");
    // What cannot be read at all is told before anybody is asked who he is.
    refused(
        &posts_signed(&shop, &secret, &form, "multipart/form-data", &form),
        415,
        "unsupported_media_type",
    );
    // The control: without a signature it decides.
    let tokens = Shop::named(&world, "tokens", json!({}));
    let body = format!("{{\"click_id\":\"{}\",\"token\":\"{TOKEN}\"}}", tokens.clicks(1));
    refused(&tokens.posts("/postback", FORM, body.as_bytes()), 401, "bad_token");
}

#[test]
fn a_body_that_was_changed_on_the_way_is_refused() {
    let world = World::new();
    let (shop, secret) = signing(&world);
    let form = format!("click_id={}&amount=5", shop.clicks(1));
    let body = refused(
        &posts_signed(&shop, &secret, &form, FORM, &form.replace("amount=5", "amount=50")),
        401,
        "bad_signature",
    );
    assert_eq!(body["parameter"], "signature");
    assert_eq!((shop.count("conversions"), shop.count("inbox")), (0, 0));
    json_of(&posts_signed(&shop, &secret, &form, FORM, &form), 200);
}

#[test]
fn without_a_signature_nothing_else_helps() {
    let world = World::new();
    let (shop, secret) = signing(&world);
    let namespace = shop.operator.creates("tokens", json!({ "level": "namespace" }));
    let namespace = namespace["token"].as_str().unwrap();
    shop.changes_campaign(json!({ "ip_allow": [SERVER] }));
    let id = shop.clicks(1);
    for query in [
        format!("click_id={id}"),
        format!("click_id={id}&token={TOKEN}"),
        format!("click_id={id}&token={namespace}"),
        format!("campaign_id=1&token={TOKEN}"),
        format!("token={TOKEN}"),
    ] {
        let body = refused(&shop.asks(&query), 401, "bad_signature");
        assert_eq!(body["parameter"], "signature", "{query}");
    }
    // Nor does a wrong token harm a signed one: it is not read.
    json_of(&asks_signed(&shop, &secret, &format!("click_id={id}&token=wrong")), 200);
    // The lists hold in addition.
    shop.changes_campaign(json!({ "ip_allow": ["192.0.2.1"] }));
    refused(&asks_signed(&shop, &secret, &format!("click_id={id}")), 403, "ip_not_allowed");
    refused(&asks_signed(&shop, "bts_wrong", &format!("click_id={id}")), 401, "bad_signature");
}

#[test]
fn a_sender_who_brings_both_notices_nothing_of_the_change_from_token_to_signature() {
    let world = World::new();
    let shop = Shop::open(&world);
    let secret = new_secret(&shop, 1);
    let proofs = ["token", "signature"].map(|expected| {
        let query = format!("click_id={}&token={TOKEN}", shop.clicks(1));
        let body = json_of(&asks_signed(&shop, &secret, &query), 200);
        shop.changes_campaign(json!({ "authentication": "hmac" }));
        let id = body["conversion_id"].as_str().unwrap();
        let proof = format!("SELECT proof FROM conversions WHERE conversion_id = '{id}'");
        (shop.value(&proof), expected)
    });
    for (proof, expected) in proofs {
        assert_eq!(proof, expected);
    }
}

#[test]
fn an_old_signature_is_stale() {
    let world = World::new();
    let (shop, secret) = signing(&world);
    let id = shop.clicks(1);
    let now = seconds(&world);
    let query = format!("click_id={id}&timestamp={now}");
    let signature = sign(&secret, &[&now, "GET", &shop.host, "/postback", &query, ""]);
    let signed = format!("{query}&signature={signature}");
    world.waits_ms(300_001);
    let body = refused(&shop.asks(&signed), 401, "stale_timestamp");
    assert_eq!(body["parameter"], "timestamp");
    let later = signed.replace(&now, &seconds(&world));
    refused(&shop.asks(&later), 401, "bad_signature");
    json_of(&asks_signed(&shop, &secret, &format!("click_id={id}")), 200);
}

#[test]
fn a_wrong_signature_tells_a_stranger_nothing_of_what_exists() {
    let world = World::new();
    let (shop, _) = signing(&world);
    let id = shop.clicks(1);
    let body = |query: &str| {
        let mut body = refused(&asks_signed(&shop, "bts_guessed", query), 401, "bad_signature");
        body["request_id"].take();
        body
    };
    let ignorant = body("campaign_id=99&click_id=nonsense");
    for query in ["campaign_id=1", "order_id=A", "a=b", "campaign_id=99&token=wrong"] {
        assert_eq!(body(query), ignorant, "{query}");
    }
    assert_eq!(body(&format!("click_id={id}&campaign_id=2&event_id=7")), ignorant);
}

#[test]
fn a_signature_of_one_campaign_is_none_of_another() {
    let world = World::new();
    let (shop, secret) = signing(&world);
    let campaign =
        json!({ "name": "B", "advertiser_id": 1, "currency": "USD", "authentication": "hmac" });
    shop.operator.creates("campaigns", campaign);
    shop.operator.creates(
        "landing-pages",
        json!({ "campaign_id": 2, "name": "p", "url": "https://shop.example/" }),
    );
    shop.operator.creates("links", json!({ "campaign_id": 2, "affiliate_id": 1 }));
    let other = new_secret(&shop, 2);
    assert_ne!(secret, other);
    let id = id_in(&shop.follows("ref_id=3"));
    refused(&asks_signed(&shop, &secret, &format!("click_id={id}")), 401, "bad_signature");
    json_of(&asks_signed(&shop, &other, &format!("click_id={id}")), 200);
    // Nor with the other one's number beside the click.
    let id = shop.clicks(1);
    let query = format!("click_id={id}&campaign_id=2");
    refused(&asks_signed(&shop, &other, &query), 401, "bad_signature");
}

#[test]
fn two_secrets_are_valid_during_rotation_and_a_revoked_one_no_more() {
    let world = World::new();
    let (shop, first) = signing(&world);
    let second = new_secret(&shop, 1);
    world.waits_ms(30_001);
    let ask = |secret: &str| {
        let id = shop.clicks(1);
        asks_signed(&shop, secret, &format!("click_id={id}")).status
    };
    assert_eq!((ask(&first), ask(&second)), (200, 200));
    let third = json!({ "campaign_id": 1 });
    let problem =
        shop.operator.is_refused(Post, "signing-secrets", Some(third.clone()), (409, "conflict"));
    assert!(problem["detail"].as_str().unwrap().contains("signing secrets"), "{problem}");
    shop.operator.removes("signing-secrets/1");
    world.waits_ms(30_001);
    assert_eq!((ask(&first), ask(&second)), (401, 200));
    shop.operator.creates("signing-secrets", third);
}

#[test]
fn a_signing_secret_is_shown_once_and_stored_nowhere() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "authentication": "hmac" }));
    let demo = &shop.operator;
    let body = json!({ "campaign_id": 1 });
    let sends = || demo.sends(Post, "signing-secrets", Some(body.clone()), "once");
    let made = json_of(&sends(), 201);
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("bts_") && secret.len() == 47, "{secret}");
    assert_eq!(json_of(&sends(), 201), made, "a repeated request is told the same again");
    let shown = demo.sees("signing-secrets/1");
    assert_eq!(
        shown,
        json!({ "id": 1, "campaign_id": 1, "created_at": "2026-11-21T09:30:00.000Z", "revoked_at": null })
    );
    assert_eq!(demo.lists("signing-secrets?campaign_id=1"), [shown]);
    shop.clicks(1);
    let stored =
        format!("{:?}{}", shop.rows("SELECT * FROM signing_secrets"), world.copy("c/demo/1"));
    assert!(stored.contains("derivation") && !stored.contains(&secret[4..]), "{stored}");
    demo.is_told(
        Post,
        "signing-secrets",
        json!({ "campaign_id": 1, "secret": "mine" }),
        &["secret: invalid"],
    );
    demo.is_told(
        Post,
        "signing-secrets",
        json!({ "campaign_id": 9 }),
        &["campaign_id: unknown_reference"],
    );
    demo.is_refused(Patch, "signing-secrets/1", Some(json!({})), (405, "method_not_allowed"));
    let other = world.operator_of("other");
    other.is_refused(Get, "signing-secrets/1", None, (404, "not_found"));
    other.is_refused(Delete, "signing-secrets/1", None, (404, "not_found"));
}

#[test]
fn secrets_outlive_a_rotation_of_the_installations_keys_but_not_their_retirement() {
    let world = World::new();
    let (shop, secret) = signing(&world);
    let id = shop.clicks(1);
    let ask = |keys: &str| {
        let keyring = Keyring::parse(keys).unwrap();
        let edge =
            Edge::with(&world, backtrail::app::settings::Settings { keyring, ..World::settings() });
        let (now, host) = (seconds(&world), &shop.host);
        let query = format!("click_id={id}&campaign_id=1&timestamp={now}");
        let signature = sign(&secret, &[&now, "GET", host, "/postback", &query, ""]);
        let address = format!("{host}/postback?{query}&signature={signature}");
        edge.answers(Get, &address, server(), b"").status
    };
    let (old, new) = ("0:00000000000000000000000000000000", "1:11111111111111111111111111111111");
    assert_eq!(ask(&format!("{new},{old}")), 200);
    assert_eq!(ask(new), 401);
}

#[test]
fn the_address_of_a_campaign_that_wants_signatures_ends_in_one() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "authentication": "hmac" }));
    assert_eq!(
        shop.operator.sees("campaigns/1")["postback_url"],
        "https://demo-tracking.example.com/postback?click_id=CLICK_ID&order_id=ORDER_ID\
         &timestamp=TIMESTAMP&signature=SIGNATURE"
    );
}

/// A token of the namespace names no campaign, and a recorded conversion of an id that no key
/// verifies names it afterwards; what that campaign wants holds all the same.
#[test]
fn a_campaign_that_is_found_by_its_conversion_wants_its_own_proof() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    let token = shop.operator.creates("tokens", json!({ "level": "namespace" }));
    let query = format!("click_id={id}&order_id=A&token={}", token["token"].as_str().unwrap());
    let retired = Keyring::parse("5:55555555555555555555555555555555").unwrap();
    let settings = backtrail::app::settings::Settings { keyring: retired, ..World::settings() };
    let ask = || {
        let edge = Edge::with(&world, settings.clone());
        edge.answers(Get, &format!("{}/postback?{query}", shop.host), server(), b"")
    };
    assert_eq!(json_of(&ask(), 200)["verdict"], "duplicate");
    shop.changes_campaign(json!({ "ip_allow": ["192.0.2.1"] }));
    refused(&ask(), 403, "ip_not_allowed");
    shop.changes_campaign(json!({ "ip_allow": [], "authentication": "hmac" }));
    refused(&ask(), 401, "bad_signature");
}

//! Who may post, and what (wire.md 7): the table cell by cell, tokens, addresses, and what is kept
//! of whoever failed.

use backtrail::domain::permission::{Act, Proof, may};
use backtrail::http::request::{Headers, Method};
use serde_json::{Value, json};

use crate::support::shop::{SERVER, TOKEN, server};
use crate::support::world::json_of;
use crate::support::{Shop, World, block_on};

/// The table of wire.md 7: a row per act, a column per proof; tokens and signatures share one. `trusted` and `allowed` are cells
/// that depend on the campaign's switch of that name.
const TABLE: [(Act, [&str; 3]); 7] = [
    (Act::CreateByClick, ["yes", "yes", "yes"]),
    (Act::StartAbovePending, ["no", "yes", "yes"]),
    (Act::SendAmount, ["trusted", "yes", "yes"]),
    (Act::CreateWithoutClick, ["no", "yes", "yes"]),
    (Act::ChangeStatus, ["no", "no", "yes"]),
    (Act::SendExplicitMoney, ["no", "no", "allowed"]),
    (Act::SeeMoney, ["no", "yes", "yes"]),
];

#[test]
fn the_table_of_permissions_is_the_contracts() {
    use backtrail::app::memory::{Lookup, Wanted};
    use backtrail::app::ports::Configuration as _;
    use backtrail::domain::namespace::Namespace;
    let world = World::new();
    let demo = Namespace::parse("demo").unwrap();
    let shop = Shop::open(&world);
    block_on(shop.edge.stores.load(&[Wanted::Campaign(demo.clone(), 1)], world.now())).unwrap();
    let Lookup::Known(campaign) = shop.edge.isolate.memory.campaign(&demo, 1, world.now()) else {
        panic!()
    };
    let mut cells = 0;
    for is_amount_trusted in [false, true] {
        for is_explicit_money_allowed in [false, true] {
            let mut campaign = (*campaign).clone();
            campaign.is_amount_trusted = is_amount_trusted;
            campaign.is_explicit_money_allowed = is_explicit_money_allowed;
            for (act, columns) in TABLE {
                let [nothing, address, secret] = columns;
                for (proof, cell) in [
                    (Proof::Nothing, nothing),
                    (Proof::Address, address),
                    (Proof::Token, secret),
                    (Proof::Signature, secret),
                ] {
                    let expected = match cell {
                        "yes" => true,
                        "trusted" => is_amount_trusted,
                        "allowed" => is_explicit_money_allowed,
                        _ => false,
                    };
                    assert_eq!(may(proof, act, &campaign), expected, "{act:?} by {proof:?}");
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 4 * 7 * Proof::ALL.len());
}

/// The same shop with a campaign without a token: for everybody, or for one address.
fn open_to(world: &World, ip_allow: Value, more: Value) -> Shop<'_> {
    let mut campaign = json!({ "authentication": "none", "ip_allow": ip_allow });
    for (name, value) in more.as_object().unwrap() {
        campaign[name] = value.clone();
    }
    Shop::with(world, campaign)
}

#[test]
fn whoever_proves_nothing_gets_pending_and_sees_no_money() {
    let world = World::new();
    let shop = open_to(&world, json!([]), json!({ "is_explicit_money_allowed": true }));
    let id = shop.clicks(1);
    let query = format!("click_id={id}&amount=50&currency=EUR&payout=99&order_id=A");
    let body = json_of(&shop.asks(&query), 200);
    assert_eq!((&body["verdict"], &body["status"]), (&json!("recorded"), &json!("pending")));
    for hidden in ["affiliate_id", "revenue", "payout"] {
        assert_eq!(body[hidden], Value::Null, "{hidden}");
    }
    let warned: Vec<(&str, Option<&str>)> = body["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["code"].as_str().unwrap(), w["parameter"].as_str()))
        .collect();
    assert_eq!(
        warned,
        [
            ("status_limited", None),
            ("not_permitted", Some("amount")),
            ("not_permitted", Some("currency")),
            ("payout_not_allowed", Some("payout"))
        ]
    );
    let row = shop.rows("SELECT amount, payout, proof, status FROM conversions").remove(0);
    assert_eq!(
        row,
        json!({ "amount": null, "payout": 500, "proof": "nothing", "status": "pending" })
    );
    assert_eq!(json_of(&shop.asks(&query), 200)["verdict"], "duplicate");
    // Another amount decides nothing, so it contradicts nothing.
    assert_eq!(json_of(&shop.asks(&query.replace("50", "51")), 200)["verdict"], "duplicate");
    for refused in [
        "status=approved",
        "reason=x",
        "third_party_rejected_reason=x",
        "new_rejected_reason=x",
        "refund_id=1",
        "dry_run=1",
    ] {
        let id = shop.clicks(1);
        let body = json_of(&shop.asks(&format!("click_id={id}&{refused}")), 401);
        assert_eq!(body["parameter"], refused.split('=').next().unwrap());
    }
    assert_eq!(shop.count("conversions"), 1);
    // The control: the same with a token.
    let id = shop.clicks(1);
    let body = shop.reports(200, &format!("click_id={id}&amount=50&payout=99&status=approved"));
    assert_eq!((&body["status"], &body["payout"]["amount"]), (&json!("approved"), &json!("99.00")));
}

#[test]
fn an_amount_without_proof_counts_only_where_it_is_trusted() {
    let world = World::new();
    let percent = json!({ "payout_type": "cps", "payout_fixed": "0", "payout_percent": "10" });
    let shop = open_to(&world, json!([]), percent);
    let id = shop.clicks(1);
    assert_eq!(
        json_of(&shop.asks(&format!("click_id={id}&amount=50")), 401)["parameter"],
        "amount"
    );
    shop.changes_campaign(json!({ "is_amount_trusted": true }));
    json_of(&shop.asks(&format!("click_id={id}&amount=50")), 200);
    assert_eq!(shop.value("SELECT payout FROM conversions"), 500);
}

#[test]
fn a_listed_address_proves_more_than_nothing_and_less_than_a_token() {
    let world = World::new();
    let shop = open_to(&world, json!([SERVER]), json!({ "is_explicit_money_allowed": true }));
    let id = shop.clicks(1);
    let body = json_of(&shop.asks(&format!("click_id={id}&amount=50&payout=99")), 200);
    assert_eq!(
        (&body["status"], &body["payout"]["amount"], &body["affiliate_id"]),
        (&json!("approved"), &json!("5.00"), &json!(1))
    );
    assert_eq!(body["warnings"][0]["code"], "payout_not_allowed");
    assert_eq!(shop.value("SELECT amount FROM conversions"), 5_000);
    let id = shop.clicks(1);
    assert_eq!(
        json_of(&shop.asks(&format!("click_id={id}&status=approved")), 401)["reason"],
        "bad_token"
    );
    assert_eq!(json_of(&shop.asks(&format!("click_id={id}&dry_run=1")), 200)["dry_run"], true);
    assert_eq!(shop.value("SELECT proof FROM conversions"), "address");
}

#[test]
fn address_lists_know_both_families_and_mapped_addresses() {
    let world = World::new();
    let shop = open_to(
        &world,
        json!(["192.0.2.0/24", "2001:db8::/32"]),
        json!({ "ip_deny": ["192.0.2.66", "2001:db8:bad::/48"] }),
    );
    let id = shop.clicks(1);
    for (client_ip, status) in [
        ("192.0.2.1", 200),
        ("::ffff:192.0.2.1", 200),
        ("::ffff:c000:201", 200),
        ("2001:db8::5", 200),
        ("2001:0DB8:0:0::5", 200),
        ("192.0.3.1", 403),
        ("2001:db9::5", 403),
        ("192.0.2.66", 403),
        ("::ffff:192.0.2.66", 403),
        ("2001:db8:bad::1", 403),
        ("", 403),
        ("192.0.2.1, 192.0.2.2", 403),
        ("192.0.2.1:80", 403),
        ("[2001:db8::5]", 403),
        ("localhost", 403),
    ] {
        let response = shop.asks_with(Headers { client_ip, ..server() }, &format!("click_id={id}"));
        let body = json_of(&response, status);
        let reason = if status == 200 { Value::Null } else { "ip_not_allowed".into() };
        assert_eq!(body["reason"], reason, "{client_ip}");
        assert!(
            !body.to_string().contains("192.0.2"),
            "nobody is told which addresses would do: {body}"
        );
    }
    // A token does not replace the address.
    let headers = Headers { client_ip: "192.0.3.1", ..server() };
    json_of(&shop.asks_with(headers, &format!("click_id={id}&token={TOKEN}")), 403);
}

#[test]
fn tokens_of_three_levels_work_for_what_lies_below() {
    let world = World::new();
    let shop = Shop::open(&world);
    let demo = &shop.operator;
    demo.creates("advertisers", json!({ "name": "Other" }));
    for advertiser in [1, 2] {
        demo.creates("campaigns", json!({ "name": "C", "advertiser_id": advertiser, "currency": "USD", "authentication": "token" }));
        let campaign = 1 + advertiser;
        demo.creates(
            "landing-pages",
            json!({ "campaign_id": campaign, "name": "p", "url": "https://shop.example/" }),
        );
        demo.creates("links", json!({ "campaign_id": campaign, "affiliate_id": 1 }));
    }
    let token = |level: &str, id: Value| {
        let mut body = json!({ "level": level });
        if !id.is_null() {
            body["level_id"] = id;
        }
        demo.creates("tokens", body)["token"].as_str().unwrap().to_owned()
    };
    let tokens = [
        ("namespace", token("namespace", Value::Null), [200, 200, 200]),
        ("advertiser 1", token("advertiser", 1.into()), [200, 200, 401]),
        ("advertiser 2", token("advertiser", 2.into()), [401, 401, 200]),
        ("campaign 1", TOKEN.to_owned(), [200, 401, 401]),
        ("campaign 3", token("campaign", 3.into()), [401, 401, 200]),
        ("nobody", "btp_nobody".to_owned(), [401, 401, 401]),
    ];
    world.waits_ms(30_001);
    // Links 1, 3 and 4 are of campaigns 1, 2 and 3; the first two are advertiser 1's.
    for (name, token, expected) in &tokens {
        for (link, status) in [1, 3, 4].into_iter().zip(expected) {
            let to = shop.follows(&format!("ref_id={link}"));
            let id = crate::support::shop::id_in(&to);
            for parameter in ["token", "secure"] {
                let body =
                    json_of(&shop.asks(&format!("click_id={id}&{parameter}={token}")), *status);
                let reason = if *status == 200 { Value::Null } else { "bad_token".into() };
                assert_eq!(body["reason"], reason, "{name} for link {link}");
            }
        }
    }
}

#[test]
fn an_events_token_is_accepted_beside_the_wider_ones_and_nowhere_else() {
    use backtrail::domain::permission::Tokens;
    let [namespace, advertiser, campaign, event, other] = [1, 2, 3, 4, 5].map(|byte| [[byte; 32]]);
    let of_event = Tokens {
        of_namespace: &namespace,
        of_advertiser: &advertiser,
        of_campaign: &campaign,
        of_event: &event,
    };
    for [hash] in [namespace, advertiser, campaign, event] {
        assert!(of_event.accept(&hash));
    }
    assert!(!of_event.accept(&other[0]));
    // An initial conversion, and every other event, has none of this event's tokens.
    assert!(!Tokens { of_event: &[], ..of_event }.accept(&event[0]));
}

#[test]
fn an_events_token_works_for_postbacks_of_that_event_alone() {
    let world = World::new();
    let shop = Shop::open(&world);
    let demo = &shop.operator;
    for name in ["renewal", "upgrade"] {
        demo.creates("events", json!({ "campaign_id": 1, "name": name, "repeat": "per_order" }));
    }
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    let made = demo.creates("tokens", json!({ "level": "event", "level_id": 1 }));
    let token = made["token"].as_str().unwrap().to_owned();
    assert_eq!((&made["level"], &made["level_id"]), (&json!("event"), &json!(1)));
    let campaigns = json!({ "level": "event", "level_id": 3 });
    demo.is_told(Method::Post, "tokens", campaigns, &["level_id: unknown_reference"]);
    demo.is_told(Method::Post, "tokens", json!({ "level": "event" }), &["level_id: required"]);
    world.waits_ms(30_001);
    let ask = |query: &str, status: u16| {
        let body = json_of(&shop.asks(&format!("{query}&token={token}")), status);
        let reason = if status == 401 { json!("bad_token") } else { Value::Null };
        assert_eq!(body["reason"], reason, "{query}");
    };
    ask(&format!("click_id={id}&event_id=1&order_id=1"), 200);
    ask(&format!("click_id={id}&event_name=renewal&order_id=2"), 200);
    ask(&format!("click_id={id}&order_id=3"), 401);
    ask(&format!("click_id={id}&event_id=2&order_id=4"), 401);
    ask(&format!("click_id={id}&event_id=1&event_name=upgrade&order_id=5"), 401);
    ask("campaign_id=1&order_id=6", 401);
    // The wider ones work for the event.
    shop.reports(200, &format!("click_id={id}&event_id=1&order_id=7"));
    // Alone it names its campaign; without anybody to credit that is all it does.
    let body = json_of(&shop.asks(&format!("event_id=1&order_id=9&token={token}")), 422);
    assert_eq!(body["campaign_id"], 1);
    demo.removes(&format!("tokens/{}", made["id"]));
    world.waits_ms(30_001);
    ask(&format!("click_id={id}&event_id=1&order_id=8"), 401);
}

#[test]
fn two_tokens_are_valid_during_rotation_and_a_revoked_one_no_more() {
    let world = World::new();
    let shop = Shop::open(&world);
    let second = shop.operator.creates("tokens", json!({ "level": "campaign", "level_id": 1 }));
    let second = second["token"].as_str().unwrap().to_owned();
    world.waits_ms(30_001);
    let ask = |token: &str| {
        let id = shop.clicks(1);
        shop.asks(&format!("click_id={id}&token={token}")).status
    };
    assert_eq!((ask(TOKEN), ask(&second)), (200, 200));
    shop.operator.removes("tokens/1");
    world.waits_ms(30_001);
    assert_eq!((ask(TOKEN), ask(&second)), (401, 200));
    // The token alone names its campaign, while it is valid.
    let body = json_of(&shop.asks(&format!("token={second}")), 422);
    assert_eq!(body["reason"], "no_attribution");
    json_of(&shop.asks(&format!("token={TOKEN}")), 401);
}

#[test]
fn a_stranger_is_told_nothing_of_what_exists() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    let body = |query: &str| {
        let mut body = json_of(&shop.asks(query), 401);
        body["request_id"].take();
        body
    };
    let ignorant = body("campaign_id=99&click_id=nonsense");
    for query in [
        "campaign_id=1",
        "campaign_id=1&order_id=A",
        "click_id=nonsense",
        "order_id=A",
        "",
        &format!("click_id={id}"),
        &format!("click_id={id}&campaign_id=2"),
        &format!("click_id={id}&event_id=7&status=paid"),
    ] {
        assert_eq!(body(query), ignorant, "{query}");
    }
    let wrong = body("campaign_id=99&click_id=nonsense&token=wrong");
    for query in [
        "campaign_id=1&token=wrong",
        "order_id=A&token=wrong",
        &format!("click_id={id}&token=wrong"),
    ] {
        assert_eq!(body(query), wrong, "{query}");
    }
}

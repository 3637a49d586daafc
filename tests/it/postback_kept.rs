//! What is kept of requests, let in or not (design.md 4), and what pixels report (wire.md 7).

use backtrail::http::request::{Headers, Method};
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::shop::{TOKEN, cookies, id_in, location, person, server};
use crate::support::{Shop, World};

#[test]
fn the_inbox_keeps_what_was_let_in_without_its_secrets() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    let arrived = world.now().ms();
    shop.reports(
        200,
        &format!("click_id={id}&order_id=A&amount=2&custom1=x&timestamp=5&signature=sig-of-mine"),
    );
    world.waits_ms(1);
    shop.reports(200, &format!("transaction_id={id}&secure={TOKEN}"));
    world.waits_ms(1);
    shop.is_refused((409, "conflict"), &format!("click_id={id}&amount=3&Token=a-misspelt-one"));
    shop.asks(&format!("click_id={id}&token=wrong-token-of-a-stranger"));
    shop.asks("amount=no&token=another-wrong-one");
    let rows = shop.rows("SELECT * FROM inbox ORDER BY request_id");
    assert_eq!(rows.len(), 3, "what failed to authenticate is not there");
    let conversion_id = shop.value("SELECT conversion_id FROM conversions");
    let parameters =
        |row: &Value| serde_json::from_str::<Value>(row["parameters"].as_str().unwrap()).unwrap();
    assert_eq!(
        parameters(&rows[0]),
        json!({ "click_id": id, "order_id": "A", "amount": "2", "custom1": "x" })
    );
    let mut first = rows[0].clone();
    first["parameters"].take();
    assert_eq!(
        first,
        json!({
            "namespace": "demo", "request_id": rows[0]["request_id"], "received_at": arrived,
            "source": "postback", "proof": "token", "campaign_id": 1, "parameters": null,
            "verdict": "recorded", "reason": null, "detail": null, "conversion_id": conversion_id,
            "judged_at": arrived, "judgements": 1, "earlier_verdicts": null,
        })
    );
    let outcome =
        |row: &Value| (row["verdict"].clone(), row["reason"].clone(), row["conversion_id"].clone());
    assert_eq!(outcome(&rows[1]), ("duplicate".into(), Value::Null, conversion_id));
    assert_eq!(outcome(&rows[2]), ("rejected".into(), "conflict".into(), Value::Null));
    shop.edge.settles();
    let tables = ["inbox", "conversions", "refusals", "refusal_samples"];
    let dump: String =
        tables.map(|table| format!("{:?}", shop.rows(&format!("SELECT * FROM {table}")))).concat();
    let sent = ["wrong-token-of-a-stranger", "another-wrong-one", "sig-of-mine", "a-misspelt-one"];
    for secret in sent.into_iter().chain([TOKEN]) {
        assert!(!dump.contains(secret), "{secret}");
    }
    let copies = world
        .stores
        .blobs
        .keys()
        .into_iter()
        .filter_map(|key| world.stores.blobs.text(&key))
        .collect::<String>();
    assert!(!copies.contains(TOKEN) && dump.contains(&id) && copies.contains(&id));
}

#[test]
fn strangers_are_counted_per_hour_and_reason_with_a_few_samples() {
    let world = World::new();
    let shop = Shop::open(&world);
    for n in 0..90 {
        shop.asks(&format!("campaign_id=1&order_id={n}"));
        shop.asks(&format!("campaign_id={}", 100 + n));
    }
    for _ in 0..3 {
        shop.asks("campaign_id=1&amount=no");
    }
    let address = "unheard-of-tracking.example.com/postback?x=1";
    shop.edge.answers(Method::Get, address, server(), b"");
    shop.edge.settles();
    let hour = crate::support::world::BEGINNING_MS / 3_600_000 * 3_600_000;
    let counted =
        shop.rows("SELECT namespace, hour, reason, requests FROM refusals ORDER BY requests DESC");
    let row = |namespace: &str, reason: &str, requests: u64| json!({ "namespace": namespace, "hour": hour, "reason": reason, "requests": requests });
    assert_eq!(
        counted[..2],
        [row("demo", "bad_token", 180), row("demo", "invalid_parameter", 3)][..]
    );
    assert_eq!(counted[2..], [row("", "unknown_namespace", 1)]);
    let samples = shop.rows("SELECT campaign_id, COUNT(*) AS n FROM refusal_samples GROUP BY 1");
    assert!(samples.iter().all(|s| s["n"].as_u64().unwrap() <= 100), "{samples:?}");
    let campaigns: Vec<&Value> = samples.iter().map(|s| &s["campaign_id"]).collect();
    assert_eq!(campaigns, [0, 1], "numbers that somebody made up get no room of their own");
}

#[test]
fn the_pixel_is_always_an_image_and_proves_nothing() {
    let world = World::new();
    let shop = Shop::open(&world);
    let pixel = |headers: Headers<'_>, query: &str| {
        let response = shop.visits_with(headers, &format!("/pixel.gif?{query}"));
        assert_eq!((response.status, response.header("content-type")), (200, Some("image/gif")));
        response.header("x-backtrail-verdict").unwrap().to_owned()
    };
    let visit = shop.visits("/click?ref_id=1");
    let id = id_in(&location(&visit));
    let cookie =
        cookies(&visit).iter().map(|c| c.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
    let visitor = Headers { cookie: &cookie, ..person() };
    assert_eq!(pixel(visitor, ""), "rejected bad_token", "the campaign has to allow it");
    shop.changes_campaign(json!({ "is_pixel_allowed": true }));
    assert_eq!(pixel(visitor, &format!("status=approved&token={TOKEN}")), "rejected bad_token");
    assert_eq!(pixel(visitor, "amount=x"), "rejected invalid_parameter");
    assert_eq!(pixel(person(), "campaign_id=1"), "rejected no_attribution");
    assert_eq!(pixel(visitor, "amount=12&order_id=A"), "recorded");
    assert_eq!(pixel(person(), &format!("click_id={id}&order_id=A")), "duplicate");
    let row =
        shop.rows("SELECT click_id, status, proof, source, amount FROM conversions").remove(0);
    assert_eq!(
        row,
        json!({ "click_id": id, "status": "pending", "proof": "nothing", "source": "pixel", "amount": null })
    );
    assert_eq!(
        shop.value("SELECT parameters ->> 'click_id' FROM inbox WHERE verdict = 'recorded'"),
        id
    );
    // The campaign's own cookie is stronger than the newest.
    let other = shop.clicks(2);
    let both = format!("click_id={id}; click_id_1={other}");
    assert_eq!(pixel(Headers { cookie: &both, ..person() }, "campaign_id=1"), "recorded");
    assert_eq!(
        shop.value(&format!("SELECT affiliate_id FROM conversions WHERE click_id = '{other}'")),
        2
    );
    let head = shop.edge.answers(
        Method::Head,
        &format!("{}/pixel.gif?click_id={id}", shop.host),
        person(),
        b"",
    );
    assert_eq!(
        (head.status, head.header("x-backtrail-verdict")),
        (200, Some("rejected method_not_allowed"))
    );
    world.database().breaks(Break::BeforeCommit, usize::MAX);
    assert_eq!(pixel(visitor, "order_id=B"), "rejected storage_unavailable");
}

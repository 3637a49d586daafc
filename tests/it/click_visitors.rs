//! Who clicked (wire.md 3): cookies, consent, machines, and what their conversions become.

use backtrail::domain::click_id::{Flags, Keyring};
use backtrail::domain::namespace::Namespace;
use backtrail::http::request::{Headers, Method};
use serde_json::{Value, json};

use crate::support::shop::{cookies, id_in, location, person};
use crate::support::{Shop, World};

const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
const WHATSAPP: &str = "WhatsApp/2.23.20.0 A";

#[test]
fn cookies_are_set_to_the_letter() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "window_days": 7 }));
    let visit = || {
        let response = shop.visits("/click?ref_id=1");
        let id = id_in(&location(&response));
        let cookies: Vec<String> = cookies(&response).into_iter().map(str::to_owned).collect();
        (id, cookies)
    };
    let (id, set) = visit();
    assert_eq!(
        set,
        [
            format!("click_id={id}; Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax"),
            format!("click_id_1={id}; Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax"),
        ]
    );
    shop.changes_campaign(json!({ "window_days": 400 }));
    shop.operator.changes("namespaces/demo", json!({ "is_pixels_enabled": true }));
    world.waits_ms(30_001);
    let (id, set) = visit();
    let expected =
        format!("click_id={id}; Path=/; Max-Age=34560000; Secure; HttpOnly; SameSite=None");
    assert_eq!(set[0], expected, "images on other sites carry it, for 400 days");
}

#[test]
fn of_the_campaigns_cookies_twenty_remain_and_the_oldest_goes() {
    let world = World::new();
    let shop = Shop::open(&world);
    let first = shop.clicks(1);
    world.waits_ms(1);
    let later = shop.clicks(1);
    let jar = |campaigns: std::ops::RangeInclusive<u32>, oldest: u32| {
        let cookie = |n: u32| format!("click_id_{n}={}", if n == oldest { &first } else { &later });
        campaigns.map(cookie).collect::<Vec<_>>().join("; ")
    };
    let expired = |cookie: &str| {
        let response = shop.visits_with(Headers { cookie, ..person() }, "/click?ref_id=1");
        let cookies = cookies(&response);
        assert!(cookies.len() >= 2, "{cookies:?}");
        cookies[2..].iter().map(|c| c.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(expired(&jar(2..=20, 7)), [""; 0], "this one is the twentieth");
    assert_eq!(expired(&jar(1..=20, 7)), [""; 0], "this one was among them");
    let gone = expired(&jar(2..=21, 7));
    assert_eq!(gone, ["click_id_7=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"]);
    assert_eq!(
        expired(&format!("{}; click_id={first}", jar(2..=20, 7))),
        [""; 0],
        "the newest's is not one of them"
    );
}

#[test]
fn without_consent_there_is_only_a_number() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.operator.changes(
        "landing-pages/1",
        json!({ "url": "https://shop.example/?k={click_id}&s={sub1}" }),
    );
    for name in ["consent", "cons"] {
        let response = shop.visits(&format!("/click?ref_id=1&sub1=x&{name}=0"));
        assert_eq!(location(&response), "https://shop.example/?k=&s=x");
        assert_eq!(cookies(&response), [""; 0]);
    }
    shop.operator.changes("landing-pages/1", json!({ "url": "https://shop.example/" }));
    world.waits_ms(30_001);
    assert_eq!(shop.follows("ref_id=1&consent=0"), "https://shop.example/");
    shop.edge.settles();
    assert_eq!(shop.count("clicks"), 0);
    let counted = shop.rows(
        "SELECT namespace, hour, ref_id, SUM(clicks) AS n FROM aggregate_clicks GROUP BY 1, 2, 3",
    );
    let hour = crate::support::world::BEGINNING_MS / 3_600_000 * 3_600_000;
    assert_eq!(counted, [json!({ "namespace": "demo", "hour": hour, "ref_id": 1, "n": 3 })]);
    assert!(world.stores.blobs.keys().iter().all(|key| !key.starts_with("clicks/")));
    // The control: consent, or nothing said.
    id_in(&shop.follows("ref_id=1&consent=1"));
    id_in(&shop.follows("ref_id=1"));
}

#[test]
fn a_visitor_who_asks_for_privacy_gets_an_id_and_no_cookie() {
    let world = World::new();
    let shop = Shop::open(&world);
    shop.operator.changes(
        "landing-pages/1",
        json!({ "url": "https://shop.example/?r={referer}&u={user_agent}" }),
    );
    let visitor = Headers { referer: "https://blog.example/", ..person() };
    let response = shop.visits_with(Headers { gpc: "1", ..visitor }, "/click?ref_id=1");
    assert!(location(&response).starts_with("https://shop.example/?r=&u=&click_id="));
    assert_eq!(cookies(&response), [""; 0]);
    let control = shop.visits_with(Headers { gpc: "0", ..visitor }, "/click?ref_id=1");
    assert_eq!(cookies(&control).len(), 2);
    shop.edge.settles();
    let rows =
        shop.rows("SELECT referrer, user_agent, country, uncounted FROM clicks ORDER BY ordinal");
    assert_eq!(
        rows[0],
        json!({ "referrer": null, "user_agent": null, "country": "DE", "uncounted": null })
    );
    assert_eq!(rows[1]["referrer"], "https://blog.example/");
    assert_ne!(rows[1]["user_agent"], Value::Null);
    let dump = format!("{:?}", world.database().rows("SELECT * FROM clicks"));
    assert!(!dump.contains("203.0.113.7"), "the address of a visitor is kept nowhere");
}

#[test]
fn head_answers_with_an_id_that_verifies_and_is_never_stored() {
    let world = World::new();
    let shop = Shop::open(&world);
    let address = format!("{}/click?ref_id=1", shop.host);
    let response = shop.edge.answers(Method::Head, &address, person(), b"");
    let id = id_in(&location(&response));
    let address = format!("{}/click?ref_id=1&consent=0", shop.host);
    shop.edge.answers(Method::Head, &address, person(), b"");
    shop.edge.settles();
    assert_eq!((shop.count("clicks"), shop.count("aggregate_clicks")), (0, 0));
    let body = shop.reports(200, &format!("click_id={id}"));
    assert_eq!((&body["verdict"], &body["affiliate_id"]), (&json!("recorded"), &json!(1)));
}

/// One kind of visit, and what is expected of it.
struct Kind {
    name: &'static str,
    headers: Headers<'static>,
    uncounted: Value,
    cookies: usize,
    flags: Flags,
    status: &'static str,
    warnings: &'static [&'static str],
}

fn kinds() -> Vec<Kind> {
    let (counted, prefetch) = (Flags::COUNTED, Flags::PREFETCH);
    let person = person();
    let kind = |name, headers, uncounted: &str, cookies, flags, status, warnings| Kind {
        name,
        headers,
        uncounted: if uncounted.is_empty() { Value::Null } else { uncounted.into() },
        cookies,
        flags,
        status,
        warnings,
    };
    let uncounted: &[&str] = &["click_was_uncounted"];
    let held: &[&str] = &["click_was_uncounted", "held_for_click"];
    vec![
        kind("a person", person, "", 2, counted, "approved", &[]),
        kind(
            "a prefetch",
            Headers { purpose: "prefetch", ..person },
            "prefetch",
            2,
            prefetch,
            "approved",
            uncounted,
        ),
        kind(
            "a prerender",
            Headers { purpose: "prefetch;prerender", ..person },
            "prefetch",
            2,
            prefetch,
            "approved",
            uncounted,
        ),
        kind(
            "a thumbnail",
            Headers { purpose: "preview", ..person },
            "preview",
            2,
            prefetch,
            "approved",
            uncounted,
        ),
        kind(
            "a messenger",
            Headers { user_agent: WHATSAPP, ..person },
            "preview",
            2,
            prefetch,
            "approved",
            uncounted,
        ),
        kind(
            "a bot",
            Headers { user_agent: GOOGLEBOT, ..person },
            "bot",
            2,
            Flags::SUSPECTED_BOT,
            "hold",
            held,
        ),
        kind(
            "a library",
            Headers { user_agent: "curl/8.5.0", ..person },
            "tool",
            2,
            Flags::default(),
            "approved",
            uncounted,
        ),
        kind(
            "nobody",
            Headers { user_agent: "", ..person },
            "no_user_agent",
            2,
            Flags::default(),
            "approved",
            uncounted,
        ),
        kind(
            "an image",
            Headers { fetch_dest: "image", ..person },
            "",
            0,
            counted.with(Flags::EMBEDDED),
            "hold",
            &["held_for_click"],
        ),
        kind(
            "a frame",
            Headers { fetch_dest: "iframe", ..person },
            "",
            0,
            counted.with(Flags::EMBEDDED),
            "hold",
            &["held_for_click"],
        ),
        kind(
            "a document",
            Headers { fetch_dest: "document", ..person },
            "",
            2,
            counted,
            "approved",
            &[],
        ),
    ]
}

#[test]
fn what_a_visit_was_travels_in_the_id_to_the_conversion() {
    let world = World::new();
    let shop = Shop::open(&world);
    let keyring = Keyring::parse("0:00000000000000000000000000000000").unwrap();
    let keys = keyring.of(&Namespace::parse("demo").unwrap());
    for kind in kinds() {
        let response = shop.visits_with(kind.headers, "/click?ref_id=1");
        let id = id_in(&location(&response));
        assert_eq!(cookies(&response).len(), kind.cookies, "{}", kind.name);
        let read = keys.verify(&id).unwrap();
        assert_eq!(read.flags, kind.flags, "{}", kind.name);
        assert_eq!(
            (read.ref_id, read.time, read.country.unwrap().as_str()),
            (1, world.now(), "DE")
        );
        shop.edge.settles();
        let stored =
            |id: &str| shop.value(&format!("SELECT uncounted FROM clicks WHERE click_id = '{id}'"));
        assert_eq!(stored(&id), kind.uncounted, "{}", kind.name);
        let shown = shop.operator.sees(&format!("clicks/{id}"));
        assert_eq!(shown["counted"], kind.uncounted.is_null(), "{}", kind.name);

        let body = shop.reports(200, &format!("click_id={id}"));
        assert_eq!(
            (&body["verdict"], &body["status"]),
            (&json!("recorded"), &json!(kind.status)),
            "{}",
            kind.name
        );
        let codes: Vec<&str> = body["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w["code"].as_str().unwrap())
            .collect();
        assert_eq!(codes, kind.warnings, "{}", kind.name);
        let shown = shop.operator.sees(&format!("clicks/{id}"));
        assert_eq!(shown["counted"], true, "{} converted, so it counts", kind.name);
    }
}

#[test]
fn a_held_click_is_held_whatever_status_is_sent_and_a_repeat_is_a_repeat() {
    let world = World::new();
    let shop = Shop::open(&world);
    let bot = Headers { user_agent: GOOGLEBOT, ..person() };
    let id = shop.clicks_with(bot, 1);
    let query = format!("click_id={id}&status=approved");
    assert_eq!(shop.reports(200, &query)["status"], "hold");
    let repeat = shop.reports(200, &query);
    assert_eq!(
        (&repeat["verdict"], &repeat["current_status"]),
        (&json!("duplicate"), &json!("hold"))
    );
    let rejected = shop.clicks_with(bot, 1);
    assert_eq!(
        shop.reports(200, &format!("click_id={rejected}&status=rejected"))["status"],
        "rejected"
    );
}

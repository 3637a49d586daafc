//! Visitors of the site script: what is kept of them, and what connectors are told.

use backtrail::domain::time::DAY_MS;
use backtrail::http::request::Method;
use serde_json::{Value, json};

use crate::support::database::Break;
use crate::support::visitor::{ORIGIN, Visitor, open};
use crate::support::world::json_of;
use crate::support::{Shop, World};

fn matching(parameter: &str, model: &str, days: u32) -> Value {
    json!({ "matching": { "parameter": parameter, "model": model, "window_days": days } })
}

fn touches(shop: &Shop<'_>) -> Vec<Value> {
    let sql = "SELECT parameter, value FROM touches ORDER BY at, parameter";
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let pair = |row: &Value| json!([text(row, "parameter"), text(row, "value")]);
    shop.rows(sql).iter().map(pair).collect()
}

#[test]
fn an_arrival_is_kept_with_the_ids_that_platforms_and_connectors_ask_for() {
    let world = World::new();
    let shop = open(&world);
    shop.connects("x", &["{{CLICK_ID}}"], matching("cid", "last", 14));
    let click_id = shop.clicks(1);
    let visitor = Visitor::of(&shop, 1);
    let address = format!("{ORIGIN}/?gclid=G&cid=C&foo=F&click_id={click_id}");
    world.waits_ms(5_000);
    let arrival = json!({ "arrival": address, "arrived_ago": 2_000 });
    let answer = visitor.reports(arrival.clone());
    assert_eq!(
        answer,
        json!({ "received": true, "conversion": null, "is_arrival_kept": true, "pixels": [] })
    );
    let expected = [json!(["", click_id]), json!(["cid", "C"]), json!(["gclid", "G"])];
    assert_eq!(touches(&shop), expected);
    let arrived = world.now().ms() - 2_000;
    assert_eq!(shop.value("SELECT DISTINCT at FROM touches WHERE parameter <> ''"), arrived);
    visitor.reports(arrival);
    assert_eq!(touches(&shop), expected);
}

#[test]
fn a_browser_that_wants_to_stay_unknown_leaves_nothing() {
    let world = World::new();
    let shop = open(&world);
    let named = shop.connects("x", &["{{EMAIL}}"], json!({}));
    let visitor = Visitor { gpc: "1", ..Visitor::of(&shop, 1) };
    let body = json!({
        "event": "Purchase", "arrival": format!("{ORIGIN}/?gclid=G"), "contact": { "email": "jane@example.com" },
        "fbc": "fb.1.5.a", "data": { "value": 5 },
    });
    visitor.reports(body.clone());
    visitor.reports(json!({ "arrival": format!("{ORIGIN}/?gclid=G") }));
    assert_eq!((shop.count("touches"), shop.count("visitors")), (0, 0));
    assert_eq!(shop.states(&named), ["waiting"]);
    assert_eq!(shop.value("SELECT visitor FROM deliveries"), Value::Null);
    assert_eq!(shop.value("SELECT personal FROM deliveries"), Value::Null);
    // The control: without that wish all of it is kept.
    Visitor::of(&shop, 1).reports(body);
    assert_eq!((shop.count("touches"), shop.count("visitors")), (2, 1));
}

#[test]
fn a_visitor_is_named_by_32_digits_or_not_known() {
    let world = World::new();
    let shop = open(&world);
    for name in ["", "0", "ABCDEF0123456789ABCDEF0123456789", &"0".repeat(33), "' OR 1=1 --"] {
        let visitor = Visitor { name: name.into(), ..Visitor::of(&shop, 1) };
        visitor.reports(json!({ "arrival": format!("{ORIGIN}/?gclid=G") }));
        visitor.reports(json!({ "event": "PageView", "arrival": format!("{ORIGIN}/?gclid=G") }));
    }
    assert_eq!(shop.count("touches"), 0);
    // Neither an event nor a visitor is no report.
    let headers = backtrail::http::request::Headers { origin: ORIGIN, ..Default::default() };
    let address = format!("{}/collect", shop.host);
    let refused =
        shop.edge.answers(Method::Post, &address, headers, br#"{"arrival":"https://a.example"}"#);
    assert_eq!(json_of(&refused, 400)["parameter"], "event");
}

#[test]
fn an_event_counts_although_its_arrival_could_not_be_kept_and_that_is_tried_and_reported_again() {
    let world = World::new();
    let shop = open(&world);
    let click_id = shop.clicks(1);
    let visitor = Visitor::of(&shop, 1);
    let arrival = format!("{ORIGIN}/?gclid=G");
    visitor.reports(json!({ "event": "PageView" }));
    world.database().breaks(Break::BeforeCommit, 1);
    let body = json!({ "event": "Lead", "click_id": click_id, "arrival": arrival });
    let answer = visitor.reports(body.clone());
    assert_eq!(
        (&answer["conversion"]["verdict"], &answer["is_arrival_kept"]),
        (&json!("recorded"), &json!(true))
    );
    world.database().execute("DELETE FROM touches");
    world.database().breaks(Break::BeforeCommit, 1);
    json_of(&visitor.sends(json!({ "arrival": arrival })), 503);
    assert_eq!(shop.count("touches"), 0);
    assert_eq!(visitor.reports(body)["is_arrival_kept"], true);
    assert_eq!(shop.count("touches"), 1);
}

#[test]
fn connectors_wait_for_an_arrival_that_could_not_be_kept() {
    let world = World::new();
    let shop = open(&world);
    let fields = json!({ "matching": matching("cid", "last", 14)["matching"],
        "pixel": { "code": "<b>{{CLICK_ID}}</b>" }, "is_pixel_on": true });
    let connector = shop.connects("x", &["{{CLICK_ID}}"], fields);
    let path = format!("connectors/{}/approve", connector["id"]);
    shop.operator.calls(Method::Post, &path, None, 200);
    let visitor = Visitor::of(&shop, 1);
    world.database().execute(
        "CREATE TRIGGER broken BEFORE INSERT ON touches BEGIN SELECT RAISE(ABORT, 'broken'); END",
    );
    let arrival = format!("{ORIGIN}/?cid=theirs");
    // A conversion, and a site event that becomes none.
    for event in ["Lead", "Purchase"] {
        let click_id = shop.clicks(1);
        let body = json!({ "event": event, "click_id": click_id, "arrival": arrival });
        let answer = visitor.reports(body);
        assert_eq!((&answer["is_arrival_kept"], &answer["pixels"]), (&json!(false), &json!([])));
    }
    shop.delivers();
    assert_eq!(shop.states(&connector), ["waiting"; 4], "nothing is decided yet");
    world.database().execute("DROP TRIGGER broken");
    world.waits_ms(60_000);
    let body = json!({ "event": "PageView", "arrival": arrival, "arrived_ago": 60_000 });
    let answer = visitor.reports(body);
    assert_eq!(answer["pixels"].as_array().unwrap().len(), 2);
    world.waits_ms(4 * 60_000);
    shop.delivers();
    assert_eq!(shop.got("x"), ["click_id=theirs"; 2]);
    assert_eq!(shop.states(&connector), ["delivered"; 4]);
}

#[test]
fn who_has_no_connectors_pays_one_batch_for_an_arrival_and_nothing_for_an_event() {
    let world = World::new();
    let shop = open(&world);
    let visitor = Visitor::of(&shop, 1);
    visitor.reports(json!({ "event": "PageView" }));
    let costs = |body: Value| {
        let before = world.database().batches();
        visitor.reports(body);
        world.database().batches() - before
    };
    let contact = json!({ "email": "jane@example.com" });
    assert_eq!(costs(json!({ "event": "PageView", "contact": contact, "fbc": "fb.1.5.a" })), 0);
    assert_eq!(
        costs(json!({ "event": "PageView", "arrival": "https://a.example/?utm_source=x" })),
        0
    );
    assert_eq!(costs(json!({ "event": "PageView", "arrival": "https://a.example/?gclid=x" })), 1);
    assert_eq!(shop.count("visitors"), 0, "no connector wants to know");
}

#[test]
fn two_platforms_are_told_of_what_was_theirs_by_their_models_and_windows() {
    let world = World::new();
    let shop = open(&world);
    let told = ["{{CLICK_ID}}", "{{CLICK_SOURCE}}"];
    let x = json!({ "matching": {
        "parameter": "click_id", "source_parameter": "utm_source", "source_value": "platform_x", "model": "last", "window_days": 14,
    } });
    let last_of_x = shop.connects("x", &told, x);
    let last_of_y = shop.connects("y", &["{{CLICK_ID}}"], matching("sub", "last", 14));
    let any_of_y = shop.connects("anyy", &["{{CLICK_ID}}"], matching("sub", "any", 30));
    let short_of_y = shop.connects("shorty", &["{{CLICK_ID}}"], matching("sub", "any", 1));
    let visitor = Visitor::of(&shop, 1);
    visitor.arrives("sub=Y1&utm_source=mail");
    world.waits_ms(2 * DAY_MS);
    visitor.arrives("click_id=12345&utm_source=platform_x");
    // Neither a direct visit nor one with a source only.
    visitor.reports(
        json!({ "event": "PageView", "arrival": format!("{ORIGIN}/?utm_source=platform_z") }),
    );
    visitor.tracks("Purchase", json!({ "value": 15 }));
    shop.delivers();
    assert_eq!(shop.got("x"), ["click_id=12345&click_source=platform_x"]);
    assert_eq!(shop.states(&last_of_x), ["delivered"]);
    assert_eq!(shop.states(&last_of_y), ["no_click_match"]);
    assert_eq!(shop.states(&short_of_y), ["no_click_match"]);
    assert_eq!(shop.got("anyy"), ["click_id=Y1"]);
    assert_eq!(shop.states(&any_of_y), ["delivered"]);
    // Y's platform sends the visitor again: now it is the last, and X's window is over.
    world.waits_ms(15 * DAY_MS);
    visitor.arrives("sub=Y2");
    world.waits_ms(1);
    visitor.tracks("Purchase", json!({ "value": 15 }));
    shop.delivers();
    assert_eq!(shop.states(&last_of_x), ["delivered", "no_click_match"]);
    assert_eq!(shop.got("y"), ["click_id=Y2"]);
    assert_eq!(shop.got("anyy"), ["click_id=Y1", "click_id=Y2"]);
    assert_eq!(shop.got("shorty"), ["click_id=Y2"]);
    // Another visitor has nothing to do with it.
    Visitor::of(&shop, 2).tracks("Purchase", json!({}));
    shop.delivers();
    assert_eq!(shop.states(&any_of_y).last().unwrap(), "no_click_match");
    // Nor does Backtrail's own click, that comes last, leave the last to the others.
    let click_id = shop.clicks(1);
    visitor.arrives(&format!("click_id={click_id}"));
    visitor.tracks("Purchase", json!({}));
    shop.delivers();
    assert_eq!(shop.states(&last_of_y).last().unwrap(), "no_click_match");
    assert_eq!(shop.states(&any_of_y).last().unwrap(), "delivered");
}

#[test]
fn what_a_server_reports_is_told_with_what_its_visitors_browser_had_said() {
    let world = World::new();
    let shop = open(&world);
    let network = shop.connects(
        "network",
        &["{{CLICK_ID}}", "{{GCLID}}", "{{FBC}}", "{{EMAIL}}", "{{FIRST_NAME}}", "{{VALUE}}"],
        matching("cid", "any", 14),
    );
    let click_id = shop.clicks(1);
    let visitor = Visitor::of(&shop, 1);
    visitor.arrives(&format!("click_id={click_id}&cid=theirs&gclid=G"));
    let contact = json!({ "email": "jane@example.com", "firstName": "Jane", "iban": "DE00" });
    visitor.reports(json!({ "contact": contact, "arrival": format!("{ORIGIN}/?fbclid=F") }));
    let arrived = shop.value("SELECT at FROM touches WHERE parameter = 'fbclid'");
    assert_eq!(shop.rows("SELECT contact FROM visitors").len(), 1);
    assert!(!shop.value("SELECT contact FROM visitors").as_str().unwrap().contains("DE00"));
    world.waits_ms(1);
    shop.reports(200, &format!("click_id={click_id}&order_id=A&amount=15.00"));
    shop.delivers();
    let expected = format!(
        "click_id=theirs&gclid=G&fbc=fb.1.{arrived}.F&email=jane@example.com&first_name=Jane&value=15.00"
    );
    assert_eq!(shop.got("network"), [expected]);
    assert_eq!(shop.states(&network), ["delivered"]);
}

#[test]
fn a_value_comes_from_the_event_then_from_what_was_set_then_from_the_touch() {
    let world = World::new();
    let shop = open(&world);
    shop.connects("x", &["{{EMAIL}}", "{{GCLID}}", "{{FBC}}", "{{CITY}}"], json!({}));
    let visitor = Visitor::of(&shop, 1);
    visitor.arrives("gclid=touched&fbclid=touched");
    let contact = json!({ "email": "set@example.com", "city": "Bonn" });
    visitor.reports(json!({
        "event": "Purchase", "contact": contact, "fbc": "fb.1.5.cookie", "data": { "email": "event@example.com" },
    }));
    shop.delivers();
    // Later, from another page that sets nothing.
    visitor.tracks("Purchase", json!({ "gclid": "event" }));
    shop.delivers();
    assert_eq!(
        shop.got("x")
            .iter()
            .map(|query| query.replace(&world.now().ms().to_string(), "NOW"))
            .collect::<Vec<_>>(),
        [
            "email=event@example.com&gclid=touched&fbc=fb.1.5.cookie&city=Bonn",
            "email=set@example.com&gclid=event&fbc=fb.1.NOW.touched&city=Bonn",
        ]
    );
}

#[test]
fn nothing_is_sent_while_the_ledger_does_not_tell_whose_click_it_was() {
    // Whichever of the sender's batches fails: what is due, what it claims, whose click it was.
    let mut has_waited = false;
    for well in 0..8 {
        let world = World::new();
        let shop = open(&world);
        let connector = shop.connects("x", &["{{CLICK_ID}}"], matching("cid", "last", 14));
        let visitor = Visitor::of(&shop, 1);
        visitor.arrives("cid=C");
        visitor.tracks("Purchase", json!({}));
        world.database().breaks_after(Break::BeforeCommit, well);
        let run = shop.delivers();
        has_waited |= run.claimed == 1 && shop.got("x").is_empty();
        world.database().mends();
        let state = shop.states(&connector).remove(0);
        assert!(["waiting", "delivered"].contains(&state.as_str()), "{well}: {state}");
        world.waits_ms(120_000);
        shop.delivers();
        assert_eq!(shop.states(&connector), ["delivered"], "{well}");
        assert_eq!(shop.got("x")[0], "click_id=C");
    }
    assert!(has_waited, "what was claimed was sent every time");
}

#[test]
fn an_erased_persons_visitor_is_forgotten_and_comes_back_by_no_later_report() {
    let world = World::new();
    let shop = open(&world);
    shop.connects("x", &["{{EMAIL}}"], json!({}));
    let [jane, bob] = [shop.clicks(1), shop.clicks(2)];
    let report = |number: u8, click_id: &str, email: &str| {
        let arrival = format!("{ORIGIN}/?click_id={click_id}&gclid={email}");
        let contact = json!({ "email": email });
        Visitor::of(&shop, number)
            .reports(json!({ "click_id": click_id, "arrival": arrival, "contact": contact }));
    };
    report(1, &jane, "jane");
    report(2, &bob, "bob");
    // A browser that knew the click before there was anything to keep of it.
    Visitor::of(&shop, 3).reports(json!({ "click_id": jane, "contact": { "email": "jane" } }));
    assert_eq!((shop.count("touches"), shop.count("visitors")), (5, 3));
    shop.edge.settles();
    for _ in 0..9 {
        shop.operator.calls(Method::Delete, &format!("persons?click_id={jane}"), None, 200);
    }
    assert_eq!(touches(&shop), [json!(["", bob]), json!(["gclid", "bob"])]);
    assert_eq!(shop.value("SELECT contact FROM visitors"), r#"{"EMAIL":"bob"}"#);
    report(1, &jane, "jane");
    Visitor::of(&shop, 3).reports(json!({ "click_id": jane, "contact": { "email": "jane" } }));
    assert_eq!((shop.count("touches"), shop.count("visitors")), (2, 1));
}

#[test]
fn the_document_names_every_field_of_a_report_and_of_its_answer() {
    let document = include_str!("../../docs/tracking-pages.md");
    let frame: Value =
        serde_json::from_str(include_str!("../../src/http/openapi/frame.json")).unwrap();
    for schema in ["SiteEvent", "Receipt", "FiredPixel"] {
        let fields = &frame["components"]["schemas"][schema]["properties"];
        for field in fields.as_object().unwrap().keys().filter(|field| *field != "received") {
            assert!(document.contains(&format!("`{field}`")), "{field}");
        }
    }
    let script = include_str!("../../src/http/tracker.js");
    let (_, commands) = script.split_once("const commands = {").unwrap();
    for command in ["track", "set", "consent"] {
        assert!(commands.contains(&format!("    {command}: ")), "{command}");
        assert!(document.contains(&format!("`backtrail('{command}'")), "{command}");
    }
}

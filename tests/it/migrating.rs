//! `docs/migrating.md` says what the code does: each JSON block is a shop, each row of the table
//! behind it a request and its answer; and the tables of names are the code's own.

use std::collections::BTreeSet;

use backtrail::domain::click_parameters;
use backtrail::domain::parameters::canonical_name;
use backtrail::domain::template::Macro;
use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Get, Patch, Post};
use backtrail::http::response::{Body, Response};
use serde_json::{Value, json};

use crate::support::shop::{CHROME, TOKEN, person, server, text};
use crate::support::{Shop, World};

const DOCUMENT: &str = include_str!("../../docs/migrating.md");
const DOCUMENTED: &str = include_str!("../fixtures/documented.json");

/// The rows of the first table of a text, as cells; the head is the first.
fn table(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| !line.starts_with('|'));
    // No cell has a line within it, and each has one on either side.
    let cells = |line: &str| {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = lines.take_while(|line| line.starts_with('|')).map(cells);
    rows.enumerate().filter(|(place, _)| *place != 1).map(|(_, row)| row).collect()
}

/// The rows of every table whose head begins with these two cells.
fn tables(document: &str, head: [&str; 2]) -> Vec<Vec<String>> {
    let start = format!("| {} | {} |", head[0], head[1]);
    let places = document.match_indices(&start).map(|(at, _)| at);
    places.flat_map(|at| table(&document[at..]).into_iter().skip(1)).collect()
}

/// What stands between backticks in a cell.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or_else(|| panic!("no code in {cell}"))
}

/// The shop of an example.
fn open<'w>(world: &'w World, setup: &Value) -> Shop<'w> {
    let known = ["campaign", "events", "payouts", "rates", "coupons", "namespace"];
    let object = setup.as_object().unwrap();
    assert!(object.keys().all(|name| known.contains(&name.as_str())), "{setup}");
    let shop = Shop::with(world, object.get("campaign").cloned().unwrap_or(json!({})));
    for resource in ["events", "payouts", "rates", "coupons"] {
        for part in setup[resource].as_array().into_iter().flatten() {
            let mut part = part.clone();
            if resource != "rates" {
                part["campaign_id"] = 1.into();
            }
            shop.operator.creates(resource, part);
        }
    }
    if let Some(namespace) = object.get("namespace") {
        shop.operator.changes("namespaces/demo", namespace.clone());
    }
    world.waits_ms(30_001);
    shop
}

/// A response as the document writes it: the status, and a verdict or the reason of a refusal.
fn in_words(response: &Response) -> String {
    if response.status == 302 {
        return "302".to_owned();
    }
    let Body::Text(body) = &response.body else { return format!("{response:?}") };
    let Ok(body) = serde_json::from_str::<Value>(body) else { return format!("{response:?}") };
    let word = body["reason"].as_str().or_else(|| body["verdict"].as_str()).unwrap();
    format!("{} {word}", response.status)
}

/// Sends a row's request, and says where its answer is another.
fn difference(
    shop: &Shop<'_>,
    ids: &[String; 2],
    head: &[String],
    row: &[String],
) -> Option<String> {
    let cell = |name: &str| {
        let place = head.iter().position(|column| column == name)?;
        row.get(place).map(String::as_str).filter(|cell| !cell.is_empty())
    };
    let request = code(cell("request")?);
    let filled =
        request.replace("CLICK-A", &ids[0]).replace("CLICK-B", &ids[1]).replace("TOKEN", TOKEN);
    let is_visitor = request.starts_with("/click") || request.starts_with("/?offer");
    let response = shop.visits_with(if is_visitor { person() } else { server() }, &filled);
    shop.world().waits_ms(1);
    let expected = code(cell("answer")?);
    if in_words(&response) != expected {
        return Some(format!("{request} is {response:?}, not {expected}"));
    }
    if let Some(payout) = cell("payout") {
        let body: Value = serde_json::from_str(text(&response)).unwrap();
        if body["payout"]["amount"] != payout {
            return Some(format!("{request} pays {}, not {payout}", body["payout"]));
        }
    }
    if let Some(location) = cell("location") {
        let found = response.header("location");
        if found != Some(code(location)) {
            return Some(format!("{request} leads to {found:?}, not {location}"));
        }
    }
    None
}

/// How many requests were sent, and what is wrong with them.
fn run(document: &str) -> (usize, Vec<String>) {
    let (mut sent, mut wrong) = (0, Vec::new());
    for block in document.split("```json\n").skip(1) {
        let (setup, rest) = block.split_once("\n```\n").unwrap();
        let world = World::new();
        let setup = serde_json::from_str(setup).unwrap_or_else(|error| panic!("{error}: {setup}"));
        let shop = open(&world, &setup);
        let ids = [shop.clicks(1), shop.clicks(2)];
        let rows = table(rest);
        assert_eq!(rows[0][..2], ["request", "answer"], "{setup}");
        for row in &rows[1..] {
            sent += 1;
            wrong.extend(difference(&shop, &ids, &rows[0], row));
        }
    }
    (sent, wrong)
}

#[test]
fn every_request_of_the_document_is_answered_as_it_says() {
    let (sent, wrong) = run(DOCUMENT);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(sent >= 30, "only {sent} requests were found");
    // No table of requests stands without the shop that it is about.
    assert_eq!(DOCUMENT.matches("| request |").count(), DOCUMENT.matches("```json\n").count());
}

#[test]
fn an_answer_that_is_another_is_noticed() {
    for (so, not_so) in [
        ("| `404 unknown_click` | | a click_id of", "| `200 recorded` | | a click_id of"),
        ("| `401 bad_token` | | no rejection", "| `200 updated` | | no rejection"),
        ("| `200 duplicate` | 12.00 |", "| `200 recorded` | 12.00 |"),
        ("| `200 recorded` | 8.80 |", "| `200 recorded` | 8.00 |"),
        ("\"payout_percent\": \"8\"", "\"payout_percent\": \"9\""),
        ("campaign_id=4711&ref_id=815` | unknown", "campaign_id=4711&ref_id=816` | unknown"),
    ] {
        assert!(DOCUMENT.contains(so), "{so}");
        assert!(!run(&DOCUMENT.replacen(so, not_so, 1)).1.is_empty(), "{not_so}");
    }
}

/// What is wrong with the tables of names.
fn complaints(document: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut told = BTreeSet::new();
    for product in ["Tracknow", "Integr8"] {
        for row in tables(document, [product, "Backtrail"]) {
            // The tables of words have none.
            if !row[0].starts_with('`') || row.len() < 3 {
                continue;
            }
            let (theirs, ours) = (code(&row[0]), code(&row[1]));
            told.insert(theirs.to_owned());
            if canonical_name(theirs) != canonical_name(ours) || canonical_name(ours).is_none() {
                wrong.push(format!("{theirs} of a postback is not {ours}"));
            }
        }
    }
    let documented: Value = serde_json::from_str(DOCUMENTED).unwrap();
    for product in ["tracknow", "integr8"] {
        for name in documented[product]["postback"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            let one =
                if name.starts_with("custom") && name != "customer_id" { "custom1" } else { name };
            if !told.contains(one) {
                wrong.push(format!("{name} of {product} is not in the tables"));
            }
        }
    }
    for row in tables(document, ["theirs", "Backtrail"]) {
        let [theirs, ours] = [code(&row[0]), code(&row[1])].map(|name| format!("{name}=5"));
        let [read, wanted] = [&theirs, &ours].map(|query| click_parameters::parse(query));
        if read != wanted || !wanted.extra.is_empty() {
            wrong.push(format!("{theirs} of a click is not {ours}"));
        }
    }
    for row in tables(document, ["their macro", "Backtrail's"]) {
        let named = |cell: &str| Macro::named(code(cell).trim_matches(['{', '}']));
        let expected = if row[1] == "none" { None } else { named(&row[1]) };
        if named(&row[0]) != expected || (row[1] != "none" && expected.is_none()) {
            wrong.push(format!("{} is not {}", row[0], row[1]));
        }
        if row[1] == "none" && row[2].contains('`') && named(&row[2]).is_none() {
            wrong.push(format!("{} does not exist either", row[2]));
        }
    }
    wrong
}

#[test]
fn the_tables_of_names_are_the_codes() {
    assert_eq!(complaints(DOCUMENT), [""; 0]);
    assert!(tables(DOCUMENT, ["their macro", "Backtrail's"]).len() > 10);
    assert!(tables(DOCUMENT, ["theirs", "Backtrail"]).len() > 8);
    for (so, not_so) in [
        ("| `purchase_value` | `amount` |", "| `purchase_value` | `payout` |"),
        ("| `commission` | `commission` | |\n", ""),
        ("| `sub_id_6` | `sub6` |", "| `sub_id_6` | `sub5` |"),
        ("| `{aid}` | `{advertiser_id}` |", "| `{aid}` | `{affiliate_id}` |"),
        ("| `{geo_city}` | none |", "| `{country}` | none |"),
    ] {
        assert!(DOCUMENT.contains(so), "{so}");
        assert!(!complaints(&DOCUMENT.replacen(so, not_so, 1)).is_empty(), "{not_so}");
    }
}

#[test]
fn what_the_document_says_of_settings_is_so() {
    let world = World::new();
    let shop = Shop::open(&world);
    let operator = &shop.operator;
    // Windows.
    assert!(DOCUMENT.contains("`window_days` of the campaign, 1 to 400"));
    operator.changes("campaigns/1", json!({ "window_days": 400 }));
    operator.is_told(
        Patch,
        "campaigns/1",
        json!({ "window_days": 401 }),
        &["window_days: invalid"],
    );
    let id = shop.clicks(1);
    world.waits_ms(399 * 86_400_000);
    assert_eq!(shop.reports(200, &format!("click_id={id}"))["verdict"], "recorded");
    // A token that is brought along.
    assert!(DOCUMENT.contains("A token that has 32 to 200 letters"));
    let brought = "0123456789abcdef-Integr8_old.token~";
    let token = |text: &str| json!({ "level": "campaign", "level_id": 1, "token": text });
    operator.creates("tokens", token(brought));
    operator.is_told(Post, "tokens", token("short"), &["token: invalid"]);
    world.waits_ms(30_001);
    let query = format!("transaction_id={id}&secure={brought}");
    assert!(text(&shop.asks(&query)).contains("duplicate"));
    // Templates, and what is said of an unknown macro.
    let page = |url: &str| json!({ "campaign_id": 1, "name": "x", "url": url });
    let unknown = page("https://shop.example/?c={geo_country}");
    let told = operator.is_told(Post, "landing-pages", unknown, &["url: unknown_macro"]);
    assert!(told["errors"][0]["message"].as_str().unwrap().contains("the nearest is"), "{told}");
    // Old numbers of affiliates.
    operator.changes("affiliates/2", json!({ "custom_id": "tracknow-77" }));
    assert_eq!(operator.lists("affiliates?custom_id=tracknow-77")[0]["id"], 2);
    // Many links at once.
    let links: Vec<Value> =
        (0..3).map(|_| json!({ "campaign_id": 1, "affiliate_id": 1 })).collect();
    let made = operator.calls(Post, "links", Some(json!({ "links": links })), 201);
    assert!(made["data"].as_array().is_some_and(|made| made.len() == 3), "{made}");
    assert!(made["data"][0]["click_url"].as_str().unwrap().contains("/click?"), "{made}");
    // Where to look.
    assert_eq!(operator.lists("inbox?verdict=rejected").len(), 0);
    operator.calls(Get, &format!("explain?click_id={id}"), None, 200);
}

#[test]
fn what_the_document_says_of_clicks_that_are_none_is_so() {
    let world = World::new();
    let shop = Shop::open(&world);
    let of = |headers: Headers<'_>| shop.clicks_with(headers, 1);
    let prefetched = of(Headers { purpose: "prefetch", ..person() });
    let bot = of(Headers { user_agent: "Mozilla/5.0 (compatible; Googlebot/2.1)", ..person() });
    let seen = of(Headers { user_agent: CHROME, ..person() });
    shop.edge.settles();
    let counted = |id: &str| shop.operator.sees(&format!("clicks/{id}"))["counted"].clone();
    assert_eq!(
        [&prefetched, &bot, &seen].map(|id| counted(id)),
        [false, false, true].map(Value::from)
    );
    assert_eq!(shop.reports(200, &format!("click_id={prefetched}"))["status"], "approved");
    assert_eq!(counted(&prefetched), true);
    assert_eq!(shop.reports(200, &format!("click_id={bot}"))["status"], "hold");
    // What only a token may do, from an allowed address.
    shop.changes_campaign(json!({ "authentication": "none", "ip_allow": ["198.51.100.0/24"] }));
    let response = shop.asks(&format!("click_id={seen}&conversion_rate=2&revenue=9&payout=9"));
    let body: Value = serde_json::from_str(text(&response)).unwrap();
    let codes: Vec<&Value> =
        body["warnings"].as_array().unwrap().iter().map(|warning| &warning["code"]).collect();
    assert_eq!(codes, ["payout_not_allowed"; 3]);
    assert_eq!(body["payout"]["amount"], "5.00");
}

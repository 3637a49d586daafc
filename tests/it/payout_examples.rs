//! The examples of `docs/payouts.md`: each JSON block is a shop, each row of the table behind it a
//! postback and what becomes of it.

use backtrail::app::catalog::resources::{COUPONS, CUSTOMERS, PAYOUTS, RATES};
use backtrail::http::request::Headers;
use serde_json::{Value, json};

use crate::support::shop::{TOKEN, person, text};
use crate::support::{Shop, World};

const DOCUMENT: &str = include_str!("../../docs/payouts.md");

/// A JSON block, and the rows of the table behind it as pairs of column and cell.
struct Example {
    setup: Value,
    rows: Vec<Vec<(String, String)>>,
}

fn examples(document: &str) -> Vec<Example> {
    let blocks = document.split("```json\n").skip(1);
    blocks.map(|block| example(block.split_once("\n```\n").unwrap())).collect()
}

fn example((setup, rest): (&str, &str)) -> Example {
    let table: Vec<Vec<String>> = rest
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        })
        .collect();
    let row = |cells: &Vec<String>| {
        let pairs = table[0].iter().cloned().zip(cells.iter().cloned());
        pairs.filter(|(_, cell)| !cell.is_empty() && cell != "|").collect()
    };
    Example {
        setup: serde_json::from_str(setup).unwrap_or_else(|error| panic!("{error}: {setup}")),
        rows: table[2..].iter().map(row).collect(),
    }
}

/// The shop of an example.
fn open<'w>(world: &'w World, setup: &Value) -> Shop<'w> {
    let known = ["campaign", "payouts", "rates", "coupons", "customers"];
    let object = setup.as_object().unwrap();
    assert!(object.keys().all(|name| known.contains(&name.as_str())), "{setup}");
    let shop = Shop::with(world, object.get("campaign").cloned().unwrap_or(json!({})));
    for path in ["payouts", "coupons", "customers"] {
        for object in setup[path].as_array().into_iter().flatten() {
            let mut object = object.clone();
            object["campaign_id"] = 1.into();
            shop.operator.creates(path, object);
        }
    }
    for rate in setup["rates"].as_array().into_iter().flatten() {
        shop.operator.creates("rates", rate.clone());
    }
    world.waits_ms(30_001);
    shop
}

/// Sends a row's postback, and says where its answer is another.
fn difference(shop: &Shop<'_>, row: &[(String, String)]) -> Option<String> {
    let cell = |name: &str| row.iter().find(|(column, _)| column == name).map(|(_, c)| c.as_str());
    let link = cell("affiliate").map_or(Some(1), |number| number.parse().ok());
    let country = cell("country").unwrap_or("DE");
    let click = |link| shop.clicks_with(Headers { country, ..person() }, link);
    let who = link.map_or("campaign_id=1".to_owned(), |link| format!("click_id={}", click(link)));
    let query = cell("postback").unwrap().trim_matches('`');
    let answer = shop.asks(&format!("{who}&token={TOKEN}&{query}"));
    let body: Value = serde_json::from_str(text(&answer)).unwrap();
    if answer.status != 200 {
        let refused = format!("`{} {}`", answer.status, body["reason"].as_str().unwrap());
        let is_told = row.iter().any(|(_, cell)| *cell == refused);
        return (!is_told).then(|| format!("{query} is {body}"));
    }
    let id = body["conversion_id"].as_str().unwrap();
    let stored = shop.operator.sees(&format!("conversions/{id}"));
    let because = stored["explanation"]["payout"].as_str().unwrap();
    row.iter().find_map(|(column, expected)| {
        let (found, is_equal) = match column.as_str() {
            "affiliate" | "country" | "postback" | "" => return None,
            "revenue" | "payout" => {
                let found = &body[column]["amount"];
                (found.clone(), found == expected)
            }
            "credited" => {
                let found = &body["affiliate_id"];
                (found.clone(), found.as_u64() == expected.parse().ok())
            }
            "status" => (body["status"].clone(), body["status"] == *expected),
            "rate" => (stored["exchange_rate"].clone(), stored["exchange_rate"] == *expected),
            "because" => (because.into(), because.contains(expected)),
            other => return Some(format!("there is no column {other}")),
        };
        (!is_equal).then(|| format!("{query}: {column} is {found}, not {expected}"))
    })
}

/// How many rows were sent, and what is wrong with them.
fn run(document: &str) -> (usize, Vec<String>) {
    let (mut sent, mut wrong) = (0, Vec::new());
    for example in examples(document) {
        let world = World::new();
        let shop = open(&world, &example.setup);
        assert!(!example.rows.is_empty(), "{}", example.setup);
        for row in &example.rows {
            sent += 1;
            // An order counts once; every row is a sale of its own.
            world.database().execute("DELETE FROM conversions");
            wrong.extend(difference(&shop, row));
        }
    }
    (sent, wrong)
}

#[test]
fn every_example_of_the_document_is_so() {
    let (sent, wrong) = run(DOCUMENT);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(sent >= 30, "only {sent} rows were found");
}

#[test]
fn an_example_that_is_not_so_is_noticed() {
    for (so, not_so) in [
        ("| 9.98 | 7.24 |", "| 9.98 | 7.23 |"),
        ("| 3.00 | payout rule 2", "| 3.00 | payout rule 1"),
        ("| 12.00 | pending |", "| 12.00 | approved |"),
        ("| 120.00 | 12.00 | 1.2 |", "| 120.00 | 12.00 | 1.15 |"),
        ("`422 no_exchange_rate` | | |", "`422 capped` | | |"),
        ("| postback | payout | rate |", "| postback | payment | rate |"),
        ("`coupon=VIP&order_id=A&amount=80` | 2 |", "`coupon=VIP&order_id=A&amount=80` | 1 |"),
    ] {
        assert!(DOCUMENT.contains(so), "{so}");
        assert!(!run(&DOCUMENT.replacen(so, not_so, 1)).1.is_empty(), "{not_so}");
    }
}

#[test]
fn every_field_of_rules_and_rates_is_explained() {
    for field in PAYOUTS.fields {
        assert!(DOCUMENT.contains(&format!("`{}`", field.name)), "{}", field.name);
    }
    for field in COUPONS.fields.iter().chain(CUSTOMERS.fields) {
        assert!(DOCUMENT.contains(&format!("`{}`", field.name)), "{}", field.name);
    }
    for field in RATES.fields.iter().filter(|field| field.name.contains('_')) {
        assert!(DOCUMENT.contains(&format!("`{}`", field.name)), "{}", field.name);
    }
}

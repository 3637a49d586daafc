//! Postbacks as data: every file of `tests/fixtures/postbacks/` is run; its README says how to
//! write one.

use backtrail::http::request::{Headers, Method};
use serde::Deserialize;
use serde_json::Value;

use crate::support::shop::{SERVER, TOKEN, server, text};
use crate::support::{Shop, World};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    about: String,
    #[serde(default)]
    campaign: serde_json::Map<String, Value>,
    #[serde(default)]
    events: Vec<Value>,
    #[serde(default)]
    payouts: Vec<serde_json::Map<String, Value>>,
    #[serde(default)]
    rates: Vec<Value>,
    #[serde(default)]
    coupons: Vec<serde_json::Map<String, Value>>,
    #[serde(default)]
    customers: Vec<serde_json::Map<String, Value>>,
    clicks: Option<usize>,
    requests: Vec<Ask>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    about: String,
    method: Option<String>,
    url: String,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    body: String,
    ip: Option<String>,
    status: u16,
    answer: Value,
    warnings: Option<Vec<String>>,
}

/// Where an answer differs from what is expected of it.
fn difference(expected: &Value, found: &Value, at: &str) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().find_map(|(name, value)| {
                let at = format!("{at}.{name}");
                match found.get(name) {
                    Some(found) => difference(value, found, &at),
                    None => Some(format!("{at} is missing")),
                }
            })
        }
        _ if expected == found => None,
        _ => Some(format!("{at} is {found}, not {expected}")),
    }
}

/// Runs a fixture, and says what is wrong.
fn run(fixture: &Fixture) -> Result<(), String> {
    let world = World::new();
    let shop = Shop::with(&world, Value::Object(fixture.campaign.clone()));
    for event in &fixture.events {
        let mut event = event.clone();
        event["campaign_id"] = 1.into();
        shop.operator.creates("events", event);
    }
    for (path, objects) in [
        ("payouts", &fixture.payouts),
        ("coupons", &fixture.coupons),
        ("customers", &fixture.customers),
    ] {
        for object in objects {
            let mut object = object.clone();
            object.insert("campaign_id".to_owned(), 1.into());
            shop.operator.creates(path, Value::Object(object));
        }
    }
    for rate in &fixture.rates {
        shop.operator.creates("rates", rate.clone());
    }
    world.waits_ms(30_001);
    let clicks: Vec<String> = (0..fixture.clicks.unwrap_or(1)).map(|_| shop.clicks(1)).collect();
    let fill = |text: &str| {
        clicks.iter().enumerate().fold(text.replace("{token}", TOKEN), |text, (index, id)| {
            text.replace(&format!("{{click_{}}}", index + 1), id)
        })
    };
    for ask in &fixture.requests {
        let headers = Headers {
            client_ip: ask.ip.as_deref().unwrap_or(SERVER),
            content_type: &ask.content_type,
            ..server()
        };
        let method = Method::parse(ask.method.as_deref().unwrap_or("GET"));
        let address = format!("{}{}", shop.host, fill(&ask.url));
        let response = shop.edge.answers(method, &address, headers, fill(&ask.body).as_bytes());
        let body = text(&response);
        let wrong = |what: String| Err(format!("{}: {what}\n{body}", ask.about));
        if response.status != ask.status {
            return wrong(format!("the status is {}, not {}", response.status, ask.status));
        }
        if let Value::String(whole) = &ask.answer {
            if whole != body {
                return wrong("the text is another".into());
            }
            continue;
        }
        let found: Value =
            serde_json::from_str(body).map_err(|error| format!("{}: {error}", ask.about))?;
        if let Some(what) = difference(&ask.answer, &found, "answer") {
            return wrong(what);
        }
        let codes: Vec<&str> = found["warnings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|w| w["code"].as_str())
            .collect();
        if ask.warnings.as_ref().is_some_and(|expected| *expected != codes) {
            return wrong(format!("the warnings are {codes:?}"));
        }
        world.waits_ms(1);
    }
    Ok(())
}

#[test]
fn every_fixture_is_answered_as_it_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/postbacks");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        match serde_json::from_str::<Fixture>(&text) {
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok(fixture) => wrong.extend(
                run(&fixture).err().map(|what| format!("{name} ({}): {what}", fixture.about)),
            ),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

#[test]
fn a_fixture_that_expects_something_else_fails() {
    let fixture = |answer: &str| -> Fixture {
        let text = format!(
            r#"{{"about":"x","requests":[{{"about":"y","url":"/postback?click_id={{click_1}}&token={{token}}","status":200,"answer":{answer}}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(run(&fixture(r#"{"verdict":"recorded","payout":{"amount":"5.00"}}"#)), Ok(()));
    for other in [
        r#"{"verdict":"duplicate"}"#,
        r#"{"payout":{"amount":"5"}}"#,
        r#"{"nothing":null}"#,
        r#""recorded\n""#,
    ] {
        assert!(run(&fixture(other)).is_err(), "{other}");
    }
}

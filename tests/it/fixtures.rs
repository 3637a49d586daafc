//! Postbacks as data: every file of `tests/fixtures/postbacks/` is run; its README says how to
//! write one.

use std::path::PathBuf;

use backtrail::http::request::{Headers, Method};
use backtrail::http::response::Response;
use serde::Deserialize;
use serde_json::Value;

use crate::support::shop::{SERVER, TOKEN, person, server, text};
use crate::support::{Shop, World};

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    about: String,
    /// The template of the landing page, where it matters.
    pub landing_page: Option<String>,
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
    /// What is asked, in order.
    pub requests: Vec<Ask>,
}

/// One request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    about: String,
    method: Option<String>,
    /// Path and query on the tracking host.
    #[serde(default)]
    pub url: String,
    /// Method and path of a call of the API instead, such as `POST events`.
    #[serde(default)]
    pub api: String,
    /// The body of that call.
    send: Option<Value>,
    #[serde(default)]
    content_type: String,
    /// The body.
    #[serde(default)]
    pub body: String,
    ip: Option<String>,
    /// Whether a person's browser asks, not the advertiser's server.
    #[serde(default)]
    is_visitor: bool,
    #[serde(default)]
    referer: String,
    status: u16,
    #[serde(default)]
    answer: Value,
    location: Option<String>,
    warnings: Option<Vec<String>>,
    /// Which entries of `documented.json` it shows.
    #[serde(default)]
    pub shows: Vec<String>,
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
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let pairs = expected.iter().zip(found).enumerate();
            pairs.into_iter().find_map(|(place, (expected, found))| {
                difference(expected, found, &format!("{at}.{place}"))
            })
        }
        _ if expected == found => None,
        _ => Some(format!("{at} is {found}, not {expected}")),
    }
}

/// The click_id at the place of `{new_click}` in the pattern of an address; `None` where the
/// address is another. `{any}` stands for anything.
fn new_click(pattern: &str, location: &str) -> Option<String> {
    let (mut pattern, mut rest, mut found) = (pattern, location, String::new());
    while let Some(brace) = pattern.find('{') {
        rest = rest.strip_prefix(&pattern[..brace])?;
        let (name, behind) = pattern[brace + 1..].split_once('}')?;
        let literal = &behind[..behind.find('{').unwrap_or(behind.len())];
        let end = if literal.is_empty() { rest.len() } else { rest.find(literal)? };
        if name == "new_click" {
            found = rest[..end].to_owned();
        }
        (pattern, rest) = (behind, &rest[end..]);
    }
    (pattern == rest && (found.len() == 48 || found.is_empty())).then_some(found)
}

/// Sends a request.
fn send(shop: &Shop<'_>, ask: &Ask, fill: impl Fn(&str) -> String) -> Response {
    if let Some((method, path)) = ask.api.split_once(' ') {
        // Clicks are written behind their redirects.
        shop.edge.settles();
        let send = ask.send.as_ref().map(|send| serde_json::from_str(&fill(&send.to_string())));
        let sent =
            shop.operator.sends(Method::parse(method), &fill(path), send.map(Result::unwrap), "");
        // What an operator changes is in force everywhere half a minute later.
        shop.world().waits_ms(30_001);
        return sent;
    }
    let caller = if ask.is_visitor { person() } else { server() };
    let own = if ask.is_visitor { caller.client_ip } else { SERVER };
    let headers = Headers {
        client_ip: ask.ip.as_deref().unwrap_or(own),
        content_type: &ask.content_type,
        referer: &ask.referer,
        ..caller
    };
    let method = Method::parse(ask.method.as_deref().unwrap_or("GET"));
    let address = format!("{}{}", shop.host, fill(&ask.url));
    shop.edge.answers(method, &address, headers, fill(&ask.body).as_bytes())
}

/// Where a response is another than the one that is expected.
fn differs(ask: &Ask, response: &Response, fill: impl Fn(&str) -> String) -> Option<String> {
    if response.status != ask.status {
        return Some(format!("the status is {}, not {}", response.status, ask.status));
    }
    let body = match &ask.answer {
        Value::Null => return None,
        Value::String(whole) => {
            return (fill(whole) != text(response)).then(|| "the text is another".into());
        }
        _ => text(response),
    };
    let expected: Value = serde_json::from_str(&fill(&ask.answer.to_string())).unwrap();
    let found: Value = match serde_json::from_str(body) {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    if let Some(what) = difference(&expected, &found, "answer") {
        return Some(what);
    }
    let codes: Vec<&str> = found["warnings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|w| w["code"].as_str())
        .collect();
    let is_another = ask.warnings.as_ref().is_some_and(|expected| *expected != codes);
    is_another.then(|| format!("the warnings are {codes:?}"))
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
    if let Some(template) = &fixture.landing_page {
        shop.operator.changes("landing-pages/1", serde_json::json!({ "url": template }));
    }
    world.waits_ms(30_001);
    let mut clicks: Vec<String> =
        (0..fixture.clicks.unwrap_or(1)).map(|_| shop.clicks(1)).collect();
    for ask in &fixture.requests {
        let known = clicks.clone();
        let fill = |text: &str| {
            known.iter().enumerate().fold(text.replace("{token}", TOKEN), |text, (index, id)| {
                text.replace(&format!("{{click_{}}}", index + 1), id)
            })
        };
        let response = send(&shop, ask, fill);
        let wrong = |what: String| Err(format!("{}: {what}\n{response:?}", ask.about));
        if let Some(what) = differs(ask, &response, fill) {
            return wrong(what);
        }
        if let Some(pattern) = &ask.location {
            let location = response.header("location").unwrap_or_default();
            match new_click(pattern, location) {
                None => return wrong(format!("it leads to {location}")),
                Some(id) if id.is_empty() => {}
                Some(id) => clicks.push(id),
            }
        }
        world.waits_ms(1);
    }
    Ok(())
}

/// Every file, and what stands in it.
pub fn files() -> Vec<(String, Result<Fixture, String>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/postbacks");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let named = files.iter().map(|file| {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let read = serde_json::from_str(&std::fs::read_to_string(file).unwrap());
        (name, read.map_err(|error: serde_json::Error| error.to_string()))
    });
    named.collect()
}

#[test]
fn every_fixture_is_answered_as_it_says() {
    let files = files();
    assert!(files.len() >= 5);
    let mut wrong = Vec::new();
    for (name, fixture) in files {
        match fixture {
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

#[test]
fn an_address_is_compared_with_its_pattern() {
    let id = "A".repeat(48);
    let pattern = "https://shop.example/?c={new_click}&u={any}&s=x";
    let found = |location: &str| new_click(pattern, location);
    assert_eq!(found(&format!("https://shop.example/?c={id}&u=curl&s=x")), Some(id.clone()));
    for other in [
        format!("https://shop.example/?c={id}&u=curl&s=y"),
        format!("https://shop.example/?c={id}x&u=curl&s=x"),
        format!("https://evil.example/?c={id}&u=curl&s=x"),
        format!("https://shop.example/?c={id}&u=curl&s=x&more=1"),
    ] {
        assert_eq!(found(&other), None, "{other}");
    }
}

//! The documents that Backtrail has to follow, entry by entry: each parameter, macro and step of
//! `tests/fixtures/documented.json` is shown by a fixture.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::fixtures::{Ask, Fixture, files};

const LIST: &str = include_str!("../fixtures/documented.json");

/// One product's documents.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[allow(dead_code, reason = "for readers")]
    about: String,
    postback: Vec<String>,
    click: Vec<String>,
    #[serde(rename = "macro")]
    macros: Vec<String>,
    step: Vec<String>,
}

/// Every entry, as fixtures name it: `tracknow postback amount`.
fn entries(list: &str) -> BTreeSet<String> {
    let documents: BTreeMap<String, Document> = serde_json::from_str(list).unwrap();
    let of = |(product, document): (&String, &Document)| {
        let kinds = [
            ("postback", &document.postback),
            ("click", &document.click),
            ("macro", &document.macros),
            ("step", &document.step),
        ];
        kinds
            .iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| (*kind, name)))
            .map(|(kind, name)| format!("{product} {kind} {name}"))
            .collect::<Vec<_>>()
    };
    documents.iter().flat_map(of).collect()
}

/// Whether a request has to do with an entry: it sends the parameter, or its shop's landing page
/// has the macro. That a step is shown only people can say.
fn is_about(entry: &str, ask: &Ask, fixture: &Fixture) -> bool {
    let mut words = entry.splitn(3, ' ').skip(1);
    let (kind, name) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = ask.url.split_once('?').unwrap_or((&ask.url, ""));
    let has_pair = |text: &str| text.split('&').any(|pair| pair.split('=').next() == Some(name));
    let is_sent =
        has_pair(query) || has_pair(&ask.body) || ask.body.contains(&format!("\"{name}\":"));
    match kind {
        "postback" => is_sent && matches!(path, "/" | "/postback"),
        "click" => is_sent && matches!(path, "/" | "/click"),
        "macro" => {
            fixture.landing_page.as_ref().is_some_and(|page| page.contains(&format!("{{{name}}}")))
                && matches!(path, "/" | "/click")
        }
        _ => true,
    }
}

/// What is wrong with these fixtures: entries that none shows, and claims that are none.
fn complaints(list: &str, fixtures: &[(String, Fixture)]) -> Vec<String> {
    let entries = entries(list);
    let mut shown = BTreeSet::new();
    let mut wrong = Vec::new();
    for (file, fixture) in fixtures {
        for ask in &fixture.requests {
            for entry in &ask.shows {
                if !entries.contains(entry) {
                    wrong.push(format!("{file}: no document has {entry:?}"));
                } else if !is_about(entry, ask, fixture) {
                    wrong.push(format!("{file}: {} does not show {entry:?}", ask.url));
                }
                shown.insert(entry.clone());
            }
        }
    }
    let missing = entries.difference(&shown).map(|entry| format!("no fixture shows {entry:?}"));
    wrong.extend(missing);
    wrong
}

fn all() -> Vec<(String, Fixture)> {
    let read = |(name, read): (String, Result<Fixture, String>)| match read {
        Ok(fixture) => (name, fixture),
        Err(error) => panic!("{name}: {error}"),
    };
    files().into_iter().map(read).collect()
}

#[test]
fn every_parameter_and_step_of_the_documents_has_a_case() {
    let wrong = complaints(LIST, &all());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(entries(LIST).len() > 80);
}

#[test]
fn an_entry_without_a_case_is_noticed_and_so_is_a_claim_that_is_none() {
    // A parameter that no fixture shows.
    let longer = LIST.replacen("\"commission\",", "\"commission\", \"affsub\",", 1);
    assert_eq!(complaints(&longer, &all()), ["no fixture shows \"tracknow postback affsub\""]);
    // A document that does not have what a fixture shows.
    let shorter = LIST.replacen("      \"commission\",\n", "", 1);
    let told = complaints(&shorter, &all());
    assert!(
        told.iter().all(|what| what.contains("no document has")) && !told.is_empty(),
        "{told:?}"
    );
    // A fixture that is taken away, and one that claims what it does not send.
    let but_money: Vec<_> =
        all().into_iter().filter(|(name, _)| name != "tracknow_money.json").collect();
    let told = complaints(LIST, &but_money);
    assert!(told.contains(&"no fixture shows \"tracknow postback goal\"".to_owned()), "{told:?}");
    let mut false_claim = all();
    false_claim[0].1.requests[0].shows.push("integr8 postback purchase_value".to_owned());
    let told = complaints(LIST, &false_claim);
    assert!(told.iter().any(|what| what.contains("does not show")), "{told:?}");
}

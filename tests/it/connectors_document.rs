//! `docs/connectors.md` is run: its example, and the tests that it names.

use std::path::Path;

use backtrail::app::catalog::resources::CONNECTORS;
use backtrail::domain::connector::macros::{ALL, Macro};
use serde_json::Value;

use crate::support::World;

const DOCUMENT: &str = include_str!("../../docs/connectors.md");

#[test]
fn the_example_is_a_connector_without_anything_odd() {
    let (_, rest) = DOCUMENT.split_once("-d '").unwrap();
    let (body, _) = rest.split_once("}'").unwrap();
    let body: Value = serde_json::from_str(&format!("{body}}}")).unwrap();
    let world = World::new();
    let made = world.operator_of("demo").creates("connectors", body);
    assert_eq!((&made["mode"], made["warnings"].as_array().unwrap().len()), (&"test".into(), 0));
}

/// What stands between marks in a line: in backticks, or between asterisks.
fn marked(line: &str, mark: char) -> impl Iterator<Item = &str> {
    line.split(mark).skip(1).step_by(2).filter(|piece| !piece.is_empty())
}

/// The tests of a line and the files in which they are said to be.
fn shown(line: &str) -> (Vec<&str>, Vec<&str>) {
    let is_file = |piece: &&str| piece.starts_with("tests/") || piece.starts_with("src/");
    let files: Vec<&str> = marked(line, '`').filter(is_file).collect();
    let names = marked(line, '*');
    match files.is_empty() {
        // The table of use cases names its file in its head.
        true if line.starts_with('|') => {
            let is_test = |name: &&str| name.contains('_') && !name.contains(' ');
            (names.filter(is_test).collect(), vec!["tests/it/connector_use_cases.rs"])
        }
        true => (Vec::new(), files),
        false => (names.collect(), files),
    }
}

#[test]
fn every_test_that_is_named_is_there() {
    let mut named = [0, 0];
    for line in DOCUMENT.lines() {
        let (names, files) = shown(line);
        let texts: Vec<String> = files
            .iter()
            .map(|file| {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
                std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
            })
            .collect();
        for name in names {
            // Those of JavaScript are named by sentences.
            let is_sentence = name.contains(' ');
            named[usize::from(is_sentence)] += 1;
            let test =
                if is_sentence { format!("test(\"{name}\"") } else { format!("fn {name}()") };
            assert!(texts.iter().any(|text| text.contains(&test)), "{test} in {files:?}");
        }
    }
    assert!(named[0] >= 20 && named[1] >= 2, "{named:?}");
}

#[test]
fn personal_macros_and_fields_stand_in_the_document() {
    let personal =
        ALL.iter().filter(|one| backtrail::domain::connector::macros::is_personal(one.key));
    for key in personal.map(|one: &Macro| one.key) {
        assert!(DOCUMENT.contains(&format!("`{key}`")), "{key}");
    }
    for field in CONNECTORS.fields.iter().map(|field| field.name) {
        let is_plain = ["id", "created_at", "rotated_at", "approval"].contains(&field);
        assert!(is_plain || DOCUMENT.contains(field), "{field}");
    }
}

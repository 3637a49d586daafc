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

#[test]
fn every_test_that_is_named_is_there() {
    let mut named = 0;
    for row in DOCUMENT.lines().filter(|line| line.starts_with('|')) {
        let mut file = None;
        for piece in row.split('`').enumerate().filter(|(at, _)| at % 2 == 1).map(|(_, p)| p) {
            if piece.starts_with("tests/") || piece.starts_with("src/") {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(piece);
                let text = std::fs::read_to_string(&path);
                file = Some(text.unwrap_or_else(|error| panic!("{piece}: {error}")));
            }
        }
        let text = file.unwrap_or_else(|| include_str!("connector_use_cases.rs").to_owned());
        let all = row.split('*').enumerate().filter(|(at, _)| at % 2 == 1).map(|(_, name)| name);
        for name in all.filter(|name| name.contains('_') && !name.contains(' ')) {
            named += 1;
            // A cell may name tests of several files.
            let is_anywhere = text.contains(&format!("fn {name}()")) || is_in_any_file(row, name);
            assert!(is_anywhere, "{name}");
        }
    }
    assert!(named >= 20, "{named}");
}

fn is_in_any_file(row: &str, name: &str) -> bool {
    let files =
        row.split('`').filter(|piece| piece.starts_with("tests/") || piece.starts_with("src/"));
    let mut texts = files.map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        std::fs::read_to_string(path).unwrap_or_default()
    });
    texts.any(|text| text.contains(&format!("fn {name}()")))
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

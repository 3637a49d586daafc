//! What connectors had to send of a subject, and every attempt.

use serde_json::Map;

use super::{Entry, entry, instant, text, value};
use crate::app::catalog::resource::Record;

/// What is shown of a delivery besides its sentence.
const OF_DELIVERY: [&str; 7] =
    ["delivery_id", "connector_id", "kind", "revision", "is_forced", "attempts", "state"];

/// What is shown of an attempt. What was answered stands in the log.
const OF_ATTEMPT: [&str; 8] =
    ["delivery_id", "connector_id", "attempt", "method", "url", "status", "duration_ms", "error"];

/// Deliveries and attempts; the rows of one delivery stand together.
pub(super) fn sent(rows: &[Record]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let is_same = |a: &Record, b: &Record| text(a, "delivery_id") == text(b, "delivery_id");
    for attempts in rows.chunk_by(is_same) {
        entries.extend(attempts.first().map(delivery));
        // The newest is read first.
        let made = attempts.iter().rev().filter(|row| !value(row, "attempt").is_null());
        entries.extend(made.map(attempt));
    }
    entries
}

fn delivery(row: &Record) -> Entry {
    let word = |name: &str| text(row, name).unwrap_or_default();
    let because = format!(
        "connector {} is told of {} by {}: {}{}",
        value(row, "connector_id"),
        word("event_name"),
        word("kind"),
        word("state"),
        if value(row, "due_at").is_null() {
            String::new()
        } else {
            format!(", not before {}", instant(row, "due_at").to_rfc3339())
        }
    );
    of(row, entry(instant(row, "created_at"), "delivery", because, details(row, &OF_DELIVERY)))
}

fn attempt(row: &Record) -> Entry {
    let outcome = match (value(row, "status").as_u64(), text(row, "error")) {
        (Some(status), None) => format!("answered {status}"),
        (Some(status), Some(error)) => format!("answered {status}: {error}"),
        (None, Some(error)) => error.to_owned(),
        (None, None) => "shown and not sent".to_owned(),
    };
    let because = format!(
        "attempt {} of connector {}: {outcome}",
        value(row, "attempt"),
        value(row, "connector_id")
    );
    of(row, entry(instant(row, "at"), "attempt", because, details(row, &OF_ATTEMPT)))
}

fn of(row: &Record, entry: Entry) -> Entry {
    Entry {
        conversion_id: text(row, "conversion_id").map(str::to_owned),
        click_id: text(row, "click_id").map(str::to_owned),
        ..entry
    }
}

fn details(row: &Record, names: &[&str]) -> Map<String, serde_json::Value> {
    names.iter().map(|name| ((*name).to_owned(), value(row, name))).collect()
}

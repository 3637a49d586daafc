//! Rules that join several fields of a connector, and what is odd about one without being wrong.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::parts::unknown_keys;
use super::{names, part};
use crate::app::catalog::resource::Record;
use crate::app::connectors::Surroundings;
use crate::domain::connector::macros;
use crate::domain::connector::pixel::Pixel;
use crate::domain::connector::preview::{sample, sample_event};
use crate::domain::connector::text::Text;
use crate::domain::connector::webhook::Webhook;
use crate::domain::event::STANDARD_EVENTS;
use crate::domain::template::edit_distance;
use crate::http::api::problem::{self, FieldFault};

/// The most unknown macros that are warned of at once. For each the nearest key is looked up among all
/// that were received, which is as many as strangers like, up to 50 for each event.
const MAX_UNKNOWN: usize = 100;

/// What a new connector must fulfil besides its fields' own rules.
pub(in crate::http::api) fn of_creation(
    record: &Record,
    surroundings: &Surroundings,
) -> Vec<FieldFault> {
    of_change(record, &Record::new(), surroundings)
}

/// What a change must fulfil besides its fields' own rules.
pub(in crate::http::api) fn of_change(
    changes: &Record,
    current: &Record,
    surroundings: &Surroundings,
) -> Vec<FieldFault> {
    let mut faults = unknown_events(changes, surroundings);
    for (switch, field) in [("is_webhook_on", "webhook"), ("is_pixel_on", "pixel")] {
        let value = |name: &str| changes.get(name).or_else(|| current.get(name));
        let is_on = value(switch).and_then(Value::as_i64) == Some(1);
        let is_decided = changes.contains_key(switch) || changes.contains_key(field);
        // One that was sent and is at fault is told already, and not in the record.
        if is_on && is_decided && value(field).is_some_and(Value::is_null) {
            let message = format!("There is no {field} to be switched on; send one.");
            faults.push(problem::field(switch, ("invalid", message)));
        }
    }
    faults
}

/// What triggers a connector is standard, defined by a campaign, or was received.
fn unknown_events(changes: &Record, surroundings: &Surroundings) -> Vec<FieldFault> {
    if !changes.contains_key("events") {
        return Vec::new();
    }
    let events = names(changes, "events");
    if events.is_empty() {
        let message = "Send at least one event.".to_owned();
        return vec![problem::field("events", ("invalid", message))];
    }
    let is_known = |name: &String| {
        STANDARD_EVENTS.contains(&name.as_str()) || surroundings.known_events.contains(name)
    };
    let unknown = events.iter().filter(|name| !is_known(name));
    let fault = |name: &String| {
        let near = STANDARD_EVENTS.iter().find(|known| {
            let (name, known) = (name.to_lowercase(), known.to_lowercase());
            name.chars().count() <= 64 && edit_distance(&name, &known) <= 2
        });
        let near = near.map(|near| format!(" Do you mean {near}?")).unwrap_or_default();
        let message = format!(
            "{name:?} is no standard event, no campaign defines it, and it was never received.{near}"
        );
        problem::field("events", ("unknown_event", message))
    };
    unknown.map(fault).collect()
}

/// What is odd about a connector: each with `code`, `field` and `message`.
pub(in crate::http::api) fn warnings(record: &Record, surroundings: &Surroundings) -> Value {
    let mut warnings = Vec::new();
    let mut warn = |code: &str, field: &str, message: String| {
        warnings.push(json!({ "code": code, "field": field, "message": message }));
    };
    let webhook = part(record, "webhook").and_then(|text| Webhook::parse(text).ok());
    let pixel = part(record, "pixel").and_then(|text| Pixel::parse(text).ok());
    let mut texts: Vec<(String, &Text)> = Vec::new();
    if let Some(webhook) = &webhook {
        texts.extend(webhook.texts().map(|(field, text)| (format!("webhook.{field}"), text)));
    }
    if let Some(pixel) = &pixel {
        texts.push(("pixel.code".to_owned(), pixel.text()));
    }
    // Once for each field, however often it stands there.
    let received: HashSet<&str> = surroundings.keys.iter().map(String::as_str).collect();
    let mut seen = HashSet::new();
    let unknown = texts
        .iter()
        .flat_map(|(field, text)| unknown_keys(text).map(move |key| (field.as_str(), key)))
        .filter(|(_, key)| !received.contains(key))
        .filter(|one| seen.insert(*one));
    for (field, key) in unknown.take(MAX_UNKNOWN) {
        let message = match macros::near_miss(key, received.iter().copied()) {
            Some(near) => format!("{{{{{key}}}}} is not known; do you mean {{{{{near}}}}}?"),
            None => format!(
                "{{{{{key}}}}} is not known, and none of the events came with such a key yet; it \
                 is empty until one does."
            ),
        };
        warn("unknown_macro", field, message);
    }
    let events = names(record, "events");
    let samples = sample(sample_event(&events));
    let webhooks = webhook.as_ref().and_then(|webhook| webhook.render(&samples).fault());
    let pixels = pixel.as_ref().and_then(|pixel| pixel.render(&samples).fault());
    for (field, fault) in [("webhook", webhooks), ("pixel.code", pixels)] {
        if let Some(fault) = fault {
            warn("too_long", field, format!("With samples {fault}."));
        }
    }
    let matching: Value = part(record, "matching")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let own = record.get("id").and_then(Value::as_u64);
    let parameter = matching.get("parameter").and_then(Value::as_str);
    let is_alike = |(id, name, has_source): &&(u32, String, bool)| {
        Some(u64::from(*id)) != own && Some(name.as_str()) == parameter && !has_source
    };
    if matching.get("source_parameter").is_none_or(Value::is_null)
        && let Some((id, name, _)) = surroundings.others.iter().find(is_alike)
    {
        let message = format!(
            "Connector {id} recognises its visitors by {name} as well, and neither looks at a \
             source; add source_parameter to both, so that each knows its own."
        );
        warn("shared_parameter", "matching.parameter", message);
    }
    let is_on = record.get("is_pixel_on").and_then(Value::as_i64) == Some(1);
    let approval = part(record, "approval").unwrap_or_default();
    if is_on && pixel.is_some_and(|pixel| !pixel.is_approved(approval)) {
        let message = "The pixel does not fire before it is approved as it is.".to_owned();
        warn("not_approved", "pixel", message);
    }
    warnings.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::near::tests::STEPS;

    #[test]
    fn what_strangers_send_makes_no_warning_costly() {
        let name = |n: usize, filler: &str| format!("K{n:04}{}", filler.repeat(59));
        let parameter = |n: usize| {
            let distinct: String =
                (0..20).map(|i| format!("{{{{{}}}}}", name(n * 20 + i, "A"))).collect();
            json!({ "name": "n", "value": distinct + &"{{REPEATED}}".repeat(40) })
        };
        let webhook = json!({
            "url": "https://r.example/", "parameters": (0..50).map(parameter).collect::<Vec<_>>(),
        });
        let record = Record::from_iter([("webhook".to_owned(), webhook.to_string().into())]);
        let keys = (0..200).map(|n| name(n, "B")).collect();
        let surroundings = Surroundings { keys, ..Surroundings::default() };
        let before = STEPS.get();
        let warnings = warnings(&record, &surroundings);
        let warnings = warnings.as_array().unwrap();
        let of = |field: &str| warnings.iter().filter(|one| one["field"] == field).count();
        assert_eq!((warnings.len(), of("webhook.parameters[0].value")), (MAX_UNKNOWN, 21));
        let steps = STEPS.get() - before;
        let most = MAX_UNKNOWN * (200 + 100) * 64 * 5;
        assert!(steps <= most as u64, "{steps}");
    }
}

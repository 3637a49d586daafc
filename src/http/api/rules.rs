//! Rules that join several fields, each a small function.

use std::collections::HashMap;

use serde_json::Value;

use super::problem::{self, FieldFault};
use crate::app::access::{Access, Scope};
use crate::app::catalog::Facts;
use crate::app::catalog::resource::{Record, Resource};
use crate::domain::event::Becomes;

/// The most objects of a list that can take the default-flag from others. For each of them a copy
/// is written again, and an invocation on a free plan makes 50 such calls.
const MAX_CLAIMS: usize = 20;

/// What a new object must fulfil besides its fields' own rules.
pub(super) fn of_creation(resource: &Resource, record: &Record, facts: &Facts) -> Vec<FieldFault> {
    let faults = match resource.name {
        "landing-pages" => {
            vec![campaign_exists(record, facts), default_is_active(record, &Record::new())]
        }
        "events" => vec![campaign_exists(record, facts)],
        "campaigns" => vec![site_events_exist(record, facts), clicks_credit(record)],
        "coupons" => {
            vec![ends_after_start(record, &Record::new()), has_no_outer_spaces(record, "code")]
        }
        "customers" => vec![has_no_outer_spaces(record, "customer_id")],
        "tokens" => vec![level_names_its_owner(record)],
        "payouts" => vec![campaign_exists(record, facts)],
        "caps" => {
            let new = Record::new();
            vec![
                campaign_exists(record, facts),
                limit_fits(record, &new),
                clicks_wait_not(record, &new),
            ]
        }
        "rates" => vec![currencies_differ(record)],
        _ => vec![],
    };
    faults.into_iter().flatten().collect()
}

/// What a change must fulfil besides its fields' own rules.
pub(super) fn of_change(resource: &Resource, changes: &Record, facts: &Facts) -> Vec<FieldFault> {
    let empty = Record::new();
    let current = facts.current.as_ref().unwrap_or(&empty);
    let faults = match resource.name {
        "landing-pages" => {
            vec![default_stays(changes, current), default_is_active(changes, current)]
        }
        "links" => vec![default_stays(changes, current)],
        "campaigns" => vec![site_events_exist(changes, facts), clicks_credit(changes)],
        "coupons" => vec![ends_after_start(changes, current)],
        "caps" => vec![limit_fits(changes, current), clicks_wait_not(changes, current)],
        _ => vec![],
    };
    faults.into_iter().flatten().collect()
}

/// Nobody hands out more than they have.
pub(super) fn of_scopes(
    resource: &Resource,
    record: &Record,
    access: &Access,
) -> Option<FieldFault> {
    let scopes = record.get("scopes").filter(|_| resource.name == "keys")?.as_str()?;
    let words: Vec<String> = serde_json::from_str(scopes).ok()?;
    let beyond =
        words.iter().filter_map(|word| Scope::from_word(word)).find(|scope| !access.may(*scope))?;
    let message =
        format!("Your own key lacks the scope {}, so it cannot grant it.", beyond.as_str());
    Some(problem::field("scopes", ("missing_scope", message)))
}

/// A landing page, event, payout rule or cap belongs to a campaign of this namespace.
fn campaign_exists(record: &Record, facts: &Facts) -> Option<FieldFault> {
    record.get("campaign_id").filter(|_| facts.campaign.is_none())?;
    Some(problem::dangling("campaign_id".to_owned()))
}

/// A cap has the one limit that fits what it bounds.
fn limit_fits(changes: &Record, current: &Record) -> Option<FieldFault> {
    let value = |field: &str| changes.get(field).or_else(|| current.get(field));
    let is_sent = |field: &str| value(field).is_some_and(|value| !value.is_null());
    let wanted = match value("what")?.as_str()? {
        "conversions" => "conversions_limit",
        "clicks" => "clicks_limit",
        _ => "amount_limit",
    };
    let limits = ["conversions_limit", "amount_limit", "clicks_limit"];
    if let Some(other) = limits.into_iter().find(|limit| *limit != wanted && is_sent(limit)) {
        let message = format!("This cap bounds another thing; send {wanted} instead.");
        return Some(problem::field(other, ("invalid", message)));
    }
    // One that was sent and is at fault is told already.
    let limit = value(wanted)?;
    if limit.as_i64() == Some(0) {
        let message = "Send an amount above 0; to stop a campaign, pause it.".to_owned();
        return Some(problem::field(wanted, ("invalid", message)));
    }
    limit
        .is_null()
        .then(|| problem::field(wanted, ("required", "A cap of this kind needs it.".to_owned())))
}

/// A click leads somewhere or it does not.
fn clicks_wait_not(changes: &Record, current: &Record) -> Option<FieldFault> {
    let text = |name: &str| changes.get(name).or_else(|| current.get(name)).and_then(Value::as_str);
    (text("what")? == "clicks" && text("mode")? != "hard").then(|| {
        let message = "Send hard: no click can wait, so that a cap of clicks is never soft.";
        problem::field("mode", ("invalid", message.to_owned()))
    })
}

/// A currency is worth one of itself.
fn currencies_differ(record: &Record) -> Option<FieldFault> {
    let code = |field: &str| record.get(field).and_then(Value::as_str);
    (code("from_currency")? == code("to_currency")?).then(|| {
        let message = "Send another currency than from_currency.".to_owned();
        problem::field("to_currency", ("invalid", message))
    })
}

/// A site event becomes an event that the campaign has; a new campaign has none yet.
fn site_events_exist(record: &Record, facts: &Facts) -> Option<FieldFault> {
    let text = record.get("site_events")?.as_str()?;
    let entries: Record = serde_json::from_str(text).ok()?;
    let is_there = |id: u32| {
        let is_it = |event: &Record| {
            let is_active = event.get("state").and_then(Value::as_str) == Some("active");
            is_active && event.get("id").and_then(Value::as_u64) == Some(u64::from(id))
        };
        facts.events.iter().any(is_it)
    };
    let missing = entries.iter().find_map(|(name, becomes)| {
        match Becomes::parse(becomes.as_str().unwrap_or_default()) {
            Some(Becomes::Event(id)) if !is_there(id) => Some((name, id)),
            _ => None,
        }
    });
    let (name, id) = missing?;
    let message =
        format!("{name:?} cannot become event {id}: the campaign has no such active event.");
    Some(problem::field("site_events", ("unknown_reference", message)))
}

/// A click_id was handed out as a promise, so that every campaign credits by it.
fn clicks_credit(record: &Record) -> Option<FieldFault> {
    let text = record.get("attribution_order")?.as_str()?;
    let ways: Vec<String> = serde_json::from_str(text).ok()?;
    if ways.iter().any(|way| way == "click_id") {
        return None;
    }
    let message = "Put click_id into the list; its place is yours to choose.".to_owned();
    Some(problem::field("attribution_order", ("invalid", message)))
}

/// Postbacks lose the spaces around their values.
fn has_no_outer_spaces(record: &Record, field: &str) -> Option<FieldFault> {
    let text = record.get(field)?.as_str()?;
    (text.trim_matches(' ') != text).then(|| {
        let message = "Leave the spaces at its ends out; postbacks lose them.".to_owned();
        problem::field(field, ("invalid", message))
    })
}

/// A coupon is valid for some time.
fn ends_after_start(changes: &Record, current: &Record) -> Option<FieldFault> {
    let time = |name: &str| changes.get(name).or_else(|| current.get(name)).and_then(Value::as_u64);
    (time("ends_at")? <= time("starts_at")?).then(|| {
        problem::field("ends_at", ("invalid", "Send a later time than starts_at.".to_owned()))
    })
}

/// A default is moved, not taken away: `affiliate_id` and clicks without `lp` always lead somewhere.
fn default_stays(changes: &Record, current: &Record) -> Option<FieldFault> {
    let is_taken = flag(changes, "is_default") == Some(false);
    if !is_taken || flag(current, "is_default") != Some(true) {
        return None;
    }
    let message = "Set is_default on another one instead; this one then loses it.".to_owned();
    Some(problem::field("is_default", ("default_required", message)))
}

/// Clicks without `lp` go to the default page, so it cannot be archived.
fn default_is_active(changes: &Record, current: &Record) -> Option<FieldFault> {
    let state = changes.get("state").or_else(|| current.get("state")).and_then(Value::as_str);
    let is_default = flag(changes, "is_default").or_else(|| flag(current, "is_default"));
    if state != Some("archived") || is_default != Some(true) {
        return None;
    }
    let message = "The default landing page has to be active; make another one the default, or \
                   pause the campaign.";
    Some(problem::field("state", ("default_required", message.to_owned())))
}

/// Tokens of an advertiser or campaign say which, tokens of the namespace do not.
fn level_names_its_owner(record: &Record) -> Option<FieldFault> {
    let level = record.get("level")?.as_str()?;
    let is_named = record.get("level_id").is_some_and(Value::is_u64);
    match (level, is_named) {
        ("namespace", true) => {
            let message = "A token of the namespace has no level_id.".to_owned();
            Some(problem::field("level_id", ("invalid", message)))
        }
        ("namespace", false) | (_, true) => None,
        (level, false) => {
            let message = format!("Send the id of the {level} that the token is for.");
            Some(problem::field("level_id", ("required", message)))
        }
    }
}

/// Among objects that are created together, at most one of the same owner is the default: the one
/// that says so, else the first of those that leave it open.
pub(super) fn one_default_each(resource: &Resource, records: &mut [Record]) -> Vec<FieldFault> {
    let Some((field, owner)) = resource.default_flag() else { return vec![] };
    let owner_of = |record: &Record| -> Vec<Option<u64>> {
        owner.iter().map(|column| record.get(*column).and_then(Value::as_u64)).collect()
    };
    let mut chosen: HashMap<Vec<Option<u64>>, usize> = HashMap::new();
    let mut faults = Vec::new();
    for (index, record) in records.iter().enumerate() {
        if flag(record, field.name) == Some(true)
            && chosen.insert(owner_of(record), index).is_some()
        {
            let message = "Another one of this list is the default already.".to_owned();
            let name = format!("{}[{index}].{}", resource.name, field.name);
            faults.push(problem::field(&name, ("invalid", message)));
        }
    }
    if chosen.len() > MAX_CLAIMS {
        let message = format!("Only {MAX_CLAIMS} of a list can claim to be the default.");
        faults.push(problem::field(resource.name, ("invalid", message)));
    }
    for (index, record) in records.iter_mut().enumerate() {
        let is_open = flag(record, field.name).is_none();
        if is_open && *chosen.entry(owner_of(record)).or_insert(index) != index {
            record.insert(field.name.to_owned(), 0.into());
        }
    }
    faults
}

fn flag(record: &Record, name: &str) -> Option<bool> {
    record.get(name).and_then(Value::as_i64).map(|number| number == 1)
}

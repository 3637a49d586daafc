//! Statuses of conversions: of one, of many at once, and their audit trail.
//!
//! The scope is `write`, not `approve`: that one approves code which runs in visitors' browsers
//! (design.md 6), and a program that confirms sales every night should not be able to.

use serde_json::{Map, Value, json};

use super::problem::{self, FieldFault};
use super::value::MAX_ID;
use super::{Call, Stores, body, paging, past, render};
use crate::app::history::CONVERSIONS;
use crate::app::statuses::{ChangeRecord, Fate, Item, Named, apply};
use crate::domain::configuration::Status;
use crate::domain::conversion::{Conversion, RULE_PREFIX};
use crate::domain::money::{Currency, Decimal};
use crate::domain::namespace::Namespace;
use crate::http::reply::status_of;
use crate::http::response::Response;

type Answer = Result<Response, Response>;

/// The most items of one call.
const MAX_ITEMS: usize = 1_000;
/// The longest reason in characters.
const MAX_REASON: usize = 500;
/// The longest order, click or refund id in characters.
const MAX_CODE: usize = 128;

/// The fields that say what shall be.
const WISH: [&str; 4] = ["status", "reason", "amount", "refund_id"];
/// The fields that say of which conversion.
const NAMES: [&str; 5] = ["conversion_id", "campaign_id", "order_id", "click_id", "event_id"];

/// `PATCH /conversions/{id}`: changes the status of one conversion, then shows it.
pub(super) async fn change<S: Stores>(call: &Call<'_, S>, conversion_id: &str) -> Answer {
    let namespace = namespace(call)?;
    let body = body::object(call.request)?;
    let mut faults = Vec::new();
    let not_found = || problem::not_found(CONVERSIONS.singular);
    if !paging::is_plain(conversion_id) {
        return Err(not_found());
    }
    let name = Some(Named::Conversion(conversion_id.to_owned()));
    let item = read(&body, &WISH, name, &mut faults);
    let Some(item) = item.filter(|_| faults.is_empty()) else {
        return Err(problem::invalid_fields(faults));
    };
    match change_all(call, namespace, &[item]).await?.into_iter().next() {
        Some(Fate::Updated(_) | Fate::Duplicate(_)) => {
            past::show(call, &CONVERSIONS, conversion_id).await
        }
        Some(Fate::Rejected(refusal)) if status_of(refusal.reason) == 404 => Err(not_found()),
        Some(Fate::Rejected(refusal)) => {
            let status = status_of(refusal.reason);
            Err(Response::problem(status, refusal.reason.as_str(), &refusal.detail))
        }
        _ => Err(Response::problem(409, "conflict", OVERTAKEN)),
    }
}

/// `POST /conversions/statuses`: up to 1,000 items, each by itself, with a result per item in
/// their order. Sending the same again is harmless: what is so already is a duplicate.
pub(super) async fn change_many<S: Stores>(call: &Call<'_, S>) -> Answer {
    let namespace = namespace(call)?;
    let body = body::object(call.request)?;
    if let Some(name) = body.keys().find(|name| *name != "items") {
        return Err(problem::invalid_fields(vec![unknown(name, &["items"])]));
    }
    let sent = body.get("items").and_then(Value::as_array);
    let Some(sent) = sent.filter(|items| (1..=MAX_ITEMS).contains(&items.len())) else {
        let message = format!("Send a list of 1 to {MAX_ITEMS} items.");
        return Err(problem::invalid_fields(vec![problem::field("items", ("invalid", message))]));
    };
    let known: Vec<&str> = NAMES.into_iter().chain(WISH).collect();
    let mut results: Vec<Option<Value>> = Vec::with_capacity(sent.len());
    let mut items = Vec::new();
    for value in sent {
        let mut faults = Vec::new();
        let item = value.as_object().and_then(|fields| {
            let name = name(fields, &mut faults);
            read(fields, &known, name, &mut faults)
        });
        if !value.is_object() {
            faults.push(problem::field("item", ("invalid", "Send an object.".to_owned())));
        }
        match item.filter(|_| faults.is_empty()) {
            Some(item) => {
                items.push(item);
                results.push(None);
            }
            None => results.push(Some(faulty(&faults))),
        }
    }
    let mut fates = change_all(call, namespace, &items).await?.into_iter();
    let data: Vec<Value> = results
        .into_iter()
        .filter_map(|result| result.or_else(|| fates.next().map(|fate| shown(&fate))))
        .enumerate()
        .map(|(place, mut result)| {
            if let Some(object) = result.as_object_mut() {
                object.insert("item".to_owned(), place.into());
            }
            result
        })
        .collect();
    let count = |verdict: &str| data.iter().filter(|result| result["verdict"] == verdict).count();
    let counts = json!({
        "updated": count("updated"), "duplicate": count("duplicate"), "rejected": count("rejected"),
    });
    Ok(Response::json(200, &json!({ "data": data, "counts": counts })))
}

/// `GET /conversions/{id}/changes`: the audit trail, the oldest change first.
pub(super) async fn trail<S: Stores>(call: &Call<'_, S>, conversion_id: &str) -> Answer {
    let namespace = namespace(call)?;
    let not_found = || problem::not_found(CONVERSIONS.singular);
    let id = Some(conversion_id).filter(|id| paging::is_plain(id)).ok_or_else(not_found)?;
    let found = call.stores.changes_of(namespace, id).await;
    let lines = found.map_err(|_| problem::storage_unavailable())?.ok_or_else(not_found)?;
    let data: Vec<Value> = lines.iter().map(line).collect();
    Ok(Response::json(200, &json!({ "data": data, "next_cursor": null })))
}

const OVERTAKEN: &str =
    "Others changed the conversion at the same moment; read it again, and send the change again.";

fn namespace<'a, S>(call: &'a Call<'_, S>) -> Result<&'a Namespace, Response> {
    call.access.namespace.as_ref().ok_or_else(problem::namespace_required)
}

async fn change_all<S: Stores>(
    call: &Call<'_, S>,
    namespace: &Namespace,
    items: &[Item],
) -> Result<Vec<Fate>, Response> {
    let fates =
        apply(call.stores, call.memory, namespace, call.moment, call.access.key_id, items).await;
    fates.map_err(|_| problem::storage_unavailable())
}

fn unknown(name: &str, known: &[&str]) -> FieldFault {
    let message = format!("There is no such field; there are {}.", known.join(", "));
    problem::field(name, ("unknown_field", message))
}

/// Reads what shall be; what is wrong is added to the faults.
fn read(
    fields: &Map<String, Value>,
    known: &[&str],
    name: Option<Named>,
    faults: &mut Vec<FieldFault>,
) -> Option<Item> {
    faults.extend(
        fields.keys().filter(|name| !known.contains(&name.as_str())).map(|n| unknown(n, known)),
    );
    let status = fields.get("status").and_then(Value::as_str).and_then(Status::from_word);
    if status.is_none() {
        let words: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        let message = format!("Send one of {}.", words.join(", "));
        let code = if fields.contains_key("status") { "invalid" } else { "required" };
        faults.push(problem::field("status", (code, message)));
    }
    let reason = text(fields, "reason", MAX_REASON, faults);
    let refund_id = text(fields, "refund_id", MAX_CODE, faults);
    let amount = text(fields, "amount", MAX_CODE, faults);
    let parsed = amount.as_deref().map(|amount| Decimal::parse_amount(amount).ok_or(()));
    if parsed == Some(Err(())) {
        let message = "Send the amount as a string of digits and a point, such as \"5.00\".";
        faults.push(problem::field("amount", ("invalid", message.to_owned())));
    }
    let is_refund = status == Some(Status::Refunded);
    let of_refunds = [("amount", amount.is_some()), ("refund_id", refund_id.is_some())];
    for (name, _) in of_refunds.into_iter().filter(|(_, is_sent)| *is_sent && !is_refund) {
        let message = format!("{name} belongs to the status refunded only.");
        faults.push(problem::field(name, ("invalid", message)));
    }
    let amount = parsed.and_then(Result::ok);
    Some(Item { name: name?, status: status?, reason, amount, refund_id })
}

/// Reads of which conversion an item is: exactly one way to name it.
fn name(fields: &Map<String, Value>, faults: &mut Vec<FieldFault>) -> Option<Named> {
    let conversion_id = text(fields, "conversion_id", MAX_CODE, faults);
    let order_id = text(fields, "order_id", MAX_CODE, faults);
    let click_id = text(fields, "click_id", MAX_CODE, faults);
    let campaign_id = number(fields, "campaign_id", faults);
    let event_id = number(fields, "event_id", faults).unwrap_or(0);
    match (conversion_id, order_id, click_id) {
        (Some(id), None, None) => Some(Named::Conversion(id)),
        (None, Some(order_id), None) => match campaign_id {
            Some(campaign_id) => Some(Named::Order { campaign_id, event_id, order_id }),
            None => {
                let message = "Orders are a campaign's own: send its id with order_id.";
                faults.push(problem::field("campaign_id", ("required", message.to_owned())));
                None
            }
        },
        (None, None, Some(click_id)) => Some(Named::Click { click_id, event_id }),
        _ => {
            let message = "Name the conversion by one of conversion_id, order_id (with campaign_id) and click_id.";
            faults.push(problem::field("conversion_id", ("invalid", message.to_owned())));
            None
        }
    }
}

fn text(
    fields: &Map<String, Value>,
    name: &str,
    most: usize,
    faults: &mut Vec<FieldFault>,
) -> Option<String> {
    let sent = fields.get(name).filter(|value| !value.is_null())?;
    let is_plain = |text: &&str| {
        !text.trim().is_empty()
            && text.chars().count() <= most
            && !text.chars().any(char::is_control)
    };
    let read = sent.as_str().filter(is_plain).map(str::to_owned);
    if read.is_none() {
        let message =
            format!("Send a string of 1 to {most} characters without control characters.");
        faults.push(problem::field(name, ("invalid", message)));
    }
    read
}

fn number(fields: &Map<String, Value>, name: &str, faults: &mut Vec<FieldFault>) -> Option<u32> {
    let sent = fields.get(name).filter(|value| !value.is_null())?;
    let id = sent.as_u64().filter(|id| (1..=MAX_ID).contains(id));
    if id.is_none() {
        faults.push(problem::field(name, ("invalid", "Send an id, a number from 1.".to_owned())));
    }
    // No number beyond four bytes was ever given to a campaign or event.
    id.map(|id| u32::try_from(id).unwrap_or(u32::MAX))
}

fn faulty(faults: &[FieldFault]) -> Value {
    let told: Vec<String> =
        faults.iter().map(|(field, _, message)| format!("{field}: {message}")).collect();
    rejected("invalid_fields", faults.first().map(|(field, ..)| field.as_str()), &told.join(" "))
}

fn rejected(code: &str, parameter: Option<&str>, detail: &str) -> Value {
    json!({
        "item": null, "verdict": "rejected", "code": code, "parameter": parameter, "detail": detail,
        "conversion_id": null, "status": null, "revenue": null, "payout": null,
    })
}

fn shown(fate: &Fate) -> Value {
    let accepted = |verdict: &str, conversion: &Conversion| {
        let price = |minor: i64| {
            let currency = conversion.currency;
            json!({ "amount": currency.format(minor), "currency": currency.code() })
        };
        json!({
            "item": null, "verdict": verdict, "code": null, "parameter": null, "detail": null,
            "conversion_id": conversion.conversion_id, "status": conversion.status.as_str(),
            "revenue": price(conversion.revenue), "payout": price(conversion.payout),
        })
    };
    match fate {
        Fate::Updated(conversion) => accepted("updated", conversion),
        Fate::Duplicate(conversion) => accepted("duplicate", conversion),
        Fate::Rejected(refusal) => {
            rejected(refusal.reason.as_str(), refusal.parameter.as_deref(), &refusal.detail)
        }
        Fate::Ambiguous(many) => {
            let detail = format!(
                "The click has {many} conversions of this event; name one by order_id or conversion_id."
            );
            rejected("ambiguous", Some("click_id"), &detail)
        }
        Fate::Repeated => {
            let detail = "An earlier item of this call is about the same conversion; send this one in a call of its own.";
            rejected("repeated_item", None, detail)
        }
        Fate::Overtaken => rejected("conflict", None, OVERTAKEN),
    }
}

fn line(record: &ChangeRecord) -> Value {
    let currency = Currency::parse(&record.currency);
    let state = |stored: &Value| {
        let price = |name: &str| {
            let (minor, currency) = (stored.get(name)?.as_i64()?, currency?);
            Some(json!({ "amount": currency.format(minor), "currency": currency.code() }))
        };
        json!({
            "status": stored.get("status"), "reason": stored.get("reason"),
            "amount": price("amount"), "revenue": price("revenue"), "payout": price("payout"),
        })
    };
    json!({
        "revision": record.revision,
        "at": render::instant(&record.at.ms().into()),
        "by": match record.key_id {
            None if record.request_id.starts_with(RULE_PREFIX) => "rule",
            None => "postback",
            Some(0) => "root_key",
            Some(_) => "key",
        },
        "key_id": record.key_id.filter(|id| *id != 0),
        "request_id": record.request_id,
        "what": record.what,
        "reason": record.reason,
        "before": state(&record.before),
        "after": state(&record.after),
    })
}

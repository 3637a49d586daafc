//! The addresses that an advertiser calls, ready to copy: a campaign's own, and one per event.
//!
//! Placeholders stand for what only the shop knows; whoever forgets to replace one is told
//! `placeholder_not_replaced`. Tokens are stored as hashes, so that one stands there as a word.

use serde_json::{Value, json};

use super::{Call, Stores, problem};
use crate::app::catalog::resource::Record;
use crate::app::catalog::{self, resources};
use crate::domain::event::Origin;
use crate::domain::money::{BasisPoints, MoneyType, Rule};
use crate::http::response::Response;

/// One parameter of an address.
struct Parameter {
    /// As the advertiser sends it.
    name: String,
    value: String,
    is_mandatory: bool,
    /// What it is to us.
    canonical: String,
}

impl Parameter {
    fn new(name: &str, is_mandatory: bool) -> Self {
        let value = match name {
            "click_id" => "CLICK_ID",
            "order_id" => "ORDER_ID",
            "amount" => "AMOUNT",
            _ => "REPLACE",
        };
        Self { name: name.into(), value: value.into(), is_mandatory, canonical: name.into() }
    }

    fn of_value(name: &str, value: String) -> Self {
        Self { value, ..Self::new(name, true) }
    }
}

/// `GET /campaigns/{id}/postback-urls`.
pub(super) async fn list(call: &Call<'_, impl Stores>, id: &str) -> Result<Response, Response> {
    let unavailable = |_| problem::storage_unavailable();
    let not_found = || problem::not_found(resources::CAMPAIGNS.singular);
    let place = call.place(&resources::CAMPAIGNS);
    let key = super::paging::number(id).ok_or_else(not_found)?;
    let campaign = call.stores.find(place, &key).await.map_err(unavailable)?;
    let campaign = campaign.ok_or_else(not_found)?;
    let events = catalog::events(call.stores, place, &key).await.map_err(unavailable)?;
    let is_active = |event: &&Record| event.get("state").and_then(Value::as_str) == Some("active");
    let active = events.iter().filter(is_active).map(Some);
    let namespace = call.access.namespace.as_ref();
    let origin = namespace.map(|name| call.settings.origin_of(name)).unwrap_or_default();
    let data: Vec<Value> = std::iter::once(None)
        .chain(active)
        .map(|event| {
            let parameters = parameters(&campaign, event);
            json!({
                "event": event.map(|event| json!({ "id": event.get("id"), "name": event.get("name") })),
                "url": url(&origin, &parameters),
                "parameters": parameters.iter().map(shown).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(Response::json(200, &json!({ "data": data, "next_cursor": null })))
}

/// The address that reports a campaign's initial conversions.
pub(super) fn of_campaign(campaign: &Record, origin: &str) -> String {
    url(origin, &parameters(campaign, None))
}

fn shown(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "value": parameter.value,
        "is_mandatory": parameter.is_mandatory,
    })
}

fn url(origin: &str, parameters: &[Parameter]) -> String {
    let query: Vec<String> = parameters.iter().map(|p| format!("{}={}", p.name, p.value)).collect();
    format!("{origin}/postback?{}", query.join("&"))
}

/// What the address has to bring, in the order in which it stands there.
fn parameters(campaign: &Record, event: Option<&Record>) -> Vec<Parameter> {
    let text = |record: &Record, name: &str| {
        record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut parameters = Vec::new();
    if let Some(id) = event.and_then(|event| event.get("id")) {
        parameters.push(Parameter::of_value("event_id", id.to_string()));
    }
    let is_per_order = match event {
        Some(event) => text(event, "repeat") == "per_order",
        None => text(campaign, "conversions_per_click") == "per_order",
    };
    parameters.push(Parameter::new("click_id", true));
    parameters.push(Parameter::new("order_id", is_per_order));
    let paying = event.unwrap_or(campaign);
    if needs_amount(paying, "revenue") || needs_amount(paying, "payout") {
        parameters.push(Parameter::new("amount", true));
    }
    let is_customer_required = campaign.get("is_customer_required").and_then(Value::as_u64);
    if event.is_none() && is_customer_required == Some(1) {
        parameters.extend(["customer_id", "new_customer"].map(|name| Parameter::new(name, true)));
    }
    let required: Vec<String> =
        serde_json::from_str(&text(campaign, "required_parameters")).unwrap_or_default();
    for name in required {
        match parameters.iter_mut().find(|known| known.canonical == name) {
            Some(known) => known.is_mandatory = true,
            None => parameters.push(Parameter::new(&name, true)),
        }
    }
    let rows = event.map(|event| text(event, "parameters")).unwrap_or_default();
    let rows: Record = serde_json::from_str(&rows).unwrap_or_default();
    for (ours, theirs) in &rows {
        apply(&mut parameters, ours, Origin::parse(theirs.as_str().unwrap_or_default()));
    }
    match text(campaign, "authentication").as_str() {
        "token" => parameters.push(Parameter::of_value("token", "TOKEN".to_owned())),
        // The signature comes last, so that the rest of the query is what it signs.
        "hmac" => {
            parameters.push(Parameter::of_value("timestamp", "TIMESTAMP".to_owned()));
            parameters.push(Parameter::of_value("signature", "SIGNATURE".to_owned()));
        }
        _ => {}
    }
    parameters
}

/// A row of the event: the advertiser's own name, or the macro that its system fills in.
fn apply(parameters: &mut Vec<Parameter>, ours: &str, origin: Origin) {
    let known = parameters.iter().position(|known| known.canonical == ours);
    let place = known.unwrap_or_else(|| {
        parameters.push(Parameter::new(ours, false));
        parameters.len() - 1
    });
    let Some(parameter) = parameters.get_mut(place) else { return };
    match origin {
        Origin::Parameter(name) => parameter.name = name,
        Origin::Macro(text) => parameter.value = text,
    }
}

fn needs_amount(paying: &Record, what: &str) -> bool {
    let word = paying.get(&format!("{what}_type")).and_then(Value::as_str).unwrap_or_default();
    let points = paying.get(&format!("{what}_percent")).and_then(Value::as_u64).unwrap_or_default();
    let percent = BasisPoints(u32::try_from(points).unwrap_or_default());
    MoneyType::from_word(word)
        .is_some_and(|kind| Rule { kind, fixed_minor: 0, percent }.needs_amount())
}

//! What the fields of resources hold, as schemas.

use crate::app::access::Scope;
use crate::app::catalog::resource::{Field, Item, Kind, Part, Writable};
use crate::domain::attribution::Way;
use crate::domain::configuration::Status;
use crate::domain::parameters::NAMES;
use crate::http::api::value;
use crate::http::openapi::{fill, one_of, reference};

/// What a field holds. What nobody but Backtrail writes has no bounds of its own.
pub(super) fn schema_of(field: &Field) -> String {
    let is_shown_only = field.writable == Writable::Never;
    let name = match field.kind {
        Kind::Flag | Kind::Default(_) | Kind::Switch(_) => {
            return r#"{"type":"boolean"}"#.to_owned();
        }
        Kind::Choice(words) => return one_of(words),
        Kind::Count(..) if is_shown_only => return r#"{"type":"integer"}"#.to_owned(),
        Kind::Count(min, max) => {
            let count = r#"{"type":"integer","minimum":%,"maximum":%}"#;
            return fill(count, &[&min.to_string(), &max.to_string()]);
        }
        Kind::List(item) => return list_of(item),
        Kind::Map(_) => {
            let map =
                r#"{"type":"object","additionalProperties":{"type":"string"},"maxProperties":%}"#;
            return fill(map, &[&value::MAX_ENTRIES.to_string()]);
        }
        Kind::Part(Part::Webhook) => "Webhook",
        Kind::Part(Part::Pixel) => "Pixel",
        Kind::Part(Part::Matching) => "Matching",
        Kind::Approval => "Approval",
        Kind::Json if field.name == "event" => "ReportedEvent",
        Kind::Json => return "{}".to_owned(),
        Kind::Used => return r#"{"type":["integer","string"]}"#.to_owned(),
        Kind::Reference(_) | Kind::Limit(_) | Kind::TokenOwner | Kind::DefaultLink => "Id",
        Kind::CampaignCurrency | Kind::Currency => "Currency",
        Kind::Hostname => "Hostname",
        Kind::LandingPage => "LandingPageAddress",
        Kind::Money => "Amount",
        Kind::EventName | Kind::Name => "Name",
        Kind::NamespaceName => "NamespaceName",
        Kind::ParameterName => "ParameterName",
        Kind::Percent => "Percentage",
        Kind::Price => "Money",
        Kind::Rate => "ExchangeRate",
        Kind::Secret(_) => "Secret",
        Kind::Time if !is_shown_only => "Time",
        Kind::Time => "Instant",
        Kind::TimeZone => "TimeZone",
        Kind::TrafficBack => "TrafficBackAddress",
        Kind::Code if !is_shown_only => "Code",
        // As in `value`, every other kind is a text.
        _ => return r#"{"type":"string"}"#.to_owned(),
    };
    reference("schemas", name)
}

fn list_of(item: Item) -> String {
    let items = match item {
        Item::Scope => one_of(&Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>()),
        Item::PostbackParameter => {
            let canonical = NAMES.iter().filter(|(name, canonical)| name == canonical);
            let names = canonical.map(|(name, _)| *name);
            one_of(&names.filter(|name| value::is_of_conversion(name)).collect::<Vec<_>>())
        }
        Item::Way => one_of(&Way::ALL.iter().map(|way| way.as_str()).collect::<Vec<_>>()),
        Item::Country => reference("schemas", "Country"),
        Item::AppScheme => reference("schemas", "AppScheme"),
        Item::NetworkNumber => {
            r#"{"type":"string","pattern":"^[Aa][Ss][1-9][0-9]{0,8}$"}"#.to_owned()
        }
        Item::TriggerEvent => reference("schemas", "Name"),
        Item::Status => {
            one_of(&Status::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>())
        }
        Item::HostPattern => reference("schemas", "HostPattern"),
        Item::Network => reference("schemas", "Network"),
        Item::Origin => reference("schemas", "Origin"),
    };
    let least = if matches!(item, Item::Scope | Item::TriggerEvent) { "1" } else { "0" };
    let list = r#"{"type":"array","items":%,"minItems":%,"maxItems":%}"#;
    fill(list, &[&items, least, &value::MAX_ITEMS.to_string()])
}

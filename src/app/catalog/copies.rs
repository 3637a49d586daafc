//! Which copies of configuration follow a write. Keys have none: they are read from the ledger at
//! each call.

use serde_json::Value;

use super::resource::{Record, Resource};
use super::{Place, number};
use crate::app::memory::Wanted;
use crate::app::ports::ConfigurationCopies;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// For each object of a draft, whether it takes the default-flag from another one.
pub(super) fn claimed_defaults(resource: &Resource, records: &[Record]) -> Vec<bool> {
    let flag = resource.default_flag().map(|(field, _)| field.name);
    records.iter().map(|record| flag.is_some_and(|flag| is_set(record, flag))).collect()
}

/// After a creation: what contains the new objects has changed, the objects themselves are new.
pub(super) async fn follow_creation(
    stores: &impl ConfigurationCopies,
    place: Place<'_>,
    claims: &[bool],
    records: &[Record],
    now: Timestamp,
) {
    let (mut changed, mut appeared) = (Vec::new(), Vec::new());
    for (index, record) in records.iter().enumerate() {
        let Some(namespace) = namespace_of(place, record) else { continue };
        let claims_default = claims.get(index).copied().unwrap_or_default();
        for wanted in copies_of(place.resource, record, &namespace) {
            // Nothing lists an affiliate who is not blocked.
            if matches!(wanted, Wanted::Namespace(_))
                && place.resource.name == "affiliates"
                && is_active(record)
            {
                continue;
            }
            let is_new = match wanted {
                Wanted::Link(..) | Wanted::Coupon(..) | Wanted::CustomId(..) => true,
                Wanted::DefaultLink(..) => !claims_default,
                // A landing page, event or token is part of its owner's copy.
                _ => place.resource.name == "campaigns" || place.resource.name == "advertisers",
            };
            if is_new { appeared.push(wanted) } else { changed.push(wanted) }
        }
    }
    stores.appeared(&appeared);
    changed.dedup();
    if !changed.is_empty() {
        stores.changed(&changed, now).await;
    }
}

/// After a change or removal; `before` is the object as it was, by whose custom id it was known.
pub(super) async fn follow_change(
    stores: &impl ConfigurationCopies,
    place: Place<'_>,
    before: Option<&Record>,
    record: &Record,
    now: Timestamp,
) {
    let Some(namespace) = namespace_of(place, record) else { return };
    let mut changed = copies_of(place.resource, record, &namespace);
    for wanted in before.iter().flat_map(|before| copies_of(place.resource, before, &namespace)) {
        if matches!(wanted, Wanted::CustomId(..)) && !changed.contains(&wanted) {
            changed.push(wanted);
        }
    }
    if !changed.is_empty() {
        stores.changed(&changed, now).await;
    }
}

/// The namespace of an object; where the root key named none, the object is one.
fn namespace_of(place: Place<'_>, record: &Record) -> Option<Namespace> {
    match place.namespace {
        Some(namespace) => Some(namespace.clone()),
        None => record.get("name").and_then(Value::as_str).and_then(Namespace::parse),
    }
}

/// The copies that hold something of an object.
fn copies_of(resource: &Resource, record: &Record, namespace: &Namespace) -> Vec<Wanted> {
    let id = |field: &str| number(record, field).and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
    let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
    let name = || namespace.clone();
    match resource.name {
        "namespaces" => vec![Wanted::Namespace(name())],
        "hosts" => vec![Wanted::Host(text("hostname").to_owned())],
        "advertisers" => vec![Wanted::Advertiser(name(), id("id"))],
        "campaigns" => vec![Wanted::Campaign(name(), id("id"))],
        "landing-pages" | "events" | "payouts" | "caps" => {
            vec![Wanted::Campaign(name(), id("campaign_id"))]
        }
        // A namespace's copy lists the affiliates who are blocked, and its rates.
        "rates" => vec![Wanted::Namespace(name())],
        "affiliates" => {
            let custom_id = record.get("custom_id").and_then(Value::as_str);
            let by_custom_id = custom_id.map(|id| Wanted::CustomId(name(), id.to_owned()));
            std::iter::once(Wanted::Namespace(name())).chain(by_custom_id).collect()
        }
        "coupons" => {
            let code = text("code").to_ascii_lowercase();
            vec![Wanted::Coupon(name(), id("campaign_id"), code)]
        }
        "links" if is_set(record, "is_default") => vec![
            Wanted::Link(name(), id("id")),
            Wanted::DefaultLink(name(), id("campaign_id"), id("affiliate_id")),
        ],
        "links" => vec![Wanted::Link(name(), id("id"))],
        "signing-secrets" => vec![Wanted::Campaign(name(), id("campaign_id"))],
        // Those of nobody say whether affiliates have any, and the namespace's copy by which click
        // ids visitors are recognised.
        "connectors" => {
            let mut owners = vec![id("affiliate_id"), 0];
            owners.dedup();
            let owners = owners.into_iter().map(|owner| Wanted::Connectors(name(), owner));
            owners.chain([Wanted::Namespace(name())]).collect()
        }
        "tokens" => vec![match text("level") {
            "advertiser" => Wanted::Advertiser(name(), id("level_id")),
            "campaign" => Wanted::Campaign(name(), id("level_id")),
            // Its campaign's copy lists it; `name_campaign_of_event` has put the number here.
            "event" => Wanted::Campaign(name(), id("campaign_id")),
            _ => Wanted::Namespace(name()),
        }],
        _ => vec![],
    }
}

fn is_set(record: &Record, flag: &str) -> bool {
    number(record, flag) == Some(1)
}

fn is_active(record: &Record) -> bool {
    record.get("state").and_then(Value::as_str) == Some("active")
}

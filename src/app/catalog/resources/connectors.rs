//! Connectors as a resource.

use super::super::resource::{Bound, Field, Item, Kind, Part, Removal, Resource};
use super::{CREATED_AT, ID, NAME};

/// Outgoing integrations. Judging reads all that may fire at once, so there is a bound.
pub static CONNECTORS: Resource = Resource {
    removal: Removal::Deleted,
    bound: Some(Bound { owner: None, column: "name", is_of_active: false, most: 500 }),
    ..Resource::numbered(
        "connectors",
        "connector",
        &[
            ID,
            NAME,
            Field::text("mode", Kind::Choice(&["enabled", "test", "disabled"]), "test").filter(),
            Field::nullable("campaign_id", Kind::Limit("campaigns")).filter(),
            // Before the webhook, which may tell an affiliate less.
            Field::nullable("affiliate_id", Kind::Limit("affiliates")).once().filter(),
            Field::required("events", Kind::List(Item::TriggerEvent)),
            Field::text("statuses", Kind::List(Item::Status), "[]"),
            Field::number("delay_seconds", Kind::Count(0, 2_592_000), 0),
            Field::nullable("webhook", Kind::Part(Part::Webhook)),
            Field::number("is_webhook_on", Kind::Switch("webhook"), 0),
            Field::nullable("pixel", Kind::Part(Part::Pixel)),
            Field::number("is_pixel_on", Kind::Switch("pixel"), 0),
            Field::shown("approval", Kind::Approval),
            Field::nullable("matching", Kind::Part(Part::Matching)),
            Field::shown("note", Kind::Code),
            Field::shown("rotated_at", Kind::Time),
            CREATED_AT,
        ],
    )
};

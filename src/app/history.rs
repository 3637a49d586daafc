//! What happened: clicks, conversions, the inbox and deliveries, read and never written here.

use std::future::Future;

use serde_json::Value;

use super::catalog::resource::{Field, Kind, Record, Resource};
use super::ports::Unavailable;
use crate::domain::configuration::Status;
use crate::domain::delivery::{self, State};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

const STATUS: Kind = Kind::Choice(Status::WORDS);
const DELIVERY_KIND: Kind = Kind::Choice(delivery::Kind::WORDS);
const DELIVERY_STATE: Kind = Kind::Choice(State::WORDS);
const VERDICT: Kind = Kind::Choice(&["recorded", "updated", "duplicate", "rejected"]);

const fn id(name: &'static str) -> Field {
    Field::shown(name, Kind::Count(1, i64::MAX))
}

const fn text(name: &'static str) -> Field {
    Field::shown(name, Kind::Code)
}

const fn time(name: &'static str) -> Field {
    Field::shown(name, Kind::Time)
}

/// Visits through links.
pub static CLICKS: Resource = Resource {
    key: "click_id",
    ..Resource::numbered(
        "clicks",
        "click",
        &[
            text("click_id"),
            time("clicked_at"),
            id("ref_id").filter(),
            id("campaign_id").filter(),
            id("affiliate_id").filter(),
            id("landing_page_id"),
            // Counted when it happened, or because it converted.
            Field::shown("counted", Kind::Flag),
            Field::shown("is_test", Kind::Flag).filter(),
            text("uncounted_reason"),
            text("country"),
            text("device"),
            text("os"),
            text("browser"),
            text("referrer"),
            text("user_agent"),
            text("source"),
            text("external_click_id"),
            Field::shown("parameters", Kind::Json),
            Field::shown("warnings", Kind::Json),
            // Where a rule of the campaign wants it.
            text("earlier_click"),
            id("asn"),
        ],
    )
};

/// What accepted postbacks became.
pub static CONVERSIONS: Resource = Resource {
    key: "conversion_id",
    ..Resource::numbered(
        "conversions",
        "conversion",
        &[
            text("conversion_id"),
            text("request_id"),
            time("received_at"),
            time("occurred_at"),
            text("source"),
            text("proof"),
            text("click_id").filter(),
            time("clicked_at"),
            id("ref_id"),
            id("campaign_id").filter(),
            id("affiliate_id").filter(),
            Field::shown("event", Kind::Json),
            text("order_id").filter(),
            Field::shown("status", STATUS).filter(),
            text("status_reason"),
            Field::shown("amount", Kind::Price),
            Field::shown("revenue", Kind::Price),
            Field::shown("payout", Kind::Price),
            text("exchange_rate"),
            Field::shown("is_test", Kind::Flag).filter(),
            Field::shown("is_lead", Kind::Flag),
            text("country"),
            text("goal"),
            text("comment"),
            Field::shown("parameters", Kind::Json),
            Field::shown("warnings", Kind::Json),
            Field::shown("explanation", Kind::Json),
            // What the click adds; null while its row has not arrived.
            Field::shown("click", Kind::Json),
        ],
    )
};

/// Every postback that passed authentication.
pub static INBOX: Resource = Resource {
    key: "request_id",
    ..Resource::numbered(
        "inbox",
        "postback",
        &[
            text("request_id"),
            time("received_at"),
            text("source"),
            text("proof"),
            id("campaign_id").filter(),
            Field::shown("parameters", Kind::Json),
            Field::shown("verdict", VERDICT).filter(),
            text("reason").filter(),
            text("detail"),
            text("conversion_id"),
            time("judged_at"),
            id("judgements"),
        ],
    )
};

/// What connectors had to send, and every attempt.
pub static DELIVERIES: Resource = Resource {
    key: "delivery_id",
    ..Resource::numbered(
        "deliveries",
        "delivery",
        &[
            text("delivery_id"),
            id("connector_id").filter(),
            Field::shown("kind", DELIVERY_KIND).filter(),
            Field::shown("state", DELIVERY_STATE).filter(),
            text("conversion_id").filter(),
            text("event_name"),
            time("happened_at"),
            text("click_id"),
            Field::shown("is_forced", Kind::Flag),
            Field::shown("values", Kind::Json),
            // Masked for keys without the scope `pii`; null once it has ended.
            Field::shown("personal", Kind::Json),
            // While it waits: when it is tried next, or when who is trying has given up at the latest.
            time("due_at"),
            time("created_at"),
            time("ended_at"),
            Field::shown("attempts", Kind::Json),
        ],
    )
};

/// Everything that happened.
pub static ALL: [&Resource; 4] = [&CLICKS, &CONVERSIONS, &INBOX, &DELIVERIES];

/// What a list shall hold.
#[derive(Clone, Debug, Default)]
pub struct Period {
    /// Fields and the values, as stored, that they must equal.
    pub filters: Vec<(&'static str, Value)>,
    /// The earliest time.
    pub from: Option<Timestamp>,
    /// The time before which everything was.
    pub to: Option<Timestamp>,
    /// The position of the last entry of the page before.
    pub before: Option<Vec<Value>>,
    /// The most entries.
    pub limit: u32,
}

/// Where what happened is kept.
pub trait History {
    /// Entries before a position, the newest first. Clicks may lag behind their redirect by
    /// moments, conversions and the inbox do not lag.
    fn entries(
        &self,
        of: &'static Resource,
        namespace: &Namespace,
        period: &Period,
    ) -> impl Future<Output = Result<Vec<Record>, Unavailable>>;

    /// One entry by its key.
    fn entry(
        &self,
        of: &'static Resource,
        namespace: &Namespace,
        key: &str,
    ) -> impl Future<Output = Result<Option<Record>, Unavailable>>;

    /// Where in its list an entry stands.
    fn position(of: &'static Resource, entry: &Record) -> Vec<Value>;
}

//! Deliveries: one thing that a connector has to send, as it is written into the outbox. What is
//! written when is in `delivery/`.

pub mod filled;
pub mod occasion;
pub mod of_conversion;
pub mod of_site_event;
pub mod pixel;
pub mod values;

pub mod circuit;
pub mod outcome;
pub mod schedule;
pub mod standard_webhooks;

use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::encoding::hex;
use super::namespace::Namespace;
use super::time::Timestamp;
use super::verdict::words;

words! {
    /// How it is sent.
    Kind {
        /// By Backtrail, to a server.
        Webhook = "webhook",
        /// By the visitor's browser.
        Pixel = "pixel",
    }
}

words! {
    /// What has become of a delivery.
    State {
        /// It is to be sent, or being sent.
        Waiting = "waiting",
        /// The receiver has said 2xx, or the pixel was handed to the visitor's browser.
        Delivered = "delivered",
        /// Every attempt failed; it can be replayed.
        Exhausted = "exhausted",
        /// The connector was disabled or removed, and what waited was not kept.
        Cancelled = "cancelled",
        /// The connector is in test mode: what would have been sent is in the log.
        Logged = "logged",
        /// None of the visitor's touches is the connector's.
        NoClickMatch = "no_click_match",
        /// The visitor did not come back in time for the pixel.
        NoBrowser = "no_browser",
        /// The pixel is not approved as it is.
        NotApproved = "not_approved",
    }
}

/// What a delivery tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A revision of a conversion: the first, or one that gave it another status.
    Conversion(&'a str, u32),
    /// A site event that became no conversion, by the name of its request.
    SiteEvent(&'a str),
}

/// The delivery_id: `msg_`, the time of the occasion in 12 hexadecimal digits, 20 digits of a
/// SHA-256 over connector, subject and kind. The same for the same thing, however often it is
/// written; sorts by time.
pub fn delivery_id(
    namespace: &Namespace,
    connector_id: u32,
    subject: Subject<'_>,
    kind: Kind,
    occasion: Timestamp,
) -> String {
    let (of, name, revision) = match subject {
        Subject::Conversion(id, revision) => ("conversion", id, revision),
        Subject::SiteEvent(request_id) => ("site event", request_id, 0),
    };
    let mut hash = Sha256::new();
    // Neither of these holds a NUL, so that no two lists of them write the same bytes.
    for part in [namespace.as_str(), of, name, kind.as_str()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(revision.to_be_bytes());
    hash.update(connector_id.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let tail = digest.first_chunk::<10>().map_or_else(String::new, |bytes| hex(bytes));
    format!("msg_{:012x}{tail}", occasion.ms())
}

/// Names of macros, as `{{UPPER}}` has them, and their values.
pub type Values = Vec<(String, String)>;

/// A new delivery; it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// See [`delivery_id`].
    pub delivery_id: String,
    /// Whose it is.
    pub connector_id: u32,
    /// How it is sent.
    pub kind: Kind,
    /// The conversion and its revision, if it is of one.
    pub conversion: Option<(String, u32)>,
    /// The event's name, before renaming.
    pub event_name: String,
    /// When the event happened.
    pub happened_at: Timestamp,
    /// Backtrail's click.
    pub click_id: Option<String>,
    /// The visitor, where a browser reported it.
    pub visitor: Option<String>,
    /// Whether it is sent although its connector is in test mode.
    pub is_forced: bool,
    /// What macros stand for, as far as it was known.
    pub values: Rc<Values>,
    /// The same, personal ones.
    pub personal: Rc<Values>,
    /// When it is to be sent first.
    pub due_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_occasion_has_the_same_delivery_id_and_any_other_another() {
        let of = |namespace: &str, connector, subject, kind, ms| {
            let namespace = Namespace::parse(namespace).unwrap();
            delivery_id(&namespace, connector, subject, kind, Timestamp::from_ms(ms))
        };
        let sale = Subject::Conversion("cv_1", 1);
        let first = of("demo", 1, sale, Kind::Webhook, 5);
        assert_eq!(first, of("demo", 1, sale, Kind::Webhook, 5));
        assert_eq!(first.len(), 36);
        assert!(first < of("demo", 1, sale, Kind::Webhook, 6));
        for other in [
            of("other", 1, sale, Kind::Webhook, 5),
            of("demo", 2, sale, Kind::Webhook, 5),
            of("demo", 1, Subject::Conversion("cv_1", 2), Kind::Webhook, 5),
            of("demo", 1, Subject::SiteEvent("cv_1"), Kind::Webhook, 5),
            of("demo", 1, sale, Kind::Pixel, 5),
        ] {
            assert_ne!(first, other);
        }
    }
}

//! What an accepted postback became, and what makes it unique.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::click_id::{Country, Flags};
use super::configuration::Status;
use super::money::{Currency, Decimal};
use super::permission::Proof;
use super::refund::Refunds;
use super::time::Timestamp;
use super::verdict::{Warning, words};

words! {
    /// Where a request came in.
    Source {
        /// From a server.
        Postback = "postback",
        /// From an image.
        Pixel = "pixel",
        /// From the site script.
        Collect = "collect",
    }
}

/// The number of the initial conversion; events count from 1.
pub const INITIAL: u32 = 0;

/// What makes a conversion unique, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// Its click and event: a click converts once.
    Click {
        /// The click_id as text.
        click_id: &'a str,
        /// The event, or [`INITIAL`].
        event_id: u32,
    },
    /// Its campaign, event and order.
    Order {
        /// The campaign.
        campaign_id: u32,
        /// The event, or [`INITIAL`].
        event_id: u32,
        /// The merchant's order.
        order_id: &'a str,
    },
    /// Its campaign, event, parameters and time: an event that counts with every request.
    Request {
        /// The campaign.
        campaign_id: u32,
        /// The event.
        event_id: u32,
        /// The [`fingerprint`] of its parameters.
        fingerprint: [u8; 32],
        /// Which span of time, counted from the epoch.
        span: u64,
    },
}

/// What is the same for the same parameters, in whatever order they were sent.
pub fn fingerprint<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)>) -> [u8; 32] {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable();
    hash(pairs.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]))
}

/// Each field is prefixed by its length, so that no two lists of fields write the same bytes.
fn hash<'f>(fields: impl IntoIterator<Item = &'f [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    hash.finalize().into()
}

impl Key<'_> {
    /// The conversion_id: `cv_` and 20 base64url characters, the first 15 bytes of a SHA-256 over
    /// the key. Derived, so that the primary key of the table forbids counting twice; 120 bits,
    /// so that two keys meet by chance once in 10^18 conversions.
    pub fn conversion_id(&self) -> String {
        let digest = match self {
            Self::Click { click_id, event_id } => hash([
                b"click".as_slice(),
                click_id.as_bytes(),
                &event_id.to_be_bytes(),
                b"".as_slice(),
            ]),
            Self::Order { campaign_id, event_id, order_id } => hash([
                b"order".as_slice(),
                &campaign_id.to_be_bytes(),
                &event_id.to_be_bytes(),
                order_id.as_bytes(),
            ]),
            Self::Request { campaign_id, event_id, fingerprint, span } => hash([
                b"request".as_slice(),
                &campaign_id.to_be_bytes(),
                &event_id.to_be_bytes(),
                fingerprint.as_slice(),
                &span.to_be_bytes(),
            ]),
        };
        format!("cv_{}", URL_SAFE_NO_PAD.encode(digest.first_chunk::<15>().unwrap_or(&[0; 15])))
    }
}

/// The conversion_id of a test whose key would be that of a sale: it takes no sale's place.
pub fn id_of_test(conversion_id: &str) -> String {
    let digest = hash([b"test".as_slice(), conversion_id.as_bytes()]);
    format!("cv_{}", URL_SAFE_NO_PAD.encode(digest.first_chunk::<15>().unwrap_or(&[0; 15])))
}

/// The fields that decide money as they were sent, in their normal form; repeats are compared
/// with these. Field names are the canonical ones. Beside them stands by what else the payout rule
/// was chosen: [`BY_COUPON`] and [`FOR_LIFE`].
pub type SentMoney = Vec<(&'static str, String)>;

/// In [`SentMoney`]: the code of the coupon by which the conversion is credited.
pub const BY_COUPON: &str = "coupon";

/// In [`SentMoney`]: that lifetime payouts apply.
pub const FOR_LIFE: &str = "lifetime";

/// What a new conversion has to do with its customer; written beside it, in tables of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customership {
    /// The merchant's number of the customer.
    pub customer_id: String,
    /// The link of the affiliate to whom the customer is seen to belong, 0 for nobody; the commit
    /// checks it. `None` where nothing depends on it.
    pub seen_ref_id: Option<u32>,
    /// Whether the customer belongs to whom the conversion credits from now on.
    pub is_link_made: bool,
}

/// A conversion, new or as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    /// Derived from its [`Key`].
    pub conversion_id: String,
    /// The request that made it.
    pub request_id: String,
    /// When that request arrived.
    pub received_at: Timestamp,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Where the request came in.
    pub source: Source,
    /// How the request proved itself.
    pub proof: Proof,
    /// The click.
    pub click_id: Option<String>,
    /// When the click was.
    pub clicked_at: Option<Timestamp>,
    /// The link.
    pub ref_id: u32,
    /// The campaign.
    pub campaign_id: u32,
    /// Who is credited.
    pub affiliate_id: u32,
    /// The event, or [`INITIAL`].
    pub event_id: u32,
    /// The event's name when it was recorded.
    pub event_name: Option<String>,
    /// The merchant's order.
    pub order_id: Option<String>,
    /// The status now.
    pub status: Status,
    /// Why that status.
    pub status_reason: Option<String>,
    /// The campaign's currency.
    pub currency: Currency,
    /// The amount in minor units.
    pub amount: Option<i64>,
    /// Revenue now, in minor units.
    pub revenue: i64,
    /// Payout now, in minor units.
    pub payout: i64,
    /// Whether the click was a test.
    pub is_test: bool,
    /// Whether it is paid as a lead.
    pub is_lead: bool,
    /// The flags of the click.
    pub click_flags: Flags,
    /// The country of the click.
    pub country: Option<Country>,
    /// What repeats are compared with.
    pub sent_money: SentMoney,
    /// The status that the first reply named.
    pub first_status: Status,
    /// The revenue that the first reply named.
    pub first_revenue: i64,
    /// The payout that the first reply named.
    pub first_payout: i64,
    /// The warnings of the first reply.
    pub warnings: Vec<Warning>,
    /// custom1…10 and unknown parameters.
    pub kept: Vec<(String, String)>,
    /// The goal.
    pub goal: Option<String>,
    /// Shown to the affiliate.
    pub comment: Option<String>,
    /// How status and money came about: what, and because of what.
    pub explanation: Vec<(&'static str, String)>,
    /// Grows with each change.
    pub revision: u32,
    /// The postback or call of the API that changed it last; `None` while it is as recorded.
    pub changed_by: Option<String>,
    /// What was refunded, once something was.
    pub refunds: Option<Refunds>,
    /// What `amount` and `commission` were multiplied by to be in the campaign's currency.
    pub exchange_rate: Option<Decimal>,
    /// Its customer; only of a new one, as its row does not hold it.
    pub customer: Option<Customership>,
}

/// How the names of calls of the API begin that change conversions; those of postbacks differ.
pub const CALL_PREFIX: &str = "op_";

/// How the names of examinations begin in which a rule of the campaign changed a conversion.
pub const RULE_PREFIX: &str = "rule_";

/// In a conversion's explanation: which soft cap was full when it was recorded.
pub const OVER_CAP: &str = "cap";

/// When the postback, call or examination of this name arrived; names begin so.
pub fn time_in_name(name: &str) -> Option<Timestamp> {
    let (_, rest) = name.split_once('_')?;
    u64::from_str_radix(rest.get(..12)?, 16).ok().map(Timestamp::from_ms)
}

impl Conversion {
    /// The coupon by which it is credited.
    pub fn coupon(&self) -> Option<&str> {
        self.sent_money.iter().find(|(name, _)| *name == BY_COUPON).map(|(_, code)| code.as_str())
    }

    /// Whether lifetime payouts apply to it.
    pub fn is_lifetime(&self) -> bool {
        self.sent_money.iter().any(|(name, _)| *name == FOR_LIFE)
    }

    /// Whether an operator, or one of his rules, changed it last.
    pub fn is_changed_by_operator(&self) -> bool {
        let is_his = |by: &str| by.starts_with(CALL_PREFIX) || by.starts_with(RULE_PREFIX);
        self.changed_by.as_deref().is_some_and(is_his)
    }

    /// Whether it stands against what its sender said before: an operator changed it last, or a soft
    /// cap has let it wait since it was recorded. Only what is new changes it then.
    pub fn withstands_repeats(&self) -> bool {
        let is_over_cap = self.explanation.iter().any(|(what, _)| *what == OVER_CAP);
        self.is_changed_by_operator() || is_over_cap && self.changed_by.is_none()
    }

    /// Says how something came about, instead of what was said of it before.
    pub fn explain(&mut self, what: &'static str, why: String) {
        self.explanation.retain(|(explained, _)| *explained != what);
        self.explanation.push((what, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parameters_have_the_same_fingerprint_in_any_order() {
        let of = |pairs: &[(&'static str, &'static str)]| fingerprint(pairs.iter().copied());
        assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
        for other in [[("a", "1"), ("b", "3")], [("a", "2"), ("b", "1")], [("a1", ""), ("b", "2")]]
        {
            assert_ne!(of(&other), of(&[("a", "1"), ("b", "2")]));
        }
    }

    #[test]
    fn different_keys_have_different_ids_and_equal_ones_equal_ids() {
        let click = |click_id, event_id| Key::Click { click_id, event_id }.conversion_id();
        let order = |campaign_id, event_id, order_id| {
            Key::Order { campaign_id, event_id, order_id }.conversion_id()
        };
        let request = |fingerprint, span| {
            Key::Request { campaign_id: 1, event_id: 2, fingerprint, span }.conversion_id()
        };
        let ids = [
            request([0; 32], 1),
            request([0; 32], 2),
            request([1; 32], 1),
            click("a", 0),
            click("a", 1),
            click("b", 0),
            order(1, 0, "a"),
            order(0, 1, "a"),
            order(1, 0, "b"),
            order(1, 0, "A"),
        ];
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(click("a", 0), ids[3]);
        assert!(ids.iter().all(|id| id.len() == 23 && id.starts_with("cv_")));
    }
}

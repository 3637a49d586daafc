//! What operators do with the statuses of recorded conversions, singly and many at once.

use std::collections::BTreeSet;
use std::future::Future;

use serde_json::Value;

use super::memory::Memory;
use super::outbox::{Audiences, deliveries_of_changes};
use super::ports::{Configuration, Signature, Unavailable};
use super::settings::Moment;
use crate::domain::configuration::Status;
use crate::domain::conversion::{CALL_PREFIX, Conversion};
use crate::domain::delivery::Delivery;
use crate::domain::money::Decimal;
use crate::domain::namespace::Namespace;
use crate::domain::refund::Request;
use crate::domain::time::Timestamp;
use crate::domain::transition::{Author, Change, Wish, change};
use crate::domain::verdict::{Reason, Refusal};

/// How often changes are decided: a second time those for which somebody else was faster. The first
/// round takes 25 statements for a thousand of them: 3 that find them, 2 for who hears of it, and 4
/// for each 200, of which one writes what connectors send.
const MAX_ROUNDS: usize = 2;

/// So many are decided a second time, which takes 9 statements more; an invocation on a free plan
/// has 50. That somebody else was faster more often is told to the caller.
const MOST_AGAIN: usize = 200;

/// How an operator names a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// By its conversion_id.
    Conversion(String),
    /// By the merchant's order.
    Order {
        /// The campaign, in which orders are unique.
        campaign_id: u32,
        /// The event, 0 for the initial conversion.
        event_id: u32,
        /// The order.
        order_id: String,
    },
    /// By its click.
    Click {
        /// The click_id.
        click_id: String,
        /// The event, 0 for the initial conversion.
        event_id: u32,
    },
}

/// One change that an operator wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Of which conversion.
    pub name: Named,
    /// The status that it shall have.
    pub status: Status,
    /// Why.
    pub reason: Option<String>,
    /// How much of the sale is refunded; `None` for all that is left.
    pub amount: Option<Decimal>,
    /// The name of a refund.
    pub refund_id: Option<String>,
}

/// What became of an item.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It was changed and the change is committed.
    Updated(Box<Conversion>),
    /// It was so already.
    Duplicate(Box<Conversion>),
    /// It was refused.
    Rejected(Refusal),
    /// Several conversions have this name.
    Ambiguous(usize),
    /// An earlier item of the same call is about the same conversion.
    Repeated,
    /// Others changed the conversion at the same moment, again and again.
    Overtaken,
}

/// One line of an audit trail.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRecord {
    /// The revision of the conversion afterwards; the recorded one is 1.
    pub revision: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The postback, or the call of the API.
    pub request_id: String,
    /// The API key, 0 for the root key; `None` for postbacks.
    pub key_id: Option<u64>,
    /// What was changed.
    pub what: String,
    /// Status, reason and money until then, in minor units.
    pub before: Value,
    /// The same from then on.
    pub after: Value,
    /// The reason that was given.
    pub reason: Option<String>,
    /// The currency of the money.
    pub currency: String,
}

/// Where conversions are found and changed many at a time.
pub trait Statuses {
    /// The conversions of each name, in the order of the names.
    fn find_each(
        &self,
        namespace: &Namespace,
        names: &[Named],
    ) -> impl Future<Output = Result<Vec<Vec<Conversion>>, Unavailable>>;

    /// Commits changes of different conversions, each by itself with its line of the audit trail
    /// and what it has connectors send, provided that the stored revision is the one that was seen. Gives the ids of those
    /// that were changed. Repeatable.
    fn change_each(
        &self,
        namespace: &Namespace,
        changes: &[Change],
        deliveries: &[Delivery],
        signature: &Signature<'_>,
    ) -> impl Future<Output = Result<Vec<String>, Unavailable>>;

    /// The audit trail of a conversion, the oldest change first; `None` if there is no such
    /// conversion.
    fn changes_of(
        &self,
        namespace: &Namespace,
        conversion_id: &str,
    ) -> impl Future<Output = Result<Option<Vec<ChangeRecord>>, Unavailable>>;
}

/// Applies items, each by itself. Sending them again changes nothing: what is so already is a
/// duplicate.
///
/// # Errors
/// If the ledger fails midway some items may have happened, each wholly; sending all again does
/// the rest.
pub async fn apply(
    ports: &(impl Statuses + Audiences + Configuration),
    memory: &Memory,
    namespace: &Namespace,
    moment: &Moment<'_>,
    key_id: u64,
    items: &[Item],
) -> Result<Vec<Fate>, Unavailable> {
    let name = super::judge::request_id(moment).replacen("req_", CALL_PREFIX, 1);
    let signature = Signature { request_id: &name, key_id: Some(key_id), at: moment.now };
    let mut fates: Vec<Option<Fate>> = vec![None; items.len()];
    let mut open: Vec<(usize, &Item)> = items.iter().enumerate().collect();
    let mut claimed = BTreeSet::new();
    for _ in 0..MAX_ROUNDS {
        let names: Vec<Named> = open.iter().map(|(_, item)| item.name.clone()).collect();
        let found = ports.find_each(namespace, &names).await?;
        let mut changes = Vec::new();
        let mut waiting = Vec::new();
        for ((place, item), found) in open.into_iter().zip(found) {
            let fate = match found.as_slice() {
                [known] if !is_first(&mut claimed, known, place) => Some(Fate::Repeated),
                [known] => match decide(known, item, &name) {
                    Ok(Some(change)) => {
                        changes.push(change);
                        waiting.push((place, item));
                        None
                    }
                    Ok(None) => Some(Fate::Duplicate(Box::new(known.clone()))),
                    Err(refusal) => Some(Fate::Rejected(refusal)),
                },
                [] => Some(Fate::Rejected(unknown(&item.name))),
                many => Some(Fate::Ambiguous(many.len())),
            };
            if let Some(slot) = fates.get_mut(place) {
                *slot = fate;
            }
        }
        let deliveries =
            deliveries_of_changes(ports, memory, namespace, &changes, moment.now).await?;
        let made = ports.change_each(namespace, &changes, &deliveries, &signature).await?;
        memory.wake.ask_for(&deliveries, moment.now);
        let made: BTreeSet<String> = made.into_iter().collect();
        open = Vec::new();
        for ((place, item), change) in waiting.into_iter().zip(changes) {
            if !made.contains(&change.after.conversion_id) {
                open.push((place, item));
            } else if let Some(slot) = fates.get_mut(place) {
                *slot = Some(Fate::Updated(Box::new(change.after)));
            }
        }
        if open.is_empty() {
            break;
        }
        open.truncate(MOST_AGAIN);
    }
    Ok(fates.into_iter().map(|fate| fate.unwrap_or(Fate::Overtaken)).collect())
}

/// Whether an item is the first of its call about a conversion; the others would be decided on
/// what the first is about to change.
fn is_first(claimed: &mut BTreeSet<(String, usize)>, known: &Conversion, place: usize) -> bool {
    let id = &known.conversion_id;
    let is_taken = claimed
        .range((id.clone(), 0)..=(id.clone(), usize::MAX))
        .any(|(_, claimant)| *claimant != place);
    if !is_taken {
        claimed.insert((id.clone(), place));
    }
    !is_taken
}

fn decide(known: &Conversion, item: &Item, name: &str) -> Result<Option<Change>, Refusal> {
    let wish = Wish {
        status: item.status,
        reason: item.reason.as_deref(),
        is_reason_replaced: true,
        refund: Request { amount: item.amount, id: item.refund_id.as_deref() },
    };
    change(known, &wish, Author::Operator, name)
}

fn unknown(name: &Named) -> Refusal {
    match name {
        Named::Conversion(_) => Refusal::of(
            Reason::NotFound,
            "conversion_id",
            "there is no such conversion in this namespace",
        ),
        Named::Order { .. } => Refusal::of(
            Reason::UnknownOrder,
            "order_id",
            "no conversion of this order is recorded in the campaign; check campaign_id and event_id as well",
        ),
        Named::Click { .. } => Refusal::of(
            Reason::UnknownClick,
            "click_id",
            "no such conversion of this click is recorded; check event_id as well",
        ),
    }
}

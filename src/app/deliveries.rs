//! What operators do with deliveries and with the secrets that sign them.

use std::future::Future;

use super::ports::Unavailable;
use super::steps::Cursor;
use crate::domain::delivery::standard_webhooks::Secrets;
use crate::domain::delivery::{Kind, State};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// A rotation so soon after the last one is its repeat, whose answer was lost: another secret
/// would end the overlap with the one that receivers have.
pub const REPEAT_MS: u64 = 60_000;

/// Which deliveries are meant; all of them have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// How they ended.
    pub state: State,
    /// How they are sent.
    pub kind: Kind,
    /// Of this connector.
    pub connector_id: Option<u32>,
    /// Of this conversion.
    pub conversion_id: Option<String>,
    /// The earliest time of their occasion.
    pub from: Option<Timestamp>,
    /// The time before which all of their occasions were; otherwise that of the first step.
    pub to: Option<Timestamp>,
}

/// What a step of replaying did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many deliveries wait again.
    pub replayed: u64,
    /// Where to go on; `None` when all are done.
    pub next: Option<Cursor>,
}

/// What is to be replayed in one step: those that fit, between two deliveries, neither included.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// Which of them.
    pub filter: &'a Filter,
    /// Behind this delivery.
    pub after: &'a str,
    /// Before this one.
    pub before: &'a str,
}

/// Where deliveries and secrets are kept.
pub trait Deliveries {
    /// Sends one again, from the beginning of the schedule; one that waits is due now. Nothing
    /// happens to one that is being sent, nor to one whose values were erased: then the answer is
    /// false. Repeatable.
    fn replay(
        &self,
        namespace: &Namespace,
        delivery_id: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, Unavailable>>;

    /// The same for some, looking at no more than `limit`. How many they are, and the last one that was
    /// looked at if there may be others. What was erased is left out. Repeatable: what waits is not found again.
    fn replay_some(
        &self,
        namespace: &Namespace,
        stretch: Stretch<'_>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<(u64, Option<String>), Unavailable>>;

    /// Cancels what waits for a connector, at most `limit` deliveries; how many. A request that is
    /// under way is not called back. `None` if there is no such connector.
    fn cancel(
        &self,
        namespace: &Namespace,
        connector_id: u32,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<u64>, Unavailable>>;

    /// Makes the next secret, of a key of the installation. Not within [`REPEAT_MS`] of the last
    /// time. `None` if there is no such connector.
    fn rotate(
        &self,
        namespace: &Namespace,
        connector_id: u32,
        key_number: u8,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Secrets>, Unavailable>>;
}

/// How the ids of deliveries begin; the time of the occasion follows.
const IDS: &str = "msg";

/// Deliveries that one step looks at.
const LOOKED_AT: usize = 1_000;

/// One step of replaying what fits a filter, the oldest first.
///
/// # Errors
/// If the ledger does not answer; the same step can be taken again.
pub async fn replay_step(
    ports: &impl Deliveries,
    namespace: &Namespace,
    filter: &Filter,
    cursor: Option<Cursor>,
    now: Timestamp,
) -> Result<Step, Unavailable> {
    let cursor = cursor.unwrap_or_else(|| Cursor::start(IDS, (filter.from, filter.to), now));
    let stretch = Stretch { filter, after: &cursor.after, before: &cursor.before(IDS) };
    let (replayed, last) = ports.replay_some(namespace, stretch, LOOKED_AT, now).await?;
    Ok(Step { replayed, next: last.map(|after| Cursor { after, ..cursor }) })
}

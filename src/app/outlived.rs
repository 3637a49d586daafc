//! What deliveries leave behind: pixels that nobody came back for, personal values, old rows.

use std::cell::RefCell;
use std::future::Future;

use super::leases::{Leases, Place};
use super::ports::Unavailable;
use crate::domain::connector::Mode;
use crate::domain::connector::pixel::Pixel;
use crate::domain::delivery::State;
use crate::domain::namespace::Namespace;
use crate::domain::time::{DAY_MS, MINUTE_MS, Timestamp};

/// Connectors with something waiting that one run of the cron job goes through.
const MOST_CONNECTORS: usize = 300;

/// What waits for connectors that are not there any more: so much of all of them is cancelled by one
/// run.
const CANCELLED_TOGETHER: usize = 5_000;

/// Of each connector so many deliveries are ended by one run.
const MOST_EACH: usize = 200;

/// Personal values are kept for so long, if their delivery waits that long. They go by when the
/// delivery was written: what is judged again may tell of an occasion of long ago.
const PERSONAL_MS: u64 = 7 * DAY_MS;

/// What has ended is kept for so long.
const KEPT_MS: u64 = 30 * DAY_MS;

/// Rows that are removed at once.
const REMOVED_TOGETHER: usize = 5_000;

/// Deliveries whose personal values are erased at once.
const FORGOTTEN_TOGETHER: usize = 5_000;

/// How often old things are looked for: it takes a search for each namespace.
const EVERY_MS: u64 = 10 * MINUTE_MS;

/// Where a connector's pixel and its approval stand.
#[derive(Clone, Debug)]
pub struct PixelOwner {
    /// Where.
    pub namespace: Namespace,
    /// Its number.
    pub connector_id: u32,
    /// Whether it sends.
    pub mode: Mode,
    /// The pixel's JSON.
    pub pixel: Option<String>,
    /// The approval's JSON.
    pub approval: Option<String>,
}

/// Where what is over is kept.
pub trait Outlived {
    /// Those of some connectors that have pixels which nobody came back for.
    fn owners_of_overdue_pixels(
        &self,
        connectors: &[(Namespace, u32)],
        now: Timestamp,
        most_each: usize,
    ) -> impl Future<Output = Result<Vec<PixelOwner>, Unavailable>>;

    /// Ends the overdue pixels of some connectors. Repeatable.
    fn end_pixels(
        &self,
        ended: &[(Namespace, u32, State)],
        now: Timestamp,
        most_each: usize,
    ) -> impl Future<Output = Result<(), Unavailable>>;

    /// Cancels what waits for connectors that are not there any more, due or not. Repeatable.
    fn cancel_orphans(
        &self,
        connectors: &[(Namespace, u32)],
        now: Timestamp,
        most_each: usize,
    ) -> impl Future<Output = Result<(), Unavailable>>;

    /// Erases the personal values of waiting deliveries that were written before a time, of at
    /// most `limit` of them. Repeatable: what is left, also by one that failed, is the next one's.
    fn forget_personal(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<(), Unavailable>>;

    /// Removes deliveries that ended before a time, and their attempts, at most `limit` of each.
    /// Repeatable.
    fn remove_ended(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<(), Unavailable>>;
}

/// The cron job's part. What a run does not get done, or a failing store, is left to the next.
pub async fn tidy_up(ports: &(impl Outlived + Leases), place: &RefCell<Place>, now: Timestamp) {
    let _ = end_overdue(ports, place, now).await;
    if !(now.ms() / MINUTE_MS).is_multiple_of(EVERY_MS / MINUTE_MS) {
        return;
    }
    let written_before = Timestamp::from_ms(now.ms().saturating_sub(PERSONAL_MS));
    let _ = ports.forget_personal(written_before, FORGOTTEN_TOGETHER).await;
    let kept_since = Timestamp::from_ms(now.ms().saturating_sub(KEPT_MS));
    let _ = ports.remove_ended(kept_since, REMOVED_TOGETHER).await;
}

async fn end_overdue(
    ports: &(impl Outlived + Leases),
    place: &RefCell<Place>,
    now: Timestamp,
) -> Result<(), Unavailable> {
    let after = place.borrow().clone();
    let look = ports.look(&after, now, MOST_CONNECTORS).await?;
    place.replace(look.next.unwrap_or_default());
    let mut orphaned = Vec::new();
    let mut present = Vec::new();
    for due in look.due {
        let name = (due.namespace, due.connector_id);
        match due.connector {
            None => orphaned.push(name),
            // What waits for a disabled connector is held.
            Some(connector) if connector.mode != Mode::Disabled => present.push(name),
            Some(_) => {}
        }
    }
    let each = (CANCELLED_TOGETHER / orphaned.len().max(1)).max(1);
    ports.cancel_orphans(&orphaned, now, each).await?;
    let owners = ports.owners_of_overdue_pixels(&present, now, MOST_EACH).await?;
    let ended: Vec<_> = owners
        .into_iter()
        .map(|owner| {
            let state = state_of_overdue(&owner);
            (owner.namespace, owner.connector_id, state)
        })
        .collect();
    ports.end_pixels(&ended, now, MOST_EACH).await
}

/// How a pixel ends that no browser has fired.
fn state_of_overdue(owner: &PixelOwner) -> State {
    let pixel = owner.pixel.as_deref().and_then(|json| Pixel::parse(json).ok());
    let is_approved = pixel.is_some_and(|pixel| {
        owner.approval.as_deref().is_some_and(|approval| pixel.is_approved(approval))
    });
    match owner.mode {
        Mode::Test => State::Logged,
        _ if is_approved => State::NoBrowser,
        _ => State::NotApproved,
    }
}

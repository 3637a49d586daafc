//! Counts clicks where caps bound them, by the cron job and behind all redirects: a click is
//! written once, and nothing is written beside it.

use std::future::Future;

use super::full_caps::Capped;
use super::ports::Unavailable;
use super::settings::Settings;
use crate::domain::cap::LocalDate;
use crate::domain::click_count::{Watch, beginning_of_day, days_begin_after, kept_since};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// Slices that one run catches up with, besides the two or three that every run counts for each
/// namespace: two hours of clicks, so that a new cap knows its day within a quarter of an hour.
const CATCH_UP_PER_RUN: u64 = 24;

/// What is counted again of a namespace.
#[derive(Clone, Debug)]
pub struct Recount {
    /// Whose clicks.
    pub namespace: Namespace,
    /// The slices and the date of each.
    pub slices: Vec<(Timestamp, LocalDate)>,
    /// Since when clicks count for new caps; `None` without any.
    pub new_since: Option<Timestamp>,
    /// Since when slices belong to the same days.
    pub days_begin_after: Timestamp,
    /// How far all is counted afterwards.
    pub counted_until: Timestamp,
    /// What was read before. If something else is kept by now (a new cap, or a page that was
    /// written late), the slices are counted, but not noted as counted.
    pub seen: Watch,
}

/// Where clicks and their sums are kept.
pub trait ClickCounts {
    /// Counts the slices anew, and with them their days, for the caps that bound clicks in these
    /// namespaces, each from its own beginning on; forgets slices of before `kept_since`. All or
    /// nothing. Repeatable.
    fn recount(
        &self,
        recounts: &[Recount],
        kept_since: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>>;
}

/// Counts the last clicks of the namespaces that have caps of clicks, and some of what was left
/// over. Without such caps the ledger is not asked.
///
/// # Errors
/// [`Unavailable`]; the next run does it.
pub async fn count_clicks(
    ports: &impl ClickCounts,
    settings: &Settings,
    capped: &[Capped],
    now: Timestamp,
) -> Result<(), Unavailable> {
    let watched = || capped.iter().filter_map(|c| Some((c, c.watch?)));
    // Nobody waits until another's day is counted.
    let behind = watched().filter(|(_, watch)| watch.is_behind(now)).count() as u64;
    let most = (CATCH_UP_PER_RUN / behind.max(1)).max(1);
    let recount = |(capped, seen): (&Capped, Watch)| {
        let date = |at| settings.date_in(&capped.time_zone, at);
        let new_since = seen.has_new.then(|| beginning_of_day(now, date));
        let plan = seen.plan(now, new_since, most);
        let first = plan.slices.first().copied().unwrap_or(now);
        Recount {
            namespace: capped.namespace.clone(),
            slices: plan.slices.into_iter().map(|slice| (slice, date(slice))).collect(),
            new_since,
            days_begin_after: days_begin_after(first),
            counted_until: plan.counted_until,
            seen,
        }
    };
    let recounts: Vec<Recount> = watched().map(recount).collect();
    match recounts.is_empty() {
        true => Ok(()),
        false => ports.recount(&recounts, kept_since(now)).await,
    }
}

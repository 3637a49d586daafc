//! Which hard caps are full, for redirects: a click must not wait for a store, so the campaign's
//! configuration says it, a minute late at most. Conversions do not go by this but by the count of
//! the commit.

use std::future::Future;

use super::count_clicks::{ClickCounts, count_clicks};
use super::memory::Wanted;
use super::ports::{ConfigurationCopies, Unavailable};
use super::settings::Settings;
use crate::domain::cap::LocalDate;
use crate::domain::click_count::Watch;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// Campaigns whose configuration one run writes anew, a call of a store each; if more caps became
/// full (or free) within a minute, the next runs go on.
const CAPS_PER_RUN: u32 = 10;

/// A namespace that has hard caps.
#[derive(Clone, Debug)]
pub struct Capped {
    /// Which.
    pub namespace: Namespace,
    /// Its time zone.
    pub time_zone: String,
    /// How far its clicks are counted; `None` where no cap bounds clicks.
    pub watch: Option<Watch>,
}

/// Where caps and their uses are kept.
pub trait CapWatch {
    /// The namespaces that have hard caps.
    fn capped(&self) -> impl Future<Output = Result<Vec<Capped>, Unavailable>>;

    /// Notes of hard caps of these namespaces whether they are full on the namespace's date, where
    /// that is otherwise than noted; at most so many. Gives their campaigns. Repeatable.
    fn note_full(
        &self,
        dates: &[(Namespace, LocalDate)],
        most: u32,
    ) -> impl Future<Output = Result<Vec<(Namespace, u32)>, Unavailable>>;
}

/// Where operators see how much is used.
pub trait CapUses {
    /// What is used of some of a namespace's caps in their current period, by their ids: how many,
    /// or minor units.
    fn used_of(
        &self,
        namespace: &Namespace,
        ids: &[u64],
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<(u64, i64)>, Unavailable>>;
}

/// Counts clicks where caps bound them, notes which hard caps are full now, and lets redirects
/// know. A cap that is full no more because its period has ended needs no note.
///
/// # Errors
/// [`Unavailable`]; the next run does it.
pub async fn note_full_caps(
    ports: &(impl CapWatch + ClickCounts + ConfigurationCopies),
    settings: &Settings,
    now: Timestamp,
) -> Result<(), Unavailable> {
    let capped = ports.capped().await?;
    if capped.is_empty() {
        return Ok(());
    }
    // Other caps do not wait for clicks that cannot be counted.
    let counted = count_clicks(ports, settings, &capped, now).await;
    let date = |c: Capped| (c.namespace, settings.date_in(&c.time_zone, now));
    let dates: Vec<_> = capped.into_iter().map(date).collect();
    let mut changed: Vec<Wanted> = Vec::new();
    for (namespace, campaign_id) in ports.note_full(&dates, CAPS_PER_RUN).await? {
        let campaign = Wanted::Campaign(namespace, campaign_id);
        if !changed.contains(&campaign) {
            changed.push(campaign);
        }
    }
    if !changed.is_empty() {
        ports.changed(&changed, now).await;
    }
    counted
}

//! Which clicks are counted, and when, for caps of clicks (design.md 4).
//!
//! A count is by slices of five minutes and always made anew, never added to, so that it may be
//! repeated and interrupted anywhere. The last slices are counted in every run, because clicks
//! are written a little later than they happen; what is older is counted for good, unless a page
//! of clicks comes late or a cap is new.

use super::cap::LocalDate;
use super::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// A slice. Zones are ahead of UTC by multiples of 15 minutes, so that each lies within one day.
pub const SLICE_MS: u64 = 5 * MINUTE_MS;

/// How long after a slice a click of it may still be written. Pages are written within seconds;
/// one that was kept aside tells of itself.
const LATE_MS: u64 = 5 * MINUTE_MS;

/// What is older is never counted again, also if the cron job stood still for so long.
const RECOUNTED_MS: u64 = 2 * DAY_MS;

/// How long a day of a slice can have lasted before it: 25 hours, and 26 more if the namespace
/// changed its time zone, since that is how far zones are apart.
const SAME_DAY_MS: u64 = 52 * HOUR_MS;

/// How far a namespace's clicks are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// All clicks before are counted; `None` before the first count.
    pub counted_until: Option<Timestamp>,
    /// Whether a cap came since the last count; before the first one it did.
    pub has_new: bool,
}

/// What one run counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The starts of slices.
    pub slices: Vec<Timestamp>,
    /// How far all is counted afterwards.
    pub counted_until: Timestamp,
}

impl Watch {
    /// Whether more is to be counted than what any run counts again.
    pub fn is_behind(&self, now: Timestamp) -> bool {
        let is_late = |until: Timestamp| until.ms() + SLICE_MS < open_since(now).ms();
        self.has_new || self.counted_until.is_none_or(is_late)
    }

    /// The next run: the slices that may still get clicks, and at most so many of those before
    /// them that are not counted yet. New caps want them from `new_since` on.
    pub fn plan(&self, now: Timestamp, new_since: Option<Timestamp>, most: u64) -> Plan {
        let open = open_since(now);
        let from = self.counted_until.into_iter().chain(new_since).min().unwrap_or(open);
        let from = slice_of(from).max(slice_of(before(now, RECOUNTED_MS))).min(open);
        let until = open.min(from.plus_ms(most * SLICE_MS));
        let late = (from.ms()..until.ms()).step_by(SLICE_MS as usize);
        let last = (open.ms()..=now.ms()).step_by(SLICE_MS as usize);
        let slices = late.chain(last).map(Timestamp::from_ms).collect();
        Plan { slices, counted_until: until }
    }
}

/// The first slice that may still get clicks.
fn open_since(now: Timestamp) -> Timestamp {
    slice_of(before(now, LATE_MS))
}

/// The start of the slice that a time lies in.
fn slice_of(time: Timestamp) -> Timestamp {
    Timestamp::from_ms(time.ms() / SLICE_MS * SLICE_MS)
}

fn before(time: Timestamp, ms: u64) -> Timestamp {
    Timestamp::from_ms(time.ms().saturating_sub(ms))
}

/// The first slice of today, which is some 25 hours ago at most.
pub fn beginning_of_day(now: Timestamp, date: impl Fn(Timestamp) -> LocalDate) -> Timestamp {
    let (now, today) = (slice_of(now), date(now));
    let slices_ago = |slices: u64| before(now, slices * SLICE_MS);
    // So many slices ago it was today, and so many ago it was not.
    let (mut is, mut is_not) = (0, 26 * HOUR_MS / SLICE_MS);
    while is + 1 < is_not {
        let middle = (is + is_not) / 2;
        if date(slices_ago(middle)) == today {
            is = middle;
        } else {
            is_not = middle;
        }
    }
    slices_ago(is)
}

/// Where the sums of the days begin that these slices lie in, the first of which is given.
pub fn days_begin_after(first: Timestamp) -> Timestamp {
    before(first, SAME_DAY_MS)
}

/// Slices before are needed no more.
pub fn kept_since(now: Timestamp) -> Timestamp {
    before(now, RECOUNTED_MS + SAME_DAY_MS + DAY_MS)
}

#[cfg(test)]
mod tests;

//! Caps (design.md 4): how many initial conversions a campaign, or one affiliate in it, may have,
//! or how much payout or revenue of these, in a day, a month or in all; or how many clicks.
//!
//! - A cap is full once its use has *reached* its limit. The conversion that reaches it is taken
//!   whole, and so may exceed an amount; otherwise a large sale would be refused and a small one
//!   after it taken.
//! - An affiliate's own cap of the same kind and period stands instead of the general one, which
//!   bounds all others together. In the use of the general one everybody's conversions count.
//! - Events are never refused for a cap (wire.md 6), and so they are not counted either.
//! - A cap of clicks ends redirects and nothing else: a click that was made may convert.

use super::money::Currency;
use super::time::Timestamp;
use super::verdict::{Reason, Refusal, words};

words! {
    /// What a cap bounds.
    Bounded {
        /// The number of conversions.
        Conversions = "conversions",
        /// What affiliates get.
        Payout = "payout",
        /// What the advertiser pays.
        Revenue = "revenue",
        /// The number of clicks.
        Clicks = "clicks",
    }
}

words! {
    /// In which span of time.
    Period {
        /// A day of the namespace's time zone.
        Day = "day",
        /// A month of it.
        Month = "month",
        /// For ever.
        Total = "total",
    }
}

words! {
    /// What becomes of a conversion for which there is no place.
    Mode {
        /// It is refused.
        Hard = "hard",
        /// It is recorded, and waits as `pending`.
        Soft = "soft",
    }
}

/// The name of the only period of [`Period::Total`].
const TOTAL: &str = "total";

/// A date on the calendar of a time zone, as `2026-11-21`. Periods are told apart by it and not by
/// the moment at which they begin, so that days of 23 or 25 hours, or without a midnight, are days
/// like others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalDate(String);

impl LocalDate {
    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let is_date = text.len() == 10
            && text.bytes().enumerate().all(|(place, byte)| match place {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        is_date.then(|| Self(text.to_owned()))
    }

    /// The date in UTC.
    pub fn utc(at: Timestamp) -> Self {
        Self(at.to_rfc3339().chars().take(10).collect())
    }

    /// The date as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the names of all days of the period begin with that the date lies in.
    pub fn days(&self, period: Period) -> &str {
        match period {
            Period::Total => "",
            period => self.period(period),
        }
    }

    /// The name of the period that the date lies in.
    pub fn period(&self, period: Period) -> &str {
        match period {
            Period::Day => &self.0,
            Period::Month => self.0.get(..7).unwrap_or_default(),
            Period::Total => TOTAL,
        }
    }
}

/// An active cap of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Its number.
    pub id: u32,
    /// Whose it is; `None` for all together.
    pub affiliate_id: Option<u32>,
    /// What it bounds.
    pub what: Bounded,
    /// In which span of time.
    pub period: Period,
    /// How many, or how much in minor units of the campaign's currency; at least 1.
    pub limit: i64,
    /// What becomes of what is over it.
    pub mode: Mode,
    /// The period in which it was last found full, a minute ago or so; for redirects.
    pub full_in: Option<String>,
}

/// Where conversions are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Those of this affiliate; 0 for all together.
    pub affiliate_id: u32,
    /// Those of the days whose names begin with this: of one, of a month, or of all.
    pub days: String,
}

/// What was used in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Where.
    pub place: Place,
    /// How many conversions count.
    pub conversions: i64,
    /// Their payout in minor units.
    pub payout: i64,
    /// Their revenue in minor units.
    pub revenue: i64,
}

impl Cap {
    /// Where it looks on a date.
    pub fn place(&self, today: &LocalDate) -> Place {
        let days = today.days(self.period).to_owned();
        Place { affiliate_id: self.affiliate_id.unwrap_or(0), days }
    }

    /// How much of it is used on a date.
    pub fn used(&self, uses: &[Use], today: &LocalDate) -> i64 {
        let place = self.place(today);
        uses.iter().find(|used| used.place == place).map_or(0, |used| match self.what {
            Bounded::Conversions => used.conversions,
            Bounded::Payout => used.payout,
            Bounded::Revenue => used.revenue,
            // Conversions use none.
            Bounded::Clicks => 0,
        })
    }

    /// `cap 3 (affiliate 7) is full: 10 of 10 conversions on 2026-11-21`.
    pub fn in_words(&self, used: i64, today: &LocalDate, currency: Currency) -> String {
        let amount = |minor| format!("{} {}", currency.format(minor), currency.code());
        let (used, limit) = match self.what {
            Bounded::Conversions | Bounded::Clicks => (used.to_string(), self.limit.to_string()),
            _ => (amount(used), amount(self.limit)),
        };
        let whose = self.affiliate_id.map(|id| format!(" (affiliate {id})")).unwrap_or_default();
        let when = match self.period {
            Period::Day => format!("on {}", today.as_str()),
            Period::Month => format!("in {}", today.period(self.period)),
            Period::Total => "in all".to_owned(),
        };
        let (id, what) = (self.id, self.what.as_str());
        format!("cap {id}{whose} is full: {used} of {limit} {what} {when}")
    }
}

/// The caps that bound an affiliate's clicks and conversions.
pub fn applying(caps: &[Cap], affiliate_id: u32) -> impl Iterator<Item = &Cap> {
    let is_own = move |cap: &Cap| cap.affiliate_id == Some(affiliate_id);
    let has_own = move |general: &Cap| {
        caps.iter().any(|c| is_own(c) && (c.what, c.period) == (general.what, general.period))
    };
    caps.iter().filter(move |cap| is_own(cap) || cap.affiliate_id.is_none() && !has_own(cap))
}

/// The caps that bound an affiliate's conversions: those of clicks do not.
pub fn bounding_conversions(caps: &[Cap], affiliate_id: u32) -> impl Iterator<Item = &Cap> {
    applying(caps, affiliate_id).filter(|cap| cap.what != Bounded::Clicks)
}

/// Where an affiliate's conversion of a date counts: in its day, for all if the campaign has a
/// general cap, also if the affiliate's own stands instead of it, and for the affiliate if it has one.
pub fn places(caps: &[Cap], affiliate_id: u32, today: &LocalDate) -> Vec<Place> {
    let place = |affiliate_id| Place { affiliate_id, days: today.as_str().to_owned() };
    let is_of = |cap: &Cap, owner| cap.affiliate_id == owner && cap.what != Bounded::Clicks;
    let has = |owner| caps.iter().any(|cap| is_of(cap, owner));
    let general = has(None).then(|| place(0));
    general.into_iter().chain(has(Some(affiliate_id)).then(|| place(affiliate_id))).collect()
}

/// Where the caps look that bound an affiliate's conversion of a date.
pub fn looked_at(caps: &[Cap], affiliate_id: u32, today: &LocalDate) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for place in bounding_conversions(caps, affiliate_id).map(|cap| cap.place(today)) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// Whether an affiliate's links lead nowhere, because a hard cap is known to be full. It ends by
/// itself with the period.
pub fn is_closed(caps: &[Cap], affiliate_id: u32, today: impl FnOnce() -> LocalDate) -> bool {
    if caps.iter().all(|cap| cap.full_in.is_none()) {
        return false;
    }
    let today = today();
    let is_full = |cap: &Cap| cap.full_in.as_deref() == Some(today.period(cap.period));
    applying(caps, affiliate_id).any(|cap| cap.mode == Mode::Hard && is_full(cap))
}

/// What a sender is told of a full cap who may not see money: how much others sold is none of a
/// stranger's business.
pub fn without_numbers() -> Refusal {
    Refusal::new(
        Reason::Capped,
        "the campaign takes no more conversions for now; the operator sees in the inbox which cap is full",
    )
}

#[cfg(test)]
mod tests;

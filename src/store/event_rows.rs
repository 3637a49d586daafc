//! The events of a campaign, as its row holds them.

use super::json;
use super::row::rows;
use super::settings_rows::hashes;
use crate::domain::event::{Event, Origin, Repeat};
use crate::domain::money::{BasisPoints, MoneyType, Rule};

rows! {
    /// An event within the row of its campaign.
    pub(super) struct EventRow {
        id: u32,
        name: String,
        revenue_type: String,
        revenue_fixed: i64,
        revenue_percent: u32,
        payout_type: String,
        payout_fixed: i64,
        payout_percent: u32,
        repeat: String,
        window_days: Option<u32>,
        parameters: String,
        state: String,
        // Copies that an earlier version wrote have none.
        token_hashes: Option<String>,
    }
}

impl EventRow {
    /// The event; `None` for one that this version cannot read.
    pub(super) fn value(self) -> Option<Event> {
        let parameters = json::pairs(&self.parameters).into_iter();
        Some(Event {
            id: self.id,
            name: self.name,
            revenue: rule(&self.revenue_type, self.revenue_fixed, self.revenue_percent)?,
            payout: rule(&self.payout_type, self.payout_fixed, self.payout_percent)?,
            repeat: Repeat::from_word(&self.repeat)?,
            window_days: self.window_days,
            parameters: parameters.map(|(ours, theirs)| (ours, Origin::parse(&theirs))).collect(),
            is_active: self.state == "active",
            token_hashes: hashes(self.token_hashes.as_deref().unwrap_or("[]")),
        })
    }
}

/// What an event or campaign pays or earns.
pub(super) fn rule(kind: &str, fixed_minor: i64, percent: u32) -> Option<Rule> {
    Some(Rule { kind: MoneyType::from_word(kind)?, fixed_minor, percent: BasisPoints(percent) })
}

//! Connectors: on what occasions they fire. What they send is in `connector/`, whose click it was
//! in `touch`.

pub mod address;
pub mod bin;
pub mod encode;
pub mod macros;
mod matching;
pub mod pixel;
pub mod preview;
pub mod render;
pub mod text;
pub mod webhook;

use super::configuration::Status;
use super::verdict::words;

words! {
    /// Whether a connector sends.
    Mode {
        /// It does.
        Enabled = "enabled",
        /// It logs what it would send.
        Test = "test",
        /// It does nothing, and what waits is held.
        Disabled = "disabled",
    }
}

words! {
    /// Which of a visitor's touches matches.
    Model {
        /// The newest one only.
        Last = "last",
        /// Any within the window.
        Any = "any",
    }
}

/// The longest window of matching, in days.
pub const MAX_WINDOW_DAYS: u32 = 365;

/// By which click id of another platform a connector recognises its visitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// The parameter of the landing page's address that holds the click id.
    pub parameter: String,
    /// The parameter that says which platform it is of.
    pub source_parameter: Option<String>,
    /// What that has to be, exactly; `None` for any value.
    pub source_value: Option<String>,
    /// Which touch counts.
    pub model: Model,
    /// For how many days a touch counts, 1 to 365.
    pub window_days: u32,
}

/// A connector as far as occasions go; judging reads it from memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connector {
    /// Its number.
    pub id: u32,
    /// Whether it sends.
    pub mode: Mode,
    /// The only campaign that it is for.
    pub campaign_id: Option<u32>,
    /// The affiliate to whom it belongs, who hears of what credits him only.
    pub affiliate_id: Option<u32>,
    /// The names of the events that trigger it.
    pub events: Vec<String>,
    /// The statuses whose entry triggers it; none: the event itself does, whatever its status.
    pub statuses: Vec<Status>,
    /// How long after the occasion it sends, in milliseconds.
    pub delay_ms: u64,
    /// Whether it has a webhook that is on.
    pub has_webhook: bool,
    /// Whether it has a pixel that is on.
    pub has_pixel: bool,
    /// How it recognises its visitors, where it wants to.
    pub matching: Option<Matching>,
}

/// The connectors that may fire, as memory keeps them: those of one affiliate, or those that belong
/// to nobody. Disabled ones are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connectors {
    /// They, by their numbers.
    pub list: Vec<Connector>,
    /// Whether some affiliate of the namespace has connectors of his own.
    pub has_of_affiliates: bool,
}

/// Something that may trigger connectors.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// The name of the event.
    pub event_name: &'a str,
    /// The campaign, if it is of one.
    pub campaign_id: Option<u32>,
    /// Who is credited, if anybody is.
    pub affiliate_id: Option<u32>,
    /// The status that the conversion has from now on; `None` for a site event that became none.
    pub status: Option<Status>,
    /// Whether it happened just now; otherwise a recorded conversion has got this status.
    pub is_new: bool,
}

impl Connector {
    /// Whether an occasion triggers the connector. A disabled one is never triggered.
    pub fn fires_on(&self, occasion: &Occasion<'_>) -> bool {
        let is_of = |own: Option<u32>, of: Option<u32>| own.is_none() || own == of;
        let is_wanted = match occasion.status {
            Some(status) if !self.statuses.is_empty() => self.statuses.contains(&status),
            _ => self.statuses.is_empty() && occasion.is_new,
        };
        self.mode != Mode::Disabled
            && is_wanted
            && is_of(self.campaign_id, occasion.campaign_id)
            && is_of(self.affiliate_id, occasion.affiliate_id)
            && self.events.iter().any(|name| name == occasion.event_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector() -> Connector {
        Connector {
            id: 1,
            mode: Mode::Enabled,
            campaign_id: None,
            affiliate_id: None,
            events: vec!["Purchase".into()],
            statuses: vec![],
            delay_ms: 0,
            has_webhook: true,
            has_pixel: false,
            matching: None,
        }
    }

    fn sale(status: Option<Status>, is_new: bool) -> Occasion<'static> {
        Occasion {
            event_name: "Purchase",
            campaign_id: status.map(|_| 1),
            affiliate_id: status.map(|_| 7),
            status,
            is_new,
        }
    }

    #[test]
    fn without_statuses_a_connector_fires_when_it_happens_and_only_then() {
        let connector = connector();
        assert!(connector.fires_on(&sale(None, true)));
        assert!(connector.fires_on(&sale(Some(Status::Hold), true)));
        assert!(!connector.fires_on(&sale(Some(Status::Approved), false)));
        assert!(!connector.fires_on(&Occasion { event_name: "Lead", ..sale(None, true) }));
    }

    #[test]
    fn with_statuses_it_fires_whenever_a_conversion_gets_one_of_them() {
        let connector = Connector { statuses: vec![Status::Approved], ..connector() };
        assert!(connector.fires_on(&sale(Some(Status::Approved), true)));
        assert!(connector.fires_on(&sale(Some(Status::Approved), false)));
        assert!(!connector.fires_on(&sale(Some(Status::Hold), true)));
        assert!(!connector.fires_on(&sale(None, true)), "a site event has no status");
    }

    #[test]
    fn a_connector_of_one_campaign_or_affiliate_hears_of_no_other() {
        let of_campaign = Connector { campaign_id: Some(2), ..connector() };
        let of_affiliate = Connector { affiliate_id: Some(8), ..connector() };
        for connector in [of_campaign, of_affiliate] {
            assert!(!connector.fires_on(&sale(Some(Status::Approved), true)));
            assert!(!connector.fires_on(&sale(None, true)));
        }
        assert!(
            Connector { campaign_id: Some(1), affiliate_id: Some(7), ..connector() }
                .fires_on(&sale(Some(Status::Approved), true))
        );
        assert!(!Connector { mode: Mode::Disabled, ..connector() }.fires_on(&sale(None, true)));
    }
}

//! Clicks of campaigns that look at the visitor's network: what is kept of it, and where it comes
//! from. All others are followed without it, so that it is handed over only on demand.

use super::Click;
use crate::app::memory::Wanted;
use crate::domain::configuration::Campaign;
use crate::domain::trace::Trace;

/// What a click lacks to be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A value that memory does not know; load it.
    Value(Wanted),
    /// The visitor's address and network; hand them over.
    Origin,
}

impl From<Wanted> for Missing {
    fn from(wanted: Wanted) -> Self {
        Self::Value(wanted)
    }
}

impl Click<'_> {
    /// Whether anything about the visitor is to be kept for the campaign's rules. A test takes part in
    /// none, nor does it make the real click after it a later one. Whoever asks not
    /// to be tracked leaves no trace, and what is not stored needs none.
    fn is_traced(&self, campaign: &Campaign) -> bool {
        campaign.click_rules.needs_row()
            && !self.visit.has_gpc
            && !self.visit.is_test()
            && !self.parameters.consent_denied
            && !self.arrival.is_head
            && self.means.settings.is_recording
    }

    /// Goes on unless the network must be handed over first.
    pub(super) fn has_origin(&self, campaign: &Campaign) -> Result<(), Missing> {
        let is_missing = self.arrival.origin.is_none() && self.is_traced(campaign);
        if is_missing { Err(Missing::Origin) } else { Ok(()) }
    }

    /// The click's trace. What is loaded as an image or frame counts for no visitor, or anybody
    /// could make the real click of a visitor a later one.
    pub(super) fn trace(&self, campaign: &Campaign) -> Option<Box<Trace>> {
        let origin = self.arrival.origin.filter(|_| self.is_traced(campaign))?;
        let mut trace = Trace::of(
            &campaign.click_rules,
            &self.means.settings.keyring,
            (&self.space.name, campaign.id),
            self.means.moment.now,
            (origin, self.arrival.user_agent),
        );
        if self.visit.is_embedded {
            trace.visitor = None;
        }
        Some(Box::new(trace))
    }
}

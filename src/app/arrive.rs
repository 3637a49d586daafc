//! A visitor of the site script: what is kept of an arrival.

use super::ports::Unavailable;
use super::touches::{Sighting, Touches};
use crate::domain::configuration::NamespaceSettings;
use crate::domain::time::{DAY_MS, Timestamp};
use crate::domain::touch::{own_touch, touches_of};

/// What a page reports of a visitor who allows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// The visitor.
    pub visitor: String,
    /// The click that the page remembers.
    pub click_id: Option<String>,
    /// The landing page's address, in the first report that gets through.
    pub address: Option<String>,
    /// How long ago the visitor arrived there, in milliseconds.
    pub ago_ms: u64,
    /// The cookie `_fbc`.
    pub fbc: Option<String>,
    /// Names of personal macros and their values.
    pub contact: Vec<(String, String)>,
}

/// Keeps what there is to be kept: the touches of an arrival, and contact data where a connector
/// names persons. Mostly there is nothing, and no store is asked. Repeatable.
///
/// # Errors
/// If the ledger does not answer: the page reports it again.
pub async fn arrive(
    ports: &impl Touches,
    space: &NamespaceSettings,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<(), Unavailable> {
    let own = |text: &str| space.click_keys.verify(text).map(|id| id.time);
    let touches = arrival.address.as_deref().map(|address| {
        // A page that was asleep for longer is believed no more.
        let ago_ms = arrival.ago_ms.min(DAY_MS);
        let at = Timestamp::from_ms(now.ms().saturating_sub(ago_ms));
        touches_of(address, arrival.fbc.as_deref(), at, &space.tracking.matchings, own)
    });
    let mut touches = touches.unwrap_or_default();
    let contact = if space.tracking.names_persons { &*arrival.contact } else { &[] };
    // Contact data are erased with the click: whoever has some has brought it.
    let brought = arrival.click_id.as_deref().filter(|_| !contact.is_empty());
    if let Some((text, at)) = brought.and_then(|text| Some((text, own(text)?)))
        && !touches.iter().any(|touch| touch.value == text)
    {
        touches.push(own_touch(text, at));
    }
    let sighting = Sighting {
        visitor: &arrival.visitor,
        click_id: arrival.click_id.as_deref(),
        touches: &touches,
        contact,
        at: now,
    };
    ports.keep_touches(&space.name, &sighting).await
}

//! A site event: noted, and judged as a report where its campaign maps it to a conversion.

use crate::app::judge::{Outcome, Ports, Report, report, storage_unavailable};
use crate::app::memory::Memory;
use crate::app::outbox::Said;
use crate::app::settings::Moment;
use crate::app::situate::{Stop, situate};
use crate::domain::conversion::Source;
use crate::domain::event::Becomes;
use crate::domain::namespace::Namespace;
use crate::domain::network::IpAddress;
use crate::domain::postback::Postback;
use crate::domain::verdict::{Reason, Refusal};

/// A site event as the page reported it.
#[derive(Debug)]
pub struct SiteEvent {
    /// Its name.
    pub name: String,
    /// The click that the page remembers.
    pub click_id: Option<String>,
    /// What of it means something to a conversion, by canonical name.
    pub parameters: Vec<(String, String)>,
}

/// What became of a site event.
#[derive(Debug)]
pub enum Collected {
    /// No campaign makes a conversion of it.
    Noted,
    /// It was not taken.
    Refused(Refusal),
    /// It was judged as a report.
    Judged(Box<Outcome>),
}

/// The standard names (wire.md 8). They are not counted against the bound of names.
const STANDARD: [&str; 10] = [
    "PageView",
    "ViewContent",
    "AddToCart",
    "InitiateCheckout",
    "Lead",
    "CompleteRegistration",
    "StartTrial",
    "Subscribe",
    "Purchase",
    "ContactInfo",
];

/// Collects a site event. One that its campaign maps is judged whatever its name: anybody can make
/// names up, and once they have filled the bound they must not keep conversions out.
pub async fn collect(
    ports: &impl Ports,
    memory: &Memory,
    moment: &Moment<'_>,
    namespace: &Namespace,
    event: SiteEvent,
    address: Option<IpAddress>,
) -> Collected {
    let mut pairs = event.parameters;
    pairs.extend(event.click_id.map(|id| ("click_id".to_owned(), id)));
    let mut postback = match Postback::from_stored(pairs, moment.now) {
        Ok(postback) => postback,
        Err(refusal) => return Collected::Refused(refusal),
    };
    let campaign = match situate(ports, memory, namespace, &postback, moment.now).await {
        Ok(situation) => situation.campaign,
        Err(Stop::Refused(refusal)) => return Collected::Refused(refusal),
        Err(Stop::Unavailable) => return Collected::Refused(storage_unavailable()),
    };
    let mapped = campaign.and_then(|campaign| {
        let of_name = campaign.site_events.iter().find(|(name, _)| *name == event.name);
        of_name.map(|(_, becomes)| *becomes)
    });
    match mapped {
        None => return note(ports, moment, namespace, &event.name).await,
        Some(Becomes::Initial) => {}
        Some(Becomes::Event(id)) => postback.reports_event(id),
    }
    let arrived = Report {
        namespace: namespace.clone(),
        source: Source::Collect,
        postback,
        warnings: Vec::new(),
        address,
        signed: Default::default(),
        said: Said { site_event: Some(event.name), ..Said::default() },
    };
    Collected::Judged(Box::new(report(ports, memory, moment, &arrived).await))
}

/// Takes note of an event that becomes no conversion.
async fn note(
    ports: &impl Ports,
    moment: &Moment<'_>,
    namespace: &Namespace,
    name: &str,
) -> Collected {
    if STANDARD.contains(&name) {
        return Collected::Noted;
    }
    match ports.know_site_event(namespace, name, moment.now).await {
        Ok(true) => Collected::Noted,
        Ok(false) => {
            let detail = "this namespace has 200 names of events already; use one of them";
            Collected::Refused(Refusal::of(Reason::InvalidParameter, "event", detail))
        }
        Err(_) => Collected::Refused(storage_unavailable()),
    }
}

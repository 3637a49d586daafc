//! A site event: noted, and judged as a report where its campaign maps it to a conversion.

use crate::app::judge::{Outcome, Ports, Report, report};
use crate::app::memory::Memory;
use crate::app::settings::Moment;
use crate::app::situate::{Stop, situate};
use crate::domain::conversion::Source;
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

/// Collects a site event.
pub async fn collect(
    ports: &impl Ports,
    memory: &Memory,
    moment: &Moment<'_>,
    namespace: &Namespace,
    event: SiteEvent,
    address: Option<IpAddress>,
) -> Collected {
    match ports.know_site_event(namespace, &event.name, moment.now).await {
        Ok(true) => {}
        Ok(false) => {
            let detail = "this namespace has 200 names of events already; use one of them";
            return Collected::Refused(Refusal::of(Reason::InvalidParameter, "event", detail));
        }
        Err(_) => return Collected::Refused(crate::app::judge::storage_unavailable()),
    }
    let mut pairs = event.parameters;
    pairs.extend(event.click_id.map(|id| ("click_id".to_owned(), id)));
    let postback = match Postback::from_stored(pairs, moment.now) {
        Ok(postback) => postback,
        Err(refusal) => return Collected::Refused(refusal),
    };
    let campaign = match situate(ports, memory, namespace, &postback, moment.now).await {
        Ok(situation) => situation.campaign,
        Err(Stop::Refused(refusal)) => return Collected::Refused(refusal),
        Err(Stop::Unavailable) => {
            return Collected::Refused(crate::app::judge::storage_unavailable());
        }
    };
    if !campaign.is_some_and(|campaign| campaign.site_events.contains(&event.name)) {
        return Collected::Noted;
    }
    let arrived = Report {
        namespace: namespace.clone(),
        source: Source::Collect,
        postback,
        warnings: Vec::new(),
        address,
    };
    Collected::Judged(Box::new(report(ports, memory, moment, &arrived).await))
}

//! A site event: noted, and judged as a report where its campaign maps it to a conversion.

use crate::app::judge::{Outcome, Ports, Report, report, request_id, storage_unavailable};
use crate::app::memory::Memory;
use crate::app::outbox::{Said, SiteEvents, Taken, connectors_for};
use crate::app::ports::Unavailable;
use crate::app::settings::Moment;
use crate::app::situate::{Situation, Stop, situate};
use crate::domain::conversion::Source;
use crate::domain::delivery::occasion::await_arrival;
use crate::domain::delivery::of_site_event::SiteNews;
use crate::domain::event::{Becomes, STANDARD_EVENTS};
use crate::domain::namespace::Namespace;
use crate::domain::network::IpAddress;
use crate::domain::postback::Postback;
use crate::domain::verdict::{Reason, Refusal, Verdict};

/// A site event as the page reported it.
#[derive(Debug)]
pub struct SiteEvent {
    /// Its name.
    pub name: String,
    /// The click that the page remembers.
    pub click_id: Option<String>,
    /// What of it means something to a conversion, by canonical name.
    pub parameters: Vec<(String, String)>,
    /// What it says for connectors.
    pub said: Said,
}

/// What became of a site event.
#[derive(Debug)]
pub enum Collected {
    /// No campaign makes a conversion of it.
    Noted,
    /// It was not taken.
    Refused(Refusal),
    /// It was judged as a report.
    Judged {
        /// What became of that.
        outcome: Box<Outcome>,
        /// Whether connectors were told: of the conversion, or of a site event that became none.
        is_told: bool,
    },
}

/// Collects a site event. One that its campaign maps is judged whatever its name: anybody can make
/// names up, and once they have filled the bound they must not keep conversions out.
pub async fn collect(
    ports: &(impl Ports + SiteEvents),
    memory: &Memory,
    moment: &Moment<'_>,
    namespace: &Namespace,
    event: SiteEvent,
    address: Option<IpAddress>,
) -> Collected {
    let SiteEvent { name, click_id, parameters, mut said } = event;
    // Only what becomes a conversion needs an amount that can be read.
    let is_money = |(name, _): &(String, String)| matches!(name.as_str(), "amount" | "currency");
    let (money, mut pairs): (Vec<_>, Vec<_>) = parameters.into_iter().partition(is_money);
    pairs.extend(click_id.map(|id| ("click_id".to_owned(), id)));
    let postback = match Postback::from_stored(pairs, moment.now) {
        Ok(postback) => postback,
        Err(refusal) => return Collected::Refused(refusal),
    };
    let situation = match situate(ports, memory, namespace, &postback, moment.now).await {
        Ok(situation) => situation,
        Err(Stop::Refused(refusal)) => return Collected::Refused(refusal),
        Err(Stop::Unavailable) => return Collected::Refused(storage_unavailable()),
    };
    let mapped = situation.campaign.as_ref().and_then(|campaign| {
        let of_name = campaign.site_events.iter().find(|(known, _)| *known == name);
        of_name.map(|(_, becomes)| *becomes)
    });
    let Some(becomes) = mapped else {
        // Standard names are not counted against the bound of names.
        let is_known = STANDARD_EVENTS.contains(&name.as_str());
        let site = Site { namespace, name: &name, is_known, said: &said, moment };
        let told = About { name: &request_id(moment), is_refused: false };
        return match site.take(ports, memory, (&situation, &postback), told).await {
            Ok(true) => Collected::Noted,
            Ok(false) => Collected::Refused(too_many_names()),
            Err(Unavailable) => Collected::Refused(storage_unavailable()),
        };
    };
    let pairs = postback.stored.into_iter().chain(money).collect();
    let mut postback = match Postback::from_stored(pairs, moment.now) {
        Ok(postback) => postback,
        Err(refusal) => return Collected::Refused(refusal),
    };
    if let Becomes::Event(id) = becomes {
        postback.reports_event(id);
    }
    said.site_event = Some(name.clone());
    let arrived = Report {
        namespace: namespace.clone(),
        source: Source::Collect,
        postback,
        warnings: Vec::new(),
        address,
        signed: Default::default(),
        said,
    };
    let outcome = report(ports, memory, moment, &arrived).await;
    let site = Site { namespace, name: &name, is_known: true, said: &arrived.said, moment };
    if outcome.verdict == Verdict::Recorded {
        site.note_keys(ports, memory).await;
    }
    // It needs no credit to be told.
    let is_uncredited =
        outcome.refusal.as_ref().is_some_and(|refusal| is_of_credit(refusal.reason));
    let told = About { name: &outcome.request_id, is_refused: true };
    if is_uncredited
        && site.take(ports, memory, (&situation, &arrived.postback), told).await == Err(Unavailable)
    {
        return Collected::Refused(storage_unavailable());
    }
    let is_told = outcome.refusal.is_none() || is_uncredited;
    Collected::Judged { outcome: Box::new(outcome), is_told }
}

/// Whether a conversion is refused for a reason that leaves its site event what it is: not if it
/// cannot be read, if its order is known and was told already, or if it shall be sent again.
fn is_of_credit(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::InvalidParameter
            | Reason::PlaceholderNotReplaced
            | Reason::UnmappedStatus
            | Reason::TooLarge
            | Reason::UnsupportedMediaType
            | Reason::Conflict
            | Reason::RateLimited
            | Reason::StorageUnavailable
    )
}

fn too_many_names() -> Refusal {
    let detail = "this namespace has 200 names of events already; use one of them";
    Refusal::of(Reason::InvalidParameter, "event", detail)
}

/// A site event once it is known what it is about.
struct Site<'a> {
    namespace: &'a Namespace,
    name: &'a str,
    /// Whether its name is not counted against the bound.
    is_known: bool,
    said: &'a Said,
    moment: &'a Moment<'a>,
}

/// The request by which a site event is told. Whoever judges it again finds by its name who was told.
#[derive(Clone, Copy)]
struct About<'a> {
    name: &'a str,
    /// Whether it was refused as a conversion, and can be judged again.
    is_refused: bool,
}

impl Site<'_> {
    /// Takes an event that becomes no conversion: its name, its keys, and what connectors have to
    /// send of it. `false` if the namespace has too many names.
    async fn take(
        &self,
        ports: &(impl Ports + SiteEvents),
        memory: &Memory,
        (situation, postback): (&Situation, &Postback),
        request: About<'_>,
    ) -> Result<bool, Unavailable> {
        let now = self.moment.now;
        let connectors = connectors_for(ports, memory, self.namespace, 0, now).await?;
        let click_id = postback.click_id.as_deref();
        let news = SiteNews {
            namespace: self.namespace,
            request_id: request.name,
            name: self.name,
            keys: &self.said.keys,
            order_id: postback.order_id.as_deref(),
            click: click_id.zip(situation.genuine).map(|(text, (id, link))| (text, id, link)),
            advertiser_id: situation.campaign.as_ref().map(|campaign| campaign.advertiser_id),
            visitor: self.said.visitor.as_deref(),
            is_forced: self.said.is_forced,
            now,
        };
        let listening = connectors.iter().flat_map(|connectors| &connectors.list);
        let mut deliveries = news.deliveries(listening);
        if self.said.is_arrival_missing {
            await_arrival(&mut deliveries, now);
        }
        let is_known = self.is_known;
        if is_known && deliveries.is_empty() {
            self.note_keys(ports, memory).await;
            return Ok(true);
        }
        let (name, deliveries) = (self.name, &*deliveries);
        let refused_as = request.is_refused.then_some(request.name);
        let taken = Taken { name, is_known, keys: self.unnoted(memory), deliveries, refused_as };
        let is_taken = ports.take(self.namespace, &taken, now).await?;
        if is_taken {
            memory.noted_keys.remember(self.namespace, name, &taken.keys);
            memory.wake.ask_for(deliveries, now);
        }
        Ok(is_taken)
    }

    /// Notes the keys of an event that needs nothing else. Only a warning to whoever writes a
    /// connector depends on them, so that nothing is said if it fails.
    async fn note_keys(&self, ports: &impl SiteEvents, memory: &Memory) {
        let keys = self.unnoted(memory);
        if keys.is_empty() {
            return;
        }
        let taken =
            Taken { name: self.name, is_known: true, keys, deliveries: &[], refused_as: None };
        if ports.take(self.namespace, &taken, self.moment.now).await.is_ok() {
            memory.noted_keys.remember(self.namespace, self.name, &taken.keys);
        }
    }

    fn unnoted(&self, memory: &Memory) -> Vec<String> {
        let keys = self.said.keys.iter().map(|(key, _)| key.as_str());
        memory.noted_keys.unnoted(self.namespace, self.name, keys, self.moment.now)
    }
}

//! What a claimed delivery becomes: a request, or an end without one.

use super::Means;
use super::course::becomes;
use super::lanes::Lanes;
use super::visitors::{Visitors, is_wanted};
use crate::app::leases::ClickDetails;
use crate::app::leases::{Attempt, Becomes, Claimed, ClickDetail, Finished};
use crate::app::touches::Known;
use crate::domain::connector::address::{AddressFault, Policy, check};
use crate::domain::connector::macros::Origin;
use crate::domain::connector::render::Outgoing;
use crate::domain::connector::text::Mentions;
use crate::domain::connector::webhook::Webhook;
use crate::domain::connector::{Matching, Mode};
use crate::domain::delivery::filled::Filled;
use crate::domain::delivery::outcome::{Answer, Fate};
use crate::domain::delivery::values::IS_TEST;
use crate::domain::delivery::{State, Values, standard_webhooks};
use crate::domain::namespace::Namespace;
use crate::domain::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::domain::touch::{Match, find_match};

/// For so long a delivery waits for the row of its click.
const CLICK_WAIT_MS: u64 = 2 * MINUTE_MS;

/// How often it looks for it.
const CLICK_EVERY_MS: u64 = 5 * SECOND_MS;

/// How soon it is tried again where the ledger did not tell of the visitor.
const UNREAD_WAIT_MS: u64 = 5 * SECOND_MS;

/// What was read for the deliveries of a run.
#[derive(Default)]
pub(super) struct Details {
    /// Of Backtrail's clicks.
    clicks: Vec<ClickDetail>,
    /// Clicks of which the last reading told nothing, not even that they are not there.
    unread: Vec<(Namespace, String)>,
    /// Of visitors.
    pub(super) visitors: Visitors,
}

impl Details {
    /// Takes what was read of the clicks that were asked for; `None` if the ledger did not tell.
    pub(super) fn take_clicks(
        &mut self,
        asked: Vec<(Namespace, String)>,
        read: Option<ClickDetails>,
    ) {
        self.unread.retain(|click| !asked.contains(click));
        let read = read.unwrap_or(ClickDetails { found: Vec::new(), unread: asked });
        self.clicks.extend(read.found);
        self.unread.extend(read.unread);
    }

    fn is_unread(&self, namespace: &Namespace, id: &str) -> bool {
        self.unread.iter().any(|(space, unread)| unread == id && space == namespace)
    }

    /// What is known of a namespace's click.
    fn click(&self, namespace: &Namespace, id: &str) -> Option<&ClickDetail> {
        self.clicks.iter().find(|detail| detail.click_id == id && detail.namespace == *namespace)
    }
}

/// What is to be done with a delivery.
pub(super) enum Prepared {
    /// This is to be sent.
    Send(Outgoing),
    /// Nothing is sent.
    Done(Finished),
}

/// The clicks of which templates say something.
pub(super) fn clicks(claimed: &[Claimed], lanes: &Lanes) -> Vec<(Namespace, String)> {
    let of_click = claimed.iter().filter(|claimed| {
        lanes.webhook_of(claimed).is_some_and(|webhook| webhook.mentions_any(Origin::Click))
    });
    of_click
        .filter_map(|claimed| Some((claimed.namespace.clone(), claimed.click_id.clone()?)))
        .collect()
}

/// Fills in the webhook of a delivery and signs it.
pub(super) fn prepare(
    (lanes, lane): (&Lanes, usize),
    claimed: &Claimed,
    details: &Details,
    means: &Means<'_>,
    now: Timestamp,
) -> Prepared {
    let done = |attempt, becomes| {
        let (namespace, delivery_id) = (claimed.namespace.clone(), claimed.delivery_id.clone());
        Prepared::Done(Finished { namespace, delivery_id, attempt, becomes })
    };
    let Some(lane) = lanes.lane(lane).filter(|lane| lane.connector.mode != Mode::Disabled) else {
        return done(None, Becomes::Waiting(now));
    };
    let webhook = match &lane.webhook {
        Ok(webhook) => webhook,
        Err(error) => return fails(claimed, None, error, means, now),
    };
    let click = claimed.click_id.as_deref().and_then(|id| details.click(&claimed.namespace, id));
    // That a click could not be read does not mean that it is not there, however long ago it was.
    let may_appear = |id: &str| {
        now.ms_since(claimed.created_at) < CLICK_WAIT_MS
            || details.is_unread(&claimed.namespace, id)
    };
    let is_awaited = click.is_none()
        && claimed.click_id.as_deref().is_some_and(may_appear)
        && webhook.mentions_any(Origin::Click);
    if is_awaited {
        return done(None, Becomes::Waiting(now.plus_ms(CLICK_EVERY_MS)));
    }
    let nobody = Known::default();
    let (known, all): (&Known, &[Matching]) = match is_wanted(lane) {
        false => (&nobody, &[]),
        true => match details.visitors.of(claimed) {
            Some(known) => known,
            // To send without knowing would be to send to whom it does not belong.
            None => return done(None, Becomes::Waiting(now.plus_ms(UNREAD_WAIT_MS))),
        },
    };
    let find = |matching| find_match(matching, all, &known.touches, claimed.happened_at);
    let matched = lane.connector.matching.as_ref().map(find);
    if matched == Some(Match::None) {
        return done(None, Becomes::Ended(State::NoClickMatch));
    }
    let mut request = render(webhook, claimed, (click, known, matched), means);
    let secrets = lane.connector.secrets.signing(
        &means.settings.keyring,
        &claimed.namespace,
        claimed.connector_id,
        now,
    );
    let body = request.body.as_deref().unwrap_or_default();
    let signed =
        standard_webhooks::headers(&secrets, &claimed.delivery_id, now, &request.url, body);
    request.headers.extend(signed);
    // Nobody is told of a test as if it were real, whatever the connector became since.
    let is_test = claimed.values.iter().any(|(key, _)| key == IS_TEST);
    if (lane.connector.mode == Mode::Test || is_test) && !claimed.is_forced {
        let attempt = Attempt {
            at: now,
            method: request.method,
            error: request.fault(),
            url: request.shown_url,
            status: None,
            duration_ms: None,
            answer: None,
        };
        return done(Some(attempt), Becomes::Ended(State::Logged));
    }
    if let Some(error) = request.fault() {
        return fails(claimed, Some(&request), &error, means, now);
    }
    let settings = means.settings;
    let policy = Policy { allows_loopback: settings.allows_loopback, zone: settings.zone() };
    let fault = match check(&request.url, &policy) {
        _ if request.bin.is_some() => None,
        Ok(_) => lanes.is_own(lane).then_some(AddressFault::Own),
        Err(fault) => Some(fault),
    };
    if let Some(fault) = fault {
        return fails(claimed, Some(&request), fault.message(), means, now);
    }
    Prepared::Send(request)
}

/// An attempt that failed before there was anything to send.
fn fails(
    claimed: &Claimed,
    request: Option<&Outgoing>,
    error: &str,
    means: &Means<'_>,
    now: Timestamp,
) -> Prepared {
    let attempt = Attempt {
        at: now,
        method: request.map_or("", |request| request.method),
        url: request.map_or_else(String::new, |request| request.shown_url.clone()),
        status: None,
        duration_ms: None,
        error: Some(error.to_owned()),
        answer: None,
    };
    let becomes = match becomes(Answer::NoRequest, claimed, now, means.random) {
        Fate::Again(at) => Becomes::Waiting(at),
        _ => Becomes::Ended(State::Exhausted),
    };
    let (namespace, delivery_id) = (claimed.namespace.clone(), claimed.delivery_id.clone());
    Prepared::Done(Finished { namespace, delivery_id, attempt: Some(attempt), becomes })
}

/// The request, with everything that is known filled in.
fn render(
    webhook: &Webhook,
    claimed: &Claimed,
    (click, known, matched): (Option<&ClickDetail>, &Known, Option<Match<'_>>),
    means: &Means<'_>,
) -> Outgoing {
    let nothing = Values::new();
    let filled = Filled {
        event_name: &claimed.event_name,
        happened_at: claimed.happened_at,
        click_id: claimed.click_id.as_deref(),
        values: &claimed.values,
        personal: [&claimed.personal, &known.contact],
        click: click.map_or(&nothing, |detail| &detail.values),
        touches: &known.touches,
        matched,
        random: (means.random)().first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes)),
    };
    filled.with(|lookup| webhook.render(lookup))
}

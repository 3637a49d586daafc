//! The first steps of judging: which namespace, which campaign, which click, and who is asking.

use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::app::judge::Report;
use crate::app::memory::{Lookup, Memory, Wanted};
use crate::app::ports::{Configuration, Ledger, Unavailable};
use crate::domain::click_id::ClickId;
use crate::domain::configuration::{Advertiser, Campaign, Link, NamespaceSettings, SecretHash};
use crate::domain::conversion::Source;
use crate::domain::event;
use crate::domain::judgement::{Click, Question};
use crate::domain::namespace::Namespace;
use crate::domain::permission::{
    Presented, Proof, Tokens, authenticate, authenticate_browser, missing_token, wrong_token,
};
use crate::domain::postback::Postback;
use crate::domain::signature::{has_signature, wrong_signature};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Refusal};

/// Why a step does not go on.
#[derive(Debug)]
pub enum Stop {
    /// The request is refused.
    Refused(Refusal),
    /// The store did not answer.
    Unavailable,
}

impl From<Unavailable> for Stop {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

/// What a report is about.
#[derive(Debug)]
pub struct Situation {
    /// The namespace.
    pub space: Rc<NamespaceSettings>,
    /// The campaign: of the click, else the one named, else of the token.
    pub campaign: Option<Rc<Campaign>>,
    /// What the click_id says, if it verifies and its link exists.
    pub genuine: Option<(ClickId, Link)>,
}

impl Situation {
    /// The click as the judge sees it.
    pub fn click<'a>(&self, postback: &'a Postback) -> Click<'a> {
        match (postback.click_id.as_deref(), self.genuine) {
            (None, _) => Click::Absent,
            (Some(text), Some((id, link))) => Click::Genuine { text, id, link },
            (Some(text), None) => Click::Unverified(text),
        }
    }
}

/// Reads a value from memory; what memory does not know is loaded once.
pub async fn recall<T>(
    ports: &impl Configuration,
    now: Timestamp,
    look: impl Fn() -> Lookup<T>,
    wanted: impl FnOnce() -> Wanted,
) -> Result<Option<Rc<T>>, Unavailable> {
    if let Some(known) = settled(look()) {
        return Ok(known);
    }
    ports.load(&[wanted()], now).await?;
    settled(look()).ok_or(Unavailable)
}

fn settled<T>(lookup: Lookup<T>) -> Option<Option<Rc<T>>> {
    match lookup {
        Lookup::Known(value) => Some(Some(value)),
        Lookup::Absent => Some(None),
        Lookup::Unread => None,
    }
}

/// The settings of a namespace.
pub async fn space(
    ports: &impl Configuration,
    memory: &Memory,
    name: &Namespace,
    now: Timestamp,
) -> Result<Option<Rc<NamespaceSettings>>, Unavailable> {
    recall(ports, now, || memory.namespace(name, now), || Wanted::Namespace(name.clone())).await
}

/// A campaign.
pub async fn campaign(
    ports: &impl Configuration,
    memory: &Memory,
    namespace: &Namespace,
    id: u32,
    now: Timestamp,
) -> Result<Option<Rc<Campaign>>, Unavailable> {
    let wanted = || Wanted::Campaign(namespace.clone(), id);
    recall(ports, now, || memory.campaign(namespace, id, now), wanted).await
}

/// Finds out what a report is about.
///
/// # Errors
/// `unknown_namespace`. An unknown campaign or click is not refused here: a stranger must prove
/// himself before he is told what exists.
pub async fn situate(
    ports: &(impl Configuration + Ledger),
    memory: &Memory,
    namespace: &Namespace,
    postback: &Postback,
    now: Timestamp,
) -> Result<Situation, Stop> {
    let Some(space) = space(ports, memory, namespace, now).await? else {
        return Err(Stop::Refused(unknown_namespace()));
    };
    let id = postback.click_id.as_deref().and_then(|text| space.click_keys.verify(text));
    let genuine = match id {
        Some(id) => {
            let look = || memory.link(namespace, id.ref_id, now);
            let wanted = || Wanted::Link(namespace.clone(), id.ref_id);
            recall(ports, now, look, wanted).await?.map(|link| (id, *link))
        }
        None => None,
    };
    let campaign_id = match (&genuine, postback.campaign_id, &postback.token) {
        (Some((_, link)), _, _) => Some(link.campaign_id),
        (None, Some(id), _) => Some(id),
        (None, None, Some(token)) => campaign_of_token(ports, memory, &space, token, now).await?,
        (None, None, None) => None,
    };
    let campaign = match campaign_id {
        Some(id) => campaign(ports, memory, namespace, id, now).await?,
        None => None,
    };
    Ok(Situation { space, campaign, genuine })
}

/// The campaign whose own token this is. Guessing tokens is bounded as guessing links is.
async fn campaign_of_token(
    ports: &impl Ledger,
    memory: &Memory,
    space: &NamespaceSettings,
    token: &str,
    now: Timestamp,
) -> Result<Option<u32>, Unavailable> {
    let hash = hash(token);
    if tokens_of(space).accept(&hash) {
        return Ok(None);
    }
    if !memory.may_ask(now) {
        return Err(Unavailable);
    }
    let found = ports.campaign_of_token(&space.name, &hash).await?;
    if found.is_none() {
        memory.note_unknown(now);
    }
    Ok(found)
}

/// The operator's own tokens, which work where no campaign is known.
fn tokens_of(space: &NamespaceSettings) -> Tokens<'_> {
    Tokens { of_namespace: &space.token_hashes, ..Tokens::default() }
}

/// Looks up an id that no key verifies, or without any the order, among recorded conversions, for
/// a sender who has proved himself and names no campaign: the conversion names it. Ids of retired
/// keys are such.
pub async fn recollect(
    ports: &(impl Configuration + Ledger),
    memory: &Memory,
    namespace: &Namespace,
    postback: &Postback,
    situation: Situation,
    now: Timestamp,
) -> Result<Situation, Unavailable> {
    if situation.campaign.is_some() || postback.campaign_id.is_some() {
        return Ok(situation);
    }
    let order_id = postback.order_id.as_ref().or(postback.parent_order_id.as_ref());
    let campaign_id = match (postback.click_id.clone(), order_id) {
        (click_id @ Some(_), _) => {
            let question = Question { click_id, ..Question::default() };
            ports.facts(namespace, &question).await?.by_click.map(|known| known.campaign_id)
        }
        (None, Some(order_id)) => ports.campaign_of_order(namespace, order_id).await?,
        (None, None) => None,
    };
    let campaign = match campaign_id {
        Some(id) => campaign(ports, memory, namespace, id, now).await?,
        None => None,
    };
    Ok(Situation { campaign, ..situation })
}

/// The refusal of a host that names no namespace.
pub fn unknown_namespace() -> Refusal {
    Refusal::new(
        Reason::UnknownNamespace,
        "this host belongs to no namespace; check the part of the host name before -tracking",
    )
}

/// Finds out how a report proves itself.
///
/// # Errors
/// `bad_token`, `bad_signature`, `stale_timestamp`, `ip_not_allowed`.
pub async fn prove(
    ports: &impl Configuration,
    memory: &Memory,
    situation: &Situation,
    report: &Report<'_>,
    now: Timestamp,
) -> Result<Proof, Stop> {
    let Report { postback, source, address, signed, .. } = report;
    let (source, address) = (*source, *address);
    let token_hash = postback.token.as_deref().map(hash);
    let Some(campaign) = situation.campaign.as_deref() else {
        let own = tokens_of(&situation.space);
        return match token_hash {
            Some(hash) if own.accept(&hash) && source == Source::Postback => Ok(Proof::Token),
            // As where a campaign takes signed requests only.
            _ if has_signature(signed) => Err(Stop::Refused(wrong_signature())),
            Some(_) => Err(Stop::Refused(wrong_token())),
            None => Err(Stop::Refused(missing_token())),
        };
    };
    if source != Source::Postback {
        // A browser proves nothing, whatever it sends.
        return authenticate_browser(campaign, address)
            .map(|()| Proof::Nothing)
            .map_err(Stop::Refused);
    }
    let namespace = &situation.space.name;
    let advertiser = match token_hash {
        Some(_) => {
            let look = || memory.advertiser(namespace, campaign.advertiser_id, now);
            let wanted = || Wanted::Advertiser(namespace.clone(), campaign.advertiser_id);
            recall(ports, now, look, wanted).await?
        }
        None => None,
    };
    let (event_id, event_name) = (postback.event_id, postback.event_name.as_deref());
    // Whether the event exists is told by the judge, to those who proved themselves.
    let event = event::find(&campaign.events, campaign.id, event_id, event_name).ok().flatten();
    let none = Advertiser::default();
    let tokens = Tokens {
        of_namespace: &situation.space.token_hashes,
        of_advertiser: &advertiser.as_deref().unwrap_or(&none).token_hashes,
        of_campaign: &campaign.token_hashes,
        of_event: event.map_or(&[], |event| &event.token_hashes),
    };
    let timestamp = postback.timestamp.as_deref();
    let presented = Presented { token_hash: token_hash.as_ref(), signed, timestamp, address };
    authenticate(campaign, &tokens, &presented, now).map_err(Stop::Refused)
}

fn hash(token: &str) -> SecretHash {
    Sha256::digest(token.as_bytes()).into()
}

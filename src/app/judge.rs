//! A postback, from its arrival to its answer; also what pixels and the site script report, and
//! judging again.

mod decide;
mod outcome;
mod refused;
mod tell;
mod unwritten;

pub use outcome::{Errand, Outcome, storage_unavailable};

use decide::{decide, on_facts, today};
use refused::refused_request;

use crate::app::memory::Memory;
use crate::app::outbox::Said;
use crate::app::parties::{names_parties, parties};
use crate::app::ports::{
    AnswerCopies, Calendar, Commit, Configuration, InboxEntry, Ledger, Unavailable,
};
use crate::app::settings::Moment;
use crate::app::situate::{Situation, Stop, prove, recollect, situate};
use crate::domain::attribution::Parties;
use crate::domain::configuration::Campaign;
use crate::domain::conversion::{Conversion, Source};
use crate::domain::delivery::occasion::await_arrival;
use crate::domain::encoding::hex;
use crate::domain::event::{self, Event};
use crate::domain::examination::is_doubtful;
use crate::domain::judgement::{Assumptions, Case, Facts, Judgement, Question, judge};
use crate::domain::namespace::Namespace;
use crate::domain::network::IpAddress;
use crate::domain::permission::{Act, Proof, may};
use crate::domain::postback::{Postback, ReplyFormat};
use crate::domain::signature::Signed;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Refusal, Verdict, Warning};

/// What judging needs of the world.
pub trait Ports: Ledger + AnswerCopies + Configuration + Calendar {}
impl<T: Ledger + AnswerCopies + Configuration + Calendar> Ports for T {}

/// How often a contradicted commit is decided anew. Each contradiction means that somebody else
/// committed in between, after which the facts say so; a second one needs a second somebody.
const MAX_TRIES: usize = 3;

/// A report as it arrived, parsed.
#[derive(Debug)]
pub struct Report<'a> {
    /// The namespace that the host names.
    pub namespace: Namespace,
    /// Where it came in.
    pub source: Source,
    /// Its parameters.
    pub postback: Postback,
    /// Warnings of parsing.
    pub warnings: Vec<Warning>,
    /// The client's address.
    pub address: Option<IpAddress>,
    /// The request as it may have been signed; empty where nothing can be.
    pub signed: Signed<'a>,
    /// What it says for connectors.
    pub said: Said,
}

/// The name of a request: `req_`, its time of arrival in 12 hexadecimal digits, 20 random ones.
/// Sorts by time.
pub fn request_id(moment: &Moment<'_>) -> String {
    let random = (moment.random)();
    let tail = random.first_chunk::<10>().map_or_else(String::new, |bytes| hex(bytes));
    format!("req_{:012x}{tail}", moment.now.ms())
}

/// Judges a report that has been parsed. The steps, in their order; the first that does not go on
/// is the reason:
///
/// 1. namespace and campaign: of a click_id that verifies, else `campaign_id`, else of the token;
/// 2. authenticate (401, 403);
/// 3. the decision: permission, key, event, attribution, window, caps, status, money;
/// 4. commit, and if an assumption was wrong, the same decision on the facts;
/// 5. answer; 503 if the ledger is down and no copy knows the key.
pub async fn report(
    ports: &impl Ports,
    memory: &Memory,
    moment: &Moment<'_>,
    report: &Report<'_>,
) -> Outcome {
    let request_id = request_id(moment);
    let format = report.postback.reply_format.unwrap_or(ReplyFormat::Json);
    match authenticated(ports, memory, moment, report).await {
        Ok((situation, proof)) => {
            let trial = Trial {
                request_id,
                namespace: &report.namespace,
                source: report.source,
                proof,
                arrived_at: moment.now,
                judged_at: moment.now,
                postback: &report.postback,
                warnings: &report.warnings,
                said: &report.said,
                situation: &situation,
            };
            trial.run(ports, memory).await
        }
        Err(Stop::Unavailable) => Outcome::refused(request_id, storage_unavailable(), format),
        Err(Stop::Refused(refusal)) => {
            let counted = refused_request(memory, report, moment, &refusal);
            let errand = Some(Errand::CountRefusal(Box::new(counted)));
            Outcome { errand, ..Outcome::refused(request_id, refusal, format) }
        }
    }
}

async fn authenticated(
    ports: &impl Ports,
    memory: &Memory,
    moment: &Moment<'_>,
    report: &Report<'_>,
) -> Result<(Situation, Proof), Stop> {
    let (postback, now) = (&report.postback, moment.now);
    let situation = situate(ports, memory, &report.namespace, postback, now).await?;
    let was_known = situation.campaign.is_some();
    let proof = prove(ports, memory, &situation, report, now).await?;
    let situation = recollect(ports, memory, &report.namespace, postback, situation, now).await?;
    if was_known || situation.campaign.is_none() {
        return Ok((situation, proof));
    }
    // Only now it is known which campaign's signature and addresses are wanted.
    let proof = prove(ports, memory, &situation, report, now).await?;
    Ok((situation, proof))
}

/// Judges a refused inbox row again: from behind authentication, with its stored result and its
/// time of arrival as now, so that a postback that came before its campaign or order existed is
/// matched late. Repeatable: a row that was not refused is left as it is (`Ok(None)`), and so is
/// one that does not exist.
pub async fn again(
    ports: &impl Ports,
    memory: &Memory,
    moment: &Moment<'_>,
    namespace: &Namespace,
    entry: &InboxEntry,
) -> Result<Option<Outcome>, Unavailable> {
    if entry.verdict != Verdict::Rejected {
        return Ok(None);
    }
    let refused =
        |refusal| Ok(Some(Outcome::refused(entry.request_id.clone(), refusal, ReplyFormat::Json)));
    let mut postback = match Postback::from_stored(entry.parameters.clone(), entry.received_at) {
        Ok(postback) => postback,
        Err(refusal) => return refused(refusal),
    };
    postback.campaign_id = postback.campaign_id.or(entry.campaign_id);
    let situation = match situate(ports, memory, namespace, &postback, moment.now).await {
        Ok(situation) => situation,
        Err(Stop::Refused(refusal)) => return refused(refusal),
        Err(Stop::Unavailable) => return Err(Unavailable),
    };
    let situation = recollect(ports, memory, namespace, &postback, situation, moment.now).await?;
    let trial = Trial {
        request_id: entry.request_id.clone(),
        namespace,
        source: entry.source,
        proof: entry.proof,
        arrived_at: entry.received_at,
        judged_at: moment.now,
        postback: &postback,
        warnings: &[],
        said: &Said::default(),
        situation: &situation,
    };
    Ok(Some(trial.run(ports, memory).await))
}

/// One report behind authentication.
struct Trial<'a> {
    request_id: String,
    namespace: &'a Namespace,
    source: Source,
    proof: Proof,
    arrived_at: Timestamp,
    judged_at: Timestamp,
    postback: &'a Postback,
    warnings: &'a [Warning],
    said: &'a Said,
    situation: &'a Situation,
}

impl Trial<'_> {
    async fn run(&self, ports: &impl Ports, memory: &Memory) -> Outcome {
        let Some(campaign) = self.situation.campaign.as_deref() else {
            return self.no_campaign(ports).await;
        };
        // What the advertiser calls otherwise is read as ours. The inbox keeps what came, so that
        // judging again goes by the rows of that time.
        let mapped = match self.event(campaign) {
            Some(event) => self.postback.mapped(event, self.arrived_at),
            None => Ok(None),
        };
        let postback = match &mapped {
            Ok(mapped) => mapped.as_ref().unwrap_or(self.postback),
            Err(refusal) => return self.refuse(ports, refusal.clone()).await,
        };
        let space = &self.situation.space;
        let said = (postback, self.proof);
        let parties = match names_parties(postback) {
            true => parties(ports, memory, (space, campaign), said, self.judged_at).await,
            false => Parties::default(),
        };
        let today = today(ports, space, campaign, self.arrived_at);
        let case = Case {
            request_id: &self.request_id,
            source: self.source,
            proof: self.proof,
            arrived_at: self.arrived_at,
            today: today.as_ref(),
            campaign,
            rates: &space.rates,
            click: self.situation.click(postback),
            parties: &parties,
            blocked_affiliates: &space.blocked_affiliates,
            postback,
            warnings: self.warnings,
        };
        match self.settle(ports, memory, &case).await {
            Ok(outcome) => outcome,
            Err(Unavailable) => self.answer_from_copy(ports, &case).await,
        }
    }

    /// Decides and commits. The first decision assumes that nothing is known of the case; only a
    /// new conversion may be committed on that, because the commit checks it. Everything else is
    /// decided on the facts.
    async fn settle(
        &self,
        ports: &impl Ports,
        memory: &Memory,
        case: &Case<'_>,
    ) -> Result<Outcome, Unavailable> {
        let (world, about) = ((ports, memory), (case.campaign, case.postback));
        let mut judgement = judge(case, &Facts::default());
        if self.postback.is_dry_run || !matches!(judgement, Judgement::Create(_)) {
            judgement = on_facts(ports, self.namespace, case).await?;
        }
        if self.postback.is_dry_run {
            return Ok(self.dry_run(case, judgement));
        }
        for _ in 0..MAX_TRIES {
            let mut deliveries;
            let (verdict, conversion, commit) = match judgement {
                Judgement::Repeat(known) => return Ok(self.repeat(ports, *known).await),
                Judgement::Refuse(refusal) if refusal.reason == Reason::StorageUnavailable => {
                    return Err(Unavailable);
                }
                Judgement::Refuse(refusal) => {
                    self.note(ports, Verdict::Rejected, Some(&refusal), None).await?;
                    return Ok(self.outcome(Verdict::Rejected, Some(refusal), None));
                }
                Judgement::Create(mut new) => {
                    self.keep_words(&mut new);
                    deliveries = self.of_new(world, about, &new).await?;
                    if self.said.is_arrival_missing {
                        await_arrival(&mut deliveries, self.judged_at);
                    }
                    let entry = self.entry(Verdict::Recorded, None, Some(&new.conversion_id));
                    let assumed = Assumptions::of(case, &new);
                    let commit = ports.commit(self.namespace, &new, &assumed, &deliveries, &entry);
                    let commit = commit.await?;
                    (Verdict::Recorded, new, commit)
                }
                Judgement::Change(changes) => {
                    let Some(first) = changes.first().map(|change| change.after.clone()) else {
                        return Err(Unavailable); // There is at least one.
                    };
                    let entry = self.entry(Verdict::Updated, None, Some(&first.conversion_id));
                    deliveries = self.of_changes(world, about, &changes).await?;
                    let (changed, question) = ((&*changes, &*deliveries), Question::about(case));
                    let commit = ports.change(self.namespace, changed, &entry, &question).await?;
                    (Verdict::Updated, Box::new(first), commit)
                }
            };
            match commit {
                Commit::Done => {
                    memory.wake.ask_for(&deliveries, self.judged_at);
                    return Ok(self.committed(verdict, *conversion));
                }
                Commit::Contradicted(facts) => {
                    judgement = decide(ports, self.namespace, case, *facts).await?;
                }
            }
        }
        Err(Unavailable)
    }

    fn committed(&self, verdict: Verdict, conversion: Conversion) -> Outcome {
        let (namespace, copy) = (self.namespace.clone(), Box::new(conversion.clone()));
        let campaign = self.situation.campaign.as_deref().filter(|_| verdict == Verdict::Recorded);
        let link = self.situation.genuine.map(|(_, link)| link);
        let errand = match campaign.is_some_and(|campaign| is_doubtful(campaign, &conversion, link))
        {
            true => Errand::KeepAndExamine(namespace, copy),
            false => Errand::KeepAnswer(namespace, copy),
        };
        Outcome { errand: Some(errand), ..self.outcome(verdict, None, Some(conversion)) }
    }

    /// The conversion is committed, whatever becomes of the inbox row of its repeat.
    async fn repeat(&self, ports: &impl Ports, known: Conversion) -> Outcome {
        let _ = self.note(ports, Verdict::Duplicate, None, Some(&known.conversion_id)).await;
        let current_status = Some(known.status);
        Outcome { current_status, ..self.outcome(Verdict::Duplicate, None, Some(known)) }
    }

    /// No campaign was found, and the sender proved himself with the namespace's own token.
    async fn no_campaign(&self, ports: &impl Ports) -> Outcome {
        self.refuse(ports, outcome::no_campaign(self.postback)).await
    }

    /// Refuses a report before anything was decided.
    async fn refuse(&self, ports: &impl Ports, refusal: Refusal) -> Outcome {
        if self.postback.is_dry_run {
            let outcome = self.outcome(Verdict::Rejected, Some(refusal), None);
            let campaign = self.situation.campaign.as_deref();
            let is_dry_run = campaign.is_none_or(|c| may(self.proof, Act::SeeMoney, c));
            return Outcome { is_dry_run, ..outcome };
        }
        match self.note(ports, Verdict::Rejected, Some(&refusal), None).await {
            Ok(()) => self.outcome(Verdict::Rejected, Some(refusal), None),
            Err(Unavailable) => self.outcome(Verdict::Rejected, Some(storage_unavailable()), None),
        }
    }

    /// The event that is reported, if the campaign has it.
    fn event<'c>(&self, campaign: &'c Campaign) -> Option<&'c Event> {
        let (id, name) = (self.postback.event_id, self.postback.event_name.as_deref());
        event::find(&campaign.events, campaign.id, id, name).ok().flatten()
    }

    fn entry(
        &self,
        verdict: Verdict,
        refusal: Option<&Refusal>,
        conversion_id: Option<&str>,
    ) -> InboxEntry {
        InboxEntry {
            request_id: self.request_id.clone(),
            received_at: self.arrived_at,
            source: self.source,
            proof: self.proof,
            campaign_id: self.situation.campaign.as_ref().map(|campaign| campaign.id),
            parameters: self.postback.stored.clone(),
            verdict,
            refusal: refusal.cloned(),
            conversion_id: conversion_id.map(str::to_owned),
            judged_at: self.judged_at,
        }
    }

    async fn note(
        &self,
        ports: &impl Ports,
        verdict: Verdict,
        refusal: Option<&Refusal>,
        conversion_id: Option<&str>,
    ) -> Result<(), Unavailable> {
        ports.note(self.namespace, &self.entry(verdict, refusal, conversion_id)).await
    }

    fn outcome(
        &self,
        verdict: Verdict,
        refusal: Option<Refusal>,
        conversion: Option<Conversion>,
    ) -> Outcome {
        let campaign = self.situation.campaign.as_deref();
        let sees_money = campaign.is_some_and(|campaign| may(self.proof, Act::SeeMoney, campaign));
        Outcome {
            request_id: self.request_id.clone(),
            verdict,
            refusal: refusal.map(|refusal| outcome::as_told(refusal, sees_money)),
            campaign_id: campaign.map(|campaign| campaign.id),
            click_id: self.postback.click_id.clone().filter(|_| self.situation.genuine.is_some()),
            conversion,
            event: campaign
                .and_then(|campaign| self.event(campaign))
                .map(|event| (event.id, event.name.clone())),
            current_status: None,
            sees_money,
            is_dry_run: false,
            format: self.postback.reply_format.unwrap_or(ReplyFormat::Json),
            errand: None,
        }
    }
}

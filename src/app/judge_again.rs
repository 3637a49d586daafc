//! Judging refused postbacks again, many of them, in steps.
//!
//! A step judges a few, the oldest first, so that a conversion is there before the events that
//! follow it. It stays below what D1 lets one invocation ask. It may end at any moment: each
//! verdict is committed by itself, and a row that was judged and is refused no more is not found
//! by the next step, whatever cursor that begins at.

use std::collections::BTreeMap;
use std::future::Future;

use super::judge::{Errand, Ports, again};
use super::memory::Memory;
use super::ports::{InboxEntry, Unavailable};
use super::settings::Moment;
use super::steps::{Bounded, Budget, Cursor};
use crate::domain::conversion::Conversion;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Verdict};

/// How the ids of requests begin; the time of the arrival follows.
const IDS: &str = "req";

/// Rows read at once. A verdict takes two statements or more, so that a step gets no further.
const MAX_ROWS: usize = 20;

/// Which refused postbacks are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Refused for this reason.
    pub reason: Option<Reason>,
    /// Authenticated for this campaign.
    pub campaign_id: Option<u32>,
    /// The earliest arrival.
    pub from: Option<Timestamp>,
    /// The time before which all of them arrived; otherwise the time of the first step, so that
    /// what is refused meanwhile does not keep the task going.
    pub to: Option<Timestamp>,
}

/// What a step did.
#[derive(Debug)]
pub struct Step {
    /// How many verdicts of each kind there were.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Why those are refused that still are.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Where to go on; `None` when all are done.
    pub next: Option<Cursor>,
}

/// Some refused postbacks of the inbox.
#[derive(Debug)]
pub struct RefusedPage {
    /// The oldest ones that fit.
    pub entries: Vec<InboxEntry>,
    /// Up to which request the inbox was looked through, if there may be others behind it.
    pub looked_until: Option<String>,
}

/// Where refused postbacks are kept.
pub trait Refused {
    /// The oldest postbacks that fit and that lie between two requests, neither included. Looks
    /// through a bounded number of refused ones, in two statements.
    fn refused(
        &self,
        namespace: &Namespace,
        filter: &Filter,
        between: (&str, &str),
        limit: usize,
    ) -> impl Future<Output = Result<RefusedPage, Unavailable>>;
}

/// One step. A row at which the ledger fails, or for which the bound leaves no room, is where the
/// next one goes on; so is one whose failure judging itself could live with.
///
/// # Errors
/// If not even one row could be dealt with. Nothing is lost; the same step can be taken again.
pub async fn step(
    ports: &(impl Ports + Refused + Budget),
    memory: &Memory,
    moment: &Moment<'_>,
    namespace: &Namespace,
    filter: &Filter,
    cursor: Option<Cursor>,
) -> Result<Step, Unavailable> {
    let bounded = Bounded::begin(ports);
    let now = moment.now;
    let cursor = cursor.unwrap_or_else(|| Cursor::start(IDS, (filter.from, filter.to), now));
    let between = (&*cursor.after, &*cursor.before(IDS));
    let page = ports.refused(namespace, filter, between, MAX_ROWS).await?;
    let mut done = Done::default();
    for entry in &page.entries {
        let judged = again(ports, memory, moment, namespace, entry).await;
        let is_unavailable = |reason| reason == Some(Reason::StorageUnavailable);
        match judged {
            Ok(Some(outcome))
                if !ports.has_failed()
                    && !is_unavailable(outcome.refusal.as_ref().map(|r| r.reason)) =>
            {
                done.note(&entry.request_id, outcome.verdict, outcome.refusal.map(|r| r.reason));
                if let Some(
                    Errand::KeepAnswer(_, conversion) | Errand::KeepAndExamine(_, conversion),
                ) = outcome.errand
                {
                    done.conversions.push(*conversion);
                }
            }
            _ => {
                done.has_stopped = true;
                break;
            }
        }
    }
    drop(bounded);
    if !done.conversions.is_empty() {
        ports.keep(namespace, &done.conversions).await;
    }
    let after = match (&done.last, done.has_stopped) {
        (None, true) => return Err(Unavailable),
        (last, true) => last.clone(),
        (_, false) => page.looked_until,
    };
    let next = after.map(|after| Cursor { after, ..cursor });
    Ok(Step { verdicts: done.verdicts, reasons: done.reasons, next })
}

/// What a step has done so far.
#[derive(Default)]
struct Done {
    verdicts: BTreeMap<&'static str, u64>,
    reasons: BTreeMap<&'static str, u64>,
    conversions: Vec<Conversion>,
    last: Option<String>,
    has_stopped: bool,
}

impl Done {
    fn note(&mut self, request_id: &str, verdict: Verdict, reason: Option<Reason>) {
        *self.verdicts.entry(verdict.as_str()).or_default() += 1;
        if let Some(reason) = reason {
            *self.reasons.entry(reason.as_str()).or_default() += 1;
        }
        self.last = Some(request_id.to_owned());
    }
}

//! What a run has come to: what it has to write down, and whether it may go on.

use super::budget::Purse;
use super::lanes::Lanes;
use super::portions::in_portions;
use super::prepare::Details;
use super::{BEGIN_MS, MOST_PER_RUN, Means, Run, Sent, TIMEOUT_MS};
use crate::app::leases::{Attempt, Becomes, Claimed, Finished, Gone, Leases, Report};
use crate::app::memory::Wanted;
use crate::app::ports::ConfigurationCopies;
use crate::app::sender::{Received, SendFault, Silence};
use crate::app::steps::Budget;
use crate::domain::connector::render::Outgoing;
use crate::domain::delivery::State;
use crate::domain::delivery::outcome::{Answer, Fate, error_of, fate, is_trouble};
use crate::domain::time::{SECOND_MS, Timestamp};

/// Results are written together: so many, or those of so long a time. A run has 29 s, in which this
/// is six writings at most.
const WRITTEN_TOGETHER: usize = 32;
const WRITE_EVERY_MS: u64 = 5 * SECOND_MS;

/// Of an attempt's address the log keeps so many bytes, as it does of pixels.
const MAX_SHOWN: usize = 4_096;

/// How often writing is tried at the end of a run, as far as the ledger may be asked still, before the
/// leases are left to expire.
const WRITE_TRIES: usize = 3;

/// When something is to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// If it is enough, or long enough ago.
    IfEnough,
    /// Now, unless it is to be left to the end.
    Now,
    /// The run ends.
    End,
}

/// What a run has come to so far.
pub(super) struct Course<'a> {
    pub(super) means: &'a Means<'a>,
    pub(super) lease: String,
    pub(super) began: Timestamp,
    pub(super) run: Run,
    pub(super) purse: Purse,
    /// Requests to bins that are under way.
    pub(super) in_bins: usize,
    pub(super) details: Details,
    report: Report,
    written_at: Timestamp,
    /// The earliest of those that wait again.
    pub(super) next_due: Option<Timestamp>,
    /// The platform sends no more requests of this invocation.
    pub(super) is_cut_off: bool,
    /// The ledger does not answer.
    pub(super) has_failed: bool,
}

impl<'a> Course<'a> {
    pub(super) fn new(means: &'a Means<'a>, purse: Purse, lease: String, began: Timestamp) -> Self {
        Self {
            means,
            lease,
            began,
            run: Run::default(),
            purse,
            in_bins: 0,
            details: Details::default(),
            report: Report::default(),
            written_at: began,
            next_due: None,
            is_cut_off: false,
            has_failed: false,
        }
    }

    pub(super) fn may_begin(&self, now: Timestamp) -> bool {
        now.ms_since(self.began) < BEGIN_MS && !self.is_cut_off
    }

    pub(super) fn may_claim(&self, ports: &impl Budget, now: Timestamp) -> bool {
        let is_bounded = self.run.claimed >= MOST_PER_RUN || self.has_failed;
        self.may_begin(now) && !is_bounded && self.purse.may_claim(ports)
    }

    /// Whether a request may begin, as far as it has to be kept in a bin.
    pub(super) fn may_send(&self, ports: &impl Budget, request: &Outgoing) -> bool {
        request.bin.is_none() || self.purse.may_keep(ports, self.in_bins)
    }

    pub(super) fn finish(&mut self, mut finished: Finished) {
        if let Some(attempt) = &mut finished.attempt {
            attempt.url.truncate(attempt.url.floor_char_boundary(MAX_SHOWN));
        }
        if let Becomes::Waiting(at) = finished.becomes {
            self.next_due = Some(self.next_due.map_or(at, |earliest| earliest.min(at)));
        }
        self.report.finished.push(finished);
    }

    /// Gives a delivery back as it was.
    pub(super) fn release(&mut self, claimed: Claimed, due: Timestamp) {
        let Claimed { namespace, delivery_id, .. } = claimed;
        let becomes = Becomes::Waiting(due);
        self.report.finished.push(Finished { namespace, delivery_id, attempt: None, becomes });
    }

    /// Gives back what will not be sent, so that another run can have it at once.
    pub(super) async fn give_back(
        &mut self,
        leftover: Vec<Claimed>,
        ports: &(impl Leases + ConfigurationCopies + Budget),
    ) {
        if leftover.is_empty() {
            return;
        }
        let now = (self.means.clock)();
        for claimed in leftover {
            self.release(claimed, now);
        }
        self.write(ports, When::Now).await;
    }

    /// An attempt has ended.
    pub(super) fn note(&mut self, sent: Sent, lanes: &mut Lanes) {
        let now = (self.means.clock)();
        let Sent { lane, claimed, at, method, url, is_in_bin, result } = sent;
        self.in_bins -= usize::from(is_in_bin);
        if matches!(&result, Err(fault) if fault.silence == Silence::NotSent) {
            self.is_cut_off = true;
            self.run.sent -= 1;
            lanes.ends(lane, None, now);
            lanes.gives_back(lane);
            return self.release(claimed, now);
        }
        let answer = match &result {
            Ok(received) => Answer::Status(received.status, received.retry_after.as_deref()),
            Err(_) => Answer::None,
        };
        let becomes = becomes(answer, &claimed, now, self.means.random);
        if let Some(change) = lanes.ends(lane, is_trouble(answer), now) {
            let receivers = &mut self.report.receivers;
            receivers.retain(|(receiver, _)| *receiver != change.0);
            receivers.push(change);
        }
        if becomes == Fate::Gone {
            self.report.gone.push(Gone {
                namespace: claimed.namespace.clone(),
                connector_id: claimed.connector_id,
                affiliate_id: lanes.lane(lane).map_or(0, |lane| lane.connector.affiliate_id),
                note: gone_note(now),
            });
            lanes.disable(lane);
        }
        let attempt = attempt(at, method, url, result);
        let Claimed { namespace, delivery_id, .. } = claimed;
        let becomes = match becomes {
            Fate::Delivered => Becomes::Ended(State::Delivered),
            Fate::Again(at) => Becomes::Waiting(at),
            Fate::Exhausted | Fate::Gone => Becomes::Ended(State::Exhausted),
        };
        self.finish(Finished { namespace, delivery_id, attempt: Some(attempt), becomes });
    }

    /// Writes what has ended. What there are no statements for is left to the end of the run, for
    /// which some are kept.
    pub(super) async fn write(
        &mut self,
        ports: &(impl Leases + ConfigurationCopies + Budget),
        when: When,
    ) {
        let now = (self.means.clock)();
        // Where the ledger does not answer, it is not asked again after each attempt.
        let is_enough = self.report.finished.len() >= WRITTEN_TOGETHER && !self.has_failed
            || now.ms_since(self.written_at) >= WRITE_EVERY_MS;
        let is_end = when == When::End;
        let may_write = match when {
            When::IfEnough => is_enough && self.purse.may_write(ports),
            When::Now => self.purse.may_write(ports),
            When::End => true,
        };
        if !may_write {
            return;
        }
        for tried in 0..if is_end { WRITE_TRIES } else { 1 } {
            if tried > 0 && !self.purse.may_end(ports) {
                return;
            }
            self.written_at = now;
            let purse = &self.purse;
            let lease = &self.lease;
            let is_written = async |portion: &Report| {
                let is_written = ports.finish(lease, portion, now).await.is_ok();
                let disabled = if is_written { disabled(&portion.gone) } else { vec![] };
                // Nothing is written for what is disabled, whatever memory and copies say.
                match purse.may_correct(ports, portion.gone.len()) {
                    _ if disabled.is_empty() => {}
                    true => ports.changed(&disabled, now).await,
                    false => ports.appeared(&disabled),
                }
                is_written
            };
            let report = std::mem::take(&mut self.report);
            let is_all;
            (self.report, is_all) = in_portions(report, is_written).await;
            if is_all {
                return;
            }
            self.has_failed = true;
        }
    }
}

/// What becomes of a delivery after one more attempt.
pub(super) fn becomes(
    answer: Answer<'_>,
    claimed: &Claimed,
    now: Timestamp,
    random: &dyn Fn() -> [u8; 32],
) -> Fate {
    let drawn = random().first_chunk::<2>().map_or(0, |bytes| u16::from_be_bytes(*bytes));
    fate(answer, claimed.attempts + 1, now, drawn)
}

/// The line of the log.
fn attempt(
    at: Timestamp,
    method: &'static str,
    url: String,
    result: Result<Received, SendFault>,
) -> Attempt {
    let without_nul = |text: String| text.replace('\0', "\u{fffd}");
    match result {
        Ok(Received { status, answer, duration_ms, .. }) => Attempt {
            at,
            method,
            url,
            status: Some(status),
            duration_ms: Some(duration_ms),
            error: error_of(status),
            answer: Some(without_nul(answer)).filter(|answer| !answer.is_empty()),
        },
        Err(fault) => {
            let error = match fault.silence {
                Silence::Timeout => format!("no answer within {} s", TIMEOUT_MS / SECOND_MS),
                Silence::Connection | Silence::NotSent => without_nul(fault.detail),
            };
            Attempt {
                at,
                method,
                url,
                status: None,
                duration_ms: Some(fault.duration_ms),
                error: Some(error),
                answer: None,
            }
        }
    }
}

/// What memory and copies have to forget of connectors that are disabled: the list of their own
/// affiliate, and that of nobody, which says whether affiliates have any.
fn disabled(gone: &[Gone]) -> Vec<Wanted> {
    let of = |gone: &Gone| {
        [0, gone.affiliate_id]
            .map(|affiliate| Wanted::Connectors(gone.namespace.clone(), affiliate))
    };
    gone.iter().flat_map(of).collect()
}

fn gone_note(now: Timestamp) -> String {
    let time = now.to_rfc3339();
    format!("Disabled at {time}: the receiver answered that it is gone and wants no more (410).")
}

//! Sending what is due. One run claims, sends some at a time, and writes down what became of
//! each; whatever it does not get done, or loses in a crash, is due again for the next.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

mod lanes;
mod prepare;
mod visitors;

use super::leases::{Attempt, Becomes, Claimed, Finished, Leases, Place, Report};
use super::sender::{Received, SendFault, Sender, Silence};
use super::settings::Settings;
use super::touches::Touches;
use crate::domain::delivery::State;
use crate::domain::delivery::outcome::{Answer, Fate, error_of, fate, is_trouble};
use crate::domain::encoding::hex;
use crate::domain::namespace::Namespace;
use crate::domain::time::{MINUTE_MS, SECOND_MS, Timestamp};
use lanes::Lanes;
use prepare::{Details, Prepared};

/// So many requests are under way at once. The platform allows an invocation six connections, of
/// which one is the ledger's.
const AT_ONCE: usize = 5;

/// A receiver has so long to answer (Standard Webhooks: 15 to 30 s).
const TIMEOUT_MS: u64 = 15 * SECOND_MS;

/// For so long a run begins attempts; the last of them end within the timeout.
const BEGIN_MS: u64 = 40 * SECOND_MS;

/// For so long deliveries are leased: longer than a run can have them.
const LEASE_MS: u64 = 75 * SECOND_MS;

/// For so long a run claims. What is left of its time is for receivers that are slow.
const CLAIM_MS: u64 = 20 * SECOND_MS;

/// A run claims no more than this, so that it stays well below the processor time of an
/// invocation (`cpu_ms` in wrangler.toml).
const MOST_PER_RUN: usize = 400;

/// So many are claimed together, shared among the connectors.
const CLAIMED_TOGETHER: usize = 64;

/// Of one connector no more are claimed together.
const MOST_EACH: usize = 32;

/// Connectors with something waiting that one look goes through.
const MOST_CONNECTORS: usize = 300;

/// Results are written together: so many, or those of so long a time.
const WRITTEN_TOGETHER: usize = 32;
const WRITE_EVERY_MS: u64 = SECOND_MS;

/// How often writing is tried at the end of a run, before the leases are left to expire.
const WRITE_TRIES: usize = 3;

/// What is due later than this is found by the cron job, which runs every minute.
const CRON_MS: u64 = MINUTE_MS;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Requests that were made.
    pub sent: usize,
    /// Deliveries that it had.
    pub claimed: usize,
}

/// What a run is given.
pub struct Means<'a> {
    /// How the installation is set up.
    pub settings: &'a Settings,
    /// The time, whenever it is asked for.
    pub clock: &'a dyn Fn() -> Timestamp,
    /// 32 new random bytes at each call.
    pub random: &'a dyn Fn() -> [u8; 32],
    /// Where the last look of this isolate ended.
    pub place: &'a std::cell::RefCell<Place>,
}

/// An attempt under way.
type Sending<'a> = Pin<Box<dyn Future<Output = Sent> + 'a>>;

/// An attempt that has ended.
struct Sent {
    lane: usize,
    claimed: Claimed,
    at: Timestamp,
    method: &'static str,
    url: String,
    result: Result<Received, SendFault>,
}

/// The first of some futures to be ready; it is taken out. Pending for ever without any.
async fn first<T>(running: &mut Vec<Pin<Box<dyn Future<Output = T> + '_>>>) -> T {
    poll_fn(|context| {
        let done = running.iter_mut().enumerate().find_map(|(place, future)| {
            match future.as_mut().poll(context) {
                Poll::Ready(value) => Some((place, value)),
                Poll::Pending => None,
            }
        });
        match done {
            Some((place, value)) => {
                drop(running.swap_remove(place));
                Poll::Ready(value)
            }
            None => Poll::Pending,
        }
    })
    .await
}

/// Sends what is due, until nothing is or the run's bounds are reached. `wake` is called when
/// another run is to follow, with the milliseconds until then; what it does not bring about, the
/// cron job does.
pub async fn run(
    ports: &(impl Leases + Touches + Sender),
    means: &Means<'_>,
    wake: impl AsyncFn(u64),
) -> Run {
    let began = (means.clock)();
    let lease = (means.random)().first_chunk::<9>().map_or_else(String::new, |bytes| hex(bytes));
    let Ok((mut lanes, is_more)) = lanes::look(ports, means, began, MOST_CONNECTORS).await else {
        return Run::default();
    };
    let mut course = Course::new(means, lease, began);
    let mut running: Vec<Sending<'_>> = Vec::new();
    // Whether somebody else is already told to go on.
    let mut is_passed_on = false;
    loop {
        let now = (means.clock)();
        let may_begin = now.ms_since(began) < BEGIN_MS && !course.is_cut_off;
        while may_begin && running.len() < AT_ONCE {
            if let Some((lane, claimed)) = lanes.next(now) {
                match prepare::prepare(lanes.lane(lane), &claimed, &course.details, means, now) {
                    Prepared::Send(request) => {
                        lanes.begins(lane);
                        course.run.sent += 1;
                        running.push(Box::pin(async move {
                            let result = ports.send(&request, TIMEOUT_MS).await;
                            let (method, url) = (request.method, request.shown_url);
                            Sent { lane, claimed, at: now, method, url, result }
                        }));
                    }
                    Prepared::Done(finished) => course.finish(finished),
                }
            } else if course.may_claim(now) {
                match claim(ports, &mut lanes, &mut course, now).await {
                    0 => break,
                    claimed => course.run.claimed += claimed,
                }
            } else {
                break;
            }
        }
        let is_bounded = course.is_cut_off || !course.may_claim(now);
        if is_bounded && !is_passed_on && lanes.has_more(now) {
            is_passed_on = true;
            wake(0).await;
        }
        if running.is_empty() {
            break;
        }
        let sent = first(&mut running).await;
        course.note(sent, &mut lanes);
        course.write(ports, false).await;
    }
    for claimed in lanes.leftover() {
        course.release(claimed, (means.clock)());
    }
    course.write(ports, true).await;
    let next = if is_more { Some(0) } else { lanes.next_due(course.next_due, (means.clock)()) };
    if let Some(delay_ms) = next.filter(|_| !is_passed_on) {
        wake(delay_ms).await;
    }
    course.run
}

/// Claims for the connectors that have nothing left; how many it got.
async fn claim(
    ports: &(impl Leases + Touches),
    lanes: &mut Lanes,
    course: &mut Course<'_>,
    now: Timestamp,
) -> usize {
    let wanted = lanes.wanting(now, CLAIMED_TOGETHER);
    if wanted.is_empty() {
        return 0;
    }
    let until = now.plus_ms(LEASE_MS);
    let mut all = Vec::new();
    for (most_each, connectors) in wanted.groups(CLAIMED_TOGETHER, MOST_EACH) {
        let claimed = ports.claim(&connectors, most_each, &course.lease, now, until).await;
        let Ok(claimed) = claimed else {
            // What was leased without our knowing is due again when the lease ends.
            course.has_failed = true;
            break;
        };
        lanes.note_claim(&connectors, most_each, &claimed);
        all.extend(claimed);
    }
    let count = all.len();
    let clicks = prepare::clicks(&all, lanes);
    if !clicks.is_empty()
        && let Ok(details) = ports.click_details(&clicks).await
    {
        course.details.clicks.extend(details);
    }
    course.details.visitors.read(ports, &all, lanes).await;
    lanes.take(all);
    count
}

/// What a run has come to so far.
pub(super) struct Course<'a> {
    means: &'a Means<'a>,
    lease: String,
    began: Timestamp,
    run: Run,
    details: Details,
    report: Report,
    written_at: Timestamp,
    /// The earliest of those that wait again.
    next_due: Option<Timestamp>,
    /// The platform sends no more requests of this invocation.
    is_cut_off: bool,
    /// The ledger does not answer.
    has_failed: bool,
}

impl<'a> Course<'a> {
    fn new(means: &'a Means<'a>, lease: String, began: Timestamp) -> Self {
        Self {
            means,
            lease,
            began,
            run: Run::default(),
            details: Details::default(),
            report: Report::default(),
            written_at: began,
            next_due: None,
            is_cut_off: false,
            has_failed: false,
        }
    }

    fn may_claim(&self, now: Timestamp) -> bool {
        now.ms_since(self.began) < CLAIM_MS
            && self.run.claimed < MOST_PER_RUN
            && !self.is_cut_off
            && !self.has_failed
    }

    fn finish(&mut self, finished: Finished) {
        if let Becomes::Waiting(at) = finished.becomes {
            self.next_due = Some(self.next_due.map_or(at, |earliest| earliest.min(at)));
        }
        self.report.finished.push(finished);
    }

    /// Gives a delivery back as it was.
    fn release(&mut self, claimed: Claimed, due: Timestamp) {
        let Claimed { namespace, delivery_id, .. } = claimed;
        let becomes = Becomes::Waiting(due);
        self.report.finished.push(Finished { namespace, delivery_id, attempt: None, becomes });
    }

    /// An attempt has ended.
    fn note(&mut self, sent: Sent, lanes: &mut Lanes) {
        let now = (self.means.clock)();
        let Sent { lane, claimed, at, method, url, result } = sent;
        if matches!(&result, Err(fault) if fault.silence == Silence::NotSent) {
            self.is_cut_off = true;
            self.run.sent -= 1;
            lanes.ends(lane, None, now);
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
            let note = gone_note(now);
            lanes.disable(lane);
            self.report.gone.push((claimed.namespace.clone(), claimed.connector_id, note));
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

    /// Writes what has ended, if it is enough or long enough ago; at the end of a run anyway.
    async fn write(&mut self, ports: &impl Leases, is_end: bool) {
        let now = (self.means.clock)();
        let is_enough = self.report.finished.len() >= WRITTEN_TOGETHER
            || now.ms_since(self.written_at) >= WRITE_EVERY_MS;
        if !is_end && !is_enough {
            return;
        }
        for _ in 0..if is_end { WRITE_TRIES } else { 1 } {
            self.written_at = now;
            if ports.finish(&self.lease, &self.report, now).await.is_ok() {
                self.report = Report::default();
                return;
            }
            self.has_failed = true;
        }
    }
}

/// What becomes of a delivery after one more attempt.
fn becomes(
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

fn gone_note(now: Timestamp) -> String {
    let time = now.to_rfc3339();
    format!("Disabled at {time}: the receiver answered that it is gone and wants no more (410).")
}

/// Deliveries by connector.
type Backlog = VecDeque<Claimed>;

/// A connector by its namespace and number.
type Name = (Namespace, u32);

//! Sending what is due. One run claims, sends some at a time, and writes down what became of
//! each; whatever it does not get done, or loses in a crash, is due again for the next.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

mod budget;
mod course;
mod lanes;
mod portions;
mod prepare;
mod visitors;

use super::bins::{self, Bins};
use super::leases::{Claimed, Leases, Place};
use super::ports::ConfigurationCopies;
use super::sender::{Received, SendFault, Sender};
use super::settings::{Moment, Settings};
use super::steps::Budget;
use super::touches::Touches;
use crate::domain::encoding::hex;
use crate::domain::namespace::Namespace;
use crate::domain::time::{MINUTE_MS, SECOND_MS, Timestamp};
use budget::Purse;
use course::{Course, When};
use lanes::Lanes;
use prepare::Prepared;

/// So many requests are under way at once. The platform allows an invocation six connections, of
/// which one is the ledger's.
const AT_ONCE: usize = 5;

/// A receiver has so long to answer (Standard Webhooks: 15 to 30 s).
const TIMEOUT_MS: u64 = 15 * SECOND_MS;

/// For so long a run claims and begins attempts; the last of them end within the timeout. What goes
/// on behind a queue's message has 30 s on Cloudflare: 14 + 15, and one for writing down what came
/// of it.
const BEGIN_MS: u64 = 14 * SECOND_MS;

/// For so long deliveries are leased: longer than a run can have them.
const LEASE_MS: u64 = 75 * SECOND_MS;

/// A run claims no more than this, for the sake of the processor time of an invocation (`cpu_ms` in
/// wrangler.toml, 200). 200 deliveries took 286 ms of sender, ledger and receiver on two processors
/// together (docs/performance.md); the sender's own part, which alone counts, was not measured apart.
const MOST_PER_RUN: usize = 200;

/// So many are claimed together, shared among the connectors.
const CLAIMED_TOGETHER: usize = 64;

/// Of one connector no more are claimed together.
const MOST_EACH: usize = 32;

/// For so long what is known of clicks is read after claiming; what was not read by then is waited for,
/// and the rest begins.
const READ_MS: u64 = 5 * SECOND_MS;

/// If the ledger fails, the next run comes so much later.
const PAUSE_MS: u64 = 5 * SECOND_MS;

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
    pub place: &'a RefCell<Place>,
    /// How many statements the same invocation has asked of the ledger before.
    pub spent: usize,
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
    is_in_bin: bool,
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
    ports: &(impl Leases + Touches + Sender + Bins + ConfigurationCopies + Budget),
    means: &Means<'_>,
    wake: impl AsyncFn(u64),
) -> Run {
    let began = (means.clock)();
    let lease = (means.random)().first_chunk::<9>().map_or_else(String::new, |bytes| hex(bytes));
    let purse = Purse::new(means, ports);
    if !purse.may_look(ports) {
        // The next invocation has statements of its own.
        wake(0).await;
        return Run::default();
    }
    let Ok((mut lanes, is_more)) = lanes::look(ports, &purse, means, began).await else {
        return Run::default();
    };
    let mut course = Course::new(means, purse, lease, began);
    let mut running: Vec<Sending<'_>> = Vec::new();
    // Whether somebody else is already told to go on.
    let mut is_passed_on = false;
    loop {
        begin_some(ports, &mut lanes, &mut course, &mut running).await;
        let now = (means.clock)();
        if !course.may_begin(now) {
            // Before another run is told to go on: what is leased it could not claim.
            course.give_back(lanes.leftover(), ports).await;
        }
        let is_bounded = !course.may_claim(ports, now);
        if is_bounded && !is_passed_on && lanes.has_more(now) {
            is_passed_on = true;
            wake(0).await;
        }
        if running.is_empty() {
            break;
        }
        let sent = first(&mut running).await;
        course.note(sent, &mut lanes);
        course.write(ports, When::IfEnough).await;
    }
    course.give_back(lanes.leftover(), ports).await;
    course.write(ports, When::End).await;
    let now = (means.clock)();
    // A run that found nothing is followed by none: what is far away the cron job comes to.
    let is_left = lanes.has_more(now) || is_more && course.run.claimed > 0;
    let next = match (is_passed_on, is_left) {
        (true, _) => None,
        (false, true) if course.has_failed => Some(PAUSE_MS),
        (false, true) => Some(0),
        (false, false) => lanes.next_due(course.next_due, now),
    };
    if let Some(delay_ms) = next {
        wake(delay_ms).await;
    }
    course.run
}

/// Begins as many requests as may be under way. Claiming and reading may take long, so that the clock
/// is read before each: nothing begins that could not end within the run, and with that within its
/// lease.
async fn begin_some<'a, P>(
    ports: &'a P,
    lanes: &mut Lanes,
    course: &mut Course<'a>,
    running: &mut Vec<Sending<'a>>,
) where
    P: Leases + Touches + Sender + Bins + ConfigurationCopies + Budget,
{
    let means = course.means;
    while running.len() < AT_ONCE {
        let now = (means.clock)();
        if !course.may_begin(now) {
            return;
        }
        let may_claim = course.may_claim(ports, now);
        let Some((lane, claimed)) = lanes.next(now, may_claim) else {
            match may_claim {
                true => match claim(ports, lanes, course, now).await {
                    0 => return,
                    claimed => course.run.claimed += claimed,
                },
                false => return,
            }
            continue;
        };
        match prepare::prepare((lanes, lane), &claimed, &course.details, means, now) {
            Prepared::Send(request) if !course.may_send(ports, &request) => {
                course.is_cut_off = true;
                lanes.gives_back(lane);
                course.release(claimed, now);
            }
            Prepared::Send(request) => {
                lanes.begins(lane);
                course.run.sent += 1;
                let is_in_bin = request.bin.is_some();
                course.in_bins += usize::from(is_in_bin);
                running.push(Box::pin(async move {
                    let moment = Moment { now, random: means.random };
                    let space = &claimed.namespace;
                    let result =
                        bins::send(ports, ports, space, &request, &moment, TIMEOUT_MS).await;
                    let (method, url) = (request.method, request.shown_url);
                    Sent { lane, claimed, at: now, method, url, is_in_bin, result }
                }));
            }
            Prepared::Done(finished) => {
                course.finish(finished);
                course.write(ports, When::IfEnough).await;
            }
        }
    }
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
    if !clicks.is_empty() {
        let since = (course.means.clock)();
        let goes_on = || (course.means.clock)().ms_since(since) < READ_MS;
        let read = ports.click_details(&clicks, &goes_on).await;
        course.details.take_clicks(clicks, read.ok());
    }
    course.details.visitors.read(ports, &all, lanes).await;
    lanes.take(all);
    count
}

/// Deliveries by connector.
type Backlog = VecDeque<Claimed>;

/// A connector by its namespace and number.
type Name = (Namespace, u32);

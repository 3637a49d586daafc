//! Receivers made up by a test: they get requests and answer as they are told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use backtrail::app::sender::{Network, Received, SendFault, Silence};
use backtrail::domain::connector::render::Outgoing;
use backtrail::domain::time::Timestamp;

/// How a receiver reacts.
#[derive(Clone, Copy, Debug)]
pub enum Reaction {
    /// With this code.
    Answers(u16),
    /// With this code and `Retry-After`.
    Asks(u16, &'static str),
    /// With this code, after so many milliseconds.
    Takes(u16, u64),
    /// Not at all: everything else that can happen happens first.
    Hangs,
    /// It loses the connection.
    Resets,
    /// The platform does not send.
    IsNotAsked,
}

/// After so long the Worker gives up.
const HANGS_MS: u64 = 15_000;

/// So often a request that hangs is looked at before it is given up.
const LOOKS: u32 = 2_000;

/// All receivers. Whoever was told nothing answers 200.
#[derive(Default)]
pub struct Receivers {
    reactions: RefCell<BTreeMap<String, Reaction>>,
    got: RefCell<Vec<Outgoing>>,
    running: Cell<usize>,
    most: Cell<usize>,
}

impl Receivers {
    /// Tells the receiver of addresses that contain this text how to react from now on.
    pub fn reacts(&self, text: &str, reaction: Reaction) {
        self.reactions.borrow_mut().insert(text.to_owned(), reaction);
    }

    /// What they got, in order.
    pub fn got(&self) -> Vec<Outgoing> {
        self.got.borrow().clone()
    }

    /// How many requests were under way at once at most.
    pub fn most_at_once(&self) -> usize {
        self.most.get()
    }

    fn reaction(&self, url: &str) -> Reaction {
        let reactions = self.reactions.borrow();
        let told = reactions.iter().find(|(text, _)| url.contains(text.as_str()));
        told.map_or(Reaction::Answers(200), |(_, reaction)| *reaction)
    }

    /// How the Worker reaches them. Who hangs lets the time of this clock pass.
    pub fn network(self: &Rc<Self>, clock: &Rc<Cell<Timestamp>>) -> Network {
        let receivers = Rc::clone(self);
        let clock = Rc::clone(clock);
        Rc::new(move |request, _| {
            let receivers = Rc::clone(&receivers);
            let clock = Rc::clone(&clock);
            let begun = clock.get();
            let reaction = receivers.reaction(&request.url);
            if !matches!(reaction, Reaction::IsNotAsked) {
                receivers.got.borrow_mut().push(request.clone());
            }
            receivers.running.set(receivers.running.get() + 1);
            receivers.most.set(receivers.most.get().max(receivers.running.get()));
            Box::pin(async move {
                let result = react(reaction).await;
                let takes_ms = match reaction {
                    Reaction::Hangs => HANGS_MS,
                    Reaction::Takes(_, ms) => ms,
                    _ => 0,
                };
                clock.set(clock.get().max(begun.plus_ms(takes_ms)));
                receivers.running.set(receivers.running.get() - 1);
                result
            })
        })
    }
}

async fn react(reaction: Reaction) -> Result<Received, SendFault> {
    // Nobody answers before the others had their turn.
    looks(if matches!(reaction, Reaction::Hangs) { LOOKS } else { 1 }).await;
    let silent = |silence, detail: &str, duration_ms| {
        Err(SendFault { silence, detail: detail.to_owned(), duration_ms })
    };
    let answers = |status, retry_after: Option<&str>| {
        let retry_after = retry_after.map(str::to_owned);
        Ok(Received { status, retry_after, answer: format!("answer {status}"), duration_ms: 7 })
    };
    match reaction {
        Reaction::Answers(status) | Reaction::Takes(status, _) => answers(status, None),
        Reaction::Asks(status, retry_after) => answers(status, Some(retry_after)),
        Reaction::Hangs => silent(Silence::Timeout, "aborted", HANGS_MS),
        Reaction::Resets => silent(Silence::Connection, "Network connection lost.", 3),
        Reaction::IsNotAsked => silent(Silence::NotSent, "Too many subrequests.", 0),
    }
}

async fn looks(times: u32) {
    let left = Cell::new(times);
    poll_fn(|context| {
        if left.get() == 0 {
            return Poll::Ready(());
        }
        left.set(left.get() - 1);
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A network in which nobody answers.
pub fn silent() -> Network {
    let receivers = Rc::new(Receivers::default());
    receivers.reacts("", Reaction::Resets);
    receivers.network(&Rc::new(Cell::new(Timestamp::from_ms(0))))
}

/// Runs a future that waits for receivers to its end.
pub fn runs<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..10_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
    panic!("a future waits for ever");
}

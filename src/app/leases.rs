//! The outbox from the side of who sends: what is due, who has it, what became of it.

use std::future::Future;

use super::ports::Unavailable;
use crate::domain::connector::{Matching, Mode};
use crate::domain::delivery::circuit::Trouble;
use crate::domain::delivery::standard_webhooks::Secrets;
use crate::domain::delivery::{State, Values};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// A connector by its namespace and number; looks go in this order.
pub type Place = (String, u32);

/// A receiver by the namespace whose deliveries go there, and its host. What one namespace's
/// deliveries meet tells nothing to those of others, so that nobody can pause what is not his.
pub type Receiver = (Namespace, String);

/// A connector as far as sending goes.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Whether it sends.
    pub mode: Mode,
    /// The webhook's JSON; `None` while it is off.
    pub webhook: Option<String>,
    /// How it recognises its visitors, where it wants to.
    pub matching: Option<Matching>,
    /// The affiliate to whom it belongs; 0 for nobody.
    pub affiliate_id: u32,
    /// What it signs with.
    pub secrets: Secrets,
}

/// A connector that has something due, or was removed and has something waiting.
#[derive(Clone, Debug)]
pub struct Due {
    /// Where.
    pub namespace: Namespace,
    /// Its number.
    pub connector_id: u32,
    /// What it is; `None` if it was removed.
    pub connector: Option<Connector>,
}

/// What one look found.
#[derive(Debug, Default)]
pub struct Look {
    /// Connectors with something due.
    pub due: Vec<Due>,
    /// Where to look on; `None` if there is nothing behind.
    pub next: Option<Place>,
}

/// A delivery that is leased.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// Where.
    pub namespace: Namespace,
    /// Its name, by which receivers recognise a repeat.
    pub delivery_id: String,
    /// Whose it is.
    pub connector_id: u32,
    /// The event's name, before renaming.
    pub event_name: String,
    /// When the event happened.
    pub happened_at: Timestamp,
    /// Backtrail's click.
    pub click_id: Option<String>,
    /// The visitor, where a browser reported it.
    pub visitor: Option<String>,
    /// Whether it is sent although its connector is in test mode.
    pub is_forced: bool,
    /// What macros stand for, as far as it was known when it happened.
    pub values: Values,
    /// The same, personal ones.
    pub personal: Values,
    /// How often it was tried before.
    pub attempts: u32,
    /// When it was written.
    pub created_at: Timestamp,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// Of the request; empty if none could be made.
    pub method: &'static str,
    /// The address; secrets and personal values are masked.
    pub url: String,
    /// The code of the answer.
    pub status: Option<u16>,
    /// How long it took; `None` if nothing was sent.
    pub duration_ms: Option<u64>,
    /// Why it failed; `None` if it did not.
    pub error: Option<String>,
    /// How the answer begins.
    pub answer: Option<String>,
}

/// What a leased delivery becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// It waits again, for nobody in particular.
    Waiting(Timestamp),
    /// It has ended.
    Ended(State),
}

/// The end of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Where.
    pub namespace: Namespace,
    /// Which delivery.
    pub delivery_id: String,
    /// The attempt that was made, or shown, if any was.
    pub attempt: Option<Attempt>,
    /// What becomes of it.
    pub becomes: Becomes,
}

/// A connector whose receiver wants no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Where.
    pub namespace: Namespace,
    /// Its number.
    pub connector_id: u32,
    /// The affiliate to whom it belongs; 0 for nobody.
    pub affiliate_id: u32,
    /// What its operator reads.
    pub note: String,
}

/// What a sender has to write down.
#[derive(Debug, Default)]
pub struct Report {
    /// Deliveries that it had leased.
    pub finished: Vec<Finished>,
    /// Receivers whose state is another one; `None`: out of trouble.
    pub receivers: Vec<(Receiver, Option<Trouble>)>,
    /// Connectors to disable, and why.
    pub gone: Vec<Gone>,
}

/// What is known of receivers.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Those that are in trouble.
    pub troubled: Vec<(Receiver, Trouble)>,
    /// Names of hosts that are custom domains of some namespace: Backtrail itself.
    pub own_hosts: Vec<String>,
}

/// What is known of Backtrail's click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickDetail {
    /// Whose click; others learn nothing of it.
    pub namespace: Namespace,
    /// Which click.
    pub click_id: String,
    /// Values by the keys of macros.
    pub values: Values,
}

/// What a reading of clicks told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClickDetails {
    /// What is known of those that are there.
    pub found: Vec<ClickDetail>,
    /// Those of which it is not known whether they are there.
    pub unread: Vec<(Namespace, String)>,
}

/// Where deliveries wait.
pub trait Leases {
    /// Connectors behind a place that have something due, or were removed and have anything waiting, in order; looks at no more than `limit`
    /// of those that have anything waiting at all.
    fn look(
        &self,
        after: &Place,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Look, Unavailable>>;

    /// What is known of these receivers.
    fn receivers(&self, receivers: &[Receiver])
    -> impl Future<Output = Result<Known, Unavailable>>;

    /// Leases what is due of some connectors' webhooks, the longest due first, at most so many of
    /// each. Nobody else gets it before `until`. If the answer is lost it stays leased until then.
    fn claim(
        &self,
        connectors: &[(Namespace, u32)],
        most_each: usize,
        lease: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<Claimed>, Unavailable>>;

    /// What is known of some clicks: their rows, else the copies of those. What is not there
    /// (yet) is left out; what could not be looked for is named, also because it would have taken
    /// too many readings or `goes_on` said no before one of them.
    fn click_details(
        &self,
        clicks: &[(Namespace, String)],
        goes_on: &dyn Fn() -> bool,
    ) -> impl Future<Output = Result<ClickDetails, Unavailable>>;

    /// Writes down what became of deliveries, each only if this lease still holds it. All or
    /// nothing; repeatable.
    fn finish(
        &self,
        lease: &str,
        report: &Report,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>>;
}

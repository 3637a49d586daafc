//! What the use cases need of the world, in words of the domain; each method states its guarantee.

use std::future::Future;

use crate::app::memory::Wanted;
use crate::domain::cap::LocalDate;
use crate::domain::configuration::SecretHash;
use crate::domain::conversion::{Conversion, Source};
use crate::domain::delivery::Delivery;
use crate::domain::judgement::{Assumptions, Facts, Question};
use crate::domain::namespace::Namespace;
use crate::domain::permission::Proof;
use crate::domain::time::Timestamp;
use crate::domain::transition::Change;
use crate::domain::verdict::{Reason, Refusal, Verdict};

/// A store did not answer in time. What was asked for may or may not have happened, so whoever
/// wrote must be able to write again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// One row of the inbox: a request that passed authentication, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxEntry {
    /// The request's name; begins with the time of arrival.
    pub request_id: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Where it came in.
    pub source: Source,
    /// How it proved itself.
    pub proof: Proof,
    /// The campaign that it was authenticated for.
    pub campaign_id: Option<u32>,
    /// Canonical names and values, without secrets.
    pub parameters: Vec<(String, String)>,
    /// The outcome.
    pub verdict: Verdict,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// What it became, or repeated.
    pub conversion_id: Option<String>,
    /// When it was judged last.
    pub judged_at: Timestamp,
}

/// Who makes a change, and when.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// The name of the postback, or of the call of the API.
    pub request_id: &'a str,
    /// The number of the API key, 0 for the root key; `None` for postbacks.
    pub key_id: Option<u64>,
    /// When it was decided.
    pub at: Timestamp,
}

/// What became of a commit.
#[derive(Clone, Debug)]
pub enum Commit {
    /// Everything is written.
    Done,
    /// An assumption was wrong and nothing is written; these are the facts.
    Contradicted(Box<Facts>),
}

/// The ledger of conversions and of the requests that made them.
pub trait Ledger {
    /// Commits a new conversion, its inbox row and what it has connectors send, all or nothing, provided that no conversion of
    /// the same key or order exists and everything holds that it assumes. Exact under concurrency. Repeating it with the same request is harmless and `Done`.
    fn commit(
        &self,
        namespace: &Namespace,
        conversion: &Conversion,
        assumed: &Assumptions,
        deliveries: &[Delivery],
        entry: &InboxEntry,
    ) -> impl Future<Output = Result<Commit, Unavailable>>;

    /// Commits changes of different conversions, their lines of the audit trail, what they have
    /// connectors send and the inbox row, all or none, provided that each stored revision is the one that was seen. Repeating it with
    /// the same request is harmless and `Done`. The question is what to read if it is contradicted.
    fn change(
        &self,
        namespace: &Namespace,
        changed: (&[Change], &[Delivery]),
        entry: &InboxEntry,
        question: &Question,
    ) -> impl Future<Output = Result<Commit, Unavailable>>;

    /// The parameters of the requests that made and changed a conversion, as far as the inbox
    /// keeps them.
    fn heard(
        &self,
        namespace: &Namespace,
        conversion_id: &str,
    ) -> impl Future<Output = Result<Vec<Vec<(String, String)>>, Unavailable>>;

    /// What is recorded of the same key, click or order.
    fn facts(
        &self,
        namespace: &Namespace,
        question: &Question,
    ) -> impl Future<Output = Result<Facts, Unavailable>>;

    /// Keeps a request that led to no commit. Repeatable; judged again, the row is updated.
    fn note(
        &self,
        namespace: &Namespace,
        entry: &InboxEntry,
    ) -> impl Future<Output = Result<(), Unavailable>>;

    /// An inbox row.
    fn inbox_entry(
        &self,
        namespace: &Namespace,
        request_id: &str,
    ) -> impl Future<Output = Result<Option<InboxEntry>, Unavailable>>;

    /// The campaign whose own token this is; `None` for wider tokens and unknown ones.
    fn campaign_of_token(
        &self,
        namespace: &Namespace,
        hash: &SecretHash,
    ) -> impl Future<Output = Result<Option<u32>, Unavailable>>;

    /// The campaign that an order belongs to, of whichever event; `None` if there is no such order,
    /// or if several campaigns have one.
    fn campaign_of_order(
        &self,
        namespace: &Namespace,
        order_id: &str,
    ) -> impl Future<Output = Result<Option<u32>, Unavailable>>;

    /// Counts requests that failed before authentication; at most 100 samples per campaign and
    /// hour are kept. Repeatable.
    fn count_refusals(&self, batch: &RefusalBatch)
    -> impl Future<Output = Result<(), Unavailable>>;
}

/// How many requests of an hour failed for one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusalCount {
    /// The namespace, if the host named one.
    pub namespace: Option<Namespace>,
    /// The start of the hour.
    pub hour: Timestamp,
    /// Why they failed.
    pub reason: Reason,
    /// How many.
    pub requests: u64,
}

/// What is written of refused requests at once.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusalBatch {
    /// A random name.
    pub name: String,
    /// All of them, as numbers.
    pub counts: Vec<RefusalCount>,
    /// Some of them.
    pub samples: Vec<RefusedRequest>,
}

/// A request that failed before authentication.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedRequest {
    /// The namespace, if the host named one.
    pub namespace: Option<Namespace>,
    /// The campaign that it named, unverified.
    pub campaign_id: Option<u32>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Why it failed.
    pub reason: Reason,
    /// What its sender was told.
    pub detail: String,
    /// What it brought, without secrets, cut to 2,000 bytes.
    pub parameters: String,
    /// Where a sample of it would be kept, 0 to 99: chosen at random, so that the samples of an
    /// hour are not only its first ones.
    pub slot: u8,
}

/// What the platform knows of time zones.
pub trait Calendar {
    /// The date in a zone of this name; in UTC if the platform does not know that (any more).
    fn local_date(&self, zone: &str, at: Timestamp) -> LocalDate;
}

/// Copies of recorded conversions that answer a repeat while the ledger is down. Best effort.
pub trait AnswerCopies {
    /// Keeps copies of some conversions of a namespace; a failure changes nothing.
    fn keep(&self, namespace: &Namespace, conversions: &[Conversion]) -> impl Future<Output = ()>;

    /// A copy, if there is one; `None` never proves that there is no conversion.
    fn recall(
        &self,
        namespace: &Namespace,
        conversion_id: &str,
    ) -> impl Future<Output = Option<Conversion>>;
}

/// Brings configuration into memory: from KV, else from the ledger, else (while neither answers)
/// by keeping what memory has for a while longer.
pub trait Configuration {
    /// Afterwards memory has the values, at most 100, or knows that there are none; what there is of
    /// copies is read with one call. Of a namespace that turns out not to exist nothing else is read.
    fn load(
        &self,
        wanted: &[Wanted],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>>;
}

/// The copies of configuration that the redirect reads, in memory and in KV.
pub trait ConfigurationCopies {
    /// Makes the copies follow a committed write. Best effort and awaited: afterwards this isolate
    /// sees the change, others within 30 seconds of KV's own propagation. If the copies do not
    /// answer the write stands, and the ledger remembers which copies are stale.
    fn changed(&self, what: &[Wanted], now: Timestamp) -> impl Future<Output = ()>;

    /// Forgets that values were unknown, since they were created just now. There can be thousands,
    /// and what did not exist has no copies, so this stays within memory.
    fn appeared(&self, what: &[Wanted]);

    /// Removes stale copies, at most `limit` of them, so that readers ask the ledger. Repeatable.
    fn remove_stale(&self, limit: usize) -> impl Future<Output = Result<(), Unavailable>>;
}

/// The place where clicks end up.
pub trait ClickStore {
    /// Writes a page of clicks: the ledger's rows, and the copy where that is switched on. If the
    /// ledger fails the page is kept aside for the cron job. `Ok` means that the page is safe.
    /// Repeatable.
    fn write_page(
        &self,
        page: &crate::app::pages::ClosedPage,
    ) -> impl Future<Output = Result<(), Unavailable>>;

    /// Writes pages that were kept aside, at most `limit` of them; says how many it wrote.
    fn write_pages_kept_aside(
        &self,
        limit: usize,
    ) -> impl Future<Output = Result<usize, Unavailable>>;
}

/// How the installation is.
pub trait Vitals {
    /// Whether the ledger answers.
    fn ledger_answers(&self) -> impl Future<Output = bool>;
    /// Whether the copies answer.
    fn copies_answer(&self) -> impl Future<Output = bool>;
    /// Notes that the cron job ran.
    fn note_cron_run(&self, now: Timestamp) -> impl Future<Output = Result<(), Unavailable>>;
    /// When the cron job last ran.
    fn last_cron_run(&self) -> impl Future<Output = Result<Option<Timestamp>, Unavailable>>;
}

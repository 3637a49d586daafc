//! Erasing a person, in steps.
//!
//! What belongs to the person is found on the way: the conversions of a click, the clicks of a
//! conversion, and the customer that it names. A list of it stands in the ledger, so that a step may
//! end at any moment and the next one goes on; it goes when all is done.

use std::future::Future;

use super::ports::Unavailable;
use super::steps::{Bounded, Budget};
use crate::domain::erasure::Person;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use crate::domain::verdict::words;

/// So many times a step takes from the list: at most eleven statements each.
const ROUNDS: usize = 3;

words! {
    /// What belongs to a person.
    Kind {
        /// A click.
        Click = "click",
        /// A conversion.
        Conversion = "conversion",
        /// What a merchant calls the person.
        Customer = "customer",
    }
}

words! {
    /// Where something was erased.
    Part {
        /// Rows of clicks.
        Clicks = "clicks",
        /// Conversions.
        Conversions = "conversions",
        /// Lines of the audit trail.
        Changes = "changes",
        /// Requests in the inbox.
        Inbox = "inbox",
        /// Profiles of customers.
        Customers = "customers",
        /// Samples of refused requests.
        Samples = "samples",
        /// What connectors have to send, or have sent.
        Deliveries = "deliveries",
        /// Copies in KV.
        Copies = "copies",
    }
}

/// How much was erased of each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts([u64; 8]);

impl Parts {
    /// Every part.
    pub const ALL: [Part; 8] = [
        Part::Clicks,
        Part::Conversions,
        Part::Changes,
        Part::Inbox,
        Part::Customers,
        Part::Samples,
        Part::Deliveries,
        Part::Copies,
    ];

    /// Counts some of a part.
    pub fn add(&mut self, part: Part, count: u64) {
        for (known, sum) in Self::ALL.iter().zip(&mut self.0) {
            if *known == part {
                *sum += count;
            }
        }
    }

    /// Each part and its count.
    pub fn counts(&self) -> impl Iterator<Item = (Part, u64)> {
        Self::ALL.into_iter().zip(self.0)
    }
}

/// What a step did.
#[derive(Debug)]
pub struct Step {
    /// What it erased.
    pub parts: Parts,
    /// Whether nothing of the person is left.
    pub is_done: bool,
}

/// Where persons are erased. Everything is repeatable.
pub trait Eraser {
    /// Puts the person on the list, named `root` there.
    fn begin(
        &self,
        namespace: &Namespace,
        person: &Person,
        root: &str,
    ) -> impl Future<Output = Result<(), Unavailable>>;

    /// Some things of one kind that are still to be erased.
    fn pending(
        &self,
        namespace: &Namespace,
        root: &str,
    ) -> impl Future<Output = Result<Option<(Kind, Vec<String>)>, Unavailable>>;

    /// Erases them and lists what else belongs to the person: first the copies, then in the ledger
    /// all or nothing. Afterwards nothing brings them back.
    fn erase(
        &self,
        namespace: &Namespace,
        root: &str,
        some: (Kind, &[String]),
        now: Timestamp,
    ) -> impl Future<Output = Result<Parts, Unavailable>>;

    /// Forgets the list.
    fn end(
        &self,
        namespace: &Namespace,
        root: &str,
    ) -> impl Future<Output = Result<(), Unavailable>>;
}

/// One step of the erasure of a person.
///
/// # Errors
/// If a store did not answer. The next call goes on from where this one was.
pub async fn step(
    ports: &(impl Eraser + Budget),
    namespace: &Namespace,
    person: &Person,
    now: Timestamp,
) -> Result<Step, Unavailable> {
    let _bounded = Bounded::begin(ports);
    let root = match person {
        Person::Click(id) => format!("click:{id}"),
        Person::Customer(id) => format!("customer:{id}"),
    };
    ports.begin(namespace, person, &root).await?;
    let mut parts = Parts::default();
    for _ in 0..ROUNDS {
        let Some((kind, ids)) = ports.pending(namespace, &root).await? else {
            ports.end(namespace, &root).await?;
            return Ok(Step { parts, is_done: true });
        };
        let erased = ports.erase(namespace, &root, (kind, &ids), now).await?;
        for (part, count) in erased.counts() {
            parts.add(part, count);
        }
    }
    Ok(Step { parts, is_done: false })
}

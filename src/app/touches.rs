//! What is known of visitors: with which click ids they arrived, and who the shop says they are.

use std::future::Future;

use super::ports::Unavailable;
use crate::domain::connector::Matching;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use crate::domain::touch::Touch;

/// What a page reports of a visitor who allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The visitor.
    pub visitor: &'a str,
    /// The click that the page remembers. Nothing is kept of one that was erased.
    pub click_id: Option<&'a str>,
    /// The touches of an arrival.
    pub touches: &'a [Touch],
    /// What the shop says of who it is: names of personal macros and their values.
    pub contact: &'a [(String, String)],
    /// When it was reported.
    pub at: Timestamp,
}

/// Of whom something is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    /// Where.
    pub namespace: Namespace,
    /// The visitor, where a browser reported the event.
    pub visitor: Option<String>,
    /// Backtrail's click; without a visitor it stands for the first one who brought it.
    pub click_id: Option<String>,
}

/// What is known of a visitor; of an unknown one, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The touches, the newest first.
    pub touches: Vec<Touch>,
    /// Names of personal macros and their values.
    pub contact: Vec<(String, String)>,
}

/// Where it is kept. Every write is repeatable.
pub trait Touches {
    /// Keeps what was reported, in one transaction: of each visitor the 50 newest touches. The same
    /// arrival reported again changes nothing; a click id that comes again later counts from then on.
    fn keep_touches(
        &self,
        namespace: &Namespace,
        sighting: &Sighting<'_>,
    ) -> impl Future<Output = Result<(), Unavailable>>;

    /// What is known of some visitors, in their order, read in one round trip.
    fn known(&self, of: &[Trail]) -> impl Future<Output = Result<Vec<Known>, Unavailable>>;

    /// How connectors of some namespaces, other than disabled ones, recognise their visitors.
    fn matchings(
        &self,
        namespaces: &[Namespace],
    ) -> impl Future<Output = Result<Vec<(Namespace, Matching)>, Unavailable>>;

    /// Forgets touches after 365 days and contact data after 30, in all namespaces, so many of each.
    fn forget_touches(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<(), Unavailable>>;
}

//! What saving a connector has to know of the rest of its namespace, and approving its pixel.

use std::future::Future;

use crate::app::ports::Unavailable;
use crate::domain::delivery::standard_webhooks::Secrets;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// What surrounds a connector that is being saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Those of its events that a campaign defines, or that were received.
    pub known_events: Vec<String>,
    /// By which keys these events came, as macros name them.
    pub keys: Vec<String>,
    /// Whether its receiver is a custom host of any namespace.
    pub is_own_host: bool,
    /// Other connectors that recognise their visitors by a parameter: number, parameter, and whether
    /// they look at a source as well.
    pub others: Vec<(u32, String, bool)>,
}

/// An approval of a pixel.
#[derive(Clone, Copy, Debug)]
pub struct Approval<'a> {
    /// Of which connector.
    pub connector_id: u64,
    /// The pixel as it was read, in its stored form.
    pub pixel: &'a str,
    /// What the approval binds.
    pub hash: &'a str,
    /// When it is given.
    pub at: Timestamp,
    /// By whose key; 0 for the root key.
    pub key_id: u64,
}

/// What else is in a namespace.
pub trait Neighbourhood {
    /// What surrounds a connector with these events and this host.
    fn surroundings(
        &self,
        namespace: &Namespace,
        events: &[String],
        host: &str,
    ) -> impl Future<Output = Result<Surroundings, Unavailable>>;

    /// By which keys events were received: names of events, and their keys as macros name them.
    fn received_keys(
        &self,
        namespace: &Namespace,
    ) -> impl Future<Output = Result<Vec<(String, String)>, Unavailable>>;

    /// What a connector signs with; `None` if there is no such connector.
    fn secrets(
        &self,
        namespace: &Namespace,
        connector_id: u64,
    ) -> impl Future<Output = Result<Option<Secrets>, Unavailable>>;

    /// Approves a pixel, provided that it still is as it was read; `false` if it is not. Repeatable.
    fn approve(
        &self,
        namespace: &Namespace,
        approval: &Approval<'_>,
    ) -> impl Future<Output = Result<bool, Unavailable>>;
}

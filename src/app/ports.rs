//! What use cases need from outside, as traits that say what is guaranteed.

use std::future::Future;

use crate::domain::namespace::Namespace;

/// A piece of configuration of which the redirect keeps copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The namespace's settings or its own tokens.
    Namespace,
    /// A custom domain, by its name; perhaps it is gone.
    Host(String),
    /// An advertiser or its tokens.
    Advertiser(u64),
    /// A campaign, its landing pages or its tokens.
    Campaign(u64),
    /// An affiliate: everything of its links that depends on it.
    Affiliate(u64),
    /// A link.
    Link(u64),
    /// Which link an affiliate's number alone means in a campaign.
    DefaultLink {
        /// The campaign.
        campaign: u64,
        /// The affiliate.
        affiliate: u64,
    },
}

/// The copies of configuration in memory and in the blob store.
pub trait ConfigurationCopies {
    /// Makes the copies follow a write that is committed. Best effort: copies expire by themselves
    /// within 30 seconds, so a failure is for the log and never the caller's. What was remembered
    /// as unknown is forgotten as well.
    fn changed(&self, namespace: &Namespace, what: &[What]) -> impl Future<Output = ()>;
}

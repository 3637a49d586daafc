//! What can be remembered: by what name it is wanted, what memory says, and what was loaded.

use std::rc::Rc;

use crate::domain::attribution::Coupon;
use crate::domain::configuration::{Advertiser, Campaign, Link, NamespaceSettings};
use crate::domain::connector::Connectors;
use crate::domain::namespace::Namespace;

/// One value of the configuration, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// A namespace's settings.
    Namespace(Namespace),
    /// The namespace of a custom host name.
    Host(String),
    /// A campaign with its landing pages and tokens.
    Campaign(Namespace, u32),
    /// A link.
    Link(Namespace, u32),
    /// An affiliate's default link of a campaign: `(campaign, affiliate)`.
    DefaultLink(Namespace, u32, u32),
    /// An advertiser's tokens.
    Advertiser(Namespace, u32),
    /// A coupon of a campaign, by its code in small letters (of ASCII).
    Coupon(Namespace, u32, String),
    /// The affiliate of a custom id.
    CustomId(Namespace, String),
    /// The connectors of an affiliate that may fire; of 0 those that belong to nobody.
    Connectors(Namespace, u32),
}

/// What a code stands for.
#[derive(Clone, Debug)]
pub enum Coded {
    /// Of [`Wanted::Coupon`].
    Coupon(Coupon),
    /// The affiliate of [`Wanted::CustomId`].
    Affiliate(u32),
}

/// What memory says of a value.
#[derive(Clone, Debug)]
pub enum Lookup<T> {
    /// Here it is.
    Known(Rc<T>),
    /// There is none.
    Absent,
    /// Memory does not know; load it.
    Unread,
}

/// A loaded value of each kind; `None` if there is none. It lives for a moment, between loading and
/// remembering, so that a box around the largest one would save nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Value {
    /// Of [`Wanted::Namespace`].
    Namespace(Option<NamespaceSettings>),
    /// Of [`Wanted::Host`].
    Host(Option<Namespace>),
    /// Of [`Wanted::Campaign`].
    Campaign(Option<Campaign>),
    /// Of [`Wanted::Link`].
    Link(Option<Link>),
    /// Of [`Wanted::DefaultLink`].
    DefaultLink(Option<u32>),
    /// Of [`Wanted::Advertiser`].
    Advertiser(Option<Advertiser>),
    /// Of [`Wanted::Coupon`] and [`Wanted::CustomId`].
    Coded(Option<Coded>),
    /// Of [`Wanted::Connectors`].
    Connectors(Option<Connectors>),
}

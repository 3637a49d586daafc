//! Where a click leads within its campaign.
//!
//! What few clicks need stands in functions of its own that are not inlined, here, in
//! [`super`] and in `click_parameters`: a click fetches all the code that it runs through, and
//! whole pages of it.

use std::borrow::Cow;

use crate::domain::configuration::{Campaign, LandingPage};
use crate::domain::template::{self, Macro};
use crate::domain::web_address::{self, WebAddress};

/// A destination within a campaign.
pub(super) enum Destination<'a> {
    Page(&'a LandingPage),
    DeepLink(WebAddress),
}

/// The visitor's deep link, if the campaign allows its host.
#[inline(never)]
pub(super) fn deep_link(dl: &str, campaign: &Campaign) -> Option<WebAddress> {
    web_address::parse_https(dl)
        .filter(|address| web_address::host_allowed(address.host(), &campaign.deep_link_hosts))
}

/// Writes a deep link with what the campaign adds to it.
#[inline(never)]
pub(super) fn write_deep_link<'v>(
    location: &mut String,
    address: &WebAddress,
    campaign: &Campaign,
    values: &impl Fn(Macro) -> Option<Cow<'v, str>>,
    click_id: &str,
) {
    location.push_str(address.as_str());
    // A deep link copied from an address bar brings the id of an earlier visit.
    template::remove_parameter(location, &campaign.click_id_parameter);
    for (name, value) in &campaign.deep_link_parameters {
        let mut rendered = String::new();
        value.render_plain_into(&mut rendered, values);
        template::append_parameter(location, name, &rendered);
    }
    if !click_id.is_empty() {
        template::append_parameter(location, &campaign.click_id_parameter, click_id);
    }
}

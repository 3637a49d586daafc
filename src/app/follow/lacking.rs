//! What a click of a new isolate needs, all at once: each value loaded on its own would be one more
//! journey to a store while the visitor waits.

use super::Arrival;
use crate::app::memory::{Lookup, Memory, Wanted};
use crate::domain::click_parameters;
use crate::domain::time::Timestamp;

/// A value that memory lacks, and whatever else it lacks of what the click itself names.
pub fn also_lacking(
    memory: &Memory,
    first: Wanted,
    arrival: &Arrival<'_>,
    now: Timestamp,
) -> Vec<Wanted> {
    let name = match &first {
        Wanted::Namespace(name) | Wanted::Link(name, _) | Wanted::DefaultLink(name, _, _) => {
            name.clone()
        }
        // Behind a custom host nothing is known yet, and behind a campaign everything.
        _ => return vec![first],
    };
    let named = click_parameters::parse(arrival.query);
    let link = match (named.ref_id, named.affiliate_id, named.campaign_id) {
        (Some(id), _, _) => {
            lacks(memory.link(&name, id, now)).then(|| Wanted::Link(name.clone(), id))
        }
        (None, Some(affiliate), Some(campaign)) => {
            lacks(memory.default_link(&name, campaign, affiliate, now))
                .then(|| Wanted::DefaultLink(name.clone(), campaign, affiliate))
        }
        _ => None,
    };
    let campaign = named.campaign_id.filter(|id| lacks(memory.campaign(&name, *id, now)));
    let campaign = campaign.map(|id| Wanted::Campaign(name, id));
    let others = link.into_iter().chain(campaign).filter(|wanted| *wanted != first);
    let others: Vec<_> = others.collect();
    std::iter::once(first).chain(others).collect()
}

fn lacks<T>(lookup: Lookup<T>) -> bool {
    matches!(lookup, Lookup::Unread)
}

//! What is kept of those who failed before authentication.

use super::Report;
use crate::app::memory::{Lookup, Memory};
use crate::app::ports::RefusedRequest;
use crate::app::settings::Moment;
use crate::domain::verdict::Refusal;

/// What is kept of a request that failed before authentication: no secrets, at most 2,000 bytes.
/// Names that a stranger made up are not kept apart, or they would fill the tables.
pub(super) fn refused_request(
    memory: &Memory,
    report: &Report<'_>,
    moment: &Moment<'_>,
    refusal: &Refusal,
) -> RefusedRequest {
    let (name, now) = (&report.namespace, moment.now);
    let exists = |id: &u32| matches!(memory.campaign(name, *id, now), Lookup::Known(_));
    let is_named = matches!(memory.namespace(name, now), Lookup::Known(_));
    let pairs = report.postback.stored.iter().map(|(name, value)| format!("{name}={value}"));
    let mut parameters = pairs.collect::<Vec<_>>().join("&");
    parameters.truncate(parameters.floor_char_boundary(2_000));
    RefusedRequest {
        namespace: is_named.then(|| name.clone()),
        campaign_id: report.postback.campaign_id.filter(exists),
        received_at: moment.now,
        reason: refusal.reason,
        detail: refusal.detail.clone(),
        parameters,
        slot: (moment.random)().first().map_or(0, |byte| byte % 100),
    }
}

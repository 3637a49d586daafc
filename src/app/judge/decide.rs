//! Deciding on what the store says.

use super::Ports;
use crate::app::ports::Unavailable;
use crate::domain::judgement::{Case, Facts, Judgement, judge};
use crate::domain::namespace::Namespace;

/// Decides on the facts. What an operator did is changed only by what is new, so that then what
/// was said before is read as well.
pub(super) async fn decide(
    ports: &impl Ports,
    namespace: &Namespace,
    case: &Case<'_>,
    mut facts: Facts,
) -> Result<Judgement, Unavailable> {
    let judgement = judge(case, &facts);
    let Judgement::Change(changes) = &judgement else { return Ok(judgement) };
    let mut seen = changes.iter().map(|change| &change.before);
    let Some(overruled) = seen.find(|before| before.is_changed_by_operator()) else {
        return Ok(judgement);
    };
    facts.heard = Some(ports.heard(namespace, &overruled.conversion_id).await?);
    Ok(judge(case, &facts))
}

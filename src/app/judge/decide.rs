//! Deciding on what the store says.

use super::Ports;
use crate::app::ports::Unavailable;
use crate::domain::cap::LocalDate;
use crate::domain::configuration::{Campaign, NamespaceSettings};
use crate::domain::judgement::{Assumptions, Case, Facts, Judgement, Question, judge};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// Decides on the facts. What an operator did, or a cap, is changed only by what is new, so that
/// then what was said before is read as well.
pub(super) async fn decide(
    ports: &impl Ports,
    namespace: &Namespace,
    case: &Case<'_>,
    mut facts: Facts,
) -> Result<Judgement, Unavailable> {
    let judgement = judge(case, &facts);
    let Judgement::Change(changes) = &judgement else { return Ok(judgement) };
    let mut seen = changes.iter().map(|change| &change.before);
    let Some(overruled) = seen.find(|before| before.withstands_repeats()) else {
        return Ok(judgement);
    };
    facts.heard = Some(ports.heard(namespace, &overruled.conversion_id).await?);
    Ok(judge(case, &facts))
}

/// Reads the facts and decides on them.
///
/// Which caps matter may show only when it is known who is credited. A commit then checks what was
/// assumed of them; a dry run has none, and asks for them.
pub(super) async fn on_facts(
    ports: &impl Ports,
    namespace: &Namespace,
    case: &Case<'_>,
) -> Result<Judgement, Unavailable> {
    let question = Question::about(case);
    let facts = ports.facts(namespace, &question).await?;
    let judgement = decide(ports, namespace, case, facts).await?;
    let Judgement::Create(new) = &judgement else { return Ok(judgement) };
    let assumed = Assumptions::of(case, new).question;
    if !case.postback.is_dry_run || assumed.places == question.places {
        return Ok(judgement);
    }
    let facts = ports.facts(namespace, &assumed).await?;
    decide(ports, namespace, case, facts).await
}

/// The date on which a report arrived, where the campaign has caps; nobody else pays for it.
pub(super) fn today(
    ports: &impl Ports,
    space: &NamespaceSettings,
    campaign: &Campaign,
    arrived_at: Timestamp,
) -> Option<LocalDate> {
    let has_caps = !campaign.caps.is_empty();
    has_caps.then(|| ports.local_date(&space.time_zone, arrived_at))
}

//! Examining conversions by the rows of their clicks: behind the reply, and by the cron job for
//! what was missed. Each step may be repeated: a finding is written together with what it changes,
//! and only if the conversion is still as it was seen.

use std::future::Future;

use super::doubts::Doubt;
use super::memory::Memory;
use super::outbox::{Audiences, deliveries_of_changes};
use super::ports::{Configuration, Signature, Unavailable};
use super::settings::{Moment, Settings};
use super::situate::campaign;
use crate::domain::conversion::RULE_PREFIX;
use crate::domain::delivery::Delivery;
use crate::domain::examination::{Doubted, Finding, examine, given_up};
use crate::domain::namespace::Namespace;
use crate::domain::time::{DAY_MS, Timestamp};
use crate::domain::transition::Change;

/// Conversions that one run of the cron job examines, and of how many namespaces: each takes three
/// statements, five with a change and eight where connectors hear of it, besides what is not in memory
/// of campaigns; an invocation on a free plan has 50. The rest is next.
const CONVERSIONS_PER_RUN: usize = 100;
const NAMESPACES_PER_RUN: usize = 4;

/// Visitors of past days that one run forgets in each of some namespaces.
const VISITORS_PER_RUN: u32 = 5_000;

/// For so many days the first clicks of visitors are kept. The hash is of one day; the others are
/// for pages of clicks that are written late.
const VISITOR_DAYS: u64 = 2;

/// What is to be examined in a namespace: the conversion, and for how long before and after it
/// another one from its address counts, in milliseconds (0: not at all).
pub type Wanted = (String, u64);

/// Where doubts and the rows of clicks are.
pub trait Examinations {
    /// Conversions that can be examined: the row of their click is there, or they were reported
    /// before `given_up`. The oldest first, at most `limit`.
    fn ready(
        &self,
        given_up: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Doubt>, Unavailable>>;

    /// What is known of those that are not examined yet, as they were reported. Of two from one address that are asked
    /// for at once, one at least sees the other.
    fn doubted(
        &self,
        namespace: &Namespace,
        wanted: &[Wanted],
    ) -> impl Future<Output = Result<Vec<Doubted>, Unavailable>>;

    /// Writes findings, what they change and what that has connectors send, each provided that the conversion has the revision
    /// that was seen; otherwise it stays to be examined. Repeatable.
    fn settle_doubts(
        &self,
        namespace: &Namespace,
        findings: &[(Doubted, Finding)],
        deliveries: &[Delivery],
        signature: &Signature<'_>,
    ) -> impl Future<Output = Result<(), Unavailable>>;

    /// Forgets visitors of the days before this one, at most about `limit` in each of a few
    /// namespaces. Repeatable.
    fn forget_visitors(
        &self,
        day: u64,
        limit: u32,
    ) -> impl Future<Output = Result<(), Unavailable>>;
}

/// Examines conversions; those whose click's row may still come stay for later.
///
/// # Errors
/// If the ledger or the configuration does not answer, the rest stays for later.
pub async fn examine_all(
    ports: &(impl Examinations + Audiences + Configuration),
    memory: &Memory,
    settings: &Settings,
    moment: &Moment<'_>,
    doubts: Vec<Doubt>,
) -> Result<(), Unavailable> {
    let now = moment.now;
    let given_up = given_up(now, settings.click_page_ms);
    // In their order, so that the namespace that has waited longest comes first.
    let mut by_namespace: Vec<(Namespace, Vec<Doubt>)> = Vec::new();
    for doubt in doubts {
        match by_namespace.iter_mut().find(|(namespace, _)| *namespace == doubt.namespace) {
            Some((_, of_namespace)) => of_namespace.push(doubt),
            None => by_namespace.push((doubt.namespace.clone(), vec![doubt])),
        }
    }
    for (namespace, doubts) in by_namespace.iter().take(NAMESPACES_PER_RUN) {
        let mut campaigns = Vec::new();
        let mut wanted = Vec::new();
        for doubt in doubts {
            let id = doubt.campaign_id;
            if let Some(campaign) = campaign(ports, memory, namespace, id, now).await? {
                wanted.push((doubt.conversion_id.clone(), campaign.click_rules.cool_down_ms()));
                campaigns.push(campaign);
            }
        }
        let name = super::judge::request_id(moment).replacen("req_", RULE_PREFIX, 1);
        let doubted = ports.doubted(namespace, &wanted).await?;
        let rules = |id: u32| campaigns.iter().find(|c| c.id == id).map(|c| &c.click_rules);
        let findings = examine(doubted, rules, given_up, &name);
        if !findings.is_empty() {
            let signature = Signature { request_id: &name, key_id: None, at: now };
            let changes = findings.iter().filter_map(|(_, finding)| finding.change.clone());
            let changes: Vec<Change> = changes.collect();
            let deliveries = deliveries_of_changes(ports, memory, namespace, &changes, now).await?;
            ports.settle_doubts(namespace, &findings, &deliveries, &signature).await?;
            memory.wake.ask_for(&deliveries, now);
        }
    }
    Ok(())
}

/// The cron job's part: examines what was missed, and forgets visitors of past days. What a run
/// does not get done is done by the next.
pub async fn examine_missed(
    ports: &(impl Examinations + Audiences + Configuration),
    memory: &Memory,
    settings: &Settings,
    moment: &Moment<'_>,
) {
    let now = moment.now;
    let given_up = given_up(now, settings.click_page_ms);
    if let Ok(doubts) = ports.ready(given_up, now, CONVERSIONS_PER_RUN).await {
        let _ = examine_all(ports, memory, settings, moment, doubts).await;
    }
    let today = now.ms() / DAY_MS;
    let _ = ports.forget_visitors(today.saturating_sub(VISITOR_DAYS), VISITORS_PER_RUN).await;
}

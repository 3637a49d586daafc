//! What deliveries need to know of visitors: touches, contact data, and what other connectors ask for.

use std::collections::BTreeMap;

use super::lanes::{Lane, Lanes};
use crate::app::leases::Claimed;
use crate::app::touches::{Known, Touches, Trail};
use crate::domain::connector::Matching;
use crate::domain::connector::macros::Origin;
use crate::domain::connector::text::Mentions;
use crate::domain::namespace::Namespace;

/// What was read in a run.
#[derive(Default)]
pub(super) struct Visitors {
    /// By delivery.
    known: BTreeMap<(String, String), Known>,
    /// By namespace.
    matchings: BTreeMap<String, Vec<Matching>>,
}

/// Whether what a connector sends depends on the visitor.
pub(super) fn is_wanted(lane: &Lane) -> bool {
    let names = |origin| {
        let webhook = lane.webhook.as_ref();
        webhook.is_ok_and(|webhook| webhook.mentions_any(origin))
    };
    lane.connector.matching.is_some() || names(Origin::Touch) || names(Origin::Person)
}

fn key(claimed: &Claimed) -> (String, String) {
    (claimed.namespace.as_str().to_owned(), claimed.delivery_id.clone())
}

impl Visitors {
    /// Reads what some deliveries need, mostly nothing. What cannot be read is left out.
    pub(super) async fn read(&mut self, ports: &impl Touches, claimed: &[Claimed], lanes: &Lanes) {
        let lane = |one: &Claimed| lanes.lane_of(one);
        let wanting: Vec<&Claimed> =
            claimed.iter().filter(|one| lane(one).is_some_and(is_wanted)).collect();
        let mut unread: Vec<Namespace> = Vec::new();
        for one in &wanting {
            let matches = lane(one).is_some_and(|lane| lane.connector.matching.is_some());
            let is_known = self.matchings.contains_key(one.namespace.as_str());
            if matches && !is_known && !unread.contains(&one.namespace) {
                unread.push(one.namespace.clone());
            }
        }
        if !unread.is_empty() {
            let Ok(found) = ports.matchings(&unread).await else { return };
            for namespace in &unread {
                self.matchings.entry(namespace.as_str().to_owned()).or_default();
            }
            for (namespace, matching) in found {
                self.matchings.entry(namespace.as_str().to_owned()).or_default().push(matching);
            }
        }
        let trails: Vec<Trail> = wanting
            .iter()
            .map(|one| Trail {
                namespace: one.namespace.clone(),
                visitor: one.visitor.clone(),
                click_id: one.click_id.clone(),
            })
            .collect();
        if !trails.is_empty()
            && let Ok(known) = ports.known(&trails).await
        {
            self.known.extend(wanting.into_iter().map(key).zip(known));
        }
    }

    /// What is known of a delivery's visitor, and what all connectors ask for; `None` if it could
    /// not be read.
    pub(super) fn of(&self, claimed: &Claimed) -> Option<(&Known, &[Matching])> {
        let matchings = self.matchings.get(claimed.namespace.as_str());
        let known = self.known.get(&key(claimed))?;
        Some((known, matchings.map(Vec::as_slice).unwrap_or_default()))
    }
}

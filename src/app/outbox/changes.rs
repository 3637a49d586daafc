//! What connectors hear of changes that operators and rules make, many at once.

use std::collections::BTreeSet;
use std::future::Future;

use super::one;
use crate::app::memory::Memory;
use crate::app::ports::{Configuration, Unavailable};
use crate::domain::connector::Connector;
use crate::domain::delivery::Delivery;
use crate::domain::delivery::of_conversion::News;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use crate::domain::transition::Change;

/// What a campaign calls its initial conversions.
#[derive(Debug)]
pub struct Naming {
    /// The campaign.
    pub campaign_id: u32,
    /// Its advertiser.
    pub advertiser_id: u32,
    /// The name of the first site event that it makes initial conversions of.
    pub initial_name: Option<String>,
}

/// Who may hear of changes, and by which names.
#[derive(Debug, Default)]
pub struct Audience {
    /// Connectors that wait for statuses, of affiliates.
    pub connectors: Vec<Connector>,
    /// How campaigns name things.
    pub namings: Vec<Naming>,
}

/// Where an audience is read.
pub trait Audiences {
    /// The connectors of these affiliates that wait for statuses, and the names that these campaigns
    /// use; in one call however many they are.
    fn audience(
        &self,
        namespace: &Namespace,
        affiliates: &BTreeSet<u32>,
        campaigns: &BTreeSet<u32>,
    ) -> impl Future<Output = Result<Audience, Unavailable>>;
}

/// What has to be sent of changes of one namespace. Without a connector that waits for statuses
/// this is one look into memory.
///
/// # Errors
/// If the connectors cannot be read; then nothing may be changed, or nobody would hear of it.
pub async fn deliveries_of_changes(
    ports: &(impl Audiences + Configuration),
    memory: &Memory,
    namespace: &Namespace,
    changes: &[Change],
    now: Timestamp,
) -> Result<Vec<Delivery>, Unavailable> {
    let changed = || changes.iter().filter(|change| change.is_of_status()).map(|c| &c.after);
    if changed().next().is_none() {
        return Ok(Vec::new());
    }
    let Some(of_nobody) = one(ports, memory, namespace, 0, now).await? else {
        return Ok(Vec::new());
    };
    let has_waiting = of_nobody.list.iter().any(|connector| !connector.statuses.is_empty());
    if !has_waiting && !of_nobody.has_of_affiliates {
        return Ok(Vec::new());
    }
    let affiliates = changed().map(|conversion| conversion.affiliate_id);
    let affiliates = affiliates.filter(|id| *id != 0 && of_nobody.has_of_affiliates).collect();
    let campaigns = changed().map(|conversion| conversion.campaign_id).collect();
    let audience = ports.audience(namespace, &affiliates, &campaigns).await?;
    let mut all = Vec::new();
    for conversion in changed() {
        let naming = audience.namings.iter().find(|one| one.campaign_id == conversion.campaign_id);
        let news = News {
            namespace,
            conversion,
            is_new: false,
            advertiser_id: naming.map_or(0, |naming| naming.advertiser_id),
            initial_name: naming.and_then(|naming| naming.initial_name.as_deref()),
            said: &[],
            visitor: None,
            is_forced: false,
            now,
        };
        all.extend(news.deliveries(of_nobody.list.iter().chain(&audience.connectors)));
    }
    Ok(all)
}

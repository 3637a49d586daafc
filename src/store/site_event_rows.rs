//! Site events that become no conversion: which names and keys there are, and what connectors have
//! to send of them.

use serde_json::Value as Json;

use super::{Blobs, Database, Statement, Stores, Value, delivery_rows};
use crate::app::outbox::{SiteEvents, Taken};
use crate::app::ports::Unavailable;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// Distinct names of site events that a namespace may have, besides the standard ones (wire.md 8).
const MAX_NAMES: i64 = 200;

/// Keys that are remembered of a name. Others come through all the same; only whoever writes a
/// connector is warned that they were not seen.
const MAX_KEYS: i64 = 50;

const NAME: &str = "INSERT INTO site_event_names (namespace, name, first_seen) SELECT ?1, ?2, ?3 \
     WHERE (SELECT COUNT(*) FROM site_event_names WHERE namespace = ?1) < ?4 ON CONFLICT DO NOTHING";

const KNOWN: &str = "SELECT 1 AS known FROM site_event_names WHERE namespace = ?1 AND name = ?2";

const KEYS: &str = "INSERT INTO event_keys (namespace, name, key) SELECT ?1, ?2, new.value FROM json_each(?3) AS new \
     WHERE NOT EXISTS (SELECT 1 FROM event_keys AS k WHERE k.namespace = ?1 AND k.name = ?2 AND k.key = new.value) \
     AND (?5 OR EXISTS (SELECT 1 FROM site_event_names AS n WHERE n.namespace = ?1 AND n.name = ?2)) \
     LIMIT MAX(0, ?4 - (SELECT COUNT(*) FROM event_keys WHERE namespace = ?1 AND name = ?2)) ON CONFLICT DO NOTHING";

impl<D: Database, B: Blobs> SiteEvents for Stores<D, B> {
    async fn take(
        &self,
        namespace: &Namespace,
        taken: &Taken<'_>,
        now: Timestamp,
    ) -> Result<bool, Unavailable> {
        let named: [Value; 2] = [namespace.as_str().into(), taken.name.into()];
        let with = |more: Vec<Value>| named.iter().cloned().chain(more).collect::<Vec<Value>>();
        let mut statements = Vec::new();
        if !taken.is_known {
            let name = Statement::new(NAME, with(vec![now.ms().into(), MAX_NAMES.into()]));
            statements.extend([name, Statement::new(KNOWN, with(vec![]))]);
        }
        if !taken.keys.is_empty() {
            let keys = Json::from(taken.keys.clone()).to_string();
            let is_known = i64::from(taken.is_known);
            let more = vec![keys.into(), MAX_KEYS.into(), is_known.into()];
            statements.push(Statement::new(KEYS, with(more)));
        }
        let required = (!taken.is_known).then_some(taken.name);
        let guards = (required, taken.refused_as);
        statements.extend(delivery_rows::insert(namespace, taken.deliveries, guards, now));
        if statements.is_empty() {
            return Ok(true);
        }
        let results = self.run(statements).await?;
        Ok(taken.is_known || results.get(1).is_some_and(|rows| !rows.is_empty()))
    }
}

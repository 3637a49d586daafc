//! What surrounds a connector, and who approved its pixel, as SQL.

use serde_json::{Value as Json, json};

use super::{Blobs, Database, Row, Statement, Stores, lease_rows};
use crate::app::connectors::{Approval, Neighbourhood, Surroundings};
use crate::app::ports::Unavailable;
use crate::domain::delivery::standard_webhooks::Secrets;
use crate::domain::namespace::Namespace;

/// Names of ?2 that are defined or were received.
const KNOWN_EVENTS: &str = "SELECT n.value AS name FROM json_each(?2) AS n WHERE EXISTS \
     (SELECT 1 FROM site_event_names AS s WHERE s.namespace = ?1 AND s.name = n.value) OR EXISTS \
     (SELECT 1 FROM events AS e WHERE e.namespace = ?1 AND e.name = n.value) OR EXISTS \
     (SELECT 1 FROM campaigns AS c CROSS JOIN json_each(c.site_events) AS m \
      WHERE c.namespace = ?1 AND m.key = n.value)";

const KEYS: &str = "SELECT DISTINCT key FROM event_keys WHERE namespace = ?1 \
     AND name IN (SELECT value FROM json_each(?2))";

const OWN_HOST: &str = "SELECT 1 AS is_own FROM hosts WHERE hostname = ?1";

const OTHERS: &str = "SELECT id, matching ->> 'parameter' AS parameter, \
     matching ->> 'source_parameter' IS NOT NULL AS has_source FROM connectors \
     WHERE namespace = ?1 AND matching IS NOT NULL AND mode <> 'disabled' ORDER BY id";

const APPROVE: &str = "UPDATE connectors SET approval = ?4 WHERE namespace = ?1 AND id = ?2 AND pixel = ?3 \
     RETURNING 1 AS approved";

fn text(row: &Row, column: &str) -> Option<String> {
    row.get(column)?.as_str().map(str::to_owned)
}

impl<D: Database, B: Blobs> Neighbourhood for Stores<D, B> {
    async fn surroundings(
        &self,
        namespace: &Namespace,
        events: &[String],
        host: &str,
    ) -> Result<Surroundings, Unavailable> {
        let space = namespace.as_str();
        let names = Json::from(events).to_string();
        let statements = vec![
            Statement::new(KNOWN_EVENTS, vec![space.into(), names.as_str().into()]),
            Statement::new(KEYS, vec![space.into(), names.as_str().into()]),
            Statement::new(OWN_HOST, vec![host.into()]),
            Statement::new(OTHERS, vec![space.into()]),
        ];
        let mut rows = self.run(statements).await?.into_iter();
        let mut next = || rows.next().unwrap_or_default();
        let (known, keys, own, others) = (next(), next(), next(), next());
        let other = |row: &Row| {
            let id = u32::try_from(row.get("id")?.as_u64()?).ok()?;
            Some((id, text(row, "parameter")?, row.get("has_source")?.as_i64()? == 1))
        };
        Ok(Surroundings {
            known_events: known.iter().filter_map(|row| text(row, "name")).collect(),
            keys: keys.iter().filter_map(|row| text(row, "key")).collect(),
            is_own_host: !own.is_empty(),
            others: others.iter().filter_map(other).collect(),
        })
    }

    async fn received_keys(
        &self,
        namespace: &Namespace,
    ) -> Result<Vec<(String, String)>, Unavailable> {
        let statement = Statement::new(
            "SELECT name, key FROM event_keys WHERE namespace = ?1 ORDER BY key, name",
            vec![namespace.as_str().into()],
        );
        let rows = self.run(vec![statement]).await?.into_iter().flatten();
        Ok(rows.filter_map(|row| Some((text(&row, "name")?, text(&row, "key")?))).collect())
    }

    async fn secrets(
        &self,
        namespace: &Namespace,
        connector_id: u64,
    ) -> Result<Option<Secrets>, Unavailable> {
        let statement = Statement::new(
            "SELECT secret, secret_key, former_secret_key, rotated_at FROM connectors \
             WHERE namespace = ?1 AND id = ?2",
            vec![namespace.as_str().into(), connector_id.into()],
        );
        let rows = self.run(vec![statement]).await?;
        Ok(rows.iter().flatten().next().and_then(lease_rows::secrets))
    }

    async fn approve(
        &self,
        namespace: &Namespace,
        approval: &Approval<'_>,
    ) -> Result<bool, Unavailable> {
        let bound =
            json!({ "hash": approval.hash, "at": approval.at.ms(), "key_id": approval.key_id });
        let values = vec![
            namespace.as_str().into(),
            approval.connector_id.into(),
            approval.pixel.into(),
            bound.to_string().into(),
        ];
        let rows = self.run(vec![Statement::new(APPROVE, values)]).await?;
        Ok(rows.first().is_some_and(|rows| !rows.is_empty()))
    }
}

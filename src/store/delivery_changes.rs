//! What operators do with deliveries and secrets, as SQL.

use serde_json::Value as Json;

use super::lease_rows::secrets;
use super::sql::Sql;
use super::{Blobs, Database, Statement, Stores};
use crate::app::deliveries::{Deliveries, REPEAT_MS, Stretch};
use crate::app::ports::Unavailable;
use crate::domain::delivery::standard_webhooks::Secrets;
use crate::domain::namespace::Namespace;
use crate::domain::time::{DAY_MS, Timestamp};

/// A pixel waits a day for its visitor, as it did at first.
const AGAIN: &str = "state = 'waiting', ended_at = NULL, lease = NULL, \
     replayed_after = CASE state WHEN 'waiting' THEN replayed_after ELSE attempts END";

/// What was erased is not sent again; a delivery that is there still has its time at least.
const IS_THERE: &str = "\"values\" <> '{}'";

const ERASED: &str = "SELECT 1 AS erased FROM deliveries WHERE namespace = ?1 AND delivery_id = ?2 AND \"values\" = '{}'";

const CANCEL: &str = "UPDATE deliveries SET state = 'cancelled', due_at = NULL, lease = NULL, ended_at = ?3, personal = NULL \
     WHERE (namespace, delivery_id) IN (SELECT d.namespace, d.delivery_id FROM deliveries AS d INDEXED BY deliveries_due \
     WHERE d.namespace = ?1 AND d.connector_id = ?2 AND d.due_at IS NOT NULL LIMIT ?4) RETURNING 1 AS cancelled";

const SECRETS: &str = "SELECT secret, secret_key, former_secret_key, rotated_at FROM connectors \
     WHERE namespace = ?1 AND id = ?2";

const ROTATE: &str = "UPDATE connectors SET former_secret_key = secret_key, secret_key = ?3, secret = secret + 1, rotated_at = ?4 \
     WHERE namespace = ?1 AND id = ?2 AND COALESCE(rotated_at, 0) < ?5";

fn replay(namespace: &Namespace, delivery_id: &str, now: Timestamp) -> Statement {
    let mut sql = Sql::default();
    let (space, id, now, day) =
        (sql.bind(namespace.as_str()), sql.bind(delivery_id), sql.bind(now.ms()), sql.bind(DAY_MS));
    let text = format!(
        "UPDATE deliveries SET {AGAIN}, due_at = {now} + CASE kind WHEN 'pixel' THEN {day} ELSE 0 END \
         WHERE namespace = {space} AND delivery_id = {id} AND (state <> 'waiting' OR lease IS NULL) AND {IS_THERE}"
    );
    sql.statement(text)
}

/// The stretch, `limit` deliveries at most: the first statement replays what fits, the second
/// tells where it ends.
fn replay_some(
    namespace: &Namespace,
    stretch: Stretch<'_>,
    limit: usize,
    now: Timestamp,
) -> Vec<Statement> {
    let Stretch { filter, after, before } = stretch;
    let rows = |sql: &mut Sql| {
        format!(
            "SELECT d.namespace, d.delivery_id FROM deliveries AS d WHERE d.namespace = {} AND d.delivery_id > {} \
             AND d.delivery_id < {} ORDER BY d.delivery_id LIMIT {}",
            sql.bind(namespace.as_str()),
            sql.bind(after),
            sql.bind(before),
            sql.bind(limit as u64)
        )
    };
    let mut sql = Sql::default();
    let within = rows(&mut sql);
    let (now, day) = (sql.bind(now.ms()), sql.bind(DAY_MS));
    let mut conditions = vec![
        format!("(namespace, delivery_id) IN ({within})"),
        IS_THERE.to_owned(),
        format!("state = {}", sql.bind(filter.state.as_str())),
        format!("kind = {}", sql.bind(filter.kind.as_str())),
    ];
    if let Some(id) = filter.connector_id {
        conditions.push(format!("connector_id = {}", sql.bind(id)));
    }
    if let Some(id) = &filter.conversion_id {
        conditions.push(format!("conversion_id = {}", sql.bind(id.as_str())));
    }
    let text = format!(
        "UPDATE deliveries SET {AGAIN}, due_at = {now} + CASE kind WHEN 'pixel' THEN {day} ELSE 0 END \
         WHERE {} RETURNING 1 AS replayed",
        conditions.join(" AND ")
    );
    let update = sql.statement(text);
    let mut sql = Sql::default();
    let within = rows(&mut sql);
    let last = format!("SELECT MAX(delivery_id) AS last, COUNT(*) AS looked FROM ({within})");
    vec![update, sql.statement(last)]
}

impl<D: Database, B: Blobs> Deliveries for Stores<D, B> {
    async fn replay(
        &self,
        namespace: &Namespace,
        delivery_id: &str,
        now: Timestamp,
    ) -> Result<bool, Unavailable> {
        let key = vec![namespace.as_str().into(), delivery_id.into()];
        let statements = vec![replay(namespace, delivery_id, now), Statement::new(ERASED, key)];
        let results = self.run(statements).await?;
        Ok(results.last().is_none_or(Vec::is_empty))
    }

    async fn replay_some(
        &self,
        namespace: &Namespace,
        stretch: Stretch<'_>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(u64, Option<String>), Unavailable> {
        let results = self.run(replay_some(namespace, stretch, limit, now)).await?;
        let replayed = results.first().map_or(0, |rows| rows.len() as u64);
        let end = results.last().and_then(|rows| rows.first());
        let looked = end.and_then(|row| row.get("looked")).and_then(Json::as_u64).unwrap_or(0);
        let last = end.and_then(|row| row.get("last")?.as_str().map(str::to_owned));
        Ok((replayed, last.filter(|_| looked >= limit as u64)))
    }

    async fn cancel(
        &self,
        namespace: &Namespace,
        connector_id: u32,
        limit: usize,
        now: Timestamp,
    ) -> Result<Option<u64>, Unavailable> {
        let key = || vec![namespace.as_str().into(), connector_id.into()];
        let mut parameters = key();
        parameters.extend([now.ms().into(), (limit as u64).into()]);
        let statements = vec![Statement::new(SECRETS, key()), Statement::new(CANCEL, parameters)];
        let results = self.run(statements).await?;
        let is_known = results.first().is_some_and(|rows| !rows.is_empty());
        Ok(results.last().filter(|_| is_known).map(|rows| rows.len() as u64))
    }

    async fn rotate(
        &self,
        namespace: &Namespace,
        connector_id: u32,
        key_number: u8,
        now: Timestamp,
    ) -> Result<Option<Secrets>, Unavailable> {
        let key = || vec![namespace.as_str().into(), connector_id.into()];
        let mut parameters = key();
        let earliest = now.ms().saturating_sub(REPEAT_MS);
        parameters.extend([u32::from(key_number).into(), now.ms().into(), earliest.into()]);
        let statements = vec![Statement::new(ROTATE, parameters), Statement::new(SECRETS, key())];
        let results = self.run(statements).await?;
        Ok(results.last().and_then(|rows| secrets(rows.first()?)))
    }
}

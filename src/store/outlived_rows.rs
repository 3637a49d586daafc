//! Ending and removing deliveries whose time is over, as SQL.

use serde_json::{Value as Json, json};

use super::{Blobs, Database, Row, Statement, Stores, Value};
use crate::app::outlived::{Outlived, PixelOwner};
use crate::app::ports::Unavailable;
use crate::domain::connector::Mode;
use crate::domain::delivery::State;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// What is due of a connector and of a kind, the longest first.
macro_rules! due {
    ($connector:literal, $kind:literal) => {
        concat!(
            "(SELECT x.delivery_id FROM deliveries AS x INDEXED BY deliveries_due WHERE x.namespace = ",
            $connector,
            ".value ->> 0 AND x.connector_id = ",
            $connector,
            ".value ->> 1 AND x.kind = '",
            $kind,
            "' AND x.due_at <= ?2 ORDER BY x.due_at LIMIT ?3)"
        )
    };
}

const OWNERS: &str = concat!(
    "SELECT c.namespace, c.id, c.mode, c.pixel, c.approval FROM json_each(?1) AS k CROSS JOIN connectors AS c \
     ON c.namespace = k.value ->> 0 AND c.id = k.value ->> 1 WHERE EXISTS (SELECT 1 FROM ",
    due!("k", "pixel"),
    ")"
);

/// One that was forced in test mode was to be fired.
const END_PIXELS: &str = concat!(
    "UPDATE deliveries SET state = CASE WHEN is_forced AND k.value ->> 2 = 'logged' THEN 'no_browser' ELSE k.value ->> 2 END, \
     due_at = NULL, lease = NULL, ended_at = ?2, personal = NULL FROM json_each(?1) AS k \
     WHERE deliveries.namespace = k.value ->> 0 AND deliveries.delivery_id IN ",
    due!("k", "pixel")
);

/// Whether it is due or not.
const CANCEL: &str = "UPDATE deliveries SET state = 'cancelled', due_at = NULL, lease = NULL, ended_at = ?2, personal = NULL \
     FROM json_each(?1) AS k WHERE deliveries.namespace = k.value ->> 0 AND deliveries.delivery_id IN (SELECT x.delivery_id \
     FROM deliveries AS x INDEXED BY deliveries_due WHERE x.namespace = k.value ->> 0 AND x.connector_id = k.value ->> 1 \
     AND x.due_at IS NOT NULL LIMIT ?3)";

/// Among what has personal values alone, in all namespaces.
const FORGET: &str = "UPDATE deliveries SET personal = NULL WHERE (namespace, delivery_id) IN (SELECT d.namespace, d.delivery_id \
     FROM deliveries AS d INDEXED BY deliveries_personal WHERE d.personal IS NOT NULL \
     AND d.created_at < ?1 LIMIT ?2)";

const REMOVE: &str = "DELETE FROM deliveries WHERE (namespace, delivery_id) IN (SELECT d.namespace, d.delivery_id \
     FROM deliveries AS d WHERE d.namespace IN (SELECT name FROM namespaces) AND d.delivery_id < ?1 AND d.ended_at < ?2 LIMIT ?3)";

const REMOVE_ATTEMPTS: &str = "DELETE FROM attempts WHERE (namespace, delivery_id, attempt) IN \
     (SELECT a.namespace, a.delivery_id, a.attempt FROM attempts AS a WHERE a.namespace IN (SELECT name FROM namespaces) \
     AND a.delivery_id < ?1 AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.namespace = a.namespace \
     AND d.delivery_id = a.delivery_id) LIMIT ?2)";

/// What stands before the names of all deliveries whose occasion was at a time or later.
fn first_of(time: Timestamp) -> Value {
    format!("msg_{:012x}", time.ms()).into()
}

fn owner(row: &Row) -> Option<PixelOwner> {
    let text = |column: &str| row.get(column)?.as_str().map(str::to_owned);
    Some(PixelOwner {
        namespace: Namespace::parse(row.get("namespace")?.as_str()?)?,
        connector_id: row.get("id")?.as_u64()?.try_into().ok()?,
        mode: Mode::from_word(row.get("mode")?.as_str()?)?,
        pixel: text("pixel"),
        approval: text("approval"),
    })
}

fn names(connectors: &[(Namespace, u32)]) -> Value {
    let name = |(namespace, id): &(Namespace, u32)| json!([namespace.as_str(), id]);
    Json::Array(connectors.iter().map(name).collect()).to_string().into()
}

impl<D: Database, B: Blobs> Outlived for Stores<D, B> {
    async fn owners_of_overdue_pixels(
        &self,
        connectors: &[(Namespace, u32)],
        now: Timestamp,
        most_each: usize,
    ) -> Result<Vec<PixelOwner>, Unavailable> {
        if connectors.is_empty() {
            return Ok(vec![]);
        }
        let parameters = vec![names(connectors), now.ms().into(), (most_each as u64).into()];
        let rows = self.run(vec![Statement::new(OWNERS, parameters)]).await?;
        Ok(rows.iter().flatten().filter_map(owner).collect())
    }

    async fn end_pixels(
        &self,
        ended: &[(Namespace, u32, State)],
        now: Timestamp,
        most_each: usize,
    ) -> Result<(), Unavailable> {
        if ended.is_empty() {
            return Ok(());
        }
        let list = ended
            .iter()
            .map(|(namespace, id, state)| json!([namespace.as_str(), id, state.as_str()]));
        let list = Json::Array(list.collect()).to_string();
        let parameters = vec![list.into(), now.ms().into(), (most_each as u64).into()];
        self.run(vec![Statement::new(END_PIXELS, parameters)]).await.map(|_| ())
    }

    async fn cancel_orphans(
        &self,
        connectors: &[(Namespace, u32)],
        now: Timestamp,
        most_each: usize,
    ) -> Result<(), Unavailable> {
        if connectors.is_empty() {
            return Ok(());
        }
        let parameters = vec![names(connectors), now.ms().into(), (most_each as u64).into()];
        self.run(vec![Statement::new(CANCEL, parameters)]).await.map(|_| ())
    }

    async fn forget_personal(&self, before: Timestamp, limit: usize) -> Result<(), Unavailable> {
        let parameters = vec![before.ms().into(), (limit as u64).into()];
        self.run(vec![Statement::new(FORGET, parameters)]).await.map(|_| ())
    }

    async fn remove_ended(&self, before: Timestamp, limit: usize) -> Result<(), Unavailable> {
        let limit = || Value::from(limit as u64);
        let deliveries = vec![first_of(before), before.ms().into(), limit()];
        let statements = vec![
            Statement::new(REMOVE, deliveries),
            Statement::new(REMOVE_ATTEMPTS, vec![first_of(before), limit()]),
        ];
        self.run(statements).await.map(|_| ())
    }
}

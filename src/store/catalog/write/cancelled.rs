//! What a connector leaves behind when it is removed.

use serde_json::Value as Json;

use crate::app::catalog::Place;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use crate::store::executor::Statement;
use crate::store::sql::Sql;

/// So many deliveries are cancelled with their connector; the cron job comes to the others, which
/// nobody sends: numbers of connectors are not given again.
const CANCELLED_TOGETHER: u64 = 5_000;

/// Cancels what a connector that is being removed had still to send; nothing for other resources.
/// A sender who has leased one of these finds its lease gone.
pub(in crate::store::catalog) fn cancelled(
    place: Place<'_>,
    key: &Json,
    now: Timestamp,
) -> Option<Statement> {
    if place.resource.name != "connectors" {
        return None;
    }
    let mut sql = Sql::default();
    let namespace = sql.bind(place.namespace.map_or("", Namespace::as_str));
    let text = format!(
        "UPDATE deliveries SET state = 'cancelled', due_at = NULL, lease = NULL, personal = NULL, ended_at = {} \
         WHERE (namespace, delivery_id) IN (SELECT d.namespace, d.delivery_id FROM deliveries AS d \
         INDEXED BY deliveries_due WHERE d.namespace = {namespace} AND d.connector_id = {} \
         AND d.due_at IS NOT NULL LIMIT {CANCELLED_TOGETHER})",
        sql.bind(now.ms()),
        sql.bind_json(key)
    );
    Some(sql.statement(text))
}

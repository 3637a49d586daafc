//! What a connector leaves behind when it is removed.

use serde_json::Value as Json;

use crate::app::catalog::Place;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use crate::store::executor::Statement;
use crate::store::sql::Sql;

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
        "UPDATE deliveries INDEXED BY deliveries_due SET state = 'cancelled', due_at = NULL, lease = NULL, \
         personal = NULL, ended_at = {} \
         WHERE namespace = {namespace} AND connector_id = {} AND due_at IS NOT NULL",
        sql.bind(now.ms()),
        sql.bind_json(key)
    );
    Some(sql.statement(text))
}

//! Which of many new objects have what another one has already.

use super::{MAX_DANGLING, drafts_json, scope_of};
use crate::app::catalog::Draft;
use crate::app::catalog::resource::Resource;
use crate::app::catalog::resources::{COUPONS, CUSTOMERS};
use crate::store::executor::Statement;
use crate::store::sql::Sql;

/// In which columns two objects of a list cannot agree, as a unique index has them, and of which
/// ones that holds.
fn unique(resource: &Resource) -> Option<(&'static [&'static str], &'static str)> {
    if resource.name == COUPONS.name {
        return Some((&["campaign_id", "code"], "o.state = 'active'"));
    }
    (resource.name == CUSTOMERS.name).then_some((&["customer_id", "campaign_id"], "true"))
}

/// The places of new objects that agree with one that is there; some of them.
pub(in crate::store::catalog) fn taken(draft: &Draft<'_>) -> Option<Statement> {
    let resource = draft.place.resource;
    let (columns, condition) = unique(resource)?;
    let mut sql = Sql::default();
    let namespace = sql.bind(scope_of(draft.place));
    let agree: Vec<String> =
        columns.iter().map(|column| format!("AND o.{column} = new.value ->> '{column}'")).collect();
    let (new, limit) = (sql.bind(drafts_json(draft)), sql.bind(MAX_DANGLING));
    let text = format!(
        "SELECT new.key AS place FROM json_each({new}) AS new WHERE EXISTS (SELECT 1 FROM {} AS o \
         WHERE o.namespace = {namespace} {} AND {condition}) LIMIT {limit}",
        resource.table(),
        agree.join(" ")
    );
    Some(sql.statement(text))
}

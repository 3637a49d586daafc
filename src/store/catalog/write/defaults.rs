//! Of several the default one: moved from one object to another, and looked up.

use serde_json::Value as Json;

use super::{drafts_json, is_ours, scope_of};
use crate::app::catalog::resource::Record;
use crate::app::catalog::{Draft, Place};
use crate::store::catalog::read;
use crate::store::executor::Statement;
use crate::store::sql::Sql;

/// The expression for an affiliate's default link of a campaign: 0 without an affiliate, null
/// without such a link.
pub(super) fn link(namespace: &str, campaign: &str, affiliate: &str) -> String {
    format!(
        "CASE WHEN {affiliate} IS NULL THEN 0 ELSE (SELECT l.id FROM links AS l INDEXED BY links_default \
         WHERE l.namespace = {namespace} AND l.campaign_id = {campaign} \
         AND l.affiliate_id = {affiliate} AND l.is_default = 1) END"
    )
}

/// Takes the flag from those who have it, where new objects claim it.
pub(super) fn yield_default_to_new(draft: &Draft<'_>) -> Option<Statement> {
    let resource = draft.place.resource;
    let (flag, owner) = resource.default_flag()?;
    let claims = |record: &Record| record.get(flag.name).and_then(Json::as_i64) == Some(1);
    if !draft.records.iter().any(claims) {
        return None;
    }
    let mut sql = Sql::default();
    let namespace = sql.bind(scope_of(draft.place));
    let new = sql.bind(drafts_json(draft));
    let sent: Vec<String> =
        owner.iter().map(|column| format!("new.value ->> '{column}'")).collect();
    let text = format!(
        "UPDATE {} SET is_default = 0 WHERE namespace = {namespace} AND is_default = 1 AND ({}) IN \
         (SELECT {} FROM json_each({new}) AS new WHERE new.value ->> 'is_default' = 1) AND {}",
        resource.table(),
        owner.join(", "),
        sent.join(", "),
        is_ours(&mut sql, draft)
    );
    Some(sql.statement(text))
}

/// Takes the flag from whoever has it, where a changed object claims it.
pub(super) fn yield_default_to(
    place: Place<'_>,
    key: &Json,
    changes: &Record,
) -> Option<Statement> {
    let (flag, owner) = place.resource.default_flag()?;
    changes.get(flag.name).filter(|value| value.as_i64() == Some(1))?;
    let mut sql = Sql::default();
    let confined = read::confined(&mut sql, place);
    let (table, owner, key) = (place.resource.table(), owner.join(", "), sql.bind_json(key));
    Some(sql.statement(format!(
        "UPDATE {table} SET is_default = 0 WHERE {confined} AND is_default = 1 AND id <> {key} \
         AND ({owner}) = (SELECT {owner} FROM {table} WHERE {confined} AND id = {key})"
    )))
}

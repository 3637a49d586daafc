//! Writing objects of the catalogue. What must be true for a write is part of its statement: an
//! expression that finds nothing is null, and `NOT NULL` then refuses the whole batch.

mod cancelled;
mod defaults;
mod taken;

use serde_json::Value as Json;

use super::read;
use crate::app::catalog::resource::{Bound, Field, Kind, Record, Resource, Writable};
use crate::app::catalog::{Draft, Idempotency, Place};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use crate::store::executor::Statement;
use crate::store::sql::Sql;
pub(super) use cancelled::cancelled;
use defaults::{yield_default_to, yield_default_to_new};
pub(super) use taken::taken;

/// Creates objects and reads them back. The statements, in this order; 1, 4 and 5 only with a
/// name for the request:
/// 1. take the name, if it is free;
/// 2. move the default-flag away from others, where a new object claims it;
/// 3. insert, counting ids on from the highest;
/// 4. note under the name what was created;
/// 5. read the name;
/// 6. read the objects.
///
/// 2 to 4 do nothing unless 1 took the name.
pub(super) fn create(draft: &Draft<'_>) -> Vec<Statement> {
    let mut statements = Vec::new();
    if let Some(name) = draft.idempotency {
        statements.push(take_name(draft, name));
    }
    statements.extend(yield_default_to_new(draft));
    statements.push(insert(draft));
    if let Some(name) = draft.idempotency {
        statements.push(note_created(draft, name));
        statements.push(read_name(draft, name));
    }
    statements.push(read_created(draft));
    statements
}

/// The namespace of a request's name; empty for the root key's own.
fn scope_of<'a>(place: Place<'a>) -> &'a str {
    place.namespace.map_or("", Namespace::as_str)
}

fn take_name(draft: &Draft<'_>, name: &Idempotency) -> Statement {
    Statement::new(
        "INSERT INTO idempotency_keys (namespace, key, fingerprint, request_id, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (namespace, key) DO NOTHING",
        vec![
            scope_of(draft.place).into(),
            name.key.as_str().into(),
            name.fingerprint.as_str().into(),
            draft.attempt.into(),
            draft.created_at.ms().into(),
        ],
    )
}

/// That this attempt took the name, if there is one.
fn is_ours(sql: &mut Sql, draft: &Draft<'_>) -> String {
    let Some(name) = draft.idempotency else { return "1".to_owned() };
    format!(
        "(SELECT request_id FROM idempotency_keys WHERE namespace = {} AND key = {}) = {}",
        sql.bind(scope_of(draft.place)),
        sql.bind(name.key.as_str()),
        sql.bind(draft.attempt)
    )
}

fn drafts_json(draft: &Draft<'_>) -> String {
    let records = draft.records.iter().cloned().map(Json::Object).collect();
    Json::Array(records).to_string()
}

fn insert(draft: &Draft<'_>) -> Statement {
    let resource = draft.place.resource;
    let table = resource.table();
    let mut sql = Sql::default();
    let mut columns = vec!["created_at".to_owned()];
    let mut values = vec![sql.bind(draft.created_at.ms())];
    let mut namespace = String::new();
    // Only a namespace has none besides its own name.
    if resource.scope != resource.key {
        namespace = sql.bind(scope_of(draft.place));
        columns.push(resource.scope.to_owned());
        values.push(namespace.clone());
    }
    if resource.is_numbered() {
        columns.push(resource.key.to_owned());
        let highest =
            format!("(SELECT COALESCE(MAX(id), 0) FROM {table} WHERE namespace = {namespace})");
        values.push(match resource.name {
            // A removed one's number is not given again.
            "connectors" => format!(
                "MAX({highest}, COALESCE((SELECT id FROM removed_connectors WHERE namespace = {namespace}), 0)) \
                 + 1 + new.key"
            ),
            _ => format!("{highest} + 1 + new.key"),
        });
    }
    let is_taken_over = |kind| matches!(kind, Kind::CampaignCurrency | Kind::DefaultLink);
    let is_written =
        |field: &&Field| field.writable != Writable::Never || is_taken_over(field.kind);
    for field in resource.fields.iter().filter(is_written) {
        columns.push(field.column().to_owned());
        values.push(new_value(resource, field, &namespace));
    }
    let new = sql.bind(drafts_json(draft));
    let text = format!(
        "INSERT INTO {table} ({}) SELECT {} FROM json_each({new}) AS new WHERE {}",
        columns.join(", "),
        values.join(", "),
        is_ours(&mut sql, draft),
    );
    sql.statement(text)
}

/// The most objects of a list that are named as referring to nothing.
const MAX_DANGLING: u32 = 20;

/// Which new objects refer to nothing by a column.
pub(super) fn dangling(draft: &Draft<'_>, column: &str) -> Option<Statement> {
    let field = draft.place.resource.fields.iter().find(|field| field.name == column)?;
    let (Kind::Reference(_) | Kind::Limit(_) | Kind::DefaultLink) = field.kind else { return None };
    let mut sql = Sql::default();
    let namespace = sql.bind(scope_of(draft.place));
    let found = new_value(draft.place.resource, field, &namespace);
    let (new, limit) = (sql.bind(drafts_json(draft)), sql.bind(MAX_DANGLING));
    Some(sql.statement(format!(
        "SELECT new.key AS place FROM json_each({new}) AS new WHERE {found} IS NULL LIMIT {limit}"
    )))
}

/// The expression for a column of a new row, with what has to be true for it.
fn new_value(resource: &Resource, field: &Field, namespace: &str) -> String {
    let sent = |name: &str| format!("(new.value ->> '{name}')");
    let value = sent(field.column());
    let exists = |table: &str| {
        format!(
            "(SELECT r.id FROM {table} AS r WHERE r.namespace = {namespace} AND r.id = {value})"
        )
    };
    match field.kind {
        Kind::Reference(target) => exists(target),
        Kind::Limit(target) => {
            format!("CASE WHEN {value} IS NULL THEN 0 ELSE {} END", exists(target))
        }
        Kind::DefaultLink => defaults::link(namespace, &sent("campaign_id"), &sent("affiliate_id")),
        Kind::CampaignCurrency => format!(
            "(SELECT r.currency FROM campaigns AS r WHERE r.namespace = {namespace} AND r.id = {})",
            sent("campaign_id")
        ),
        Kind::TokenOwner => format!(
            "CASE {} WHEN 'advertiser' THEN {} WHEN 'campaign' THEN {} WHEN 'event' THEN {} ELSE 0 END",
            sent("level"),
            exists("advertisers"),
            exists("campaigns"),
            exists("events")
        ),
        // The first of its owner is the default unless it was said otherwise.
        Kind::Default(owner) => {
            let table = resource.table();
            let same: Vec<String> =
                owner.iter().map(|column| format!("o.{column} = {}", sent(column))).collect();
            // A link for tests stands for no affiliate.
            let may_be = if table == "links" { "new.value ->> 'kind' <> 'test' AND " } else { "" };
            format!(
                "COALESCE({value}, {may_be}NOT EXISTS (SELECT 1 FROM {table} AS o WHERE \
                 o.namespace = {namespace} AND {} AND o.is_default = 1))",
                same.join(" AND ")
            )
        }
        // At most two live tokens per owner, so that one can be replaced by the other.
        Kind::Secret(_) if resource.name == "tokens" => format!(
            "CASE WHEN (SELECT COUNT(*) FROM tokens AS o WHERE o.namespace = {namespace} \
             AND o.level = {} AND o.level_id = COALESCE({}, 0) AND o.revoked_at IS NULL) < 2 \
             THEN {value} END",
            sent("level"),
            sent("level_id")
        ),
        // Likewise of a campaign's signing secrets.
        Kind::SigningSecret => format!(
            "CASE WHEN (SELECT COUNT(*) FROM {} AS o INDEXED BY signing_secrets_owner \
             WHERE o.namespace = {namespace} AND o.campaign_id = {} AND o.revoked_at IS NULL) < 2 \
             THEN {value} END",
            resource.table(),
            sent("campaign_id")
        ),
        _ => match resource.bound.filter(|bound| bound.column == field.column()) {
            Some(bound) => {
                let owner = bound.owner.map(|owner| format!("o.{owner} = {}", sent(owner)));
                within(resource, &bound, namespace, owner, &value)
            }
            None => value,
        },
    }
}

/// A value of the column of a bound, null where the owner has as many others as it may have.
fn within(
    resource: &Resource,
    bound: &Bound,
    namespace: &str,
    owner: Option<String>,
    value: &str,
) -> String {
    let mut others = format!("o.namespace = {namespace}");
    if let Some(owner) = owner {
        others.push_str(&format!(" AND {owner}"));
    }
    let mut is_free = String::new();
    if bound.is_of_active {
        others.push_str(" AND o.state = 'active'");
        is_free = format!("{value} <> 'active' OR ");
    }
    format!(
        "CASE WHEN {is_free}(SELECT COUNT(*) FROM {} AS o WHERE {others}) < {} THEN {value} END",
        resource.table(),
        bound.most
    )
}

fn note_created(draft: &Draft<'_>, name: &Idempotency) -> Statement {
    let resource = draft.place.resource;
    let mut sql = Sql::default();
    let namespace = sql.bind(scope_of(draft.place));
    let object = match draft.records.first().and_then(|record| record.get(resource.key)) {
        Some(key) => sql.bind_json(key),
        None => {
            let before_last = sql.bind(draft.records.len().saturating_sub(1) as u64);
            let table = resource.table();
            format!(
                "(SELECT CAST(MAX(id) - {before_last} AS INTEGER) FROM {table} \
                 WHERE namespace = {namespace})"
            )
        }
    };
    let text = format!(
        "UPDATE idempotency_keys SET object_id = {object} \
         WHERE namespace = {namespace} AND key = {} AND request_id = {}",
        sql.bind(name.key.as_str()),
        sql.bind(draft.attempt)
    );
    sql.statement(text)
}

fn read_name(draft: &Draft<'_>, name: &Idempotency) -> Statement {
    Statement::new(
        "SELECT fingerprint, request_id FROM idempotency_keys WHERE namespace = ?1 AND key = ?2",
        vec![scope_of(draft.place).into(), name.key.as_str().into()],
    )
}

/// The objects that were just created, or those that the request's name stands for.
fn read_created(draft: &Draft<'_>) -> Statement {
    let Place { resource, .. } = draft.place;
    let mut sql = Sql::default();
    let confined = read::confined(&mut sql, draft.place);
    let (key, table) = (resource.key, resource.table());
    let first = match draft.idempotency {
        Some(name) => format!(
            "(SELECT object_id FROM idempotency_keys WHERE namespace = {} AND key = {} \
             AND fingerprint = {})",
            sql.bind(scope_of(draft.place)),
            sql.bind(name.key.as_str()),
            sql.bind(name.fingerprint.as_str())
        ),
        None => match draft.records.first().and_then(|record| record.get(key)) {
            Some(key) => sql.bind_json(key),
            None => format!(
                "(SELECT MAX(id) + 1 - {} FROM {table} WHERE {confined})",
                sql.bind(draft.records.len() as u64)
            ),
        },
    };
    let which = if resource.is_numbered() {
        let count = sql.bind(draft.records.len() as u64);
        let first = format!("CAST({first} AS INTEGER)");
        format!("{key} >= {first} AND {key} < {first} + {count} ORDER BY {key}")
    } else {
        format!("{key} = {first}")
    };
    let columns = read::columns(resource);
    sql.statement(format!("SELECT {columns} FROM {table} WHERE {confined} AND {which}"))
}

/// Sets columns of one object and reads it back.
pub(super) fn change(place: Place<'_>, key: &Json, changes: &Record) -> Vec<Statement> {
    let mut statements = Vec::new();
    if !changes.is_empty() {
        statements.extend(yield_default_to(place, key, changes));
        let mut sql = Sql::default();
        // A name that no field has is never put into the text.
        let known = place.resource.fields.iter().filter_map(|f| Some((f, changes.get(f.name)?)));
        let mut set: Vec<String> = known
            .map(|(f, value)| {
                let value = changed_value(&mut sql, place, key, f, value);
                format!("{} = {value}", f.column())
            })
            .collect();
        set.extend(link_of_changed_affiliate(&mut sql, place, changes));
        let text = format!(
            "UPDATE {} SET {} WHERE {} AND {} = {}",
            place.resource.table(),
            set.join(", "),
            read::confined(&mut sql, place),
            place.resource.key,
            sql.bind_json(key)
        );
        statements.push(sql.statement(text));
    }
    statements.push(read::one(place, key));
    statements
}

/// The expression for a column that changes. What becomes active again counts against the bound.
fn changed_value(
    sql: &mut Sql,
    place: Place<'_>,
    key: &Json,
    field: &Field,
    value: &Json,
) -> String {
    let value = sql.bind_json(value);
    let resource = place.resource;
    if let Kind::Limit(target) = field.kind {
        let namespace = sql.bind(scope_of(place));
        return format!(
            "CASE WHEN {value} IS NULL THEN 0 ELSE (SELECT r.id FROM {target} AS r \
             WHERE r.namespace = {namespace} AND r.id = {value}) END"
        );
    }
    let bound = resource.bound.filter(|bound| bound.is_of_active && bound.column == field.column());
    let Some((bound, owner)) = bound.and_then(|bound| Some((bound, bound.owner?))) else {
        return value;
    };
    let (namespace, key) = (sql.bind(scope_of(place)), sql.bind_json(key));
    let table = resource.table();
    let of_this = format!(
        "o.{owner} = (SELECT p.{owner} FROM {table} AS p WHERE p.namespace = {namespace} AND p.id = {key}) \
         AND o.id <> {key}"
    );
    within(resource, &bound, &namespace, Some(of_this), &value)
}

/// The default link that follows an affiliate who changes.
fn link_of_changed_affiliate(sql: &mut Sql, place: Place<'_>, changes: &Record) -> Option<String> {
    let field = place.resource.fields.iter().find(|field| field.kind == Kind::DefaultLink)?;
    let affiliate = changes.get("affiliate_id")?;
    let (namespace, affiliate) = (sql.bind(scope_of(place)), sql.bind_json(affiliate));
    let campaign = format!("{}.campaign_id", place.resource.table());
    Some(format!("{} = {}", field.column(), defaults::link(&namespace, &campaign, &affiliate)))
}

/// Deletes one object.
pub(super) fn delete(place: Place<'_>, key: &Json) -> Statement {
    let mut sql = Sql::default();
    let text = format!(
        "DELETE FROM {} WHERE {} AND {} = {}",
        place.resource.table(),
        read::confined(&mut sql, place),
        place.resource.key,
        sql.bind_json(key)
    );
    sql.statement(text)
}

/// Says since when one object is not valid; a second time changes nothing.
pub(super) fn revoke(place: Place<'_>, key: &Json, now: Timestamp) -> Statement {
    let mut sql = Sql::default();
    let text = format!(
        "UPDATE {} SET revoked_at = {} WHERE {} AND {} = {} AND revoked_at IS NULL",
        place.resource.table(),
        sql.bind(now.ms()),
        read::confined(&mut sql, place),
        place.resource.key,
        sql.bind_json(key)
    );
    sql.statement(text)
}

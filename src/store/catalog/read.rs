//! Reading objects of the catalogue.

use serde_json::Value as Json;

use crate::app::catalog::resource::{Kind, Resource};
use crate::app::catalog::{Place, Selection};
use crate::domain::namespace::Namespace;
use crate::store::executor::Statement;
use crate::store::sql::Sql;

/// The columns of a resource's fields.
pub(super) fn columns(resource: &Resource) -> String {
    let stored = resource.fields.iter().filter(|field| field.kind != Kind::Used);
    stored.map(|field| field.column()).collect::<Vec<_>>().join(", ")
}

/// The condition that confines rows to the namespace.
pub(super) fn confined(sql: &mut Sql, place: Place<'_>) -> String {
    match place.namespace.map(Namespace::as_str) {
        Some(namespace) => format!("{} = {}", place.resource.scope, sql.bind(namespace)),
        None => "1".to_owned(),
    }
}

/// One object by its key.
pub(super) fn one(place: Place<'_>, key: &Json) -> Statement {
    let mut sql = Sql::default();
    let confined = confined(&mut sql, place);
    let text = format!(
        "SELECT {} FROM {} WHERE {confined} AND {} = {}",
        columns(place.resource),
        place.resource.table(),
        place.resource.key,
        sql.bind_json(key)
    );
    sql.statement(text)
}

/// A page of a list.
pub(super) fn list(place: Place<'_>, selection: &Selection) -> Statement {
    let mut sql = Sql::default();
    let key = place.resource.key;
    let mut conditions = vec![confined(&mut sql, place)];
    for (field, value) in &selection.filters {
        conditions.push(format!("{field} = {}", sql.bind_json(value)));
    }
    if let Some(after) = &selection.after {
        conditions.push(format!("{key} > {}", sql.bind_json(after)));
    }
    let text = format!(
        "SELECT {} FROM {} WHERE {} ORDER BY {key} LIMIT {}",
        columns(place.resource),
        place.resource.table(),
        conditions.join(" AND "),
        sql.bind(selection.limit)
    );
    sql.statement(text)
}

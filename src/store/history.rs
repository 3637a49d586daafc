//! Clicks, conversions, the inbox and deliveries as SQL. Each list runs along a key of its table, backwards.

use serde_json::Value as Json;

use super::sql::Sql;
use super::{Blobs, Database, Statement, Stores};
use crate::app::catalog::resource::{Record, Resource};
use crate::app::history::{History, Period};
use crate::app::ports::Unavailable;
use crate::domain::click_id;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// How a list is read.
struct Source {
    /// The tables; the listed one is `t`.
    from: &'static str,
    /// The columns that order it, each of `t`.
    order: &'static [&'static str],
    /// The column that `from` and `to` bound.
    time: &'static str,
    /// Fields that are not simply a column of `t`.
    expressions: &'static [(&'static str, &'static str)],
}

const CLICKS: Source = Source {
    from: "clicks AS t",
    order: &["time", "page", "ordinal"],
    time: "time",
    expressions: &[
        ("clicked_at", "t.time"),
        ("uncounted_reason", "t.uncounted"),
        (
            "counted",
            "t.uncounted IS NULL OR t.uncounted <> 'test' AND EXISTS (SELECT 1 FROM conversions AS v \
             WHERE v.namespace = t.namespace AND v.click_id = t.click_id)",
        ),
        ("is_test", "COALESCE(t.uncounted, '') = 'test'"),
        ("parameters", "COALESCE(t.parameters, '{}')"),
        ("warnings", "COALESCE(t.warnings, '[]')"),
    ],
};

/// A conversion knows its click's time, with which the key of `clicks` begins.
const CONVERSIONS: Source = Source {
    from: "conversions AS t LEFT JOIN clicks AS c \
           ON c.namespace = t.namespace AND c.time = t.clicked_at AND c.click_id = t.click_id",
    order: &["received_at", "conversion_id"],
    time: "received_at",
    expressions: &[
        (
            "event",
            "CASE WHEN t.event_id > 0 THEN json_object('id', t.event_id, 'name', t.event_name) END",
        ),
        (
            "click",
            "CASE WHEN c.click_id IS NOT NULL THEN json_object(\
             'landing_page_id', c.landing_page_id, 'source', c.source, \
             'external_click_id', c.external_click_id, 'device', c.device, 'os', c.os, \
             'browser', c.browser, 'parameters', json(COALESCE(c.parameters, '{}'))) END",
        ),
    ],
};

const INBOX: Source =
    Source { from: "inbox AS t", order: &["request_id"], time: "received_at", expressions: &[] };

const DELIVERIES: Source = Source {
    from: "deliveries AS t",
    order: &["delivery_id"],
    time: "created_at",
    expressions: &[
        // A name that is a word of SQL.
        ("values", "t.\"values\""),
        (
            "attempts",
            "(SELECT json_group_array(json_object('attempt', a.attempt, \
             'at', strftime('%Y-%m-%dT%H:%M:%fZ', a.at / 1000.0, 'unixepoch'), 'method', a.method, 'url', a.url, \
             'status', a.status, 'duration_ms', a.duration_ms, 'error', a.error, 'answer', a.answer) ORDER BY a.attempt) \
             FROM attempts AS a WHERE a.namespace = t.namespace AND a.delivery_id = t.delivery_id)",
        ),
    ],
};

fn source_of(resource: &Resource) -> &'static Source {
    match resource.name {
        "clicks" => &CLICKS,
        "conversions" => &CONVERSIONS,
        "deliveries" => &DELIVERIES,
        _ => &INBOX,
    }
}

/// The columns: those of the fields, the currency of amounts, and the position.
fn columns(resource: &Resource, source: &Source) -> String {
    let mut columns: Vec<String> = resource
        .fields
        .iter()
        .map(|field| {
            let name = field.name;
            match source.expressions.iter().find(|(of, _)| *of == name) {
                Some((_, expression)) => format!("{expression} AS \"{name}\""),
                None => format!("t.{name}"),
            }
        })
        .collect();
    if resource.name == "conversions" {
        columns.push("t.currency".to_owned());
    }
    let is_shown = |name: &str| resource.field(name).is_some();
    columns.extend(source.order.iter().filter(|name| !is_shown(name)).map(|n| format!("t.{n}")));
    columns.join(", ")
}

fn list(resource: &Resource, namespace: &Namespace, period: &Period) -> Statement {
    let source = source_of(resource);
    let mut sql = Sql::default();
    let mut conditions = vec![format!("t.namespace = {}", sql.bind(namespace.as_str()))];
    for (field, value) in &period.filters {
        let column = match source.expressions.iter().find(|(of, _)| of == field) {
            Some((_, expression)) => format!("({expression})"),
            None => format!("t.{field}"),
        };
        conditions.push(format!("{column} = {}", sql.bind_json(value)));
    }
    if let Some(from) = period.from {
        conditions.push(format!("t.{} >= {}", source.time, sql.bind(from.ms())));
    }
    if let Some(to) = period.to {
        conditions.push(format!("t.{} < {}", source.time, sql.bind(to.ms())));
    }
    let order = source.order.iter().map(|name| format!("t.{name}"));
    if let Some(before) = &period.before {
        let position: Vec<String> = before.iter().map(|value| sql.bind_json(value)).collect();
        let names: Vec<String> = order.clone().collect();
        conditions.push(format!("({}) < ({})", names.join(", "), position.join(", ")));
    }
    // A click has few conversions: they are found by it and then sorted. The `+` keeps SQLite from
    // walking along time instead.
    let is_selective = period.filters.iter().any(|(field, _)| *field == "click_id");
    let plus = if is_selective { "+" } else { "" };
    let order: Vec<String> = order.map(|name| format!("{plus}{name} DESC")).collect();
    let text = format!(
        "SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT {}",
        columns(resource, source),
        source.from,
        conditions.join(" AND "),
        order.join(", "),
        sql.bind(period.limit)
    );
    sql.statement(text)
}

/// One entry. A click is found by the time in its id, with which its key begins.
fn one(resource: &Resource, namespace: &Namespace, key: &str) -> Option<Statement> {
    let source = source_of(resource);
    let mut sql = Sql::default();
    let mut condition = format!(
        "t.namespace = {} AND t.{} = {}",
        sql.bind(namespace.as_str()),
        resource.key,
        sql.bind(key)
    );
    if resource.name == "clicks" {
        let time = click_id::claimed_time(key).map(Timestamp::ms)?;
        condition.push_str(&format!(" AND t.time = {}", sql.bind(time)));
    }
    let columns = columns(resource, source);
    Some(sql.statement(format!("SELECT {columns} FROM {} WHERE {condition}", source.from)))
}

impl<D: Database, B: Blobs> History for Stores<D, B> {
    async fn entries(
        &self,
        of: &'static Resource,
        namespace: &Namespace,
        period: &Period,
    ) -> Result<Vec<Record>, Unavailable> {
        let rows = self.run(vec![list(of, namespace, period)]).await?;
        Ok(super::catalog::records(rows.into_iter().next()))
    }

    async fn entry(
        &self,
        of: &'static Resource,
        namespace: &Namespace,
        key: &str,
    ) -> Result<Option<Record>, Unavailable> {
        let Some(statement) = one(of, namespace, key) else { return Ok(None) };
        Ok(super::catalog::records(self.row(statement).await?.map(|row| vec![row])).pop())
    }

    fn position(of: &'static Resource, entry: &Record) -> Vec<Json> {
        let order = source_of(of).order.iter();
        order.map(|name| entry.get(*name).cloned().unwrap_or(Json::Null)).collect()
    }
}

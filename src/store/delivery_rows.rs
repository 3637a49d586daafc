//! The outbox as SQL: deliveries are written in the transaction of what they tell of, and only
//! beside it, however often it is tried.

use serde_json::{Value as Json, json};

use super::json_text::push_object;
use super::{Statement, Value};
use crate::domain::conversion::{Conversion, Source, time_in_name};
use crate::domain::delivery::{Delivery, Subject, Values, delivery_id};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// No group is added to a statement whose text has more bytes than this; D1 takes 2,000,000, and what
/// is bound with it counts as well. One group has some 20 KB of values at most, by which it may be
/// more.
const MAX_BYTES: usize = 1_000_000;

/// What is the same for the deliveries of one conversion is bound once: `new` is such a group, `d`
/// one of its deliveries. A connector that was removed or disabled since memory read it gets
/// nothing; else what it gets would wait for ever.
macro_rules! insert {
    ($($guard:literal),+) => {
        concat!(
            "INSERT INTO deliveries (namespace, delivery_id, connector_id, kind, conversion_id, revision, event_name, \
             happened_at, click_id, visitor, is_forced, \"values\", personal, state, due_at, created_at) \
             SELECT ?1, d.value ->> 0, c.id, d.value ->> 2, new.value ->> 'conversion_id', new.value ->> 'revision', \
             new.value ->> 'event_name', new.value ->> 'happened_at', new.value ->> 'click_id', new.value ->> 'visitor', \
             d.value ->> 3, new.value -> 'values', NULLIF(new.value -> 'personal', 'null'), 'waiting', d.value ->> 4, ?3 \
             FROM json_each(?2) AS new CROSS JOIN json_each(new.value -> 'deliveries') AS d CROSS JOIN connectors AS c \
             WHERE c.namespace = ?1 AND c.id = d.value ->> 1 AND c.mode <> 'disabled'",
            $($guard,)+
            " ON CONFLICT DO NOTHING"
        )
    };
}

/// The conversion is there as this request made or changed it.
const BESIDE: &str = insert!(
    " AND EXISTS (SELECT 1 FROM conversions AS v WHERE v.namespace = ?1 \
     AND v.conversion_id = new.value ->> 'conversion_id' AND v.revision = new.value ->> 'revision' \
     AND COALESCE(v.changed_by, v.request_id) = ?4)"
);

/// The conversion is there, and its connector was not told of it as a site event. A page's report
/// that is refused as a conversion is told as one (wire.md 8); judged again, it is the same purchase.
const BESIDE_UNTOLD: &str = insert!(
    " AND EXISTS (SELECT 1 FROM conversions AS v WHERE v.namespace = ?1 \
     AND v.conversion_id = new.value ->> 'conversion_id' AND v.revision = new.value ->> 'revision' \
     AND COALESCE(v.changed_by, v.request_id) = ?4)",
    " AND NOT EXISTS (SELECT 1 FROM deliveries AS t WHERE t.namespace = ?1 AND t.delivery_id = d.value ->> 5)"
);

/// The name of the site event is one of those that the namespace has, or a standard one (null), and
/// its click was not erased, and its request was not judged again and taken meanwhile.
const ALONE: &str = insert!(
    " AND (?4 IS NULL OR EXISTS (SELECT 1 FROM site_event_names AS n WHERE n.namespace = ?1 AND n.name = ?4)) \
     AND NOT EXISTS (SELECT 1 FROM erased_persons AS e WHERE e.namespace = ?1 \
     AND e.person = substr(new.value ->> 'click_id', 33)) \
     AND NOT EXISTS (SELECT 1 FROM inbox AS i WHERE i.namespace = ?1 AND i.request_id = ?5 AND i.verdict <> 'rejected')"
);

/// The deliveries of the conversions in the JSON array ?2. They are found by the time with which
/// their ids begin, which is that in the name of the postback, call or examination that caused them.
macro_rules! of_conversions {
    ($columns:literal, $more:literal) => {
        concat!(
            $crate::store::delivery_rows::of_conversions!($columns, $more, "conversions"),
            " UNION ",
            $crate::store::delivery_rows::of_conversions!($columns, $more, "changes")
        )
    };
    ($columns:literal, $more:literal, $occasions:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM json_each(?2) AS k CROSS JOIN ",
            $occasions,
            " AS o CROSS JOIN deliveries AS d ",
            $more,
            " WHERE o.namespace = ?1 AND o.conversion_id = k.value AND d.namespace = ?1 \
             AND d.delivery_id BETWEEN 'msg_' || substr(o.request_id, instr(o.request_id, '_') + 1, 12) \
             AND 'msg_' || substr(o.request_id, instr(o.request_id, '_') + 1, 12) || '~' \
             AND d.conversion_id = o.conversion_id"
        )
    };
}
pub(super) use of_conversions;

/// The deliveries of the site events of the clicks in the JSON array ?2 that became no conversion.
macro_rules! of_clicks {
    ($columns:literal, $more:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM json_each(?2) AS k CROSS JOIN deliveries AS d INDEXED BY deliveries_of_click ",
            $more,
            " WHERE d.namespace = ?1 AND d.conversion_id IS NULL AND d.click_id = k.value"
        )
    };
}
pub(super) use of_clicks;

/// What explaining tells of deliveries and attempts, a row for each attempt.
macro_rules! told {
    ($of:ident) => {
        concat!(
            $of!(
                "d.delivery_id, d.connector_id, d.kind, d.conversion_id, d.revision, d.event_name, d.click_id, \
                 d.is_forced, d.state, d.due_at, d.attempts, d.created_at, d.ended_at, a.attempt, a.at, a.method, a.url, \
                 a.status, a.duration_ms, a.error",
                "LEFT JOIN attempts AS a ON a.namespace = d.namespace AND a.delivery_id = d.delivery_id"
            ),
            " ORDER BY 1 DESC, 14 DESC LIMIT ?3"
        )
    };
}

/// Reads the newest deliveries of conversions with their attempts.
pub(super) fn newest_of_conversions(namespace: &Namespace, ids: &[Json], limit: u64) -> Statement {
    newest(told!(of_conversions), namespace, ids, limit)
}

/// Reads the newest deliveries of clicks' site events with their attempts.
pub(super) fn newest_of_clicks(namespace: &Namespace, click_ids: &[Json], limit: u64) -> Statement {
    newest(told!(of_clicks), namespace, click_ids, limit)
}

fn newest(sql: &'static str, namespace: &Namespace, keys: &[Json], limit: u64) -> Statement {
    let keys = Json::from(keys.to_vec()).to_string();
    Statement::new(sql, vec![namespace.as_str().into(), keys.into(), limit.into()])
}

/// Writes deliveries of conversions, each only if the same batch (or an earlier try of it) made or
/// changed its conversion. None for no deliveries.
pub(super) fn insert_beside(
    namespace: &Namespace,
    deliveries: &[Delivery],
    request_id: &str,
    now: Timestamp,
) -> Vec<Statement> {
    inserts(BESIDE, namespace, deliveries, vec![request_id.into()], (None, now))
}

/// Writes deliveries of a new conversion likewise; of one that a page reported, to those connectors
/// that were not told of the same report as a site event.
pub(super) fn insert_new(
    namespace: &Namespace,
    deliveries: &[Delivery],
    conversion: &Conversion,
    now: Timestamp,
) -> Vec<Statement> {
    let request_id = &*conversion.request_id;
    match conversion.source {
        Source::Collect => {
            let guards = vec![request_id.into()];
            inserts(BESIDE_UNTOLD, namespace, deliveries, guards, (Some(request_id), now))
        }
        _ => insert_beside(namespace, deliveries, request_id, now),
    }
}

/// Writes deliveries of a site event that became no conversion, provided that the namespace has the
/// name, if one is given, and that the request, if one is given, is still refused.
pub(super) fn insert(
    namespace: &Namespace,
    deliveries: &[Delivery],
    (name, refused_as): (Option<&str>, Option<&str>),
    now: Timestamp,
) -> Vec<Statement> {
    inserts(ALONE, namespace, deliveries, vec![name.into(), refused_as.into()], (None, now))
}

fn inserts(
    sql: &'static str,
    namespace: &Namespace,
    deliveries: &[Delivery],
    guards: Vec<Value>,
    (told_as, now): (Option<&str>, Timestamp),
) -> Vec<Statement> {
    let statement = |groups: String| {
        let groups = format!("[{groups}]");
        let mut parameters = vec![namespace.as_str().into(), groups.into(), now.ms().into()];
        parameters.extend(guards.iter().cloned());
        Statement::new(sql, parameters)
    };
    let mut statements = Vec::new();
    let mut text = String::new();
    for group in deliveries.chunk_by(is_alike) {
        if text.len() > MAX_BYTES {
            statements.push(statement(std::mem::take(&mut text)));
        }
        if !text.is_empty() {
            text.push(',');
        }
        push_group(&mut text, group, (namespace, told_as));
    }
    if !text.is_empty() {
        statements.push(statement(text));
    }
    statements
}

/// Whether two deliveries tell of the same in the same words.
fn is_alike(one: &Delivery, other: &Delivery) -> bool {
    one.conversion == other.conversion
        && one.values == other.values
        && one.personal == other.personal
        && one.event_name == other.event_name
}

fn push_group(
    text: &mut String,
    group: &[Delivery],
    (namespace, told_as): (&Namespace, Option<&str>),
) {
    let Some(first) = group.first() else { return };
    let (conversion_id, revision) = first.conversion.clone().unzip();
    let list = group.iter().map(|delivery| delivery_json(delivery, (namespace, told_as)));
    let shared = json!({
        "conversion_id": conversion_id,
        "revision": revision,
        "event_name": first.event_name,
        "happened_at": first.happened_at.ms(),
        "click_id": first.click_id,
        "visitor": first.visitor,
        "deliveries": list.collect::<Json>(),
    })
    .to_string();
    text.push_str(shared.strip_suffix('}').unwrap_or(&shared));
    text.push_str(",\"values\":");
    push_values(text, &first.values);
    text.push_str(",\"personal\":");
    if first.personal.is_empty() {
        text.push_str("null");
    } else {
        push_values(text, &first.personal);
    }
    text.push('}');
}

fn push_values(text: &mut String, values: &Values) {
    push_object(text, values.iter().map(|(key, value)| (key.as_str(), value.as_str())));
}

/// Last, where it may have been told as the site event of a request before, the name of that delivery.
fn delivery_json(delivery: &Delivery, (namespace, told_as): (&Namespace, Option<&str>)) -> Json {
    let mut fields = vec![
        delivery.delivery_id.as_str().into(),
        delivery.connector_id.into(),
        delivery.kind.as_str().into(),
        u8::from(delivery.is_forced).into(),
        delivery.due_at.ms().into(),
    ];
    if let Some((name, at)) = told_as.and_then(|name| Some((name, time_in_name(name)?))) {
        let subject = Subject::SiteEvent(name);
        fields
            .push(delivery_id(namespace, delivery.connector_id, subject, delivery.kind, at).into());
    }
    Json::Array(fields)
}

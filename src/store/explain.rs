//! What the story of a click, an order or a conversion is told from. Every list is bounded and
//! found by an index; what was recorded is found by the request_id in its conversion.

use serde_json::{Value as Json, json};

use super::catalog::records;
use super::sql::Sql;
use super::{Blobs, Database, Statement, Stores, delivery_rows, doubt_rows};
use crate::app::catalog::resource::Record;
use crate::app::explain::{Archive, MOST_CONVERSIONS, MOST_ENTRIES, Subject, Traces};
use crate::app::ports::Unavailable;
use crate::domain::click_id;
use crate::domain::namespace::Namespace;

const CLICK: &str = "click_id, time, ref_id, campaign_id, affiliate_id, landing_page_id, uncounted, country, \
    device, os, browser, source, external_click_id, parameters, warnings, earlier_click, asn";

const CONVERSION: &str = "conversion_id, request_id, received_at, click_id, ref_id, campaign_id, affiliate_id, \
    event_id, order_id, currency, first_status, first_revenue, first_payout, warnings, explanation, revision, changed_by";

const POSTBACK: &str = "t.request_id, t.received_at, t.source, t.proof, t.campaign_id, t.parameters, t.verdict, \
    t.reason, t.detail, t.conversion_id, t.judged_at, t.judgements, t.earlier_verdicts";

/// The order that a refused postback names; an index stands over it.
macro_rules! order_of {
    ($row:literal) => {
        concat!(
            "COALESCE(",
            $row,
            ".parameters ->> 'order_id', ",
            $row,
            ".parameters ->> 'parent_order_id')"
        )
    };
}

/// The conversions that a subject is, the newest first.
fn conversions(namespace: &Namespace, subject: &Subject) -> Statement {
    let mut sql = Sql::default();
    let name = sql.bind(namespace.as_str());
    let (index, condition) = match subject {
        Subject::Click(click_id) => {
            ("INDEXED BY conversions_click", format!("click_id = {}", sql.bind(click_id.as_str())))
        }
        Subject::Order { order_id, campaign_id } => {
            let order = sql.bind(order_id.as_str());
            let of_campaign = campaign_id.map(|id| format!(" AND campaign_id = {}", sql.bind(id)));
            let condition = format!("order_id = {order}{}", of_campaign.unwrap_or_default());
            ("INDEXED BY conversions_order", condition)
        }
        Subject::Conversion(id) => ("", format!("conversion_id = {}", sql.bind(id.as_str()))),
    };
    let limit = sql.bind((MOST_CONVERSIONS + 1) as u64);
    sql.statement(format!(
        "SELECT {CONVERSION} FROM conversions {index} WHERE namespace = {name} AND {condition} \
         ORDER BY received_at DESC LIMIT {limit}"
    ))
}

fn click(namespace: &Namespace, click_id: &str) -> Option<Statement> {
    let time = click_id::claimed_time(click_id)?.ms();
    Some(Statement::new(
        format!("SELECT {CLICK} FROM clicks WHERE namespace = ?1 AND time = ?2 AND click_id = ?3"),
        vec![namespace.as_str().into(), time.into(), click_id.into()],
    ))
}

/// Requests by their names.
fn by_name(namespace: &Namespace, names: &[&str]) -> Statement {
    Statement::new(
        format!(
            "SELECT {POSTBACK} FROM json_each(?2) AS k \
             CROSS JOIN inbox AS t ON t.namespace = ?1 AND t.request_id = k.value"
        ),
        vec![namespace.as_str().into(), json!(names).to_string().into()],
    )
}

/// The newest requests of each of some keys; `found` says by which index.
fn newest_of_each(namespace: &Namespace, keys: &[Json], found: &str) -> Statement {
    Statement::new(
        format!(
            "SELECT {POSTBACK} FROM json_each(?2) AS k CROSS JOIN inbox AS t ON t.namespace = ?1 \
             AND t.request_id IN (SELECT r.request_id FROM inbox AS r {found} \
             ORDER BY r.request_id DESC LIMIT ?3) ORDER BY t.request_id DESC LIMIT ?3"
        ),
        vec![
            namespace.as_str().into(),
            Json::from(keys.to_vec()).to_string().into(),
            (MOST_ENTRIES as u64 + 1).into(),
        ],
    )
}

const REPEATS: &str = "INDEXED BY inbox_repeats WHERE r.namespace = ?1 AND r.conversion_id = k.value \
    AND r.verdict IN ('duplicate', 'updated')";

/// The newest changes of some conversions; their primary key finds them.
fn changes(namespace: &Namespace, ids: &[Json]) -> Statement {
    Statement::new(
        "SELECT c.conversion_id, c.revision, c.at, c.request_id, c.key_id, c.what, c.before, c.after, c.reason \
         FROM json_each(?2) AS k CROSS JOIN changes AS c ON c.namespace = ?1 AND c.conversion_id = k.value \
         AND c.revision IN (SELECT r.revision FROM changes AS r WHERE r.namespace = ?1 \
             AND r.conversion_id = k.value ORDER BY r.revision DESC LIMIT ?3) \
         ORDER BY c.at DESC, c.revision DESC LIMIT ?3",
        vec![
            namespace.as_str().into(),
            Json::from(ids.to_vec()).to_string().into(),
            (MOST_ENTRIES as u64 + 1).into(),
        ],
    )
}

/// A key is a click, and an order or null: with an order, what names another one is left out.
const REFUSED_OF_CLICK: &str = concat!(
    "INDEXED BY inbox_refused_click WHERE r.namespace = ?1 AND r.verdict = 'rejected' \
     AND r.parameters ->> 'click_id' = k.value ->> 0 \
     AND (k.value ->> 1 IS NULL OR ",
    order_of!("r"),
    " IS NULL OR ",
    order_of!("r"),
    " = k.value ->> 1)"
);

/// A key is an order, and a campaign or null; what was refused before a campaign was known counts
/// for every one.
const REFUSED_OF_ORDER: &str = concat!(
    "INDEXED BY inbox_refused_order WHERE r.namespace = ?1 AND r.verdict = 'rejected' AND ",
    order_of!("r"),
    " = k.value ->> 0 \
     AND (k.value ->> 1 IS NULL OR r.campaign_id IS NULL OR r.campaign_id = k.value ->> 1)"
);

fn text<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.get(name).and_then(Json::as_str)
}

/// Each value once, in order.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = Vec::new();
    for value in values {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

/// The clicks whose refused postbacks belong to the story, each with the order that they may name.
fn clicks_of(subject: &Subject, conversions: &[Record]) -> Vec<Json> {
    match subject {
        Subject::Click(click_id) => vec![json!([click_id, null])],
        Subject::Order { .. } => Vec::new(),
        Subject::Conversion(_) => {
            let key = |c: &Record| Some(json!([text(c, "click_id")?, c.get("order_id")]));
            distinct(conversions.iter().filter_map(key))
        }
    }
}

/// The orders whose refused postbacks belong to the story, each with its campaign.
fn orders_of(subject: &Subject, conversions: &[Record]) -> Vec<Json> {
    if let Subject::Order { order_id, campaign_id } = subject {
        return vec![json!([order_id, campaign_id])];
    }
    let key = |c: &Record| Some(json!([text(c, "order_id")?, c.get("campaign_id")]));
    distinct(conversions.iter().filter_map(key))
}

impl<D: Database, B: Blobs> Archive for Stores<D, B> {
    async fn traces(
        &self,
        namespace: &Namespace,
        subject: &Subject,
    ) -> Result<Traces, Unavailable> {
        let rows = self.run(vec![self::conversions(namespace, subject)]).await?;
        let mut conversions = records(rows.into_iter().next());
        let mut has_more = conversions.len() > MOST_CONVERSIONS;
        conversions.truncate(MOST_CONVERSIONS);

        let of = |name: &'static str| conversions.iter().filter_map(move |c| text(c, name));
        let names = distinct(of("request_id").chain(of("changed_by")));
        let ids: Vec<Json> = of("conversion_id").map(Json::from).collect();
        let lists = [
            (ids.clone(), REPEATS),
            (clicks_of(subject, &conversions), REFUSED_OF_CLICK),
            (orders_of(subject, &conversions), REFUSED_OF_ORDER),
        ];
        let doubts = doubt_rows::of_conversions(namespace, &ids);
        let mut statements = vec![changes(namespace, &ids), doubts, by_name(namespace, &names)];
        let lists = lists.iter().filter(|(keys, _)| !keys.is_empty());
        statements.extend(lists.map(|(keys, found)| newest_of_each(namespace, keys, found)));
        let click_ids = match subject {
            Subject::Click(click_id) => vec![click_id.as_str()],
            _ => distinct(of("click_id")),
        };
        let most = MOST_ENTRIES as u64 + 1;
        statements.push(delivery_rows::newest_of_conversions(namespace, &ids, most));
        let clicks: Vec<Json> = match subject {
            Subject::Click(click_id) => vec![click_id.as_str().into()],
            _ => Vec::new(),
        };
        statements.push(delivery_rows::newest_of_clicks(namespace, &clicks, most));
        let lists = statements.len() - 4;
        statements
            .extend(click_ids.iter().filter_map(|click_id| click(namespace, click_id)).take(8));

        let mut results = self.run(statements).await?.into_iter();
        let mut changes = records(results.next());
        changes.reverse();
        let doubts = records(results.next());
        has_more |= changes.len() > MOST_ENTRIES;
        let mut postbacks: Vec<Record> = Vec::new();
        for rows in results.by_ref().take(lists) {
            has_more |= rows.len() > MOST_ENTRIES;
            postbacks.extend(records(Some(rows)));
        }
        postbacks.sort_by(|a, b| text(a, "request_id").cmp(&text(b, "request_id")));
        postbacks.dedup_by(|a, b| text(a, "request_id") == text(b, "request_id"));
        let mut deliveries = Vec::new();
        for rows in results.by_ref().take(2) {
            has_more |= rows.len() > MOST_ENTRIES;
            deliveries.extend(records(Some(rows)));
        }
        let clicks = results.flat_map(|rows| records(Some(rows))).collect();
        Ok(Traces { clicks, conversions, postbacks, changes, doubts, deliveries, has_more })
    }
}

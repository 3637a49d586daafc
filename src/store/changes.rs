//! Changes of recorded conversions and their audit trail.
//!
//! Any number of changes takes the same few statements: they are bound as one JSON array. Each is
//! guarded by the revision that its decision saw, and its line of the audit trail is keyed by the
//! revision that it makes, so that a repeated write changes nothing and adds no line.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::conversion_row::{COLUMNS, ConversionRow};
use super::row::Read as _;
use super::{Blobs, Database, Row, Statement, Stores, Value, delivery_rows};
use crate::app::ports::{Signature, Unavailable};
use crate::app::statuses::{ChangeRecord, Named, Statuses};
use crate::domain::conversion::Conversion;
use crate::domain::delivery::Delivery;
use crate::domain::namespace::Namespace;
use crate::domain::refund::{Part, Refunds};
use crate::domain::time::Timestamp;
use crate::domain::transition::Change;

/// The most changes that one statement carries. A conversion with its line of the audit trail
/// takes some 3 KB, D1 2,000,000 bytes a value.
const MAX_TOGETHER: usize = 200;

/// The most lines of an audit trail that are shown, and of requests that are looked through.
const MAX_LINES: u32 = 500;

/// Each change names its namespace: with the key's first column bound outside, SQLite would go
/// through the whole namespace for each change instead of searching by the key.
const UPDATE: &str = "UPDATE conversions SET amount = new.value ->> 'amount', \
     revenue = new.value ->> 'revenue', payout = new.value ->> 'payout', status = new.value ->> 'status', \
     status_reason = new.value ->> 'status_reason', sent_money = new.value ->> 'sent_money', \
     explanation = new.value ->> 'explanation', refunds = new.value ->> 'refunds', \
     exchange_rate = new.value ->> 'exchange_rate', \
     revision = new.value ->> 'revision', changed_by = ?3 \
     FROM json_each(?2) AS new WHERE new.value ->> 'namespace' = ?1 \
     AND conversions.namespace = new.value ->> 'namespace' AND conversions.conversion_id = new.value ->> 'conversion_id' \
     AND conversions.revision = new.value ->> 'revision' - 1";

/// The guard by which several changes happen all or not at all.
const ALL_ARE_AS_SEEN: &str = " AND (SELECT COUNT(*) FROM json_each(?2) CROSS JOIN conversions AS c \
     WHERE c.namespace = ?1 AND c.conversion_id = json_each.value ->> 'conversion_id' \
     AND c.revision = json_each.value ->> 'revision' - 1) = json_array_length(?2)";

const AUDIT: &str = "INSERT INTO changes (namespace, conversion_id, revision, at, request_id, key_id, what, before, after, reason) \
     SELECT ?1, new.value ->> 'conversion_id', new.value ->> 'revision', ?4, ?3, ?5, new.value ->> 'what', \
            new.value ->> 'before', new.value ->> 'after', new.value ->> 'reason' \
     FROM json_each(?2) AS new CROSS JOIN conversions AS c \
     WHERE c.namespace = ?1 AND c.conversion_id = new.value ->> 'conversion_id' \
     AND c.revision = new.value ->> 'revision' AND c.changed_by = ?3 ON CONFLICT DO NOTHING";

const WRITTEN: &str = "SELECT w.conversion_id FROM json_each(?2) AS new CROSS JOIN changes AS w \
     WHERE w.namespace = ?1 AND w.conversion_id = new.value ->> 'conversion_id' \
     AND w.revision = new.value ->> 'revision' AND w.request_id = ?3";

/// The statements that make changes and write their audit trail. With `is_all` all happen or none.
pub(crate) fn make(
    namespace: &Namespace,
    changes: &[Change],
    signature: &Signature<'_>,
    is_all: bool,
) -> [Statement; 2] {
    let list = to_json(namespace, changes);
    let guard = if is_all && changes.len() > 1 { ALL_ARE_AS_SEEN } else { "" };
    let update =
        vec![namespace.as_str().into(), Value::Text(list.clone()), signature.request_id.into()];
    let mut audit = update.clone();
    audit.extend([signature.at.ms().into(), signature.key_id.into()]);
    [Statement::new(format!("{UPDATE}{guard}"), update), Statement::new(AUDIT, audit)]
}

/// The deliveries that tell of some changes.
fn of_changes(deliveries: &[Delivery], changes: &[Change]) -> Vec<Delivery> {
    let ids: BTreeSet<&str> = changes.iter().map(|c| c.after.conversion_id.as_str()).collect();
    let is_of = |delivery: &&Delivery| {
        delivery.conversion.as_ref().is_some_and(|(id, _)| ids.contains(id.as_str()))
    };
    deliveries.iter().filter(is_of).cloned().collect()
}

/// The statement that says which of these changes this request has made.
pub(crate) fn written(namespace: &Namespace, changes: &[Change], request_id: &str) -> Statement {
    let names: Vec<Json> = changes
        .iter()
        .map(|change| {
            json!({ "conversion_id": change.after.conversion_id, "revision": change.after.revision })
        })
        .collect();
    Statement::new(
        WRITTEN,
        vec![namespace.as_str().into(), Json::Array(names).to_string().into(), request_id.into()],
    )
}

/// The statement that reads what the requests that made and changed a conversion said.
pub(crate) fn heard(namespace: &Namespace, conversion_id: &str) -> Statement {
    Statement::new(
        "SELECT parameters FROM inbox WHERE namespace = ?1 AND request_id IN ( \
         SELECT request_id FROM conversions WHERE namespace = ?1 AND conversion_id = ?2 \
         UNION ALL SELECT request_id FROM changes WHERE namespace = ?1 AND conversion_id = ?2) LIMIT ?3",
        vec![namespace.as_str().into(), conversion_id.into(), MAX_LINES.into()],
    )
}

fn to_json(namespace: &Namespace, changes: &[Change]) -> String {
    let list = changes.iter().map(|change| {
        let row = ConversionRow::of(&change.after);
        json!({
            "namespace": namespace.as_str(),
            "conversion_id": change.after.conversion_id,
            "revision": change.after.revision,
            "amount": change.after.amount,
            "revenue": change.after.revenue,
            "payout": change.after.payout,
            "status": change.after.status.as_str(),
            "status_reason": change.after.status_reason,
            "sent_money": row.sent_money,
            "explanation": row.explanation,
            "refunds": row.refunds,
            "exchange_rate": row.exchange_rate,
            "what": change.what.as_str(),
            "before": state(&change.before).to_string(),
            "after": state(&change.after).to_string(),
            "reason": change.after.status_reason,
        })
    });
    Json::Array(list.collect()).to_string()
}

/// What a line of the audit trail says of a conversion.
fn state(conversion: &Conversion) -> Json {
    json!({
        "status": conversion.status.as_str(),
        "reason": conversion.status_reason,
        "amount": conversion.amount,
        "revenue": conversion.revenue,
        "payout": conversion.payout,
    })
}

/// Refunds as the text of their column.
pub(crate) fn refunds_to_text(refunds: &Refunds) -> String {
    let parts: Vec<Json> = refunds
        .parts
        .iter()
        .map(|part| {
            json!({
                "refund_id": part.id, "asked": part.asked, "amount": part.amount,
                "revenue": part.revenue, "payout": part.payout,
            })
        })
        .collect();
    json!({
        "whole_revenue": refunds.whole_revenue,
        "whole_payout": refunds.whole_payout,
        "parts": parts,
    })
    .to_string()
}

/// The refunds of such a text; `None` for one that this version cannot read.
pub(crate) fn refunds_from_text(text: &str) -> Option<Refunds> {
    let json: Json = serde_json::from_str(text).ok()?;
    let part = |part: &Json| {
        let number = |name: &str| part.get(name)?.as_i64();
        Some(Part {
            id: part.get("refund_id")?.as_str().map(str::to_owned),
            asked: number("asked"),
            amount: number("amount")?,
            revenue: number("revenue")?,
            payout: number("payout")?,
        })
    };
    Some(Refunds {
        whole_revenue: json.get("whole_revenue")?.as_i64()?,
        whole_payout: json.get("whole_payout")?.as_i64()?,
        parts: json.get("parts")?.as_array()?.iter().map(part).collect::<Option<_>>()?,
    })
}

/// Reads a list of conversions, each with the place of the name by which it was found.
fn find(namespace: &Namespace, names: &[Named]) -> Vec<Statement> {
    let list = |wanted: fn(&Named) -> Option<Json>| {
        let places = names.iter().enumerate();
        let found: Vec<Json> =
            places.filter_map(|(item, name)| Some(json!([item, wanted(name)?]))).collect();
        (!found.is_empty()).then(|| Json::Array(found).to_string())
    };
    let by_id = list(|name| match name {
        Named::Conversion(id) => Some(json!({ "id": id })),
        _ => None,
    });
    let by_order = list(|name| match name {
        Named::Order { campaign_id, event_id, order_id } => {
            Some(json!({ "campaign": campaign_id, "event": event_id, "order": order_id }))
        }
        _ => None,
    });
    let by_click = list(|name| match name {
        Named::Click { click_id, event_id } => {
            Some(json!({ "click": click_id, "event": event_id }))
        }
        _ => None,
    });
    let select = |condition: &str, list: Option<String>| {
        let sql = format!(
            "SELECT new.value ->> 0 AS item, {COLUMNS} FROM json_each(?2) AS new CROSS JOIN conversions {condition}"
        );
        list.map(|list| Statement::new(sql, vec![namespace.as_str().into(), list.into()]))
    };
    let statements = [
        select("WHERE namespace = ?1 AND conversion_id = new.value ->> '$[1].id'", by_id),
        select(
            "WHERE namespace = ?1 AND campaign_id = new.value ->> '$[1].campaign' \
             AND event_id = new.value ->> '$[1].event' AND order_id = new.value ->> '$[1].order' \
             AND is_test = 0",
            by_order,
        ),
        select(
            "INDEXED BY conversions_click WHERE namespace = ?1 \
             AND click_id = new.value ->> '$[1].click' AND event_id = new.value ->> '$[1].event'",
            by_click,
        ),
    ];
    statements.into_iter().flatten().collect()
}

fn found(row: &Row) -> Option<(usize, Conversion)> {
    let item = usize::try_from(row.get("item")?.as_u64()?).ok()?;
    Some((item, ConversionRow::read(row)?.conversion()?))
}

impl<D: Database, B: Blobs> Statuses for Stores<D, B> {
    async fn find_each(
        &self,
        namespace: &Namespace,
        names: &[Named],
    ) -> Result<Vec<Vec<Conversion>>, Unavailable> {
        let mut all = vec![Vec::new(); names.len()];
        let statements = find(namespace, names);
        if statements.is_empty() {
            return Ok(all);
        }
        for row in self.run(statements).await?.iter().flatten() {
            let (item, conversion) = found(row).ok_or(Unavailable)?;
            all.get_mut(item).ok_or(Unavailable)?.push(conversion);
        }
        Ok(all)
    }

    async fn change_each(
        &self,
        namespace: &Namespace,
        changes: &[Change],
        deliveries: &[Delivery],
        signature: &Signature<'_>,
    ) -> Result<Vec<String>, Unavailable> {
        let mut made = Vec::new();
        for changes in changes.chunks(MAX_TOGETHER) {
            let mut statements = Vec::from(make(namespace, changes, signature, false));
            let (name, now) = (signature.request_id, signature.at);
            let of_these = of_changes(deliveries, changes);
            statements.extend(delivery_rows::insert_beside(namespace, &of_these, name, now));
            statements.push(written(namespace, changes, signature.request_id));
            let results = self.run(statements).await?;
            let ids = results.last().into_iter().flatten();
            made.extend(
                ids.filter_map(|row| row.get("conversion_id")?.as_str().map(str::to_owned)),
            );
        }
        Ok(made)
    }

    async fn changes_of(
        &self,
        namespace: &Namespace,
        conversion_id: &str,
    ) -> Result<Option<Vec<ChangeRecord>>, Unavailable> {
        let parameters: Vec<Value> = vec![namespace.as_str().into(), conversion_id.into()];
        let conversion = Statement::new(
            "SELECT currency FROM conversions WHERE namespace = ?1 AND conversion_id = ?2",
            parameters.clone(),
        );
        let mut with_limit = parameters;
        with_limit.push(MAX_LINES.into());
        let lines = Statement::new(
            "SELECT revision, at, request_id, key_id, what, before, after, reason FROM changes \
             WHERE namespace = ?1 AND conversion_id = ?2 ORDER BY revision LIMIT ?3",
            with_limit,
        );
        let results = self.run(vec![conversion, lines]).await?;
        let [conversion, lines] = results.as_slice() else { return Err(Unavailable) };
        let Some(conversion) = conversion.first() else { return Ok(None) };
        let currency = conversion.get("currency").and_then(Json::as_str).ok_or(Unavailable)?;
        lines
            .iter()
            .map(|row| record(row, currency).ok_or(Unavailable))
            .collect::<Result<_, _>>()
            .map(Some)
    }
}

fn record(row: &Row, currency: &str) -> Option<ChangeRecord> {
    let text = |name: &str| row.get(name).and_then(Json::as_str).map(str::to_owned);
    let state = |name: &str| serde_json::from_str::<Json>(row.get(name)?.as_str()?).ok();
    Some(ChangeRecord {
        revision: row.get("revision")?.as_u64()?,
        at: Timestamp::from_ms(row.get("at")?.as_u64()?),
        request_id: text("request_id")?,
        key_id: row.get("key_id").and_then(Json::as_u64),
        what: text("what")?,
        before: state("before")?,
        after: state("after")?,
        reason: text("reason"),
        currency: currency.to_owned(),
    })
}

//! Erasing persons: some things of one kind at a time, each batch as a whole or not at all.

use serde_json::{Value as Json, json};

use super::{Blobs, Database, Row, Statement, Stores, Value};
use crate::app::erase::{Eraser, Kind, Part, Parts};
use crate::app::ports::Unavailable;
use crate::domain::click_id;
use crate::domain::erasure::{IMPERSONAL, Person, name_of_click};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// So many things of one kind are erased at once: their copies take a few calls of KV each.
const TOGETHER: u32 = 10;

/// Puts what follows on the list of what is to be erased; ?2 is the person who was named.
const ENQUEUE: &str = "INSERT INTO erasing (namespace, root, kind, id) SELECT DISTINCT ?1, ?2,";

/// What a parameter of the inbox has to be to stay.
fn stays() -> String {
    let names: Vec<String> = IMPERSONAL.iter().map(|name| format!("'{name}'")).collect();
    format!("(p.key IN ({}) AND instr(p.value, '@') = 0)", names.join(", "))
}

/// `UPDATE` of some rows of the inbox that still say something of a person.
fn scrub_inbox(which: &str) -> String {
    let stays = stays();
    format!(
        "UPDATE inbox SET detail = NULL, earlier_verdicts = NULL, parameters = \
         (SELECT json_group_object(p.key, p.value) FROM json_each(inbox.parameters) AS p WHERE {stays}) \
         WHERE namespace = ?1 AND {which} AND (detail IS NOT NULL OR earlier_verdicts IS NOT NULL \
         OR EXISTS (SELECT 1 FROM json_each(inbox.parameters) AS p WHERE NOT {stays})) RETURNING 1 AS erased"
    )
}

const REMEMBER: &str = "INSERT INTO erased_persons (namespace, person, erased_at) \
     SELECT ?1, value, ?3 FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING";

const DONE: &str = "UPDATE erasing SET is_done = 1 WHERE namespace = ?1 AND root = ?2 AND kind = ?4 \
     AND id IN (SELECT value FROM json_each(?3))";

/// Each sample is looked at: they have no index, and no more than 100 per campaign and hour.
const SAMPLES: &str = "DELETE FROM refusal_samples WHERE namespace = ?1 AND EXISTS \
     (SELECT 1 FROM json_each(?2) AS k WHERE instr(refusal_samples.parameters, k.value) > 0 \
      OR instr(refusal_samples.detail, k.value) > 0) RETURNING 1 AS erased";

/// How a sample says that a parameter has one of these values.
fn said(name: &str, ids: &[String]) -> Vec<String> {
    ids.iter().map(|id| format!("\"{name}\":{}", Json::from(id.as_str()))).collect()
}

/// A statement, and what its rows are counted as.
type Step = (Option<Part>, String, Vec<Value>);

impl<D: Database, B: Blobs> Stores<D, B> {
    fn clicks(space: &str, root: &str, ids: &[String], now: Timestamp) -> Vec<Step> {
        let list = text(ids);
        let names: Vec<&str> = ids.iter().filter_map(|id| name_of_click(id)).collect();
        // Wherever it stands, if it has the shape of an id; a short text stands everywhere.
        let mut said = said("click_id", ids);
        said.extend(ids.iter().filter(|id| click_id::has_shape(id)).cloned());
        let rows: Vec<Json> = ids
            .iter()
            .filter_map(|id| Some(json!([click_id::claimed_time(id)?.ms(), id])))
            .collect();
        let step =
            |part, sql: &str, list: String| (part, sql.to_owned(), vec![space.into(), list.into()]);
        let remember = vec![space.into(), text(&names).into(), now.ms().into()];
        vec![
            (None, REMEMBER.to_owned(), remember),
            // What another customer bought by a click that was not named itself is another person's.
            (
                None,
                format!(
                    "{ENQUEUE} 'conversion', c.conversion_id FROM json_each(?3) AS k \
                     CROSS JOIN conversions AS c INDEXED BY conversions_click \
                     ON c.namespace = ?1 AND c.click_id = k.value \
                     WHERE ?2 = 'click:' || k.value OR NOT EXISTS (SELECT 1 FROM inbox AS i WHERE i.namespace = ?1 \
                     AND i.request_id = c.request_id AND 'customer:' || (i.parameters ->> 'customer_id') <> ?2) \
                     ON CONFLICT DO NOTHING"
                ),
                vec![space.into(), root.into(), list.clone().into()],
            ),
            step(
                Some(Part::Clicks),
                "UPDATE clicks SET referrer = NULL, user_agent = NULL, source = NULL, external_click_id = NULL, \
                   parameters = NULL, warnings = NULL, \
                   earlier_click = NULL, address = NULL, asn = NULL \
                 WHERE namespace = ?1 AND time IN (SELECT value ->> 0 FROM json_each(?2)) \
                 AND click_id IN (SELECT value ->> 1 FROM json_each(?2)) \
                 AND COALESCE(referrer, user_agent, source, external_click_id, parameters, warnings, \
                   earlier_click, address, asn) IS NOT NULL \
                 RETURNING 1 AS erased",
                text(&rows),
            ),
            step(
                None,
                "DELETE FROM visitor_clicks WHERE day IN (SELECT (value ->> 0) / 86400000 FROM json_each(?2)) \
                 AND namespace = ?1 AND click_id IN (SELECT value ->> 1 FROM json_each(?2))",
                text(&rows),
            ),
            step(
                Some(Part::Inbox),
                "DELETE FROM inbox WHERE namespace = ?1 AND request_id IN \
                 (SELECT r.request_id FROM json_each(?2) AS k CROSS JOIN inbox AS r INDEXED BY inbox_refused_click \
                  ON r.namespace = ?1 AND r.verdict = 'rejected' AND r.parameters ->> 'click_id' = k.value) \
                 RETURNING 1 AS erased",
                list.clone(),
            ),
            step(Some(Part::Samples), SAMPLES, text(&said)),
        ]
    }

    fn conversions(space: &str, root: &str, ids: &[String], customers: &[String]) -> Vec<Step> {
        let enqueue = || vec![space.into(), root.into(), Value::from(text(ids))];
        let step = |part, sql: String| (Some(part), sql, vec![space.into(), text(ids).into()]);
        // Customers go with the click that was named, and not with others: whoever shared a click with
        // an erased customer stays somebody's customer for life.
        let mut of_customers = enqueue();
        of_customers.push(text(customers).into());
        vec![
            (
                None,
                format!(
                    "{ENQUEUE} 'click', c.click_id FROM json_each(?3) AS k CROSS JOIN conversions AS c \
                     ON c.namespace = ?1 AND c.conversion_id = k.value \
                     WHERE c.click_id IS NOT NULL ON CONFLICT DO NOTHING"
                ),
                enqueue(),
            ),
            (
                None,
                format!(
                    "{ENQUEUE} 'customer', p.value FROM json_each(?3) AS k CROSS JOIN conversions AS c \
                     ON c.namespace = ?1 AND c.conversion_id = k.value CROSS JOIN json_each(?4) AS p \
                     CROSS JOIN conversion_customers AS w ON w.namespace = ?1 AND w.customer_id = p.value \
                     AND w.campaign_id = c.campaign_id AND w.event_id = c.event_id AND w.conversion_id = c.conversion_id \
                     WHERE ?2 = 'click:' || c.click_id ON CONFLICT DO NOTHING"
                ),
                of_customers,
            ),
            step(
                Part::Conversions,
                "UPDATE conversions SET parameters = '{}', comment = NULL, status_reason = NULL, warnings = '[]', \
                   explanation = json_replace(json_remove(explanation, '$.claims_lost'), '$.rule', 'withheld'), \
                   revision = revision + 1, \
                   order_id = CASE WHEN instr(order_id, '@') > 0 THEN NULL ELSE order_id END \
                 WHERE namespace = ?1 AND conversion_id IN (SELECT value FROM json_each(?2)) \
                 AND (parameters <> '{}' OR comment IS NOT NULL OR status_reason IS NOT NULL OR warnings <> '[]' \
                   OR explanation ->> 'claims_lost' IS NOT NULL OR COALESCE(explanation ->> 'rule', 'withheld') <> 'withheld' \
                   OR instr(order_id, '@') > 0) RETURNING 1 AS erased"
                    .to_owned(),
            ),
            step(
                Part::Inbox,
                scrub_inbox(
                    "request_id IN (\
                     SELECT c.request_id FROM json_each(?2) AS k CROSS JOIN conversions AS c \
                     ON c.namespace = ?1 AND c.conversion_id = k.value \
                     UNION ALL SELECT w.request_id FROM json_each(?2) AS k CROSS JOIN changes AS w \
                     ON w.namespace = ?1 AND w.conversion_id = k.value \
                     UNION ALL SELECT r.request_id FROM json_each(?2) AS k CROSS JOIN inbox AS r INDEXED BY inbox_repeats \
                     ON r.namespace = ?1 AND r.conversion_id = k.value AND r.verdict IN ('duplicate', 'updated'))",
                ),
            ),
            step(
                Part::Changes,
                "UPDATE changes SET reason = NULL, before = json_set(before, '$.reason', NULL), \
                   after = json_set(after, '$.reason', NULL) \
                 WHERE namespace = ?1 AND conversion_id IN (SELECT value FROM json_each(?2)) \
                 AND COALESCE(reason, before ->> 'reason', after ->> 'reason') IS NOT NULL RETURNING 1 AS erased"
                    .to_owned(),
            ),
            (
                None,
                "UPDATE doubts SET address = NULL, finding = CASE WHEN finding IS NULL THEN NULL ELSE 'withheld' END \
                 WHERE namespace = ?1 AND conversion_id IN (SELECT value FROM json_each(?2))"
                    .to_owned(),
                vec![space.into(), text(ids).into()],
            ),
        ]
    }

    fn customers(
        &self,
        namespace: &Namespace,
        root: &str,
        ids: &[String],
        now: Timestamp,
    ) -> Vec<Step> {
        let space = namespace.as_str();
        let newest = |id: &String| self.names_of_customer(namespace, Some(id)).into_iter().next();
        let names: Vec<String> = ids.iter().filter_map(newest).collect();
        let step = |part, sql: &str, list: String| {
            (Some(part), sql.to_owned(), vec![space.into(), list.into()])
        };
        let named = "(SELECT r.request_id FROM json_each(?2) AS k CROSS JOIN inbox AS r INDEXED BY inbox_named_customer \
             ON r.namespace = ?1 AND r.parameters ->> 'customer_id' = k.value \
             AND (r.verdict = 'rejected' OR r.proof = 'nothing'))";
        vec![
            (None, REMEMBER.to_owned(), vec![space.into(), text(&names).into(), now.ms().into()]),
            (
                None,
                format!(
                    "{ENQUEUE} 'conversion', c.conversion_id FROM json_each(?3) AS k \
                     CROSS JOIN conversion_customers AS c ON c.namespace = ?1 AND c.customer_id = k.value \
                     WHERE true ON CONFLICT DO NOTHING"
                ),
                vec![space.into(), root.into(), text(ids).into()],
            ),
            // Tests are linked to nobody.
            (
                None,
                format!(
                    "{ENQUEUE} 'conversion', c.conversion_id FROM conversions AS c INDEXED BY conversions_tests \
                     CROSS JOIN inbox AS i ON i.namespace = ?1 AND i.request_id = c.request_id \
                     WHERE c.namespace = ?1 AND c.is_test = 1 \
                     AND i.parameters ->> 'customer_id' IN (SELECT value FROM json_each(?3)) ON CONFLICT DO NOTHING"
                ),
                vec![space.into(), root.into(), text(ids).into()],
            ),
            step(
                Part::Inbox,
                &format!(
                    "DELETE FROM inbox WHERE namespace = ?1 AND request_id IN {named} \
                     AND verdict = 'rejected' RETURNING 1 AS erased"
                ),
                text(ids),
            ),
            step(Part::Inbox, &scrub_inbox(&format!("request_id IN {named}")), text(ids)),
            step(Part::Samples, SAMPLES, text(&said("customer_id", ids))),
            step(
                Part::Customers,
                "DELETE FROM customers INDEXED BY customers_customer_id WHERE namespace = ?1 \
                 AND customer_id IN (SELECT value FROM json_each(?2)) RETURNING 1 AS erased",
                text(ids),
            ),
            (
                None,
                "DELETE FROM conversion_customers WHERE namespace = ?1 \
                 AND customer_id IN (SELECT value FROM json_each(?2))"
                    .to_owned(),
                vec![space.into(), text(ids).into()],
            ),
        ]
    }

    /// Whom the postbacks name that made some conversions.
    async fn customers_named(
        &self,
        namespace: &Namespace,
        ids: &[String],
    ) -> Result<Vec<String>, Unavailable> {
        let named = Statement::new(
            "SELECT DISTINCT i.parameters ->> 'customer_id' AS id FROM json_each(?2) AS k \
             CROSS JOIN conversions AS c ON c.namespace = ?1 AND c.conversion_id = k.value \
             CROSS JOIN inbox AS i ON i.namespace = ?1 AND i.request_id = c.request_id \
             WHERE i.parameters ->> 'customer_id' IS NOT NULL",
            vec![namespace.as_str().into(), text(ids).into()],
        );
        Ok(ids_in(self.run(vec![named]).await?.first()))
    }
}

impl<D: Database, B: Blobs> Eraser for Stores<D, B> {
    async fn begin(
        &self,
        namespace: &Namespace,
        person: &Person,
        root: &str,
    ) -> Result<(), Unavailable> {
        let (kind, id) = match person {
            Person::Click(id) => (Kind::Click, id),
            Person::Customer(id) => (Kind::Customer, id),
        };
        let sql = "INSERT INTO erasing (namespace, root, kind, id) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        let named = [namespace.as_str(), root, kind.as_str(), id.as_str()];
        let statement = Statement::new(sql, named.map(Value::from).to_vec());
        self.run(vec![statement]).await.map(|_| ())
    }

    async fn pending(
        &self,
        namespace: &Namespace,
        root: &str,
    ) -> Result<Option<(Kind, Vec<String>)>, Unavailable> {
        let statement = Statement::new(
            "SELECT kind, id FROM erasing WHERE namespace = ?1 AND root = ?2 AND is_done = 0 \
             ORDER BY kind, id LIMIT ?3",
            vec![namespace.as_str().into(), root.into(), TOGETHER.into()],
        );
        let mut rows = self.run(vec![statement]).await?.into_iter().next().unwrap_or_default();
        let kind_of = |row: &Row| row.get("kind").and_then(Json::as_str).and_then(Kind::from_word);
        let Some(kind) = rows.first().and_then(kind_of) else { return Ok(None) };
        rows.retain(|row| kind_of(row) == Some(kind));
        Ok(Some((kind, ids_in(Some(&rows)))))
    }

    async fn erase(
        &self,
        namespace: &Namespace,
        root: &str,
        (kind, ids): (Kind, &[String]),
        now: Timestamp,
    ) -> Result<Parts, Unavailable> {
        let space = namespace.as_str();
        let (steps, copies) = match kind {
            Kind::Click => {
                (Self::clicks(space, root, ids, now), self.erase_clicks(namespace, ids, now).await?)
            }
            Kind::Customer => (self.customers(namespace, root, ids, now), 0),
            Kind::Conversion => {
                let customers = self.customers_named(namespace, ids).await?;
                let copies = self.erase_answers(namespace, ids).await?;
                (Self::conversions(space, root, ids, &customers), copies)
            }
        };
        let counted: Vec<Option<Part>> = steps.iter().map(|(part, ..)| *part).collect();
        let mut statements: Vec<Statement> =
            steps.into_iter().map(|(_, sql, parameters)| Statement::new(sql, parameters)).collect();
        let done = vec![space.into(), root.into(), text(ids).into(), kind.as_str().into()];
        statements.push(Statement::new(DONE, done));
        let results = self.run(statements).await?;
        let mut parts = Parts::default();
        parts.add(Part::Copies, copies);
        for (part, rows) in counted.into_iter().zip(&results) {
            if let Some(part) = part {
                parts.add(part, rows.len() as u64);
            }
        }
        Ok(parts)
    }

    async fn end(&self, namespace: &Namespace, root: &str) -> Result<(), Unavailable> {
        let sql = "DELETE FROM erasing WHERE namespace = ?1 AND root = ?2";
        let parameters = vec![namespace.as_str().into(), root.into()];
        self.run(vec![Statement::new(sql, parameters)]).await.map(|_| ())
    }
}

/// A list as a bound value.
fn text<T: Clone + Into<Json>>(list: &[T]) -> String {
    Json::Array(list.iter().cloned().map(Into::into).collect()).to_string()
}

fn ids_in(rows: Option<&Vec<Row>>) -> Vec<String> {
    let ids = rows.into_iter().flatten();
    ids.filter_map(|row| Some(row.get("id")?.as_str()?.to_owned())).collect()
}

//! Conversions that are examined by the rows of their clicks, as SQL.

use serde_json::{Value as Json, json};

use super::conversion_row::{COLUMNS, ConversionRow};
use super::row::Read as _;
use super::{Blobs, Database, Row, Statement, Stores, changes, delivery_rows, json};
use crate::app::doubts::Doubt;
use crate::app::examine::{Examinations, Wanted};
use crate::app::ports::{Signature, Unavailable};
use crate::domain::conversion::Conversion;
use crate::domain::delivery::Delivery;
use crate::domain::examination::{Doubted, Finding, Traces};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use crate::domain::transition::Change;

/// A conversion knows its click's time, with which the key of `clicks` begins.
const READY: &str = "SELECT d.namespace, d.conversion_id, d.campaign_id \
     FROM doubts AS d INDEXED BY doubts_open \
     CROSS JOIN conversions AS c ON c.namespace = d.namespace AND c.conversion_id = d.conversion_id \
     WHERE d.examined_at IS NULL AND d.received_at <= ?2 AND (d.received_at <= ?1 OR EXISTS (\
     SELECT 1 FROM clicks AS k WHERE k.namespace = c.namespace AND k.time = c.clicked_at AND k.click_id = c.click_id)) \
     ORDER BY d.received_at LIMIT ?3";

/// Takes the address over before it is compared, so that of two conversions that are examined at
/// once the second one sees the first.
const CLAIM: &str = "UPDATE doubts SET address = k.address \
     FROM json_each(?1) AS new CROSS JOIN conversions AS c CROSS JOIN clicks AS k \
     WHERE new.value ->> 2 > 0 AND c.namespace = new.value ->> 0 AND c.conversion_id = new.value ->> 1 \
     AND k.namespace = c.namespace AND k.time = c.clicked_at AND k.click_id = c.click_id AND k.address IS NOT NULL \
     AND doubts.namespace = c.namespace AND doubts.conversion_id = c.conversion_id \
     AND doubts.examined_at IS NULL AND doubts.address IS NULL";

fn doubted() -> String {
    format!(
        "SELECT {COLUMNS}, \
         (SELECT json_array(k.earlier_click, k.asn) FROM clicks AS k WHERE k.namespace = conversions.namespace \
          AND k.time = conversions.clicked_at AND k.click_id = conversions.click_id) AS traces, \
         (SELECT json_group_array(o.conversion_id) FROM doubts AS d CROSS JOIN doubts AS o INDEXED BY doubts_address \
          CROSS JOIN conversions AS v ON v.namespace = o.namespace AND v.conversion_id = o.conversion_id \
          WHERE d.namespace = conversions.namespace AND d.conversion_id = conversions.conversion_id \
          AND o.namespace = d.namespace AND o.campaign_id = d.campaign_id AND o.address = d.address \
          AND o.received_at BETWEEN d.received_at - (new.value ->> 2) AND d.received_at + (new.value ->> 2) \
          AND v.click_id <> conversions.click_id) AS neighbours, \
         EXISTS (SELECT 1 FROM changes AS h WHERE h.namespace = conversions.namespace \
          AND h.conversion_id = conversions.conversion_id AND h.key_id IS NOT NULL) AS has_operator \
         FROM json_each(?1) AS new CROSS JOIN conversions \
         WHERE conversions.namespace = new.value ->> 0 AND conversions.conversion_id = new.value ->> 1 \
         AND EXISTS (SELECT 1 FROM doubts AS d WHERE d.namespace = conversions.namespace \
          AND d.conversion_id = conversions.conversion_id AND d.examined_at IS NULL) \
         ORDER BY received_at, conversion_id"
    )
}

/// A finding stands only beside the revision that it is about; a change's own, if it made one.
const FOUND: &str = "UPDATE doubts SET examined_at = ?2, finding = new.value ->> 'finding', \
     address = CASE WHEN new.value ->> 'is_cooled' THEN NULL ELSE doubts.address END \
     FROM json_each(?1) AS new CROSS JOIN conversions AS c \
     WHERE c.namespace = new.value ->> 'namespace' AND c.conversion_id = new.value ->> 'conversion_id' \
     AND c.revision = new.value ->> 'revision' AND c.changed_by IS new.value ->> 'changed_by' \
     AND doubts.namespace = c.namespace AND doubts.conversion_id = c.conversion_id AND doubts.examined_at IS NULL";

/// Of the first namespace of the first day. With several columns compared at once SQLite would go
/// through the whole day. The hashes are base64url, before which `~` comes nowhere.
const FORGET: &str = "WITH first AS (SELECT day, namespace FROM visitor_clicks WHERE day < ?1 ORDER BY day, namespace LIMIT 1) \
     DELETE FROM visitor_clicks WHERE day = (SELECT day FROM first) AND namespace = (SELECT namespace FROM first) \
     AND visitor <= COALESCE((SELECT v.visitor FROM visitor_clicks AS v WHERE v.day = (SELECT day FROM first) \
     AND v.namespace = (SELECT namespace FROM first) ORDER BY v.visitor LIMIT 1 OFFSET ?2), '~')";

/// How many namespaces of a day one call goes through.
const NAMESPACES_FORGOTTEN: usize = 4;

/// Notes that a conversion is to be examined, if the same batch (or an earlier try of it) wrote it.
pub(crate) fn insert(namespace: &Namespace, conversion: &Conversion) -> Statement {
    Statement::new(
        "INSERT INTO doubts (namespace, conversion_id, campaign_id, received_at) SELECT ?1, ?2, ?3, ?4 \
         WHERE EXISTS (SELECT 1 FROM conversions WHERE namespace = ?1 AND conversion_id = ?2 AND request_id = ?5) \
         ON CONFLICT DO NOTHING",
        vec![
            namespace.as_str().into(),
            conversion.conversion_id.as_str().into(),
            conversion.campaign_id.into(),
            conversion.received_at.ms().into(),
            conversion.request_id.as_str().into(),
        ],
    )
}

/// What is known of the doubts about some conversions.
pub(crate) fn of_conversions(namespace: &Namespace, ids: &[Json]) -> Statement {
    Statement::new(
        "SELECT d.conversion_id, d.received_at, d.examined_at, d.finding FROM json_each(?2) AS k \
         CROSS JOIN doubts AS d ON d.namespace = ?1 AND d.conversion_id = k.value",
        vec![namespace.as_str().into(), Json::from(ids.to_vec()).to_string().into()],
    )
}

fn read_doubt(row: &Row) -> Option<Doubt> {
    Some(Doubt {
        namespace: Namespace::parse(row.get("namespace")?.as_str()?)?,
        conversion_id: row.get("conversion_id")?.as_str()?.to_owned(),
        campaign_id: row.get("campaign_id")?.as_u64()?.try_into().ok()?,
    })
}

fn read_doubted(row: &Row) -> Option<Doubted> {
    let text = |value: Option<&Json>| value.and_then(Json::as_str).map(str::to_owned);
    let traces: Option<Json> = match row.get("traces").and_then(Json::as_str) {
        Some(array) => Some(serde_json::from_str(array).ok()?),
        None => None,
    };
    let traces = traces.map(|traces| Traces {
        earlier_click: text(traces.get(0)),
        asn: traces.get(1).and_then(Json::as_u64).and_then(|asn| asn.try_into().ok()),
    });
    Some(Doubted {
        conversion: ConversionRow::read(row)?.conversion()?,
        traces,
        neighbours: json::texts(row.get("neighbours")?.as_str()?),
        has_operator: row.get("has_operator")?.as_u64()? != 0,
    })
}

fn finding_json(namespace: &Namespace, (doubted, finding): &(Doubted, Finding)) -> Json {
    let stands = finding.change.as_ref().map_or(&doubted.conversion, |change| &change.after);
    json!({
        "namespace": namespace.as_str(),
        "conversion_id": stands.conversion_id,
        "revision": stands.revision,
        "changed_by": stands.changed_by,
        "finding": finding.words,
        "is_cooled": finding.is_cooled,
    })
}

impl<D: Database, B: Blobs> Examinations for Stores<D, B> {
    async fn ready(
        &self,
        given_up: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Doubt>, Unavailable> {
        let parameters = vec![given_up.ms().into(), now.ms().into(), (limit as u64).into()];
        let results = self.run(vec![Statement::new(READY, parameters)]).await?;
        Ok(results.iter().flatten().filter_map(read_doubt).collect())
    }

    async fn doubted(
        &self,
        namespace: &Namespace,
        wanted: &[Wanted],
    ) -> Result<Vec<Doubted>, Unavailable> {
        let list = wanted.iter().map(|(id, cool_ms)| json!([namespace.as_str(), id, cool_ms]));
        let list = Json::Array(list.collect()).to_string();
        let mut statements = Vec::new();
        if wanted.iter().any(|(_, cool_ms)| *cool_ms > 0) {
            statements.push(Statement::new(CLAIM, vec![list.as_str().into()]));
        }
        statements.push(Statement::new(doubted(), vec![list.into()]));
        let results = self.run(statements).await?;
        let rows = results.last().into_iter().flatten();
        // A row of a later version stays to be examined; it must not stop the others.
        let read = |row: &Row| {
            let doubted = read_doubted(row);
            if doubted.is_none() {
                (self.log)("doubts: a conversion cannot be read, and is not examined");
            }
            doubted
        };
        Ok(rows.filter_map(read).collect())
    }

    async fn settle_doubts(
        &self,
        namespace: &Namespace,
        findings: &[(Doubted, Finding)],
        deliveries: &[Delivery],
        signature: &Signature<'_>,
    ) -> Result<(), Unavailable> {
        let changes: Vec<Change> =
            findings.iter().filter_map(|(_, finding)| finding.change.clone()).collect();
        let mut statements = Vec::new();
        if !changes.is_empty() {
            statements.extend(changes::make(namespace, &changes, signature, false));
            let (name, now) = (signature.request_id, signature.at);
            statements.extend(delivery_rows::insert_beside(namespace, deliveries, name, now));
        }
        let list = findings.iter().map(|finding| finding_json(namespace, finding));
        let list = Json::Array(list.collect()).to_string();
        statements.push(Statement::new(FOUND, vec![list.into(), signature.at.ms().into()]));
        self.run(statements).await.map(|_| ())
    }

    async fn forget_visitors(&self, day: u64, limit: u32) -> Result<(), Unavailable> {
        let statement = || Statement::new(FORGET, vec![day.into(), limit.into()]);
        self.run((0..NAMESPACES_FORGOTTEN).map(|_| statement()).collect()).await.map(|_| ())
    }
}

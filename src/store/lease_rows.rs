//! The outbox as SQL, from the side of who sends. Guards stand in the statements: what is leased
//! by somebody else is neither found nor finished.

use serde_json::{Value as Json, json};

use super::connector_rows::matching;
use super::{Blobs, Database, Row, Statement, Stores, json};
use crate::app::leases::{
    Becomes, Claimed, ClickDetails, Connector, Due, Finished, Known, Leases, Look, Place, Receiver,
    Report,
};
use crate::app::ports::Unavailable;
use crate::domain::connector::Mode;
use crate::domain::delivery::State;
use crate::domain::delivery::circuit::Trouble;
use crate::domain::delivery::standard_webhooks::{SecretName, Secrets};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// From connector to connector along the index, two searches each, however much waits for one of
/// them. The first row is the place itself, which is not looked at.
const LOOK: &str = "WITH RECURSIVE pair (namespace, connector_id, n) AS (SELECT ?1, ?2, 0 UNION ALL SELECT \
     (SELECT d.namespace FROM deliveries AS d INDEXED BY deliveries_due WHERE d.due_at IS NOT NULL \
      AND (d.namespace, d.connector_id) > (pair.namespace, pair.connector_id) ORDER BY d.namespace, d.connector_id LIMIT 1), \
     (SELECT d.connector_id FROM deliveries AS d INDEXED BY deliveries_due WHERE d.due_at IS NOT NULL \
      AND (d.namespace, d.connector_id) > (pair.namespace, pair.connector_id) ORDER BY d.namespace, d.connector_id LIMIT 1), \
     n + 1 FROM pair WHERE pair.namespace IS NOT NULL AND n < ?4) \
     SELECT p.namespace, p.connector_id, p.n, EXISTS (SELECT 1 FROM deliveries AS d INDEXED BY deliveries_due \
      WHERE d.namespace = p.namespace AND d.connector_id = p.connector_id AND d.kind IN ('webhook', 'pixel') AND d.due_at <= ?3) AS is_due, \
     c.mode, c.affiliate_id, CASE WHEN c.is_webhook_on THEN c.webhook END AS webhook, c.matching, c.secret, c.secret_key, c.former_secret_key, c.rotated_at \
     FROM pair AS p LEFT JOIN connectors AS c ON c.namespace = p.namespace AND c.id = p.connector_id \
     WHERE p.n > 0 AND p.namespace IS NOT NULL ORDER BY p.n";

const TROUBLES: &str = "SELECT r.namespace, r.host, r.failures, r.failing_since, r.paused_until \
     FROM json_each(?1) AS k CROSS JOIN receivers AS r ON r.namespace = k.value ->> 0 AND r.host = k.value ->> 1";

/// Custom domains lead to Backtrail itself.
const OWN: &str = "SELECT DISTINCT h.hostname FROM json_each(?1) AS k CROSS JOIN hosts AS h ON h.hostname = k.value";

/// What was due of a connector is found along the index, then each by its key.
const CLAIM: &str = "UPDATE deliveries SET lease = ?2, due_at = ?3 WHERE (namespace, delivery_id) IN \
     (SELECT d.namespace, d.delivery_id FROM json_each(?1) AS k CROSS JOIN deliveries AS d \
      ON d.namespace = k.value ->> 0 AND d.delivery_id IN (SELECT x.delivery_id FROM deliveries AS x INDEXED BY deliveries_due \
      WHERE x.namespace = k.value ->> 0 AND x.connector_id = k.value ->> 1 AND x.due_at <= ?4 AND x.kind = 'webhook' \
      ORDER BY x.due_at LIMIT ?5)) \
     RETURNING namespace, delivery_id, connector_id, event_name, happened_at, click_id, visitor, is_forced, \
     \"values\", personal, attempts - replayed_after AS attempts, created_at";

const LOG: &str = "INSERT INTO attempts (namespace, delivery_id, attempt, at, method, url, status, duration_ms, error, answer) \
     SELECT d.namespace, d.delivery_id, d.attempts + 1, new.value ->> 5, new.value ->> 6, new.value ->> 7, new.value ->> 8, \
     new.value ->> 9, new.value ->> 10, new.value ->> 11 FROM json_each(?1) AS new CROSS JOIN deliveries AS d \
     WHERE d.namespace = new.value ->> 0 AND d.delivery_id = new.value ->> 1 AND d.lease = ?2 AND new.value ->> 5 IS NOT NULL \
     ON CONFLICT DO NOTHING";

const FINISH: &str = "UPDATE deliveries SET state = new.value ->> 2, due_at = new.value ->> 3, ended_at = new.value ->> 4, \
     lease = NULL, attempts = attempts + (new.value ->> 5 IS NOT NULL), \
     personal = CASE WHEN new.value ->> 4 IS NULL THEN personal END FROM json_each(?1) AS new \
     WHERE deliveries.namespace = new.value ->> 0 AND deliveries.delivery_id = new.value ->> 1 AND deliveries.lease = ?2";

const TROUBLED: &str = "INSERT INTO receivers (namespace, host, failures, failing_since, paused_until) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1) WHERE value ->> 2 IS NOT NULL \
     ON CONFLICT DO UPDATE SET failures = excluded.failures, failing_since = excluded.failing_since, paused_until = excluded.paused_until";

const RECOVERED: &str = "DELETE FROM receivers WHERE (namespace, host) IN \
     (SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE value ->> 2 IS NULL)";

const DISABLE: &str = "UPDATE connectors SET mode = 'disabled', note = new.value ->> 2 FROM json_each(?1) AS new \
     WHERE connectors.namespace = new.value ->> 0 AND connectors.id = new.value ->> 1 AND connectors.mode <> 'disabled'";

fn text(row: &Row, column: &str) -> Option<String> {
    row.get(column)?.as_str().map(str::to_owned)
}

fn time(row: &Row, column: &str) -> Option<Timestamp> {
    row.get(column)?.as_u64().map(Timestamp::from_ms)
}

fn short<T: TryFrom<u64>>(row: &Row, column: &str) -> Option<T> {
    row.get(column)?.as_u64()?.try_into().ok()
}

fn namespace(row: &Row) -> Option<Namespace> {
    Namespace::parse(row.get("namespace")?.as_str()?)
}

/// A connector's signing secrets.
pub(super) fn secrets(row: &Row) -> Option<Secrets> {
    Some(Secrets {
        present: SecretName { number: short(row, "secret")?, key_number: short(row, "secret_key") },
        former_key_number: short(row, "former_secret_key"),
        rotated_at: time(row, "rotated_at"),
    })
}

/// A connector; `None` if it cannot be read, even if only its matching cannot: without that it
/// would send to anybody.
fn connector(row: &Row) -> Option<Connector> {
    Some(Connector {
        mode: Mode::from_word(row.get("mode")?.as_str()?)?,
        webhook: text(row, "webhook"),
        matching: match text(row, "matching") {
            None => None,
            Some(text) => Some(matching(&text)?),
        },
        affiliate_id: short(row, "affiliate_id")?,
        secrets: secrets(row)?,
    })
}

fn is_there(row: &Row) -> bool {
    row.get("mode").is_some_and(|mode| !mode.is_null())
}

/// What is due of one that is there and cannot be read waits until it can be: it counts neither
/// as present nor as removed. Every row of `connectors` has a mode.
fn due(row: &Row) -> Option<Due> {
    let connector = if is_there(row) { Some(connector(row)?) } else { None };
    Some(Due { namespace: namespace(row)?, connector_id: short(row, "connector_id")?, connector })
}

fn claimed(row: &Row) -> Option<Claimed> {
    let pairs = |column| text(row, column).map(|text| json::pairs(&text)).unwrap_or_default();
    Some(Claimed {
        namespace: namespace(row)?,
        delivery_id: text(row, "delivery_id")?,
        connector_id: short(row, "connector_id")?,
        event_name: text(row, "event_name")?,
        happened_at: time(row, "happened_at")?,
        click_id: text(row, "click_id"),
        visitor: text(row, "visitor"),
        is_forced: row.get("is_forced")?.as_u64()? != 0,
        values: pairs("values"),
        personal: pairs("personal"),
        attempts: short(row, "attempts")?,
        created_at: time(row, "created_at")?,
    })
}

fn trouble(row: &Row) -> Option<(Receiver, Trouble)> {
    let trouble = Trouble {
        failures: short(row, "failures")?,
        failing_since: time(row, "failing_since")?,
        paused_until: time(row, "paused_until")?,
    };
    Some(((namespace(row)?, text(row, "host")?), trouble))
}

/// In the order of the statements.
fn finished_json(finished: &Finished, now: Timestamp) -> Json {
    let (state, due_at, ended_at) = match finished.becomes {
        Becomes::Waiting(at) => (State::Waiting, Some(at.ms()), None),
        Becomes::Ended(state) => (state, None, Some(now.ms())),
    };
    let (space, id) = (finished.namespace.as_str(), finished.delivery_id.as_str());
    match &finished.attempt {
        None => json!([space, id, state.as_str(), due_at, ended_at]),
        Some(attempt) => json!([
            space,
            id,
            state.as_str(),
            due_at,
            ended_at,
            attempt.at.ms(),
            attempt.method,
            attempt.url,
            attempt.status,
            attempt.duration_ms,
            attempt.error,
            attempt.answer,
        ]),
    }
}

fn list<T>(items: &[T], item: impl Fn(&T) -> Json) -> super::Value {
    Json::Array(items.iter().map(item).collect()).to_string().into()
}

fn finish(lease: &str, report: &Report, now: Timestamp) -> Vec<Statement> {
    let mut statements = Vec::new();
    if !report.finished.is_empty() {
        let finished = list(&report.finished, |finished| finished_json(finished, now));
        if report.finished.iter().any(|finished| finished.attempt.is_some()) {
            statements.push(Statement::new(LOG, vec![finished.clone(), lease.into()]));
        }
        statements.push(Statement::new(FINISH, vec![finished, lease.into()]));
    }
    if !report.receivers.is_empty() {
        let receivers = list(&report.receivers, |((namespace, host), trouble)| match trouble {
            None => json!([namespace.as_str(), host]),
            Some(Trouble { failures, failing_since, paused_until }) => {
                json!([namespace.as_str(), host, failures, failing_since.ms(), paused_until.ms()])
            }
        });
        statements.push(Statement::new(TROUBLED, vec![receivers.clone()]));
        statements.push(Statement::new(RECOVERED, vec![receivers]));
    }
    if !report.gone.is_empty() {
        let gone = list(&report.gone, |gone| {
            json!([gone.namespace.as_str(), gone.connector_id, gone.note])
        });
        statements.push(Statement::new(DISABLE, vec![gone]));
    }
    statements
}

impl<D: Database, B: Blobs> Leases for Stores<D, B> {
    async fn look(&self, after: &Place, now: Timestamp, limit: usize) -> Result<Look, Unavailable> {
        let (space, id) = after;
        let parameters =
            vec![space.as_str().into(), (*id).into(), now.ms().into(), (limit as u64).into()];
        let rows = self.run(vec![Statement::new(LOOK, parameters)]).await?;
        let rows: Vec<Row> = rows.into_iter().flatten().collect();
        let is_due =
            |row: &&Row| row.get("is_due").and_then(Json::as_u64) == Some(1) || !is_there(row);
        let last = rows.last().filter(|_| rows.len() >= limit);
        let next =
            last.and_then(|row| Some((text(row, "namespace")?, short(row, "connector_id")?)));
        Ok(Look { due: rows.iter().filter(is_due).filter_map(due).collect(), next })
    }

    async fn receivers(&self, receivers: &[Receiver]) -> Result<Known, Unavailable> {
        if receivers.is_empty() {
            return Ok(Known::default());
        }
        let keys = list(receivers, |(namespace, host)| json!([namespace.as_str(), host]));
        let hosts = list(receivers, |(_, host)| host.split(':').next().into());
        let statements =
            vec![Statement::new(TROUBLES, vec![keys]), Statement::new(OWN, vec![hosts])];
        let results = self.run(statements).await?;
        let rows = |place: usize| results.get(place).into_iter().flatten();
        Ok(Known {
            troubled: rows(0).filter_map(trouble).collect(),
            own_hosts: rows(1).filter_map(|row| text(row, "hostname")).collect(),
        })
    }

    async fn claim(
        &self,
        connectors: &[(Namespace, u32)],
        most_each: usize,
        lease: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Claimed>, Unavailable> {
        if connectors.is_empty() {
            return Ok(vec![]);
        }
        let parameters = vec![
            list(connectors, |(namespace, id)| json!([namespace.as_str(), id])),
            lease.into(),
            until.ms().into(),
            now.ms().into(),
            (most_each as u64).into(),
        ];
        let rows = self.run(vec![Statement::new(CLAIM, parameters)]).await?;
        Ok(rows.iter().flatten().filter_map(claimed).collect())
    }

    async fn click_details(
        &self,
        clicks: &[(Namespace, String)],
        goes_on: &dyn Fn() -> bool,
    ) -> Result<ClickDetails, Unavailable> {
        super::click_details::read(self, clicks, goes_on).await
    }

    async fn finish(
        &self,
        lease: &str,
        report: &Report,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let statements = finish(lease, report, now);
        if statements.is_empty() {
            return Ok(());
        }
        self.run(statements).await.map(|_| ())
    }
}

//! The catalogue as SQL. Every column and table name comes from the constant tables of
//! `app/catalog/resources.rs`; every value is bound.

mod read;
mod write;

use std::collections::VecDeque;

use serde_json::Value as Json;

use super::{Blobs, Database, DatabaseFault, Row, Statement, Stores, json};
use crate::app::access::{Credentials, Doorkeeper, Scope};
use crate::app::catalog::resource::{Record, Removal};
use crate::app::catalog::{Catalog, Created, Draft, Place, Selection, WriteFault};
use crate::app::ports::Unavailable;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

impl<D: Database, B: Blobs> Catalog for Stores<D, B> {
    async fn list(
        &self,
        place: Place<'_>,
        selection: &Selection,
    ) -> Result<Vec<Record>, Unavailable> {
        let rows = self.run(vec![read::list(place, selection)]).await?;
        Ok(records(rows.into_iter().next()))
    }

    async fn find(&self, place: Place<'_>, key: &Json) -> Result<Option<Record>, Unavailable> {
        let rows = self.run(vec![read::one(place, key)]).await?;
        Ok(records(rows.into_iter().next()).into_iter().next())
    }

    async fn create(&self, draft: &Draft<'_>) -> Result<Created, WriteFault> {
        let mut rows = VecDeque::from(self.write(write::create(draft)).await?);
        let objects = records(rows.pop_back());
        let Some(named) = draft.idempotency else {
            return Ok(Created::Objects { records: objects, attempt: draft.attempt.to_owned() });
        };
        let name = records(rows.pop_back()).into_iter().next().unwrap_or_default();
        let text = |column: &str| name.get(column).and_then(Json::as_str).unwrap_or_default();
        if text("fingerprint") == named.fingerprint {
            Ok(Created::Objects { records: objects, attempt: text("request_id").to_owned() })
        } else {
            Ok(Created::NameReused)
        }
    }

    async fn dangling(&self, draft: &Draft<'_>, column: &str) -> Result<Vec<usize>, Unavailable> {
        self.places(write::dangling(draft, column)).await
    }

    async fn taken(&self, draft: &Draft<'_>) -> Result<Vec<usize>, Unavailable> {
        self.places(write::taken(draft)).await
    }

    async fn change(
        &self,
        place: Place<'_>,
        key: &Json,
        changes: &Record,
    ) -> Result<Option<Record>, WriteFault> {
        let mut rows = self.write(write::change(place, key, changes)).await?;
        Ok(records(rows.pop()).into_iter().next())
    }

    async fn remove(
        &self,
        place: Place<'_>,
        key: &Json,
        now: Timestamp,
    ) -> Result<Option<Record>, WriteFault> {
        let removal = match place.resource.removal {
            Removal::Refused => return Ok(None),
            Removal::Deleted => write::delete(place, key),
            Removal::Revoked => write::revoke(place, key, now),
        };
        let mut statements = vec![read::one(place, key)];
        statements.extend(write::cancelled(place, key, now));
        statements.push(removal);
        let rows = self.write(statements).await?;
        Ok(records(rows.into_iter().next()).into_iter().next())
    }
}

impl<D: Database, B: Blobs> Doorkeeper for Stores<D, B> {
    async fn credentials(
        &self,
        key_hash: &str,
        host: &str,
        named: Option<&Namespace>,
    ) -> Result<Credentials, Unavailable> {
        let named = named.map_or("", Namespace::as_str);
        let statements = vec![
            Statement::new(
                "SELECT id, namespace, scopes FROM keys WHERE hash = ?1 AND revoked_at IS NULL",
                vec![key_hash.into()],
            ),
            Statement::new("SELECT namespace FROM hosts WHERE hostname = ?1", vec![host.into()]),
            Statement::new("SELECT name FROM namespaces WHERE name = ?1", vec![named.into()]),
        ];
        let mut rows = self.run(statements).await?.into_iter().map(|rows| records(Some(rows)));
        let mut first = || rows.next().and_then(|rows| rows.into_iter().next());
        let (key, host, namespace) = (first(), first(), first());
        let owner = |record: &Record| record.get("namespace")?.as_str().and_then(Namespace::parse);
        Ok(Credentials {
            key_id: key.as_ref().and_then(|record| record.get("id")?.as_u64()),
            key: key.and_then(|record| Some((owner(&record)?, scopes(&record)))),
            host_owner: host.and_then(|record| owner(&record)),
            is_namespace_known: namespace.is_some(),
        })
    }
}

fn scopes(record: &Record) -> Vec<Scope> {
    let words = json::texts(record.get("scopes").and_then(Json::as_str).unwrap_or_default());
    words.iter().filter_map(|word| Scope::from_word(word)).collect()
}

impl<D: Database, B: Blobs> Stores<D, B> {
    /// The places of objects of a list.
    async fn places(&self, statement: Option<Statement>) -> Result<Vec<usize>, Unavailable> {
        let Some(statement) = statement else { return Ok(vec![]) };
        let rows = self.run(vec![statement]).await?.into_iter().flatten();
        let place = |row: Row| row.get("place")?.as_u64().and_then(|n| usize::try_from(n).ok());
        Ok(rows.filter_map(place).collect())
    }

    /// Runs statements of which a constraint may refuse some.
    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, WriteFault> {
        self.database.batch(statements).await.map_err(|fault| {
            let (DatabaseFault::Unavailable(text) | DatabaseFault::Constraint(text)) = &fault;
            let known = meaning(&fault);
            if matches!(known, WriteFault::Unavailable | WriteFault::Refused) {
                (self.log)(&format!("catalog: {text}"));
            }
            known
        })
    }
}

pub(super) fn records(rows: Option<Vec<Row>>) -> Vec<Record> {
    let object = |row| match row {
        Json::Object(record) => Some(record),
        _ => None,
    };
    rows.unwrap_or_default().into_iter().filter_map(object).collect()
}

/// What a fault means. `NOT NULL` is how a guard of `write` fails: what it looked for is not there.
fn meaning(fault: &DatabaseFault) -> WriteFault {
    let DatabaseFault::Constraint(text) = fault else { return WriteFault::Unavailable };
    // The last column named is the telling one: `…failed: affiliates.namespace, affiliates.custom_id`.
    let column = |marker: &str| {
        let (_, columns) = text.split_once(marker)?;
        let last = columns.split([':', '\n']).next()?.rsplit(',').next()?;
        Some(last.rsplit('.').next()?.trim().to_owned())
    };
    if let Some(column) = column("UNIQUE constraint failed: ") {
        return WriteFault::Taken(column);
    }
    column("NOT NULL constraint failed: ").map_or(WriteFault::Refused, WriteFault::Missing)
}

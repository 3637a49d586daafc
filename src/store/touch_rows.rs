//! Touches and contact data of visitors, as rows, and what a namespace's copy says of its connectors.

use serde_json::{Value as Json, json};

use super::connector_rows::matching;
use super::json::{object, pairs, texts};
use super::row::{Read as _, rows};
use super::{Blobs, Database, Row, Statement, Stores};
use crate::app::ports::Unavailable;
use crate::app::touches::{Known, Sighting, Touches, Trail};
use crate::domain::configuration::Tracking;
use crate::domain::connector::Matching;
use crate::domain::erasure::name_of_click;
use crate::domain::namespace::Namespace;
use crate::domain::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::domain::touch::{KEPT_MS, Touch};

/// For so long contact data are kept.
const CONTACT_KEPT_MS: u64 = 30 * DAY_MS;
/// A repeat of a report comes within this time; what comes later is another arrival.
const REPEAT_MS: u64 = 10 * MINUTE_MS;

/// What a namespace's copy says of its connectors. A thousand affiliates who ask for the same
/// parameter are one line of it.
macro_rules! connectors_of_namespace {
    () => {
        "(SELECT json_group_array(DISTINCT matching) FROM connectors INDEXED BY connectors_matching \
          WHERE connectors.namespace = ?1 AND matching IS NOT NULL AND mode <> 'disabled') AS matchings, \
         EXISTS (SELECT 1 FROM connectors INDEXED BY connectors_pixel \
          WHERE connectors.namespace = ?1 AND is_pixel_on = 1 AND mode <> 'disabled') AS has_pixels, \
         EXISTS (SELECT 1 FROM connectors INDEXED BY connectors_personal \
          WHERE connectors.namespace = ?1 AND is_personal = 1 AND mode <> 'disabled') AS names_persons, "
    };
}
pub(super) use connectors_of_namespace;

/// What the site script of a namespace keeps. Copies that an earlier version wrote say nothing.
pub(super) fn tracking(
    matchings: Option<&str>,
    has_pixels: Option<u8>,
    names_persons: Option<u8>,
) -> Tracking {
    let texts = matchings.map(texts).unwrap_or_default();
    Tracking {
        matchings: texts.iter().filter_map(|text| matching(text)).collect(),
        has_pixels: has_pixels == Some(1),
        names_persons: names_persons == Some(1),
    }
}

/// That none of the clicks of ?4 was erased.
const IS_NOBODY_ERASED: &str = "NOT EXISTS (SELECT 1 FROM json_each(?4) AS k CROSS JOIN erased_persons AS e \
     ON e.namespace = ?1 AND e.person = k.value)";

/// The visitors who brought some clicks (?2).
macro_rules! who_brought {
    () => {
        "SELECT o.visitor FROM json_each(?2) AS k CROSS JOIN touches AS o INDEXED BY touches_own \
         ON o.namespace = ?1 AND o.parameter = '' AND o.value = k.value"
    };
}

/// Erases the contact data of those who brought some clicks.
pub(super) const ERASE_VISITORS: &str =
    concat!("DELETE FROM visitors WHERE namespace = ?1 AND visitor IN (", who_brought!(), ")");
/// Erases all their touches, by which they were found.
pub(super) const ERASE_TOUCHES: &str =
    concat!("DELETE FROM touches WHERE namespace = ?1 AND visitor IN (", who_brought!(), ")");

/// Of whom something is asked: the visitor at 0, else the first who brought the click at 1.
const WHO: &str = "COALESCE(k.value ->> 0, (SELECT o.visitor FROM touches AS o INDEXED BY touches_own \
     WHERE o.namespace = k.value ->> 2 AND o.parameter = '' AND o.value = k.value ->> 1 ORDER BY o.recorded_at, o.visitor LIMIT 1))";

rows! {
    struct TouchRow {
        place: u32,
        parameter: String,
        value: String,
        at: u64,
        sources: String,
    }
    struct ContactRow {
        place: u32,
        contact: String,
    }
}

fn insert_touches(namespace: &Namespace, sighting: &Sighting<'_>, names: &str) -> [Statement; 2] {
    let list: Vec<Json> = sighting
        .touches
        .iter()
        .map(|touch| {
            let sources = touch.sources.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            json!([touch.parameter, touch.value, touch.at.ms(), object(sources)])
        })
        .collect();
    let whose = || vec![namespace.as_str().into(), sighting.visitor.into()];
    let mut of_insert = whose();
    of_insert.push(Json::Array(list).to_string().into());
    of_insert.push(names.into());
    of_insert.push(sighting.at.ms().into());
    let insert = Statement::new(
        format!(
            "INSERT INTO touches (namespace, visitor, parameter, value, at, sources, recorded_at) \
             SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?5 FROM json_each(?3) \
             WHERE {IS_NOBODY_ERASED} ON CONFLICT (namespace, visitor, parameter, value) \
             DO UPDATE SET at = excluded.at, sources = excluded.sources WHERE excluded.at > touches.at + {REPEAT_MS}"
        ),
        of_insert,
    );
    let oldest = Statement::new(
        "DELETE FROM touches WHERE namespace = ?1 AND visitor = ?2 AND (parameter, value) IN \
         (SELECT t.parameter, t.value FROM touches AS t WHERE t.namespace = ?1 AND t.visitor = ?2 \
          ORDER BY t.at DESC, t.parameter, t.value LIMIT -1 OFFSET 50)",
        whose(),
    );
    [insert, oldest]
}

fn insert_contact(namespace: &Namespace, sighting: &Sighting<'_>, names: &str) -> Statement {
    let contact = sighting.contact.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // What is said again is written once a day, so that it is kept for 30 days from then on.
    Statement::new(
        format!(
            "INSERT INTO visitors (namespace, visitor, contact, kept_at) SELECT ?1, ?2, ?3, ?5 \
             WHERE {IS_NOBODY_ERASED} ON CONFLICT (namespace, visitor) \
             DO UPDATE SET contact = json_patch(visitors.contact, excluded.contact), kept_at = excluded.kept_at \
             WHERE json_patch(visitors.contact, excluded.contact) <> visitors.contact \
             OR excluded.kept_at > visitors.kept_at + {DAY_MS}"
        ),
        vec![
            namespace.as_str().into(),
            sighting.visitor.into(),
            object(contact).into(),
            names.into(),
            sighting.at.ms().into(),
        ],
    )
}

/// The two `SELECT`s that tell what is known: touches, then contact data.
pub(super) fn select_known(of: &[Trail]) -> [Statement; 2] {
    let item = |trail: &Trail| json!([trail.visitor, trail.click_id, trail.namespace.as_str()]);
    let list = Json::Array(of.iter().map(item).collect()).to_string();
    let select = |columns: &str, table: &str, order: &str| {
        Statement::new(
            format!(
                "SELECT k.key AS place, {columns} FROM json_each(?1) AS k CROSS JOIN {table} AS t \
                 ON t.namespace = k.value ->> 2 AND t.visitor = {WHO}{order}"
            ),
            vec![list.as_str().into()],
        )
    };
    [
        select("t.parameter, t.value, t.at, t.sources", "touches", " ORDER BY t.at DESC"),
        select("t.contact", "visitors", ""),
    ]
}

/// What [`select_known`] found.
pub(super) fn read_known(
    of: &[Trail],
    touches: Option<&Vec<Row>>,
    contacts: Option<&Vec<Row>>,
) -> Option<Vec<Known>> {
    let mut known = vec![Known::default(); of.len()];
    for row in touches.into_iter().flatten() {
        let row = TouchRow::read(row)?;
        let place = known.get_mut(usize::try_from(row.place).ok()?)?;
        place.touches.push(Touch {
            at: Timestamp::from_ms(row.at),
            parameter: row.parameter,
            value: row.value,
            sources: pairs(&row.sources),
        });
    }
    for row in contacts.into_iter().flatten() {
        let row = ContactRow::read(row)?;
        known.get_mut(usize::try_from(row.place).ok()?)?.contact = pairs(&row.contact);
    }
    Some(known)
}

impl<D: Database, B: Blobs> Touches for Stores<D, B> {
    async fn keep_touches(
        &self,
        namespace: &Namespace,
        sighting: &Sighting<'_>,
    ) -> Result<(), Unavailable> {
        let own = sighting.touches.iter().filter(|touch| touch.is_own());
        let clicks = own.map(|touch| touch.value.as_str()).chain(sighting.click_id);
        let names: Vec<Json> = clicks.filter_map(name_of_click).map(Json::from).collect();
        let names = Json::Array(names).to_string();
        let mut statements = Vec::new();
        if !sighting.touches.is_empty() {
            statements.extend(insert_touches(namespace, sighting, &names));
        }
        if !sighting.contact.is_empty() {
            statements.push(insert_contact(namespace, sighting, &names));
        }
        match statements.is_empty() {
            true => Ok(()),
            false => self.run(statements).await.map(|_| ()),
        }
    }

    async fn known(&self, of: &[Trail]) -> Result<Vec<Known>, Unavailable> {
        let results = self.run(select_known(of).into()).await?;
        read_known(of, results.first(), results.get(1)).ok_or(Unavailable)
    }

    async fn matchings(
        &self,
        namespaces: &[Namespace],
    ) -> Result<Vec<(Namespace, Matching)>, Unavailable> {
        let names: Vec<Json> = namespaces.iter().map(|name| Json::from(name.as_str())).collect();
        let statement = Statement::new(
            "SELECT DISTINCT c.namespace, c.matching FROM json_each(?1) AS k \
             CROSS JOIN connectors AS c INDEXED BY connectors_matching ON c.namespace = k.value \
             WHERE c.matching IS NOT NULL AND c.mode <> 'disabled'",
            vec![Json::Array(names).to_string().into()],
        );
        let results = self.run(vec![statement]).await?;
        let read = |row: &Row| {
            let namespace = Namespace::parse(row.get("namespace")?.as_str()?)?;
            Some((namespace, matching(row.get("matching")?.as_str()?)?))
        };
        Ok(results.iter().flatten().filter_map(read).collect())
    }

    async fn forget_touches(&self, now: Timestamp, limit: u32) -> Result<(), Unavailable> {
        let before = |kept_ms| now.ms().saturating_sub(kept_ms);
        let touches = Statement::new(
            "DELETE FROM touches WHERE (namespace, visitor, parameter, value) IN \
             (SELECT namespace, visitor, parameter, value FROM touches INDEXED BY touches_time WHERE at < ?1 LIMIT ?2)",
            vec![before(KEPT_MS).into(), limit.into()],
        );
        let contacts = Statement::new(
            "DELETE FROM visitors WHERE (namespace, visitor) IN \
             (SELECT namespace, visitor FROM visitors INDEXED BY visitors_time WHERE kept_at < ?1 LIMIT ?2)",
            vec![before(CONTACT_KEPT_MS).into(), limit.into()],
        );
        self.run(vec![touches, contacts]).await.map(|_| ())
    }
}

//! Pixels that wait, as rows.

use serde_json::{Value as Json, json};

use super::connector_rows::matching;
use super::json::pairs;
use super::row::{Read as _, rows};
use super::touch_rows::{read_known, select_known};
use super::{Blobs, Database, Row, Statement, Stores};
use crate::app::leases::{ClickDetails, Leases as _};
use crate::app::pixels::{Ended, Pixels};
use crate::app::ports::Unavailable;
use crate::app::touches::{Known, Trail};
use crate::domain::connector::Mode;
use crate::domain::delivery::pixel::WaitingPixel;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// Columns and conditions that both ways to a pixel share; ?3 is the time.
macro_rules! waiting {
    ($brought_at:literal, $from:literal, $of:literal) => {
        concat!(
            "SELECT d.delivery_id, d.event_name, d.happened_at, d.created_at, d.click_id, d.is_forced, \
             d.\"values\" AS said, d.personal, c.mode, c.pixel, c.approval, c.matching, ",
            $brought_at,
            " AS brought_at FROM ",
            $from,
            " CROSS JOIN connectors AS c ON c.namespace = ?1 AND c.id = d.connector_id \
             WHERE d.namespace = ?1 AND d.kind = 'pixel' AND d.state = 'waiting' AND d.due_at > ?3 \
             AND c.mode <> 'disabled' AND c.is_pixel_on = 1 AND ",
            $of
        )
    };
}

/// The touches of the visitor that are Backtrail's own clicks lead to pixels that no browser
/// reported; a click is of the first who brought it.
const WAITING: &str = concat!(
    "SELECT * FROM (",
    waiting!(
        "NULL",
        "deliveries AS d INDEXED BY pixels_of_visitor",
        "d.visitor IS NOT NULL AND d.visitor = ?2"
    ),
    " UNION ALL ",
    waiting!(
        "t.recorded_at",
        "touches AS t CROSS JOIN deliveries AS d INDEXED BY pixels_of_click",
        "t.namespace = ?1 AND t.visitor = ?2 AND t.parameter = '' AND d.visitor IS NULL AND d.click_id IS NOT NULL \
         AND d.click_id = t.value AND NOT EXISTS (SELECT 1 FROM touches AS o INDEXED BY touches_own \
         WHERE o.namespace = ?1 AND o.parameter = '' AND o.value = t.value AND o.recorded_at < t.recorded_at)"
    ),
    ") ORDER BY delivery_id LIMIT 20"
);

const LOG: &str = "INSERT INTO attempts (namespace, delivery_id, attempt, at, method, url, error) \
     SELECT ?1, d.delivery_id, d.attempts + 1, ?3, 'PIXEL', new.value ->> 3, new.value ->> 4 FROM json_each(?2) AS new \
     CROSS JOIN deliveries AS d ON d.namespace = ?1 AND d.delivery_id = new.value ->> 1 \
     WHERE d.state = 'waiting' AND d.kind = 'pixel' AND new.value ->> 3 IS NOT NULL ON CONFLICT DO NOTHING";

/// Each item names its namespace, or SQLite would go through all of it.
const END: &str = "UPDATE deliveries SET state = new.value ->> 2, due_at = NULL, ended_at = ?3, lease = NULL, \
     personal = NULL, attempts = attempts + (new.value ->> 3 IS NOT NULL) FROM json_each(?2) AS new \
     WHERE deliveries.namespace = new.value ->> 0 AND deliveries.delivery_id = new.value ->> 1 \
     AND deliveries.state = 'waiting' AND deliveries.kind = 'pixel' RETURNING deliveries.delivery_id";

rows! {
    struct PixelRow {
        delivery_id: String,
        event_name: String,
        happened_at: u64,
        created_at: u64,
        click_id: Option<String>,
        is_forced: u8,
        said: String,
        personal: Option<String>,
        mode: String,
        pixel: Option<String>,
        approval: Option<String>,
        matching: Option<String>,
        brought_at: Option<u64>,
    }
}

impl PixelRow {
    fn value(self) -> Option<WaitingPixel> {
        let matching = match self.matching {
            Some(text) => Some(matching(&text)?),
            None => None,
        };
        Some(WaitingPixel {
            delivery_id: self.delivery_id,
            event_name: self.event_name,
            happened_at: Timestamp::from_ms(self.happened_at),
            created_at: Timestamp::from_ms(self.created_at),
            click_id: self.click_id,
            is_forced: self.is_forced != 0,
            values: pairs(&self.said),
            personal: self.personal.as_deref().map(pairs).unwrap_or_default(),
            mode: Mode::from_word(&self.mode)?,
            pixel: self.pixel?,
            approval: self.approval,
            matching,
            brought_at: self.brought_at.map(Timestamp::from_ms),
        })
    }
}

impl<D: Database, B: Blobs> Pixels for Stores<D, B> {
    async fn waiting_pixels(
        &self,
        namespace: &Namespace,
        visitor: &str,
        now: Timestamp,
    ) -> Result<(Vec<WaitingPixel>, Known), Unavailable> {
        let parameters = vec![namespace.as_str().into(), visitor.into(), now.ms().into()];
        let (namespace, visitor) = (namespace.clone(), Some(visitor.to_owned()));
        let of = [Trail { namespace, visitor, click_id: None }];
        let mut statements = vec![Statement::new(WAITING, parameters)];
        statements.extend(select_known(&of));
        let results = self.run(statements).await?;
        let mut known = read_known(&of, results.get(1), results.get(2)).ok_or(Unavailable)?;
        let rows = results.first().into_iter().flatten();
        // One that cannot be read goes on waiting, and is shown as one that nobody fetched.
        let waiting = rows.filter_map(|row| PixelRow::read(row)?.value()).collect();
        Ok((waiting, known.pop().unwrap_or_default()))
    }

    async fn end_pixels(
        &self,
        namespace: &Namespace,
        ended: &[Ended],
        now: Timestamp,
    ) -> Result<Vec<String>, Unavailable> {
        let item = |end: &Ended| {
            json!([namespace.as_str(), end.delivery_id, end.state.as_str(), end.shown, end.error])
        };
        let list = Json::Array(ended.iter().map(item).collect()).to_string();
        let parameters = vec![namespace.as_str().into(), list.into(), now.ms().into()];
        let statements = [LOG, END].map(|sql| Statement::new(sql, parameters.clone()));
        let results = self.run(statements.into()).await?;
        let id = |row: &Row| row.get("delivery_id")?.as_str().map(str::to_owned);
        Ok(results.last().into_iter().flatten().filter_map(id).collect())
    }

    async fn details_of_clicks(
        &self,
        namespace: &Namespace,
        click_ids: &[String],
    ) -> Result<ClickDetails, Unavailable> {
        let clicks: Vec<(Namespace, String)> =
            click_ids.iter().map(|id| (namespace.clone(), id.clone())).collect();
        self.click_details(&clicks, &|| true).await
    }
}

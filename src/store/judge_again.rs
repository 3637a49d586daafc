//! Refused rows of the inbox, a few at a time.

use super::inbox_row::{InboxRow, READ};
use super::row::Read as _;
use super::{Blobs, Database, Row, Statement, Stores};
use crate::app::judge_again::{Filter, Refused, RefusedPage};
use crate::app::ports::Unavailable;
use crate::domain::namespace::Namespace;

/// So many refused requests are looked through at once, so that a filter that fits few of them is
/// bounded as well. They stand in an index of their own, with what is filtered by.
const WINDOW: u32 = 2_000;

const BETWEEN: &str = "FROM inbox INDEXED BY inbox_refused \
     WHERE namespace = ?1 AND verdict = 'rejected' AND request_id > ?2 AND request_id < ?3 ORDER BY request_id";

impl<D: Database, B: Blobs> Refused for Stores<D, B> {
    async fn refused(
        &self,
        namespace: &Namespace,
        filter: &Filter,
        (after, before): (&str, &str),
        limit: usize,
    ) -> Result<RefusedPage, Unavailable> {
        let place = vec![namespace.as_str().into(), after.into(), before.into(), WINDOW.into()];
        let mut parameters = place.clone();
        parameters.extend([
            filter.reason.map(|reason| reason.as_str()).into(),
            filter.campaign_id.into(),
            (limit as u64).into(),
        ]);
        // Parameters that are null filter nothing.
        let rows = format!(
            "SELECT {READ} FROM inbox WHERE namespace = ?1 AND request_id IN (\
             SELECT id FROM (SELECT request_id AS id, reason, campaign_id {BETWEEN} LIMIT ?4) \
             WHERE (?5 IS NULL OR reason = ?5) AND (?6 IS NULL OR campaign_id = ?6) \
             ORDER BY id LIMIT ?7) ORDER BY request_id"
        );
        let rows = self.run(vec![Statement::new(rows, parameters)]).await?;
        let rows = rows.into_iter().next().unwrap_or_default();
        let found = rows.len();
        // A row of a later version stays as it is; it must not stop the others.
        let entry = |row: &Row| {
            let entry = InboxRow::read(row).and_then(InboxRow::entry);
            if entry.is_none() {
                (self.log)("inbox: a refused row cannot be read, and is not judged again");
            }
            entry
        };
        let entries = rows.iter().filter_map(entry).collect();
        let looked_until = if found < limit {
            let last = format!("SELECT request_id {BETWEEN} LIMIT 1 OFFSET ?4 - 1");
            self.row(Statement::new(last, place)).await?
        } else {
            rows.into_iter().next_back()
        };
        let name = |row: Row| row.get("request_id")?.as_str().map(str::to_owned);
        Ok(RefusedPage { entries, looked_until: looked_until.and_then(name) })
    }
}

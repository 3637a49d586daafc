//! The copies of configuration after a write of the API.

use super::{Blobs, Database, Statement, Stores, keys, settings_rows};
use crate::app::memory::Wanted;
use crate::app::ports::{ConfigurationCopies, Unavailable};
use crate::domain::time::Timestamp;

impl<D: Database, B: Blobs> ConfigurationCopies for Stores<D, B> {
    async fn changed(&self, what: &[Wanted], now: Timestamp) {
        for wanted in what {
            self.memory.edits.note(wanted, now);
        }
        let Ok(rows) = self.run(what.iter().map(settings_rows::select).collect()).await else {
            for wanted in what {
                self.forget_everywhere(wanted, now).await;
            }
            return;
        };
        for (wanted, rows) in what.iter().zip(rows) {
            match rows.first() {
                Some(row) if self.remember(wanted, Some(row), now) => {
                    // Writes and removals have quotas of their own, so one may work without the other.
                    if !self.write_copy(wanted, row, now).await {
                        self.remove_copy(wanted, now).await;
                    }
                }
                _ => self.forget_everywhere(wanted, now).await,
            }
        }
    }

    fn appeared(&self, what: &[Wanted]) {
        for wanted in what {
            self.memory.forget(wanted);
        }
    }

    async fn remove_stale(&self, limit: usize) -> Result<(), Unavailable> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let select = Statement::new(
            "SELECT key FROM stale_copies ORDER BY noted_at LIMIT ?1",
            vec![limit.into()],
        );
        let results = self.run(vec![select]).await?;
        let mut forget = Vec::new();
        for row in results.iter().flatten() {
            let Some(key) = row.get("key").and_then(serde_json::Value::as_str) else { continue };
            self.blobs.delete(key).await.map_err(|_| Unavailable)?;
            let sql = "DELETE FROM stale_copies WHERE key = ?1";
            forget.push(Statement::new(sql, vec![key.into()]));
        }
        if forget.is_empty() { Ok(()) } else { self.run(forget).await.map(|_| ()) }
    }
}

impl<D: Database, B: Blobs> Stores<D, B> {
    /// Without a copy the next reader asks the ledger.
    async fn forget_everywhere(&self, wanted: &Wanted, now: Timestamp) {
        self.memory.forget(wanted);
        self.remove_copy(wanted, now).await;
    }

    /// Removes a copy that is behind. If that fails the ledger remembers it for the cron job; if
    /// that fails as well, the copy is read again within a day because of its age.
    async fn remove_copy(&self, wanted: &Wanted, now: Timestamp) {
        let key = keys::configuration(wanted);
        if let Err(fault) = self.blobs.delete(&key).await {
            (self.log)(&format!("configuration copy: {}", fault.0));
            let sql =
                "INSERT INTO stale_copies (key, noted_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let note = Statement::new(sql, vec![key.into(), now.ms().into()]);
            let _ = self.run(vec![note]).await;
        }
    }
}

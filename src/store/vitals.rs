//! How the stores are, and when the cron job last ran.

use super::{Blobs, Database, Statement, Stores};
use crate::app::ports::{Unavailable, Vitals};
use crate::domain::time::Timestamp;

impl<D: Database, B: Blobs> Vitals for Stores<D, B> {
    async fn ledger_answers(&self) -> bool {
        self.run(vec![Statement::new("SELECT 1 AS one FROM heartbeats LIMIT 1", Vec::new())])
            .await
            .is_ok()
    }

    async fn copies_answer(&self) -> bool {
        self.blobs.get("health").await.is_ok()
    }

    async fn note_cron_run(&self, now: Timestamp) -> Result<(), Unavailable> {
        let statement = Statement::new(
            "INSERT INTO heartbeats (name, at) VALUES ('cron', ?1) \
             ON CONFLICT (name) DO UPDATE SET at = MAX(at, excluded.at)",
            vec![now.ms().into()],
        );
        self.run(vec![statement]).await.map(|_| ())
    }

    async fn last_cron_run(&self) -> Result<Option<Timestamp>, Unavailable> {
        let row = self
            .row(Statement::new("SELECT at FROM heartbeats WHERE name = 'cron'", Vec::new()))
            .await?;
        Ok(row.and_then(|row| row.get("at")?.as_u64()).map(Timestamp::from_ms))
    }
}

//! The copies of configuration after a write of the API.

use super::{Blobs, Database, Stores, keys, settings_rows};
use crate::app::memory::Wanted;
use crate::app::ports::ConfigurationCopies;
use crate::domain::time::Timestamp;

impl<D: Database, B: Blobs> ConfigurationCopies for Stores<D, B> {
    async fn changed(&self, what: &[Wanted], now: Timestamp) {
        let Ok(rows) = self.run(what.iter().map(settings_rows::select).collect()).await else {
            for wanted in what {
                self.forget_everywhere(wanted).await;
            }
            return;
        };
        for (wanted, rows) in what.iter().zip(rows) {
            match rows.first() {
                Some(row) if self.remember(wanted, Some(row), now) => {
                    self.write_copy(wanted, row, now).await;
                }
                _ => self.forget_everywhere(wanted).await,
            }
        }
    }

    fn appeared(&self, what: &[Wanted]) {
        for wanted in what {
            self.memory.forget(wanted);
        }
    }
}

impl<D: Database, B: Blobs> Stores<D, B> {
    /// Without a copy the next reader asks the ledger.
    async fn forget_everywhere(&self, wanted: &Wanted) {
        self.memory.forget(wanted);
        if let Err(fault) = self.blobs.delete(&keys::configuration(wanted)).await {
            (self.log)(&format!("configuration copy: {}", fault.0));
        }
    }
}

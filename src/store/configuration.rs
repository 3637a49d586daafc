//! Configuration on its way into memory: from the copies, else from the ledger.

use serde_json::json;

use super::{Blobs, Database, Row, Stores, keys, settings_rows};
use crate::app::memory::Wanted;
use crate::app::ports::{Configuration, Unavailable};
use crate::domain::time::{DAY_MS, MINUTE_MS, Timestamp};

/// A copy that is older than this is read from the ledger again: an edit whose copy could not be
/// written, or two edits at the same moment, may have left an older one, and this mends it. There
/// can be very many links, and they hardly change, so theirs are read again once a day: each
/// reading costs a write in KV.
fn copy_max_age_ms(wanted: &Wanted) -> u64 {
    match wanted {
        Wanted::Link(..) | Wanted::DefaultLink(..) => DAY_MS,
        _ => 10 * MINUTE_MS,
    }
}

impl<D: Database, B: Blobs> Configuration for Stores<D, B> {
    async fn load(&self, wanted: &Wanted, now: Timestamp) -> Result<(), Unavailable> {
        let copy = self.copy(wanted).await;
        // One from before an edit of this isolate would undo it here until KV has caught up. It
        // serves only if neither ledger nor memory has anything else.
        let is_older = copy.as_ref().zip(self.memory.edits.last(wanted));
        let is_older = is_older.is_some_and(|(copy, edited_at)| copy.copied_at < edited_at);
        match copy {
            Some(copy)
                if !is_older
                    && now.ms_since(copy.copied_at) <= copy_max_age_ms(wanted)
                    && self.remember(wanted, Some(&copy.row), now) =>
            {
                Ok(())
            }
            None if !self.memory.may_ask(now) => Err(Unavailable),
            stale => match self.read_from_ledger(wanted, now).await {
                Ok(()) => Ok(()),
                Err(Unavailable) => {
                    let from_memory = is_older && self.memory.keep_serving(wanted, now);
                    let from_copy =
                        || stale.is_some_and(|copy| self.remember(wanted, Some(&copy.row), now));
                    if from_memory || from_copy() || self.memory.keep_serving(wanted, now) {
                        Ok(())
                    } else {
                        Err(Unavailable)
                    }
                }
            },
        }
    }
}

/// A row as the copies keep it.
struct Copy {
    copied_at: Timestamp,
    row: Row,
}

impl<D: Database, B: Blobs> Stores<D, B> {
    async fn copy(&self, wanted: &Wanted) -> Option<Copy> {
        let text = self.blobs.get(&keys::configuration(wanted)).await.ok().flatten()?;
        let mut value: serde_json::Value = serde_json::from_str(&text).ok()?;
        let copied_at = Timestamp::from_ms(value.get("copied_at")?.as_u64()?);
        Some(Copy { copied_at, row: value.get_mut("row")?.take() })
    }

    /// Reads a value from the ledger into memory and copies it. A value that does not exist is
    /// remembered but not copied: nothing may be written because somebody guesses numbers.
    pub(super) async fn read_from_ledger(
        &self,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let known_edit = self.memory.edits.last(wanted);
        let row = self.row(settings_rows::select(wanted)).await?;
        if self.memory.edits.last(wanted) != known_edit {
            // It was edited meanwhile, and memory has what it became.
            return Ok(());
        }
        if !self.remember(wanted, row.as_ref(), now) {
            (self.log)(&format!(
                "configuration: the row of {} cannot be read",
                keys::configuration(wanted)
            ));
            return Err(Unavailable);
        }
        match row {
            // A copy that could not be written is only missing; who needs it reads the ledger.
            Some(row) => {
                self.write_copy(wanted, &row, now).await;
            }
            None => self.memory.note_unknown(now),
        }
        Ok(())
    }

    /// Writes a copy, and says whether it could.
    pub(super) async fn write_copy(&self, wanted: &Wanted, row: &Row, now: Timestamp) -> bool {
        let text = json!({ "copied_at": now.ms(), "row": row }).to_string();
        let put = self.blobs.put(&keys::configuration(wanted), &text, None).await;
        put.map_err(|fault| (self.log)(&format!("configuration copy: {}", fault.0))).is_ok()
    }

    pub(super) fn remember(&self, wanted: &Wanted, row: Option<&Row>, now: Timestamp) -> bool {
        match settings_rows::value(wanted, row, &self.settings) {
            Some(value) => {
                self.memory.remember(wanted, value, now);
                true
            }
            None => false,
        }
    }
}

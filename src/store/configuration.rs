//! Configuration on its way into memory: from the copies, else from the ledger.

use serde_json::json;

use super::{Blobs, Database, Row, Stores, keys, settings_rows};
use crate::app::memory::{Lookup, Wanted};
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
    async fn load(&self, wanted: &[Wanted], now: Timestamp) -> Result<(), Unavailable> {
        let copies = self.copies(wanted).await;
        let copies = wanted.iter().zip(copies);
        let others: Vec<_> =
            copies.filter(|(wanted, copy)| !self.remember_copy(wanted, copy, now)).collect();
        for (wanted, copy) in others {
            if !self.is_without_namespace(wanted, now) {
                self.load_without_copy(wanted, copy, now).await?;
            }
        }
        Ok(())
    }
}

/// A row as the copies keep it.
struct Copy {
    copied_at: Timestamp,
    row: Row,
}

impl Copy {
    fn read(text: &str) -> Option<Self> {
        let mut value: serde_json::Value = serde_json::from_str(text).ok()?;
        let copied_at = Timestamp::from_ms(value.get("copied_at")?.as_u64()?);
        Some(Self { copied_at, row: value.get_mut("row")?.take() })
    }
}

impl<D: Database, B: Blobs> Stores<D, B> {
    async fn copies(&self, wanted: &[Wanted]) -> Vec<Option<Copy>> {
        let keys: Vec<String> = wanted.iter().map(keys::configuration).collect();
        let texts = match keys.as_slice() {
            [] => Ok(Vec::new()),
            [key] => self.blobs.get(key).await.map(|text| vec![text]),
            keys => self.blobs.get_many(keys).await,
        };
        // Without copies the ledger is read.
        let texts = texts.unwrap_or_default().into_iter().chain(std::iter::repeat(None));
        wanted.iter().zip(texts).map(|(_, text)| Copy::read(&text?)).collect()
    }

    /// Remembers what a copy says, if it may be relied on.
    fn remember_copy(&self, wanted: &Wanted, copy: &Option<Copy>, now: Timestamp) -> bool {
        copy.as_ref().is_some_and(|copy| {
            !self.is_older(wanted, copy)
                && now.ms_since(copy.copied_at) <= copy_max_age_ms(wanted)
                && self.remember(wanted, Some(&copy.row), now)
        })
    }

    /// Whether a copy is from before an edit of this isolate, and would undo it here until KV has
    /// caught up. It serves only if neither ledger nor memory has anything else.
    fn is_older(&self, wanted: &Wanted, copy: &Copy) -> bool {
        self.memory.edits.last(wanted).is_some_and(|edited_at| copy.copied_at < edited_at)
    }

    /// Whether it belongs to a namespace of which memory knows that it does not exist.
    fn is_without_namespace(&self, wanted: &Wanted, now: Timestamp) -> bool {
        let namespace = match wanted {
            Wanted::Namespace(_) | Wanted::Host(_) => return false,
            Wanted::Campaign(name, _)
            | Wanted::Link(name, _)
            | Wanted::DefaultLink(name, _, _)
            | Wanted::Advertiser(name, _)
            | Wanted::Coupon(name, _, _)
            | Wanted::CustomId(name, _)
            | Wanted::Connectors(name, _) => name,
        };
        matches!(self.memory.namespace(namespace, now), Lookup::Absent)
    }

    /// Brings a value into memory of which there is no copy that may be relied on.
    async fn load_without_copy(
        &self,
        wanted: &Wanted,
        stale: Option<Copy>,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        if stale.is_none() && !self.memory.may_ask(now) {
            return Err(Unavailable);
        }
        let Err(Unavailable) = self.read_from_ledger(wanted, now).await else { return Ok(()) };
        let keep = || self.memory.keep_serving(wanted, now);
        let is_served = match &stale {
            Some(copy) => {
                self.is_older(wanted, copy) && keep()
                    || self.remember(wanted, Some(&copy.row), now)
                    || keep()
            }
            None => keep(),
        };
        if is_served { Ok(()) } else { Err(Unavailable) }
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

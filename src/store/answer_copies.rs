//! Copies of recorded conversions, with which a repeat is answered while the ledger is down.
//!
//! A copy has a key of its own, or shares a page with others of the same moment. A page's key
//! tells which conversions are on it, so that one list of keys finds the page of any.

use super::conversion_row::ConversionRow;
use super::row::Read as _;
use super::{Blobs, Database, Row, Stores, keys};
use crate::app::ports::AnswerCopies;
use crate::domain::conversion::Conversion;
use crate::domain::namespace::Namespace;

/// So many pages are looked through for a repeat, the newest first: five lists of keys, about as
/// many as can be had while a sender waits. What is older is sent again later.
const MAX_PAGES: usize = 5_000;

impl<D: Database, B: Blobs> AnswerCopies for Stores<D, B> {
    async fn keep(&self, namespace: &Namespace, conversions: &[Conversion]) {
        // A changed conversion's copy replaces an earlier one, which only a key of its own does.
        let (fresh, changed): (Vec<_>, Vec<_>) =
            conversions.iter().partition(|conversion| conversion.revision == 1);
        let (page, alone) =
            if fresh.len() > 1 { (fresh, changed) } else { (vec![], conversions.iter().collect()) };
        if let Some(last) = page.last() {
            let ids = page.iter().map(|conversion| conversion.conversion_id.as_str());
            let key = keys::answers(namespace, last.received_at, ids);
            let rows: Vec<ConversionRow> = page.iter().map(|c| ConversionRow::of_copy(c)).collect();
            self.put_answers(&key, serde_json::to_string(&rows)).await;
        }
        for conversion in alone {
            let key = keys::answer(namespace, &conversion.conversion_id);
            self.put_answers(&key, serde_json::to_string(&ConversionRow::of_copy(conversion)))
                .await;
        }
    }

    async fn recall(&self, namespace: &Namespace, conversion_id: &str) -> Option<Conversion> {
        let own = self.blobs.get(&keys::answer(namespace, conversion_id)).await.ok()?;
        if let Some(text) = own {
            let row: Row = serde_json::from_str(&text).ok()?;
            return ConversionRow::read(&row)?.conversion();
        }
        let pages = self.blobs.list(&keys::answers_of(namespace), MAX_PAGES).await.ok()?;
        let page = pages.iter().find(|key| keys::names_answer(key, conversion_id))?;
        let text = self.blobs.get(page).await.ok()??;
        let rows: Vec<Row> = serde_json::from_str(&text).ok()?;
        let mut rows = rows.iter().filter_map(ConversionRow::read);
        rows.find(|row| row.conversion_id == conversion_id)?.conversion()
    }
}

impl<D: Database, B: Blobs> Stores<D, B> {
    async fn put_answers(&self, key: &str, text: serde_json::Result<String>) {
        let Ok(text) = text else { return };
        if let Err(fault) = self.blobs.put(key, &text, Some(keys::ANSWER_TTL_SECONDS)).await {
            (self.log)(&format!("answer copy: {}", fault.0));
        }
    }
}

//! Copies of recorded conversions, with which a repeat is answered while the ledger is down.

use super::conversion_row::ConversionRow;
use super::row::Read as _;
use super::{Blobs, Database, Row, Stores, keys};
use crate::app::ports::AnswerCopies;
use crate::domain::conversion::Conversion;
use crate::domain::namespace::Namespace;

impl<D: Database, B: Blobs> AnswerCopies for Stores<D, B> {
    async fn keep(&self, namespace: &Namespace, conversion: &Conversion) {
        let key = keys::answer(namespace, &conversion.conversion_id);
        let Ok(text) = serde_json::to_string(&ConversionRow::of(conversion)) else { return };
        if let Err(fault) = self.blobs.put(&key, &text, Some(keys::ANSWER_TTL_SECONDS)).await {
            (self.log)(&format!("answer copy: {}", fault.0));
        }
    }

    async fn recall(&self, namespace: &Namespace, conversion_id: &str) -> Option<Conversion> {
        let text = self.blobs.get(&keys::answer(namespace, conversion_id)).await.ok().flatten()?;
        let row: Row = serde_json::from_str(&text).ok()?;
        ConversionRow::read(&row)?.conversion()
    }
}

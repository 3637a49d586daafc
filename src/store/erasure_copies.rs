//! The copies in KV of what is erased. What others share a copy with a person keeps its place.

use serde_json::{Value as Json, json};

use super::conversion_row::ConversionRow;
use super::row::Read as _;
use super::{BlobFault, Blobs, Database, Row, Stores, keys};
use crate::app::ports::Unavailable;
use crate::domain::click_id;
use crate::domain::namespace::Namespace;
use crate::domain::time::{DAY_MS, SECOND_MS, Timestamp};

/// Where a click's text begins to say more than numbers, in the order of its columns.
const PERSONAL: usize = 14;

/// The place of its namespace: a page has clicks of several.
const NAMESPACE: usize = 0;

/// The place of the click_id.
const CLICK_ID: usize = 4;

/// No window is longer, so that no copy of a click outlives it.
const MAX_WINDOW_DAYS: u64 = 400;

/// So many pages of answers are looked through, as for a repeat.
const MAX_PAGES: usize = 5_000;

impl<D: Database, B: Blobs> Stores<D, B> {
    /// Rewrites the pages that these clicks are on, and says how many.
    pub(super) async fn erase_clicks(
        &self,
        namespace: &Namespace,
        ids: &[String],
        now: Timestamp,
    ) -> Result<u64, Unavailable> {
        let mut pages: Vec<(u64, Timestamp)> = ids
            .iter()
            .filter_map(|id| click_id::claimed(id))
            .map(|id| (id.page, id.time))
            .collect();
        pages.sort_unstable();
        pages.dedup_by_key(|(page, _)| *page);
        let mut erased = 0;
        for (page, time) in pages {
            let key = keys::clicks(page);
            let text = self.blobs.get(&key).await.map_err(|fault| self.told(&fault))?;
            if let Some(text) = text.and_then(|text| without(&text, namespace, ids)) {
                // When it expires cannot be read; so it does when the longest window ends.
                let left = time.plus_ms(MAX_WINDOW_DAYS * DAY_MS).ms_since(now) / SECOND_MS;
                let put = self.blobs.put(&key, &text, Some(left.max(60))).await;
                put.map_err(|fault| self.told(&fault))?;
                erased += 1;
            }
            let key = keys::aside(page);
            let text = self.blobs.get(&key).await.map_err(|fault| self.told(&fault))?;
            let kept = text.and_then(|text| serde_json::from_str::<Json>(&text).ok());
            if let Some(mut kept) = kept
                && let Some(clicks) = kept.get("clicks").and_then(Json::as_str)
                && let Some(clicks) = without(clicks, namespace, ids)
                && let Some(place) = kept.get_mut("clicks")
            {
                *place = clicks.into();
                let put = self.blobs.put(&key, &kept.to_string(), None).await;
                put.map_err(|fault| self.told(&fault))?;
                erased += 1;
            }
        }
        Ok(erased)
    }

    /// Removes the copies of conversions, and says how many.
    pub(super) async fn erase_answers(
        &self,
        namespace: &Namespace,
        ids: &[String],
    ) -> Result<u64, Unavailable> {
        let mut erased = 0;
        for id in ids {
            let key = keys::answer(namespace, id);
            let own = self.blobs.get(&key).await.map_err(|fault| self.told(&fault))?;
            if own.is_some() {
                self.blobs.delete(&key).await.map_err(|fault| self.told(&fault))?;
                erased += 1;
            }
        }
        let pages = self.blobs.list(&keys::answers_of(namespace), MAX_PAGES).await;
        let pages = pages.map_err(|fault| self.told(&fault))?;
        for page in pages.iter().filter(|page| ids.iter().any(|id| keys::names_answer(page, id))) {
            let text = self.blobs.get(page).await.map_err(|fault| self.told(&fault))?;
            let Some(text) = text else { continue };
            let mut rows: Vec<Row> = serde_json::from_str(&text).unwrap_or_default();
            let all = rows.len();
            rows.retain(|row| {
                ConversionRow::read(row).is_some_and(|row| !ids.contains(&row.conversion_id))
            });
            if rows.len() < all {
                let text = json!(rows).to_string();
                let put = self.blobs.put(page, &text, Some(keys::ANSWER_TTL_SECONDS)).await;
                put.map_err(|fault| self.told(&fault))?;
                erased += 1;
            }
        }
        Ok(erased)
    }

    fn told(&self, fault: &BlobFault) -> Unavailable {
        (self.log)(&format!("erasing copies: {}", fault.0));
        Unavailable
    }
}

/// A page of clicks without what it says of these; `None` if it says nothing.
fn without(text: &str, namespace: &Namespace, ids: &[String]) -> Option<String> {
    let mut page: Json = serde_json::from_str(text).ok()?;
    let mut has_changed = false;
    for click in page.as_array_mut()?.iter_mut().filter_map(Json::as_array_mut) {
        let text = |place: usize| click.get(place).and_then(Json::as_str);
        let is_theirs = text(NAMESPACE) == Some(namespace.as_str())
            && text(CLICK_ID).is_some_and(|click_id| ids.iter().any(|id| id == click_id));
        for value in click.iter_mut().skip(PERSONAL).filter(|value| is_theirs && !value.is_null()) {
            *value = Json::Null;
            has_changed = true;
        }
    }
    has_changed.then(|| page.to_string())
}

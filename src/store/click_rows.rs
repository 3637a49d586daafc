//! Clicks as rows: a whole page in one statement, one row written per click.

use serde_json::{Map, Value as Json, json};

use super::{Blobs, Database, Statement, Stores, keys};
use crate::app::pages::{ClickRecord, ClosedPage};
use crate::app::ports::{ClickStore, Unavailable, Vitals};
use crate::store::json::warnings_to_text;

/// One bound parameter carries a page. `->>` reads a place of a click's array as a value, `->` as
/// the JSON text of a nested object; `WHERE true` keeps `ON` from being read as a join's.
/// A repeated page writes nothing.
const INSERT_CLICKS: &str = "INSERT INTO clicks (namespace, time, page, ordinal, click_id, ref_id, campaign_id, \
     affiliate_id, landing_page_id, uncounted, country, device, os, browser, referrer, user_agent, source, \
     external_click_id, parameters, warnings) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
            value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, \
            value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19 \
     FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";

const INSERT_AGGREGATES: &str = "INSERT INTO aggregate_clicks (namespace, hour, ref_id, page, clicks) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 \
     FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";

/// A page's texts.
struct PageText {
    clicks: Option<String>,
    aggregates: Option<String>,
}

impl PageText {
    fn of(page: &ClosedPage) -> Self {
        let aggregates = page.aggregates.iter().map(|aggregate| {
            json!([
                aggregate.namespace.as_str(),
                aggregate.hour.ms(),
                aggregate.ref_id,
                page.name,
                aggregate.clicks
            ])
        });
        Self {
            clicks: (!page.clicks.is_empty()).then(|| clicks_text(&page.clicks)),
            aggregates: (!page.aggregates.is_empty())
                .then(|| Json::Array(aggregates.collect()).to_string()),
        }
    }

    fn statements(&self) -> Vec<Statement> {
        let clicks = self
            .clicks
            .iter()
            .map(|text| Statement::new(INSERT_CLICKS, vec![text.as_str().into()]));
        let aggregates = self
            .aggregates
            .iter()
            .map(|text| Statement::new(INSERT_AGGREGATES, vec![text.as_str().into()]));
        clicks.chain(aggregates).collect()
    }

    /// Both texts as one value, for keeping the page aside.
    fn joined(&self) -> String {
        json!({ "clicks": self.clicks, "aggregates": self.aggregates }).to_string()
    }

    fn split(text: &str) -> Option<Self> {
        let value: Json = serde_json::from_str(text).ok()?;
        let part = |name: &str| value.get(name).and_then(Json::as_str).map(str::to_owned);
        Some(Self { clicks: part("clicks"), aggregates: part("aggregates") })
    }
}

fn clicks_text(clicks: &[ClickRecord]) -> String {
    // Warnings are a text within the text: their column is one.
    Json::Array(clicks.iter().map(click_json).collect()).to_string()
}

fn click_json(click: &ClickRecord) -> Json {
    let text = |text: &str| if text.is_empty() { Json::Null } else { Json::from(text) };
    let parameters = click.parameters.iter();
    let parameters: Map<String, Json> =
        parameters.map(|(name, value)| (name.clone(), Json::from(value.as_str()))).collect();
    let parameters = if parameters.is_empty() {
        Json::Null
    } else {
        Json::from(Json::Object(parameters).to_string())
    };
    let warnings = if click.warnings.is_empty() {
        Json::Null
    } else {
        Json::from(warnings_to_text(&click.warnings))
    };
    json!([
        click.namespace.as_str(),
        click.id.time.ms(),
        click.id.page,
        click.id.ordinal,
        click.click_id,
        click.id.ref_id,
        click.campaign_id,
        click.affiliate_id,
        click.landing_page_id,
        click.uncounted.map(|reason| reason.as_str()),
        click.id.country.map(|country| country.as_str().to_owned()),
        click.device.as_str(),
        click.os.as_str(),
        click.browser.as_str(),
        text(&click.referrer),
        text(&click.user_agent),
        click.source,
        click.external_click_id,
        parameters,
        warnings,
    ])
}

impl<D: Database, B: Blobs> ClickStore for Stores<D, B> {
    async fn write_page(&self, page: &ClosedPage) -> Result<(), Unavailable> {
        let text = PageText::of(page);
        let written = self.run(text.statements()).await;
        if self.settings.has_click_copies
            && let Some(clicks) = &text.clicks
        {
            let window = page.clicks.iter().map(|click| click.window_seconds).max();
            // The copy expires with the window; KV takes no expiry under a minute.
            let ttl = window.map(|seconds| seconds.max(60));
            if let Err(fault) = self.blobs.put(&keys::clicks(page.name), clicks, ttl).await {
                (self.log)(&format!("copy of a page of clicks: {}", fault.0));
            }
        }
        match written {
            Ok(_) => Ok(()),
            // Kept under a name of its own, from which the cron job writes it.
            Err(Unavailable) => {
                let kept = self.blobs.put(&keys::aside(page.name), &text.joined(), None).await;
                kept.map_err(|fault| {
                    (self.log)(&format!("page of clicks kept in memory: {}", fault.0));
                    Unavailable
                })
            }
        }
    }

    async fn write_pages_kept_aside(&self, limit: usize) -> Result<usize, Unavailable> {
        let names = self.blobs.list(keys::ASIDE).await.map_err(|_| Unavailable)?;
        let mut written = 0;
        for name in names.iter().take(limit) {
            let text = self.blobs.get(name).await.map_err(|_| Unavailable)?;
            if let Some(page) = text.as_deref().and_then(PageText::split) {
                if self.run(page.statements()).await.is_err() {
                    // One that the ledger will never take must not stand in the way of the others.
                    if self.ledger_answers().await {
                        continue;
                    }
                    return Err(Unavailable);
                }
                written += 1;
            }
            self.blobs.delete(name).await.map_err(|_| Unavailable)?;
        }
        Ok(written)
    }
}

//! Clicks as rows: a whole page in one statement, one row written per click.

use serde_json::{Value as Json, json};

use super::click_count_rows::count_again;
use super::json_text::{ArrayText, push_object};
use super::{Blobs, Database, Statement, Stores, keys};
use crate::app::pages::{ClickRecord, ClosedPage};
use crate::app::ports::{ClickStore, Unavailable, Vitals};
use crate::domain::click_id::Country;
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

/// The same for a page with traces, which stand behind the rest of a click's array: the visitor at
/// 20, then address and network. Only clicks that count are a visitor's first.
const INSERT_VISITORS: &str = "INSERT INTO visitor_clicks (day, namespace, visitor, time, click_id) \
     SELECT value ->> 1 / 86400000, value ->> 0, value ->> 20, value ->> 1, value ->> 4 \
     FROM json_each(?1) WHERE value ->> 20 IS NOT NULL AND value ->> 9 IS NULL ON CONFLICT DO NOTHING";
const INSERT_TRACED_CLICKS: &str = "INSERT INTO clicks (namespace, time, page, ordinal, click_id, ref_id, campaign_id, \
     affiliate_id, landing_page_id, uncounted, country, device, os, browser, referrer, user_agent, source, \
     external_click_id, parameters, warnings, address, asn, earlier_click) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
            value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, \
            value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 21, value ->> 22, \
            (SELECT v.click_id FROM visitor_clicks AS v WHERE v.day = value ->> 1 / 86400000 AND v.namespace = value ->> 0 \
             AND v.visitor = value ->> 20 AND v.time < value ->> 1) \
     FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";

const INSERT_AGGREGATES: &str = "INSERT INTO aggregate_clicks (namespace, hour, ref_id, page, clicks) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 \
     FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";

/// A page's texts.
struct PageText {
    clicks: Option<String>,
    aggregates: Option<String>,
    /// Whether a click of it has a trace.
    is_traced: bool,
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
            is_traced: page.clicks.iter().any(|click| click.trace.is_some()),
        }
    }

    fn statements(&self) -> Vec<Statement> {
        let inserts: &[&'static str] = if self.is_traced {
            &[INSERT_VISITORS, INSERT_TRACED_CLICKS]
        } else {
            &[INSERT_CLICKS]
        };
        let clicks = self.clicks.iter().flat_map(|text| {
            inserts.iter().map(move |insert| Statement::new(*insert, vec![text.as_str().into()]))
        });
        let aggregates = self
            .aggregates
            .iter()
            .map(|text| Statement::new(INSERT_AGGREGATES, vec![text.as_str().into()]));
        clicks.chain(aggregates).collect()
    }

    /// Both texts as one value, for keeping the page aside, and the time of its first click.
    fn joined(&self, page: &ClosedPage) -> String {
        let Self { clicks, aggregates, is_traced } = self;
        let since = page.clicks.iter().map(|click| click.id.time.ms()).min();
        json!({ "clicks": clicks, "aggregates": aggregates, "is_traced": is_traced, "since": since })
            .to_string()
    }

    /// The texts of [`Self::joined`], and the time of the first click.
    fn split(text: &str) -> Option<(Self, Option<u64>)> {
        let value: Json = serde_json::from_str(text).ok()?;
        let part = |name: &str| value.get(name).and_then(Json::as_str).map(str::to_owned);
        let is_traced = value.get("is_traced").and_then(Json::as_bool).unwrap_or_default();
        let page = Self { clicks: part("clicks"), aggregates: part("aggregates"), is_traced };
        Some((page, value.get("since").and_then(Json::as_u64)))
    }
}

fn clicks_text(clicks: &[ClickRecord]) -> String {
    // Headers and parameters make most of a click's text.
    let mut text = String::with_capacity(clicks.len() * 640);
    let mut list = ArrayText::begin(&mut text);
    let mut object = String::new();
    for click in clicks {
        push_click(list.place(), click, &mut object);
    }
    list.end();
    text
}

/// A click as an array in the order of the statement. `object` is a place for the text of its
/// parameters: their column holds JSON, so they are a text within the text.
fn push_click(text: &mut String, click: &ClickRecord, object: &mut String) {
    let parameters = click.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    object.clear();
    push_object(object, parameters);
    let warnings = (!click.warnings.is_empty()).then(|| warnings_to_text(&click.warnings));
    let mut row = ArrayText::begin(text);
    row.text(Some(click.namespace.as_str()))
        .number(number(click.id.time.ms()))
        .number(number(click.id.page))
        .number(Some(click.id.ordinal))
        .text(Some(&click.click_id))
        .number(Some(click.id.ref_id))
        .number(Some(click.campaign_id))
        .number(Some(click.affiliate_id))
        .number(click.landing_page_id)
        .text(click.uncounted.map(|reason| reason.as_str()))
        .text(click.id.country.as_ref().map(Country::as_str))
        .text(Some(click.device.as_str()))
        .text(Some(click.os.as_str()))
        .text(Some(click.browser.as_str()))
        .text(present(&click.referrer))
        .text(present(&click.user_agent))
        .text(click.source.as_deref())
        .text(click.external_click_id.as_deref())
        .text(Some(object.as_str()).filter(|_| !click.parameters.is_empty()))
        .text(warnings.as_deref());
    if let Some(trace) = &click.trace {
        row.text(trace.visitor.as_deref()).text(trace.address.as_deref()).number(trace.asn);
    }
    row.end();
}

fn present(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Times and page names have 48 bits.
fn number(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
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
                let kept = self.blobs.put(&keys::aside(page.name), &text.joined(page), None).await;
                kept.map_err(|fault| {
                    (self.log)(&format!("page of clicks kept in memory: {}", fault.0));
                    Unavailable
                })
            }
        }
    }

    async fn write_pages_kept_aside(&self, limit: usize) -> Result<usize, Unavailable> {
        let names = self.blobs.list(keys::ASIDE, limit).await.map_err(|_| Unavailable)?;
        let mut written = 0;
        let mut counted_since = u64::MAX;
        for name in &names {
            let text = self.blobs.get(name).await.map_err(|_| Unavailable)?;
            if let Some((page, since)) = text.as_deref().and_then(PageText::split) {
                let mut statements = page.statements();
                // The first pages say it for those after them.
                let earlier = since.filter(|since| *since < counted_since);
                statements.extend(earlier.map(count_again));
                if self.run(statements).await.is_err() {
                    // One that the ledger will never take must not stand in the way of the others.
                    if self.ledger_answers().await {
                        continue;
                    }
                    return Err(Unavailable);
                }
                written += 1;
                counted_since = earlier.unwrap_or(counted_since);
            }
            self.blobs.delete(name).await.map_err(|_| Unavailable)?;
        }
        Ok(written)
    }
}

//! The story of a click, an order or a conversion, as one timeline: what happened, and because of
//! what. It is told from what was kept when it was decided; nothing is decided anew for it.

mod conversions;
mod deliveries;

use std::future::Future;

use serde_json::{Map, Value};

use super::catalog::resource::Record;
use super::memory::{Memory, Wanted};
use super::ports::{Configuration, Unavailable};
use super::situate::{recall, space};
use crate::domain::click_id::{ClickId, Country, Flags};
use crate::domain::configuration::Link;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use conversions::{changed, decided, examined};
use deliveries::sent;

/// Entries of a story; of a longer one the newest are told.
pub const MOST_ENTRIES: usize = 200;

/// Conversions of a story; of a click with more of them the newest are told.
pub const MOST_CONVERSIONS: usize = 50;

/// Whose story is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A click's, with all that came of it.
    Click(String),
    /// A merchant's order's, in one campaign or in all.
    Order {
        /// The merchant's number.
        order_id: String,
        /// The campaign; without it the order may have a story in several.
        campaign_id: Option<u32>,
    },
    /// A conversion's alone.
    Conversion(String),
}

/// What is kept of a subject, as rows: column name to value, times in milliseconds, money in minor
/// units, JSON as text.
#[derive(Debug, Default)]
pub struct Traces {
    /// The rows of its clicks, as far as they are stored.
    pub clicks: Vec<Record>,
    /// Its conversions, at most [`MOST_CONVERSIONS`].
    pub conversions: Vec<Record>,
    /// The postbacks that made, repeated or changed them or were refused, in order of time.
    pub postbacks: Vec<Record>,
    /// What was changed of its conversions, by postbacks and by operators, in order of time.
    pub changes: Vec<Record>,
    /// Which of its conversions are examined by their click's row, and what was found.
    pub doubts: Vec<Record>,
    /// What connectors have to send of it, a row for each attempt, or one without any.
    pub deliveries: Vec<Record>,
    /// Whether there is more than was read.
    pub has_more: bool,
}

/// Where the traces are.
pub trait Archive {
    /// The newest traces of a subject, in a bounded number of statements.
    fn traces(
        &self,
        namespace: &Namespace,
        subject: &Subject,
    ) -> impl Future<Output = Result<Traces, Unavailable>>;
}

/// One line of a story.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What happened, in one word: `clicked`, `received`, a verdict, what was decided
    /// (`attribution`, `payout`…), `changed`, `examined`, `delivery` or `attempt`.
    pub what: String,
    /// Because of what, in a sentence.
    pub because: String,
    /// The click concerned.
    pub click_id: Option<String>,
    /// The postback concerned.
    pub request_id: Option<String>,
    /// The conversion concerned.
    pub conversion_id: Option<String>,
    /// What else is known of it.
    pub details: Map<String, Value>,
}

/// A story, the oldest entry first.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Its newest entries.
    pub entries: Vec<Entry>,
    /// Whether there are older ones.
    pub has_more: bool,
}

/// Tells a story; `None` if nothing is known of its subject. A click whose id verifies has
/// happened, also if its row is missing.
pub async fn explain(
    ports: &(impl Archive + Configuration),
    memory: &Memory,
    namespace: &Namespace,
    subject: &Subject,
    now: Timestamp,
) -> Result<Option<Story>, Unavailable> {
    let traces = ports.traces(namespace, subject).await?;
    let named = match subject {
        Subject::Click(click_id) => Some(click_id.as_str()),
        _ => None,
    };
    let mut entries = Vec::new();
    for click_id in clicks_of(named, &traces) {
        let row = traces.clicks.iter().find(|row| text(row, "click_id") == Some(click_id));
        let genuine = genuine(ports, memory, namespace, click_id, now).await?;
        entries.extend(clicked(click_id, genuine.as_ref(), row));
    }
    for postback in &traces.postbacks {
        entries.extend(told(postback, &traces));
    }
    for conversion in traces.conversions.iter().filter(|c| !is_told(c, &traces.postbacks)) {
        entries.extend(decided(conversion, &traces.changes, instant(conversion, "received_at")));
    }
    entries.extend(traces.changes.iter().map(|change| changed(change, &traces.conversions)));
    entries.extend(traces.doubts.iter().map(|doubt| examined(doubt, &traces.conversions)));
    entries.extend(sent(&traces.deliveries));
    // ── Another source of entries is read into `Traces` and added here, in the order in which its
    // entries shall stand at one moment.

    if entries.is_empty() {
        return Ok(None);
    }
    entries.sort_by_key(|entry| entry.at);
    let surplus = entries.len().saturating_sub(MOST_ENTRIES);
    entries.drain(..surplus);
    Ok(Some(Story { entries, has_more: traces.has_more || surplus > 0 }))
}

/// The clicks of a story: the one that was asked for, else those of its conversions.
fn clicks_of<'a>(named: Option<&'a str>, traces: &'a Traces) -> Vec<&'a str> {
    let mut clicks: Vec<&str> = named.into_iter().collect();
    for click_id in traces.conversions.iter().filter_map(|c| text(c, "click_id")) {
        if !clicks.contains(&click_id) {
            clicks.push(click_id);
        }
    }
    clicks
}

/// What a click_id says by itself, and the link that it names, if that exists.
async fn genuine(
    ports: &impl Configuration,
    memory: &Memory,
    namespace: &Namespace,
    click_id: &str,
    now: Timestamp,
) -> Result<Option<(ClickId, Option<Link>)>, Unavailable> {
    let Some(space) = space(ports, memory, namespace, now).await? else { return Ok(None) };
    let Some(id) = space.click_keys.verify(click_id) else { return Ok(None) };
    let look = || memory.link(namespace, id.ref_id, now);
    let link = recall(ports, now, look, || Wanted::Link(namespace.clone(), id.ref_id)).await?;
    Ok(Some((id, link.map(|link| *link))))
}

/// The click, by what its id says and by its row. Of an id that no key verifies and that has no
/// row nothing is known: what postbacks say of it stands with them.
fn clicked(
    click_id: &str,
    genuine: Option<&(ClickId, Option<Link>)>,
    row: Option<&Record>,
) -> Option<Entry> {
    let at = match (genuine, row) {
        (Some((id, _)), _) => id.time,
        (None, Some(row)) => instant(row, "time"),
        (None, None) => return None,
    };
    let mut because = match genuine {
        Some((id, Some(link))) => format!(
            "the click_id verifies: it was made by link {} of affiliate {} for campaign {}",
            id.ref_id, link.affiliate_id, link.campaign_id
        ),
        Some((id, None)) => {
            format!("the click_id verifies, but its link {} is not known", id.ref_id)
        }
        None => "the click is stored, but no key verifies its id any more".to_owned(),
    };
    let uncounted = row.and_then(|row| text(row, "uncounted"));
    match (row, uncounted) {
        (None, _) => because.push_str(
            "; its row is not stored (yet), which takes details away but neither credit nor payout",
        ),
        (_, Some(reason)) => because.push_str(&format!("; not counted by itself: {reason}")),
        _ => {}
    }
    let mut details = Map::new();
    if let Some((id, _)) = genuine {
        details.insert("ref_id".to_owned(), id.ref_id.into());
        details.insert("country".to_owned(), id.country.as_ref().map(Country::as_str).into());
        details.insert("flags".to_owned(), flags(id.flags));
    }
    details.insert("is_stored".to_owned(), row.is_some().into());
    let stored = row
        .into_iter()
        .flatten()
        .filter(|(name, _)| !["click_id", "time"].contains(&name.as_str()));
    details.extend(stored.map(|(name, value)| (name.clone(), shown(name, value))));
    Some(Entry { click_id: Some(click_id.to_owned()), ..entry(at, "clicked", because, details) })
}

fn flags(flags: Flags) -> Value {
    let words = [
        (Flags::COUNTED, "counted"),
        (Flags::SUSPECTED_BOT, "suspected_bot"),
        (Flags::PREFETCH, "prefetch"),
        (Flags::EMBEDDED, "embedded"),
        (Flags::TEST, "test"),
    ];
    words.into_iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, word)| word).collect()
}

/// A postback: that it came, what it was told before, what it decided, and its verdict.
fn told(postback: &Record, traces: &Traces) -> Vec<Entry> {
    let request_id = text(postback, "request_id").map(str::to_owned);
    let of_postback = |entry: Entry| Entry {
        request_id: request_id.clone(),
        click_id: parameter(postback, "click_id"),
        ..entry
    };
    let mut entries = vec![of_postback(received(postback))];
    let earlier = postback.get("earlier_verdicts").map(|value| shown("earlier_verdicts", value));
    for earlier in earlier.as_ref().and_then(Value::as_array).into_iter().flatten() {
        if let Value::Object(earlier) = earlier {
            entries.push(of_postback(verdict(earlier, instant(earlier, "at"))));
        }
    }
    let judged_at = instant(postback, "judged_at");
    let is_made = |c: &&Record| text(c, "request_id") == request_id.as_deref();
    let made = traces.conversions.iter().filter(is_made);
    entries.extend(made.flat_map(|made| decided(made, &traces.changes, judged_at)));
    let conversion_id = text(postback, "conversion_id").map(str::to_owned);
    entries.push(Entry { conversion_id, ..of_postback(verdict(postback, judged_at)) });
    entries
}

fn received(postback: &Record) -> Entry {
    let because = format!(
        "it came in by {}, proved by {}",
        text(postback, "source").unwrap_or_default(),
        text(postback, "proof").unwrap_or_default()
    );
    let details = ["campaign_id", "parameters"];
    let details = details.map(|name| {
        (name.to_owned(), postback.get(name).map_or(Value::Null, |value| shown(name, value)))
    });
    entry(instant(postback, "received_at"), "received", because, details.into_iter().collect())
}

fn verdict(judged: &Record, at: Timestamp) -> Entry {
    let word = text(judged, "verdict").unwrap_or_default();
    let mut because = match (word, text(judged, "reason"), text(judged, "detail")) {
        ("recorded", ..) => "nothing of the same kind was recorded before".to_owned(),
        ("updated", ..) => "it changed a conversion that was recorded before".to_owned(),
        ("duplicate", ..) => "the same was reported before".to_owned(),
        (_, reason, detail) => {
            [reason, detail].into_iter().flatten().collect::<Vec<_>>().join(": ")
        }
    };
    if let Some(times) = judged.get("judgements").and_then(Value::as_u64).filter(|n| *n > 1) {
        because.push_str(&format!(" (the postback was judged {times} times)"));
    }
    let reason = judged.get("reason").filter(|reason| !reason.is_null());
    let details = reason.map(|reason| ("reason".to_owned(), reason.clone()));
    entry(at, word, because, details.into_iter().collect())
}

/// Whether the postback that made a conversion is among those that are told.
fn is_told(conversion: &Record, postbacks: &[Record]) -> bool {
    postbacks.iter().any(|p| text(p, "request_id") == text(conversion, "request_id"))
}

fn entry(at: Timestamp, what: &str, because: String, details: Map<String, Value>) -> Entry {
    Entry {
        at,
        what: what.to_owned(),
        because,
        click_id: None,
        request_id: None,
        conversion_id: None,
        details,
    }
}

fn value(record: &Record, name: &str) -> Value {
    record.get(name).cloned().unwrap_or(Value::Null)
}

fn text<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.get(name).and_then(Value::as_str)
}

fn instant(record: &Record, name: &str) -> Timestamp {
    Timestamp::from_ms(record.get(name).and_then(Value::as_u64).unwrap_or_default())
}

fn parameter(postback: &Record, name: &str) -> Option<String> {
    let parameters = shown("parameters", &value(postback, "parameters"));
    parameters.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Columns of JSON are stored as text.
fn shown(name: &str, value: &Value) -> Value {
    match (name, value) {
        (
            "parameters" | "warnings" | "explanation" | "earlier_verdicts" | "before" | "after",
            Value::String(text),
        ) => serde_json::from_str(text).unwrap_or(Value::Null),
        _ => value.clone(),
    }
}

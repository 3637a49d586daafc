//! Clicks waiting to be written, a page at a time.
//!
//! A page is opened by one request, which waits a little for the clicks of others and then writes
//! it. The opener is a convenience, not a lock: a cancelled request is never polled again and runs
//! no destructor, so a request that meets a page older than four times the wait writes it itself.
//! A page leaves memory only when its write was confirmed.

use std::cell::RefCell;
use std::rc::Rc;

use crate::domain::click_id::ClickId;
use crate::domain::namespace::Namespace;
use crate::domain::time::{HOUR_MS, Timestamp};
use crate::domain::trace::Trace;
use crate::domain::verdict::Warning;
use crate::domain::visit::{Browser, Device, Os, Uncounted};

/// A page closes at so many clicks…
pub const MAX_CLICKS: usize = 500;
/// …or so many bytes of JSON, whichever is first: D1 takes 2,000,000 bytes per value, and one more
/// click has at most 100,000.
pub const MAX_BYTES: usize = 1_000_000;
/// All unwritten clicks together; an isolate has 128 MB for everything.
const MAX_UNWRITTEN_BYTES: usize = 8_000_000;
/// After so many waits a page's writer is taken for missing.
const OVERDUE_WAITS: u64 = 4;
/// What a click takes besides its texts.
const BYTES_PER_CLICK: usize = 300;
/// What its trace takes: two hashes of 11 characters and a number.
const TRACE_BYTES: usize = 50;

/// What a text takes in JSON at most, and in JSON that is a text within JSON: there every quote
/// and backslash becomes four bytes, and a visitor may send nothing else.
fn json_bytes(text: &str, quoted: usize) -> usize {
    let more = |byte: u8| match byte {
        b'"' | b'\\' => quoted - 1,
        // `\u001f`, of which only the backslash is quoted again.
        0..=0x1f => quoted + 3,
        _ => 0,
    };
    text.len() + text.bytes().map(more).sum::<usize>()
}
const ONCE: usize = 2;
const TWICE: usize = 4;

/// One click as it will be stored.
#[derive(Clone, Debug)]
pub struct ClickRecord {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its id as text.
    pub click_id: String,
    /// Its id.
    pub id: ClickId,
    /// Its campaign.
    pub campaign_id: u32,
    /// Its affiliate.
    pub affiliate_id: u32,
    /// Where it led; `None` for deep links.
    pub landing_page_id: Option<u32>,
    /// Why it is not counted.
    pub uncounted: Option<Uncounted>,
    /// On what.
    pub device: Device,
    /// On what.
    pub os: Os,
    /// In what.
    pub browser: Browser,
    /// From where; empty under `Sec-GPC`.
    pub referrer: String,
    /// The user agent; empty under `Sec-GPC`.
    pub user_agent: String,
    /// `source`.
    pub source: Option<String>,
    /// The affiliate's own id.
    pub external_click_id: Option<String>,
    /// sub1…10 by name, and everything else that was sent.
    pub parameters: Vec<(String, String)>,
    /// What was odd.
    pub warnings: Vec<Warning>,
    /// For how long the click converts, in seconds; its copy lives so long.
    pub window_seconds: u64,
    /// What rules of the campaign need of it; `None` unless one is on that does.
    pub trace: Option<Box<Trace>>,
}

impl ClickRecord {
    fn bytes(&self) -> usize {
        let once = |text: &str| json_bytes(text, ONCE);
        let twice = |text: &str| json_bytes(text, TWICE);
        let optional = |text: &Option<String>| text.as_deref().map_or(0, once);
        let parameters = self.parameters.iter();
        let parameters: usize =
            parameters.map(|(name, value)| twice(name) + twice(value) + 10).sum();
        let warnings = self.warnings.iter();
        let warnings: usize = warnings
            .map(|w| twice(&w.message) + w.parameter.as_deref().map_or(0, twice) + 100)
            .sum();
        BYTES_PER_CLICK
            + self.trace.as_ref().map_or(0, |_| TRACE_BYTES)
            + once(&self.referrer)
            + once(&self.user_agent)
            + optional(&self.source)
            + optional(&self.external_click_id)
            + parameters
            + warnings
    }
}

/// Visits without consent: how many through a link within an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The namespace.
    pub namespace: Namespace,
    /// The start of the hour.
    pub hour: Timestamp,
    /// The link.
    pub ref_id: u32,
    /// How many.
    pub clicks: u32,
}

/// A page that takes no more clicks.
#[derive(Clone, Debug)]
pub struct ClosedPage {
    /// Its random name, 48 bits.
    pub name: u64,
    /// Its clicks.
    pub clicks: Rc<Vec<ClickRecord>>,
    /// Its visits without consent.
    pub aggregates: Rc<Vec<Aggregate>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Takes clicks.
    Open,
    /// Takes no more and waits for a writer.
    Full,
    /// Somebody took it and is going to write it.
    Taken,
}

struct Page {
    name: u64,
    state: State,
    /// When it got its first click, or was taken last.
    since: Timestamp,
    next_ordinal: u16,
    clicks: Rc<Vec<ClickRecord>>,
    aggregates: Rc<Vec<Aggregate>>,
    bytes: usize,
}

impl Page {
    fn is_full(&self) -> bool {
        self.clicks.len() >= MAX_CLICKS || self.bytes >= MAX_BYTES || self.next_ordinal == u16::MAX
    }

    fn has_content(&self) -> bool {
        !self.clicks.is_empty() || !self.aggregates.is_empty()
    }

    /// Whether somebody who comes by should write it. Half the wait is enough for an open page,
    /// because a timer may fire a moment early; whoever asks has either waited or met it overdue.
    fn is_due(&self, wait_ms: u64, now: Timestamp) -> bool {
        match self.state {
            State::Open => now.ms_since(self.since) >= wait_ms / 2,
            State::Full => true,
            State::Taken => now.ms_since(self.since) > OVERDUE_WAITS * wait_ms,
        }
    }

    /// Whether a request that only adds a click should write it all the same.
    fn is_overdue(&self, wait_ms: u64, now: Timestamp) -> bool {
        self.state == State::Full || now.ms_since(self.since) > OVERDUE_WAITS * wait_ms
    }
}

/// What a click has to do for the pages, behind its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duty {
    /// It opened a page: wait, then write it.
    pub has_opened: bool,
    /// It met pages that should be written now: full ones, or ones whose writer went missing.
    pub has_overdue: bool,
}

/// A place on a page: with it an id can be signed before the click is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The page's name.
    pub page: u64,
    /// The place on it.
    pub ordinal: u16,
}

/// The pages of an isolate.
#[derive(Default)]
pub struct Pages {
    pages: RefCell<Vec<Page>>,
    dropped: RefCell<u64>,
}

impl Pages {
    /// A place for one click on the open page. Without an open page, `name` opens one.
    pub fn place(&self, name: impl FnOnce() -> u64, now: Timestamp) -> Place {
        let mut pages = self.pages.borrow_mut();
        let has_open = pages.last().is_some_and(|page| page.state == State::Open);
        if !has_open {
            pages.push(Page {
                name: name() & ((1 << 48) - 1),
                state: State::Open,
                since: now,
                next_ordinal: 0,
                clicks: Rc::default(),
                aggregates: Rc::default(),
                bytes: 0,
            });
        }
        match pages.last_mut() {
            Some(page) => {
                let ordinal = page.next_ordinal;
                page.next_ordinal += 1;
                if page.next_ordinal == u16::MAX && page.state == State::Open {
                    page.state = State::Full;
                }
                Place { page: page.name, ordinal }
            }
            None => Place { page: 0, ordinal: 0 },
        }
    }

    /// Adds a click at the place that its id names, if the page still takes it; `wait_ms` is how
    /// long the opener waits. Over 8 MB of unwritten clicks it is dropped and counted.
    pub fn add(&self, click: ClickRecord, wait_ms: u64, now: Timestamp) -> Duty {
        let bytes = click.bytes();
        let page = click.id.page;
        self.put(page, bytes, wait_ms, now, |page| {
            Rc::make_mut(&mut page.clicks).push(click);
        })
    }

    /// Counts a visit without consent.
    pub fn count(
        &self,
        namespace: &Namespace,
        ref_id: u32,
        place: Place,
        wait_ms: u64,
        now: Timestamp,
    ) -> Duty {
        let hour = Timestamp::from_ms(now.ms() / HOUR_MS * HOUR_MS);
        self.put(place.page, 0, wait_ms, now, |page| {
            let aggregates = Rc::make_mut(&mut page.aggregates);
            let same = aggregates
                .iter_mut()
                .find(|a| a.namespace == *namespace && a.ref_id == ref_id && a.hour == hour);
            match same {
                Some(aggregate) => aggregate.clicks += 1,
                None => aggregates.push(Aggregate {
                    namespace: namespace.clone(),
                    hour,
                    ref_id,
                    clicks: 1,
                }),
            }
        })
    }

    fn put(
        &self,
        name: u64,
        bytes: usize,
        wait_ms: u64,
        now: Timestamp,
        add: impl FnOnce(&mut Page),
    ) -> Duty {
        let mut pages = self.pages.borrow_mut();
        let unwritten: usize = pages.iter().map(|page| page.bytes).sum();
        if unwritten + bytes > MAX_UNWRITTEN_BYTES {
            *self.dropped.borrow_mut() += 1;
            return Duty { has_opened: false, has_overdue: has_overdue(&pages, wait_ms, now) };
        }
        let Some(page) = pages.iter_mut().find(|page| page.name == name) else {
            return Duty::default();
        };
        let has_opened = !page.has_content();
        if has_opened {
            page.since = now;
        }
        add(page);
        page.bytes += bytes;
        if page.is_full() && page.state == State::Open {
            page.state = State::Full;
        }
        Duty { has_opened, has_overdue: has_overdue(&pages, wait_ms, now) }
    }

    /// Takes the pages that should be written now: full ones, open ones whose opener has waited,
    /// and taken ones whose writer went missing. They stay in memory until [`Self::confirm`].
    pub fn take(&self, wait_ms: u64, now: Timestamp) -> Vec<ClosedPage> {
        let mut pages = self.pages.borrow_mut();
        let due = pages.iter_mut().filter(|page| page.has_content() && page.is_due(wait_ms, now));
        due.map(|page| {
            page.state = State::Taken;
            page.since = now;
            ClosedPage {
                name: page.name,
                clicks: Rc::clone(&page.clicks),
                aggregates: Rc::clone(&page.aggregates),
            }
        })
        .collect()
    }

    /// Forgets a page whose write was confirmed.
    pub fn confirm(&self, name: u64) {
        self.pages.borrow_mut().retain(|page| page.name != name);
    }

    /// How many clicks were dropped because too many were waiting, since the isolate started.
    pub fn dropped(&self) -> u64 {
        *self.dropped.borrow()
    }
}

fn has_overdue(pages: &[Page], wait_ms: u64, now: Timestamp) -> bool {
    pages.iter().any(|page| page.has_content() && page.is_overdue(wait_ms, now))
}

#[cfg(test)]
mod tests;

//! What is done behind a reply, and by the cron job. Each may be interrupted and done again.

use crate::app::answers::Answers;
use crate::app::bins::Bins;
use crate::app::count_clicks::ClickCounts;
use crate::app::doubts::{Doubt, Doubts};
use crate::app::examine::{Examinations, examine_all};
use crate::app::full_caps::{CapWatch, note_full_caps};
use crate::app::judge::Errand;
use crate::app::memory::Memory;
use crate::app::outbox::Audiences;
use crate::app::pages::Pages;
use crate::app::ports::{
    AnswerCopies, ClickStore, Configuration, ConfigurationCopies, Ledger, Vitals,
};
use crate::app::refusals::Refusals;
use crate::app::settings::{Moment, Settings};
use crate::app::touches::Touches;
use crate::domain::encoding::hex;
use crate::domain::time::Timestamp;

/// How long the writer of copies waits behind each write: in a rush a few more come together, and
/// a write costs workerd about 0.5 ms of processor time, two thirds of a postback without it. The first is written at once.
pub const ANSWERS_PAUSE_MS: u64 = 20;

/// How long refusals are gathered before they are counted.
pub const REFUSALS_WAIT_MS: u64 = 1_000;

/// Pages kept aside that one run of the cron job writes: three calls of a store each, and a run
/// stays about the 50 of a free plan; what is left over is done by the next.
const PAGES_PER_RUN: usize = 15;

/// Stale copies that one run removes: a call each, besides the pages and five of the run's own.
const STALE_COPIES_PER_RUN: usize = 10;

/// Touches that one run forgets, and as many contact data: a million a day each.
const TOUCHES_PER_RUN: u32 = 700;

/// Takes an errand up, in memory. Says which duties have to be done behind the reply, a letter
/// each; none if other requests are doing them already.
pub fn duty(
    refusals: &Refusals,
    answers: &Answers,
    doubts: &Doubts,
    errand: Errand,
    now: Timestamp,
) -> &'static str {
    let or_none = |is_ours: bool, duty: &'static str| if is_ours { duty } else { "" };
    match errand {
        Errand::CountRefusal(refusal) => or_none(refusals.add(*refusal), "r"),
        Errand::KeepAnswer(namespace, conversion) => {
            or_none(answers.add(namespace, conversion, now), "k")
        }
        Errand::KeepAndExamine(namespace, conversion) => {
            doubts.add(Doubt {
                namespace: namespace.clone(),
                conversion_id: conversion.conversion_id.clone(),
                campaign_id: conversion.campaign_id,
            });
            if answers.add(namespace, conversion, now) { "kx" } else { "x" }
        }
    }
}

/// Examines the conversions that wait for it, by the rows of their clicks. What fails, or has no
/// row yet, is left to the cron job.
pub async fn examine(
    ports: &(impl Examinations + Audiences + Configuration),
    memory: &Memory,
    doubts: &Doubts,
    settings: &Settings,
    moment: &Moment<'_>,
) {
    let waiting = doubts.take();
    if !waiting.is_empty() {
        let _ = examine_all(ports, memory, settings, moment, waiting).await;
    }
}

/// Keeps copies of answers, those that wait together, until none is waiting.
pub async fn keep_answers(
    ports: &impl AnswerCopies,
    answers: &Answers,
    clock: impl Fn() -> Timestamp,
    pause: impl AsyncFn(),
) {
    let since = clock();
    while let Some((namespace, conversions)) = answers.take(since, clock()) {
        ports.keep(&namespace, &conversions).await;
        pause().await;
    }
}

/// Writes the pages of clicks that are due. One that cannot be written stays in memory.
pub async fn write_pages(
    ports: &impl ClickStore,
    pages: &Pages,
    settings: &Settings,
    now: Timestamp,
) {
    for page in pages.take(settings.click_page_ms, now) {
        if ports.write_page(&page).await.is_ok() {
            pages.confirm(page.name);
        }
    }
}

/// Refreshes configuration that is older than half its life.
pub async fn refresh(ports: &impl Configuration, memory: &Memory, now: Timestamp) {
    // What could not be refreshed comes due again, or is loaded by whoever needs it.
    let _ = ports.load(&memory.take_due(now), now).await;
}

/// Counts what was refused. If the store fails, the numbers are lost with a line in its log: they
/// are statistics of strangers, and keeping them would let strangers fill memory.
pub async fn count_refusals(ports: &impl Ledger, refusals: &Refusals, moment: &Moment<'_>) {
    let name = (moment.random)().first_chunk::<8>().map_or_else(String::new, |bytes| hex(bytes));
    if let Some(batch) = refusals.take(name) {
        let _ = ports.count_refusals(&batch).await;
    }
}

/// The cron job: writes pages that were kept aside, and this isolate's overdue ones, removes copies
/// that are stale, counts clicks that caps bound, notes which caps are full, forgets visitors and what
/// request bins had, then notes that it ran.
pub async fn tick(
    ports: &(impl ClickStore + ConfigurationCopies + CapWatch + ClickCounts + Touches + Bins + Vitals),
    pages: &Pages,
    settings: &Settings,
    now: Timestamp,
) {
    write_pages(ports, pages, settings, now).await;
    // What stays aside is tried again by the next run, a minute later.
    let _ = ports.write_pages_kept_aside(PAGES_PER_RUN).await;
    let _ = ports.remove_stale(STALE_COPIES_PER_RUN).await;
    let _ = note_full_caps(ports, settings, now).await;
    let _ = ports.forget_touches(now, TOUCHES_PER_RUN).await;
    let _ = ports.drop_old_requests(now).await;
    let _ = ports.note_cron_run(now).await;
}

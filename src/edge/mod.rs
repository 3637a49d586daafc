//! Where it runs: entry points and one thin adapter per binding, compiled for the Worker only.
//!
//! Here a packed request becomes a value, a response becomes a packed one, bindings become the
//! executors of `store/`, and an isolate's memory lives. Not here: decisions; an `if` about a
//! click, a postback or an operator is misplaced.

mod bindings;
pub mod click;
mod environment;
mod network;
mod packed;
mod tray;

use std::cell::OnceCell;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
// Linked for what it exports: the state and hook with which its shim recovers from a panic.
use worker as _;

use crate::app::deliver::{self, Means};
use crate::app::errands;
use crate::app::examine::examine_missed;
use crate::app::outlived::tidy_up;
use crate::app::pages::Duty;
use crate::app::settings::{Moment, Settings};
use crate::app::steps::Budget as _;
use crate::domain::time::Timestamp;
use crate::http::{self, App, Isolate};
use crate::store::Stores;
use bindings::{D1, Kv, log};
use tray::Tray;

/// What an isolate has one of.
#[derive(Default)]
struct Edge {
    isolate: Rc<Isolate>,
    settings: OnceCell<Rc<Settings>>,
    tray: Tray,
}

thread_local! {
    static EDGE: Edge = Edge::default();
}

fn isolate() -> Rc<Isolate> {
    EDGE.with(|edge| Rc::clone(&edge.isolate))
}

/// How long stores may take where nobody waits for the reply.
const PATIENT_MS: u64 = 20_000;

/// 32 random bytes. If the platform has none to give, the request ends here: zeros would be a
/// secret that anybody can guess.
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    if getrandom::fill(&mut bytes).is_err() {
        wasm_bindgen::throw_str("no randomness");
    }
    bytes
}

fn moment(now: Timestamp) -> Moment<'static> {
    Moment { now, random: &random }
}

fn now() -> Timestamp {
    timestamp(js_sys::Date::now())
}

fn timestamp(ms: f64) -> Timestamp {
    // Dates of JavaScript are whole milliseconds between ± 8.64 × 10^15.
    Timestamp::from_ms(ms.max(0.0) as u64)
}

/// The settings, read from the environment once per isolate.
fn settings(env: &JsValue) -> Result<Rc<Settings>, String> {
    if let Some(settings) = EDGE.with(|edge| edge.settings.get().cloned()) {
        return Ok(settings);
    }
    let settings = Rc::new(environment::read(env)?);
    Ok(EDGE.with(|edge| Rc::clone(edge.settings.get_or_init(|| settings))))
}

/// The stores for a request. `is_urgent`: somebody waits who is to be told soon whether they work.
fn stores(
    env: &JsValue,
    settings: &Rc<Settings>,
    isolate: &Isolate,
    is_urgent: bool,
) -> Stores<D1, Kv> {
    let timeout_ms = if is_urgent { settings.storage_timeout_ms } else { PATIENT_MS };
    Stores {
        database: D1::new(env, timeout_ms, is_urgent),
        blobs: Kv::new(env, timeout_ms),
        memory: Rc::clone(&isolate.memory),
        settings: Rc::clone(settings),
        log,
        network: network::network(),
        allowance: Default::default(),
    }
}

/// Whatever [`click::click`] does not answer. Resolves to the packed head and the body.
#[wasm_bindgen]
pub async fn answer(packed: String, body: Vec<u8>, env: JsValue) -> Result<JsValue, JsValue> {
    let isolate = isolate();
    let settings = match settings(&env) {
        Ok(settings) => settings,
        Err(message) => return Ok(packed::not_configured(&message)),
    };
    let Some(request) = packed::read(&packed, &body) else { return Ok(packed::not_readable()) };
    // An operator's bulk request may take its time; a sender of postbacks is told soon.
    let stores = stores(&env, &settings, &isolate, !request.path.starts_with("/api/"));
    let app = App { ports: &stores, isolate: &isolate, settings: &settings, moment: moment(now()) };
    let mut answer = http::respond(&app, &request).await;
    let errand = answer.errand.take();
    let mut duties = duties(answer.duty, &isolate);
    if let Some(errand) = errand {
        let (refusals, answers) = (&isolate.refusals, &isolate.answers);
        duties.push_str(errands::duty(refusals, answers, &isolate.doubts, errand, now()));
    }
    if isolate.memory.wake.take() {
        duties.push('q');
    }
    let head = packed::head(&answer, &duties);
    Ok(packed::with_body(&head, &answer.response))
}

/// What is to be done behind a reply, one letter each; see [`behind`].
fn duties(duty: Duty, isolate: &Isolate) -> String {
    let mut duties = String::new();
    if duty.has_opened {
        duties.push('o');
    }
    if duty.has_overdue {
        duties.push('w');
    }
    if isolate.memory.has_due() {
        duties.push('d');
    }
    duties
}

/// Does one thing behind a reply: `o` waits and then writes the page that the request opened, `w`
/// writes pages that are overdue, `d` refreshes configuration, `k` keeps copies of answers, `r`
/// waits and then counts refusals, `x` examines conversions, `q` wakes the sender. Whatever is taken up and not finished is taken up again by a later one.
#[wasm_bindgen]
pub async fn behind(env: JsValue, duty: String) {
    let isolate = isolate();
    let Ok(settings) = settings(&env) else { return };
    let stores = stores(&env, &settings, &isolate, false);
    match duty.as_str() {
        "o" => {
            bindings::pause(settings.click_page_ms).await;
            errands::write_pages(&stores, &isolate.pages, &settings, now()).await;
        }
        "w" => errands::write_pages(&stores, &isolate.pages, &settings, now()).await,
        "d" => errands::refresh(&stores, &isolate.memory, now()).await,
        "k" => {
            let pause = async || bindings::pause(errands::ANSWERS_PAUSE_MS).await;
            errands::keep_answers(&stores, &isolate.answers, now, pause).await;
        }
        "x" => {
            let (memory, doubts) = (&isolate.memory, &isolate.doubts);
            errands::examine(&stores, memory, doubts, &settings, &moment(now())).await;
            // What a rule changes is told, too.
            if isolate.memory.wake.take() {
                wake(&env, &isolate).await;
            }
        }
        "q" => wake(&env, &isolate).await,
        _ => {
            bindings::pause(errands::REFUSALS_WAIT_MS).await;
            errands::count_refusals(&stores, &isolate.refusals, &moment(now())).await;
        }
    }
}

/// Wakes the sender, unless another request is about to.
async fn wake(env: &JsValue, isolate: &Isolate) {
    if let Some(delay_ms) = isolate.wakes.plan(now()) {
        bindings::pause(delay_ms).await;
        isolate.wakes.sends(now());
        network::wake(env, 0).await;
    }
}

/// The cron job, every minute.
#[wasm_bindgen]
pub async fn tick(env: JsValue) {
    let isolate = isolate();
    match settings(&env) {
        Ok(settings) => {
            let stores = stores(&env, &settings, &isolate, false);
            errands::tick(&stores, &isolate.pages, &settings, now()).await;
            examine_missed(&stores, &isolate.memory, &settings, &moment(now())).await;
            tidy_up(&stores, &isolate.swept, now()).await;
            send_due(&env, &settings, &isolate, &stores, None).await;
        }
        Err(message) => log(&message),
    }
}

/// Sends what is due: the consumer of the queue that wakes the sender. `passed_on` is called when
/// the rest is left to another run, for which this one need not be waited for.
#[wasm_bindgen]
pub async fn deliver(env: JsValue, passed_on: js_sys::Function) {
    let isolate = isolate();
    match settings(&env) {
        Ok(settings) => {
            let stores = stores(&env, &settings, &isolate, false);
            send_due(&env, &settings, &isolate, &stores, Some(&passed_on)).await;
        }
        Err(message) => log(&message),
    }
}

async fn send_due(
    env: &JsValue,
    settings: &Settings,
    isolate: &Isolate,
    stores: &Stores<D1, Kv>,
    passed_on: Option<&js_sys::Function>,
) {
    // The stores are this invocation's.
    let spent = stores.used();
    let means = Means { settings, clock: &now, random: &random, place: &isolate.place, spent };
    let wake = async |delay_ms| {
        network::wake(env, delay_ms).await;
        // It resolves a promise, which cannot fail.
        let _ = passed_on.map(|passed_on| passed_on.call0(&JsValue::NULL));
    };
    deliver::run(stores, &means, wake).await;
}

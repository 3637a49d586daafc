//! `/health`: which stores answer, and whether the cron job runs.

use serde_json::json;

use super::response::Response;
use super::{App, Ports};
use crate::domain::time::{MINUTE_MS, Timestamp};

/// The cron job runs every minute; after five it is taken for stopped.
const CRON_LATE_MS: u64 = 5 * MINUTE_MS;

/// Answers 200 while the ledger answers, 503 otherwise. Warnings do not change the status.
pub(super) async fn respond<P: Ports>(app: &App<'_, P>) -> Response {
    let ledger = app.ports.ledger_answers().await;
    let copies = app.ports.copies_answer().await;
    let last_run = if ledger { app.ports.last_cron_run().await.ok().flatten() } else { None };
    let mut warnings = Vec::new();
    if !copies {
        warnings.push("the copies (KV) do not answer: clicks and postbacks go on, configuration comes from the ledger".to_owned());
    }
    match last_run {
        None if ledger => warnings.push("the cron job has never run".to_owned()),
        Some(at) if app.moment.now.ms_since(at) > CRON_LATE_MS => {
            warnings.push(format!("the cron job last ran at {}", at.to_rfc3339()));
        }
        _ => {}
    }
    let dropped = app.isolate.pages.dropped();
    if dropped > 0 {
        warnings.push(format!("{dropped} clicks could not be stored since this isolate started"));
    }
    let word = |answers: bool| if answers { "ok" } else { "down" };
    let body = json!({
        "status": word(ledger),
        "ledger": word(ledger),
        "copies": word(copies),
        "cron_last_run": last_run.map(Timestamp::to_rfc3339),
        "warnings": warnings,
        "version": env!("CARGO_PKG_VERSION"),
    });
    Response::json(if ledger { 200 } else { 503 }, &body)
}

//! Names of variables, secrets and bindings, and what is read of them.

use sha2::{Digest as _, Sha256};
use wasm_bindgen::JsValue;

use super::bindings;
use crate::app::settings::Settings;
use crate::domain::click_id::Keyring;

/// The binding of the ledger.
pub(super) const DATABASE: &str = "DB";
/// The binding of the copies.
pub(super) const BLOBS: &str = "KV";

/// The binding of the queue that wakes the sender; it may be absent.
pub(super) const QUEUE: &str = "DELIVERIES";

/// The shortest root key.
const MIN_ROOT_KEY: usize = 32;

/// A value of the environment; bindings too.
pub(super) fn value(env: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(env, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

fn text(env: &JsValue, name: &str) -> Option<String> {
    value(env, name).as_string().filter(|text| !text.is_empty())
}

/// Reads the settings.
///
/// # Errors
/// A sentence that names the variable or secret and shows no value of a secret.
pub(super) fn read(env: &JsValue) -> Result<Settings, String> {
    let is_development = match text(env, "ENVIRONMENT").as_deref() {
        Some("development") => true,
        Some("production") => false,
        _ => return Err("ENVIRONMENT must be development or production".into()),
    };
    let keys = text(env, "CLICK_KEYS").ok_or("the secret CLICK_KEYS is not set")?;
    let root_key = text(env, "ADMIN_TOKEN");
    if root_key.as_ref().is_some_and(|key| key.len() < MIN_ROOT_KEY) {
        return Err(format!("the secret ADMIN_TOKEN has under {MIN_ROOT_KEY} characters"));
    }
    Ok(Settings {
        is_development,
        tracking_url: text(env, "TRACKING_URL")
            .filter(|url| url.contains("{namespace}"))
            .ok_or("TRACKING_URL must be set and contain {namespace}")?,
        root_key_hash: root_key.map(|key| Sha256::digest(key.as_bytes()).into()),
        keyring: Keyring::parse(&keys)?,
        click_page_ms: number(env, "CLICK_PAGE_MS", 250)?,
        has_click_copies: switch(env, "CLICK_COPIES")?,
        is_recording: switch(env, "CLICK_RECORDING")?,
        storage_timeout_ms: number(env, "STORAGE_TIMEOUT_MS", 800)?,
        allows_loopback: loopback(env, is_development)?,
        demo_token: text(env, "DEMO_TOKEN").filter(|_| is_development),
        local_date: bindings::local_date,
    })
}

fn number(env: &JsValue, name: &str, default: u64) -> Result<u64, String> {
    match text(env, name) {
        None => Ok(default),
        Some(text) => {
            text.parse().map_err(|_| format!("{name} must be a whole number of milliseconds"))
        }
    }
}

/// Whether connectors may call loopback addresses.
fn loopback(env: &JsValue, is_development: bool) -> Result<bool, String> {
    match text(env, "CONNECTORS_TO_LOOPBACK").as_deref() {
        None | Some("off") => Ok(false),
        Some("on") if is_development => Ok(true),
        Some("on") => Err("CONNECTORS_TO_LOOPBACK is for development only; remove it".into()),
        Some(_) => Err("CONNECTORS_TO_LOOPBACK must be on or off".into()),
    }
}

/// A switch that is on unless it says `off`.
fn switch(env: &JsValue, name: &str) -> Result<bool, String> {
    match text(env, name).as_deref() {
        None | Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(_) => Err(format!("{name} must be on or off")),
    }
}

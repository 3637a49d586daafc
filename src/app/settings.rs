//! What an installation is set up with, and the moment of a request.

use crate::domain::cap::LocalDate;
use crate::domain::click_id::Keyring;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// The variables and secrets of an installation, read once and validated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Development allows http landing pages and serves the demo shop; an unknown host is `demo`.
    pub is_development: bool,
    /// How this installation is reached, with `{namespace}` in it; for showing URLs.
    pub tracking_url: String,
    /// SHA-256 of the root key; `None` without one, then nobody is root.
    pub root_key_hash: Option<[u8; 32]>,
    /// What signs and verifies click_ids.
    pub keyring: Keyring,
    /// How long the opener of a page of clicks waits for others, in milliseconds.
    pub click_page_ms: u64,
    /// Whether pages of clicks get a second copy in KV.
    pub has_click_copies: bool,
    /// Whether clicks are stored at all; off only for measuring the redirect alone.
    pub is_recording: bool,
    /// How long an awaited store may take before the sender is told to come again.
    pub storage_timeout_ms: u64,
    /// Whether connectors may call loopback addresses; in development only.
    pub allows_loopback: bool,
    /// The token with which the demo shop converts, in development.
    pub demo_token: Option<String>,
    /// The platform's knowledge of time zones: the date in a zone by IANA's name; `None` for a
    /// name that it does not know.
    pub local_date: fn(&str, Timestamp) -> Option<LocalDate>,
}

impl Settings {
    /// Where a namespace is reached: `https://demo-tracking.example.com`, without a slash.
    pub fn origin_of(&self, namespace: &Namespace) -> String {
        self.tracking_url.replace("{namespace}", namespace.as_str())
    }

    /// The date in a zone; in UTC if the platform does not know that (any more).
    pub fn date_in(&self, zone: &str, at: Timestamp) -> LocalDate {
        (self.local_date)(zone, at).unwrap_or_else(|| LocalDate::utc(at))
    }

    /// The domain that all tracking hosts of this installation share: `example.com`.
    pub fn zone(&self) -> &str {
        let host = self.tracking_url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split([':', '/']).next().unwrap_or_default();
        host.split_once('.').map_or("", |(_, zone)| zone)
    }
}

/// When a request arrived, and its share of randomness: both are arguments everywhere.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The time of arrival.
    pub now: Timestamp,
    /// 32 new random bytes at each call.
    pub random: &'a dyn Fn() -> [u8; 32],
}

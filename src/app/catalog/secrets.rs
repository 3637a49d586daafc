//! Secrets that are shown once: sealed before they are written, revealed in the first answer.

use serde_json::Value;

use super::resource::{Record, Resource};
use super::sealed;
use crate::app::access::Access;

/// The pseudo-column with the plain secret, between the store and the answer.
pub const PLAIN: &str = "plain";

/// Puts hashes in the place of secrets, generating those that were not sent. Gives back the one
/// that was sent; resources with secrets are created one by one.
pub(super) fn seal(
    resource: &Resource,
    records: &mut [Record],
    access: &Access,
    attempt: &str,
) -> Option<String> {
    let (field, prefix) = resource.secret()?;
    let mut supplied = None;
    for record in records {
        if let Some(Value::String(secret)) = record.remove(field.name) {
            supplied = Some(secret);
        }
        let secret = supplied.clone().unwrap_or_else(|| access.derive_secret(prefix, attempt));
        record.insert(field.column().to_owned(), sealed(&secret));
    }
    supplied
}

/// Adds the plain secret to what was created, be it by this attempt or by an earlier one. With
/// another key than the one that created it, the secret stays unknown.
pub(super) fn reveal(
    resource: &Resource,
    records: &mut [Record],
    access: &Access,
    attempt: &str,
    supplied: Option<String>,
) {
    let Some((field, prefix)) = resource.secret() else { return };
    let plain = supplied.unwrap_or_else(|| access.derive_secret(prefix, attempt));
    for record in records {
        if record.get(field.column()) == Some(&sealed(&plain)) {
            record.insert(PLAIN.to_owned(), Value::String(plain.clone()));
        }
    }
}

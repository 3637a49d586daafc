//! Yes or no.

use serde_json::Value;

use super::{Fault, invalid};

/// The stored form of what was sent in a body, or as a filter; `None` for neither word.
pub(super) fn stored(sent: Option<bool>) -> Result<Value, Fault> {
    sent.map(|truth| u8::from(truth).into()).ok_or_else(|| invalid("Send true or false."))
}

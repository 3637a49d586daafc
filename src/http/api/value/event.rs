//! An event's own fields: a name that postbacks can send, and rows that parsing can apply.

use serde_json::Value;

use super::{Fault, MAX_NAME, invalid, plain_text};
use crate::domain::event::Origin;
use crate::domain::parameters::{canonical_name, is_placeholder};

/// The most characters of a macro.
const MAX_MACRO: usize = 128;

/// A name of an event. Values of postbacks lose outer spaces, and placeholders are refused, so
/// that nobody could send such names.
pub(super) fn name(text: &str) -> Result<Value, Fault> {
    if text.trim() != text || is_placeholder(text) {
        return Err(invalid(
            "Send the name as postbacks send it: no outer spaces, no placeholder.",
        ));
    }
    plain_text(text, MAX_NAME)
}

/// A row *our parameter ← the advertiser's parameter or macro*.
pub(super) fn parameter(ours: &str, theirs: &str) -> Result<(), Fault> {
    let origin = Origin::parse(theirs);
    match canonical_name(ours) {
        Some(canonical) if canonical == ours => {}
        Some(canonical) => {
            return Err(invalid(&format!(
                "{ours:?} is another word for {canonical:?}; send that."
            )));
        }
        None => {
            return Err(invalid(&format!("{ours:?} is not the name of a parameter of postbacks.")));
        }
    }
    match ours {
        // What finds campaign and event, proves the sender, or says how to answer.
        "campaign_id" | "event_id" | "event_name" | "secure" | "timestamp" | "signature"
        | "dry_run" | "response" | "bt_test" => {
            return Err(invalid(&format!("{ours:?} is read before the event is known.")));
        }
        "click_id" if matches!(origin, Origin::Parameter(_)) => {
            return Err(invalid(
                "\"click_id\" is read before the event is known; only a macro can stand for it, such as \"{clickid}\".",
            ));
        }
        _ => {}
    }
    match &origin {
        Origin::Parameter(theirs) if canonical_name(theirs).is_some() => Err(invalid(&format!(
            "{theirs:?} is a parameter of postbacks itself; send the advertiser's own name."
        ))),
        Origin::Parameter(_) => Ok(()),
        // It is printed into a URL as it is, for the advertiser's system to find.
        Origin::Macro(text) if text.contains([' ', '&', '+', '=']) => {
            Err(invalid("Send the macro without spaces, &, + and =."))
        }
        Origin::Macro(text) => plain_text(text, MAX_MACRO).map(|_| ()),
    }
}

//! What calls that take a step of a long task have in common: a filter, and the cursor of the last
//! step.

use serde_json::{Map, Value, json};

use super::paging;
use super::problem::{self, FieldFault};
use crate::app::steps::Cursor;
use crate::domain::time::Timestamp;
use crate::http::response::Response;

/// Where the caller goes on; `None` at the first step.
pub(super) fn cursor(sent: &Map<String, Value>) -> Result<Option<Cursor>, Response> {
    match sent.get("cursor") {
        None | Some(Value::Null) => Ok(None),
        Some(sent) => read(sent).map(Some).ok_or_else(problem::invalid_cursor),
    }
}

fn read(sent: &Value) -> Option<Cursor> {
    let key = paging::key_of_cursor(sent.as_str()?).ok()?;
    let [after, to] = key.as_array()?.as_slice() else { return None };
    let after = after.as_str().filter(|after| paging::is_plain(after))?.to_owned();
    Some(Cursor { after, to: Timestamp::from_ms(to.as_u64()?) })
}

/// What the caller sends with the next step; null when all is done.
pub(super) fn next_cursor(next: Option<&Cursor>) -> Value {
    next.map(|next| paging::cursor(&json!([next.after, next.to.ms()]))).into()
}

/// A field of a filter that could not be taken.
pub(super) enum Wrong {
    /// There is no such field.
    Unknown,
    /// It says something else; what it should say.
    Invalid(&'static str),
}

/// Gives each field that is sent and not null to `take`, except for the cursor. All that is wrong.
pub(super) fn read_filter(
    sent: &Map<String, Value>,
    known: &str,
    mut take: impl FnMut(&str, &Value) -> Result<(), Wrong>,
) -> Result<(), Response> {
    let mut faults: Vec<FieldFault> = Vec::new();
    for (name, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
        if name == "cursor" {
            continue;
        }
        faults.extend(take(name, value).err().map(|wrong| match wrong {
            Wrong::Unknown => {
                let message = format!("There is no such field; there are {known}, cursor.");
                problem::field(name, ("unknown_field", message))
            }
            Wrong::Invalid(wanted) => problem::field(name, ("invalid", wanted.to_owned())),
        }));
    }
    if faults.is_empty() { Ok(()) } else { Err(problem::invalid_fields(faults)) }
}

/// Keeps what was read of a field, or says what it should be.
pub(super) fn keep<T>(
    place: &mut Option<T>,
    read: Option<T>,
    wanted: &'static str,
) -> Result<(), Wrong> {
    *place = Some(read.ok_or(Wrong::Invalid(wanted))?);
    Ok(())
}

/// Keeps a time.
pub(super) fn keep_time(place: &mut Option<Timestamp>, value: &Value) -> Result<(), Wrong> {
    let wanted = "Send a time of RFC 3339, such as \"2026-11-21T09:30:00Z\".";
    keep(place, value.as_str().and_then(Timestamp::parse), wanted)
}

/// Reads the number of a row.
pub(super) fn number(value: &Value) -> Option<u32> {
    value.as_u64()?.try_into().ok()
}

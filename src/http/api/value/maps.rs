//! Maps of names to texts.

use serde_json::{Map, Value};

use super::{Fault, MAX_ENTRIES, event, invalid, plain_text};
use crate::app::catalog::resource::Entry;
use crate::domain::configuration::Status;
use crate::domain::event::Becomes;
use crate::domain::parameters::{PARAMETER_NAME, is_parameter_name};
use crate::domain::template;

/// A map in its stored form.
pub(super) fn map(entry: Entry, sent: &Value) -> Result<Value, Fault> {
    let Value::Object(sent) = sent else { return Err(invalid("Send an object of strings.")) };
    if sent.len() > MAX_ENTRIES {
        return Err(invalid(&format!("Send at most {MAX_ENTRIES} entries.")));
    }
    let mut entries = Map::new();
    for (name, value) in sent {
        let text = value.as_str().ok_or_else(|| invalid("Send an object of strings."))?;
        match entry {
            Entry::DeepLinkParameter => deep_link_parameter(name, text)?,
            Entry::SiteEvent => site_event(name, text)?,
            Entry::StatusWord => status_word(name, text)?,
            Entry::EventParameter => event::parameter(name, text)?,
        }
        let name = match entry {
            // Senders write them in either case.
            Entry::StatusWord => name.to_lowercase(),
            _ => name.clone(),
        };
        entries.insert(name, text.into());
    }
    Ok(Value::Object(entries).to_string().into())
}

fn deep_link_parameter(name: &str, text: &str) -> Result<(), Fault> {
    if !is_parameter_name(name) {
        return Err(invalid(PARAMETER_NAME));
    }
    plain_text(text, 512)?;
    template::compile(text).map_err(|fault| ("unknown_macro", fault.message())).map(|_| ())
}

/// The statuses' own names mean themselves.
fn status_word(word: &str, status: &str) -> Result<(), Fault> {
    plain_text(word, 64)?;
    if Status::from_word(&word.to_lowercase()).is_some() {
        return Err(invalid(&format!("{word:?} is a status itself and stands for nothing else.")));
    }
    match Status::from_word(status) {
        Some(_) => Ok(()),
        None => {
            let statuses: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
            Err(invalid(&format!("{word:?} has to stand for one of {}.", statuses.join(", "))))
        }
    }
}

fn site_event(name: &str, becomes: &str) -> Result<(), Fault> {
    plain_text(name, 64)?;
    if Becomes::parse(becomes).is_some() {
        return Ok(());
    }
    Err(invalid(&format!(
        "{name:?} can become \"initial\", or an event of the campaign by its number, such as \"event:5\"."
    )))
}

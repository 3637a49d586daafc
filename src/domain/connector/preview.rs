//! What a connector would send, with samples in place of values.

use std::borrow::Cow;

use super::macros::Macro;
use super::render::Outgoing;
use super::text::{Text, Values};
use super::webhook::{Pair, Webhook};

/// The event of the samples where a connector has no other.
pub const SAMPLE_EVENT: &str = "Purchase";

/// The sample of a macro's value, by its key; keys of events have none. `event_name` is the event
/// that is shown.
pub fn sample<'a>(event_name: &'a str) -> impl Fn(&str) -> Option<Cow<'a, str>> {
    move |key| match key {
        "EVENT_NAME" => Some(Cow::Borrowed(event_name)),
        _ => Macro::of_key(key)
            .filter(|one| !one.sample.is_empty())
            .map(|one| Cow::Borrowed(one.sample)),
    }
}

/// The event that a connector's samples tell of: a purchase if that triggers it, else the first that
/// does.
pub fn sample_event(events: &[String]) -> &str {
    let first = events.first().map_or(SAMPLE_EVENT, String::as_str);
    if events.iter().any(|event| event == SAMPLE_EVENT) { SAMPLE_EVENT } else { first }
}

impl Webhook {
    /// The request for a sample of an event. Parameters that come out empty are left out, so that it
    /// can be read; what is really sent has them.
    pub fn preview(&self, event_name: &str) -> Outgoing {
        let lookup = sample(event_name);
        let values = Values { lookup: &lookup, renamed: &self.renamed, is_masked: false };
        let is_filled =
            |text: &Text| text.uses().next().is_none() || !text.plain(&values).is_empty();
        let parameters = self.parameters.iter().filter(|pair| is_filled(&pair.value));
        let shown = Self { parameters: parameters.cloned().collect::<Vec<Pair>>(), ..self.clone() };
        shown.render(&lookup)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_preview_of_the_original_comes_out_to_the_byte() {
        let pair = |name: &str, value: &str| json!({ "name": name, "value": value });
        let webhook = Webhook::read(&json!({
            "url": "https://example.com/webhook",
            "parameters": [
                pair("value", "{{VALUE}}"), pair("track", "{{EVENT_NAME}}"), pair("gclid", "{{GCLID}}"),
                pair("fbc", "{{FBC}}"), pair("email", "{{EMAIL}}"), pair("phone", "{{PHONE}}"),
            ],
        }))
        .unwrap();
        assert_eq!(
            webhook.preview("Purchase").url,
            "https://example.com/webhook?value=15&track=Purchase&gclid=12a34bC&email=example@email.com"
        );
        assert!(
            webhook.render(&|_| None).url.ends_with("&fbc=&email=&phone="),
            "sent all the same"
        );
    }

    #[test]
    fn samples_tell_of_an_event_of_the_connector() {
        let events =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(sample_event(&events(&["Lead", "Purchase"])), "Purchase");
        assert_eq!(sample_event(&events(&["Lead", "Renew"])), "Lead");
        assert_eq!(sample_event(&[]), "Purchase");
    }
}

//! What the macros of a delivery stand for when it is rendered: from the event, then from what the
//! shop has said of the visitor, then from the visitor's touches (wire.md 9).

use std::borrow::Cow;

use super::Values;
use crate::domain::connector::text::Lookup;
use crate::domain::time::Timestamp;
use crate::domain::touch::{Match, Touch, platform_values};

/// A delivery's event, and what is known of its visitor and click.
#[derive(Clone, Copy, Debug)]
pub struct Filled<'a> {
    /// The event's name, before renaming.
    pub event_name: &'a str,
    /// When it happened.
    pub happened_at: Timestamp,
    /// Backtrail's click.
    pub click_id: Option<&'a str>,
    /// What was known when it happened.
    pub values: &'a Values,
    /// The same, personal values; also what the shop said of the visitor before.
    pub personal: [&'a Values; 2],
    /// What the row of the click says.
    pub click: &'a Values,
    /// The visitor's touches.
    pub touches: &'a [Touch],
    /// What matching found; `None` where the connector does not want to know.
    pub matched: Option<Match<'a>>,
    /// New for each request.
    pub random: u32,
}

impl Filled<'_> {
    /// Calls with a function that tells the value of a macro by its key.
    pub fn with<T>(&self, render: impl FnOnce(&Lookup<'_>) -> T) -> T {
        let platforms = platform_values(self.touches, self.happened_at);
        let [own, said_before] = self.personal;
        let known = [self.values, own, said_before, self.click];
        let lookup = |key: &str| -> Option<Cow<'_, str>> {
            match (key, &self.matched) {
                ("CLICK_ID", Some(Match::Found { click_id, .. })) => {
                    return Some((*click_id).into());
                }
                ("CLICK_SOURCE", Some(Match::Found { source, .. })) => {
                    return source.map(Cow::from);
                }
                _ => {}
            }
            let found = known.into_iter().flatten().find(|(name, _)| name == key);
            if let Some((_, value)) = found {
                return Some(Cow::Borrowed(value));
            }
            match key {
                "EVENT_NAME" => Some(self.event_name.into()),
                "BACKTRAIL_CLICK_ID" | "CLICK_ID" => self.click_id.map(Cow::from),
                "random" => Some(self.random.to_string().into()),
                _ => {
                    let of_key = platforms.iter().find(|(name, _)| *name == key);
                    of_key.map(|(_, value)| Cow::Owned(value.clone()))
                }
            }
        };
        render(&lookup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_event_comes_first_then_what_was_said_then_the_touch() {
        let touch = |parameter: &str, value: &str| Touch {
            at: Timestamp::from_ms(5),
            parameter: parameter.into(),
            value: value.into(),
            sources: vec![],
        };
        let touches = [touch("gclid", "touched"), touch("ttclid", "touched")];
        let values = pairs(&[("GCLID", "event"), ("VALUE", "15")]);
        let own = pairs(&[("EMAIL", "event@example.com")]);
        let before = pairs(&[("EMAIL", "before@example.com"), ("CITY", "Bonn")]);
        let click = pairs(&[("SUB1", "s")]);
        let filled = Filled {
            event_name: "Purchase",
            happened_at: Timestamp::from_ms(9),
            click_id: Some("ours"),
            values: &values,
            personal: [&own, &before],
            click: &click,
            touches: &touches,
            matched: None,
            random: 7,
        };
        let value = |filled: &Filled<'_>, key: &str| {
            filled.with(|lookup| lookup(key).map(Cow::into_owned)).unwrap_or_default()
        };
        for (key, expected) in [
            ("GCLID", "event"),
            ("TTCLID", "touched"),
            ("VALUE", "15"),
            ("EMAIL", "event@example.com"),
            ("CITY", "Bonn"),
            ("SUB1", "s"),
            ("CLICK_ID", "ours"),
            ("CLICK_SOURCE", ""),
            ("BACKTRAIL_CLICK_ID", "ours"),
            ("EVENT_NAME", "Purchase"),
            ("random", "7"),
            ("OTHER", ""),
        ] {
            assert_eq!(value(&filled, key), expected, "{key}");
        }
        let matched = Some(Match::Found { click_id: "theirs", source: Some("x") });
        let filled = Filled { matched, ..filled };
        for (key, expected) in
            [("CLICK_ID", "theirs"), ("CLICK_SOURCE", "x"), ("BACKTRAIL_CLICK_ID", "ours")]
        {
            assert_eq!(value(&filled, key), expected, "{key}");
        }
    }
}

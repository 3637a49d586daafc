//! What is known at an occasion, under the keys of macros: of `{{UPPER}}` ones their names, of those
//! that are written with single braces only their names in small letters, which no event's key can
//! be taken for.

use super::Values;
use super::occasion::Known;
use crate::domain::connector::macros::{Macro, Origin, upper_name};
use crate::domain::contact::macro_of;

/// Built-in macros that follow from what happened and are an event's own to say all the same.
const SAID_BY_EVENTS: [&str; 3] = ["VALUE", "CURRENCY", "TRANSACTION_ID"];

/// Built-in macros that follow from touches and are Backtrail's alone to say.
const MATCHED: [&str; 2] = ["CLICK_ID", "CLICK_SOURCE"];

/// Whether a name is Backtrail's alone: an event's key of that name is not heard (wire.md 9).
fn is_own(name: &str) -> bool {
    match Macro::of_key(name).map(|built_in| built_in.origin) {
        Some(Origin::Occasion) => !SAID_BY_EVENTS.contains(&name),
        Some(Origin::Touch) => MATCHED.contains(&name),
        Some(Origin::Click | Origin::Chance) => true,
        Some(Origin::Person) | None => false,
    }
}

/// In [`Values`]: that it is a test, of which nobody is really told unless that is forced.
pub const IS_TEST: &str = "test";

/// Values while they are gathered. The first of a name stays.
#[derive(Default)]
pub(super) struct Gathered {
    values: Values,
    personal: Values,
}

impl Gathered {
    /// What Backtrail says itself. Nothing for an empty text.
    pub(super) fn say(&mut self, key: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() && !has(&self.values, key) {
            self.values.push((key.to_owned(), value));
        }
    }

    /// A number that Backtrail says itself; 0 is none.
    pub(super) fn number(&mut self, key: &str, number: u32) {
        self.say(key, if number == 0 { String::new() } else { number.to_string() });
    }

    /// What the event says by a key of its own.
    pub(super) fn hear(&mut self, key: &str, value: &str) {
        let name = upper_name(key);
        if name.is_empty() || value.is_empty() || is_own(&name) {
            return;
        }
        // However its key is written, what tells who somebody is must be forgotten in time.
        let (list, name) = match macro_of(key) {
            Some(personal) => (&mut self.personal, personal.to_owned()),
            None => (&mut self.values, name),
        };
        if !has(list, &name) {
            list.push((name, value.to_owned()));
        }
    }

    pub(super) fn known(self) -> Known {
        (self.values, self.personal)
    }
}

fn has(values: &Values, key: &str) -> bool {
    values.iter().any(|(known, _)| known == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_key_is_upper_cased_and_backtrails_own_names_win() {
        let mut gathered = Gathered::default();
        for (key, value) in [
            ("transaction_id", "12345"),
            ("Basket - Größe", "3"),
            ("basket gr e", "4"),
            ("email", "a@b.example"),
            ("payout", "1000000"),
            ("sub1", "theirs"),
            ("empty", ""),
        ] {
            gathered.hear(key, value);
        }
        gathered.say("PAYOUT", "5.00");
        gathered.say("TRANSACTION_ID", "order");
        let (values, personal) = gathered.known();
        let of = |pairs: &[(&str, &str)]| -> Values {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(
            values,
            of(&[("TRANSACTION_ID", "12345"), ("BASKET_GR_E", "3"), ("PAYOUT", "5.00")])
        );
        assert_eq!(personal, of(&[("EMAIL", "a@b.example")]));
    }

    #[test]
    fn a_key_of_a_person_is_personal_however_it_is_written() {
        let mut gathered = Gathered::default();
        for (key, value) in [("firstName", "Jane"), ("LAST-NAME", "Doe"), ("Zip", "1010")] {
            gathered.hear(key, value);
        }
        let (values, personal) = gathered.known();
        let of = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(values, []);
        assert_eq!(personal, [of("FIRST_NAME", "Jane"), of("LAST_NAME", "Doe"), of("ZIP", "1010")]);
    }
}

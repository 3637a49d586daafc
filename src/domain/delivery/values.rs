//! What is known at an occasion, under the keys of macros: of `{{UPPER}}` ones their names, of those
//! that are written with single braces only their names in small letters, which no event's key can
//! be taken for.

use super::Values;
use super::occasion::Known;

/// What Backtrail alone says: an event's key of the same name is not heard.
const OWN: &[&str] = &[
    "EVENT_NAME",
    "CLICK_ID",
    "CLICK_SOURCE",
    "ORDER_ID",
    "STATUS",
    "PAYOUT",
    "AFFILIATE_ID",
    "CAMPAIGN_ID",
    "EXTERNAL_CLICK_ID",
    "SUB1",
    "SUB2",
    "SUB3",
    "SUB4",
    "SUB5",
    "SUB6",
    "SUB7",
    "SUB8",
    "SUB9",
    "SUB10",
    "TIMESTAMP",
    "BACKTRAIL_CLICK_ID",
];

/// What tells who somebody is.
const PERSONAL: &[&str] =
    &["EMAIL", "PHONE", "BIRTHDAY", "FIRST_NAME", "LAST_NAME", "GENDER", "ZIP", "CITY", "COUNTRY"];

/// In [`Values`]: that it is a test, of which nobody is really told unless that is forced.
pub const IS_TEST: &str = "test";

/// The name of the macro for an event's own key: upper-cased, each run of other characters than
/// letters and digits of ASCII becomes `_`.
pub fn macro_name(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for c in key.chars() {
        let c = c.to_ascii_uppercase();
        if c.is_ascii_uppercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    name
}

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

    /// What the event says by a key of its own.
    pub(super) fn hear(&mut self, key: &str, value: &str) {
        let name = macro_name(key);
        if name.is_empty() || value.is_empty() || OWN.contains(&name.as_str()) {
            return;
        }
        let is_personal = PERSONAL.contains(&name.as_str());
        let list = if is_personal { &mut self.personal } else { &mut self.values };
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
}

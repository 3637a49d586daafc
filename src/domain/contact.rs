//! What a shop says of who a visitor is: `backtrail('set', 'ContactInfo', {…})`.

use super::connector::macros::{ALL, Origin};

/// The longest value in bytes.
const MAX_VALUE: usize = 256;

/// The macro that a key of contact data is for. Only letters matter, so that `firstName`,
/// `first_name` and `FIRST-NAME` are all `FIRST_NAME`. `None` for what is no contact data.
pub fn macro_of(key: &str) -> Option<&'static str> {
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(char::is_ascii_alphabetic);
        letters.map(|letter| letter.to_ascii_uppercase()).collect()
    };
    let wanted = letters(key);
    let mut names = ALL.iter().filter(|known| known.origin == Origin::Person);
    names.find(|known| letters(known.key) == wanted).map(|known| known.key)
}

/// Contact data under the names of macros; what is none, empty, too long or has control characters
/// is left out. The first of several keys for the same macro counts.
pub fn contact<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> Vec<(String, String)> {
    let mut contact: Vec<(String, String)> = Vec::new();
    for (key, value) in pairs {
        let value = value.trim();
        let is_fit = (1..=MAX_VALUE).contains(&value.len()) && !value.chars().any(char::is_control);
        if let Some(name) = macro_of(key).filter(|_| is_fit)
            && contact.iter().all(|(known, _)| known != name)
        {
            contact.push((name.to_owned(), value.to_owned()));
        }
    }
    contact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_recognised_by_their_letters() {
        for (key, name) in [
            ("email", Some("EMAIL")),
            ("firstName", Some("FIRST_NAME")),
            ("first_name", Some("FIRST_NAME")),
            ("LAST-NAME", Some("LAST_NAME")),
            ("zip", Some("ZIP")),
            ("country", Some("COUNTRY")),
            ("value", None),
            ("e-mails", None),
            ("", None),
        ] {
            assert_eq!(macro_of(key), name, "{key}");
        }
    }

    #[test]
    fn what_is_no_contact_data_is_left_out() {
        let long = "x".repeat(257);
        let pairs = [
            ("email", " jane@example.com "),
            ("Email", "second@example.com"),
            ("phone", ""),
            ("city", "a\nb"),
            ("zip", &long),
            ("iban", "DE00"),
        ];
        let found = contact(pairs.into_iter().map(|(key, value)| (key, value.to_owned())));
        assert_eq!(found, [("EMAIL".to_owned(), "jane@example.com".to_owned())]);
    }
}

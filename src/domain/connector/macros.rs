//! What a connector's templates can name (wire.md 9, and the single-brace names of section 3).
//!
//! Values are looked up by a macro's *key*: of `{{UPPER}}` macros the name itself, of single-brace
//! ones the key of the `{{UPPER}}` macro that means the same, else their own name in lower case.
//! Keys of events are in upper case, so that none can pass for what Backtrail itself knows.

use crate::domain::near::within;
use crate::domain::template::edit_distance;

/// What a macro's value follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// What happened: the event and its conversion; known when it is committed.
    Occasion,
    /// The row of Backtrail's click.
    Click,
    /// The visitor's touches: click ids of other platforms.
    Touch,
    /// What the visitor's browser said about the person, with the event or before it.
    Person,
    /// Nothing: new for each request.
    Chance,
}

/// One macro.
#[derive(Clone, Copy, Debug)]
pub struct Macro {
    /// By what its value is looked up.
    pub key: &'static str,
    /// Its single-brace names; empty if it has none.
    pub single: &'static [&'static str],
    /// What its value follows from.
    pub origin: Origin,
    /// What previews and tests show for it.
    pub sample: &'static str,
    /// What it is, for a person.
    pub description: &'static str,
}

const fn of(
    key: &'static str,
    single: &'static [&'static str],
    origin: Origin,
    sample: &'static str,
    description: &'static str,
) -> Macro {
    Macro { key, single, origin, sample, description }
}

use Origin::{Chance, Click, Occasion, Person, Touch};

/// Every built-in macro, in the order in which they are shown.
pub static ALL: &[Macro] = &[
    of("EVENT_NAME", &[], Occasion, "Purchase", "The event's name; the connector may rename it."),
    of("VALUE", &[], Occasion, "15", "The event's value: what the sale is worth."),
    of("CURRENCY", &[], Occasion, "USD", "The currency of VALUE."),
    of(
        "TRANSACTION_ID",
        &[],
        Occasion,
        "12345",
        "The event's own transaction_id, else the order_id.",
    ),
    of("ORDER_ID", &[], Occasion, "12345", "The merchant's id of the order."),
    of("STATUS", &[], Occasion, "approved", "The conversion's status."),
    of(
        "PAYOUT",
        &["payout"],
        Occasion,
        "1.50",
        "What the affiliate gets, in the campaign's currency.",
    ),
    of(
        "AFFILIATE_ID",
        &["affiliate_id", "publisher_id", "publisher"],
        Occasion,
        "7",
        "Who is credited.",
    ),
    of("CAMPAIGN_ID", &["campaign_id", "offer_id", "offer"], Occasion, "3", "The campaign."),
    of(
        "TIMESTAMP",
        &["timestamp", "unix_time"],
        Occasion,
        "1767225600",
        "When the event happened, in Unix seconds.",
    ),
    of(
        "BACKTRAIL_CLICK_ID",
        &["click_id", "transaction_id"],
        Occasion,
        "EAAAAZBaGYQAAAABREUAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Backtrail's own click id.",
    ),
    of(
        "EXTERNAL_CLICK_ID",
        &["external_click_id", "external_transaction_id"],
        Click,
        "abc123",
        "The affiliate's own click id.",
    ),
    of("SUB1", &["sub1", "sub_id"], Click, "banner", "The click's first sub-id."),
    of("SUB2", &["sub2", "sub_id_2"], Click, "", "The click's second sub-id."),
    of("SUB3", &["sub3", "sub_id_3"], Click, "", "The click's third sub-id."),
    of("SUB4", &["sub4", "sub_id_4"], Click, "", "The click's fourth sub-id."),
    of("SUB5", &["sub5", "sub_id_5"], Click, "", "The click's fifth sub-id."),
    of("SUB6", &["sub6", "sub_id_6"], Click, "", "The click's sixth sub-id."),
    of("SUB7", &["sub7", "sub_id_7"], Click, "", "The click's seventh sub-id."),
    of("SUB8", &["sub8", "sub_id_8"], Click, "", "The click's eighth sub-id."),
    of("SUB9", &["sub9", "sub_id_9"], Click, "", "The click's ninth sub-id."),
    of("SUB10", &["sub10", "sub_id_10"], Click, "", "The click's tenth sub-id."),
    of(
        "CLICK_ID",
        &[],
        Touch,
        "12345",
        "With click-ID matching the matched touch's click id, else Backtrail's own.",
    ),
    of(
        "CLICK_SOURCE",
        &[],
        Touch,
        "platform_x",
        "With click-ID matching the matched touch's source.",
    ),
    of("GCLID", &[], Touch, "12a34bC", "Google's click id."),
    of("GBRAID", &[], Touch, "", "Google's click id of app campaigns."),
    of("WBRAID", &[], Touch, "", "Google's click id of web campaigns on iOS."),
    of("FBC", &[], Touch, "", "Facebook's click id: the cookie _fbc, else fb.1.{ms}.{fbclid}."),
    of("TTCLID", &[], Touch, "", "TikTok's click id."),
    of("SCCLID", &[], Touch, "", "Snapchat's click id (ScCid)."),
    of("EPIK", &[], Touch, "", "Pinterest's click id."),
    of("MSCLKID", &[], Touch, "", "Microsoft's click id."),
    of("LI_FAT_ID", &[], Touch, "", "LinkedIn's click id."),
    of("EMAIL", &[], Person, "example@email.com", "The person's e-mail address."),
    of("PHONE", &[], Person, "", "The person's telephone number."),
    of("BIRTHDAY", &[], Person, "", "The person's birthday."),
    of("FIRST_NAME", &[], Person, "", "The person's first name."),
    of("LAST_NAME", &[], Person, "", "The person's last name."),
    of("GENDER", &[], Person, "", "The person's gender."),
    of("ZIP", &[], Person, "", "The person's postal code."),
    of("CITY", &[], Person, "", "The person's city."),
    of("COUNTRY", &[], Person, "", "The person's country."),
    of("ref_id", &["ref_id"], Occasion, "12", "The link."),
    of("advertiser_id", &["advertiser_id", "aid"], Occasion, "2", "The campaign's advertiser."),
    of(
        "revenue",
        &["revenue"],
        Occasion,
        "3.00",
        "What the advertiser pays. Not for connectors of affiliates.",
    ),
    of(
        "custom1",
        &["custom1"],
        Occasion,
        "",
        "The postback's custom1. Not for connectors of affiliates.",
    ),
    of(
        "custom2",
        &["custom2"],
        Occasion,
        "",
        "The postback's custom2. Not for connectors of affiliates.",
    ),
    of(
        "custom3",
        &["custom3"],
        Occasion,
        "",
        "The postback's custom3. Not for connectors of affiliates.",
    ),
    of(
        "custom4",
        &["custom4"],
        Occasion,
        "",
        "The postback's custom4. Not for connectors of affiliates.",
    ),
    of(
        "custom5",
        &["custom5"],
        Occasion,
        "",
        "The postback's custom5. Not for connectors of affiliates.",
    ),
    of(
        "custom6",
        &["custom6"],
        Occasion,
        "",
        "The postback's custom6. Not for connectors of affiliates.",
    ),
    of(
        "custom7",
        &["custom7"],
        Occasion,
        "",
        "The postback's custom7. Not for connectors of affiliates.",
    ),
    of(
        "custom8",
        &["custom8"],
        Occasion,
        "",
        "The postback's custom8. Not for connectors of affiliates.",
    ),
    of(
        "custom9",
        &["custom9"],
        Occasion,
        "",
        "The postback's custom9. Not for connectors of affiliates.",
    ),
    of(
        "custom10",
        &["custom10"],
        Occasion,
        "",
        "The postback's custom10. Not for connectors of affiliates.",
    ),
    of("source", &["source"], Click, "newsletter", "The click's source."),
    of("country", &["country"], Click, "DE", "The country that the click came from."),
    of("device", &["device"], Click, "mobile", "The visitor's kind of device."),
    of("os", &["os"], Click, "Android", "The visitor's operating system."),
    of("browser", &["browser"], Click, "Chrome", "The visitor's browser."),
    of(
        "referer",
        &["referer"],
        Click,
        "https://blog.example/",
        "The page that the visitor came from.",
    ),
    of("user_agent", &["user_agent"], Click, "Mozilla/5.0", "The visitor's user agent."),
    of("random", &["random"], Chance, "4711", "A random number."),
];

impl Macro {
    /// The built-in macro of a key.
    pub fn of_key(key: &str) -> Option<&'static Self> {
        ALL.iter().find(|one| one.key == key)
    }

    /// The macro of a single-brace name, without braces. Case-sensitive.
    pub fn of_single(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|one| one.single.contains(&name))
    }

    /// Whether it can be written as `{{KEY}}`.
    pub fn is_double(&self) -> bool {
        is_upper(self.key)
    }
}

/// Whether values of a key tell who somebody is; they are kept apart, masked and soon erased.
pub fn is_personal(key: &str) -> bool {
    Macro::of_key(key).is_some_and(|one| one.origin == Origin::Person)
}

/// Whether a text can be the name of a `{{UPPER}}` macro.
pub fn is_upper(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// The `{{UPPER}}` name of an event's own key: upper-cased, runs of other characters become `_`.
pub fn upper_name(key: &str) -> String {
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

/// The single-brace name with the fewest differing letters.
pub fn nearest_single(name: &str) -> &'static str {
    let name: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    ALL.iter()
        .flat_map(|one| one.single.iter().copied())
        .min_by_key(|known| edit_distance(&name, known))
        .unwrap_or("click_id")
}

/// The `{{UPPER}}` name, built in or of `others`, that differs from a name by one letter, or by two if it
/// is longer than five.
pub fn near_miss<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(64).collect();
    let most = if name.len() > 5 { 2 } else { 1 };
    ALL.iter()
        .filter(|one| one.is_double())
        .map(|one| one.key)
        .chain(others)
        .filter_map(|known| Some((within(&name, known, most)?, known)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_macro_of_a_landing_page_can_be_named_by_a_connector_too() {
        for name in crate::domain::template::Macro::ALL {
            assert!(Macro::of_single(name.as_str()).is_some(), "{name:?}");
        }
        for (alias, key) in [
            ("transaction_id", "BACKTRAIL_CLICK_ID"),
            ("offer", "CAMPAIGN_ID"),
            ("publisher", "AFFILIATE_ID"),
            ("aid", "advertiser_id"),
            ("sub_id_10", "SUB10"),
            ("unix_time", "TIMESTAMP"),
            ("country", "country"),
        ] {
            assert_eq!(Macro::of_single(alias).unwrap().key, key);
        }
    }

    #[test]
    fn keys_of_events_are_named_in_upper_case() {
        for (key, name) in [
            ("transaction_id", "TRANSACTION_ID"),
            ("extra", "EXTRA"),
            ("Order - number", "ORDER_NUMBER"),
            ("größe", "GR_E"),
            ("a__b", "A_B"),
        ] {
            assert_eq!(upper_name(key), name);
        }
    }

    #[test]
    fn a_near_miss_is_named_and_a_far_one_is_not() {
        let none = || std::iter::empty();
        assert_eq!(near_miss("EXTRA", none()), None);
        assert_eq!(near_miss("VALU", none()), Some("VALUE"));
        assert_eq!(near_miss("CURENCY", none()), Some("CURRENCY"));
        assert_eq!(near_miss("BASKET_SIZ", ["BASKET_SIZE"].into_iter()), Some("BASKET_SIZE"));
        assert_eq!(nearest_single("click_di"), "click_id");
    }
}

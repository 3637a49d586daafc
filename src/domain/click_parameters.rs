//! The parameters of a click, read leniently: a visitor never sees an error because of them.
//!
//! The first value wins; what is invalid or over a bound is dropped, and the click carries a
//! warning. Borrows from the query wherever nothing had to be decoded.

use super::encoding;
use super::parameters::{
    MAX_PARAMETERS, MAX_QUERY_BYTES, MAX_UNKNOWN, MAX_UNKNOWN_NAME_BYTES, MAX_UNKNOWN_VALUE_BYTES,
};
use super::verdict::{Warning, WarningCode};
use std::borrow::Cow;

/// The longest value of a parameter but the deep link, in bytes.
pub const MAX_VALUE_BYTES: usize = 512;
/// The longest deep link in bytes.
pub const MAX_DEEP_LINK_BYTES: usize = 4096;
/// The most warnings that a click carries; a hostile query is not worth more.
pub const MAX_WARNINGS: usize = 20;

/// What a click's query says, bounded and valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClickParameters<'a> {
    /// The campaign, also as `offer` or `offer_id`.
    pub campaign_id: Option<u32>,
    /// The link.
    pub ref_id: Option<u32>,
    /// The affiliate whose default link is meant, also as `publisher` or `aff_id`.
    pub affiliate_id: Option<u32>,
    /// The landing page's number.
    pub lp: Option<u32>,
    /// The deep link as sent, not yet read as an address; also as `redirect_url`.
    pub dl: Option<Cow<'a, str>>,
    /// `sub1` to `sub10`, also as `sub_id`, `sub_id_2` and so on.
    pub subs: [Option<Cow<'a, str>>; 10],
    /// The traffic's source.
    pub source: Option<Cow<'a, str>>,
    /// The affiliate's own click id, also as `external_transaction_id` or `aff_click_id`.
    pub external_click_id: Option<Cow<'a, str>>,
    /// `consent=0`: no cookie, no id, an aggregate count only.
    pub consent_denied: bool,
    /// `bt_test=1`: the click wants to be a test.
    pub is_test: bool,
    /// Until when the address makes tests, as sent in `bt_expires`.
    pub test_expires: Option<Cow<'a, str>>,
    /// What proves it, as sent in `bt_signature`.
    pub test_signature: Option<Cow<'a, str>>,
    /// `utm_*` and every other parameter that is kept, in order of arrival.
    pub extra: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// What was dropped.
    pub warnings: Vec<Warning>,
}

/// Reads a click's query. Never fails.
pub fn parse(query: &str) -> ClickParameters<'_> {
    let mut click = ClickParameters::default();
    let mut read_bytes = 0;
    let mut overflow = 0;
    for (index, (name, value)) in encoding::pairs(query).enumerate() {
        read_bytes += name.len() + value.len() + 2;
        // What is beyond the bounds is counted and not looked at.
        if index >= MAX_PARAMETERS || read_bytes > MAX_QUERY_BYTES + 1 {
            click.warn(Warning::general(
                WarningCode::DroppedParameter,
                "The query is longer than 16 KiB or has more than 100 parameters; the rest was \
                 dropped.",
            ));
            break;
        }
        let is_taken = if encoding::is_plain(name) && encoding::is_plain(value) {
            // Most are; nothing is decoded, trimmed or copied.
            name.is_empty() || value.is_empty() || click.take(name, value)
        } else {
            let (Some(name), Some(value)) = (encoding::decode(name), encoding::decode(value))
            else {
                click.warn(Warning::general(
                    WarningCode::DroppedParameter,
                    "A parameter was dropped because it is not UTF-8.",
                ));
                continue;
            };
            let value = encoding::trim_spaces(value);
            name.is_empty() || value.is_empty() || click.take(name, value)
        };
        if !is_taken {
            overflow += 1;
        }
    }
    if overflow > 0 {
        click.warn(Warning::general(
            WarningCode::TooManyUnknown,
            format!(
                "Unknown parameters that were dropped: {overflow}. At most {MAX_UNKNOWN} are \
                 kept, with names up to {MAX_UNKNOWN_NAME_BYTES} and values up to \
                 {MAX_UNKNOWN_VALUE_BYTES} bytes."
            ),
        ));
    }
    click
}

/// A name or value: as it stands in the query, or decoded.
trait Text<'a>: AsRef<str> + Into<Cow<'a, str>> {}
impl<'a, T: AsRef<str> + Into<Cow<'a, str>>> Text<'a> for T {}

/// What became of one parameter.
enum Outcome {
    Taken,
    Repeated,
    Invalid,
}

impl<'a> ClickParameters<'a> {
    /// Takes one parameter; false if it is an unknown one over the bounds.
    fn take<T: Text<'a>>(&mut self, name: T, value: T) -> bool {
        let outcome = match name.as_ref() {
            "campaign_id" | "offer" | "offer_id" => take_id(&mut self.campaign_id, value.as_ref()),
            "ref_id" => take_id(&mut self.ref_id, value.as_ref()),
            "affiliate_id" | "publisher" | "aff_id" => {
                take_id(&mut self.affiliate_id, value.as_ref())
            }
            "lp" => take_id(&mut self.lp, value.as_ref()),
            "dl" | "redirect_url" => take_text(&mut self.dl, value, MAX_DEEP_LINK_BYTES),
            "source" => take_text(&mut self.source, value, MAX_VALUE_BYTES),
            "external_click_id" | "external_transaction_id" | "aff_click_id" => {
                take_text(&mut self.external_click_id, value, MAX_VALUE_BYTES)
            }
            "consent" | "cons" => {
                self.consent_denied |= value.as_ref() == "0";
                Outcome::Taken
            }
            "bt_test" => {
                self.is_test |= value.as_ref() == "1";
                Outcome::Taken
            }
            "bt_expires" => take_text(&mut self.test_expires, value, MAX_VALUE_BYTES),
            "bt_signature" => take_text(&mut self.test_signature, value, MAX_VALUE_BYTES),
            other => match sub_number(other).and_then(|number| self.subs.get_mut(number)) {
                Some(sub) => take_text(sub, value, MAX_VALUE_BYTES),
                None => return self.take_extra(name.into(), value.into()),
            },
        };
        self.tell(outcome, name.as_ref());
        true
    }

    /// Keeps a parameter that has no meaning of its own; false if it is over the bounds.
    fn take_extra(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) -> bool {
        if let Some((_, first)) = self.extra.iter().find(|(known, _)| *known == name) {
            if *first != value {
                self.tell(Outcome::Repeated, &name);
            }
        } else if self.extra.len() >= MAX_UNKNOWN
            || name.len() > MAX_UNKNOWN_NAME_BYTES
            || value.len() > MAX_UNKNOWN_VALUE_BYTES
        {
            return false;
        } else if has_control(&value) || has_control(&name) {
            self.tell(Outcome::Invalid, &name.replace(char::is_control, ""));
        } else {
            self.extra.push((name, value));
        }
        true
    }

    fn tell(&mut self, outcome: Outcome, name: &str) {
        let (code, message) = match outcome {
            Outcome::Taken => return,
            Outcome::Repeated => (
                WarningCode::RepeatedParameter,
                "The parameter comes twice with different values; the first was used.",
            ),
            Outcome::Invalid => (
                WarningCode::DroppedParameter,
                "The value is too long or cannot be read; it was dropped.",
            ),
        };
        self.warn(Warning::about(code, name, message));
    }

    fn warn(&mut self, warning: Warning) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }
}

/// Takes a number from 1; zero and what is no number of 32 bits are invalid.
fn take_id(place: &mut Option<u32>, value: &str) -> Outcome {
    let id =
        if value.bytes().all(|byte| byte.is_ascii_digit()) { value.parse().ok() } else { None };
    match (*place, id) {
        (_, None | Some(0)) => Outcome::Invalid,
        (Some(first), Some(id)) if first != id => Outcome::Repeated,
        (_, id) => {
            *place = id;
            Outcome::Taken
        }
    }
}

/// Takes a text within its bound and without control characters.
fn take_text<'a, T: Text<'a>>(place: &mut Option<Cow<'a, str>>, value: T, bound: usize) -> Outcome {
    let text = value.as_ref();
    if text.len() > bound || has_control(text) {
        return Outcome::Invalid;
    }
    match place {
        Some(first) if first != text => Outcome::Repeated,
        Some(_) => Outcome::Taken,
        None => {
            *place = Some(value.into());
            Outcome::Taken
        }
    }
}

fn has_control(value: &str) -> bool {
    !encoding::is_plain(value) && value.chars().any(char::is_control)
}

/// The index of a sub-id by its name: `sub1` and `sub_id` are 0, `sub_id_10` is 9.
fn sub_number(name: &str) -> Option<usize> {
    let rest = name.strip_prefix("sub")?;
    let digits = match rest.strip_prefix("_id") {
        Some("") => return Some(0),
        Some(rest) => rest.strip_prefix('_')?,
        None => rest,
    };
    match digits.as_bytes() {
        [digit @ b'1'..=b'9'] => Some(usize::from(digit - b'1')),
        b"10" => Some(9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(click: &ClickParameters<'_>) -> Vec<(WarningCode, Option<String>)> {
        click.warnings.iter().map(|w| (w.code, w.parameter.clone())).collect()
    }

    #[test]
    fn every_name_and_alias_is_read() {
        for (query, read) in [
            ("campaign_id=7", "campaign 7"),
            ("offer=7", "campaign 7"),
            ("offer_id=7", "campaign 7"),
            ("ref_id=4294967295", "link 4294967295"),
            ("affiliate_id=3", "affiliate 3"),
            ("publisher=3", "affiliate 3"),
            ("aff_id=+3+", "affiliate 3"),
            ("lp=2", "page 2"),
        ] {
            let click = parse(query);
            let seen = [
                click.campaign_id.map(|id| format!("campaign {id}")),
                click.ref_id.map(|id| format!("link {id}")),
                click.affiliate_id.map(|id| format!("affiliate {id}")),
                click.lp.map(|id| format!("page {id}")),
            ];
            assert_eq!(seen.into_iter().flatten().collect::<Vec<_>>(), [read], "{query}");
            assert_eq!(click.warnings, []);
        }
        for name in ["external_click_id", "external_transaction_id", "aff_click_id"] {
            let query = format!("{name}=a%2Fb");
            assert_eq!(parse(&query).external_click_id.as_deref(), Some("a/b"));
        }
        assert_eq!(parse("dl=https://a.b/?c=d").dl.as_deref(), Some("https://a.b/?c=d"));
        assert_eq!(parse("redirect_url=https%3A%2F%2Fa.b").dl.as_deref(), Some("https://a.b"));
        assert_eq!(parse("source=x").source.as_deref(), Some("x"));
        assert!(parse("consent=0").consent_denied && parse("cons=0").consent_denied);
        assert!(!parse("consent=1").consent_denied && !parse("consent=").consent_denied);
    }

    #[test]
    fn sub_ids_have_two_spellings() {
        for number in 1..=10 {
            let names = match number {
                1 => vec!["sub1".to_owned(), "sub_id".to_owned(), "sub_id_1".to_owned()],
                _ => vec![format!("sub{number}"), format!("sub_id_{number}")],
            };
            for name in names {
                let query = format!("{name}=v");
                let click = parse(&query);
                for (index, sub) in click.subs.iter().enumerate() {
                    assert_eq!(sub.is_some(), index + 1 == number, "{name}");
                }
            }
        }
        for name in ["sub", "sub0", "sub11", "sub01", "sub_1", "sub_id_0", "sub_id_", "Sub1"] {
            let query = format!("{name}=v");
            let click = parse(&query);
            assert!(click.subs.iter().all(Option::is_none), "{name}");
            assert_eq!(click.extra.len(), 1, "{name}");
        }
    }

    #[test]
    fn the_first_value_wins_with_a_warning() {
        let click = parse("offer=7&campaign_id=8&sub1=a&sub_id=b&utm_source=x&utm_source=y&sub1=a");
        assert_eq!(click.campaign_id, Some(7));
        assert_eq!(click.subs[0].as_deref(), Some("a"));
        assert_eq!(click.extra, [("utm_source".into(), "x".into())]);
        let repeated = |name: &str| (WarningCode::RepeatedParameter, Some(name.to_owned()));
        assert_eq!(
            codes(&click),
            [repeated("campaign_id"), repeated("sub_id"), repeated("utm_source")]
        );
    }

    #[test]
    fn what_is_invalid_is_dropped_with_a_warning() {
        let long = "x".repeat(513);
        for query in [
            "campaign_id=0".to_owned(),
            "campaign_id=-1".to_owned(),
            "campaign_id=%2B1".to_owned(),
            "campaign_id=4294967296".to_owned(),
            "campaign_id=1e3".to_owned(),
            "campaign_id=%D9%A1".to_owned(),
            "campaign_id=7abc".to_owned(),
            "sub1=a%0D%0Ab".to_owned(),
            "sub1=%00".to_owned(),
            "sub1=%ff".to_owned(),
            "%ff=1".to_owned(),
            "x=%C2%85".to_owned(),
            "x%0A=1".to_owned(),
            "dl=https://a%09.b/".to_owned(),
            format!("sub1={long}"),
            format!("source={long}"),
            format!("dl=https://a.b/{}", "x".repeat(4096)),
        ] {
            let click = parse(&query);
            let warnings = click.warnings.clone();
            assert_eq!(warnings.len(), 1, "{query}");
            assert_eq!(warnings[0].code, WarningCode::DroppedParameter, "{query}");
            assert_eq!(ClickParameters { warnings, ..Default::default() }, click, "{query}");
        }
        assert_eq!(parse("campaign_id=x&campaign_id=5").campaign_id, Some(5));
    }

    #[test]
    fn nothing_is_read_beyond_the_bounds() {
        let many: String = (0..10_000).map(|i| format!("p{i}=v&")).collect();
        let click = parse(&many);
        assert_eq!(click.extra.len(), MAX_UNKNOWN);
        let told = codes(&click);
        assert_eq!(
            told,
            [(WarningCode::DroppedParameter, None), (WarningCode::TooManyUnknown, None)]
        );
        let late = format!("sub1={}&ref_id=1", "x".repeat(20_000));
        assert_eq!(parse(&late).ref_id, None);
        let fits = format!("{}ref_id=1", "x&".repeat(99));
        assert_eq!(parse(&fits).ref_id, Some(1));
        let bad: String = (0..60).map(|i| format!("p{i}=%00&")).collect();
        assert_eq!(parse(&bad).warnings.len(), MAX_WARNINGS);
    }

    #[test]
    fn plain_values_are_borrowed() {
        let click = parse("sub1=abc&x=y&source=a%20b");
        assert!(matches!(click.subs[0], Some(Cow::Borrowed("abc"))));
        assert!(matches!(click.extra[0], (Cow::Borrowed("x"), Cow::Borrowed("y"))));
        assert!(matches!(click.source, Some(Cow::Owned(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_query_makes_the_reader_panic_and_all_it_reads_is_clean(
            query in "((sub1|dl|offer|x|utm_a)=|[a-c%0-9&=+]|\\PC){0,60}",
        ) {
            let click = parse(&query);
            let texts = click.subs.iter().chain([&click.dl, &click.source]).flatten();
            let extra = click.extra.iter().flat_map(|(name, value)| [name, value]);
            for text in texts.chain(extra) {
                proptest::prop_assert!(!text.is_empty() && !has_control(text));
                proptest::prop_assert_eq!(text.len(), text.len().min(MAX_DEEP_LINK_BYTES));
            }
        }

        #[test]
        fn a_sub_id_comes_back(value in "[!-~é]{1,100}") {
            let mut query = "sub3=".to_owned();
            encoding::encode_into(&mut query, &value);
            let click = parse(&query);
            proptest::prop_assert_eq!(click.subs[2].as_deref(), Some(value.as_str()));
        }
    }
}

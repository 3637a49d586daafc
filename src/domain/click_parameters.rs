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
            click.take_encoded(name, value)
        };
        if !is_taken {
            overflow += 1;
        }
    }
    if overflow > 0 {
        click.tell_overflow(overflow);
    }
    click
}

/// A name or value: plain, as it stands in the query, or decoded.
trait Text<'a>: AsRef<str> + Into<Cow<'a, str>> {
    /// Whether there may be control characters in it.
    fn has_control(&self) -> bool;
}

impl<'a> Text<'a> for &'a str {
    fn has_control(&self) -> bool {
        // It would have been decoded (`encoding::is_plain`).
        false
    }
}

impl<'a> Text<'a> for Cow<'a, str> {
    fn has_control(&self) -> bool {
        !encoding::is_plain(self) && self.chars().any(char::is_control)
    }
}

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
        if !matches!(outcome, Outcome::Taken) {
            self.tell(outcome, name.as_ref());
        }
        true
    }

    /// The same for one that has to be decoded.
    #[inline(never)]
    fn take_encoded(&mut self, name: &'a str, value: &'a str) -> bool {
        let (Some(name), Some(value)) = (encoding::decode(name), encoding::decode(value)) else {
            self.warn(Warning::general(
                WarningCode::DroppedParameter,
                "A parameter was dropped because it is not UTF-8.",
            ));
            return true;
        };
        let value = encoding::trim_spaces(value);
        name.is_empty() || value.is_empty() || self.take(name, value)
    }

    /// Keeps a parameter that has no meaning of its own; false if it is over the bounds.
    #[inline(never)]
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
        } else if value.has_control() || name.has_control() {
            self.tell(Outcome::Invalid, &name.replace(char::is_control, ""));
        } else {
            self.extra.push((name, value));
        }
        true
    }

    #[inline(never)]
    fn tell_overflow(&mut self, overflow: usize) {
        self.warn(Warning::general(
            WarningCode::TooManyUnknown,
            format!(
                "Unknown parameters that were dropped: {overflow}. At most {MAX_UNKNOWN} are \
                 kept, with names up to {MAX_UNKNOWN_NAME_BYTES} and values up to \
                 {MAX_UNKNOWN_VALUE_BYTES} bytes."
            ),
        ));
    }

    #[inline(never)]
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
    if text.len() > bound || value.has_control() {
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
mod tests;

//! Touches: arrivals of a visitor with a click id of any platform, and whose click a connector
//! finds among them.

use super::connector::{Matching, Model};
use super::encoding::{decode, pairs};
use super::parameters::is_placeholder;
use super::time::{DAY_MS, Timestamp};

/// The parameter of touches that are Backtrail's own clicks: no parameter of an address is called so.
pub const OWN: &str = "";

/// The parameter under which the cookie `_fbc` is kept, which is no parameter of an address.
pub const FBC_COOKIE: &str = "_fbc";

/// The click ids that are kept wherever they come (wire.md 9), and the macros that stand for them.
const PLATFORMS: [(&str, &str); 9] = [
    ("gclid", "GCLID"),
    ("gbraid", "GBRAID"),
    ("wbraid", "WBRAID"),
    ("fbclid", "FBC"),
    ("ttclid", "TTCLID"),
    ("ScCid", "SCCLID"),
    ("epik", "EPIK"),
    ("msclkid", "MSCLKID"),
    ("li_fat_id", "LI_FAT_ID"),
];

/// The longest value of a touch in bytes. Those of the platforms have up to about 250.
const MAX_VALUE: usize = 512;
/// Touches of one arrival; more ids in one address are nobody's.
const MAX_TOUCHES: usize = 20;
/// For so long a touch is kept: the longest window of a connector.
pub const KEPT_MS: u64 = 365 * DAY_MS;

/// One arrival of a visitor with one click id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// When the visitor arrived; of Backtrail's own clicks, when the click was.
    pub at: Timestamp,
    /// The parameter of the landing page's address; [`OWN`] for Backtrail's own clicks.
    pub parameter: String,
    /// The click id.
    pub value: String,
    /// Names and values of what the address says of the source, as far as connectors ask for it.
    pub sources: Vec<(String, String)>,
}

impl Touch {
    /// Whether it is a click of Backtrail's.
    pub fn is_own(&self) -> bool {
        self.parameter == OWN
    }

    fn source(&self, parameter: &str) -> Option<&str> {
        let mut found = self.sources.iter().filter(|(name, _)| name == parameter);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Whether the touch is of the connector's platform. Without a strict value any source will do,
    /// none as well: the connector then only wants to be told of it.
    fn is_of(&self, matching: &Matching) -> bool {
        let Matching { parameter, source_parameter, source_value, .. } = matching;
        self.parameter == *parameter
            && match (source_parameter, source_value) {
                (Some(name), Some(value)) => self.source(name) == Some(value),
                _ => true,
            }
    }
}

/// What a connector with matching finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match<'a> {
    /// The click is this platform's.
    Found {
        /// What `{{CLICK_ID}}` stands for.
        click_id: &'a str,
        /// What `{{CLICK_SOURCE}}` stands for, if the connector asks for it and the address said it.
        source: Option<&'a str>,
    },
    /// It is not, or there is none within the window.
    None,
}

/// Whose click led to an event (design.md 6). A touch counts from its time on, for the connector's
/// window, both ends included.
///
/// *Any*: the newest touch that is the connector's. *Last*: the same, provided that none is newer
/// among those of all connectors (`all`: of every one that is not disabled) and Backtrail's own
/// clicks. Other arrivals, such as direct ones or with ids that no connector asks for, do not count.
pub fn find_match<'a>(
    matching: &Matching,
    all: &[Matching],
    touches: &'a [Touch],
    happened_at: Timestamp,
) -> Match<'a> {
    let window_ms = u64::from(matching.window_days) * DAY_MS;
    let inside = touches
        .iter()
        .filter(|touch| touch.at <= happened_at && happened_at.ms_since(touch.at) <= window_ms);
    let newest = |mine: Option<&'a Touch>, touch: &'a Touch| match mine {
        Some(known) if known.at >= touch.at => Some(known),
        _ => Some(touch),
    };
    let mine = inside.clone().filter(|touch| touch.is_of(matching)).fold(None, newest);
    let Some(mine) = mine else { return Match::None };
    let is_somebodys = |touch: &&Touch| touch.is_own() || all.iter().any(|one| touch.is_of(one));
    let is_beaten = inside.filter(is_somebodys).any(|touch| touch.at > mine.at);
    if matching.model == Model::Last && is_beaten {
        return Match::None;
    }
    let source = matching.source_parameter.as_deref().and_then(|name| mine.source(name));
    Match::Found { click_id: &mine.value, source }
}

/// What the macros of platforms (`GCLID`, `FBC`…) stand for: each the newest up to the event.
/// `FBC` is the cookie `_fbc`, else made of the newest `fbclid` as Meta's own script makes it.
pub fn platform_values(touches: &[Touch], happened_at: Timestamp) -> Vec<(&'static str, String)> {
    let newest = |parameter: &str| {
        let of = touches.iter().filter(|t| t.parameter == parameter && t.at <= happened_at);
        of.max_by_key(|touch| touch.at)
    };
    let value = |(parameter, name): (&str, &'static str)| {
        let value = match newest(FBC_COOKIE).filter(|_| parameter == "fbclid") {
            Some(cookie) => cookie.value.clone(),
            None if parameter == "fbclid" => {
                let touch = newest(parameter)?;
                format!("fb.1.{}.{}", touch.at.ms(), touch.value)
            }
            None => newest(parameter)?.value.clone(),
        };
        Some((name, value))
    };
    PLATFORMS.into_iter().filter_map(value).collect()
}

/// The touches of an arrival: the address of the landing page, the cookie `_fbc` if there is one,
/// and when it was. Of each parameter that a platform or a connector asks for the first value
/// counts; what is no click id at all (over 512 bytes, a placeholder, with control characters) is
/// left out. `own` says when a click_id of Backtrail's was clicked; `None` for other texts.
pub fn touches_of(
    address: &str,
    fbc: Option<&str>,
    at: Timestamp,
    all: &[Matching],
    own: impl Fn(&str) -> Option<Timestamp>,
) -> Vec<Touch> {
    let address = address.split_once('#').map_or(address, |(before, _)| before);
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let found: Vec<(String, String)> = pairs(query)
        .filter_map(|(name, value)| Some((decode(name)?.into_owned(), decode(value)?.into_owned())))
        .filter(|(_, value)| is_click_id(value))
        .collect();
    let first = |name: &str| found.iter().find(|(known, _)| known == name);
    let is_asked_for = |name: &str| {
        PLATFORMS.iter().any(|(parameter, _)| *parameter == name)
            || all.iter().any(|matching| matching.parameter == name)
    };
    let mut touches: Vec<Touch> = Vec::new();
    for (name, value) in &found {
        if touches.len() >= MAX_TOUCHES || first(name).is_none_or(|(_, known)| known != value) {
            continue;
        }
        let touch = match own(value) {
            Some(clicked_at) => own_touch(value, clicked_at),
            None if is_asked_for(name) => {
                let mut sources: Vec<(String, String)> = Vec::new();
                let of_name = all.iter().filter(|matching| matching.parameter == *name);
                for wanted in of_name.filter_map(|matching| matching.source_parameter.as_deref()) {
                    let is_new = sources.iter().all(|(known, _)| known != wanted);
                    sources.extend(first(wanted).filter(|_| is_new).cloned());
                }
                Touch { at, parameter: name.clone(), value: value.clone(), sources }
            }
            None => continue,
        };
        let is_same =
            |known: &Touch| (&known.parameter, &known.value) == (&touch.parameter, &touch.value);
        if !touches.iter().any(is_same) {
            touches.push(touch);
        }
    }
    touches.extend(fbc.and_then(|cookie| fbc_touch(cookie, at)));
    touches
}

/// The touch of a click of Backtrail's.
pub fn own_touch(click_id: &str, clicked_at: Timestamp) -> Touch {
    Touch {
        at: clicked_at,
        parameter: OWN.to_owned(),
        value: click_id.to_owned(),
        sources: Vec::new(),
    }
}

/// Whether a text can be the cookie `_fbc`.
pub fn is_fbc(cookie: &str) -> bool {
    fbc_touch(cookie, Timestamp::from_ms(u64::MAX)).is_some()
}

/// The cookie `_fbc`: `fb.1.{milliseconds}.{fbclid}`.
fn fbc_touch(cookie: &str, now: Timestamp) -> Option<Touch> {
    let mut parts = cookie.splitn(4, '.');
    let (version, _, ms) = (parts.next()?, parts.next()?, parts.next()?);
    let id = parts.next().filter(|id| !id.is_empty())?;
    // A later one would be the newest for ever.
    let at = Timestamp::from_ms(ms.parse().ok()?).min(now);
    let is_fbc = version == "fb" && is_click_id(cookie) && is_click_id(id);
    is_fbc.then(|| Touch {
        at,
        parameter: FBC_COOKIE.to_owned(),
        value: cookie.to_owned(),
        sources: Vec::new(),
    })
}

fn is_click_id(text: &str) -> bool {
    (1..=MAX_VALUE).contains(&text.len())
        && !text.chars().any(char::is_control)
        && !is_placeholder(text)
}

#[cfg(test)]
mod tests;

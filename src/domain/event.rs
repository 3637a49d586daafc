//! What a campaign counts after the initial conversion, and how a postback names it.

use super::configuration::SecretHash;
use super::money::Rule;
use super::parameters::is_placeholder;
use super::time::DAY_MS;
use super::verdict::{Reason, Refusal, words};

words! {
    /// What makes an event a repeat (wire.md 5).
    Repeat {
        /// The click: it has the event once.
        Once = "once",
        /// The order.
        PerOrder = "per_order",
        /// The order; without one, the same parameters within [`SAME_REQUEST_MS`].
        EveryRequest = "every_request",
    }
}

/// Within so many milliseconds the same parameters are the same event (wire.md 5: 10 minutes).
pub const SAME_REQUEST_MS: u64 = 600_000;

/// The names of site events that every namespace knows (wire.md 8).
pub const STANDARD_EVENTS: [&str; 10] = [
    "PageView",
    "ViewContent",
    "AddToCart",
    "InitiateCheckout",
    "Lead",
    "CompleteRegistration",
    "StartTrial",
    "Subscribe",
    "Purchase",
    "ContactInfo",
];

/// The longest name that near misses are looked for with, in characters; their search is
/// quadratic, and nobody reads what is longer.
const MAX_NEAR_MISS: usize = 64;

/// An event of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number, `event_id` on the wire; from 1.
    pub id: u32,
    /// Its name, compared as bytes.
    pub name: String,
    /// What the advertiser pays.
    pub revenue: Rule,
    /// What the affiliate gets.
    pub payout: Rule,
    /// What makes it a repeat.
    pub repeat: Repeat,
    /// How many days after the initial conversion it counts; `None` for ever.
    pub window_days: Option<u32>,
    /// Our parameters, by canonical name, and where each comes from.
    pub parameters: Vec<(String, Origin)>,
    /// Its own tokens, which work for its postbacks alone.
    pub token_hashes: Vec<SecretHash>,
    /// Whether new ones are recorded. Repeats are answered all the same.
    pub is_active: bool,
}

impl Event {
    /// The window in milliseconds.
    pub fn window_ms(&self) -> Option<u64> {
        self.window_days.map(|days| u64::from(days) * DAY_MS)
    }
}

/// Where one of our parameters comes from in an advertiser's postbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A parameter of the advertiser's own; read in place of ours.
    Parameter(String),
    /// What the advertiser's system replaces with the value; stands in the printed URL.
    Macro(String),
}

impl Origin {
    /// Reads what an operator wrote: 1 to 64 letters, digits, `-`, `_` and points are a name, what
    /// has any other character (every bracket is one) is a macro.
    pub fn parse(text: &str) -> Self {
        let is_name = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            && !is_placeholder(text);
        if is_name { Self::Parameter(text.to_owned()) } else { Self::Macro(text.to_owned()) }
    }
}

/// The event that a postback names, `None` for the initial conversion.
///
/// # Errors
/// `unknown_event`, naming a near miss; `event_mismatch` where number and name disagree.
pub fn find<'e>(
    events: &'e [Event],
    campaign_id: u32,
    id: Option<u32>,
    name: Option<&str>,
) -> Result<Option<&'e Event>, Refusal> {
    let by_id = id.map(|id| (id, events.iter().find(|event| event.id == id)));
    let by_name = name.map(|name| (name, named(events, name)));
    match (by_id, by_name) {
        (None, None) => Ok(None),
        (Some((_, Some(event))), None) => Ok(Some(event)),
        (None, Some((_, Some(event)))) => Ok(Some(event)),
        // An archived event may share its name with the one that followed it.
        (Some((_, Some(event))), Some((name, _))) if event.name == name => Ok(Some(event)),
        (Some((id, None)), None | Some((_, None))) => {
            let detail = format!(
                "campaign {campaign_id} has no event {id}; its numbers stand in the list of its events. Without event_id this is the initial conversion"
            );
            Err(Refusal::of(Reason::UnknownEvent, "event_id", detail))
        }
        (None, Some((name, None))) => Err(unknown_name(events, campaign_id, name)),
        (Some((id, by_id)), Some((_, by_name))) => Err(mismatch(id, by_id, by_name)),
    }
}

/// The event of a name; of several the one that is not archived.
fn named<'e>(events: &'e [Event], name: &str) -> Option<&'e Event> {
    let bearers = || events.iter().filter(|event| event.name == name);
    bearers().find(|event| event.is_active).or_else(|| bearers().next())
}

fn mismatch(id: u32, by_id: Option<&Event>, by_name: Option<&Event>) -> Refusal {
    let of_id = match by_id {
        Some(event) => format!("event {id} is called {:?}", event.name),
        None => format!("there is no event {id}"),
    };
    let of_name = match by_name {
        Some(event) => format!("the event of this name has the number {}", event.id),
        None => "no event has this name".to_owned(),
    };
    let detail =
        format!("event_id and event_name disagree: {of_id}, and {of_name}; send one of them only");
    Refusal::of(Reason::EventMismatch, "event_name", detail)
}

fn unknown_name(events: &[Event], campaign_id: u32, name: &str) -> Refusal {
    let meant = match near_miss(events, name) {
        Some(event) => {
            format!("; did you mean {:?}? Names are compared letter by letter", event.name)
        }
        None => {
            "; names stand in the list of its events, and are compared letter by letter".to_owned()
        }
    };
    let detail = format!("campaign {campaign_id} has no event of this name{meant}");
    Refusal::of(Reason::UnknownEvent, "event_name", detail)
}

/// The event whose name differs least: in case or outer spaces only, else in at most two letters,
/// and less than half of them.
fn near_miss<'e>(events: &'e [Event], name: &str) -> Option<&'e Event> {
    let folded = |text: &str| text.trim().to_lowercase();
    let wanted = folded(name);
    if wanted.chars().count() > MAX_NEAR_MISS {
        return None;
    }
    let distances = events.iter().filter(|event| event.is_active).filter_map(|event| {
        let own = folded(&event.name);
        let (shorter, longer) = (own.len().min(wanted.len()), own.len().max(wanted.len()));
        // A letter has at most four bytes.
        if longer - shorter > 8 {
            return None;
        }
        let distance = distance(&own, &wanted);
        (distance <= 2 && distance * 2 < own.chars().count()).then_some((distance, event))
    });
    distances.min_by_key(|(distance, _)| *distance).map(|(_, event)| event)
}

/// How many letters have to be added, dropped or replaced (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, letter) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut left = line + 1;
        next.push(left);
        for (other, pair) in b.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(*other != letter)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// What a site event becomes (wire.md 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// The initial conversion.
    Initial,
    /// The event of this number.
    Event(u32),
}

impl Becomes {
    /// `initial` or `event:5`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "initial" {
            return Some(Self::Initial);
        }
        parse_id(text.strip_prefix("event:")?).filter(|id| *id != u32::MAX).map(Self::Event)
    }
}

/// The name of the first site event that becomes an initial conversion.
pub fn initial_name(site_events: &[(String, Becomes)]) -> Option<&str> {
    let found = site_events.iter().find(|(_, becomes)| *becomes == Becomes::Initial);
    found.map(|(name, _)| name.as_str())
}

/// An event's number, `[1-9][0-9]{0,9}` (wire.md 2). One beyond four bytes cannot exist; it is
/// unknown, not unreadable.
pub fn parse_id(text: &str) -> Option<u32> {
    let is_number =
        text.len() <= 10 && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    (is_number && !text.is_empty()).then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::{BasisPoints, MoneyType};

    fn event(id: u32, name: &str) -> Event {
        let rule = Rule { kind: MoneyType::Fixed, fixed_minor: 0, percent: BasisPoints(0) };
        Event {
            id,
            name: name.to_owned(),
            revenue: rule,
            payout: rule,
            repeat: Repeat::Once,
            window_days: None,
            parameters: vec![],
            token_hashes: vec![],
            is_active: true,
        }
    }

    /// What a number and a name find among purchase (1), renewal (2) and an archived trial (3).
    fn find(id: Option<u32>, name: Option<&str>) -> Result<Option<u32>, Refusal> {
        let archived = Event { is_active: false, ..event(3, "trial") };
        let events = [event(1, "purchase"), event(2, "renewal"), archived];
        super::find(&events, 7, id, name).map(|found| found.map(|event| event.id))
    }

    #[test]
    fn number_and_name_each_suffice_and_both_must_agree() {
        assert_eq!(find(None, None), Ok(None));
        for (id, name) in [(Some(2), None), (None, Some("renewal")), (Some(2), Some("renewal"))] {
            assert_eq!(find(id, name), Ok(Some(2)), "{id:?} {name:?}");
        }
        assert_eq!(find(Some(3), None), Ok(Some(3)), "its repeats are answered still");
        let reason = |id, name| find(id, name).map_err(|refusal| refusal.reason);
        for (id, name) in [(1, "renewal"), (1, "other"), (9, "purchase")] {
            assert_eq!(reason(Some(id), Some(name)), Err(Reason::EventMismatch), "{id} {name}");
        }
        for (id, name) in [(Some(9), None), (None, Some("other")), (Some(9), Some("other"))] {
            assert_eq!(reason(id, name), Err(Reason::UnknownEvent), "{id:?} {name:?}");
        }
    }

    #[test]
    fn a_name_that_was_given_free_means_its_new_bearer_and_the_number_the_old_one() {
        let events = [Event { is_active: false, ..event(1, "buy") }, event(2, "buy")];
        let find = |id, name| super::find(&events, 7, id, name).map(|event| event.unwrap().id);
        assert_eq!(find(None, Some("buy")), Ok(2));
        assert_eq!(find(Some(1), Some("buy")), Ok(1));
    }

    #[test]
    fn a_near_miss_is_named_and_a_far_one_is_not() {
        let detail = |name| find(None, Some(name)).unwrap_err().detail;
        for name in ["Purchase", "purchas", "puchrase", "pur-chase", "PURCHASE ", "purchased"] {
            assert!(detail(name).contains("did you mean \"purchase\""), "{name}: {}", detail(name));
        }
        for name in ["", "pch", "purchase of shoes", "trail", &"purchase".repeat(9)] {
            assert!(!detail(name).contains("did you mean"), "{name}: {}", detail(name));
        }
    }

    #[test]
    fn letters_that_differ_are_counted() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn what_has_a_bracket_is_a_macro() {
        for name in ["price", "event-value", "a.b_c", "x"] {
            assert_eq!(Origin::parse(name), Origin::Parameter(name.into()));
        }
        for text in
            ["{price}", "(event-revenue)", "[x]", "%x%", "#x#", "REPLACE", "", &"a".repeat(65)]
        {
            assert_eq!(Origin::parse(text), Origin::Macro(text.into()));
        }
    }

    #[test]
    fn a_site_event_becomes_the_initial_conversion_or_a_numbered_event() {
        assert_eq!(Becomes::parse("initial"), Some(Becomes::Initial));
        assert_eq!(Becomes::parse("event:5"), Some(Becomes::Event(5)));
        for text in [
            "",
            "Initial",
            "event:",
            "event:0",
            "event:05",
            "event:-1",
            "event:x",
            "event:99999999999",
            "event:9999999999",
        ] {
            assert_eq!(Becomes::parse(text), None, "{text}");
        }
    }
}

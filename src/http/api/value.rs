//! One JSON value to its stored form, by the kind of its field.

use serde_json::Value;

mod event;
mod flag;
mod maps;

use super::input::Reading;
use crate::app::access::Scope;
use crate::app::catalog::resource::{Item, Kind, Record, Resource};
use crate::domain::attribution::Way;
use crate::domain::click_id::Country;
use crate::domain::configuration::Status;
use crate::domain::money::{BasisPoints, Currency, Decimal};
use crate::domain::namespace::{self, Namespace};
use crate::domain::network::Network;
use crate::domain::parameters::{PARAMETER_NAME, is_parameter_name};
use crate::domain::template::{self, Macro};
use crate::domain::time::Timestamp;
use crate::domain::{parameters, web_address};

/// What is wrong with a value: a code, and a sentence that says what to send instead.
pub(super) type Fault = (&'static str, String);

/// The most items of a list. A campaign's whole configuration is read at once by the redirect.
pub(super) const MAX_ITEMS: usize = 200;
/// The most entries of a map.
pub(super) const MAX_ENTRIES: usize = 50;
/// The most characters of a name.
const MAX_NAME: usize = 200;
/// The most characters of a code, such as an affiliate's custom id; order ids have as many.
const MAX_CODE: usize = 128;
/// The fewest characters of a secret that somebody else chose.
const MIN_SECRET: usize = 32;
/// The most characters of a secret.
const MAX_SECRET: usize = 200;
/// The largest id: numbers are bound as doubles.
pub(super) const MAX_ID: u64 = (1 << 53) - 1;

/// What is said about a field that does not exist.
pub(super) fn unknown_field(resource: &Resource) -> Fault {
    let names: Vec<&str> = resource.fields.iter().map(|field| field.name).collect();
    let message = format!("There is no such field; there are {}.", names.join(", "));
    ("unknown_field", message)
}

/// A value of a filter in its stored form. Filters are words, codes and ids.
pub(super) fn filter(kind: Kind, sent: Option<Value>) -> Result<Value, Fault> {
    let sent = sent.ok_or_else(|| invalid("it has to be a number."))?;
    match (kind, sent) {
        (Kind::Choice(words), Value::String(text)) => choice(words, &text),
        (Kind::Currency, Value::String(text)) => currency(&text),
        (Kind::Flag, Value::String(text)) => flag::stored(text.parse().ok()),
        (_, sent) => Ok(sent),
    }
}

/// A value in its stored form. `before` holds the fields that stand before it.
pub(super) fn read(
    kind: Kind,
    sent: &Value,
    reading: &Reading<'_>,
    before: &Record,
) -> Result<Value, Fault> {
    match kind {
        Kind::Flag | Kind::Default(_) | Kind::Switch(_) => flag::stored(sent.as_bool()),
        Kind::Count(min, max) => {
            let count = sent.as_i64().filter(|number| (min..=max).contains(number));
            count
                .map(Value::from)
                .ok_or_else(|| invalid(&format!("Send a whole number from {min} to {max}.")))
        }
        Kind::Reference(_) | Kind::Limit(_) | Kind::TokenOwner => {
            let id = sent.as_u64().filter(|id| (1..=MAX_ID).contains(id));
            id.map(Value::from).ok_or_else(|| invalid("Send an id, a number from 1."))
        }
        Kind::List(item) => list(item, sent, reading),
        Kind::Map(entry) => maps::map(entry, sent),
        _ => {
            let text = sent.as_str().ok_or_else(|| invalid(wanted(kind)))?;
            scalar(kind, text, reading, before)
        }
    }
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Money => "Send the amount as a string, such as \"5.00\".",
        Kind::Percent => "Send the percentage as a string, such as \"12.5\".",
        Kind::Rate => "Send the rate as a string, such as \"1.0842\".",
        _ => "Send a string.",
    }
}

fn scalar(kind: Kind, text: &str, reading: &Reading<'_>, before: &Record) -> Result<Value, Fault> {
    match kind {
        Kind::Name => plain_text(text, MAX_NAME),
        Kind::EventName => event::name(text),
        Kind::Code => plain_text(text, MAX_CODE),
        Kind::NamespaceName => namespace_name(text),
        Kind::Hostname => hostname(text, reading),
        Kind::Choice(words) => choice(words, text),
        Kind::Currency => currency(text),
        Kind::Money => money(text, reading, before),
        Kind::Percent => {
            BasisPoints::parse_percent(text).map(|points| points.0.into()).ok_or_else(|| {
                invalid("Send a percentage from \"0\" to \"100\" with at most two decimals.")
            })
        }
        Kind::Rate => match Decimal::parse_rate(text) {
            Some(rate) => Ok(rate.normalised().into()),
            None => {
                Err(invalid("Send a number above 0 with at most 10 decimals, such as \"1.0842\"."))
            }
        },
        Kind::Time => match Timestamp::parse(text) {
            Some(time) => Ok(time.ms().into()),
            None => Err(invalid("Send a time of RFC 3339, such as \"2026-11-21T00:00:00Z\".")),
        },
        Kind::TimeZone if is_time_zone(text) && knows_zone(reading, text) => Ok(text.into()),
        Kind::TimeZone => {
            Err(invalid("Send the IANA name of a time zone, such as \"Europe/Paris\"."))
        }
        Kind::LandingPage => landing_page(text, reading),
        Kind::TrafficBack => traffic_back(text, reading),
        Kind::ParameterName if is_parameter_name(text) => Ok(text.into()),
        Kind::ParameterName => Err(invalid(PARAMETER_NAME)),
        Kind::Secret(_) => secret(text),
        Kind::SigningSecret => {
            Err(invalid("Leave this out; Backtrail generates it and shows it once."))
        }
        // The others are no strings, and `read` has dealt with them.
        _ => Err(invalid(wanted(kind))),
    }
}

fn invalid(message: &str) -> Fault {
    ("invalid", message.to_owned())
}

fn plain_text(text: &str, most: usize) -> Result<Value, Fault> {
    let is_plain = !text.chars().any(char::is_control);
    if !text.trim().is_empty() && text.chars().count() <= most && is_plain {
        return Ok(text.into());
    }
    Err(invalid(&format!("Send 1 to {most} characters without control characters.")))
}

fn choice(words: &[&str], text: &str) -> Result<Value, Fault> {
    if words.contains(&text) {
        return Ok(text.into());
    }
    Err(invalid(&format!("Send one of {}.", words.join(", "))))
}

fn currency(text: &str) -> Result<Value, Fault> {
    let currency = Currency::parse(text).map(|currency| currency.code().into());
    currency.ok_or_else(|| invalid("Send a currency's code of ISO 4217, such as \"USD\"."))
}

fn namespace_name(text: &str) -> Result<Value, Fault> {
    Namespace::parse(text).map(|name| name.as_str().into()).ok_or_else(|| {
        invalid("Send 1 to 54 of a-z, 0-9 and -, beginning and ending with a letter or digit.")
    })
}

fn hostname(text: &str, reading: &Reading<'_>) -> Result<Value, Fault> {
    let host = namespace::bare_host(text);
    let is_within =
        |zone: &str| host.strip_suffix(zone).is_some_and(|h| h.is_empty() || h.ends_with('.'));
    if let Some(zone) = reading.reserved_zone.filter(|zone| is_within(zone)) {
        return Err((
            "root_only",
            format!("Hosts of {zone} are this installation's own; only the root key assigns them."),
        ));
    }
    if host.eq_ignore_ascii_case(text) && host.contains('.') && web_address::is_host_name(&host) {
        return match namespace::of_host(&host) {
            None => Ok(host.into()),
            Some(_) => {
                Err(invalid("Hosts that end in -tracking name their namespace by themselves."))
            }
        };
    }
    Err(invalid("Send a host name without scheme and port, such as \"go.shop.example\"."))
}

fn money(text: &str, reading: &Reading<'_>, before: &Record) -> Result<Value, Fault> {
    let Some(amount) = Decimal::parse_amount(text) else {
        return Err(invalid("Send an amount of digits and a point, such as \"5.00\"."));
    };
    // On creation the currency is a field of the same body; if it is at fault, that is told there.
    let current = reading.facts.current.as_ref();
    let campaign = reading.facts.campaign.as_ref();
    let code = before.get("currency").or_else(|| current?.get("currency"));
    let code = code.or_else(|| campaign?.get("currency"));
    let Some(currency) = code.and_then(Value::as_str).and_then(Currency::parse) else {
        return Ok(Value::Null);
    };
    match amount.to_minor(currency) {
        Some((minor, false)) => Ok(minor.into()),
        Some((_, true)) => {
            let (code, digits) = (currency.code(), currency.digits());
            Err(("too_many_digits", format!("{code} has {digits} digits after the point.")))
        }
        None => Err(invalid("The amount is too large.")),
    }
}

/// Whether the platform knows a time zone.
fn knows_zone(reading: &Reading<'_>, name: &str) -> bool {
    (reading.settings.local_date)(name, reading.now).is_some()
}

/// Whether a text has the form of an IANA name; the runtime knows which ones exist.
fn is_time_zone(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    };
    text.len() <= 64 && text.split('/').count() <= 3 && text.split('/').all(is_part)
}

fn landing_page(text: &str, reading: &Reading<'_>) -> Result<Value, Fault> {
    let schemes = reading.facts.campaign.as_ref().and_then(|campaign| campaign.get("app_schemes"));
    let schemes = schemes.and_then(Value::as_str).unwrap_or("[]");
    let schemes: Vec<String> = serde_json::from_str(schemes).unwrap_or_default();
    web_address::check_landing_page(text, reading.call_is_development, &schemes)
        .map_err(|fault| invalid(fault.message()))?;
    template::compile(text).map_err(|fault| ("unknown_macro", fault.message()))?;
    Ok(text.into())
}

/// Clicks without a destination have no click_id to hand on.
fn traffic_back(text: &str, reading: &Reading<'_>) -> Result<Value, Fault> {
    web_address::check_landing_page(text, reading.call_is_development, &[])
        .map_err(|fault| invalid(fault.message()))?;
    let template = template::compile(text).map_err(|fault| ("unknown_macro", fault.message()))?;
    if template.mentions(Macro::ClickId) {
        return Err(invalid("A traffic-back address gets no click_id; leave that macro out."));
    }
    Ok(text.into())
}

/// A secret that somebody chose. It stands in URLs, so it needs no encoding there.
fn secret(text: &str) -> Result<Value, Fault> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    if (MIN_SECRET..=MAX_SECRET).contains(&text.len()) && text.bytes().all(is_plain) {
        return Ok(text.into());
    }
    Err(invalid(&format!(
        "Send {MIN_SECRET} to {MAX_SECRET} letters, digits, -, _, . and ~, or leave it out to get one."
    )))
}

fn list(item: Item, sent: &Value, reading: &Reading<'_>) -> Result<Value, Fault> {
    let Value::Array(sent) = sent else { return Err(invalid("Send a list of strings.")) };
    if sent.len() > MAX_ITEMS {
        return Err(invalid(&format!("Send at most {MAX_ITEMS} items.")));
    }
    if item == Item::Scope && sent.is_empty() {
        return Err(invalid("Send at least one of read, write, approve, pii."));
    }
    let mut items: Vec<String> = Vec::with_capacity(sent.len());
    for value in sent {
        let text = value.as_str().ok_or_else(|| invalid("Send a list of strings."))?;
        let text = self::item(item, text, reading)?;
        if !items.contains(&text) {
            items.push(text);
        }
    }
    Ok(Value::from(items).to_string().into())
}

fn item(item: Item, text: &str, reading: &Reading<'_>) -> Result<String, Fault> {
    let lower = text.to_ascii_lowercase();
    let (is_valid, wanted) = match item {
        Item::Country => match Country::parse(&text.to_ascii_uppercase()) {
            Some(country) => return Ok(country.as_str().to_owned()),
            None => (false, "a country's two letters of ISO 3166, such as DE"),
        },
        Item::NetworkNumber => match network_number(&lower) {
            Some(number) => return Ok(number),
            None => (false, "the number of a network, such as AS64496"),
        },
        Item::Network => {
            (Network::parse(text).is_some(), "a network such as 192.0.2.0/24 or 2001:db8::/32")
        }
        Item::HostPattern => {
            (web_address::is_host_pattern(&lower), "a host such as shop.example or *.shop.example")
        }
        Item::AppScheme => {
            (web_address::is_app_scheme(&lower), "a scheme of apps such as market or itms-apps")
        }
        Item::TriggerEvent => return event::name(text).map(|_| text.to_owned()),
        Item::Status => (Status::from_word(text).is_some(), STATUSES),
        Item::Origin => (
            web_address::is_origin(&lower, reading.call_is_development),
            "an origin such as https://shop.example",
        ),
        Item::Way => (Way::from_word(text).is_some(), WAYS),
        Item::Scope => (Scope::from_word(text).is_some(), "one of read, write, approve, pii"),
        Item::PostbackParameter => match parameters::canonical_name(text) {
            Some(canonical) if !is_of_conversion(canonical) => {
                return Err(invalid(&format!("{text:?} is no part of a conversion.")));
            }
            Some(canonical) if canonical == text => (true, ""),
            Some(canonical) => {
                return Err(invalid(&format!(
                    "{text:?} is another word for {canonical:?}; send that."
                )));
            }
            None => (false, "the name of a parameter of postbacks"),
        },
    };
    if is_valid {
        return Ok(lower);
    }
    Err(invalid(&format!("{text:?} is not {wanted}.")))
}

const STATUSES: &str = "one of approved, pending, hold, rejected, refunded";
const WAYS: &str = "one of click_id, coupon, customer_id, ref_id, ref_custom_id, affiliate_id";

/// Numbers beyond nine digits are for private use.
fn network_number(lower: &str) -> Option<String> {
    let digits = lower.strip_prefix("as")?;
    let is_plain = (1..=9).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    is_plain.then(|| format!("AS{digits}"))
}

/// What proves the sender, or says how to answer, is nothing that a conversion brings.
pub(super) fn is_of_conversion(canonical: &str) -> bool {
    let (proof, wish) = (["secure", "timestamp", "signature"], ["dry_run", "response", "bt_test"]);
    !proof.contains(&canonical) && !wish.contains(&canonical)
}

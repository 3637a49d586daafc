//! What parameters are called, and what stands in their place when a template was not filled in.

use crate::domain::encoding;

/// Every name that a postback may use, with the canonical name it stands for (wire.md 5).
pub const NAMES: &[(&str, &str)] = &[
    ("click_id", "click_id"),
    ("transaction_id", "click_id"),
    ("campaign_id", "campaign_id"),
    ("offer", "campaign_id"),
    ("offer_id", "campaign_id"),
    ("affiliate_id", "affiliate_id"),
    ("publisher", "affiliate_id"),
    ("aff_id", "affiliate_id"),
    ("ref_id", "ref_id"),
    ("ref_custom_id", "ref_custom_id"),
    ("order_id", "order_id"),
    ("amount", "amount"),
    ("purchase_value", "amount"),
    ("sale_amount", "amount"),
    ("commission", "commission"),
    ("currency", "currency"),
    ("conversion_rate", "conversion_rate"),
    ("revenue", "revenue"),
    ("payout", "payout"),
    ("coupon", "coupon"),
    ("goal", "goal"),
    ("customer_id", "customer_id"),
    ("new_customer", "new_customer"),
    ("skip_lifetime", "skip_lifetime"),
    ("event_id", "event_id"),
    ("event_name", "event_name"),
    ("parent_order_id", "parent_order_id"),
    ("status", "status"),
    ("reason", "reason"),
    ("third_party_rejected_reason", "third_party_rejected_reason"),
    ("new_rejected_reason", "new_rejected_reason"),
    ("all_events", "all_events"),
    ("refund_id", "refund_id"),
    ("occurred_at", "occurred_at"),
    ("conversion_time", "occurred_at"),
    ("secure", "secure"),
    ("token", "secure"),
    ("timestamp", "timestamp"),
    ("signature", "signature"),
    ("comment", "comment"),
    ("custom1", "custom1"),
    ("custom2", "custom2"),
    ("custom3", "custom3"),
    ("custom4", "custom4"),
    ("custom5", "custom5"),
    ("custom6", "custom6"),
    ("custom7", "custom7"),
    ("custom8", "custom8"),
    ("custom9", "custom9"),
    ("custom10", "custom10"),
    ("dry_run", "dry_run"),
    ("response", "response"),
    ("bt_test", "bt_test"),
    ("trl_test", "bt_test"),
];

/// Words that stand where a value should be: wire.md 2, and those our own printed URL uses.
const PLACEHOLDER_WORDS: &[&str] = &["REPLACE", "CLICK_ID", "ORDER_ID", "AMOUNT"];

/// What stands around the name of a macro in the systems that fill in postback URLs.
const PLACEHOLDER_BRACKETS: &[(char, char)] = &[('{', '}'), ('[', ']'), ('%', '%'), ('#', '#')];

/// The canonical name and the static text of a wire name, if it is one of ours.
pub(super) fn known_name(wire: &str) -> Option<(&'static str, &'static str)> {
    NAMES.iter().find(|(name, _)| *name == wire).map(|(name, canonical)| (*canonical, *name))
}

/// The canonical name of a postback's parameter, or nothing for one that is not ours.
pub fn canonical_name(wire: &str) -> Option<&'static str> {
    known_name(wire).map(|(canonical, _)| canonical)
}

/// Whether a value is a placeholder that the sender's system should have replaced.
pub fn is_placeholder(value: &str) -> bool {
    PLACEHOLDER_WORDS.contains(&value)
        || PLACEHOLDER_BRACKETS.iter().any(|(open, close)| {
            value
                .strip_prefix(*open)
                .and_then(|rest| rest.strip_suffix(*close))
                .is_some_and(|inner| is_macro_name(inner, *open, *close))
        })
}

/// Whether the text within brackets can be one macro: `{a}` is one, `{a} and {b}` is prose.
fn is_macro_name(inner: &str, open: char, close: char) -> bool {
    let inner = inner.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).unwrap_or(inner);
    !inner.contains([open, close])
}

/// Whether people write this parameter, so that it may have more than one line.
pub(super) fn is_prose(canonical: &str) -> bool {
    canonical == "comment"
        || canonical.ends_with("reason")
        || canonical.starts_with("custom") && canonical != "customer_id"
}

/// Names that make a request to `/` a postback (wire.md 1).
const POSTBACK_MARKS: &[&str] =
    &["secure", "token", "transaction_id", "new_rejected_reason", "event_id", "event_name"];

/// Names that make a GET of `/` a click, unless it is a postback.
const CLICK_MARKS: &[&str] = &["offer", "campaign_id", "ref_id"];

/// Whether the query of a request to `/` is a postback's. (A POST to `/` always is one.)
pub fn looks_like_postback(query: &str) -> bool {
    has_one_of(query, POSTBACK_MARKS)
}

/// Whether the query of a GET of `/` is a click's, given that it is not a postback's.
pub fn looks_like_click(query: &str) -> bool {
    has_one_of(query, CLICK_MARKS)
}

/// Whether a query has one of the names, not empty: an empty value is an absent one.
fn has_one_of(query: &str, names: &[&str]) -> bool {
    encoding::pairs(query).any(|(name, value)| {
        encoding::decode(name).is_some_and(|name| names.contains(&name.as_ref()))
            && !value.trim_matches(['+', ' ']).is_empty()
    })
}

/// What a parameter's name that an operator writes has to be, in words for him.
pub const PARAMETER_NAME: &str =
    "Send a parameter's name: 1 to 64 letters, digits, -, _ and points.";

/// Whether a text can be such a name.
pub fn is_parameter_name(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

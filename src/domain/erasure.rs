//! Whom to forget, and what may stay: what money needs, and nothing that leads to the person.

use super::click_id::{Keyring, mac_of};
use super::encoding::hex;
use super::namespace::Namespace;
use super::postback::Postback;
use super::verdict::{Reason, Refusal};

/// Whom to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// Who clicked.
    Click(String),
    /// Whom a merchant calls so.
    Customer(String),
}

/// The parameters of a postback that stay: which sale of which affiliate, its money, and the click
/// by which a repeat is recognised. A value with an `@` in it goes all the same.
pub const IMPERSONAL: [&str; 20] = [
    "click_id",
    "campaign_id",
    "order_id",
    "parent_order_id",
    "event_id",
    "event_name",
    "amount",
    "commission",
    "currency",
    "conversion_rate",
    "revenue",
    "payout",
    "status",
    "refund_id",
    "all_events",
    "occurred_at",
    "goal",
    "ref_id",
    "affiliate_id",
    "ref_custom_id",
];

/// What stands for a text of a person that only its presence matters of.
const WITHHELD: &str = "withheld";

/// Whether a parameter of a postback stays.
pub fn stays(name: &str, value: &str) -> bool {
    IMPERSONAL.contains(&name) && !value.contains('@')
}

/// Whether the order of somebody who was erased stays: one with an `@` may be an address.
pub fn keeps_order(order_id: &str) -> bool {
    !order_id.contains('@')
}

/// By which names an erased customer may be remembered, the one by the newest key first: hashes
/// that nobody can make who has no key, 32 hexadecimal digits each.
pub fn names_of_customer(
    keyring: &Keyring,
    namespace: &Namespace,
    customer_id: &str,
) -> Vec<String> {
    let space = namespace.as_str().as_bytes();
    let name = |number| {
        // No namespace has a NUL in its name.
        let info = [b"erased customer\0", space, b"\0", customer_id.as_bytes()];
        let hash = keyring.derive(number, &info)?;
        Some(hex(hash.first_chunk::<16>()?))
    };
    keyring.numbers().filter_map(name).collect()
}

/// By which name an erased click is remembered; `None` for what is no click_id and converts nothing.
pub fn name_of_click(click_id: &str) -> Option<&str> {
    Some(mac_of(click_id)).filter(|mac| !mac.is_empty())
}

impl Postback {
    /// Whether it brings a reason, which a change of a conversion keeps.
    pub fn has_reason(&self) -> bool {
        let reasons = [&self.reason, &self.third_party_rejected_reason, &self.new_rejected_reason];
        reasons.into_iter().any(Option::is_some)
    }

    /// What may be kept of a postback about somebody who was erased.
    pub fn without_person(&self) -> Self {
        let withheld = |text: &Option<String>| text.as_ref().map(|_| WITHHELD.to_owned());
        let mut stored = self.stored.clone();
        stored.retain(|(name, value)| stays(name, value));
        Self {
            customer_id: None,
            is_new_customer: false,
            coupon: self.coupon.clone(),
            // By it a repeat is recognised; what is kept of it says [`keeps_order`].
            order_id: self.order_id.clone(),
            reason: None,
            third_party_rejected_reason: withheld(&self.third_party_rejected_reason),
            new_rejected_reason: withheld(&self.new_rejected_reason),
            comment: None,
            kept: Vec::new(),
            stored,
            ..self.clone()
        }
    }
}

/// The refusal of what is new of an erased click.
pub fn erased_click() -> Refusal {
    let detail = "this click was erased, as its visitor wished; nothing new is credited to it";
    Refusal::of(Reason::UnknownClick, "click_id", detail)
}

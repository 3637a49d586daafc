//! What a click leaves behind for the rules that compare clicks: hashes with keys that only the
//! installation has, never an address.
//!
//! The keys follow from `CLICK_KEYS`, so that nobody without them can try addresses out; that of
//! visitors follows from the day as well, so that two days cannot be joined. Both hashes cover the
//! campaign, so that two campaigns cannot be joined either.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::click_id::Keyring;
use super::click_rules::ClickRules;
use super::namespace::Namespace;
use super::network::IpAddress;
use super::time::{DAY_MS, Timestamp};

const VISITOR_INFO: &[u8] = b"backtrail visitor v1\0";
const ADDRESS_INFO: &[u8] = b"backtrail address v1\0";

/// How many bytes of a hash are kept: two visitors of a day meet by chance once in 10^19 pairs.
const BYTES: usize = 8;

/// What the platform says of where a visitor comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address; `None` if there is none that can be read.
    pub address: Option<IpAddress>,
    /// The number of its network.
    pub asn: Option<u32>,
}

/// What is kept of it with a click.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The same for the same campaign, day, address and user agent.
    pub visitor: Option<String>,
    /// The same for the same campaign and address.
    pub address: Option<String>,
    /// The number of the network.
    pub asn: Option<u32>,
}

impl Trace {
    /// What the rules of a campaign need of a click, and nothing else.
    pub fn of(
        rules: &ClickRules,
        keyring: &Keyring,
        (namespace, campaign_id): (&Namespace, u32),
        at: Timestamp,
        (origin, user_agent): (Origin, &str),
    ) -> Self {
        let name = namespace.as_str().as_bytes();
        let campaign = campaign_id.to_be_bytes();
        let hash = |info: &[&[u8]], address: IpAddress, rest: &str| {
            let key = keyring.derive(keyring.newest()?, info)?;
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
            for part in [&campaign[..], &address.subscriber(), rest.as_bytes()] {
                mac.update(part);
            }
            let full: [u8; 32] = mac.finalize().into_bytes().into();
            full.first_chunk::<BYTES>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
        };
        let day = (at.ms() / DAY_MS).to_be_bytes();
        let of_visitor = origin.address.filter(|_| rules.duplicate_click.is_on());
        let of_address = origin.address.filter(|_| rules.ip_cool_down.is_on());
        Self {
            visitor: of_visitor
                .and_then(|address| hash(&[VISITOR_INFO, name, b"\0", &day], address, user_agent)),
            address: of_address.and_then(|address| hash(&[ADDRESS_INFO, name], address, "")),
            asn: origin.asn.filter(|_| rules.data_centre.is_on()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::click_rules::Action;

    const NOON: u64 = 20_000 * DAY_MS + DAY_MS / 2;

    fn trace(campaign_id: u32, namespace: &str, ms: u64, address: &str, agent: &str) -> Trace {
        let rules = ClickRules {
            duplicate_click: Action::Hold,
            ip_cool_down: Action::Hold,
            data_centre: Action::Hold,
            ..ClickRules::default()
        };
        let keyring = Keyring::parse("0:00000000000000000000000000000000").unwrap();
        let namespace = Namespace::parse(namespace).unwrap();
        let origin = Origin { address: IpAddress::parse(address), asn: Some(64_496) };
        let place = (&namespace, campaign_id);
        Trace::of(&rules, &keyring, place, Timestamp::from_ms(ms), (origin, agent))
    }

    #[test]
    fn a_visitor_is_the_same_on_one_day_in_one_campaign() {
        let first = trace(1, "demo", NOON, "203.0.113.7", "Chrome");
        assert_eq!(first.visitor.as_ref().map(String::len), Some(11));
        assert_eq!(first, trace(1, "demo", NOON + 60_000, "203.0.113.7", "Chrome"));
        for other in [
            trace(2, "demo", NOON, "203.0.113.7", "Chrome"),
            trace(1, "other", NOON, "203.0.113.7", "Chrome"),
            trace(1, "demo", NOON + DAY_MS, "203.0.113.7", "Chrome"),
            trace(1, "demo", NOON, "203.0.113.8", "Chrome"),
            trace(1, "demo", NOON, "203.0.113.7", "Firefox"),
        ] {
            assert_ne!(first.visitor, other.visitor);
        }
    }

    #[test]
    fn an_address_is_the_same_on_all_days_in_one_campaign() {
        let first = trace(1, "demo", NOON, "203.0.113.7", "Chrome").address;
        assert_eq!(first, trace(1, "demo", NOON + DAY_MS, "203.0.113.7", "Firefox").address);
        assert_eq!(first, trace(1, "demo", NOON, "::ffff:203.0.113.7", "").address);
        assert_ne!(first, trace(2, "demo", NOON, "203.0.113.7", "").address);
        assert_ne!(first, trace(1, "other", NOON, "203.0.113.7", "").address);
        // A household keeps its network of IPv6, not the rest.
        let v6 = trace(1, "demo", NOON, "2001:db8:1:2:3::4", "").address;
        assert_eq!(v6, trace(1, "demo", NOON, "2001:db8:1:2:5::6", "").address);
        assert_ne!(v6, trace(1, "demo", NOON, "2001:db8:1:3:3::4", "").address);
    }

    #[test]
    fn only_what_a_rule_needs_is_kept() {
        let keyring = Keyring::parse("0:00000000000000000000000000000000").unwrap();
        let demo = Namespace::parse("demo").unwrap();
        let kept = |rules: ClickRules, origin: Origin| {
            Trace::of(&rules, &keyring, (&demo, 1), Timestamp::from_ms(NOON), (origin, "Chrome"))
        };
        let origin = Origin { address: IpAddress::parse("203.0.113.7"), asn: Some(64_496) };
        assert_eq!(kept(ClickRules::default(), origin), Trace::default());
        let data_centre = ClickRules { data_centre: Action::Hold, ..ClickRules::default() };
        assert_eq!(kept(data_centre, origin), Trace { asn: Some(64_496), ..Trace::default() });
        // Without an address everybody would be the same visitor.
        let duplicate = ClickRules { duplicate_click: Action::Hold, ..ClickRules::default() };
        assert_eq!(kept(duplicate, Origin::default()), Trace::default());
    }
}

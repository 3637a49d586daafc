//! IP addresses and networks of both families, for the lists of who may post.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

/// An address; an IPv4 one that is mapped into IPv6 (`::ffff:192.0.2.1`) is the IPv4 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpAddress(IpAddr);

impl IpAddress {
    /// Reads an address in its standard notation; nothing for octal, short or scoped ones.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<IpAddr>().ok().map(|address| Self(address.to_canonical()))
    }

    /// Whether it is an IPv4 address.
    pub fn is_v4(self) -> bool {
        self.0.is_ipv4()
    }

    /// The part of an address that belongs to one subscriber: all of an IPv4 one, of an IPv6 one
    /// the first 64 bits, since devices change the others by themselves. Begins with the family.
    pub fn subscriber(self) -> [u8; 9] {
        let mut bytes = [0; 9];
        match self.0 {
            IpAddr::V4(v4) => fill(&mut bytes, 4, &v4.octets()),
            IpAddr::V6(v6) => fill(&mut bytes, 6, &v6.octets()),
        }
        bytes
    }
}

fn fill(bytes: &mut [u8; 9], family: u8, address: &[u8]) {
    for (to, from) in bytes.iter_mut().zip([family].iter().chain(address)) {
        *to = *from;
    }
}

impl fmt::Display for IpAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A network in CIDR notation. One of IPv4 never contains an IPv6 address, nor the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a bare address.
    ///
    /// Bits behind the prefix are cleared (`10.1.2.3/8` is `10.0.0.0/8`), and the cleared form is
    /// what is shown, so that whoever wrote it sees what it means. IPv4-mapped networks are
    /// IPv4 ones.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = bits(address);
        let prefix = match prefix {
            None => bits,
            Some(digits) => {
                let is_plain = (1..=3).contains(&digits.len())
                    && digits.bytes().all(|b| b.is_ascii_digit())
                    && (digits == "0" || !digits.starts_with('0'));
                Some(digits).filter(|_| is_plain)?.parse().ok()?
            }
        };
        if prefix > bits {
            return None;
        }
        match (address.to_canonical(), address) {
            // The mapped block is ::ffff:0:0/96; a shorter prefix is not within it.
            (IpAddr::V4(v4), IpAddr::V6(_)) if prefix >= 96 => {
                Some(Self { first: IpAddr::V4(masked_v4(v4, prefix - 96)), prefix: prefix - 96 })
            }
            (_, IpAddr::V6(v6)) => Some(Self { first: IpAddr::V6(masked_v6(v6, prefix)), prefix }),
            (_, IpAddr::V4(v4)) => Some(Self { first: IpAddr::V4(masked_v4(v4, prefix)), prefix }),
        }
    }

    /// Whether an address lies in this network.
    pub fn contains(&self, address: IpAddress) -> bool {
        match (self.first, address.0) {
            (IpAddr::V4(first), IpAddr::V4(address)) => masked_v4(address, self.prefix) == first,
            (IpAddr::V6(first), IpAddr::V6(address)) => masked_v6(address, self.prefix) == first,
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.prefix)
    }
}

/// Whether an address lies in one of the networks.
pub fn is_listed(address: IpAddress, networks: &[Network]) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// How many bits an address of this family has.
fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked_v4(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    // A shift by all 32 bits is what `checked_shl` refuses: the mask of prefix 0.
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

fn masked_v6(address: Ipv6Addr, prefix: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(IpAddress::parse(address).unwrap())
    }

    #[test]
    fn networks_contain_their_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3/8", "10.0.0.0", "9.255.255.255"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.128/25", "192.0.2.255", "192.0.2.127"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1", "2001:0db8:0:0:0:0:0:1", "2001:db8::2"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.9.9.9"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"),
            ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ] {
            assert!(contains(network, inside), "{network} {inside}");
            assert!(!contains(network, outside), "{network} {outside}");
        }
    }

    #[test]
    fn host_bits_are_cleared_and_shown_cleared() {
        for (text, shown) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("1.2.3.4/0", "0.0.0.0/0"),
        ] {
            assert_eq!(Network::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for text in [
            "",
            "/",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0/8",
            "010.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "::/129",
            "fe80::1%eth0",
            "[::1]",
            "10.0.0.0/8/8",
            "10.0.0.0 /8",
            " 10.0.0.0/8",
            "10.0.0.0/255.0.0.0",
            "example.com",
            "1.2.3.4:80",
            "10.0.0.0/999",
            "10.0.0.0/1000",
        ] {
            assert_eq!(Network::parse(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text in "[0-9a-f:./%]{0,48}|\\PC{0,20}") {
            let _ = (Network::parse(&text), IpAddress::parse(&text));
        }

        #[test]
        fn a_network_contains_its_own_addresses_and_survives_being_shown(
            bits in proptest::num::u128::ANY,
            prefix in 0u8..=128,
        ) {
            let text = format!("{}/{prefix}", Ipv6Addr::from_bits(bits));
            let network = Network::parse(&text).unwrap();
            let address = IpAddress::parse(&Ipv6Addr::from_bits(bits).to_string()).unwrap();
            let is_short_mapped = address.is_v4() && prefix < 96;
            proptest::prop_assert!(is_short_mapped || network.contains(address));
            proptest::prop_assert_eq!(Network::parse(&network.to_string()), Some(network));
        }

        #[test]
        fn an_ipv4_network_contains_what_shares_its_prefix(
            network in proptest::num::u32::ANY,
            address in proptest::num::u32::ANY,
            prefix in 1u32..=32,
        ) {
            let text = format!("{}/{prefix}", Ipv4Addr::from_bits(network));
            let expected = network >> (32 - prefix) == address >> (32 - prefix);
            let address = IpAddress::parse(&Ipv4Addr::from_bits(address).to_string()).unwrap();
            proptest::prop_assert_eq!(Network::parse(&text).unwrap().contains(address), expected);
        }
    }
}

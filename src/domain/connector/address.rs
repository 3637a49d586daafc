//! Which addresses a connector may call: public https servers that are not Backtrail itself.
//!
//! Checked on the parsed authority, when a connector is saved and again when it sends. What a name
//! resolves to only the platform knows; `docs/connectors.md` states what remains.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::domain::web_address::{MAX_ADDRESS_BYTES, is_host_name};

/// The most bytes of an address that is called, with its parameters and its macros filled in.
pub const MAX_CALLED_BYTES: usize = MAX_ADDRESS_BYTES * 8;

#[cfg(test)]
mod tests;

/// Names that lead, they or what stands below them, to loopback or private addresses, or whose
/// owner answers with whatever address the name spells.
const FORBIDDEN_NAMES: &[&str] = &[
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "home.arpa",
    "in-addr.arpa",
    "ip6.arpa",
    "svc",
    "onion",
    "localtest.me",
    "lvh.me",
    "vcap.me",
    "fuf.me",
    "lacolhost.com",
    "localho.st",
    "local.gd",
    "lcl.host",
    "localhost.direct",
    "localhost.domaincontrol.com",
    "traefik.me",
    "nip.io",
    "sslip.io",
    "xip.io",
    "ipq.co",
    "ip6.name",
    "backname.io",
    "1u.ms",
    "rbndr.us",
    "rebind.network",
    "dod.network",
    "spoofed.burpcollaborator.net",
    "metadata.goog",
    // Workers of the installation's own account answer there.
    "workers.dev",
];

/// Ports from 1024 at which databases, caches and consoles listen; what is below is refused but
/// for 80 and 443.
const FORBIDDEN_PORTS: &[u16] = &[
    1080, 1433, 1434, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3128, 3306, 3389,
    3659, 4045, 4190, 4369, 5060, 5061, 5432, 5672, 5900, 5984, 5985, 5986, 6000, 6379, 6443, 6566,
    6665, 6666, 6667, 6668, 6669, 6697, 7001, 9042, 9092, 9160, 9200, 9300, 10080, 10250, 11211,
    15672, 27017, 27018, 50000, 50070,
];

/// What an installation permits.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Development only: loopback addresses, by http as well.
    pub allows_loopback: bool,
    /// The domain of the installation's own hosts; empty if it has none.
    pub zone: &'a str,
}

/// Where an address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The host in lower case without a trailing dot; an IPv6 address in brackets.
    pub host: String,
    /// The port, written or the scheme's.
    pub port: u16,
    /// Whether it is loopback, which development alone permits.
    pub is_loopback: bool,
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFault {
    /// Empty or too long.
    Length,
    /// A character that readers of addresses disagree about.
    Character,
    /// Not https.
    Scheme,
    /// User name, password, or a host that is not in its plainest form.
    Host,
    /// A path that clients shorten before they send it.
    Path,
    /// A private, loopback, link-local, reserved or metadata address, or a name that leads there.
    Forbidden,
    /// Backtrail's own.
    Own,
    /// A port at which no web server listens.
    Port,
}

impl AddressFault {
    /// What to do about it, for a person.
    pub fn message(self) -> &'static str {
        match self {
            // With everything filled in; what is written is bounded where it is read.
            Self::Length => "The address must have between 1 and 32768 bytes with its parameters.",
            Self::Character => {
                "The address contains a control character, a space or a backslash; \
                 percent-encode it."
            }
            Self::Scheme => "The address must begin with https://.",
            Self::Host => {
                "The host must be a plain name (internationalised ones as punycode) or an address \
                 in its usual form, without user name, password or a dot at its end."
            }
            Self::Path => {
                "The path contains . or .. between slashes; write the address without them."
            }
            Self::Forbidden => {
                "This host is private, local or reserved; send to a server on the public internet."
            }
            Self::Own => "This host is Backtrail's own; connectors tell others.",
            Self::Port => "Connectors call ports 443, 80, and most from 1024.",
        }
    }

    /// The code of the field's fault.
    pub fn code(self) -> &'static str {
        match self {
            Self::Forbidden | Self::Own | Self::Port => "forbidden_address",
            _ => "invalid",
        }
    }
}

/// Checks an address that is to be called; of a template the authority has to be there already.
///
/// # Errors
/// Why it may not be called.
pub fn check(url: &str, policy: &Policy<'_>) -> Result<Receiver, AddressFault> {
    if url.is_empty() || url.len() > MAX_CALLED_BYTES {
        return Err(AddressFault::Length);
    }
    if url.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(AddressFault::Character);
    }
    let receiver = receiver_of(url)?;
    let is_https = receiver.1;
    let receiver = receiver.0;
    if policy.allows_loopback && receiver.is_loopback {
        return check_form(url).map(|()| receiver);
    }
    if !is_https {
        return Err(AddressFault::Scheme);
    }
    let name = receiver.host.as_str();
    let is_within = |parent: &str| {
        !parent.is_empty()
            && name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if is_within(policy.zone) {
        return Err(AddressFault::Own);
    }
    let is_forbidden = match host(name) {
        Some(Host::V4(address)) => is_special_v4(address),
        Some(Host::V6(address)) => is_special_v6(address),
        // A name of one label is looked up in the searcher's own network.
        Some(Host::Name) => !name.contains('.') || FORBIDDEN_NAMES.iter().any(|n| is_within(n)),
        None => return Err(AddressFault::Host),
    };
    if is_forbidden {
        return Err(AddressFault::Forbidden);
    }
    let is_web =
        matches!(receiver.port, 80 | 443 | 1024..) && !FORBIDDEN_PORTS.contains(&receiver.port);
    if !is_web {
        return Err(AddressFault::Port);
    }
    check_form(url).map(|()| receiver)
}

/// Refuses what clients write otherwise than it is signed, or ask another server for.
fn check_form(url: &str) -> Result<(), AddressFault> {
    let (_, authority, behind) = split(url).ok_or(AddressFault::Scheme)?;
    if split_port(authority).is_some_and(|(name, _)| name.ends_with('.')) {
        return Err(AddressFault::Host);
    }
    if has_dot_segment(behind) { Err(AddressFault::Path) } else { Ok(()) }
}

/// The name by which a receiver's troubles are kept: its host, with the port where it is not the
/// scheme's; of a request bin its whole name.
pub fn receiver(url: &str) -> String {
    if let Some(bin) = super::bin::Bin::parse(url) {
        return format!("bin:{}", bin.name);
    }
    match receiver_of(url) {
        Ok((receiver, is_https)) if receiver.port == default_port(is_https) => receiver.host,
        Ok((receiver, _)) => format!("{}:{}", receiver.host, receiver.port),
        Err(_) => String::new(),
    }
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// An address in the form in which clients send it (WHATWG URL), so that what is signed is what
/// arrives: scheme and host in lower case, no port that is the scheme's, a path of `/` at least, no
/// fragment. Its path and query are percent-encoded already. What is no such address stays.
pub fn as_sent(url: &str) -> String {
    let url = url.split('#').next().unwrap_or(url);
    let (Ok((receiver, is_https)), Some((_, _, behind))) = (receiver_of(url), split(url)) else {
        return url.to_owned();
    };
    let scheme = if is_https { "https" } else { "http" };
    let mut out = format!("{scheme}://{}", receiver.host);
    if receiver.port != default_port(is_https) {
        out.push_str(&format!(":{}", receiver.port));
    }
    if !behind.starts_with('/') {
        out.push('/');
    }
    out.push_str(behind);
    out
}

/// Whether a path, with whatever follows it, has a segment of one or two dots, which clients
/// resolve; percent-encoded ones count.
fn has_dot_segment(behind: &str) -> bool {
    let path = behind.split(['?', '#']).next().unwrap_or_default();
    let is_dots = |segment: &str| {
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        plain == "." || plain == ".."
    };
    path.split('/').any(is_dots)
}

/// Scheme, authority, and what is behind them.
fn split(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    Some((scheme, authority, behind))
}

/// Reads scheme and authority; says whether it is https.
fn receiver_of(url: &str) -> Result<(Receiver, bool), AddressFault> {
    let (scheme, authority, _) = split(url).ok_or(AddressFault::Scheme)?;
    let is_https = scheme.eq_ignore_ascii_case("https");
    if !is_https && !scheme.eq_ignore_ascii_case("http") {
        return Err(AddressFault::Scheme);
    }
    let (name, port) = split_port(authority).ok_or(AddressFault::Host)?;
    let port = match port {
        None => default_port(is_https),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) && digits.len() <= 5 => {
            digits.parse().map_err(|_| AddressFault::Port)?
        }
        Some(_) => return Err(AddressFault::Host),
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_loopback = match host(&name).ok_or(AddressFault::Host)? {
        Host::V4(address) => address.is_loopback(),
        Host::V6(address) => address.is_loopback(),
        Host::Name => name == "localhost",
    };
    Ok((Receiver { host: name, port, is_loopback }, is_https))
}

/// Host and port of an authority; nothing with user info.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.contains('@') {
        return None;
    }
    // The colons of an IPv6 address stand in brackets.
    let behind = authority.rfind(']').map_or(0, |at| at + 1);
    let (bracketed, rest) = authority.split_at_checked(behind)?;
    match (bracketed.is_empty(), rest.split_once(':')) {
        (true, None) => Some((authority, None)),
        (true, Some((name, port))) => Some((name, Some(port))),
        (false, None) if rest.is_empty() => Some((bracketed, None)),
        (false, Some(("", port))) => Some((bracketed, Some(port))),
        (false, _) => None,
    }
}

/// What a host is.
enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Name,
}

/// Reads a host in its one canonical form; nothing if it is written otherwise, which some readers
/// would take for an address and others for a name.
fn host(text: &str) -> Option<Host> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().ok()?;
        return (address.to_string() == inner).then_some(Host::V6(address));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::V4(address));
    }
    is_host_name(text).then_some(Host::Name)
}

/// Whether an address is none of the public internet (IANA's registry of special addresses).
fn is_special_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (192, 31, 196)
            | (192, 52, 193)
            | (192, 175, 48)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// The same for IPv6: only global unicast addresses are public, without those that embed an IPv4
/// address (6to4, Teredo) or are for documents.
fn is_special_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_global = (0x2000..=0x3fff).contains(&a);
    !is_global
        || (a == 0x2001 && (b < 0x0200 || b == 0x0db8))
        || a == 0x2002
        || (a == 0x3fff && b < 0x1000)
        || (a == 0x2620 && b == 0x004f)
}

//! Web addresses, read more strictly than browsers do, so that both always see the same host.
//!
//! A general URL parser needs the IDNA tables, which would double the module's size. Here a host
//! is plain ASCII (internationalised names as punycode) and whatever is odd in the authority is
//! refused, which leaves nothing for a browser to understand differently.
//! Not here: macros and parameters (`template`).

use super::encoding;

#[cfg(test)]
mod tests;

/// The longest address in bytes, as it is written.
pub const MAX_ADDRESS_BYTES: usize = 4096;

/// Schemes that run or show what the address itself contains, or that never leave the device.
const FORBIDDEN_SCHEMES: &[&str] = &[
    "javascript",
    "data",
    "file",
    "vbscript",
    "blob",
    "about",
    "filesystem",
    "view-source",
    "jar",
    "ws",
    "wss",
    "ftp",
    "http",
    "https",
];

/// An absolute https address that is safe in a `Location` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    text: String,
    host: String,
}

impl WebAddress {
    /// The host in lower case, without a trailing dot.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The whole address, percent-encoded where it was not.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Reads a deep link: https, the default port, no user info, a plain host name.
/// Nothing if it is anything else, or odd in a way that parsers might disagree about.
pub fn parse_https(text: &str) -> Option<WebAddress> {
    if text.len() > MAX_ADDRESS_BYTES || text.chars().any(char::is_control) {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let (authority, rest) = split_authority(rest);
    let host = match authority.split_once(':') {
        None => authority,
        Some((host, "443")) => host,
        Some(_) => return None,
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if !is_host_name(&host) {
        return None;
    }
    let mut address = String::with_capacity("https://".len() + host.len() + rest.len() + 1);
    address.push_str("https://");
    address.push_str(&host);
    if !rest.starts_with('/') {
        address.push('/');
    }
    encoding::encode_unless(&mut address, rest, encoding::is_address_byte);
    Some(WebAddress { text: address, host })
}

/// Splits what follows `://` into the authority and the rest. A backslash, which browsers take
/// for a slash, stays in the authority, where it is refused.
fn split_authority(rest: &str) -> (&str, &str) {
    rest.find(['/', '?', '#']).and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""))
}

/// Whether a text is a lower-case host name that no parser can take for an IP address:
/// labels of letters, digits and inner hyphens, the last beginning with a letter.
pub fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253
        && host.split('.').all(is_label)
        && host.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_alphabetic()))
}

/// Whether a text can stand in a campaign's list of deep-link hosts:
/// a host name in any case, or `*.` and one.
pub fn is_host_pattern(pattern: &str) -> bool {
    let host = pattern.strip_prefix("*.").unwrap_or(pattern);
    is_host_name(&host.to_ascii_lowercase())
}

/// Whether a host is among the allowed ones: the same name, or for `*.shop.example` any
/// subdomain of it (not `shop.example` itself).
pub fn host_allowed(host: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|pattern| match pattern.strip_prefix("*.") {
        None => host.eq_ignore_ascii_case(pattern),
        Some(parent) => host
            .len()
            .checked_sub(parent.len())
            .and_then(|at| host.split_at_checked(at))
            .is_some_and(|(labels, tail)| {
                labels.len() > 1 && labels.ends_with('.') && tail.eq_ignore_ascii_case(parent)
            }),
    })
}

/// Whether a text can stand in a campaign's list of app schemes (`market`, `itms-apps`):
/// the form of a scheme, and none that is forbidden or is the web's own.
pub fn is_app_scheme(scheme: &str) -> bool {
    let mut bytes = scheme.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && scheme.len() <= 64
        && !FORBIDDEN_SCHEMES.iter().any(|forbidden| scheme.eq_ignore_ascii_case(forbidden))
}

/// What is wrong with the address of a landing page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFault {
    /// Empty or over 4,096 bytes.
    Length,
    /// A control character, a space or a backslash.
    Character,
    /// No scheme, or one that is not allowed here.
    Scheme,
    /// A macro in the scheme, host or port.
    MacroInHost,
    /// A host, port or user info that is not accepted.
    Host,
}

impl AddressFault {
    /// What to do about it, for a person.
    pub fn message(self) -> &'static str {
        match self {
            Self::Length => "The address must have between 1 and 4096 bytes.",
            Self::Character => {
                "The address contains a control character, a space or a backslash; \
                 percent-encode it."
            }
            Self::Scheme => {
                "The address must begin with https:// or with one of the campaign's app schemes."
            }
            Self::MacroInHost => "Macros may stand in path, query and fragment only.",
            Self::Host => {
                "The host must be a plain name (internationalised ones as punycode) without user \
                 name or password."
            }
        }
    }
}

/// Checks the address of a landing page, a template whose macros stand behind the host:
/// https, in development http as well, or one of the campaign's app schemes.
pub fn check_landing_page(
    text: &str,
    development: bool,
    app_schemes: &[String],
) -> Result<(), AddressFault> {
    if text.is_empty() || text.len() > MAX_ADDRESS_BYTES {
        return Err(AddressFault::Length);
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(AddressFault::Character);
    }
    let (scheme, rest) = text.split_once(':').ok_or(AddressFault::Scheme)?;
    if scheme.contains(['{', '}']) {
        return Err(AddressFault::MacroInHost);
    }
    let is_web =
        scheme.eq_ignore_ascii_case("https") || development && scheme.eq_ignore_ascii_case("http");
    let is_listed = || app_schemes.iter().any(|listed| scheme.eq_ignore_ascii_case(listed));
    let is_app = is_app_scheme(scheme) && is_listed();
    if !is_web && !is_app {
        return Err(AddressFault::Scheme);
    }
    let Some(rest) = rest.strip_prefix("//") else {
        // `tel:`-like app schemes have no host; a web address without one is a relative trick.
        return if is_web { Err(AddressFault::Host) } else { Ok(()) };
    };
    let (authority, _) = split_authority(rest);
    if authority.contains(['{', '}']) {
        return Err(AddressFault::MacroInHost);
    }
    if is_web && !is_authority(authority, development) {
        return Err(AddressFault::Host);
    }
    Ok(())
}

/// Whether an authority is a host name with or without a port; in development also an IPv4
/// address.
fn is_authority(authority: &str, development: bool) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_port = (1..=5).contains(&port.len())
        && port.bytes().all(|b| b.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|number| number > 0);
    let is_development_address = development && host.parse::<core::net::Ipv4Addr>().is_ok();
    is_port && (is_host_name(&host) || is_development_address)
}

/// Whether a text is an origin as browsers send it (`https://shop.example`, with a port where it
/// is not the default): lower case, nothing behind the authority. In development http as well.
pub fn is_origin(text: &str, development: bool) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    (scheme == "https" || development && scheme == "http")
        && !authority.bytes().any(|b| b.is_ascii_uppercase())
        && !authority.ends_with('.')
        && is_authority(authority, development)
}

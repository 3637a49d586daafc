//! A namespace's name, and what a host name says about it (wire.md 1).

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// The end of the first label of a tracking host.
const SUFFIX: &str = "-tracking";

/// A host label has 63 bytes (RFC 1035, 2.3.4), of which `-tracking` takes 9.
const MAX_LENGTH: usize = 63 - 9;

/// The name of one customer of an installation: `[a-z0-9]([a-z0-9-]{0,52}[a-z0-9])?`. It goes into
/// whatever belongs to the customer, so that a copy shares the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace(Rc<str>);

impl Namespace {
    /// A name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = !bytes.is_empty()
            && bytes.len() <= MAX_LENGTH
            && bytes.iter().all(|b| is_plain(b) || *b == b'-')
            && bytes.first().is_some_and(is_plain)
            && bytes.last().is_some_and(is_plain);
        fits.then(|| Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Namespace {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host without port and trailing dot, in lower case.
pub fn bare_host(host: &str) -> Cow<'_, str> {
    let without_port = match host.rsplit_once(':') {
        // A colon inside brackets belongs to an IPv6 address.
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let bare = without_port.strip_suffix('.').unwrap_or(without_port);
    // Browsers and the platform send lower case.
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(bare.to_ascii_lowercase())
    } else {
        Cow::Borrowed(bare)
    }
}

/// The namespace that a bare host names by its first label, if it does.
pub fn of_host(bare_host: &str) -> Option<Namespace> {
    let label = bare_host.split('.').next()?;
    Namespace::parse(label.strip_suffix(SUFFIX)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_names_the_namespace() {
        let named = |host: &str| of_host(&bare_host(host)).map(|n| n.to_string());
        assert_eq!(named("demo-tracking.example.com").as_deref(), Some("demo"));
        assert_eq!(named("Demo-Tracking.localhost.:8787").as_deref(), Some("demo"));
        assert_eq!(named("a-b-tracking.x").as_deref(), Some("a-b"));
        assert_eq!(named("x-tracking-tracking.y").as_deref(), Some("x-tracking"));
        for other in [
            "tracking.example.com",
            "-tracking.example.com",
            "demo.example.com",
            "-a-tracking.x",
            "a_b-tracking.x",
            "demo-tracking2.x",
            "[::1]:80",
            "",
            "example.demo-tracking",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
    }

    #[test]
    fn a_label_holds_54_characters_of_name() {
        assert!(Namespace::parse(&"a".repeat(54)).is_some());
        assert!(Namespace::parse(&"a".repeat(55)).is_none());
    }
}

//! Request bins: targets of Backtrail's own for trying connectors out, `bin:NAME`.

/// For how long a bin keeps a request, in milliseconds: a day.
pub const KEPT_MS: u64 = 86_400_000;

/// How many requests a bin keeps.
pub const MAX_REQUESTS: u32 = 50;

/// A bin as a webhook's address names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bin {
    /// 1–40 lower-case letters, digits and hyphens.
    pub name: String,
    /// The status code that it answers with.
    pub status: u16,
}

impl Bin {
    /// Reads `bin:NAME`, with `status=` (200–599, default 200) among whatever query there is; nothing
    /// if it is something else. Takes the address as it was written: what a request adds to the
    /// query says nothing to the bin, and a macro is no name or status.
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("bin:")?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !is_name(name) {
            return None;
        }
        let status = query.split('&').find_map(|piece| piece.strip_prefix("status="));
        // Below are codes that are no answers, and above there are none.
        let status: u16 = status.unwrap_or("200").parse().ok()?;
        if !(2..=5).contains(&(status / 100)) {
            return None;
        }
        Some(Self { name: name.to_owned(), status })
    }
}

/// Whether a text can name a bin.
pub fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_has_a_name_and_a_status() {
        for (url, expected) in [
            ("bin:try-it", Some(("try-it", 200))),
            ("bin:a?status=500&value=15", Some(("a", 500))),
            ("bin:a?value=15&status=410#f", Some(("a", 410))),
            ("bin:a?status=", None),
            ("bin:a?status=99", None),
            ("bin:a?v={{VALUE}}&status=410", Some(("a", 410))),
            ("bin:a?status={{VALUE}}", None),
            ("bin:a{sub1}", None),
            ("bin:", None),
            ("bin:A", None),
            ("bin:a/b", None),
            ("https://bin", None),
        ] {
            let bin = Bin::parse(url);
            assert_eq!(bin.as_ref().map(|bin| (bin.name.as_str(), bin.status)), expected, "{url}");
        }
    }
}

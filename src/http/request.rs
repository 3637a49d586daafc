//! A request as the edge hands it over.

use std::borrow::Cow;

use crate::domain::click_id::Country;
use crate::domain::encoding;
use crate::domain::namespace::bare_host;
use crate::domain::network::IpAddress;
use crate::domain::signature::Signed;
use crate::domain::trace::Origin;

/// The methods that any address answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads without a body.
    Head,
    /// Creates, or reports.
    Post,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
    /// Asks which methods and origins are allowed.
    Options,
    /// Anything else.
    Other,
}

impl Method {
    /// The name, as a request has it; empty for one that no address answers to.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "",
        }
    }

    /// The method of its name.
    pub fn parse(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

/// The headers that anything here reads. An absent one is empty: none of them means something
/// different when it is present and empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `CF-Connecting-IP`, the only source of the client's address.
    pub client_ip: &'a str,
    /// `User-Agent`.
    pub user_agent: &'a str,
    /// `Referer`.
    pub referer: &'a str,
    /// `Cookie`.
    pub cookie: &'a str,
    /// `Sec-Purpose`, else `Purpose`, else `X-Moz`.
    pub purpose: &'a str,
    /// `Sec-Fetch-Dest`.
    pub fetch_dest: &'a str,
    /// `Sec-GPC`.
    pub gpc: &'a str,
    /// The country that the platform found for the client's address.
    pub country: &'a str,
    /// The number of the network that the platform found for it.
    pub asn: &'a str,
    /// `Content-Type`.
    pub content_type: &'a str,
    /// `Authorization`.
    pub authorization: &'a str,
    /// `Origin`.
    pub origin: &'a str,
    /// `Idempotency-Key`.
    pub idempotency_key: &'a str,
    /// `X-Backtrail-Namespace`.
    pub namespace: &'a str,
    /// `X-Backtrail-Timestamp`.
    pub timestamp: &'a str,
    /// `X-Backtrail-Signature`.
    pub signature: &'a str,
}

/// What an absolute URL names.
struct Target<'a> {
    host: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Target<'a> {
    /// `None` if the URL is not one of http or https.
    fn parse(url: &'a str) -> Option<Self> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        // A fragment is never sent; one that arrives all the same is no part of the query.
        let rest = encoding::cut(rest, b'#').map_or(rest, |(before, _)| before);
        let (before_query, query) = encoding::cut(rest, b'?').unwrap_or((rest, ""));
        let slash =
            encoding::cut(before_query, b'/').map_or(before_query.len(), |(host, _)| host.len());
        let (host, path) = before_query.split_at_checked(slash)?;
        let path = if path.is_empty() { "/" } else { path };
        Some(Self { host, path, query })
    }
}

/// Where a client is, if the platform knows.
#[inline]
pub fn country(text: &str) -> Option<Country> {
    // XX is its word for unknown.
    if text == "XX" { None } else { Country::parse(text) }
}

/// Whether `Sec-GPC` says that the visitor asks not to be tracked.
#[inline]
pub fn is_gpc(value: &str) -> bool {
    // The platform has taken the spaces around it away.
    value == "1"
}

/// From which network a client comes.
pub fn origin(client_ip: &str, asn: &str) -> Origin {
    Origin { address: IpAddress::parse(client_ip), asn: asn.parse().ok() }
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What to do.
    pub method: Method,
    /// The host with its port, as sent.
    pub host: &'a str,
    /// The path, percent-encoded as sent.
    pub path: &'a str,
    /// What follows `?`, as sent; empty without one.
    pub query: &'a str,
    /// The headers.
    pub headers: Headers<'a>,
    /// The body; empty without one. The edge reads at most a little over the bound of wire.md 2.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A request from its method, its absolute URL (`http://host/path?query`) and the rest.
    /// `None` if the URL is not one of http or https.
    pub fn new(method: Method, url: &'a str, headers: Headers<'a>, body: &'a [u8]) -> Option<Self> {
        let Target { host, path, query } = Target::parse(url)?;
        Some(Self { method, host, path, query, headers, body })
    }

    /// The host in lower case, without port and trailing dot.
    pub fn bare_host(&self) -> Cow<'a, str> {
        bare_host(self.host)
    }

    /// The request as a sender signs it: as it was sent, byte for byte.
    pub fn signed(&self) -> Signed<'a> {
        Signed {
            method: self.method.as_str(),
            host: self.host,
            path: self.path,
            query: self.query,
            body: self.body,
            timestamp: self.headers.timestamp,
            signature: self.headers.signature,
        }
    }

    /// The value of a query parameter of the API, decoded; postbacks have a parser of their own.
    pub fn query_value(&self, name: &str) -> Option<String> {
        encoding::pairs(self.query).find_map(|(key, value)| {
            if encoding::decode(key)? == name {
                encoding::decode(value).map(Cow::into_owned)
            } else {
                None
            }
        })
    }
}

//! Who calls the API, and for which namespace (wire.md 1 and 10).

use std::future::Future;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::ports::Unavailable;
use super::settings::Settings;
use crate::domain::encoding::hex;
use crate::domain::namespace::{self, Namespace};

crate::domain::verdict::words! {
    /// What a key may do.
    Scope {
        /// Read everything but personal data.
        Read = "read",
        /// Create and change.
        Write = "write",
        /// Approve code that runs in visitors' browsers.
        Approve = "approve",
        /// See personal data unmasked.
        Pii = "pii",
    }
}

/// What is stored about a caller and about the namespace that the request names.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The namespace and the scopes of the key, if it is known and not revoked.
    pub key: Option<(Namespace, Vec<Scope>)>,
    /// The number of that key in its namespace.
    pub key_id: Option<u64>,
    /// The namespace to which the host belongs as a custom domain.
    pub host_owner: Option<Namespace>,
    /// Whether the namespace that was asked for exists.
    pub is_namespace_known: bool,
}

/// Where keys are kept.
pub trait Doorkeeper {
    /// Looks up the key with this hash, the owner of a host, and whether a namespace exists, all
    /// of the same instant.
    fn credentials(
        &self,
        key_hash: &str,
        host: &str,
        named: Option<&Namespace>,
    ) -> impl Future<Output = Result<Credentials, Unavailable>>;
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No key, or one that nobody knows.
    UnknownKey,
    /// Host, header and key do not name the same existing namespace.
    OtherNamespace,
    /// The store did not answer.
    Unavailable,
}

/// A caller who proved who it is. `Debug` shows no secret.
pub struct Access {
    /// The namespace that the request is about; the root key may leave it open.
    pub namespace: Option<Namespace>,
    /// Whether the root key named a namespace that does not exist (yet).
    pub is_namespace_unknown: bool,
    /// What the key may do; `None` for the root key, which may do everything.
    scopes: Option<Vec<Scope>>,
    /// The number of the key in its namespace, for audit trails; 0 for the root key.
    pub key_id: u64,
    presented: String,
}

impl Access {
    /// Whether the caller may do this.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&scope))
    }

    /// Whether the caller has the root key.
    pub fn is_root(&self) -> bool {
        self.scopes.is_none()
    }

    /// A new secret for the holder of this key. It follows from the key that was presented and
    /// from a random nonce that may be stored: whoever repeats a request with the same key gets
    /// the same secret again, although only its hash is kept.
    pub fn derive_secret(&self, prefix: &str, nonce: &str) -> String {
        use base64::Engine as _;
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.presented.as_bytes()) else {
            return String::new(); // An HMAC key of any length is accepted.
        };
        mac.update(b"backtrail secret v1\0");
        mac.update(nonce.as_bytes());
        let bytes = mac.finalize().into_bytes();
        format!("{prefix}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("namespace", &self.namespace)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// Lower-case hex SHA-256, as secrets are stored.
pub fn hash_of(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Lets a caller in.
///
/// 1. The key: the root key, compared in constant time, or one that is stored.
/// 2. The namespace: a stored key decides it, and neither host nor header may name another one;
///    the root key takes the one that they name, which need not exist if it is about to.
///
/// # Errors
/// [`Refused`]; nothing that depends on a namespace is told before the key is known.
pub async fn admit(
    doorkeeper: &impl Doorkeeper,
    settings: &Settings,
    presented: &str,
    host: &str,
    header: &str,
) -> Result<Access, Refused> {
    if presented.is_empty() {
        return Err(Refused::UnknownKey);
    }
    let by_host = namespace::of_host(host);
    let by_header = Namespace::parse(header);
    let named = by_header.clone().or_else(|| by_host.clone());
    let found = doorkeeper
        .credentials(&hash_of(presented), host, named.as_ref())
        .await
        .map_err(|Unavailable| Refused::Unavailable)?;

    let digest = Sha256::digest(presented.as_bytes());
    let is_root = settings
        .root_key_hash
        .is_some_and(|root| bool::from(root.as_slice().ct_eq(digest.as_slice())));
    let (of_key, scopes) = match found.key {
        _ if is_root => (None, None),
        Some((namespace, scopes)) => (Some(namespace), Some(scopes)),
        None => return Err(Refused::UnknownKey),
    };

    if !header.is_empty() && by_header.is_none() {
        return Err(Refused::OtherNamespace);
    }
    let mut candidates = [of_key, by_host, by_header, found.host_owner].into_iter().flatten();
    let namespace = candidates.next();
    if candidates.any(|other| Some(&other) != namespace.as_ref()) {
        return Err(Refused::OtherNamespace);
    }
    let is_namespace_unknown = is_root && named.is_some() && !found.is_namespace_known;
    let key_id = found.key_id.filter(|_| !is_root).unwrap_or(0);
    Ok(Access { namespace, is_namespace_unknown, scopes, key_id, presented: presented.to_owned() })
}

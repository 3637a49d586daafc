//! Signed postbacks (wire.md 7): what is signed, with which secret, and whether a signature holds.
//!
//! A signing secret is not stored. It follows from the installation's own keys and from a
//! [`Derivation`], which may be stored, so that whoever reads the ledger cannot sign.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::click_id::Keyring;
use super::encoding::{self, hex};
use super::namespace::Namespace;
use super::time::{SECOND_MS, Timestamp};
use super::verdict::{Reason, Refusal};

/// How far the signed time may be from now, either way (wire.md 7).
pub const TOLERANCE_MS: u64 = 300 * SECOND_MS;

const INFO: &[u8] = b"backtrail signing v1\0";

/// How a signing secret begins.
const PREFIX: &str = "bts_";

/// From what a signing secret follows, besides its namespace and campaign: a key of the
/// installation, by its number, and a random text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    key_number: u8,
    nonce: String,
}

impl Derivation {
    /// A new one with the installation's newest key. `None` only without any key.
    pub fn new(keyring: &Keyring, nonce: &str) -> Option<Self> {
        Some(Self { key_number: keyring.newest()?, nonce: nonce.to_owned() })
    }

    /// Reads the stored form, `number:text`.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, nonce) = text.split_once(':')?;
        Some(Self { key_number: number.parse().ok()?, nonce: nonce.to_owned() })
    }

    /// The stored form.
    pub fn to_text(&self) -> String {
        format!("{}:{}", self.key_number, self.nonce)
    }

    /// The secret, as its holder has it: HKDF-SHA-256 with the info `backtrail signing v1` ‖ 0x00 ‖
    /// namespace ‖ 0x00 ‖ campaign in digits ‖ 0x00 ‖ nonce, in base64url behind `bts_`. `None` if
    /// the installation has retired the key.
    pub fn secret(
        &self,
        keyring: &Keyring,
        namespace: &Namespace,
        campaign_id: u32,
    ) -> Option<String> {
        let campaign = campaign_id.to_string();
        let info = [
            INFO,
            namespace.as_str().as_bytes(),
            b"\0",
            campaign.as_bytes(),
            b"\0",
            self.nonce.as_bytes(),
        ];
        let bytes = keyring.derive(self.key_number, &info)?;
        Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }
}

/// A signing secret, ready to use. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// The key of a secret: the bytes of its text, the prefix included.
    pub fn new(secret: &str) -> Option<Self> {
        Hmac::new_from_slice(secret.as_bytes()).ok().map(Self)
    }

    /// The signature of a request in lower-case hexadecimal digits.
    fn sign(&self, timestamp: &str, request: &Signed<'_>) -> String {
        let mut mac = self.0.clone();
        let host = request.host.to_ascii_lowercase();
        let (query, _) = split_signature(request.query);
        for part in [timestamp, request.method, &host, request.path, query] {
            mac.update(part.as_bytes());
            mac.update(b"\n");
        }
        mac.update(request.body);
        hex(&mac.finalize().into_bytes())
    }
}

/// A request byte for byte, and the headers that may sign it. Everything that a postback is read
/// from is among it; its content type is not, see [`has_signature`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Signed<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The host with its port, as sent; compared in lower case.
    pub host: &'a str,
    /// The path, as sent.
    pub path: &'a str,
    /// The query, as sent.
    pub query: &'a str,
    /// The body, as sent.
    pub body: &'a [u8],
    /// `X-Backtrail-Timestamp`; empty without one.
    pub timestamp: &'a str,
    /// `X-Backtrail-Signature`; empty without one.
    pub signature: &'a str,
}

/// A query without its last parameter where that is `signature`, and that one's value.
fn split_signature(query: &str) -> (&str, Option<&str>) {
    let (before, last) = query.rsplit_once('&').unwrap_or(("", query));
    let (name, value) = last.split_once('=').unwrap_or((last, ""));
    match encoding::decode(name) {
        Some(name) if name == "signature" => (before, Some(value)),
        _ => (query, None),
    }
}

/// Whether a request carries a signature, in its header or as the last parameter of its query.
/// The content type of such a request is not covered by it, so it must not decide how the body is
/// read.
pub fn has_signature(request: &Signed<'_>) -> bool {
    !request.signature.is_empty() || split_signature(request.query).1.is_some()
}

/// Verifies a request. The headers count where `X-Backtrail-Signature` is there, else the
/// parameters; `timestamp_parameter` is the value of the parameter `timestamp`. Every key is
/// tried, each comparison takes the same time, and nothing of the time is told before the
/// signature holds.
///
/// # Errors
/// `bad_signature`, also where there is none; `stale_timestamp`.
pub fn verify(
    keys: &[SigningKey],
    request: &Signed<'_>,
    timestamp_parameter: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let by_header = !request.signature.is_empty();
    let (signature, timestamp) = if by_header {
        (Some(request.signature), Some(request.timestamp).filter(|text| !text.is_empty()))
    } else {
        (split_signature(request.query).1, timestamp_parameter)
    };
    let Some(signature) = signature.filter(|text| !text.is_empty()) else {
        return Err(missing_signature());
    };
    let Some(timestamp) = timestamp else { return Err(missing_timestamp(by_header)) };
    let holds = keys.iter().fold(false, |found, key| {
        let expected = key.sign(timestamp, request);
        found | bool::from(expected.as_bytes().ct_eq(signature.as_bytes()))
    });
    if !holds {
        return Err(wrong_signature());
    }
    let signed_at = Some(timestamp)
        .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse::<u64>().ok()?.checked_mul(SECOND_MS));
    match signed_at {
        Some(ms) if ms.abs_diff(now.ms()) <= TOLERANCE_MS => Ok(()),
        _ => Err(stale(now)),
    }
}

fn missing_signature() -> Refusal {
    Refusal::of(
        Reason::BadSignature,
        "signature",
        "this campaign takes signed requests only: send timestamp=… and, as the last parameter of the query, signature=…, or the headers X-Backtrail-Timestamp and X-Backtrail-Signature; docs/postbacks.md shows how to sign",
    )
}

fn missing_timestamp(by_header: bool) -> Refusal {
    let detail = if by_header {
        "the request has X-Backtrail-Signature and lacks X-Backtrail-Timestamp: send the Unix seconds that were signed"
    } else {
        "the request has a signature and lacks a timestamp: send timestamp=… with the Unix seconds that were signed"
    };
    Refusal::of(Reason::BadSignature, "timestamp", detail)
}

/// The refusal of a signature that does not hold. The same whether the request's campaign or click
/// exists or not: a stranger is not told.
pub fn wrong_signature() -> Refusal {
    Refusal::of(
        Reason::BadSignature,
        "signature",
        "the signature does not hold: check the secret of the campaign, that it is not revoked, and that timestamp, method, host, path, query and body were signed exactly as they are sent, in lower-case hexadecimal digits; check click_id and campaign_id as well",
    )
}

fn stale(now: Timestamp) -> Refusal {
    let detail = format!(
        "the signed time is no Unix time in seconds within 300 s of now, which is {} here: set the clock of your server, and sign anew when you send again",
        now.ms() / SECOND_MS
    );
    Refusal::of(Reason::StaleTimestamp, "timestamp", detail)
}

#[cfg(test)]
mod tests;

//! Signatures of deliveries, as Standard Webhooks has them
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//!
//! The secret is not stored. It follows from a key of the installation and from a number that is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::domain::click_id::Keyring;
use crate::domain::namespace::Namespace;
use crate::domain::time::{DAY_MS, Timestamp};

const INFO: &[u8] = b"backtrail webhook v1\0";

/// How a secret begins where it is shown.
const PREFIX: &str = "whsec_";

/// So long after a rotation the secret before signs as well.
pub const OVERLAP_MS: u64 = DAY_MS;

/// A connector's signing secret, by what it follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretName {
    /// Counted from 1 with every rotation.
    pub number: u32,
    /// Of the key of the installation; `None` for the one with the lowest number.
    pub key_number: Option<u8>,
}

/// What a connector signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// The present one.
    pub present: SecretName,
    /// The key number of the one before, if there is one.
    pub former_key_number: Option<u8>,
    /// Since when the present one is in use; `None` if there was never another.
    pub rotated_at: Option<Timestamp>,
}

/// A secret of 32 bytes. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// HKDF-SHA-256 with the info `backtrail webhook v1` ‖ 0x00 ‖ namespace ‖ 0x00 ‖ connector in
    /// digits ‖ 0x00 ‖ number in digits. `None` if the installation has retired the key.
    pub fn derive(
        keyring: &Keyring,
        namespace: &Namespace,
        connector_id: u32,
        name: SecretName,
    ) -> Option<Self> {
        let key_number = name.key_number.or_else(|| keyring.numbers().min())?;
        let connector = connector_id.to_string();
        let number = name.number.to_string();
        let info = [
            INFO,
            namespace.as_str().as_bytes(),
            b"\0",
            connector.as_bytes(),
            b"\0",
            number.as_bytes(),
        ];
        keyring.derive(key_number, &info).map(Self)
    }

    /// As its holder configures it in a library of Standard Webhooks.
    pub fn shown(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.0))
    }

    fn sign(&self, parts: [&str; 3]) -> String {
        // An HMAC key of any length is accepted.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                mac.update(b".");
            }
            mac.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl Secrets {
    /// The secrets that sign now, the present one first.
    pub fn signing(
        &self,
        keyring: &Keyring,
        namespace: &Namespace,
        connector_id: u32,
        now: Timestamp,
    ) -> Vec<Secret> {
        let is_rotating = self.rotated_at.is_some_and(|at| now.ms_since(at) < OVERLAP_MS);
        let former = self
            .present
            .number
            .checked_sub(1)
            .filter(|n| is_rotating && *n > 0)
            .map(|number| SecretName { number, key_number: self.former_key_number });
        [Some(self.present), former]
            .into_iter()
            .flatten()
            .filter_map(|name| Secret::derive(keyring, namespace, connector_id, name))
            .collect()
    }
}

/// The headers that identify and sign a request. An empty body is signed as such, and then the
/// address in addition, since it holds everything that is told.
pub fn headers(
    secrets: &[Secret],
    delivery_id: &str,
    now: Timestamp,
    url: &str,
    body: &str,
) -> Vec<(String, String)> {
    let timestamp = now.seconds().to_string();
    let signed = |what: &str| {
        let each = secrets.iter().map(|secret| secret.sign([delivery_id, &timestamp, what]));
        each.collect::<Vec<_>>().join(" ")
    };
    let mut headers = vec![
        ("webhook-id".to_owned(), delivery_id.to_owned()),
        ("webhook-signature".to_owned(), signed(body)),
    ];
    if body.is_empty() {
        headers.push(("webhook-signature-url".to_owned(), signed(url)));
    }
    headers.push(("webhook-timestamp".to_owned(), timestamp));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Namespace {
        Namespace::parse("demo").unwrap()
    }

    fn ring(text: &str) -> Keyring {
        Keyring::parse(text).unwrap()
    }

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#);
        let expected = "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(STANDARD.encode(mac.finalize().into_bytes()), expected);

        let secret = Secret([7; 32]);
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        mac.update(b"msg_1.1614265330.body");
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(secret.sign(["msg_1", "1614265330", "body"]), expected);
        assert_eq!(secret.shown(), format!("whsec_{}", STANDARD.encode([7; 32])));
    }

    #[test]
    fn every_namespace_connector_number_and_key_has_a_secret_of_its_own() {
        let ring = ring("1:00000000000000000000000000000001,0:00000000000000000000000000000000");
        let of = |namespace: &str, connector, number, key_number| {
            let namespace = Namespace::parse(namespace).unwrap();
            let name = SecretName { number, key_number };
            Secret::derive(&ring, &namespace, connector, name).unwrap().shown()
        };
        let first = of("demo", 1, 1, None);
        assert_eq!(first, of("demo", 1, 1, Some(0)), "without a number the lowest");
        for other in [
            of("other", 1, 1, None),
            of("demo", 2, 1, None),
            of("demo", 1, 2, None),
            of("demo", 1, 1, Some(1)),
        ] {
            assert_ne!(first, other);
        }
        let retired = SecretName { number: 1, key_number: Some(5) };
        assert!(Secret::derive(&ring, &demo(), 1, retired).is_none());
    }

    #[test]
    fn for_a_day_after_a_rotation_both_secrets_sign() {
        let ring = ring("0:00000000000000000000000000000000");
        let at = Timestamp::from_ms(1_000_000_000);
        let present = SecretName { number: 2, key_number: None };
        let rotated = Secrets { present, former_key_number: None, rotated_at: Some(at) };
        let signing = |secrets: Secrets, now| {
            let shown = secrets.signing(&ring, &demo(), 1, now);
            shown.iter().map(Secret::shown).collect::<Vec<_>>()
        };
        let both = signing(rotated, at.plus_ms(OVERLAP_MS - 1));
        let first = Secrets { present: SecretName { number: 1, ..present }, ..rotated };
        assert_eq!(both.len(), 2);
        assert_eq!(both[1], signing(Secrets { rotated_at: None, ..first }, at)[0]);
        assert_eq!(signing(rotated, at.plus_ms(OVERLAP_MS)), both[..1]);
    }

    #[test]
    fn an_empty_body_is_signed_and_its_address_too() {
        let now = Timestamp::from_ms(1_614_265_330_500);
        let names = |body: &str| {
            let headers = headers(&[Secret([1; 32])], "msg_1", now, "https://a.example/?x=1", body);
            headers.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
        };
        let all = "webhook-id webhook-signature webhook-signature-url webhook-timestamp";
        assert_eq!(names(""), all);
        assert_eq!(names("{}"), "webhook-id webhook-signature webhook-timestamp");
    }
}

//! Test clicks: through a link of kind test, or by an address that an operator had made for a link.
//!
//! Such an address has three parameters more: `bt_test=1`, `bt_expires` (Unix seconds) and
//! `bt_signature`, an HMAC over link and expiry, so that an affiliate can neither make one of his
//! own nor carry it over to another link.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::click_id::Keyring;
use super::encoding::hex;
use super::namespace::Namespace;
use super::time::{DAY_MS, SECOND_MS, Timestamp};

/// For so long an address makes test clicks, in milliseconds.
pub const VALID_MS: u64 = 7 * DAY_MS;

const INFO: &[u8] = b"backtrail test click v1\0";

/// What a click says of itself as a test, as sent.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// `bt_expires`.
    pub expires: Option<&'a str>,
    /// `bt_signature`.
    pub signature: Option<&'a str>,
}

/// The parameters to add to a link's address, which then makes test clicks until `expires` (whole
/// seconds). `None` only without any key.
pub fn parameters(
    keyring: &Keyring,
    namespace: &Namespace,
    ref_id: u32,
    expires: Timestamp,
) -> Option<String> {
    let seconds = expires.seconds();
    let signature = sign(keyring, keyring.newest()?, namespace, ref_id, seconds)?;
    Some(format!("bt_test=1&bt_expires={seconds}&bt_signature={signature}"))
}

/// Whether a claim holds for a link, now: a key of the installation signed it, and it expires in
/// the next seven days. Every key is tried, each comparison takes the same time.
pub fn holds(
    claim: &Claim<'_>,
    keyring: &Keyring,
    namespace: &Namespace,
    ref_id: u32,
    now: Timestamp,
) -> bool {
    let (Some(expires), Some(given)) = (claim.expires, claim.signature) else { return false };
    let is_number = !expires.is_empty() && expires.bytes().all(|byte| byte.is_ascii_digit());
    let Some(seconds) = expires.parse::<u64>().ok().filter(|_| is_number) else { return false };
    let expires_ms = seconds.saturating_mul(SECOND_MS);
    // Whoever may sign makes none that is longer; the bound holds against a leaked one of a mistaken clock.
    if expires_ms <= now.ms() || expires_ms > now.ms().saturating_add(VALID_MS) {
        return false;
    }
    keyring.numbers().fold(false, |found, number| {
        let expected = sign(keyring, number, namespace, ref_id, seconds);
        found | expected.is_some_and(|text| bool::from(text.as_bytes().ct_eq(given.as_bytes())))
    })
}

/// The signature in lower-case hexadecimal digits: HMAC-SHA-256 over `ref_id`, a point and the
/// seconds, with the key HKDF-SHA-256(secret, info = `backtrail test click v1` ‖ 0x00 ‖ namespace).
fn sign(
    keyring: &Keyring,
    number: u8,
    namespace: &Namespace,
    ref_id: u32,
    seconds: u64,
) -> Option<String> {
    let key = keyring.derive(number, &[INFO, namespace.as_str().as_bytes()])?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{ref_id}.{seconds}").as_bytes());
    Some(hex(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(text: &str) -> Keyring {
        Keyring::parse(text).unwrap()
    }

    const OLD: &str = "1:11111111111111111111111111111111";

    #[test]
    fn a_signature_holds_for_its_link_namespace_and_time_only() {
        let (demo, other) = (Namespace::parse("demo").unwrap(), Namespace::parse("other").unwrap());
        let now = Timestamp::from_ms(1_795_253_400_000);
        let expires = now.plus_ms(VALID_MS);
        let query = parameters(&keyring(OLD), &demo, 7, expires).unwrap();
        let value = |name: &str| {
            let pair = query.split('&').find(|pair| pair.starts_with(name)).unwrap();
            pair.split_once('=').unwrap().1.to_owned()
        };
        let (seconds, signature) = (value("bt_expires"), value("bt_signature"));
        let both = keyring("2:22222222222222222222222222222222,1:11111111111111111111111111111111");
        let check =
            |keyring: &Keyring, space: &Namespace, ref_id, now, expires: &str, sig: &str| {
                let claim = Claim { expires: Some(expires), signature: Some(sig) };
                holds(&claim, keyring, space, ref_id, now)
            };
        assert!(check(&keyring(OLD), &demo, 7, now, &seconds, &signature));
        assert!(check(&both, &demo, 7, now, &seconds, &signature), "an older key verifies");
        let last = Timestamp::from_ms(expires.ms() - 1);
        assert!(check(&both, &demo, 7, last, &seconds, &signature));
        let later = (expires.seconds() + 1).to_string();
        let sooner = (expires.seconds() - 1).to_string();
        let early = Timestamp::from_ms(now.ms() - 1_000);
        for (why, found) in [
            ("another link", check(&both, &demo, 8, now, &seconds, &signature)),
            ("another namespace", check(&both, &other, 7, now, &seconds, &signature)),
            ("expired", check(&both, &demo, 7, expires, &seconds, &signature)),
            ("too far ahead", check(&both, &demo, 7, early, &seconds, &signature)),
            ("another expiry", check(&both, &demo, 7, now, &sooner, &signature)),
            ("a longer one", check(&both, &demo, 7, now, &later, &signature)),
            ("a sign", check(&both, &demo, 7, now, &format!("+{seconds}"), &signature)),
            ("a bit", check(&both, &demo, 7, now, &seconds, &signature.replace('a', "b"))),
            ("a part", check(&both, &demo, 7, now, &seconds, signature.get(..32).unwrap())),
            (
                "a retired key",
                check(
                    &keyring("2:22222222222222222222222222222222"),
                    &demo,
                    7,
                    now,
                    &seconds,
                    &signature,
                ),
            ),
        ] {
            assert!(!found, "{why}");
        }
        let nothing = Claim { expires: Some(&seconds), signature: None };
        assert!(!holds(&nothing, &both, &demo, 7, now));
    }
}

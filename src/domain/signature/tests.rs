//! Tests of [`super`], against signatures that another implementation made.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../tests/fixtures/signatures.json");

fn vectors(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    all[kind].as_array().unwrap().clone()
}

fn key(secret: &str) -> SigningKey {
    SigningKey::new(secret).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_ms(1_795_253_400_000)
}

/// A vector as it is sent, and its parameter `timestamp`.
struct Sent {
    parts: [String; 6],
    signature: String,
    timestamp: Option<String>,
}

impl Sent {
    fn of(vector: &Value) -> Self {
        let text = |name: &str| vector[name].as_str().unwrap().to_owned();
        let (mut query, signature) = (text("query"), text("signature"));
        let by_header = vector["by"] == "headers";
        if !by_header {
            let and = if query.is_empty() { "" } else { "&" };
            query = format!("{query}{and}signature={signature}");
        }
        let stamp = if by_header { text("timestamp") } else { String::new() };
        Self {
            parts: [text("method"), text("host"), text("path"), query, text("body"), stamp],
            signature: if by_header { signature } else { String::new() },
            timestamp: (!by_header).then(|| text("timestamp")),
        }
    }

    fn request(&self) -> Signed<'_> {
        let [method, host, path, query, body, timestamp] = &self.parts;
        let (body, signature) = (body.as_bytes(), &self.signature);
        Signed { method, host, path, query, body, timestamp, signature }
    }

    fn verify(&self, secret: &str, now: Timestamp) -> Result<(), Reason> {
        let keys = [key("another"), key(secret)];
        verify(&keys, &self.request(), self.timestamp.as_deref(), now).map_err(|r| r.reason)
    }
}

fn secret(vector: &Value) -> &str {
    vector["secret"].as_str().unwrap()
}

#[test]
fn signatures_of_another_implementation_hold() {
    let vectors = vectors("requests");
    assert!(vectors.len() >= 18);
    for vector in vectors {
        let sent = Sent::of(&vector);
        assert!(has_signature(&sent.request()), "{vector}");
        assert_eq!(sent.verify(secret(&vector), now()), Ok(()), "{vector}");
        assert_eq!(sent.verify("bts_wrong", now()), Err(Reason::BadSignature), "{vector}");
    }
}

#[test]
fn secrets_of_another_implementation_are_derived() {
    for vector in vectors("secrets") {
        let text = |name: &str| vector[name].as_str().unwrap();
        let keyring = Keyring::parse(text("click_keys")).unwrap();
        let namespace = Namespace::parse(text("namespace")).unwrap();
        let campaign_id = vector["campaign_id"].as_u64().unwrap() as u32;
        let derivation = Derivation::parse(text("derivation")).unwrap();
        assert_eq!(derivation.to_text(), text("derivation"));
        let derived = derivation.secret(&keyring, &namespace, campaign_id);
        assert_eq!(derived.as_deref(), Some(text("secret")));
        // A key that the installation has retired takes its secrets with it.
        let other = Keyring::parse("3:33333333333333333333333333333333").unwrap();
        assert_eq!(derivation.secret(&other, &namespace, campaign_id), None);
    }
}

#[test]
fn the_newest_key_is_the_one_that_new_secrets_follow_from() {
    let keyring =
        Keyring::parse("7:77777777777777777777777777777777,0:00000000000000000000000000000000");
    let new = Derivation::new(&keyring.unwrap(), "abc").unwrap();
    assert_eq!(new.to_text(), "7:abc");
    for unreadable in ["", "abc", ":abc", "x:abc", "-1:abc", "256:abc"] {
        assert_eq!(Derivation::parse(unreadable), None, "{unreadable}");
    }
}

/// A vector whose query holds this; each part of it has something to change.
fn vector(name: &str) -> Value {
    vectors("requests").into_iter().find(|v| v["name"] == name).unwrap()
}

#[test]
fn the_signed_time_may_be_five_minutes_off_either_way() {
    for name in ["GET with a query", "GET with headers"] {
        let vector = vector(name);
        let at = |ms: u64| Sent::of(&vector).verify(secret(&vector), Timestamp::from_ms(ms));
        let (now, off) = (now().ms(), TOLERANCE_MS);
        assert_eq!((at(now - off), at(now + off)), (Ok(()), Ok(())));
        let stale = Err(Reason::StaleTimestamp);
        assert_eq!((at(now - off - 1), at(now + off + 1), at(0)), (stale, stale, stale));
    }
}

#[test]
fn a_time_that_is_none_is_stale_although_it_is_signed() {
    for timestamp in ["-1", "1795253400.0", "0x6b", "99999999999999999999", "18446744073709551", ""]
    {
        let request = Signed { method: "GET", query: "a=1&signature=", ..Signed::default() };
        let signature = key("secret").sign(timestamp, &request);
        let query = format!("a=1&signature={signature}");
        let request = Signed { query: &query, ..request };
        let told = verify(&[key("secret")], &request, Some(timestamp), now()).unwrap_err();
        assert_eq!(told.reason, Reason::StaleTimestamp, "{timestamp}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let keys = [key("secret")];
    let told = |request: &Signed<'_>, timestamp: Option<&str>| {
        let refusal = verify(&keys, request, timestamp, now()).unwrap_err();
        assert_eq!(refusal.reason, Reason::BadSignature);
        refusal.parameter.unwrap()
    };
    let of = |query| Signed { query, ..Signed::default() };
    assert_eq!(told(&of("a=1"), Some("1795253400")), "signature");
    assert_eq!(told(&of("a=1&signature="), Some("1795253400")), "signature");
    assert_eq!(told(&of("signature=x&a=1"), Some("1795253400")), "signature");
    assert_eq!(told(&of("a=1&signature=x"), None), "timestamp");
    let by_header = Signed { signature: "x", ..of("a=1") };
    assert_eq!(told(&by_header, Some("1795253400")), "timestamp", "a parameter is not the header");
}

#[test]
fn capital_digits_and_no_key_at_all_do_not_verify() {
    let vector = vector("GET with headers");
    let mut sent = Sent::of(&vector);
    assert!(verify(&[], &sent.request(), None, now()).is_err());
    sent.signature = sent.signature.to_ascii_uppercase();
    assert_eq!(sent.verify(secret(&vector), now()), Err(Reason::BadSignature));
}

proptest! {
    #[test]
    fn a_changed_byte_anywhere_fails(
        which in 0usize..18,
        place in any::<prop::sample::Index>(),
        change in 1u8..128,
    ) {
        let vector = &vectors("requests")[which];
        let mut sent = Sent::of(vector);
        let lengths = sent.parts.each_ref().map(String::len);
        let mut at = place.index(lengths.iter().sum());
        let part = lengths.iter().position(|length| {
            let is_here = at < *length;
            at -= if is_here { 0 } else { *length };
            is_here
        }).unwrap();
        let mut bytes = sent.parts[part].clone().into_bytes();
        prop_assume!(bytes[at].is_ascii());
        bytes[at] ^= change;
        let changed = String::from_utf8(bytes).unwrap();
        // The case of a host means nothing.
        prop_assume!(part != 1 || !changed.eq_ignore_ascii_case(&sent.parts[1]));
        sent.parts[part] = changed;
        prop_assert_eq!(sent.verify(secret(vector), now()), Err(Reason::BadSignature));
    }

    #[test]
    fn a_boundary_that_is_moved_fails(which in 0usize..18, part in 0usize..4, left in any::<bool>()) {
        let vector = &vectors("requests")[which];
        let mut sent = Sent::of(vector);
        let (from, to) = if left { (part + 1, part) } else { (part, part + 1) };
        prop_assume!(!sent.parts[from].is_empty());
        if left {
            let moved = sent.parts[from].remove(0);
            sent.parts[to].push(moved);
        } else {
            let moved = sent.parts[from].pop().unwrap();
            sent.parts[to].insert(0, moved);
        }
        prop_assert_eq!(sent.verify(secret(vector), now()), Err(Reason::BadSignature));
    }

    #[test]
    fn no_bytes_make_the_verifier_panic(query in "\\PC{0,40}", stamp in "\\PC{0,24}", header in "\\PC{0,70}") {
        let request = Signed { query: &query, timestamp: &stamp, signature: &header, ..Signed::default() };
        prop_assert!(verify(&[key("secret")], &request, Some(&stamp), now()).is_err());
    }
}

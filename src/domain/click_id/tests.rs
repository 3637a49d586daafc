//! Tests of [`super`].

use super::*;
use proptest::prelude::*;

fn keys(text: &str) -> ClickKeys {
    Keyring::parse(text).unwrap().of(&Namespace::parse("demo").unwrap())
}

const OLD: &str = "0:00000000000000000000000000000000";
const NEW: &str = "7:77777777777777777777777777777777";

fn any_id() -> impl Strategy<Value = ClickId> {
    (
        any::<u8>(),
        any::<u16>(),
        0u64..1 << 48,
        any::<u32>(),
        prop::option::of("[A-Z]{2}"),
        0u64..1 << 48,
        any::<u16>(),
    )
        .prop_map(|(flags, shard, ms, ref_id, country, page, ordinal)| ClickId {
            flags: Flags(flags),
            shard,
            time: Timestamp::from_ms(ms),
            ref_id,
            country: country.and_then(|c| Country::parse(&c)),
            page,
            ordinal,
        })
}

proptest! {
    #[test]
    fn an_id_says_what_was_signed(id in any_id()) {
        let text = keys(OLD).sign(&id).unwrap();
        prop_assert!(has_shape(&text));
        prop_assert_eq!(keys(OLD).verify(&text), Some(id));
        prop_assert_eq!(claimed_time(&text), Some(id.time));
    }

    #[test]
    fn no_changed_bit_verifies(id in any_id(), bit in 0usize..BYTES * 8) {
        let keys = keys(OLD);
        let mut bytes = decode(&keys.sign(&id).unwrap()).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(keys.verify(&URL_SAFE_NO_PAD.encode(bytes)), None);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
        prop_assert_eq!(keys(OLD).verify(&text), None);
    }
}

#[test]
fn another_namespace_or_secret_does_not_verify() {
    let id = sample();
    let text = keys(OLD).sign(&id).unwrap();
    let ring = Keyring::parse(OLD).unwrap();
    assert_eq!(ring.of(&Namespace::parse("other").unwrap()).verify(&text), None);
    assert_eq!(keys("0:11111111111111111111111111111111").verify(&text), None);
}

#[test]
fn old_ids_verify_until_their_key_is_retired() {
    let text = keys(OLD).sign(&sample()).unwrap();
    assert_eq!(keys(&format!("{NEW},{OLD}")).verify(&text), Some(sample()));
    assert_eq!(keys(NEW).verify(&text), None);
    let rotated = keys(&format!("{NEW},{OLD}")).sign(&sample()).unwrap();
    assert_eq!(keys(NEW).verify(&rotated), Some(sample()));
}

#[test]
fn a_wrong_keyring_is_refused_without_showing_a_secret() {
    for text in [
        "",
        "abc",
        "16:00000000000000000000000000000000",
        "x:00000000000000000000000000000000",
        "1:short",
        "1:00000000000000000000000000000000,1:11111111111111111111111111111111",
    ] {
        let message = Keyring::parse(text).unwrap_err();
        assert!(!message.contains("0000") && !message.contains("short"), "{message}");
    }
}

#[test]
fn a_lower_cased_id_is_recognised() {
    let text = keys(OLD).sign(&sample()).unwrap();
    assert!(!looks_lower_cased(&text));
    assert!(looks_lower_cased(&text.to_lowercase()));
}

fn sample() -> ClickId {
    ClickId {
        flags: Flags::COUNTED,
        shard: 0,
        time: Timestamp::from_ms(1_795_253_400_123),
        ref_id: 42,
        country: Country::parse("DE"),
        page: 0x0102_0304_0506,
        ordinal: 7,
    }
}

/// The vectors of `tests/fixtures/click_ids.json`, made by an independent implementation
/// (`tests/fixtures/click_ids.py`).
#[test]
fn the_published_vectors_verify() {
    let file = include_str!("../../../tests/fixtures/click_ids.json");
    let vectors: serde_json::Value = serde_json::from_str(file).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() >= 6);
    for vector in vectors {
        let namespace = Namespace::parse(vector["namespace"].as_str().unwrap()).unwrap();
        let ring = Keyring::parse(vector["click_keys"].as_str().unwrap()).unwrap();
        let id = ClickId {
            flags: Flags(vector["flags"].as_u64().unwrap() as u8),
            shard: vector["shard"].as_u64().unwrap() as u16,
            time: Timestamp::from_ms(vector["time_ms"].as_u64().unwrap()),
            ref_id: vector["ref_id"].as_u64().unwrap() as u32,
            country: vector["country"].as_str().and_then(Country::parse),
            page: vector["page"].as_u64().unwrap(),
            ordinal: vector["ordinal"].as_u64().unwrap() as u16,
        };
        let text = vector["click_id"].as_str().unwrap();
        assert_eq!(ring.of(&namespace).sign(&id).as_deref(), Some(text));
        assert_eq!(ring.of(&namespace).verify(text), Some(id));
    }
}

//! The click's self-verifying identifier (wire.md 4).
//!
//! 36 bytes, big-endian, written as 48 base64url characters without spare bits. Everything that
//! credit and payout depend on is in it, under a MAC; the stored click only adds detail.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::namespace::Namespace;
use super::time::Timestamp;
use mac::MacKey;
pub use text::ClickIdText;

mod mac;
mod text;

/// Characters of a written id: 36 bytes × 8 / 6.
pub const TEXT_LENGTH: usize = 48;
const BYTES: usize = 36;
const SIGNED: usize = 24;
const TAG: usize = BYTES - SIGNED;
const VERSION: u8 = 1;
const INFO: &[u8] = b"backtrail click v1\0";

/// What was known of the visit when the id was made (byte 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// The click counts.
    pub const COUNTED: Self = Self(1);
    /// A known or likely bot: a conversion is held.
    pub const SUSPECTED_BOT: Self = Self(1 << 1);
    /// Prefetch or link preview: the real visitor may follow, a conversion is not held.
    pub const PREFETCH: Self = Self(1 << 2);
    /// Loaded as an image or in a frame: a conversion is held.
    pub const EMBEDDED: Self = Self(1 << 3);
    /// A test: flagged everywhere, out of sums and payouts.
    pub const TEST: Self = Self(1 << 4);

    /// The byte.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The flags of a byte; unknown bits are kept, for ids of later versions.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// These flags and those.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A country of ISO 3166-1, two upper-case letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country([u8; 2]);

impl Country {
    /// A country from its letters; anything else (such as `T1` for Tor) is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Some(Self([a, b])),
            _ => None,
        }
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// What a click_id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClickId {
    /// What was known of the visit.
    pub flags: Flags,
    /// The database that holds the click.
    pub shard: u16,
    /// When the click was.
    pub time: Timestamp,
    /// The link that was clicked: whom to credit, and for which campaign.
    pub ref_id: u32,
    /// Where the visitor was.
    pub country: Option<Country>,
    /// The random name (48 bits) of the page of clicks it is written on.
    pub page: u64,
    /// Its place on that page.
    pub ordinal: u16,
}

/// The lower so many bits are ones.
const fn ones(bits: u32) -> u64 {
    (1 << bits) - 1
}

impl ClickId {
    /// The fields in their order, the first in the highest bits: 8 bits of version and key, 8 flags,
    /// 16 shard, 48 time, 32 link, 16 country, 48 page, 16 place on it.
    fn signed_bytes(&self, key_number: u8) -> [u8; SIGNED] {
        let version_and_key = u64::from((VERSION << 4) | (key_number & 15));
        let country = u16::from_be_bytes(self.country.map_or([0, 0], |country| country.0));
        let (time, page) = (self.time.ms() & ones(48), self.page & ones(48));
        let words = [
            version_and_key << 56
                | u64::from(self.flags.bits()) << 48
                | u64::from(self.shard) << 32
                | time >> 16,
            time << 48 | u64::from(self.ref_id) << 16 | u64::from(country),
            page << 16 | u64::from(self.ordinal),
        ];
        let mut bytes = [0; SIGNED];
        for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word.to_be_bytes();
        }
        bytes
    }

    fn from_signed_bytes(bytes: &[u8; SIGNED]) -> Option<Self> {
        let mut words = bytes.as_chunks().0.iter().map(|word| u64::from_be_bytes(*word));
        let (first, second, third) = (words.next()?, words.next()?, words.next()?);
        // What a conversion cuts off belongs to the field before.
        let country = (second as u16).to_be_bytes();
        if first >> 60 != u64::from(VERSION) {
            return None;
        }
        Some(Self {
            flags: Flags((first >> 48) as u8),
            shard: (first >> 32) as u16,
            time: Timestamp::from_ms((first & ones(32)) << 16 | second >> 48),
            ref_id: (second >> 16) as u32,
            country: (country.first() != Some(&0)).then_some(Country(country)),
            page: third >> 16,
            ordinal: third as u16,
        })
    }
}

/// One secret of `CLICK_KEYS`.
#[derive(Clone)]
struct Secret {
    number: u8,
    bytes: Vec<u8>,
}

/// The secrets that sign and verify click_ids. `Debug` shows no secret.
#[derive(Clone)]
pub struct Keyring {
    secrets: Vec<Secret>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.secrets.iter().map(|s| s.number)).finish()
    }
}

/// The shortest secret: 32 characters.
const MIN_SECRET: usize = 32;

impl Keyring {
    /// Reads `number:secret[,number:secret…]`. The first signs, all of them verify; one is retired
    /// by leaving it out.
    ///
    /// # Errors
    /// A sentence for the operator that shows no secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut secrets: Vec<Secret> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let Some((number, secret)) = part.split_once(':') else {
                return Err("CLICK_KEYS is not number:secret[,number:secret…]".into());
            };
            let number: u8 = number
                .trim()
                .parse()
                .ok()
                .filter(|n| *n < 16)
                .ok_or("a key number in CLICK_KEYS is not between 0 and 15")?;
            let secret = secret.trim();
            if secret.len() < MIN_SECRET {
                return Err(format!(
                    "secret {number} in CLICK_KEYS has under {MIN_SECRET} characters"
                ));
            }
            if secrets.iter().any(|s| s.number == number) {
                return Err(format!("CLICK_KEYS names key {number} twice"));
            }
            secrets.push(Secret { number, bytes: secret.as_bytes().to_vec() });
        }
        if secrets.is_empty() { Err("CLICK_KEYS is empty".into()) } else { Ok(Self { secrets }) }
    }

    /// The number of the secret that signs. `None` only without any.
    pub fn newest(&self) -> Option<u8> {
        self.secrets.first().map(|secret| secret.number)
    }

    /// The numbers of all secrets, the newest first.
    pub fn numbers(&self) -> impl Iterator<Item = u8> {
        self.secrets.iter().map(|secret| secret.number)
    }

    /// 32 bytes for another purpose, which `info` names (HKDF-SHA-256). `None` if no secret has
    /// this number any more.
    pub fn derive(&self, number: u8, info: &[&[u8]]) -> Option<[u8; 32]> {
        let secret = self.secrets.iter().find(|secret| secret.number == number)?;
        let mut bytes = [0u8; 32];
        Hkdf::<Sha256>::new(None, &secret.bytes).expand_multi_info(info, &mut bytes).ok()?;
        Some(bytes)
    }

    /// The keys of one namespace, ready to use. Worth keeping: deriving costs as much as signing.
    pub fn of(&self, namespace: &Namespace) -> ClickKeys {
        let derive = |secret: &Secret| {
            // Expanding to 32 bytes cannot fail (RFC 5869 allows 255 × 32); if it did, the key would
            // be left out and verify nothing.
            let key = self.derive(secret.number, &[INFO, namespace.as_str().as_bytes()])?;
            Some((secret.number, MacKey::new(&key)))
        };
        ClickKeys { keys: self.secrets.iter().filter_map(derive).collect() }
    }
}

/// The derived keys of one namespace; the first signs.
#[derive(Clone)]
pub struct ClickKeys {
    keys: Vec<(u8, MacKey)>,
}

impl std::fmt::Debug for ClickKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(number, _)| number)).finish()
    }
}

impl ClickKeys {
    /// Writes an id, signed with the first key. `None` only without any key.
    pub fn sign(&self, id: &ClickId) -> Option<ClickIdText> {
        let (number, key) = self.keys.first()?;
        let signed = id.signed_bytes(*number);
        let mut bytes = [0; BYTES];
        *bytes.first_chunk_mut()? = signed;
        *bytes.last_chunk_mut()? = tag(key, &signed);
        Some(ClickIdText::of(&bytes))
    }

    /// Reads an id, in constant time as far as its MAC goes. `None` if no key verifies it.
    pub fn verify(&self, text: &str) -> Option<ClickId> {
        let bytes = decode(text)?;
        let (signed, given) = bytes.split_first_chunk::<SIGNED>()?;
        let key_number = signed.first()? & 15;
        let (_, key) = self.keys.iter().find(|(number, _)| key_number == *number)?;
        let is_genuine: bool = tag(key, signed).as_slice().ct_eq(given).into();
        if is_genuine { ClickId::from_signed_bytes(signed) } else { None }
    }
}

#[inline]
fn tag(key: &MacKey, signed: &[u8; SIGNED]) -> [u8; TAG] {
    key.mac(signed).first_chunk().copied().unwrap_or([0; TAG])
}

fn decode(text: &str) -> Option<[u8; BYTES]> {
    if text.len() != TEXT_LENGTH {
        return None;
    }
    let mut bytes = [0; BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (length == BYTES).then_some(bytes)
}

/// Whether a text has the shape of an id, whoever signed it.
pub fn has_shape(text: &str) -> bool {
    text.len() == TEXT_LENGTH
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether a text looks like an id whose capital letters were lost on the way: of 48 base64url
/// characters about 19 are capitals, so that none at all happens once in 10^10 genuine ids.
pub fn looks_lower_cased(text: &str) -> bool {
    has_shape(text) && !text.bytes().any(|b| b.is_ascii_uppercase())
}

/// The time that an id claims, unverified: for telling which of two cookies is older, and for
/// finding the row of a click, whose key begins with it.
pub fn claimed_time(text: &str) -> Option<Timestamp> {
    claimed(text).map(|id| id.time)
}

/// What an id claims, unverified: for finding what is stored of it.
pub fn claimed(text: &str) -> Option<ClickId> {
    let bytes = decode(text)?;
    let (signed, _) = bytes.split_first_chunk::<SIGNED>()?;
    ClickId::from_signed_bytes(signed)
}

/// The last 16 characters of an id, which are its MAC and nothing else: without a key they say
/// nothing of the click, and whoever has the id can find them. Empty for what is no id.
pub fn mac_of(text: &str) -> &str {
    if has_shape(text) { text.get(TEXT_LENGTH - 16..).unwrap_or_default() } else { "" }
}

#[cfg(test)]
mod tests;

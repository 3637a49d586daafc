//! A click_id as it is written: 48 characters of base64url without padding.

use std::fmt;
use std::ops::Deref;

use super::{BYTES, TEXT_LENGTH};

/// The alphabet (RFC 4648, 5).
const LETTERS: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A written id. Every click makes one, so it needs no memory of its own, and the twelve groups
/// without a remainder are written by the loop below: the library's encoder is for any length and
/// was, with the memory, as much code as all parameters of a click take to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClickIdText([u8; TEXT_LENGTH]);

impl ClickIdText {
    pub(super) fn of(bytes: &[u8; BYTES]) -> Self {
        let mut text = [0; TEXT_LENGTH];
        for ([a, b, c], place) in bytes.as_chunks().0.iter().zip(text.as_chunks_mut().0) {
            let bits = u32::from_be_bytes([0, *a, *b, *c]);
            *place = [18, 12, 6, 0].map(|shift| letter(bits >> shift));
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The letter of the lowest six bits.
fn letter(bits: u32) -> u8 {
    LETTERS.get((bits & 63) as usize).copied().unwrap_or_default()
}

impl Deref for ClickIdText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for ClickIdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for ClickIdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_what_the_library_writes(bytes in prop::array::uniform32(any::<u8>()), rest in any::<[u8; 4]>()) {
            let mut all = [0; BYTES];
            all[..32].copy_from_slice(&bytes);
            all[32..].copy_from_slice(&rest);
            prop_assert_eq!(ClickIdText::of(&all).to_string(), URL_SAFE_NO_PAD.encode(all));
        }
    }
}

//! The MAC of a click_id: HMAC-SHA-256 (RFC 2104) of a message that fits into one block.
//!
//! Every click makes one. The general machinery of digests keeps blocks and counts for messages of
//! any length, which was a tenth of the code that a click runs through; here a MAC is two calls of
//! the library's compression function. Not here: keys, and how an id is written.

use sha2::compress256;

/// The initial hash value of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
const BLOCK: usize = 64;
const HASH: usize = 32;

/// A key whose inner and outer block have been hashed.
#[derive(Clone)]
pub(super) struct MacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl MacKey {
    /// A key, ready to use.
    pub(super) fn new(key: &[u8; HASH]) -> Self {
        let hashed = |pad: u8| {
            let mut block = [pad; BLOCK];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            compressed(INITIAL, &block)
        };
        Self { inner: hashed(0x36), outer: hashed(0x5c) }
    }

    /// The MAC of a message.
    pub(super) fn mac<const LENGTH: usize>(&self, message: &[u8; LENGTH]) -> [u8; HASH] {
        // Behind a message there is room for a bit and the 8 bytes of a count.
        const { assert!(LENGTH + 1 + 8 <= BLOCK) };
        finished(self.outer, &finished(self.inner, message))
    }
}

/// The hash of a key's block and a message behind it: the second and last block is the message, a one
/// bit, zeros, and how many bits there were in both. It stands here once, for two calls.
#[inline(never)]
fn finished(key: [u32; 8], message: &[u8]) -> [u8; HASH] {
    let mut block = [0; BLOCK];
    if let Some((start, rest)) = block.split_at_mut_checked(message.len()) {
        start.copy_from_slice(message);
        if let Some(bit) = rest.first_mut() {
            *bit = 0x80;
        }
    }
    if let Some(end) = block.last_chunk_mut() {
        *end = (8 * (BLOCK + message.len()) as u64).to_be_bytes();
    }
    let mut hash = [0; HASH];
    for (place, word) in hash.as_chunks_mut().0.iter_mut().zip(compressed(key, &block)) {
        *place = word.to_be_bytes();
    }
    hash
}

fn compressed(mut state: [u32; 8], block: &[u8; BLOCK]) -> [u32; 8] {
    compress256(&mut state, std::slice::from_ref(block.into()));
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, Mac as _};
    use proptest::prelude::*;
    use sha2::Sha256;

    fn expected(key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }

    proptest! {
        #[test]
        fn a_mac_is_that_of_the_general_machinery(
            key in any::<[u8; 32]>(),
            short in any::<[u8; 1]>(),
            message in any::<[u8; 24]>(),
            long in any::<[u8; 55]>(),
        ) {
            let ready = MacKey::new(&key);
            prop_assert_eq!(ready.mac(&short).to_vec(), expected(&key, &short));
            prop_assert_eq!(ready.mac(&message).to_vec(), expected(&key, &message));
            prop_assert_eq!(ready.mac(&long).to_vec(), expected(&key, &long));
        }
    }
}

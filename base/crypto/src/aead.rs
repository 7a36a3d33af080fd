//! AES-256-GCM in place. The caller makes nonces by construction: a key is either used once, or
//! with a counter that is never repeated.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{CryptoError, Secret};

/// Bytes that sealing adds.
pub const TAG_BYTES: usize = 16;

/// A key expanded for sealing and opening.
pub struct AeadKey(LessSafeKey);

impl AeadKey {
    /// Expands `key`.
    #[must_use]
    pub fn new(key: &Secret) -> Self {
        let key =
            UnboundKey::new(&AES_256_GCM, key.expose()).expect("any 32 bytes are an AES-256 key");
        Self(LessSafeKey::new(key))
    }

    /// Encrypts `data` in place and returns the tag. `(key, counter)` must never repeat.
    #[must_use]
    pub fn seal(&self, counter: u64, aad: &[u8], data: &mut [u8]) -> [u8; TAG_BYTES] {
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(counter), Aad::from(aad), data)
            .expect("AES-GCM takes up to 2^36 bytes");
        tag.as_ref().try_into().expect("an AES-GCM tag has 16 bytes")
    }

    /// Decrypts `sealed` (data, then tag) in place; returns the data.
    ///
    /// # Errors
    /// [`CryptoError::BadSeal`]; `sealed` then holds nothing of use.
    pub fn open<'a>(
        &self,
        counter: u64,
        aad: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], CryptoError> {
        self.0
            .open_in_place(nonce(counter), Aad::from(aad), sealed)
            .map_err(|_| CryptoError::BadSeal)
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes.last_chunk_mut::<8>().expect("12 bytes hold 8").copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_was_sealed() {
        let key = AeadKey::new(&Secret::new([3; 32]));
        let mut sealed = b"attack at dawn".to_vec();
        let tag = key.seal(9, b"aad", &mut sealed);
        sealed.extend_from_slice(&tag);
        let open = |key: &AeadKey, counter, aad: &[u8], mut sealed: Vec<u8>| {
            key.open(counter, aad, &mut sealed).map(|plain| plain.to_vec())
        };
        assert_eq!(open(&key, 9, b"aad", sealed.clone()).unwrap(), b"attack at dawn");
        assert!(open(&key, 8, b"aad", sealed.clone()).is_err());
        assert!(open(&key, 9, b"add", sealed.clone()).is_err());
        assert!(open(&AeadKey::new(&Secret::new([4; 32])), 9, b"aad", sealed.clone()).is_err());
        for byte in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[byte] ^= 1;
            assert!(open(&key, 9, b"aad", damaged).is_err(), "byte {byte}");
        }
    }
}

//! All-or-nothing transform: whoever misses a part of the package learns nothing of the rest.
//!
//! Rivest's package transform (Fast Software Encryption 1997) in its hashed form: the body is
//! encrypted under a fresh key, and the key, masked by the hash of the encrypted body, is appended.
//! Without every byte of the body the mask is unknown. Before an erasure code of k data shards this
//! makes k places necessary even for someone who holds all other keys (C60).

use zeroize::Zeroize;

use crate::{CryptoError, Hasher, Secret, aead};

/// Bytes that [`package`] appends.
pub const OVERHEAD_BYTES: usize = 32 + aead::TAG_BYTES;

const MASK: &str = "acre 2026-11 all-or-nothing mask";

/// Transforms `body` in place and appends [`OVERHEAD_BYTES`]. `fresh` must be random and used once.
pub fn package(fresh: &Secret, body: &mut Vec<u8>) {
    let tag = aead::AeadKey::new(fresh).seal(0, MASK.as_bytes(), body);
    body.extend_from_slice(&tag);
    let mask = Hasher::new(MASK).update(body).finish();
    body.extend(mask.0.iter().zip(fresh.expose()).map(|(mask, key)| mask ^ key));
}

/// Undoes [`package`] in place.
///
/// # Errors
/// [`CryptoError::BadSeal`] if any byte is missing or changed; `packaged` is then useless.
pub fn unpackage(packaged: &mut Vec<u8>) -> Result<(), CryptoError> {
    let (sealed, masked) = packaged.split_last_chunk_mut::<32>().ok_or(CryptoError::BadSeal)?;
    let mask = Hasher::new(MASK).update(sealed).finish();
    for (byte, mask) in masked.iter_mut().zip(mask.0) {
        *byte ^= mask;
    }
    let fresh = Secret::new(*masked);
    masked.zeroize();
    let length = aead::AeadKey::new(&fresh).open(0, MASK.as_bytes(), sealed)?.len();
    packaged.truncate(length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_needed() {
        let body: Vec<u8> = (0..200).map(|i| i as u8).collect();
        let mut packaged = body.clone();
        package(&Secret::new([5; 32]), &mut packaged);
        assert_eq!(packaged.len(), body.len() + OVERHEAD_BYTES);
        let mut whole = packaged.clone();
        unpackage(&mut whole).unwrap();
        assert_eq!(whole, body);
        for byte in 0..packaged.len() {
            let mut damaged = packaged.clone();
            damaged[byte] ^= 0x80;
            assert!(unpackage(&mut damaged).is_err(), "byte {byte}");
        }
        for length in 0..packaged.len() {
            assert!(unpackage(&mut packaged[..length].to_vec()).is_err(), "length {length}");
        }
    }
}

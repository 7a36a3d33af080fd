//! BLAKE3, plain and keyed.

use acre_types::Digest;

use crate::Secret;

/// BLAKE3 of `bytes`.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

/// BLAKE3 of `bytes` under a key: nobody without it can tell what was hashed.
#[must_use]
pub fn keyed(key: &Secret, bytes: &[u8]) -> Digest {
    Digest(*blake3::keyed_hash(key.expose(), bytes).as_bytes())
}

/// A digest over parts, with a context that keeps its uses apart.
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Starts a digest for one use; `context` as in [`Secret::derive`].
    #[must_use]
    pub fn new(context: &'static str) -> Self {
        Self(blake3::Hasher::new_derive_key(context))
    }

    /// Adds bytes; parts of variable length must be told apart by the caller.
    pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

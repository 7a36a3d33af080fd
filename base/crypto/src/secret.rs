//! Secret bytes and the tree of keys that grows from them.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes, wiped when dropped. No `Debug`, no `Clone` by accident.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes over 32 bytes of full entropy.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key of a branch: BLAKE3 `derive_key` with a hard-coded `context`, over this secret and
    /// `path`. Contexts read `acre 2026-11 <what it is for>` and are never reused.
    #[must_use]
    pub fn derive(&self, context: &'static str, path: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&self.0);
        hasher.update(path);
        let secret = Self(*hasher.finalize().as_bytes());
        hasher.zeroize();
        secret
    }

    /// The bytes, for the few who must have them: key constructors and sealed storage.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A second copy, wiped on its own.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_differ_by_context_and_path() {
        let root = Secret::new([7; 32]);
        let keys = [
            root.derive("acre test a", b"1"),
            root.derive("acre test a", b"2"),
            root.derive("acre test b", b"1"),
        ];
        let mut seen: Vec<_> = keys.iter().map(Secret::expose).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 3);
        assert_eq!(keys[0].expose(), root.derive("acre test a", b"1").expose());
    }
}

//! Fresh keys and names, drawn from a seed so that a simulation can be repeated.

use acre_crypto::Secret;
use acre_types::PackId;

/// A deterministic generator: BLAKE3 of a seed and a counter.
///
/// The seed must come from the operating system, fresh for each process and each use; drawing
/// twice from one seed would give two packs the same key.
pub struct Entropy {
    seed: Secret,
    drawn: u64,
}

impl Entropy {
    /// Starts from a seed of full entropy that nothing else uses.
    #[must_use]
    pub const fn new(seed: Secret) -> Self {
        Self { seed, drawn: 0 }
    }

    /// 32 fresh bytes.
    #[must_use]
    pub fn secret(&mut self) -> Secret {
        let drawn = self.drawn.to_le_bytes();
        self.drawn = self.drawn.checked_add(1).expect("2^64 draws take longer than anyone lives");
        self.seed.derive("acre 2026-11 fresh keys and names of one session", &drawn)
    }

    /// 16 fresh bytes.
    #[must_use]
    pub fn salt(&mut self) -> [u8; 16] {
        let secret = self.secret();
        *secret.expose().first_chunk().expect("32 bytes hold 16")
    }

    /// A name for a new pack.
    #[must_use]
    pub fn pack_id(&mut self) -> PackId {
        PackId(self.salt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_from_a_seed_and_never_within_one() {
        let mut one = Entropy::new(Secret::new([7; 32]));
        let mut two = Entropy::new(Secret::new([7; 32]));
        let ids: Vec<PackId> = (0..100).map(|_| one.pack_id()).collect();
        assert!(ids.iter().all(|id| *id == two.pack_id()));
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), 100);
    }
}

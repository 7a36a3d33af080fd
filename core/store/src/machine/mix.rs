//! A fixed mixing function, for choices that should look random and be the same each time.

use acre_types::{NodeId, PackId};

/// One step of `SplitMix64` (Steele, Lea, Flood 2014).
#[must_use]
pub(crate) const fn step(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Mixes bytes into a seed.
#[must_use]
pub(crate) fn bytes(seed: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(step(seed), |state, chunk| {
        let word = chunk.iter().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
        step(state ^ word)
    })
}

/// A number for a node in the order of one pack.
#[must_use]
pub(crate) fn pair(seed: u64, pack: PackId, node: NodeId) -> u64 {
    bytes(bytes(seed, pack.as_bytes()), node.as_bytes())
}

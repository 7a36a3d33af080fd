//! The muster: one moment at which all nodes show their cores and memory.

use acre_crypto::Hasher;
use acre_types::{Digest, Epoch, NodeId, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

/// The newest muster that was called. Nobody knew of it before its block was made, and all nodes of
/// its epoch solve their puzzles at once: a machine that answers for one of them has no time for
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Muster {
    /// Counted from 1.
    pub number: u64,
    /// The epoch in which it was called.
    pub epoch: Epoch,
    /// What each node's puzzle is made from; see [`Muster::seed_of`].
    pub seed: Digest,
    /// Time of the block that called it.
    pub at: UnixMs,
}

impl Muster {
    /// The seed of this node's puzzle: the same for all its witnesses, another for each node.
    #[must_use]
    pub fn seed_of(&self, node: NodeId) -> Digest {
        Hasher::new("acre 2026-11 muster of a node").update(&self.seed.0).update(&node.0).finish()
    }
}

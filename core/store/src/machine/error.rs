//! Why an operation of the machines ended without its result.

use acre_types::{NodeId, PackId, Profile};

use super::placement::Shortage;
use super::types::ShardAt;

/// Every variant says what is known about the places, so that the caller can tell a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// A list of places that no contract can have.
    #[error("{distinct} distinct places for profile {profile}, which needs {needed}")]
    Places {
        /// The profile.
        profile: Profile,
        /// Distinct nodes given.
        distinct: usize,
        /// Shards of the profile.
        needed: usize,
    },
    /// Too few candidates for a contract.
    #[error(transparent)]
    Shortage(#[from] Shortage),
    /// A put found too few places. Delete what is stored, nothing refers to it.
    #[error(
        "pack {pack}: {} of the {needed} shards needed could be stored; {no_space} places are full, \
         {unreachable} do not answer, {refused} refused", stored.len()
    )]
    NotEnoughPlaces {
        /// The pack.
        pack: PackId,
        /// Copies that are stored (or may be: asked for, and no answer came).
        stored: Vec<ShardAt>,
        /// Shards that must be synced before a put is acknowledged.
        needed: u8,
        /// Places without room.
        no_space: usize,
        /// Places that did not answer.
        unreachable: usize,
        /// Places that refused otherwise.
        refused: usize,
    },
    /// More is lost than the profile bears, for now or for good.
    #[error("pack {pack} is unavailable: {have} of the {need} shards needed; {} places gave none", missing.len())]
    Unavailable {
        /// The pack.
        pack: PackId,
        /// Shards that could be read.
        have: u8,
        /// Shards needed.
        need: u8,
        /// Places that gave no shard.
        missing: Vec<NodeId>,
    },
    /// Every shard matches its signed root, and still the content does not open.
    #[error("pack {pack} does not open although its shards match their roots")]
    PackDamaged {
        /// The pack.
        pack: PackId,
    },
    /// A range beyond the pack, or empty.
    #[error("bytes {offset}+{length} are not within pack {pack} of {pack_bytes} bytes")]
    Range {
        /// The pack.
        pack: PackId,
        /// First byte asked for.
        offset: u32,
        /// Bytes asked for.
        length: u32,
        /// Length of the pack's data shards together.
        pack_bytes: u64,
    },
    /// Too few places answered to know the newest head.
    #[error("{answered} places told their newest head, {needed} are needed to be sure")]
    HeadUnavailable {
        /// Places that answered.
        answered: usize,
        /// Answers needed.
        needed: usize,
    },
    /// Too few places kept the new head. Those that did will show it to readers.
    #[error("{stored} places kept the new head, {needed} are needed")]
    HeadNotWritten {
        /// Places that kept it.
        stored: usize,
        /// Places needed.
        needed: usize,
    },
    /// Somebody wrote a newer head; read it and merge.
    #[error("a head with counter {newer} was written meanwhile")]
    HeadConflict {
        /// The counter found.
        newer: u64,
    },
}

//! What can go wrong with a stored thing, split by who is to blame.

use acre_codec::CodecError;
use acre_crypto::CryptoError;
use acre_types::{NodeId, PackId, Profile, ShardIndex};

/// Why bytes are not the chunk, pack, shard, tree or head they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Bytes that are no valid value of the wanted type.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A signature or seal that does not hold.
    #[error("{what}: {source}")]
    Crypto {
        /// What was checked.
        what: &'static str,
        /// Why it failed.
        source: CryptoError,
    },
    /// A header whose numbers contradict each other.
    #[error("the header of pack {pack} is impossible: {reason}")]
    BadHeader {
        /// The pack it names.
        pack: PackId,
        /// The contradiction.
        reason: &'static str,
    },
    /// A shard body of another length than its header says.
    #[error("shard {index} of pack {pack} has {bytes} bytes instead of {wanted}")]
    BadLength {
        /// The pack.
        pack: PackId,
        /// The shard.
        index: ShardIndex,
        /// Bytes given.
        bytes: usize,
        /// Bytes wanted.
        wanted: usize,
    },
    /// A shard body whose hash is not the one its writer signed.
    #[error("shard {index} of pack {pack} does not have the content its writer signed")]
    BadRoot {
        /// The pack.
        pack: PackId,
        /// The shard.
        index: ShardIndex,
    },
    /// Fewer shards than the profile needs.
    #[error("only {have} shards of pack {pack} are there, {profile} needs {}", profile.data())]
    TooFewShards {
        /// The pack.
        pack: PackId,
        /// Its profile.
        profile: Profile,
        /// Distinct shards at hand.
        have: usize,
    },
    /// A receipt for something else than was asked.
    #[error("node {node} gave a receipt for another delete")]
    WrongReceipt {
        /// The node.
        node: NodeId,
    },
}

/// A finding of a decoder, in the form decoders must return.
pub(crate) fn invalid(error: StoreError) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error)
}

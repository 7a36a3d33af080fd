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
    /// Shards whose counts, indices or lengths do not fit the code.
    #[error("cannot code or decode shards")]
    Coding(#[from] acre_erasure::Error),
    /// A chunk that opens but does not hold what its reference says. Its writer is to blame.
    #[error("the chunk at {offset} of pack {pack} is impossible: {reason}")]
    BadChunk {
        /// The pack.
        pack: PackId,
        /// Where in it.
        offset: u32,
        /// The contradiction.
        reason: &'static str,
    },
    /// A chunk that does not fit in a pack, even an empty one.
    #[error("a chunk of {bytes} bytes is too long: at most {bytes_max} fit in a pack")]
    ChunkTooLong {
        /// Bytes given.
        bytes: usize,
        /// Bytes that fit.
        bytes_max: usize,
    },
    /// A name that no entry may have.
    #[error("'{}' cannot be the name of a file: {reason}", name.escape_ascii())]
    BadName {
        /// The name as given, at most 255 bytes of it.
        name: Vec<u8>,
        /// Why not.
        reason: &'static str,
    },
    /// A node of the metadata that contradicts its place in the tree. Its writer is to blame.
    #[error("the metadata node at {offset} of pack {pack} is impossible: {reason}")]
    BadNode {
        /// The pack.
        pack: PackId,
        /// Where in it.
        offset: u32,
        /// The contradiction.
        reason: &'static str,
    },
    /// An operation on a tree that its content does not allow.
    #[error("'{}': {reason}", path.escape_ascii())]
    BadPath {
        /// The path, joined by slashes.
        path: Vec<u8>,
        /// Why not.
        reason: &'static str,
    },
    /// A value past a limit of the format.
    #[error("{what}: {value} is past the limit of {limit}")]
    PastLimit {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        value: u64,
        /// How large it may be.
        limit: u64,
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

//! Why a proof does not hold, or rules do not fit together.

use acre_types::Digest;

use crate::index::ItemId;

/// What can be wrong with proofs of capacity. Whoever sent the proof is to blame, but for
/// [`CapacityError::Rules`], [`CapacityError::NothingHeld`] and [`CapacityError::Read`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapacityError {
    /// Rules whose figures do not fit together.
    #[error("the rules of capacity proofs cannot be met: {reason}")]
    Rules {
        /// Which figure, and its range.
        reason: &'static str,
    },
    /// A leaf or its path is not of the tree with this root.
    #[error("leaf {leaf} is not part of the data whose root is {root}")]
    NotInTree {
        /// The committed root.
        root: Digest,
        /// Number of the leaf.
        leaf: u64,
    },
    /// Items that are not in strictly rising order, or whose bytes run over.
    #[error("the index is not in order at {0:?}")]
    Disorder(ItemId),
    /// An item is not in the index that the node committed to.
    #[error("{0:?} is not in the index that was committed")]
    NotInIndex(ItemId),
    /// Another item or leaf was opened than was asked.
    #[error("{0:?} was opened, which does not hold the byte that was asked")]
    WrongItem(ItemId),
    /// An answer with parts missing, left over or of a wrong size.
    #[error("the answer is malformed: {reason}")]
    Malformed {
        /// What was wrong.
        reason: &'static str,
    },
    /// The index gives a contract more than it may have at this node.
    #[error(
        "the index has {shown} bytes or more of the contract of {item:?}, which may have {most}"
    )]
    Unpaid {
        /// A shard of the contract.
        item: ItemId,
        /// What its path shows.
        shown: u64,
        /// What the contract allows.
        most: u64,
    },
    /// A label or a step that was computed otherwise than the rules say.
    #[error("lane {lane} of the puzzle was not computed as asked")]
    WrongWork {
        /// The lane.
        lane: u16,
    },
    /// A step of a chase that does not follow from the one before and from what it read.
    #[error("step {step} of the chase was not taken as asked")]
    WrongStep {
        /// Its number.
        step: u32,
    },
    /// There is nothing to open.
    #[error("the index is empty, so no byte of it can be opened")]
    NothingHeld,
    /// The prover could not read what it holds.
    #[error("{item:?} could not be read: {reason}")]
    Read {
        /// What was to be read.
        item: ItemId,
        /// The disk's words.
        reason: String,
    },
    /// A signature does not hold.
    #[error("the signature under {what} does not hold")]
    Signature {
        /// What was signed.
        what: &'static str,
        /// Why.
        #[source]
        source: acre_crypto::CryptoError,
    },
}

//! What a client and a node say to each other: service `shard/1`.
//!
//! Each message has two parts: `meta`, the codec form of a [`Request`] or [`Reply`] of at most
//! [`MESSAGE_META_BYTES_MAX`], and `body`, raw bytes of a shard, empty unless said otherwise here.
//!
//! | request | body | reply | body |
//! |---|---|---|---|
//! | `Put` | whole shard | `Stored`, after it was synced | |
//! | `Get` | | `Shard` | the bytes asked for |
//! | `Header` | | `Header` | |
//! | `Locate` | | `Located` | |
//! | `Verify` | | `Verified` or `Damaged` | |
//! | `List` | | `Page` | |
//! | `Delete` | | `Deleted` | |
//! | `PutHead` | | `HeadIs`, the newest now held | |
//! | `GetHead` | | `HeadIs` | |
//! | `Status` | | `Status` | |
//! | any | | `Refused` | |
//!
//! All requests may be repeated: a repeated `Put` of the same shard is `Stored` again, a repeated
//! `Delete` is receipted again, and an older `PutHead` changes nothing.

use acre_codec::{CodecError, Decode, Encode, List};
use acre_crypto::{Domain, SigningKey};
use acre_types::{Bytes, ContractId, Digest, NodeId, PackId, PublicKey, Signature, Text, UnixMs};

use crate::StoreError;
use crate::head::SignedHead;
use crate::limits::{DELETE_PACKS_MAX, LOCATE_PACKS_MAX, MESSAGE_META_BYTES_MAX, SHARD_IDS_MAX};
use crate::shard::{ShardHeader, ShardId};

/// Name of the service for [`Request`]s.
pub const SERVICE: &str = "shard/1";

/// What is asked of a node.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// Keep the shard in the body.
    Put(ShardHeader),
    /// Send bytes of a shard, at most to its end.
    Get {
        /// Which shard.
        shard: ShardId,
        /// First byte, below the length of the shard.
        offset: u32,
        /// Bytes wanted; fewer come if the shard ends before. `u32::MAX` means all.
        length: u32,
    },
    /// Send the signed header of a shard.
    Header(ShardId),
    /// Say which shards of these packs are held.
    Locate {
        /// The packs.
        packs: List<PackId, LOCATE_PACKS_MAX>,
    },
    /// Read a shard and check it against its root.
    Verify(ShardId),
    /// Name the shards held for a contract, in order.
    List {
        /// The contract.
        contract: ContractId,
        /// Only shards past this one.
        after: Option<ShardId>,
    },
    /// Drop all shards of some packs.
    Delete(SignedDelete),
    /// Keep this head if it is newer than the one held.
    PutHead(SignedHead),
    /// Send the newest head held.
    GetHead {
        /// Of which volume.
        contract: ContractId,
    },
    /// Say how the node is.
    Status,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// The shard is on stable storage.
    Stored,
    /// The bytes are in the body. The length is the node's word: compare it between nodes.
    Shard {
        /// Bytes of the whole pack, from which its layout follows.
        pack_bytes: u32,
    },
    /// The header of the shard.
    Header(ShardHeader),
    /// Shards held of the packs asked for, ascending.
    Located(List<ShardId, SHARD_IDS_MAX>),
    /// The shard was read and matches its root.
    Verified,
    /// The shard was read and does not match its root, or could not be read.
    Damaged,
    /// Shards of a contract.
    Page {
        /// Ascending.
        shards: List<ShardId, SHARD_IDS_MAX>,
        /// Whether to ask again after the last of them.
        rest: Rest,
    },
    /// None of the packs is held any more.
    Deleted(SignedReceipt),
    /// The newest head held, if any.
    HeadIs(Option<SignedHead>),
    /// How the node is.
    Status(NodeStatus),
    /// The request was not done, and why.
    Refused(Refusal),
}

/// Whether a page is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Rest {
    /// That was all.
    End,
    /// Ask again after the last item.
    More,
}

/// Why a node did not do what was asked. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
pub enum Refusal {
    /// The ledger, as far as the node has seen it, has no such contract. May pass.
    #[error("no contract {0} is known here")]
    NoSuchContract(ContractId),
    /// The contract does not name this node as a place.
    #[error("contract {0} does not name this node as a place")]
    NotMyContract(ContractId),
    /// The contract is over.
    #[error("contract {0} has ended")]
    ContractEnded(ContractId),
    /// Not signed by the writer key of the contract.
    #[error("the signature is not by the contract's writer")]
    BadSignature,
    /// The body does not have the length or the hash that its header says.
    #[error("the body is not the one its header describes")]
    BadRoot,
    /// Another header is already held for this shard.
    #[error("this shard is already held with another header")]
    Conflict,
    /// Offset past the end.
    #[error("the range starts past the shard's {shard_bytes} bytes")]
    BadRange {
        /// Length of the shard.
        shard_bytes: u32,
    },
    /// The node is full. Go elsewhere; reads and deletes go on.
    #[error("no space for {wanted}: {free} are free")]
    NoSpace {
        /// What was to be stored.
        wanted: Bytes,
        /// What is left.
        free: Bytes,
    },
    /// The contract's bytes are used up.
    #[error("contract {contract} pays for {paid} a place and holds {held}")]
    OverContract {
        /// Which.
        contract: ContractId,
        /// Bytes paid for at this place.
        paid: Bytes,
        /// Bytes held at this place.
        held: Bytes,
    },
    /// Not held here.
    #[error("not held here")]
    NotFound,
    /// Held, but it cannot be read or does not match its root.
    #[error("held, but damaged")]
    Damaged,
    /// The head's epoch is below the fence that the ledger set.
    #[error("the head's epoch is below {fence}, where the ledger has shut older writers out")]
    StaleHead {
        /// Lowest epoch accepted.
        fence: u64,
    },
    /// Bytes that are no request.
    #[error("the request is malformed")]
    Malformed,
    /// Too much is asked at once; try again later.
    #[error("busy")]
    Busy,
    /// The node's storage failed; it takes no writes until it was reopened.
    #[error("the node's storage has failed")]
    Failed,
}

/// How a caller should take a [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Try this node again a little later.
    Retry,
    /// This node cannot; another one can.
    Elsewhere,
    /// The caller is wrong; no node will do it.
    Caller,
}

impl Refusal {
    /// What to do about it.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        match self {
            Self::NoSuchContract(_) | Self::Busy => Blame::Retry,
            Self::NotMyContract(_)
            | Self::NoSpace { .. }
            | Self::NotFound
            | Self::Damaged
            | Self::Failed => Blame::Elsewhere,
            Self::ContractEnded(_)
            | Self::BadSignature
            | Self::BadRoot
            | Self::Conflict
            | Self::BadRange { .. }
            | Self::OverContract { .. }
            | Self::StaleHead { .. }
            | Self::Malformed => Blame::Caller,
        }
    }
}

/// A wish to drop packs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Delete {
    /// Whose.
    pub contract: ContractId,
    /// Which.
    pub packs: List<PackId, DELETE_PACKS_MAX>,
    /// Numbers the deletes of a contract, so that receipts can be told apart.
    pub serial: u64,
}

impl Domain for Delete {
    const DOMAIN: &'static str = "acre/delete/1";
}

impl Delete {
    /// Signs this wish.
    #[must_use]
    pub fn sign(self, writer: &SigningKey) -> SignedDelete {
        let signature = writer.sign(&self);
        SignedDelete { delete: self, signature }
    }

    /// What a receipt names this by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        acre_crypto::digest(&acre_codec::encode(self))
    }
}

/// A delete with the signature of its contract's writer key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedDelete {
    /// What is wished.
    pub delete: Delete,
    /// By whom.
    pub signature: Signature,
}

impl SignedDelete {
    /// Checks that `writer`, the writer key of the contract, signed this.
    ///
    /// # Errors
    /// [`StoreError::Crypto`].
    pub fn verify(&self, writer: &PublicKey) -> Result<(), StoreError> {
        acre_crypto::verify(writer, &self.delete, &self.signature)
            .map_err(|source| StoreError::Crypto { what: "a delete", source })
    }
}

/// A node's word that it dropped what it held of some packs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// Who says so.
    pub node: NodeId,
    /// [`Delete::digest`] of what it answers.
    pub delete: Digest,
    /// Shards dropped now; none if this is a repetition.
    pub shards: u32,
    /// When, by the node's clock.
    pub at: UnixMs,
}

impl Domain for Receipt {
    const DOMAIN: &'static str = "acre/delete-receipt/1";
}

impl Receipt {
    /// Signs this with the node's key.
    #[must_use]
    pub fn sign(self, node: &SigningKey) -> SignedReceipt {
        let signature = node.sign(&self);
        SignedReceipt { receipt: self, signature }
    }
}

/// A receipt with its node's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedReceipt {
    /// What is said.
    pub receipt: Receipt,
    /// By the node it names.
    pub signature: Signature,
}

impl SignedReceipt {
    /// Checks that the node it names signed this, and that it answers `delete`.
    ///
    /// # Errors
    /// [`StoreError::Crypto`] or [`StoreError::WrongReceipt`].
    pub fn verify(&self, delete: &Delete) -> Result<(), StoreError> {
        let node = self.receipt.node;
        acre_crypto::verify(&node.key(), &self.receipt, &self.signature)
            .map_err(|source| StoreError::Crypto { what: "the receipt of a delete", source })?;
        if self.receipt.delete != delete.digest() {
            return Err(StoreError::WrongReceipt { node });
        }
        Ok(())
    }
}

/// How a node is, by its own word.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NodeStatus {
    /// Who.
    pub node: NodeId,
    /// Software version.
    pub version: Text<32>,
    /// Bytes offered.
    pub capacity: Bytes,
    /// Bytes of shards and their headers held.
    pub used: Bytes,
    /// Bytes that a put may still take.
    pub free: Bytes,
    /// Shards held.
    pub shards: u64,
    /// Heads held.
    pub heads: u64,
    /// Whether it takes new shards.
    pub mode: NodeMode,
}

/// Whether a node takes new shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum NodeMode {
    /// Reads, writes and deletes.
    Open,
    /// Reads and deletes only: full, or leaving.
    ReadOnly,
}

/// Decodes the `meta` of a request.
///
/// # Errors
/// Bytes that are no request; answer [`Refusal::Malformed`].
pub fn decode_request(meta: &[u8]) -> Result<Request, CodecError> {
    acre_codec::decode_bounded(meta, MESSAGE_META_BYTES_MAX)
}

/// Decodes the `meta` of a reply.
///
/// # Errors
/// Bytes that are no reply; the node is to blame.
pub fn decode_reply(meta: &[u8]) -> Result<Reply, CodecError> {
    acre_codec::decode_bounded(meta, MESSAGE_META_BYTES_MAX)
}

//! What goes in and out of the machines: plain values, never the bytes of a shard.

use std::collections::BTreeSet;
use std::sync::Arc;

use acre_types::{Digest, NodeId, PackId, Profile, ShardIndex};

use super::error::MachineError;

/// A request to a node, numbered by the machine; the shell answers under this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// An operation, numbered by the shell; never used twice with one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// Bytes `offset .. offset + length` of a shard or of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// First byte.
    pub offset: u32,
    /// Count of bytes.
    pub length: u32,
}

impl Range {
    /// A whole shard, whatever its length.
    pub const ALL: Self = Self { offset: 0, length: u32::MAX };

    /// From `start` up to, not including, `end`; empty if that is not later.
    #[must_use]
    pub const fn between(start: u32, end: u32) -> Self {
        Self { offset: start, length: end.saturating_sub(start) }
    }

    /// The byte after the last.
    #[must_use]
    pub const fn end(self) -> u32 {
        self.offset.saturating_add(self.length)
    }

    /// Whether every byte of `other` is in this.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.offset <= other.offset && other.end() <= self.end()
    }

    /// The smallest range with all bytes of both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self::between(self.offset.min(other.offset), self.end().max(other.end()))
    }
}

/// When the shell checks the bytes of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// After the read, by the tags of the chunks.
    Later,
    /// On arrival, against the root in the pack's signed header; a mismatch is
    /// [`Failure::WrongBytes`]. Only asked for after [`Answer::Header`] for that pack.
    Root,
}

/// What to ask a node. The shell fills in contract, headers, bodies and signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Store this shard; answered by [`Answer::Stored`] after the node synced it.
    Store {
        /// The pack.
        pack: PackId,
        /// Which of its shards.
        index: ShardIndex,
    },
    /// Part of a shard; answered by [`Answer::Shard`] once exactly that many bytes (all there are,
    /// for [`Range::ALL`]) are with the shell, which keeps them under the request until the
    /// operation is over.
    Fetch {
        /// The pack.
        pack: PackId,
        /// Which of its shards.
        index: ShardIndex,
        /// Which bytes of the shard.
        range: Range,
        /// When they are checked.
        check: Check,
    },
    /// The header of a shard; the shell checks the writer's signature and remembers the roots.
    Header {
        /// The pack.
        pack: PackId,
        /// Which of its shards.
        index: ShardIndex,
    },
    /// Which shards of a pack the node holds.
    Locate {
        /// The pack.
        pack: PackId,
    },
    /// Whether the node can read this shard and finds it whole.
    Verify {
        /// The pack.
        pack: PackId,
        /// Which of its shards.
        index: ShardIndex,
    },
    /// A page of what the node holds of the contract, in ascending order.
    List {
        /// The last of the page before; `None` for the first page.
        after: Option<(PackId, ShardIndex)>,
    },
    /// Drop all shards of this pack at the node: a surplus copy.
    Delete {
        /// The pack.
        pack: PackId,
    },
    /// Keep this head, known to the shell by its digest.
    PutHead {
        /// The head.
        head: HeadSeen,
    },
    /// The newest head the node knows; the shell drops one without a valid signature.
    GetHead,
}

/// A head as the machines see it: the counter its writer signed, and the digest of its bytes.
/// Greater is newer; between equal numbers the digest decides, the same for everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeadSeen {
    /// Fencing epoch of the writer.
    pub epoch: u64,
    /// Grows with each version.
    pub counter: u64,
    /// Digest of the signed head.
    pub digest: Digest,
}

/// What a node answered, as far as the shell has checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Store`]: synced.
    Stored,
    /// To [`Ask::Fetch`]: the bytes are with the shell (and match the root, if so asked).
    Shard,
    /// To [`Ask::Header`]: validly signed, for the pack asked for.
    Header {
        /// Length of each shard body of the pack.
        shard_bytes: u32,
    },
    /// To [`Ask::Locate`]: held shards of the pack.
    Located(Vec<ShardIndex>),
    /// To [`Ask::Verify`]: whole.
    Verified,
    /// To [`Ask::List`].
    Listed {
        /// What is held.
        held: Vec<(PackId, ShardIndex)>,
        /// Whether another page follows.
        page: Page,
    },
    /// To [`Ask::Delete`].
    Deleted,
    /// To [`Ask::PutHead`] and [`Ask::GetHead`]: the newest head of the node with a valid
    /// signature, if any.
    Head(Option<HeadSeen>),
    /// To anything.
    Failed(Failure),
}

/// Whether a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Ask again after the last item.
    More,
    /// This was all.
    Last,
}

/// Why a request brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// No room for a shard.
    NoSpace,
    /// No such shard there.
    NotFound,
    /// The node says itself that its copy is damaged.
    Damaged,
    /// Not now: too busy, or the contract has not yet been seen on the ledger there.
    Busy,
    /// Refused for another reason.
    Refused,
    /// Answered with bytes that cannot be right: wrong root, length or signature.
    WrongBytes,
}

impl Failure {
    /// Whether the node may have done what it was asked although no answer came.
    #[must_use]
    pub const fn is_ambiguous(self) -> bool {
        matches!(self, Self::Unreachable | Self::Timeout)
    }

    /// Whether the same may well succeed a little later.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Unreachable | Self::Timeout | Self::Busy)
    }
}

/// The places of a contract: first one for each shard of the profile, then the spares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    profile: Profile,
    nodes: Arc<[NodeId]>,
}

impl Places {
    /// # Errors
    /// Fewer nodes than the profile has shards, or one node twice.
    pub fn new(profile: Profile, nodes: Vec<NodeId>) -> Result<Self, MachineError> {
        let distinct: BTreeSet<_> = nodes.iter().collect();
        let needed = usize::from(profile.shards());
        if distinct.len() != nodes.len() || nodes.len() < needed {
            return Err(MachineError::Places { profile, distinct: distinct.len(), needed });
        }
        Ok(Self { profile, nodes: nodes.into() })
    }

    /// The profile all packs of the contract have.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// All places, primaries first.
    #[must_use]
    pub fn all(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The places beyond the first n.
    #[must_use]
    pub fn spares(&self) -> &[NodeId] {
        self.nodes.get(usize::from(self.profile.shards())..).unwrap_or_default()
    }

    /// Where a put sends this shard first.
    #[must_use]
    pub fn primary(&self, pack: PackId, index: ShardIndex) -> NodeId {
        let position = super::placement::place_of(pack, index, self.profile.shards());
        *self.nodes.get(position).expect("there are at least as many places as shards")
    }
}

/// A copy of a shard: which, and where.
pub type ShardAt = (ShardIndex, NodeId);

/// Bytes of a shard that the shell holds under a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The request that brought it.
    pub request: RequestId,
    /// Which shard.
    pub index: ShardIndex,
    /// Which bytes of the shard.
    pub range: Range,
    /// Who sent it.
    pub node: NodeId,
}

/// How to make shards from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decode {
    /// The same byte range of each shard, in and out.
    pub columns: Range,
    /// Exactly k pieces of distinct shards, each covering `columns`.
    pub from: Vec<Piece>,
    /// The shards to make.
    pub make: Vec<ShardIndex>,
}

/// Why a node is blamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It sent bytes that do not match the signed root.
    WrongBytes,
    /// It reported its own copy as damaged.
    Damaged,
}

//! The metadata: what is in a volume and where its bytes are, as an immutable tree of small nodes.
//!
//! ```text
//! Root (sealed in the head) ─ Directory ─ inner node ─ leaf node: entries sorted by name
//!                                                         ├ file: inline bytes | extents | pages of extents
//!                                                         ├ directory ─ …
//!                                                         └ symbolic link
//! ```
//! A directory is a B-tree of metadata chunks of at most [`NODE_BYTES_MAX`](crate::limits::NODE_BYTES_MAX): built bottom up from a sorted
//! stream ([`DirectoryBuilder`]) without ever holding it, and changed by copying the path from a
//! leaf to the root ([`apply`]), so that an old root keeps showing what it showed. Each node knows
//! the totals below it. Everything is read lazily through [`Nodes`].
//!
//! Nodes come out of sealed packs, so only the volume's owner can have written them; they are
//! checked all the same, because an owner's other device may be broken.

mod content;
mod directory;
mod edit;
mod entry;
mod list;
mod merge;
mod node;
mod path;
mod root;

use acre_codec::{Decode, Encode};
use acre_types::PackId;
use bytes::Bytes;

pub use content::{ContentBuilder, Extents, decode_page};
pub use directory::{Directory, DirectoryBuilder, lookup_name};
pub use edit::{Change, apply};
pub use entry::{
    Content, Entry, Extent, Kind, Meta, Name, PackKey, Pages, Run, Target, Totals, decode_entry,
};
pub use list::{Listing, Visit, Walk};
pub use merge::{Conflict, Merged, merge};
pub use node::decode_directory_node;
pub use path::{Removed, join, lookup, make_directory, parse, put, remove, rename};
pub use root::Root;

use crate::StoreError;
use crate::pack::ChunkRef;

/// Where a node of the metadata lies: a chunk of a metadata pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct MetaRef {
    /// The metadata pack.
    pub pack: PackId,
    /// Where in it, and how long once opened.
    pub chunk: ChunkRef,
}

impl MetaRef {
    /// The error for a node that contradicts its place.
    pub(crate) const fn wrong(&self, reason: &'static str) -> StoreError {
        StoreError::BadNode { pack: self.pack, offset: self.chunk.offset, reason }
    }
}

/// Where nodes come from and go to: a client's cached packs, or memory in tests and the simulator.
pub trait Nodes {
    /// What can go wrong.
    type Error: From<StoreError>;

    /// The plain bytes of a node. A node saved just now must be found too, though its pack may not
    /// be closed yet.
    ///
    /// # Errors
    /// The node cannot be had.
    fn load(&mut self, at: MetaRef) -> Result<Bytes, Self::Error>;

    /// Keeps a node and says where.
    ///
    /// # Errors
    /// The node cannot be kept.
    fn save(&mut self, node: Vec<u8>) -> Result<MetaRef, Self::Error>;
}

#[cfg(test)]
mod tests;

//! What a witness found. Plain numbers, so that a ledger and a simulator can use them.

use acre_types::{Bytes, Epoch, NodeId};

/// What one witness found at one node in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The node.
    pub node: NodeId,
    /// Visits; not zero.
    pub asked: u16,
    /// Visits on which it was there.
    pub answered: u16,
    /// Storage that it showed to hold, plots and shards together.
    pub storage: Bytes,
    /// Shards of this.
    pub sold: Bytes,
    /// What of the storage answered a chase as fast as a disk without moving parts: all or nothing.
    pub solid: Bytes,
    /// Cores that worked at once.
    pub cores: u32,
    /// Memory that was used at once.
    pub memory: Bytes,
    /// Challenges answered rightly but after the deadline.
    pub late: u16,
    /// Challenges not answered, and samples not there.
    pub missing: u16,
    /// Challenges answered falsely.
    pub wrong: u16,
}

/// All that a witness says of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which epoch.
    pub epoch: Epoch,
    /// By rising node; a node that was never visited is left out.
    pub verdicts: Vec<Verdict>,
}

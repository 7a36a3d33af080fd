//! What the operations tell when they are done.

use std::path::PathBuf;

use acre_store::machine::ShardState;
use acre_store::tree::Totals;
use acre_types::{Bytes, ContractId, NodeId, PackId, Profile, ShardIndex, UnixMs};

use crate::ObjectId;

/// What a put did.
#[derive(Clone, Debug)]
pub struct PutReport {
    /// Leads to what was stored, whatever it is called later.
    pub object: ObjectId,
    /// Where it stands, as bytes that begin with a slash.
    pub name: Vec<u8>,
    /// Profile of its volume.
    pub profile: Profile,
    /// Bytes of all files read; holes are not read.
    pub bytes_plain: u64,
    /// Bytes of shards that this put sent and nodes synced.
    pub bytes_stored: u64,
    /// The same as a count of shards.
    pub shards: u64,
    /// Packs that are acknowledged but not on all places yet; a repair completes them.
    pub not_yet_full: u64,
    /// Files, directories and links stored.
    pub entries: u64,
    /// Files among them.
    pub files: u64,
    /// From begin to end.
    pub seconds: f64,
    /// What was left out or may be torn, at most
    /// [`WARNINGS_MAX`](crate::limits::WARNINGS_MAX) of them.
    pub warnings: Vec<Warning>,
    /// All of them, counted.
    pub warnings_total: u64,
}

/// Something a put could not do as asked; the rest was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which file.
    pub path: PathBuf,
    /// What about it.
    pub kind: WarningKind,
}

/// What happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// A socket, pipe or device: left out.
    Special,
    /// It could not be read: left out. The system's words.
    Unreadable(String),
    /// It changed while it was read, twice: what is stored may be of no single moment.
    Changed,
    /// It was gone when its turn came: left out.
    Vanished,
}

/// What a get did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GetReport {
    /// Bytes written; holes are not.
    pub bytes: u64,
    /// Files written.
    pub files: u64,
    /// Files, directories and links.
    pub entries: u64,
    /// From begin to end.
    pub seconds: f64,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// Bytes.
    File,
    /// More entries.
    Directory,
    /// Another path.
    Symlink,
}

impl ItemKind {
    /// The word for it in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
        }
    }
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name within its directory; raw bytes.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: ItemKind,
    /// Bytes of a file, or of all files below a directory; length of a link's target.
    pub bytes: u64,
    /// Files below a directory; 1 for a file.
    pub files: u64,
    /// Permission bits.
    pub mode: u32,
    /// Last change, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Target of a link.
    pub target: Option<Vec<u8>>,
    /// Profile of its volume.
    pub profile: Profile,
    /// Its volume.
    pub contract: ContractId,
}

/// What a removal did.
#[derive(Clone, Debug, Default)]
pub struct RemoveReport {
    /// Files, directories and links removed.
    pub entries: u64,
    /// What became of their packs; `None` if the volume is too large to look at once, then a
    /// repair collects them.
    pub collected: Option<CollectReport>,
}

/// What was collected.
#[derive(Clone, Debug, Default)]
pub struct CollectReport {
    /// Packs that nothing refers to and that every place confirmed to have dropped.
    pub packs: u64,
    /// Shards dropped, by signed receipts.
    pub shards: u64,
    /// Packs left for later: they may belong to a put under way.
    pub kept: u64,
    /// Places that did not confirm, with the packs they may still hold. Without their keys, which
    /// are gone, nobody can read them.
    pub unconfirmed: Vec<(NodeId, Vec<PackId>)>,
}

/// Where the shards of a thing are.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Profile of its volume.
    pub profile: Profile,
    /// Its volume.
    pub contract: ContractId,
    /// One for each pack that holds a part of it.
    pub stripes: Vec<Stripe>,
    /// Further places that may be lost with all of it still readable; `None` if some part cannot
    /// be read now.
    pub losses_survivable: Option<u8>,
}

/// One pack.
#[derive(Clone, Debug)]
pub struct Stripe {
    /// Its id.
    pub id: PackId,
    /// One for each index of the profile.
    pub shards: Vec<ShardPlace>,
    /// Further places that this pack bears to lose; `None` if it cannot be read now.
    pub losses_survivable: Option<u8>,
}

/// One shard.
#[derive(Clone, Debug)]
pub struct ShardPlace {
    /// Its position.
    pub index: ShardIndex,
    /// Who holds it, or should.
    pub node: NodeId,
    /// Where that is; empty if the ledger does not know the node.
    pub site: String,
    /// How it is: verified means that the node read and hashed it just now.
    pub state: ShardState,
}

/// How urgent a repair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairMode {
    /// All losses now.
    Now,
    /// A single loss may wait a day, two an hour.
    ByUrgency,
    /// As `Now`, and each shard is read and hashed by its node first.
    Scrub,
}

/// What a repair did, over all volumes.
#[derive(Clone, Debug, Default)]
pub struct RepairReport {
    /// Packs looked at.
    pub packs: u64,
    /// Packs with all their shards now.
    pub full: u64,
    /// Shards made again and stored.
    pub rebuilt: u64,
    /// Surplus or damaged copies dropped.
    pub trimmed: u64,
    /// Packs whose losses may wait.
    pub waiting: u64,
    /// Shards that found no place.
    pub unplaced: u64,
    /// Packs with too few shards to be read now, the first of them.
    pub unrepairable: Vec<PackId>,
    /// All of them, counted.
    pub unrepairable_total: u64,
    /// Places that did not answer.
    pub silent: Vec<NodeId>,
    /// Nodes that took the position of one that does not answer.
    pub replaced: Vec<(NodeId, NodeId)>,
    /// What was collected of left-overs.
    pub collected: CollectReport,
}

/// One volume.
#[derive(Clone, Debug)]
pub struct VolumeInfo {
    /// Its contract.
    pub contract: ContractId,
    /// Its profile.
    pub profile: Profile,
    /// Plain bytes reserved.
    pub reserved: Bytes,
    /// Paid for up to here.
    pub expires: UnixMs,
    /// Its places, primaries first.
    pub places: Vec<NodeId>,
    /// What is in it; `None` if too few places answer.
    pub content: Option<Totals>,
}

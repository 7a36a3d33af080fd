//! What the status page says. The JSON form is stable: units stand in the keys.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;

/// Everything the page shows, taken at one time.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When this was taken, in milliseconds since 1970.
    pub taken_ms: u64,
    /// The ledger, if it could be read.
    pub ledger: Option<LedgerPart>,
    /// Why it could not.
    pub ledger_error: Option<String>,
    /// Nodes on the ledger.
    pub nodes: Vec<NodePart>,
    /// Volumes that are paid for.
    pub volumes: Vec<VolumePart>,
}

/// The ledger, checked against its validators' certificates.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerPart {
    /// Digest of the genesis.
    pub chain: String,
    /// Height of the newest certified block.
    pub height: u64,
    /// Root of the state after it.
    pub state_root: String,
    /// Its time, in milliseconds since 1970.
    pub time_ms: u64,
}

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct NodePart {
    /// Its key.
    pub id: String,
    /// The farm it belongs to.
    pub farm: String,
    /// Where it stands.
    pub site: String,
    /// Two letters.
    pub country: String,
    /// Whether it answers.
    pub state: NodeState,
    /// Bytes it offers.
    pub capacity_bytes: u64,
    /// Bytes it holds, by its own word.
    pub used_bytes: u64,
    /// Shards it holds, by its own word.
    pub shards: u64,
}

/// Whether a node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It answered just now.
    Up,
    /// It did not.
    Down,
}

/// One volume. Names and sizes of files are not shown: nobody but the owner can read them.
#[derive(Clone, Debug, Serialize)]
pub struct VolumePart {
    /// Its contract's number.
    pub contract: u64,
    /// Its profile, as in `16+4`.
    pub profile: String,
    /// Places of the contract that answer.
    pub places_up: usize,
    /// Places of the contract.
    pub places: usize,
    /// Packs found on the places that answer.
    pub packs: u64,
    /// Bytes of their shards.
    pub stored_bytes: u64,
    /// How many more places may be lost before some pack cannot be read.
    pub safety: Safety,
}

/// Whether all packs of a volume can be read, and how much more they bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Safety {
    /// Every pack has all its shards.
    Full {
        /// Further losses the weakest pack bears.
        losses_survivable: u32,
    },
    /// Every pack can be read, but shards are missing.
    Degraded {
        /// Further losses the weakest pack bears.
        losses_survivable: u32,
    },
    /// Some pack has too few shards now.
    Unavailable {
        /// How many packs.
        packs: u64,
    },
    /// Nothing is stored.
    Empty,
}

/// Where reports come from.
pub trait Source: Send + Sync + 'static {
    /// Takes a report. Never fails: what could not be read is said in the report.
    fn report(&self) -> Pin<Box<dyn Future<Output = Report> + Send + '_>>;
}

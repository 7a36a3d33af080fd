//! The library that everything which stores and reads goes through: the command line, the gateway.
//!
//! ```text
//! Client     open with the words' root and a ledger client; put, get, list, remove, rename, …
//! volume     contracts on the ledger: finding, making, extending; the newest tree, published
//! courier    drives acre_store's machine over acre-net; checks whatever nodes say
//! meta       nodes of the tree: loaded from metadata packs, saved into new ones
//! put        walk, read, cut, seal, send; then one new head makes all of it visible
//! get        plan, fetch packs ahead, open, write aside, rename into place
//! cache      what spares work and may be lost: index of chunks, decrypted nodes
//! survey     how safe a volume is, for those without its keys
//! ```
//!
//! Nothing here is needed to get data back but the words: the cache directory may be deleted at
//! any time. It must not know: command lines, terminals, HTTP.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod cache;
mod change;
mod client;
mod collect;
mod contract;
mod courier;
mod error;
mod explain;
mod get;
pub mod limits;
mod list;
mod meta;
mod meter;
mod object;
mod progress;
mod put;
mod random;
mod read;
mod repair;
mod report;
mod send;
mod shared;
mod space;
mod survey;
mod turn;
mod volume;

pub use change::Depth;
pub use client::{Client, Config};
pub use courier::SHARD;
pub use error::{ClientError, Failure};
pub use object::{ObjectId, Wanted};
pub use progress::{Moment, Phase, Progress, Silent};
pub use put::PutOptions;
pub use report::{
    CollectReport, Explanation, GetReport, Item, ItemKind, PutReport, RemoveReport, RepairMode,
    RepairReport, ShardPlace, Stripe, VolumeInfo, Warning, WarningKind,
};
pub use survey::{Safety, Surveyor, VolumeSurvey};

//! The shard log: where a node keeps other people's shards.
//!
//! An append-only log of self-describing records in segment files. One writer thread takes all that has queued up, writes it
//! as one group, syncs once and answers everybody (group commit): no put waits for a timer, and sixteen writers pay for one
//! sync. The index lives in memory and is only a cache: it is rebuilt from the segments at open. A record is a [`Key`],
//! a small header and a body, all opaque to this crate, with a CRC over the head and over each 16 KiB of body.
//!
//! # Promises
//! - **D1** A put or delete that was answered `Ok` survives a crash at any point.
//! - **D2** One that was not answered is, after a crash, there as a whole or not at all.
//! - **D3** Bytes handed out are the bytes that were put, or [`Error::Damaged`] is.
//! - **D4** A full disk refuses puts with [`Error::NoSpace`] and changes nothing; reads and deletes go on.
//! - **D5** After a failed write or sync ([`Error::Poisoned`]) nothing is written until the log was opened again.
//! - **D6** A segment is removed only after all that is needed of it was synced elsewhere; a delete record only after the
//!   last older put of its key is gone from the disk.
//!
//! The CRCs find torn writes and rot, not attackers: a reader checks a shard against its BLAKE3 root.
//!
//! # Limits of what can be told apart
//! Damage inside the last group of a log looks like a write that a crash cut short; it is dropped and counted as
//! [`Recovery::torn_bytes`]. If rot eats a delete record together with its copy in the segment's list, the deleted record
//! comes back.
//!
//! The crate knows nothing of packs, owners or the network. Layout on disk: `format.rs`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod compact;
mod config;
mod disk;
mod error;
mod footer;
mod format;
mod index;
mod key;
pub mod limits;
mod log;
mod read;
mod recover;
mod scan;
mod scrub;
mod shared;
pub mod testing;
mod writer;

pub use compact::{CompactReport, Progress};
pub use config::Config;
pub use disk::{Disk, DiskFile, OsDisk};
pub use error::{Error, Part};
pub use key::Key;
pub use log::{Record, RecordSize, ShardLog, Stats};
pub use recover::{Damage, Recovery};
pub use scrub::ScrubReport;

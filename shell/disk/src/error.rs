//! What can go wrong with the log, split by what the caller can do about it.

use std::io;
use std::sync::Arc;

use crate::key::Key;

/// A failure of the shard log. Cheap to clone: one failed group answers many callers.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk refused a call that is not a write of a group; the log itself is unchanged.
    #[error("cannot {doing} {name}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// File inside the log's directory.
        name: String,
        /// The system's answer.
        #[source]
        source: Arc<io::Error>,
    },
    /// Another process (or another handle) has this log open.
    #[error("the shard log is already open elsewhere")]
    Locked,
    /// Not enough room; nothing was stored, and reads and deletes go on working.
    #[error("no space for {wanted} bytes, {free} bytes are free")]
    NoSpace {
        /// Bytes the request needs on disk.
        wanted: u64,
        /// Bytes left for puts.
        free: u64,
    },
    /// A write or sync failed, so what is on disk is unknown until the log was opened again.
    #[error("the shard log takes no writes until it is opened again")]
    Poisoned {
        /// The failure that did it.
        #[source]
        source: Arc<io::Error>,
    },
    /// Too much is waiting for the writer; try again later.
    #[error("the shard log is busy: {waiting} requests are waiting")]
    Busy {
        /// Requests waiting.
        waiting: usize,
    },
    /// The log was closed while the request was on its way.
    #[error("the shard log is closed")]
    Closed,
    /// The record is there but its bytes are not what was written: fetch the shard from elsewhere and put it again.
    #[error("record {key} is damaged: its {part} fails the check")]
    Damaged {
        /// Whose record.
        key: Key,
        /// Which part.
        part: Part,
    },
    /// A range that is not inside the body.
    #[error("bytes {offset}+{len} are outside a body of {body_len} bytes")]
    OutOfRange {
        /// First byte wanted.
        offset: u64,
        /// Bytes wanted.
        len: u64,
        /// Bytes there are.
        body_len: u64,
    },
    /// A key of no bytes or too many.
    #[error("a key of {len} bytes, allowed are 1 to {max}")]
    KeyLength {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A header or body over its limit.
    #[error("a {part} of {len} bytes, allowed are {max}")]
    TooLarge {
        /// Which part.
        part: Part,
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Settings that contradict each other.
    #[error("bad setting: {0}")]
    Config(&'static str),
    /// The log was written by a version this one does not know.
    #[error("segment {name} has format version {version}, known is {known}")]
    Version {
        /// The segment's file.
        name: String,
        /// Version found.
        version: u32,
        /// Version known.
        known: u32,
    },
}

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The fixed part, key, header or CRC table.
    Header,
    /// The body.
    Body,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Body => "body",
        })
    }
}

impl Error {
    pub(crate) fn io(doing: &'static str, name: &str, source: io::Error) -> Self {
        Self::Io { doing, name: name.to_owned(), source: Arc::new(source) }
    }
}

/// Whether `error` says that the disk (or the owner's quota) is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

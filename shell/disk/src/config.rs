//! Settings of a log.

use crate::error::Error;
use crate::limits::{
    GROUP_BYTES_DEFAULT, QUEUE_BYTES_DEFAULT, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX,
    SEGMENT_BYTES_MIN,
};

const MIB: u64 = 1024 * 1024;

/// Settings of a log; sizes in bytes.
///
/// The last part of the capacity is kept back: puts leave room for one segment (so that compaction can always copy) and for
/// `delete_reserve_bytes` (so that deletes work on a full node).
#[derive(Debug, Clone)]
pub struct Config {
    /// Most bytes that the segments may take.
    pub capacity_bytes: u64,
    /// Size at which a segment is sealed.
    pub segment_bytes: u64,
    /// Most bytes in one group commit (one record always goes).
    pub group_bytes: u64,
    /// Most bytes that may wait for the writer.
    pub queue_bytes: u64,
    /// Part of the capacity that only deletes may use.
    pub delete_reserve_bytes: u64,
    /// Puts are refused when the file system has less than this free, whatever the capacity says.
    pub disk_free_min_bytes: u64,
    /// Number that marks this log's records, for a log that does not exist yet; `None` draws one.
    pub tag: Option<u64>,
}

impl Config {
    /// Settings that suit a node of this capacity: segments of 1/16 of it, between 1 and 256 MiB.
    #[must_use]
    pub fn with_capacity(capacity_bytes: u64) -> Self {
        Self {
            capacity_bytes,
            segment_bytes: (capacity_bytes / 16).clamp(MIB, SEGMENT_BYTES_DEFAULT),
            group_bytes: GROUP_BYTES_DEFAULT.min((capacity_bytes / 16).max(MIB)),
            queue_bytes: QUEUE_BYTES_DEFAULT,
            delete_reserve_bytes: (capacity_bytes / 256).clamp(MIB, 64 * MIB),
            disk_free_min_bytes: 64 * MIB,
            tag: None,
        }
    }

    /// Bytes of segments up to which puts are taken.
    pub(crate) fn put_limit(&self) -> u64 {
        self.copy_limit().saturating_sub(self.segment_bytes)
    }

    /// Bytes of segments up to which compaction may copy.
    pub(crate) fn copy_limit(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.delete_reserve_bytes)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes) {
            return Err(Error::Config("segment_bytes must be between 16 KiB and 1 GiB"));
        }
        if self.group_bytes > self.segment_bytes {
            return Err(Error::Config("group_bytes must not exceed segment_bytes"));
        }
        if self.put_limit() < self.segment_bytes {
            return Err(Error::Config(
                "capacity_bytes must hold two segments and delete_reserve_bytes",
            ));
        }
        Ok(())
    }
}

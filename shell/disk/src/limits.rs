//! The sizes this crate is built around, each once, with its reason.

use std::time::Duration;

/// The active segment gets its blocks this many bytes ahead, so that a sync need not commit a new file length each time (1.1
/// to 4 times the rate on ext4 here, by load); also what a node may hold on disk beyond its records.
pub const ALLOCATE_BYTES: u64 = 4 * 1024 * 1024;

/// Longest time that a group waits for the writers of the one before it to come back. Such a wait ends as soon as they are
/// there, lasts at most half as long as the last sync did, and a lone writer never meets it.
pub const REGROUP_WAIT_MAX: Duration = Duration::from_millis(2);

/// Longest key, in bytes: with the length byte it makes 48, so an index entry stays small. A shard's key (32 bytes of pack
/// id, 1 byte of index) uses 33.
pub const KEY_BYTES_MAX: usize = 47;

/// Longest shard header, in bytes.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Longest body, in bytes: the largest shard any profile makes is a 4 MiB pack that was not cut.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Body bytes under one CRC. A read of a 10 KiB chunk touches one or two of these, and the table costs 0.02 %.
pub const CHECK_BLOCK_BYTES: usize = 16 * 1024;

/// Groups start at a multiple of this, so that no page or physical sector that holds acknowledged bytes is ever written
/// again: a torn write can only hurt what was not acknowledged.
pub const GROUP_ALIGN: u64 = PAGE_BYTES as u64;

/// Records start at a multiple of this; also the step of the search for the next record after damage.
pub const RECORD_ALIGN: u64 = SLOT_BYTES as u64;

/// Default size at which a segment is sealed, in bytes.
pub const SEGMENT_BYTES_DEFAULT: u64 = 256 * 1024 * 1024;

/// Smallest segment a configuration may ask for, in bytes (tests use it).
pub const SEGMENT_BYTES_MIN: u64 = 16 * 1024;

/// Largest segment a configuration may ask for, in bytes: offsets are kept in 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Records in one segment before it is sealed, whatever its size: bounds the list of the active segment's records and the
/// index file read at open to about 4 MiB.
pub const SEGMENT_RECORDS_MAX: usize = 65_536;

/// Records in one group commit: bounds the latency that one group adds for those behind it.
pub const GROUP_RECORDS_MAX: usize = 1024;

/// Default bytes in one group commit (at least one record always goes).
pub const GROUP_BYTES_DEFAULT: u64 = 4 * 1024 * 1024;

/// Default bytes waiting for the writer before a put is answered `Busy` (or, blocking, waits).
pub const QUEUE_BYTES_DEFAULT: u64 = 16 * 1024 * 1024;

/// Requests waiting for the writer before the next one is answered `Busy`.
pub const QUEUE_REQUESTS_MAX: usize = 4096;

/// A sealed segment is worth compacting when more than this share of it is dead, in percent.
pub const COMPACT_DEAD_PERCENT: u64 = 40;

/// Least bytes copied by one step of compaction: smaller groups would lose to their own padding and never finish.
pub const COMPACT_COPY_BYTES_MIN: u64 = 256 * 1024;

/// Open segment files kept per log: a node of 1 TiB has 4096 segments and usually 1024 file descriptors.
pub const OPEN_FILES_MAX: usize = 64;

/// Buffer of a scan, in bytes.
pub const SCAN_BUFFER_BYTES: usize = 512 * 1024;

/// Damaged places listed in one report; the counter goes on.
pub const DAMAGE_LISTED_MAX: usize = 1024;

/// Keys in one page of [`crate::ShardLog::keys`].
pub const KEYS_PAGE_MAX: usize = 4096;

/// [`GROUP_ALIGN`] for indexing.
pub(crate) const PAGE_BYTES: usize = 4096;

/// [`RECORD_ALIGN`] for indexing.
pub(crate) const SLOT_BYTES: usize = 8;

/// The fixed part of a record, in bytes.
pub(crate) const PREFIX_BYTES: usize = 40;

/// The longest metadata of a record (fixed part, key, header, CRC table), in bytes.
pub(crate) const META_BYTES_MAX: usize = PREFIX_BYTES
    + KEY_BYTES_MAX
    + HEADER_BYTES_MAX
    + 4 * BODY_BYTES_MAX.div_ceil(CHECK_BLOCK_BYTES);

/// The longest record, in bytes.
pub(crate) const RECORD_BYTES_MAX: u64 = (META_BYTES_MAX + BODY_BYTES_MAX) as u64 + RECORD_ALIGN;

const _: () = assert!(HEADER_BYTES_MAX < u16::MAX as usize, "header length is kept in 16 bits");
const _: () = assert!(KEY_BYTES_MAX < u8::MAX as usize, "key length is kept in 8 bits");
const _: () = assert!(META_BYTES_MAX <= SCAN_BUFFER_BYTES, "a scan looks at a whole metadata");
const _: () = assert!(CHECK_BLOCK_BYTES <= SCAN_BUFFER_BYTES, "a scan checks whole blocks");
const _: () =
    assert!(GROUP_ALIGN.is_multiple_of(RECORD_ALIGN), "a group's first record is aligned");
const _: () = assert!(
    SEGMENT_BYTES_MAX + RECORD_BYTES_MAX * 2 < u32::MAX as u64,
    "offsets fit 32 bits even when the last group runs over"
);
const _: () = assert!(GROUP_RECORDS_MAX < SEGMENT_RECORDS_MAX, "a group fits an empty segment");

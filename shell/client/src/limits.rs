//! Every limit of the client, each once, with its reason.

use std::time::Duration;

use acre_types::Bytes;

/// Warnings of one put kept in its report; the rest are counted.
pub const WARNINGS_MAX: usize = 1000;

/// What a new volume reserves at least: small enough for any node, large enough that most people
/// never see it grow.
pub const VOLUME_BYTES_MIN: Bytes = Bytes(1 << 30);
/// What a new volume reserves at the very least, where nodes have little room.
pub(crate) const VOLUME_BYTES_LEAST: Bytes = Bytes(16 << 20);
/// Time a contract is made for: a year of 365 days.
pub const PERIOD_MS: u64 = 365 * 24 * 3_600_000;
/// Tries to find places that all answer, before those that do not are reported.
pub(crate) const PLACEMENT_ROUNDS: usize = 6;
/// How long a candidate for a place has to answer.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Tries to write a head while others write, too.
pub(crate) const HEAD_TRIES: u32 = 8;
/// Longest wait for the last shards of packs that are acknowledged already.
pub(crate) const FULL_WAIT: Duration = Duration::from_secs(5);

/// Coded bytes of packs that are sealed and not yet stored; what bounds the memory of a put. One
/// pack more than the machine lets in flight, so that it never waits for the next.
pub(crate) const SEALED_BYTES_MAX: u32 = (72 << 20) as u32;
/// Entries that wait for their pack to be closed, before it is closed early.
pub(crate) const PENDING_ENTRIES_MAX: usize = 16 * 1024;
/// Names of a directory sorted in memory; past it sorted runs go to a temporary file.
pub(crate) const NAMES_IN_MEMORY: usize = 100_000;
/// Bytes of packs acknowledged between two synced writes of the index of chunks: a put that is
/// killed sends at most so many again, and those that were in flight.
pub(crate) const INDEX_BYTES: u64 = 32 << 20;

/// Packs read at once by a get: 4 MiB each at 16+4.
pub(crate) const READS_AT_ONCE: usize = 6;
/// Packs between which chunks are sorted before they are read.
pub(crate) const READ_WINDOW_PACKS: usize = 8;
/// Chunks in one read of a pack.
pub(crate) const READ_CHUNKS_MAX: usize = 8192;
/// A gap between wanted chunks up to this long is read along rather than asked around.
pub(crate) const READ_GAP_BYTES: u32 = 128 * 1024;

/// Decrypted nodes of trees held in memory.
pub(crate) const NODES_IN_MEMORY_BYTES: usize = 24 << 20;
/// Opened metadata packs held in memory.
pub(crate) const META_PACKS_IN_MEMORY: usize = 8;
/// Nodes in the cache on disk; past it the cache is begun anew.
pub(crate) const NODES_ON_DISK_MAX: u64 = 20_000;

/// Files of a volume up to which a removal collects at once: a few seconds of reading metadata.
pub(crate) const COLLECT_FILES_MAX: u64 = 200_000;
/// A pack that nothing refers to is only collected when it was seen so this long: a put on another
/// device may be about to refer to it.
pub(crate) const STRANGER_AGE: Duration = Duration::from_secs(24 * 3600);
/// Changes of a directory applied in one go.
pub(crate) const CHANGES_AT_ONCE: usize = 512;
/// Entries in one page of a listing.
pub const PAGE_ENTRIES: usize = 1000;
/// Packs surveyed at once by `explain`.
pub(crate) const SURVEYS_AT_ONCE: usize = 4;

const _: () = assert!(acre_store::machine::limits::PUT_WINDOW_BYTES < SEALED_BYTES_MAX as u64);

/// Times a contract is prepared anew because another transaction of the account came first.
pub const CREATE_TRIES: usize = 16;
/// Pause before that: the other transaction is final within a block or two.
pub const CREATE_PAUSE: Duration = Duration::from_millis(100);

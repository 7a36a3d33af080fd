//! Every limit and every time of the gateway, each once, with its reason.

use std::time::Duration;

/// Rows of a page if the question does not say.
pub const PAGE_DEFAULT: usize = 50;
/// Rows of a page at most: each may be a proof of some 1 kB that is checked for the asker.
pub const PAGE_MAX: usize = 200;
/// Blocks of a page at most: each is a call to a validator with a payload of up to 2 MiB.
pub const BLOCKS_PAGE_MAX: usize = 32;
/// Blocks asked for at once while a page of blocks is made.
pub const BLOCKS_AT_ONCE: usize = 8;
/// Summaries of blocks kept, so that a page which is asked for every second costs one new block.
pub const BLOCKS_KEPT: usize = 4_096;
/// Rows looked at for one page of a filtered list. A page may thus have fewer rows than asked for,
/// and still name the next one: no question costs more than this.
pub const SCAN_MAX: usize = 2_000;
/// Nodes of a farm whose receipts one list holds; a farm that has more is asked for by node.
pub const RECEIPT_NODES_MAX: usize = 1 << 16;
/// Bytes of a question behind the `?`.
pub const QUERY_BYTES_MAX: usize = 512;

/// Questions that read the ledger for one asker at the same time; more wait, then are refused.
pub const READS_AT_ONCE: usize = 16;
/// How long such a question may wait for its turn.
pub const READ_TURN: Duration = Duration::from_secs(2);
/// How long the reads of one question may take.
pub const READ_TIME: Duration = Duration::from_secs(15);

/// Connections at once; more wait to be accepted.
pub const CONNECTIONS: usize = 512;
/// A connection on which nothing moves for so long is closed; streams of events say more often that
/// they live.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(90);
/// Streams of events at once, well below the connections, so that questions still pass.
pub const STREAMS: usize = 128;
/// Bytes of events kept for those who come back.
pub const HISTORY_BYTES: usize = 8 << 20;
/// Events kept for those who come back.
pub const HISTORY_EVENTS: usize = 32_768;
/// Events sent in one piece.
pub const EVENTS_PER_PIECE: usize = 128;
/// Pieces that wait for a slow reader.
pub const PIECES_WAITING: usize = 2;
/// A reader that takes nothing for so long is let go; it may come back with `Last-Event-ID`.
pub const STREAM_STALLED: Duration = Duration::from_secs(30);
/// How often a silent stream says that it lives; also how soon a stream learns that its reader left.
pub const STREAM_ALIVE: Duration = Duration::from_secs(15);
/// What a browser is told to wait before it comes back.
pub const STREAM_RETRY_MS: u64 = 2_000;

/// Keys of one read while the replica is made; what validators take in one call.
pub const KEYS_PER_READ: usize = acre_chain::limits::KEYS_PER_CALL;
/// Nodes the replica holds. Ten times what C8 asks for; about 0.5 kB each.
pub const NODES_MAX: u32 = 1_000_000;
/// Farms the replica holds.
pub const FARMS_MAX: u32 = 1_000_000;
/// Open contracts the replica holds; those past it are read from the ledger when asked for, and
/// are not found by node.
pub const CONTRACTS_MAX: usize = 100_000;
/// Objects that changed, after which the replica is brought up to date without taking more news.
pub const CHANGES_AT_ONCE: usize = 4_096;
/// How often a part of the replica is read again, so that a validator which leaves events out is
/// found: [`KEYS_PER_READ`] objects each time.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Without proven news for so long an answer is no longer called fresh: three signs of life.
pub const FRESH: Duration = Duration::from_secs(30);
/// Pause after reads failed, doubled up to [`RETRY_MAX`].
pub const RETRY: Duration = Duration::from_millis(250);
/// Longest pause after reads failed.
pub const RETRY_MAX: Duration = Duration::from_secs(5);
/// Statistics are made again at most this often.
pub const STATISTICS_EVERY: Duration = Duration::from_millis(500);
/// Final blocks whose names are kept to notice two at one height (L1).
pub const FINALS_KEPT: usize = 1_024;
/// How long a stop waits for answers that are being written.
pub const STOP_GRACE: Duration = Duration::from_secs(2);

const _: () = assert!(PAGE_DEFAULT <= PAGE_MAX && PAGE_MAX <= KEYS_PER_READ);
const _: () = assert!(PAGE_MAX < SCAN_MAX);
const _: () = assert!(STREAMS * 2 < CONNECTIONS);
const _: () = assert!(STREAM_ALIVE.as_secs() * 2 < CONNECTION_IDLE.as_secs());
const _: () = assert!(FRESH.as_secs() >= 3 * SWEEP_EVERY.as_secs());

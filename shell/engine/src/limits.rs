//! Limits of blocks, committees and proofs, each with its reason.

use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};

/// Largest payload of one block, in bytes.
///
/// 2,000 transfers of about 200 bytes (the goal for one block) are 400 kB; with 1 MiB four
/// validators still finalize in about 0.2 s on two shared cores.
pub const MAX_PAYLOAD_BYTES: u32 = 1 << 20;

/// Most validators of one epoch.
///
/// Certificates carry one signature a signer, so 100 validators make certificates of at most 6.5 kB; the
/// largest network message is derived from this, and must not depend on the present committee.
pub const MAX_VALIDATORS: u32 = 100;

/// Shortest term, in heights: term 0 holds the genesis block and at least one more.
pub const MIN_TERM_HEIGHTS: u64 = 2;

/// Terms whose keys are kept: the present one, the one before (its last certificates may still
/// come), and one more for a term that is just beginning.
pub(crate) const KEPT_TERMS: u64 = 3;

/// Peers (validators and followers) a network makes room for at least.
///
/// The network reserves memory for bursts of every possible peer, about 0.2 MB each, when it
/// starts; a committee that grows past the room stops the engine, which makes more room at the
/// next start.
pub(crate) const PEERS_ROOM: NonZeroUsize = NonZeroUsize::new(32).expect("32 is not zero");

/// Heights between two looks at the followers of a term.
pub(crate) const REFRESH_HEIGHTS: u64 = 8;

/// Bytes of messages of the next term kept of each peer and channel until it begins here: the votes
/// of dozens of views, or a few certificates. Blocks travel on another channel.
pub(crate) const EARLY_BYTES: usize = 64 << 10;

/// What the least of these messages counts for: what keeping it costs.
pub(crate) const EARLY_MESSAGE_BYTES: usize = 256;

/// Own votes waiting to be counted again after a start: three in each of two views, twice.
pub(crate) const ECHO_MESSAGES: usize = 12;

/// Signs of life waiting for an engine that starts: each validator twice.
pub(crate) const PRESENCE_MESSAGES: usize = 2 * MAX_VALIDATORS as usize;

/// Contradictions kept until the application took them: three of each validator's terms.
pub(crate) const KEPT_EVIDENCE: usize = 3 * MAX_VALIDATORS as usize;

/// Longest encoded header, in bytes: the widest varints of every field.
pub const MAX_HEADER_BYTES: usize = 256;

/// Longest encoded certificate a light client reads, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 16 << 10;

/// Most headers in one finality proof.
///
/// A block may be final only through a descendant's certificate. Runs of more than a few such
/// blocks need faulty leaders again and again; a longer chain is refused, not followed.
pub const MAX_PROOF_HEADERS: usize = 64;

/// Furthest a block's time may lie ahead of a validator's clock, in milliseconds.
///
/// A block from further ahead is not refused (it becomes valid by waiting), its vote is only
/// held back until the clock has caught up.
pub const MAX_CLOCK_AHEAD_MS: u64 = 500;

/// Finalized blocks handed to the application and not yet acknowledged, at most.
pub(crate) const MAX_PENDING_ACKS: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// Heights in one file of the block archive: the grain of pruning. Part of the disk format.
pub(crate) const SECTION_HEIGHTS: NonZeroU64 = NonZeroU64::new(1024).expect("1024 is not zero");

/// Views in one file of the cache of unfinalized blocks. Part of the disk format.
pub(crate) const SECTION_VIEWS: NonZeroU64 = NonZeroU64::new(256).expect("256 is not zero");

/// Bytes of one page of a journal. Part of the disk format.
pub(crate) const PAGE_BYTES: NonZeroU16 = NonZeroU16::new(4096).expect("4096 is not zero");

/// Pages kept in memory: 2 MiB.
pub(crate) const CACHED_PAGES: NonZeroUsize = NonZeroUsize::new(512).expect("512 is not zero");

/// Bytes buffered before a journal writes, and while it is replayed.
pub(crate) const JOURNAL_BUFFER_BYTES: NonZeroUsize =
    NonZeroUsize::new(256 << 10).expect("256 KiB is not zero");

/// Messages waiting for one actor of the engine; beyond that each actor drops or merges by its
/// own policy.
pub(crate) const MAILBOX_MESSAGES: NonZeroUsize =
    NonZeroUsize::new(1024).expect("1024 is not zero");

/// Unfinalized blocks kept of each sender.
pub(crate) const BUFFERED_BLOCKS_PER_SENDER: usize = 16;

/// Missing heights fetched at a time while catching up.
pub(crate) const REPAIR_HEIGHTS: NonZeroUsize = NonZeroUsize::new(32).expect("32 is not zero");

/// Peer sets of the network: each names all peers of the moment, so the newest is enough.
pub(crate) const TRACKED_PEER_SETS: NonZeroUsize = NonZeroUsize::MIN;

const _: () = assert!(MAX_CERTIFICATE_BYTES > 80 + 72 * MAX_VALIDATORS as usize);
const _: () = assert!(MAX_PAYLOAD_BYTES as usize > 2_000 * 200);

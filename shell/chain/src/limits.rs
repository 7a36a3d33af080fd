//! Limits of the store, the mempool and the wire, each with its reason.

/// Buckets the state's keys are spread over by hash. Part of the disk format.
///
/// At a million accounts a bucket is about 30 kB: large enough that rewriting one is a sequential
/// write, small enough that a block's share of rewriting stays below 2 MB.
pub const BUCKETS: u16 = 4096;

/// Log of changes below which no bucket is rewritten, in bytes: replayed in some ten
/// milliseconds at a restart.
pub const LOG_BYTES_SOFT: u64 = 4 << 20;

/// The same in blocks that changed anything, for small grids whose log never reaches the bytes.
pub const LOG_BLOCKS_SOFT: usize = 512;

/// Bytes of buckets rewritten with each block above the soft limits: this many times the bytes the
/// block changed. With 2 the log settles at half the size of the state.
pub const FLUSH_FACTOR: u64 = 2;

/// Least bytes of buckets rewritten with a block above the soft limits, so that empty blocks
/// work the log off.
pub const FLUSH_BYTES_MIN: u64 = 64 << 10;

/// Latest blocks whose header, transactions and events are kept: nearly three hours of an idle
/// chain, as the engine keeps them.
pub const RETAIN_BLOCKS: u64 = 10_000;

/// Bytes of transactions and events kept with them; the oldest go first.
pub const RETAIN_BODY_BYTES: u64 = 256 << 20;

/// Blocks past the horizon before they are pruned, so that pruning is not work of every block.
pub const PRUNE_STEP: u64 = 256;

/// Blocks pruned by one block at most: bounds the work after the horizon was shortened.
pub const PRUNE_BLOCKS_MAX: usize = 1024;

/// Memory for the database's pages, in bytes. The state itself is in memory already; this only
/// serves writes and reads of old blocks.
pub const DATABASE_CACHE_BYTES: usize = 16 << 20;

/// Transactions that can be looked up by their id; the oldest are forgotten first.
pub const RECENT_TRANSACTIONS: usize = 100_000;

/// Longest key of the state in the store, in bytes.
pub const KEY_BYTES_MAX: usize = 1 << 10;

/// Longest value of the state in the store, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

const _: () = assert!(BUCKETS.is_power_of_two());
const _: () = assert!(PRUNE_STEP <= PRUNE_BLOCKS_MAX as u64);

/// Transactions waiting for a block: five full blocks.
pub const POOL_TRANSACTIONS: usize = 50_000;

/// Bytes of transactions waiting for a block.
pub const POOL_BYTES: usize = 32 << 20;

/// Transactions of one account waiting, so that one account cannot fill the pool alone.
pub const POOL_PER_ACCOUNT: u32 = 256;

/// How far ahead of its account a transaction's number may be. As many as may wait.
pub const NONCES_AHEAD: u64 = POOL_PER_ACCOUNT as u64;

/// Transactions an account gives before the next one has its turn: small enough that a few hundred
/// full accounts leave everyone else a place in the very next block.
pub const POOL_TURN: usize = 16;

/// Blocks a transaction may wait for its turn (for instance behind a missing number) before it is
/// dropped: at least two minutes, as an idle chain makes a block a second.
pub const POOL_BLOCKS: u64 = 120;

/// Bytes of transactions put into one block; the engine's limit less the length field.
pub const BLOCK_BYTES: usize = acre_engine::limits::MAX_PAYLOAD_BYTES as usize - 64;

/// Effects of unfinalized blocks kept; the engine replays what was forgotten.
pub const OVERLAYS: usize = 128;

const _: () = assert!(POOL_PER_ACCOUNT as usize * 4 < POOL_TRANSACTIONS);
const _: () = assert!(acre_ledger::limits::TRANSACTION_BYTES_MAX < BLOCK_BYTES);
const _: () = assert!(BLOCK_BYTES < acre_ledger::limits::PAYLOAD_BYTES_MAX);
const _: () = assert!(acre_ledger::limits::KEY_BYTES_MAX <= KEY_BYTES_MAX);
const _: () = assert!(acre_ledger::limits::VALUE_BYTES_MAX <= VALUE_BYTES_MAX);

/// Bytes of a reason in words.
pub const REASON_BYTES_MAX: usize = 512;

/// Events of one block at most: a transaction makes a few.
pub const EVENTS_MAX: usize = 8 * acre_ledger::limits::PAYLOAD_TRANSACTIONS_MAX;

/// Keys read by one call: 256 proofs of some 900 bytes are 230 kB.
pub const KEYS_PER_CALL: usize = 256;

/// Bytes of proofs in one reply, within a message's body; a reply that would be larger carries the
/// first keys only, and the client asks again for the rest.
pub const PROOF_BYTES_PER_REPLY: usize = 3 << 20;

/// Bytes of events in one frame of a stream; more are cut into several frames. A subscriber that takes
/// nothing holds one frame.
pub const EVENT_BYTES_PER_FRAME: usize = 256 << 10;

/// Blocks whose frames are kept for all subscribers.
pub(crate) const BLOCKS_IN_FRAMES: usize = 8;

/// Bytes of one frame of a stream: events, and a proof of finality.
pub const FRAME_BYTES_MAX: usize = EVENT_BYTES_PER_FRAME + PROOF_OF_FINALITY_BYTES_MAX + 64;

/// Bytes of one encoded proof of finality.
pub const PROOF_OF_FINALITY_BYTES_MAX: usize = acre_engine::limits::MAX_PROOF_HEADERS
    * (acre_engine::limits::MAX_HEADER_BYTES + 4)
    + acre_engine::limits::MAX_CERTIFICATE_BYTES
    + 8;

/// Streams of events served at once: every node of a large grid follows some validator.
pub const SUBSCRIBERS: usize = 4096;

/// Submissions of one client in flight, each of which holds a call until its block is final. Fewer
/// than a server takes on one connection (128), so that reads still pass and no transaction
/// waits unread for which others wait.
pub const SUBMISSIONS_IN_FLIGHT: usize = 96;

/// Submissions of one validator that wait for their block at once.
pub const SUBMISSIONS: usize = 16_384;

const _: () = assert!(acre_ledger::limits::PROOF_BYTES_MAX < PROOF_BYTES_PER_REPLY);
const _: () = assert!(
    PROOF_BYTES_PER_REPLY + PROOF_OF_FINALITY_BYTES_MAX + 4 * KEYS_PER_CALL + 64
        <= acre_net::limits::BODY_BYTES_MAX
);
const _: () = assert!(FRAME_BYTES_MAX <= acre_net::limits::BODY_BYTES_MAX);
const _: () =
    assert!(acre_ledger::limits::TRANSACTION_BYTES_MAX + 64 <= acre_net::limits::BODY_BYTES_MAX);
const _: () = assert!(
    KEYS_PER_CALL * (acre_ledger::limits::KEY_BYTES_MAX + 4) + 64
        <= acre_net::limits::META_BYTES_MAX
);

/// Threads that check signatures, at most: 20,000 signatures a second each.
pub const CHECKER_THREADS: usize = 4;

/// Transactions whose signatures wait to be checked: a second of work for one thread.
pub const CHECKS_WAITING: usize = 16_384;

/// The same of one peer: as many as it may have calls running.
pub const CHECKS_WAITING_PER_PEER: usize = 256;

/// Transactions of a block that one thread checks at a time: 3 ms.
pub const CHECKS_PER_BLOCK_JOB: usize = 64;

/// Peers remembered for a bad signature; the oldest are forgiven first.
pub const SUSPECTS: usize = 4_096;

/// Every so many batches one of a suspect comes first, so that nobody is locked out for good.
pub const PARDON_EVERY: u64 = 32;

/// Transactions in one batch between validators.
pub const RELAY_TRANSACTIONS: usize = 2_048;

/// Bytes of one batch between validators; a transaction of any size fits.
pub const RELAY_BYTES: usize = 512 << 10;

/// Transactions on their way to each other validator; a validator that is further behind is given
/// what still waits in the pool instead.
pub const RELAY_QUEUE: usize = 16_384;

const _: () = assert!(CHECKS_WAITING_PER_PEER * 16 <= CHECKS_WAITING);
const _: () = assert!(RELAY_TRANSACTIONS <= CHECKS_WAITING);
const _: () = assert!(RELAY_TRANSACTIONS <= acre_ledger::limits::PAYLOAD_TRANSACTIONS_MAX);
const _: () = assert!(acre_ledger::limits::TRANSACTION_BYTES_MAX < RELAY_BYTES);
const _: () = assert!(RELAY_BYTES <= acre_net::limits::BODY_BYTES_MAX);
const _: () = assert!(POOL_TURN <= POOL_PER_ACCOUNT as usize);

/// Sets of validators in one checkpoint: a change in each term of ten minutes for a week; older ones
/// are needed only to read old blocks.
pub const CHECKPOINT_SETS_MAX: usize = 1_024;

/// Bytes of one checkpoint.
pub const CHECKPOINT_BYTES_MAX: usize =
    64 + CHECKPOINT_SETS_MAX * (16 + 32 * acre_ledger::limits::SEATS_MAX);

/// Changes of validators in one reply, by bytes; the reader asks again for the rest.
pub const CHANGE_BYTES_PER_REPLY: usize = 2 << 20;

/// Changes of validators in one reply.
pub const CHANGES_PER_REPLY: usize = 64;

/// Replies a reader follows at a time on its way through the changes of a long absence.
pub const CHANGE_REPLIES_MAX: usize = 4_096;

/// States held for newcomers at once.
pub const PINS: usize = 2;

/// Leaves in one part of a state.
pub const LEAVES_PER_PAGE: usize = 32_768;

/// Bytes of leaves in one part of a state.
pub const LEAF_BYTES_PER_PAGE: usize = 3 << 20;

/// Leaves of a whole state: what a newcomer takes at most before it can check anything.
pub const STATE_LEAVES_MAX: u64 = 1 << 26;

/// Bytes of a whole state: it must fit the memory of a validator anyway.
pub const STATE_BYTES_MAX: u64 = 16 << 30;

const _: () = assert!(
    LEAF_BYTES_PER_PAGE + acre_ledger::limits::VALUE_BYTES_MAX + PROOF_OF_FINALITY_BYTES_MAX + 128
        <= acre_net::limits::BODY_BYTES_MAX
);

/// Changes of validators in one proof file: as many as a reader remembers sets.
pub const PROOF_CHANGES_MAX: usize = CHECKPOINT_SETS_MAX;

/// Bytes of one proof file: a thousand changes among thirty validators, and a full block.
pub const PROOF_FILE_BYTES_MAX: usize = 24 << 20;

/// Bytes of the words in a proof file.
pub const PROOF_WORDS_BYTES_MAX: usize = 512;

/// Blocks of a chain from which on a newcomer takes a state: fewer are applied sooner than a term
/// passes in silence.
pub const SYNC_FROM: u64 = 2_000;

/// Blocks that an audit applies at least to a state that it was given: it waits for them.
pub const REPLAYED_MIN: u64 = 3;

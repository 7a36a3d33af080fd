//! The node's limits and times, each with its reason.

use std::time::Duration;

/// A contract read from the ledger is trusted this long. It only ends, moves or grows; a refusal
/// that it causes is checked against the ledger again first, so this bounds how long a node serves
/// a contract that was cancelled.
pub(crate) const CONTRACT_FRESH: Duration = Duration::from_secs(300);
/// A contract is read again for a refusal at most this often, so that a stranger who sends nonsense
/// costs the ledger nothing.
pub(crate) const CONTRACT_RETRY: Duration = Duration::from_millis(250);
/// Contracts kept in memory; about 4 KiB each at most. Past it the oldest are dropped.
pub(crate) const CONTRACTS_MAX: usize = 1024;

/// Contracts asked for in one call.
pub(crate) const CONTRACTS_AT_ONCE: usize = 256;
/// Between two looks for contracts that are due to be read: costs nothing if none is.
pub(crate) const KEEP_LOOK: Duration = Duration::from_secs(1);
/// A contract whose shards are held is read at least so often: one that was cancelled takes space
/// no longer than this. A node with 10,000 contracts asks for 17 of them a second.
pub(crate) const KEEP_LOOK_MAX: Duration = Duration::from_secs(600);
/// Between two looks whether workloads ask for this node, one read each: at least and at most.
pub(crate) const DECLINE_LOOK_MIN: Duration = Duration::from_secs(1);
/// See [`DECLINE_LOOK_MIN`].
pub(crate) const DECLINE_LOOK_MAX: Duration = Duration::from_secs(30);

/// Between two looks for contracts that are over and hold something of this node, one read each: at
/// least and at most. Nobody waits for it but whoever wants the room.
pub(crate) const CLOSE_LOOK_MIN: Duration = Duration::from_secs(1);
/// See [`CLOSE_LOOK_MIN`].
pub(crate) const CLOSE_LOOK_MAX: Duration = Duration::from_secs(60);
/// Between two nodes of one contract that would close it, at most: more than a block takes. The last
/// of 140 places comes after 70 minutes.
pub(crate) const CLOSE_TURN: Duration = Duration::from_secs(30);
/// One that could not be closed is tried again after this.
pub(crate) const CLOSE_RETRY: Duration = Duration::from_secs(600);
/// Contracts closed in one look, each of them a transaction.
pub(crate) const CLOSE_AT_ONCE: usize = 16;
/// Reads of [`CONTRACTS_AT_ONCE`] contracts in one look: at 60 s a look, 34 contracts a second.
pub(crate) const READS_AT_ONCE: usize = 8;
/// Contracts that are followed to their end, 16 bytes each.
pub(crate) const FOLLOWED_MAX: usize = 1 << 16;

/// What a place may hold beyond the plain bytes of its contract's share: headers, metadata packs
/// and padding. Half as much again, and 8 MiB so that a small contract is not hit by one pack.
pub(crate) const ALLOWANCE_DIVISOR: u64 = 2;
/// See [`ALLOWANCE_DIVISOR`].
pub(crate) const ALLOWANCE_BYTES: u64 = 8 * 1024 * 1024;

/// Between two looks for dead space or rot.
pub(crate) const HOUSEKEEPING: Duration = Duration::from_secs(30);
/// Bytes copied or read in one step of it: at 30 s a step, below 1 % of a slow disk.
pub(crate) const HOUSEKEEPING_BYTES: u64 = 4 * 1024 * 1024;

/// Between two tries to register while no validator answers.
pub(crate) const REGISTER_RETRY: Duration = Duration::from_millis(500);

/// Labels made at a stretch before the thread of the plots rests: about a millisecond.
pub(crate) const PLOT_STEP_LABELS: usize = 8 * 1024;
/// Rest after each stretch, so that making plots takes about a third of a core at most.
pub(crate) const PLOT_REST: Duration = Duration::from_millis(3);
/// The same while people read or write: a fiftieth of a core, so that plots still come to an end.
pub(crate) const PLOT_REST_BUSY: Duration = Duration::from_millis(50);
/// For so long after a request for a shard a node is called busy: longer than between two shards of
/// one `put`.
pub(crate) const BUSY: Duration = Duration::from_millis(500);
/// Between two looks whether plots are to be made or given up.
pub(crate) const PLOT_LOOK: Duration = Duration::from_secs(1);

/// An index of what is held is used this long before the log is looked through again. Shards that
/// were deleted meanwhile are missing samples, so it is short.
pub(crate) const INDEX_FRESH: Duration = Duration::from_secs(2);
/// Indexes kept, so that a sample finds the one that was committed.
pub(crate) const INDEXES_KEPT: usize = 4;
/// Questions of each kind that a witness may ask in one epoch, for each visit of the rules: each
/// may come twice, and two epochs may overlap.
pub(crate) const ASKS_A_VISIT: u32 = 4;
/// A chase that takes so many times as long as the slowest that counts is given up: nobody waits for it.
pub(crate) const CHASE_GIVES_UP: u32 = 2;
/// Longest rest between two reads of a chase while tenants ask for shards: a read of a disk that spins,
/// when others wait for it as well.
pub(crate) const CHASE_REST_MAX: Duration = Duration::from_millis(40);
/// A node that has not heard of an epoch yet waits this long for the ledger before it says that it
/// does not know the witness.
pub(crate) const EPOCH_WAIT: Duration = Duration::from_millis(800);
/// Between two looks for the next epoch, at most and at least.
pub(crate) const EPOCH_LOOK_MAX: Duration = Duration::from_secs(10);
/// See [`EPOCH_LOOK_MAX`].
pub(crate) const EPOCH_LOOK_MIN: Duration = Duration::from_millis(50);
/// A muster that is older than this when it is heard is not counted: its time would run from nowhere.
/// A block, a stream and a proof on the way take less.
pub(crate) const MUSTER_HEARD: Duration = Duration::from_secs(5);
/// A seed that is not known makes this node read the ledger at most this often.
pub(crate) const MUSTER_READ_PAUSE: Duration = Duration::from_millis(250);
/// Tasks, and requests for probes, that a witness may send in one epoch: ten musters fit into one, two
/// epochs may overlap.
pub(crate) const MUSTER_ASKS: u32 = 20;
/// Different tasks of one muster that are solved: witnesses may have read what is reserved before and
/// after a change.
pub(crate) const MUSTER_TASKS: usize = 2;
/// Lanes are held this much longer than the last probe is due: witnesses hear a little apart.
pub(crate) const MUSTER_SLACK: Duration = Duration::from_secs(5);
/// Answers that wait for the machine of the witness.
pub(crate) const ANSWERS_WAITING: usize = 64;
/// Tries to say a report to the ledger.
pub(crate) const REPORT_TRIES: u32 = 5;

//! Every time and retention default of the engine, with the reason for each.

use std::{num::NonZeroU64, time::Duration};

/// Time between blocks while nothing waits: the chain's heartbeat.
///
/// It bounds how old the proof of "nothing changed" can be, and costs one block (about 0.7 kB
/// and a few fsyncs).
pub const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// How long validators wait for a leader's block.
///
/// An honest idle leader stays silent for [`IDLE_INTERVAL`]; the rest is for building, one way
/// across the world, and a slow disk. A dead leader costs this once per turn until
/// [`SKIP_TIMEOUT`] takes over.
pub const LEADER_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long validators wait for a notarized block to be certified: the leader's time plus
/// execution and a vote round.
pub const CERTIFICATION_TIMEOUT: Duration = Duration::from_millis(3_500);

/// Time between two attempts to leave a view in which nothing works (for instance while no
/// quorum is reachable).
pub const TIMEOUT_RETRY: Duration = Duration::from_secs(2);

/// Silence after which a validator's turns are skipped at once. Until then a dead one costs
/// [`LEADER_TIMEOUT`] at each of its turns, that is about twice.
pub const SKIP_TIMEOUT: Duration = Duration::from_secs(4);

/// Time a peer has to answer a request for a block or certificate: a 1 MiB block at 8 Mbit/s.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause before an unanswered request is repeated: spares a peer that is just starting.
pub const FETCH_RETRY_DELAY: Duration = Duration::from_millis(250);

/// Views behind the finalized one whose votes and blocks are kept for peers that lag.
///
/// About four minutes of an idle chain; whoever lags further fetches finalized blocks instead.
pub const VIEW_RETENTION: u64 = 256;

/// Finalized blocks (and their certificates) kept on disk.
///
/// Nearly three hours of an idle chain; state and history beyond belong to the application. Rounded up to whole
/// files, so up to 1,024 more are kept.
pub const RETAIN_BLOCKS: NonZeroU64 = NonZeroU64::new(10_000).expect("10,000 is not zero");

/// Heights of one term, that is of one committee: ten minutes of an idle chain.
///
/// A grid fixes its own in its genesis, for its whole life.
pub const TERM_HEIGHTS: NonZeroU64 = NonZeroU64::new(600).expect("600 is not zero");

/// Furthest the clock of a peer may lie ahead of ours when it connects; beyond that it is refused.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Oldest greeting that is accepted when a peer connects: older ones may be replayed. Thus a clock
/// may not lie further behind ours than this, either.
pub const HANDSHAKE_AGE: Duration = Duration::from_secs(10);

/// Time between two looks at whether the clock was set back.
pub const CLOCK_LOOK: Duration = Duration::from_secs(1);

/// Furthest the clock may be set back at once while the engine runs: its timers stand still for as long.
pub const CLOCK_SET_BACK: Duration = Duration::from_secs(10);

/// Time between two signs of life.
pub const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// Silence after which a process counts as unreachable: three signs of life lost.
pub const SILENCE: Duration = Duration::from_millis(3_500);

/// Time that slow validators have to tell a returning one what they have seen of it, when the
/// others have answered already.
pub const RECALL_GRACE: Duration = Duration::from_millis(300);

/// Pauses before a validator that has started says its last votes again, each counted from the one
/// before: at once where all is ready, and later for a long journal and for others that start.
pub const ECHO_DELAYS: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(130),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
];

/// Pause between two dials. Well below the cooldown: two validators that dial each other at the same
/// time both fail, and must not try again in step.
pub const DIAL_INTERVAL: Duration = Duration::from_millis(100);

/// Least time between two connections of one validator, and, with up to a half more by chance, between
/// two dials of one that cannot be reached.
pub const RECONNECT_COOLDOWN: Duration = Duration::from_millis(500);

/// Time between pings on an open connection.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long a validator that sent provable nonsense stays cut off.
pub const BLOCK_DURATION: Duration = Duration::from_secs(3_600);

/// Time that one task of the engine may use to finish its writes on an orderly stop. The engine
/// is safe against `kill -9`, so this only spares replay at the next start.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);

const _: () = assert!(IDLE_INTERVAL.as_millis() * 2 < LEADER_TIMEOUT.as_millis());
const _: () = assert!(LEADER_TIMEOUT.as_millis() < CERTIFICATION_TIMEOUT.as_millis());
const _: () = assert!(CERTIFICATION_TIMEOUT.as_millis() < SKIP_TIMEOUT.as_millis());
const _: () = assert!(TIMEOUT_RETRY.as_millis() < SKIP_TIMEOUT.as_millis());

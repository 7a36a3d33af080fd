//! Every time of this crate, with its reason.

use std::time::Duration;

/// How long a validator keeps a submitter waiting for the block: a dead leader or two cost less.
pub const SUBMIT_WAIT: Duration = Duration::from_secs(20);

/// How long a reader's call may wait for a height that is not final yet: two idle blocks.
pub const HEIGHT_WAIT: Duration = Duration::from_secs(3);

/// Time a validator gives another one to take a batch of transactions: some thousand signatures.
pub const RELAY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause before a validator that took nothing is tried again; the transactions are on their way to
/// all others meanwhile.
pub const RELAY_PAUSE: Duration = Duration::from_millis(250);

/// Time a client gives a read.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Time a client waits for the rest of the validators to say how far they are, once a quorum has:
/// those that are well answer within milliseconds.
pub const ORIENT_TIMEOUT: Duration = Duration::from_secs(1);

/// Time it waits for a quorum to say so.
pub const SURVEY_TIMEOUT: Duration = Duration::from_secs(4);

/// How long it takes what they said for the present.
pub const SURVEY_KEPT: Duration = Duration::from_secs(1);

/// How far from a reader's clock the time of a block may be that counts as the newest one: several
/// idle blocks and a dead leader or two, and a clock that is a few seconds wrong.
pub const STATE_RECENT: Duration = Duration::from_secs(10);

/// Silence after which a client tells its owner what it waits for. With the survey this makes two
/// seconds if a validator hangs.
pub const TELL_AFTER: Duration = Duration::from_millis(900);

/// How often it tells the same again.
pub const TELL_AGAIN: Duration = Duration::from_secs(5);

/// Time a client gives a submission: the validator's wait and the way.
pub const SUBMIT_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a client asks after a transaction that waits in a pool: a few dead leaders, and room in
/// a full pool.
pub const SUBMIT_PATIENCE: Duration = Duration::from_secs(60);

/// How long a state may be old for a newcomer to begin with it, so that several share one.
pub const PIN_FRESH: Duration = Duration::from_secs(60);

/// How long a state is held after the last question for it: a newcomer with a slow disk.
pub const PIN_IDLE: Duration = Duration::from_secs(120);

/// How long a state is held for whoever fetches it when others wait for a place: ten minutes carry
/// gigabytes.
pub const PIN_LEAST: Duration = Duration::from_secs(600);

/// Pause between two rounds over all validators when none could be reached.
pub const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Rounds over all validators before a client gives up.
pub const ROUNDS: u32 = 3;

/// How often a quiet chain shows its subscribers that it lives: they need not hear of each empty
/// block.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// Silence after which a subscriber gives its validator up.
pub const SUBSCRIBER_SILENCE: Duration = Duration::from_secs(35);

/// Time a validator's servers get to answer what they took, on an orderly stop.
pub const STOP_GRACE: Duration = Duration::from_secs(2);

const _: () = assert!(SUBMIT_WAIT.as_millis() < SUBMIT_TIMEOUT.as_millis());
const _: () = assert!(HEIGHT_WAIT.as_millis() < READ_TIMEOUT.as_millis());
const _: () = assert!(HEARTBEAT.as_millis() * 3 < SUBSCRIBER_SILENCE.as_millis());

//! What the machines wait for and how much they hold, each with its reason.

use std::time::Duration;

/// Silence after which a request counts as failed. Ten times the slowest sync of a healthy disk
/// under load (about 1 s), so that only a dead or stopped node reaches it; hedges act long before.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(12);

/// First back-off after a node did not answer. Doubled by each further failure.
pub const BACK_OFF_FIRST: Duration = Duration::from_secs(2);
/// Longest back-off: a node that came back is used again within this time.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(300);
/// A full disk does not empty itself in seconds: the first back-off for writes. Reads go on.
pub const BACK_OFF_FULL: Duration = Duration::from_secs(60);
/// A node that served wrong bytes is asked again only when nothing else is left.
pub const BACK_OFF_LIAR: Duration = BACK_OFF_MAX;
/// Overtaken by a hedge this many times running, without an answer between: treated as silent.
pub const OVERTAKEN_MAX: u8 = 3;

/// Estimated 95th percentile before anything was measured: slow enough for a loaded machine.
pub const DELAY_ASSUMED: Duration = Duration::from_millis(400);
/// A hedge is never sent earlier: below it the answer is usually on its way.
pub const HEDGE_MIN: Duration = Duration::from_millis(30);
/// A hedge is never sent later, whatever was measured.
pub const HEDGE_MAX: Duration = Duration::from_secs(4);
/// A read of one shard hedges by k other reads, so it waits this many times the percentile.
pub const HEDGE_DECODE_FACTOR: u32 = 3;
/// A store hedges by taking up a spare place, so it waits this many times the percentile.
pub const HEDGE_STORE_FACTOR: u32 = 4;
/// A reader of a head waits this many times the percentile for the places beyond its quorum: it
/// is one small request a volume, and each answer more makes a stale head less likely.
pub const HEDGE_HEAD_FACTOR: u32 = 3;

/// Coded bytes of puts in flight: 12 packs of 16+4, enough to cover 200 ms at 300 MB/s, and the
/// same for 1 GiB as for 100 GiB.
pub const PUT_WINDOW_BYTES: u64 = 64 << 20;
/// Times one place is asked to store a shard of one pack: once, and once more as the last resort.
pub const ATTEMPTS_PER_PLACE: u8 = 2;
/// First wait before a place that is busy is asked again. Doubled each time.
pub const BUSY_WAIT: Duration = Duration::from_millis(100);
/// Times a busy place is asked for one shard: with doubling that is 6 s in all, in which a node
/// sees a contract that was just made, or works off its queue.
pub const BUSY_ATTEMPTS: u8 = 7;

/// Headers asked for at once when a liar is hunted: one honest answer suffices.
pub const HEADERS_AT_ONCE: usize = 3;

/// At most this many places of one country where the candidates allow it.
pub const PLACES_PER_COUNTRY: usize = 2;
/// Free space beyond this many times what is wanted makes a place no more attractive.
pub const FREE_WEIGHT_MAX: u64 = 16;

/// Bytes of shards a repair holds at once: 4 packs of 16+4 with what is rebuilt from them.
pub const REPAIR_WINDOW_BYTES: u64 = 32 << 20;
/// Bytes of a shard assumed before its header was read: the largest of the 4 MiB packs.
pub const SHARD_BYTES_ASSUMED: u32 = 256 << 10;
/// Wait before a repair after one loss: most single losses are reboots.
pub const REPAIR_AFTER_ONE: Duration = Duration::from_secs(24 * 3600);
/// Wait before a repair after two losses.
pub const REPAIR_AFTER_TWO: Duration = Duration::from_secs(3600);
/// Ids of packs named in a report; beyond it they are only counted.
pub const REPORTED_PACKS_MAX: usize = 64;

const _: () = assert!(HEDGE_MAX.as_millis() * 2 < REQUEST_TIMEOUT.as_millis());
const _: () = assert!(HEDGE_MIN.as_millis() < DELAY_ASSUMED.as_millis());
const _: () = assert!(BACK_OFF_FIRST.as_millis() < BACK_OFF_MAX.as_millis());
const _: () = assert!(BACK_OFF_FULL.as_millis() < BACK_OFF_MAX.as_millis());
const _: () = assert!(REPAIR_AFTER_TWO.as_millis() < REPAIR_AFTER_ONE.as_millis());
// The widest pack, 100+20 shards of the largest size, fits both windows or it would never start.
const _: () = assert!(120 * SHARD_BYTES_ASSUMED as u64 <= PUT_WINDOW_BYTES);
const _: () = assert!(120 * SHARD_BYTES_ASSUMED as u64 <= REPAIR_WINDOW_BYTES);

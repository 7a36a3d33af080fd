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

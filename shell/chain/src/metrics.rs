//! Figures of a running validator.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::shared::Shared;

/// What a validator did since it started, and what waits; counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Transactions that wait for a block.
    pub waiting: u64,
    /// Transactions taken from clients.
    pub submitted: u64,
    /// Transactions refused to clients, whatever the reason.
    pub refused: u64,
    /// Transactions taken from other validators.
    pub relayed_in: u64,
    /// Transactions given to other validators; one counts once for each of them.
    pub relayed_out: u64,
    /// Transactions that another validator brought and that were here already, or came too late.
    pub relayed_in_vain: u64,
    /// Signatures of clients and other validators found good.
    pub signatures_good: u64,
    /// Signatures found bad, in blocks too.
    pub signatures_bad: u64,
    /// Signatures not looked at, because their peer had too many waiting.
    pub signatures_turned_away: u64,
}

impl Metrics {
    pub(crate) fn of(shared: &Shared) -> Self {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counters, checks) = (&shared.counters, shared.checker.checks());
        Self {
            waiting: shared.pool().len() as u64,
            submitted: get(&counters.submitted),
            refused: get(&counters.refused),
            relayed_in: get(&counters.relayed_in),
            relayed_out: get(&counters.relayed_out),
            relayed_in_vain: get(&counters.relayed_in_vain),
            signatures_good: get(&checks.good),
            signatures_bad: get(&checks.bad),
            signatures_turned_away: get(&checks.turned_away),
        }
    }
}

//! Figures of a running node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::plots::Plots;
use crate::shelf::Shelf;

/// What a node has and did. What it did counts from its start, and only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Regions of plots that are whole.
    pub plots: u64,
    /// Their bytes.
    pub plot_bytes: u64,
    /// Shards held.
    pub shards: u64,
    /// Contracts of which anything is held.
    pub contracts: u64,
    /// Bytes of the shard log, dead ones too.
    pub used_bytes: u64,
    /// Bytes that may still be stored.
    pub free_bytes: u64,
    /// The epoch in which the node witnesses.
    pub epoch: u64,
    /// Nodes that it watches in it.
    pub duties: u64,
    /// Nodes that may ask it in it.
    pub witnesses: u64,
    /// Verdicts that it gave, in reports that the ledger took.
    pub verdicts: u64,
    /// Reports that the ledger took.
    pub reports: u64,
    /// Reports that came too late or were refused.
    pub reports_failed: u64,
    /// Questions of witnesses answered.
    pub challenges_answered: u64,
    /// Questions of witnesses, or of others, refused.
    pub challenges_refused: u64,
    /// Records deleted because their contracts were over.
    pub records_deleted: u64,
    /// Workloads declined.
    pub workloads_declined: u64,
    /// Contracts that were over, closed.
    pub contracts_closed: u64,
}

/// Counts one thing.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the parts of a node count; see [`Metrics`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) epoch: Count,
    pub(crate) duties: Count,
    pub(crate) witnesses: Count,
    pub(crate) verdicts: Count,
    pub(crate) reports: Count,
    pub(crate) reports_failed: Count,
    pub(crate) challenges_answered: Count,
    pub(crate) challenges_refused: Count,
    pub(crate) records_deleted: Count,
    pub(crate) workloads_declined: Count,
    pub(crate) contracts_closed: Count,
}

/// Reads the figures of a node, also after the node has stopped.
#[derive(Clone)]
pub struct Meter {
    pub(crate) counters: Arc<Counters>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) plots: Arc<Plots>,
}

impl Meter {
    /// The figures now.
    #[must_use]
    pub fn read(&self) -> Metrics {
        let counters = &self.counters;
        let (status, plots) = (self.shelf.status(), self.plots.items());
        Metrics {
            plots: plots.len() as u64,
            plot_bytes: plots.iter().map(|item| item.bytes).sum(),
            shards: status.shards,
            contracts: self.shelf.held().len() as u64,
            used_bytes: status.used.0,
            free_bytes: status.free.0,
            epoch: counters.epoch.get(),
            duties: counters.duties.get(),
            witnesses: counters.witnesses.get(),
            verdicts: counters.verdicts.get(),
            reports: counters.reports.get(),
            reports_failed: counters.reports_failed.get(),
            challenges_answered: counters.challenges_answered.get(),
            challenges_refused: counters.challenges_refused.get(),
            records_deleted: counters.records_deleted.get(),
            workloads_declined: counters.workloads_declined.get(),
            contracts_closed: counters.contracts_closed.get(),
        }
    }
}

//! Follows the contracts of what is held: what is over is deleted, what is archived is only kept.
//!
//! ```text
//! Live ──▶ Frozen: read, not written ──▶ Archived: neither ──▶ Over, or Closed at any time: deleted
//! ```
//! Nothing is deleted without the word of the ledger: a contract that a certified block shows as
//! closed, or whose grace was over at the time of that very block. Neither can change any more, so an
//! old answer does no harm. A contract that is not found, a ledger that does not answer and the
//! clock of this machine delete nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use acre_ledger::ContractStatus;
use acre_types::{ContractId, UnixMs};

use crate::contracts::{Read, Unknown};
use crate::limits::{CONTRACTS_AT_ONCE, KEEP_LOOK, KEEP_LOOK_MAX};
use crate::metrics::Counters;
use crate::shelf::Shelf;

/// Looks after contracts for ever; drop the task to stop it.
pub(crate) async fn run(shelf: Arc<Shelf>, counters: Arc<Counters>) {
    let mut keeper = Keeper::new(shelf);
    loop {
        tokio::time::sleep(KEEP_LOOK).await;
        match keeper.look().await {
            Ok(deleted) => counters.records_deleted.add(deleted),
            Err(Unknown) => tokio::time::sleep(KEEP_LOOK).await,
        }
    }
}

/// When each contract is to be read next.
pub(crate) struct Keeper {
    shelf: Arc<Shelf>,
    due: BTreeMap<ContractId, Instant>,
}

impl Keeper {
    pub(crate) const fn new(shelf: Arc<Shelf>) -> Self {
        Self { shelf, due: BTreeMap::new() }
    }

    /// Reads the contracts that are due and does what they say. Gives how many records it deleted.
    ///
    /// # Errors
    /// The ledger cannot be asked. What is left is due at the next look.
    pub(crate) async fn look(&mut self) -> Result<u64, Unknown> {
        let held = self.shelf.held();
        self.due.retain(|id, _| held.contains(id));
        let now = Instant::now();
        let is_due = |id: &ContractId| self.due.get(id).is_none_or(|due| *due <= now);
        let due: Vec<_> = held.iter().copied().filter(is_due).collect();
        let mut deleted = 0;
        let mut rest = due.as_slice();
        while !rest.is_empty() {
            let batch = &rest[..rest.len().min(CONTRACTS_AT_ONCE)];
            let read = self.shelf.read_first(batch).await?;
            let (done, later) = rest.split_at(read.len().min(batch.len()));
            for (id, read) in done.iter().zip(read) {
                deleted += self.take(*id, read).await;
            }
            rest = later;
        }
        Ok(deleted)
    }

    async fn take(&mut self, id: ContractId, read: Option<Read>) -> u64 {
        self.shelf.note(id, read.as_ref());
        let Some(read) = read else {
            tracing::warn!(contract = %id, "shards of a contract that the ledger does not show are kept");
            self.due.insert(id, Instant::now() + KEEP_LOOK_MAX);
            return 0;
        };
        if !is_gone(&read) {
            self.due.insert(id, Instant::now() + rest(&read));
            return 0;
        }
        match self.shelf.forget(id).await {
            Ok(records) => {
                tracing::info!(contract = %id, records, "deleted: the contract is over");
                records
            }
            Err(error) => {
                tracing::warn!(contract = %id, %error, "what is over could not be deleted yet");
                self.due.insert(id, Instant::now() + KEEP_LOOK_MAX);
                0
            }
        }
    }
}

/// Whether the ledger says for certain that nothing of it is to be kept.
fn is_gone(read: &Read) -> bool {
    matches!(read.certified(), ContractStatus::Over | ContractStatus::Closed)
}

/// Until a contract changes by itself, but not too long: its owner may cancel it.
fn rest(read: &Read) -> Duration {
    let next = match read.certified() {
        ContractStatus::Live => read.contract.expires,
        ContractStatus::Frozen { until } | ContractStatus::Archived { until } => until,
        ContractStatus::Pending | ContractStatus::Over | ContractStatus::Closed => UnixMs(u64::MAX),
    };
    let left = Duration::from_millis(next.0.saturating_sub(read.at().0));
    left.clamp(KEEP_LOOK, KEEP_LOOK_MAX)
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;

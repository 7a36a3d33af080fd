//! Contracts as the ledger has them, kept for a while.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use acre_ledger::{Contract, ContractStatus};
use acre_types::{ContractId, UnixMs};

use crate::limits::{CONTRACT_FRESH, CONTRACT_RETRY, CONTRACTS_MAX};

/// The ledger could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

/// Contracts as one proven state of the ledger has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Time of the block after which they stood so.
    pub at: UnixMs,
    /// In the order asked for: at least the first, and as many more as fitted. `None` if the ledger
    /// has none of this number.
    pub contracts: Vec<Option<Contract>>,
}

/// Where contracts are read. Its answers must be proven.
pub trait ContractSource: Send + Sync + 'static {
    /// The first of these contracts, [`Unknown`] if the ledger cannot be asked.
    fn contracts<'a>(
        &'a self,
        ids: &'a [ContractId],
    ) -> Pin<Box<dyn Future<Output = Result<Proven, Unknown>> + Send + 'a>>;
}

/// A contract that was read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) contract: Arc<Contract>,
    at: UnixMs,
    read: Instant,
}

impl Read {
    pub(crate) fn new(contract: Contract, at: UnixMs) -> Self {
        Self { contract: Arc::new(contract), at, read: Instant::now() }
    }

    /// What it is now: at the time of the block that proved it, and what passed since. The clock of
    /// the machine plays no part.
    pub(crate) fn status(&self) -> ContractStatus {
        let passed = u64::try_from(self.read.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.contract.status(UnixMs(self.at.0.saturating_add(passed)))
    }

    /// What it was for certain, at the time of the block that proved it.
    pub(crate) fn certified(&self) -> ContractStatus {
        self.contract.status(self.at)
    }

    /// Time of that block.
    pub(crate) const fn at(&self) -> UnixMs {
        self.at
    }
}

struct Kept {
    read: Instant,
    contract: Option<Read>,
}

/// A cache in front of a [`ContractSource`].
pub(crate) struct Contracts {
    source: Arc<dyn ContractSource>,
    kept: Mutex<BTreeMap<ContractId, Kept>>,
}

impl Contracts {
    pub(crate) fn new(source: Arc<dyn ContractSource>) -> Self {
        Self { source, kept: Mutex::new(BTreeMap::new()) }
    }

    /// The contract, from memory if it was read lately.
    pub(crate) async fn get(&self, id: ContractId) -> Result<Option<Read>, Unknown> {
        let held = self.held(id, |kept| {
            let fresh = if kept.contract.is_some() { CONTRACT_FRESH } else { CONTRACT_RETRY };
            kept.read.elapsed() < fresh
        });
        match held {
            Some(contract) => Ok(contract),
            None => self.read(id).await,
        }
    }

    /// The contract as it is now, before a refusal is put on an old copy.
    pub(crate) async fn again(&self, id: ContractId) -> Result<Option<Read>, Unknown> {
        match self.held(id, |kept| kept.read.elapsed() < CONTRACT_RETRY) {
            Some(contract) => Ok(contract),
            None => self.read(id).await,
        }
    }

    /// The first of these, read now: at least one of them, in their order.
    pub(crate) async fn first(&self, ids: &[ContractId]) -> Result<Vec<Option<Read>>, Unknown> {
        let Proven { at, contracts } = self.source.contracts(ids).await?;
        let read: Vec<_> =
            contracts.into_iter().map(|one| one.map(|contract| Read::new(contract, at))).collect();
        for (id, contract) in ids.iter().zip(&read) {
            self.keep(*id, contract.clone());
        }
        if read.is_empty() { Err(Unknown) } else { Ok(read) }
    }

    fn held(&self, id: ContractId, is_good: impl Fn(&Kept) -> bool) -> Option<Option<Read>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&id).filter(|kept| is_good(kept)).map(|kept| kept.contract.clone())
    }

    async fn read(&self, id: ContractId) -> Result<Option<Read>, Unknown> {
        Ok(self.first(&[id]).await?.into_iter().next().flatten())
    }

    fn keep(&self, id: ContractId, contract: Option<Read>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(id, Kept { read: Instant::now(), contract });
        if kept.len() > CONTRACTS_MAX {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.read).map(|(id, _)| *id);
            oldest.map(|id| kept.remove(&id));
        }
    }
}

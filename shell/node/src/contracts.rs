//! Contracts as the ledger has them, kept for a while.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use acre_ledger::Contract;
use acre_types::ContractId;

use crate::limits::{CONTRACT_FRESH, CONTRACT_RETRY, CONTRACTS_MAX};

/// The ledger could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

/// Where contracts are read. Its answers must be proven.
pub trait ContractSource: Send + Sync + 'static {
    /// The contract, `None` if the ledger has none of this number, [`Unknown`] if it cannot be
    /// asked.
    fn contract<'a>(
        &'a self,
        id: ContractId,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Contract>, Unknown>> + Send + 'a>>;
}

struct Kept {
    read: Instant,
    contract: Option<Arc<Contract>>,
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
    pub(crate) async fn get(&self, id: ContractId) -> Result<Option<Arc<Contract>>, Unknown> {
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
    pub(crate) async fn again(&self, id: ContractId) -> Result<Option<Arc<Contract>>, Unknown> {
        match self.held(id, |kept| kept.read.elapsed() < CONTRACT_RETRY) {
            Some(contract) => Ok(contract),
            None => self.read(id).await,
        }
    }

    fn held(
        &self,
        id: ContractId,
        is_good: impl Fn(&Kept) -> bool,
    ) -> Option<Option<Arc<Contract>>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&id).filter(|kept| is_good(kept)).map(|kept| kept.contract.clone())
    }

    async fn read(&self, id: ContractId) -> Result<Option<Arc<Contract>>, Unknown> {
        let contract = self.source.contract(id).await?.map(Arc::new);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(id, Kept { read: Instant::now(), contract: contract.clone() });
        if kept.len() > CONTRACTS_MAX {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.read).map(|(id, _)| *id);
            oldest.map(|id| kept.remove(&id));
        }
        Ok(contract)
    }
}

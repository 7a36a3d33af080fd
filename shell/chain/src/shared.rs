//! What the engine's thread and the servers of calls share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use acre_engine::FinalityProof;
use acre_ledger::State;
use acre_types::Height;
use bytes::Bytes;
use tokio::sync::{Notify, watch};

use crate::mempool::Mempool;
use crate::store::Reader;

/// The newest block that can be proven final, and the state after it.
pub(crate) struct Head {
    pub(crate) height: Height,
    pub(crate) proof: FinalityProof,
    pub(crate) state: State,
}

/// Shared between the executor, the servers and the handle.
pub(crate) struct Shared {
    pool: Mutex<Mempool>,
    /// `None` until the first block of this grid is final.
    pub(crate) head: watch::Sender<Option<Arc<Head>>>,
    /// Tells the engine that a transaction waits.
    pub(crate) wake: Arc<Notify>,
    pub(crate) reader: Reader,
}

impl Shared {
    pub(crate) fn new(pool: Mempool, head: Option<Arc<Head>>, reader: Reader) -> Arc<Self> {
        Arc::new(Self {
            pool: Mutex::new(pool),
            head: watch::Sender::new(head),
            wake: Arc::new(Notify::new()),
            reader,
        })
    }

    /// Never held across an await.
    pub(crate) fn pool(&self) -> MutexGuard<'_, Mempool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn proof_of(header: Bytes, certificate: &[u8]) -> FinalityProof {
    FinalityProof { headers: vec![header], certificate: Bytes::copy_from_slice(certificate) }
}

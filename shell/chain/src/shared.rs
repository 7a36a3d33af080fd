//! What the engine's thread and the servers of calls share.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use acre_engine::FinalityProof;
use acre_ledger::{State, Verified};
use acre_types::{Height, PublicKey};
use bytes::Bytes;
use tokio::sync::{Notify, broadcast, watch};

use crate::checker::Checker;
use crate::limits::RELAY_QUEUE;
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
    pub(crate) checker: Checker,
    /// What our clients brought, for the other validators.
    pub(crate) outgoing: broadcast::Sender<Arc<Verified>>,
    /// Those whose batches are taken.
    peers: RwLock<BTreeSet<PublicKey>>,
    pub(crate) counters: Counters,
}

/// What happened since the start.
#[derive(Default)]
pub(crate) struct Counters {
    /// Transactions taken from clients.
    pub(crate) submitted: AtomicU64,
    /// Transactions refused to clients, whatever the reason.
    pub(crate) refused: AtomicU64,
    /// Transactions taken from other validators.
    pub(crate) relayed_in: AtomicU64,
    /// Transactions given to other validators, once for each of them.
    pub(crate) relayed_out: AtomicU64,
    /// Transactions that another validator brought and that were here already.
    pub(crate) relayed_in_vain: AtomicU64,
}

impl Shared {
    pub(crate) fn new(pool: Mempool, head: Option<Arc<Head>>, reader: Reader) -> Arc<Self> {
        Arc::new(Self {
            pool: Mutex::new(pool),
            head: watch::Sender::new(head),
            wake: Arc::new(Notify::new()),
            reader,
            checker: Checker::new(),
            outgoing: broadcast::Sender::new(RELAY_QUEUE),
            peers: RwLock::default(),
            counters: Counters::default(),
        })
    }

    /// Never held across an await.
    pub(crate) fn pool(&self) -> MutexGuard<'_, Mempool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is another validator of ours.
    pub(crate) fn is_peer(&self, key: &PublicKey) -> bool {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    pub(crate) fn set_peers(&self, peers: BTreeSet<PublicKey>) {
        *self.peers.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }
}

pub(crate) fn proof_of(header: Bytes, certificate: &[u8]) -> FinalityProof {
    FinalityProof { headers: vec![header], certificate: Bytes::copy_from_slice(certificate) }
}

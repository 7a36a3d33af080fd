//! What the engine's thread and the servers of calls share.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use acre_engine::FinalityProof;
use acre_ledger::{Address, State, StateError, TheSeats, Verified};
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
    /// Who sits and who follows, as of the last applied block.
    pub(crate) roster: watch::Sender<Arc<Roster>>,
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
            roster: watch::Sender::new(Arc::default()),
            counters: Counters::default(),
        })
    }

    /// Never held across an await.
    pub(crate) fn pool(&self) -> MutexGuard<'_, Mempool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this one sits, will sit, or stands for a seat.
    pub(crate) fn is_validator(&self, key: &PublicKey) -> bool {
        let roster = self.roster.borrow();
        roster.seated.contains_key(key) || roster.following.contains_key(key)
    }
}

/// Validators and where to call them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roster {
    /// In this term or the next.
    pub(crate) seated: BTreeMap<PublicKey, Address>,
    /// All other candidates.
    pub(crate) following: BTreeMap<PublicKey, Address>,
}

impl Roster {
    /// As of a state.
    pub(crate) fn of(state: &State) -> Result<Self, StateError> {
        let mut roster = Self::default();
        if let Some(seats) = state.read(&TheSeats)? {
            for seat in seats.members.iter().chain(seats.next.iter()) {
                roster.seated.insert(seat.validator, seat.rpc.clone());
            }
        }
        for (validator, candidate) in acre_ledger::candidates(state)? {
            if !roster.seated.contains_key(&validator) {
                roster.following.insert(validator, candidate.rpc);
            }
        }
        Ok(roster)
    }
}

pub(crate) fn proof_of(header: Bytes, certificate: &[u8]) -> FinalityProof {
    FinalityProof { headers: vec![header], certificate: Bytes::copy_from_slice(certificate) }
}

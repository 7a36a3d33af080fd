//! Tells the other validators of the transactions that our own clients brought, so that whoever
//! leads next has them.
//!
//! | service | shape |
//! |---|---|
//! | `ledger-relay/1` | calls: body = codec of a [`Payload`] of at most [`RELAY_BYTES`], reply = codec of [`Taken`] |
//!
//! * Whoever takes a transaction from a client gives it to each other validator once; what came
//!   from a validator is not passed on. So nothing goes round in circles.
//! * Batches to one validator follow each other without a pause: while one is on its way, the next
//!   one fills. A validator that does not answer is tried again and again with what still waits.
//! * A validator that falls behind by [`RELAY_QUEUE`](crate::limits::RELAY_QUEUE) transactions is
//!   given what our clients' part of the pool still holds instead.
//! * The receiver takes batches from validators and candidates only and checks everything again. One that
//!   sends a bad signature is not honest; its batches wait behind all others from then on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use acre_codec::{Decode, Encode, List, decode_bounded};
use acre_ledger::limits::TRANSACTION_BYTES_MAX;
use acre_ledger::{Payload, SignedTransaction, Verified, check_payer};
use acre_net::rpc::{Caller, Handler, Message};
use acre_net::{CallError, Endpoint, Service};
use acre_types::PublicKey;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::AbortHandle;

use crate::defaults::{RELAY_PAUSE, RELAY_TIMEOUT};
use crate::limits::{RELAY_BYTES, RELAY_TRANSACTIONS};
use crate::mempool::{Admission, Origin};
use crate::shared::Shared;

/// Calls between validators.
pub(crate) const RELAY: Service = Service::new("ledger-relay/1");

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Taken {
    /// All were looked at; so many are new and wait now.
    Some(u32),
    /// The sender is no validator, or the batch is none.
    Refused,
    /// Too much is going on.
    Busy,
}

/// The decoder of another validator's answer, for fuzzing: gives what it read in its bytes again.
#[must_use]
pub fn taken(bytes: &[u8]) -> Option<Vec<u8>> {
    acre_codec::decode::<Taken>(bytes).ok().map(|taken| acre_codec::encode(&taken))
}

/// The handler of batches.
#[derive(Clone)]
pub(crate) struct Inbox {
    shared: Arc<Shared>,
}

impl Inbox {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    async fn take(&self, peer: PublicKey, batch: &[u8]) -> Taken {
        if !self.shared.is_validator(&peer) {
            return Taken::Refused;
        }
        let Ok(payload) = decode_bounded::<Payload>(batch, RELAY_BYTES) else {
            return Taken::Refused;
        };
        if payload.transactions.len() > RELAY_TRANSACTIONS {
            return Taken::Refused;
        }
        let counters = &self.shared.counters;
        let total = payload.transactions.len();
        let fresh = self.worth_checking(payload.transactions.into_vec());
        counters.relayed_in_vain.fetch_add((total - fresh.len()) as u64, Ordering::Relaxed);
        let Some(checked) = self.shared.checker.check(peer, fresh).await else {
            return Taken::Busy;
        };
        let state = self.shared.pool().state().clone();
        let is_agreed = |verified: &Verified| check_payer(&state, verified.signed()).is_ok();
        let agreed: Vec<_> = checked.into_iter().flatten().filter(is_agreed).collect();
        let mut taken = 0;
        {
            let mut pool = self.shared.pool();
            for verified in agreed {
                if pool.insert(verified, Origin::Validator) == Ok(Admission::Check) {
                    taken += 1;
                }
            }
        }
        if taken > 0 {
            counters.relayed_in.fetch_add(u64::from(taken), Ordering::Relaxed);
            self.shared.wake.notify_one();
        }
        Taken::Some(taken)
    }

    /// Those that are not here already and pass the cheap checks.
    fn worth_checking(&self, all: Vec<SignedTransaction>) -> Vec<SignedTransaction> {
        let pool = self.shared.pool();
        let admit = |signed: &SignedTransaction| {
            pool.admit(&signed.transaction.id(), signed) == Ok(Admission::Check)
        };
        all.into_iter().filter(admit).collect()
    }
}

impl Handler for Inbox {
    async fn call(&self, peer: PublicKey, message: Message) -> Message {
        let taken = self.take(peer, &message.body).await;
        Message::new(Vec::new(), acre_codec::encode(&taken))
    }
}

/// The tasks that feed the other validators, one each.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    caller: Caller,
    feeding: Mutex<BTreeMap<PublicKey, AbortHandle>>,
}

impl Relay {
    pub(crate) fn new(shared: Arc<Shared>, endpoint: Endpoint) -> Self {
        Self { shared, caller: Caller::new(endpoint, RELAY), feeding: Mutex::default() }
    }

    /// From now on feeds these; must be called within a runtime.
    pub(crate) fn set_peers(&self, peers: &BTreeSet<PublicKey>) {
        let mut feeding = self.feeding.lock().unwrap_or_else(PoisonError::into_inner);
        feeding.retain(|peer, task| {
            let stays = peers.contains(peer);
            if !stays {
                task.abort();
            }
            stays
        });
        for peer in peers {
            feeding.entry(*peer).or_insert_with(|| {
                let feed = Feed {
                    peer: *peer,
                    behind: VecDeque::new(),
                    news: self.shared.outgoing.subscribe(),
                    shared: Arc::clone(&self.shared),
                    caller: self.caller.clone(),
                };
                tokio::spawn(feed.run()).abort_handle()
            });
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for task in self.feeding.lock().unwrap_or_else(PoisonError::into_inner).values() {
            task.abort();
        }
    }
}

/// What one other validator is given.
struct Feed {
    peer: PublicKey,
    news: broadcast::Receiver<Arc<Verified>>,
    /// What it may not have heard of, in place of news that went past.
    behind: VecDeque<Arc<Verified>>,
    shared: Arc<Shared>,
    caller: Caller,
}

impl Feed {
    /// Runs until it is aborted.
    async fn run(mut self) {
        // What came before this validator was a peer of ours.
        self.behind = self.shared.pool().own().into();
        while let Some(batch) = self.fill().await {
            self.deliver(batch).await;
        }
    }

    /// The next batch: waits for the first transaction, not for more; `None` if there will be none.
    async fn fill(&mut self) -> Option<Vec<Arc<Verified>>> {
        let mut batch = Vec::new();
        let mut bytes = 4;
        // Room for one more, whatever its size.
        while batch.len() < RELAY_TRANSACTIONS && bytes + TRANSACTION_BYTES_MAX <= RELAY_BYTES {
            let next = match self.behind.pop_front() {
                Some(next) => Ok(next),
                None if batch.is_empty() => match self.news.recv().await {
                    Ok(next) => Ok(next),
                    Err(RecvError::Lagged(missed)) => Err(TryRecvError::Lagged(missed)),
                    Err(RecvError::Closed) => return None,
                },
                None => self.news.try_recv(),
            };
            match next {
                Ok(next) => {
                    bytes += next.bytes();
                    batch.push(next);
                }
                Err(TryRecvError::Lagged(missed)) => {
                    tracing::debug!(peer = %self.peer, missed, "a validator is behind");
                    self.behind = self.shared.pool().own().into();
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Some(batch)
    }

    /// Gives a batch, as often as it takes for as long as any of it waits.
    async fn deliver(&self, mut batch: Vec<Arc<Verified>>) {
        loop {
            {
                let pool = self.shared.pool();
                batch.retain(|transaction| pool.contains(&transaction.id()));
            }
            if batch.is_empty() {
                return;
            }
            match self.give(&batch).await {
                Ok(Taken::Some(_)) => {
                    let count = batch.len() as u64;
                    self.shared.counters.relayed_out.fetch_add(count, Ordering::Relaxed);
                    return;
                }
                // It does not know us as a validator yet, or any more: the others have the batch.
                Ok(Taken::Refused) => {
                    tracing::debug!(peer = %self.peer, "a validator takes nothing from us");
                    tokio::time::sleep(RELAY_PAUSE).await;
                    return;
                }
                Ok(Taken::Busy) => {}
                Err(error) => tracing::debug!(peer = %self.peer, %error, "cannot relay"),
            }
            tokio::time::sleep(RELAY_PAUSE).await;
        }
    }

    async fn give(&self, batch: &[Arc<Verified>]) -> Result<Taken, CallError> {
        let signed = batch.iter().map(|transaction| transaction.signed().clone()).collect();
        let transactions = List::new(signed).expect("batches are smaller than payloads");
        let body = Payload { transactions }.to_bytes();
        let message = Message::new(Vec::new(), body);
        let reply = self.caller.call(self.peer, message, RELAY_TIMEOUT).await?;
        // Nonsense is as good as a refusal.
        Ok(decode_bounded(&reply.body, 16).unwrap_or(Taken::Refused))
    }
}

//! Transactions that wait for a block: bounded, by account in the order of their numbers.
//!
//! Cheap checks come first: a transaction that is known, has no room, or does not apply is refused
//! before its signature costs anything ([`Mempool::admit`]); the signature is then checked without
//! any lock, and [`Mempool::insert`] looks again. Accounts take turns by arrival of their oldest
//! transaction. Whoever waits for a transaction learns what became of it, once: committed, or
//! refused with the reason.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use acre_ledger::{Fault, Refusal, SignedTransaction, State, Verified, check_tx};
use acre_types::{AccountId, Digest, UnixMs};
use tokio::sync::oneshot;

use crate::error::Refused;
use crate::limits::{
    BLOCK_BYTES, NONCES_AHEAD, POOL_BLOCKS, POOL_BYTES, POOL_PER_ACCOUNT, POOL_TRANSACTIONS,
    RECENT_TRANSACTIONS,
};

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the block of this height, which is final.
    Committed {
        /// The height.
        height: u64,
    },
    /// It was dropped and is in no block of this validator's making.
    Refused(Refused),
}

/// Whether a transaction needs to be inserted.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may be inserted once its signature was checked.
    Check,
    /// It waits already.
    Waiting,
    /// It is in the block of this height.
    Committed {
        /// The height.
        height: u64,
    },
}

struct Entry {
    transaction: Arc<Verified>,
    /// Height at which it came.
    since: u64,
}

#[derive(Default)]
struct Queue {
    entries: BTreeMap<u64, Entry>,
    /// Turn of the account.
    turn: u64,
}

/// Numbers that bound the pool; see [`crate::limits`].
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Transactions at most.
    pub transactions: usize,
    /// Bytes at most.
    pub bytes: usize,
    /// Transactions of one account at most.
    pub per_account: u32,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self { transactions: POOL_TRANSACTIONS, bytes: POOL_BYTES, per_account: POOL_PER_ACCOUNT }
    }
}

/// The pool.
pub struct Mempool {
    limits: PoolLimits,
    /// After the last applied block.
    state: State,
    height: u64,
    time: UnixMs,
    accounts: HashMap<AccountId, Queue>,
    turns: BTreeMap<u64, AccountId>,
    next_turn: u64,
    known: HashMap<Digest, (AccountId, u64)>,
    bytes: usize,
    waiters: HashMap<Digest, Vec<oneshot::Sender<Outcome>>>,
    recent: HashMap<Digest, u64>,
    recent_order: VecDeque<Digest>,
}

impl Mempool {
    /// An empty pool on the state after the block of this height and time.
    #[must_use]
    pub fn new(limits: PoolLimits, state: State, height: u64, time: UnixMs) -> Self {
        Self {
            limits,
            state,
            height,
            time,
            accounts: HashMap::new(),
            turns: BTreeMap::new(),
            next_turn: 0,
            known: HashMap::new(),
            bytes: 0,
            waiters: HashMap::new(),
            recent: HashMap::new(),
            recent_order: VecDeque::new(),
        }
    }

    /// The state after the last applied block.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Transactions waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Checks all but the signature.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn admit(&self, id: &Digest, signed: &SignedTransaction) -> Result<Admission, Refused> {
        if let Some(height) = self.recent.get(id) {
            return Ok(Admission::Committed { height: *height });
        }
        if let Some((from, nonce)) = self.known.get(id) {
            let waiting = self.accounts.get(from).and_then(|queue| queue.entries.get(nonce));
            // The id does not cover the signature: another one is looked at again.
            if waiting.is_some_and(|entry| entry.transaction.signed() == signed) {
                return Ok(Admission::Waiting);
            }
        }
        match check_tx(&self.state, signed, self.time) {
            Ok(()) => {}
            Err(Fault::Refused(Refusal::NonceAhead { given, wanted }))
                if given.saturating_sub(wanted) < NONCES_AHEAD => {}
            Err(fault) => return Err(fault.into()),
        }
        let transaction = &signed.transaction;
        if let Some(queue) = self.accounts.get(&transaction.from) {
            if queue.entries.contains_key(&transaction.nonce) && !self.known.contains_key(id) {
                return Err(Refused::NumberTaken { nonce: transaction.nonce });
            }
            if queue.entries.len() >= self.limits.per_account as usize {
                return Err(Refused::AccountFull { limit: self.limits.per_account });
            }
        }
        if self.known.len() >= self.limits.transactions || self.bytes >= self.limits.bytes {
            return Err(Refused::PoolFull);
        }
        Ok(Admission::Check)
    }

    /// Takes a transaction whose signature was checked, after looking again at all the rest.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn insert(&mut self, verified: Verified) -> Result<Admission, Refused> {
        let id = verified.id();
        let admission = self.admit(&id, verified.signed())?;
        if admission != Admission::Check || self.known.contains_key(&id) {
            return Ok(if admission == Admission::Check { Admission::Waiting } else { admission });
        }
        let (from, nonce) = (verified.transaction().from, verified.transaction().nonce);
        self.bytes += verified.bytes();
        self.known.insert(id, (from, nonce));
        let entry = Entry { transaction: Arc::new(verified), since: self.height };
        let queue = self.accounts.entry(from).or_insert_with(|| {
            let turn = self.next_turn;
            self.next_turn += 1;
            self.turns.insert(turn, from);
            Queue { entries: BTreeMap::new(), turn }
        });
        queue.entries.insert(nonce, entry);
        Ok(Admission::Check)
    }

    /// What will become of a transaction that waits.
    pub fn wait(&mut self, id: Digest) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        match self.recent.get(&id) {
            // A send fails only if the receiver is gone.
            Some(height) => drop(sender.send(Outcome::Committed { height: *height })),
            None => {
                let waiters = self.waiters.entry(id).or_default();
                waiters.retain(|waiter| !waiter.is_closed());
                waiters.push(sender);
            }
        }
        receiver
    }

    /// The same transaction with the same signature, if it waits: it need not be checked again.
    #[must_use]
    pub fn verified(&self, id: &Digest, signed: &SignedTransaction) -> Option<Arc<Verified>> {
        let (from, nonce) = self.known.get(id)?;
        let entry = self.accounts.get(from)?.entries.get(nonce)?;
        (entry.transaction.signed() == signed).then(|| Arc::clone(&entry.transaction))
    }

    /// Whether a block on this state would carry anything.
    #[must_use]
    pub fn has_work(&self, state: &State) -> bool {
        self.accounts.iter().any(|(id, queue)| {
            nonce(state, id).is_some_and(|nonce| queue.entries.contains_key(&nonce))
        })
    }

    /// Candidates for a block on this state: accounts in turn, each account's in order, as many as
    /// fit one block.
    #[must_use]
    pub fn candidates(&self, state: &State) -> Vec<Arc<Verified>> {
        let mut bytes = 4;
        let mut candidates = Vec::new();
        for account in self.turns.values() {
            let Some(queue) = self.accounts.get(account) else { continue };
            let Some(mut next) = nonce(state, account) else { continue };
            while let Some(entry) = queue.entries.get(&next) {
                let with_it = bytes + entry.transaction.bytes();
                if with_it > BLOCK_BYTES {
                    return candidates;
                }
                bytes = with_it;
                candidates.push(Arc::clone(&entry.transaction));
                next += 1;
            }
        }
        candidates
    }

    /// Drops a transaction that does not apply, and tells whoever waits for it.
    pub fn refuse(&mut self, id: &Digest, refused: &Refused) {
        self.remove(id);
        self.settle(id, &Outcome::Refused(refused.clone()));
    }

    /// Moves on to the state after the block of this height and time: drops what it carried and what can
    /// never apply any more, or waited too long. Waiters of committed ones are told by
    /// [`Mempool::publish`].
    pub fn commit(&mut self, state: State, height: u64, time: UnixMs, committed: &[Digest]) {
        self.state = state;
        self.height = height;
        self.time = time;
        for id in committed {
            self.remove(id);
            self.remember(*id, height);
        }
        let mut stale = Vec::new();
        for (account, queue) in &self.accounts {
            let wanted = nonce(&self.state, account).unwrap_or(0);
            for (given, entry) in &queue.entries {
                if *given < wanted {
                    let reason = Refusal::NonceUsed { given: *given, wanted };
                    stale.push((entry.transaction.id(), Refused::from(reason)));
                } else if entry.since + POOL_BLOCKS < height {
                    stale.push((entry.transaction.id(), Refused::WaitedTooLong));
                }
            }
        }
        for (id, refused) in stale {
            self.refuse(&id, &refused);
        }
    }

    /// Tells whoever waits that these are in the block of this height, which can be proven now.
    pub fn publish(&mut self, height: u64, committed: &[Digest]) {
        for id in committed {
            self.settle(id, &Outcome::Committed { height });
        }
        // Those who gave up leave nothing behind.
        if self.waiters.len() > 2 * self.known.len() + 64 {
            self.waiters.retain(|_, waiters| {
                waiters.retain(|waiter| !waiter.is_closed());
                !waiters.is_empty()
            });
        }
    }

    /// Height of the block with this transaction, if it is among the recent ones.
    #[must_use]
    pub fn committed(&self, id: &Digest) -> Option<u64> {
        self.recent.get(id).copied()
    }

    /// Remembers a committed transaction; the oldest is forgotten for it.
    pub fn remember(&mut self, id: Digest, height: u64) {
        if self.recent.insert(id, height).is_none() {
            self.recent_order.push_back(id);
        }
        if self.recent_order.len() > RECENT_TRANSACTIONS
            && let Some(oldest) = self.recent_order.pop_front()
        {
            self.recent.remove(&oldest);
        }
    }

    fn settle(&mut self, id: &Digest, outcome: &Outcome) {
        for waiter in self.waiters.remove(id).into_iter().flatten() {
            // Fails if nobody waits any more.
            let _ = waiter.send(outcome.clone());
        }
    }

    fn remove(&mut self, id: &Digest) {
        let Some((from, nonce)) = self.known.remove(id) else { return };
        let Some(queue) = self.accounts.get_mut(&from) else { return };
        if let Some(entry) = queue.entries.remove(&nonce) {
            self.bytes = self.bytes.saturating_sub(entry.transaction.bytes());
        }
        self.turns.remove(&queue.turn);
        if queue.entries.is_empty() {
            self.accounts.remove(&from);
        } else {
            // Served: to the end of the line.
            queue.turn = self.next_turn;
            self.turns.insert(queue.turn, from);
            self.next_turn += 1;
        }
    }
}

/// The next number of an account; `None` only if the state is damaged, which applying will report.
fn nonce(state: &State, account: &AccountId) -> Option<u64> {
    state.read(account).ok().map(|account| account.map_or(0, |account| account.nonce))
}

//! Transactions that wait for a block: bounded, by account in the order of their numbers.
//!
//! Cheap checks come first: a transaction that is known, has no room, or does not apply is refused
//! before its signature costs anything ([`Mempool::admit`]); the signature is then checked without
//! any lock, and [`Mempool::insert`] looks again. Whoever waits for a transaction learns what became
//! of it, once: committed, or refused with the reason.
//!
//! **Order.** Accounts whose first transaction offers more of its least fee come first, among equal ones
//! by arrival; each gives [`POOL_TURN`] at a time, so an account with many waiting holds
//! nobody up.
//!
//! **When it is full**, the last transaction of the account that offers least, and among equals of the
//! account that has most waiting, makes room for one that offers more or whose account has fewer.
//!
mod queue;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use acre_ledger::limits::PAYLOAD_TRANSACTIONS_MAX;
use acre_ledger::{
    Action, Fault, Refusal, SignedTransaction, State, Verified, build_block, check_tx,
};
use acre_types::{AccountId, Amount, Digest, Height, UnixMs};
use tokio::sync::oneshot;

use self::queue::{Entry, Place, Queue, Rate, Tail};
use crate::error::Refused;
use crate::limits::{
    BLOCK_BYTES, NONCES_AHEAD, POOL_BLOCKS, POOL_BYTES, POOL_PER_ACCOUNT, POOL_TRANSACTIONS,
    POOL_TURN, RECENT_TRANSACTIONS,
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

/// Who brought a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client of ours: we tell the other validators.
    Client,
    /// Another validator, which has told all others as well.
    Validator,
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
    /// All accounts, in the order in which they are served.
    order: BTreeSet<(Place, AccountId)>,
    /// All accounts, in the order in which their last transactions make room.
    tails: BTreeSet<(Tail, AccountId)>,
    next_turn: u64,
    known: HashMap<Digest, (AccountId, u64)>,
    /// When each came, oldest first; those that are gone are passed over.
    ages: VecDeque<(u64, Digest)>,
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
            order: BTreeSet::new(),
            tails: BTreeSet::new(),
            next_turn: 0,
            known: HashMap::new(),
            ages: VecDeque::new(),
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
            let waiting = self.accounts.get(from).and_then(|queue| queue.get(*nonce));
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
        let mut waiting = 0;
        if let Some(queue) = self.accounts.get(&transaction.from) {
            if queue.contains(transaction.nonce) && !self.known.contains_key(id) {
                return Err(Refused::NumberTaken { nonce: transaction.nonce });
            }
            waiting = queue.len();
            if waiting >= self.limits.per_account as usize {
                return Err(Refused::AccountFull { limit: self.limits.per_account });
            }
            self.check_funds(queue, transaction.from, transaction.fee)?;
        }
        if self.is_full() && self.victim(transaction.from, self.rate(signed), waiting + 1).is_none()
        {
            return Err(Refused::PoolFull);
        }
        Ok(Admission::Check)
    }

    /// An account may have waiting what it can pay the fees of. Where another pays for it (then it
    /// holds less than this one fee), its turn will tell.
    fn check_funds(&self, queue: &Queue, from: AccountId, fee: Amount) -> Result<(), Refused> {
        let held = self.state.read(&from).ok().flatten().unwrap_or_default().balance;
        let wanted = Amount(queue.fees().0.saturating_add(fee.0));
        if held >= fee && held < wanted {
            return Err(Refused::NoFunds { held, wanted });
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.known.len() >= self.limits.transactions || self.bytes >= self.limits.bytes
    }

    fn rate(&self, signed: &SignedTransaction) -> Rate {
        let bytes = signed.transaction.signed_bytes();
        let least = self
            .state
            .parameters()
            .map_or(Amount::ZERO, |all| all.fee_of(&signed.transaction.action, bytes));
        // Duties are free, and what the grid runs by: they are not the first to go.
        let is_duty = signed.transaction.action.is_duty();
        Rate::new(if is_duty { least } else { signed.transaction.fee }, least)
    }

    /// The account whose last transaction makes room for one of this account and rate, which would
    /// then have so many waiting.
    fn victim(&self, from: AccountId, rate: Rate, waiting: usize) -> Option<AccountId> {
        // Not its own: that would only tear a gap.
        let (tail, account) = self.tails.iter().find(|(_, account)| *account != from)?;
        (*tail < Tail::new(rate, waiting)).then_some(*account)
    }

    /// Takes a transaction whose signature was checked, after looking again at all the rest.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn insert(
        &mut self,
        verified: impl Into<Arc<Verified>>,
        origin: Origin,
    ) -> Result<Admission, Refused> {
        let verified = verified.into();
        let id = verified.id();
        let admission = self.admit(&id, verified.signed())?;
        if admission != Admission::Check || self.known.contains_key(&id) {
            return Ok(if admission == Admission::Check { Admission::Waiting } else { admission });
        }
        if let Some(refusal) = self.too_early(&verified) {
            return Err(refusal.into());
        }
        let (from, nonce) = (verified.transaction().from, verified.transaction().nonce);
        let rate = self.rate(verified.signed());
        if self.is_full() {
            let waiting = self.accounts.get(&from).map_or(0, Queue::len) + 1;
            let victim = self.victim(from, rate, waiting).ok_or(Refused::PoolFull)?;
            let last = self.accounts.get(&victim).and_then(Queue::last);
            if let Some(last) = last.map(|entry| entry.transaction.id()) {
                self.refuse(&last, &Refused::PoolFull);
            }
        }
        self.bytes += verified.bytes();
        self.known.insert(id, (from, nonce));
        self.ages.push_back((self.height, id));
        let entry = Entry { transaction: verified, rate, origin };
        self.next_turn += 1;
        let fresh = Queue::new(self.next_turn);
        self.change(from, Some(fresh), |queue| queue.insert(nonce, entry));
        Ok(Admission::Check)
    }

    /// Why it has to wait for a later time, if it does. Found out before others have it: a copy that
    /// waits there would apply after its sender was told that nothing changed.
    fn too_early(&self, verified: &Arc<Verified>) -> Option<Refusal> {
        let has_a_time = matches!(
            verified.transaction().action,
            Action::RegisterTwin { .. }
                | Action::UnlockVoice { .. }
                | Action::CompleteRecovery { .. }
                | Action::CloseProposal { .. }
                | Action::EnactProposal { .. }
        );
        if !has_a_time {
            return None;
        }
        let height = Height(self.height.saturating_add(1));
        let tried = build_block(&self.state, [verified.as_ref()], height, self.time).ok()?;
        let mut refusals = tried.skipped.into_iter().map(|(_, refusal)| refusal);
        refusals.find(|refusal| matches!(refusal, Refusal::TooEarly { .. }))
    }

    /// Changes the queue of an account and puts it where it belongs now.
    fn change<T>(
        &mut self,
        account: AccountId,
        fresh: Option<Queue>,
        change: impl FnOnce(&mut Queue) -> T,
    ) -> Option<T> {
        let mut queue = match self.accounts.remove(&account) {
            Some(queue) => {
                self.order.remove(&(queue.place(), account));
                self.tails.remove(&(queue.tail(), account));
                queue
            }
            None => fresh?,
        };
        let changed = change(&mut queue);
        if queue.len() > 0 {
            self.order.insert((queue.place(), account));
            self.tails.insert((queue.tail(), account));
            self.accounts.insert(account, queue);
        }
        Some(changed)
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
        let entry = self.accounts.get(from)?.get(*nonce)?;
        (entry.transaction.signed() == signed).then(|| Arc::clone(&entry.transaction))
    }

    /// Whether a block on this state would carry anything.
    #[must_use]
    pub fn has_work(&self, state: &State) -> bool {
        self.accounts
            .iter()
            .any(|(id, queue)| nonce(state, id).is_some_and(|nonce| queue.contains(nonce)))
    }

    /// Candidates for a block on this state: accounts in turn, each account's in order, as many as
    /// fit one block.
    #[must_use]
    pub fn candidates(&self, state: &State) -> Vec<Arc<Verified>> {
        let mut room = BLOCK_BYTES - 4;
        let mut candidates = Vec::new();
        let mut again = Vec::new();
        for (_, account) in &self.order {
            let Some(queue) = self.accounts.get(account) else { continue };
            let Some(next) = nonce(state, account) else { continue };
            match take_turn(queue, next, &mut room, &mut candidates) {
                Turn::Full => return candidates,
                Turn::More(next) => again.push((queue, next)),
                Turn::Over => {}
            }
        }
        while !again.is_empty() {
            let mut left = Vec::new();
            for (queue, next) in again {
                match take_turn(queue, next, &mut room, &mut candidates) {
                    Turn::Full => return candidates,
                    Turn::More(next) => left.push((queue, next)),
                    Turn::Over => {}
                }
            }
            again = left;
        }
        candidates
    }

    /// What our own clients brought and still waits, for a validator that may not have heard of it.
    #[must_use]
    pub fn own(&self) -> Vec<Arc<Verified>> {
        let queues = self.order.iter().filter_map(|(_, account)| self.accounts.get(account));
        queues
            .flat_map(Queue::entries)
            .filter(|entry| entry.origin == Origin::Client)
            .map(|entry| Arc::clone(&entry.transaction))
            .collect()
    }

    /// Whether it waits.
    #[must_use]
    pub fn contains(&self, id: &Digest) -> bool {
        self.known.contains_key(id)
    }

    /// Drops a transaction that does not apply, and tells whoever waits for it.
    pub fn refuse(&mut self, id: &Digest, refused: &Refused) {
        self.remove(id);
        self.settle(id, &Outcome::Refused(refused.clone()));
    }

    /// Moves on to the state after the block of this height and time: drops what it carried and what
    /// can never apply any more (looking at the accounts that it touched), or waited too long.
    /// Waiters of committed ones are told by [`Mempool::publish`].
    pub fn commit(
        &mut self,
        state: State,
        height: u64,
        time: UnixMs,
        committed: &[Digest],
        touched: &[AccountId],
    ) {
        self.state = state;
        self.height = height;
        self.time = time;
        for id in committed {
            self.remove(id);
            self.remember(*id, height);
        }
        let mut stale = Vec::new();
        for account in touched {
            let Some(queue) = self.accounts.get(account) else { continue };
            let wanted = nonce(&self.state, account).unwrap_or(0);
            for (given, entry) in queue.below(wanted) {
                let reason = Refusal::NonceUsed { given, wanted };
                stale.push((entry.transaction.id(), Refused::from(reason)));
            }
        }
        while let Some((since, id)) = self.ages.front()
            && (since + POOL_BLOCKS < height || !self.known.contains_key(id))
        {
            if self.known.contains_key(id) {
                stale.push((*id, Refused::WaitedTooLong));
            }
            self.ages.pop_front();
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
        self.next_turn += 1;
        // Served: to the end of the line.
        let turn = self.next_turn;
        let removed = self.change(from, None, |queue| queue.remove(nonce, turn)).flatten();
        if let Some(entry) = removed {
            self.bytes = self.bytes.saturating_sub(entry.transaction.bytes());
        }
    }
}

/// How an account's turn ended.
enum Turn {
    /// The block is full.
    Full,
    /// It has more, from this number on.
    More(u64),
    /// It has no more that applies.
    Over,
}

/// Takes what an account gives in one turn.
fn take_turn(
    queue: &Queue,
    mut next: u64,
    room: &mut usize,
    candidates: &mut Vec<Arc<Verified>>,
) -> Turn {
    for _ in 0..POOL_TURN {
        let Some(entry) = queue.get(next) else { return Turn::Over };
        let Some(left) = room.checked_sub(entry.transaction.bytes()) else { return Turn::Full };
        if candidates.len() >= PAYLOAD_TRANSACTIONS_MAX {
            return Turn::Full;
        }
        *room = left;
        candidates.push(Arc::clone(&entry.transaction));
        next += 1;
    }
    Turn::More(next)
}

/// The next number of an account; `None` only if the state is damaged, which applying will report.
fn nonce(state: &State, account: &AccountId) -> Option<u64> {
    state.read(account).ok().map(|account| account.map_or(0, |account| account.nonce))
}

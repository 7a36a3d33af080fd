//! Checks signatures on a few threads of its own, so that neither the servers of calls nor the
//! engine wait behind a flood.
//!
//! Work is served in this order: blocks (the engine votes on the result), then the peers that gave
//! none but good signatures, one batch each in turn, and last those that gave a bad one lately.
//! So a peer that floods waits behind itself only, and many peers that send rubbish wait behind
//! everybody else.
//!
//! Each signature is checked alone: the one equation that checks many at once lets pass
//! some that a single check refuses, and validators must not differ in that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use acre_ledger::{Refusal, SignedTransaction, Verified};
use acre_types::PublicKey;
use tokio::sync::oneshot;

use crate::limits::{
    CHECKER_THREADS, CHECKS_PER_BLOCK_JOB, CHECKS_WAITING, CHECKS_WAITING_PER_PEER, PARDON_EVERY,
    SUSPECTS,
};

/// What a check said of each transaction, in order.
pub(crate) type Checked = Vec<Result<Verified, Refusal>>;

enum Done {
    Peer(PublicKey, oneshot::Sender<Checked>),
    Block(usize, mpsc::Sender<(usize, Checked)>),
}

struct Job {
    transactions: Vec<SignedTransaction>,
    done: Done,
}

/// Batches of peers, one of each in turn.
#[derive(Default)]
struct Lane {
    waiting: BTreeMap<PublicKey, VecDeque<Job>>,
    turns: VecDeque<PublicKey>,
}

impl Lane {
    fn push(&mut self, peer: PublicKey, job: Job) {
        let jobs = self.waiting.entry(peer).or_default();
        if jobs.is_empty() {
            self.turns.push_back(peer);
        }
        jobs.push_back(job);
    }

    fn pop(&mut self) -> Option<Job> {
        let peer = self.turns.pop_front()?;
        let jobs = self.waiting.get_mut(&peer)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.waiting.remove(&peer);
        } else {
            self.turns.push_back(peer);
        }
        job
    }

    fn take(&mut self, peer: &PublicKey) -> VecDeque<Job> {
        self.turns.retain(|other| other != peer);
        self.waiting.remove(peer).unwrap_or_default()
    }
}

#[derive(Default)]
struct Queues {
    blocks: VecDeque<Job>,
    trusted: Lane,
    suspected: Lane,
    suspects: BTreeSet<PublicKey>,
    suspects_in_order: VecDeque<PublicKey>,
    /// Transactions waiting, by peer.
    of_peer: BTreeMap<PublicKey, usize>,
    waiting: usize,
    served: u64,
    closed: bool,
}

impl Queues {
    fn next(&mut self) -> Option<Job> {
        if let Some(job) = self.blocks.pop_front() {
            return Some(job);
        }
        self.served = self.served.wrapping_add(1);
        let job = if self.served.is_multiple_of(PARDON_EVERY) {
            self.suspected.pop().or_else(|| self.trusted.pop())
        } else {
            self.trusted.pop().or_else(|| self.suspected.pop())
        }?;
        if let Done::Peer(peer, _) = &job.done {
            let count = job.transactions.len();
            self.waiting = self.waiting.saturating_sub(count);
            if let Some(of_peer) = self.of_peer.get_mut(peer) {
                *of_peer = of_peer.saturating_sub(count);
                if *of_peer == 0 {
                    self.of_peer.remove(peer);
                }
            }
        }
        Some(job)
    }

    /// Moves all that this peer has waiting behind everybody else.
    fn suspect(&mut self, peer: PublicKey) {
        if !self.suspects.insert(peer) {
            return;
        }
        self.suspects_in_order.push_back(peer);
        if self.suspects_in_order.len() > SUSPECTS
            && let Some(oldest) = self.suspects_in_order.pop_front()
        {
            self.suspects.remove(&oldest);
        }
        for job in self.trusted.take(&peer) {
            self.suspected.push(peer, job);
        }
    }
}

/// What was checked so far.
#[derive(Default)]
pub(crate) struct Checks {
    /// Signatures of peers that were good.
    pub(crate) good: AtomicU64,
    /// Signatures checked that were bad.
    pub(crate) bad: AtomicU64,
    /// Refused because too many were waiting.
    pub(crate) turned_away: AtomicU64,
}

struct Inner {
    queues: Mutex<Queues>,
    news: Condvar,
    checks: Checks,
}

/// The threads; they end when this is dropped.
pub(crate) struct Checker {
    inner: Arc<Inner>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Checker {
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::with_threads(cores.min(CHECKER_THREADS))
    }

    fn with_threads(count: usize) -> Self {
        let inner = Arc::new(Inner {
            queues: Mutex::default(),
            news: Condvar::new(),
            checks: Checks::default(),
        });
        let threads = (0..count).map(|number| {
            let inner = Arc::clone(&inner);
            thread::Builder::new()
                .name(format!("ledger-check-{number}"))
                .spawn(move || inner.work())
                .expect("the system can start a thread")
        });
        Self { threads: threads.collect(), inner }
    }

    pub(crate) fn checks(&self) -> &Checks {
        &self.inner.checks
    }

    /// Checks a batch of this peer; `None` if it, or everybody together, has too many waiting.
    pub(crate) async fn check(
        &self,
        peer: PublicKey,
        transactions: Vec<SignedTransaction>,
    ) -> Option<Checked> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut queues = self.inner.lock();
            let count = transactions.len();
            let of_peer = queues.of_peer.get(&peer).copied().unwrap_or(0);
            // One batch passes whatever its size; callers bound it.
            let full = of_peer > 0 && of_peer + count > CHECKS_WAITING_PER_PEER;
            if full || queues.waiting + count > CHECKS_WAITING {
                self.inner.checks.turned_away.fetch_add(count as u64, Ordering::Relaxed);
                return None;
            }
            *queues.of_peer.entry(peer).or_default() += count;
            queues.waiting += count;
            let job = Job { transactions, done: Done::Peer(peer, sender) };
            if queues.suspects.contains(&peer) {
                queues.suspected.push(peer, job);
            } else {
                queues.trusted.push(peer, job);
            }
        }
        self.inner.news.notify_one();
        receiver.await.ok()
    }

    /// Checks the transactions of a block, on all threads at once; blocks until that is done.
    pub(crate) fn check_block(&self, transactions: Vec<SignedTransaction>) -> Checked {
        let (sender, receiver) = mpsc::channel();
        let total = transactions.len();
        let mut jobs = 0;
        {
            let mut queues = self.inner.lock();
            let mut rest = transactions.into_iter();
            loop {
                let transactions: Vec<_> = rest.by_ref().take(CHECKS_PER_BLOCK_JOB).collect();
                if transactions.is_empty() {
                    break;
                }
                let done = Done::Block(jobs, sender.clone());
                queues.blocks.push_back(Job { transactions, done });
                jobs += 1;
            }
        }
        self.inner.news.notify_all();
        drop(sender);
        let mut parts: Vec<_> = receiver.iter().collect();
        parts.sort_by_key(|(part, _)| *part);
        let mut checked = Vec::with_capacity(total);
        checked.extend(parts.into_iter().flat_map(|(_, part)| part));
        checked
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.inner.lock().closed = true;
        self.inner.news.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            self.run(job);
        }
    }

    /// `None` when the checker is closed.
    fn next(&self) -> Option<Job> {
        let mut queues = self.lock();
        loop {
            if queues.closed {
                return None;
            }
            if let Some(job) = queues.next() {
                return Some(job);
            }
            queues = self.news.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn run(&self, job: Job) {
        let checked: Checked = job.transactions.into_iter().map(Verified::new).collect();
        let bad = checked.iter().filter(|result| result.is_err()).count();
        self.checks.bad.fetch_add(bad as u64, Ordering::Relaxed);
        match job.done {
            Done::Peer(peer, done) => {
                if bad > 0 {
                    self.lock().suspect(peer);
                } else {
                    self.checks.good.fetch_add(checked.len() as u64, Ordering::Relaxed);
                }
                // Fails if the caller is gone.
                let _ = done.send(checked);
            }
            // Fails never: the block waits for all parts.
            Done::Block(part, done) => drop(done.send((part, checked))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{genesis, transfer};
    use acre_types::AccountId;

    const TO: AccountId = AccountId([7; 32]);

    fn peer(number: u8) -> PublicKey {
        PublicKey([number; 32])
    }

    fn job(count: usize, to: PublicKey) -> Job {
        let genesis = genesis(&[[1; 32]]);
        let transactions = (0..count).map(|n| transfer(&genesis, 1, n as u64, TO, 1)).collect();
        let (done, _) = oneshot::channel();
        Job { transactions, done: Done::Peer(to, done) }
    }

    fn order(queues: &mut Queues) -> Vec<u8> {
        let mut order = Vec::new();
        while let Some(job) = queues.next() {
            match job.done {
                Done::Peer(peer, _) => order.push(peer.0[0]),
                Done::Block(..) => order.push(0),
            }
        }
        order
    }

    #[test]
    fn peers_take_turns_and_blocks_come_first() {
        let mut queues = Queues::default();
        for number in [1, 1, 1, 1, 2, 3, 3] {
            queues.trusted.push(peer(number), job(1, peer(number)));
        }
        let (done, _receiver) = mpsc::channel();
        queues.blocks.push_back(Job { transactions: Vec::new(), done: Done::Block(0, done) });
        assert_eq!(order(&mut queues), [0, 1, 2, 3, 1, 3, 1, 1]);
    }

    #[test]
    fn suspect_waits_behind_everybody_but_is_not_forgotten() {
        let mut queues = Queues::default();
        for number in [9, 9, 1, 1, 1] {
            queues.trusted.push(peer(number), job(1, peer(number)));
        }
        queues.suspect(peer(9));
        assert_eq!(order(&mut queues), [1, 1, 1, 9, 9]);
        for _ in 0..2 * PARDON_EVERY {
            queues.trusted.push(peer(1), job(1, peer(1)));
        }
        queues.suspected.push(peer(9), job(1, peer(9)));
        let order = order(&mut queues);
        let at = order.iter().position(|number| *number == 9).unwrap();
        assert!((at as u64) < PARDON_EVERY, "{at}");
    }

    #[test]
    fn suspects_are_bounded() {
        let mut queues = Queues::default();
        for number in 0..SUSPECTS as u64 + 10 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_le_bytes());
            queues.suspect(PublicKey(key));
        }
        assert_eq!((queues.suspects.len(), queues.suspects_in_order.len()), (SUSPECTS, SUSPECTS));
    }

    #[tokio::test]
    async fn bad_signatures_are_found_and_counted() {
        let checker = Checker::with_threads(2);
        let genesis = genesis(&[[1; 32]]);
        let good = transfer(&genesis, 1, 0, TO, 1);
        let mut bad = transfer(&genesis, 1, 1, TO, 1);
        bad.signature.0[3] ^= 1;
        let batch = vec![good.clone(), bad.clone(), good.clone()];
        let checked = checker.check(peer(1), batch.clone()).await.unwrap();
        let verdicts: Vec<_> = checked.iter().map(Result::is_ok).collect();
        assert_eq!(verdicts, [true, false, true]);
        assert!(checker.inner.lock().suspects.contains(&peer(1)));
        assert_eq!(checker.checks().bad.load(Ordering::Relaxed), 1);

        let block: Vec<_> = (0..500).map(|n| batch[n % 3].clone()).collect();
        let checked = checker.check_block(block.clone());
        assert_eq!(checked.len(), 500);
        for (result, signed) in checked.iter().zip(&block) {
            assert_eq!(
                result.as_ref().ok().map(Verified::signed),
                (*signed != bad).then_some(signed)
            );
        }
        assert!(checker.check_block(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn one_peer_has_its_share_of_the_queue_and_no_more() {
        // Without threads nothing is served, so all waits.
        let checker = Arc::new(Checker::with_threads(0));
        let genesis = genesis(&[[1; 32]]);
        let one = || vec![transfer(&genesis, 1, 0, TO, 1)];
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..CHECKS_WAITING_PER_PEER {
            let (checker, batch) = (Arc::clone(&checker), one());
            waiting.spawn(async move { checker.check(peer(1), batch).await });
        }
        while checker.inner.lock().waiting < CHECKS_WAITING_PER_PEER {
            tokio::task::yield_now().await;
        }
        assert!(checker.check(peer(1), one()).await.is_none());
        assert_eq!(checker.checks().turned_away.load(Ordering::Relaxed), 1);
        let other = {
            let (checker, batch) = (Arc::clone(&checker), one());
            tokio::spawn(async move { checker.check(peer(2), batch).await })
        };
        while checker.inner.lock().waiting <= CHECKS_WAITING_PER_PEER {
            tokio::task::yield_now().await;
        }
        other.abort();
        waiting.abort_all();
    }
}

//! The newest muster, as the ledger proves it, and the work that this node does for it.
//!
//! A node solves for no seed but that of the newest muster on the ledger. It solves a task once and
//! gives all witnesses the same claim; its lanes stay in memory until the last of them may have
//! probed, and no longer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use acre_capacity::CapacityError;
use acre_capacity::duty::{Duty, WorkRules};
use acre_capacity::message::Refusal;
use acre_capacity::puzzle::{Claim, Lane, SignedClaim, Task};
use acre_chain::{ClientError, LedgerClient};
use acre_codec::List;
use acre_crypto::SigningKey;
use acre_ledger::{Event, Key, Muster, TheMuster};
use acre_types::{Digest, NodeId};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::limits::{EPOCH_LOOK_MAX, MUSTER_HEARD, MUSTER_READ_PAUSE, MUSTER_SLACK, MUSTER_TASKS};

/// What is known of the newest muster.
pub(crate) struct Musters {
    ledger: LedgerClient,
    newest: watch::Sender<Option<Muster>>,
    /// When a stranger's word made this node read the ledger last.
    read: tokio::sync::Mutex<Option<Instant>>,
}

impl Musters {
    pub(crate) fn new(ledger: LedgerClient) -> Self {
        Self { ledger, newest: watch::Sender::new(None), read: tokio::sync::Mutex::default() }
    }

    /// The newest one on the ledger by proof, and how old it is by the time of the newest block.
    async fn look(&self) -> Result<Option<(Muster, Duration)>, ClientError> {
        let snapshot = self.ledger.snapshot(&[Key::Muster]).await?;
        let muster = snapshot.read(&TheMuster).unwrap_or_else(|error| {
            tracing::warn!(%error, "the newest muster could not be read");
            None
        });
        let Some(muster) = muster else { return Ok(None) };
        self.newest.send_if_modified(|newest| {
            let is_newer = newest.is_none_or(|known| known.number < muster.number);
            if is_newer {
                *newest = Some(muster);
            }
            is_newer
        });
        let age = snapshot.block.time.0.saturating_sub(muster.at.0);
        Ok(Some((muster, Duration::from_millis(age))))
    }

    /// Whether this is the task of the newest muster for `node`. Reads the ledger for a seed that
    /// it does not know, though not often.
    async fn is_of_newest(&self, node: NodeId, task: &Task) -> bool {
        let fits = |newest: &Option<Muster>| {
            newest.is_some_and(|it| (it.epoch, it.seed_of(node)) == (task.epoch, task.seed))
        };
        if fits(&self.newest.borrow()) {
            return true;
        }
        // One after the other: whoever waited finds what the one before has read.
        let mut read = self.read.lock().await;
        if fits(&self.newest.borrow()) {
            return true;
        }
        if read.is_some_and(|last| last.elapsed() < MUSTER_READ_PAUSE) {
            return false;
        }
        *read = Some(Instant::now());
        if let Err(error) = self.look().await {
            tracing::debug!(%error, "the newest muster could not be read");
        }
        fits(&self.newest.borrow())
    }

    /// Tells each muster as soon as it is heard and proven, by the stream of events. One that was
    /// heard too late is not told: its time would run from nowhere.
    pub(crate) async fn hear(self: Arc<Self>, told: mpsc::Sender<(Instant, Muster)>) {
        loop {
            if let Err(error) = self.follow(&told).await {
                tracing::debug!(%error, "events are not followed");
            }
            if told.is_closed() {
                return;
            }
            sleep(EPOCH_LOOK_MAX / 10).await;
        }
    }

    async fn follow(&self, told: &mpsc::Sender<(Instant, Muster)>) -> Result<(), ClientError> {
        let from = self.ledger.snapshot(&[Key::Muster]).await?.block.height;
        let mut events = self.ledger.subscribe(from.next());
        loop {
            let block = events.next().await?;
            let calls = |event: &Event| matches!(event, Event::MusterCalled { .. });
            if !block.events.iter().any(calls) {
                continue;
            }
            // What happened in a block is its validator's word.
            let Some((muster, age)) = self.look().await? else { continue };
            if age > MUSTER_HEARD {
                tracing::debug!(number = muster.number, "a muster was heard too late");
                continue;
            }
            tracing::debug!(number = muster.number, "a muster was called");
            if told.send((Instant::now(), muster)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Claim of a task once it is solved.
type Solved = Option<Result<SignedClaim, Refusal>>;

/// One task of a muster.
struct Job {
    task: Task,
    solved: watch::Receiver<Solved>,
    /// Until the last probe.
    lanes: Arc<Mutex<Option<Arc<Vec<Lane>>>>>,
}

/// What this node does at musters.
pub(crate) struct Worker {
    key: SigningKey,
    rules: WorkRules,
    /// All that the node claims.
    whole: Duty,
    answer: Duration,
    musters: Arc<Musters>,
    /// Of the muster that was asked about last.
    jobs: Mutex<(Digest, Vec<Job>)>,
    /// Held while a task is being solved.
    solving: Arc<tokio::sync::Mutex<()>>,
}

impl Worker {
    pub(crate) fn new(
        key: SigningKey,
        (rules, answer): (WorkRules, Duration),
        whole: Duty,
        musters: Arc<Musters>,
    ) -> Self {
        let jobs = Mutex::new((Digest([0; 32]), Vec::new()));
        Self { key, rules, whole, answer, musters, jobs, solving: Arc::default() }
    }

    /// Whether this node may ever be asked that much: who asks for more wants its memory.
    fn fits(&self, task: &Task) -> bool {
        let most = self.whole.task(&self.rules, task.epoch, task.seed);
        let Some(most) = most.filter(|_| task.check().is_ok()) else { return false };
        let bytes = |task: &Task| u64::from(task.lanes) * u64::from(task.rules.lane_bytes);
        let memory = self.whole.memory.0 / u64::from(self.rules.memory_scale.max(1));
        let cores = u64::from(self.whole.cores) * 8;
        task.node == self.whole.node
            && task.rules.steps == self.rules.lane.steps
            && task.rules.lane_bytes <= self.rules.lane.lane_bytes
            && u64::from(task.lanes) <= cores
            && bytes(task) <= memory.max(bytes(&most))
    }

    /// Solves a task of the newest muster, or waits for it to be solved.
    pub(crate) async fn claim(self: Arc<Self>, task: Task) -> Result<SignedClaim, Refusal> {
        if !self.fits(&task) {
            return Err(Refusal::Malformed);
        }
        if !self.musters.is_of_newest(self.whole.node, &task).await {
            return Err(Refusal::Unknown);
        }
        let mut solved = self.job(task)?;
        let solved = solved.wait_for(Option::is_some).await.map_err(|_| Refusal::Failed)?;
        solved.clone().unwrap_or(Err(Refusal::Failed))
    }

    /// The job of this task, begun if it is new.
    fn job(self: &Arc<Self>, task: Task) -> Result<watch::Receiver<Solved>, Refusal> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.0 != task.seed {
            *jobs = (task.seed, Vec::new());
        }
        if let Some(job) = jobs.1.iter().find(|job| job.task == task) {
            return Ok(job.solved.clone());
        }
        // Witnesses may have read different reservations.
        if jobs.1.len() >= MUSTER_TASKS {
            return Err(Refusal::TooOften);
        }
        let (tell, solved) = watch::channel(None);
        let lanes: Arc<Mutex<Option<Arc<Vec<Lane>>>>> = Arc::default();
        jobs.1.push(Job { task, solved: solved.clone(), lanes: Arc::clone(&lanes) });
        tokio::spawn(Arc::clone(self).work(task, tell, lanes));
        Ok(solved)
    }

    async fn work(
        self: Arc<Self>,
        task: Task,
        tell: watch::Sender<Solved>,
        keep: Arc<Mutex<Option<Arc<Vec<Lane>>>>>,
    ) {
        let begun = Instant::now();
        let guard = self.solving.lock().await;
        let solved = tokio::task::spawn_blocking(move || solve(&task)).await;
        drop(guard);
        let claim = solved.map_err(|_| Refusal::Failed).flatten().and_then(|lanes| {
            let claims = lanes.iter().map(Lane::claim).collect();
            let claims = List::new(claims).map_err(|_| Refusal::Malformed)?;
            let held = || keep.lock().unwrap_or_else(PoisonError::into_inner);
            *held() = Some(Arc::new(lanes));
            Ok(Claim { task: task.digest(), lanes: claims }.sign(&self.key))
        });
        tell.send_replace(Some(claim));
        let hold = self.rules.held_until() + self.answer + MUSTER_SLACK;
        sleep(hold.saturating_sub(begun.elapsed())).await;
        *keep.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The lanes of a task that was solved, if they are still held.
    pub(crate) fn held(&self, task: &Digest) -> Option<(Task, Arc<Vec<Lane>>)> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = jobs.1.iter().find(|job| job.task.digest() == *task)?;
        let lanes = job.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some((job.task, lanes))
    }
}

/// Whether a task fits into seven eighths of the memory that is free now: no puzzle is worth the
/// processes that the system would end for it.
fn has_room(task: &Task, free: Option<u64>) -> bool {
    let needs = u64::from(task.lanes) * u64::from(task.rules.lane_bytes);
    free.is_none_or(|free| needs <= free / 8 * 7)
}

/// Bytes that can be had without swapping; `None` if the system does not say.
fn memory_free() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Solves all lanes, shared among as many threads as there are cores.
fn solve(task: &Task) -> Result<Vec<Lane>, Refusal> {
    if !has_room(task, memory_free()) {
        tracing::warn!(lanes = task.lanes, "too little memory is free for this muster");
        return Err(Refusal::Busy);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = std::sync::atomic::AtomicU16::new(0);
    let lanes = Mutex::new(std::collections::BTreeMap::new());
    let held = || lanes.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                // Of this thread alone, on Linux: what serves comes first, plots come last.
                let _ = rustix::process::nice(5);
                loop {
                    let lane = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if lane >= task.lanes {
                        return;
                    }
                    let solved = Lane::solve(task, lane);
                    held().insert(lane, solved);
                }
            });
        }
    });
    let lanes = std::mem::take(&mut *held());
    lanes.into_values().collect::<Result<_, CapacityError>>().map_err(|error| {
        tracing::warn!(%error, "a puzzle could not be solved");
        Refusal::Failed
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use acre_capacity::puzzle::LaneRules;
    use acre_types::Epoch;

    #[test]
    fn task_that_does_not_fit_the_free_memory_is_not_begun() {
        let rules = LaneRules { lane_bytes: 1 << 28, steps: 8 };
        let node = NodeId([1; 32]);
        let task = Task { node, epoch: Epoch(1), seed: Digest([2; 32]), lanes: 7, rules };
        assert!(has_room(&task, Some(8 << 28)));
        assert!(!has_room(&task, Some((8 << 28) - 8)));
        assert!(has_room(&task, None), "the system does not say");
        assert!(memory_free().is_none_or(|free| free > 0));
    }
}

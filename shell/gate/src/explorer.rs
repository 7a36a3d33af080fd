//! Holds the replica, the history and the way to the ledger; answers what the routes ask.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use acre_chain::client::Final;
use acre_chain::{ClientError, LedgerClient};
use acre_types::{Height, NodeId};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::dto::{BlockSummary, Seen, Statistics};
use crate::history::History;
use crate::limits::{
    BLOCKS_KEPT, FINALS_KEPT, FRESH, READ_TIME, READ_TURN, READS_AT_ONCE, STATISTICS_EVERY, STREAMS,
};
use crate::metrics::{Counter, Durations, Gauge, Invariant, Registry};
use crate::problem::{Code, Problem};
use crate::replica::Replica;

/// A grid's ledger as people look at it: a copy that was checked with proofs, and reads with
/// proofs of what the copy does not hold.
pub struct Explorer {
    ledger: LedgerClient,
    replica: RwLock<Replica>,
    pub(crate) history: History,
    pub(crate) streams: Arc<Semaphore>,
    reads: Semaphore,
    blocks: Mutex<BTreeMap<u64, BlockSummary>>,
    /// Names and times of the latest blocks that were proven final.
    finals: Mutex<BTreeMap<u64, Final>>,
    statistics: Mutex<Option<(Instant, Seen, Arc<Statistics>)>>,
    /// Milliseconds from `started` to the last proven news, and one; 0 before the first.
    heard: AtomicU64,
    started: Instant,
    pub(crate) metrics: Metrics,
}

/// What the gateway counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) good: Counter,
    pub(crate) refused: Counter,
    pub(crate) failed: Counter,
    pub(crate) times: Durations,
    pub(crate) streams: Gauge,
    pub(crate) streams_refused: Counter,
    pub(crate) streams_stalled: Counter,
    pub(crate) events: Counter,
    pub(crate) reads_failed: Counter,
    pub(crate) unannounced: Counter,
    pub(crate) reloads: Counter,
    height: Gauge,
    nodes: Gauge,
    farms: Gauge,
    contracts: Gauge,
    complete: Gauge,
    forks: Counter,
    overdrawn: Counter,
    pub(crate) wrong_lines: Counter,
    pub(crate) wrong_receipts: Counter,
}

impl std::fmt::Debug for Explorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explorer")
            .field("seen", &self.seen(&self.replica()))
            .finish_non_exhaustive()
    }
}

impl Metrics {
    fn new(registry: &Registry) -> Self {
        let requests = |result| {
            let help = "Requests answered, by result.";
            registry.counter("acre_gate_requests_total", help, Some(("result", result)))
        };
        let counter = |name, help| registry.counter(name, help, None);
        let gauge = |name, help| registry.gauge(name, help, None);
        Self {
            good: requests("ok"),
            refused: requests("refused"),
            failed: requests("failed"),
            times: registry.durations("acre_gate_request_seconds", "Time of a request."),
            streams: gauge("acre_gate_event_streams", "Streams of events that are open."),
            streams_refused: counter(
                "acre_gate_event_streams_refused_total",
                "Streams refused because too many were open.",
            ),
            streams_stalled: counter(
                "acre_gate_event_streams_stalled_total",
                "Streams ended because their reader took nothing.",
            ),
            events: counter("acre_gate_events_total", "Events heard from validators."),
            reads_failed: counter(
                "acre_gate_ledger_reads_failed_total",
                "Reads that no validator answered with a proof.",
            ),
            unannounced: counter(
                "acre_gate_changes_unannounced_total",
                "Changes that a sweep found before an event told of them; a steady rise means that \
                 validators leave events out.",
            ),
            reloads: counter("acre_gate_replica_reloads_total", "Times that all was read anew."),
            height: gauge("acre_gate_replica_height", "Newest block that is in the replica."),
            nodes: gauge("acre_gate_replica_nodes", "Nodes in the replica."),
            farms: gauge("acre_gate_replica_farms", "Farms in the replica."),
            contracts: gauge("acre_gate_replica_contracts_open", "Open contracts held."),
            complete: gauge("acre_gate_replica_complete", "1 if nothing is being caught up with."),
            forks: registry.violations(Invariant::L1),
            overdrawn: registry.violations(Invariant::L3),
            wrong_lines: registry.violations(Invariant::L8),
            wrong_receipts: registry.violations(Invariant::L7),
        }
    }
}

impl Explorer {
    /// Of this client's grid. Nothing is read before [`crate::serve`] runs.
    #[must_use]
    pub fn new(ledger: LedgerClient, registry: &Registry) -> Arc<Self> {
        let explorer = Arc::new(Self {
            ledger,
            replica: RwLock::default(),
            history: History::default(),
            streams: Arc::new(Semaphore::new(STREAMS)),
            reads: Semaphore::new(READS_AT_ONCE),
            blocks: Mutex::default(),
            finals: Mutex::default(),
            statistics: Mutex::default(),
            heard: AtomicU64::new(0),
            started: Instant::now(),
            metrics: Metrics::new(registry),
        });
        let watched = Arc::downgrade(&explorer);
        registry.watch(
            "acre_gate_replica_age_ms",
            "Time since validators last proved something; the largest number before they did.",
            move || watched.upgrade().map_or(0, |explorer| whole(explorer.age())),
        );
        explorer
    }

    /// Takes rows that nobody proved: for benches, which have no validators.
    #[doc(hidden)]
    pub fn fill(&self, farms: Vec<acre_ledger::Farm>, nodes: Vec<(NodeId, acre_ledger::Node)>) {
        let mut replica = self.replica_mut();
        for farm in farms {
            replica.farms.push(farm);
        }
        for (id, node) in nodes {
            replica.nodes.push(id, node);
        }
        replica.is_complete = true;
    }

    pub(crate) const fn ledger(&self) -> &LedgerClient {
        &self.ledger
    }

    pub(crate) fn replica(&self) -> RwLockReadGuard<'_, Replica> {
        // Whoever writes does so row by row; a row is whole or not there.
        self.replica.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn replica_mut(&self) -> RwLockWriteGuard<'_, Replica> {
        self.replica.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the replica was read to the end once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.replica().is_complete
    }

    /// Ends all streams of events and takes no more.
    pub(crate) fn end_streams(&self) {
        self.streams.close();
        self.history.wake();
    }

    /// Validators proved something just now.
    pub(crate) fn hear(&self) {
        let millis = self.started.elapsed().as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX - 1);
        self.heard.store(millis + 1, Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        match self.heard.load(Ordering::Relaxed) {
            0 => Duration::MAX,
            heard => self.started.elapsed().saturating_sub(Duration::from_millis(heard - 1)),
        }
    }

    /// How old the replica is.
    pub(crate) fn seen(&self, replica: &Replica) -> Seen {
        let age = self.age();
        Seen {
            height: replica.block.map_or(0, |block| block.height.0),
            block_time_ms: replica.block.map_or(0, |block| block.time.0),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            fresh: replica.is_complete && age < FRESH,
        }
    }

    /// How old something is that was read just now.
    pub(crate) fn seen_now(&self) -> Seen {
        let mut seen = self.seen(&self.replica());
        if let Some((height, block)) = lock(&self.finals).last_key_value()
            && *height > seen.height
        {
            (seen.height, seen.block_time_ms) = (*height, block.time.0);
        }
        seen
    }

    /// Reads the ledger for an asker, within the limits.
    pub(crate) async fn read<T>(
        &self,
        reading: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Problem> {
        let Ok(Ok(_turn)) = timeout(READ_TURN, self.reads.acquire()).await else {
            return Err(Problem::busy("too many questions read the ledger at this time"));
        };
        let read = match timeout(READ_TIME, reading).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => {
                self.metrics.reads_failed.up();
                return Err(error.into());
            }
            Err(_) => {
                self.metrics.reads_failed.up();
                let message = format!("validators did not answer within {} s", READ_TIME.as_secs());
                return Err(Problem::new(Code::LedgerUnavailable, message, "ask again later"));
            }
        };
        self.hear();
        Ok(read)
    }

    /// A block was proven final: two at one height would break L1.
    pub(crate) fn check_block(&self, block: &Final) {
        let mut finals = lock(&self.finals);
        if let Some(other) = finals.insert(block.height.0, *block)
            && other.id != block.id
        {
            self.metrics.forks.up();
            tracing::error!(height = %block.height, one = %other.id, other = %block.id, "two final blocks at one height (L1)");
        }
        while finals.len() > FINALS_KEPT {
            finals.pop_first();
        }
    }

    /// The totals were proven: contracts cannot hold more than there is (a part of L3).
    pub(crate) fn check_totals(&self, totals: &acre_ledger::Totals) {
        let supply = totals.minted.checked_sub(totals.burned);
        if supply.is_none_or(|supply| totals.escrow > supply) {
            self.metrics.overdrawn.up();
            tracing::error!(?totals, "more is held or burned than was minted (L3)");
        }
    }

    /// The replica changed.
    pub(crate) fn count_replica(&self) {
        let replica = self.replica();
        self.metrics.height.set(replica.block.map_or(0, |block| block.height.0));
        self.metrics.nodes.set(replica.nodes.len());
        self.metrics.farms.set(replica.farms.len());
        self.metrics.contracts.set(replica.contracts.open());
        self.metrics.complete.set(i64::from(replica.is_complete));
    }

    /// The grid in numbers, shared by all who ask within a moment.
    pub(crate) fn statistics(&self) -> (Seen, Arc<Statistics>) {
        let mut last = lock(&self.statistics);
        if let Some((made, seen, statistics)) = last.as_ref()
            && made.elapsed() < STATISTICS_EVERY
        {
            return (*seen, Arc::clone(statistics));
        }
        let replica = self.replica();
        let statistics = Arc::new(Statistics::new(&replica));
        let seen = self.seen(&replica);
        drop(replica);
        *last = Some((Instant::now(), seen, Arc::clone(&statistics)));
        (seen, statistics)
    }

    /// A block's summary: kept, or read with its proof.
    pub(crate) async fn block_summary(
        &self,
        height: u64,
    ) -> Result<Option<BlockSummary>, ClientError> {
        if let Some(known) = lock(&self.blocks).get(&height) {
            return Ok(Some(known.clone()));
        }
        let Some(found) = self.ledger.block(Height(height)).await? else { return Ok(None) };
        self.check_block(&found.block);
        let summary = BlockSummary::new(&found.block, found.payload.transactions.len());
        let mut blocks = lock(&self.blocks);
        blocks.insert(height, summary.clone());
        while blocks.len() > BLOCKS_KEPT {
            blocks.pop_first();
        }
        Ok(Some(summary))
    }
}

fn whole(age: Duration) -> i64 {
    i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}

/// Nothing that is kept behind these locks is ever half changed.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests {
    use acre_codec::List;
    use acre_crypto::{Secret, SigningKey};
    use acre_ledger::{Genesis, GridKind, Parameters, Totals};
    use acre_net::{Endpoint, StaticBook};
    use acre_types::{AccountId, Amount, Digest, Text, UnixMs};

    use super::*;

    /// Of a grid whose validators nobody can reach.
    pub(crate) async fn of_nobody() -> Arc<Explorer> {
        let genesis = Genesis {
            name: Text::new("test").unwrap(),
            kind: GridKind::Test,
            time: UnixMs(0),
            validators: List::new(vec![]).unwrap(),
            parameters: Parameters::default(),
            foundation: AccountId([0; 32]),
            admitted: List::default(),
            grants: List::new(vec![]).unwrap(),
        };
        let key = SigningKey::from_seed(Secret::new([9; 32]));
        let endpoint = Endpoint::bind(&key, None, Arc::new(StaticBook::new())).await.unwrap();
        let ledger = LedgerClient::new(&genesis, endpoint, vec![]);
        Explorer::new(ledger, &Registry::default())
    }

    #[tokio::test]
    async fn counts_two_blocks_at_one_height_and_more_held_than_minted() {
        let explorer = of_nobody().await;
        let block = |id| Final {
            height: Height(7),
            term: 0,
            time: acre_types::UnixMs(0),
            root: Digest([0; 32]),
            id: Digest([id; 32]),
            parent: Digest([0; 32]),
            payload_hash: Digest([0; 32]),
        };
        explorer.check_block(&block(1));
        explorer.check_block(&block(1));
        assert_eq!(explorer.metrics.forks.get(), 0);
        explorer.check_block(&block(2));
        assert_eq!(explorer.metrics.forks.get(), 1);

        let mut totals =
            Totals { minted: Amount(5), burned: Amount(2), escrow: Amount(3), ..Totals::default() };
        explorer.check_totals(&totals);
        assert_eq!(explorer.metrics.overdrawn.get(), 0);
        totals.escrow = Amount(4);
        explorer.check_totals(&totals);
        assert_eq!(explorer.metrics.overdrawn.get(), 1);
    }

    #[tokio::test]
    async fn is_neither_ready_nor_fresh_before_validators_answered() {
        let explorer = of_nobody().await;
        let seen = explorer.seen_now();
        assert!(!explorer.is_ready() && !seen.fresh);
        assert_eq!((seen.height, seen.age_ms), (0, u64::MAX));
        let refused = explorer.read(explorer.ledger().totals()).await.unwrap_err();
        assert_eq!(refused.error.code, Code::LedgerUnavailable);
    }
}

//! Fills the replica and keeps it up to date.
//!
//! ```text
//! read all with proofs ─▶ follow events from the block that was read
//!        ▲                   │ what they are about is read again, with proofs
//!        └── events gone ────┘ and a part of everything every ten seconds, for events left out
//! ```
//!
//! An event is the word of one validator. A false one costs a read; one that is left out is made
//! up for by the counters of the (proven) totals and by the sweep.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use acre_chain::ClientError;
use acre_chain::client::{BlockEvents, Events, Final};
use acre_ledger::{Event, Lookup as _, NodeAt, TheBeacon, TheEpoch, TheSeats, TheTotals, Totals};
use acre_types::{ContractId, FarmId, NodeId};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::about::{About, kind};
use crate::dto;
use crate::explorer::Explorer;
use crate::history::{EventId, Item};
use crate::limits::{CHANGES_AT_ONCE, KEYS_PER_READ, RETRY, RETRY_MAX, SWEEP_EVERY};

/// Follows the ledger for ever; dropped, it stops.
pub(crate) async fn run(explorer: Arc<Explorer>) {
    let mut follower = Follower { explorer, sweep: Sweep::default(), parts: (0, 0) };
    loop {
        let from = follower.load().await;
        let gone = follower.follow(from).await;
        tracing::warn!(error = %gone, "the replica is read anew");
        follower.explorer.metrics.reloads.up();
    }
}

/// Rows of one step of the sweep.
const STEP: u32 = 256;
const _: () = assert!(STEP as usize == KEYS_PER_READ);

/// Where the sweep is.
#[derive(Clone, Copy, Debug, Default)]
struct Sweep {
    node: u32,
    farm: u32,
    contract: u64,
}

/// What is to be read again.
#[derive(Debug, Default)]
struct Changes {
    nodes: BTreeSet<NodeId>,
    farms: BTreeSet<FarmId>,
    contracts: BTreeSet<ContractId>,
    /// Parameters, the epoch, the beacon.
    rules: bool,
}

impl Changes {
    fn add(&mut self, about: &About) {
        self.nodes.extend(&about.nodes);
        self.farms.extend(&about.farms);
        self.contracts.extend(&about.contracts);
        self.rules |= about.is_rule;
    }

    fn len(&self) -> usize {
        self.nodes.len() + self.farms.len() + self.contracts.len()
    }
}

/// News that is not in the replica yet.
#[derive(Debug, Default)]
struct News {
    changes: Changes,
    items: Vec<Item>,
    /// The newest block of which nothing more comes.
    whole: Option<Final>,
}

struct Follower {
    explorer: Arc<Explorer>,
    sweep: Sweep,
    /// The block that comes in parts, and how many of its events came.
    parts: (u64, u32),
}

impl Follower {
    /// Reads everything until that works. Gives the block from which on news is wanted.
    async fn load(&mut self) -> Final {
        self.explorer.replica_mut().is_complete = false;
        let mut pause = RETRY;
        loop {
            match self.try_load().await {
                Ok(block) => return block,
                Err(error) => self.wait_after(&error, &mut pause).await,
            }
        }
    }

    async fn wait_after(&self, error: &ClientError, pause: &mut Duration) {
        self.explorer.metrics.reads_failed.up();
        tracing::warn!(%error, "the ledger cannot be read; trying again");
        sleep(*pause).await;
        *pause = (*pause * 2).min(RETRY_MAX);
    }

    async fn try_load(&mut self) -> Result<Final, ClientError> {
        let explorer = Arc::clone(&self.explorer);
        let ledger = explorer.ledger();
        let snapshot = ledger.snapshot(&[TheTotals.key()]).await?;
        let grid = ledger.grid().await?;
        explorer.replica_mut().grid = Some(grid);
        self.read_rules().await?;
        let block = snapshot.block;
        explorer.check_block(&block);
        explorer.history.begin_after(block.height.0);
        // Rows known from before the gap, then those that are new.
        self.sweep = Sweep::default();
        while !self.refresh().await?.was_last {}
        self.grow().await?;
        let mut replica = explorer.replica_mut();
        (replica.block, replica.is_complete) = (Some(block), true);
        drop(replica);
        explorer.hear();
        explorer.count_replica();
        Ok(block)
    }

    /// Follows events until too many were missed.
    async fn follow(&mut self, from: Final) -> ClientError {
        self.parts = (0, 0);
        let mut events = self.explorer.ledger().subscribe(from.height.next());
        let mut sweeps = interval_at(Instant::now() + SWEEP_EVERY, SWEEP_EVERY);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next = {
                // Not dropped by a sweep: it may be on its way to another validator.
                let mut next = std::pin::pin!(events.next());
                loop {
                    tokio::select! {
                        next = &mut next => break next,
                        _ = sweeps.tick() => self.look_around().await,
                    }
                }
            };
            let mut news = News::default();
            match next {
                Ok(next) => self.note(&mut news, next),
                Err(error) => return error,
            }
            if let Err(error) = self.drain(&mut events, &mut news).await {
                return error;
            }
            let mut pause = RETRY;
            while let Err(error) = self.take(&news).await {
                self.wait_after(&error, &mut pause).await;
            }
            self.publish(news);
        }
    }

    /// Takes what has come already, so that a busy ledger is read in batches.
    async fn drain(&mut self, events: &mut Events, news: &mut News) -> Result<(), ClientError> {
        while news.changes.len() + news.items.len() < CHANGES_AT_ONCE {
            match timeout(Duration::ZERO, events.next()).await {
                Ok(next) => self.note(news, next?),
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn note(&mut self, news: &mut News, next: BlockEvents) {
        let BlockEvents { block, events, more } = next;
        self.explorer.check_block(&block);
        self.explorer.hear();
        if self.parts.0 != block.height.0 {
            self.parts = (block.height.0, 0);
        }
        for event in &events {
            let about = About::event(event);
            news.changes.add(&about);
            let id = EventId { height: block.height.0, index: self.parts.1 };
            self.parts.1 += 1;
            news.items.extend(item(id, &block, event, about));
        }
        if !more {
            news.whole = Some(block);
        }
    }

    /// Reads what changed and puts it into the replica.
    async fn take(&mut self, news: &News) -> Result<(), ClientError> {
        if !news.items.is_empty() {
            let Changes { nodes, farms, contracts, rules } = &news.changes;
            self.read_nodes(nodes.iter().copied().collect()).await?;
            self.read_farms(farms.iter().copied().collect()).await?;
            self.read_contracts(contracts.iter().copied().collect()).await?;
            if *rules {
                self.read_rules().await?;
            }
            self.grow().await?;
        }
        Ok(())
    }

    fn publish(&self, news: News) {
        let explorer = &self.explorer;
        if news.whole.is_some() {
            explorer.replica_mut().block = news.whole;
        }
        explorer.metrics.events.add(news.items.len() as u64);
        explorer.count_replica();
        explorer.history.publish(news.items);
    }

    /// Reads the totals, and the rows that they say are there and that are not known.
    async fn grow(&mut self) -> Result<(), ClientError> {
        let explorer = Arc::clone(&self.explorer);
        let ledger = explorer.ledger();
        let totals: Totals = ledger.totals().await?;
        explorer.check_totals(&totals);
        let Totals { nodes, farms, contracts, .. } = totals;
        explorer.replica_mut().totals = totals;
        loop {
            let known = explorer.replica().farms.len();
            let missing: Vec<_> = (known + 1..=farms).take(KEYS_PER_READ).map(FarmId).collect();
            let read = ledger.read_all(&missing).await?;
            let mut replica = explorer.replica_mut();
            let taken = read.into_iter().map_while(|farm| replica.farms.push(farm?).then_some(()));
            if taken.count() < missing.len() || missing.is_empty() {
                break;
            }
        }
        loop {
            let known = explorer.replica().nodes.len();
            let missing: Vec<_> = (known..nodes).take(KEYS_PER_READ).map(NodeAt).collect();
            let ids: Option<Vec<NodeId>> = ledger.read_all(&missing).await?.into_iter().collect();
            let ids = ids.unwrap_or_default();
            let read = ledger.read_all(&ids).await?;
            let mut replica = explorer.replica_mut();
            let rows = ids.into_iter().zip(read);
            let taken = rows.map_while(|(id, node)| replica.nodes.push(id, node?).then_some(()));
            if taken.count() < missing.len() || missing.is_empty() {
                break;
            }
        }
        loop {
            let known = explorer.replica().contracts.known();
            let missing: Vec<_> =
                (known + 1..=contracts).take(KEYS_PER_READ).map(ContractId).collect();
            if missing.is_empty() {
                break;
            }
            self.read_contracts(missing).await?;
            if explorer.replica().contracts.known() == known {
                break;
            }
        }
        explorer.hear();
        Ok(())
    }

    /// Parameters, seats, the epoch and its beacon.
    async fn read_rules(&self) -> Result<(), ClientError> {
        let ledger = self.explorer.ledger();
        let parameters = ledger.parameters().await?;
        let (epoch, beacon) = (ledger.read(&TheEpoch).await?, ledger.read(&TheBeacon).await?);
        let seats = ledger.read(&TheSeats).await?;
        let mut replica = self.explorer.replica_mut();
        (replica.parameters, replica.seats) = (Some(parameters), seats);
        (replica.epoch, replica.beacon) = (epoch, beacon);
        Ok(())
    }

    /// Changes found.
    async fn read_nodes(&self, mut ids: Vec<NodeId>) -> Result<u64, ClientError> {
        // Those that are not known come with the totals.
        ids.retain(|id| self.explorer.replica().nodes.index_of(id).is_some());
        let mut changed = 0;
        for ids in ids.chunks(KEYS_PER_READ) {
            let read = self.explorer.ledger().read_all(ids).await?;
            let mut replica = self.explorer.replica_mut();
            for (id, node) in ids.iter().zip(read) {
                changed += u64::from(node.is_some_and(|node| replica.nodes.update(id, node)));
            }
        }
        Ok(changed)
    }

    async fn read_farms(&self, ids: Vec<FarmId>) -> Result<u64, ClientError> {
        let mut changed = 0;
        for ids in ids.chunks(KEYS_PER_READ) {
            let read = self.explorer.ledger().read_all(ids).await?;
            let mut replica = self.explorer.replica_mut();
            for (id, farm) in ids.iter().zip(read) {
                changed += u64::from(farm.is_some_and(|farm| replica.farms.update(*id, farm)));
            }
        }
        Ok(changed)
    }

    async fn read_contracts(&self, ids: Vec<ContractId>) -> Result<u64, ClientError> {
        let mut changed = 0;
        for ids in ids.chunks(KEYS_PER_READ) {
            let read = self.explorer.ledger().read_all(ids).await?;
            let mut replica = self.explorer.replica_mut();
            for contract in read.into_iter().flatten() {
                changed += u64::from(replica.contracts.put(contract));
            }
        }
        Ok(changed)
    }

    /// One step of the sweep, and the totals. What fails is tried again with the next one.
    async fn look_around(&mut self) {
        if let Err(error) = self.try_look_around().await {
            self.explorer.metrics.reads_failed.up();
            tracing::debug!(%error, "a sweep was left out");
        }
    }

    async fn try_look_around(&mut self) -> Result<(), ClientError> {
        let changed = self.refresh().await?.changed;
        self.explorer.metrics.unannounced.add(changed);
        self.read_rules().await?;
        self.grow().await?;
        self.explorer.count_replica();
        Ok(())
    }

    /// Reads the next nodes again, then farms, then open contracts, then begins anew.
    async fn refresh(&mut self) -> Result<Refreshed, ClientError> {
        let explorer = Arc::clone(&self.explorer);
        let Sweep { node, farm, contract } = self.sweep;
        let (nodes, farms) = (explorer.replica().nodes.len(), explorer.replica().farms.len());
        if node < nodes {
            let ids: Vec<_> = {
                let replica = explorer.replica();
                let rows = (node..nodes).take(KEYS_PER_READ);
                rows.filter_map(|index| Some(replica.nodes.row(index)?.id)).collect()
            };
            let changed = self.read_nodes(ids).await?;
            self.sweep.node = node.saturating_add(STEP);
            return Ok(Refreshed { changed, was_last: false });
        }
        if farm < farms {
            let ids: Vec<_> = (farm + 1..=farms).take(KEYS_PER_READ).map(FarmId).collect();
            let changed = self.read_farms(ids).await?;
            self.sweep.farm = farm.saturating_add(STEP);
            return Ok(Refreshed { changed, was_last: false });
        }
        let slice = {
            let contracts = &explorer.replica().contracts;
            contracts.page(None, |_| true, Some(contract), KEYS_PER_READ)
        };
        let ids = slice.rows.into_iter().map(ContractId).collect();
        let changed = self.read_contracts(ids).await?;
        self.sweep = match slice.next_after {
            Some(contract) => Sweep { contract, ..self.sweep },
            None => Sweep::default(),
        };
        Ok(Refreshed { changed, was_last: slice.next_after.is_none() })
    }
}

/// What a step of the sweep found.
#[derive(Clone, Copy, Debug)]
struct Refreshed {
    changed: u64,
    /// Whether the sweep is through.
    was_last: bool,
}

fn item(id: EventId, block: &Final, event: &Event, about: About) -> Option<Item> {
    let said = dto::Event::new(id, block.time, event, about);
    let json = serde_json::to_string(&said).ok()?;
    Some(Item { id, kind: kind(event).into(), json: json.into() })
}

//! Answers the questions of service `witness/1`: what this node holds, and what its cores can do.
//!
//! Only who is a witness of this node in this epoch (or the one before) is answered, and no more
//! often than the rules need: a puzzle costs all cores.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use acre_capacity::CapacityError;
use acre_capacity::chase::SignedTrail;
use acre_capacity::duty::Rules;
use acre_capacity::index::{Index, Item, ItemId};
use acre_capacity::message::{Answer, Ask, Commitment, Refusal, decode_ask};
use acre_capacity::prove::{Holdings, Shard, open};
use acre_capacity::puzzle;
use acre_crypto::SigningKey;
use acre_disk::Key;
use acre_net::rpc::Message;
use acre_store::shard::{ShardHeader, ShardId};
use acre_types::{ContractId, Digest, Epoch, NodeId, PackId, Profile, PublicKey};
use tokio::sync::watch;

use crate::chase::Chases;
use crate::inventory::{Meaning, meaning, shard_key};
use crate::limits::{ASKS_A_VISIT, EPOCH_WAIT, INDEX_FRESH, INDEXES_KEPT, MUSTER_ASKS};
use crate::metrics::Counters;
use crate::muster::Worker;
use crate::plots::Plots;
use crate::shelf::Shelf;

/// Keys looked at in one go.
const PAGE: usize = 4096;

/// Who may ask, as the ledger says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audience {
    /// The epoch that runs.
    pub(crate) epoch: Epoch,
    /// Witnesses of this node in it.
    pub(crate) witnesses: Vec<NodeId>,
    /// Witnesses in the epoch before.
    pub(crate) before: Vec<NodeId>,
}

impl Audience {
    fn has(&self, epoch: Epoch, who: NodeId) -> bool {
        match epoch {
            epoch if epoch == self.epoch => self.witnesses.contains(&who),
            epoch if epoch < self.epoch => self.before.contains(&who),
            _ => false,
        }
    }

    fn knows(&self, who: NodeId) -> bool {
        self.witnesses.contains(&who) || self.before.contains(&who)
    }
}

/// An index that was committed to.
struct Kept {
    made: Instant,
    index: Arc<Index>,
}

/// Proves what one node has.
pub(crate) struct Prover {
    key: SigningKey,
    rules: Rules,
    plots: Arc<Plots>,
    shelf: Arc<Shelf>,
    audience: watch::Receiver<Audience>,
    /// Newest last.
    indexes: Mutex<VecDeque<Kept>>,
    /// What stands in the log, so that each header is read once.
    shards: Mutex<BTreeMap<Key, Item>>,
    worker: Arc<Worker>,
    counters: Arc<Counters>,
    /// Questions of each witness in the epoch that runs.
    asked: Mutex<(Epoch, BTreeMap<NodeId, [u32; 6]>)>,
    chases: Chases,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Prover {
    pub(crate) fn new(
        key: SigningKey,
        rules: Rules,
        plots: Arc<Plots>,
        shelf: Arc<Shelf>,
        audience: watch::Receiver<Audience>,
        (counters, worker): (Arc<Counters>, Worker),
    ) -> Self {
        Self {
            key,
            rules,
            plots,
            shelf,
            audience,
            indexes: Mutex::default(),
            shards: Mutex::default(),
            worker: Arc::new(worker),
            counters,
            asked: Mutex::default(),
            chases: Chases::default(),
        }
    }

    /// Answers one message of `peer`.
    pub(crate) async fn answer(self: Arc<Self>, peer: PublicKey, message: Message) -> Message {
        let counters = Arc::clone(&self.counters);
        let answer = match decode_ask(&message.meta) {
            Ok(ask) => self.take(peer.into(), ask).await,
            Err(_) => Err(Refusal::Malformed),
        };
        match &answer {
            Ok(_) => counters.challenges_answered.add(1),
            Err(_) => counters.challenges_refused.add(1),
        }
        let answer = answer.unwrap_or_else(Answer::Refused);
        // Answers are longer than what a message's first part may have.
        Message::new(bytes::Bytes::new(), acre_codec::encode(&answer))
    }

    async fn take(self: Arc<Self>, who: NodeId, ask: Ask) -> Result<Answer, Refusal> {
        let (epoch, kind) = match &ask {
            Ask::Commit { epoch, .. } => (Some(*epoch), 0),
            Ask::Open { .. } => (None, 1),
            Ask::Work(task) => (Some(task.epoch), 2),
            Ask::Probe { .. } => (None, 3),
            Ask::Chase { .. } => (None, 4),
            Ask::Trace { .. } => (None, 5),
        };
        self.admit(who, epoch).await?;
        self.count(who, kind)?;
        match ask {
            Ask::Commit { epoch, nonce } => {
                blocking(move || self.commit(epoch, nonce)).await.map(Answer::Committed)
            }
            Ask::Open { index, nonce, samples } => {
                blocking(move || self.open(&index, &nonce, samples)).await.map(Answer::Opened)
            }
            Ask::Work(task) => Arc::clone(&self.worker).claim(task).await.map(Answer::Worked),
            Ask::Probe { task, nonce, probes } => {
                let (known, lanes) = self.worker.held(&task).ok_or(Refusal::Unknown)?;
                let prove = move || puzzle::prove(&known, &lanes, &nonce, probes);
                blocking(move || prove().map_err(|_| Refusal::Malformed)).await.map(Answer::Probed)
            }
            Ask::Chase { index, nonce, steps } => {
                blocking(move || self.chase(who, &index, nonce, steps)).await.map(Answer::Chased)
            }
            Ask::Trace { trail, nonce, probes } => {
                let walked = self.chases.find(who, &trail).ok_or(Refusal::Unknown)?;
                blocking(move || walked.prove(&*self, &nonce, probes).map_err(failed))
                    .await
                    .map(Answer::Traced)
            }
        }
    }

    /// Whether `who` may ask; waits a little if the ledger has not told of its epoch yet.
    async fn admit(&self, who: NodeId, epoch: Option<Epoch>) -> Result<(), Refusal> {
        let mut audience = self.audience.clone();
        let is_in = |audience: &Audience| match epoch {
            Some(epoch) => audience.has(epoch, who),
            None => audience.knows(who),
        };
        if is_in(&audience.borrow()) {
            return Ok(());
        }
        let is_ahead = epoch.is_some_and(|epoch| epoch == audience.borrow().epoch.next());
        if !is_ahead {
            return Err(Refusal::NotWitness);
        }
        match tokio::time::timeout(EPOCH_WAIT, audience.wait_for(|audience| is_in(audience))).await
        {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Refusal::NotWitness),
        }
    }

    fn count(&self, who: NodeId, kind: usize) -> Result<(), Refusal> {
        let epoch = self.audience.borrow().epoch;
        let mut asked = lock(&self.asked);
        if asked.0 != epoch {
            *asked = (epoch, BTreeMap::new());
        }
        let visits = u32::from(self.rules.visits);
        let most = match kind {
            0 | 1 => visits * ASKS_A_VISIT,
            2 | 3 => MUSTER_ASKS,
            // Each chase may be probed twice.
            5 => 2 * ASKS_A_VISIT,
            _ => ASKS_A_VISIT,
        };
        let count = &mut asked.1.entry(who).or_default()[kind];
        *count += 1;
        if *count > most { Err(Refusal::TooOften) } else { Ok(()) }
    }

    fn commit(
        &self,
        epoch: Epoch,
        nonce: Digest,
    ) -> Result<acre_capacity::message::SignedCommitment, Refusal> {
        let index = self.index().map_err(failed)?;
        let node = NodeId::from(self.key.public());
        let (root, plots) = (index.root(), index.plot_bytes());
        Ok(Commitment { node, epoch, nonce, index: root, plots }.sign(&self.key))
    }

    /// The index of what is held now, or was a moment ago.
    fn index(&self) -> Result<Arc<Index>, CapacityError> {
        // Held while the log is looked through, so that two witnesses do not do that twice.
        let mut indexes = lock(&self.indexes);
        if let Some(kept) = indexes.back().filter(|kept| kept.made.elapsed() < INDEX_FRESH) {
            return Ok(Arc::clone(&kept.index));
        }
        let mut items = self.plots.items();
        items.extend(self.held());
        let index = Arc::new(Index::build(items)?);
        indexes.push_back(Kept { made: Instant::now(), index: Arc::clone(&index) });
        while indexes.len() > INDEXES_KEPT {
            indexes.pop_front();
        }
        Ok(index)
    }

    /// The shards in the log, in the order of the index, which is that of the log's keys.
    fn held(&self) -> Vec<Item> {
        let log = self.shelf.log();
        let mut shards = lock(&self.shards);
        let mut found = BTreeMap::new();
        let mut after = None;
        loop {
            let page = log.keys(after.as_ref(), PAGE);
            let Some(last) = page.last() else { break };
            after = Some(*last);
            for key in page {
                let item = shards.get(&key).copied().or_else(|| self.item(&key));
                found.extend(item.map(|item| (key, item)));
            }
        }
        *shards = found;
        shards.values().copied().collect()
    }

    fn item(&self, key: &Key) -> Option<Item> {
        let Some(Meaning::Shard { contract, pack, index }) = meaning(key) else { return None };
        let header = self.shelf.log().header(key).ok()??;
        let header: ShardHeader = acre_codec::decode(&header).ok()?;
        let root = header.pack().root(header.index())?;
        let bytes = header.pack().shard_bytes().into();
        Some(Item { id: ItemId::Shard { contract, pack, index }, bytes, root })
    }

    fn open(
        &self,
        index: &Digest,
        nonce: &Digest,
        samples: u8,
    ) -> Result<acre_capacity::message::Samples, Refusal> {
        open(&*self.kept(index)?, self, nonce, samples).map_err(failed)
    }

    /// An index that was committed to not long ago.
    fn kept(&self, index: &Digest) -> Result<Arc<Index>, Refusal> {
        let known = |kept: &&Kept| kept.index.root().is_some_and(|root| root.digest == *index);
        let found = lock(&self.indexes).iter().rev().find(known).map(|k| Arc::clone(&k.index));
        found.ok_or(Refusal::Unknown)
    }

    fn chase(
        &self,
        who: NodeId,
        index: &Digest,
        nonce: Digest,
        steps: u32,
    ) -> Result<SignedTrail, Refusal> {
        let (index, node) = (self.kept(index)?, NodeId::from(self.key.public()));
        let is_busy = || self.shelf.is_busy();
        let asked = (index, nonce, steps);
        let walked = self.chases.run(&self.rules.chase, asked, self, &is_busy, node)?;
        let trail = walked.trail().clone().sign(&self.key);
        let audience = self.audience.borrow().clone();
        self.chases.keep(who, walked, |witness| audience.knows(witness));
        Ok(trail)
    }
}

fn failed(error: CapacityError) -> Refusal {
    match error {
        CapacityError::NothingHeld => Refusal::Unknown,
        CapacityError::Malformed { .. } => Refusal::Malformed,
        error => {
            tracing::warn!(%error, "a witness could not be answered");
            Refusal::Failed
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Failed)?
}

impl Holdings for Prover {
    fn plot(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        self.plots.data(region, offset, into)
    }

    fn outboard(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        self.plots.tree(region, offset, into)
    }

    fn shard(&self, contract: ContractId, pack: PackId, index: u8) -> Result<Shard, CapacityError> {
        let item = ItemId::Shard { contract, pack, index };
        let record = self.shelf.log().get(&key_of(item, contract, pack, index)?);
        let record = record.map_err(|error| unread(item, error.to_string()))?;
        let record = record.ok_or_else(|| unread(item, "it is gone".to_owned()))?;
        Ok(Shard { header: record.header.to_vec(), body: record.body.to_vec() })
    }

    fn part(
        &self,
        contract: ContractId,
        pack: PackId,
        index: u8,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), CapacityError> {
        let item = ItemId::Shard { contract, pack, index };
        let key = key_of(item, contract, pack, index)?;
        let part = self.shelf.log().get_range(&key, offset, into.len() as u64);
        let part = part.map_err(|error| unread(item, error.to_string()))?;
        let part = part.filter(|part| part.len() == into.len());
        into.copy_from_slice(&part.ok_or_else(|| unread(item, "it is gone".to_owned()))?);
        Ok(())
    }
}

fn unread(item: ItemId, reason: String) -> CapacityError {
    CapacityError::Read { item, reason }
}

/// Where a shard stands in the log.
fn key_of(
    item: ItemId,
    contract: ContractId,
    pack: PackId,
    index: u8,
) -> Result<Key, CapacityError> {
    // Any profile with enough shards names the position.
    let widest = Profile::ALL.into_iter().max_by_key(|profile| profile.shards());
    let position = widest.and_then(|profile| profile.shard(usize::from(index)).ok());
    let position = position.ok_or_else(|| unread(item, "no such position".to_owned()))?;
    Ok(shard_key(contract, ShardId { pack, index: position }))
}

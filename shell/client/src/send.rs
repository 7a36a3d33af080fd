//! Sends sealed packs, a bounded number at once, and keeps account of what became of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use acre_store::machine::{Event, MachineError, Operation, PutSpec};
use acre_store::pack::SealedPack;
use acre_types::{Bytes, PackId};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::ClientError;
use crate::cache::Chunks;
use crate::courier::{Load, Told};
use crate::limits::{FULL_WAIT, INDEX_BYTES, SEALED_BYTES_MAX};
use crate::shared::Core;
use crate::volume::Volume;

/// What was sent so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) shards: u64,
    pub(crate) bytes: u64,
    pub(crate) not_yet_full: u64,
}

/// Packs under way.
#[derive(Default)]
struct Under {
    unacknowledged: usize,
    unfinished: usize,
    failed: Option<ClientError>,
    sent: Sent,
}

/// See the module. Clones are the same.
#[derive(Clone)]
pub(crate) struct Sender(Arc<Inner>);

struct Inner {
    core: Arc<Core>,
    volume: Arc<Volume>,
    handle: Handle,
    room: Arc<Semaphore>,
    under: watch::Sender<Under>,
    acknowledged: Mutex<Vec<Chunks>>,
    stored: Mutex<BTreeSet<PackId>>,
}

impl Sender {
    pub(crate) fn new(core: &Arc<Core>, volume: &Arc<Volume>, handle: &Handle) -> Self {
        Self(Arc::new(Inner {
            core: Arc::clone(core),
            volume: Arc::clone(volume),
            handle: handle.clone(),
            room: Arc::new(Semaphore::new(usize::try_from(SEALED_BYTES_MAX).unwrap_or(usize::MAX))),
            under: watch::Sender::new(Under::default()),
            acknowledged: Mutex::default(),
            stored: Mutex::default(),
        }))
    }

    /// Signs and sends a pack; waits while too many are under way. `chunks`: what to remember of
    /// it once it is acknowledged.
    ///
    /// # Errors
    /// What an earlier pack failed of.
    pub(crate) fn send(
        &self,
        sealed: SealedPack,
        chunks: Option<Chunks>,
    ) -> Result<(), ClientError> {
        let inner = &self.0;
        let pack = sealed.header().pack();
        let places = inner.volume.places();
        let spec = PutSpec { pack, places, shard_bytes: sealed.header().shard_bytes() };
        let coded = u32::try_from(spec.coded_bytes()).unwrap_or(u32::MAX).min(SEALED_BYTES_MAX);
        let room = Arc::clone(&inner.room);
        let room = inner.handle.block_on(room.acquire_many_owned(coded));
        let room = room.map_err(|_| ClientError::Closed)?;
        self.check()?;
        let shard_bytes = u64::from(spec.shard_bytes);
        let signed = sealed.sign(inner.volume.keys.signing_key());
        let load = Load { party: Arc::clone(&inner.volume.party), pack: Some(signed), head: None };
        inner.under.send_modify(|under| {
            under.unacknowledged += 1;
            under.unfinished += 1;
        });
        let mut putting = inner.core.courier.begin(Operation::Put(spec), load);
        let (inner, mut chunks) = (Arc::clone(inner), chunks);
        self.0.handle.spawn(async move {
            let mut is_acknowledged = false;
            let mut ended = false;
            while let Some(told) = putting.next().await {
                match told {
                    Told::Event(Event::Acknowledged { .. }) => {
                        is_acknowledged = true;
                        inner.acknowledge(pack, chunks.take());
                    }
                    Told::Event(Event::Stored { copies, missing }) => {
                        ended = true;
                        inner.under.send_modify(|under| {
                            let shards = u64::try_from(copies.len()).unwrap_or(u64::MAX);
                            under.sent.shards += shards;
                            under.sent.bytes += shards * shard_bytes;
                            under.sent.not_yet_full += u64::from(!missing.is_empty());
                        });
                    }
                    Told::Event(Event::Failed(error)) => inner.fail(not_stored(error)),
                    _ => {}
                }
            }
            if !is_acknowledged || !ended {
                inner.fail(ClientError::Closed);
            }
            inner.under.send_modify(|under| {
                under.unacknowledged -= usize::from(!is_acknowledged);
                under.unfinished -= 1;
            });
            drop(room);
        });
        Ok(())
    }

    /// Has the contract grow.
    pub(crate) fn reserve(&self, bytes: Bytes) {
        self.0.handle.block_on(self.0.volume.reserve(bytes));
    }

    /// # Errors
    /// What a pack failed of.
    pub(crate) fn check(&self) -> Result<(), ClientError> {
        self.0.under.borrow().failed.clone().map_or(Ok(()), Err)
    }

    /// Whether this pack was acknowledged in this session.
    pub(crate) fn has_stored(&self, pack: PackId) -> bool {
        self.0.stored.lock().unwrap_or_else(PoisonError::into_inner).contains(&pack)
    }

    /// Chunks of packs that were acknowledged since the last call, which are in the index now.
    /// Only every so many bytes, unless told to give all.
    pub(crate) fn take_acknowledged(&self, how: Take) -> Vec<Chunks> {
        let taken = {
            let mut chunks = self.0.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
            let bytes: u64 = chunks.iter().map(|(info, _)| u64::from(info.pack_bytes)).sum();
            if how == Take::Many && bytes < INDEX_BYTES {
                return Vec::new();
            }
            std::mem::take(&mut *chunks)
        };
        self.0.core.cache.remember(self.0.volume.id, &taken);
        taken
    }

    /// Waits until every pack is acknowledged.
    ///
    /// # Errors
    /// What a pack failed of.
    pub(crate) fn settle(&self) -> Result<(), ClientError> {
        let mut under = self.0.under.subscribe();
        let done = under.wait_for(|under| under.unacknowledged == 0 || under.failed.is_some());
        // It fails when the sender of the channel is gone, which we hold.
        let _ = self.0.handle.block_on(done);
        self.check()
    }

    /// Waits a little for the last shards of packs that are acknowledged; then what was sent.
    pub(crate) fn finish(&self) -> Sent {
        let mut under = self.0.under.subscribe();
        let done = under.wait_for(|under| under.unfinished == 0);
        let timed = async { tokio::time::timeout(FULL_WAIT, done).await.is_ok() };
        let is_done = self.0.handle.block_on(timed);
        let under = self.0.under.borrow();
        let mut sent = under.sent;
        if !is_done {
            sent.not_yet_full += u64::try_from(under.unfinished).unwrap_or(u64::MAX);
        }
        sent
    }
}

/// How much of what is there to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// Nothing while it is little.
    Many,
    /// All.
    All,
}

impl Inner {
    fn acknowledge(&self, pack: PackId, chunks: Option<Chunks>) {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).insert(pack);
        if let Some(chunks) = chunks {
            self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(chunks);
        }
        self.under.send_modify(|under| under.unacknowledged -= 1);
    }

    /// Keeps the first failure.
    fn fail(&self, error: ClientError) {
        self.under.send_modify(|under| {
            if under.failed.is_none() {
                under.failed = Some(error);
            }
        });
    }
}

fn not_stored(error: MachineError) -> ClientError {
    match error {
        MachineError::NotEnoughPlaces { pack, stored, needed, no_space, unreachable, refused } => {
            ClientError::NotStored {
                pack,
                stored: stored.len(),
                needed: usize::from(needed),
                no_space,
                unreachable,
                refused,
            }
        }
        other => ClientError::Machine(other),
    }
}

//! A ledger that only counts: transactions are numbers, the state is their set and sum.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "each test binary uses another part"
)]

use acre_engine::{
    AppError, Application, Applied, Block, BlockId, BlockRef, Genesis, Proposal, Verdict,
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Notify;

/// One block as the application recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub id: BlockId,
    pub header: Bytes,
    pub certificate: Option<Bytes>,
}

/// What survives the process.
#[derive(Default)]
pub struct Disk {
    pub applied: u64,
    pub id: Option<BlockId>,
    pub spent: BTreeSet<u64>,
    pub blocks: BTreeMap<u64, Recorded>,
    /// Calls of `finalize`, to see that none is repeated.
    pub finalized: u64,
}

/// One validator's ledger from outside: its disk, its waiting transactions, its wake signal.
#[derive(Clone, Default)]
pub struct Counter {
    disk: Arc<Mutex<Disk>>,
    waiting: Arc<Mutex<BTreeSet<u64>>>,
    pub wake: Arc<Notify>,
    fail_at: Arc<Mutex<Option<u64>>>,
    lies: Arc<AtomicBool>,
}

impl Counter {
    pub fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    pub fn submit(&self, number: u64) {
        self.waiting.lock().unwrap().insert(number);
        self.wake.notify_one();
    }

    /// Fails to finalize this height from now on.
    pub fn fail_at(&self, height: u64) {
        *self.fail_at.lock().unwrap() = Some(height);
    }

    /// Claims wrong state roots in its proposals from now on.
    pub fn lie(&self) {
        self.lies.store(true, Ordering::Relaxed);
    }

    /// The application of a process that starts now.
    pub fn start(&self) -> Box<dyn Application> {
        Box::new(Process { shared: self.clone(), overlays: BTreeMap::new() })
    }
}

struct Process {
    shared: Counter,
    /// Unfinalized blocks: parent and numbers.
    overlays: BTreeMap<BlockId, (u64, BlockId, BTreeSet<u64>)>,
}

impl Process {
    /// All numbers spent up to this block.
    fn spent(&self, block: &BlockId) -> BTreeSet<u64> {
        match self.overlays.get(block) {
            Some((_, parent, own)) => &self.spent(parent) | own,
            None => self.shared.disk().spent.clone(),
        }
    }

    fn fresh(&self, parent: &BlockRef) -> BTreeSet<u64> {
        let waiting = self.shared.waiting.lock().unwrap().clone();
        &waiting - &self.spent(&parent.id)
    }
}

fn root(spent: &BTreeSet<u64>) -> [u8; 32] {
    let mut root = [0; 32];
    root[..8].copy_from_slice(&spent.iter().sum::<u64>().to_be_bytes());
    root[8..16].copy_from_slice(&(spent.len() as u64).to_be_bytes());
    root
}

fn numbers(payload: &[u8]) -> Option<BTreeSet<u64>> {
    let numbers: Vec<_> = payload
        .chunks(8)
        .map(|n| n.try_into().ok().map(u64::from_be_bytes))
        .collect::<Option<_>>()?;
    numbers.is_sorted_by(|a, b| a < b).then(|| numbers.into_iter().collect())
}

impl Application for Process {
    fn genesis(&self) -> Genesis {
        Genesis {
            payload: Bytes::from_static(b"counter"),
            state_root: root(&BTreeSet::new()),
            timestamp_ms: 1_700_000_000_000,
        }
    }

    fn applied(&self) -> Applied {
        let disk = self.shared.disk();
        Applied { height: disk.applied, id: disk.id }
    }

    fn knows(&self, block: &BlockId) -> bool {
        self.overlays.contains_key(block) || self.shared.disk().id == Some(*block)
    }

    fn has_work(&mut self, parent: &BlockRef) -> bool {
        !self.fresh(parent).is_empty()
    }

    fn propose(&mut self, parent: &BlockRef, _: u64) -> Result<Option<Proposal>, AppError> {
        let fresh = self.fresh(parent);
        let payload: Vec<u8> = fresh.iter().flat_map(|number| number.to_be_bytes()).collect();
        let mut state_root = root(&(&self.spent(&parent.id) | &fresh));
        if self.shared.lies.load(Ordering::Relaxed) {
            state_root[31] ^= 1;
        }
        Ok(Some(Proposal { payload: payload.into(), state_root }))
    }

    fn proposed(&mut self, block: &Block) -> Result<(), AppError> {
        let own = numbers(block.payload()).ok_or("own block is unsorted")?;
        self.overlays.insert(block.id(), (block.height(), block.parent(), own));
        Ok(())
    }

    fn verify(&mut self, block: &Block) -> Result<Verdict, AppError> {
        let Some(own) = numbers(block.payload()) else {
            return Ok(Verdict::Invalid("unsorted".into()));
        };
        let spent = self.spent(&block.parent());
        if !spent.is_disjoint(&own) {
            return Ok(Verdict::Invalid("spent twice".into()));
        }
        if root(&(&spent | &own)) != block.header().state_root() {
            return Ok(Verdict::Invalid("wrong root".into()));
        }
        self.overlays.insert(block.id(), (block.height(), block.parent(), own));
        Ok(Verdict::Valid)
    }

    fn finalize(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), AppError> {
        if *self.shared.fail_at.lock().unwrap() == Some(block.height()) {
            return Err("disk on fire".into());
        }
        let own = numbers(block.payload()).ok_or("unsorted block became final")?;
        let mut disk = self.shared.disk();
        assert_eq!(disk.applied + 1, block.height(), "blocks come in order, each once");
        disk.spent.extend(own.iter().copied());
        assert_eq!(root(&disk.spent), block.header().state_root());
        disk.applied = block.height();
        disk.id = Some(block.id());
        disk.finalized += 1;
        let recorded = Recorded {
            id: block.id(),
            header: block.header().to_bytes(),
            certificate: certificate.map(Bytes::copy_from_slice),
        };
        disk.blocks.insert(block.height(), recorded);
        drop(disk);
        self.overlays.retain(|_, (height, _, _)| *height > block.height());
        let mut waiting = self.shared.waiting.lock().unwrap();
        waiting.retain(|number| !own.contains(number));
        Ok(())
    }
}

//! A ledger that only counts: transactions are numbers, the state is their set and sum.
//!
//! Numbers from [`JOIN`] and [`LEAVE`] on change the committee of the next term.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "each test binary uses another part"
)]

use acre_engine::{
    AppError, Application, Applied, Block, BlockId, BlockRef, Committee, Genesis, Participant,
    Proposal, Start, Verdict, defaults,
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
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
    /// Header and payload.
    pub block: Bytes,
    pub certificate: Option<Bytes>,
}

/// `JOIN + i`: process `i` votes from the next term on.
pub const JOIN: u64 = 1 << 32;
/// `LEAVE + i`: process `i` votes no more from the next term on. One transaction a process.
pub const LEAVE: u64 = 1 << 33;

/// All that may ever take part, and who votes at first.
#[derive(Clone, Debug)]
pub struct Roll {
    pub all: Vec<Participant>,
    pub first: BTreeSet<usize>,
    pub term_heights: u64,
}

impl Roll {
    /// All processes of a simulation.
    pub fn of(keys: &[[u8; 32]], first: impl IntoIterator<Item = usize>) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        Self {
            all: keys.iter().map(|key| Participant { key: *key, address }).collect(),
            first: first.into_iter().collect(),
            term_heights: defaults::TERM_HEIGHTS.get(),
        }
    }

    /// Those that vote in the term after the one in which these numbers were spent.
    fn next(&self, spent: &BTreeSet<u64>) -> BTreeSet<usize> {
        let named = |base: u64| {
            (0..self.all.len()).filter(move |index| spent.contains(&(base + *index as u64)))
        };
        let mut seats = self.first.clone();
        seats.extend(named(JOIN));
        named(LEAVE).for_each(|index| {
            seats.remove(&index);
        });
        seats
    }
}

/// What survives the process.
#[derive(Clone, Default)]
pub struct Disk {
    pub applied: u64,
    pub id: Option<BlockId>,
    pub spent: BTreeSet<u64>,
    pub blocks: BTreeMap<u64, Recorded>,
    /// Who votes, by term, as it was settled by the last block of the term before.
    pub seats: BTreeMap<u64, BTreeSet<usize>>,
    /// Calls of `finalize`, to see that none is repeated.
    pub finalized: u64,
}

/// One validator's ledger from outside: its disk, its waiting transactions, its wake signal.
#[derive(Clone)]
pub struct Counter {
    roll: Arc<Mutex<Roll>>,
    disk: Arc<Mutex<Disk>>,
    waiting: Arc<Mutex<BTreeSet<u64>>>,
    pub wake: Arc<Notify>,
    fail_at: Arc<Mutex<Option<u64>>>,
    lies: Arc<AtomicBool>,
}

impl Counter {
    pub fn new(roll: Roll) -> Self {
        Self {
            roll: Arc::new(Mutex::new(roll)),
            disk: Arc::default(),
            waiting: Arc::default(),
            wake: Arc::default(),
            fail_at: Arc::default(),
            lies: Arc::default(),
        }
    }

    /// The ledger of a chain with only this validator.
    pub fn alone(key: [u8; 32]) -> Self {
        Self::new(Roll::of(&[key], [0]))
    }

    /// The last block with a certificate, as a start for others.
    pub fn anchor(&self) -> Start {
        let disk = self.disk();
        let certified = disk.blocks.values().rev().find_map(|b| Some((b, b.certificate.clone()?)));
        let (block, certificate) = certified.unwrap();
        Start::At { block: block.block.clone(), certificate }
    }

    /// Changes an address, or anything else.
    pub fn change_roll(&self, change: impl FnOnce(&mut Roll)) {
        change(&mut self.roll.lock().unwrap());
    }

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

    fn committee(&self, term: u64) -> Option<Committee> {
        let roll = self.shared.roll.lock().unwrap();
        let disk = self.shared.disk();
        let seats = if term == 0 { Some(&roll.first) } else { disk.seats.get(&term) }?;
        let (validators, followers): (Vec<_>, Vec<_>) =
            roll.all.iter().enumerate().partition(|(index, _)| seats.contains(index));
        let list = |list: Vec<(usize, &Participant)>| list.into_iter().map(|(_, p)| *p).collect();
        Some(Committee { validators: list(validators), followers: list(followers) })
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
            block: block.to_bytes(),
            certificate: certificate.map(Bytes::copy_from_slice),
        };
        disk.blocks.insert(block.height(), recorded);
        let roll = self.shared.roll.lock().unwrap().clone();
        if (block.height() + 1).is_multiple_of(roll.term_heights) {
            let seats = roll.next(&disk.spent);
            disk.seats.insert((block.height() + 1) / roll.term_heights, seats);
        }
        drop(disk);
        self.overlays.retain(|_, (height, _, _)| *height > block.height());
        let mut waiting = self.shared.waiting.lock().unwrap();
        waiting.retain(|number| !own.contains(number));
        Ok(())
    }
}

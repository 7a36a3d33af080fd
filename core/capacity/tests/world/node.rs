//! The nodes of the model: honest ones, and cheats by name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use acre_capacity::CapacityError;
use acre_capacity::chase::{Walk, Walked};
use acre_capacity::duty::{Duty, Rules};
use acre_capacity::index::{Index, Item, ItemId};
use acre_capacity::message::{Answer, Ask, Commitment, Refusal};
use acre_capacity::plot::{Fill, Progress, Region};
use acre_capacity::prove::{Holdings, Shard, open};
use acre_capacity::puzzle::{self, Claim, Lane, Task};
use acre_capacity::verify::HeaderCheck;
use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_types::{ContractId, Digest, Epoch, NodeId, PackId, Tick};

use super::{Numbers, REGIONS};

/// How a node behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Holds all, answers all.
    Honest,
    /// Holds this share and makes the rest of its plots again when asked, at `fill` a region.
    Part { percent: u32, fill: Duration },
    /// Holds this share and says of the rest that it is missing.
    Holes { percent: u32 },
    /// Every sample takes so long to read.
    SlowDisk { read: Duration },
    /// Honest, on a disk that spins: every read takes so long.
    Spinning { read: Duration },
    /// Holds nothing itself: everything is with a neighbour so far away.
    Neighbour { round_trip: Duration },
    /// The same, and the neighbour takes the chase's steps itself: one round trip for all of them.
    Walker { round_trip: Duration },
    /// Every read takes so long, and this share of a chase's reads is left out and made up.
    Skipper { read: Duration, percent: u64 },
    /// Honest; while it is chased for the first time in an epoch it gives up a region.
    Seller,
    /// Honest; what it committed to first in an epoch it has forgotten when it is chased.
    Forgetful,
    /// Fills its plots with cheap numbers that it can make at any time.
    Forger { percent: u32 },
    /// Is there for this share of the time, in stretches of seconds.
    Flaky { percent: u64 },
    /// Holds a tenth, and lies as a witness for others of its kind.
    Ring,
}

impl Behaviour {
    pub fn is_ring(self) -> bool {
        self == Self::Ring
    }
}

/// One node.
pub struct Node {
    pub id: NodeId,
    pub kind: Behaviour,
    key: SigningKey,
    regions: Vec<Region>,
    shards: Vec<(Item, Vec<u8>)>,
    index: Arc<Index>,
    solved: Option<(Task, Vec<Lane>)>,
    /// By the digests of their trails.
    walked: BTreeMap<Digest, Walked>,
    /// A chase runs until then.
    chasing: Tick,
    /// Chases of the epoch of [`Node::epoch`], over all witnesses.
    chases: u32,
    epoch: Epoch,
}

/// A read of a disk without moving parts.
const SOLID_READ: Duration = Duration::from_micros(100);

const SHARD_BYTES: u64 = 4096 + 64;

fn writer() -> SigningKey {
    SigningKey::from_seed(Secret::new([77; 32]))
}

/// A header of the model: root, length and the writer's signature.
fn header(item: &Item) -> Vec<u8> {
    let bytes = acre_codec::encode(item);
    let signature = writer().sign_bytes("acre/test-header/1", &bytes);
    acre_codec::encode(&(*item, signature))
}

pub fn check_header(item: &Item, header: &[u8]) -> HeaderCheck {
    if matches!(item.id, ItemId::Plot(_)) {
        return HeaderCheck::None;
    }
    let Ok((of, signature)) = acre_codec::decode::<(Item, acre_types::Signature)>(header) else {
        return HeaderCheck::Refused;
    };
    let bytes = acre_codec::encode(&of);
    let key = writer().public();
    let is_good = of.id == item.id
        && acre_crypto::verify_bytes(&key, "acre/test-header/1", &bytes, &signature).is_ok();
    if is_good {
        HeaderCheck::Signed { root: of.root, bytes: of.bytes, most: u64::MAX }
    } else {
        HeaderCheck::Refused
    }
}

/// Shard `number` of those that fill `sold` bytes; the last is shorter.
fn shard(seed: u64, number: u64, sold: u64) -> (Item, Vec<u8>) {
    let bytes = SHARD_BYTES.min(sold - number * SHARD_BYTES);
    let body: Vec<u8> = (0..bytes).map(|at| (at * 31 + number * 7 + seed * 131) as u8).collect();
    let mut pack = [0; 16];
    pack[..8].copy_from_slice(&number.to_be_bytes());
    let id = ItemId::Shard { contract: ContractId(seed + 1), pack: PackId(pack), index: 0 };
    let item = Item { id, bytes: body.len() as u64, root: acre_crypto::digest(&body) };
    (item, body)
}

impl Node {
    pub fn new(seed: u64, kind: Behaviour, rules: &Rules) -> Self {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let key = SigningKey::from_seed(Secret::new(bytes));
        let id = NodeId::from(key.public());
        let real = match kind {
            Behaviour::Forger { percent } => REGIONS * percent / 100,
            _ => REGIONS,
        };
        let region = |number: u32| {
            // A region of another node's key: as good as any cheap numbers.
            let of = if number < real { id } else { NodeId([7; 32]) };
            Fill::new(of, number, rules.plot).unwrap().finish()
        };
        let regions: Vec<Region> = (0..REGIONS).map(region).collect();
        let sold = u64::from(REGIONS) * u64::from(rules.plot.region_bytes);
        let shards: Vec<_> =
            (0..sold.div_ceil(SHARD_BYTES)).map(|number| shard(seed, number, sold)).collect();
        let plots = (0..).zip(&regions).map(|(number, region)| Item {
            id: ItemId::Plot(number),
            bytes: rules.plot.region_bytes.into(),
            root: region.root,
        });
        let items = plots.chain(shards.iter().map(|(item, _)| *item)).collect();
        let index = Arc::new(Index::build(items).unwrap());
        let (solved, walked, chases, epoch) = (None, BTreeMap::new(), 0, Epoch(0));
        let chasing = Tick(0);
        Self { id, kind, key, regions, shards, index, solved, walked, chasing, chases, epoch }
    }

    pub fn duty(&self) -> Duty {
        super::duty(self.id)
    }

    /// The answer and the time that it takes to make, or nothing.
    pub fn serve(
        &mut self,
        now: Tick,
        ask: &Ask,
        numbers: &mut Numbers,
    ) -> Option<(Answer, Duration)> {
        if let Behaviour::Flaky { percent } = self.kind {
            // In or out for five seconds at a time.
            let stretch = Numbers::new(now.0 / 5_000_000 + u64::from(self.id.0[0])).below(100);
            if stretch >= percent {
                return None;
            }
        }
        let quick = Duration::from_millis(1 + numbers.below(5));
        let answer = match ask {
            Ask::Commit { epoch, nonce } => {
                let (index, plots) = (self.index.root(), self.index.plot_bytes());
                let (node, epoch, nonce) = (self.id, *epoch, *nonce);
                if epoch != self.epoch {
                    (self.epoch, self.chases) = (epoch, 0);
                    self.walked.clear();
                }
                let commitment = Commitment { node, epoch, nonce, index, plots };
                Answer::Committed(commitment.sign(&self.key))
            }
            Ask::Open { nonce, samples, .. } => {
                let reading =
                    Reading { node: self, asked: Asked::Samples, cost: RefCell::default() };
                let opened = open(&self.index, &reading, nonce, *samples).unwrap();
                let work = reading.cost.into_inner().total(self.kind);
                return Some((Answer::Opened(opened), quick + work));
            }
            Ask::Chase { nonce, steps, .. } => return Some(self.chase(now, nonce, *steps, quick)),
            Ask::Trace { trail, nonce, probes } => {
                let reading =
                    Reading { node: self, asked: Asked::Samples, cost: RefCell::default() };
                match self.walked.get(trail) {
                    Some(walked) => Answer::Traced(walked.prove(&reading, nonce, *probes).unwrap()),
                    None => Answer::Refused(Refusal::Unknown),
                }
            }
            Ask::Work(task) => {
                let lanes: Vec<Lane> =
                    (0..task.lanes).map(|lane| Lane::solve(task, lane).unwrap()).collect();
                let claims = lanes.iter().map(Lane::claim).collect();
                let claim = Claim { task: task.digest(), lanes: List::new(claims).unwrap() };
                self.solved = Some((*task, lanes));
                Answer::Worked(claim.sign(&self.key))
            }
            Ask::Probe { nonce, probes, .. } => match &self.solved {
                Some((task, lanes)) => {
                    Answer::Probed(puzzle::prove(task, lanes, nonce, *probes).unwrap())
                }
                None => Answer::Refused(Refusal::Unknown),
            },
        };
        Some((answer, quick))
    }

    fn chase(
        &mut self,
        now: Tick,
        nonce: &Digest,
        steps: u32,
        quick: Duration,
    ) -> (Answer, Duration) {
        if now < self.chasing {
            return (Answer::Refused(Refusal::Busy), quick);
        }
        self.chases += 1;
        if self.kind == Behaviour::Forgetful && self.chases == 1 {
            return (Answer::Refused(Refusal::Unknown), quick);
        }
        let reading = Reading { node: self, asked: Asked::Chase, cost: RefCell::default() };
        let mut walk = Walk::new(Arc::clone(&self.index), *nonce, steps).unwrap();
        while walk.step(&reading) == Progress::More {}
        let work = reading.cost.into_inner().chase(self.kind);
        let walked = walk.finish(self.id).unwrap();
        let trail = walked.trail().clone().sign(&self.key);
        self.walked.insert(walked.trail().digest(), walked);
        self.chasing = now.after(work);
        (Answer::Chased(trail), quick + work)
    }
}

/// What a node reads for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Samples,
    Chase,
}

/// What one request cost the node.
#[derive(Default)]
struct Cost {
    reads: u32,
    skipped: u64,
    regions: Vec<u32>,
}

impl Cost {
    fn total(&self, kind: Behaviour) -> Duration {
        match kind {
            Behaviour::SlowDisk { read } | Behaviour::Spinning { read } => read * self.reads,
            Behaviour::Neighbour { round_trip } | Behaviour::Walker { round_trip } => round_trip,
            // Side by side.
            Behaviour::Skipper { read, .. } => read,
            // Each region is one chain; a cheat with many cores makes all of them at once.
            Behaviour::Part { fill, .. } if !self.regions.is_empty() => fill,
            _ => Duration::ZERO,
        }
    }

    /// The same of a chase, whose reads wait for each other.
    fn chase(&self, kind: Behaviour) -> Duration {
        match kind {
            Behaviour::SlowDisk { read }
            | Behaviour::Spinning { read }
            | Behaviour::Neighbour { round_trip: read }
            | Behaviour::Skipper { read, .. } => read * self.reads,
            Behaviour::Walker { round_trip } => round_trip + SOLID_READ * self.reads,
            Behaviour::Part { fill, .. } => {
                SOLID_READ * self.reads + fill * self.regions.len() as u32
            }
            _ => SOLID_READ * self.reads,
        }
    }
}

struct Reading<'a> {
    node: &'a Node,
    asked: Asked,
    cost: RefCell<Cost>,
}

impl Reading<'_> {
    fn missing(item: ItemId) -> CapacityError {
        CapacityError::Read { item, reason: "not kept".to_owned() }
    }

    /// Counts a read; whether it is left out.
    fn is_skipped(&self) -> bool {
        let mut cost = self.cost.borrow_mut();
        if let (Behaviour::Skipper { percent, .. }, Asked::Chase) = (self.node.kind, self.asked) {
            cost.skipped += percent;
            if cost.skipped >= 100 {
                cost.skipped -= 100;
                return true;
            }
        }
        cost.reads += 1;
        false
    }
}

impl Holdings for Reading<'_> {
    fn plot(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        if self.is_skipped() {
            // Whatever stood in the buffer.
            return Ok(());
        }
        let is_first_chase = self.asked == Asked::Chase && self.node.chases == 1;
        match self.node.kind {
            Behaviour::Part { percent, .. } if region >= REGIONS * percent / 100 => {
                self.cost.borrow_mut().regions.push(region);
            }
            Behaviour::Seller if region + 1 == REGIONS && is_first_chase => {
                return Err(Self::missing(ItemId::Plot(region)));
            }
            Behaviour::Holes { percent } if region >= REGIONS * percent / 100 => {
                return Err(Self::missing(ItemId::Plot(region)));
            }
            Behaviour::Ring if region > 0 => return Err(Self::missing(ItemId::Plot(region))),
            _ => {}
        }
        let bytes = self.node.regions[region as usize].bytes();
        into.copy_from_slice(&bytes[offset as usize..][..into.len()]);
        Ok(())
    }

    fn outboard(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        let outboard = &self.node.regions[region as usize].outboard;
        into.copy_from_slice(&outboard[offset as usize..][..into.len()]);
        Ok(())
    }

    fn shard(&self, contract: ContractId, pack: PackId, index: u8) -> Result<Shard, CapacityError> {
        self.cost.borrow_mut().reads += 1;
        let id = ItemId::Shard { contract, pack, index };
        let (item, body) = self.kept(id)?;
        Ok(Shard { header: header(item), body: body.clone() })
    }

    fn part(
        &self,
        contract: ContractId,
        pack: PackId,
        index: u8,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), CapacityError> {
        if self.is_skipped() {
            return Ok(());
        }
        let (_, body) = self.kept(ItemId::Shard { contract, pack, index })?;
        into.copy_from_slice(&body[offset as usize..][..into.len()]);
        Ok(())
    }
}

impl Reading<'_> {
    fn kept(&self, id: ItemId) -> Result<&(Item, Vec<u8>), CapacityError> {
        let number = self.node.shards.iter().position(|(item, _)| item.id == id).unwrap();
        let kept = match self.node.kind {
            Behaviour::Part { percent, .. } | Behaviour::Holes { percent } => percent as usize,
            Behaviour::Ring => 10,
            _ => 100,
        };
        if number >= self.node.shards.len() * kept / 100 {
            return Err(Self::missing(id));
        }
        Ok(&self.node.shards[number])
    }
}

//! A node that sells to itself: an index full of shards that are all one body of 256 KiB.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests")]

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use acre_capacity::CapacityError;
use acre_capacity::chase::{ChaseRules, Walk, Walked};
use acre_capacity::duty::{Duty, In, Out, Plan, Rules, Verdict, Witness, WorkRules};
use acre_capacity::index::{Index, Item, ItemId};
use acre_capacity::limits::{LANE_BYTES_MIN, REGION_BYTES_MIN};
use acre_capacity::message::{Answer, Ask, Commitment, Refusal};
use acre_capacity::plot::{PlotRules, Progress};
use acre_capacity::prove::{Holdings, Shard, open};
use acre_capacity::puzzle::LaneRules;
use acre_capacity::verify::HeaderCheck;
use acre_crypto::{Secret, SigningKey};
use acre_types::{Bytes, ContractId, Digest, Epoch, Machine, NodeId, PackId, Tick};

const BODY: u64 = 256 * 1024;
const GIB: u64 = 1 << 30;

fn rules() -> Rules {
    let lane = LaneRules { lane_bytes: LANE_BYTES_MIN, steps: 8 };
    let par = Duration::from_secs(1);
    Rules {
        plot: PlotRules { region_bytes: REGION_BYTES_MIN, layers: 1 },
        visits: 6,
        samples: 8,
        answer: Duration::from_secs(2),
        retry: Duration::from_secs(1),
        rebuild_every: 1000,
        work: WorkRules { lane, probes: 1, par, memory_scale: 1 },
        chase: ChaseRules { steps: 64, probes: 4, solid: par, spinning: par },
    }
}

/// All shards are one body in memory; plots are not there at all.
struct Bluffer {
    key: SigningKey,
    body: Vec<u8>,
    index: Arc<Index>,
    walked: RefCell<Option<Walked>>,
    /// Every second shard is gone when samples of it are asked for.
    is_half: bool,
}

/// The node without every second shard.
struct Half<'a>(&'a Bluffer);

impl Bluffer {
    /// So many shards of each contract, and so many regions that it does not hold.
    fn new(contracts: &[(u64, u32)], regions: u32) -> Self {
        let body: Vec<u8> = (0..BODY).map(|at| u8::try_from(at * 31 % 256).unwrap()).collect();
        let root = acre_crypto::digest(&body);
        let region = |number| Item {
            id: ItemId::Plot(number),
            bytes: REGION_BYTES_MIN.into(),
            root: Digest([9; 32]),
        };
        let mut items: Vec<_> = (0..regions).map(region).collect();
        for (contract, shards) in contracts {
            items.extend((0..*shards).map(|number| {
                let mut pack = [0; 16];
                pack[..4].copy_from_slice(&number.to_be_bytes());
                let (contract, pack) = (ContractId(*contract), PackId(pack));
                Item { id: ItemId::Shard { contract, pack, index: 0 }, bytes: BODY, root }
            }));
        }
        let key = SigningKey::from_seed(Secret::new([5; 32]));
        let index = Arc::new(Index::build(items).unwrap());
        Self { key, body, index, walked: RefCell::default(), is_half: false }
    }

    fn id(&self) -> NodeId {
        self.key.public().into()
    }

    fn answer(&self, ask: &Ask) -> Answer {
        match ask {
            Ask::Commit { epoch, nonce } => {
                let (index, plots) = (self.index.root(), self.index.plot_bytes());
                let (node, epoch, nonce) = (self.id(), *epoch, *nonce);
                let commitment = Commitment { node, epoch, nonce, index, plots };
                Answer::Committed(commitment.sign(&self.key))
            }
            Ask::Open { nonce, samples, .. } => {
                let half = Half(self);
                let holdings: &dyn Holdings = if self.is_half { &half } else { self };
                Answer::Opened(open(&self.index, holdings, nonce, *samples).unwrap())
            }
            Ask::Chase { nonce, steps, .. } => {
                let mut walk = Walk::new(Arc::clone(&self.index), *nonce, *steps).unwrap();
                while walk.step(self) == Progress::More {}
                let walked = walk.finish(self.id()).unwrap();
                let trail = walked.trail().clone().sign(&self.key);
                *self.walked.borrow_mut() = Some(walked);
                Answer::Chased(trail)
            }
            Ask::Trace { nonce, probes, .. } => {
                let walked = self.walked.borrow();
                Answer::Traced(walked.as_ref().unwrap().prove(self, nonce, *probes).unwrap())
            }
            Ask::Work(_) | Ask::Probe { .. } => Answer::Refused(Refusal::Busy),
        }
    }
}

impl Holdings for Bluffer {
    fn plot(&self, region: u32, _: u64, _: &mut [u8]) -> Result<(), CapacityError> {
        Err(CapacityError::Read { item: ItemId::Plot(region), reason: "not there".to_owned() })
    }

    fn outboard(&self, region: u32, _: u64, _: &mut [u8]) -> Result<(), CapacityError> {
        Err(CapacityError::Read { item: ItemId::Plot(region), reason: "not there".to_owned() })
    }

    fn shard(&self, _: ContractId, _: PackId, _: u8) -> Result<Shard, CapacityError> {
        Ok(Shard { header: vec![1], body: self.body.clone() })
    }
}

impl Holdings for Half<'_> {
    fn plot(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        self.0.plot(region, offset, into)
    }

    fn outboard(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        self.0.outboard(region, offset, into)
    }

    fn shard(&self, contract: ContractId, pack: PackId, index: u8) -> Result<Shard, CapacityError> {
        if pack.0[3] % 2 == 1 {
            let item = ItemId::Shard { contract, pack, index };
            return Err(CapacityError::Read { item, reason: "gone".to_owned() });
        }
        self.0.shard(contract, pack, index)
    }
}

/// What a witness says after an epoch in which the ledger had `reserved` at the node, and `later`
/// from its first commitment on. The writer signs whatever it is asked to; no contract may have
/// more than `most` here.
fn witnessed(node: &Bluffer, reserved: u64, later: Option<u64>, most: u64) -> Verdict {
    witnessed_when(node, (reserved, later, most), |_| false)
}

/// The same for a node that answers some questions after the deadline.
fn witnessed_when(
    node: &Bluffer,
    (reserved, later, most): (u64, Option<u64>, u64),
    mut is_late: impl FnMut(&Ask) -> bool,
) -> Verdict {
    let mut witness = Witness::new(rules()).unwrap();
    let (id, ends) = (node.id(), Tick(60_000_000));
    let (cores, memory, reserved) = (1, Bytes(0), Bytes(reserved));
    let duty = Duty { node: id, cores, memory, proven: (1, memory), reserved };
    let (epoch, secret) = (Epoch(4), Digest([1; 32]));
    let plan = Plan { epoch, secret, began: Tick(0), ends, duties: vec![duty] };
    witness.input(Tick(0), In::Begin(plan));
    let mut now = Tick(0);
    loop {
        now = witness.deadline().unwrap().max(now);
        witness.wake(now);
        while let Some(out) = witness.output() {
            match out {
                Out::Ask { call, ask, .. } => {
                    let root = acre_crypto::digest(&node.body);
                    let check = HeaderCheck::Signed { root, bytes: BODY, most };
                    let headers = vec![check; rules().samples.into()];
                    if let (Ask::Commit { .. }, Some(bytes)) = (&ask, later) {
                        witness.input(now, In::Reserved { node: id, bytes: Bytes(bytes) });
                    }
                    if is_late(&ask) {
                        now = now.after(rules().answer * 2);
                    }
                    let answer = node.answer(&ask);
                    witness.input(now, In::Answered { call, answer, headers });
                }
                Out::Report(report) => return report.verdicts[0],
                Out::Rebuild { .. } => panic!("no plot was shown"),
            }
        }
    }
}

#[test]
fn shards_count_up_to_what_contracts_have_reserved() {
    // A contract of two bytes over three own nodes; the index has a GiB of it.
    let node = Bluffer::new(&[(7, 4096)], 0);
    let verdict = witnessed(&node, 2, None, u64::MAX);
    assert_eq!((verdict.storage, verdict.sold), (Bytes(2), Bytes(2)), "{verdict:?}");
    let paid = witnessed(&node, GIB, None, u64::MAX);
    assert_eq!((paid.storage, paid.sold), (Bytes(GIB), Bytes(GIB)), "{paid:?}");
}

#[test]
fn one_contract_does_not_fill_what_another_has_reserved() {
    // 600 MiB are reserved by a stranger who stored nothing yet.
    let node = Bluffer::new(&[(7, 4096)], 0);
    let verdict = witnessed(&node, 600 << 20, None, 8 << 20);
    assert_eq!(verdict.storage, Bytes(0), "{verdict:?}");
    assert_eq!(verdict.wrong, 6 * 8, "{verdict:?}");
}

#[test]
fn shards_that_do_not_count_hide_no_plots_that_are_missing() {
    // 8 MiB of plots are claimed among a GiB of shards: most visits ask for no plot at all.
    let node = Bluffer::new(&[(7, 4096)], 256);
    let verdict = witnessed(&node, 2, None, u64::MAX);
    assert!(verdict.storage <= Bytes(2), "{verdict:?}");
    // The same with all shards paid for: what no sample fell on stands, as far as it is small.
    let paid = witnessed(&node, GIB, None, u64::MAX);
    assert!(paid.sold == Bytes(GIB) && paid.storage <= Bytes(GIB + (8 << 20)), "{paid:?}");
}

#[test]
fn contract_that_began_within_the_epoch_counts() {
    let node = Bluffer::new(&[(7, 64)], 0);
    let verdict = witnessed(&node, 0, Some(64 * BODY), 64 * BODY);
    assert_eq!((verdict.sold, verdict.wrong), (Bytes(64 * BODY), 0), "{verdict:?}");
}

#[test]
fn bytes_that_do_not_count_hide_no_shards_that_are_missing() {
    // Half of a GiB is gone: more than the 8 MiB that are paid for.
    let node = Bluffer { is_half: true, ..Bluffer::new(&[(7, 4096)], 0) };
    let verdict = witnessed(&node, 8 << 20, None, u64::MAX);
    assert_eq!((verdict.storage, verdict.sold), (Bytes(0), Bytes(0)), "{verdict:?}");
    assert!(verdict.missing > 0, "{verdict:?}");
}

#[test]
fn visits_whose_samples_came_too_late_showed_nothing() {
    let node = Bluffer::new(&[(7, 4096)], 0);
    let mut visits = 0;
    let verdict = witnessed_when(&node, (GIB, None, u64::MAX), |ask| {
        visits += u8::from(matches!(ask, Ask::Commit { .. }));
        matches!(ask, Ask::Open { .. }) && visits > 3
    });
    assert_eq!((visits, verdict.answered, verdict.late), (6, 6, 3), "{verdict:?}");
    assert_eq!(verdict.storage, Bytes(GIB / 2), "three of six visits showed all: {verdict:?}");
}

#[test]
fn commitment_after_the_deadline_is_no_answer() {
    let node = Bluffer::new(&[(7, 4096)], 0);
    let verdict =
        witnessed_when(&node, (GIB, None, u64::MAX), |ask| matches!(ask, Ask::Commit { .. }));
    assert_eq!((verdict.asked, verdict.answered), (6, 0), "{verdict:?}");
    assert_eq!(verdict.storage, Bytes(0), "{verdict:?}");
}

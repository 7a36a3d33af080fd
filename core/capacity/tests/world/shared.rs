//! One machine that answers for many nodes at a muster.

use std::collections::BTreeMap;
use std::time::Duration;

use acre_capacity::duty::{Call, Duty, In, Out, Plan, Report, Rules, Witness, WorkRules};
use acre_capacity::limits::LANE_BYTES_MIN;
use acre_capacity::message::{Answer, Ask, Refusal};
use acre_capacity::puzzle::{self, Claim, Lane, Task};
use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_types::{Bytes, Digest, Epoch, Machine, NodeId, Tick};

use super::rules;

/// Lanes of a core of the model, all of one size.
pub const LANES: u64 = 4;
/// When the muster is heard.
pub const HEARD: Tick = Tick(20_000_000);
const EPOCH: Epoch = Epoch(4);

/// A machine, and the nodes that it pretends to be.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    /// Cores that it has, each as fast as the reference.
    pub cores: u32,
    /// Nodes, up to sixteen.
    pub nodes: u8,
    /// Cores that each claims, with as much memory as its lanes take.
    pub each: u32,
    /// Nodes whose lanes fit into its memory at once.
    pub holds: usize,
}

pub fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(Secret::new([number; 32]))
}

/// Rules of the model: a lane counts for what it is.
pub fn muster_rules() -> Rules {
    let work = WorkRules { memory_scale: 1, ..rules().work };
    Rules { work, ..rules() }
}

/// What a task takes that fills the memory of its cores, at par.
pub fn par() -> Duration {
    muster_rules().work.par * LANES as u32
}

pub fn duty(number: u8, cores: u32, proven: (u32, Bytes)) -> Duty {
    let memory = Bytes(u64::from(cores) * LANES * u64::from(LANE_BYTES_MIN));
    let node = NodeId::from(key(number).public());
    Duty { node, cores, memory, proven, reserved: Bytes(0) }
}

pub fn plan(duties: Vec<Duty>) -> Plan {
    let (began, ends) = (Tick(0), Tick(60_000_000));
    Plan { epoch: EPOCH, secret: Digest([1; 32]), began, ends, duties }
}

/// A muster of all these nodes.
pub fn muster(duties: &[Duty], seed: u8) -> In {
    let seeds = duties.iter().map(|duty| (duty.node, Digest([seed; 32]))).collect();
    In::Muster { epoch: EPOCH, seeds }
}

pub fn solve(number: u8, task: &Task) -> (Answer, Vec<Lane>) {
    let lanes: Vec<Lane> = (0..task.lanes).map(|lane| Lane::solve(task, lane).unwrap()).collect();
    let claims = List::new(lanes.iter().map(Lane::claim).collect()).unwrap();
    let claim = Claim { task: task.digest(), lanes: claims };
    (Answer::Worked(claim.sign(&key(number))), lanes)
}

pub fn answered(call: Call, answer: Answer) -> In {
    In::Answered { call, answer, headers: Vec::new() }
}

/// What a witness of all its nodes says of them after an epoch with one muster, visits aside.
pub fn witnessed(machine: Shared) -> Report {
    let duties: Vec<Duty> =
        (0..machine.nodes).map(|number| duty(number, machine.each, (0, Bytes(0)))).collect();
    let mut witness = Witness::new(muster_rules()).unwrap();
    witness.input(Tick(0), In::Begin(plan(duties.clone())));
    // One task after the other, each on all cores.
    let one = par() * machine.each / machine.cores;
    let (mut busy_until, mut is_called) = (HEARD, false);
    let mut claims: BTreeMap<(Tick, Call), Answer> = BTreeMap::new();
    let mut held: BTreeMap<Digest, (Task, Vec<Lane>)> = BTreeMap::new();
    loop {
        let due = witness.deadline().unwrap();
        let next = claims.first_key_value().map(|((time, _), _)| *time);
        let now = if is_called { due } else { due.min(HEARD) };
        if next.is_some_and(|time| time <= now) {
            let ((time, call), answer) = claims.pop_first().unwrap();
            witness.input(time, answered(call, answer));
        } else if now == HEARD && !is_called {
            is_called = true;
            witness.input(now, muster(&duties, 9));
        } else {
            witness.wake(now);
        }
        while let Some(out) = witness.output() {
            match out {
                Out::Ask { call, node, ask: Ask::Work(task), .. } => {
                    let number = duties.iter().position(|duty| duty.node == node).unwrap();
                    let (answer, lanes) = solve(number as u8, &task);
                    busy_until = busy_until.after(one);
                    claims.insert((busy_until, call), answer);
                    if held.len() < machine.holds {
                        held.insert(task.digest(), (task, lanes));
                    }
                }
                Out::Ask { call, ask: Ask::Probe { task, nonce, probes }, .. } => {
                    let answer = match held.get(&task) {
                        Some((task, lanes)) => {
                            Answer::Probed(puzzle::prove(task, lanes, &nonce, probes).unwrap())
                        }
                        None => Answer::Refused(Refusal::Unknown),
                    };
                    witness.input(now, answered(call, answer));
                }
                Out::Ask { call, .. } => witness.input(now, In::Failed { call }),
                Out::Report(report) => return report,
                Out::Rebuild { .. } => panic!("nothing was shown"),
            }
        }
    }
}

/// Cores, and lanes' worth of memory, that are believed of all its nodes together.
pub fn believed(machine: Shared) -> (u32, u64) {
    let verdicts = witnessed(machine).verdicts;
    let memory = verdicts.iter().map(|verdict| verdict.memory.0).sum::<u64>();
    (verdicts.iter().map(|verdict| verdict.cores).sum(), memory / u64::from(LANE_BYTES_MIN))
}

/// Named machines of 64 cores, with what they do.
pub fn machines() -> Vec<(&'static str, Shared)> {
    let shared = |nodes, each, holds| Shared { cores: 64, nodes, each, holds };
    vec![
        ("one node that claims all of it", shared(1, 64, 1)),
        ("eight nodes, an eighth each", shared(8, 8, 8)),
        ("two nodes, all of it each", shared(2, 64, 2)),
        ("sixteen nodes, all of it each", shared(16, 64, 16)),
        ("sixteen, an eighth each, twice the memory", shared(16, 8, 16)),
        ("sixteen, an eighth each", shared(16, 8, 8)),
    ]
}

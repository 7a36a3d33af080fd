//! Four validators of the real engine and the real executor, in one thread and virtual time.

use std::sync::Mutex;
use std::time::Duration;

use acre_engine::simulation::{Action, Outcome, Simulation, run};
use acre_ledger::TheTotals;
use acre_types::{AccountId, Amount};
use tempfile::TempDir;

use super::*;
use crate::mempool::{Admission, Origin};
use crate::testing::{account, genesis, transfer};

const TO: AccountId = AccountId([0xaa; 32]);
const VALIDATORS: usize = 4;

struct Run {
    outcome: Outcome,
    /// By validator: height, root, and what it knows of the transfers.
    ends: Vec<(Height, Digest, State)>,
}

/// Submits a transaction to a validator, as its server would.
pub(super) fn submit(shared: &Shared, signed: acre_ledger::SignedTransaction) {
    let admitted = shared.pool().admit(&signed.transaction.id(), &signed);
    if matches!(admitted, Ok(Admission::Check)) {
        shared.pool().insert(Verified::new(signed).unwrap(), Origin::Client).unwrap();
        shared.wake.notify_one();
    }
}

/// Each of accounts 1 to 5 pays four times, each time through two validators; one validator is
/// killed and started again over what it had written, another one is cut off for a while.
fn simulate(seed: u64) -> Run {
    let mut simulation = Simulation::healthy(seed, VALIDATORS);
    let genesis = Arc::new(genesis(&simulation.participants()));
    simulation.namespace = crate::namespace(&genesis.digest());
    simulation.duration = Duration::from_secs(60);
    let dirs: Vec<_> = (0..VALIDATORS).map(|_| TempDir::new().unwrap()).collect();
    let running: Arc<Mutex<Vec<Option<Arc<Shared>>>>> =
        Arc::new(Mutex::new(vec![None; VALIDATORS]));
    let mut script = vec![
        (Duration::from_secs(3), Action::Kill(1)),
        (Duration::from_secs(6), Action::Cut(2)),
        (Duration::from_secs(9), Action::Join(2)),
        (Duration::from_secs(12), Action::Start(1)),
    ];
    for nonce in 0..4 {
        for from in 1..=5_u8 {
            let at = Duration::from_millis(1_000 + 4_100 * nonce + 300 * u64::from(from));
            let (running, genesis) = (Arc::clone(&running), Arc::clone(&genesis));
            let call = move || {
                // The last validator is never disturbed, so nothing is lost for good.
                for index in [usize::from(from) % VALIDATORS, VALIDATORS - 1] {
                    let shared = running.lock().unwrap()[index].clone();
                    if let Some(shared) = shared {
                        submit(&shared, transfer(&genesis, from, nonce, TO, 1 + nonce));
                    }
                }
            };
            script.push((at, Action::Call(Box::new(call))));
        }
    }
    script.sort_by_key(|(at, _)| *at);
    simulation.script = script;
    let outcome = run(simulation, &mut |index| {
        let file = dirs[index].path().join("state.redb");
        let executor = Executor::open(&file, &genesis, Retention::default()).unwrap();
        let shared = executor.shared();
        running.lock().unwrap()[index] = Some(Arc::clone(&shared));
        let wake = Arc::clone(&shared.wake);
        (Box::new(executor), wake)
    });
    let running = running.lock().unwrap();
    let ends = running.iter().flatten().map(|shared| {
        let head = shared.head.borrow().clone().unwrap();
        (head.height, head.state.root(), head.state.clone())
    });
    let ends = ends.collect();
    Run { outcome, ends }
}

#[test]
fn validators_agree_and_apply_each_transfer_once_through_kill_and_cut() {
    let seed = 7;
    let Run { outcome, ends } = simulate(seed);
    assert_eq!(outcome.failures, [], "seed {seed}");
    assert_eq!(ends.len(), VALIDATORS, "seed {seed}");
    let highest = ends.iter().map(|(height, ..)| *height).max().unwrap();
    for (height, root, state) in &ends {
        assert!(highest.0 - height.0 <= 3, "seed {seed}: {height} of {highest}");
        // 5 accounts, 1 + 2 + 3 + 4 each.
        assert_eq!(state.read(&TO).unwrap().unwrap().balance, Amount(50), "seed {seed}");
        for from in 1..=5 {
            assert_eq!(state.read(&account(from)).unwrap().unwrap().nonce, 4, "seed {seed}");
        }
        assert_eq!(state.read(&TheTotals).unwrap().unwrap().escrow, Amount::ZERO);
        // No transfer waits any more, so all heights have the same state.
        assert_eq!(*root, ends[0].1, "seed {seed}");
    }
}

#[test]
fn same_seed_gives_the_same_run() {
    let (a, b) = (simulate(11), simulate(11));
    assert_eq!(a.outcome, b.outcome);
}

const WRONG: [u8; 32] = [6; 32];

/// Notes the roots that became final, and lies about its own if it is to.
struct Player {
    executor: Executor,
    lie: Option<[u8; 32]>,
    final_roots: Arc<Mutex<Vec<[u8; 32]>>>,
}

impl Application for Player {
    fn genesis(&self) -> EngineGenesis {
        self.executor.genesis()
    }
    fn applied(&self) -> Durable {
        self.executor.applied()
    }
    fn committee(&self, term: u64) -> Option<Committee> {
        self.executor.committee(term)
    }
    fn knows(&self, block: &BlockId) -> bool {
        self.executor.knows(block)
    }
    fn has_work(&mut self, parent: &BlockRef) -> bool {
        self.lie.is_some() || self.executor.has_work(parent)
    }
    fn propose(&mut self, parent: &BlockRef, time: u64) -> Result<Option<Proposal>, AppError> {
        let proposal = self.executor.propose(parent, time)?;
        Ok(proposal.map(|proposal| Proposal {
            state_root: self.lie.unwrap_or(proposal.state_root),
            ..proposal
        }))
    }
    fn verify(&mut self, block: &Block) -> Result<Verdict, AppError> {
        self.executor.verify(block)
    }
    fn proposed(&mut self, block: &Block) -> Result<(), AppError> {
        if self.lie.is_some() { Ok(()) } else { self.executor.proposed(block) }
    }
    fn finalize(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), AppError> {
        self.final_roots.lock().unwrap().push(block.header().state_root());
        self.executor.finalize(block, certificate)
    }
}

#[test]
fn block_with_a_wrong_root_is_never_final_and_the_honest_go_on() {
    let mut simulation = Simulation::healthy(5, VALIDATORS);
    let genesis = genesis(&simulation.participants());
    simulation.namespace = crate::namespace(&genesis.digest());
    simulation.duration = Duration::from_secs(60);
    let dirs: Vec<_> = (0..VALIDATORS).map(|_| TempDir::new().unwrap()).collect();
    let mut honest = Vec::new();
    let final_roots = Arc::new(Mutex::new(Vec::new()));
    let outcome = run(simulation, &mut |index| {
        let file = dirs[index].path().join("state.redb");
        let executor = Executor::open(&file, &genesis, Retention::default()).unwrap();
        let shared = executor.shared();
        let wake = Arc::clone(&shared.wake);
        let lie = (index == 0).then_some(WRONG);
        if lie.is_none() {
            submit(&shared, transfer(&genesis, 1, 0, TO, 8));
            honest.push(shared);
        }
        (Box::new(Player { executor, lie, final_roots: Arc::clone(&final_roots) }), wake)
    });
    for shared in honest {
        let head = shared.head.borrow().clone().unwrap();
        assert!(head.height.0 >= 5, "{}", head.height);
        assert_eq!(head.state.read(&TO).unwrap().unwrap().balance, Amount(8));
    }
    assert!(!final_roots.lock().unwrap().contains(&WRONG));
    assert!(outcome.failures.iter().all(|(index, _)| *index == 0), "{:?}", outcome.failures);
}

//! The real executor under the real engine through seeds of faults; the ledger's invariants are
//! checked after every block.
//!
//! In a third of the seeds one validator is not honest (in what it proposes or in what it votes), in
//! another third its clock is wrong, by up to a day; in all of them others are killed and cut off,
//! clocks are off by a little, messages are lost, and all may lose power.
//!
//! `ACRE_SEEDS=100 cargo test -p acre-chain --lib seeds` runs more; `ACRE_SEED_FROM` says from which on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use acre_engine::byzantine::Actor;
use acre_engine::simulation::{Action, Simulation, run};
use acre_ledger::{AnyObject, Key, TheTotals};
use acre_types::{AccountId, Amount, Height};
use tempfile::TempDir;

use super::tests::submit;
use super::*;
use crate::testing::{account, genesis, transfer};

const TO: AccountId = AccountId([0xaa; 32]);
const VALIDATORS: usize = 4;
/// Blocks of one term: a run goes through several.
const TERM: u64 = 12;

/// What the dishonest one does with its turns.
#[derive(Clone, Copy, Debug)]
enum Vice {
    /// Names another state root.
    WrongRoot,
    /// Puts the same transaction in twice.
    Twice,
    /// Leaves the transactions out that make its root.
    Withholds,
    /// Puts in bytes that are no payload.
    Garbage,
    /// Never proposes anything.
    Silent,
}

/// What is wrong with the first validator, all the time.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// What it proposes.
    Proposes(Vice),
    /// What it votes and whom it tells.
    Votes(Actor),
    /// Its clock, by so many milliseconds.
    Clock(i64),
    Nothing,
}

/// In turn, so that a few seeds see most of them.
const DISHONEST: [Fault; 9] = [
    Fault::Proposes(Vice::WrongRoot),
    Fault::Votes(Actor::Equivocator),
    Fault::Proposes(Vice::Twice),
    Fault::Votes(Actor::Withholder),
    Fault::Proposes(Vice::Withholds),
    Fault::Votes(Actor::Mute),
    Fault::Proposes(Vice::Garbage),
    Fault::Votes(Actor::Replayer),
    Fault::Proposes(Vice::Silent),
];

const DAY_MS: i64 = 24 * 3_600_000;
const WRONG_CLOCKS: [i64; 4] = [DAY_MS, -DAY_MS, 7_000, -7_000];

impl Fault {
    fn of(seed: u64) -> Self {
        let turn = usize::try_from(seed / 3).unwrap();
        match seed % 3 {
            0 => DISHONEST[turn % DISHONEST.len()],
            1 => Self::Clock(WRONG_CLOCKS[turn % WRONG_CLOCKS.len()]),
            _ => Self::Nothing,
        }
    }
}

/// Everything that all validators ever made final.
#[derive(Default)]
struct Book {
    blocks: BTreeMap<u64, BlockId>,
    /// By validator: height, and transactions applied.
    applied: BTreeMap<usize, (u64, BTreeSet<Digest>)>,
    checks: u64,
}

impl Book {
    /// L1, L3, L4 and L7 after a block.
    fn check(
        &mut self,
        index: usize,
        block: &Block,
        executor: &Executor,
        minted: Amount,
        what: &str,
    ) {
        let known = *self.blocks.entry(block.height()).or_insert_with(|| block.id());
        assert_eq!(known, block.id(), "{what}: L1, two blocks at height {}", block.height());
        let (height, seen) = self.applied.entry(index).or_default();
        // After a kill the same block may come again, never an older one.
        assert!(block.height() >= *height, "{what}: L1, validator {index} went back");
        if block.height() > *height {
            let payload = Payload::decode(block.payload()).unwrap();
            for signed in payload.transactions.iter() {
                let id = signed.transaction.id();
                assert!(seen.insert(id), "{what}: L4, transaction {id} was applied twice");
            }
        }
        *height = block.height();
        let totals = executor.state.read(&TheTotals).unwrap().unwrap();
        assert_eq!(totals.minted, minted, "{what}: L7, tokens were made from nothing");
        let mut sum = totals.escrow;
        for (key, value) in executor.state.leaves() {
            let key: Key = acre_codec::decode(key).unwrap();
            if let AnyObject::Account(account) = AnyObject::decode(&key, value).unwrap() {
                sum = sum.checked_add(account.balance).unwrap();
            }
        }
        let wanted = totals.minted.checked_sub(totals.burned).unwrap();
        assert_eq!(sum, wanted, "{what}: L3 after block {}", block.height());
        self.checks += 1;
    }
}

/// An executor that writes down what became final, and may be dishonest when it leads.
struct Player {
    index: usize,
    executor: Executor,
    vice: Option<Vice>,
    minted: Amount,
    what: String,
    book: Arc<Mutex<Book>>,
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
        self.executor.has_work(parent)
    }
    fn propose(&mut self, parent: &BlockRef, time: u64) -> Result<Option<Proposal>, AppError> {
        let Some(honest) = self.executor.propose(parent, time)? else { return Ok(None) };
        let Proposal { payload, state_root } = honest;
        let empty = Bytes::from(Payload::empty().to_bytes());
        Ok(match self.vice {
            None => Some(Proposal { payload, state_root }),
            Some(Vice::WrongRoot) => Some(Proposal { payload, state_root: [6; 32] }),
            Some(Vice::Twice) => {
                let all = Payload::decode(&payload)?.transactions.into_vec();
                let twice = all.iter().chain(all.first()).cloned().collect();
                let transactions = acre_codec::List::new(twice)?;
                let payload = Bytes::from(Payload { transactions }.to_bytes());
                Some(Proposal { payload, state_root })
            }
            Some(Vice::Withholds) => Some(Proposal { payload: empty, state_root }),
            Some(Vice::Garbage) => {
                Some(Proposal { payload: Bytes::from_static(&[255; 40]), state_root })
            }
            Some(Vice::Silent) => None,
        })
    }
    fn verify(&mut self, block: &Block) -> Result<Verdict, AppError> {
        self.executor.verify(block)
    }
    fn proposed(&mut self, block: &Block) -> Result<(), AppError> {
        // Its own block may well be invalid.
        if self.vice.is_some() { Ok(()) } else { self.executor.proposed(block) }
    }
    fn finalize(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), AppError> {
        self.executor.finalize(block, certificate)?;
        let mut book = self.book.lock().unwrap();
        book.check(self.index, block, &self.executor, self.minted, &self.what);
        Ok(())
    }
}

/// Numbers drawn from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Kills, cuts, power losses at random times; all is well again ten seconds before the end.
fn faults(dice: &mut Dice) -> Vec<(Duration, Action)> {
    let at = |dice: &mut Dice, from: u64, span: u64| Duration::from_millis(from + dice.roll(span));
    // The last validator is never disturbed but by a power loss.
    let index = |dice: &mut Dice| usize::try_from(dice.roll(VALIDATORS as u64 - 1)).unwrap();
    let (killed, cut) = (index(dice), index(dice));
    let mut script = vec![
        (at(dice, 2_000, 8_000), Action::Kill(killed)),
        (at(dice, 11_000, 8_000), Action::Start(killed)),
        (at(dice, 2_000, 8_000), Action::Cut(cut)),
        (at(dice, 11_000, 8_000), Action::Join(cut)),
    ];
    if dice.roll(2) == 0 {
        script.push((at(dice, 21_000, 4_000), Action::PowerLoss));
    }
    script
}

fn play(seed: u64) -> u64 {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let fault = Fault::of(seed);
    let vice = match fault {
        Fault::Proposes(vice) => Some(vice),
        _ => None,
    };
    let what = format!("seed {seed}, {fault:?}");
    let mut simulation = Simulation::healthy(seed, VALIDATORS);
    let mut genesis = genesis(&simulation.participants());
    genesis.parameters.seats.term_heights = TERM;
    let genesis = Arc::new(genesis);
    simulation.term_heights = TERM.try_into().unwrap();
    simulation.namespace = crate::namespace(&genesis.digest());
    simulation.duration = Duration::from_secs(50);
    simulation.loss_permille = dice.roll(15);
    // All clocks are a little off, as clocks are.
    for index in 0..VALIDATORS {
        let off = i64::try_from(dice.roll(400)).unwrap() - 200;
        simulation.clock_error_ms.insert(index, off);
    }
    match fault {
        Fault::Clock(error_ms) => {
            simulation.clock_error_ms.insert(0, error_ms);
        }
        Fault::Votes(actor) => {
            simulation.byzantine.insert(0, actor);
        }
        Fault::Proposes(_) | Fault::Nothing => {}
    }
    let dirs: Vec<_> = (0..VALIDATORS).map(|_| TempDir::new().unwrap()).collect();
    let running: Arc<Mutex<Vec<Option<Arc<Shared>>>>> =
        Arc::new(Mutex::new(vec![None; VALIDATORS]));
    let mut script = faults(&mut dice);
    for nonce in 0..4 {
        for from in 1..=5_u8 {
            let first = usize::try_from(dice.roll(VALIDATORS as u64)).unwrap();
            let at = Duration::from_millis(1_000 + 5_100 * nonce + 300 * u64::from(from));
            // Who heard nothing sends it again, since a power loss takes what waited.
            let again = Duration::from_millis(26_000 + 100 * nonce);
            for (at, to) in [(at, first), (again, first)] {
                let (running, genesis) = (Arc::clone(&running), Arc::clone(&genesis));
                let call = move || {
                    for index in [to, VALIDATORS - 1] {
                        let shared = running.lock().unwrap()[index].clone();
                        if let Some(shared) = shared {
                            submit(&shared, transfer(&genesis, from, nonce, TO, 1 + nonce));
                        }
                    }
                };
                script.push((at, Action::Call(Box::new(call))));
            }
        }
    }
    script.sort_by_key(|(at, _)| *at);
    simulation.script = script;
    let book = Arc::new(Mutex::new(Book::default()));
    let minted = genesis.state().unwrap().totals().unwrap().minted;
    let outcome = run(simulation, &mut |index| {
        let file = dirs[index].path().join("state.redb");
        let executor = Executor::open(&file, &genesis, Retention::default()).unwrap();
        let shared = executor.shared();
        running.lock().unwrap()[index] = Some(Arc::clone(&shared));
        let wake = Arc::clone(&shared.wake);
        let vice = vice.filter(|_| index == 0);
        let (what, book) = (what.clone(), Arc::clone(&book));
        let player = Player { index, executor, vice, minted, what, book };
        (Box::new(player) as Box<dyn Application>, wake)
    });
    // L5: once all is well, every transfer is in.
    assert!(
        outcome.failures.iter().all(|(index, _)| *index == 0 && !matches!(fault, Fault::Nothing)),
        "{what}: {outcome:?}"
    );
    let honest = running.lock().unwrap()[VALIDATORS - 1].clone().unwrap();
    let head = honest.head.borrow().clone().unwrap();
    assert!(head.height > Height(TERM), "{what}: ended at {}", head.height);
    let stand = &outcome.statuses;
    assert_eq!(head.state.read(&TO).unwrap().unwrap().balance, Amount(50), "{what}: {stand:#?}");
    for from in 1..=5 {
        assert_eq!(head.state.read(&account(from)).unwrap().unwrap().nonce, 4, "{what}");
    }
    let book = book.lock().unwrap();
    book.checks
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |number| number.parse().unwrap())
}

#[test]
fn seeds_of_faults_and_vices_break_no_invariant() {
    let (from, seeds) = (number("ACRE_SEED_FROM", 0), number("ACRE_SEEDS", 3));
    let checks: u64 = (from..from + seeds).map(play).sum();
    assert!(checks >= seeds * 3 * TERM, "{checks} checks of {seeds} seeds");
    eprintln!("{seeds} seeds from {from} on, {checks} checks of all invariants");
}

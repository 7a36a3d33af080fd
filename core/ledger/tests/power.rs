//! Nodes that sleep: announced before, called, back in time or not, and what it is worth.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;
#[path = "common/farming.rs"]
mod farming;

use acre_codec::List;
use acre_ledger::mint::{self, Policy, Reason};
use acre_ledger::{
    Action, EarningsOf, Event, MintingRules, NewContract, NewKind, NewStorage, NodeAt, Parameters,
    PowerOf, PowerRules, PowerState, Refusal, TheGap, Verdict, Verified, apply_block,
};
use acre_types::{Amount, Bytes, Epoch, Height, NodeId, Profile, PublicKey, UnixMs};

use common::{Grid, node};
use farming::{CLAIMED, EPOCH_MS, FARMS, finding, parameters};

const RULES: PowerRules = PowerRules {
    naps_max: 2,
    epochs_min: 2,
    epochs_max: 6,
    wake_epochs: 1,
    call_permille: 0,
    asleep_permille: 500,
    awake_permille: 900,
};

fn rules(power: PowerRules) -> Parameters {
    let base = parameters(Policy::standard());
    let minting = MintingRules { period_epochs: 20, ..base.minting.clone() };
    Parameters { power, minting, ..base }
}

fn slept(events: &[Event]) -> Vec<(u64, u64, u64)> {
    let settled = |event: &Event| match event {
        Event::NapSettled { slept_ms, due_ms, up_ms, .. } => Some((*slept_ms, *due_ms, *up_ms)),
        _ => None,
    };
    events.iter().filter_map(settled).collect()
}

impl Grid {
    fn sleep(&mut self, from: u64, epochs: u16) -> Result<Vec<Event>, Refusal> {
        self.act(1, Action::SleepNode { node: node(101), from: Epoch(from), epochs })
    }

    fn running(&self) -> u64 {
        self.epoch().number.0
    }

    fn power(&self, number: u8) -> PowerState {
        let power = self.state.read(&PowerOf(node(number))).unwrap().unwrap_or_default();
        power.state(self.epoch().number)
    }

    /// An epoch passes; those awake in it report so many answers of ten of node 101, and all of others.
    fn pass_seeing(&mut self, answered: u16) -> Vec<Event> {
        self.pass();
        let past = self.epoch().past.unwrap();
        let id = |index| self.state.read(&NodeAt(index)).unwrap().unwrap();
        let mut reports = Vec::new();
        for witness in 101..=100 + FARMS {
            let power = self.state.read(&PowerOf(node(witness))).unwrap().unwrap_or_default();
            let index = self.state.read(&node(witness)).unwrap().unwrap().index;
            let seen = |node: NodeId| {
                let of = if node == common::node(101) { answered } else { 10 };
                Verdict { node, finding: finding(of, CLAIMED) }
            };
            let duties = past.assignment().duties_of(index).into_iter();
            let mut verdicts: Vec<_> = duties.map(|index| seen(id(index))).collect();
            verdicts.sort_by_key(|verdict| verdict.node);
            if power.is_awake(past.number) {
                reports.push((witness, List::new(verdicts).unwrap()));
            }
        }
        let mut events = Vec::new();
        for (witness, verdicts) in reports {
            let report = Action::ReportWitness { epoch: past.number, verdicts };
            events.extend(self.act(witness, report).unwrap());
        }
        events
    }

    fn record(&self) -> (u64, u64) {
        let record = self.state.read(&node(101)).unwrap().unwrap().record;
        (record.due, record.up)
    }

    fn store(&mut self) -> Result<Vec<Event>, Refusal> {
        let storage = NewStorage {
            profile: Profile::Tiny,
            places: List::new(vec![node(101), node(102), node(103)]).unwrap(),
            bytes: Bytes(1 << 30),
            writer: PublicKey([1; 32]),
        };
        let budget = Amount::tft(100).unwrap();
        let kind = NewKind::Storage(storage);
        self.act(2, Action::CreateContract(NewContract { kind, period_ms: 3_600_000, budget }))
    }
}

#[test]
fn node_asleep_is_neither_due_nor_up_and_is_paid_in_part_once_it_is_back() {
    let mut grid = Grid::farming_by(rules(RULES));
    grid.pass_seeing(10);
    grid.pass_seeing(10);
    let from = grid.running() + 1;
    grid.sleep(from, 3).unwrap();
    assert_eq!(grid.power(101), PowerState::Awake);
    grid.pass_seeing(10);
    assert_eq!(grid.power(101), PowerState::Asleep { until: Epoch(from + 3) });
    // Whatever is said of it meanwhile.
    let (mut events, mut asleep) = (Vec::new(), (0, 0));
    for answered in [0, 0, 0, 10, 10] {
        events.extend(grid.pass_seeing(answered));
        if grid.running() == from + 3 {
            asleep = grid.record();
        }
    }
    // Of the three epochs before the nap the last is folded with the first report after it.
    assert_eq!(asleep, (2 * EPOCH_MS, 2 * EPOCH_MS));
    assert_eq!(slept(&events), [(3 * EPOCH_MS, 1500, 1500)]);
    let open = grid.state.read(&EarningsOf(node(101))).unwrap().unwrap().open;
    // Three epochs before the nap, the first one after it, and half of three.
    assert_eq!((open.due_ms, open.up_ms), (4 * EPOCH_MS + 1500, 4 * EPOCH_MS + 1500));
    assert_eq!(open.mean().storage(), Bytes(CLAIMED));
    assert_eq!(grid.record(), (4 * EPOCH_MS, 4 * EPOCH_MS), "tenants are billed without it");
}

#[test]
fn node_that_does_not_come_back_was_down_all_the_time() {
    let mut grid = Grid::farming_by(rules(RULES));
    for _ in 0..10 {
        grid.pass_seeing(10);
    }
    grid.sleep(grid.running() + 1, 3).unwrap();
    let mut events = Vec::new();
    for answered in [10, 0, 0, 0, 8, 10, 10, 10] {
        events.extend(grid.pass_seeing(answered));
    }
    assert_eq!(slept(&events), [(3 * EPOCH_MS, 3 * EPOCH_MS, 0)]);
    // Three and a fifth of 20 epochs are gone: too much for any pay.
    while grid.running() < 42 {
        grid.pass_seeing(10);
    }
    grid.claim(101).unwrap();
    let stored = grid.receipt(101, 0).unwrap();
    assert_eq!(stored.receipt.reason, Reason::UptimeTooLow);
    assert_eq!(mint::recompute(&stored).unwrap(), stored.receipt);
}

#[test]
fn sleep_is_announced_before_it_begins_and_bounded() {
    let mut grid = Grid::farming_by(rules(RULES));
    let running = grid.running();
    let first = Err(Refusal::OutOfRange { what: "the first epoch of a nap" });
    let length = Err(Refusal::OutOfRange { what: "the length of a nap" });
    assert_eq!(grid.sleep(running, 2), first);
    assert_eq!(grid.sleep(running - 1, 2), first);
    assert_eq!(grid.sleep(running + 7, 2), first);
    assert_eq!(grid.sleep(running + 1, 1), length);
    assert_eq!(grid.sleep(running + 1, 7), length);
    let (id, from) = (node(102), Epoch(running + 1));
    let foreign = grid.act(1, Action::SleepNode { node: id, from, epochs: 2 });
    assert_eq!(foreign, Err(Refusal::NotYours { what: "the node" }));
    grid.sleep(running + 6, 6).unwrap();
    assert_eq!(grid.sleep(running + 1, 2), Err(Refusal::NapUnsettled { node: node(101) }));
}

#[test]
fn node_naps_so_often_and_is_witnessed_awake_in_between() {
    let mut grid = Grid::farming_by(rules(RULES));
    for nap in 0..2 {
        grid.sleep(grid.running() + 1, 2).unwrap();
        grid.pass_seeing(10);
        for answered in [0, 0] {
            grid.pass_seeing(answered);
            let refusal = Refusal::NapUnsettled { node: node(101) };
            assert_eq!(grid.sleep(grid.running() + 1, 2), Err(refusal), "nap {nap}");
        }
        grid.pass_seeing(10);
        grid.pass_seeing(10);
    }
    let most = Refusal::TooManyNaps { node: node(101), naps_max: 2 };
    assert_eq!(grid.sleep(grid.running() + 1, 2), Err(most));
    let next_period = 20;
    while grid.running() < next_period {
        grid.pass_seeing(10);
    }
    grid.sleep(grid.running() + 1, 2).unwrap();
}

#[test]
fn contract_calls_a_node_and_it_has_to_be_up_in_time() {
    let mut grid = Grid::farming_by(rules(RULES));
    grid.sleep(grid.running() + 1, 6).unwrap();
    grid.pass_seeing(10);
    grid.pass_seeing(0);
    let until = Epoch(grid.running() + 1);
    let events = grid.store().unwrap();
    assert!(events.contains(&Event::NodeCalled { node: node(101), until }), "{events:?}");
    assert_eq!(grid.power(101), PowerState::Waking { until });
    let before = grid.record();
    // It stays down: from then on that counts.
    let mut events = Vec::new();
    for _ in 0..4 {
        events.extend(grid.pass_seeing(0));
    }
    assert_eq!(slept(&events), [(2 * EPOCH_MS, 2 * EPOCH_MS, 0)]);
    assert_eq!(grid.record().1, before.1);
    assert!(grid.record().0 > before.0);
    let busy = grid.sleep(grid.running() + 1, 2);
    assert_eq!(busy, Err(Refusal::NodeInUse { node: node(101) }));
}

#[test]
fn contract_calls_off_a_nap_that_did_not_begin() {
    let mut grid = Grid::farming_by(rules(RULES));
    grid.sleep(grid.running() + 3, 2).unwrap();
    grid.store().unwrap();
    assert_eq!(grid.state.read(&PowerOf(node(101))).unwrap().unwrap().nap, None);
}

#[test]
fn farmer_wakes_a_node_from_the_next_epoch_on() {
    let mut grid = Grid::farming_by(rules(RULES));
    let wake = || Action::WakeNode { node: node(101) };
    assert_eq!(grid.act(1, wake()), Err(Refusal::NothingToDo));
    grid.sleep(grid.running() + 1, 6).unwrap();
    grid.pass_seeing(10);
    grid.act(101, wake()).unwrap();
    assert_eq!(grid.act(1, wake()), Err(Refusal::NothingToDo));
    assert_eq!(grid.power(101), PowerState::Waking { until: Epoch(grid.running() + 1) });
    grid.pass();
    assert_eq!(grid.power(101), PowerState::Awake);
}

#[test]
fn witness_that_slept_says_nothing_and_is_not_missed() {
    let mut grid = Grid::farming_by(rules(RULES));
    grid.sleep(grid.running() + 1, 2).unwrap();
    grid.pass_seeing(10);
    grid.pass();
    let epoch = grid.epoch().past.unwrap().number;
    let refusal = Refusal::WasAsleep { node: node(101), epoch };
    assert_eq!(grid.report(101, finding(10, CLAIMED)), Err(refusal));
}

#[test]
fn seed_calls_a_node_that_sleeps() {
    let mut grid = Grid::farming_by(rules(PowerRules { call_permille: 1000, ..RULES }));
    grid.sleep(grid.running() + 1, 6).unwrap();
    grid.pass_seeing(10);
    let until = Epoch(grid.running() + 2);
    let events = grid.pass_seeing(0);
    assert!(events.contains(&Event::NodeCalled { node: node(101), until }), "{events:?}");
}

#[test]
fn nap_during_which_the_grid_stood_still_is_worth_nothing() {
    let mut grid = Grid::farming_by(rules(RULES));
    grid.sleep(grid.running() + 1, 4).unwrap();
    grid.pass_seeing(10);
    // Three epochs without any block.
    grid.now = grid.epoch().ends().0 + 3 * EPOCH_MS;
    grid.height += 1;
    let (height, time) = (Height(grid.height), UnixMs(grid.now));
    grid.state = apply_block::<Verified>(&grid.state, &[], height, time).unwrap().state;
    assert_eq!(grid.state.read(&TheGap).unwrap(), Some(Epoch(grid.running())));
    let mut events = Vec::new();
    for _ in 0..3 {
        events.extend(grid.pass_seeing(10));
    }
    assert_eq!(slept(&events), [(0, 0, 0)]);
}

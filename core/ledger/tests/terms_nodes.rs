//! Attacks of farms on the tenants of their nodes, each played transaction by transaction.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;
#[path = "common/farming.rs"]
mod farming;

use acre_codec::List;
use acre_ledger::mint::Policy;
use acre_ledger::{
    Action, Contract, Event, MicroUsd, NewContract, NewKind, NewStorage, NewWorkload, NodeAt,
    NodeState, Refusal, Report, Resources, Verdict,
};
use acre_types::{Amount, Bytes, ContractId, Digest, FarmId, Profile, PublicKey, UnixMs};

use common::{Grid, account, addresses, capacity, node, text};
use farming::{CLAIMED, EPOCH_MS, FARMS, finding};

const HOUR_MS: u64 = 3_600_000;
const FIRST: ContractId = ContractId(1);
const SETTLE: Action = Action::SettleContract { contract: FIRST };

/// 300 GiB at each of the nodes 101, 102 and 103, of person 4.
fn storage(period_ms: u64) -> Action {
    let kind = NewKind::Storage(NewStorage {
        profile: Profile::Tiny,
        places: List::new((101..=103).map(node).collect()).unwrap(),
        bytes: Bytes(600 << 30),
        writer: PublicKey([9; 32]),
    });
    Action::CreateContract(NewContract { kind, period_ms, budget: Amount(u64::MAX) })
}

fn turn(number: u8, state: NodeState) -> Action {
    let (node, capacity) = (node(number), capacity(CLAIMED));
    Action::UpdateNode { node, capacity, addresses: addresses(), state }
}

impl Grid {
    fn contract(&self) -> Contract {
        self.state.read(&FIRST).unwrap().unwrap()
    }

    /// All report about the epoch that is over: everyone was up but this one.
    fn report_down(&mut self, down: u8) {
        let past = self.epoch().past.unwrap();
        let assignment = past.assignment();
        for witness in (1..=FARMS).map(|n| 100 + n) {
            let index = self.state.read(&node(witness)).unwrap().unwrap().index;
            let duties = assignment.duties_of(index).into_iter();
            let mut verdicts: Vec<_> = duties
                .map(|index| self.state.read(&NodeAt(index)).unwrap().unwrap())
                .map(|id| {
                    let finding =
                        if id == node(down) { finding(0, 0) } else { finding(10, CLAIMED) };
                    Verdict { node: id, finding }
                })
                .collect();
            verdicts.sort_by_key(|verdict| verdict.node);
            let verdicts = List::new(verdicts).unwrap();
            self.act(witness, Action::ReportWitness { epoch: past.number, verdicts }).unwrap();
        }
    }
}

/// A tenant pays for long; the operator retires his node, switches it off, and settles.
#[test]
fn retired_node_is_not_paid_and_does_not_come_back() {
    let mut grid = Grid::farming(Policy::standard());
    grid.act(4, storage(100 * HOUR_MS)).unwrap();
    let held = grid.contract().escrow.0;
    grid.act(1, turn(101, NodeState::Retired)).unwrap();
    grid.now += 50 * HOUR_MS;
    let before = [201, 202, 203, 4].map(|n| grid.balance(account(n)));
    grid.act(1, SETTLE).unwrap();
    let after = [201, 202, 203, 4].map(|n| grid.balance(account(n)));
    let got: Vec<_> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    let share = held / 2 / 3;
    assert_eq!(got[0], 0, "who is gone earns nothing");
    assert!(got[1].abs_diff(share * 9 / 10) < 3 && got[2].abs_diff(share * 9 / 10) < 3, "{got:?}");
    assert!(got[3].abs_diff(share) < 3, "{got:?}: the tenant has it back");
    // Nor can an hour be made undone by being retired while witnesses report of it.
    for state in [NodeState::Active, NodeState::Draining] {
        let back = grid.act(1, turn(101, state)).unwrap_err();
        assert_eq!(back, Refusal::NodeRetired { node: node(101) });
    }
}

/// A farm settles right before what its witnesses reported is folded into its record, and right
/// after: the hour that it lost is taken off all the same, as far as it fits into each time.
#[test]
fn lost_time_is_taken_off_however_the_settlements_lie() {
    let mut grid = Grid::farming(Policy::standard());
    grid.act(4, storage(100 * HOUR_MS)).unwrap();
    // Of one node in one second, that is in one epoch.
    let second = grid.contract().escrow.0 / 3 / (100 * HOUR_MS / EPOCH_MS);
    grid.pass();
    grid.report_down(0);
    grid.pass();
    grid.report_down(101);
    grid.now = grid.epoch().ends().0 - 1;
    let paid = |grid: &Grid| [201, 202].map(|n| grid.balance(account(n)));
    let start = paid(&grid);
    let behind = |grid: &Grid| {
        let [a, b] = paid(grid);
        (b - start[1]) - (a - start[0])
    };
    grid.act(1, SETTLE).unwrap();
    assert!(behind(&grid) < 3, "nobody knows yet");
    grid.pass();
    for (ms, lost_ms) in [(40, 40), (460, 500), (100, 600), (399, 1_000), (5_000, 1_000)] {
        grid.now += ms;
        grid.act(1, SETTLE).unwrap();
        let wanted = second * 9 / 10 * (lost_ms + 1).min(EPOCH_MS) / EPOCH_MS;
        assert!(behind(&grid).abs_diff(wanted) < 8, "{} for {wanted}", behind(&grid));
    }
}

/// A tenant's loss is made good from the stake, first from what is free, then from what is on its way
/// back; as much again is destroyed.
#[test]
fn stake_answers_for_time_that_witnesses_found_down() {
    let farm = FarmId(1);
    let mut grid = Grid::farming(Policy::standard());
    grid.act(1, Action::StakeFarm { farm, amount: Amount(1000) }).unwrap();
    grid.act(1, Action::UnstakeFarm { farm, amount: Amount(970) }).unwrap();
    grid.act(2, Action::StakeFarm { farm: FarmId(2), amount: Amount(1000) }).unwrap();
    grid.pass_with(finding(10, CLAIMED));
    grid.pass_with(finding(10, CLAIMED));
    grid.act(4, storage(100 * HOUR_MS)).unwrap();
    let second = grid.contract().escrow.0 / 3 / (100 * HOUR_MS / EPOCH_MS);
    grid.pass();
    grid.report_down(101);
    grid.pass();
    grid.pass();
    let (tenant, burned) = (grid.balance(account(4)), grid.state.totals().unwrap().burned.0);
    let events = grid.act(3, SETTLE).unwrap();
    let at_stake = |farm: FarmId| grid.state.read(&farm).unwrap().unwrap().at_stake().0;
    let taken = 1000 - at_stake(farm);
    assert!(taken.abs_diff(second) < 3, "{taken} for {second}");
    assert!(taken > 30, "more than what is free");
    assert!(events.contains(&Event::FarmPenalized { farm, amount: Amount(taken) }), "{events:?}");
    assert_eq!(at_stake(FarmId(2)), 1000);
    let fee = grid.transaction(3, SETTLE).fee.0;
    assert_eq!(grid.state.totals().unwrap().burned.0 - burned - fee, taken / 2);
    let back = grid.balance(account(4)) - tenant;
    assert!(back.abs_diff(second + taken - taken / 2) < 3, "{back}");
    assert_eq!(grid.state.totals().unwrap().staked, Amount(2000 - taken));
}

/// A farm shows no storage for an epoch, has that settled while no time was lost, and switches off.
#[test]
fn stake_answers_for_what_was_proven_when_the_tenant_came() {
    let farm = FarmId(1);
    let mut grid = Grid::farming(Policy::standard());
    grid.act(1, Action::StakeFarm { farm, amount: Amount(1000) }).unwrap();
    grid.pass_with(finding(10, CLAIMED));
    grid.pass_with(finding(10, CLAIMED));
    grid.act(4, storage(100 * HOUR_MS)).unwrap();
    grid.pass_with(finding(10, 0));
    grid.pass();
    grid.act(1, SETTLE).unwrap();
    let shown = grid.state.read(&node(101)).unwrap().unwrap();
    assert_eq!((shown.verified.storage, shown.record.lost()), (Bytes(0), 0));
    grid.report_down(101);
    grid.pass();
    grid.pass();
    grid.act(1, SETTLE).unwrap();
    let left = grid.state.read(&farm).unwrap().unwrap().at_stake();
    assert!(left < Amount(1000), "{left}");
}

/// A vote may have stakes answer for more than what was lost, or for less.
#[test]
fn stake_answers_for_as_many_percent_as_the_rules_say() {
    for percent in [0, 50, 300] {
        let farm = FarmId(1);
        let mut parameters = farming::parameters(Policy::standard());
        parameters.contracts.penalty_percent = percent;
        let mut grid = Grid::farming_by(parameters);
        grid.act(1, Action::StakeFarm { farm, amount: Amount(1_000_000) }).unwrap();
        grid.pass_with(finding(10, CLAIMED));
        grid.pass_with(finding(10, CLAIMED));
        grid.act(4, storage(100 * HOUR_MS)).unwrap();
        let second = grid.contract().escrow.0 / 3 / (100 * HOUR_MS / EPOCH_MS);
        grid.pass();
        grid.report_down(101);
        grid.pass();
        grid.pass();
        grid.act(3, SETTLE).unwrap();
        let taken = 1_000_000 - grid.state.read(&farm).unwrap().unwrap().at_stake().0;
        let wanted = second * u64::from(percent) / 100;
        assert!(taken.abs_diff(wanted) < 9, "{taken} for {wanted} at {percent} %");
    }
}

/// At node 101, of person 4.
fn workload(grid: &Grid) -> Action {
    let (cores_milli, memory) = (1000, Bytes(1 << 20));
    let kind = NewKind::Workload(NewWorkload {
        spec: Digest([1; 32]),
        node: node(101),
        resources: Resources { storage: Bytes(1 << 40), cores_milli, memory, ipv4: 0 },
        traffic: Bytes(0),
        hour_max: MicroUsd(u64::MAX),
        deadline: UnixMs(grid.now + HOUR_MS),
    });
    Action::CreateContract(NewContract { kind, period_ms: HOUR_MS, budget: Amount(u64::MAX) })
}

fn report(number: u64, report: Report) -> Action {
    Action::ReportWorkload { contract: FIRST, number, traffic: Bytes(0), report }
}

/// What a node lost before a contract began there is no loss of its tenant.
#[test]
fn time_lost_before_a_contract_began_is_paid() {
    let mut grid = Grid::farming(Policy::standard());
    grid.act(4, workload(&grid)).unwrap();
    grid.pass();
    grid.report_down(101);
    grid.pass();
    grid.pass();
    grid.act(101, report(0, Report::Accepted)).unwrap();
    grid.now += HOUR_MS / 4;
    let (tenant, held) = (grid.balance(account(4)), grid.contract().escrow);
    grid.act(3, SETTLE).unwrap();
    assert!(grid.contract().escrow < held);
    assert_eq!(grid.balance(account(4)), tenant, "nothing comes back");
}

/// A node of which all is proven says itself that it failed, and is retired: no witness saw it.
#[test]
fn own_word_of_a_proven_node_takes_nothing_from_its_stake() {
    let farm = FarmId(1);
    let mut grid = Grid::farming(Policy::standard());
    grid.act(1, Action::StakeFarm { farm, amount: Amount(1_000_000) }).unwrap();
    grid.pass_with(finding(10, CLAIMED));
    grid.pass_with(finding(10, CLAIMED));
    grid.act(4, workload(&grid)).unwrap();
    grid.act(101, report(0, Report::Accepted)).unwrap();
    grid.act(101, report(1, Report::Failed { reason: text("disk") })).unwrap();
    for state in [NodeState::Active, NodeState::Retired] {
        if state == NodeState::Retired {
            grid.act(1, turn(101, state)).unwrap();
        }
        grid.now += HOUR_MS / 4;
        let held = grid.contract().escrow;
        grid.act(3, SETTLE).unwrap();
        assert!(grid.contract().escrow < held);
        let at_stake = grid.state.read(&farm).unwrap().unwrap().at_stake();
        assert_eq!(at_stake, Amount(1_000_000), "{state:?}");
    }
}

/// A farm that wants its stake at once claims what it likes, is its own tenant, and lets its node fail:
/// by its own word, by retiring it, or by really switching it off.
#[test]
fn stake_does_not_leave_to_a_tenant_who_is_the_farmer() {
    let farm = FarmId(1);
    let mut grid = Grid::farming(Policy::standard());
    grid.act(1, Action::StakeFarm { farm, amount: Amount(1_000_000) }).unwrap();
    let claims = |storage, state| Action::UpdateNode {
        node: node(101),
        capacity: capacity(storage),
        addresses: addresses(),
        state,
    };
    grid.act(1, claims(1 << 60, NodeState::Active)).unwrap();
    let kind = NewKind::Workload(NewWorkload {
        spec: Digest([1; 32]),
        node: node(101),
        resources: Resources {
            storage: Bytes(1 << 50),
            cores_milli: 1000,
            memory: Bytes(1 << 20),
            ipv4: 0,
        },
        traffic: Bytes(0),
        hour_max: MicroUsd(u64::MAX),
        deadline: UnixMs(grid.now + HOUR_MS),
    });
    let new = NewContract { kind, period_ms: HOUR_MS, budget: Amount(u64::MAX) };
    grid.act(4, Action::CreateContract(new)).unwrap();
    let report = |number, report| {
        let (contract, traffic) = (FIRST, Bytes(0));
        Action::ReportWorkload { contract, number, traffic, report }
    };
    grid.act(101, report(0, Report::Accepted)).unwrap();
    grid.pass();
    grid.report_down(101);
    grid.pass();
    grid.pass();
    grid.act(4, SETTLE).unwrap();
    let at_stake = |grid: &Grid| grid.state.read(&farm).unwrap().unwrap().at_stake();
    assert_eq!(at_stake(&grid), Amount(1_000_000), "it was down, but nothing of it was proven");
    grid.act(101, report(1, Report::Failed { reason: text("disk") })).unwrap();
    let left = grid.contract().escrow;
    grid.now += HOUR_MS / 4;
    grid.act(4, SETTLE).unwrap();
    assert!(grid.contract().escrow < left);
    assert_eq!(at_stake(&grid), Amount(1_000_000), "its own word takes nothing from the stake");
    grid.act(1, claims(1 << 60, NodeState::Retired)).unwrap();
    grid.now += HOUR_MS / 4;
    grid.act(4, SETTLE).unwrap();
    assert_eq!(at_stake(&grid), Amount(1_000_000), "nor does its retirement");
}

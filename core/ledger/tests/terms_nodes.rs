//! Attacks of farms on the tenants of their nodes, each played transaction by transaction.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;
#[path = "common/farming.rs"]
mod farming;

use acre_codec::List;
use acre_ledger::mint::Policy;
use acre_ledger::{
    Action, Contract, NewContract, NewKind, NewStorage, NodeAt, NodeState, Refusal, Verdict,
};
use acre_types::{Amount, Bytes, ContractId, Profile, PublicKey};

use common::{Grid, account, addresses, capacity, node};
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

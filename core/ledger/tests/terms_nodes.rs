//! Attacks of farms on the tenants of their nodes, each played transaction by transaction.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;
#[path = "common/farming.rs"]
mod farming;

use acre_codec::List;
use acre_ledger::mint::Policy;
use acre_ledger::{Action, Contract, NewContract, NewKind, NewStorage, NodeState, Refusal};
use acre_types::{Amount, Bytes, ContractId, Profile, PublicKey};

use common::{Grid, account, addresses, capacity, node};
use farming::CLAIMED;

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

//! Attacks on the terms of contracts, each played transaction by transaction.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_codec::List;
use acre_ledger::{
    Action, Contract, ContractState, MicroUsd, NewContract, NewKind, NewService, NewStorage,
    Refusal, Resources,
};
use acre_types::{Amount, Bytes, ContractId, Digest, Profile, PublicKey, UnixMs};

use common::{Grid, account, node};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const ANY: Amount = Amount(u64::MAX);

fn new(kind: NewKind, period_ms: u64) -> NewContract {
    NewContract { kind, period_ms, budget: ANY }
}

fn create(kind: NewKind, period_ms: u64) -> Action {
    Action::CreateContract(new(kind, period_ms))
}

fn gang(all: Vec<NewContract>) -> Action {
    Action::CreateGang { contracts: List::new(all).unwrap() }
}

fn rent(at: u8) -> NewKind {
    NewKind::Rent { node: node(at) }
}

/// At nodes 101, 102 and 103.
fn storage(bytes: u64) -> NewKind {
    NewKind::Storage(NewStorage {
        profile: Profile::Tiny,
        places: List::new((101..=103).map(node).collect()).unwrap(),
        bytes: Bytes(bytes),
        writer: PublicKey([9; 32]),
    })
}

/// That nobody does, for an account which never agrees.
fn service(provider: u8, deadline: u64) -> NewKind {
    NewKind::Service(NewService {
        provider: account(provider),
        terms: Digest([3; 32]),
        base_hour: MicroUsd(1),
        variable_hour: MicroUsd(0),
        deadline: UnixMs(deadline),
    })
}

fn cancel(contract: u64) -> Action {
    Action::CancelContract { contract: ContractId(contract) }
}

fn read(grid: &Grid, id: u64) -> Contract {
    grid.state.read(&ContractId(id)).unwrap().unwrap()
}

/// Storage on a node that is to be rented for ten years costs nothing; then the rent, which never
/// began, is cancelled and refunded, and the storage stays.
#[test]
fn rent_that_has_not_begun_gives_no_capacity_away() {
    let mut grid = Grid::with_farms(4);
    let days = 99 * DAY_MS;
    let all = vec![
        new(rent(101), days),
        new(rent(102), days),
        new(rent(103), days),
        new(service(4, grid.now + HOUR_MS), HOUR_MS),
    ];
    grid.act(1, gang(all)).unwrap();
    let free = grid.act(1, create(storage(2), days - HOUR_MS)).unwrap_err();
    assert_eq!(free, Refusal::NodeRented { node: node(101), contract: ContractId(1) });
    grid.act(1, cancel(1)).unwrap();
    for id in 101..=103 {
        let node = grid.state.read(&node(id)).unwrap().unwrap();
        assert_eq!((node.reserved, node.rented), (Resources::default(), None));
    }
    grid.act(1, create(storage(2), days - HOUR_MS)).unwrap();
    assert!(read(&grid, 5).escrow > Amount(0), "who rents nothing pays");
}

/// A gang may begin as late as its deadline; by then a rent that lasts long enough today does not.
#[test]
fn gang_on_rented_nodes_does_not_outlast_the_rent() {
    let mut grid = Grid::with_farms(4);
    for id in 101..=103 {
        grid.act(1, create(rent(id), 10 * HOUR_MS)).unwrap();
    }
    let late = |hours| {
        vec![new(storage(2), hours * HOUR_MS), new(service(4, 1_000 + 6 * HOUR_MS), 6 * HOUR_MS)]
    };
    grid.now = 1_000;
    let outlasts = grid.act(1, gang(late(9))).unwrap_err();
    assert_eq!(outlasts, Refusal::NodeRented { node: node(101), contract: ContractId(1) });
    grid.act(1, gang(late(3))).unwrap();
    assert!(matches!(read(&grid, 4).state, ContractState::Pending { .. }));
}

//! Attacks on the terms of contracts, each played transaction by transaction.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_codec::List;
use acre_ledger::{
    Action, BillAt, Contract, ContractState, ContractStatus, GridKind, MONTH_MS, MicroUsd,
    NewContract, NewKind, NewService, NewStorage, Parameters, Places, Refusal, Resources, Verified,
    limits,
};
use acre_types::{Amount, Bytes, ContractId, Digest, Profile, PublicKey, UnixMs};

use common::{Grid, account, key, node};

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

fn settle(contract: u64) -> Action {
    Action::SettleContract { contract: ContractId(contract) }
}

fn read(grid: &Grid, id: u64) -> Contract {
    grid.state.read(&ContractId(id)).unwrap().unwrap()
}

/// What a contract has cost its owner so far, with what it still holds.
fn paid(grid: &Grid, id: u64) -> u64 {
    let line = |index| grid.state.read(&BillAt(ContractId(id), index)).unwrap().unwrap();
    let mut books = acre_ledger::bill::Ledger::default();
    (0..read(grid, id).bills).for_each(|index| books.add(&line(index)));
    u64::try_from(-books.of(acre_ledger::bill::Book::Owner)).unwrap()
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
    let rented_until = read(&grid, 1).expires;
    let deadline = grid.now + 6 * HOUR_MS;
    let late = vec![new(storage(2), 10 * HOUR_MS), new(service(4, deadline), 6 * HOUR_MS)];
    grid.act(1, gang(late)).unwrap();
    grid.now = deadline - 1;
    grid.act(4, Action::AcceptService { contract: ContractId(5) }).unwrap();
    let begun = read(&grid, 4);
    assert_eq!((begun.state, begun.expires), (ContractState::Open, rented_until));
}

/// What holds a node for a moment costs next to nothing, and then somebody has to free the node.
#[test]
fn nothing_is_held_for_less_than_the_least_time() {
    let mut grid = Grid::with_farms(4);
    let range = Refusal::OutOfRange { what: "the period of the contract" };
    let short = gang(vec![new(rent(101), 1), new(rent(102), 1)]);
    assert_eq!(grid.act(4, short).unwrap_err(), range);
    assert_eq!(grid.act(4, create(rent(101), HOUR_MS - 1)).unwrap_err(), range);
    grid.act(4, create(rent(101), HOUR_MS)).unwrap();
    let mut live = Parameters::default();
    assert!(live.check_for(GridKind::Live).is_ok());
    live.contracts.period_ms_min -= 1;
    assert!(live.check_for(GridKind::Live).is_err());
    assert!(live.check_for(GridKind::Local).is_ok());
}

/// What is over is freed by anyone at no cost of his own, not even of a node that lives on little.
#[test]
fn whoever_frees_a_node_has_his_fee_back() {
    let mut grid = Grid::with_farms(4);
    grid.act(4, create(rent(101), HOUR_MS)).unwrap();
    grid.now += 2 * HOUR_MS;
    assert_eq!(read(&grid, 1).status(UnixMs(grid.now)), ContractStatus::Over);
    let before = grid.balance(account(1));
    grid.act(1, settle(1)).unwrap();
    assert_eq!(grid.balance(account(1)), before);
    assert_eq!(grid.state.read(&node(101)).unwrap().unwrap().rented, None);
    // Who cancels in time keeps it.
    let before = grid.balance(account(4));
    let made = grid.submit(grid.signed(4, create(rent(101), HOUR_MS))).unwrap();
    let left = grid.submit(grid.signed(4, cancel(2))).unwrap();
    let fees = made.receipts[0].fee.0 + left.receipts[0].fee.0;
    assert_eq!(grid.balance(account(4)), before - fees);
}

/// A node has no tokens: its operator pays for what it closes, and has all of that back in the same
/// block. Nothing else is done at his expense.
#[test]
fn node_closes_what_is_over_on_it_and_its_operator_loses_nothing() {
    let pays_itself = |refusal, number: u8| match refusal {
        Refusal::NoFunds { account: payer, .. } => assert_eq!(payer, account(number)),
        other => panic!("{other}"),
    };
    let mut grid = Grid::with_farms(4);
    grid.act(4, create(rent(101), HOUR_MS)).unwrap();
    let before = grid.balance(account(1));
    pays_itself(grid.act(101, settle(1)).unwrap_err(), 101);
    grid.now += 2 * HOUR_MS;
    pays_itself(grid.act(102, settle(1)).unwrap_err(), 102);
    // More than is kept for it.
    let mut dear = grid.transaction(101, settle(1));
    dear.fee.0 = read(&grid, 1).closing.0 + 1;
    let dear = Verified::new(dear.sign(&key(101))).unwrap();
    pays_itself(grid.submit(dear).unwrap_err(), 101);
    let closed = grid.submit(grid.signed(101, settle(1))).unwrap();
    assert_eq!(closed.receipts[0].payer, account(1));
    assert_eq!((grid.balance(account(1)), grid.balance(account(101))), (before, 0));
    assert_eq!(grid.state.read(&node(101)).unwrap().unwrap().rented, None);
    pays_itself(grid.act(101, settle(1)).unwrap_err(), 101);
    // The same for what nobody answered in time.
    let deadline = grid.now + HOUR_MS;
    let all = vec![new(rent(101), HOUR_MS), new(service(3, deadline), HOUR_MS)];
    grid.act(4, gang(all)).unwrap();
    pays_itself(grid.act(101, settle(2)).unwrap_err(), 101);
    grid.now = deadline;
    // Each of a gang has kept as much, and all are closed at once.
    let other = read(&grid, 3).closing.0;
    grid.act(101, settle(2)).unwrap();
    assert_eq!((grid.balance(account(1)), grid.balance(account(101))), (before + other, 0));
}

/// Capacity is held behind a service that never begins, and again, and again. Time for which nobody
/// else had to be asked costs what it costs, whether the gang comes to nothing or begins at last.
#[test]
fn waiting_for_oneself_is_not_free() {
    const DAY: u64 = 24;
    let mut grid = Grid::with_farms(4);
    let held = |grid: &Grid| {
        let deadline = grid.now + DAY * HOUR_MS;
        gang(vec![new(rent(101), DAY * HOUR_MS), new(service(4, deadline), 30 * DAY * HOUR_MS)])
    };
    let short = gang(vec![
        new(rent(101), HOUR_MS),
        new(service(4, grid.now + DAY * HOUR_MS), DAY * HOUR_MS),
    ]);
    let longer = Refusal::OutOfRange { what: "the deadline of a gang" };
    assert_eq!(grid.act(1, short).unwrap_err(), longer);
    grid.act(1, held(&grid)).unwrap();
    let list = read(&grid, 1).listed.0;
    grid.now += 12 * HOUR_MS;
    grid.act(1, cancel(1)).unwrap();
    assert!(paid(&grid, 1).abs_diff(list / 2) < 2, "{} of {list}", paid(&grid, 1));
    assert_eq!(paid(&grid, 2), 0, "who was asked and did not answer costs nothing");
    // Begun in the last moment and left at once.
    grid.act(1, held(&grid)).unwrap();
    grid.now += DAY * HOUR_MS - 1;
    grid.act(4, Action::AcceptService { contract: ContractId(4) }).unwrap();
    grid.act(1, cancel(3)).unwrap();
    assert!(paid(&grid, 3).abs_diff(list) < 20, "{} of {list}", paid(&grid, 3));
}

/// Whoever waits for half a day with a contract of 18 months has no discount for 18 months.
#[test]
fn waiting_has_the_discount_of_the_time_that_passed() {
    let mut grid = Grid::with_farms(4);
    let deadline = grid.now + DAY_MS;
    let held = vec![new(rent(101), 18 * MONTH_MS), new(service(4, deadline), DAY_MS)];
    grid.act(1, gang(held)).unwrap();
    let rent = read(&grid, 1);
    assert!(rent.escrow.0 < rent.listed.0 / 2, "at 60 % off");
    grid.now += DAY_MS / 2;
    grid.act(1, cancel(1)).unwrap();
    let list = u128::from(rent.listed.0) * u128::from(DAY_MS / 2) / u128::from(18 * MONTH_MS);
    assert!(u128::from(paid(&grid, 1)).abs_diff(list) < 20, "{} of {list}", paid(&grid, 1));
}

/// A little for 18 months, held for long; then a hundred times as much at the discount for 18 months,
/// and away after a month. What is added has to be kept for the time that its discount asks for.
#[test]
fn discount_of_what_is_added_asks_for_its_own_time() {
    let mut grid = Grid::with_farms(4);
    let since = |grid: &Grid| grid.now - read(grid, 1).since.0;
    grid.act(4, create(storage(20_000), 18 * MONTH_MS)).unwrap();
    grid.now += 17 * MONTH_MS;
    let extend = |bytes, period_ms| {
        let (contract, bytes) = (ContractId(1), Bytes(bytes));
        Action::ExtendContract { contract, bytes, period_ms }
    };
    grid.act(4, extend(0, 18 * MONTH_MS)).unwrap();
    assert_eq!(since(&grid), 17 * MONTH_MS, "more time for the same takes nothing away");
    grid.act(4, extend(1_980_000, 0)).unwrap();
    assert_eq!(since(&grid), 17 * MONTH_MS / 100);
    let held = read(&grid, 1);
    assert!(held.escrow.0 < held.listed.0 / 2, "at 60 % off");
    grid.now += MONTH_MS;
    let before = grid.balance(account(4));
    let fee = grid.submit(grid.signed(4, cancel(1))).unwrap().receipts[0].fee.0;
    let back = grid.balance(account(4)) + fee - before;
    let month = held.listed.0 / 19;
    let paid = held.escrow.0 + held.deposit.0 + held.closing.0 - back;
    // And the discount of the little, which was to last for longer.
    let little = held.paid_listed.0 - held.paid.0;
    assert!(paid.abs_diff(month + little) < 20, "{paid} for {month} and {little}");
}

/// A little that was kept for twice the longest discount's time counts for that time once.
#[test]
fn time_beyond_the_longest_discount_helps_nothing_that_is_added() {
    let mut grid = Grid::with_farms(4);
    grid.act(4, create(storage(20_000), 36 * MONTH_MS)).unwrap();
    grid.now += 35 * MONTH_MS;
    let (contract, bytes) = (ContractId(1), Bytes(1_980_000));
    grid.act(4, Action::ExtendContract { contract, bytes, period_ms: 0 }).unwrap();
    let longest = Parameters::default().prices.commitments.iter().map(|tier| tier.ms).max();
    assert_eq!(grid.now - read(&grid, 1).since.0, longest.unwrap() / 100);
}

/// A block of settlements, each of a few bytes and of many places: its work is bounded, what does not
/// fit waits, and who fills it pays for the places.
#[test]
fn places_that_a_block_visits_are_counted_and_paid_for() {
    let mut grid = Grid::with_farms(4);
    let fees = grid.state.parameters().unwrap().fees;
    let wide = |places| {
        NewKind::Storage(NewStorage {
            profile: Profile::Tiny,
            places,
            bytes: Bytes(2),
            writer: PublicKey([9; 32]),
        })
    };
    let three: Places = List::new((101..=103).map(node).collect()).unwrap();
    let made = Action::CreateContract(new(wide(three), HOUR_MS));
    let fee = |action: Action| {
        let transaction = grid.transaction(1, action);
        let bytes = u64::try_from(transaction.signed_bytes()).unwrap();
        transaction.fee.0 - fees.transaction.0 - fees.byte.0 * bytes
    };
    assert_eq!(fee(made.clone()), 6 * fees.place.0);
    assert_eq!(fee(settle(1)), 140 * fees.place.0);
    let mut cheap = grid.transaction(1, made.clone());
    cheap.fee.0 -= 1;
    let low = grid.submit(Verified::new(cheap.sign(&key(1))).unwrap()).unwrap_err();
    assert!(matches!(low, Refusal::FeeTooLow { .. }));
    // One that cannot be made costs the proposer work as well: it visits its places, then is refused.
    let mut all: Vec<_> = (0..20).map(|_| new(storage(2), HOUR_MS)).collect();
    all.push(new(rent(101), HOUR_MS));
    let (bad, good) = (grid.signed(1, gang(all)), grid.signed(2, made));
    let fits = limits::VISITS_REFUSED_MAX.div_ceil(20 * 3 * 2);
    let fits = usize::try_from(fits).unwrap();
    let mut candidates = vec![bad.clone(); fits + 9];
    candidates.push(good.clone());
    let built = grid.build(&candidates);
    assert_eq!(built.skipped.len(), fits, "the leader tries no more of that kind");
    assert!(built.applied.receipts.is_empty());
    let built = grid.build(&[bad, good]);
    assert_eq!((built.skipped.len(), built.applied.receipts.len()), (1, 1));
}

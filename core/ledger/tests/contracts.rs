//! Contracts of every kind but storage, their bills and refusals, as a person meets them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]
#![allow(clippy::print_stdout, reason = "shows the price of a bundle")]

mod common;

use acre_codec::List;
use acre_ledger::bill::{self, Book, Kept};
use acre_ledger::price::{PlaceTerms, quote, worth};
use acre_ledger::{
    Action, BillAt, Capacity, Cause, Contract, ContractState, ContractStatus, FeedRules, Label,
    MONTH_MS, MicroUsd, NewContract, NewKind, NewService, NewStorage, NewWorkload, Parameters,
    Places, Progress, Refusal, Report, Resources, ThePrice, TokenPrice, TokenSource,
};
use acre_types::{Amount, Bytes, ContractId, Digest, Profile, PublicKey, UnixMs};

use common::{Grid, account, genesis, node, text};

const HOUR_MS: u64 = 3_600_000;
const ANY: Amount = Amount(u64::MAX);
const FIRST: ContractId = ContractId(1);

fn resources(cores_milli: u64, memory: u64) -> Resources {
    Resources { storage: Bytes(1000), cores_milli, memory: Bytes(memory), ipv4: 0 }
}

fn workload(grid: &Grid, at: u8, hours: u64) -> NewContract {
    let kind = NewKind::Workload(NewWorkload {
        spec: Digest([1; 32]),
        node: node(at),
        resources: resources(1000, 1 << 20),
        traffic: Bytes(1 << 30),
        hour_max: MicroUsd(1 << 30),
        deadline: UnixMs(grid.now + HOUR_MS),
    });
    NewContract { kind, period_ms: hours * HOUR_MS, budget: ANY }
}

fn name(label: &str) -> NewContract {
    NewContract { kind: NewKind::Name(label.parse().unwrap()), period_ms: HOUR_MS, budget: ANY }
}

fn rent(at: u8) -> NewContract {
    let kind = NewKind::Rent { node: node(at) };
    NewContract { kind, period_ms: 100 * HOUR_MS, budget: ANY }
}

fn create(new: NewContract) -> Action {
    Action::CreateContract(new)
}

fn report(number: u64, traffic: u64, report: Report) -> Action {
    Action::ReportWorkload { contract: FIRST, number, traffic: Bytes(traffic), report }
}

fn read(grid: &Grid, id: ContractId) -> Contract {
    grid.state.read(&id).unwrap().unwrap()
}

/// All lines compute to themselves and add up to what the contract holds (L8).
fn books(grid: &Grid, id: ContractId) -> bill::Ledger {
    let contract = read(grid, id);
    let mut books = bill::Ledger::default();
    for number in 0..contract.bills {
        let line = grid.state.read(&BillAt(id, number)).unwrap().unwrap();
        assert_eq!(bill::recompute(&line), Some(line.clone()), "L8");
        books.add(&line);
    }
    assert_eq!(books.sum(), 0, "L8");
    assert_eq!(books.of(Book::Purse(Kept::Time)), i128::from(contract.escrow.0));
    assert_eq!(books.of(Book::Purse(Kept::Use)), i128::from(contract.usage.0));
    assert_eq!(books.of(Book::Purse(Kept::Grace)), i128::from(contract.deposit.0));
    books
}

#[test]
fn rejected_and_unanswered_workloads_are_refunded_whole() {
    let mut grid = Grid::with_farms(2);
    for answer in [Some(Report::Rejected { reason: text("no room") }), None] {
        let id = ContractId(grid.state.totals().unwrap().contracts + 1);
        let before = grid.balance(account(1));
        let made = grid.submit(grid.signed(1, create(workload(&grid, 102, 10)))).unwrap();
        assert_eq!(read(&grid, id).status(UnixMs(grid.now)), ContractStatus::Pending);
        let answered = answer.is_some();
        match answer {
            Some(report) => {
                let (number, traffic) = (0, Bytes(0));
                let action = Action::ReportWorkload { contract: id, number, traffic, report };
                grid.act(102, action).unwrap();
            }
            None => {
                let early = grid.act(2, Action::SettleContract { contract: id }).unwrap_err();
                assert_eq!(early, Refusal::NotAccepted { contract: id });
                grid.now += HOUR_MS;
                grid.act(2, Action::SettleContract { contract: id }).unwrap();
            }
        }
        // Whoever closes what nobody answered has his fee back from what was kept for it.
        let closing = grid.state.parameters().unwrap().closing_fee().0;
        let kept = if answered { 0 } else { closing };
        assert_eq!(grid.balance(account(1)), before - made.receipts[0].fee.0 - kept);
        assert!(matches!(read(&grid, id).state, ContractState::Closed { .. }));
        assert_eq!(grid.state.read(&node(102)).unwrap().unwrap().reserved, Resources::default());
        assert_eq!(books(&grid, id).of(Book::Owner), -i128::from(kept));
    }
}

#[test]
fn workload_runs_by_reports_of_its_node_in_order_and_in_time() {
    let mut grid = Grid::with_farms(3);
    grid.act(1, create(workload(&grid, 102, 10))).unwrap();
    let running = || Report::Running { evidence: Digest([2; 32]) };
    let foreign = grid.act(103, report(0, 0, Report::Accepted)).unwrap_err();
    assert_eq!(foreign, Refusal::NotYours { what: "the contract" });
    let early = grid.act(102, report(0, 0, running())).unwrap_err();
    assert_eq!(early, Refusal::NotAccepted { contract: FIRST });
    grid.now += 1000;
    grid.act(102, report(0, 0, Report::Accepted)).unwrap();
    let started = read(&grid, FIRST);
    assert_eq!((started.created, started.settled), (UnixMs(grid.now), UnixMs(grid.now)));
    let replayed = grid.act(102, report(0, 0, Report::Accepted)).unwrap_err();
    assert_eq!(replayed, Refusal::WrongReport { contract: FIRST, given: 0, wanted: 1 });
    grid.now += HOUR_MS;
    grid.act(102, report(1, 1 << 29, running())).unwrap();
    let held = read(&grid, FIRST);
    assert!(matches!(held.workload().unwrap().progress, Progress::Running { .. }));
    assert_eq!(held.usage.0, 93_750, "half of the traffic, 1.5 mUSD a GiB at 0.08 USD a token");
    let shrinks = grid.act(102, report(2, 0, Report::Traffic)).unwrap_err();
    assert!(matches!(shrinks, Refusal::OutOfRange { .. }));
    let over = grid.act(102, report(2, (1 << 30) + 1, Report::Traffic)).unwrap_err();
    assert_eq!(over, Refusal::OverAllowance { contract: FIRST });
    // By the node's fault it does not run: from here on nothing is paid.
    grid.act(102, report(2, 1 << 29, Report::Failed { reason: text("disk") })).unwrap();
    let paid = read(&grid, FIRST).paid;
    grid.now += HOUR_MS;
    grid.act(102, report(3, 1 << 29, running())).unwrap();
    assert_eq!(read(&grid, FIRST).paid, paid);
    grid.now += 9 * HOUR_MS;
    let late = grid.act(102, report(4, 1 << 30, Report::Traffic)).unwrap_err();
    assert!(matches!(late, Refusal::TooLate { .. }));
    books(&grid, FIRST);
}

#[test]
fn workload_keeps_to_capacity_cap_and_budget() {
    let mut grid = Grid::with_farms(2);
    let with = |grid: &Grid, change: &dyn Fn(&mut NewWorkload)| {
        let mut new = workload(grid, 102, 1);
        if let NewKind::Workload(workload) = &mut new.kind {
            change(workload);
        }
        create(new)
    };
    let mut refused = |action: Action| grid.act(1, action).unwrap_err();
    let base = Grid::with_farms(2);
    let cores = refused(with(&base, &|new| new.resources.cores_milli = 16_001));
    assert_eq!(cores, Refusal::NoCapacity { node: node(102), what: "cores" });
    let memory = refused(with(&base, &|new| new.resources.memory = Bytes((1 << 30) + 1)));
    assert_eq!(memory, Refusal::NoCapacity { node: node(102), what: "memory" });
    let storage = refused(with(&base, &|new| new.resources.storage = Bytes(1_000_001)));
    assert!(matches!(storage, Refusal::NoSpace { .. }));
    let unknown = refused(with(&base, &|new| new.node = node(77)));
    assert_eq!(unknown, Refusal::NoSuchNode { node: node(77) });
    let dear = refused(with(&base, &|new| new.hour_max = MicroUsd(2500)));
    assert!(matches!(dear, Refusal::OverCap { micro_usd: 2501, .. }), "{dear:?}");
    let past = refused(with(&base, &|new| new.deadline = UnixMs(0)));
    assert_eq!(past, Refusal::OutOfRange { what: "the deadline of the contract" });
    let budget = refused(create(NewContract { budget: Amount(9), ..workload(&base, 102, 1) }));
    assert!(matches!(budget, Refusal::OverBudget { .. }));
    let poor = refused(create(workload(&base, 102, 50_000_000)));
    assert!(matches!(poor, Refusal::OutOfRange { .. }), "longer than ten years");
}

#[test]
fn rented_node_is_empty_before_and_free_of_charge_to_its_renter() {
    let mut grid = Grid::with_farms(3);
    grid.act(1, create(workload(&grid, 102, 1))).unwrap();
    let used = grid.act(1, create(rent(102))).unwrap_err();
    assert_eq!(used, Refusal::NodeInUse { node: node(102) });
    grid.act(1, Action::CancelContract { contract: FIRST }).unwrap();
    grid.act(1, create(rent(102))).unwrap();
    let rented = Refusal::NodeRented { node: node(102), contract: ContractId(2) };
    assert_eq!(grid.act(3, create(workload(&grid, 102, 1))).unwrap_err(), rented);
    assert_eq!(grid.act(1, create(workload(&grid, 102, 101))).unwrap_err(), rented, "outlasts");
    grid.act(1, create(workload(&grid, 102, 1))).unwrap();
    let held = read(&grid, ContractId(3));
    assert_eq!((held.escrow, held.deposit), (Amount(0), Amount(0)));
    let busy = grid.act(1, Action::CancelContract { contract: ContractId(2) }).unwrap_err();
    assert_eq!(busy, Refusal::NodeInUse { node: node(102) });
    grid.act(1, Action::CancelContract { contract: ContractId(3) }).unwrap();
    grid.act(1, Action::CancelContract { contract: ContractId(2) }).unwrap();
    assert_eq!(grid.state.read(&node(102)).unwrap().unwrap().rented, None);
}

#[test]
fn name_has_one_owner_at_a_time() {
    let mut grid = Grid::of(2);
    let label: Label = "shop".parse().unwrap();
    grid.act(1, create(name("shop"))).unwrap();
    assert_eq!(grid.state.read(&label).unwrap(), Some(FIRST));
    let taken = grid.act(2, create(name("shop"))).unwrap_err();
    assert_eq!(taken, Refusal::NameTaken { label: label.clone() });
    grid.now += 2 * HOUR_MS;
    grid.act(2, Action::SettleContract { contract: FIRST }).unwrap();
    assert_eq!(grid.state.read(&label).unwrap(), None);
    grid.act(2, create(name("shop"))).unwrap();
    let books = books(&grid, FIRST);
    assert_eq!(books.of(Book::Farms), 0);
    assert_eq!(books.of(Book::Foundation) * 9, books.of(Book::Burned) - books.of(Book::Burned) % 9);
}

#[test]
fn service_is_billed_within_its_window_and_cap() {
    let mut grid = Grid::of(3);
    let kind = NewKind::Service(NewService {
        provider: account(2),
        terms: Digest([3; 32]),
        base_hour: MicroUsd(800),
        variable_hour: MicroUsd(1600),
        deadline: UnixMs(grid.now + HOUR_MS),
    });
    let before = grid.balance(account(2));
    grid.act(1, create(NewContract { kind, period_ms: 10 * HOUR_MS, budget: ANY })).unwrap();
    let bill = |amount| Action::BillService { contract: FIRST, amount: MicroUsd(amount) };
    assert_eq!(grid.act(2, bill(1)).unwrap_err(), Refusal::NotAccepted { contract: FIRST });
    let accept = Action::AcceptService { contract: FIRST };
    let foreign = grid.act(3, accept.clone()).unwrap_err();
    assert_eq!(foreign, Refusal::NotYours { what: "the contract" });
    grid.act(2, accept).unwrap();
    grid.now += HOUR_MS;
    let over = grid.act(2, bill(1601)).unwrap_err();
    assert_eq!(over, Refusal::OverAllowance { contract: FIRST });
    grid.act(2, bill(1600)).unwrap();
    let twice = grid.act(2, bill(1)).unwrap_err();
    assert_eq!(twice, Refusal::OverAllowance { contract: FIRST });
    // An hour of both, 2,400 micro-USD at 80,000 a token: 300,000 units, a tenth to the foundation.
    assert_eq!(books(&grid, FIRST).of(Book::Farms), 270_000);
    grid.act(2, Action::CancelContract { contract: FIRST }).unwrap();
    assert!(grid.balance(account(2)) < before + 270_000, "less the fees");
    books(&grid, FIRST);
}

#[test]
fn gang_begins_together_and_fails_together() {
    let mut grid = Grid::with_farms(4);
    let gang = |grid: &Grid| {
        let all = vec![workload(grid, 102, 5), workload(grid, 103, 5), name("team")];
        Action::CreateGang { contracts: List::new(all).unwrap() }
    };
    let accept = |contract| Action::ReportWorkload {
        contract: ContractId(contract),
        number: 0,
        traffic: Bytes(0),
        report: Report::Accepted,
    };
    grid.act(1, gang(&grid)).unwrap();
    grid.act(102, accept(1)).unwrap();
    assert_eq!(read(&grid, ContractId(3)).status(UnixMs(grid.now)), ContractStatus::Pending);
    grid.now += 500;
    grid.act(103, accept(2)).unwrap();
    for id in 1..=3 {
        let held = read(&grid, ContractId(id));
        assert_eq!(held.status(UnixMs(grid.now)), ContractStatus::Live);
        // Each is paid for from when nobody but others of the gang was awaited.
        assert_eq!(held.created.0, if id == 2 { grid.now } else { grid.now - 500 });
    }
    grid.act(1, Action::CancelContract { contract: ContractId(3) }).unwrap();
    grid.act(1, gang(&grid)).unwrap();
    grid.act(102, accept(4)).unwrap();
    let no = Action::ReportWorkload {
        contract: ContractId(5),
        number: 0,
        traffic: Bytes(0),
        report: Report::Rejected { reason: text("full") },
    };
    grid.act(103, no).unwrap();
    for id in [4, 6] {
        let state = read(&grid, ContractId(id)).state;
        assert!(matches!(state, ContractState::Closed { cause: Cause::Gang, .. }), "{state:?}");
    }
    // One that cannot be made makes none.
    let made = grid.state.totals().unwrap().contracts;
    let all = vec![workload(&grid, 102, 5), workload(&grid, 99, 5)];
    let bad = Action::CreateGang { contracts: List::new(all).unwrap() };
    assert_eq!(grid.act(1, bad).unwrap_err(), Refusal::NoSuchNode { node: node(99) });
    assert_eq!(grid.state.totals().unwrap().contracts, made);
}

#[test]
fn expired_contract_pays_for_its_grace_and_only_for_that() {
    let mut grid = Grid::of(2);
    grid.act(1, create(name("shop"))).unwrap();
    let held = read(&grid, FIRST);
    let (escrow, deposit) = (held.escrow.0, held.deposit.0);
    assert_eq!((escrow, deposit), (31_250, 3_125), "250 micro-USD, and a tenth of it for grace");
    grid.now = held.expires.0 + held.grace.freeze_ms;
    let now = UnixMs(grid.now);
    assert_eq!(held.status(now), ContractStatus::Archived { until: held.grace_end() });
    grid.act(2, Action::SettleContract { contract: FIRST }).unwrap();
    assert_eq!(read(&grid, FIRST).deposit.0, deposit - deposit / 2);
    grid.act(1, Action::CancelContract { contract: FIRST }).unwrap();
    let paid = i128::from(escrow + deposit / 2);
    assert_eq!(books(&grid, FIRST).of(Book::Owner), -paid);
}

#[test]
fn discount_is_taken_back_from_those_who_leave_early() {
    let mut grid = Grid::of(1);
    let new = NewContract { period_ms: 18 * MONTH_MS, ..name("shop") };
    grid.act(1, create(new)).unwrap();
    grid.now += MONTH_MS;
    grid.act(1, Action::CancelContract { contract: FIRST }).unwrap();
    // A month at list price: 250 micro-USD an hour for 730.8 hours at 0.08 USD a token.
    let month = i128::from(250_u64 * 7308 * 125 / 10);
    let paid = -books(&grid, FIRST).of(Book::Owner);
    assert!((month - paid).abs() <= 2, "{paid} for {month}");
}

#[test]
fn price_of_a_token_is_a_median_that_does_not_leap() {
    let mut parameters = Parameters::default();
    let feeds: Vec<_> = (1..=3).map(account).collect();
    parameters.prices.token = TokenSource::Feeds(FeedRules {
        feeds: List::new(feeds).unwrap(),
        fresh_ms: HOUR_MS,
        quorum: 2,
        step_permille: 100,
        step_ms: HOUR_MS,
        start: TokenPrice(1_000_000),
        least: TokenPrice(1),
        most: TokenPrice(100_000_000),
    });
    let grants = (1..=4).map(|n| (account(n), Amount::tft(9).unwrap())).collect();
    let mut grid = Grid::new(&genesis(parameters, grants));
    let post = |price| Action::PostPrice { price: TokenPrice(price) };
    let price = |grid: &Grid| grid.state.read(&ThePrice).unwrap().unwrap().price.0;
    let foreign = grid.act(4, post(5)).unwrap_err();
    assert_eq!(foreign, Refusal::NotAFeed { account: account(4) });
    assert!(matches!(grid.act(1, post(0)), Err(Refusal::OutOfRange { .. })));
    grid.act(1, post(2_000_000)).unwrap();
    assert_eq!(price(&grid), 1_000_000, "one is no quorum");
    grid.now += HOUR_MS;
    grid.act(2, post(90_000_000)).unwrap();
    assert_eq!(price(&grid), 1_100_000, "the lower median, a step of a tenth");
    grid.act(3, post(1_090_000)).unwrap();
    assert_eq!(price(&grid), 1_100_000, "no time, no step");
    grid.now += HOUR_MS;
    grid.act(3, post(1_190_000)).unwrap();
    assert_eq!(price(&grid), 1_190_000, "the first is stale: the lower of the other two");
    grid.now += 10 * HOUR_MS;
    grid.act(3, post(5)).unwrap();
    assert_eq!(price(&grid), 1_190_000, "all others are stale: it stays");
}

/// C25: data, applications, a name and some traffic of one person for less than a dollar a month.
#[test]
fn bundle_of_a_person_costs_less_than_a_dollar_a_month() {
    let parameters = Parameters::default();
    let token = TokenPrice(80_000);
    let places: Places = List::new((0..20).map(node).collect()).unwrap();
    let storage = NewKind::Storage(NewStorage {
        profile: Profile::Standard,
        places,
        bytes: Bytes(20 << 30),
        writer: PublicKey([1; 32]),
    });
    let twin = NewKind::Workload(NewWorkload {
        spec: Digest([1; 32]),
        node: node(1),
        resources: Resources {
            storage: Bytes(1 << 30),
            cores_milli: 63,
            memory: Bytes(256 << 20),
            ipv4: 0,
        },
        traffic: Bytes(5 << 30),
        hour_max: MicroUsd(u64::MAX),
        deadline: UnixMs(1),
    });
    let name = NewKind::Name("ada".parse().unwrap());
    let place = PlaceTerms::plain(Capacity::default());
    let mut sum = 0;
    for (what, kind, places) in
        [("20 GB at 16+4", storage, 20), ("twin, 5 GB traffic", twin, 1), ("name", name, 0)]
    {
        let new = NewContract { kind, period_ms: MONTH_MS, budget: ANY };
        let quote = quote(&parameters, token, &new, &vec![place; places]).unwrap();
        let price: u64 = quote.lines.iter().map(|line| worth(line.net, token).0 + 1).sum();
        println!("{what:20} {:>7} micro-USD a month", price);
        sum += price;
    }
    println!("{:20} {sum:>7} micro-USD a month, without any discount", "together");
    assert!(sum < 1_000_000, "{sum}");
}

//! What is free, what is reserved and what is solid: attacks on what is minted for it, played out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;
#[path = "common/farming.rs"]
mod farming;

use acre_codec::List;
use acre_ledger::mint::{MONTH_MS, MintItem};
use acre_ledger::{
    Action, Capacity, Event, Finding, NewContract, NewKind, NewStorage, Node, Refusal, Report,
    proven_units,
};
use acre_types::{Amount, Bytes, ContractId, Epoch, Profile};

use common::{Grid, addresses, node};
use farming::{CLAIMED, FARMS, HOUR_MS, finding, roomy, workload};

const FIRST: ContractId = ContractId(1);

/// All of the storage solid, so many cores seen at work, memory for as many CU.
fn seen(cores: u32) -> Finding {
    let memory = Bytes(u64::from(cores) * (17 << 30) / 4);
    let measured = Capacity { cores, memory, ..roomy(CLAIMED) };
    Finding { measured, solid: Bytes(CLAIMED), ..finding(10, CLAIMED) }
}

impl Grid {
    fn seen_at(&self, number: u8) -> Node {
        self.state.read(&node(number)).unwrap().unwrap()
    }

    /// Person 1 asks for so much of his own node 101.
    fn ask(&mut self, cores_milli: u64, period_ms: u64) -> Result<Vec<Event>, Refusal> {
        let new = workload(self, 101, cores_milli, period_ms);
        self.act(1, Action::CreateContract(new))
    }

    fn tell(&mut self, number: u64, traffic: Bytes, report: Report) {
        let report = Action::ReportWorkload { contract: FIRST, number, traffic, report };
        self.act(101, report).unwrap();
    }

    /// An epoch passes and is folded at once: the next one's reports come, too.
    fn fold_with(&mut self, one: Finding) {
        self.pass_with(one);
        self.pass_with(one);
    }

    fn foundation(&self) -> u64 {
        self.balance(common::FOUNDATION)
    }
}

/// What was minted for a node under this item, in all periods so far.
fn minted(grid: &Grid, number: u8, item: MintItem) -> u64 {
    let receipts = (0..200).filter_map(|period| grid.receipt(number, period));
    let lines = receipts.flat_map(|stored| stored.receipt.lines.to_vec());
    lines.filter(|line| line.item == item).map(|line| line.amount.0).sum()
}

#[test]
fn free_cores_memory_and_solid_storage_are_compute_units() {
    let mut grid = Grid::roomy();
    for _ in 0..4 {
        grid.pass_with(seen(4));
    }
    grid.claim(101).unwrap();
    let receipt = grid.receipt(101, 1).unwrap();
    let line = receipt.receipt.lines.iter().find(|line| line.item == MintItem::Compute).unwrap();
    // min((17 - 1) / 4, 4 x 2, 1200 / 50)
    assert_eq!(line.quantity.0, 4_000_000_000);
    assert_eq!(
        (grid.seen_at(101).solid, grid.seen_at(101).lent),
        (Bytes(CLAIMED), Capacity::default())
    );
    let mut slow = Grid::roomy();
    for _ in 0..4 {
        slow.pass_with(Finding { solid: Bytes(0), ..seen(4) });
    }
    slow.claim(101).unwrap();
    assert_eq!(minted(&slow, 101, MintItem::Compute), 0, "no solid storage, no CU");
    assert!(minted(&slow, 101, MintItem::Storage) > 0);
}

/// Witnesses saw four cores before the contract began: they are not four free ones and two reserved ones.
#[test]
fn core_is_either_free_or_reserved() {
    let mut grid = Grid::roomy();
    grid.ask(2_000, HOUR_MS).unwrap();
    grid.pass_with(seen(4));
    grid.tell(0, Bytes(0), Report::Accepted);
    grid.pass_with(seen(2));
    let of = grid.seen_at(101);
    assert_eq!((of.verified.cores, of.lent.cores, of.unlent().cores), (4, 2, 2));
    assert_eq!(of.verified.memory, of.capacity.memory);
    assert_eq!(of.lent.memory, Bytes(2 << 30));
    // Seen again as free as they are: no more for it.
    for _ in 0..4 {
        grid.pass_with(Finding {
            measured: Capacity { storage: Bytes(CLAIMED), ..of.unlent() },
            ..seen(4)
        });
        assert_eq!(grid.seen_at(101).verified.cores, 4);
    }
}

/// What was reserved when witnesses looked, and is not when they are heard, nobody measured.
#[test]
fn contract_that_ends_between_report_and_fold_counts_for_nothing() {
    let mut grid = Grid::roomy();
    grid.ask(2_000, HOUR_MS).unwrap();
    grid.tell(0, Bytes(0), Report::Accepted);
    grid.fold_with(seen(2));
    let of = grid.seen_at(101);
    assert_eq!((of.verified.cores, of.lent.cores), (4, 2));
    grid.act(1, Action::CancelContract { contract: FIRST }).unwrap();
    grid.pass_with(seen(2));
    let of = grid.seen_at(101);
    assert_eq!((of.verified.cores, of.lent.cores), (2, 0));
}

/// Anybody may ask for all of a node and pay nothing for it.
#[test]
fn workload_that_waits_for_its_node_proves_nothing_and_takes_nothing() {
    let mut grid = Grid::roomy();
    grid.fold_with(seen(4));
    let before = grid.seen_at(101);
    assert_eq!(before.verified.cores, 4);
    let new = workload(&grid, 101, 4_000, HOUR_MS);
    grid.act(2, Action::CreateContract(new)).unwrap();
    assert_eq!(grid.seen_at(101).asked, grid.seen_at(101).reserved);
    grid.fold_with(seen(4));
    let of = grid.seen_at(101);
    assert_eq!((of.verified, of.lent), (before.verified, Capacity::default()));
    assert_eq!(proven_units(&of), proven_units(&before));
    // Nor does it make cores that are not there.
    grid.fold_with(seen(0));
    assert_eq!(grid.seen_at(101).verified.cores, 0);
    grid.act(2, Action::CancelContract { contract: FIRST }).unwrap();
    assert_eq!((grid.seen_at(101).asked, grid.seen_at(101).reserved), Default::default());
}

/// Shards of data that a cheap function gives need no disk: they make neither storage nor compute units,
/// whatever free cores stand beside them, until somebody has paid for them.
#[test]
fn solid_storage_that_is_sold_unlocks_nothing_without_cover() {
    let mut grid = Grid::roomy();
    let storage = NewStorage {
        profile: Profile::Tiny,
        places: List::new(vec![node(101), node(102), node(103)]).unwrap(),
        // Two of three places hold it: all of each.
        bytes: Bytes(2 * CLAIMED),
        writer: common::key(1).public(),
    };
    let (kind, budget) = (NewKind::Storage(storage), Amount(u64::MAX));
    let new = NewContract { kind, period_ms: HOUR_MS, budget };
    grid.act(1, Action::CreateContract(new)).unwrap();
    for _ in 0..4 {
        grid.pass_with(Finding { sold: Bytes(CLAIMED), ..seen(4) });
    }
    grid.claim(101).unwrap();
    let receipt = grid.receipt(101, 1).unwrap();
    assert_eq!(receipt.input.sold.ssd, Bytes(CLAIMED));
    assert_eq!(receipt.receipt.total, Amount(0), "{:?}", receipt.receipt);
    assert!(receipt.receipt.sold_owed > Amount(0));
}

/// 60 % off for 18 months: the farm has 90 % of it back. Not one of the cores is there.
#[test]
fn renting_ones_own_cores_earns_less_than_it_costs() {
    let mut grid = Grid::roomy();
    grid.ask(2_000, 18 * MONTH_MS).unwrap();
    grid.tell(0, Bytes(0), Report::Accepted);
    let mut paid = false;
    for _ in 0..6 {
        // Storage is real; all cores are said to be reserved.
        grid.fold_with(seen(0));
        grid.act(1, Action::SettleContract { contract: FIRST }).unwrap();
        // Not each time is a period over.
        let _ = grid.claim(101);
        let (sold, taken) = (minted(&grid, 101, MintItem::Sold), grid.foundation());
        assert!(2 * sold <= taken, "{sold} of {taken}");
        paid |= sold > 0;
    }
    assert!(paid, "what was paid covers as much");
    assert_eq!(minted(&grid, 101, MintItem::Compute), 0, "none is free");
    let receipt = grid.receipt(101, 2).unwrap();
    assert_eq!((receipt.input.capacity.cores, receipt.input.sold.cores), (2, 2));
    assert!(receipt.receipt.sold_owed > Amount(0));
}

/// Whoever rents a machine for the moments of measuring would rule the grid for its other hours.
#[test]
fn cores_and_memory_neither_vote_nor_seat() {
    let mut grid = Grid::roomy();
    grid.fold_with(seen(4));
    let of = grid.seen_at(101);
    assert_eq!(of.verified.cores, 4);
    let storage = Capacity { storage: of.verified.storage, ..Capacity::default() };
    assert_eq!(proven_units(&of), proven_units(&Node { verified: storage, ..of.clone() }));
    let compute = Capacity { storage: Bytes(0), ..of.verified };
    assert_eq!(proven_units(&Node { verified: compute, ..of }), 0);
}

/// Storage that is solid is a part of what is there, whatever is said and whatever shrinks.
#[test]
fn solid_never_exceeds_storage() {
    let mut grid = Grid::roomy();
    grid.pass();
    let more = Finding { solid: Bytes(CLAIMED + 1), ..seen(4) };
    assert_eq!(grid.report(101, more), Err(Refusal::OutOfRange { what: "a verdict" }));
    // Shards that no contract has reserved are no storage, hence not solid either.
    let one = Finding { sold: Bytes(CLAIMED / 2), ..seen(4) };
    for n in 1..=FARMS {
        grid.report(100 + n, one).unwrap();
    }
    grid.pass_with(one);
    assert_eq!(grid.seen_at(101).solid, Bytes(CLAIMED / 2));
    let (capacity, state) = (roomy(CLAIMED / 4), acre_ledger::NodeState::Active);
    let (node, addresses) = (node(101), addresses());
    grid.act(1, Action::UpdateNode { node, capacity, addresses, state }).unwrap();
    assert_eq!(
        (grid.seen_at(101).solid, grid.seen_at(101).verified.storage),
        (capacity.storage, capacity.storage)
    );
}

/// Traffic that one sends to oneself is minted at twenty times its price, but for the cover.
#[test]
fn traffic_earns_no_more_than_its_bills_took() {
    let mut grid = Grid::roomy();
    grid.ask(1_000, HOUR_MS).unwrap();
    grid.tell(0, Bytes(0), Report::Accepted);
    grid.pass_with(seen(3));
    let before = grid.foundation();
    grid.tell(1, Bytes(9 << 30), Report::Traffic);
    let billed = grid.foundation() - before;
    for _ in 0..5 {
        grid.pass_with(seen(3));
    }
    grid.claim(101).unwrap();
    let earned = minted(&grid, 101, MintItem::Traffic);
    assert!(billed > 0 && earned > 0 && 2 * earned <= billed, "{earned} of {billed}");
    let told: u64 = (0..20).filter_map(|p| grid.receipt(101, p)).map(|r| r.input.traffic.0).sum();
    assert_eq!(told, 9 << 30, "each byte once");
}

/// A machine that is rented for the epoch after each nap would be paid for all of the nap.
#[test]
fn nap_is_worth_no_compute() {
    let mut grid = Grid::roomy();
    grid.fold_with(seen(4));
    let (node, first) = (node(101), Epoch(grid.epoch().number.0 + 1));
    grid.act(1, Action::SleepNode { node, from: first, epochs: 4 }).unwrap();
    let before = grid.state.read(&acre_ledger::EarningsOf(node)).unwrap().unwrap().open;
    for _ in 0..8 {
        grid.pass();
        for n in 1..=FARMS {
            // Who was asleep has nothing to report.
            let _ = grid.report(100 + n, seen(4));
        }
    }
    let earnings = grid.state.read(&acre_ledger::EarningsOf(node)).unwrap().unwrap();
    let spans = || earnings.closed.iter().chain([&earnings.open]);
    let nap = spans().map(|span| span.up_ms).sum::<u64>() - before.up_ms;
    let ms = spans().map(|span| span.proven.cores / 4).sum::<u128>() - before.proven.cores / 4;
    assert!(u128::from(nap) > ms, "time asleep is paid, {nap} ms, without cores: {ms} ms");
    let ms = spans().map(|span| span.proven.ssd / u128::from(CLAIMED)).sum::<u128>();
    assert!(ms < u128::from(nap), "nor as solid");
}

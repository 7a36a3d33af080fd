//! From reports to receipts on the ledger: no token without one, whatever comes in what order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;
#[path = "common/farming.rs"]
mod farming;

use acre_codec::List;
use acre_ledger::mint::{self, MONTH_MS, MintItem, MintLine, Policy, PolicyId, Raw, Reason};
use acre_ledger::{
    Action, AnyObject, EarningsOf, Event, Finding, Key, NewContract, NewKind, NewStorage, Node,
    PolicyBookOf, Refusal, Report, State,
};
use acre_types::{Amount, Bytes, ContractId, FarmId, Profile, UnixMs};
use proptest::prelude::*;

use common::{Grid, account, addresses, node};
use farming::{CLAIMED, EPOCH_MS, GRANTS, HOUR_MS, finding, roomy, workload};

#[test]
fn period_is_minted_once_by_a_receipt_that_anyone_recomputes() {
    let mut grid = Grid::farming(Policy::standard());
    for _ in 0..3 {
        grid.pass_with(finding(10, CLAIMED));
    }
    // Reports about epochs 2, 3 and 4 were given, and 2 and 3 were folded: period 1 is over only
    // once nobody can report about it any more.
    let before = grid.balance(account(201));
    let events = grid.claim(101).unwrap();
    let stored = grid.receipt(101, 1).unwrap();
    assert_eq!(mint::recompute(&stored).unwrap(), stored.receipt);
    assert_eq!((stored.input.due_ms, stored.input.up_ms), (2 * EPOCH_MS, 2 * EPOCH_MS));
    assert_eq!(stored.input.capacity.hdd, Bytes(CLAIMED));
    // 1 SU x 1 USD x 2,000 / 60,000 ms at 0.08 USD a token = 0.4166666 TFT, and 2 % of honest
    // verdicts: those folded so far.
    assert_eq!(stored.receipt.lines[0].amount, Amount(4_166_666));
    assert_eq!((stored.input.duties, stored.receipt.lines.len()), (4, 2));
    assert_eq!(stored.receipt.lines[1].amount, Amount(4_166_666 * 20 / 1000));
    let amount = stored.receipt.total;
    assert_eq!(grid.balance(account(201)) - before, amount.0);
    let (id, farm) = (node(101), FarmId(1));
    let minted = Event::RewardMinted { node: id, farm, period: 1, reason: Reason::Paid, amount };
    assert!(events.contains(&minted), "{events:?}");
    assert_eq!(grid.claim(101), Err(Refusal::NothingToDo));
    let totals = grid.state.totals().unwrap();
    assert_eq!((totals.rewarded, totals.minted), (amount, Amount(GRANTS + amount.0)));
}

#[test]
fn nothing_is_minted_that_no_witness_reported() {
    let mut grid = Grid::farming(Policy::standard());
    for _ in 0..6 {
        grid.pass();
    }
    assert_eq!(grid.claim(101), Err(Refusal::NothingToDo));
    assert_eq!(grid.claim(120), Err(Refusal::NoSuchNode { node: node(120) }));
    assert_eq!(grid.state.totals().unwrap().rewarded, Amount(0));
}

#[test]
fn one_good_epoch_does_not_pay_for_a_period() {
    let mut grid = Grid::farming(Policy::standard());
    grid.pass_with(finding(10, 0));
    grid.pass_with(finding(10, CLAIMED));
    grid.pass_with(finding(10, CLAIMED));
    grid.claim(101).unwrap();
    assert_eq!(grid.receipt(101, 1).unwrap().input.capacity.hdd, Bytes(CLAIMED / 2));
}

#[test]
fn too_little_uptime_leaves_a_receipt_that_says_so() {
    let mut grid = Grid::farming(Policy::standard());
    for answered in [10, 8, 10] {
        grid.pass_with(finding(answered, CLAIMED));
    }
    grid.claim(101).unwrap();
    let receipt = grid.receipt(101, 1).unwrap().receipt;
    assert_eq!((receipt.reason, receipt.total), (Reason::UptimeTooLow, Amount(0)));
}

#[test]
fn budget_of_a_policy_is_never_exceeded() {
    let caps = mint::Caps { budget: Some(Amount(5_000_000)), ..mint::Caps::default() };
    let mut grid = Grid::farming(Policy { caps, ..Policy::standard() });
    for _ in 0..3 {
        grid.pass_with(finding(10, CLAIMED));
    }
    for number in 101..=104 {
        grid.claim(number).unwrap();
    }
    assert_eq!(grid.state.totals().unwrap().rewarded, Amount(5_000_000));
    let book = grid.state.read(&PolicyBookOf(PolicyId(0))).unwrap().unwrap();
    assert_eq!((book.minted, book.nodes), (Amount(5_000_000), 4));
    assert!(grid.receipt(104, 1).unwrap().receipt.withheld > Amount(0));
}

/// A farmer rents space of his own nodes for as long as discounts reach, stores what costs no disk and
/// claims: nobody is minted more for shards than the foundation got for them.
#[test]
fn storing_for_oneself_earns_no_more_than_it_costs() {
    let mut grid = Grid::farming(Policy::standard());
    let storage = NewStorage {
        profile: Profile::Tiny,
        places: List::new(vec![node(101), node(102), node(103)]).unwrap(),
        bytes: Bytes(1100 << 30),
        writer: common::key(1).public(),
    };
    let (kind, budget) = (NewKind::Storage(storage), Amount(u64::MAX));
    let period_ms = 30 * 24 * 3_600_000;
    grid.act(1, Action::CreateContract(NewContract { kind, period_ms, budget })).unwrap();
    let contract = ContractId(1);
    let sold = Finding { sold: Bytes(CLAIMED), ..finding(10, CLAIMED) };
    for _ in 0..4 {
        grid.pass_with(sold);
    }
    grid.claim(101).unwrap();
    let first = grid.receipt(101, 1).unwrap();
    assert!(first.input.sold.hdd > Bytes(0) && first.input.sold.hdd == first.input.capacity.hdd);
    assert_eq!(first.receipt.total, Amount(0), "nothing was paid yet");
    assert!(first.receipt.sold_owed > Amount(0));
    let mut taken = 0;
    for _ in 0..4 {
        for event in grid.act(1, Action::SettleContract { contract }).unwrap() {
            if let Event::ContractPaid { foundation, .. } = event {
                taken += foundation.0;
            }
        }
        grid.pass_with(sold);
        for number in 101..=103 {
            // Nothing is over yet in every other epoch.
            let _ = grid.claim(number);
        }
        let minted = grid.state.totals().unwrap().rewarded.0;
        assert!(minted <= taken, "{minted} of {taken}");
        holds(&grid.state).unwrap();
    }
    assert!(grid.state.totals().unwrap().rewarded > Amount(0), "what was paid covers as much");
    grid.claim(104).unwrap();
    assert_eq!(grid.receipt(104, 1).unwrap().input.sold, Raw::default(), "no contract there");
}

#[test]
fn who_never_claims_is_paid_when_no_more_periods_fit() {
    let mut grid = Grid::farming(Policy::standard());
    for _ in 0..32 {
        grid.pass_with(finding(10, CLAIMED));
    }
    let earnings = grid.state.read(&EarningsOf(node(101))).unwrap().unwrap();
    assert!(earnings.minted > Amount(0));
    assert!(earnings.closed.len() < 4, "{earnings:?}");
    assert!((1..13).all(|period| grid.receipt(101, period).is_some()));
    holds(&grid.state).unwrap();
}

#[test]
fn node_keeps_the_policy_and_price_of_its_registration() {
    let grid = Grid::farming(Policy::seed2017());
    let earnings = grid.state.read(&EarningsOf(node(101))).unwrap().unwrap();
    assert_eq!((earnings.policy, earnings.price), (PolicyId(0), mint::MicroUsd(80_000)));
    let closed = mint::Entry { closes: Some(UnixMs(0)), ..mint::Entry::default() };
    let grid = Grid::farming(Policy { entry: closed, ..Policy::standard() });
    assert_eq!(grid.state.read(&EarningsOf(node(101))).unwrap(), None);
}

/// L3 and L7 over every leaf.
fn holds(state: &State) -> Result<(), TestCaseError> {
    let (mut balances, mut escrow, mut staked) = (0_u64, 0_u64, 0_u64);
    let (mut earned, mut receipts, mut books, mut covered) = (0_u64, 0_u64, 0_u64, 0_u64);
    for (key, value) in state.leaves() {
        let key: Key = acre_codec::decode(key).unwrap();
        match AnyObject::decode(&key, value).unwrap() {
            AnyObject::Account(account) => balances += account.balance.0,
            AnyObject::Contract(of) => {
                escrow += of.escrow.0 + of.usage.0 + of.deposit.0 + of.closing.0;
            }
            AnyObject::Farm(farm) => staked += farm.at_stake().0,
            AnyObject::Candidate(candidate) => escrow += candidate.stake.0,
            AnyObject::Earnings(earnings) => earned += earnings.minted.0,
            AnyObject::PolicyBook(book) => books += book.minted.0,
            AnyObject::Node(node) => proven(&node)?,
            AnyObject::MintReceiptObject(stored) => {
                let by_bills =
                    |line: &&MintLine| matches!(line.item, MintItem::Sold | MintItem::Traffic);
                let lines = stored.receipt.lines.iter().filter(by_bills);
                covered += lines.map(|line| line.amount.0).sum::<u64>();
                receipts += stored.receipt.total.0;
                let input = &stored.input;
                prop_assert_eq!(&mint::recompute(&stored).unwrap(), &stored.receipt);
                prop_assert!(input.up_ms <= input.due_ms && input.due_ms <= 2 * EPOCH_MS);
                prop_assert!(input.capacity.storage() <= Bytes(2 * CLAIMED));
            }
            _ => {}
        }
    }
    let totals = state.totals().unwrap();
    prop_assert_eq!(totals.minted.0 - totals.rewarded.0, GRANTS, "L7: grants of genesis");
    prop_assert_eq!([earned, receipts, books], [totals.rewarded.0; 3], "L7");
    let taken = state.read(&common::FOUNDATION).unwrap().unwrap_or_default().balance.0;
    prop_assert!(2 * covered <= taken + totals.burned.0, "{} of {}", covered, taken);
    prop_assert_eq!((escrow + staked, staked), (totals.escrow.0, totals.staked.0));
    prop_assert_eq!(balances + escrow + staked, totals.minted.0 - totals.burned.0, "L3");
    Ok(())
}

/// L7 of a node: nothing is verified beyond what it claims, and no core is both free and reserved.
fn proven(node: &Node) -> Result<(), TestCaseError> {
    prop_assert_eq!(node.verified, node.proven(), "{:?}", node);
    prop_assert!(node.solid <= node.verified.storage, "{:?}", node);
    prop_assert_eq!(node.lent, node.lent.min(node.verified), "{:?}", node);
    let (all, lent) = (Raw::proven(node), Raw::lent(node));
    prop_assert_eq!(all.without(&lent).storage(), node.unlent().storage);
    prop_assert!(node.reserved.checked_sub(node.asked).is_some(), "{:?}", node);
    Ok(())
}

#[derive(Clone, Debug)]
enum Op {
    Pass,
    Report { witness: u8, answered: u16, storage: u64, solid: u64, cores: u32 },
    Ask { tenant: u8, node: u8, cores_milli: u64, months: u64 },
    Answer { contract: u64, report: Report, traffic: u64 },
    Settle { contract: u64 },
    Cancel { contract: u64 },
    Claim(u8),
    Resize { node: u8, storage: u64 },
    Stake { farm: u8, amount: u64 },
    Unstake { farm: u8, amount: u64 },
    Collect(u8),
    Propose { farm: u8, members: Vec<(u8, u32)> },
    Accept { farm: u8, by: u8 },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (node, farm, amount) = (|| 101..=104_u8, || 1..=4_u8, || 0..9_000_000_000_u64);
    let storage = || prop_oneof![Just(CLAIMED), 0..2 * CLAIMED];
    let answered = prop_oneof![3 => Just(10_u16), 1 => 0..10_u16];
    let members = proptest::collection::vec((1..=4_u8, 0..9_u32), 0..3);
    let answers = prop_oneof![3 => Just(Report::Accepted), 1 => Just(Report::Traffic)];
    let one = prop_oneof![
        4 => Just(Op::Pass),
        12 => (node(), answered, storage(), 0..=4_u64, 0..6_u32)
            .prop_map(|(witness, answered, storage, quarters, cores)| {
                let solid = storage / 4 * quarters;
                Op::Report { witness, answered, storage, solid, cores }
            }),
        3 => (farm(), node(), 0..5_000_u64, 0..19_u64).prop_map(
            |(tenant, node, cores_milli, months)| Op::Ask { tenant, node, cores_milli, months }),
        8 => (1..4_u64, answers, 0..9_u64)
            .prop_map(|(contract, report, traffic)| Op::Answer { contract, report, traffic }),
        2 => (1..4_u64).prop_map(|contract| Op::Settle { contract }),
        1 => (1..4_u64).prop_map(|contract| Op::Cancel { contract }),
        4 => node().prop_map(Op::Claim),
        1 => (node(), storage()).prop_map(|(node, storage)| Op::Resize { node, storage }),
        1 => (farm(), amount()).prop_map(|(farm, amount)| Op::Stake { farm, amount }),
        2 => (farm(), amount()).prop_map(|(farm, amount)| (farm, amount / 4))
            .prop_map(|(farm, amount)| Op::Unstake { farm, amount }),
        3 => farm().prop_map(Op::Collect),
        2 => (farm(), members).prop_map(|(farm, members)| Op::Propose { farm, members }),
        5 => (farm(), farm()).prop_map(|(farm, by)| Op::Accept { farm, by }),
    ];
    proptest::collection::vec(one, 30..110)
}

fn run(grid: &mut Grid, op: &Op) -> Result<Vec<Event>, Refusal> {
    let id = |farm: u8| FarmId(farm.into());
    match op {
        Op::Pass => {
            grid.pass();
            Ok(Vec::new())
        }
        Op::Report { witness, answered, storage, solid, cores } => {
            let one = finding(*answered, *storage);
            let measured = acre_ledger::Capacity { cores: *cores, ..roomy(*storage) };
            grid.report(*witness, Finding { measured, solid: Bytes(*solid), ..one })
        }
        Op::Ask { tenant, node: number, cores_milli, months } => {
            let new = workload(grid, *number, *cores_milli, MONTH_MS * months + HOUR_MS);
            grid.act(*tenant, Action::CreateContract(new))
        }
        Op::Answer { contract, report, traffic } => {
            let contract = ContractId(*contract);
            let Some(held) = grid.state.read(&contract).unwrap() else {
                return Err(Refusal::NothingToDo);
            };
            let workload = held.workload().unwrap();
            let (number, of) = (workload.reports, workload.node);
            let report = Action::ReportWorkload {
                contract,
                number,
                traffic: Bytes(traffic << 30),
                report: report.clone(),
            };
            let signer = (101..=104).find(|number| node(*number) == of).unwrap();
            grid.act(signer, report)
        }
        Op::Settle { contract } => {
            grid.act(1, Action::SettleContract { contract: ContractId(*contract) })
        }
        Op::Cancel { contract } => {
            let contract = ContractId(*contract);
            let owner = grid.state.read(&contract).unwrap().map(|held| held.owner);
            let signer = (1..=4).find(|n| Some(account(*n)) == owner);
            grid.act(signer.unwrap_or(1), Action::CancelContract { contract })
        }
        Op::Claim(number) => grid.claim(*number),
        Op::Resize { node: number, storage } => {
            let (node, capacity, state) =
                (node(*number), roomy(*storage), acre_ledger::NodeState::Active);
            let addresses = addresses();
            grid.act(*number - 100, Action::UpdateNode { node, capacity, addresses, state })
        }
        Op::Stake { farm, amount } => {
            grid.act(*farm, Action::StakeFarm { farm: id(*farm), amount: Amount(*amount) })
        }
        Op::Unstake { farm, amount } => {
            grid.act(*farm, Action::UnstakeFarm { farm: id(*farm), amount: Amount(*amount) })
        }
        Op::Collect(farm) => grid.act(1, Action::CollectFarmStake { farm: id(*farm) }),
        Op::Propose { farm, members } => {
            let member = |(n, parts): &(u8, u32)| acre_ledger::Member {
                account: account(*n),
                parts: *parts,
            };
            let members = List::new(members.iter().map(member).collect()).unwrap();
            grid.act(*farm, Action::ProposeMembers { farm: id(*farm), members })
        }
        Op::Accept { farm, by } => {
            let held = grid.state.read(&id(*farm)).unwrap().unwrap();
            let members = held.proposed.map(|proposed| proposed.members).unwrap_or_default();
            grid.act(*by, Action::AcceptMembers { farm: id(*farm), members })
        }
    }
}

#[test]
fn no_token_without_a_receipt_whatever_happens() {
    let reached = std::cell::RefCell::new(std::collections::BTreeMap::<String, u32>::new());
    let mut runner = proptest::test_runner::TestRunner::new(common::cases(96));
    let outcome = runner.run(&ops(), |ops| {
        let mut grid = Grid::roomy();
        for op in &ops {
            if run(&mut grid, op).is_ok() {
                let name = format!("{op:?}");
                let name = name.split([' ', '(']).next().unwrap_or_default().to_owned();
                *reached.borrow_mut().entry(name).or_default() += 1;
            }
            holds(&grid.state)?;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // Each was accepted now and then, or this shows nothing.
    assert_eq!(reached.borrow().len(), 13, "{:?}", reached.borrow());
}

//! Random candidates over many terms: stake adds up (L3), nothing applies twice (L4), and seats
//! change as slowly as they must.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;

use acre_codec::List;
use acre_ledger::{
    Action, AnyObject, CandidateAt, CandidateBy, CandidateOf, Fees, Key, NewCandidate, Parameters,
    Possession, SeatRules, SeatsBy, TheSeats, Validator, Verified, apply_block, build_block,
    candidates, committee_of,
};
use acre_types::{Amount, Height, PublicKey, UnixMs};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use common::{Grid, account, genesis, key, text};

const PEOPLE: std::ops::RangeInclusive<u8> = 1..=8;
const L: u64 = 4;
const MIN: u64 = 100;

/// Person n, validator key 100 + n; the four founders are persons 201 to 204 with the same keys.
#[derive(Clone, Debug)]
enum Op {
    Register(u8, u64),
    Raise(u8, u64),
    Lower(u8, u64),
    Leave(u8),
    Collect(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let who = || prop_oneof![5 => PEOPLE, 1 => 201..=204_u8];
    let stake = || prop_oneof![Just(0), 1..3 * MIN];
    prop_oneof![
        3 => (PEOPLE, stake()).prop_map(|(n, stake)| Op::Register(n, stake)),
        2 => (who(), stake()).prop_map(|(n, stake)| Op::Raise(n, stake)),
        2 => (who(), stake()).prop_map(|(n, stake)| Op::Lower(n, stake)),
        2 => who().prop_map(Op::Leave),
        3 => who().prop_map(Op::Collect),
    ]
}

fn validator(n: u8) -> PublicKey {
    key(if n > 200 { n } else { 100 + n }).public()
}

fn action(grid: &Grid, op: &Op) -> (u8, Action) {
    match *op {
        Op::Register(n, stake) => {
            let possession = Possession { chain: grid.chain(), account: account(n) };
            let new = NewCandidate {
                validator: validator(n),
                possession: key(100 + n).sign(&possession),
                engine: text("127.0.0.1:3"),
                rpc: text("127.0.0.1:4"),
                stake: Amount(stake),
                nodes: List::default(),
            };
            (n, Action::RegisterCandidate(new))
        }
        Op::Raise(n, amount) => {
            (n, Action::RaiseStake { validator: validator(n), amount: Amount(amount) })
        }
        Op::Lower(n, amount) => {
            (n, Action::LowerStake { validator: validator(n), amount: Amount(amount) })
        }
        Op::Leave(n) => (n, Action::LeaveSeats { validator: validator(n) }),
        // By somebody else.
        Op::Collect(n) => (1, Action::CollectStake { validator: validator(n) }),
    }
}

fn grid() -> Grid {
    let seats = SeatRules {
        term_heights: L,
        seats_max: 5,
        by: SeatsBy::Stake { min: Amount(MIN) },
        unbonding_terms: 1,
        missed_penalty: Amount(1),
        ..SeatRules::default()
    };
    let fees = Fees { transaction: Amount(0), byte: Amount(0), place: Amount(0) };
    let parameters = Parameters { seats, fees, ..Parameters::default() };
    let grants = PEOPLE.chain(201..=204).map(|n| (account(n), Amount(1_000))).collect();
    let mut genesis = genesis(parameters, grants);
    let founder = |n: u8| Validator {
        key: key(n).public(),
        engine: text("127.0.0.1:1"),
        rpc: text("127.0.0.1:2"),
    };
    genesis.validators = List::new((201..=204).map(founder).collect()).unwrap();
    Grid::new(&genesis)
}

/// L3, and that the three ways to find a candidate agree.
fn is_sound(grid: &Grid) -> Result<(), TestCaseError> {
    let (mut balances, mut escrow, mut count) = (0, 0, 0);
    for (key, value) in grid.state.leaves() {
        let key: Key = acre_codec::decode(key).unwrap();
        match AnyObject::decode(&key, value).unwrap() {
            AnyObject::Account(account) => balances += account.balance.0,
            AnyObject::Candidate(candidate) => {
                count += 1;
                escrow += candidate.stake.0;
                escrow += candidate.releases.iter().map(|release| release.amount.0).sum::<u64>();
            }
            _ => {}
        }
    }
    let totals = grid.state.totals().unwrap();
    prop_assert_eq!(escrow, totals.escrow.0, "L3: escrow");
    prop_assert_eq!(balances + escrow, totals.minted.0 - totals.burned.0, "L3: all tokens");
    let all = candidates(&grid.state).unwrap();
    prop_assert_eq!(all.len(), count);
    prop_assert_eq!(grid.state.read(&CandidateAt(totals.candidates)).unwrap(), None);
    for (index, (key, candidate)) in (0..).zip(all) {
        prop_assert_eq!(candidate.index, index);
        let by_account = grid.state.read(&CandidateOf(candidate.account)).unwrap();
        prop_assert_eq!(by_account, Some(key));
    }
    Ok(())
}

fn members(grid: &Grid) -> Vec<PublicKey> {
    let term = grid.height / L;
    let seats = committee_of(&grid.state, term).unwrap().unwrap();
    seats.into_iter().map(|seat| seat.validator).collect()
}

fn run(blocks: &[Vec<Op>], reached: &mut BTreeMap<String, u32>) -> Result<(), TestCaseError> {
    let mut grid = grid();
    let mut ever: Vec<Verified> = Vec::new();
    for ops in blocks {
        let before = members(&grid);
        let promised = grid.state.read(&TheSeats).unwrap().unwrap().next;
        let (height, time) = (Height(grid.height + 1), UnixMs(grid.now));
        let mut all = Vec::new();
        for op in ops {
            // Each alone on the same nonce: the first of a person's that applies takes it.
            let (from, action) = action(&grid, op);
            all.push((op, grid.signed(from, action)));
        }
        let transactions: Vec<_> = all.iter().map(|(_, transaction)| transaction).collect();
        let built = build_block(&grid.state, transactions, height, time).unwrap();
        for receipt in &built.applied.receipts {
            let (op, _) = all.iter().find(|(_, it)| it.id() == receipt.transaction).unwrap();
            let name = format!("{op:?}").split('(').next().unwrap().to_owned();
            *reached.entry(name).or_default() += 1;
        }
        let verified = built.payload.verify().unwrap();
        let again = apply_block(&grid.state, &verified, height, time).unwrap();
        prop_assert_eq!(again.root, built.applied.root);
        ever.extend(verified);
        let replay = build_block(&built.applied.state, &ever, height, time).unwrap();
        prop_assert!(replay.applied.receipts.is_empty(), "L4");
        grid.state = built.applied.state;
        grid.height += 1;
        is_sound(&grid)?;
        let now = members(&grid);
        if grid.height.is_multiple_of(L) {
            let promised: Vec<_> = promised.iter().map(|seat| seat.validator).collect();
            prop_assert_eq!(&now, &promised);
            let changes_max = ((before.len() - 1) / 3).max(1);
            prop_assert!(now.iter().filter(|it| !before.contains(it)).count() <= changes_max);
            prop_assert!(before.iter().filter(|it| !now.contains(it)).count() <= changes_max);
        } else {
            prop_assert_eq!(&now, &before);
        }
        prop_assert!(!now.is_empty() && now.len() <= 5);
        // Whoever will go on sitting can be found; who goes may be gone with its last block.
        let is_last = (grid.height + 1).is_multiple_of(L);
        let next = grid.state.read(&TheSeats).unwrap().unwrap().next;
        prop_assert_eq!(is_last, !next.is_empty());
        let next = next.iter().map(|seat| seat.validator).collect();
        for seat in if is_last { next } else { now } {
            prop_assert!(grid.state.read(&CandidateBy(seat)).unwrap().is_some());
        }
    }
    Ok(())
}

#[test]
fn stake_and_seats_stay_sound_over_many_terms() {
    let blocks = proptest::collection::vec(proptest::collection::vec(op(), 0..6), 4..60);
    let config = Config { cases: 96, failure_persistence: None, ..Config::default() };
    let reached = RefCell::new(BTreeMap::new());
    let outcome =
        TestRunner::new(config).run(&blocks, |blocks| run(&blocks, &mut reached.borrow_mut()));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let reached = reached.into_inner();
    assert_eq!(reached.len(), 5, "{reached:?}");
}

//! What farms have at stake, and cooperatives.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_codec::List;
use acre_ledger::{
    Action, CapacityRules, Event, Farm, Member, Members, MintingRules, Parameters, Refusal,
    TheEpoch, Verified, apply_block,
};
use acre_types::{AccountId, Amount, FarmId, Height, UnixMs};
use proptest::prelude::*;

use common::{Grid, account, text};

const FARM: FarmId = FarmId(1);
const UNBONDING: u64 = 3;

fn grid() -> Grid {
    grid_with(UNBONDING)
}

fn grid_with(unbonding_epochs: u64) -> Grid {
    let capacity = CapacityRules { epoch_ms: 1_000, beacon_steps: 2, ..CapacityRules::default() };
    let minting = MintingRules { unbonding_epochs, ..MintingRules::default() };
    Grid::with_farms_under(Parameters { capacity, minting, ..Parameters::default() }, 3)
}

fn stake(amount: u64) -> Action {
    Action::StakeFarm { farm: FARM, amount: Amount(amount) }
}

fn unstake(amount: u64) -> Action {
    Action::UnstakeFarm { farm: FARM, amount: Amount(amount) }
}

const COLLECT: Action = Action::CollectFarmStake { farm: FARM };

impl Grid {
    fn farm(&self) -> Farm {
        self.state.read(&FARM).unwrap().unwrap()
    }

    fn pass(&mut self) {
        self.now = self.state.read(&TheEpoch).unwrap().unwrap().ends().0;
        self.height += 1;
        let (height, time) = (Height(self.height), UnixMs(self.now));
        self.state = apply_block::<Verified>(&self.state, &[], height, time).unwrap().state;
    }
}

#[test]
fn stake_is_the_owners_and_comes_back_after_its_time() {
    let mut grid = grid();
    let owner = Refusal::NotYours { what: "the farm" };
    let range = Refusal::OutOfRange { what: "the stake" };
    assert_eq!(grid.act(2, stake(5)), Err(owner.clone()));
    assert_eq!(grid.act(1, stake(0)), Err(range.clone()));
    let too_much = grid.act(1, stake(u64::MAX / 2));
    assert!(matches!(too_much, Err(Refusal::NoFunds { .. })), "{too_much:?}");
    grid.act(1, stake(50)).unwrap();
    assert_eq!(grid.act(2, unstake(5)), Err(owner));
    assert_eq!(grid.act(1, unstake(51)), Err(range));
    grid.act(1, unstake(20)).unwrap();
    assert_eq!((grid.farm().stake, grid.farm().at_stake()), (Amount(30), Amount(50)));
    assert_eq!(grid.state.totals().unwrap().staked, Amount(50));
    for _ in 0..UNBONDING {
        assert_eq!(grid.act(3, COLLECT), Err(Refusal::NothingToDo));
        grid.pass();
    }
    let before = grid.balance(account(1));
    grid.act(3, COLLECT).unwrap();
    assert_eq!(grid.balance(account(1)), before + 20);
    let totals = grid.state.totals().unwrap();
    assert_eq!((totals.staked, totals.escrow), (Amount(30), Amount(30)));
}

/// More parts on their way back than fit: the last of them waits longer.
#[test]
fn many_withdrawals_lose_nothing() {
    let mut grid = grid_with(100);
    grid.act(1, stake(100)).unwrap();
    for done in 1..=12 {
        grid.act(1, unstake(5)).unwrap();
        assert_eq!(grid.farm().stake, Amount(100 - 5 * done));
        assert_eq!(grid.farm().at_stake(), Amount(100));
        grid.pass();
    }
    assert_eq!(grid.farm().releases.len(), 8);
    for _ in 0..100 {
        grid.pass();
    }
    grid.act(1, COLLECT).unwrap();
    assert_eq!((grid.farm().at_stake(), grid.farm().releases.len()), (Amount(40), 0));
}

fn members(parts: &[(u8, u32)]) -> Members {
    let member = |(n, parts): &(u8, u32)| Member { account: account(*n), parts: *parts };
    List::new(parts.iter().map(member).collect()).unwrap()
}

fn propose(parts: &[(u8, u32)]) -> Action {
    Action::ProposeMembers { farm: FARM, members: members(parts) }
}

fn accept(parts: &[(u8, u32)]) -> Action {
    Action::AcceptMembers { farm: FARM, members: members(parts) }
}

#[test]
fn cooperative_needs_the_word_of_all_who_are_or_shall_be_members() {
    let mut grid = grid();
    let first = [(1, 2), (2, 1)];
    assert_eq!(grid.act(2, propose(&first)), Err(Refusal::NotYours { what: "the farm" }));
    grid.act(1, propose(&first)).unwrap();
    assert!(grid.farm().members.is_empty());
    let nothing = Err(Refusal::NothingToDo);
    assert_eq!(grid.act(3, accept(&first)), nothing);
    assert_eq!(grid.act(2, accept(&[(1, 1), (2, 1)])), nothing);
    let events = grid.act(2, accept(&first)).unwrap();
    assert!(events.contains(&Event::MembersChanged { farm: FARM }));
    assert_eq!(grid.farm().members, members(&first));
    assert_eq!(grid.act(2, accept(&first)), nothing);
    // The owner alone cannot make another's part smaller, nor put him out.
    for next in [&[(1, 9), (2, 1)][..], &[(1, 1)], &[], &[(3, 1)]] {
        grid.act(1, propose(next)).unwrap();
        assert_eq!(grid.farm().members, members(&first));
    }
    grid.act(2, accept(&[(3, 1)])).unwrap();
    assert_eq!(grid.farm().members, members(&first));
    grid.act(3, accept(&[(3, 1)])).unwrap();
    assert_eq!(grid.farm().members, members(&[(3, 1)]));
}

#[test]
fn proposal_is_taken_back_by_proposing_what_is() {
    let mut grid = grid();
    assert_eq!(grid.act(1, propose(&[])), Err(Refusal::NothingToDo));
    grid.act(1, propose(&[(1, 1), (2, 1)])).unwrap();
    grid.act(1, propose(&[])).unwrap();
    assert_eq!(grid.farm().proposed, None);
    assert_eq!(grid.act(2, accept(&[(1, 1), (2, 1)])), Err(Refusal::NothingToDo));
}

#[test]
fn members_are_named_once_with_parts() {
    let mut grid = grid();
    for bad in [&[(1, 1), (1, 1)][..], &[(1, 0)], &[(1, 1_000_001)]] {
        let range = Refusal::OutOfRange { what: "the members of a farm" };
        assert_eq!(grid.act(1, propose(bad)), Err(range));
    }
}

#[test]
fn new_name_leaves_stake_and_members() {
    let mut grid = grid();
    grid.act(1, stake(7)).unwrap();
    grid.act(1, propose(&[(1, 1)])).unwrap();
    let payout = account(9);
    grid.act(1, Action::UpdateFarm { farm: FARM, name: text("dale"), payout }).unwrap();
    let farm = grid.farm();
    assert_eq!((farm.stake, farm.members), (Amount(7), members(&[(1, 1)])));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_split_is_exact(amount in any::<u64>(), parts in proptest::collection::vec(1..=1_000_000_u32, 0..=32)) {
        let id = |n: usize| AccountId([u8::try_from(n).unwrap(); 32]);
        let all = parts.iter().enumerate();
        let all: Vec<_> = all.map(|(n, parts)| Member { account: id(n), parts: *parts }).collect();
        let mut farm = Farm::new(text("farm"), id(99), id(98));
        farm.members = List::new(all).unwrap();
        let shares = farm.split(Amount(amount));
        let sum: u128 = shares.iter().map(|(_, share)| u128::from(share.0)).sum();
        prop_assert_eq!(sum, u128::from(amount));
        let whole: u128 = parts.iter().map(|parts| u128::from(*parts)).sum();
        for ((_, share), parts) in shares.iter().zip(&parts).skip(1) {
            prop_assert_eq!(u128::from(share.0), u128::from(amount) * u128::from(*parts) / whole);
        }
    }
}

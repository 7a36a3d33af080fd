//! How a grid changes its own rules, and what no vote can do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_codec::List;
use acre_ledger::{
    Action, Amendment, BallotOf, BlockError, Capacity, Event, Fees, GovernanceRules, Key,
    Lookup as _, NewBallot, NewProposal, Node, NodeState, Parameters, ProposalAt, ProposalState,
    Refusal, RuleVersion, SeatRules, Side, StateError, Subject, TheAssembly, Verified, VoiceOf,
    apply_block, apply_block_knowing, limits, proven_units,
};
use acre_types::{Amount, Bytes, Height, NodeId, UnixMs};

use common::{Grid, account, genesis, node, text};

const VOTING_MS: u64 = 10_000;
const LOCK_MS: u64 = 20_000;
const DEPOSIT: u64 = 500;
const TFT: u64 = 10_000_000;

fn rules() -> GovernanceRules {
    GovernanceRules {
        voting_ms: VOTING_MS,
        lock_ms: LOCK_MS,
        deposit: Amount(DEPOSIT),
        quorum_users: 100,
        quorum_farmers: 200,
        majority: 500,
    }
}

/// People 1 to 4 with 10 TFT each; free transactions, so that sums are plain.
fn grid() -> Grid {
    let grants = (1..=4).map(|n| (account(n), Amount(10 * TFT))).collect();
    let fees = Fees { transaction: Amount(0), byte: Amount(0), place: Amount(0) };
    Grid::new(&genesis(Parameters { fees, governance: rules(), ..Parameters::default() }, grants))
}

/// As [`grid`]; persons 1 to n have a node, 100 + their number, of which so much is proven.
fn with_nodes(units: &[u64]) -> Grid {
    let mut grid = grid();
    for (n, _) in (1_u8..).zip(units) {
        let farm = Action::CreateFarm { name: text("farm"), payout: account(n) };
        grid.act(n, farm).unwrap();
        grid.join(100 + n, n, u32::from(n), &format!("site {n}")).unwrap();
    }
    let mut leaves: std::collections::BTreeMap<_, _> =
        grid.state.leaves().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    let mut all = 0;
    for (n, units) in (1_u8..).zip(units) {
        let mut found: Node = grid.state.read(&node(100 + n)).unwrap().unwrap();
        // 1,200 GiB are a thousand units.
        let storage = Bytes(units * (1200 << 30) / 1000);
        found.capacity = Capacity { storage, ..found.capacity };
        found.verified = Capacity { storage, ..Capacity::default() };
        assert_eq!(proven_units(&found), *units);
        all += u128::from(*units);
        leaves.insert(Key::Node(node(100 + n)).to_bytes(), acre_codec::encode(&found));
    }
    let assembly = acre_ledger::Assembly { units: all };
    leaves.insert(TheAssembly.key().to_bytes(), acre_codec::encode(&assembly));
    grid.state = acre_ledger::State::from_leaves(leaves).unwrap();
    grid
}

fn fees(byte: u64) -> Amendment {
    Amendment::Fees(Fees { transaction: Amount(0), byte: Amount(byte), place: Amount(0) })
}

fn propose(change: Amendment) -> Action {
    Action::Propose(NewProposal { change, reason: text("because") })
}

fn vote(proposal: u64, side: Side, nodes: &[u8]) -> Action {
    let nodes: Vec<NodeId> = nodes.iter().map(|n| node(*n)).collect();
    Action::Vote(NewBallot { proposal, side, nodes: List::new(nodes).unwrap() })
}

fn lock(tft: u64) -> Action {
    Action::LockVoice { amount: Amount(tft * TFT) }
}

fn close(proposal: u64) -> Action {
    Action::CloseProposal { proposal }
}

fn enact(proposal: u64) -> Action {
    Action::EnactProposal { proposal }
}

fn state_of(grid: &Grid, proposal: u64) -> ProposalState {
    grid.state.read(&ProposalAt(proposal)).unwrap().unwrap().state
}

/// Person 1 passes a change alone.
fn passed(grid: &mut Grid, change: Amendment) -> u64 {
    let number = grid.state.totals().unwrap().proposals;
    if grid.state.read(&VoiceOf(account(1))).unwrap().is_none() {
        grid.act(1, lock(5)).unwrap();
    }
    grid.act(2, propose(change)).unwrap();
    grid.act(1, vote(number, Side::Yes, &[])).unwrap();
    grid.now += VOTING_MS;
    grid.act(4, close(number)).unwrap();
    assert_eq!(state_of(grid, number), ProposalState::Passed);
    number
}

#[test]
fn change_passes_waits_and_takes_effect() {
    let mut grid = grid();
    let number = passed(&mut grid, fees(3));
    let from = UnixMs(grid.now + LOCK_MS);
    assert_eq!(grid.act(4, enact(number)), Err(Refusal::TooEarly { what: "the change", from }));
    grid.now += LOCK_MS;
    assert_eq!(grid.state.parameters().unwrap().fees.byte, Amount(0));
    grid.act(4, enact(number)).unwrap();
    assert_eq!(grid.state.parameters().unwrap().fees.byte, Amount(3));
    assert_eq!(state_of(&grid, number), ProposalState::Enacted { at: UnixMs(grid.now) });
    assert_eq!(grid.act(4, enact(number)), Err(Refusal::NothingToDo));
    let free = grid.transaction(4, lock(1));
    assert_ne!(free.fee, Amount(0));
}

#[test]
fn change_takes_effect_for_later_transactions_of_its_own_block() {
    let mut grid = grid();
    let number = passed(&mut grid, fees(3));
    grid.now += LOCK_MS;
    let enact = grid.signed(4, enact(number));
    let free = grid.signed(3, lock(1));
    let built = grid.build(&[enact, free]);
    assert!(matches!(built.skipped[0].1, Refusal::FeeTooLow { .. }));
}

#[test]
fn each_house_must_not_be_against_and_come_to_its_quorum() {
    // 40 TFT exist: 4 are the quorum of users; 1,000 units: 200 are the farmers'.
    #[track_caller]
    fn check(votes: &[(u8, u64, Side, bool)], wanted: ProposalState, is_burned: bool) {
        let mut grid = with_nodes(&[150, 150, 300, 400]);
        grid.act(4, propose(fees(1))).unwrap();
        for (person, tft, side, with_node) in votes {
            if *tft > 0 {
                grid.act(*person, lock(*tft)).unwrap();
            }
            let nodes = if *with_node { vec![100 + person] } else { vec![] };
            grid.act(*person, vote(0, *side, &nodes)).unwrap();
        }
        let burned = grid.state.totals().unwrap().burned.0;
        grid.now += VOTING_MS;
        grid.act(3, close(0)).unwrap();
        assert_eq!(state_of(&grid, 0), wanted);
        let burned = grid.state.totals().unwrap().burned.0 - burned;
        assert_eq!(burned, if is_burned { DEPOSIT } else { 0 });
    }
    use ProposalState::{NoQuorum, Passed, Rejected};
    use Side::{No, Yes};
    check(&[], NoQuorum, true);
    check(&[(1, 5, Yes, false)], NoQuorum, false);
    check(&[(1, 3, Yes, true), (2, 0, Yes, true)], NoQuorum, false);
    check(&[(1, 3, Yes, true)], NoQuorum, true);
    check(&[(1, 4, Yes, true), (2, 0, Yes, true)], Passed, false);
    // Users alone cannot overrule farmers, nor they users.
    check(&[(1, 9, Yes, true), (3, 0, No, true)], Rejected, false);
    check(&[(1, 9, No, false), (3, 0, Yes, true), (4, 0, Yes, true)], Rejected, false);
    check(&[(1, 4, Yes, true), (2, 4, No, true)], Rejected, false);
}

#[test]
fn vote_may_be_changed_until_the_end() {
    let mut grid = grid();
    grid.act(1, propose(fees(1))).unwrap();
    grid.act(1, lock(5)).unwrap();
    grid.act(2, lock(6)).unwrap();
    grid.act(1, vote(0, Side::Yes, &[])).unwrap();
    grid.act(2, vote(0, Side::Yes, &[])).unwrap();
    grid.act(2, vote(0, Side::No, &[])).unwrap();
    let count = grid.state.read(&ProposalAt(0)).unwrap().unwrap().users;
    assert_eq!((count.yes, count.no), (u128::from(5 * TFT), u128::from(6 * TFT)));
    grid.now += VOTING_MS;
    let over = Err(Refusal::VoteOver { proposal: 0 });
    assert_eq!(grid.act(2, vote(0, Side::Yes, &[])), over);
    grid.act(3, close(0)).unwrap();
    assert_eq!(grid.act(3, close(0)), Err(Refusal::NothingToDo));
    assert_eq!(grid.act(2, vote(0, Side::Yes, &[])), over);
    assert_eq!(state_of(&grid, 0), ProposalState::Rejected);
}

#[test]
fn tokens_that_voted_stay_locked_through_the_time_lock() {
    let mut grid = grid();
    grid.act(2, propose(fees(1))).unwrap();
    grid.act(1, lock(5)).unwrap();
    let unlock = |tft: u64| Action::UnlockVoice { amount: Amount(tft * TFT) };
    grid.act(1, unlock(1)).unwrap();
    grid.act(1, vote(0, Side::Yes, &[])).unwrap();
    let from = UnixMs(grid.now + VOTING_MS + LOCK_MS);
    let early = Refusal::TooEarly { what: "what was voted with", from };
    assert_eq!(grid.act(1, unlock(1)), Err(early));
    let spent = Action::Transfer { to: account(2), amount: Amount(7 * TFT) };
    assert!(matches!(grid.act(1, spent), Err(Refusal::NoFunds { .. })));
    grid.now = from.0;
    let over = Err(Refusal::OutOfRange { what: "more than is locked" });
    assert_eq!(grid.act(1, unlock(5)), over);
    grid.act(1, unlock(4)).unwrap();
    assert_eq!(grid.state.read(&VoiceOf(account(1))).unwrap(), None);
    assert_eq!(grid.balance(account(1)), 10 * TFT);
}

/// Farmers vote without tokens; before the end each in turn locks the same tokens, has its ballot
/// weighed, unlocks them and passes them on.
#[test]
fn tokens_locked_after_the_ballot_are_held_like_those_before() {
    let mut grid = with_nodes(&[100, 100, 100]);
    grid.act(4, propose(fees(1))).unwrap();
    for n in 1..=3 {
        grid.act(n, vote(0, Side::Yes, &[100 + n])).unwrap();
    }
    grid.now += VOTING_MS - 1000;
    grid.act(1, lock(10)).unwrap();
    grid.act(4, Action::WeighBallot { proposal: 0, voter: account(1) }).unwrap();
    let ballot = grid.state.read(&BallotOf(0, account(1))).unwrap().unwrap();
    assert_eq!(ballot.users, u128::from(10 * TFT));
    let from = grid.state.read(&ProposalAt(0)).unwrap().unwrap().enactable;
    let early = Refusal::TooEarly { what: "what was voted with", from };
    let unlock = || Action::UnlockVoice { amount: Amount(10 * TFT) };
    assert_eq!(grid.act(1, unlock()), Err(early));
    grid.now = from.0;
    grid.act(1, unlock()).unwrap();
    let late = Action::WeighBallot { proposal: 0, voter: account(2) };
    assert_eq!(grid.act(1, late), Err(Refusal::VoteOver { proposal: 0 }));
}

#[test]
fn ballot_needs_weight_and_own_nodes_each_once() {
    let mut grid = with_nodes(&[100, 200]);
    grid.act(3, propose(fees(1))).unwrap();
    assert_eq!(grid.act(3, vote(0, Side::Yes, &[])), Err(Refusal::NoWeight));
    let others = Err(Refusal::NotYours { what: "the node" });
    assert_eq!(grid.act(1, vote(0, Side::Yes, &[102])), others);
    let twice = Err(Refusal::OutOfRange { what: "a node named twice" });
    assert_eq!(grid.act(1, vote(0, Side::Yes, &[101, 101])), twice);
    let missing = Err(Refusal::NoSuchNode { node: node(150) });
    assert_eq!(grid.act(1, vote(0, Side::Yes, &[150])), missing);
    let unknown = Err(Refusal::NoSuchProposal { proposal: 7 });
    assert_eq!(grid.act(1, vote(7, Side::Yes, &[101])), unknown);
}

#[test]
fn ballot_is_weighed_again_when_its_node_shrank() {
    let mut grid = with_nodes(&[100, 200]);
    grid.act(3, propose(fees(1))).unwrap();
    grid.act(2, vote(0, Side::Yes, &[102])).unwrap();
    let weigh = || Action::WeighBallot { proposal: 0, voter: account(2) };
    assert_eq!(grid.act(1, weigh()), Err(Refusal::NothingToDo));
    let other = Action::WeighBallot { proposal: 0, voter: account(1) };
    assert_eq!(grid.act(1, other), Err(Refusal::NoSuchBallot));
    let found = grid.state.read(&node(102)).unwrap().unwrap();
    let retire = Action::UpdateNode {
        node: node(102),
        capacity: found.capacity,
        addresses: found.addresses,
        state: NodeState::Retired,
    };
    grid.act(2, retire).unwrap();
    assert_eq!(grid.state.read(&TheAssembly).unwrap().unwrap().units, 100);
    grid.act(1, weigh()).unwrap();
    assert_eq!(grid.state.read(&ProposalAt(0)).unwrap().unwrap().farmers.yes, 0);
    assert_eq!(grid.state.read(&BallotOf(0, account(2))).unwrap().unwrap().farmers, 0);
}

#[test]
fn changes_have_bounds_and_some_things_no_vote_can_change() {
    let mut grid = grid();
    let mut refused = |change: Amendment, wanted: Refusal| {
        assert_eq!(grid.act(1, propose(change.clone())), Err(wanted), "{change:?}");
    };
    refused(fees(u64::MAX), Refusal::OutOfRange { what: "fees.byte" });
    refused(fees(0), Refusal::NothingToDo);
    let mut capacity = acre_ledger::CapacityRules::default();
    capacity.plots.layers += 1;
    let fixed = Refusal::FixedForLife { what: "the form of plots" };
    refused(Amendment::Capacity(capacity), fixed);
    let longer = SeatRules { term_heights: 601, ..SeatRules::default() };
    let fixed = Refusal::FixedForLife { what: "seats.term_heights" };
    refused(Amendment::Seats(longer), fixed);
    let never = GovernanceRules { majority: 1000, ..rules() };
    refused(Amendment::Governance(never), Refusal::OutOfRange { what: "governance.majority" });
    let old = Amendment::Rules { version: 1, at_height: Height(9) };
    let version = Refusal::OutOfRange { what: "the version of the rules" };
    refused(old, version.clone());
    for far in [3, u32::MAX] {
        refused(Amendment::Rules { version: far, at_height: Height(9) }, version.clone());
    }
    refused(Amendment::KeepRules, Refusal::NothingToDo);
    refused(fees(limits::FEE_BYTE_MAX.0 + 1), Refusal::OutOfRange { what: "fees.byte" });
    let dear =
        Fees { transaction: Amount(limits::FEE_MAX.0 + 1), byte: Amount(0), place: Amount(0) };
    refused(Amendment::Fees(dear), Refusal::OutOfRange { what: "fees.transaction" });
    let deposit = |deposit| Amendment::Governance(GovernanceRules { deposit, ..rules() });
    let too_dear = || Refusal::OutOfRange { what: "governance.deposit" };
    // There are 40 TFT.
    refused(deposit(Amount(40 * TFT / 1000 + 1)), too_dear());
    refused(deposit(Amount(limits::DEPOSIT_MAX.0 + 1)), too_dear());
    let subject = Subject::Farmer(account(1));
    refused(Amendment::Admit(subject), Refusal::WrongPolicy { subject });
    grid.act(1, propose(deposit(Amount(40 * TFT / 1000)))).unwrap();
}

#[test]
fn passed_change_lapses_if_nobody_enacts_it() {
    let mut grid = grid();
    let number = passed(&mut grid, fees(3));
    grid.now = grid.state.read(&ProposalAt(number)).unwrap().unwrap().lapses.0;
    assert_eq!(grid.act(1, enact(number)), Err(Refusal::NothingToDo));
    assert_eq!(grid.state.parameters().unwrap().fees.byte, Amount(0));
}

#[test]
fn proposal_keeps_the_rules_it_was_made_by() {
    let mut grid = grid();
    let stricter = GovernanceRules { quorum_users: 500, voting_ms: VOTING_MS / 2, ..rules() };
    let first = passed(&mut grid, Amendment::Governance(stricter.clone()));
    grid.now += LOCK_MS;
    grid.act(3, propose(fees(1))).unwrap();
    grid.act(3, enact(first)).unwrap();
    assert_eq!(grid.state.parameters().unwrap().governance, stricter);
    grid.act(1, vote(1, Side::Yes, &[])).unwrap();
    grid.now += VOTING_MS;
    grid.act(3, close(1)).unwrap();
    assert_eq!(state_of(&grid, 1), ProposalState::Passed);
}

/// Two programs side by side, an old one and one that knows the next version.
#[test]
fn old_program_stops_at_the_height_where_newer_rules_begin() {
    let (old, new) = (limits::RULES_KNOWN, limits::RULES_KNOWN + 1);
    let mut grid = grid();
    let at = grid.height + 20;
    let number = passed(&mut grid, Amendment::Rules { version: new, at_height: Height(at) });
    grid.now += LOCK_MS;
    grid.act(3, enact(number)).unwrap();
    let none: &[Verified] = &[];
    let time = UnixMs(grid.now);
    while grid.height + 1 < at {
        let height = Height(grid.height + 1);
        let by_old = apply_block_knowing(old, &grid.state, none, height, time).unwrap();
        let by_new = apply_block_knowing(new, &grid.state, none, height, time).unwrap();
        assert_eq!(by_old.root, by_new.root);
        grid.state = by_old.state;
        grid.height += 1;
    }
    let refused = BlockError::State(StateError::UnknownRules { wanted: new, known: old });
    let error = apply_block(&grid.state, none, Height(at), time).unwrap_err();
    assert_eq!(error, refused);
    let text = error.to_string();
    assert!(text.contains("version 2") && text.contains("upgrade"), "{text}");
    let first = apply_block_knowing(new, &grid.state, none, Height(at), time).unwrap();
    assert_eq!(first.events, [Event::RulesBegan { version: new }]);
    let version = RuleVersion { version: new, next: None };
    assert_eq!(first.state.parameters().unwrap().rules, version);
    // Later blocks too, and nothing of it is damage: a newer program goes on from the same state.
    let later = apply_block(&first.state, none, Height(at + 1), time).unwrap_err();
    assert_eq!(later, refused);
    apply_block_knowing(new, &first.state, none, Height(at + 1), time).unwrap();
}

/// What was decided too early can be taken back before it begins.
#[test]
fn rules_that_were_decided_can_be_kept_away() {
    let mut grid = grid();
    let at_height = Height(1_000);
    let number = passed(&mut grid, Amendment::Rules { version: 2, at_height });
    grid.now += LOCK_MS;
    grid.act(3, enact(number)).unwrap();
    assert_eq!(grid.state.parameters().unwrap().rules.next.unwrap().at_height, at_height);
    grid.act(2, propose(Amendment::KeepRules)).unwrap();
    grid.act(1, vote(1, Side::Yes, &[])).unwrap();
    grid.now += VOTING_MS;
    grid.act(3, close(1)).unwrap();
    grid.now += LOCK_MS;
    grid.act(3, enact(1)).unwrap();
    assert_eq!(grid.state.parameters().unwrap().rules, RuleVersion::default());
    grid.height = 1_000;
    grid.act(3, propose(fees(1))).unwrap();
}

#[test]
fn rules_that_were_enacted_late_begin_with_the_next_block() {
    let mut grid = grid();
    let number = passed(&mut grid, Amendment::Rules { version: 2, at_height: Height(1) });
    grid.now += LOCK_MS;
    grid.act(3, enact(number)).unwrap();
    let next = grid.state.parameters().unwrap().rules.next.unwrap();
    assert_eq!((next.version, next.at_height), (2, Height(grid.height + 1)));
    let none: &[Verified] = &[];
    let (height, time) = (Height(grid.height + 1), UnixMs(grid.now));
    assert!(apply_block(&grid.state, none, height, time).is_err());
    assert!(apply_block_knowing(2, &grid.state, none, height, time).is_ok());
}

//! A validator that contradicts itself loses stake and seat, once, by evidence that anyone checks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_codec::List;
use acre_ledger::vote::{Accusation, SignedVote, Vote};
use acre_ledger::{
    Action, CandidateBy, Event, NewCandidate, OffenceOf, Parameters, Possession, Refusal,
    SeatRules, SeatsBy, Standing, Validator, committee_of,
};
use acre_types::{Amount, Digest, PublicKey, Signature};
use aws_lc_rs::signature::Ed25519KeyPair;

use common::{Grid, account, genesis, key, text};

const L: u64 = 5;
const STAKE: u64 = 1_001;

/// Validators 201 to 204 of genesis; 101, of person 1, has staked and sits from term 1 on.
fn grid() -> Grid {
    grid_taking(50)
}

fn grid_taking(double_vote_percent: u8) -> Grid {
    let seats = SeatRules {
        term_heights: L,
        seats_max: 5,
        by: SeatsBy::Stake { min: Amount(0) },
        unbonding_terms: 2,
        missed_penalty: Amount(0),
        double_vote_percent,
        ..SeatRules::default()
    };
    let numbers = (1..=9).chain(201..=204);
    let grants = numbers.map(|n| (account(n), Amount::tft(1000).unwrap())).collect();
    let mut genesis = genesis(Parameters { seats, ..Parameters::default() }, grants);
    let validator = |n: u8| Validator {
        key: key(n).public(),
        engine: text("127.0.0.1:1"),
        rpc: text("127.0.0.1:2"),
    };
    genesis.validators = List::new((201..=204).map(validator).collect()).unwrap();
    let mut grid = Grid::new(&genesis);
    register(&mut grid).unwrap();
    term(&mut grid, 1);
    assert!(sits(&grid, 101));
    grid
}

fn register(grid: &mut Grid) -> Result<Vec<Event>, Refusal> {
    let possession = Possession { chain: grid.chain(), account: account(1) };
    let new = NewCandidate {
        validator: key(101).public(),
        possession: key(101).sign(&possession),
        engine: text("127.0.0.1:3"),
        rpc: text("127.0.0.1:4"),
        stake: Amount(STAKE),
        nodes: List::default(),
    };
    grid.act(1, Action::RegisterCandidate(new))
}

/// Empty blocks up to the first of this term.
fn term(grid: &mut Grid, number: u64) {
    while grid.height < number * L {
        grid.idle_block();
    }
}

fn sits(grid: &Grid, number: u8) -> bool {
    let term = grid.height / L;
    let seats = committee_of(&grid.state, term).unwrap().unwrap();
    seats.iter().any(|seat| seat.validator == key(number).public())
}

fn finalize(block: u8) -> Vote {
    Vote::Finalize { parent: 3, block: Digest([block; 32]) }
}

/// Signed by this validator for this chain, as the engine does.
fn signed(chain: &Digest, number: u8, term: u64, vote: Vote) -> SignedVote {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap();
    let signature = pair.sign(&vote.signed_bytes(chain, term, 4));
    SignedVote { vote, signature: Signature(signature.as_ref().try_into().unwrap()) }
}

fn evidence(grid: &Grid, term: u64, votes: [Vote; 2]) -> Accusation {
    let [first, second] = votes.map(|vote| signed(&grid.chain(), 101, term, vote));
    Accusation { validator: key(101).public(), term, view: 4, first, second }
}

fn accuse(grid: &mut Grid, by: u8, accusation: Accusation) -> Result<Vec<Event>, Refusal> {
    grid.act(by, Action::AccuseValidator(accusation))
}

#[test]
fn double_vote_costs_half_the_stake_and_the_seat() {
    let mut grid = grid();
    let (validator, by) = (key(101).public(), account(201));
    let before = (grid.balance(by), grid.state.totals().unwrap());
    let accusation = evidence(&grid, 1, [finalize(1), finalize(2)]);
    let events = accuse(&mut grid, 201, accusation).unwrap();
    // Half of 1,001, rounded against the validator; a tenth of that for the accuser.
    let (taken, reward) = (Amount(501), Amount(50));
    let punished = Event::ValidatorPunished { validator, term: 1, taken, reward, by };
    assert!(events.contains(&punished), "{events:?}");
    assert_eq!(grid.balance(by) - before.0, 50);
    let totals = grid.state.totals().unwrap();
    assert_eq!(before.1.escrow.0 - totals.escrow.0, 501);
    assert_eq!(totals.burned.0 - before.1.burned.0, 451);
    let candidate = grid.state.read(&CandidateBy(validator)).unwrap().unwrap();
    assert_eq!((candidate.stake, candidate.standing), (Amount(500), Standing::Leaving));
    assert!(sits(&grid, 101));
    term(&mut grid, 2);
    assert!(!sits(&grid, 101));
    // What is left comes back after its time, and then the candidate is gone.
    term(&mut grid, 5);
    grid.act(9, Action::CollectStake { validator }).unwrap();
    assert_eq!(grid.state.read(&CandidateBy(validator)).unwrap(), None);
}

#[test]
fn each_kind_of_contradiction_counts() {
    let notarize = |block| Vote::Notarize { parent: 3, block: Digest([block; 32]) };
    for votes in [[notarize(1), notarize(2)], [finalize(1), Vote::Nullify]] {
        let mut grid = grid();
        let accusation = evidence(&grid, 1, votes);
        accuse(&mut grid, 202, accusation).unwrap();
    }
}

#[test]
fn one_offence_is_punished_once() {
    let mut grid = grid();
    let validator = key(101).public();
    let first = evidence(&grid, 1, [finalize(1), finalize(2)]);
    accuse(&mut grid, 201, first).unwrap();
    let again = [first, Accusation { first: first.second, second: first.first, ..first }];
    for accusation in again.into_iter().chain([evidence(&grid, 1, [finalize(3), finalize(4)])]) {
        let refused = accuse(&mut grid, 202, accusation);
        assert_eq!(refused, Err(Refusal::WasPunished { validator }));
    }
    assert_eq!(grid.state.read(&OffenceOf(validator)).unwrap().unwrap().count, 1);
}

#[test]
fn stake_on_its_way_back_is_taken_too() {
    let mut grid = grid();
    let validator = key(101).public();
    grid.act(1, Action::LowerStake { validator, amount: Amount(600) }).unwrap();
    grid.act(1, Action::LeaveSeats { validator }).unwrap();
    term(&mut grid, 2);
    assert!(!sits(&grid, 101));
    let accusation = evidence(&grid, 1, [finalize(1), finalize(2)]);
    accuse(&mut grid, 201, accusation).unwrap();
    let candidate = grid.state.read(&CandidateBy(validator)).unwrap().unwrap();
    let left: u64 = candidate.releases.iter().map(|release| release.amount.0).sum();
    assert_eq!((candidate.stake.0, left), (0, 300 + 200));
}

#[test]
fn refuses_what_is_no_contradiction_or_no_vote_of_his() {
    let mut grid = grid();
    let good = evidence(&grid, 1, [finalize(1), finalize(2)]);
    let no = Err(Refusal::NoContradiction);
    let innocent = [
        [finalize(1), finalize(1)],
        [Vote::Nullify, Vote::Nullify],
        [Vote::Notarize { parent: 3, block: Digest([1; 32]) }, finalize(2)],
    ];
    for votes in innocent {
        let accusation = evidence(&grid, 1, votes);
        assert_eq!(accuse(&mut grid, 201, accusation), no, "{votes:?}");
    }
    let other_chain = signed(&Digest([8; 32]), 101, 1, finalize(2));
    let other_key = signed(&grid.chain(), 102, 1, finalize(2));
    let other_term = signed(&grid.chain(), 101, 0, finalize(2));
    for second in [other_chain, other_key, other_term] {
        assert_eq!(accuse(&mut grid, 201, Accusation { second, ..good }), no);
    }
    assert_eq!(accuse(&mut grid, 201, Accusation { view: 5, ..good }), no);
    let foreign = Refusal::NoSeat { account: account(9) };
    assert_eq!(accuse(&mut grid, 9, good), Err(foreign));
    assert_eq!(accuse(&mut grid, 101, good), no, "nobody earns by accusing himself");
    let unknown = Accusation { validator: PublicKey([9; 32]), ..good };
    assert!(matches!(accuse(&mut grid, 201, unknown), Err(Refusal::NoSuchCandidate { .. })));
    let early = evidence(&grid, 2, [finalize(1), finalize(2)]);
    assert!(matches!(accuse(&mut grid, 201, early), Err(Refusal::OutOfRange { .. })));
    term(&mut grid, 4);
    assert!(matches!(accuse(&mut grid, 201, good), Err(Refusal::OutOfRange { .. })));
}

#[test]
fn who_was_punished_does_not_stand_again_at_once() {
    let mut grid = grid();
    let validator = key(101).public();
    let accusation = evidence(&grid, 1, [finalize(1), finalize(2)]);
    accuse(&mut grid, 201, accusation).unwrap();
    term(&mut grid, 5);
    grid.act(9, Action::CollectStake { validator }).unwrap();
    // Term 1 and two terms of unbonding are over.
    register(&mut grid).unwrap();

    let mut grid = grid_taking(100);
    let accusation = evidence(&grid, 1, [finalize(1), finalize(2)]);
    accuse(&mut grid, 201, accusation).unwrap();
    for number in [2, 3] {
        term(&mut grid, number);
        assert_eq!(grid.state.read(&CandidateBy(validator)).unwrap(), None, "nothing is left");
        assert_eq!(register(&mut grid), Err(Refusal::WasPunished { validator }));
    }
    term(&mut grid, 4);
    register(&mut grid).unwrap();
}

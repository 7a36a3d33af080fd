//! Epochs and the beacon, as validators meet them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use acre_crypto::Secret;
use acre_ledger::{
    Action, Applied, CapacityRules, EpochState, Event, GenesisError, Parameters, Payload, Refusal,
    SeatRules, TheBeacon, TheEpoch, TheSeats, Turn, Verified, apply_block, apply_payload, beacon,
    check_tx,
};
use acre_types::{Amount, Digest, Epoch, Height, PublicKey, UnixMs};

use common::{Grid, account, genesis, key};

const EPOCH_MS: u64 = 1_000;

fn rules() -> Parameters {
    let capacity = CapacityRules { epoch_ms: EPOCH_MS, beacon_steps: 7, ..CapacityRules::local() };
    Parameters { capacity, ..Parameters::default() }
}

/// Validators are persons 1 to 3; person 4 is none.
fn grid() -> Grid {
    grid_of(rules(), &[4])
}

/// With a token for each of these persons.
fn grid_of(parameters: Parameters, rich: &[u8]) -> Grid {
    let grants = rich.iter().map(|n| (account(*n), Amount::tft(1).unwrap())).collect();
    let mut genesis = genesis(parameters, grants);
    let mut validator = genesis.validators[0].clone();
    let validators = [1, 2, 3].map(|n| {
        validator.key = key(n).public();
        validator.clone()
    });
    genesis.validators = acre_codec::List::new(validators.to_vec()).unwrap();
    Grid::new(&genesis)
}

impl Grid {
    fn epoch(&self) -> EpochState {
        self.state.read(&TheEpoch).unwrap().unwrap()
    }

    fn turn(&self, person: u8) -> Turn {
        let beacon = self.state.read(&TheBeacon).unwrap().unwrap();
        beacon.turn(&key(person).public()).unwrap().clone()
    }

    /// An empty block at this time.
    fn empty(&mut self, now: u64) -> Applied {
        self.now = now;
        self.height += 1;
        let (height, time) = (Height(self.height), UnixMs(now));
        let applied = apply_block::<Verified>(&self.state, &[], height, time).unwrap();
        self.state = applied.state.clone();
        applied
    }

    fn pass(&mut self) {
        let ends = self.epoch().ends().0;
        self.empty(ends);
    }

    fn take_turn(&mut self, n: u8, reveal: Option<u8>, commit: u8) -> Result<(), Refusal> {
        let (chain, validator) = (self.chain(), key(n).public());
        let action = Action::TurnBeacon {
            epoch: self.epoch().number,
            reveal: reveal.map(secret),
            commit: beacon::commitment(&chain, &validator, &secret(commit)),
        };
        self.act(n, action).map(|_| ())
    }
}

fn secret(number: u8) -> Digest {
    Digest([number; 32])
}

#[test]
fn epoch_begins_in_the_first_block_past_its_end_even_an_empty_one() {
    let mut grid = grid();
    let (start, root) = (grid.now, grid.state.root());
    assert_eq!(grid.empty(start + EPOCH_MS - 1).root, root);
    let applied = grid.empty(start + EPOCH_MS + 10);
    let epoch = grid.epoch();
    assert_eq!((epoch.number, epoch.began), (Epoch(1), UnixMs(start + EPOCH_MS)));
    assert_eq!(epoch.past.unwrap().number, Epoch(0));
    assert_ne!(applied.root, root);
    let event = Event::EpochBegan { epoch: Epoch(1), seed: epoch.seed, skipped: 0 };
    assert_eq!(applied.events, [event]);
    assert_eq!(grid.empty(start + EPOCH_MS + 11).root, applied.root);
}

#[test]
fn proposer_and_verifier_of_a_crossing_block_agree() {
    let grid = grid();
    let mut later = Grid { state: grid.state.clone(), height: 5, now: grid.now + 3 * EPOCH_MS };
    let built = later.build(&[later.signed(4, pay())]);
    let (height, time) = (Height(6), UnixMs(later.now));
    let again = apply_payload(&grid.state, &built.payload, height, time).unwrap();
    assert_eq!(again.root, built.applied.root);
    assert_eq!(again.changes, built.applied.changes);
    // Events of the block itself stand after those that receipts count.
    assert!(matches!(again.events[..], [Event::Transferred { .. }, Event::EpochBegan { .. }]));
    assert_eq!(again.receipts[0].events, 1);
    // Nor does a refused transaction undo the epoch.
    let stranger = later.build(&[later.signed(9, pay())]);
    assert_eq!(stranger.payload, Payload::empty());
    later.state = stranger.applied.state;
    assert_eq!(later.epoch().number, Epoch(3));
}

fn pay() -> Action {
    Action::Transfer { to: account(5), amount: Amount(1) }
}

#[test]
fn epochs_without_a_block_never_were() {
    let mut grid = grid();
    let start = grid.now;
    grid.empty(start + EPOCH_MS);
    let applied = grid.empty(start + 7 * EPOCH_MS + 999);
    let epoch = grid.epoch();
    assert_eq!((epoch.number, epoch.began), (Epoch(7), UnixMs(start + 7 * EPOCH_MS)));
    let past = epoch.past.unwrap();
    assert_eq!((past.number, past.span_ms), (Epoch(1), EPOCH_MS));
    assert!(matches!(applied.events[..], [Event::EpochBegan { skipped: 5, .. }]));
    // The last moment there is, and blocks after it.
    grid.empty(u64::MAX);
    grid.empty(u64::MAX);
}

#[test]
fn nodes_count_from_the_epoch_after_the_next() {
    let mut grid = grid();
    let farm = Action::CreateFarm { name: common::text("farm"), payout: account(4) };
    grid.act(4, farm).unwrap();
    grid.join(101, 4, 1, "barn").unwrap();
    grid.pass();
    assert_eq!((grid.epoch().nodes, grid.epoch().joined), (0, 1));
    grid.pass();
    assert_eq!((grid.epoch().nodes, grid.epoch().joined), (1, 1));
}

#[test]
fn seed_is_the_delayed_mix_of_what_was_revealed() {
    let mut grid = grid();
    let first = grid.epoch().seed;
    for n in 1..=3 {
        grid.take_turn(n, None, n).unwrap();
    }
    grid.pass();
    let second = grid.epoch().seed;
    assert_eq!(second, beacon::delay(beacon::mix(&first, []), 7));
    grid.take_turn(3, Some(3), 30).unwrap();
    grid.take_turn(1, Some(1), 10).unwrap();
    grid.pass();
    let mut keys = [(key(1).public(), secret(1)), (key(3).public(), secret(3))];
    keys.sort();
    let revealed = keys.iter().map(|(key, secret)| (key, secret));
    assert_eq!(grid.epoch().seed, beacon::delay(beacon::mix(&second, revealed), 7));
    let counts = [1, 2, 3].map(|n| (grid.turn(n).given, grid.turn(n).missed));
    assert_eq!(counts, [(1, 0), (0, 1), (1, 0)]);
}

#[test]
fn nobody_is_blamed_for_a_reveal_while_the_grid_was_down() {
    let mut grid = grid();
    grid.take_turn(1, None, 1).unwrap();
    grid.pass();
    grid.empty(grid.now + 2 * EPOCH_MS);
    assert_eq!(grid.turn(1).missed, 0);
    assert_eq!(grid.take_turn(1, Some(1), 2), Err(Refusal::BadReveal));
    grid.take_turn(1, None, 2).unwrap();
}

#[test]
fn turns_are_free_for_seats_once_an_epoch_and_only_with_the_right_secret() {
    let mut grid = grid();
    assert_eq!(grid.take_turn(4, None, 1), Err(Refusal::NoSeat { account: account(4) }));
    grid.take_turn(1, None, 1).unwrap();
    let again = Refusal::DoneThisEpoch { epoch: Epoch(0) };
    assert_eq!(grid.take_turn(1, None, 2), Err(again));
    grid.pass();
    assert_eq!(grid.take_turn(1, Some(2), 3), Err(Refusal::BadReveal));
    assert_eq!(grid.take_turn(2, Some(2), 3), Err(Refusal::BadReveal));
    let action = Action::TurnBeacon { epoch: Epoch(0), reveal: None, commit: secret(3) };
    let late = grid.signed(1, action);
    let refusal = Refusal::WrongEpoch { given: Epoch(0), wanted: Epoch(1) };
    assert_eq!(check_tx(&grid.state, late.signed(), UnixMs(0)), Err(refusal.into()));
    grid.take_turn(1, Some(1), 3).unwrap();
    assert_eq!(grid.balance(account(1)), 0);
    assert_eq!(grid.state.totals().unwrap().burned, Amount(0));
}

#[test]
fn duty_pays_no_fee_even_if_offered() {
    let grid = grid();
    let action = Action::TurnBeacon { epoch: Epoch(0), reveal: None, commit: secret(3) };
    let mut turn = grid.transaction(1, action);
    turn.fee = Amount(1);
    let refusal = Refusal::FeeTooHigh { given: Amount(1), wanted: Amount(0) };
    assert_eq!(check_tx(&grid.state, &turn.sign(&key(1)), UnixMs(0)), Err(refusal.into()));
}

#[test]
fn commitment_of_another_cannot_be_taken_over() {
    let mut grid = grid();
    let (chain, one) = (grid.chain(), key(1).public());
    let commit = beacon::commitment(&chain, &one, &secret(9));
    for n in [1, 2] {
        grid.act(n, Action::TurnBeacon { epoch: Epoch(0), reveal: None, commit }).unwrap();
    }
    grid.pass();
    grid.take_turn(1, Some(9), 1).unwrap();
    assert_eq!(grid.take_turn(2, Some(9), 1), Err(Refusal::BadReveal));
}

#[test]
fn rules_of_capacity_are_bounded() {
    let with = |change: fn(&mut CapacityRules)| {
        let mut parameters = rules();
        change(&mut parameters.capacity);
        parameters.check()
    };
    assert_eq!(with(|_| ()), Ok(()));
    let wrong = |what| Err(GenesisError::Parameter { what });
    assert_eq!(with(|rules| rules.epoch_ms = 99), wrong("capacity.epoch_ms"));
    assert_eq!(with(|rules| rules.epoch_ms = u64::MAX), wrong("capacity.epoch_ms"));
    assert_eq!(with(|rules| rules.witnesses = 0), wrong("capacity.witnesses"));
    assert_eq!(with(|rules| rules.witnesses = 17), wrong("capacity.witnesses"));
    assert_eq!(with(|rules| rules.reports_min = 4), wrong("capacity.reports_min"));
    assert_eq!(with(|rules| rules.beacon_steps = u32::MAX), wrong("capacity.beacon_steps"));
    assert_eq!(CapacityRules::default(), Parameters::default().capacity);
    assert_eq!(Turn::of(PublicKey([1; 32])).missed, 0);
}

#[test]
fn leaving_a_seat_does_not_take_a_revealed_secret_back() {
    let seats = SeatRules { term_heights: 4, ..SeatRules::default() };
    let mut grid = grid_of(Parameters { seats, ..rules() }, &[1]);
    grid.take_turn(1, None, 1).unwrap();
    grid.pass();
    let seed = grid.epoch().seed;
    grid.take_turn(1, Some(1), 2).unwrap();
    grid.act(1, Action::LeaveSeats { validator: key(1).public() }).unwrap();
    for _ in 0..8 {
        grid.idle_block();
    }
    let seats = grid.state.read(&TheSeats).unwrap().unwrap();
    assert_eq!(seats.members.len(), 2);
    grid.pass();
    let revealed = (key(1).public(), secret(1));
    let mix = beacon::mix(&seed, [(&revealed.0, &revealed.1)]);
    assert_eq!(grid.epoch().seed, beacon::delay(mix, 7));
    assert_eq!(grid.take_turn(1, None, 3), Err(Refusal::NoSeat { account: account(1) }));
}

#[test]
fn validator_knows_its_turn_without_remembering_anything() {
    let mut grid = grid();
    let due = |grid: &Grid, n: u8| {
        beacon::due_turn(&grid.state, &key(n).public(), &Secret::new([n; 32])).unwrap()
    };
    assert_eq!(due(&grid, 4), None);
    let mut seeds = vec![grid.epoch().seed];
    for (epoch, skip) in [0, 0, 0, 4, 0].into_iter().enumerate() {
        for n in [1, 2] {
            let action = due(&grid, n).unwrap();
            grid.act(n, action).unwrap();
            assert_eq!(due(&grid, n), None);
        }
        let given = u64::try_from(epoch).unwrap();
        assert_eq!((grid.turn(1).given, grid.turn(1).missed), (given, 0));
        let ends = grid.epoch().ends().0;
        grid.empty(ends + skip * EPOCH_MS);
        seeds.push(grid.epoch().seed);
    }
    // Another root, as after the loss of a disk: begins anew, with one secret withheld.
    let other = beacon::due_turn(&grid.state, &key(1).public(), &Secret::new([9; 32])).unwrap();
    assert!(matches!(other, Some(Action::TurnBeacon { reveal: None, .. })));
    seeds.sort();
    seeds.dedup();
    assert_eq!(seeds.len(), 6);
}

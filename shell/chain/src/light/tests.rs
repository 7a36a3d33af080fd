//! Trust over changes of validators: true ones, forged ones, withheld ones, and old ones that sign on.

use acre_codec::List;
use acre_engine::simulation::{Simulation, forge_certificate};
use acre_engine::{FinalityProof, Header};
use acre_ledger::{Lookup as _, Seat, SeatList, Seats, State};
use acre_types::Text;

use super::*;
use crate::testing;

/// Blocks of one term here.
const TERM: u64 = 10;

/// A chain whose genesis seats four; a fifth may join.
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    keys: Vec<[u8; 32]>,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let keys = Simulation::healthy(0, 5).participants();
        let mut genesis = testing::genesis(&keys[..4]);
        genesis.parameters.seats.term_heights = TERM;
        Self { genesis, keys }
    }

    fn seats(&self, count: usize) -> SeatList {
        let mut seats: Vec<_> = self.keys[..count]
            .iter()
            .map(|key| Seat {
                validator: PublicKey(*key),
                engine: Text::new("127.0.0.1:1").unwrap(),
                rpc: Text::new("127.0.0.1:2").unwrap(),
            })
            .collect();
        seats.sort_by_key(|seat| seat.validator);
        List::new(seats).unwrap()
    }

    /// The state of the genesis, but for the seats.
    fn state(&self, term: u64, members: usize, next: usize) -> State {
        let (members, next) = (self.seats(members), self.seats(next));
        let seats = acre_codec::encode(&Seats { term, members, next });
        let state = self.genesis.state().unwrap();
        let leaves = state.leaves().map(|(key, value)| (key.to_vec(), value.to_vec()));
        let place = (TheSeats.key().to_bytes(), seats);
        State::from_leaves(leaves.chain([place])).unwrap()
    }

    /// That a block is final, by these of so many validators. The layout is the engine's.
    pub(crate) fn finality(
        &self,
        (term, height): (u64, u64),
        root: &Digest,
        validators: usize,
        signers: &[usize],
    ) -> Finality {
        let small = |number: u64| u8::try_from(number).unwrap();
        let mut bytes = vec![1, small(term), 7];
        bytes.extend(self.keys[0]);
        bytes.push(6);
        bytes.extend([9; 32]);
        bytes.extend([small(height), 5]);
        bytes.extend(root.0);
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(acre_crypto::digest(b"acre:block-payload:v1").0);
        let header = Header::decode(&bytes).unwrap();
        let mut simulation = Simulation::healthy(0, validators);
        simulation.namespace = namespace(&self.genesis.digest());
        let certificate = forge_certificate(&simulation, signers, &header);
        let proof = FinalityProof { headers: vec![header.to_bytes()], certificate };
        Finality::new(&proof).unwrap()
    }

    /// At the end of a term, from so many to so many.
    pub(crate) fn change(&self, term: u64, members: usize, next: usize) -> Change {
        let state = self.state(term, members, next);
        let last = (term, (term + 1) * TERM - 1);
        let signers: Vec<_> = (0..members).collect();
        let finality = self.finality(last, &state.root(), members, &signers);
        Change { finality, seats: state.prove(&TheSeats.key()) }
    }
}

const ROOT: Digest = Digest([3; 32]);

#[track_caller]
fn check_no_change(result: Result<(), Lie>) {
    assert!(matches!(result, Err(Lie::NoChange { .. })), "{result:?}");
}

#[track_caller]
fn check_unsigned<T: std::fmt::Debug>(result: Result<T, Lie>) {
    assert!(matches!(result, Err(Lie::Certificate { .. })), "{result:?}");
}

#[test]
fn change_hands_trust_on_and_the_old_set_is_worth_nothing_afterwards() {
    let chain = Chain::new();
    let mut trust = Trust::new(&chain.genesis);
    let by_old = chain.finality((1, 12), &ROOT, 4, &[0, 1, 2, 3]);
    let by_new = chain.finality((1, 12), &ROOT, 5, &[0, 1, 2, 4]);
    // Before it has seen the change, a reader cannot know better, and does not believe the new.
    assert_eq!(trust.check(&by_old).unwrap().height, Height(12));
    check_unsigned(trust.check(&by_new));
    trust.advance(&chain.change(0, 4, 5)).unwrap();
    assert_eq!(trust.newest().from, 1);
    assert_eq!(trust.check(&by_new).unwrap().term, 1);
    check_unsigned(trust.check(&by_old));
    // Blocks of the old term are still those of the old set.
    trust.check(&chain.finality((0, 3), &ROOT, 4, &[1, 2, 3])).unwrap();
    check_unsigned(trust.check(&chain.finality((0, 3), &ROOT, 5, &[0, 1, 2, 3, 4])));
    // The same change again changes nothing.
    trust.advance(&chain.change(0, 4, 5)).unwrap();
    assert_eq!(trust.checkpoint(), Trust::from_checkpoint(trust.checkpoint().clone()).checkpoint());
}

#[test]
fn forged_changes_are_refused() {
    let chain = Chain::new();
    let mut trust = Trust::new(&chain.genesis);
    let state = chain.state(0, 4, 5);
    let seats = state.prove(&TheSeats.key());
    // Too few signers, or the newcomers themselves.
    for (validators, signers) in [(4, &[0, 1][..]), (5, &[0, 1, 2, 3, 4][..])] {
        let finality = chain.finality((0, 9), &state.root(), validators, signers);
        check_unsigned(trust.advance(&Change { finality, seats: seats.clone() }));
    }
    // A block in the middle of the term, or of another term.
    let all = [0, 1, 2, 3];
    let finality = chain.finality((0, 8), &state.root(), 4, &all);
    check_no_change(trust.advance(&Change { finality, seats: seats.clone() }));
    let finality = chain.finality((1, 9), &state.root(), 4, &all);
    let refused = trust.advance(&Change { finality, seats: seats.clone() });
    assert!(matches!(refused, Err(Lie::WrongTerm { .. })), "{refused:?}");
    let finality = chain.finality((1, 19), &state.root(), 4, &all);
    check_no_change(trust.advance(&Change { finality, seats: seats.clone() }));
    // Seats of another state, or none chosen yet.
    let finality = chain.finality((0, 9), &ROOT, 4, &all);
    let refused = trust.advance(&Change { finality, seats });
    assert!(matches!(refused, Err(Lie::Proof(_))), "{refused:?}");
    check_no_change(trust.advance(&chain.change(0, 4, 0)));
    assert_eq!(trust.newest().from, 0);
}

#[test]
fn change_that_was_left_out_is_missed() {
    let chain = Chain::new();
    let mut trust = Trust::new(&chain.genesis);
    // From five back to four, signed by five: but nobody showed how there came to be five.
    check_unsigned(trust.advance(&chain.change(3, 5, 4)));
    trust.advance(&chain.change(0, 4, 5)).unwrap();
    trust.advance(&chain.change(3, 5, 4)).unwrap();
    assert_eq!(trust.newest().from, 4);
    trust.check(&chain.finality((4, 41), &ROOT, 4, &[0, 1, 3])).unwrap();
    trust.check(&chain.finality((3, 33), &ROOT, 5, &[0, 1, 3, 4])).unwrap();
}

#[test]
fn term_of_a_block_follows_from_its_height() {
    let chain = Chain::new();
    let trust = Trust::new(&chain.genesis);
    let refused = trust.check(&chain.finality((2, 12), &ROOT, 4, &[0, 1, 2]));
    assert!(matches!(refused, Err(Lie::WrongTerm { .. })), "{refused:?}");
}

#[test]
fn checkpoint_comes_back_from_its_file_and_damage_does_not() {
    let chain = Chain::new();
    let mut trust = Trust::new(&chain.genesis);
    trust.advance(&chain.change(0, 4, 5)).unwrap();
    let checkpoint = trust.checkpoint().clone();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("checkpoint");
    assert!(Checkpoint::load(&file, &checkpoint.chain).unwrap().is_none());
    checkpoint.save(&file).unwrap();
    assert_eq!(Checkpoint::load(&file, &checkpoint.chain).unwrap(), Some(checkpoint.clone()));
    assert!(Checkpoint::load(&file, &ROOT).unwrap().is_none());
    let bytes = checkpoint.to_bytes();
    std::fs::write("/tmp/checkpoint0", &bytes).unwrap();
    assert_eq!(Checkpoint::decode(&bytes).unwrap(), checkpoint);
    for cut in 0..bytes.len() {
        assert!(Checkpoint::decode(&bytes[..cut]).is_err(), "{cut}");
    }
}

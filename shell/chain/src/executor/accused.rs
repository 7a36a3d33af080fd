//! A real equivocator of the real engine is punished by the ledger, on evidence that the others saw.

use std::time::Duration;

use acre_codec::List;
use acre_engine::byzantine::Actor;
use acre_engine::simulation::{Simulation, run};
use acre_ledger::{
    Action, CandidateBy, Event, NewCandidate, OffenceOf, Possession, Standing, TheSeats,
    Transaction, apply_block,
};
use acre_types::{Amount, PublicKey, Text, UnixMs};
use tempfile::TempDir;

use super::*;
use crate::duty;
use crate::testing::{account, genesis, key};

/// A candidate with our key, which sits from term 1 on.
fn seated(genesis: &Genesis) -> State {
    let (own, payer) = (key(1), account(1));
    let possession = Possession { chain: genesis.digest(), account: payer };
    let candidate = NewCandidate {
        validator: own.public(),
        possession: own.sign(&possession),
        engine: Text::new("127.0.0.1:1").unwrap(),
        rpc: Text::new("127.0.0.1:2").unwrap(),
        stake: Amount::tft(1_000).unwrap(),
        nodes: List::default(),
    };
    let action = Action::RegisterCandidate(candidate);
    let transaction =
        Transaction { chain: genesis.digest(), from: payer, nonce: 0, fee: Amount::ZERO, action };
    let signed = transaction.with_least_fee(&genesis.parameters).sign(&own);
    let signed = Verified::new(signed).unwrap();
    let state = genesis.state().unwrap();
    let state = apply_block(&state, &[signed], Height(1), genesis.time).unwrap().state;
    let term = genesis.parameters.seats.term_heights;
    let state = idle(&state, term - 1, genesis.time);
    idle(&state, term, genesis.time)
}

fn idle(state: &State, height: u64, time: UnixMs) -> State {
    apply_block::<Verified>(state, &[], Height(height), time).unwrap().state
}

/// Validator 0 lies to 1 to 3.
#[test]
fn validator_that_votes_twice_loses_its_seat_by_its_own_signatures() {
    let mut simulation = Simulation::healthy(3, 4);
    let participants = simulation.participants();
    let (liar, own) = (PublicKey(participants[0]), key(1));
    let genesis = Arc::new(genesis(&participants));
    let chain = genesis.digest();
    simulation.namespace = crate::namespace(&chain);
    simulation.duration = Duration::from_secs(10);
    simulation.byzantine.insert(0, Actor::Equivocator);
    let evidence = simulation.evidence.clone();
    let dirs: Vec<_> = (0..4).map(|_| TempDir::new().unwrap()).collect();
    let _ = run(simulation, &mut |index| {
        let file = dirs[index].path().join("state.redb");
        let executor = Executor::open(&file, &genesis, Retention::default()).unwrap();
        let wake = Arc::clone(&executor.shared().wake);
        (Box::new(executor), wake)
    });
    let seen = evidence.all();
    assert_eq!(seen.len(), 1, "of each liar and term the first: {seen:?}");
    let accusation = duty::accusation(&seen[0]);
    assert_eq!(accusation.validator, liar);
    accusation.verify(&chain).unwrap();
    assert!(accusation.contradicts());
    assert!(accusation.verify(&Digest([1; 32])).is_err());

    // First the turn of the epoch, then the accusation, then nothing.
    let mut state = seated(&genesis);
    let mut events = Vec::new();
    let term = genesis.parameters.seats.term_heights;
    for height in term + 1..term + 4 {
        let Some(signed) = duty::due(&state, &own, &evidence).unwrap() else { break };
        let signed = [Verified::new(signed).unwrap()];
        let time = UnixMs(genesis.time.0 + height);
        let applied = apply_block(&state, &signed, Height(height), time).unwrap();
        events.extend(applied.events);
        state = applied.state;
    }
    let is_punished = |event: &Event| matches!(event, Event::ValidatorPunished { .. });
    assert_eq!(events.iter().filter(|event| is_punished(event)).count(), 1, "{events:?}");
    assert_eq!(duty::due(&state, &own, &evidence).unwrap(), None);
    assert_eq!(evidence.all(), [], "the ledger knows it by now");
    assert_eq!(state.read(&OffenceOf(liar)).unwrap().unwrap().count, 1);
    let candidate = state.read(&CandidateBy(liar)).unwrap().unwrap();
    assert_eq!(candidate.standing, Standing::Leaving);
    // The last block of the term names the next members.
    let state = idle(&state, 2 * term - 1, UnixMs(genesis.time.0 + 2 * term));
    let next = state.read(&TheSeats).unwrap().unwrap().next;
    assert!(next.len() == 4 && next.iter().all(|seat| seat.validator != liar), "{next:?}");
}

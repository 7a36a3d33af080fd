//! Who makes blocks and who follows them, as the engine asks it of a finalized state.

use acre_types::PublicKey;

use crate::error::StateError;
use crate::key::{CandidateAt, CandidateBy, TheSeats};
use crate::object::{Candidate, Seat};
use crate::state::State;

/// The seats of a term, by key: those of the term that runs at this state, and, once its last
/// block was applied, those of the next one. `None` for any other term.
///
/// # Errors
/// Damaged bytes.
pub fn committee_of(state: &State, term: u64) -> Result<Option<Vec<Seat>>, StateError> {
    let Some(seats) = state.read(&TheSeats)? else { return Ok(None) };
    let next = seats.term.checked_add(1);
    Ok(if term == seats.term {
        Some(seats.members.into_vec())
    } else if Some(term) == next && !seats.next.is_empty() {
        Some(seats.next.into_vec())
    } else {
        None
    })
}

/// Every candidate without a seat in that term, by key: peers that follow the chain and do not
/// vote. Empty where [`committee_of`] is `None`.
///
/// # Errors
/// Damaged bytes.
pub fn followers_of(state: &State, term: u64) -> Result<Vec<Seat>, StateError> {
    let Some(committee) = committee_of(state, term)? else { return Ok(Vec::new()) };
    let mut followers = Vec::new();
    for (validator, candidate) in candidates(state)? {
        if !committee.iter().any(|seat| seat.validator == validator) {
            let Candidate { engine, rpc, .. } = candidate;
            followers.push(Seat { validator, engine, rpc });
        }
    }
    followers.sort_by_key(|seat| seat.validator);
    Ok(followers)
}

/// All candidates, in no lasting order.
///
/// # Errors
/// Damaged bytes.
pub fn candidates(state: &State) -> Result<Vec<(PublicKey, Candidate)>, StateError> {
    let mut all = Vec::new();
    for index in 0..state.totals()?.candidates {
        // None where a test or bench made up the totals.
        let Some(key) = state.read(&CandidateAt(index))? else { continue };
        if let Some(candidate) = state.read(&CandidateBy(key))? {
            all.push((key, candidate));
        }
    }
    Ok(all)
}

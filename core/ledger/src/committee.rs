//! Who makes blocks and who follows them, as the engine asks it of a finalized state.

use std::cmp::Reverse;

use acre_types::PublicKey;

use crate::error::StateError;
use crate::key::{AdmittedAs, CandidateAt, CandidateBy, TheSeats};
use crate::object::{Candidate, Seat, Standing, Subject};
use crate::seating::{Contender, asks_for_nodes, weight};
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

/// Every candidate without a seat in that term: peers that follow the chain and do not vote. Empty
/// where [`committee_of`] is `None`.
///
/// Whoever has room for some only takes the first of them: those with a seat in the term after it,
/// then those that may sit, from the best, then the rest by stake. So places are not had by keys
/// that were drawn to sort first.
///
/// # Errors
/// Damaged bytes.
pub fn followers_of(state: &State, term: u64) -> Result<Vec<Seat>, StateError> {
    let Some(committee) = committee_of(state, term)? else { return Ok(Vec::new()) };
    let (parameters, next) = (state.parameters()?, committee_of(state, term.saturating_add(1))?);
    let next = next.unwrap_or_default();
    let mut followers = Vec::new();
    for (key, candidate) in candidates(state)? {
        if committee.iter().any(|seat| seat.validator == key) {
            continue;
        }
        let entry = state.read(&AdmittedAs(Subject::Validator(key)))?.map(|it| it.entry);
        let mut nodes = Vec::new();
        if asks_for_nodes(&parameters) {
            for id in candidate.nodes.iter() {
                nodes.extend(state.read(id)?);
            }
        }
        let contender = Contender { key, candidate: &candidate, entry, nodes };
        let is_leaving = candidate.standing == Standing::Leaving;
        let weight = weight(&parameters, &contender).filter(|_| !is_leaving);
        let is_next = next.iter().any(|seat| seat.validator == key);
        let rank = (is_next, weight, candidate.stake, Reverse(candidate.registered));
        let Candidate { engine, rpc, .. } = candidate;
        followers.push((Reverse(rank), Seat { validator: key, engine, rpc }));
    }
    followers.sort_by_key(|(rank, seat)| (*rank, seat.validator));
    Ok(followers.into_iter().map(|(_, seat)| seat).collect())
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

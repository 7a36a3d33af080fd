//! Candidates, their stake, and who sits in the next term.
//!
//! In the last block of a term, after its transactions, candidates are ranked: those eligible
//! before those that are not, then by weight, then those that sit before those that do not, then
//! by the height of registration, then by key. Not eligible and not seated is not ranked at all;
//! who wants to leave is not either. The first `seats_max` of them should sit.
//!
//! Not more than one third of the seats change from one term to the next: of n seats,
//! max(1, floor((n - 1) / 3)). So of the new members at most as many are strangers as may fail
//! without stopping a quorum (from n = 4 on), even if every newcomer is absent or not up to date;
//! two thirds of those who signed the hand-over go on signing, so nobody takes the seats of honest
//! members within a term, and a reader who trusts the old set meets it in the new one. The
//! first block of the next term makes them members.

use std::collections::BTreeSet;

use acre_codec::List;
use acre_types::{AccountId, Amount, NodeId, PublicKey};

use super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::{CandidateAt, CandidateBy, CandidateOf, TheSeats, TheTotals};
use crate::limits::{CANDIDATES_MAX, RELEASES_MAX};
use crate::object::{
    Address, BackingNodes, Candidate, Node, Release, Seat, SeatList, Seats, SeatsBy, Standing,
    are_dialable,
};
use crate::seating::{self, Contender, choose};
use crate::transaction::{NewCandidate, Possession};

const BAD_STAKE: Refusal = Refusal::OutOfRange { what: "the stake" };

impl Work<'_> {
    /// In the first block of a term those who were chosen take their seats.
    pub(super) fn begin_term(&mut self) -> Result<(), StateError> {
        let mut seats = self.seats()?;
        let term = self.parameters.seats.term_of(self.height);
        if term <= seats.term {
            return Ok(());
        }
        seats.term = term;
        let next = std::mem::take(&mut seats.next);
        if !next.is_empty() {
            let keys: Vec<_> = next.iter().map(|seat| seat.validator).collect();
            self.reseat_beacon(&keys)?;
            seats.members = next;
        }
        self.overlay.put(&TheSeats, seats);
        Ok(())
    }

    /// In the last block of a term the next members are chosen.
    pub(super) fn end_term(&mut self) -> Result<(), StateError> {
        if !self.parameters.seats.is_last(self.height) {
            return Ok(());
        }
        let mut seats = self.seats()?;
        let candidates = self.candidates()?;
        let members: Vec<_> = seats.members.iter().map(|seat| seat.validator).collect();
        let ranked = self.ranked(&members, &candidates)?;
        let seats_max = usize::try_from(self.parameters.seats.seats_max).unwrap_or(usize::MAX);
        let chosen = choose(&members, &ranked, seats_max);
        let next = chosen.iter().filter_map(|key| seat_of(*key, &candidates, &seats)).collect();
        seats.next = SeatList::new(next).map_err(|_| StateError::Books { what: "seats" })?;
        let next_term = seats.term.saturating_add(1);
        self.overlay.put(&TheSeats, seats);
        for (key, candidate) in candidates {
            if candidate.standing == Standing::Leaving && !chosen.contains(&key) {
                // Read again: one that went before may have left its place to this one.
                let candidate = self.overlay.must(&CandidateBy(key))?;
                self.let_go(key, candidate, next_term)?;
            }
        }
        let list = |keys: Vec<PublicKey>| List::new(keys).expect("part of a list of seats");
        let is_new = |key: &&PublicKey| !members.contains(key);
        let joined = chosen.iter().filter(is_new).copied().collect();
        let left = members.iter().filter(|key| !chosen.contains(key)).copied().collect();
        let (joined, left) = (list(joined), list(left));
        self.own_events.push(Event::SeatsChosen { term: next_term, joined, left });
        Ok(())
    }

    pub(super) fn register_candidate(&mut self, from: AccountId, new: &NewCandidate) -> Done {
        check_addresses(&new.engine, &new.rpc)?;
        let validator = new.validator;
        let exists = self.overlay.get(&CandidateBy(validator))?.is_some()
            || self.overlay.get(&CandidateOf(from))?.is_some();
        if exists {
            return Err(Refusal::CandidateExists.into());
        }
        self.check_not_barred(validator)?;
        self.check_backing(from, &new.nodes)?;
        self.visit_to_verify()?;
        let possession = Possession { chain: self.overlay.base().grid().chain, account: from };
        acre_crypto::verify(&validator, &possession, &new.possession)
            .map_err(|_| Refusal::BadPossession { validator })?;
        let mut candidate = Candidate {
            account: from,
            engine: new.engine.clone(),
            rpc: new.rpc.clone(),
            stake: new.stake,
            releases: List::default(),
            nodes: new.nodes.clone(),
            standing: Standing::Standing,
            registered: self.height,
            index: Candidate::OFF_LIST,
            missed: 0,
        };
        // The money first: it costs little to see that there is none.
        self.lock(from, new.stake)?;
        self.make_room(validator, &candidate)?;
        let mut totals = self.totals()?;
        candidate.index = totals.candidates;
        totals.candidates = super::next(candidate.index)?;
        self.overlay.put(&TheTotals, totals);
        self.overlay.put(&CandidateAt(candidate.index), validator);
        self.overlay.put(&CandidateOf(from), validator);
        self.overlay.put(&CandidateBy(validator), candidate);
        self.events.push(Event::CandidateRegistered { validator, account: from });
        Ok(())
    }

    pub(super) fn update_candidate(
        &mut self,
        from: AccountId,
        validator: PublicKey,
        engine: &Address,
        rpc: &Address,
        nodes: &BackingNodes,
    ) -> Done {
        check_addresses(engine, rpc)?;
        let old = self.own_candidate(from, validator)?;
        let (engine, rpc, nodes) = (engine.clone(), rpc.clone(), nodes.clone());
        let new = Candidate { engine, rpc, nodes, ..old.clone() };
        if new == old {
            return Err(Refusal::NothingToDo.into());
        }
        self.check_backing(from, &new.nodes)?;
        self.update(validator, new)
    }

    pub(super) fn raise_stake(
        &mut self,
        from: AccountId,
        validator: PublicKey,
        amount: Amount,
    ) -> Done {
        let mut candidate = self.own_candidate(from, validator)?;
        if amount == Amount::ZERO {
            return Err(BAD_STAKE.into());
        }
        if candidate.standing == Standing::Leaving {
            return Err(Refusal::IsLeaving { validator }.into());
        }
        candidate.stake = candidate.stake.checked_add(amount).ok_or(BAD_STAKE)?;
        self.lock(from, amount)?;
        self.update(validator, candidate)
    }

    pub(super) fn lower_stake(
        &mut self,
        from: AccountId,
        validator: PublicKey,
        amount: Amount,
    ) -> Done {
        let mut candidate = self.own_candidate(from, validator)?;
        if amount == Amount::ZERO {
            return Err(BAD_STAKE.into());
        }
        let left = candidate.stake.checked_sub(amount).ok_or(BAD_STAKE)?;
        let seats = self.seats()?;
        if let SeatsBy::Stake { min } = self.parameters.seats.by
            && left < min
            && is_seated(&seats, validator)
        {
            return Err(Refusal::StakeHeld { wanted: min, left }.into());
        }
        candidate.stake = left;
        self.unbond(&mut candidate, amount, seats.term)?;
        self.update(validator, candidate)
    }

    pub(super) fn leave_seats(&mut self, from: AccountId, validator: PublicKey) -> Done {
        let mut candidate = self.own_candidate(from, validator)?;
        if candidate.standing == Standing::Leaving {
            return Err(Refusal::NothingToDo.into());
        }
        candidate.standing = Standing::Leaving;
        let seats = self.seats()?;
        if is_seated(&seats, validator) {
            return self.update(validator, candidate);
        }
        self.events.push(Event::CandidateUpdated { validator });
        self.let_go(validator, candidate, seats.term)?;
        Ok(())
    }

    pub(super) fn collect_stake(&mut self, validator: PublicKey) -> Done {
        let mut candidate = self.candidate(validator)?;
        let seats = self.seats()?;
        let (due, held): (Vec<_>, Vec<_>) =
            candidate.releases.iter().copied().partition(|release| release.term <= seats.term);
        let amount = sum(&due)?;
        // One whose stake was taken as a penalty is still to be removed.
        if amount == Amount::ZERO && (!is_spent(&candidate) || is_seated(&seats, validator)) {
            return Err(Refusal::NothingToDo.into());
        }
        self.unlock(amount)?;
        self.credit(candidate.account, amount)?;
        candidate.releases = List::new(held).expect("part of the same list");
        self.events.push(Event::CandidateUpdated { validator });
        if is_spent(&candidate) && !is_seated(&seats, validator) {
            self.remove_candidate(validator, &candidate)?;
        } else {
            self.overlay.put(&CandidateBy(validator), candidate);
        }
        Ok(())
    }

    /// A duty of a seat was missed (a reveal of the beacon): counts it, and burns
    /// `missed_penalty` of the stake, or what there is. Returns what was burned.
    pub(super) fn miss_duty(&mut self, validator: PublicKey) -> Result<Amount, StateError> {
        let Some(mut candidate) = self.overlay.get(&CandidateBy(validator))? else {
            return Ok(Amount::ZERO);
        };
        candidate.missed = candidate.missed.saturating_add(1);
        let mut wanted = self.parameters.seats.missed_penalty;
        let mut taken = take(&mut candidate.stake, &mut wanted);
        let mut releases = candidate.releases.into_vec();
        for release in &mut releases {
            taken = Amount(taken.0.saturating_add(take(&mut release.amount, &mut wanted).0));
        }
        releases.retain(|release| release.amount != Amount::ZERO);
        candidate.releases = List::new(releases).expect("not longer than before");
        self.overlay.put(&CandidateBy(validator), candidate);
        if taken != Amount::ZERO {
            let mut totals = self.totals()?;
            let what = "a penalty is more than was staked";
            totals.escrow = totals.escrow.checked_sub(taken).ok_or(StateError::Books { what })?;
            totals.burned = totals.burned.checked_add(taken).ok_or(StateError::Books { what })?;
            self.overlay.put(&TheTotals, totals);
            self.own_events.push(Event::CandidatePenalized { validator, amount: taken });
        }
        Ok(taken)
    }

    pub(super) fn seats(&mut self) -> Result<Seats, StateError> {
        self.overlay.must(&TheSeats)
    }

    fn candidate(&mut self, validator: PublicKey) -> Done<Candidate> {
        let candidate = self.overlay.get(&CandidateBy(validator))?;
        Ok(candidate.ok_or(Refusal::NoSuchCandidate { validator })?)
    }

    fn own_candidate(&mut self, from: AccountId, validator: PublicKey) -> Done<Candidate> {
        let candidate = self.candidate(validator)?;
        if candidate.account != from {
            return Err(Refusal::NotYours { what: "the candidate" }.into());
        }
        Ok(candidate)
    }

    fn update(&mut self, validator: PublicKey, candidate: Candidate) -> Done {
        self.overlay.put(&CandidateBy(validator), candidate);
        self.events.push(Event::CandidateUpdated { validator });
        Ok(())
    }

    fn candidates(&mut self) -> Result<Vec<(PublicKey, Candidate)>, StateError> {
        let mut all = Vec::new();
        for index in 0..self.totals()?.candidates {
            let Some(key) = self.overlay.get(&CandidateAt(index))? else { continue };
            if let Some(candidate) = self.overlay.get(&CandidateBy(key))? {
                all.push((key, candidate));
            }
        }
        Ok(all)
    }

    fn ranked(
        &mut self,
        members: &[PublicKey],
        candidates: &[(PublicKey, Candidate)],
    ) -> Result<Vec<PublicKey>, StateError> {
        let mut contenders = Vec::new();
        for (key, candidate) in candidates {
            let entry = self.entry_of(*key)?;
            let nodes = self.nodes_behind(candidate)?;
            contenders.push(Contender { key: *key, candidate, entry, nodes });
        }
        Ok(seating::ranked(&self.parameters, members, &contenders))
    }

    /// The nodes that stand behind a candidate, if they weigh anything.
    fn nodes_behind(&mut self, candidate: &Candidate) -> Result<Vec<Node>, StateError> {
        let mut nodes = Vec::new();
        if seating::asks_for_nodes(&self.parameters) {
            for id in candidate.nodes.iter() {
                nodes.extend(self.overlay.get(id)?);
            }
        }
        Ok(nodes)
    }

    /// What a candidate is worth to the list: eligible before not eligible, then weight, then stake.
    fn worth(
        &mut self,
        key: PublicKey,
        candidate: &Candidate,
    ) -> Result<(Option<u64>, Amount), StateError> {
        let (entry, nodes) = (self.entry_of(key)?, self.nodes_behind(candidate)?);
        let contender = Contender { key, candidate, entry, nodes };
        let is_leaving = candidate.standing == Standing::Leaving;
        let weight = seating::weight(&self.parameters, &contender).filter(|_| !is_leaving);
        Ok((weight, candidate.stake))
    }

    /// Distinct nodes of this operator.
    fn check_backing(&mut self, operator: AccountId, nodes: &[NodeId]) -> Done {
        self.visit_to_read(nodes.len())?;
        let mut seen = BTreeSet::new();
        for id in nodes {
            let node = self.overlay.get(id)?.ok_or(Refusal::NoSuchNode { node: *id })?;
            if node.operator != operator {
                return Err(Refusal::NotYours { what: "the node" }.into());
            }
            if !seen.insert(*id) {
                return Err(Refusal::OutOfRange { what: "a node named twice" }.into());
            }
        }
        Ok(())
    }

    /// If all places are taken, that of the candidate without a seat that is worth least, if less
    /// than the newcomer. Its stake goes the way of one that left, and what was on its way goes on:
    /// who is pushed out loses and saves nothing by it.
    fn make_room(&mut self, newcomer: PublicKey, new: &Candidate) -> Done {
        let candidates = self.totals()?.candidates;
        if candidates < CANDIDATES_MAX {
            return Ok(());
        }
        self.visit_to_read(usize::try_from(candidates).unwrap_or(usize::MAX))?;
        let seats = self.seats()?;
        let mut free = self.candidates()?;
        free.retain(|(key, _)| !is_seated(&seats, *key));
        if seating::asks_for_nodes(&self.parameters) {
            self.visit_to_read(free.iter().map(|(_, candidate)| candidate.nodes.len()).sum())?;
        }
        let mut worths = Vec::with_capacity(free.len());
        for (key, candidate) in &free {
            worths.push((self.worth(*key, candidate)?, *key));
        }
        let no_room = Refusal::NoRoom { candidates, given: new.stake };
        let least = worths.iter().zip(free).min_by_key(|(worth, _)| **worth);
        let ((worth, key), (_, mut candidate)) = least.ok_or(no_room.clone())?;
        if *worth >= self.worth(newcomer, new)? {
            return Err(no_room.into());
        }
        self.unlist(*key, &candidate)?;
        (candidate.index, candidate.standing) = (Candidate::OFF_LIST, Standing::Leaving);
        self.own_events.push(Event::CandidateUpdated { validator: *key });
        Ok(self.let_go(*key, candidate, seats.term)?)
    }

    /// Sends the stake of one that left on its way back, or removes it if there is none.
    pub(super) fn let_go(
        &mut self,
        validator: PublicKey,
        mut candidate: Candidate,
        term: u64,
    ) -> Result<(), StateError> {
        let stake = std::mem::take(&mut candidate.stake);
        if stake != Amount::ZERO {
            self.unbond(&mut candidate, stake, term)?;
        }
        if is_spent(&candidate) {
            return self.remove_candidate(validator, &candidate);
        }
        self.overlay.put(&CandidateBy(validator), candidate);
        Ok(())
    }

    /// Puts `amount` among what comes back; if there are too many parts, to the last of them.
    fn unbond(
        &self,
        candidate: &mut Candidate,
        amount: Amount,
        term: u64,
    ) -> Result<(), StateError> {
        // The rest of this term does not count.
        let whole_terms = self.parameters.seats.unbonding_terms.saturating_add(1);
        let term = term.saturating_add(whole_terms);
        let mut releases = std::mem::take(&mut candidate.releases).into_vec();
        let is_full = releases.len() >= RELEASES_MAX;
        match releases.last_mut() {
            Some(last) if last.term == term || is_full => {
                let what = "stakes are more than was minted";
                last.amount = last.amount.checked_add(amount).ok_or(StateError::Books { what })?;
                last.term = last.term.max(term);
            }
            _ => releases.push(Release { amount, term }),
        }
        candidate.releases = List::new(releases).expect("merged when full");
        Ok(())
    }

    fn remove_candidate(
        &mut self,
        validator: PublicKey,
        candidate: &Candidate,
    ) -> Result<(), StateError> {
        if candidate.index != Candidate::OFF_LIST {
            self.unlist(validator, candidate)?;
        }
        self.overlay.remove(&CandidateOf(candidate.account))?;
        self.overlay.remove(&CandidateBy(validator))?;
        self.own_events.push(Event::CandidateRemoved { validator });
        Ok(())
    }

    /// The last of the index takes its place.
    fn unlist(&mut self, validator: PublicKey, candidate: &Candidate) -> Result<(), StateError> {
        let mut totals = self.totals()?;
        let what = "there are fewer candidates than were registered";
        let last = totals.candidates.checked_sub(1).ok_or(StateError::Books { what })?;
        totals.candidates = last;
        self.overlay.put(&TheTotals, totals);
        let moved = self.overlay.must(&CandidateAt(last))?;
        if moved != validator {
            let mut other = self.overlay.must(&CandidateBy(moved))?;
            other.index = candidate.index;
            self.overlay.put(&CandidateBy(moved), other);
            self.overlay.put(&CandidateAt(candidate.index), moved);
        }
        self.overlay.remove(&CandidateAt(last))?;
        Ok(())
    }
}

fn seat_of(
    validator: PublicKey,
    candidates: &[(PublicKey, Candidate)],
    seats: &Seats,
) -> Option<Seat> {
    let candidate = candidates.iter().find(|(key, _)| *key == validator);
    let as_candidate = candidate.map(|(_, candidate)| Seat {
        validator,
        engine: candidate.engine.clone(),
        rpc: candidate.rpc.clone(),
    });
    as_candidate.or_else(|| seats.members.iter().find(|it| it.validator == validator).cloned())
}

pub(super) fn is_seated(seats: &Seats, validator: PublicKey) -> bool {
    seats.members.iter().chain(seats.next.iter()).any(|seat| seat.validator == validator)
}

/// Wants to go and has nothing left here.
fn is_spent(candidate: &Candidate) -> bool {
    candidate.standing == Standing::Leaving
        && candidate.stake == Amount::ZERO
        && candidate.releases.is_empty()
}

fn sum(releases: &[Release]) -> Result<Amount, StateError> {
    let amounts = releases.iter().map(|release| release.amount);
    let what = "stakes are more than was minted";
    amounts
        .into_iter()
        .try_fold(Amount::ZERO, Amount::checked_add)
        .ok_or(StateError::Books { what })
}

/// Moves as much as there is of what is wanted.
fn take(held: &mut Amount, wanted: &mut Amount) -> Amount {
    let taken = (*held).min(*wanted);
    held.0 = held.0.saturating_sub(taken.0);
    wanted.0 = wanted.0.saturating_sub(taken.0);
    taken
}

fn check_addresses(engine: &Address, rpc: &Address) -> Done {
    if are_dialable(engine, rpc) { Ok(()) } else { Err(Refusal::BadAddress.into()) }
}

#[cfg(test)]
mod tests;

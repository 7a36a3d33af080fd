//! Validators that contradicted themselves lose stake and seat.

use acre_codec::List;
use acre_types::{AccountId, Amount, PublicKey};

use super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::{CandidateBy, OffenceOf, TheSeats, TheTotals};
use crate::object::{Candidate, Offence, Parameters, Standing};
use crate::overlay::Overlay;
use crate::vote::Accusation;

/// Free for those who hold seats, once for each offence. The two signatures are looked at when the
/// block is made: by then the accuser's own was.
pub(super) fn admit_accusation(
    overlay: &mut Overlay<'_>,
    parameters: &Parameters,
    from: AccountId,
    accusation: &Accusation,
) -> Done {
    let seats = overlay.must(&TheSeats)?;
    let Accusation { validator, term, .. } = *accusation;
    if !seats.members.iter().any(|seat| AccountId::from(seat.validator) == from) {
        return Err(Refusal::NoSeat { account: from }.into());
    }
    if AccountId::from(validator) == from || !accusation.contradicts() {
        return Err(Refusal::NoContradiction.into());
    }
    let oldest = seats.term.saturating_sub(parameters.seats.unbonding_terms);
    if term > seats.term || term < oldest {
        return Err(Refusal::OutOfRange { what: "the term of an accusation" }.into());
    }
    let offence = overlay.get(&OffenceOf(validator))?;
    if offence.is_some_and(|offence| term <= offence.term) {
        return Err(Refusal::WasPunished { validator }.into());
    }
    if overlay.get(&CandidateBy(validator))?.is_none() {
        return Err(Refusal::NoSuchCandidate { validator }.into());
    }
    Ok(())
}

impl Work<'_> {
    /// The accusation was admitted.
    pub(super) fn accuse(&mut self, from: AccountId, accusation: &Accusation) -> Done {
        let chain = self.overlay.base().grid().chain;
        accusation.verify(&chain).map_err(|_| Refusal::NoContradiction)?;
        let Accusation { validator, term, view, .. } = *accusation;
        let mut candidate = self.overlay.must(&CandidateBy(validator))?;
        let rules = &self.parameters.seats;
        let (part, reward) = (rules.double_vote_percent, rules.accuser_percent);
        let taken = take_part(&mut candidate, part);
        let reward = percent(taken, reward);
        candidate.standing = Standing::Leaving;
        self.overlay.put(&CandidateBy(validator), candidate.clone());
        self.seize(taken, reward)?;
        self.credit(from, reward)?;
        let old = self.overlay.get(&OffenceOf(validator))?;
        let count = old.map_or(0, |old| old.count).saturating_add(1);
        let offence = Offence { term, view, by: from, at: self.now, taken, count };
        self.overlay.put(&OffenceOf(validator), offence);
        self.events.push(Event::ValidatorPunished { validator, term, taken, reward, by: from });
        let seats = self.seats()?;
        if !super::seats::is_seated(&seats, validator) {
            self.let_go(validator, candidate, seats.term)?;
        }
        Ok(())
    }

    /// Who was punished does not stand again before the stake of that term would be free.
    pub(super) fn check_not_barred(&mut self, validator: PublicKey) -> Done {
        let Some(offence) = self.overlay.get(&OffenceOf(validator))? else { return Ok(()) };
        let until = offence.term.saturating_add(self.parameters.seats.unbonding_terms);
        if self.seats()?.term <= until {
            return Err(Refusal::WasPunished { validator }.into());
        }
        Ok(())
    }

    /// Out of the escrow: the reward is the caller's to credit, the rest is burned.
    fn seize(&mut self, taken: Amount, reward: Amount) -> Result<(), StateError> {
        let what = "a penalty is more than was staked";
        let burned = Amount(taken.0.saturating_sub(reward.0));
        let mut totals = self.totals()?;
        totals.escrow = totals.escrow.checked_sub(taken).ok_or(StateError::Books { what })?;
        totals.burned = totals.burned.checked_add(burned).ok_or(StateError::Books { what })?;
        self.overlay.put(&TheTotals, totals);
        Ok(())
    }
}

/// The same part of the stake and of all that is on its way back, each rounded up, so that nobody
/// saves any by asking for it in time.
fn take_part(candidate: &mut Candidate, part: u8) -> Amount {
    let mut taken = 0_u64;
    let mut take = |held: &mut Amount| {
        let left = percent(*held, 100_u8.saturating_sub(part));
        taken = taken.saturating_add(held.0.saturating_sub(left.0));
        *held = left;
    };
    take(&mut candidate.stake);
    let mut releases = std::mem::take(&mut candidate.releases).into_vec();
    releases.iter_mut().for_each(|release| take(&mut release.amount));
    releases.retain(|release| release.amount != Amount::ZERO);
    candidate.releases = List::new(releases).expect("not longer than before");
    Amount(taken)
}

/// Rounded down.
fn percent(amount: Amount, percent: u8) -> Amount {
    let scaled = u128::from(amount.0).saturating_mul(percent.into()) / 100;
    Amount(u64::try_from(scaled).unwrap_or(amount.0))
}

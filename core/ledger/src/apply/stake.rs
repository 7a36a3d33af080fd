//! What farms have at stake, and who shares what they earn.

use std::collections::BTreeSet;

use acre_codec::List;
use acre_types::{AccountId, Amount, Epoch, FarmId};

use super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::{TheEpoch, TheTotals};
use crate::limits::FARM_RELEASES_MAX;
use crate::object::{Farm, FarmRelease, Member, Members, ProposedMembers, are_members};

const BAD_STAKE: Refusal = Refusal::OutOfRange { what: "the stake" };
const BAD_MEMBERS: Refusal = Refusal::OutOfRange { what: "the members of a farm" };

impl Work<'_> {
    pub(super) fn stake_farm(&mut self, from: AccountId, id: FarmId, amount: Amount) -> Done {
        let mut farm = self.own_farm(from, id)?;
        if amount == Amount::ZERO {
            return Err(BAD_STAKE.into());
        }
        farm.stake = farm.stake.checked_add(amount).ok_or(BAD_STAKE)?;
        self.lock(from, amount)?;
        let mut totals = self.totals()?;
        totals.staked = totals
            .staked
            .checked_add(amount)
            .ok_or(StateError::Books { what: "more is staked than was minted" })?;
        self.overlay.put(&TheTotals, totals);
        self.put_staked(id, farm);
        Ok(())
    }

    /// Until it is collected, it may still be taken.
    pub(super) fn unstake_farm(&mut self, from: AccountId, id: FarmId, amount: Amount) -> Done {
        let mut farm = self.own_farm(from, id)?;
        if amount == Amount::ZERO {
            return Err(BAD_STAKE.into());
        }
        farm.stake = farm.stake.checked_sub(amount).ok_or(BAD_STAKE)?;
        let running = self.overlay.must(&TheEpoch)?.number;
        let epoch = Epoch(running.0.saturating_add(self.parameters.minting.unbonding_epochs));
        let mut releases = farm.releases.to_vec();
        match releases.last_mut() {
            Some(last) if last.epoch == epoch || releases_full(&farm) => {
                last.epoch = epoch;
                last.amount = last.amount.checked_add(amount).ok_or(BAD_STAKE)?;
            }
            _ => releases.push(FarmRelease { amount, epoch }),
        }
        farm.releases = List::new(releases).expect("one more only where there is room");
        self.put_staked(id, farm);
        Ok(())
    }

    pub(super) fn collect_farm_stake(&mut self, id: FarmId) -> Done {
        let mut farm = self.overlay.get(&id)?.ok_or(Refusal::NoSuchFarm { farm: id })?;
        let running = self.overlay.must(&TheEpoch)?.number;
        let (due, later): (Vec<_>, Vec<_>) =
            farm.releases.iter().copied().partition(|release| release.epoch <= running);
        let sum = due.iter().fold(0_u64, |sum, release| sum.saturating_add(release.amount.0));
        if due.is_empty() {
            return Err(Refusal::NothingToDo.into());
        }
        farm.releases = List::new(later).expect("a part of the list");
        self.take_from_escrow(Amount(sum))?;
        self.credit(farm.owner, Amount(sum))?;
        self.put_staked(id, farm);
        Ok(())
    }

    /// Takes up to `amount` of what a farm has at stake, for the caller to credit; returns how much
    /// there was.
    pub(super) fn take_stake(&mut self, id: FarmId, amount: Amount) -> Done<Amount> {
        let mut farm = self.overlay.must(&id)?;
        let taken = farm.at_stake().min(amount);
        if taken == Amount::ZERO {
            return Ok(taken);
        }
        let mut wanted = take(&mut farm.stake, taken);
        let mut releases = farm.releases.to_vec();
        for release in releases.iter_mut().rev() {
            wanted = take(&mut release.amount, wanted);
        }
        releases.retain(|release| release.amount > Amount::ZERO);
        farm.releases = List::new(releases).expect("a part of the list");
        self.take_from_escrow(taken)?;
        self.put_staked(id, farm);
        self.events.push(Event::FarmPenalized { farm: id, amount: taken });
        Ok(taken)
    }

    /// Out of the escrow and of what is staked; the caller credits it.
    fn take_from_escrow(&mut self, amount: Amount) -> Done {
        self.unlock(amount)?;
        let mut totals = self.totals()?;
        let what = "less is staked than a farm holds";
        totals.staked = totals.staked.checked_sub(amount).ok_or(StateError::Books { what })?;
        self.overlay.put(&TheTotals, totals);
        Ok(())
    }

    fn put_staked(&mut self, id: FarmId, farm: Farm) {
        let stake = farm.stake;
        self.overlay.put(&id, farm);
        self.events.push(Event::FarmStaked { farm: id, stake });
    }

    /// Who is a member now has to agree, too: nobody's part is made smaller behind his back.
    pub(super) fn propose_members(
        &mut self,
        from: AccountId,
        id: FarmId,
        members: &Members,
    ) -> Done {
        let mut farm = self.own_farm(from, id)?;
        if !are_members(members) {
            return Err(BAD_MEMBERS.into());
        }
        let is_proposed = farm.proposed.as_ref().is_some_and(|old| old.members == *members);
        if is_proposed || (farm.proposed.is_none() && farm.members == *members) {
            return Err(Refusal::NothingToDo.into());
        }
        if farm.members == *members {
            // Takes the proposal back.
            farm.proposed = None;
            return self.put_members(id, farm, None);
        }
        let account = |member: &Member| member.account;
        let both = farm.members.iter().chain(members.iter());
        let mut missing: BTreeSet<_> = both.map(account).collect();
        missing.remove(&from);
        let missing = List::new(missing.into_iter().collect()).map_err(|_| BAD_MEMBERS)?;
        self.events.push(Event::MembersProposed { farm: id, missing: missing.clone() });
        self.put_members(id, farm, Some(ProposedMembers { members: members.clone(), missing }))
    }

    pub(super) fn accept_members(
        &mut self,
        from: AccountId,
        id: FarmId,
        members: &Members,
    ) -> Done {
        let farm = self.overlay.get(&id)?.ok_or(Refusal::NoSuchFarm { farm: id })?;
        let Some(proposed) = farm.proposed.clone().filter(|it| it.members == *members) else {
            return Err(Refusal::NothingToDo.into());
        };
        let missing = proposed.missing.iter().copied().filter(|account| *account != from);
        let missing: Vec<_> = missing.collect();
        if missing.len() == proposed.missing.len() {
            return Err(Refusal::NothingToDo.into());
        }
        let missing = List::new(missing).expect("a part of the list");
        self.events.push(Event::MembersAccepted { farm: id, by: from });
        self.put_members(id, farm, Some(ProposedMembers { missing, ..proposed }))
    }

    /// Puts a proposal into effect that nobody has to agree to any more.
    fn put_members(
        &mut self,
        id: FarmId,
        mut farm: Farm,
        proposed: Option<ProposedMembers>,
    ) -> Done {
        match proposed {
            Some(done) if done.missing.is_empty() => {
                farm.members = done.members;
                farm.proposed = None;
                self.events.push(Event::MembersChanged { farm: id });
            }
            proposed => farm.proposed = proposed,
        }
        self.overlay.put(&id, farm);
        Ok(())
    }

    fn own_farm(&mut self, from: AccountId, id: FarmId) -> Done<Farm> {
        let farm = self.overlay.get(&id)?.ok_or(Refusal::NoSuchFarm { farm: id })?;
        if farm.owner != from {
            return Err(Refusal::NotYours { what: "the farm" }.into());
        }
        Ok(farm)
    }
}

fn releases_full(farm: &Farm) -> bool {
    farm.releases.len() >= FARM_RELEASES_MAX
}

/// Takes up to `wanted`; returns what is still wanted.
fn take(held: &mut Amount, wanted: Amount) -> Amount {
    let taken = (*held).min(wanted);
    held.0 = held.0.saturating_sub(taken.0);
    Amount(wanted.0.saturating_sub(taken.0))
}

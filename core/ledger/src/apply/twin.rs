//! The phonebook: handles, their keys, and how they pass from one owner to another.

use acre_types::{AccountId, Amount, UnixMs};

use super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::{HandleAt, RecoveryOf, TheTotals, TwinOf};
use crate::limits::{RELEASE_BURN_PERCENT, TWIN_KEY_BYTES_MAX};
use crate::name::Handle;
use crate::object::{KeyRole, RecoveryPlan, Twin, TwinKeys, TwinState};

impl Work<'_> {
    pub(super) fn register_twin(
        &mut self,
        from: AccountId,
        handle: &Handle,
        keys: &TwinKeys,
    ) -> Done {
        check_keys(keys)?;
        let former = self.overlay.get(handle)?;
        if let Some(twin) = &former {
            let TwinState::Released { at } = twin.state else {
                return Err(Refusal::HandleTaken.into());
            };
            let free = UnixMs(at.0.saturating_add(self.parameters.phonebook.quarantine_ms));
            if self.now < free {
                return Err(Refusal::TooEarly { what: "the handle", from: free }.into());
            }
        }
        self.check_no_twin(from)?;
        let deposit = self.parameters.phonebook.deposit_of(handle);
        self.lock(from, deposit)?;
        // The epoch of a handle only grows, whoever holds it.
        let (epoch, attempt) = match &former {
            Some(twin) => (next_epoch(twin.epoch)?, twin.attempt),
            None => (0, 0),
        };
        if former.is_none() {
            let mut totals = self.totals()?;
            self.overlay.put(&HandleAt(totals.twins), handle.clone());
            totals.twins =
                totals.twins.checked_add(1).ok_or(Refusal::OutOfRange { what: "the count" })?;
            self.overlay.put(&TheTotals, totals);
        }
        let twin = Twin {
            owner: from,
            keys: keys.clone(),
            epoch,
            state: TwinState::Held,
            deposit,
            plan: RecoveryPlan::default(),
            attempt,
            offered: None,
        };
        self.overlay.put(handle, twin);
        self.overlay.put(&TwinOf(from), handle.clone());
        self.events.push(Event::TwinRegistered { handle: handle.clone(), owner: from });
        Ok(())
    }

    pub(super) fn rotate_twin(
        &mut self,
        from: AccountId,
        handle: &Handle,
        keys: &TwinKeys,
    ) -> Done {
        check_keys(keys)?;
        let mut twin = self.own_twin(from, handle)?;
        twin.epoch = next_epoch(twin.epoch)?;
        twin.keys = keys.clone();
        self.call_off(handle, &mut twin)?;
        let epoch = twin.epoch;
        self.overlay.put(handle, twin);
        self.events.push(Event::TwinRotated { handle: handle.clone(), epoch });
        Ok(())
    }

    pub(super) fn offer_twin(
        &mut self,
        from: AccountId,
        handle: &Handle,
        to: Option<AccountId>,
    ) -> Done {
        let mut twin = self.own_twin(from, handle)?;
        if twin.offered == to || to == Some(from) {
            return Err(Refusal::NothingToDo.into());
        }
        twin.offered = to;
        self.overlay.put(handle, twin);
        self.events.push(Event::TwinOffered { handle: handle.clone(), to });
        Ok(())
    }

    /// The new owner brings keys of its own, and a deposit; the old one gets its own back.
    pub(super) fn accept_twin(
        &mut self,
        from: AccountId,
        handle: &Handle,
        keys: &TwinKeys,
    ) -> Done {
        check_keys(keys)?;
        let mut twin = self.held_twin(handle)?;
        if twin.offered != Some(from) {
            return Err(Refusal::NotYours { what: "the twin" }.into());
        }
        let deposit = self.parameters.phonebook.deposit_of(handle);
        self.lock(from, deposit)?;
        self.unlock(twin.deposit)?;
        self.credit(twin.owner, twin.deposit)?;
        twin.deposit = deposit;
        self.call_off(handle, &mut twin)?;
        self.hand_over(handle, twin, from, keys)
    }

    /// Gives the handle back; what was paid for it comes back but for a part, which is burned.
    pub(super) fn release_twin(&mut self, from: AccountId, handle: &Handle) -> Done {
        let mut twin = self.own_twin(from, handle)?;
        self.call_off(handle, &mut twin)?;
        let deposit = std::mem::take(&mut twin.deposit);
        let percent = u128::from(RELEASE_BURN_PERCENT);
        let burned = u128::from(deposit.0).saturating_mul(percent) / 100;
        let burned = Amount(u64::try_from(burned).unwrap_or(deposit.0));
        self.unlock(deposit)?;
        self.credit(from, deposit)?;
        self.burn(from, burned)?;
        twin.keys = TwinKeys::default();
        twin.state = TwinState::Released { at: self.now };
        twin.epoch = next_epoch(twin.epoch)?;
        twin.offered = None;
        twin.plan = RecoveryPlan::default();
        self.overlay.put(handle, twin);
        self.overlay.remove(&TwinOf(from))?;
        self.events.push(Event::TwinReleased { handle: handle.clone() });
        Ok(())
    }

    pub(super) fn held_twin(&mut self, handle: &Handle) -> Done<Twin> {
        let twin = self.overlay.get(handle)?.filter(|twin| twin.state == TwinState::Held);
        Ok(twin.ok_or(Refusal::NoSuchTwin)?)
    }

    pub(super) fn own_twin(&mut self, from: AccountId, handle: &Handle) -> Done<Twin> {
        let twin = self.held_twin(handle)?;
        if twin.owner != from {
            return Err(Refusal::NotYours { what: "the twin" }.into());
        }
        Ok(twin)
    }

    /// A handle gets another owner and its keys.
    pub(super) fn hand_over(
        &mut self,
        handle: &Handle,
        mut twin: Twin,
        to: AccountId,
        keys: &TwinKeys,
    ) -> Done {
        if twin.owner != to {
            self.check_no_twin(to)?;
            self.overlay.remove(&TwinOf(twin.owner))?;
            self.overlay.put(&TwinOf(to), handle.clone());
        }
        twin.owner = to;
        twin.keys = keys.clone();
        twin.offered = None;
        twin.epoch = next_epoch(twin.epoch)?;
        let epoch = twin.epoch;
        self.overlay.put(handle, twin);
        self.events.push(Event::TwinHandedOver { handle: handle.clone(), to, epoch });
        Ok(())
    }

    /// Ends a recovery that runs, if any; what was signed for it is void. The caller stores the twin.
    pub(super) fn call_off(&mut self, handle: &Handle, twin: &mut Twin) -> Result<(), StateError> {
        let place = RecoveryOf(handle.clone());
        if self.overlay.get(&place)?.is_none() {
            return Ok(());
        }
        self.overlay.remove(&place)?;
        twin.attempt = twin.attempt.saturating_add(1);
        self.events.push(Event::RecoveryEnded { handle: handle.clone() });
        Ok(())
    }

    pub(super) fn check_no_twin(&mut self, account: AccountId) -> Done {
        match self.overlay.get(&TwinOf(account))? {
            Some(_) => Err(Refusal::HasTwin { account }.into()),
            None => Ok(()),
        }
    }
}

fn next_epoch(epoch: u64) -> Done<u64> {
    Ok(epoch.checked_add(1).ok_or(Refusal::OutOfRange { what: "the epoch" })?)
}

/// At least one key that signs, and each of a length that its role can have.
pub(super) fn check_keys(keys: &TwinKeys) -> Done {
    let fits = |role: KeyRole, bytes: usize| match role {
        KeyRole::Sign | KeyRole::Device | KeyRole::Recover => bytes == 32,
        KeyRole::Agree => bytes == 32 || bytes == TWIN_KEY_BYTES_MAX,
    };
    let signs = keys.iter().any(|key| key.role == KeyRole::Sign);
    if signs && keys.iter().all(|key| fits(key.role, key.key.len())) {
        Ok(())
    } else {
        Err(Refusal::OutOfRange { what: "a key of the twin" }.into())
    }
}

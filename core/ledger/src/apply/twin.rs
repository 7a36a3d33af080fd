//! The phonebook.

use acre_types::AccountId;

use super::{Done, Work};
use crate::error::Refusal;
use crate::event::Event;
use crate::key::{Handle, TheTotals, TwinOf};
use crate::limits::TWIN_KEY_BYTES_MAX;
use crate::object::{KeyRole, Twin, TwinKeys};

impl Work<'_> {
    pub(super) fn register_twin(
        &mut self,
        from: AccountId,
        handle: &Handle,
        keys: &TwinKeys,
    ) -> Done {
        check_keys(keys)?;
        if self.overlay.get(handle)?.is_some() {
            return Err(Refusal::HandleTaken.into());
        }
        if self.overlay.get(&TwinOf(from))?.is_some() {
            return Err(Refusal::HasTwin { account: from }.into());
        }
        let mut totals = self.totals()?;
        totals.twins =
            totals.twins.checked_add(1).ok_or(Refusal::OutOfRange { what: "the count" })?;
        self.overlay.put(&TheTotals, totals);
        self.overlay.put(handle, Twin { owner: from, keys: keys.clone(), epoch: 0 });
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
        let mut twin = self.overlay.get(handle)?.ok_or(Refusal::NoSuchTwin)?;
        if twin.owner != from {
            return Err(Refusal::NotYours { what: "the twin" }.into());
        }
        let epoch = twin.epoch.checked_add(1).ok_or(Refusal::OutOfRange { what: "the epoch" })?;
        twin.epoch = epoch;
        twin.keys = keys.clone();
        self.overlay.put(handle, twin);
        self.events.push(Event::TwinRotated { handle: handle.clone(), epoch });
        Ok(())
    }
}

/// At least one key that signs, and each of a length that its role can have.
fn check_keys(keys: &TwinKeys) -> Done {
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

//! How a twin whose owner lost its keys comes back: some of its recovery keys agree on a new owner,
//! the present keys have a time to say no, then the new owner completes it.

use std::collections::BTreeSet;

use acre_types::{AccountId, PublicKey, Signature, UnixMs};

use super::twin::check_keys;
use super::{Done, Work};
use crate::error::Refusal;
use crate::event::Event;
use crate::key::RecoveryOf;
use crate::limits::RECOVERY_MS_MAX;
use crate::name::Handle;
use crate::object::{KeyRole, Recovery, RecoveryPlan};
use crate::transaction::{NewRecovery, RecoveryConsent, RecoveryVeto};

impl Work<'_> {
    pub(super) fn plan_recovery(
        &mut self,
        from: AccountId,
        handle: &Handle,
        plan: RecoveryPlan,
    ) -> Done {
        let mut twin = self.own_twin(from, handle)?;
        if twin.plan == plan {
            return Err(Refusal::NothingToDo.into());
        }
        let least = self.parameters.phonebook.recovery_ms_min;
        let is_none = plan == RecoveryPlan::default();
        if !is_none && (plan.threshold == 0 || !(least..=RECOVERY_MS_MAX).contains(&plan.delay_ms))
        {
            return Err(Refusal::OutOfRange { what: "the recovery plan" }.into());
        }
        twin.plan = plan;
        self.call_off(handle, &mut twin)?;
        self.overlay.put(handle, twin);
        self.events.push(Event::RecoveryPlanned { handle: handle.clone() });
        Ok(())
    }

    /// Anyone may carry what the recovery keys signed.
    pub(super) fn open_recovery(&mut self, new: &NewRecovery) -> Done {
        check_keys(&new.keys)?;
        let handle = &new.handle;
        let mut twin = self.held_twin(handle)?;
        if self.overlay.get(&RecoveryOf(handle.clone()))?.is_some() {
            return Err(Refusal::RecoveryRuns.into());
        }
        if twin.plan.threshold == 0 {
            return Err(Refusal::NoRecovery.into());
        }
        if new.owner != twin.owner {
            self.check_no_twin(new.owner)?;
        }
        let consent = RecoveryConsent {
            chain: self.overlay.base().grid().chain,
            handle: handle.clone(),
            epoch: twin.epoch,
            attempt: twin.attempt,
            owner: new.owner,
            keys: new.keys.clone(),
        };
        let mut agreed = BTreeSet::new();
        for (key, signature) in new.signatures.iter() {
            self.visit_to_verify()?;
            let counts = twin.has_key(KeyRole::Recover, key)
                && acre_crypto::verify(key, &consent, signature).is_ok();
            if !counts || !agreed.insert(*key) {
                return Err(Refusal::BadConsent { key: *key }.into());
            }
        }
        let (given, wanted) = (agreed.len(), usize::from(twin.plan.threshold));
        if given < wanted {
            return Err(Refusal::TooFewConsents { given, wanted }.into());
        }
        let completes = UnixMs(self.now.0.saturating_add(twin.plan.delay_ms));
        let (owner, keys) = (new.owner, new.keys.clone());
        let recovery = Recovery { owner, keys, opened: self.now, completes };
        self.overlay.put(&RecoveryOf(handle.clone()), recovery);
        twin.attempt = twin.attempt.saturating_add(1);
        self.overlay.put(handle, twin);
        self.events.push(Event::RecoveryOpened { handle: handle.clone(), owner, completes });
        Ok(())
    }

    /// By the owner's account, or by a key that signs for the twin or a device of it.
    pub(super) fn veto_recovery(
        &mut self,
        from: AccountId,
        handle: &Handle,
        by: Option<&(PublicKey, Signature)>,
    ) -> Done {
        let mut twin = self.held_twin(handle)?;
        self.recovery(handle)?;
        match by {
            None if twin.owner == from => {}
            None => return Err(Refusal::NotYours { what: "the twin" }.into()),
            Some((key, signature)) => {
                let is_present =
                    twin.has_key(KeyRole::Sign, key) || twin.has_key(KeyRole::Device, key);
                let chain = self.overlay.base().grid().chain;
                let veto = RecoveryVeto { chain, handle: handle.clone(), attempt: twin.attempt };
                if !is_present || acre_crypto::verify(key, &veto, signature).is_err() {
                    return Err(Refusal::BadConsent { key: *key }.into());
                }
            }
        }
        self.call_off(handle, &mut twin)?;
        self.overlay.put(handle, twin);
        Ok(())
    }

    /// By the new owner itself, if the owner changes: `TwinOf` of an account says that the account
    /// signed for the handle, and recovery keys may be anybody's.
    pub(super) fn complete_recovery(&mut self, from: AccountId, handle: &Handle) -> Done {
        let mut twin = self.held_twin(handle)?;
        let recovery = self.recovery(handle)?;
        if recovery.owner != twin.owner && from != recovery.owner {
            return Err(Refusal::NotYours { what: "the recovery" }.into());
        }
        if self.now < recovery.completes {
            let from = recovery.completes;
            return Err(Refusal::TooEarly { what: "the recovery", from }.into());
        }
        self.call_off(handle, &mut twin)?;
        self.hand_over(handle, twin, recovery.owner, &recovery.keys)
    }

    fn recovery(&mut self, handle: &Handle) -> Done<Recovery> {
        Ok(self.overlay.get(&RecoveryOf(handle.clone()))?.ok_or(Refusal::NoRecovery)?)
    }
}

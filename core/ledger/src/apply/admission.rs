//! Who is let in, where that is not everybody.

use std::collections::BTreeSet;

use acre_types::{AccountId, PublicKey, Signature};

use super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::AdmittedAs;
use crate::object::{Admitted, Entry, Parameters, Policy, Subject};
use crate::overlay::Overlay;
use crate::transaction::AdmissionOrder;

/// Whether a subject may do what it wants to.
pub(super) fn check_admitted(
    overlay: &mut Overlay<'_>,
    parameters: &Parameters,
    subject: Subject,
) -> Done {
    let is_open = *parameters.admission.policy(&subject) == Policy::Open;
    match overlay.get(&AdmittedAs(subject))?.map(|admitted| admitted.entry) {
        Some(Entry::Admit) => Ok(()),
        None if is_open => Ok(()),
        Some(Entry::Revoke) if is_open => Ok(()),
        None | Some(Entry::Revoke) => Err(Refusal::NotAdmitted { subject }.into()),
    }
}

impl Work<'_> {
    pub(super) fn check_farmer(&mut self, account: AccountId) -> Done {
        check_admitted(&mut self.overlay, &self.parameters, Subject::Farmer(account))
    }

    /// What was decided about a validator key, if anything.
    pub(super) fn entry_of(&mut self, validator: PublicKey) -> Result<Option<Entry>, StateError> {
        let admitted = self.overlay.get(&AdmittedAs(Subject::Validator(validator)))?;
        Ok(admitted.map(|admitted| admitted.entry))
    }

    /// Anyone may carry what the keys of a policy signed.
    pub(super) fn order_admission(
        &mut self,
        subject: Subject,
        entry: Entry,
        signatures: &[(PublicKey, Signature)],
    ) -> Done {
        let policy = self.parameters.admission.policy(&subject).clone();
        let Policy::ByKeys { keys, threshold } = policy else {
            return Err(Refusal::WrongPolicy { subject }.into());
        };
        let number = self.overlay.get(&AdmittedAs(subject))?.map_or(0, |it| it.number);
        let chain = self.overlay.base().grid().chain;
        let order = AdmissionOrder { chain, subject, entry, number };
        let mut agreed = BTreeSet::new();
        for (key, signature) in signatures {
            self.visit_to_verify()?;
            let counts = keys.contains(key) && acre_crypto::verify(key, &order, signature).is_ok();
            if !counts || !agreed.insert(*key) {
                return Err(Refusal::BadConsent { key: *key }.into());
            }
        }
        let (given, wanted) = (agreed.len(), usize::from(threshold));
        if given < wanted {
            return Err(Refusal::TooFewConsents { given, wanted }.into());
        }
        self.enter(subject, entry)
    }

    /// Writes down a decision.
    pub(super) fn enter(&mut self, subject: Subject, entry: Entry) -> Done {
        let former = self.overlay.get(&AdmittedAs(subject))?;
        let number = former.map_or(0, |admitted| admitted.number);
        let present = former.map_or(Entry::Revoke, |admitted| admitted.entry);
        if present == entry {
            return Err(Refusal::NothingToDo.into());
        }
        let number = number.saturating_add(1);
        self.overlay.put(&AdmittedAs(subject), Admitted { entry, number });
        self.events.push(Event::AdmissionDecided { subject, entry });
        Ok(())
    }
}

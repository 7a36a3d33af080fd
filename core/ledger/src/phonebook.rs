//! A reader's own copy of the phonebook: whoever has it looks a handle up without telling anyone.
//!
//! [`Phonebook::of`] takes it from a whole state. A reader without one fetches, with a proof for
//! each, `Totals::twins`, then [`crate::HandleAt`] and the twin for every number below that: the
//! numbers have no gap, so nobody who answers can leave an entry out. It asks for all of them, so
//! who answers does not learn which one it wanted. Later blocks' changes go in by
//! [`Phonebook::change`].
//!
//! An entry says which keys its owner claims. That a key belongs to one entry only is not said: a
//! liar can list the key of another, so [`Phonebook::holders`] gives all who list it, and a caller
//! that must know which has the key sign something.

use std::collections::{BTreeMap, BTreeSet};

use acre_types::AccountId;

use crate::error::StateError;
use crate::key::{HandleAt, Key};
use crate::name::Handle;
use crate::object::{Twin, TwinState};
use crate::state::State;

/// All twins that are held, by handle, owner and key.
#[derive(Clone, Debug, Default)]
pub struct Phonebook {
    twins: BTreeMap<Handle, Twin>,
    owners: BTreeMap<AccountId, Handle>,
    keys: BTreeMap<Vec<u8>, BTreeSet<Handle>>,
}

impl Phonebook {
    /// Everything that stands in this state.
    ///
    /// # Errors
    /// Damaged bytes.
    pub fn of(state: &State) -> Result<Self, StateError> {
        let mut book = Self::default();
        for index in 0..state.totals()?.twins {
            let place = HandleAt(index);
            let handle = state.read(&place)?;
            let handle = handle.ok_or(StateError::Missing { key: Key::HandleAt(index) })?;
            if let Some(twin) = state.read(&handle)? {
                book.change(handle, twin);
            }
        }
        Ok(book)
    }

    /// Puts in what stands at a handle now.
    pub fn change(&mut self, handle: Handle, twin: Twin) {
        if let Some(old) = self.twins.remove(&handle) {
            if self.owners.get(&old.owner) == Some(&handle) {
                self.owners.remove(&old.owner);
            }
            for key in old.keys.iter() {
                let Some(holders) = self.keys.get_mut(&*key.key) else { continue };
                holders.remove(&handle);
                if holders.is_empty() {
                    self.keys.remove(&*key.key);
                }
            }
        }
        if twin.state != TwinState::Held {
            return;
        }
        self.owners.insert(twin.owner, handle.clone());
        for key in twin.keys.iter() {
            self.keys.entry(key.key.to_vec()).or_default().insert(handle.clone());
        }
        self.twins.insert(handle, twin);
    }

    /// Who has this handle, with which keys.
    #[must_use]
    pub fn get(&self, handle: &Handle) -> Option<&Twin> {
        self.twins.get(handle)
    }

    /// The handle of an account. The account signed for it.
    #[must_use]
    pub fn handle_of(&self, owner: AccountId) -> Option<&Handle> {
        self.owners.get(&owner)
    }

    /// Every handle whose entry lists this key, in any role.
    pub fn holders(&self, key: &[u8]) -> impl Iterator<Item = &Handle> {
        self.keys.get(key).into_iter().flatten()
    }

    /// All entries, by handle.
    pub fn iter(&self) -> impl Iterator<Item = (&Handle, &Twin)> {
        self.twins.iter()
    }
}

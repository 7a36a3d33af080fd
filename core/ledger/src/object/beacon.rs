//! The turns of validators at the randomness of an epoch.

use acre_codec::List;
use acre_types::{Digest, PublicKey};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::VALIDATORS_MAX;

/// One turn for each validator, by key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Beacon {
    /// In the order of their keys, each once.
    pub turns: List<Turn, VALIDATORS_MAX>,
}

/// What one validator does for the randomness.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Turn {
    /// The validator; acts from the account of this key.
    pub validator: PublicKey,
    /// Committed to in the last epoch, to be revealed in this one.
    pub sealed: Option<Digest>,
    /// Revealed in this epoch: goes into the next seed.
    pub revealed: Option<Digest>,
    /// Committed to in this epoch, to be revealed in the next.
    pub next: Option<Digest>,
    /// Secrets revealed, ever.
    pub given: u64,
    /// Secrets committed to and withheld, ever.
    pub missed: u64,
}

impl Turn {
    /// Of a validator that did nothing yet.
    #[must_use]
    pub const fn of(validator: PublicKey) -> Self {
        Self { validator, sealed: None, revealed: None, next: None, given: 0, missed: 0 }
    }
}

impl Beacon {
    /// Of these validators; keys given twice count once.
    #[must_use]
    pub fn of(validators: impl IntoIterator<Item = PublicKey>) -> Self {
        let mut keys: Vec<_> = validators.into_iter().collect();
        keys.sort();
        keys.dedup();
        let turns = keys.into_iter().take(VALIDATORS_MAX).map(Turn::of).collect();
        Self { turns: List::new(turns).expect("taken up to the limit") }
    }

    /// The turn of this validator.
    #[must_use]
    pub fn turn(&self, validator: &PublicKey) -> Option<&Turn> {
        self.turns.iter().find(|turn| turn.validator == *validator)
    }
}

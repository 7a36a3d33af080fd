//! Who may take part: a choice of each grid.

use acre_codec::List;
use acre_types::{AccountId, PublicKey};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::error::GenesisError;
use crate::limits::ADMITTERS_MAX;

/// What is admitted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Subject {
    /// An account, to pay fees: without that it can do nothing.
    Account(AccountId),
    /// An account, to make farms.
    Farmer(AccountId),
    /// A validator key, to be eligible for seats.
    Validator(PublicKey),
}

/// Who admits.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Policy {
    /// Everybody is in.
    #[default]
    Open,
    /// A vote, as on any other change.
    ByVote,
    /// So many of these keys together.
    ByKeys {
        /// The keys, each once.
        keys: List<PublicKey, ADMITTERS_MAX>,
        /// How many must sign.
        threshold: u8,
    },
}

/// Who may take part. What a genesis names and grants to is in from the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Admission {
    /// Who may pay fees.
    pub accounts: Policy,
    /// Who may make farms.
    pub farms: Policy,
    /// Who may get a seat.
    pub validators: Policy,
}

impl Admission {
    /// The policy for such a subject.
    #[must_use]
    pub const fn policy(&self, subject: &Subject) -> &Policy {
        match subject {
            Subject::Account(_) => &self.accounts,
            Subject::Farmer(_) => &self.farms,
            Subject::Validator(_) => &self.validators,
        }
    }

    /// Whether each threshold can be reached, with each key once.
    ///
    /// # Errors
    /// The name of the first policy that nobody could fulfil.
    pub fn check(&self) -> Result<(), GenesisError> {
        let policies = [
            ("admission.accounts", &self.accounts),
            ("admission.farms", &self.farms),
            ("admission.validators", &self.validators),
        ];
        for (what, policy) in policies {
            let Policy::ByKeys { keys, threshold } = policy else { continue };
            let mut distinct = keys.to_vec();
            distinct.sort();
            distinct.dedup();
            let fits = (1..=distinct.len()).contains(&usize::from(*threshold));
            if !fits || distinct.len() != keys.len() {
                return Err(GenesisError::Parameter { what });
            }
        }
        Ok(())
    }
}

/// Whether somebody is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Entry {
    /// Yes.
    Admit,
    /// No longer. What it has stays its own.
    Revoke,
}

/// What was decided about a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Admitted {
    /// The last word.
    pub entry: Entry,
    /// Decisions so far: a signed one is for one number and serves once.
    pub number: u64,
}

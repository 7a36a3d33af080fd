//! What is signed aside and carried by somebody else's transaction. Each names the grid and its one
//! occasion, so that it serves once and nowhere else.

use acre_crypto::Domain;
use acre_types::{AccountId, Digest};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::name::Handle;
use crate::object::{Entry, Subject, TwinKeys};

/// What a validator key signs to show that it stands for an account: nobody can register the key
/// of another.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Possession {
    /// The grid.
    pub chain: Digest,
    /// Gives the stake.
    pub account: AccountId,
}

impl Domain for Possession {
    const DOMAIN: &'static str = "acre/possession/1";
}

/// What keys with [`crate::KeyRole::Recover`] sign to give a twin to another owner.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RecoveryConsent {
    /// The grid.
    pub chain: Digest,
    /// The twin.
    pub handle: Handle,
    /// [`crate::Twin::epoch`] at the time.
    pub epoch: u64,
    /// [`crate::Twin::attempt`] at the time.
    pub attempt: u64,
    /// Will be the owner.
    pub owner: AccountId,
    /// Will be the keys.
    pub keys: TwinKeys,
}

impl Domain for RecoveryConsent {
    const DOMAIN: &'static str = "acre/recovery-consent/1";
}

/// What a present key of a twin signs to call its recovery off.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RecoveryVeto {
    /// The grid.
    pub chain: Digest,
    /// The twin.
    pub handle: Handle,
    /// [`crate::Twin::attempt`] while the recovery runs.
    pub attempt: u64,
}

impl Domain for RecoveryVeto {
    const DOMAIN: &'static str = "acre/recovery-veto/1";
}

/// What those sign who decide on admission by [`crate::Policy::ByKeys`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AdmissionOrder {
    /// The grid.
    pub chain: Digest,
    /// Who.
    pub subject: Subject,
    /// In or out.
    pub entry: Entry,
    /// [`crate::Admitted::number`] of the subject, 0 if nothing was decided yet.
    pub number: u64,
}

impl Domain for AdmissionOrder {
    const DOMAIN: &'static str = "acre/admission-order/1";
}

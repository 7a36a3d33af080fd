//! The phonebook.

use acre_codec::{Blob, List};
use acre_types::AccountId;
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::{TWIN_KEY_BYTES_MAX, TWIN_KEYS_MAX};

/// What a key of a twin is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum KeyRole {
    /// Ed25519: signs in the twin's name.
    Sign,
    /// X25519 and ML-KEM-768 side by side: others seal to the twin.
    Agree,
    /// Ed25519 of one device.
    Device,
    /// Ed25519 of somebody who may help to recover.
    Recover,
}

/// A key in the phonebook.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TwinKey {
    /// What it is for.
    pub role: KeyRole,
    /// The public key in the encoding of its role.
    pub key: Blob<TWIN_KEY_BYTES_MAX>,
}

/// The keys of a twin.
pub type TwinKeys = List<TwinKey, TWIN_KEYS_MAX>;

/// An entry of the phonebook: who has this handle, with which keys.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Twin {
    /// The account that may change it.
    pub owner: AccountId,
    /// Current keys.
    pub keys: TwinKeys,
    /// Counts rotations from 0: whoever shows an older epoch is stale.
    pub epoch: u64,
}

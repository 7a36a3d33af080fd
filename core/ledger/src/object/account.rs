//! Accounts.

use acre_types::{AccountId, Amount, PublicKey};
use borsh::{BorshDeserialize, BorshSerialize};

/// An account. One that was never touched has all of this zero and is not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// Free tokens; what contracts hold in escrow is not among them.
    pub balance: Amount,
    /// Number of the next transaction; each is used once, in order (L4).
    pub nonce: u64,
    /// The key that speaks for the account, if it is no longer the one in the id.
    pub key: Option<PublicKey>,
    /// Farms ever made; [`Key::FarmOf`] runs from 0 to below this.
    pub farms: u32,
    /// Contracts ever made; [`Key::ContractOf`] runs from 0 to below this.
    pub contracts: u32,
}

impl Account {
    /// The key that speaks for the account of this id.
    #[must_use]
    pub const fn key(&self, id: AccountId) -> PublicKey {
        match self.key {
            Some(key) => key,
            None => PublicKey(id.0),
        }
    }
}

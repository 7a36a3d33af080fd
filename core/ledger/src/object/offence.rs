//! What was proven against a validator.

use acre_types::{AccountId, Amount, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

/// The last time that a validator was shown to have contradicted itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Offence {
    /// The term of the votes. It is punished once for all terms up to this one.
    pub term: u64,
    /// The view of the votes.
    pub view: u64,
    /// Who showed it.
    pub by: AccountId,
    /// Time of the block that did.
    pub at: UnixMs,
    /// Stake that was taken.
    pub taken: Amount,
    /// Offences so far.
    pub count: u32,
}

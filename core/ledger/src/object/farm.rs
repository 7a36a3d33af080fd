//! Farms.

use acre_types::{AccountId, Text};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::NAME_BYTES_MAX;

/// The name of a farm.
pub type FarmName = Text<NAME_BYTES_MAX>;

/// A group of nodes with one owner.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Farm {
    /// For people; not unique.
    pub name: FarmName,
    /// Signs join tokens and is the operator of every node of the farm.
    pub owner: AccountId,
    /// Earns.
    pub payout: AccountId,
}

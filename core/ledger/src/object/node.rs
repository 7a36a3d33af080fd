//! Nodes and what they offer.

use acre_codec::List;
use acre_types::{AccountId, Bytes, Country, FarmId, Text, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::{ADDRESSES_MAX, TEXT_BYTES_MAX};

/// What a node offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Capacity {
    /// Raw storage.
    pub storage: Bytes,
    /// Logical processors.
    pub cores: u32,
    /// Memory.
    pub memory: Bytes,
}

/// Whether a node takes new contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum NodeState {
    /// Takes new contracts.
    Active,
    /// Keeps what it has, takes nothing new.
    Draining,
    /// Gone for good, as far as its owner knows; contracts should move away.
    Retired,
}

/// Where a node may be dialled, as `host:port`; the key is its id.
pub type Addresses = List<Text<TEXT_BYTES_MAX>, ADDRESSES_MAX>;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Node {
    /// Farm it belongs to.
    pub farm: FarmId,
    /// Owner of the farm: the failure domain of people.
    pub operator: AccountId,
    /// The failure domain of places: a house, a hall. Compared byte for byte.
    pub site: Text<TEXT_BYTES_MAX>,
    /// Where the site is.
    pub country: Country,
    /// What it offers.
    pub capacity: Capacity,
    /// Raw storage reserved by contracts, never more than offered.
    pub reserved: Bytes,
    /// Where it may be dialled.
    pub addresses: Addresses,
    /// Whether it takes new contracts.
    pub state: NodeState,
    /// Time of the block that registered it.
    pub registered: UnixMs,
}

impl Node {
    /// Raw storage that contracts may still reserve.
    #[must_use]
    pub const fn free(&self) -> Bytes {
        Bytes(self.capacity.storage.0.saturating_sub(self.reserved.0))
    }
}

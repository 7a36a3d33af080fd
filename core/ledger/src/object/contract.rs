//! Contracts.

use acre_codec::List;
use acre_types::{AccountId, Amount, Bytes, ContractId, NodeId, Profile, PublicKey, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::PLACES_MAX;

/// The places of a contract: first the n primaries, then the spares.
pub type Places = List<NodeId, PLACES_MAX>;

/// Whether a contract still holds anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ContractState {
    /// Holds escrow and reserves space, even past its time until somebody settles it.
    Open,
    /// Everything was paid or refunded, and no space is reserved.
    Closed {
        /// Time of the block that closed it.
        at: UnixMs,
    },
}

/// What a contract is at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractStatus {
    /// Paid for.
    Live,
    /// Its time is over; may still be extended until somebody settles it.
    Expired,
    /// Over for good.
    Closed,
}

/// Storage on named places for a time.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StorageContract {
    /// Its own number.
    pub id: ContractId,
    /// Pays, and may change it.
    pub owner: AccountId,
    /// Signs shards and heads; nodes store for nobody else.
    pub writer: PublicKey,
    /// The erasure code.
    pub profile: Profile,
    /// Where.
    pub places: Places,
    /// Plain bytes. Each place reserves [`StorageContract::place_bytes`].
    pub bytes: Bytes,
    /// Time of the block that made it.
    pub created: UnixMs,
    /// Paid to the farms up to here.
    pub settled: UnixMs,
    /// Paid for up to here.
    pub expires: UnixMs,
    /// Tokens held for the time from `settled` to `expires`.
    pub escrow: Amount,
    /// Open or closed.
    pub state: ContractState,
}

impl StorageContract {
    /// Raw bytes reserved at each place, spares included: the k-th part of the plain bytes.
    #[must_use]
    pub fn place_bytes(&self) -> Bytes {
        place_bytes(self.profile, self.bytes)
    }

    /// What the contract is at `now`.
    #[must_use]
    pub fn status(&self, now: UnixMs) -> ContractStatus {
        match self.state {
            ContractState::Closed { .. } => ContractStatus::Closed,
            ContractState::Open if now < self.expires => ContractStatus::Live,
            ContractState::Open => ContractStatus::Expired,
        }
    }
}

/// Raw bytes that each place reserves for `bytes` plain ones.
#[must_use]
pub fn place_bytes(profile: Profile, bytes: Bytes) -> Bytes {
    Bytes(bytes.0.div_ceil(u64::from(profile.data())))
}

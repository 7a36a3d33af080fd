//! What a grid is, and its sums.

use acre_types::{AccountId, Amount, Digest, Text, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::NAME_BYTES_MAX;

/// What kind of grid this is; fixed by its genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum GridKind {
    /// On one machine, by `acre up`: tokens may be granted and are worth nothing.
    Local,
    /// A test grid of many: as `Local`.
    Test,
    /// For real: not one token exists before capacity was proven.
    Live,
}

impl GridKind {
    /// In lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// Whether a genesis may grant tokens.
    #[must_use]
    pub const fn allows_grants(self) -> bool {
        matches!(self, Self::Local | Self::Test)
    }
}

/// What never changes after genesis.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Grid {
    /// Digest of the genesis; every transaction names it.
    pub chain: Digest,
    /// For people.
    pub name: Text<NAME_BYTES_MAX>,
    /// Local, test or live.
    pub kind: GridKind,
    /// Receives [`crate::limits::FOUNDATION_PERCENT`] of what contracts pay.
    pub foundation: AccountId,
    /// Time of genesis.
    pub started: UnixMs,
}

/// Sums and counters over everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Totals {
    /// Tokens ever made: the grants of genesis, and `rewarded`.
    pub minted: Amount,
    /// Tokens ever minted for proven capacity, each by a receipt.
    pub rewarded: Amount,
    /// Tokens ever destroyed: today all fees.
    pub burned: Amount,
    /// Tokens held by contracts. L3: all balances + escrow = minted - burned.
    pub escrow: Amount,
    /// Of the escrow, what farms have at stake.
    pub staked: Amount,
    /// Farms ever made; their ids run from 1 to this.
    pub farms: u32,
    /// Nodes ever registered; [`Key::NodeAt`] runs from 0 to below this.
    pub nodes: u32,
    /// Contracts ever made; their ids run from 1 to this.
    pub contracts: u64,
    /// Handles ever registered; [`Key::HandleAt`] runs from 0 to below this.
    pub twins: u64,
    /// Candidates for seats; [`Key::CandidateAt`] runs from 0 to below this.
    pub candidates: u32,
    /// Proposals ever made; [`Key::Proposal`] runs from 0 to below this.
    pub proposals: u64,
}

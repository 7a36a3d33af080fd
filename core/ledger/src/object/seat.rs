//! Who makes blocks: seats, candidates for them, and the rules that choose.

use std::net::SocketAddr;

use acre_codec::List;
use acre_types::{AccountId, Amount, Height, NodeId, PublicKey, Text};
use borsh::{BorshDeserialize, BorshSerialize};

use super::parameters::{at_least, bounded};
use crate::error::GenesisError;
use crate::limits::{BACKING_NODES_MAX, RELEASES_MAX, SEATS_MAX, TEXT_BYTES_MAX};

/// Where something may be dialled: `host:port`.
pub type Address = Text<TEXT_BYTES_MAX>;

/// One of those whose votes make blocks final during a term. All votes are equal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Seat {
    /// Signs its votes.
    pub validator: PublicKey,
    /// Where other validators reach it: an IP address and a port.
    pub engine: Address,
    /// Where readers ask it: host and port.
    pub rpc: Address,
}

/// The seats of one term.
pub type SeatList = List<Seat, SEATS_MAX>;

/// Who holds the seats. Term t is the heights from `t * term_heights` to
/// `(t + 1) * term_heights - 1`, genesis being height 0.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Seats {
    /// The term that runs.
    pub term: u64,
    /// Who makes its blocks, by key.
    pub members: SeatList,
    /// Who makes the blocks of the term after it, by key: empty until the last block of the term
    /// was applied. The root of that block, signed by `members`, proves their successors.
    pub next: SeatList,
}

/// Whether a candidate wants a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Standing {
    /// Wants to sit, or to keep its seat.
    Standing,
    /// Wants to go. Its stake stays locked until it has lost its seat.
    Leaving,
}

/// Part of a stake on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Release {
    /// How much.
    pub amount: Amount,
    /// May be collected from this term on.
    pub term: u64,
}

/// The nodes whose proven capacity stands behind a candidate.
pub type BackingNodes = List<NodeId, BACKING_NODES_MAX>;

/// Somebody who makes blocks or would like to. Those without a seat follow the chain, so that they
/// are up to date when their term begins.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Candidate {
    /// Gave the stake and may change the rest. An account has at most one candidate.
    pub account: AccountId,
    /// Where other validators reach it.
    pub engine: Address,
    /// Where readers ask it.
    pub rpc: Address,
    /// Tokens held in escrow, lost in part for failures of duty.
    pub stake: Amount,
    /// Former stake that is still locked; may be lost, too.
    pub releases: List<Release, RELEASES_MAX>,
    /// Nodes that `account` operates, for grids that seat by proven capacity.
    pub nodes: BackingNodes,
    /// Whether it wants a seat.
    pub standing: Standing,
    /// Height of the block that registered it; earlier ones win ties.
    pub registered: Height,
    /// Its place in [`crate::Key::CandidateAt`], or [`Candidate::OFF_LIST`].
    pub index: u32,
    /// Duties it ever failed: reveals of the beacon that it owed.
    pub missed: u64,
}

impl Candidate {
    /// The place of one that had to make room for another: it stands for no seat any more, but its
    /// stake answers for its duties until it is collected.
    pub const OFF_LIST: u32 = u32::MAX;
}

/// What decides who sits. Votes of seats are equal in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SeatsBy {
    /// Only those that were admitted by name, in the order of registration.
    Fixed,
    /// Tokens locked.
    Stake {
        /// Least stake to be eligible.
        min: Amount,
    },
    /// Proven capacity of the candidate's own nodes, in units: see [`crate::proven_units`].
    ProvenCapacity {
        /// Least capacity to be eligible.
        min: u64,
    },
}

/// How seats are filled.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SeatRules {
    /// Blocks of one term. Fixed for the life of a grid: heights are cut into terms by it.
    pub term_heights: u64,
    /// Seats, if there are so many candidates.
    pub seats_max: u32,
    /// What decides.
    pub by: SeatsBy,
    /// Whole terms for which a stake stays locked after its owner asked for it.
    pub unbonding_terms: u64,
    /// Stake that one missed duty costs.
    pub missed_penalty: Amount,
    /// Part of the stake that two contradicting votes cost, in percent.
    pub double_vote_percent: u8,
    /// What the accuser gets of that, in percent; the rest is burned.
    pub accuser_percent: u8,
}

impl Default for SeatRules {
    fn default() -> Self {
        let tft = |amount| Amount::tft(amount).unwrap_or(Amount::ZERO);
        Self {
            term_heights: 600,
            seats_max: 31,
            by: SeatsBy::Stake { min: tft(1_000) },
            unbonding_terms: 8,
            missed_penalty: tft(1),
            double_vote_percent: 50,
            accuser_percent: 10,
        }
    }
}

impl SeatRules {
    /// The term that a height belongs to.
    #[must_use]
    pub const fn term_of(&self, height: Height) -> u64 {
        match height.0.checked_div(self.term_heights) {
            Some(term) => term,
            None => 0,
        }
    }

    /// Whether a height is the last of its term.
    #[must_use]
    pub const fn is_last(&self, height: Height) -> bool {
        self.term_of(height) != self.term_of(Height(height.0.saturating_add(1)))
    }

    /// Whether each value lies within its bounds.
    ///
    /// # Errors
    /// The name of the first that does not.
    pub fn check(&self) -> Result<(), GenesisError> {
        bounded("seats.term_heights", self.term_heights, 1 << 24)?;
        at_least("seats.term_heights", self.term_heights, 2)?;
        let seats_max = u64::try_from(SEATS_MAX).unwrap_or(u64::MAX);
        bounded("seats.seats_max", self.seats_max.into(), seats_max)?;
        at_least("seats.seats_max", self.seats_max.into(), 1)?;
        match self.by {
            SeatsBy::Fixed => {}
            SeatsBy::Stake { min } => bounded("seats.by.min", min.0, 1 << 56)?,
            SeatsBy::ProvenCapacity { min } => bounded("seats.by.min", min, 1 << 56)?,
        }
        bounded("seats.unbonding_terms", self.unbonding_terms, 1 << 20)?;
        at_least("seats.unbonding_terms", self.unbonding_terms, 1)?;
        bounded("seats.missed_penalty", self.missed_penalty.0, 1 << 56)?;
        bounded("seats.double_vote_percent", self.double_vote_percent.into(), 100)?;
        // More would let a validator save stake by accusing itself through another one.
        bounded("seats.accuser_percent", self.accuser_percent.into(), 50)
    }
}

/// Whether others can dial these addresses: `engine` an IP address and a port (validators reach each
/// other without any name service), `rpc` a host and a port.
#[must_use]
pub fn are_dialable(engine: &Address, rpc: &Address) -> bool {
    let is_engine = engine.as_str().parse::<SocketAddr>().is_ok_and(|address| address.port() > 0);
    let is_rpc = rpc.as_str().rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    is_engine && is_rpc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_cut_at_multiples_and_genesis_belongs_to_the_first() {
        let rules = SeatRules { term_heights: 10, ..SeatRules::default() };
        let check = |height, term, last| {
            assert_eq!(rules.term_of(Height(height)), term, "{height}");
            assert_eq!(rules.is_last(Height(height)), last, "{height}");
        };
        check(0, 0, false);
        check(8, 0, false);
        check(9, 0, true);
        check(10, 1, false);
        check(19, 1, true);
    }

    #[test]
    fn addresses_name_an_address_and_a_port() {
        let check = |engine: &str, rpc: &str, wanted: bool| {
            let text = |text: &str| Address::new(text).unwrap();
            assert_eq!(are_dialable(&text(engine), &text(rpc)), wanted, "{engine} {rpc}");
        };
        check("127.0.0.1:1", "127.0.0.1:2", true);
        check("[::1]:1", "acre.example:2", true);
        check("acre.example:1", "127.0.0.1:2", false);
        check("127.0.0.1:0", "127.0.0.1:2", false);
        check("127.0.0.1:1", "127.0.0.1", false);
        check("127.0.0.1:1", ":2", false);
        check("127.0.0.1:1", "host:65536", false);
    }
}

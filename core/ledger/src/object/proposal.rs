//! Proposals, votes, and the rules by which a grid changes its own parameters.

use acre_codec::List;
use acre_types::{AccountId, Amount, Height, NodeId, Text, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use super::admission::{Admission, Subject};
use super::certify::CertificationRules;
use super::epoch::CapacityRules;
use super::grid::GridKind;
use super::minting::MintingRules;
use super::parameters::{Fees, Parameters, at_least, bounded};
use super::power::PowerRules;
use super::price::Prices;
use super::seat::SeatRules;
use super::terms::{ContractRules, GraceRules};
use super::twin::PhonebookRules;
use crate::error::GenesisError;
use crate::limits::{
    BALLOT_NODES_MAX, DEPOSIT_MAX, LIVE_VOTING_MS_MIN, REASON_BYTES_MAX, VOTING_MS_MAX,
    VOTING_MS_MIN,
};

/// How a grid decides. A proposal keeps the rules under which it was made.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GovernanceRules {
    /// How long one may vote.
    pub voting_ms: u64,
    /// How long a change that was passed waits before it may take effect.
    pub lock_ms: u64,
    /// Held while a proposal is voted on; burned if no house comes to its quorum.
    pub deposit: Amount,
    /// Thousandths of all tokens that must be locked and voted with.
    pub quorum_users: u16,
    /// Thousandths of all proven capacity that must be voted with.
    pub quorum_farmers: u16,
    /// Of the votes cast in a house, more than so many thousandths must be for it.
    pub majority: u16,
}

impl Default for GovernanceRules {
    fn default() -> Self {
        const WEEK_MS: u64 = 7 * 24 * 3_600 * 1_000;
        Self {
            voting_ms: WEEK_MS,
            lock_ms: WEEK_MS,
            deposit: Amount::tft(100).unwrap_or(Amount::ZERO),
            quorum_users: 50,
            quorum_farmers: 200,
            majority: 500,
        }
    }
}

impl GovernanceRules {
    /// Whether each value lies within its bounds. They keep a vote from taking the vote away: no
    /// quorum is past half, no majority past four fifths, no time zero, no deposit past
    /// [`DEPOSIT_MAX`]; and no vote raises the deposit past one in [`DEPOSIT_SHARE`] of all tokens.
    ///
    /// # Errors
    /// The name of the first that does not.
    pub fn check(&self) -> Result<(), GenesisError> {
        bounded("governance.voting_ms", self.voting_ms, VOTING_MS_MAX)?;
        at_least("governance.voting_ms", self.voting_ms, VOTING_MS_MIN)?;
        bounded("governance.lock_ms", self.lock_ms, VOTING_MS_MAX)?;
        at_least("governance.lock_ms", self.lock_ms, VOTING_MS_MIN)?;
        bounded("governance.deposit", self.deposit.0, DEPOSIT_MAX.0)?;
        for (what, quorum) in [
            ("governance.quorum_users", self.quorum_users),
            ("governance.quorum_farmers", self.quorum_farmers),
        ] {
            bounded(what, quorum.into(), 500)?;
            at_least(what, quorum.into(), 1)?;
        }
        bounded("governance.majority", self.majority.into(), 800)?;
        at_least("governance.majority", self.majority.into(), 500)
    }

    /// As [`GovernanceRules::check`], and that a live grid leaves its people time.
    ///
    /// # Errors
    /// As there.
    pub fn check_for(&self, kind: GridKind) -> Result<(), GenesisError> {
        self.check()?;
        match kind {
            GridKind::Local | GridKind::Test => Ok(()),
            GridKind::Live => {
                at_least("governance.voting_ms", self.voting_ms, LIVE_VOTING_MS_MIN)?;
                at_least("governance.lock_ms", self.lock_ms, LIVE_VOTING_MS_MIN)
            }
        }
    }
}

/// Which rules blocks are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RuleVersion {
    /// In force.
    pub version: u32,
    /// Decided for later.
    pub next: Option<NextRules>,
}

impl Default for RuleVersion {
    fn default() -> Self {
        Self { version: 1, next: None }
    }
}

/// Rules that come into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NextRules {
    /// Their version.
    pub version: u32,
    /// The first block by them.
    pub at_height: Height,
}

/// What a vote can change. The share of the foundation, the length of terms and everything about
/// tokens that exist are not among it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Amendment {
    /// What transactions cost.
    Fees(Fees),
    /// What capacity costs.
    Prices(Prices),
    /// How capacity is proven.
    Capacity(CapacityRules),
    /// What proven capacity is worth from now on; policies are only ever added.
    Minting(MintingRules),
    /// Who makes blocks.
    Seats(SeatRules),
    /// How votes are held.
    Governance(GovernanceRules),
    /// What handles cost.
    Phonebook(PhonebookRules),
    /// Who may take part.
    Admission(Admission),
    /// What follows when a contract's time is over.
    Grace(GraceRules),
    /// Rules for contracts that are no prices.
    Contracts(ContractRules),
    /// Another version of the rules, which every validator needs to have installed by then.
    Rules {
        /// One more than the present one.
        version: u32,
        /// First block by them, or the one after the change took effect if that is later.
        at_height: Height,
    },
    /// Somebody is in, where that is decided by vote.
    Admit(Subject),
    /// Somebody is out, where that is decided by vote.
    Revoke(Subject),
    /// Whose word makes farms certified, and what record.
    Certification(CertificationRules),
    /// How nodes may sleep.
    Power(PowerRules),
    /// No other rules: what was decided for later does not come.
    KeepRules,
}

impl Amendment {
    /// The parameters with this change; the same for a change of something else.
    #[must_use]
    pub fn of(&self, parameters: &Parameters, height: Height) -> Parameters {
        let mut changed = parameters.clone();
        match self.clone() {
            Self::Fees(fees) => changed.fees = fees,
            Self::Prices(prices) => changed.prices = prices,
            Self::Capacity(capacity) => changed.capacity = capacity,
            Self::Minting(minting) => changed.minting = minting,
            Self::Seats(seats) => changed.seats = seats,
            Self::Governance(governance) => changed.governance = governance,
            Self::Phonebook(phonebook) => changed.phonebook = phonebook,
            Self::Admission(admission) => changed.admission = admission,
            Self::Grace(grace) => changed.grace = grace,
            Self::Contracts(contracts) => changed.contracts = contracts,
            Self::Rules { version, at_height } => {
                let at_height = at_height.max(Height(height.0.saturating_add(1)));
                changed.rules.next = Some(NextRules { version, at_height });
            }
            Self::KeepRules => changed.rules.next = None,
            Self::Admit(_) | Self::Revoke(_) => {}
            Self::Certification(certification) => changed.certification = certification,
            Self::Power(power) => changed.power = power,
        }
        changed
    }
}

/// For or against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Side {
    /// For.
    Yes,
    /// Against.
    No,
}

/// Votes of one house.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Count {
    /// For.
    pub yes: u128,
    /// Against.
    pub no: u128,
}

/// What one voter said, with what weight.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ballot {
    /// For or against.
    pub side: Side,
    /// The own nodes that count.
    pub nodes: List<NodeId, BALLOT_NODES_MAX>,
    /// Weight among users: tokens locked, in units.
    pub users: u128,
    /// Weight among farmers: [`crate::proven_units`] of the nodes.
    pub farmers: u128,
}

/// Tokens that somebody locked to vote with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Voice {
    /// How many.
    pub amount: Amount,
    /// Not to be unlocked before: the end of the time lock of all that was voted on.
    pub held_until: UnixMs,
}

/// Sums that quorums are measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Assembly {
    /// [`crate::proven_units`] of all nodes.
    pub units: u128,
}

/// How far a proposal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ProposalState {
    /// Until somebody closes it after its end.
    Voting,
    /// Waits for its time lock, and for somebody to enact it.
    Passed,
    /// A house was against it.
    Rejected,
    /// Too few voted.
    NoQuorum,
    /// In effect.
    Enacted {
        /// Time of the block that did it.
        at: UnixMs,
    },
}

/// A change somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// Gave the deposit.
    pub proposer: AccountId,
    /// What is asked for.
    pub change: Amendment,
    /// Why.
    pub reason: Text<REASON_BYTES_MAX>,
    /// Held in escrow while it is voted on.
    pub deposit: Amount,
    /// The rules it is voted on by.
    pub rules: GovernanceRules,
    /// Time of the block that made it.
    pub opened: UnixMs,
    /// Votes count before this.
    pub closes: UnixMs,
    /// May take effect from here on.
    pub enactable: UnixMs,
    /// Void from here on: a change that nobody enacted does not come as a surprise later.
    pub lapses: UnixMs,
    /// The house of users.
    pub users: Count,
    /// The house of farmers.
    pub farmers: Count,
    /// How far it is.
    pub state: ProposalState,
}

/// What a house says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum House {
    /// Nobody could vote in it: it does not count.
    Empty,
    /// Fewer voted than must.
    NoQuorum,
    /// Enough, and more than the majority for it.
    For,
    /// Enough, and not more than the majority for it.
    Against,
}

impl Count {
    /// What a house says whose members could cast `total` together.
    #[must_use]
    pub fn decide(&self, total: u128, quorum: u16, majority: u16) -> House {
        let cast = self.yes.saturating_add(self.no);
        if total == 0 {
            House::Empty
        } else if cast.saturating_mul(1000) < total.saturating_mul(quorum.into()) || cast == 0 {
            House::NoQuorum
        } else if self.yes.saturating_mul(1000) > cast.saturating_mul(majority.into()) {
            House::For
        } else {
            House::Against
        }
    }

    /// Adds the weight of a ballot.
    #[must_use]
    pub fn with(mut self, side: Side, weight: u128) -> Self {
        let sum = self.side(side);
        *sum = sum.saturating_add(weight);
        self
    }

    /// Takes the weight of a ballot away.
    #[must_use]
    pub fn without(mut self, side: Side, weight: u128) -> Self {
        let sum = self.side(side);
        *sum = sum.saturating_sub(weight);
        self
    }

    const fn side(&mut self, side: Side) -> &mut u128 {
        match side {
            Side::Yes => &mut self.yes,
            Side::No => &mut self.no,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn house_needs_its_quorum_and_more_than_the_majority() {
        let check = |yes, no, total, wanted| {
            assert_eq!(Count { yes, no }.decide(total, 100, 500), wanted, "{yes} {no} {total}");
        };
        check(0, 0, 0, House::Empty);
        check(9, 0, 100, House::NoQuorum);
        check(10, 0, 100, House::For);
        check(5, 5, 100, House::Against);
        check(6, 5, 100, House::For);
        check(0, 10, 100, House::Against);
        check(0, 0, 1, House::NoQuorum);
    }

    #[test]
    fn bounds_keep_a_vote_from_taking_the_vote_away() {
        let refused = |change: fn(&mut GovernanceRules)| {
            let mut rules = GovernanceRules::default();
            change(&mut rules);
            assert!(rules.check_for(GridKind::Live).is_err(), "{rules:?}");
        };
        refused(|rules| rules.voting_ms = 0);
        refused(|rules| rules.voting_ms = 3_600_000);
        refused(|rules| rules.lock_ms = 3_600_000);
        refused(|rules| rules.voting_ms = u64::MAX);
        refused(|rules| rules.quorum_users = 501);
        refused(|rules| rules.quorum_farmers = 0);
        refused(|rules| rules.majority = 801);
        refused(|rules| rules.majority = 499);
        refused(|rules| rules.deposit = Amount(DEPOSIT_MAX.0 + 1));
        assert!(GovernanceRules::default().check_for(GridKind::Live).is_ok());
    }
}

//! What is proposed, and how it is voted on.

use acre_ledger::{self as ledger, ProposalState};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Id, Tft};
use crate::about::kind;

/// A change that somebody asks for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Proposal {
    /// Its number, from 0.
    pub(crate) id: u64,
    /// Gave the deposit.
    pub(crate) proposer: Id,
    /// What would change, as in `prices`.
    pub(crate) change: String,
    /// The change in full, for people.
    pub(crate) change_text: String,
    /// Why.
    pub(crate) reason: String,
    /// Held while it is voted on.
    pub(crate) deposit_tft: Tft,
    /// `voting`, `passed`, `rejected`, `no_quorum` or `enacted`.
    pub(crate) state: String,
    /// When it was made.
    pub(crate) opened_ms: u64,
    /// Votes count before this.
    pub(crate) closes_ms: u64,
    /// If it passes, it may take effect from here on.
    pub(crate) enactable_ms: u64,
    /// Void from here on.
    pub(crate) lapses_ms: u64,
    /// When it took effect.
    pub(crate) enacted_ms: Option<u64>,
    /// Votes of users, by tokens locked.
    pub(crate) users: Votes,
    /// Votes of farmers, by proven capacity.
    pub(crate) farmers: Votes,
    /// Thousandths of all tokens that must be voted with.
    pub(crate) quorum_users_permille: u16,
    /// Thousandths of all proven capacity that must be voted with.
    pub(crate) quorum_farmers_permille: u16,
    /// More than so many thousandths of the votes must be for it.
    pub(crate) majority_permille: u16,
}

/// Weights of one house.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Votes {
    /// For, as a decimal number: it may be larger than programs read exactly.
    pub(crate) yes: String,
    /// Against.
    pub(crate) no: String,
}

impl From<&ledger::Count> for Votes {
    fn from(count: &ledger::Count) -> Self {
        Self { yes: count.yes.to_string(), no: count.no.to_string() }
    }
}

impl Proposal {
    pub(crate) fn new(id: u64, proposal: &ledger::Proposal) -> Self {
        let enacted_ms = match proposal.state {
            ProposalState::Enacted { at } => Some(at.0),
            _ => None,
        };
        Self {
            id,
            proposer: Id::new(proposal.proposer.0),
            change: kind(&proposal.change),
            change_text: format!("{:?}", proposal.change),
            reason: proposal.reason.to_string(),
            deposit_tft: Tft(proposal.deposit),
            state: kind(&proposal.state),
            opened_ms: proposal.opened.0,
            closes_ms: proposal.closes.0,
            enactable_ms: proposal.enactable.0,
            lapses_ms: proposal.lapses.0,
            enacted_ms,
            users: (&proposal.users).into(),
            farmers: (&proposal.farmers).into(),
            quorum_users_permille: proposal.rules.quorum_users,
            quorum_farmers_permille: proposal.rules.quorum_farmers,
            majority_permille: proposal.rules.majority,
        }
    }
}

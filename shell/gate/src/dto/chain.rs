//! Blocks, what is in them, and what they did.

use acre_chain::client::{Final, VerifiedBlock};
use acre_ledger as ledger;
use acre_types::{Height, UnixMs};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Id, Tft};
use crate::about::{About, kind};
use crate::history::EventId;

/// A final block.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct BlockSummary {
    /// Its height.
    pub(crate) height: u64,
    /// Its name.
    pub(crate) id: Id,
    /// Its time.
    pub(crate) time_ms: u64,
    /// Root of the state after it.
    pub(crate) state_root: Id,
    /// Transactions in it.
    pub(crate) transactions: usize,
}

impl BlockSummary {
    pub(crate) fn new(block: &Final, transactions: usize) -> Self {
        Self {
            height: block.height.0,
            id: Id::new(block.id.0),
            time_ms: block.time.0,
            state_root: Id::new(block.root.0),
            transactions,
        }
    }
}

/// A final block with some of its transactions.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Block {
    #[serde(flatten)]
    pub(crate) summary: BlockSummary,
    /// A page of its transactions.
    pub(crate) page: Vec<Transaction>,
    /// Give this as `after` for the next transactions; null behind the last one.
    pub(crate) next_after: Option<u64>,
}

impl Block {
    /// With at most `limit` transactions behind the one at `after`.
    pub(crate) fn new(found: &VerifiedBlock, after: Option<u64>, limit: usize) -> Self {
        let all = &found.payload.transactions;
        let first = after.map_or(0, |after| after.saturating_add(1));
        let first = usize::try_from(first).unwrap_or(usize::MAX).min(all.len());
        let last = first.saturating_add(limit).min(all.len());
        let page = all.iter().skip(first).take(limit);
        Self {
            summary: BlockSummary::new(&found.block, all.len()),
            page: page.map(|signed| Transaction::new(found.block.height, signed)).collect(),
            next_after: (last < all.len()).then(|| (last as u64).saturating_sub(1)),
        }
    }
}

/// A transaction in a final block.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Transaction {
    /// Its id.
    pub(crate) id: Id,
    /// Height of its block.
    pub(crate) height: u64,
    /// The account it is from.
    pub(crate) from: Id,
    /// Its number among those of the account.
    pub(crate) nonce: u64,
    /// Burned.
    pub(crate) fee_tft: Tft,
    /// What it asked for, as in `create_contract`.
    pub(crate) kind: String,
    #[serde(flatten)]
    pub(crate) about: Objects,
}

impl Transaction {
    pub(crate) fn new(height: Height, signed: &ledger::SignedTransaction) -> Self {
        let transaction = &signed.transaction;
        Self {
            id: Id::new(transaction.id().0),
            height: height.0,
            from: Id::new(transaction.from.0),
            nonce: transaction.nonce,
            fee_tft: Tft(transaction.fee),
            kind: kind(&transaction.action),
            about: About::action(&transaction.action).into(),
        }
    }
}

/// The objects that something is about. What they are now, the other routes tell.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Objects {
    /// Accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<Id>,
    /// Handles of twins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) twins: Vec<String>,
    /// Farms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) farms: Vec<u32>,
    /// Nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) nodes: Vec<Id>,
    /// Contracts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) contracts: Vec<u64>,
    /// Validators, and candidates for seats.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) validators: Vec<Id>,
    /// A proposal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proposal: Option<u64>,
    /// A capacity epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<u64>,
    /// Tokens that moved, all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount_tft: Option<Tft>,
}

impl From<About> for Objects {
    fn from(about: About) -> Self {
        Self {
            accounts: about.accounts.iter().map(|id| Id::new(id.0)).collect(),
            twins: about.twins.iter().map(ToString::to_string).collect(),
            farms: about.farms.iter().map(|id| id.0).collect(),
            nodes: about.nodes.iter().map(|id| Id::new(id.0)).collect(),
            contracts: about.contracts.iter().map(|id| id.0).collect(),
            validators: about.validators.iter().map(|key| Id::new(key.0)).collect(),
            proposal: about.proposal,
            epoch: about.epoch,
            amount_tft: about.amount.map(Tft),
        }
    }
}

/// Something that a block did, by the word of the validator that told it; the state is proven.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Event {
    /// Its position, as in `1200-3`.
    pub(crate) id: String,
    /// Height of its block.
    pub(crate) height: u64,
    /// Time of its block.
    pub(crate) time_ms: u64,
    /// What happened, as in `node_updated`.
    pub(crate) kind: String,
    #[serde(flatten)]
    pub(crate) about: Objects,
}

impl Event {
    pub(crate) fn new(id: EventId, time: UnixMs, event: &ledger::Event, about: About) -> Self {
        Self {
            id: id.to_string(),
            height: id.height,
            time_ms: time.0,
            kind: kind(event),
            about: about.into(),
        }
    }
}

/// Sent as `event: gap`: what happened up to here is not kept. Read what you show again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Gap {
    /// Height up to which events are missing.
    pub(crate) up_to_height: u64,
}

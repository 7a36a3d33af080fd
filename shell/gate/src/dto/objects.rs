//! Objects of the ledger.

use acre_ledger::{self as ledger, ContractState, NodeState};
use acre_types::{AccountId, FarmId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::farming::{Member, Proposed, Release};
use super::{Capacity, Id, Tft};
use crate::replica::{NodeRow, Sums};

/// What kind of grid this is, and its sums.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Grid {
    /// Digest of the genesis.
    pub(crate) chain: Id,
    /// For people.
    pub(crate) name: String,
    /// `local`, `test` or `live`.
    pub(crate) kind: String,
    /// The account that receives a tenth of what contracts pay.
    pub(crate) foundation: Id,
    /// Time of genesis.
    pub(crate) started_ms: u64,
    /// Sums and counters.
    pub(crate) totals: Totals,
}

impl Grid {
    pub(crate) fn new(grid: &ledger::Grid, totals: &ledger::Totals) -> Self {
        Self {
            chain: Id::new(grid.chain.0),
            name: grid.name.to_string(),
            kind: grid.kind.name().to_owned(),
            foundation: Id::new(grid.foundation.0),
            started_ms: grid.started.0,
            totals: totals.into(),
        }
    }
}

/// Sums and counters over everything.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Totals {
    /// Tokens ever made.
    pub(crate) minted_tft: Tft,
    /// Tokens ever destroyed.
    pub(crate) burned_tft: Tft,
    /// Of the minted ones, those made by receipts of farming.
    pub(crate) rewarded_tft: Tft,
    /// Tokens held by contracts.
    pub(crate) escrow_tft: Tft,
    /// Farms ever made.
    pub(crate) farms: u32,
    /// Nodes ever registered.
    pub(crate) nodes: u32,
    /// Contracts ever made.
    pub(crate) contracts: u64,
    /// Proposals ever made.
    pub(crate) proposals: u64,
    /// Twins registered.
    pub(crate) twins: u64,
}

impl From<&ledger::Totals> for Totals {
    fn from(totals: &ledger::Totals) -> Self {
        Self {
            minted_tft: Tft(totals.minted),
            burned_tft: Tft(totals.burned),
            rewarded_tft: Tft(totals.rewarded),
            escrow_tft: Tft(totals.escrow),
            farms: totals.farms,
            nodes: totals.nodes,
            contracts: totals.contracts,
            proposals: totals.proposals,
            twins: totals.twins,
        }
    }
}

/// Whether a node takes new contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LedgerNodeState")]
pub(crate) enum NodeStateName {
    /// It does.
    Active,
    /// It keeps what it has.
    Draining,
    /// It is gone for good.
    Retired,
}

impl From<NodeState> for NodeStateName {
    fn from(state: NodeState) -> Self {
        match state {
            NodeState::Active => Self::Active,
            NodeState::Draining => Self::Draining,
            NodeState::Retired => Self::Retired,
        }
    }
}

impl From<NodeStateName> for NodeState {
    fn from(name: NodeStateName) -> Self {
        match name {
            NodeStateName::Active => Self::Active,
            NodeStateName::Draining => Self::Draining,
            NodeStateName::Retired => Self::Retired,
        }
    }
}

/// A node.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Node {
    /// Its key.
    pub(crate) id: Id,
    /// Number of its registration, from 0.
    pub(crate) index: u32,
    /// Its farm.
    pub(crate) farm: u32,
    /// Owner of the farm.
    pub(crate) operator: Id,
    /// House or hall.
    pub(crate) site: String,
    /// ISO 3166-1, two letters.
    pub(crate) country: String,
    /// Whether it takes new contracts.
    pub(crate) state: NodeStateName,
    /// What it claims to offer.
    pub(crate) offered: Capacity,
    /// What of that its witnesses found in the last epoch that counted.
    pub(crate) verified: Capacity,
    /// Bytes of the verified storage that answered as fast as solid state does.
    pub(crate) solid_bytes: u64,
    /// Of what is verified, what contracts had reserved: stored shards; and cores and memory that are
    /// paid for, and not measured.
    pub(crate) lent: Capacity,
    /// Raw storage that contracts reserved.
    pub(crate) reserved_bytes: u64,
    /// Virtual cores that contracts reserved, in thousandths; those asked for included.
    pub(crate) reserved_cores_milli: u64,
    /// Of these, asked for by workloads that the node has not agreed to.
    pub(crate) asked_cores_milli: u64,
    /// How it served.
    pub(crate) record: Record,
    /// How it witnessed others.
    pub(crate) witnessing: Witnessing,
    /// Where it may be dialled.
    pub(crate) addresses: Vec<String>,
    /// Time of its registration.
    pub(crate) registered_ms: u64,
}

/// How a node served, over all epochs that count, by the median of its witnesses.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "NodeRecord")]
pub(crate) struct Record {
    /// Time for which it was to serve.
    pub(crate) due_ms: u64,
    /// Time of that for which it served.
    pub(crate) up_ms: u64,
    /// Challenges that it failed.
    pub(crate) failed: u64,
    /// Epochs counted.
    pub(crate) epochs: u64,
    /// The last of them.
    pub(crate) last_epoch: Option<u64>,
}

impl From<ledger::Record> for Record {
    fn from(record: ledger::Record) -> Self {
        let ledger::Record { due, up, failed, epochs, last } = record;
        let last_epoch = last.map(|epoch| epoch.0);
        Self { due_ms: due, up_ms: up, failed, epochs, last_epoch }
    }
}

/// How a node witnessed others.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(crate) struct Witnessing {
    /// The last epoch it reported about.
    pub(crate) last_epoch: Option<u64>,
    /// Reports accepted.
    pub(crate) reports: u64,
    /// Verdicts in these.
    pub(crate) verdicts: u64,
    /// Verdicts far from the median of all witnesses.
    pub(crate) off: u64,
}

impl From<ledger::WitnessRecord> for Witnessing {
    fn from(record: ledger::WitnessRecord) -> Self {
        let ledger::WitnessRecord { last, reports, verdicts, off } = record;
        Self { last_epoch: last.map(|epoch| epoch.0), reports, verdicts, off }
    }
}

impl Node {
    pub(crate) fn new(index: u32, NodeRow { id, node }: &NodeRow) -> Self {
        Self {
            id: Id::new(id.0),
            index,
            farm: node.farm.0,
            operator: Id::new(node.operator.0),
            site: node.site.to_string(),
            country: node.country.to_string(),
            state: node.state.into(),
            offered: node.capacity.into(),
            verified: node.proven().into(),
            solid_bytes: node.solid.0,
            lent: node.lent.into(),
            reserved_bytes: node.reserved.storage.0,
            reserved_cores_milli: node.reserved.cores_milli,
            asked_cores_milli: node.asked.cores_milli,
            record: node.record.into(),
            witnessing: node.witnessing.into(),
            addresses: node.addresses.iter().map(ToString::to_string).collect(),
            registered_ms: node.registered.0,
        }
    }
}

/// A farm, with the sums over its nodes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Farm {
    /// Its number.
    pub(crate) id: u32,
    /// For people; not unique.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) owner: Id,
    /// The account that earns.
    pub(crate) payout: Id,
    /// Nodes that are not retired.
    pub(crate) nodes: u64,
    /// Nodes that are.
    pub(crate) nodes_retired: u64,
    /// What its nodes claim to offer.
    pub(crate) offered: Capacity,
    /// What of that witnesses found.
    pub(crate) verified: Capacity,
    /// Raw storage that contracts reserved.
    #[schemars(with = "u64")]
    pub(crate) reserved_bytes: u128,
    /// Tokens from which tenants are paid for nodes that were down.
    pub(crate) stake_tft: Tft,
    /// Stake on its way back; may still be taken.
    pub(crate) releases: Vec<Release>,
    /// Who share what it earns; empty: all goes to the payout account.
    pub(crate) members: Vec<Member>,
    /// Members that its owner proposed and not all agreed to yet.
    pub(crate) proposed_members: Option<Proposed>,
}

impl Farm {
    pub(crate) fn new(id: FarmId, farm: &ledger::Farm, sums: &Sums) -> Self {
        Self {
            id: id.0,
            name: farm.name.to_string(),
            owner: Id::new(farm.owner.0),
            payout: Id::new(farm.payout.0),
            nodes: sums.present(),
            nodes_retired: sums.retired,
            offered: (&sums.offered).into(),
            verified: (&sums.verified).into(),
            reserved_bytes: sums.reserved_bytes,
            stake_tft: Tft(farm.stake),
            releases: farm.releases.iter().map(Release::from).collect(),
            members: farm.members.iter().map(Member::from).collect(),
            proposed_members: farm.proposed.as_ref().map(Proposed::from),
        }
    }
}

/// Whether a contract still holds anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ContractState")]
pub(crate) enum ContractStateName {
    /// It waits for somebody to accept it.
    Pending,
    /// It holds tokens and reserves capacity.
    Open,
    /// It is over for good.
    Closed,
}

impl ContractStateName {
    pub(crate) const fn of(state: &ContractState) -> Self {
        match state {
            ContractState::Pending { .. } => Self::Pending,
            ContractState::Open => Self::Open,
            ContractState::Closed { .. } => Self::Closed,
        }
    }
}

/// A contract.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Contract {
    /// Its number.
    pub(crate) id: u64,
    /// Who pays.
    pub(crate) owner: Id,
    /// Whether it still holds anything.
    pub(crate) state: ContractStateName,
    /// What it is about: storage, workload, rent, name or service.
    pub(crate) kind: String,
    /// The erasure code of storage, as in `16+4`.
    pub(crate) profile: Option<String>,
    /// Its nodes; of storage first the primaries, then the spares.
    pub(crate) places: Vec<Id>,
    /// Plain bytes of storage.
    pub(crate) plain_bytes: u64,
    /// Raw bytes of storage reserved at each place.
    pub(crate) place_bytes: u64,
    /// Tokens it holds for the time that was paid for.
    pub(crate) escrow_tft: Tft,
    /// Tokens it holds for what is metered.
    pub(crate) usage_tft: Tft,
    /// Tokens it holds for grace.
    pub(crate) deposit_tft: Tft,
    /// Lines of its bill.
    pub(crate) bill_lines: u32,
    /// When it was made.
    pub(crate) created_ms: u64,
    /// Paid to the farms up to here.
    pub(crate) settled_ms: u64,
    /// Paid for up to here.
    pub(crate) expires_ms: u64,
    /// Frozen from `expires_ms` on, over from here on.
    pub(crate) grace_ends_ms: u64,
    /// When it was closed.
    pub(crate) closed_ms: Option<u64>,
    /// Why: `cancelled`, `expired`, `rejected`, `unanswered` or `gang`.
    pub(crate) closed_cause: Option<String>,
    /// What the node or the provider said that rejected it.
    pub(crate) closed_reason: Option<String>,
}

impl From<&ledger::Contract> for Contract {
    fn from(contract: &ledger::Contract) -> Self {
        let (closed_ms, cause) = match &contract.state {
            ContractState::Closed { at, cause } => (Some(at.0), Some(cause)),
            _ => (None, None),
        };
        let closed_reason = match cause {
            Some(ledger::Cause::Rejected { reason }) => Some(reason.to_string()),
            _ => None,
        };
        let storage = contract.storage();
        Self {
            id: contract.id.0,
            owner: Id::new(contract.owner.0),
            state: ContractStateName::of(&contract.state),
            kind: contract.kind.name().to_owned(),
            profile: storage.map(|storage| storage.profile.to_string()),
            places: contract.nodes().iter().map(|place| Id::new(place.0)).collect(),
            plain_bytes: storage.map_or(0, |storage| storage.bytes.0),
            place_bytes: storage.map_or(0, |storage| storage.place_bytes().0),
            escrow_tft: Tft(contract.escrow),
            usage_tft: Tft(contract.usage),
            deposit_tft: Tft(contract.deposit),
            bill_lines: contract.bills,
            created_ms: contract.created.0,
            settled_ms: contract.settled.0,
            expires_ms: contract.expires.0,
            grace_ends_ms: contract.grace_end().0,
            closed_ms,
            closed_cause: cause.map(crate::about::kind),
            closed_reason,
        }
    }
}

/// An account. One that was never touched is empty.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Account {
    /// The first key that owned it.
    pub(crate) id: Id,
    /// The key that speaks for it now.
    pub(crate) key: Id,
    /// The handle of its twin.
    pub(crate) twin: Option<String>,
    /// Free tokens.
    pub(crate) balance_tft: Tft,
    /// Number of its next transaction.
    pub(crate) nonce: u64,
    /// Farms it ever made.
    pub(crate) farms: u32,
    /// Contracts it ever made.
    pub(crate) contracts: u32,
}

impl Account {
    pub(crate) fn new(
        id: AccountId,
        account: &ledger::Account,
        twin: Option<ledger::Handle>,
    ) -> Self {
        Self {
            id: Id::new(id.0),
            key: Id::new(account.key(id).0),
            twin: twin.map(|handle| handle.to_string()),
            balance_tft: Tft(account.balance),
            nonce: account.nonce,
            farms: account.farms,
            contracts: account.contracts,
        }
    }
}

/// An entry of the phonebook.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Twin {
    /// Its name.
    pub(crate) handle: String,
    /// The account that may change it.
    pub(crate) owner: Id,
    /// `held`, or `released` when it has no owner any more.
    pub(crate) state: String,
    /// Tokens held for the handle.
    pub(crate) deposit_tft: Tft,
    /// Counts changes of its keys; older keys are stale.
    pub(crate) epoch: u64,
    /// Its keys.
    pub(crate) keys: Vec<TwinKey>,
}

/// A key of a twin.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct TwinKey {
    /// `sign`, `agree`, `device` or `recover`.
    pub(crate) role: String,
    /// As hexadecimal digits.
    pub(crate) key: String,
}

impl Twin {
    pub(crate) fn new(handle: &ledger::Handle, twin: &ledger::Twin) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let keys = twin.keys.iter();
        Self {
            handle: handle.to_string(),
            owner: Id::new(twin.owner.0),
            state: crate::about::kind(&twin.state),
            deposit_tft: Tft(twin.deposit),
            epoch: twin.epoch,
            keys: keys
                .map(|key| TwinKey { role: crate::about::kind(&key.role), key: hex(&key.key) })
                .collect(),
        }
    }
}

//! Contracts: one object for all kinds.
//!
//! ```text
//! Pending --all accept--> Open: Live --time is over--> Frozen --> Archived --> Over
//!    | rejected, too late           | cancelled             | extended: Live again   |
//!    v                              v                       v cancelled              v settled
//!  Closed                        Closed                  Closed                   Closed
//! ```

use acre_codec::List;
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Digest, NodeId, Profile, PublicKey, Text, UnixMs,
};
use borsh::{BorshDeserialize, BorshSerialize};

use super::{Capacity, Grace, MicroUsd, Resources};
use crate::limits::{FAULT_BYTES_MAX, PLACES_MAX};
use crate::name::Label;

/// The places of a contract: first the n primaries, then the spares.
pub type Places = List<NodeId, PLACES_MAX>;
/// One for each node of a contract, in order.
pub type Stands = List<Stand, PLACES_MAX>;
/// Why something failed, in the words of a node.
pub type Reason = Text<FAULT_BYTES_MAX>;

/// What a contract is about.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ContractKind {
    /// Storage on several places.
    Storage(Storage),
    /// Software on a node.
    Workload(Workload),
    /// A whole node.
    Rent(Rent),
    /// A name for gateways.
    Name(Label),
    /// Something that one account does for another.
    Service(Service),
}

impl ContractKind {
    /// In lower case.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Storage(_) => "storage",
            Self::Workload(_) => "workload",
            Self::Rent(_) => "rent",
            Self::Name(_) => "name",
            Self::Service(_) => "service",
        }
    }
}

/// Storage on named places.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Storage {
    /// The erasure code.
    pub profile: Profile,
    /// Where.
    pub places: Places,
    /// Signs shards and heads; nodes store for nobody else.
    pub writer: PublicKey,
    /// Plain bytes. Each place reserves [`Storage::place_bytes`].
    pub bytes: Bytes,
}

impl Storage {
    /// Raw bytes reserved at each place, spares included: the k-th part of the plain bytes.
    #[must_use]
    pub fn place_bytes(&self) -> Bytes {
        place_bytes(self.profile, self.bytes)
    }
}

/// Raw bytes that each place reserves for `bytes` plain ones.
#[must_use]
pub fn place_bytes(profile: Profile, bytes: Bytes) -> Bytes {
    Bytes(bytes.0.div_ceil(u64::from(profile.data())))
}

/// Software on a node. Its body is not on the ledger: it goes sealed to the node, which compares
/// its digest.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Workload {
    /// Digest of the declarative spec.
    pub spec: Digest,
    /// Where.
    pub node: NodeId,
    /// What is reserved there.
    pub resources: Resources,
    /// Public traffic that is paid for.
    pub traffic: Bytes,
    /// Of it, what the node reported as used, and was paid for.
    pub traffic_used: Bytes,
    /// What the node said last.
    pub progress: Progress,
    /// Reports of the node so far; the next one bears this number.
    pub reports: u64,
}

/// How a workload does, as its node says.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Progress {
    /// Not accepted yet.
    Waiting,
    /// Accepted, not running yet.
    Accepted,
    /// Runs.
    Running {
        /// What runs: image, spec and measurement in one digest.
        evidence: Digest,
    },
    /// Ended by itself, or by its own fault; the node is paid on.
    Exited {
        /// Exit code.
        code: i32,
    },
    /// Does not run by the node's fault; the time is not paid for.
    Failed {
        /// Why.
        reason: Reason,
    },
}

/// A whole node. The renter's own contracts on it pay nothing for capacity.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Rent {
    /// Which.
    pub node: NodeId,
    /// What it offered when it was rented.
    pub capacity: Capacity,
}

/// Something that one account does for another, paid by the hour and by use.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Service {
    /// Does it, and is paid.
    pub provider: AccountId,
    /// Digest of what was agreed on.
    pub terms: Digest,
    /// Paid for each hour.
    pub base_hour: MicroUsd,
    /// The provider may bill as much for use, for each hour.
    pub variable_hour: MicroUsd,
    /// What may still be billed for use at all: the purse for use is held for this.
    pub variable_left: MicroUsd,
    /// Use was billed up to here.
    pub billed: UnixMs,
}

/// How a node stands in a contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Stand {
    /// Its part of the price, in thousandths of the list price: 1000, more if it is certified, 0 if
    /// the owner rents it anyway.
    pub weight: u32,
    /// Milliseconds of [`crate::Record::lost`] that the contract has had back, or that were lost before
    /// it began. What its node lost beyond that is taken off the next time that is paid.
    pub lost: u64,
    /// The most that [`super::Node::backed`], of storage contracts
    /// [`super::Node::backed_storage`], was since it came, when it was paid without a loss: so much of a loss is owed by its farm from the stake, in
    /// thousandths.
    pub backed: u16,
}

/// Contracts that were made together and begin together, or not at all. Their ids follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Gang {
    /// Id of the first.
    pub first: ContractId,
    /// How many.
    pub members: u8,
}

/// Whether the other side has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Answer {
    /// Not yet.
    Awaited,
    /// Accepted, or nobody has to: others of the gang are awaited.
    Accepted,
}

/// Why a contract was closed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Cause {
    /// By its owner, or by the provider of a service.
    Cancelled,
    /// Its time and its grace were over.
    Expired,
    /// The node said no, or the provider did.
    Rejected {
        /// Why.
        reason: Reason,
    },
    /// Nobody answered in time.
    Unanswered,
    /// Another one of its gang came to nothing.
    Gang,
}

/// Whether a contract still holds anything.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ContractState {
    /// Holds tokens and reserves capacity. Its time has begun only if nobody but others of its gang is
    /// awaited.
    Pending {
        /// Until when all must have accepted.
        deadline: UnixMs,
        /// Whether this one was.
        answer: Answer,
    },
    /// Holds tokens and reserves capacity, even past its time until somebody settles it.
    Open,
    /// Everything was paid or refunded, and nothing is reserved.
    Closed {
        /// Time of the block that closed it.
        at: UnixMs,
        /// Why.
        cause: Cause,
    },
}

/// What a contract is at a given time, and what its nodes do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractStatus {
    /// Waits for an answer; past its deadline anybody may close it.
    Pending,
    /// Paid for.
    Live,
    /// Its time is over. Storage: read, but no longer written. Workloads: stopped, disks kept.
    Frozen {
        /// Archived from here on.
        until: UnixMs,
    },
    /// Still its time is over. Storage: kept, neither read nor written. Workloads: their disks were
    /// sealed and put away.
    Archived {
        /// Over from here on.
        until: UnixMs,
    },
    /// Grace is over: nodes delete what they have, anybody may close it.
    Over,
    /// Over for good: nodes delete what they have.
    Closed,
}

/// A contract.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Contract {
    /// Its own number.
    pub id: ContractId,
    /// Pays, and may change it.
    pub owner: AccountId,
    /// What it is about.
    pub kind: ContractKind,
    /// Time of the block from which on it was paid for: that made it, or in which the one accepted who
    /// had to.
    pub created: UnixMs,
    /// Its owner has stayed since then, on the mean of all that it is about: `created`, moved on by
    /// what was added later. A discount is taken back from who leaves before its time.
    pub since: UnixMs,
    /// Paid up to here.
    pub settled: UnixMs,
    /// Paid for up to here.
    pub expires: UnixMs,
    /// What follows then.
    pub grace: Grace,
    /// Tokens held for the time from `settled` to `expires`.
    pub escrow: Amount,
    /// List price of that time, before discounts.
    pub listed: Amount,
    /// Tokens held for what is metered: traffic, a service's use.
    pub usage: Amount,
    /// Tokens held for grace.
    pub deposit: Amount,
    /// Tokens held for whoever closes it once it is over.
    pub closing: Amount,
    /// Paid for time so far.
    pub paid: Amount,
    /// List price of that.
    pub paid_listed: Amount,
    /// How each of [`Contract::nodes`] stands.
    pub stands: Stands,
    /// Lines of its bill; [`crate::Key::Bill`] runs from 0 to below this.
    pub bills: u32,
    /// Others that it begins with.
    pub gang: Option<Gang>,
    /// Pending, open or closed.
    pub state: ContractState,
}

impl Contract {
    /// The storage, if it is about that.
    #[must_use]
    pub const fn storage(&self) -> Option<&Storage> {
        match &self.kind {
            ContractKind::Storage(storage) => Some(storage),
            _ => None,
        }
    }

    /// The workload, if it is about one.
    #[must_use]
    pub const fn workload(&self) -> Option<&Workload> {
        match &self.kind {
            ContractKind::Workload(workload) => Some(workload),
            _ => None,
        }
    }

    /// The nodes that it reserves something at; none for names and services.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        match &self.kind {
            ContractKind::Storage(storage) => &storage.places,
            ContractKind::Workload(workload) => std::slice::from_ref(&workload.node),
            ContractKind::Rent(rent) => std::slice::from_ref(&rent.node),
            ContractKind::Name(_) | ContractKind::Service(_) => &[],
        }
    }

    /// All tokens that it holds; `None` if they are more than there can be.
    #[must_use]
    pub fn held(&self) -> Option<Amount> {
        let sum = self.escrow.checked_add(self.usage)?.checked_add(self.deposit)?;
        sum.checked_add(self.closing)
    }

    /// When its grace is over.
    #[must_use]
    pub const fn grace_end(&self) -> UnixMs {
        UnixMs(self.expires.0.saturating_add(self.grace.whole_ms()))
    }

    /// What the contract is at `now`.
    #[must_use]
    pub fn status(&self, now: UnixMs) -> ContractStatus {
        let frozen = UnixMs(self.expires.0.saturating_add(self.grace.freeze_ms));
        match self.state {
            ContractState::Closed { .. } => ContractStatus::Closed,
            ContractState::Pending { .. } => ContractStatus::Pending,
            ContractState::Open if now < self.expires => ContractStatus::Live,
            ContractState::Open if now < frozen => ContractStatus::Frozen { until: frozen },
            ContractState::Open if now < self.grace_end() => {
                ContractStatus::Archived { until: self.grace_end() }
            }
            ContractState::Open => ContractStatus::Over,
        }
    }
}

//! Contracts as they are asked for, and what nodes report about them.

use acre_types::{AccountId, Amount, Bytes, Digest, NodeId, Profile, PublicKey, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::name::Label;
use crate::object::{MicroUsd, Places, Reason, Resources};

/// A contract as asked for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewContract {
    /// What it is about.
    pub kind: NewKind,
    /// How long, in milliseconds, more than zero; from now, or from when all have accepted.
    pub period_ms: u64,
    /// The most that may be locked for it: prices may change between signing and the block.
    pub budget: Amount,
}

impl NewContract {
    /// Nodes that it asks for.
    #[must_use]
    pub fn places(&self) -> usize {
        match &self.kind {
            NewKind::Storage(storage) => storage.places.len(),
            NewKind::Workload(_) | NewKind::Rent { .. } => 1,
            NewKind::Name(_) | NewKind::Service(_) => 0,
        }
    }
}

/// What a new contract is about.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum NewKind {
    /// Storage on several places.
    Storage(NewStorage),
    /// Software on a node, which has to accept it.
    Workload(NewWorkload),
    /// A whole node, which must be empty.
    Rent {
        /// Which.
        node: NodeId,
    },
    /// A name that nobody has.
    Name(Label),
    /// A service; its provider has to accept it.
    Service(NewService),
}

/// Storage as asked for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewStorage {
    /// The erasure code.
    pub profile: Profile,
    /// n primaries, then up to [`Profile::spares`] spares; distinct nodes, sites and operators
    /// (S3), where `tiny` may use several boxes of one operator.
    pub places: Places,
    /// Plain bytes, more than zero.
    pub bytes: Bytes,
    /// Key whose signatures the places will accept.
    pub writer: PublicKey,
}

/// A workload as asked for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewWorkload {
    /// Digest of the declarative spec, which goes to the node by itself.
    pub spec: Digest,
    /// Where.
    pub node: NodeId,
    /// What is to be reserved; cores or memory more than zero.
    pub resources: Resources,
    /// Public traffic to be paid for ahead; what is not used is refunded.
    pub traffic: Bytes,
    /// The most that an hour may cost at list price, without traffic.
    pub hour_max: MicroUsd,
    /// Until when the node must have accepted.
    pub deadline: UnixMs,
}

/// A service as asked for; by making the contract its owner agrees to it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewService {
    /// Who does it.
    pub provider: AccountId,
    /// Digest of what was agreed on.
    pub terms: Digest,
    /// Paid for each hour.
    pub base_hour: MicroUsd,
    /// The provider may bill as much for use, for each hour.
    pub variable_hour: MicroUsd,
    /// Until when the provider must have accepted.
    pub deadline: UnixMs,
}

/// What a node says about a workload.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Report {
    /// It will run it.
    Accepted,
    /// It will not. Everything is refunded.
    Rejected {
        /// Why.
        reason: Reason,
    },
    /// It runs.
    Running {
        /// What runs: image, spec and measurement in one digest.
        evidence: Digest,
    },
    /// It ended by itself, or by its own fault.
    Exited {
        /// Exit code.
        code: i32,
    },
    /// It does not run by the node's fault. The time is not paid for until it runs again.
    Failed {
        /// Why.
        reason: Reason,
    },
    /// As before; only the traffic has grown.
    Traffic,
}

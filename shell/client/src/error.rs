//! What can go wrong, split by what the caller can do about it; [`ClientError::failure`] sorts
//! every variant into the classes that exit codes stand for.

use std::io;
use std::path::PathBuf;

use acre_store::StoreError;
use acre_store::machine::MachineError;
use acre_types::{Amount, Bytes, ContractId, NodeId, PackId, Profile};

/// Why something could not be done. Unless a variant says otherwise, nothing that was visible
/// before has changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No entry of this name, or no such object.
    #[error("'{}' is not there", name.escape_ascii())]
    NotFound {
        /// The name or object as given.
        name: Vec<u8>,
    },
    /// Something stands where something else should go. Nothing was changed.
    #[error("'{}' {reason}", path.escape_ascii())]
    Conflict {
        /// The path, in the store or on this machine.
        path: Vec<u8>,
        /// What stands in the way.
        reason: &'static str,
    },
    /// Other writers were faster, each time anew. Nothing was changed; try again.
    #[error("volume {contract} was changed by somebody else {times} times in a row")]
    Overtaken {
        /// The volume.
        contract: ContractId,
        /// Tries.
        times: u32,
    },
    /// A name that no entry can have, or a text that is none.
    #[error("{reason}: '{}'", given.escape_ascii())]
    BadName {
        /// As given.
        given: Vec<u8>,
        /// Why not.
        reason: &'static str,
    },
    /// The ledger could not be asked, or refused.
    #[error("the ledger could not be used")]
    Ledger(#[source] acre_chain::ClientError),
    /// Fewer nodes than the profile needs. Nothing was stored.
    #[error(
        "profile {} needs {} places of distinct sites and operators; {eligible} nodes are \
         usable, {missing} are missing ({too_full} are too full, {silent} do not answer); \
         profiles that fit: {}", profile.name(), profile.shards(), names(fits)
    )]
    NotEnoughPlaces {
        /// The profile.
        profile: Profile,
        /// Places that could be had.
        eligible: usize,
        /// Places lacking.
        missing: usize,
        /// Nodes without room.
        too_full: usize,
        /// Nodes that do not answer.
        silent: usize,
        /// Profiles that could be had now, those that bear most losses first.
        fits: Vec<Profile>,
    },
    /// The account cannot pay for the storage. Nothing was stored.
    #[error("the account holds {held}; {wanted} are needed for {bytes} of storage")]
    NotEnoughFunds {
        /// Balance.
        held: Amount,
        /// What it costs.
        wanted: Amount,
        /// How much was to be reserved.
        bytes: Bytes,
    },
    /// A pack found too few places. What was stored before it is not visible and is found again
    /// when the same is put again.
    #[error(
        "only {stored} of the {needed} shards needed could be stored: {no_space} places are \
         full, {unreachable} do not answer, {refused} refuse; nothing became visible"
    )]
    NotStored {
        /// The pack.
        pack: PackId,
        /// Copies that were stored.
        stored: usize,
        /// Copies needed.
        needed: usize,
        /// Places without room.
        no_space: usize,
        /// Places that do not answer.
        unreachable: usize,
        /// Places that refuse.
        refused: usize,
    },
    /// More places are out of reach than the profile bears; they may come back.
    #[error(
        "pack {pack} is out of reach: {have} of the {need} shards needed, {} places do not \
         answer", places.len()
    )]
    Unreachable {
        /// The pack.
        pack: PackId,
        /// Shards that could be read.
        have: u8,
        /// Shards needed.
        need: u8,
        /// Places that gave none.
        places: Vec<NodeId>,
    },
    /// More shards are lost or damaged than the profile bears, although their places answer.
    #[error("pack {pack} is damaged: {have} good shards of the {need} needed")]
    Damaged {
        /// The pack.
        pack: PackId,
        /// Shards that could be read.
        have: u8,
        /// Shards needed.
        need: u8,
        /// Places that gave none.
        places: Vec<NodeId>,
    },
    /// Too few places of a volume answer to know its newest state.
    #[error("volume {contract}: {answered} places answered, {needed} are needed")]
    VolumeUnreachable {
        /// The volume.
        contract: ContractId,
        /// Places that answered.
        answered: usize,
        /// Answers needed.
        needed: usize,
    },
    /// Too few places kept the new state; whether it becomes visible is unknown. Look again.
    #[error(
        "volume {contract}: {stored} places kept the new state, {needed} are needed; whether it \
         is visible is unknown"
    )]
    OutcomeUnknown {
        /// The volume.
        contract: ContractId,
        /// Places that kept it.
        stored: usize,
        /// Places needed.
        needed: usize,
    },
    /// What the volume's own writer stored makes no sense.
    #[error("stored data is not as it should be")]
    Format(#[from] StoreError),
    /// The operating system.
    #[error("{doing} '{}'", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: std::sync::Arc<io::Error>,
    },
    /// The contract of the volume is over, by this machine's clock; its data may be gone soon.
    /// Nothing was stored.
    #[error("contract {contract} is over, by the clock of this machine")]
    ContractOver {
        /// Which.
        contract: ContractId,
    },
    /// The client is shutting down.
    #[error("the client was closed")]
    Closed,
    /// A decision of a machine that none of the above fits.
    #[error(transparent)]
    Machine(MachineError),
}

/// What exit codes tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 1: none of the below.
    Other,
    /// 2: what was asked makes no sense.
    Usage,
    /// 3.
    NotFound,
    /// 4.
    Denied,
    /// 5.
    Unreachable,
    /// 6.
    OutcomeUnknown,
    /// 7.
    Conflict,
    /// 8: space, funds, places or quorum.
    NotEnough,
    /// 9.
    Damaged,
}

impl ClientError {
    /// The class of this error.
    #[must_use]
    pub fn failure(&self) -> Failure {
        use acre_chain::{ClientError as Chain, Refused};
        match self {
            Self::NotFound { .. } => Failure::NotFound,
            Self::Conflict { .. } | Self::Overtaken { .. } => Failure::Conflict,
            Self::BadName { .. } => Failure::Usage,
            Self::Ledger(Chain::Refused(Refused::NoFunds { .. })) => Failure::NotEnough,
            Self::Ledger(Chain::Refused(_)) => Failure::Denied,
            Self::Ledger(Chain::OutcomeUnknown { .. }) => Failure::OutcomeUnknown,
            Self::Ledger(Chain::NoQuorum { .. }) => Failure::NotEnough,
            Self::Ledger(Chain::OtherGrid { .. }) => Failure::Denied,
            Self::Ledger(_) | Self::Unreachable { .. } | Self::VolumeUnreachable { .. } => {
                Failure::Unreachable
            }
            Self::NotEnoughPlaces { .. } | Self::NotEnoughFunds { .. } | Self::NotStored { .. } => {
                Failure::NotEnough
            }
            Self::OutcomeUnknown { .. } => Failure::OutcomeUnknown,
            Self::Damaged { .. } | Self::Format(_) => Failure::Damaged,
            Self::ContractOver { .. } => Failure::Denied,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => Failure::Denied,
                io::ErrorKind::NotFound => Failure::NotFound,
                io::ErrorKind::StorageFull => Failure::NotEnough,
                _ => Failure::Other,
            },
            Self::Closed => Failure::Other,
            Self::Machine(_) => Failure::Other,
        }
    }

    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source: std::sync::Arc::new(source) }
    }
}

impl From<acre_chain::ClientError> for ClientError {
    fn from(error: acre_chain::ClientError) -> Self {
        Self::Ledger(error)
    }
}

fn names(profiles: &[Profile]) -> String {
    if profiles.is_empty() {
        return "none".to_owned();
    }
    profiles.iter().map(|profile| profile.name()).collect::<Vec<_>>().join(", ")
}

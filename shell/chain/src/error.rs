//! What can go wrong, apart by who is to blame: this machine's disk, the signer of a transaction, or
//! the validator that answered.

use std::net::SocketAddr;
use std::path::PathBuf;

use acre_ledger::{Fault, GenesisError, ProofError, Refusal, StateError};
use acre_types::{Amount, Digest, Height, PublicKey, Text};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::REASON_BYTES_MAX;

/// Why the durable state does not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full. What was final before stays; with room again, start again.
    #[error("the disk is full: the ledger's database failed at {doing}")]
    DiskFull {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database refuses: the disk is broken, or the file is in use.
    #[error("the ledger's database failed at {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: redb::Error,
    },
    /// The file holds another chain.
    #[error("the state in this directory belongs to the grid {found}, not to {wanted}")]
    OtherGenesis {
        /// Digest of the genesis asked for.
        wanted: Digest,
        /// Digest of the genesis found.
        found: Digest,
    },
    /// The file was written by another version.
    #[error("the state has format {found}, this program knows {known}")]
    Format {
        /// Format of the file.
        found: u32,
        /// Format of this program.
        known: u32,
    },
    /// Bytes that we never write.
    #[error("the stored {what} is damaged")]
    Damaged {
        /// Which bytes.
        what: &'static str,
    },
    /// The rebuilt state is not the one of the last block.
    #[error("the stored state has the root {found}, but block {height} has {wanted}")]
    WrongRoot {
        /// Height of the last block.
        height: u64,
        /// Root in its header.
        wanted: Digest,
        /// Root of the leaves.
        found: Digest,
    },
    /// The leaves make no state.
    #[error("the stored leaves make no state")]
    State(#[from] StateError),
    /// A key or value over its limit.
    #[error("an entry of {key_bytes} + {value_bytes} bytes is too large")]
    EntryTooLarge {
        /// Bytes of the key.
        key_bytes: usize,
        /// Bytes of the value.
        value_bytes: usize,
    },
    /// A block that is not the next one.
    #[error("block {given} does not follow block {applied}")]
    OutOfOrder {
        /// Height of the last block.
        applied: u64,
        /// Height given.
        given: u64,
    },
    /// The file itself cannot be moved or removed.
    #[error("cannot put the ledger's file {} in its place", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A write failed before; only opening again tells what is there.
    #[error("the state must be opened again after a failed write")]
    Poisoned,
    /// The store was dropped: the validator is stopping.
    #[error("the state is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn database(doing: &'static str, source: impl Into<redb::Error>) -> Self {
        match source.into() {
            redb::Error::Io(source) if is_full(&source) => Self::DiskFull { doing, source },
            source => Self::Database { doing, source },
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Why a validator does not take a transaction, in a form that travels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, BorshSerialize, BorshDeserialize)]
#[non_exhaustive]
pub enum Refused {
    /// Its number was used: by itself, or by another transaction of the account.
    #[error("number {given} was used already: the next transaction of the account is {wanted}")]
    NonceUsed {
        /// Number in the transaction.
        given: u64,
        /// Next number of the account.
        wanted: u64,
    },
    /// Its number is too far ahead.
    #[error("number {given} is ahead: the next transaction of the account is {wanted}")]
    NonceAhead {
        /// Number in the transaction.
        given: u64,
        /// Next number of the account.
        wanted: u64,
    },
    /// Less than the least fee.
    #[error("a fee of {given} is too low: at least {wanted} is asked")]
    FeeTooLow {
        /// Fee in the transaction.
        given: Amount,
        /// Least fee.
        wanted: Amount,
    },
    /// The account cannot pay.
    #[error("the account holds {held}, which is less than the {wanted} it would pay")]
    NoFunds {
        /// Balance.
        held: Amount,
        /// What it would pay.
        wanted: Amount,
    },
    /// Another transaction with this number waits.
    #[error("another transaction of this account with number {nonce} waits already")]
    NumberTaken {
        /// The number.
        nonce: u64,
    },
    /// Too many transactions of this account wait.
    #[error("{limit} transactions of this account wait already")]
    AccountFull {
        /// How many may.
        limit: u32,
    },
    /// Too many transactions wait.
    #[error("too many transactions wait; try again later")]
    PoolFull,
    /// It waited for earlier ones that did not come.
    #[error("the transactions before this one did not come in time")]
    WaitedTooLong,
    /// The validator's own state is damaged: it will stop, others will do.
    #[error("the validator cannot tell: its own state is damaged")]
    Unable,
    /// Bytes that are no transaction.
    #[error("these bytes are no transaction")]
    Malformed,
    /// The ledger's rules forbid it.
    #[error("{reason}")]
    Rule {
        /// Why, in words.
        reason: Text<REASON_BYTES_MAX>,
        /// Of which kind the rule is.
        kind: RuleKind,
        /// Whether the same transaction may be accepted later.
        may_pass_later: bool,
    },
}

/// What stands in the way of a transaction, by what its sender can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[non_exhaustive]
pub enum RuleKind {
    /// A key or a right is missing.
    Right,
    /// What it names is not there.
    Missing,
    /// It asks for what nobody may have.
    Bounds,
    /// As things stand now it does not fit: it is so already, or it is too early or too late.
    Conflict,
    /// There is too little of something: space, capacity, votes, signatures, budget.
    Lack,
}

impl RuleKind {
    const fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoSuchTwin
            | Refusal::NoSuchFarm { .. }
            | Refusal::NoSuchNode { .. }
            | Refusal::NoSuchContract { .. }
            | Refusal::NoSuchCandidate { .. }
            | Refusal::NoSuchProposal { .. }
            | Refusal::NoSuchBallot
            | Refusal::NoRecovery => Self::Missing,
            Refusal::TooLarge { .. }
            | Refusal::OutOfRange { .. }
            | Refusal::PlaceCount { .. }
            | Refusal::BadAddress
            | Refusal::FixedForLife { .. }
            | Refusal::WrongKind { .. } => Self::Bounds,
            Refusal::HandleTaken
            | Refusal::HasTwin { .. }
            | Refusal::NodeExists { .. }
            | Refusal::CapacityReserved { .. }
            | Refusal::SharedDomain { .. }
            | Refusal::NodeNotActive { .. }
            | Refusal::ContractOver { .. }
            | Refusal::WrongEpoch { .. }
            | Refusal::DoneThisEpoch { .. }
            | Refusal::CandidateExists
            | Refusal::IsLeaving { .. }
            | Refusal::StakeHeld { .. }
            | Refusal::TooEarly { .. }
            | Refusal::RecoveryRuns
            | Refusal::VoteOver { .. }
            | Refusal::NodeRented { .. }
            | Refusal::NodeInUse { .. }
            | Refusal::NotAccepted { .. }
            | Refusal::WasAccepted { .. }
            | Refusal::TooLate { .. }
            | Refusal::WrongReport { .. }
            | Refusal::NameTaken { .. }
            | Refusal::NapUnsettled { .. }
            | Refusal::TooManyNaps { .. }
            | Refusal::NodeRetired { .. }
            | Refusal::WasPunished { .. }
            | Refusal::NothingToDo => Self::Conflict,
            Refusal::NoSpace { .. }
            | Refusal::NoCapacity { .. }
            | Refusal::OverBudget { .. }
            | Refusal::OverCap { .. }
            | Refusal::OverAllowance { .. }
            | Refusal::TooFewConsents { .. }
            | Refusal::NoRoom { .. }
            | Refusal::NoWeight
            | Refusal::BlockFull => Self::Lack,
            _ => Self::Right,
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NonceUsed { given, wanted } => Self::NonceUsed { given, wanted },
            Refusal::NonceAhead { given, wanted } => Self::NonceAhead { given, wanted },
            Refusal::FeeTooLow { given, wanted } => Self::FeeTooLow { given, wanted },
            Refusal::NoFunds { held, wanted, .. } => Self::NoFunds { held, wanted },
            other => {
                let mut words = other.to_string();
                let mut end = words.len().min(REASON_BYTES_MAX);
                while !words.is_char_boundary(end) {
                    end -= 1;
                }
                words.truncate(end);
                let reason = Text::new(words).expect("cut to its limit just now");
                let may_pass_later = other.may_pass_later();
                Self::Rule { reason, kind: RuleKind::of(&other), may_pass_later }
            }
        }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(refusal) => refusal.into(),
            _ => Self::Unable,
        }
    }
}

/// Why a validator does not start, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Its directory cannot be made.
    #[error("creating the validator's directory {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The durable state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The genesis makes no grid.
    #[error("the genesis makes no grid")]
    Genesis(#[from] GenesisError),
    /// A validator of the genesis has an address that is none.
    #[error("validator {key} has no usable address in the genesis")]
    Address {
        /// Its key.
        key: PublicKey,
    },
    /// The state on disk is damaged and cannot be restored from others.
    #[error(
        "the ledger's state in {} is damaged, and no other validator gave a sound one; start this \
         validator again when others run, or put back the directory from a backup",
        file.display()
    )]
    Irreparable {
        /// The file, left as it is.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        damage: Box<ChainError>,
        /// Why the others were of no help; `None` if there are no others.
        restore: Option<Box<ClientError>>,
    },
    /// A state of the other validators cannot be had.
    #[error("cannot fetch the state from other validators")]
    Sync {
        /// Why.
        #[source]
        source: Box<ClientError>,
    },
    /// What another validator gave with a state is not true.
    #[error("a state came with changes of validators that do not hold")]
    Changes {
        /// How.
        #[source]
        lie: Lie,
    },
    /// The engine.
    #[error("the ledger's engine failed")]
    Engine(#[from] acre_engine::Error),
    /// The listening address for calls.
    #[error("cannot serve the ledger at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: acre_net::NetError,
    },
    /// A thread of ours ended by a panic, which was logged.
    #[error("a part of the validator broke: {part}")]
    Broken {
        /// Which part.
        part: &'static str,
    },
}

/// What a validator did that no honest one does; the client asked another one.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Lie {
    /// The header is not final on this chain.
    #[error("its header is not final: {reason}")]
    Certificate {
        /// What the certificate check said.
        reason: String,
    },
    /// A value is not in the state of that header.
    #[error("its proof does not hold")]
    Proof(#[source] Box<ProofError>),
    /// Bytes that no honest validator sends.
    #[error("its reply is malformed")]
    Malformed,
    /// An answer to another question.
    #[error("its reply does not fit the request")]
    Unfit,
    /// The block is of a term before all that the reader knows validators of.
    #[error("its block is of term {term}, before the reader's checkpoint")]
    BeforeCheckpoint {
        /// The term.
        term: u64,
    },
    /// A header whose height and term do not belong together.
    #[error("block {height} is not of term {term}")]
    WrongTerm {
        /// Its height.
        height: Height,
        /// The term it names.
        term: u64,
    },
    /// What it calls a change of validators is none, or one before it was left out.
    #[error("it shows no change of validators after term {term}")]
    NoChange {
        /// The term.
        term: u64,
    },
    /// The leaves it gave are not the state of that block.
    #[error("what it gave is not the state after block {height}")]
    WrongState {
        /// The block.
        height: Height,
    },
    /// It says that a transaction was committed, but the account does not show it.
    #[error("it claims a commit that the state does not show")]
    NotCommitted,
}

impl From<ProofError> for Lie {
    fn from(error: ProofError) -> Self {
        Self::Proof(Box::new(error))
    }
}

/// Why a reader has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No validator could be reached. Try later.
    #[error("no validator of the grid answers; the last one tried was {peer}")]
    Unreachable {
        /// The last one tried.
        peer: PublicKey,
        /// What happened.
        #[source]
        source: Box<acre_net::CallError>,
    },
    /// Whoever answered did so with something that is not true.
    #[error("validator {peer} does not tell the truth")]
    Lied {
        /// The last one that did.
        peer: PublicKey,
        /// How.
        #[source]
        lie: Lie,
    },
    /// Whoever answered makes blocks of another grid.
    #[error("validator {peer} belongs to another grid: its chain is {theirs}, ours is {ours}")]
    OtherGrid {
        /// The last one that does.
        peer: PublicKey,
        /// Digest of its genesis, by its word.
        theirs: Digest,
        /// Digest of this reader's genesis.
        ours: Digest,
    },
    /// Whoever answered knows only older blocks than this reader has seen.
    #[error("validators are behind: block {offered} was offered, block {seen} was seen already")]
    Stale {
        /// Highest offered.
        offered: Height,
        /// Highest seen.
        seen: Height,
    },
    /// Too few validators answer to tell which state is the present one, or to decide anything.
    /// Nothing was signed. Try later.
    #[error("{survey}: nothing was signed or sent")]
    NoQuorum {
        /// Who answered.
        survey: crate::client::Survey,
    },
    /// Whoever answered had no time or no block yet. Try later.
    #[error("validator {peer} is not ready: {reason}")]
    NotReady {
        /// Who.
        peer: PublicKey,
        /// Its words.
        reason: Text<REASON_BYTES_MAX>,
    },
    /// The transaction is not applied, and will not be.
    #[error("the ledger refuses the transaction")]
    Refused(#[source] Refused),
    /// Whether the transaction was or will be applied is unknown. The same signed transaction
    /// may be submitted again: it is applied once at most.
    #[error("whether the transaction {id} was applied is unknown")]
    OutcomeUnknown {
        /// Its id.
        id: Digest,
    },
    /// The reader has fallen behind what validators keep; read the state instead.
    #[error("events of block {wanted} are gone, the oldest kept is {oldest}")]
    EventsGone {
        /// The block asked for.
        wanted: Height,
        /// The oldest kept.
        oldest: Height,
    },
    /// The stream of events ended; subscribe again from the next height.
    #[error("the stream of events from {peer} ended: {reason}")]
    StreamEnded {
        /// From whom.
        peer: PublicKey,
        /// Why.
        reason: String,
    },
    /// No validators were given.
    #[error("no validators are known")]
    NoValidators,
}

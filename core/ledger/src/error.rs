//! What can be wrong: with a transaction, a block, a proof, a genesis, or the state itself.
//!
//! Apart because different parties are to blame: the signer, the proposer, the one who answered a
//! reader, the one who wrote a genesis, and this machine's own storage.

use acre_types::{
    AccountId, Amount, Bytes, ContractId, Digest, Epoch, FarmId, NodeId, PublicKey, UnixMs,
};

use crate::Key;
use crate::name::Label;
use crate::object::Subject;

/// Why a transaction is not applied. Its sender is to blame, or it came too early or too late.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The signed transaction is larger than any may be.
    #[error("a transaction of {bytes} bytes is too large: at most {bytes_max} are accepted")]
    TooLarge {
        /// Bytes of the signed transaction.
        bytes: usize,
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// Signed for another grid.
    #[error("the transaction is for another grid: its chain is {given}, here it is {wanted}")]
    WrongChain {
        /// Chain in the transaction.
        given: Digest,
        /// Chain of this ledger.
        wanted: Digest,
    },
    /// The signature is not the key's over this transaction.
    #[error("the signature is not valid")]
    BadSignature,
    /// The key does not speak for the account.
    #[error("the key does not speak for account {account}")]
    NotTheKey {
        /// Account the transaction is from.
        account: AccountId,
    },
    /// Already used: a replay, or another transaction came first. Never becomes valid again.
    #[error("number {given} was used already: the next transaction of this account is {wanted}")]
    NonceUsed {
        /// Number in the transaction.
        given: u64,
        /// Next number of the account.
        wanted: u64,
    },
    /// Earlier transactions of the same account are missing; may become valid later.
    #[error("number {given} is ahead: the next transaction of this account is {wanted}")]
    NonceAhead {
        /// Number in the transaction.
        given: u64,
        /// Next number of the account.
        wanted: u64,
    },
    /// Less than the minimum.
    #[error("a fee of {given} is too low: at least {wanted} is asked")]
    FeeTooLow {
        /// Fee in the transaction.
        given: Amount,
        /// Least fee for one of this size.
        wanted: Amount,
    },
    /// Somebody else pays this fee, so it must be the least one.
    #[error("a fee of {given} at another's expense is too high: {wanted} suffices")]
    FeeTooHigh {
        /// Fee in the transaction.
        given: Amount,
        /// Least fee for one of this size.
        wanted: Amount,
    },
    /// The account cannot pay.
    #[error("account {account} holds {held}, which is less than the {wanted} it would pay")]
    NoFunds {
        /// Account that would pay.
        account: AccountId,
        /// Its balance.
        held: Amount,
        /// What it would pay.
        wanted: Amount,
    },
    /// An amount, size or time of zero, or past its range.
    #[error("{what} is out of range")]
    OutOfRange {
        /// Which value.
        what: &'static str,
    },
    /// The handle belongs to a twin already.
    #[error("this handle is taken")]
    HandleTaken,
    /// The account has a twin already.
    #[error("account {account} has a twin already")]
    HasTwin {
        /// The account.
        account: AccountId,
    },
    /// No twin of this handle.
    #[error("there is no such twin")]
    NoSuchTwin,
    /// No farm of this number.
    #[error("there is no farm {farm}")]
    NoSuchFarm {
        /// The farm asked for.
        farm: FarmId,
    },
    /// No node of this key.
    #[error("there is no node {node}")]
    NoSuchNode {
        /// The node asked for.
        node: NodeId,
    },
    /// No contract of this number.
    #[error("there is no contract {contract}")]
    NoSuchContract {
        /// The contract asked for.
        contract: ContractId,
    },
    /// Belongs to somebody else.
    #[error("{what} belongs to another account")]
    NotYours {
        /// What it is.
        what: &'static str,
    },
    /// The node is registered already.
    #[error("node {node} is registered already")]
    NodeExists {
        /// The node.
        node: NodeId,
    },
    /// The farm's owner did not sign this token, or it is for another grid.
    #[error("the join token was not signed by the owner of farm {farm} for this grid")]
    BadToken {
        /// The farm named by the token.
        farm: FarmId,
    },
    /// The token names another node.
    #[error("the join token is for another node")]
    TokenForAnother,
    /// The token's time is over.
    #[error("the join token has expired")]
    TokenExpired,
    /// Less capacity than is reserved already.
    #[error("node {node} has {reserved} reserved and cannot shrink to {wanted}")]
    CapacityReserved {
        /// The node.
        node: NodeId,
        /// Bytes reserved by contracts.
        reserved: Bytes,
        /// Storage it asked for.
        wanted: Bytes,
    },
    /// Fewer or more places than the profile takes.
    #[error("{given} places do not fit: the profile takes {least} to {most}")]
    PlaceCount {
        /// Places given.
        given: usize,
        /// n of the profile.
        least: usize,
        /// n and the spares.
        most: usize,
    },
    /// Two places would fall together (S3).
    #[error("node {node} shares its {domain} with another place")]
    SharedDomain {
        /// The second of the two.
        node: NodeId,
        /// `node`, `site` or `operator`.
        domain: &'static str,
    },
    /// A place that takes no new contracts.
    #[error("node {node} takes no new contracts")]
    NodeNotActive {
        /// The node.
        node: NodeId,
    },
    /// A place without room.
    #[error("node {node} has {free} free, which is less than {wanted}")]
    NoSpace {
        /// The node.
        node: NodeId,
        /// Raw bytes a place of the contract needs.
        wanted: Bytes,
        /// Raw bytes the node has.
        free: Bytes,
    },
    /// The node is no place of the contract.
    #[error("node {node} is no place of contract {contract}")]
    NotAPlace {
        /// The contract.
        contract: ContractId,
        /// The node.
        node: NodeId,
    },
    /// Closed, or past its time where that matters.
    #[error("contract {contract} is over")]
    ContractOver {
        /// The contract.
        contract: ContractId,
    },
    /// For an epoch that is not the one in question now.
    #[error("this is for epoch {given}, and epoch {wanted} is asked for")]
    WrongEpoch {
        /// Epoch in the transaction.
        given: Epoch,
        /// The epoch that one may act in or report about.
        wanted: Epoch,
    },
    /// May be done once an epoch.
    #[error("this was done already for epoch {epoch}")]
    DoneThisEpoch {
        /// The epoch.
        epoch: Epoch,
    },
    /// A witness speaks only of the nodes it was to watch in that epoch, if it is apart from them.
    #[error("node {node} was not to be watched by this witness")]
    NotADuty {
        /// The node.
        node: NodeId,
    },
    /// Only those who hold a seat take turns at the beacon.
    #[error("account {account} holds no seat")]
    NoSeat {
        /// The account.
        account: AccountId,
    },
    /// The secret is not the one committed to.
    #[error("the revealed secret is not the one that was committed to")]
    BadReveal,
    /// The validator key is a candidate already, or the account has one.
    #[error("this validator key or account is a candidate already")]
    CandidateExists,
    /// No candidate of this key.
    #[error("there is no candidate {validator}")]
    NoSuchCandidate {
        /// The key asked for.
        validator: PublicKey,
    },
    /// The validator key did not agree to stand for this account on this grid.
    #[error("the validator key {validator} did not sign for this account on this grid")]
    BadPossession {
        /// The key.
        validator: PublicKey,
    },
    /// An address that others cannot dial.
    #[error("validators need an address as 1.2.3.4:5 and readers one as host:port")]
    BadAddress,
    /// Every place for a candidate is taken by one that staked as much or more.
    #[error("all {candidates} candidates staked at least {given}")]
    NoRoom {
        /// Candidates there are.
        candidates: u32,
        /// Stake offered.
        given: Amount,
    },
    /// Whoever leaves does not stake more.
    #[error("candidate {validator} is leaving")]
    IsLeaving {
        /// Its key.
        validator: PublicKey,
    },
    /// A seated candidate would no longer be eligible; it may leave instead.
    #[error("a seat needs a stake of {wanted}, this would leave {left}: give up the seat first")]
    StakeHeld {
        /// Least stake.
        wanted: Amount,
        /// What would be left.
        left: Amount,
    },
    /// Not yet.
    #[error("it is too early for {what}: not before {from}")]
    TooEarly {
        /// What it is.
        what: &'static str,
        /// From when on.
        from: UnixMs,
    },
    /// A recovery of this twin runs already.
    #[error("a recovery of this twin runs already")]
    RecoveryRuns,
    /// No recovery runs, or the owner allowed none.
    #[error("there is no recovery of this twin")]
    NoRecovery,
    /// A signature that does not count: of another key, of something else, or given twice.
    #[error("the signature of {key} does not count here")]
    BadConsent {
        /// The key.
        key: PublicKey,
    },
    /// Fewer signatures than must.
    #[error("{given} signatures are too few: {wanted} are needed")]
    TooFewConsents {
        /// Signatures that count.
        given: usize,
        /// The threshold.
        wanted: usize,
    },
    /// The grid admits only whom it decided to.
    #[error("{subject:?} was not admitted to this grid")]
    NotAdmitted {
        /// Who.
        subject: Subject,
    },
    /// Admission is decided in another way.
    #[error("the admission of {subject:?} is not decided in this way")]
    WrongPolicy {
        /// Who.
        subject: Subject,
    },
    /// No proposal of this number.
    #[error("there is no proposal {proposal}")]
    NoSuchProposal {
        /// The number.
        proposal: u64,
    },
    /// The vote is over.
    #[error("the vote on proposal {proposal} is over")]
    VoteOver {
        /// The number.
        proposal: u64,
    },
    /// The voter cast none.
    #[error("there is no such ballot")]
    NoSuchBallot,
    /// Neither tokens locked nor proven capacity.
    #[error("a vote needs tokens that are locked, or nodes with proven capacity")]
    NoWeight,
    /// No vote can change it.
    #[error("{what} is fixed for the life of the grid")]
    FixedForLife {
        /// What.
        what: &'static str,
    },
    /// The node is rented whole by somebody else, or is not the tenant's for so long.
    #[error("node {node} is rented whole by contract {contract}")]
    NodeRented {
        /// The node.
        node: NodeId,
        /// The contract that has it.
        contract: ContractId,
    },
    /// Only an empty node can be rented, and given back.
    #[error("node {node} is in use")]
    NodeInUse {
        /// The node.
        node: NodeId,
    },
    /// A node without room for a workload.
    #[error("node {node} has too few free {what}")]
    NoCapacity {
        /// The node.
        node: NodeId,
        /// `cores` or `memory`.
        what: &'static str,
    },
    /// It would cost more than its owner allowed.
    #[error("the contract would lock {wanted}, more than its budget of {budget}")]
    OverBudget {
        /// What it would lock.
        wanted: Amount,
        /// What its owner allowed.
        budget: Amount,
    },
    /// An hour would cost more than its owner allowed.
    #[error("an hour would cost {micro_usd} micro-USD, more than the {micro_usd_max} allowed")]
    OverCap {
        /// List price of an hour.
        micro_usd: u64,
        /// What its owner allowed.
        micro_usd_max: u64,
    },
    /// More was used than was paid for ahead.
    #[error("contract {contract} does not allow for so much use")]
    OverAllowance {
        /// The contract.
        contract: ContractId,
    },
    /// The contract is of a kind that does not know this.
    #[error("contract {contract} is not of the right kind")]
    WrongKind {
        /// The contract.
        contract: ContractId,
    },
    /// The contract still waits for an answer.
    #[error("contract {contract} was not accepted yet")]
    NotAccepted {
        /// The contract.
        contract: ContractId,
    },
    /// The contract was accepted already.
    #[error("contract {contract} was accepted already")]
    WasAccepted {
        /// The contract.
        contract: ContractId,
    },
    /// The answer came after the deadline.
    #[error("contract {contract} was to be answered before {deadline}")]
    TooLate {
        /// The contract.
        contract: ContractId,
        /// When it was to be answered.
        deadline: UnixMs,
    },
    /// A report that was made already, or one too early.
    #[error("report {given} of contract {contract} is not the next one, which is {wanted}")]
    WrongReport {
        /// The contract.
        contract: ContractId,
        /// Number in the report.
        given: u64,
        /// Number of the next one.
        wanted: u64,
    },
    /// Somebody has this name.
    #[error("the name {label} is taken")]
    NameTaken {
        /// The name.
        label: Label,
    },
    /// No feed of this grid.
    #[error("account {account} does not post prices here")]
    NotAFeed {
        /// The account.
        account: AccountId,
    },
    /// Nobody's word counts but that of the certifiers that the parameters name.
    #[error("account {account} is no certifier here")]
    NotACertifier {
        /// The account.
        account: AccountId,
    },
    /// Who earns from a farm does not certify it.
    #[error("account {account} has a part in farm {farm}")]
    NotIndependent {
        /// The account.
        account: AccountId,
        /// The farm.
        farm: FarmId,
    },
    /// One nap after the other: the node has to be witnessed awake in between.
    #[error("node {node} was not witnessed awake since its last nap")]
    NapUnsettled {
        /// The node.
        node: NodeId,
    },
    /// No more naps in this period.
    #[error("node {node} sleeps at most {naps_max} times in a period")]
    TooManyNaps {
        /// The node.
        node: NodeId,
        /// How often it may.
        naps_max: u16,
    },
    /// Who slept saw nothing.
    #[error("node {node} slept in epoch {epoch}")]
    WasAsleep {
        /// The node.
        node: NodeId,
        /// The epoch.
        epoch: Epoch,
    },
    /// The block has no room for its work; a later one may.
    #[error("contracts visit too many places in this block")]
    BlockFull,
    /// Retirement is final.
    #[error("node {node} was retired for good; register it again under a new key")]
    NodeRetired {
        /// The node.
        node: NodeId,
    },
    /// Votes that an honest validator may give, or that this one did not.
    #[error("the votes do not show that this validator contradicted itself")]
    NoContradiction,
    /// Once for all terms up to that of the votes; and it does not stand again so soon.
    #[error("validator {validator} was punished for this term or a later one")]
    WasPunished {
        /// Its key.
        validator: PublicKey,
    },
    /// Nothing would change.
    #[error("the transaction would change nothing")]
    NothingToDo,
}

impl Refusal {
    /// Whether the very same transaction may become valid later.
    #[must_use]
    pub const fn may_pass_later(&self) -> bool {
        !matches!(
            self,
            Self::TooLarge { .. }
                | Self::WrongChain { .. }
                | Self::BadSignature
                | Self::NonceUsed { .. }
                | Self::TokenForAnother
                | Self::TokenExpired
                | Self::BadReveal
                | Self::NoContradiction
                | Self::DoneThisEpoch { .. }
                | Self::OutOfRange { .. }
        )
    }
}

/// Why a transaction was not applied, or could not even be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The transaction does not apply: its sender's matter.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The state of this machine is damaged, or of newer rules: nothing is known about the
    /// transaction.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Why a block is not valid. Its proposer is to blame, except for [`BlockError::State`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// A transaction that does not apply at its place.
    #[error("transaction {index} of the block does not apply")]
    Transaction {
        /// Position in the block, from 0.
        index: usize,
        /// Its id.
        id: Digest,
        /// Why not.
        #[source]
        source: Refusal,
    },
    /// More transactions or bytes than a block may have.
    #[error("a block of {transactions} transactions and {bytes} bytes is too large")]
    TooLarge {
        /// Transactions in the block.
        transactions: usize,
        /// Bytes of all of them.
        bytes: usize,
    },
    /// The state of this machine is damaged, or of newer rules; the block may well be valid.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The state is not what this crate writes: stored bytes were damaged, or are of another version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// An object that does not decode.
    #[error("the object at {key:?} is damaged")]
    Damaged {
        /// Where it stands.
        key: Key,
        /// What is wrong with its bytes.
        #[source]
        source: acre_codec::CodecError,
    },
    /// An object that must be there is not.
    #[error("the object at {key:?} is missing")]
    Missing {
        /// Where it should stand.
        key: Key,
    },
    /// Sums that cannot be: more tokens than were ever minted, or less space than was reserved.
    #[error("the books do not balance: {what}")]
    Books {
        /// Which sum.
        what: &'static str,
    },
    /// The grid decided for rules that this program does not know. Nothing is damaged: a newer
    /// program goes on from here.
    #[error(
        "this grid is at version {wanted} of its rules, this program knows up to {known}: upgrade"
    )]
    UnknownRules {
        /// The version in force.
        wanted: u32,
        /// The newest version known.
        known: u32,
    },
    /// A leaf larger than any that we write.
    #[error("a leaf of {key_bytes} + {value_bytes} bytes is too large")]
    LeafTooLarge {
        /// Bytes of its key.
        key_bytes: usize,
        /// Bytes of its value.
        value_bytes: usize,
    },
}

/// Why a proof proves nothing. Whoever answered is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The proof leads to another root.
    #[error("the proof does not lead to the state root {root}")]
    WrongRoot {
        /// The root it should lead to.
        root: Digest,
    },
    /// The leaf shown stands elsewhere, or at the very key that is said to be absent.
    #[error("the leaf shown by the proof says nothing about this key")]
    WrongLeaf,
    /// The proven bytes are no object of the wanted type.
    #[error("the proven value at {key:?} does not decode")]
    Undecodable {
        /// Where it stands.
        key: Key,
        /// What is wrong with its bytes.
        #[source]
        source: acre_codec::CodecError,
    },
}

/// Why a genesis is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Tokens from nothing outside a local or test grid.
    #[error("a {kind} grid starts without tokens: {grants} grants are not allowed")]
    PreMine {
        /// Kind of the grid.
        kind: &'static str,
        /// Grants given.
        grants: usize,
    },
    /// Nobody could make a block, or one validator is named twice.
    #[error("a genesis names each of its validators once, and at least one")]
    Validators,
    /// A grid needs a name.
    #[error("the name of the grid is empty")]
    Nameless,
    /// More validators than may sit.
    #[error("{validators} validators are more than the {seats} seats of seats.seats_max")]
    TooFewSeats {
        /// Validators named.
        validators: usize,
        /// Seats there are.
        seats: u32,
    },
    /// A validator that others cannot dial.
    #[error("validator {index} needs an engine address as 1.2.3.4:5 and an rpc one as host:port")]
    ValidatorAddress {
        /// Which one, from 0.
        index: usize,
    },
    /// The grants add up past what an amount can hold.
    #[error("the grants are more than there can be tokens")]
    TooManyTokens,
    /// A price or fee past its range.
    #[error("parameter {what} is out of range")]
    Parameter {
        /// Which one.
        what: &'static str,
    },
    /// Bytes that are no genesis.
    #[error("not a genesis")]
    Codec(#[from] acre_codec::CodecError),
}

/// Why a receipt of minting cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// A value past the range in which the integers are exact, or past its bounds.
    #[error("{what} is out of range")]
    OutOfRange {
        /// Which value.
        what: &'static str,
    },
}

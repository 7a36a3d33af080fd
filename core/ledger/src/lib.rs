//! The ledger as a state machine: accounts, twins, farms, nodes and storage contracts over an
//! authenticated map.
//!
//! Pure and synchronous: no clock, no files, no network, no threads, no randomness, no floats. The
//! time and height of a block are arguments; the engine that agrees on them is unknown here. The
//! same blocks give the same [`State::root`] everywhere.
//!
//! Read in this order: [`map`] (the tree and its proofs), [`Key`] and the objects, [`Action`] and
//! [`Transaction`], [`apply_block`]. Invariants kept here, each with a property test:
//! L2 only authorised transactions, L3 all balances + escrow = minted - burned, L4 each
//! transaction at most once.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "tests"
    )
)]

mod apply;
pub mod beacon;
mod block;
mod committee;
mod error;
mod event;
pub mod fold;
mod genesis;
mod key;
pub mod limits;
pub mod map;
pub mod mint;
mod object;
mod overlay;
pub mod phonebook;
mod price;
mod state;
mod transaction;
pub mod witness;

pub use block::{
    Applied, Built, Change, Payload, apply_block, apply_block_knowing, apply_payload, build_block,
    check_tx,
};
pub use committee::{candidates, committee_of, followers_of};
pub use error::{BlockError, Fault, GenesisError, MintError, ProofError, Refusal, StateError};
pub use event::{Event, Receipt};
pub use genesis::{Genesis, Validator};
pub use key::{AdmittedAs, BallotOf, HandleAt, ProposalAt, RecoveryOf, TheAssembly, VoiceOf};
pub use key::{
    CandidateAt, CandidateBy, CandidateOf, ContractOf, FarmOf, Handle, Key, Lookup, NoHandle,
    NodeAt, TallyOf, TheBeacon, TheEpoch, TheGrid, TheParameters, TheSeats, TheTotals, TwinOf,
};
pub use map::{Map, Proof};
pub use object::{
    Account, Address, Addresses, AnyObject, BackingNodes, Beacon, Candidate, Capacity,
    CapacityRules, ContractState, ContractStatus, EpochState, Failures, Farm, FarmName, Fees,
    Finding, Grid, GridKind, Heard, Independence, KeyRole, Node, NodeState, Object, Parameters,
    PastEpoch, Places, Prices, Record, Release, Seat, SeatList, SeatRules, Seats, SeatsBy,
    Standing, StorageContract, Tally, Totals, Turn, Twin, TwinKey, TwinKeys, Verdict, Verdicts,
    WHOLE, WitnessRecord, are_dialable, capacity_units, place_bytes, proven_units,
};
pub use object::{
    Admission, Admitted, Amendment, Assembly, Ballot, Count, Entry, GovernanceRules, House,
    NextRules, PhonebookRules, Policy, Proposal, ProposalState, Recovery, RecoveryPlan,
    RuleVersion, Side, Subject, TwinState, Voice,
};
pub use price::storage_price;
pub use state::{State, proven};
pub use transaction::{
    Action, AdmissionOrder, JoinToken, NewBallot, NewCandidate, NewContract, NewProposal,
    NewRecovery, NodeOffer, Possession, RecoveryConsent, RecoveryVeto, SignedJoinToken,
    SignedTransaction, Transaction, Verified,
};

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
pub mod bill;
mod block;
mod certify;
mod committee;
mod error;
mod event;
pub mod fold;
mod genesis;
mod key;
pub mod limits;
pub mod map;
pub mod mint;
mod name;
mod object;
mod overlay;
pub mod phonebook;
pub mod price;
pub mod seating;
mod state;
mod transaction;
pub mod vote;
pub mod witness;

pub use block::{
    Applied, BlockTime, Built, Change, Payload, apply_block, apply_block_knowing, apply_payload,
    build_block, check_payer, check_tx,
};
pub use certify::certification_of;
pub use committee::{candidates, committee_of, followers_of};
pub use error::{BlockError, Fault, GenesisError, MintError, ProofError, Refusal, StateError};
pub use event::{Event, Receipt};
pub use genesis::{Genesis, Validator};
pub use key::{
    AdmittedAs, BallotOf, BillAt, CandidateAt, CandidateBy, CandidateOf, ContractOf, FarmOf,
    HandleAt, Key, Lookup, NodeAt, ProposalAt, RecoveryOf, TallyOf, TheAssembly, TheBeacon,
    TheEpoch, TheGrid, TheParameters, ThePrice, TheSeats, TheTotals, TwinOf, VoiceOf,
};
pub use key::{CertificateOf, MeritOf, OffenceOf, PowerOf, TheGap, TheMuster};
pub use key::{EarningsOf, MintReceiptOf, PolicyBookOf};
pub use map::{Map, Proof};
pub use name::{Handle, Label, NoName};
pub use object::Muster;
pub use object::{
    Account, Address, Addresses, Admission, Admitted, Amendment, Answer, AnyObject, Assembly,
    BackingNodes, Ballot, Beacon, BillEntry, BillLine, Candidate, Capacity, CapacityRules, Cause,
    Closing, Commitment, Contract, ContractKind, ContractRules, ContractState, ContractStatus,
    Count, Deposit, Entry, EpochState, Failures, Farm, FarmName, FeedRules, Fees, Finding, Formula,
    Gang, GovernanceRules, Grace, GraceRules, Grid, GridKind, Heard, House, Independence, Item,
    KeyRole, Lock, MONTH_MS, MicroUsd, NextRules, Node, NodeState, Object, Parameters, Part, Parts,
    PastEpoch, Pay, PhonebookRules, Places, Policy, Post, PriceState, Prices, Progress, Proposal,
    ProposalState, Purse, Reason, Recall, Record, Recovery, RecoveryPlan, Refund, Release, Rent,
    Resources, Reward, RuleVersion, Seat, SeatList, SeatRules, Seats, SeatsBy, Service, Shape,
    Shares, Side, Split, Stand, Standing, Stands, Storage, Subject, Tally, TokenPrice, TokenSource,
    Totals, Turn, Twin, TwinKey, TwinKeys, TwinState, Verdict, Verdicts, Voice, WHOLE,
    WitnessRecord, Workload, are_dialable, place_bytes, proven_units,
};
pub use object::{Attestation, Certificate, CertificationRules, Merit, MeritRules};
pub use object::{ChaseParams, PlotParams, PuzzleParams};
pub use object::{
    Earnings, FarmRelease, Member, Members, MintReceiptObject, MintingRules, Policies, PolicyBook,
    ProposedMembers, Span, Sums,
};
pub use object::{Nap, Offence, Power, PowerRules, PowerState};
pub use price::storage_price;
pub use state::{State, proven};
pub use transaction::{
    Action, AdmissionOrder, JoinToken, NewBallot, NewCandidate, NewContract, NewKind, NewProposal,
    NewRecovery, NewService, NewStorage, NewWorkload, NodeOffer, Possession, RecoveryConsent,
    RecoveryVeto, Report, SignedJoinToken, SignedTransaction, Transaction, Verified,
};

//! The objects on the ledger. Each has one canonical encoding, pinned by a golden file.

mod account;
mod admission;
mod beacon;
mod bill;
mod certify;
mod contract;
mod epoch;
mod farm;
mod grid;
mod minting;
mod muster;
mod node;
mod offence;
mod parameters;
mod power;
mod price;
mod proposal;
mod seat;
mod terms;
mod twin;
mod units;
mod witness;

use acre_types::{ContractId, Epoch, FarmId, NodeId, PublicKey};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::key::Key;
use crate::name::Handle;

pub use account::Account;
pub use admission::{Admission, Admitted, Entry, Policy, Subject};
pub use beacon::{Beacon, Turn};
pub use bill::{
    BillEntry, BillLine, Closing, Deposit, Item, Lock, Part, Parts, Pay, Purse, Recall, Refund,
    Reward, Shares,
};
pub use certify::{Attestation, Certificate, CertificationRules, Merit, MeritRules};
pub use contract::{
    Answer, Cause, Contract, ContractKind, ContractState, ContractStatus, Gang, Places, Progress,
    Reason, Rent, Service, Stand, Stands, Storage, Workload, place_bytes,
};
pub use epoch::{
    CapacityRules, ChaseParams, EpochState, Independence, PastEpoch, PlotParams, PuzzleParams,
};
pub(crate) use farm::are_members;
pub use farm::{Farm, FarmName, FarmRelease, Member, Members, ProposedMembers};
pub use grid::{Grid, GridKind, Totals};
pub use minting::{Earnings, MintReceiptObject, MintingRules, Policies, PolicyBook, Span, Sums};
pub use muster::Muster;
pub use node::{Addresses, Capacity, Node, NodeState, Record, Resources, WitnessRecord};
pub use offence::Offence;
use parameters::bounded;
pub use parameters::{Fees, Parameters};
pub use power::{Nap, Power, PowerRules, PowerState};
pub use price::{
    Commitment, FeedRules, Formula, MONTH_MS, MicroUsd, Post, PriceState, Prices, Shape, Split,
    TokenPrice, TokenSource,
};
pub use proposal::{
    Amendment, Assembly, Ballot, Count, GovernanceRules, House, NextRules, Proposal, ProposalState,
    RuleVersion, Side, Voice,
};
pub use seat::{
    Address, BackingNodes, Candidate, Release, Seat, SeatList, SeatRules, Seats, SeatsBy, Standing,
    are_dialable,
};
pub use terms::{ContractRules, Grace, GraceRules};
pub use twin::{
    KeyRole, PhonebookRules, Recovery, RecoveryPlan, Twin, TwinKey, TwinKeys, TwinState,
};
pub use units::proven_units;
pub use witness::{Failures, Finding, Heard, Tally, Verdict, Verdicts, WHOLE};

/// What may stand in the map.
pub trait Object: BorshSerialize + BorshDeserialize + Clone {
    /// As the one of all objects; used by the overlay of a block.
    #[doc(hidden)]
    fn wrap(self) -> AnyObject;
    /// Back from [`Object::wrap`]; `None` for another type.
    #[doc(hidden)]
    fn unwrap(any: &AnyObject) -> Option<&Self>;
}

macro_rules! objects {
    (small: $($small:ident),*; large: $($large:ident),*) => {
        /// An object of any type. Not encoded itself: the key tells the type. What a block touches
        /// most is small and stands in place, the rest in a box.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is the type of its name")]
        pub enum AnyObject { $($small($small),)* $($large(Box<$large>)),* }

        impl AnyObject {
            /// The canonical bytes of the object within.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                match self {
                    $(Self::$small(object) => acre_codec::encode(object),)*
                    $(Self::$large(object) => acre_codec::encode(&**object)),*
                }
            }
        }

        $(impl Object for $small {
            fn wrap(self) -> AnyObject {
                AnyObject::$small(self)
            }
            fn unwrap(any: &AnyObject) -> Option<&Self> {
                match any {
                    AnyObject::$small(object) => Some(object),
                    _ => None,
                }
            }
        })*

        $(impl Object for $large {
            fn wrap(self) -> AnyObject {
                AnyObject::$large(Box::new(self))
            }
            fn unwrap(any: &AnyObject) -> Option<&Self> {
                match any {
                    AnyObject::$large(object) => Some(object),
                    _ => None,
                }
            }
        })*
    };
}

objects!(
    small: Account, Totals, Handle, FarmId, NodeId, ContractId, PublicKey, Beacon, Tally, Seats,
    Epoch;
    large: Twin, Farm, Node, Contract, Parameters, Grid, EpochState, Candidate, Recovery, Voice,
    Assembly, Proposal, Ballot, Admitted, BillLine, PriceState, Earnings,
    MintReceiptObject, PolicyBook, Certificate, Merit, Power, Offence, Muster
);

impl AnyObject {
    /// The object whose canonical bytes stand at `key`: for explorers and snapshots, which meet all
    /// types.
    ///
    /// # Errors
    /// Bytes that are no such object.
    pub fn decode(key: &Key, bytes: &[u8]) -> Result<Self, acre_codec::CodecError> {
        Ok(match key {
            Key::Grid => Self::Grid(acre_codec::decode(bytes)?),
            Key::Totals => Self::Totals(acre_codec::decode(bytes)?),
            Key::Parameters => Self::Parameters(acre_codec::decode(bytes)?),
            Key::Account(_) => Self::Account(acre_codec::decode(bytes)?),
            Key::Twin(_) => Self::Twin(acre_codec::decode(bytes)?),
            Key::TwinOf(_) | Key::HandleAt(_) => Self::Handle(acre_codec::decode(bytes)?),
            Key::Farm(_) => Self::Farm(acre_codec::decode(bytes)?),
            Key::FarmOf(..) => Self::FarmId(acre_codec::decode(bytes)?),
            Key::Node(_) => Self::Node(acre_codec::decode(bytes)?),
            Key::NodeAt(_) => Self::NodeId(acre_codec::decode(bytes)?),
            Key::Contract(_) => Self::Contract(acre_codec::decode(bytes)?),
            Key::ContractOf(..) => Self::ContractId(acre_codec::decode(bytes)?),
            Key::Epoch => Self::EpochState(acre_codec::decode(bytes)?),
            Key::Beacon => Self::Beacon(acre_codec::decode(bytes)?),
            Key::Tally(_) => Self::Tally(acre_codec::decode(bytes)?),
            Key::Earnings(_) => Self::Earnings(acre_codec::decode(bytes)?),
            Key::MintReceipt(..) => Self::MintReceiptObject(acre_codec::decode(bytes)?),
            Key::PolicyBook(_) => Self::PolicyBook(acre_codec::decode(bytes)?),
            Key::Seats => Self::Seats(acre_codec::decode(bytes)?),
            Key::Candidate(_) => Self::Candidate(acre_codec::decode(bytes)?),
            Key::CandidateAt(_) | Key::CandidateOf(_) => {
                Self::PublicKey(acre_codec::decode(bytes)?)
            }
            Key::Recovery(_) => Self::Recovery(acre_codec::decode(bytes)?),
            Key::Voice(_) => Self::Voice(acre_codec::decode(bytes)?),
            Key::Assembly => Self::Assembly(acre_codec::decode(bytes)?),
            Key::Proposal(_) => Self::Proposal(acre_codec::decode(bytes)?),
            Key::Ballot(..) => Self::Ballot(acre_codec::decode(bytes)?),
            Key::Admitted(_) => Self::Admitted(acre_codec::decode(bytes)?),
            Key::Bill(..) => Self::BillLine(acre_codec::decode(bytes)?),
            Key::Name(_) => Self::ContractId(acre_codec::decode(bytes)?),
            Key::Price => Self::PriceState(acre_codec::decode(bytes)?),
            Key::Certificate(_) => Self::Certificate(acre_codec::decode(bytes)?),
            Key::Merit(_) => Self::Merit(acre_codec::decode(bytes)?),
            Key::Power(_) => Self::Power(acre_codec::decode(bytes)?),
            Key::Gap => Self::Epoch(acre_codec::decode(bytes)?),
            Key::Offence(_) => Self::Offence(acre_codec::decode(bytes)?),
            Key::Muster => Self::Muster(acre_codec::decode(bytes)?),
        })
    }
}

//! Where each object stands in the map.

use acre_types::{AccountId, ContractId, Epoch, FarmId, NodeId, PublicKey};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::mint::PolicyId;
use crate::name::{Handle, Label};
use crate::object::{
    Account, Admitted, Assembly, Ballot, Beacon, BillLine, Candidate, Contract, EpochState, Farm,
    Grid, Node, Object, Parameters, PriceState, Proposal, Recovery, Seats, Subject, Tally, Totals,
    Twin, Voice,
};
use crate::object::{
    Certificate, Earnings, Merit, MintReceiptObject, Muster, Offence, PolicyBook, Power,
};

/// The address of an object. Its canonical bytes are one tag byte and the fields in order.
///
/// | tag | key | object |
/// |---|---|---|
/// | 0 | `Grid` | [`Grid`] |
/// | 1 | `Totals` | [`Totals`] |
/// | 2 | `Parameters` | [`Parameters`] |
/// | 3 | `Account(id)` | [`Account`] |
/// | 4 | `Twin(handle)` | [`Twin`] |
/// | 5 | `TwinOf(account)` | [`Handle`] |
/// | 6 | `Farm(id)`, 1 to `Totals::farms` | [`Farm`] |
/// | 7 | `FarmOf(account, i)`, i below `Account::farms` | [`FarmId`] |
/// | 8 | `Node(id)` | [`Node`] |
/// | 9 | `NodeAt(i)`, i below `Totals::nodes` | [`NodeId`] |
/// | 10 | `Contract(id)`, 1 to `Totals::contracts` | [`Contract`] |
/// | 11 | `ContractOf(account, i)`, i below `Account::contracts` | [`ContractId`] |
/// | 12 | `Epoch` | [`EpochState`] |
/// | 13 | `Beacon` | [`Beacon`] |
/// | 14 | `Tally(node)` | [`Tally`] |
/// | 15 | `Earnings(node)` | [`Earnings`] |
/// | 16 | `MintReceipt(node, period)` | [`MintReceiptObject`] |
/// | 17 | `PolicyBook(policy)` | [`PolicyBook`] |
/// | 18 | `Seats` | [`Seats`] |
/// | 19 | `Candidate(validator)` | [`Candidate`] |
/// | 20 | `CandidateAt(i)`, i below `Totals::candidates` | its [`PublicKey`] |
/// | 21 | `CandidateOf(account)` | its [`PublicKey`] |
/// | 22 | `Recovery(handle)` | [`Recovery`] |
/// | 23 | `HandleAt(i)`, i below `Totals::twins` | [`Handle`] |
/// | 24 | `Voice(account)` | [`Voice`] |
/// | 25 | `Assembly` | [`Assembly`] |
/// | 26 | `Proposal(i)`, i below `Totals::proposals` | [`Proposal`] |
/// | 27 | `Ballot(proposal, account)` | [`Ballot`] |
/// | 28 | `Admitted(subject)` | [`Admitted`] |
/// | 29 | `Bill(contract, i)`, i below `Contract::bills` | [`BillLine`] |
/// | 30 | `Name(label)` of a contract that is not closed | [`ContractId`] |
/// | 31 | `Price`, once a feed has posted | [`PriceState`] |
/// | 32 | `Certificate(farm)`, if somebody attested | [`Certificate`] |
/// | 33 | `Merit(node)`, once a period was paid | [`Merit`] |
/// | 34 | `Power(node)`, once it announced a nap | [`Power`] |
/// | 35 | `Gap`, once the grid stood still for an epoch or more | [`Epoch`] in which it went on |
/// | 36 | `Offence(validator)`, if one was proven | [`Offence`] |
/// | 37 | `Muster`, once one was called | the newest [`Muster`] |
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[expect(missing_docs, reason = "the table above says it all in one place")]
pub enum Key {
    Grid,
    Totals,
    Parameters,
    Account(AccountId),
    Twin(Handle),
    TwinOf(AccountId),
    Farm(FarmId),
    FarmOf(AccountId, u32),
    Node(NodeId),
    NodeAt(u32),
    Contract(ContractId),
    ContractOf(AccountId, u32),
    Epoch,
    Beacon,
    Tally(NodeId),
    Earnings(NodeId),
    MintReceipt(NodeId, u64),
    PolicyBook(PolicyId),
    Seats,
    Candidate(PublicKey),
    CandidateAt(u32),
    CandidateOf(AccountId),
    Recovery(Handle),
    HandleAt(u64),
    Voice(AccountId),
    Assembly,
    Proposal(u64),
    Ballot(u64, AccountId),
    Admitted(Subject),
    Bill(ContractId, u32),
    Name(Label),
    Price,
    Certificate(FarmId),
    Merit(NodeId),
    Power(NodeId),
    Gap,
    Offence(PublicKey),
    Muster,
}

impl Key {
    /// The canonical bytes, at most [`crate::limits::KEY_BYTES_MAX`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        acre_codec::encode(self)
    }
}

/// Something one can look up: knows its key and the type of what stands there, so that no reader
/// repeats the layout.
pub trait Lookup {
    /// What stands there.
    type Object: Object;
    /// Where it stands.
    fn key(&self) -> Key;
}

macro_rules! lookup {
    ($($(#[$doc:meta])* $name:ty => $object:ty, |$this:ident| $key:expr;)*) => {
        $(impl Lookup for $name {
            type Object = $object;
            fn key(&self) -> Key {
                let $this = self;
                $key
            }
        })*
    };
}

/// Looks up the [`Grid`].
#[derive(Clone, Copy, Debug)]
pub struct TheGrid;
/// Looks up the [`Totals`].
#[derive(Clone, Copy, Debug)]
pub struct TheTotals;
/// Looks up the [`Parameters`].
#[derive(Clone, Copy, Debug)]
pub struct TheParameters;
/// Looks up the [`EpochState`].
#[derive(Clone, Copy, Debug)]
pub struct TheEpoch;
/// Looks up what was reported of a node and not folded yet.
#[derive(Clone, Copy, Debug)]
pub struct TallyOf(pub NodeId);
/// Looks up what a node earned and was paid.
#[derive(Clone, Copy, Debug)]
pub struct EarningsOf(pub NodeId);
/// Looks up the receipt of a node for a period.
#[derive(Clone, Copy, Debug)]
pub struct MintReceiptOf(pub NodeId, pub u64);
/// Looks up the sums of a policy of minting.
#[derive(Clone, Copy, Debug)]
pub struct PolicyBookOf(pub PolicyId);
/// Looks up the [`Beacon`].
#[derive(Clone, Copy, Debug)]
pub struct TheBeacon;
/// Looks up the handle of an account's twin.
#[derive(Clone, Copy, Debug)]
pub struct TwinOf(pub AccountId);
/// Looks up the farm that an account made as its i-th, from 0.
#[derive(Clone, Copy, Debug)]
pub struct FarmOf(pub AccountId, pub u32);
/// Looks up the node that was registered as the i-th, from 0.
#[derive(Clone, Copy, Debug)]
pub struct NodeAt(pub u32);
/// Looks up the contract that an account made as its i-th, from 0.
#[derive(Clone, Copy, Debug)]
pub struct ContractOf(pub AccountId, pub u32);
/// Looks up the [`Seats`].
#[derive(Clone, Copy, Debug)]
pub struct TheSeats;
/// Looks up the candidate with this validator key.
#[derive(Clone, Copy, Debug)]
pub struct CandidateBy(pub PublicKey);
/// Looks up the key of the i-th candidate, in no lasting order, from 0.
#[derive(Clone, Copy, Debug)]
pub struct CandidateAt(pub u32);
/// Looks up the key of an account's candidate.
#[derive(Clone, Copy, Debug)]
pub struct CandidateOf(pub AccountId);
/// Looks up the recovery of a twin that runs.
#[derive(Clone, Debug)]
pub struct RecoveryOf(pub Handle);
/// Looks up the handle that was registered as the i-th, from 0.
#[derive(Clone, Copy, Debug)]
pub struct HandleAt(pub u64);
/// Looks up the tokens that an account locked to vote with.
#[derive(Clone, Copy, Debug)]
pub struct VoiceOf(pub AccountId);
/// Looks up the [`Assembly`].
#[derive(Clone, Copy, Debug)]
pub struct TheAssembly;
/// Looks up the i-th proposal, from 0.
#[derive(Clone, Copy, Debug)]
pub struct ProposalAt(pub u64);
/// Looks up an account's ballot on a proposal.
#[derive(Clone, Copy, Debug)]
pub struct BallotOf(pub u64, pub AccountId);
/// Looks up what was decided about a subject.
#[derive(Clone, Copy, Debug)]
pub struct AdmittedAs(pub Subject);
/// Looks up a line of a contract's bill, from 0.
#[derive(Clone, Copy, Debug)]
pub struct BillAt(pub ContractId, pub u32);
/// Looks up what the feeds say that a token is worth.
#[derive(Clone, Copy, Debug)]
pub struct ThePrice;
/// Looks up what was attested of a farm.
#[derive(Clone, Copy, Debug)]
pub struct CertificateOf(pub FarmId);
/// Looks up how many good periods a node has had in a row.
#[derive(Clone, Copy, Debug)]
pub struct MeritOf(pub NodeId);
/// Looks up the naps of a node.
#[derive(Clone, Copy, Debug)]
pub struct PowerOf(pub NodeId);
/// Looks up the epoch in which the grid went on when it last stood still.
#[derive(Clone, Copy, Debug)]
pub struct TheGap;
/// Looks up what was proven against a validator.
#[derive(Clone, Copy, Debug)]
pub struct OffenceOf(pub PublicKey);
/// Looks up the newest [`Muster`].
#[derive(Clone, Copy, Debug)]
pub struct TheMuster;

lookup! {
    TheGrid => Grid, |_this| Key::Grid;
    TheTotals => Totals, |_this| Key::Totals;
    TheParameters => Parameters, |_this| Key::Parameters;
    AccountId => Account, |this| Key::Account(*this);
    Handle => Twin, |this| Key::Twin(this.clone());
    TwinOf => Handle, |this| Key::TwinOf(this.0);
    FarmId => Farm, |this| Key::Farm(*this);
    FarmOf => FarmId, |this| Key::FarmOf(this.0, this.1);
    NodeId => Node, |this| Key::Node(*this);
    NodeAt => NodeId, |this| Key::NodeAt(this.0);
    ContractId => Contract, |this| Key::Contract(*this);
    ContractOf => ContractId, |this| Key::ContractOf(this.0, this.1);
    TheEpoch => EpochState, |_this| Key::Epoch;
    TheBeacon => Beacon, |_this| Key::Beacon;
    TallyOf => Tally, |this| Key::Tally(this.0);
    EarningsOf => Earnings, |this| Key::Earnings(this.0);
    MintReceiptOf => MintReceiptObject, |this| Key::MintReceipt(this.0, this.1);
    PolicyBookOf => PolicyBook, |this| Key::PolicyBook(this.0);
    TheSeats => Seats, |_this| Key::Seats;
    CandidateBy => Candidate, |this| Key::Candidate(this.0);
    CandidateAt => PublicKey, |this| Key::CandidateAt(this.0);
    CandidateOf => PublicKey, |this| Key::CandidateOf(this.0);
    RecoveryOf => Recovery, |this| Key::Recovery(this.0.clone());
    HandleAt => Handle, |this| Key::HandleAt(this.0);
    VoiceOf => Voice, |this| Key::Voice(this.0);
    TheAssembly => Assembly, |_this| Key::Assembly;
    ProposalAt => Proposal, |this| Key::Proposal(this.0);
    BallotOf => Ballot, |this| Key::Ballot(this.0, this.1);
    AdmittedAs => Admitted, |this| Key::Admitted(this.0);
    BillAt => BillLine, |this| Key::Bill(this.0, this.1);
    Label => ContractId, |this| Key::Name(this.clone());
    ThePrice => PriceState, |_this| Key::Price;
    CertificateOf => Certificate, |this| Key::Certificate(this.0);
    MeritOf => Merit, |this| Key::Merit(this.0);
    PowerOf => Power, |this| Key::Power(this.0);
    TheGap => Epoch, |_this| Key::Gap;
    OffenceOf => Offence, |this| Key::Offence(this.0);
    TheMuster => Muster, |_this| Key::Muster;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::KEY_BYTES_MAX;

    #[test]
    fn handle_is_checked_in_text_and_bytes() {
        for good in ["abc", "a-1", &"z".repeat(32)] {
            let handle: Handle = good.parse().unwrap();
            assert_eq!(acre_codec::decode::<Handle>(&acre_codec::encode(&handle)).unwrap(), handle);
        }
        for bad in ["", "ab", "-ab", "ab-", "aBc", "a.b", "äöü", &"z".repeat(33)] {
            assert!(bad.parse::<Handle>().is_err(), "{bad}");
            assert!(acre_codec::decode::<Handle>(&acre_codec::encode(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_key_fits_its_limit_and_has_its_tag() {
        let account = AccountId([255; 32]);
        let handle: Handle = "z".repeat(32).parse().unwrap();
        let keys = [
            Key::Grid,
            Key::Totals,
            Key::Parameters,
            Key::Account(account),
            Key::Twin(handle),
            Key::TwinOf(account),
            Key::Farm(FarmId(1)),
            Key::FarmOf(account, 2),
            Key::Node(NodeId([1; 32])),
            Key::NodeAt(3),
            Key::Contract(ContractId(4)),
            Key::ContractOf(account, 5),
            Key::Epoch,
            Key::Beacon,
            Key::Tally(NodeId([2; 32])),
            Key::Earnings(NodeId([3; 32])),
            Key::MintReceipt(NodeId([3; 32]), 4),
            Key::PolicyBook(PolicyId(5)),
            Key::Seats,
            Key::Candidate(PublicKey([6; 32])),
            Key::CandidateAt(7),
            Key::CandidateOf(account),
            Key::Recovery("z".repeat(32).parse().unwrap()),
            Key::HandleAt(8),
            Key::Voice(account),
            Key::Assembly,
            Key::Proposal(9),
            Key::Ballot(10, account),
            Key::Admitted(Subject::Validator(PublicKey([11; 32]))),
            Key::Bill(ContractId(6), 7),
            Key::Name("z".repeat(48).parse().unwrap()),
            Key::Price,
            Key::Certificate(FarmId(8)),
            Key::Merit(NodeId([9; 32])),
            Key::Power(NodeId([9; 32])),
            Key::Gap,
            Key::Offence(PublicKey([9; 32])),
            Key::Muster,
        ];
        for (tag, key) in keys.iter().enumerate() {
            let bytes = key.to_bytes();
            assert_eq!(usize::from(bytes[0]), tag, "{key:?}");
            assert!(bytes.len() <= KEY_BYTES_MAX, "{key:?}");
            assert_eq!(&acre_codec::decode::<Key>(&bytes).unwrap(), key);
        }
    }
}

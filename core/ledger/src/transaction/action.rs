//! What a transaction may ask for.

use acre_codec::List;
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Country, Digest, Epoch, FarmId, NodeId, PublicKey,
    Signature, Text,
};
use borsh::{BorshDeserialize, BorshSerialize};

use super::SignedJoinToken;
use super::contract::{NewContract, Report};
use crate::limits::{
    ADMITTERS_MAX, BALLOT_NODES_MAX, GANG_MAX, PLACES_MAX, REASON_BYTES_MAX, TEXT_BYTES_MAX,
    TWIN_KEYS_MAX,
};
use crate::mint::Certification;
use crate::name::Handle;
use crate::object::{
    Address, Addresses, Amendment, BackingNodes, Capacity, Entry, FarmName, Members, MicroUsd,
    NodeState, Places, RecoveryPlan, Side, Subject, TokenPrice, TwinKeys, Verdicts,
};
use crate::vote::Accusation;
/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Action {
    /// Pays another account.
    Transfer {
        /// Who receives.
        to: AccountId,
        /// How much, more than zero.
        amount: Amount,
    },
    /// Lets another key speak for the account from the next transaction on.
    RotateKey {
        /// The new key.
        key: PublicKey,
    },
    /// Takes a handle for the account, which has none yet.
    RegisterTwin {
        /// The name.
        handle: Handle,
        /// Its first keys.
        keys: TwinKeys,
    },
    /// Replaces the keys of the account's own twin and counts its epoch up.
    RotateTwin {
        /// The name.
        handle: Handle,
        /// The new keys.
        keys: TwinKeys,
    },
    /// Makes a farm.
    CreateFarm {
        /// For people.
        name: FarmName,
        /// Earns.
        payout: AccountId,
    },
    /// Changes name and payout account of an own farm.
    UpdateFarm {
        /// Which.
        farm: FarmId,
        /// The new name.
        name: FarmName,
        /// The new account that earns.
        payout: AccountId,
    },
    /// Joins a farm; `from` is the node itself. The farm's owner pays the fee.
    RegisterNode {
        /// The owner's consent.
        token: SignedJoinToken,
        /// What the node says of itself.
        offer: NodeOffer,
    },
    /// Replaces what a node says of itself; by the node (its owner pays), unless it was
    /// retired, or by the farm's owner.
    UpdateNode {
        /// Which.
        node: NodeId,
        /// The new capacity, not below what is reserved.
        capacity: Capacity,
        /// The new addresses.
        addresses: Addresses,
        /// Whether it takes new contracts.
        state: NodeState,
    },
    /// Makes a contract: reserves what it is about and locks its price.
    CreateContract(NewContract),
    /// Adds bytes, time, or both, and locks the price of that.
    ExtendContract {
        /// Which.
        contract: ContractId,
        /// To add: plain bytes of storage, or a workload's traffic; none to other kinds.
        bytes: Bytes,
        /// Time to add to its end.
        period_ms: u64,
    },
    /// Moves places of storage and adds spares. Old and new ones keep the rules of [`Action::CreateContract`].
    ChangePlaces {
        /// Which.
        contract: ContractId,
        /// Places to give up, each with the node that takes its position.
        replace: List<(NodeId, NodeId), PLACES_MAX>,
        /// Spares to append.
        add: Places,
    },
    /// Pays what is due and refunds the rest to the owner. By the owner, or the provider of a
    /// service.
    CancelContract {
        /// Which.
        contract: ContractId,
    },
    /// Pays what is due, and closes the contract if its time and its grace are over, or if nobody
    /// accepted it in time. Anyone may do this.
    SettleContract {
        /// Which.
        contract: ContractId,
    },
    /// Does a validator's part for the randomness, from the account of its key: free, once an
    /// epoch.
    TurnBeacon {
        /// The epoch that runs.
        epoch: Epoch,
        /// The secret committed to in the last epoch; `None` withholds it, or there is none.
        reveal: Option<Digest>,
        /// [`crate::beacon::commitment`] of the secret to reveal in the next epoch.
        commit: Digest,
    },
    /// Says what a witness found in the epoch that was just over, from its node's account: free,
    /// once an epoch, about the nodes it was to watch.
    ReportWitness {
        /// The epoch that is over.
        epoch: Epoch,
        /// At least one.
        verdicts: Verdicts,
    },
    /// Mints what a node earned in periods that are over. Anyone may do this; the farm is paid.
    ClaimReward {
        /// Which node.
        node: NodeId,
    },
    /// Adds to the stake of an own farm.
    StakeFarm {
        /// Which.
        farm: FarmId,
        /// How much, more than zero.
        amount: Amount,
    },
    /// Asks for part of the stake of an own farm, to be collected some epochs later.
    UnstakeFarm {
        /// Which.
        farm: FarmId,
        /// How much, more than zero.
        amount: Amount,
    },
    /// Pays back to the owner what is due of a farm's stake. Anyone may do this.
    CollectFarmStake {
        /// Which.
        farm: FarmId,
    },
    /// Says who shall share what an own farm earns. In effect once all have accepted who are
    /// members now or shall be; the owner does so by this.
    ProposeMembers {
        /// Which.
        farm: FarmId,
        /// The whole new list; empty to pay the farm's payout account again.
        members: Members,
    },
    /// Accepts what was proposed.
    AcceptMembers {
        /// Which.
        farm: FarmId,
        /// The list as proposed, so that nobody accepts another one.
        members: Members,
    },
    /// Stands for a seat; `from` gives the stake.
    RegisterCandidate(NewCandidate),
    /// Replaces addresses and nodes of the own candidate; a seat takes them with the next term.
    UpdateCandidate {
        /// Which.
        validator: PublicKey,
        /// Where other validators reach it.
        engine: Address,
        /// Where readers ask it.
        rpc: Address,
        /// Nodes of `from` that stand behind it.
        nodes: BackingNodes,
    },
    /// Adds to the stake of the own candidate.
    RaiseStake {
        /// Which.
        validator: PublicKey,
        /// How much, more than zero.
        amount: Amount,
    },
    /// Asks for part of the stake of the own candidate, to be collected some terms later.
    LowerStake {
        /// Which.
        validator: PublicKey,
        /// How much, more than zero.
        amount: Amount,
    },
    /// Gives up the seat or the wish for one. What is staked comes back some terms after the seat
    /// is lost.
    LeaveSeats {
        /// Which.
        validator: PublicKey,
    },
    /// Pays back what is due of a stake, and removes a candidate that left and has no more. Anyone
    /// may do this.
    CollectStake {
        /// Which.
        validator: PublicKey,
    },
    /// Says how the own twin may be recovered.
    PlanRecovery {
        /// Which.
        handle: Handle,
        /// The threshold and the delay; the default forbids it.
        plan: RecoveryPlan,
    },
    /// Begins to give a twin to another owner, with the consent of its recovery keys.
    OpenRecovery(NewRecovery),
    /// Calls a recovery off, by the owner or a present key.
    VetoRecovery {
        /// Which.
        handle: Handle,
        /// A key that signs for the twin or a device, and its signature of a
        /// [`super::RecoveryVeto`]; `None` if `from` is the owner.
        by: Option<(PublicKey, Signature)>,
    },
    /// Ends a recovery that nobody vetoed in time. The new owner does this itself; anyone may, if
    /// only keys change.
    CompleteRecovery {
        /// Which.
        handle: Handle,
    },
    /// Offers the own twin to another account, or takes the offer back.
    OfferTwin {
        /// Which.
        handle: Handle,
        /// To whom.
        to: Option<AccountId>,
    },
    /// Takes a twin over that was offered, with keys of one's own.
    AcceptTwin {
        /// Which.
        handle: Handle,
        /// The new keys.
        keys: TwinKeys,
    },
    /// Gives the own handle back.
    ReleaseTwin {
        /// Which.
        handle: Handle,
    },
    /// Locks tokens to vote with.
    LockVoice {
        /// How many.
        amount: Amount,
    },
    /// Unlocks tokens once nothing voted on with them is open.
    UnlockVoice {
        /// How many.
        amount: Amount,
    },
    /// Asks for a change of the rules.
    Propose(NewProposal),
    /// Votes, or votes anew.
    Vote(NewBallot),
    /// Has a ballot weighed again. Anyone may do this.
    WeighBallot {
        /// The proposal.
        proposal: u64,
        /// Whose ballot.
        voter: AccountId,
    },
    /// Counts the votes after the end. Anyone may do this.
    CloseProposal {
        /// Which.
        proposal: u64,
    },
    /// Puts into effect what was passed, after its time lock. Anyone may do this.
    EnactProposal {
        /// Which.
        proposal: u64,
    },
    /// Carries the decision of those who admit.
    OrderAdmission {
        /// Who.
        subject: Subject,
        /// In or out.
        entry: Entry,
        /// Each with its signature of a [`super::AdmissionOrder`].
        signatures: List<(PublicKey, Signature), ADMITTERS_MAX>,
    },
    /// Makes several contracts, all or none. Their time begins when all have accepted; if one
    /// comes to nothing before, all do.
    CreateGang {
        /// Which, two at least.
        contracts: List<NewContract, GANG_MAX>,
    },
    /// What a node says about a workload on it; by the node itself (its owner pays).
    ReportWorkload {
        /// Which.
        contract: ContractId,
        /// [`crate::Workload::reports`]: each number once.
        number: u64,
        /// Public traffic so far.
        traffic: Bytes,
        /// How it does.
        report: Report,
    },
    /// The provider agrees to a service.
    AcceptService {
        /// Which.
        contract: ContractId,
    },
    /// The provider bills use of a service since it last did.
    BillService {
        /// Which.
        contract: ContractId,
        /// How much, within what the contract allows for this time.
        amount: MicroUsd,
    },
    /// A feed says what a token is worth.
    PostPrice {
        /// In micro-USD.
        price: TokenPrice,
    },
    /// A certifier says that it saw evidence for a level of somebody else's farm.
    AttestFarm {
        /// Which.
        farm: FarmId,
        /// [`Certification::Certified`] or [`Certification::Gold`].
        level: Certification,
        /// Hash of the evidence.
        evidence: Digest,
        /// The word holds in epochs before this.
        until: Epoch,
    },
    /// Takes a certifier's word about a farm back; by the certifier, or by the farm's owner.
    RevokeAttestation {
        /// The farm.
        farm: FarmId,
        /// Whose word.
        by: AccountId,
    },
    /// Announces that an empty node sleeps; by the node (its owner pays) or by the farm's owner.
    SleepNode {
        /// Which.
        node: NodeId,
        /// The first epoch, later than the one that runs.
        from: Epoch,
        /// For how many.
        epochs: u16,
    },
    /// Ends a nap, or calls it off; by the node (its owner pays) or by the farm's owner.
    WakeNode {
        /// Which.
        node: NodeId,
    },
    /// Shows that a validator contradicted itself; from the account of one that holds a seat, free.
    AccuseValidator(Accusation),
}

impl Action {
    /// Whether the ledger asks no fee for it, and takes none: duties, which only those may do who
    /// have them, and once.
    #[must_use]
    pub const fn is_duty(&self) -> bool {
        matches!(
            self,
            Self::TurnBeacon { .. } | Self::ReportWitness { .. } | Self::AccuseValidator(_)
        )
    }
}

impl Action {
    /// Places whose nodes it may touch, as its fee counts them: twice those of a contract that it makes,
    /// which somebody will end, and as many as there can be where a contract is named by its number.
    #[must_use]
    pub fn places(&self) -> usize {
        match self {
            Self::CreateContract(new) => new.places().saturating_mul(2),
            Self::CreateGang { contracts } => {
                let places = contracts.iter().map(NewContract::places);
                places.fold(0_usize, usize::saturating_add).saturating_mul(2)
            }
            Self::ExtendContract { .. }
            | Self::ChangePlaces { .. }
            | Self::CancelContract { .. }
            | Self::SettleContract { .. } => PLACES_MAX,
            _ => 0,
        }
    }
}

/// A recovery as asked for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewRecovery {
    /// Which twin.
    pub handle: Handle,
    /// Will be the owner.
    pub owner: AccountId,
    /// Will be the keys.
    pub keys: TwinKeys,
    /// Recovery keys, each with its signature of a [`super::RecoveryConsent`].
    pub signatures: List<(PublicKey, Signature), TWIN_KEYS_MAX>,
}

/// A proposal as made.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewProposal {
    /// What is asked for.
    pub change: Amendment,
    /// Why.
    pub reason: Text<REASON_BYTES_MAX>,
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewBallot {
    /// On what.
    pub proposal: u64,
    /// For or against.
    pub side: Side,
    /// Own nodes whose capacity shall count.
    pub nodes: List<NodeId, BALLOT_NODES_MAX>,
}

/// One who stands for a seat.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewCandidate {
    /// Will sign its votes.
    pub validator: PublicKey,
    /// By `validator` over a [`super::Possession`].
    pub possession: Signature,
    /// Where other validators reach it: an IP address and a port.
    pub engine: Address,
    /// Where readers ask it: host and port.
    pub rpc: Address,
    /// Locked at once; may be zero where stake does not decide.
    pub stake: Amount,
    /// Nodes of `from` that stand behind it.
    pub nodes: BackingNodes,
}

/// What a node says of itself when it joins.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NodeOffer {
    /// House or hall; not empty.
    pub site: Text<TEXT_BYTES_MAX>,
    /// Where that is.
    pub country: Country,
    /// What it offers.
    pub capacity: Capacity,
    /// Where it may be dialled.
    pub addresses: Addresses,
}

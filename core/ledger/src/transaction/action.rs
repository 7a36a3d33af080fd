//! What a transaction may ask for.

use acre_codec::List;
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Country, Digest, Epoch, FarmId, NodeId, Profile,
    PublicKey, Signature, Text,
};
use borsh::{BorshDeserialize, BorshSerialize};

use super::SignedJoinToken;
use crate::key::Handle;
use crate::limits::{PLACES_MAX, TEXT_BYTES_MAX};
use crate::object::{
    Address, Addresses, BackingNodes, Capacity, FarmName, NodeState, Places, TwinKeys, Verdicts,
};

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
    /// Reserves storage and locks its price.
    CreateContract(NewContract),
    /// Adds bytes, time, or both, and locks the price of that.
    ExtendContract {
        /// Which.
        contract: ContractId,
        /// Plain bytes to add.
        bytes: Bytes,
        /// Time to add to its end.
        period_ms: u64,
    },
    /// Moves places and adds spares. Old and new ones keep the rules of [`Action::CreateContract`].
    ChangePlaces {
        /// Which.
        contract: ContractId,
        /// Places to give up, each with the node that takes its position.
        replace: List<(NodeId, NodeId), PLACES_MAX>,
        /// Spares to append.
        add: Places,
    },
    /// Pays what is due and refunds the rest to the owner, who alone may do this.
    CancelContract {
        /// Which.
        contract: ContractId,
    },
    /// Pays what is due, and closes the contract if its time is over. Anyone may do this.
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
}

impl Action {
    /// Whether the ledger asks no fee for it, and takes none: duties, which only those may do who
    /// have them, and once.
    #[must_use]
    pub const fn is_duty(&self) -> bool {
        matches!(self, Self::TurnBeacon { .. } | Self::ReportWitness { .. })
    }
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

/// A storage contract as asked for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewContract {
    /// The erasure code.
    pub profile: Profile,
    /// n primaries, then up to [`Profile::spares`] spares; distinct nodes, sites and operators
    /// (S3), where `tiny` may use several boxes of one operator.
    pub places: Places,
    /// Plain bytes, more than zero.
    pub bytes: Bytes,
    /// From now, in milliseconds, more than zero.
    pub period_ms: u64,
    /// Key whose signatures the places will accept.
    pub writer: PublicKey,
}

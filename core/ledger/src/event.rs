//! What a block did, for those who follow the ledger.

use acre_codec::List;
use acre_types::{AccountId, Amount, ContractId, Digest, Epoch, FarmId, NodeId, PublicKey, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::limits::{MEMBERS_TWICE, SEATS_MAX};
use crate::mint;
use crate::name::Handle;
use crate::object::{Entry, Places, ProposalState, Side, Subject, TokenPrice};
/// One thing that a block did. Carries ids and what is gone afterwards; the rest is in the
/// state.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Event {
    /// Tokens moved by [`crate::Action::Transfer`].
    Transferred {
        /// Who paid.
        from: AccountId,
        /// Who received.
        to: AccountId,
        /// How much.
        amount: Amount,
    },
    /// Another key speaks for an account.
    KeyRotated {
        /// The account.
        account: AccountId,
        /// Its new key.
        key: PublicKey,
    },
    /// A handle was taken.
    TwinRegistered {
        /// The name.
        handle: Handle,
        /// Whose it is.
        owner: AccountId,
    },
    /// A twin has new keys.
    TwinRotated {
        /// The name.
        handle: Handle,
        /// Epoch of the new keys.
        epoch: u64,
    },
    /// A farm was made.
    FarmCreated {
        /// Its number.
        farm: FarmId,
        /// Whose it is.
        owner: AccountId,
    },
    /// Name or payout account of a farm changed.
    FarmUpdated {
        /// Its number.
        farm: FarmId,
    },
    /// A node joined.
    NodeRegistered {
        /// The node.
        node: NodeId,
        /// Its farm.
        farm: FarmId,
    },
    /// Capacity, addresses or state of a node changed.
    NodeUpdated {
        /// The node.
        node: NodeId,
    },
    /// A contract was made.
    ContractCreated {
        /// Its number.
        contract: ContractId,
        /// Whose it is.
        owner: AccountId,
        /// Where.
        places: Places,
    },
    /// Bytes or time of a contract grew.
    ContractExtended {
        /// Its number.
        contract: ContractId,
    },
    /// Places of a contract changed.
    PlacesChanged {
        /// Its number.
        contract: ContractId,
        /// Nodes that no longer hold anything for it.
        left: Places,
        /// Nodes that are new.
        joined: Places,
    },
    /// A contract paid what was due.
    ContractPaid {
        /// Its number.
        contract: ContractId,
        /// To all farms together.
        farms: Amount,
        /// To the foundation account.
        foundation: Amount,
    },
    /// A contract is over; its places may drop its shards.
    ContractClosed {
        /// Its number.
        contract: ContractId,
        /// Tokens that went back to the owner.
        refund: Amount,
        /// Where it was.
        places: Places,
    },
    /// A validator did its part for the next seed.
    BeaconTurned {
        /// Which.
        validator: PublicKey,
    },
    /// A witness reported about the epoch that was over.
    WitnessReported {
        /// Who.
        witness: NodeId,
        /// Which epoch.
        epoch: Epoch,
    },
    /// The reports about a node were folded into its record.
    NodeFolded {
        /// The node.
        node: NodeId,
        /// Which epoch.
        epoch: Epoch,
        /// Share of the epoch for which it served, in millionths.
        uptime: u64,
        /// Reports that this is the median of.
        reports: u8,
    },
    /// A witness was far from the others: a strike.
    WitnessStruck {
        /// Who.
        witness: NodeId,
        /// About which node.
        node: NodeId,
        /// Which epoch.
        epoch: Epoch,
    },
    /// A period of a node was reckoned up; [`crate::Key::MintReceipt`] has the receipt.
    RewardMinted {
        /// The node.
        node: NodeId,
        /// Its farm, which was paid.
        farm: FarmId,
        /// Which period.
        period: u64,
        /// Whether it was paid, and why not.
        reason: mint::Reason,
        /// Tokens minted.
        amount: Amount,
    },
    /// A farm has more or less at stake.
    FarmStaked {
        /// Its number.
        farm: FarmId,
        /// The stake now, without what is on its way back.
        stake: Amount,
    },
    /// A farm lost stake for what its nodes failed to do.
    FarmPenalized {
        /// Its number.
        farm: FarmId,
        /// How much.
        amount: Amount,
    },
    /// The owner of a farm would like to share what it earns.
    MembersProposed {
        /// Its number.
        farm: FarmId,
        /// Who still has to agree.
        missing: List<AccountId, MEMBERS_TWICE>,
    },
    /// Somebody agreed to the members proposed.
    MembersAccepted {
        /// Its number.
        farm: FarmId,
        /// Who.
        by: AccountId,
    },
    /// A farm has other members.
    MembersChanged {
        /// Its number.
        farm: FarmId,
    },
    /// An epoch began; by the block itself, after the events of its transactions.
    EpochBegan {
        /// Which.
        epoch: Epoch,
        /// Decides who witnesses whom.
        seed: Digest,
        /// Epochs since the last one in which there was no block.
        skipped: u64,
    },
    /// Somebody would like a seat.
    CandidateRegistered {
        /// Its validator key.
        validator: PublicKey,
        /// Whose it is.
        account: AccountId,
    },
    /// Addresses, nodes, stake or standing of a candidate changed.
    CandidateUpdated {
        /// Its validator key.
        validator: PublicKey,
    },
    /// A candidate is gone, with all its stake paid back.
    CandidateRemoved {
        /// Its validator key.
        validator: PublicKey,
    },
    /// A candidate failed a duty and lost stake, which was burned.
    CandidatePenalized {
        /// Its validator key.
        validator: PublicKey,
        /// How much.
        amount: Amount,
    },
    /// A term ends: who makes the blocks of the next one is known.
    SeatsChosen {
        /// The next term.
        term: u64,
        /// Who is new, by key.
        joined: List<PublicKey, SEATS_MAX>,
        /// Who no longer sits, by key.
        left: List<PublicKey, SEATS_MAX>,
    },
    /// How a twin may be recovered changed.
    RecoveryPlanned {
        /// The name.
        handle: Handle,
    },
    /// Recovery keys want to give a twin to another owner: its present keys may veto.
    RecoveryOpened {
        /// The name.
        handle: Handle,
        /// Who shall own it.
        owner: AccountId,
        /// Until when a veto counts.
        completes: UnixMs,
    },
    /// A recovery was vetoed, called off or completed.
    RecoveryEnded {
        /// The name.
        handle: Handle,
    },
    /// A twin may be taken over, or no longer.
    TwinOffered {
        /// The name.
        handle: Handle,
        /// By whom.
        to: Option<AccountId>,
    },
    /// A twin has another owner and other keys.
    TwinHandedOver {
        /// The name.
        handle: Handle,
        /// The owner.
        to: AccountId,
        /// Epoch of the new keys.
        epoch: u64,
    },
    /// A handle was given back.
    TwinReleased {
        /// The name.
        handle: Handle,
    },
    /// Tokens to vote with were locked or unlocked.
    VoiceChanged {
        /// Whose.
        account: AccountId,
        /// How many are locked now.
        amount: Amount,
    },
    /// Somebody asks for a change.
    Proposed {
        /// Its number.
        proposal: u64,
        /// Who.
        proposer: AccountId,
    },
    /// A ballot was cast, changed or weighed again.
    Voted {
        /// On which proposal.
        proposal: u64,
        /// Who.
        voter: AccountId,
        /// For or against.
        side: Side,
    },
    /// A vote was counted.
    ProposalClosed {
        /// Its number.
        proposal: u64,
        /// What came of it.
        state: ProposalState,
    },
    /// A change is in effect.
    ProposalEnacted {
        /// Its number.
        proposal: u64,
    },
    /// Somebody was let in or put out.
    AdmissionDecided {
        /// Who.
        subject: Subject,
        /// In or out.
        entry: Entry,
    },
    /// Blocks are made by other rules from this one on.
    RulesBegan {
        /// Their version.
        version: u32,
    },
    /// The other side of a contract agreed to it; its time may have to wait for others of its gang.
    ContractAccepted {
        /// Its number.
        contract: ContractId,
    },
    /// The time of a contract that was pending has begun.
    ContractStarted {
        /// Its number.
        contract: ContractId,
    },
    /// A node said how a workload does.
    WorkloadReported {
        /// Its number.
        contract: ContractId,
        /// The node.
        node: NodeId,
    },
    /// A feed posted what a token is worth.
    PricePosted {
        /// The feed.
        feed: AccountId,
        /// What it said.
        posted: TokenPrice,
        /// What the ledger says from now on.
        price: TokenPrice,
    },
    /// A certifier gave its word for a farm.
    FarmAttested {
        /// Its number.
        farm: FarmId,
        /// Who.
        by: AccountId,
        /// For which level.
        level: mint::Certification,
        /// Does not hold in this epoch any more.
        until: Epoch,
    },
    /// The word of a certifier was taken back, or declined.
    AttestationRevoked {
        /// The farm.
        farm: FarmId,
        /// Whose word.
        by: AccountId,
    },
    /// A node will sleep.
    SleepAnnounced {
        /// The node.
        node: NodeId,
        /// The first epoch.
        from: Epoch,
        /// The first epoch in which it serves again.
        until: Epoch,
    },
    /// A contract or its farmer needs a node that sleeps or is about to.
    NodeCalled {
        /// The node.
        node: NodeId,
        /// The first epoch in which it serves again.
        until: Epoch,
    },
    /// A node was witnessed again after a nap.
    NapSettled {
        /// The node.
        node: NodeId,
        /// How long it slept, in milliseconds.
        slept_ms: u64,
        /// How much of it counts as time due.
        due_ms: u64,
        /// How much of it is paid like time up: none if the node was not back.
        up_ms: u64,
    },
    /// A validator was shown to have contradicted itself: it loses its seat when the term ends.
    ValidatorPunished {
        /// Its key.
        validator: PublicKey,
        /// The term of the votes.
        term: u64,
        /// Stake that was taken.
        taken: Amount,
        /// What the accuser got of it; the rest was burned.
        reward: Amount,
        /// The accuser.
        by: AccountId,
    },
    /// All nodes of the epoch are called to show their cores and memory.
    MusterCalled {
        /// Its number.
        number: u64,
        /// The epoch.
        epoch: Epoch,
        /// What the puzzles are made from.
        seed: Digest,
    },
}

/// That a transaction was applied.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// Its id.
    pub transaction: Digest,
    /// Who paid the fee.
    pub payer: AccountId,
    /// The fee, which was burned.
    pub fee: Amount,
    /// How many of the block's events are its own; they stand in the order of transactions, and
    /// what the block did by itself comes after them all.
    pub events: u32,
}

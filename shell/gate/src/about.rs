//! Which objects an event or an action is about: what an explorer links to, and what the replica
//! reads again.

use std::fmt;

use acre_ledger::{Action, Event, Handle, NewContract, NewKind};
use acre_types::{AccountId, Amount, ContractId, FarmId, NodeId, PublicKey};

/// The objects that something is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) twins: Vec<Handle>,
    pub(crate) farms: Vec<FarmId>,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) contracts: Vec<ContractId>,
    /// Validators, and candidates for seats.
    pub(crate) validators: Vec<PublicKey>,
    /// A proposal.
    pub(crate) proposal: Option<u64>,
    /// A capacity epoch.
    pub(crate) epoch: Option<u64>,
    /// Tokens that moved, all together.
    pub(crate) amount: Option<Amount>,
    /// Whether it is about what holds for all: parameters, the epoch, the beacon, seats.
    pub(crate) is_rule: bool,
}

impl About {
    fn account(mut self, id: AccountId) -> Self {
        self.accounts.push(id);
        self
    }

    fn twin(mut self, handle: &Handle) -> Self {
        self.twins.push(handle.clone());
        self
    }

    fn farm(mut self, id: FarmId) -> Self {
        self.farms.push(id);
        self
    }

    fn node(mut self, id: NodeId) -> Self {
        self.nodes.push(id);
        self
    }

    fn nodes<'a>(mut self, ids: impl IntoIterator<Item = &'a NodeId>) -> Self {
        self.nodes.extend(ids);
        self
    }

    fn asked(self, new: &NewContract) -> Self {
        match &new.kind {
            NewKind::Storage(storage) => self.nodes(storage.places.iter()),
            NewKind::Workload(workload) => self.node(workload.node),
            NewKind::Rent { node } => self.node(*node),
            NewKind::Service(service) => self.account(service.provider),
            NewKind::Name(_) => self,
        }
    }

    fn contract(mut self, id: ContractId) -> Self {
        self.contracts.push(id);
        self
    }

    fn validator(mut self, key: PublicKey) -> Self {
        self.validators.push(key);
        self
    }

    fn proposal(mut self, number: u64) -> Self {
        self.proposal = Some(number);
        self
    }

    fn rule(mut self) -> Self {
        self.is_rule = true;
        self
    }

    fn epoch(mut self, number: u64) -> Self {
        self.epoch = Some(number);
        self
    }

    fn amount(mut self, amount: Amount) -> Self {
        self.amount = Some(amount);
        self
    }

    /// What an event is about.
    pub(crate) fn event(event: &Event) -> Self {
        let about = Self::default();
        match event {
            Event::Transferred { from, to, amount } => {
                about.account(*from).account(*to).amount(*amount)
            }
            Event::KeyRotated { account, .. } => about.account(*account),
            Event::TwinRegistered { handle, owner } => about.twin(handle).account(*owner),
            Event::TwinRotated { handle, .. } => about.twin(handle),
            Event::FarmCreated { farm, owner } => about.farm(*farm).account(*owner),
            Event::FarmUpdated { farm } => about.farm(*farm),
            Event::NodeRegistered { node, farm } => about.node(*node).farm(*farm),
            Event::NodeUpdated { node } => about.node(*node),
            Event::ContractCreated { contract, owner, places } => {
                about.contract(*contract).account(*owner).nodes(places.iter())
            }
            Event::ContractExtended { contract } => about.contract(*contract),
            Event::PlacesChanged { contract, left, joined } => {
                about.contract(*contract).nodes(left.iter()).nodes(joined.iter())
            }
            Event::ContractPaid { contract, farms, foundation } => {
                let sum = Amount(farms.0.saturating_add(foundation.0));
                about.contract(*contract).amount(sum)
            }
            Event::ContractClosed { contract, refund, places } => {
                about.contract(*contract).amount(*refund).nodes(places.iter())
            }
            Event::BeaconTurned { validator } => about.validator(*validator).rule(),
            Event::EpochBegan { epoch, .. } | Event::MusterCalled { epoch, .. } => {
                about.epoch(epoch.0).rule()
            }
            Event::ContractAccepted { contract } | Event::ContractStarted { contract } => {
                about.contract(*contract)
            }
            Event::WorkloadReported { contract, node } => about.contract(*contract).node(*node),
            Event::PricePosted { feed, .. } => about.account(*feed),
            Event::SleepAnnounced { node, .. }
            | Event::NodeCalled { node, .. }
            | Event::NapSettled { node, .. } => about.node(*node),
            Event::ValidatorPunished { validator, by, taken, .. } => {
                about.validator(*validator).account(*by).amount(*taken)
            }
            Event::FarmAttested { farm, by, .. } | Event::AttestationRevoked { farm, by } => {
                about.farm(*farm).account(*by)
            }
            Event::WitnessReported { witness, epoch } => about.node(*witness).epoch(epoch.0),
            Event::NodeFolded { node, epoch, .. } => about.node(*node).epoch(epoch.0),
            Event::WitnessStruck { witness, node, epoch } => {
                about.node(*witness).node(*node).epoch(epoch.0)
            }
            Event::RewardMinted { node, farm, amount, .. } => {
                about.node(*node).farm(*farm).amount(*amount)
            }
            Event::FarmStaked { farm, stake } => about.farm(*farm).amount(*stake),
            Event::FarmPenalized { farm, amount } => about.farm(*farm).amount(*amount),
            Event::MembersProposed { farm, missing } => {
                missing.iter().fold(about.farm(*farm), |about, account| about.account(*account))
            }
            Event::MembersAccepted { farm, by } => about.farm(*farm).account(*by),
            Event::MembersChanged { farm } => about.farm(*farm),
            Event::CandidateRegistered { validator, account } => {
                about.validator(*validator).account(*account)
            }
            Event::CandidateUpdated { validator } | Event::CandidateRemoved { validator } => {
                about.validator(*validator)
            }
            Event::CandidatePenalized { validator, amount } => {
                about.validator(*validator).amount(*amount)
            }
            Event::SeatsChosen { joined, left, .. } => {
                let changed = joined.iter().chain(left.iter());
                changed.fold(about, |about, validator| about.validator(*validator)).rule()
            }
            Event::RecoveryPlanned { handle }
            | Event::RecoveryEnded { handle }
            | Event::TwinReleased { handle }
            | Event::TwinOffered { handle, .. } => about.twin(handle),
            Event::RecoveryOpened { handle, owner, .. } => about.twin(handle).account(*owner),
            Event::TwinHandedOver { handle, to, .. } => about.twin(handle).account(*to),
            Event::VoiceChanged { account, amount } => about.account(*account).amount(*amount),
            Event::Proposed { proposal, proposer } => about.proposal(*proposal).account(*proposer),
            Event::Voted { proposal, voter, .. } => about.proposal(*proposal).account(*voter),
            Event::ProposalClosed { proposal, .. } => about.proposal(*proposal),
            Event::ProposalEnacted { proposal } => about.proposal(*proposal).rule(),
            Event::AdmissionDecided { .. } => about,
            Event::RulesBegan { .. } => about.rule(),
        }
    }

    /// What an action is about, beside the account it is from.
    pub(crate) fn action(action: &Action) -> Self {
        let about = Self::default();
        match action {
            Action::Transfer { to, amount } => about.account(*to).amount(*amount),
            Action::RotateKey { .. } => about,
            Action::RegisterTwin { handle, .. } | Action::RotateTwin { handle, .. } => {
                about.twin(handle)
            }
            Action::CreateFarm { payout, .. } => about.account(*payout),
            Action::UpdateFarm { farm, payout, .. } => about.farm(*farm).account(*payout),
            Action::RegisterNode { token, .. } => about.farm(token.token.farm),
            Action::UpdateNode { node, .. } => about.node(*node),
            Action::CreateContract(new) => about.asked(new),
            Action::CreateGang { contracts } => contracts.iter().fold(about, Self::asked),
            Action::PostPrice { .. } => about,
            Action::SleepNode { node, .. } | Action::WakeNode { node } => about.node(*node),
            Action::AccuseValidator(accusation) => about.validator(accusation.validator),
            Action::AttestFarm { farm, .. } => about.farm(*farm),
            Action::RevokeAttestation { farm, by } => about.farm(*farm).account(*by),
            Action::ExtendContract { contract, .. }
            | Action::ReportWorkload { contract, .. }
            | Action::AcceptService { contract }
            | Action::BillService { contract, .. }
            | Action::CancelContract { contract }
            | Action::SettleContract { contract } => about.contract(*contract),
            Action::ChangePlaces { contract, replace, add } => {
                let (left, joined): (Vec<_>, Vec<_>) = replace.iter().copied().unzip();
                about.contract(*contract).nodes(&left).nodes(&joined).nodes(add.iter())
            }
            Action::TurnBeacon { epoch, .. } => about.epoch(epoch.0),
            Action::ReportWitness { epoch, verdicts } => {
                about.epoch(epoch.0).nodes(verdicts.iter().map(|verdict| &verdict.node))
            }
            Action::ClaimReward { node } => about.node(*node),
            Action::StakeFarm { farm, amount } | Action::UnstakeFarm { farm, amount } => {
                about.farm(*farm).amount(*amount)
            }
            Action::CollectFarmStake { farm } => about.farm(*farm),
            Action::ProposeMembers { farm, members } | Action::AcceptMembers { farm, members } => {
                members.iter().fold(about.farm(*farm), |about, it| about.account(it.account))
            }
            Action::RegisterCandidate(new) => {
                about.validator(new.validator).amount(new.stake).nodes(new.nodes.iter())
            }
            Action::UpdateCandidate { validator, nodes, .. } => {
                about.validator(*validator).nodes(nodes.iter())
            }
            Action::RaiseStake { validator, amount } | Action::LowerStake { validator, amount } => {
                about.validator(*validator).amount(*amount)
            }
            Action::LeaveSeats { validator } | Action::CollectStake { validator } => {
                about.validator(*validator)
            }
            Action::PlanRecovery { handle, .. }
            | Action::VetoRecovery { handle, .. }
            | Action::CompleteRecovery { handle }
            | Action::OfferTwin { handle, .. }
            | Action::AcceptTwin { handle, .. }
            | Action::ReleaseTwin { handle } => about.twin(handle),
            Action::OpenRecovery(new) => about.twin(&new.handle).account(new.owner),
            Action::LockVoice { amount } | Action::UnlockVoice { amount } => about.amount(*amount),
            Action::Vote(new) => about.proposal(new.proposal).nodes(new.nodes.iter()),
            Action::WeighBallot { proposal, voter } => about.proposal(*proposal).account(*voter),
            Action::CloseProposal { proposal } | Action::EnactProposal { proposal } => {
                about.proposal(*proposal)
            }
            Action::Propose(_) | Action::OrderAdmission { .. } => about,
        }
    }
}

/// The name of an enum's variant in snake case, as its `Debug` text begins: `NodeUpdated { .. }`
/// is `node_updated`.
pub(crate) fn kind(of: &impl fmt::Debug) -> String {
    let mut name = Name(String::new());
    // Stops the formatting with an error behind the name: the fields may be long.
    let _ = fmt::write(&mut name, format_args!("{of:?}"));
    name.0
}

struct Name(String);

impl fmt::Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if !letter.is_ascii_alphanumeric() {
                return Err(fmt::Error);
            }
            if letter.is_ascii_uppercase() && !self.0.is_empty() {
                self.0.push('_');
            }
            self.0.push(letter.to_ascii_lowercase());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_variant_as_json_does() {
        let farm = FarmId(1);
        assert_eq!(kind(&Event::FarmUpdated { farm }), "farm_updated");
        let contract = ContractId(1);
        assert_eq!(kind(&Action::CancelContract { contract }), "cancel_contract");
        assert_eq!(kind(&acre_ledger::NodeState::Active), "active");
    }
}

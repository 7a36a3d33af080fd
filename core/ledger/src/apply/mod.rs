//! What each transaction does.
//!
//! A transaction runs over the block's [`Overlay`]; if anything in it is refused, all it wrote is
//! undone. Order of checks: free ones first, then those that read, then those of signatures that
//! depend on the state (a join token's).

mod account;
mod accuse;
mod admission;
mod beacon;
mod certify;
mod contract;
mod epoch;
mod farm;
mod govern;
mod minting;
mod muster;
mod power;
mod price;
mod recovery;
mod seats;
mod stake;
mod twin;
mod witness;

use acre_types::{AccountId, Amount, Height, NodeId, UnixMs};

use crate::block::{Applied, BlockTime};
use crate::error::{Fault, Refusal, StateError};
use crate::event::{Event, Receipt};
use crate::key::TheTotals;
use crate::limits::{
    READS_A_VISIT, TRANSACTION_BYTES_MAX, VISITS_A_SIGNATURE, VISITS_BLOCK_MAX, VISITS_REFUSED_MAX,
};
use crate::object::{Account, Parameters, Subject, Totals};
use crate::overlay::Overlay;
use crate::state::State;
use crate::transaction::{Action, SignedTransaction, Verified};

/// The result of anything that a transaction does.
type Done<T = ()> = Result<T, Fault>;

/// A block in the making.
pub(crate) struct Work<'a> {
    overlay: Overlay<'a>,
    parameters: Parameters,
    height: Height,
    now: UnixMs,
    /// Time of the block before.
    before: UnixMs,
    events: Vec<Event>,
    /// Of the block itself; come last.
    own_events: Vec<Event>,
    receipts: Vec<Receipt>,
    /// Visits so far of what was not refused: places of contracts, objects and signatures that the
    /// bytes of a transaction do not tell.
    visits: u32,
    /// The same of what was refused, in a block in the making.
    visits_refused: u32,
}

impl<'a> Work<'a> {
    /// `rules_known` is the newest version of the rules that this program knows.
    pub(crate) fn new(
        state: &'a State,
        height: Height,
        time: BlockTime,
        rules_known: u32,
    ) -> Result<Self, StateError> {
        let mut work = Self {
            overlay: Overlay::new(state),
            parameters: state.parameters()?,
            height,
            now: time.now,
            before: time.before,
            events: Vec::new(),
            own_events: Vec::new(),
            receipts: Vec::new(),
            visits: 0,
            visits_refused: 0,
        };
        work.begin_rules(rules_known)?;
        work.begin()?;
        Ok(work)
    }

    /// What a block does before its transactions, even an empty one: a few reads, and nothing
    /// else unless something is due.
    fn begin(&mut self) -> Result<(), StateError> {
        self.begin_term()?;
        self.begin_epoch()?;
        self.call_muster()
    }

    /// What a block does after its transactions.
    fn end(&mut self) -> Result<(), StateError> {
        self.end_term()
    }

    /// Applies one transaction whole, or not at all.
    pub(crate) fn transaction(&mut self, transaction: &Verified) -> Done {
        let (events_before, own_before) = (self.events.len(), self.own_events.len());
        let visits_before = self.visits;
        self.overlay.begin();
        let done = self.run(transaction.signed(), transaction.bytes());
        match done {
            Ok(payer) => {
                let events = self.events.len().saturating_sub(events_before);
                self.receipts.push(Receipt {
                    transaction: transaction.id(),
                    payer,
                    fee: transaction.transaction().fee,
                    events: u32::try_from(events).unwrap_or(u32::MAX),
                });
                Ok(())
            }
            Err(fault) => {
                self.overlay.roll_back();
                self.events.truncate(events_before);
                self.own_events.truncate(own_before);
                // Who pays nothing shortens the budget of none who does.
                let vain = self.visits.saturating_sub(visits_before);
                self.visits_refused = self.visits_refused.saturating_add(vain);
                self.visits = visits_before;
                Err(fault)
            }
        }
    }

    pub(crate) fn finish(mut self) -> Result<Applied, StateError> {
        self.end()?;
        self.events.append(&mut self.own_events);
        let base = self.overlay.base().clone();
        let changes = self.overlay.into_changes();
        let state = if changes.is_empty() {
            base
        } else {
            let batch = changes.iter().map(|(key, value)| (&**key, value.as_deref()));
            base.with_map(base.map().update(batch))
        };
        Ok(Applied {
            height: self.height,
            time: self.now,
            root: state.root(),
            state,
            changes,
            events: self.events,
            receipts: self.receipts,
        })
    }

    /// Returns who paid the fee.
    fn run(&mut self, signed: &SignedTransaction, bytes: usize) -> Done<AccountId> {
        let payer = admit(&mut self.overlay, &self.parameters, self.now, signed, bytes)?;
        if needs_consent(&signed.transaction.action) {
            self.visit_to_verify()?;
            check_consent(&mut self.overlay, &self.parameters, signed)?;
        }
        let transaction = &signed.transaction;
        let from = transaction.from;
        self.burn(payer, transaction.fee)?;
        let mut account = self.account(from)?;
        account.nonce =
            account.nonce.checked_add(1).ok_or(Refusal::OutOfRange { what: "the nonce" })?;
        self.overlay.put(&from, account);
        match &transaction.action {
            Action::Transfer { to, amount } => self.transfer(from, *to, *amount),
            Action::RotateKey { key } => self.rotate_key(from, *key),
            Action::RegisterTwin { handle, keys } => self.register_twin(from, handle, keys),
            Action::RotateTwin { handle, keys } => self.rotate_twin(from, handle, keys),
            Action::CreateFarm { name, payout } => self.create_farm(from, name, *payout),
            Action::UpdateFarm { farm, name, payout } => {
                self.update_farm(from, *farm, name, *payout)
            }
            Action::RegisterNode { token, offer } => {
                self.register_node(NodeId(from.0), token.token.farm, offer)
            }
            Action::UpdateNode { node, capacity, addresses, state } => {
                self.update_node(from, *node, *capacity, addresses, *state)
            }
            Action::CreateContract(new) => self.create_contract(from, new),
            Action::ExtendContract { contract, bytes, period_ms } => {
                self.extend_contract(from, *contract, *bytes, *period_ms)
            }
            Action::ChangePlaces { contract, replace, add } => {
                self.change_places(from, *contract, replace, add)
            }
            Action::CancelContract { contract } => self.cancel_contract(from, *contract),
            Action::SettleContract { contract } => self.settle_contract(payer, *contract),
            Action::TurnBeacon { reveal, commit, .. } => self.turn_beacon(from, *reveal, *commit),
            Action::ReportWitness { epoch, verdicts } => {
                self.report_witness(from, *epoch, verdicts)
            }
            Action::ClaimReward { node } => self.claim_reward(*node),
            Action::StakeFarm { farm, amount } => self.stake_farm(from, *farm, *amount),
            Action::UnstakeFarm { farm, amount } => self.unstake_farm(from, *farm, *amount),
            Action::CollectFarmStake { farm } => self.collect_farm_stake(*farm),
            Action::ProposeMembers { farm, members } => self.propose_members(from, *farm, members),
            Action::AcceptMembers { farm, members } => self.accept_members(from, *farm, members),
            Action::RegisterCandidate(new) => self.register_candidate(from, new),
            Action::UpdateCandidate { validator, engine, rpc, nodes } => {
                self.update_candidate(from, *validator, engine, rpc, nodes)
            }
            Action::RaiseStake { validator, amount } => self.raise_stake(from, *validator, *amount),
            Action::LowerStake { validator, amount } => self.lower_stake(from, *validator, *amount),
            Action::LeaveSeats { validator } => self.leave_seats(from, *validator),
            Action::CollectStake { validator } => self.collect_stake(*validator),
            Action::PlanRecovery { handle, plan } => self.plan_recovery(from, handle, *plan),
            Action::OpenRecovery(new) => self.open_recovery(new),
            Action::VetoRecovery { handle, by } => self.veto_recovery(from, handle, by.as_ref()),
            Action::CompleteRecovery { handle } => self.complete_recovery(from, handle),
            Action::OfferTwin { handle, to } => self.offer_twin(from, handle, *to),
            Action::AcceptTwin { handle, keys } => self.accept_twin(from, handle, keys),
            Action::ReleaseTwin { handle } => self.release_twin(from, handle),
            Action::LockVoice { amount } => self.lock_voice(from, *amount),
            Action::UnlockVoice { amount } => self.unlock_voice(from, *amount),
            Action::Propose(new) => self.propose(from, new),
            Action::Vote(new) => self.vote(from, new),
            Action::WeighBallot { proposal, voter } => self.weigh_ballot(*proposal, *voter),
            Action::CloseProposal { proposal } => self.close_proposal(*proposal),
            Action::EnactProposal { proposal } => self.enact_proposal(*proposal),
            Action::OrderAdmission { subject, entry, signatures } => {
                self.order_admission(*subject, *entry, signatures)
            }
            Action::CreateGang { contracts } => self.create_gang(from, contracts),
            Action::ReportWorkload { contract, number, traffic, report } => {
                self.report_workload(NodeId(from.0), *contract, *number, *traffic, report)
            }
            Action::AcceptService { contract } => self.accept_service(from, *contract),
            Action::BillService { contract, amount } => self.bill_service(from, *contract, *amount),
            Action::PostPrice { price } => self.post_price(from, *price),
            Action::AttestFarm { farm, level, evidence, until } => {
                self.attest_farm(from, *farm, *level, *evidence, *until)
            }
            Action::RevokeAttestation { farm, by } => self.revoke_attestation(from, *farm, *by),
            Action::SleepNode { node, from: first, epochs } => {
                self.sleep_node(from, *node, *first, *epochs)
            }
            Action::WakeNode { node } => self.wake_node(from, *node),
            Action::AccuseValidator(accusation) => self.accuse(from, accusation),
        }?;
        Ok(payer)
    }

    /// Counts a visit to a place of a contract: work that the bytes of a transaction do not tell.
    fn visit(&mut self) -> Done {
        self.visits_of(1)
    }

    /// Counts the reading of so many objects that a transaction does not name one by one.
    fn visit_to_read(&mut self, objects: usize) -> Done {
        self.visits_of(objects.div_ceil(READS_A_VISIT))
    }

    /// Counts a signature that a transaction carries beside its own.
    fn visit_to_verify(&mut self) -> Done {
        self.visits_of(VISITS_A_SIGNATURE)
    }

    fn visits_of(&mut self, visits: usize) -> Done {
        self.visits = self.visits.saturating_add(u32::try_from(visits).unwrap_or(u32::MAX));
        if self.visits > VISITS_BLOCK_MAX || self.visits_refused >= VISITS_REFUSED_MAX {
            return Err(Refusal::BlockFull.into());
        }
        Ok(())
    }

    fn account(&mut self, id: AccountId) -> Result<Account, StateError> {
        Ok(self.overlay.get(&id)?.unwrap_or_default())
    }

    fn totals(&mut self) -> Result<Totals, StateError> {
        self.overlay.must(&TheTotals)
    }

    /// Takes tokens from an account.
    fn debit(&mut self, id: AccountId, amount: Amount) -> Done {
        let mut account = self.account(id)?;
        account.balance = account.balance.checked_sub(amount).ok_or(Refusal::NoFunds {
            account: id,
            held: account.balance,
            wanted: amount,
        })?;
        self.overlay.put(&id, account);
        Ok(())
    }

    /// Gives tokens to an account.
    fn credit(&mut self, id: AccountId, amount: Amount) -> Done {
        if amount == Amount::ZERO {
            return Ok(());
        }
        let mut account = self.account(id)?;
        account.balance = account
            .balance
            .checked_add(amount)
            .ok_or(StateError::Books { what: "a balance is more than was minted" })?;
        self.overlay.put(&id, account);
        Ok(())
    }

    /// Destroys a fee.
    fn burn(&mut self, payer: AccountId, fee: Amount) -> Done {
        if fee == Amount::ZERO {
            return Ok(());
        }
        self.debit(payer, fee)?;
        let mut totals = self.totals()?;
        totals.burned = totals
            .burned
            .checked_add(fee)
            .ok_or(StateError::Books { what: "more was burned than was minted" })?;
        self.overlay.put(&TheTotals, totals);
        Ok(())
    }
}

/// Everything that can be said before the transaction runs; returns who pays the fee.
fn admit(
    overlay: &mut Overlay<'_>,
    parameters: &Parameters,
    now: UnixMs,
    signed: &SignedTransaction,
    bytes: usize,
) -> Done<AccountId> {
    let transaction = &signed.transaction;
    if bytes > TRANSACTION_BYTES_MAX {
        return Err(Refusal::TooLarge { bytes, bytes_max: TRANSACTION_BYTES_MAX }.into());
    }
    let chain = overlay.base().grid().chain;
    if transaction.chain != chain {
        return Err(Refusal::WrongChain { given: transaction.chain, wanted: chain }.into());
    }
    let is_duty = transaction.action.is_duty();
    let least = if is_duty { Amount::ZERO } else { parameters.fee_of(&transaction.action, bytes) };
    let fee = transaction.fee;
    if fee < least {
        return Err(Refusal::FeeTooLow { given: fee, wanted: least }.into());
    }
    let from = transaction.from;
    let account = overlay.get(&from)?.unwrap_or_default();
    if account.key(from) != signed.key {
        return Err(Refusal::NotTheKey { account: from }.into());
    }
    let (given, wanted) = (transaction.nonce, account.nonce);
    if given < wanted {
        return Err(Refusal::NonceUsed { given, wanted }.into());
    }
    let payer = payer_of(overlay, parameters, now, signed)?;
    if (payer != from || is_duty) && fee > least {
        return Err(Refusal::FeeTooHigh { given: fee, wanted: least }.into());
    }
    if !is_duty {
        admission::check_admitted(overlay, parameters, Subject::Account(payer))?;
    }
    let held = overlay.get(&payer)?.unwrap_or_default().balance;
    if held < fee {
        return Err(Refusal::NoFunds { account: payer, held, wanted: fee }.into());
    }
    // Last of all: a pool keeps those that are ahead, so they must at least be able to pay.
    if given > wanted {
        return Err(Refusal::NonceAhead { given, wanted }.into());
    }
    Ok(payer)
}

/// Who pays, as far as it is cheap to find out whether he agreed to; for a duty, whether it is one.
fn payer_of(
    overlay: &mut Overlay<'_>,
    parameters: &Parameters,
    now: UnixMs,
    signed: &SignedTransaction,
) -> Done<AccountId> {
    let from = signed.transaction.from;
    match &signed.transaction.action {
        Action::RegisterNode { token, .. } => {
            // The node's key is what others will dial; a rotated one would not answer.
            if signed.key.0 != from.0 {
                return Err(Refusal::NotTheKey { account: from }.into());
            }
            farm::owner_by_token(overlay, now, NodeId(from.0), token)
        }
        Action::UpdateNode { node, .. }
        | Action::SleepNode { node, .. }
        | Action::WakeNode { node }
            if node.0 == from.0 =>
        {
            let known = overlay.get(node)?.ok_or(Refusal::NoSuchNode { node: *node })?;
            if !farm::may_update(from, *node, &known) {
                return Err(Refusal::NotYours { what: "the node" }.into());
            }
            Ok(known.operator)
        }
        Action::TurnBeacon { epoch, reveal, .. } => {
            beacon::admit_turn(overlay, from, *epoch, reveal.as_ref())?;
            Ok(from)
        }
        Action::ReportWitness { epoch, verdicts } => {
            witness::admit_report(overlay, from, *epoch, verdicts)?;
            Ok(from)
        }
        Action::AccuseValidator(accusation) => {
            accuse::admit_accusation(overlay, parameters, from, accusation)?;
            Ok(from)
        }
        Action::ReportWorkload { contract, .. } => {
            let wanted = overlay.get(contract)?;
            let wanted = wanted.ok_or(Refusal::NoSuchContract { contract: *contract })?;
            let node = NodeId(from.0);
            if wanted.workload().is_none_or(|workload| workload.node != node) {
                return Err(Refusal::NotYours { what: "the contract" }.into());
            }
            let known = overlay.must(&node)?;
            if !farm::may_update(from, node, &known) {
                return Err(Refusal::NotYours { what: "the node" }.into());
            }
            Ok(known.operator)
        }
        Action::SettleContract { contract } => {
            contract::settler(overlay, now, from, *contract, signed.transaction.fee)
        }
        _ => Ok(from),
    }
}

/// Whether [`check_consent`] has anything to look at.
const fn needs_consent(action: &Action) -> bool {
    matches!(action, Action::RegisterNode { .. } | Action::ReportWitness { .. })
}

/// What is dear to find out of those for which others pay: that he agreed, and that a duty is one.
/// Comes after the transaction's own signature, so that nobody makes others look for nothing.
fn check_consent(
    overlay: &mut Overlay<'_>,
    parameters: &Parameters,
    signed: &SignedTransaction,
) -> Done {
    let from = signed.transaction.from;
    match &signed.transaction.action {
        Action::RegisterNode { token, .. } => farm::check_token(overlay, token),
        Action::ReportWitness { verdicts, .. } => {
            let rule = parameters.capacity.independence;
            witness::check_duties(overlay, rule, from, verdicts)
        }
        _ => Ok(()),
    }
}

/// As [`crate::check_payer`].
pub(crate) fn check_payer(state: &State, signed: &SignedTransaction) -> Done {
    if !needs_consent(&signed.transaction.action) {
        return Ok(());
    }
    check_consent(&mut Overlay::new(state), &state.parameters()?, signed)
}

/// As [`crate::check_tx`].
pub(crate) fn check(state: &State, signed: &SignedTransaction, now: UnixMs) -> Done {
    let parameters = state.parameters()?;
    let bytes = signed.transaction.signed_bytes();
    admit(&mut Overlay::new(state), &parameters, now, signed, bytes).map(|_| ())
}

/// The number after `number`, in a row that the ledger counts itself.
fn next(number: u32) -> Done<u32> {
    number.checked_add(1).ok_or_else(|| Refusal::OutOfRange { what: "the count" }.into())
}

//! Contracts: capacity is reserved, its price is held in escrow and paid in proportion to time.
//!
//! A contract is paid for ahead, at the prices of the moment at which its tokens are locked. Due at
//! a time = escrow x (time - settled) / (expires - settled), rounded down; so it is never more than
//! is held, all of it is paid when the time is over, and how often somebody settles makes no
//! difference but for single units. Past its time the same goes on with the deposit, until grace is
//! over. Nothing is done for a contract as long as nobody touches it.

mod book;
mod gang;
mod name;
mod nodes;
mod rent;
mod service;
mod storage;
mod workload;

use acre_types::{AccountId, Amount, Bytes, ContractId, NodeId, UnixMs};

use self::book::Span;
use super::{Done, Work, farm, next};
use crate::bill::{self, share_of};
use crate::error::Refusal;
use crate::event::Event;
use crate::key::{ContractOf, ThePrice, TheTotals};
use crate::limits::CONTRACT_PERIOD_MS_MAX;
use crate::object::{
    Answer, Cause, Contract, ContractKind, ContractState, ContractStatus, Node, Parts, Places,
    Purse, Resources, Stand, TokenPrice,
};
use crate::overlay::Overlay;
use crate::price::{self, Terms};
use crate::transaction::{NewContract, NewKind};

const TOO_DEAR: Refusal = Refusal::OutOfRange { what: "the price of the contract" };
const BAD_BYTES: Refusal = Refusal::OutOfRange { what: "the bytes of the contract" };
const BAD_PERIOD: Refusal = Refusal::OutOfRange { what: "the period of the contract" };

impl Work<'_> {
    pub(super) fn create_contract(&mut self, from: AccountId, new: &NewContract) -> Done {
        let contract = self.make_contract(from, new)?;
        self.overlay.put(&contract.id.clone(), contract);
        Ok(())
    }

    /// The caller stores it.
    fn make_contract(&mut self, from: AccountId, new: &NewContract) -> Done<Contract> {
        let least = self.parameters.contracts.period_ms_min;
        if new.period_ms < least || new.period_ms > CONTRACT_PERIOD_MS_MAX {
            return Err(BAD_PERIOD.into());
        }
        let deadline = self.check_new(from, new)?;
        let begins = deadline.unwrap_or(self.now).max(self.now);
        let until = begins.0.checked_add(new.period_ms).ok_or(BAD_PERIOD)?;
        let nodes = nodes_of(&new.kind);
        let (mut stands, mut places) = (Vec::new(), Vec::new());
        let backed = match new.kind {
            NewKind::Storage(_) => Node::backed_storage,
            _ => Node::backed,
        };
        for node in nodes {
            let stand = self.stand(*node, from, UnixMs(until), backed)?;
            places.push(self.place_terms(*node, stand)?);
            stands.push(stand);
        }
        let token = self.token_price()?;
        let quote = price::quote(&self.parameters, token, new, &places)?;
        let wanted = quote.total().ok_or(TOO_DEAR)?;
        if wanted > new.budget {
            return Err(Refusal::OverBudget { wanted, budget: new.budget }.into());
        }
        let capacity = places.first().map(|place| place.capacity).unwrap_or_default();
        let state = match deadline {
            None => ContractState::Open,
            Some(deadline) => ContractState::Pending { deadline, answer: Answer::Awaited },
        };
        let mut contract = Contract {
            id: self.next_contract(from)?,
            owner: from,
            kind: price::kind_of(new, capacity, self.now),
            created: self.now,
            since: self.now,
            settled: self.now,
            expires: UnixMs(self.now.0.saturating_add(new.period_ms)),
            grace: quote.grace,
            escrow: Amount::ZERO,
            listed: Amount::ZERO,
            usage: Amount::ZERO,
            deposit: Amount::ZERO,
            closing: Amount::ZERO,
            paid: Amount::ZERO,
            paid_listed: Amount::ZERO,
            stands: stands.try_into().map_err(|_| BAD_BYTES)?,
            bills: 0,
            gang: None,
            state,
        };
        self.check_cap(new, &contract, token)?;
        self.take_hold(&contract)?;
        let span = Span { from: contract.settled, to: contract.expires };
        self.lock_lines(&mut contract, span, &quote.lines)?;
        self.lock_deposit(&mut contract, quote.deposit)?;
        self.lock_closing(&mut contract, quote.closing)?;
        self.events.push(Event::ContractCreated {
            contract: contract.id,
            owner: from,
            places: places_of(&contract),
        });
        Ok(contract)
    }

    /// The rules of each kind. Returns until when somebody else has to agree.
    fn check_new(&mut self, from: AccountId, new: &NewContract) -> Done<Option<UnixMs>> {
        match &new.kind {
            NewKind::Storage(storage) => self.check_storage(storage).map(|()| None),
            NewKind::Workload(workload) => {
                self.check_workload(workload)?;
                self.check_deadline(workload.deadline).map(Some)
            }
            NewKind::Rent { node } => self.check_rent(*node).map(|()| None),
            NewKind::Name(label) => self.check_name(label).map(|()| None),
            NewKind::Service(service) => {
                if service.provider == from {
                    return Err(Refusal::OutOfRange { what: "a service to oneself" }.into());
                }
                self.check_deadline(service.deadline).map(Some)
            }
        }
    }

    fn check_deadline(&self, deadline: UnixMs) -> Done<UnixMs> {
        let most = self.now.0.saturating_add(self.parameters.contracts.answer_ms_max);
        if deadline <= self.now || deadline.0 > most {
            return Err(Refusal::OutOfRange { what: "the deadline of the contract" }.into());
        }
        Ok(deadline)
    }

    /// Reserves what the contract is about, or takes its name.
    fn take_hold(&mut self, contract: &Contract) -> Done {
        match &contract.kind {
            ContractKind::Rent(rent) => self.take_node(rent.node, contract.id),
            ContractKind::Name(label) => {
                self.overlay.put(label, contract.id);
                Ok(())
            }
            _ => {
                let resources = resources_of(&contract.kind);
                for node in contract.nodes() {
                    self.reserve(*node, resources)?;
                }
                match &contract.kind {
                    ContractKind::Workload(workload) => self.ask_for(workload.node, resources),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Gives back what [`Self::take_hold`] took.
    fn release_all(&mut self, contract: &Contract) -> Done {
        match &contract.kind {
            ContractKind::Rent(rent) => self.give_node_back(rent.node),
            ContractKind::Name(label) => {
                self.overlay.remove(label)?;
                Ok(())
            }
            _ => {
                let resources = resources_of(&contract.kind);
                for node in contract.nodes() {
                    self.release(*node, resources)?;
                }
                Ok(())
            }
        }
    }

    /// A contract past its time may be extended until its grace is over; the gap is paid, too.
    pub(super) fn extend_contract(
        &mut self,
        from: AccountId,
        id: ContractId,
        bytes: Bytes,
        period_ms: u64,
    ) -> Done {
        if bytes.0 == 0 && period_ms == 0 {
            return Err(Refusal::NothingToDo.into());
        }
        let mut contract = self.own_contract(from, id)?;
        self.check_started(&contract)?;
        if contract.status(self.now) == ContractStatus::Over {
            return Err(Refusal::ContractOver { contract: id }.into());
        }
        self.settle(&mut contract)?;
        let expires = contract.expires.0.checked_add(period_ms).ok_or(BAD_PERIOD)?;
        let ahead = expires.checked_sub(self.now.0).ok_or(BAD_PERIOD)?;
        if ahead == 0 || ahead > CONTRACT_PERIOD_MS_MAX {
            return Err(BAD_PERIOD.into());
        }
        self.check_rented_places(&contract, UnixMs(expires))?;
        let old = contract.clone();
        contract.expires = UnixMs(expires);
        self.grow(&mut contract, bytes)?;
        self.lock_growth(&mut contract, &old, bytes, period_ms)?;
        self.overlay.put(&id, contract);
        self.events.push(Event::ContractExtended { contract: id });
        Ok(())
    }

    /// Adds bytes to what a contract is about.
    fn grow(&mut self, contract: &mut Contract, bytes: Bytes) -> Done {
        let id = contract.id;
        match &mut contract.kind {
            ContractKind::Storage(_) if bytes.0 == 0 => Ok(()),
            ContractKind::Storage(_) => {
                self.grow_storage(contract, bytes)?;
                self.back_anew(contract)
            }
            ContractKind::Workload(workload) => {
                let traffic = workload.traffic.0.checked_add(bytes.0).ok_or(BAD_BYTES)?;
                workload.traffic = Bytes(traffic);
                Ok(())
            }
            _ if bytes.0 == 0 => Ok(()),
            _ => Err(Refusal::WrongKind { contract: id }.into()),
        }
    }

    /// Locks the price of what the contract now has more than before, at the prices of now: what
    /// is held so far pays for the old things until the old end.
    fn lock_growth(
        &mut self,
        contract: &mut Contract,
        old: &Contract,
        bytes: Bytes,
        period_ms: u64,
    ) -> Done {
        let from = contract.settled.0;
        let whole_ms = u128::from(contract.expires.0.saturating_sub(from));
        let held_ms = u128::from(old.expires.0.saturating_sub(from));
        let prices = self.parameters.prices.clone();
        let terms = Terms { prices: &prices, token: self.token_price()?, weight: weight(contract) };
        let before = terms.rates(&old.kind);
        let discount = prices.discount(contract.expires.0.saturating_sub(self.now.0));
        let mut lines = terms.locks(&terms.rates(&contract.kind), discount, |rate| {
            let before = before.iter().find(|before| before.item == rate.item);
            let held = before.map_or(0, |before| before.per_ms).checked_mul(held_ms)?;
            Some(rate.per_ms.checked_mul(whole_ms)?.saturating_sub(held))
        })?;
        let metered = match &mut contract.kind {
            ContractKind::Workload(_) => vec![terms.traffic(bytes)],
            ContractKind::Service(service) => {
                let more = price::for_time(service.variable_hour, period_ms);
                let left = service.variable_left.0.checked_add(more.0).ok_or(TOO_DEAR)?;
                service.variable_left.0 = left;
                terms.metered(&contract.kind, period_ms)
            }
            _ => Vec::new(),
        };
        lines.extend(terms.locks(&metered, 0, |rate| Some(rate.per_ms))?);
        let now = quantity(contract);
        self.mix_stay(contract, quantity(old), now);
        let span = Span { from: contract.settled, to: contract.expires };
        self.lock_lines(contract, span, &lines)?;
        self.top_up_deposit(contract)
    }

    /// After every change of the price: grace is as long as the whole contract deserves, and
    /// paid for.
    fn top_up_deposit(&mut self, contract: &mut Contract) -> Done {
        let whole_ms = contract.expires.0.saturating_sub(contract.created.0);
        let grace = self.parameters.grace.of(whole_ms);
        contract.grace.freeze_ms = contract.grace.freeze_ms.max(grace.freeze_ms);
        contract.grace.archive_ms = contract.grace.archive_ms.max(grace.archive_ms);
        let ahead_ms = contract.expires.0.saturating_sub(contract.settled.0);
        let grace_ms = contract.grace.whole_ms();
        let deposit = bill::deposit(contract.listed, ahead_ms, grace_ms, contract.deposit);
        self.lock_deposit(contract, deposit.ok_or(TOO_DEAR)?)
    }

    pub(super) fn cancel_contract(&mut self, from: AccountId, id: ContractId) -> Done {
        let mut contract = self.open_contract(id)?;
        let is_provider = matches!(&contract.kind,
            ContractKind::Service(service) if service.provider == from);
        if contract.owner != from && !is_provider {
            return Err(Refusal::NotYours { what: "the contract" }.into());
        }
        if matches!(contract.state, ContractState::Pending { .. }) {
            return self.abandon(&contract, Cause::Cancelled, None);
        }
        if let ContractKind::Rent(rent) = &contract.kind {
            self.check_empty(rent.node)?;
        }
        let parts = self.settle(&mut contract)?;
        if !is_provider {
            self.recall(&mut contract, parts)?;
        }
        self.close(contract, Cause::Cancelled, None)
    }

    /// Pays up to now, and closes what is over: who paid for that has his fee back from what the
    /// contract kept for it.
    pub(super) fn settle_contract(&mut self, payer: AccountId, id: ContractId) -> Done {
        let mut contract = self.open_contract(id)?;
        if let ContractState::Pending { deadline, .. } = contract.state {
            if self.now < deadline {
                return Err(Refusal::NotAccepted { contract: id }.into());
            }
            return self.abandon(&contract, Cause::Unanswered, Some(payer));
        }
        let is_over = contract.status(self.now) == ContractStatus::Over;
        // Before any place is visited: who is refused pays nothing for it.
        if !is_over && !self.is_due(&contract) {
            return Err(Refusal::NothingToDo.into());
        }
        let bills = contract.bills;
        self.settle(&mut contract)?;
        if is_over {
            return self.close(contract, Cause::Expired, Some(payer));
        }
        if contract.bills == bills {
            return Err(Refusal::NothingToDo.into());
        }
        self.overlay.put(&id, contract);
        Ok(())
    }

    /// Pays everybody up to now: first for the time that was paid for, then for grace. Does nothing
    /// while less than one unit is due. The caller stores the contract. Returns how the nodes
    /// share.
    fn settle(&mut self, contract: &mut Contract) -> Done<Parts> {
        if !self.is_due(contract) {
            return Ok(self.take_served(contract, 0)?.parts);
        }
        let Unsettled { time, grace } = self.unsettled(contract);
        let served = self.take_served(contract, time.part())?;
        self.pay(contract, Purse::Time, time.share(), time.span, &served)?;
        contract.settled = time.span.to;
        if grace.part() > 0 {
            let late = self.take_served(contract, grace.part())?;
            self.pay(contract, Purse::Grace, grace.share(), grace.span, &late)?;
            contract.settled = grace.span.to;
        }
        Ok(served.parts)
    }

    /// Whether at least one unit of a purse is to be paid.
    fn is_due(&self, contract: &Contract) -> bool {
        let Unsettled { time, grace } = self.unsettled(contract);
        let due = |amount: Amount, part: OfTime| {
            let (part, whole) = part.share();
            share_of(amount, part, whole) != Amount::ZERO
        };
        due(contract.listed, time) || due(contract.deposit, grace)
    }

    /// The time since a contract was settled: what was paid for, and what is grace.
    fn unsettled(&self, contract: &Contract) -> Unsettled {
        let (settled, expires) = (contract.settled, contract.expires);
        let until = self.now.min(expires).max(settled);
        let time = OfTime { span: Span { from: settled, to: until }, end: expires };
        let (from, end) = (settled.max(expires), contract.grace_end());
        let grace = OfTime { span: Span { from, to: self.now.min(end).max(from) }, end };
        Unsettled { time, grace }
    }

    /// Refunds what is left, and gives back what was reserved.
    fn close(&mut self, mut contract: Contract, cause: Cause, settler: Option<AccountId>) -> Done {
        if let ContractState::Pending { answer: Answer::Awaited, .. } = contract.state {
            self.answered(&contract)?;
        }
        self.release_all(&contract)?;
        if let Some(settler) = settler {
            self.reward(&mut contract, settler)?;
        }
        let refund = self.refund(&mut contract)?;
        contract.state = ContractState::Closed { at: self.now, cause };
        let (id, places) = (contract.id, places_of(&contract));
        self.overlay.put(&id, contract);
        self.events.push(Event::ContractClosed { contract: id, refund, places });
        Ok(())
    }

    fn open_contract(&mut self, id: ContractId) -> Done<Contract> {
        let contract = self.overlay.get(&id)?.ok_or(Refusal::NoSuchContract { contract: id })?;
        match contract.state {
            ContractState::Pending { .. } | ContractState::Open => Ok(contract),
            ContractState::Closed { .. } => Err(Refusal::ContractOver { contract: id }.into()),
        }
    }

    fn own_contract(&mut self, from: AccountId, id: ContractId) -> Done<Contract> {
        let contract = self.open_contract(id)?;
        if contract.owner != from {
            return Err(Refusal::NotYours { what: "the contract" }.into());
        }
        Ok(contract)
    }

    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    fn check_started(&self, contract: &Contract) -> Done {
        match contract.state {
            ContractState::Pending { .. } => {
                Err(Refusal::NotAccepted { contract: contract.id }.into())
            }
            _ => Ok(()),
        }
    }

    fn next_contract(&mut self, owner: AccountId) -> Done<ContractId> {
        let mut totals = self.totals()?;
        let number =
            totals.contracts.checked_add(1).ok_or(Refusal::OutOfRange { what: "the count" })?;
        totals.contracts = number;
        self.overlay.put(&TheTotals, totals);
        let mut account = self.account(owner)?;
        self.overlay.put(&ContractOf(owner, account.contracts), ContractId(number));
        account.contracts = next(account.contracts)?;
        self.overlay.put(&owner, account);
        Ok(ContractId(number))
    }

    pub(super) fn token_price(&mut self) -> Done<TokenPrice> {
        let state = self.overlay.get(&ThePrice)?;
        Ok(price::token_price(&self.parameters.prices, state.as_ref()))
    }
}

/// Who pays for settling a contract: its sender; for a node of that very contract its operator, if the
/// contract is closed by it and kept so much for whoever does, so that he has all of it back.
pub(super) fn settler(
    overlay: &mut Overlay<'_>,
    now: UnixMs,
    from: AccountId,
    id: ContractId,
    fee: Amount,
) -> Done<AccountId> {
    let node = NodeId(from.0);
    let Some(contract) = overlay.get(&id)? else { return Ok(from) };
    let is_closed_by_it = match contract.state {
        ContractState::Pending { deadline, .. } => now >= deadline,
        ContractState::Open => contract.status(now) == ContractStatus::Over,
        ContractState::Closed { .. } => false,
    };
    if !contract.nodes().contains(&node) || !is_closed_by_it || contract.closing < fee {
        return Ok(from);
    }
    let known = overlay.must(&node)?;
    Ok(if farm::may_update(from, node, &known) { known.operator } else { from })
}

/// A time that is to be settled, of one that is paid for until `end`.
#[derive(Clone, Copy)]
struct OfTime {
    span: Span,
    end: UnixMs,
}

impl OfTime {
    /// Milliseconds of it.
    const fn part(&self) -> u64 {
        self.span.to.0.saturating_sub(self.span.from.0)
    }

    /// These, and those of the whole.
    const fn share(&self) -> (u64, u64) {
        (self.part(), self.end.0.saturating_sub(self.span.from.0))
    }
}

/// What is to be settled of a contract.
struct Unsettled {
    time: OfTime,
    grace: OfTime,
}

/// The nodes that a new contract asks for.
fn nodes_of(kind: &NewKind) -> &[NodeId] {
    match kind {
        NewKind::Storage(storage) => &storage.places,
        NewKind::Workload(workload) => std::slice::from_ref(&workload.node),
        NewKind::Rent { node } => std::slice::from_ref(node),
        NewKind::Name(_) | NewKind::Service(_) => &[],
    }
}

/// What a contract reserves at each of its nodes.
fn resources_of(kind: &ContractKind) -> Resources {
    match kind {
        ContractKind::Storage(storage) => Resources::storage(storage.place_bytes()),
        ContractKind::Workload(workload) => workload.resources,
        _ => Resources::default(),
    }
}

fn places_of(contract: &Contract) -> Places {
    contract.nodes().to_vec().try_into().expect("a contract has no more nodes than places")
}

/// How much of what discounts are given on a contract is about.
fn quantity(contract: &Contract) -> u128 {
    let bytes = contract.storage().map_or(1, |storage| storage.place_bytes().0);
    u128::from(bytes).saturating_mul(weight(contract).into())
}

fn weight(contract: &Contract) -> u32 {
    contract.stands.iter().fold(0, |sum: u32, stand: &Stand| sum.saturating_add(stand.weight))
}

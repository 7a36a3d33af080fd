//! Storage contracts: space is reserved at every place, its price is held in escrow and paid to the
//! farms in proportion to time.
//!
//! Due at a time = escrow x (time - settled) / (expires - settled), rounded down; so it is never more
//! than is held, all of it is paid when the time is over, and how often somebody settles makes no
//! difference but for single units. Of what is due, [`FOUNDATION_PERCENT`] (rounded down) goes to
//! the foundation; the rest is split evenly over the places, odd units to the first ones.

use std::collections::{BTreeMap, BTreeSet};

use acre_codec::List;
use acre_types::{AccountId, Amount, Bytes, ContractId, NodeId, Profile, UnixMs};

use super::{Done, Work, next};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::key::{ContractOf, TheTotals};
use crate::limits::{CONTRACT_BYTES_MAX, CONTRACT_PERIOD_MS_MAX, FOUNDATION_PERCENT, PLACES_MAX};
use crate::object::{
    ContractState, ContractStatus, Node, NodeState, Places, StorageContract, place_bytes,
};
use crate::price::price_of;
use crate::transaction::NewContract;

const TOO_DEAR: Refusal = Refusal::OutOfRange { what: "the price of the contract" };
const BAD_BYTES: Refusal = Refusal::OutOfRange { what: "the bytes of the contract" };
const BAD_PERIOD: Refusal = Refusal::OutOfRange { what: "the period of the contract" };

impl Work<'_> {
    pub(super) fn create_contract(&mut self, from: AccountId, new: &NewContract) -> Done {
        if new.period_ms == 0 || new.period_ms > CONTRACT_PERIOD_MS_MAX {
            return Err(BAD_PERIOD.into());
        }
        if new.bytes.0 == 0 || new.bytes > CONTRACT_BYTES_MAX {
            return Err(BAD_BYTES.into());
        }
        self.check_places(new.profile, &new.places)?;
        let share = place_bytes(new.profile, new.bytes);
        for node in new.places.iter() {
            self.reserve(*node, share)?;
        }
        let byte_ms = byte_ms(share, new.places.len(), new.period_ms)?;
        let escrow = price_of(&self.parameters, byte_ms).ok_or(TOO_DEAR)?;
        let id = self.next_contract(from)?;
        self.lock(from, escrow)?;
        let expires = self.now.0.checked_add(new.period_ms).ok_or(BAD_PERIOD)?;
        let contract = StorageContract {
            id,
            owner: from,
            writer: new.writer,
            profile: new.profile,
            places: new.places.clone(),
            bytes: new.bytes,
            created: self.now,
            settled: self.now,
            expires: UnixMs(expires),
            escrow,
            state: ContractState::Open,
        };
        self.overlay.put(&id, contract);
        let places = new.places.clone();
        self.events.push(Event::ContractCreated { contract: id, owner: from, places });
        Ok(())
    }

    /// A contract past its time may be extended as long as it is open; the gap is paid, too.
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
        self.pay_due(&mut contract)?;
        let total = contract.bytes.0.checked_add(bytes.0).map(Bytes).ok_or(BAD_BYTES)?;
        if total > CONTRACT_BYTES_MAX {
            return Err(BAD_BYTES.into());
        }
        let expires = contract.expires.0.checked_add(period_ms).ok_or(BAD_PERIOD)?;
        let ahead = expires.checked_sub(self.now.0).ok_or(BAD_PERIOD)?;
        if ahead == 0 || ahead > CONTRACT_PERIOD_MS_MAX {
            return Err(BAD_PERIOD.into());
        }
        let (old_share, new_share) = (contract.place_bytes(), place_bytes(contract.profile, total));
        let grown = Bytes(new_share.0.saturating_sub(old_share.0));
        for node in contract.places.iter() {
            self.reserve(*node, grown)?;
        }
        // What is held so far pays the old share until the old end.
        let (settled, places) = (contract.settled.0, contract.places.len());
        let whole = byte_ms(new_share, places, expires.saturating_sub(settled))?;
        let held = byte_ms(old_share, places, contract.expires.0.saturating_sub(settled))?;
        let price = price_of(&self.parameters, whole.saturating_sub(held)).ok_or(TOO_DEAR)?;
        self.lock(from, price)?;
        contract.escrow = contract.escrow.checked_add(price).ok_or(TOO_DEAR)?;
        contract.bytes = total;
        contract.expires = UnixMs(expires);
        self.overlay.put(&id, contract);
        self.events.push(Event::ContractExtended { contract: id });
        Ok(())
    }

    pub(super) fn change_places(
        &mut self,
        from: AccountId,
        id: ContractId,
        replace: &[(NodeId, NodeId)],
        add: &[NodeId],
    ) -> Done {
        let mut contract = self.own_contract(from, id)?;
        if contract.status(self.now) != ContractStatus::Live {
            return Err(Refusal::ContractOver { contract: id }.into());
        }
        let places = changed_places(&contract, replace, add)?;
        let (old, new) = (set_of(&contract.places), set_of(&places));
        if *places == *contract.places {
            return Err(Refusal::NothingToDo.into());
        }
        self.pay_due(&mut contract)?;
        self.check_count(contract.profile, &places)?;
        self.check_domains(contract.profile, &places)?;
        let share = contract.place_bytes();
        for node in old.difference(&new) {
            self.release(*node, share)?;
        }
        for node in new.difference(&old) {
            self.check_active(*node)?;
            self.reserve(*node, share)?;
        }
        let ahead = contract.expires.0.saturating_sub(self.now.0);
        let price =
            price_of(&self.parameters, byte_ms(share, add.len(), ahead)?).ok_or(TOO_DEAR)?;
        self.lock(from, price)?;
        contract.escrow = contract.escrow.checked_add(price).ok_or(TOO_DEAR)?;
        contract.places = places;
        self.overlay.put(&id, contract);
        self.events.push(Event::PlacesChanged {
            contract: id,
            left: list_of(old.difference(&new)),
            joined: list_of(new.difference(&old)),
        });
        Ok(())
    }

    pub(super) fn cancel_contract(&mut self, from: AccountId, id: ContractId) -> Done {
        let mut contract = self.own_contract(from, id)?;
        self.pay_due(&mut contract)?;
        self.close(contract)
    }

    pub(super) fn settle_contract(&mut self, id: ContractId) -> Done {
        let mut contract = self.open_contract(id)?;
        let is_over = contract.status(self.now) == ContractStatus::Expired;
        let settled = contract.settled;
        self.pay_due(&mut contract)?;
        if is_over {
            return self.close(contract);
        }
        if contract.settled == settled {
            return Err(Refusal::NothingToDo.into());
        }
        self.overlay.put(&id, contract);
        Ok(())
    }

    fn open_contract(&mut self, id: ContractId) -> Done<StorageContract> {
        let contract = self.overlay.get(&id)?.ok_or(Refusal::NoSuchContract { contract: id })?;
        match contract.state {
            ContractState::Open => Ok(contract),
            ContractState::Closed { .. } => Err(Refusal::ContractOver { contract: id }.into()),
        }
    }

    fn own_contract(&mut self, from: AccountId, id: ContractId) -> Done<StorageContract> {
        let contract = self.open_contract(id)?;
        if contract.owner != from {
            return Err(Refusal::NotYours { what: "the contract" }.into());
        }
        Ok(contract)
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

    fn check_places(&mut self, profile: Profile, places: &[NodeId]) -> Done {
        self.check_count(profile, places)?;
        self.check_domains(profile, places)?;
        for node in places {
            self.check_active(*node)?;
        }
        Ok(())
    }

    fn check_count(&self, profile: Profile, places: &[NodeId]) -> Done {
        let least = usize::from(profile.shards());
        let most = least.saturating_add(usize::from(profile.spares()));
        if (least..=most).contains(&places.len()) {
            return Ok(());
        }
        Err(Refusal::PlaceCount { given: places.len(), least, most }.into())
    }

    /// S3: no two places on one node, at one site, or of one operator. `tiny` is for a few boxes of
    /// one's own, so there the operator may be the same.
    fn check_domains(&mut self, profile: Profile, places: &[NodeId]) -> Done {
        let (mut nodes, mut sites, mut operators) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for id in places {
            let node = self.node(*id)?;
            let shared = |domain| Refusal::SharedDomain { node: *id, domain };
            if !nodes.insert(*id) {
                return Err(shared("node").into());
            }
            if !sites.insert(node.site) {
                return Err(shared("site").into());
            }
            if !operators.insert(node.operator) && profile != Profile::Tiny {
                return Err(shared("operator").into());
            }
        }
        Ok(())
    }

    fn check_active(&mut self, id: NodeId) -> Done {
        match self.node(id)?.state {
            NodeState::Active => Ok(()),
            NodeState::Draining | NodeState::Retired => {
                Err(Refusal::NodeNotActive { node: id }.into())
            }
        }
    }

    fn node(&mut self, id: NodeId) -> Done<Node> {
        Ok(self.overlay.get(&id)?.ok_or(Refusal::NoSuchNode { node: id })?)
    }

    fn reserve(&mut self, id: NodeId, bytes: Bytes) -> Done {
        if bytes.0 == 0 {
            return Ok(());
        }
        let mut node = self.node(id)?;
        let free = node.free();
        let full = Refusal::NoSpace { node: id, wanted: bytes, free };
        if bytes > free {
            return Err(full.into());
        }
        node.reserved = Bytes(node.reserved.0.checked_add(bytes.0).ok_or(full)?);
        self.overlay.put(&id, node);
        Ok(())
    }

    fn release(&mut self, id: NodeId, bytes: Bytes) -> Done {
        let mut node = self.overlay.must(&id)?;
        let left = node.reserved.0.checked_sub(bytes.0);
        let what = "a node has less reserved than its contracts hold";
        node.reserved = Bytes(left.ok_or(StateError::Books { what })?);
        self.overlay.put(&id, node);
        Ok(())
    }

    /// Moves tokens from an account into escrow.
    pub(super) fn lock(&mut self, owner: AccountId, amount: Amount) -> Done {
        self.debit(owner, amount)?;
        let mut totals = self.totals()?;
        totals.escrow = totals
            .escrow
            .checked_add(amount)
            .ok_or(StateError::Books { what: "escrow is more than was minted" })?;
        self.overlay.put(&TheTotals, totals);
        Ok(())
    }

    /// Takes tokens out of escrow; the caller credits them.
    pub(super) fn unlock(&mut self, amount: Amount) -> Done {
        let mut totals = self.totals()?;
        totals.escrow = totals
            .escrow
            .checked_sub(amount)
            .ok_or(StateError::Books { what: "escrow is less than a contract holds" })?;
        self.overlay.put(&TheTotals, totals);
        Ok(())
    }

    /// Pays the farms and the foundation up to now, or up to the end of the contract. The caller
    /// stores the contract.
    fn pay_due(&mut self, contract: &mut StorageContract) -> Done {
        let until = self.now.min(contract.expires).max(contract.settled);
        let elapsed = until.0.saturating_sub(contract.settled.0);
        let whole = contract.expires.0.saturating_sub(contract.settled.0);
        contract.settled = until;
        let due = share_of(contract.escrow, elapsed, whole);
        if due == Amount::ZERO {
            return Ok(());
        }
        let what = "a contract pays more than it holds";
        contract.escrow = contract.escrow.checked_sub(due).ok_or(StateError::Books { what })?;
        self.unlock(due)?;
        let foundation = share_of(due, FOUNDATION_PERCENT, 100);
        let farms = Amount(due.0.saturating_sub(foundation.0));
        let foundation_account = self.overlay.base().grid().foundation;
        self.credit(foundation_account, foundation)?;
        self.pay_farms(&contract.places, farms)?;
        self.events.push(Event::ContractPaid { contract: contract.id, farms, foundation });
        Ok(())
    }

    fn pay_farms(&mut self, places: &[NodeId], amount: Amount) -> Done {
        let count = u64::try_from(places.len()).unwrap_or(u64::MAX);
        let what = "a contract has no places";
        let each = amount.0.checked_div(count).ok_or(StateError::Books { what })?;
        let mut odd = amount.0.checked_rem(count).unwrap_or(0);
        let mut payouts = BTreeMap::<AccountId, u64>::new();
        for id in places {
            let farm = self.overlay.must(id)?.farm;
            let payout = self.overlay.must(&farm)?.payout;
            let share = payouts.entry(payout).or_default();
            *share = share.saturating_add(each).saturating_add(odd.min(1));
            odd = odd.saturating_sub(1);
        }
        for (account, share) in payouts {
            self.credit(account, Amount(share))?;
        }
        Ok(())
    }

    /// Refunds what is left, and gives the space back.
    fn close(&mut self, mut contract: StorageContract) -> Done {
        let share = contract.place_bytes();
        for node in contract.places.iter() {
            self.release(*node, share)?;
        }
        let refund = contract.escrow;
        self.unlock(refund)?;
        self.credit(contract.owner, refund)?;
        contract.escrow = Amount::ZERO;
        contract.state = ContractState::Closed { at: self.now };
        let (id, places) = (contract.id, contract.places.clone());
        self.overlay.put(&id, contract);
        self.events.push(Event::ContractClosed { contract: id, refund, places });
        Ok(())
    }
}

/// `amount` x `part` / `whole`, rounded down; nothing of nothing.
fn share_of(amount: Amount, part: u64, whole: u64) -> Amount {
    let scaled = u128::from(amount.0).saturating_mul(u128::from(part));
    let share = scaled.checked_div(u128::from(whole)).unwrap_or(0);
    Amount(u64::try_from(share).unwrap_or(amount.0).min(amount.0))
}

fn byte_ms(share: Bytes, places: usize, period_ms: u64) -> Done<u128> {
    let places = u128::try_from(places).map_err(|_| TOO_DEAR)?;
    let product = u128::from(share.0).checked_mul(u128::from(period_ms));
    Ok(product.and_then(|product| product.checked_mul(places)).ok_or(TOO_DEAR)?)
}

/// The places after replacements, each found by what stood there before, and additions.
fn changed_places(
    contract: &StorageContract,
    replace: &[(NodeId, NodeId)],
    add: &[NodeId],
) -> Done<Places> {
    let mut replacements = BTreeMap::new();
    for (old, new) in replace {
        let is_place = contract.places.contains(old);
        if !is_place || replacements.insert(*old, *new).is_some() {
            return Err(Refusal::NotAPlace { contract: contract.id, node: *old }.into());
        }
    }
    let mut places: Vec<NodeId> = contract
        .places
        .iter()
        .map(|place| replacements.get(place).copied().unwrap_or(*place))
        .collect();
    places.extend_from_slice(add);
    let given = places.len();
    let most = PLACES_MAX;
    Ok(List::new(places).map_err(|_| Refusal::PlaceCount { given, least: 0, most })?)
}

fn set_of(places: &[NodeId]) -> BTreeSet<NodeId> {
    places.iter().copied().collect()
}

fn list_of<'a>(nodes: impl Iterator<Item = &'a NodeId>) -> Places {
    List::new(nodes.copied().collect()).expect("a part of a list of places")
}

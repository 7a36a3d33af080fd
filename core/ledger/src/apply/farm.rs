//! Farms and their nodes.

use acre_types::{AccountId, Bytes, FarmId, NodeId, UnixMs};

use super::{Done, Work, next};
use crate::error::Refusal;
use crate::event::Event;
use crate::key::{FarmOf, NodeAt, TheTotals};
use crate::limits::NODE_STORAGE_MAX;
use crate::object::{
    Addresses, Capacity, Farm, FarmName, Node, NodeState, Record, Resources, WitnessRecord,
};
use crate::overlay::Overlay;
use crate::transaction::{NodeOffer, SignedJoinToken};

/// The owner of the token's farm, for whose grid, node and time the token must be made out. That he
/// signed it says [`check_token`].
pub(super) fn owner_by_token(
    overlay: &mut Overlay<'_>,
    now: UnixMs,
    node: NodeId,
    token: &SignedJoinToken,
) -> Done<AccountId> {
    let token = &token.token;
    let farm = token.farm;
    if token.chain != overlay.base().grid().chain {
        return Err(Refusal::BadToken { farm }.into());
    }
    if token.node.is_some_and(|named| named != node) {
        return Err(Refusal::TokenForAnother.into());
    }
    if now >= token.expires {
        return Err(Refusal::TokenExpired.into());
    }
    if overlay.get(&node)?.is_some() {
        return Err(Refusal::NodeExists { node }.into());
    }
    Ok(overlay.get(&farm)?.ok_or(Refusal::NoSuchFarm { farm })?.owner)
}

/// That the owner of the token's farm signed it.
pub(super) fn check_token(overlay: &mut Overlay<'_>, token: &SignedJoinToken) -> Done {
    let SignedJoinToken { token, signature } = token;
    let farm = token.farm;
    let owner = overlay.get(&farm)?.ok_or(Refusal::NoSuchFarm { farm })?.owner;
    let key = overlay.get(&owner)?.unwrap_or_default().key(owner);
    Ok(acre_crypto::verify(&key, token, signature).map_err(|_| Refusal::BadToken { farm })?)
}

impl Work<'_> {
    pub(super) fn create_farm(
        &mut self,
        from: AccountId,
        name: &FarmName,
        payout: AccountId,
    ) -> Done {
        check_name(name)?;
        self.check_farmer(from)?;
        let mut totals = self.totals()?;
        totals.farms = next(totals.farms)?;
        let farm = FarmId(totals.farms);
        self.overlay.put(&TheTotals, totals);
        let mut account = self.account(from)?;
        self.overlay.put(&FarmOf(from, account.farms), farm);
        account.farms = next(account.farms)?;
        self.overlay.put(&from, account);
        self.overlay.put(&farm, Farm::new(name.clone(), from, payout));
        self.events.push(Event::FarmCreated { farm, owner: from });
        Ok(())
    }

    pub(super) fn update_farm(
        &mut self,
        from: AccountId,
        farm: FarmId,
        name: &FarmName,
        payout: AccountId,
    ) -> Done {
        check_name(name)?;
        let old = self.overlay.get(&farm)?.ok_or(Refusal::NoSuchFarm { farm })?;
        if old.owner != from {
            return Err(Refusal::NotYours { what: "the farm" }.into());
        }
        let new = Farm { name: name.clone(), payout, ..old.clone() };
        if new == old {
            return Err(Refusal::NothingToDo.into());
        }
        self.overlay.put(&farm, new);
        self.events.push(Event::FarmUpdated { farm });
        Ok(())
    }

    /// The token was checked before the fee was taken.
    pub(super) fn register_node(&mut self, node: NodeId, farm: FarmId, offer: &NodeOffer) -> Done {
        check_capacity(offer.capacity)?;
        if offer.site.as_str().is_empty() {
            return Err(Refusal::OutOfRange { what: "an empty site" }.into());
        }
        let operator = self.overlay.must(&farm)?.owner;
        let mut totals = self.totals()?;
        let index = totals.nodes;
        self.overlay.put(&NodeAt(index), node);
        totals.nodes = next(totals.nodes)?;
        self.overlay.put(&TheTotals, totals);
        let registered = Node {
            farm,
            operator,
            site: offer.site.clone(),
            country: offer.country,
            capacity: offer.capacity,
            reserved: Resources::default(),
            asked: Resources::default(),
            rented: None,
            addresses: offer.addresses.clone(),
            state: NodeState::Active,
            registered: self.now,
            index,
            verified: Capacity::default(),
            solid: Bytes(0),
            lent: Capacity::default(),
            record: Record::default(),
            witnessing: WitnessRecord::default(),
        };
        self.overlay.put(&node, registered);
        self.open_earnings(node, farm)?;
        self.events.push(Event::NodeRegistered { node, farm });
        Ok(())
    }

    pub(super) fn update_node(
        &mut self,
        from: AccountId,
        node: NodeId,
        capacity: Capacity,
        addresses: &Addresses,
        state: NodeState,
    ) -> Done {
        check_capacity(capacity)?;
        let old = self.overlay.get(&node)?.ok_or(Refusal::NoSuchNode { node })?;
        if !may_update(from, node, &old) {
            return Err(Refusal::NotYours { what: "the node" }.into());
        }
        // Or down time could be put behind a moment of retirement.
        if old.state == NodeState::Retired && state != NodeState::Retired {
            return Err(Refusal::NodeRetired { node }.into());
        }
        // What witnesses found is measured against what was claimed until now.
        self.fold_node(node)?;
        let old = self.overlay.must(&node)?;
        self.check_reserved(node, &old, capacity)?;
        // L7: what is no longer claimed is no longer verified.
        let verified = old.verified.min(capacity);
        let (solid, lent) = (old.solid.min(verified.storage), old.lent.min(verified));
        let new = Node { capacity, verified, solid, lent, ..old.clone() };
        let new = Node { addresses: addresses.clone(), state, ..new };
        if new == old {
            return Err(Refusal::NothingToDo.into());
        }
        self.count_units(&old, &new)?;
        self.overlay.put(&node, new);
        self.events.push(Event::NodeUpdated { node });
        Ok(())
    }
}

impl Work<'_> {
    /// A node keeps what it has sold.
    fn check_reserved(&self, node: NodeId, old: &Node, capacity: Capacity) -> Done {
        let (reserved, wanted) = (old.reserved.storage, capacity.storage);
        if wanted < reserved {
            return Err(Refusal::CapacityReserved { node, reserved, wanted }.into());
        }
        let cores_milli = u64::from(capacity.cores)
            .saturating_mul(1000)
            .saturating_mul(self.parameters.contracts.overcommit.into());
        let shrinks = capacity.cores < old.capacity.cores
            || capacity.memory < old.capacity.memory
            || capacity.storage < old.capacity.storage;
        let is_short =
            cores_milli < old.reserved.cores_milli || capacity.memory < old.reserved.memory;
        if shrinks && (is_short || old.rented.is_some()) {
            return Err(Refusal::NodeInUse { node }.into());
        }
        Ok(())
    }
}

/// The operator always; the node itself unless it was retired, so that an owner can stop a node
/// whose key was stolen from spending on his account.
pub(super) fn may_update(from: AccountId, id: NodeId, node: &Node) -> bool {
    from == node.operator || (from.0 == id.0 && node.state != NodeState::Retired)
}

fn check_name(name: &FarmName) -> Done {
    if name.as_str().is_empty() {
        return Err(Refusal::OutOfRange { what: "an empty name" }.into());
    }
    Ok(())
}

fn check_capacity(capacity: Capacity) -> Done {
    if capacity.storage > NODE_STORAGE_MAX {
        return Err(Refusal::OutOfRange { what: "the storage of a node" }.into());
    }
    Ok(())
}

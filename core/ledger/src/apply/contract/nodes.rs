//! What contracts reserve at nodes, and what nodes did for it.

use acre_types::{AccountId, Amount, Bytes, ContractId, NodeId, UnixMs};

use super::super::{Done, Work};
use crate::bill::{earned, share_of};
use crate::error::{Refusal, StateError};
use crate::limits::PENALTY_BURN_PERCENT;
use crate::mint::Certification;
use crate::object::{
    Contract, ContractKind, ContractState, Node, NodeState, Part, Parts, Progress, Resources, Stand,
};
use crate::price::{PlaceTerms, WHOLE_WEIGHT};

/// How the nodes of a contract served.
pub(super) struct Served {
    pub(super) parts: Parts,
    /// What stakes answer for, node by node, in millionths of its share; none: for nothing.
    owed: Vec<u64>,
}

impl Served {
    /// Nothing that a witness could have seen.
    pub(super) const fn unwitnessed(parts: Parts) -> Self {
        Self { parts, owed: Vec::new() }
    }
}

impl Work<'_> {
    pub(super) fn node(&mut self, id: NodeId) -> Done<Node> {
        Ok(self.overlay.get(&id)?.ok_or(Refusal::NoSuchNode { node: id })?)
    }

    pub(super) fn check_active(&mut self, id: NodeId) -> Done {
        match self.node(id)?.state {
            NodeState::Active => Ok(()),
            NodeState::Draining | NodeState::Retired => {
                Err(Refusal::NodeNotActive { node: id }.into())
            }
        }
    }

    /// How a node would stand in a contract of this owner until `until`, if it takes it at all.
    pub(super) fn stand(
        &mut self,
        id: NodeId,
        owner: AccountId,
        until: UnixMs,
        backed: fn(&Node) -> u16,
    ) -> Done<Stand> {
        let node = self.node(id)?;
        let lost = self.lost_by(id)?;
        let weight = match node.rented {
            None => self.list_weight(id, &node)?,
            Some(rent) => {
                self.check_renter(id, rent, owner, until)?;
                0
            }
        };
        Ok(Stand { weight, lost, backed: backed(&self.node(id)?) })
    }

    /// That the owner rents the node himself, for long enough. A rent that has not begun gives
    /// nothing away: it may still come to nothing with its gang, and what stands on the node would
    /// have cost nothing (in that gang itself all begin together, and fall together).
    pub(super) fn check_renter(
        &mut self,
        node: NodeId,
        rent: ContractId,
        owner: AccountId,
        until: UnixMs,
    ) -> Done {
        let rent = self.overlay.must(&rent)?;
        let is_open = rent.state == ContractState::Open;
        if rent.owner == owner && is_open && rent.expires >= until {
            return Ok(());
        }
        Err(Refusal::NodeRented { node, contract: rent.id }.into())
    }

    /// Milliseconds that a node has lost, with all that its witnesses reported so far.
    pub(super) fn lost_by(&mut self, id: NodeId) -> Done<u64> {
        self.visit()?;
        self.fold_node(id)?;
        Ok(self.overlay.must(&id)?.record.lost())
    }

    /// What a node's capacity costs of the list price, in thousandths.
    fn list_weight(&mut self, id: NodeId, node: &Node) -> Done<u32> {
        let more = u32::from(self.parameters.prices.certified_permille);
        Ok(match self.level_of_node(id, node)? {
            Certification::Diy => WHOLE_WEIGHT,
            Certification::Certified | Certification::Gold => WHOLE_WEIGHT.saturating_add(more),
        })
    }

    /// As [`crate::price::quote`] wants it.
    pub(super) fn place_terms(&mut self, id: NodeId, stand: Stand) -> Done<PlaceTerms> {
        Ok(PlaceTerms { weight: stand.weight, capacity: self.node(id)?.capacity })
    }

    pub(super) fn reserve(&mut self, id: NodeId, more: Resources) -> Done {
        if more == Resources::default() {
            return Ok(());
        }
        self.visit()?;
        self.call_node(id)?;
        let mut node = self.node(id)?;
        let (wanted, free) = (more.storage, node.free());
        let full = Refusal::NoSpace { node: id, wanted, free };
        if wanted > free {
            return Err(full.into());
        }
        let reserved = node.reserved.checked_add(more).ok_or(full)?;
        let cores_milli = u64::from(node.capacity.cores)
            .saturating_mul(1000)
            .saturating_mul(self.parameters.contracts.overcommit.into());
        // What was reserved before a vote or a change of the node stays.
        if more.cores_milli > 0 && reserved.cores_milli > cores_milli {
            return Err(Refusal::NoCapacity { node: id, what: "cores" }.into());
        }
        if more.memory > Bytes(0) && reserved.memory > node.capacity.memory {
            return Err(Refusal::NoCapacity { node: id, what: "memory" }.into());
        }
        node.reserved = reserved;
        self.overlay.put(&id, node);
        Ok(())
    }

    pub(super) fn release(&mut self, id: NodeId, less: Resources) -> Done {
        self.visit()?;
        let mut node = self.overlay.must(&id)?;
        let what = "a node has less reserved than its contracts hold";
        node.reserved = node.reserved.checked_sub(less).ok_or(StateError::Books { what })?;
        self.overlay.put(&id, node);
        Ok(())
    }

    /// A workload waits for the node's answer; [`Self::reserve`] came before.
    pub(super) fn ask_for(&mut self, id: NodeId, more: Resources) -> Done {
        let mut node = self.overlay.must(&id)?;
        let what = "a node is asked for more than is reserved there";
        node.asked = node.asked.checked_add(more).ok_or(StateError::Books { what })?;
        self.overlay.put(&id, node);
        Ok(())
    }

    /// The workload waits no longer, whatever came of it.
    pub(super) fn answered(&mut self, contract: &Contract) -> Done {
        let ContractKind::Workload(workload) = &contract.kind else { return Ok(()) };
        let mut node = self.overlay.must(&workload.node)?;
        let what = "a node was asked for less than waits there";
        let asked = node.asked.checked_sub(workload.resources);
        node.asked = asked.ok_or(StateError::Books { what })?;
        self.overlay.put(&workload.node, node);
        Ok(())
    }

    /// How the nodes of a contract share what is paid for `ms` now: by weight, and each without the
    /// time that it lost. What was lost and does not fit into this time is kept for the next.
    /// What a node says of itself is not paid either, but no stake answers for it: it could say so
    /// for the good of a tenant who is its own farmer.
    pub(super) fn take_served(&mut self, contract: &mut Contract, ms: u64) -> Done<Served> {
        match &contract.kind {
            ContractKind::Name(_) => return Ok(Served::unwitnessed(Parts::Even(0))),
            ContractKind::Service(_) => return Ok(Served::unwitnessed(Parts::Even(1))),
            _ => {}
        }
        let failed = contract
            .workload()
            .is_some_and(|workload| matches!(workload.progress, Progress::Failed { .. }));
        let count = contract.nodes().len();
        let backed = match contract.kind {
            ContractKind::Storage(_) => Node::backed_storage,
            _ => Node::backed,
        };
        let (mut parts, mut stands) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut owed = Vec::with_capacity(count);
        for (id, stand) in contract.nodes().iter().zip(contract.stands.iter()) {
            let down = self.lost_by(*id)?.saturating_sub(stand.lost).min(ms);
            let node = self.node(*id)?;
            // It only grows: what was proven when the tenant came answers to the end, or a farm would
            // leave a few questions open, have that settled, and be free to fail.
            let backed = if down == 0 { backed(&node).max(stand.backed) } else { stand.backed };
            stands.push(Stand { lost: stand.lost.saturating_add(down), backed, ..*stand });
            let is_gone = failed || node.state == NodeState::Retired;
            let (due, up) = if is_gone { (ms.max(1), 0) } else { (ms, ms.saturating_sub(down)) };
            parts.push(Part { weight: stand.weight, due, up });
            owed.push(share_of(Amount(1000 * u64::from(backed)), down, ms).0);
        }
        contract.stands = stands.try_into().expect("as many as there were");
        Ok(Served { parts: shared(parts), owed })
    }

    /// What is added to a contract is backed no better than the node is now.
    pub(super) fn back_anew(&mut self, contract: &mut Contract) -> Done {
        let mut stands = contract.stands.clone().into_vec();
        for (id, stand) in contract.nodes().iter().zip(&mut stands) {
            stand.backed = stand.backed.min(self.node(*id)?.backed_storage());
        }
        contract.stands = stands.try_into().expect("as many as there were");
        Ok(())
    }

    /// What the farms of nodes that witnesses found down lose of their stakes, as far as these reach:
    /// a part for the owner, and a part that is destroyed.
    pub(super) fn penalize(
        &mut self,
        contract: &Contract,
        net: Amount,
        served: &Served,
    ) -> Done<(Amount, Amount)> {
        let percent = self.parameters.contracts.penalty_percent.into();
        let mut sum = 0_u64;
        let shares = earned(net, &served.parts).into_iter().zip(&served.owed);
        for (id, (earned, owed)) in contract.nodes().iter().zip(shares) {
            let lost = share_of(Amount(earned.share), *owed, 1_000_000);
            let wanted = scaled(lost, percent);
            if wanted == Amount::ZERO {
                continue;
            }
            let farm = self.overlay.must(id)?.farm;
            sum = sum.saturating_add(self.take_stake(farm, wanted)?.0);
        }
        let fined = share_of(Amount(sum), PENALTY_BURN_PERCENT, 100);
        let penalty = Amount(sum.saturating_sub(fined.0));
        self.credit(contract.owner, penalty)?;
        self.destroy(fined)?;
        Ok((penalty, fined))
    }
}

/// So many percent of an amount, which may be more than a hundred.
fn scaled(amount: Amount, percent: u64) -> Amount {
    let scaled = u128::from(amount.0).saturating_mul(percent.into()).div_euclid(100);
    Amount(u64::try_from(scaled).unwrap_or(u64::MAX))
}

/// The short form if it says the same.
fn shared(parts: Vec<Part>) -> Parts {
    let first = parts.first().map(|part| part.weight);
    let is_even = parts.iter().all(|part| Some(part.weight) == first && part.up >= part.due);
    match u8::try_from(parts.len()) {
        Ok(count) if is_even => Parts::Even(count),
        _ => Parts::Each(parts.try_into().expect("as many as a contract has places")),
    }
}

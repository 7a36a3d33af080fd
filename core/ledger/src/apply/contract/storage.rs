//! Storage: several places in failure domains of their own.

use std::collections::{BTreeMap, BTreeSet};

use acre_codec::List;
use acre_types::{AccountId, Bytes, ContractId, NodeId, Profile};

use super::super::{Done, Work};
use super::book::Span;
use super::{BAD_BYTES, quantity, weight};
use crate::error::Refusal;
use crate::event::Event;
use crate::limits::{CONTRACT_BYTES_MAX, PLACES_MAX};
use crate::object::{
    Contract, ContractKind, ContractStatus, Node, Places, Resources, Storage, place_bytes,
};
use crate::price::{Rate, Terms};
use crate::transaction::NewStorage;

impl Work<'_> {
    pub(super) fn check_storage(&mut self, new: &NewStorage) -> Done {
        if new.bytes.0 == 0 || new.bytes > CONTRACT_BYTES_MAX {
            return Err(BAD_BYTES.into());
        }
        check_count(new.profile, &new.places)?;
        self.check_domains(new.profile, &new.places)?;
        for node in new.places.iter() {
            self.check_active(*node)?;
        }
        Ok(())
    }

    pub(super) fn grow_storage(&mut self, contract: &mut Contract, bytes: Bytes) -> Done {
        let ContractKind::Storage(storage) = &mut contract.kind else { return Ok(()) };
        let total = storage.bytes.0.checked_add(bytes.0).map(Bytes).ok_or(BAD_BYTES)?;
        if total > CONTRACT_BYTES_MAX {
            return Err(BAD_BYTES.into());
        }
        let (old, new) = (storage.place_bytes(), place_bytes(storage.profile, total));
        let grown = Resources::storage(Bytes(new.0.saturating_sub(old.0)));
        storage.bytes = total;
        for node in storage.places.clone().iter() {
            self.reserve(*node, grown)?;
        }
        Ok(())
    }

    /// What becomes dearer by it is locked; what becomes cheaper is not given back.
    pub(in super::super) fn change_places(
        &mut self,
        from: AccountId,
        id: ContractId,
        replace: &[(NodeId, NodeId)],
        add: &[NodeId],
    ) -> Done {
        let mut contract = self.own_contract(from, id)?;
        let Some(storage) = contract.storage().cloned() else {
            return Err(Refusal::WrongKind { contract: id }.into());
        };
        self.check_started(&contract)?;
        if contract.status(self.now) != ContractStatus::Live {
            return Err(Refusal::ContractOver { contract: id }.into());
        }
        let places = changed_places(id, &storage.places, replace, add)?;
        if *places == *storage.places {
            return Err(Refusal::NothingToDo.into());
        }
        self.settle(&mut contract)?;
        check_count(storage.profile, &places)?;
        self.check_domains(storage.profile, &places)?;
        let (old, new) = (set_of(&storage.places), set_of(&places));
        let share = Resources::storage(storage.place_bytes());
        for node in old.difference(&new) {
            self.release(*node, share)?;
        }
        for node in new.difference(&old) {
            self.check_active(*node)?;
        }
        let (weight_before, quantity_before) = (weight(&contract), quantity(&contract));
        self.change_stands(&mut contract, &places)?;
        for node in new.difference(&old) {
            self.reserve(*node, share)?;
        }
        contract.kind = ContractKind::Storage(Storage { places, ..storage });
        let quantity_now = quantity(&contract);
        self.mix_stay(&mut contract, quantity_before, quantity_now);
        self.lock_weight(&mut contract, weight_before)?;
        self.overlay.put(&id, contract);
        self.events.push(Event::PlacesChanged {
            contract: id,
            left: list_of(old.difference(&new)),
            joined: list_of(new.difference(&old)),
        });
        Ok(())
    }

    /// Those who stay keep how they stand.
    fn change_stands(&mut self, contract: &mut Contract, places: &[NodeId]) -> Done {
        let old: BTreeMap<_, _> =
            contract.nodes().iter().copied().zip(contract.stands.iter().copied()).collect();
        let mut stands = Vec::with_capacity(places.len());
        for place in places {
            stands.push(match old.get(place) {
                Some(stand) => *stand,
                None => {
                    self.stand(*place, contract.owner, contract.expires, Node::backed_storage)?
                }
            });
        }
        contract.stands = stands.try_into().expect("as many as places");
        Ok(())
    }

    /// Locks the price of places that weigh more than before, until the end.
    fn lock_weight(&mut self, contract: &mut Contract, before: u32) -> Done {
        let more = weight(contract).saturating_sub(before);
        let prices = self.parameters.prices.clone();
        let terms = Terms { prices: &prices, token: self.token_price()?, weight: more };
        let ahead_ms = contract.expires.0.saturating_sub(self.now.0);
        let rates: Vec<Rate> = terms.rates(&contract.kind);
        let lines = terms.locks(&rates, prices.discount(ahead_ms), |rate| {
            rate.per_ms.checked_mul(ahead_ms.into())
        })?;
        let span = Span { from: self.now, to: contract.expires };
        self.lock_lines(contract, span, &lines)?;
        self.top_up_deposit(contract)
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
}

fn check_count(profile: Profile, places: &[NodeId]) -> Done {
    let least = usize::from(profile.shards());
    let most = least.saturating_add(usize::from(profile.spares()));
    if (least..=most).contains(&places.len()) {
        return Ok(());
    }
    Err(Refusal::PlaceCount { given: places.len(), least, most }.into())
}

/// The places after replacements, each found by what stood there before, and additions.
fn changed_places(
    contract: ContractId,
    places: &[NodeId],
    replace: &[(NodeId, NodeId)],
    add: &[NodeId],
) -> Done<Places> {
    let mut replacements = BTreeMap::new();
    for (old, new) in replace {
        let is_place = places.contains(old);
        if !is_place || replacements.insert(*old, *new).is_some() {
            return Err(Refusal::NotAPlace { contract, node: *old }.into());
        }
    }
    let mut changed: Vec<NodeId> =
        places.iter().map(|place| replacements.get(place).copied().unwrap_or(*place)).collect();
    changed.extend_from_slice(add);
    let given = changed.len();
    let most = PLACES_MAX;
    Ok(List::new(changed).map_err(|_| Refusal::PlaceCount { given, least: 0, most })?)
}

fn set_of(places: &[NodeId]) -> BTreeSet<NodeId> {
    places.iter().copied().collect()
}

fn list_of<'a>(nodes: impl Iterator<Item = &'a NodeId>) -> Places {
    List::new(nodes.copied().collect()).expect("a part of a list of places")
}

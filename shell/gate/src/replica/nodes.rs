//! Nodes by number of registration, farm, country and state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use acre_ledger::{Node, NodeState};
use acre_types::{Country, FarmId, NodeId};

use super::{Slice, Sums};
use crate::limits::NODES_MAX;

/// A node with its id.
#[derive(Clone, Debug)]
pub(crate) struct NodeRow {
    pub(crate) id: NodeId,
    pub(crate) node: Node,
}

/// Which nodes are wanted: all that fit every part which is given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NodeFilter {
    pub(crate) farm: Option<FarmId>,
    pub(crate) country: Option<Country>,
    pub(crate) state: Option<NodeState>,
}

impl NodeFilter {
    fn fits(&self, node: &Node) -> bool {
        self.farm.is_none_or(|farm| farm == node.farm)
            && self.country.is_none_or(|country| country == node.country)
            && self.state.is_none_or(|state| state == node.state)
    }
}

/// Nodes that have something in common.
#[derive(Clone, Debug, Default)]
struct Members {
    indexes: BTreeSet<u32>,
    sums: Sums,
}

/// All nodes.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    /// By number of registration, without holes.
    rows: Vec<NodeRow>,
    index_of: HashMap<NodeId, u32>,
    by_farm: HashMap<FarmId, Members>,
    by_country: BTreeMap<Country, Members>,
    by_state: [BTreeSet<u32>; 3],
    sums: Sums,
}

const fn slot(state: NodeState) -> usize {
    match state {
        NodeState::Active => 0,
        NodeState::Draining => 1,
        NodeState::Retired => 2,
    }
}

impl Nodes {
    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("no more than NODES_MAX are taken")
    }

    pub(crate) const fn sums(&self) -> &Sums {
        &self.sums
    }

    pub(crate) fn index_of(&self, id: &NodeId) -> Option<u32> {
        self.index_of.get(id).copied()
    }

    pub(crate) fn row(&self, index: u32) -> Option<&NodeRow> {
        self.rows.get(usize::try_from(index).ok()?)
    }

    /// What a farm's nodes offer.
    pub(crate) fn farm_sums(&self, farm: FarmId) -> Sums {
        self.by_farm.get(&farm).map(|members| members.sums).unwrap_or_default()
    }

    /// Sums by country, in the order of their letters.
    pub(crate) fn countries(&self) -> impl Iterator<Item = (Country, &Sums)> {
        self.by_country.iter().map(|(country, members)| (*country, &members.sums))
    }

    /// Takes the node with the next number. Says whether there was room for it.
    pub(crate) fn push(&mut self, id: NodeId, node: Node) -> bool {
        let index = self.len();
        if index >= NODES_MAX || self.index_of.contains_key(&id) {
            return false;
        }
        self.enter(index, &node);
        self.index_of.insert(id, index);
        self.rows.push(NodeRow { id, node });
        true
    }

    /// Takes a node's present state. Says whether that was another than the one known; one that was
    /// never pushed is not taken.
    pub(crate) fn update(&mut self, id: &NodeId, node: Node) -> bool {
        let Some(index) = self.index_of(id) else { return false };
        let Some(row) = self.rows.get_mut(usize::try_from(index).unwrap_or(usize::MAX)) else {
            return false;
        };
        if row.node == node {
            return false;
        }
        let old = std::mem::replace(&mut row.node, node.clone());
        self.leave(index, &old);
        self.enter(index, &node);
        true
    }

    fn enter(&mut self, index: u32, node: &Node) {
        let sums = Sums::of(node);
        for members in [
            self.by_farm.entry(node.farm).or_default(),
            self.by_country.entry(node.country).or_default(),
        ] {
            members.indexes.insert(index);
            members.sums.add(&sums);
        }
        self.by_state[slot(node.state)].insert(index);
        self.sums.add(&sums);
    }

    fn leave(&mut self, index: u32, node: &Node) {
        let sums = Sums::of(node);
        let groups = [self.by_farm.get_mut(&node.farm), self.by_country.get_mut(&node.country)];
        for members in groups.into_iter().flatten() {
            members.indexes.remove(&index);
            members.sums.subtract(&sums);
        }
        self.by_state[slot(node.state)].remove(&index);
        self.sums.subtract(&sums);
        let is_last = |members: &Members| members.indexes.is_empty();
        if self.by_country.get(&node.country).is_some_and(is_last) {
            self.by_country.remove(&node.country);
        }
    }

    /// Numbers of nodes that fit, behind `after`: walks the smallest of the sets asked for.
    pub(crate) fn page(&self, filter: &NodeFilter, after: Option<u32>, limit: usize) -> Slice<u32> {
        let nobody = BTreeSet::new();
        let farm = filter.farm.map(|farm| self.by_farm.get(&farm));
        let country = filter.country.map(|country| self.by_country.get(&country));
        let groups = [farm, country].into_iter().flatten();
        let sets = groups
            .map(|members| members.map_or(&nobody, |members| &members.indexes))
            .chain(filter.state.map(|state| &self.by_state[slot(state)]));
        let fits = |index| self.row(index).is_some_and(|row| filter.fits(&row.node));
        match sets.min_by_key(|set| set.len()) {
            Some(set) => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                Slice::take(set.range((from, Bound::Unbounded)).copied(), fits, limit)
            }
            None => {
                let from = after.map_or(0, |after| after.saturating_add(1));
                Slice::take(from..self.len(), fits, limit)
            }
        }
    }
}

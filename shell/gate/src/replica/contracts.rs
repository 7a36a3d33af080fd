//! Open contracts by number and node. Closed ones are read from the ledger when asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use acre_ledger::{Contract, ContractState};
use acre_types::{ContractId, NodeId};

use super::Slice;
use crate::limits::CONTRACTS_MAX;

/// Whether a contract still holds anything.
fn is_open(contract: &Contract) -> bool {
    !matches!(contract.state, ContractState::Closed { .. })
}

/// Nodes that a contract has to do with.
pub(crate) fn nodes_of(contract: &Contract) -> impl Iterator<Item = NodeId> {
    contract.nodes().iter().copied()
}

fn bytes_of(contract: &Contract) -> u128 {
    contract.storage().map_or(0, |storage| storage.bytes.0.into())
}

/// Contracts.
#[derive(Debug, Default)]
pub(crate) struct Contracts {
    /// Contracts up to this number were looked at.
    known: u64,
    open: BTreeMap<u64, Contract>,
    by_node: HashMap<NodeId, BTreeSet<u64>>,
    /// Plain bytes of the open ones.
    bytes: u128,
    /// Open ones that found no room.
    left_out: BTreeSet<u64>,
}

impl Contracts {
    /// Number of the last contract that was looked at.
    pub(crate) const fn known(&self) -> u64 {
        self.known
    }

    /// Open ones held here.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// Open ones that found no room.
    pub(crate) fn left_out(&self) -> usize {
        self.left_out.len()
    }

    /// Plain bytes of the open ones held here.
    pub(crate) const fn bytes(&self) -> u128 {
        self.bytes
    }

    pub(crate) fn get(&self, id: ContractId) -> Option<&Contract> {
        self.open.get(&id.0)
    }

    /// Takes a contract's present state, known before or not. Says whether that is news.
    pub(crate) fn put(&mut self, contract: Contract) -> bool {
        let id = contract.id.0;
        self.known = self.known.max(id);
        if self.open.get(&id) == Some(&contract) {
            return false;
        }
        let was_here = self.remove(id);
        self.left_out.remove(&id);
        if !is_open(&contract) {
            return was_here;
        }
        if self.open.len() >= CONTRACTS_MAX {
            // Its numbers are as bounded as the contracts.
            if self.left_out.len() < CONTRACTS_MAX {
                self.left_out.insert(id);
            }
            return false;
        }
        for node in nodes_of(&contract) {
            self.by_node.entry(node).or_default().insert(id);
        }
        self.bytes += bytes_of(&contract);
        self.open.insert(id, contract);
        true
    }

    fn remove(&mut self, id: u64) -> bool {
        let Some(old) = self.open.remove(&id) else { return false };
        for node in nodes_of(&old) {
            if let Some(ids) = self.by_node.get_mut(&node) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_node.remove(&node);
                }
            }
        }
        self.bytes -= bytes_of(&old);
        true
    }

    /// Numbers of open contracts behind `after`, those on a node if one is given.
    pub(crate) fn page(
        &self,
        node: Option<NodeId>,
        fits: impl Fn(&Contract) -> bool,
        after: Option<u64>,
        limit: usize,
    ) -> Slice<u64> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let fits = |id| self.open.get(&id).is_some_and(&fits);
        match node {
            Some(node) => {
                let nothing = BTreeSet::new();
                let ids = self.by_node.get(&node).unwrap_or(&nothing);
                Slice::take(ids.range(range).copied(), fits, limit)
            }
            None => Slice::take(self.open.range(range).map(|(id, _)| *id), fits, limit),
        }
    }
}

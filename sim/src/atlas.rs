//! What was destroyed, where, and what must therefore still be there.
//!
//! Counts apart from the nodes and the cores: a place is hit for a pack once a shard of it there
//! rotted, the disk was lost, or the node lies. It stays hit, repaired or not, which only makes
//! the promise checked here weaker.

use std::collections::{BTreeMap, BTreeSet};

use acre_types::PackId;

/// The fault atlas of one run; places are numbered.
#[derive(Clone, Debug, Default)]
pub struct Atlas {
    everywhere: BTreeSet<usize>,
    packs: BTreeMap<PackId, BTreeSet<usize>>,
}

impl Atlas {
    /// All that a place holds is gone or worthless.
    pub fn lose_place(&mut self, place: usize) {
        self.everywhere.insert(place);
    }

    /// What a place holds of one pack is worthless.
    pub fn lose_shard(&mut self, place: usize, pack: PackId) {
        self.packs.entry(pack).or_default().insert(place);
    }

    /// Places hit for this pack.
    #[must_use]
    pub fn hit(&self, pack: PackId) -> BTreeSet<usize> {
        let mut hit = self.everywhere.clone();
        hit.extend(self.packs.get(&pack).into_iter().flatten());
        hit
    }

    /// Places hit for all packs.
    #[must_use]
    pub fn places(&self) -> usize {
        self.everywhere.len()
    }

    /// The most places hit for any pack, if `place` were hit too (for `pack`, or for all).
    #[must_use]
    pub fn worst_with(&self, place: usize, pack: Option<PackId>) -> usize {
        let mut next = self.clone();
        match pack {
            Some(pack) => next.lose_shard(place, pack),
            None => next.lose_place(place),
        }
        let packs = next.packs.keys().map(|pack| next.hit(*pack).len());
        packs.chain([next.everywhere.len()]).max().unwrap_or(0)
    }
}

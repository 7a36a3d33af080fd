//! Farms by number and owner.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use acre_ledger::Farm;
use acre_types::{AccountId, FarmId};

use super::Slice;
use crate::limits::FARMS_MAX;

/// Which farms are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FarmFilter {
    pub(crate) owner: Option<AccountId>,
}

/// All farms, numbered from 1 without holes.
#[derive(Debug, Default)]
pub(crate) struct Farms {
    rows: Vec<Farm>,
    by_owner: HashMap<AccountId, BTreeSet<u32>>,
}

impl Farms {
    /// How many there are; the number of the last one.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("no more than FARMS_MAX are taken")
    }

    pub(crate) fn get(&self, id: FarmId) -> Option<&Farm> {
        self.rows.get(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (FarmId, &Farm)> {
        (1..).map(FarmId).zip(&self.rows)
    }

    /// Takes the farm with the next number. Says whether there was room for it.
    pub(crate) fn push(&mut self, farm: Farm) -> bool {
        if self.len() >= FARMS_MAX {
            return false;
        }
        let id = self.len() + 1;
        self.by_owner.entry(farm.owner).or_default().insert(id);
        self.rows.push(farm);
        true
    }

    /// Takes a farm's present state. Says whether that was another than the one known.
    pub(crate) fn update(&mut self, id: FarmId, farm: Farm) -> bool {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX).checked_sub(1);
        let Some(row) = index.and_then(|index| self.rows.get_mut(index)) else { return false };
        if *row == farm {
            return false;
        }
        if row.owner != farm.owner {
            if let Some(own) = self.by_owner.get_mut(&row.owner) {
                own.remove(&id.0);
            }
            self.by_owner.entry(farm.owner).or_default().insert(id.0);
        }
        *row = farm;
        true
    }

    /// Numbers of farms that fit, behind `after`.
    pub(crate) fn page(&self, filter: FarmFilter, after: Option<u32>, limit: usize) -> Slice<u32> {
        match filter.owner {
            Some(owner) => {
                let nothing = BTreeSet::new();
                let own = self.by_owner.get(&owner).unwrap_or(&nothing);
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                Slice::take(own.range((from, Bound::Unbounded)).copied(), |_| true, limit)
            }
            None => {
                let from = after.map_or(1, |after| after.saturating_add(1));
                Slice::take(from..=self.len(), |_| true, limit)
            }
        }
    }
}

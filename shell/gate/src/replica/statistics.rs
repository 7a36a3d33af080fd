//! How large the grid is, and how few own how much of it (C6, C92).

use std::collections::HashMap;

use acre_types::{AccountId, Country};

use super::{Replica, Sums};

/// The grid in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    pub(crate) all: Sums,
    pub(crate) farms: u32,
    /// Accounts that own a farm with a node that is not retired.
    pub(crate) farmers: u64,
    /// Countries with a node that is not retired, in the order of their letters.
    pub(crate) countries: Vec<(Country, Sums)>,
    /// By storage offered.
    pub(crate) storage: Shares,
    /// By cores offered.
    pub(crate) cores: Shares,
    /// By storage that witnesses found.
    pub(crate) storage_verified: Shares,
    /// By cores that witnesses found.
    pub(crate) cores_verified: Shares,
}

/// How much the largest owners hold, in parts per million of all, rounded down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) top_1_ppm: u32,
    pub(crate) top_5_ppm: u32,
    pub(crate) top_20_ppm: u32,
    /// How many owners it takes, the largest first, to hold more than half.
    pub(crate) owners_for_half: u64,
    /// The same for more than a third.
    pub(crate) owners_for_third: u64,
}

impl Shares {
    /// Of what each owner holds, in any order.
    pub(crate) fn of(mut holdings: Vec<u128>) -> Self {
        holdings.sort_unstable_by(|a, b| b.cmp(a));
        let all: u128 = holdings.iter().sum();
        if all == 0 {
            return Self::default();
        }
        let top = |count: usize| {
            let held: u128 = holdings.iter().take(count).sum();
            u32::try_from(held.saturating_mul(1_000_000) / all).unwrap_or(u32::MAX)
        };
        let owners_for = |parts: u128| {
            let mut held = 0;
            for (count, holding) in (1..).zip(&holdings) {
                held += holding;
                if held * parts > all {
                    return count;
                }
            }
            0
        };
        Self {
            top_1_ppm: top(1),
            top_5_ppm: top(5),
            top_20_ppm: top(20),
            owners_for_half: owners_for(2),
            owners_for_third: owners_for(3),
        }
    }
}

impl Replica {
    /// The grid in numbers, as of now.
    pub(crate) fn statistics(&self) -> Statistics {
        let mut owners: HashMap<AccountId, Sums> = HashMap::new();
        for (id, farm) in self.farms.iter() {
            owners.entry(farm.owner).or_default().add(&self.nodes.farm_sums(id));
        }
        let present: Vec<&Sums> = owners.values().filter(|sums| sums.present() > 0).collect();
        let by = |held: fn(&Sums) -> u128| present.iter().map(|sums| held(sums)).collect();
        let countries = (self.nodes.countries())
            .filter(|(_, sums)| sums.present() > 0)
            .map(|(country, sums)| (country, *sums));
        Statistics {
            all: *self.nodes.sums(),
            farms: self.farms.len(),
            farmers: present.len() as u64,
            countries: countries.collect(),
            storage: Shares::of(by(|sums| sums.offered.storage_bytes)),
            cores: Shares::of(by(|sums| u128::from(sums.offered.cores))),
            storage_verified: Shares::of(by(|sums| sums.verified.storage_bytes)),
            cores_verified: Shares::of(by(|sums| u128::from(sums.verified.cores))),
        }
    }
}

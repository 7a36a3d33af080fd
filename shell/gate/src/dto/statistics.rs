//! The grid in numbers.

use acre_types::Country;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Capacity, Totals};
use crate::replica::{self, Replica, Sums};

/// The grid in numbers. Retired nodes are counted in `nodes_retired` only.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Statistics {
    /// Nodes that take new contracts.
    pub(crate) nodes_active: u64,
    /// Nodes that keep what they have.
    pub(crate) nodes_draining: u64,
    /// Nodes that are gone for good.
    pub(crate) nodes_retired: u64,
    /// What nodes claim to offer.
    pub(crate) offered: Capacity,
    /// What of that witnesses found.
    pub(crate) verified: Capacity,
    /// Raw storage that contracts reserved.
    #[schemars(with = "u64")]
    pub(crate) reserved_bytes: u128,
    /// Farms ever made.
    pub(crate) farms: u32,
    /// Accounts that own a farm with a node that is not retired.
    pub(crate) farmers: u64,
    /// Contracts that hold something now.
    pub(crate) contracts_open: usize,
    /// Plain bytes of open storage contracts.
    #[schemars(with = "u64")]
    pub(crate) contracts_plain_bytes: u128,
    /// Countries with a node that is not retired.
    pub(crate) countries: Vec<CountryPart>,
    /// How few own how much.
    pub(crate) decentralisation: Decentralisation,
    /// Sums and counters of the ledger itself.
    pub(crate) totals: Totals,
}

/// Nodes in one country.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "CountryStatistics")]
pub(crate) struct CountryPart {
    /// ISO 3166-1, two letters.
    pub(crate) country: String,
    /// Nodes that are not retired.
    pub(crate) nodes: u64,
    /// What they claim to offer.
    pub(crate) offered: Capacity,
    /// What of that witnesses found.
    pub(crate) verified: Capacity,
}

impl CountryPart {
    fn new(country: Country, sums: &Sums) -> Self {
        Self {
            country: country.to_string(),
            nodes: sums.present(),
            offered: (&sums.offered).into(),
            verified: (&sums.verified).into(),
        }
    }
}

/// How few own how much.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Decentralisation {
    /// Owners of farms by raw storage offered.
    pub(crate) storage: Shares,
    /// Owners of farms by cores offered.
    pub(crate) cores: Shares,
    /// Owners of farms by raw storage that witnesses found.
    pub(crate) storage_verified: Shares,
    /// Owners of farms by cores that witnesses found.
    pub(crate) cores_verified: Shares,
    /// Validators, each with one vote.
    pub(crate) validators: usize,
    /// Validators that together can stop the ledger: more than a third.
    pub(crate) validators_to_stop: usize,
}

/// Shares of the largest owners.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(crate) struct Shares {
    /// Share of the largest owner, in parts per million.
    pub(crate) top_1_ppm: u32,
    /// Share of the five largest.
    pub(crate) top_5_ppm: u32,
    /// Share of the twenty largest.
    pub(crate) top_20_ppm: u32,
    /// How many owners, the largest first, hold more than half.
    pub(crate) owners_for_half: u64,
    /// How many owners, the largest first, hold more than a third.
    pub(crate) owners_for_third: u64,
}

impl From<replica::Shares> for Shares {
    fn from(shares: replica::Shares) -> Self {
        let replica::Shares { top_1_ppm, top_5_ppm, top_20_ppm, owners_for_half, owners_for_third } =
            shares;
        Self { top_1_ppm, top_5_ppm, top_20_ppm, owners_for_half, owners_for_third }
    }
}

impl Statistics {
    pub(crate) fn new(replica: &Replica) -> Self {
        let validators = replica.seats.as_ref().map_or(0, |seats| seats.members.len());
        let found = replica.statistics();
        Self {
            nodes_active: found.all.active,
            nodes_draining: found.all.draining,
            nodes_retired: found.all.retired,
            offered: (&found.all.offered).into(),
            verified: (&found.all.verified).into(),
            reserved_bytes: found.all.reserved_bytes,
            farms: found.farms,
            farmers: found.farmers,
            contracts_open: replica.contracts.open() + replica.contracts.left_out(),
            contracts_plain_bytes: replica.contracts.bytes(),
            countries: (found.countries.iter())
                .map(|(country, sums)| CountryPart::new(*country, sums))
                .collect(),
            decentralisation: Decentralisation {
                storage: found.storage.into(),
                cores: found.cores.into(),
                storage_verified: found.storage_verified.into(),
                cores_verified: found.cores_verified.into(),
                validators,
                validators_to_stop: if validators == 0 { 0 } else { (validators - 1) / 3 + 1 },
            },
            totals: (&replica.totals).into(),
        }
    }
}

//! Units of capacity and of money.
//!
//! A GB of the farming formulas is 2^30 bytes. [`Raw`] has MRU, CRU, SRU and HRU under their names.

use std::fmt;

use acre_types::Bytes;
use borsh::{BorshDeserialize, BorshSerialize};

use crate::object::{Capacity, Node};

/// What a node has proven, as the formulas take it apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Raw {
    /// CRU: logical processors.
    pub cores: u32,
    /// MRU: memory.
    pub memory: Bytes,
    /// SRU: storage that was proven to answer as fast as solid state does.
    pub ssd: Bytes,
    /// HRU: all other storage.
    pub hdd: Bytes,
}

impl Raw {
    /// Of this capacity, with so much of its storage proven to be solid.
    #[must_use]
    pub fn new(proven: Capacity, solid: Bytes) -> Self {
        let Capacity { storage, cores, memory } = proven;
        let ssd = solid.min(storage);
        Self { cores, memory, ssd, hdd: Bytes(storage.0.saturating_sub(ssd.0)) }
    }

    /// All that a node has proven.
    #[must_use]
    pub fn proven(node: &Node) -> Self {
        Self::new(node.proven(), node.solid)
    }

    /// Of [`Raw::proven`], what contracts had reserved. Where storage is solid in part, shards are taken
    /// to lie there first: what is sold pays no more than is covered.
    #[must_use]
    pub fn lent(node: &Node) -> Self {
        Self::new(node.lent.min(node.proven()), node.solid)
    }

    /// What is left without `other`, field by field; nothing where that is more.
    #[must_use]
    pub const fn without(&self, other: &Self) -> Self {
        Self {
            cores: self.cores.saturating_sub(other.cores),
            memory: Bytes(self.memory.0.saturating_sub(other.memory.0)),
            ssd: Bytes(self.ssd.0.saturating_sub(other.ssd.0)),
            hdd: Bytes(self.hdd.0.saturating_sub(other.hdd.0)),
        }
    }

    /// SRU and HRU together.
    #[must_use]
    pub const fn storage(&self) -> Bytes {
        Bytes(self.ssd.0.saturating_add(self.hdd.0))
    }
}

/// The time that monthly rates pay for on a real grid: 730.8 hours, the average month of five years.
pub const MONTH_MS: u64 = 2_630_880_000;

const GIB: u128 = 1 << 30;
const NANO: u128 = 1_000_000_000;
const HOUR_MS: u128 = 3_600_000;

macro_rules! scaled {
    ($(#[$doc:meta])* $name:ident, $digits:literal, $one:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize,
        )]
        pub struct $name(pub u64);

        /// As a decimal number of whole ones.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (whole, part) = (self.0.div_euclid($one), self.0.rem_euclid($one));
                if part == 0 {
                    return write!(f, "{whole}");
                }
                let digits = format!("{part:0width$}", width = $digits);
                write!(f, "{whole}.{}", digits.trim_end_matches('0'))
            }
        }
    };
}

scaled! {
    /// A quantity in billionths of its unit: of a CU, an SU, a GB of traffic, or an hour.
    NanoUnits, 9, 1_000_000_000
}
scaled! {
    /// Money in millionths of a US dollar: rates and prices.
    MicroUsd, 6, 1_000_000
}
scaled! {
    /// Money in billionths of a US dollar: what a line is worth before it becomes tokens.
    NanoUsd, 9, 1_000_000_000
}

/// How much a farm has shown, beyond the capacity of each node.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub enum Certification {
    /// Nothing but its capacity.
    #[default]
    Diy,
    /// A long record of uptime, and others' word for it.
    Certified,
    /// As `Certified`, with higher bars.
    Gold,
}

impl Certification {
    /// In lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Diy => "diy",
            Self::Certified => "certified",
            Self::Gold => "gold",
        }
    }
}

fn nanos(value: u128) -> NanoUnits {
    NanoUnits(u64::try_from(value).unwrap_or(u64::MAX))
}

/// CU = min((MRU - 1) / 4, CRU x 4 / 2, SRU / 50), rounded down to billionths.
#[must_use]
pub fn compute_units(raw: &Raw) -> NanoUnits {
    let memory = u128::from(raw.memory.0).saturating_sub(GIB).saturating_mul(NANO) / (4 * GIB);
    let cores = u128::from(raw.cores).saturating_mul(2 * NANO);
    let solid = u128::from(raw.ssd.0).saturating_mul(NANO) / (50 * GIB);
    nanos(memory.min(cores).min(solid))
}

/// SU = HRU / 1200 + SRU x 0.8 / 200, that is (5 HRU + 24 SRU) / 6000, rounded down once.
#[must_use]
pub fn storage_units(raw: &Raw) -> NanoUnits {
    let (solid, spinning) = (u128::from(raw.ssd.0), u128::from(raw.hdd.0));
    let weighed = spinning.saturating_mul(5).saturating_add(solid.saturating_mul(24));
    nanos(weighed.saturating_mul(NANO) / (6000 * GIB))
}

/// NU: GB of public traffic, in and out.
#[must_use]
pub fn traffic_units(traffic: Bytes) -> NanoUnits {
    nanos(u128::from(traffic.0).saturating_mul(NANO) / GIB)
}

/// Hours of public IPv4 addresses in use.
#[must_use]
pub fn ipv4_hours(address_ms: u64) -> NanoUnits {
    nanos(u128::from(address_ms).saturating_mul(NANO) / HOUR_MS)
}

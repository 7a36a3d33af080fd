//! Minting as a pure function: what proven capacity and uptime of one node in one period are worth.
//!
//! No state, no clock, no accounts: [`receipt`] takes a [`MintInput`] and gives a [`MintReceipt`].
//! The ledger stores both, so anyone may compute it again; [`simulate`] is the same function asked
//! for years to come. Formulas, units and an example by hand are in `docs/protocols/minting.md`.
//!
//! All in integers, rounded down: quantities in billionths of a unit, money in millionths and
//! billionths of a dollar, tokens in [`acre_types::Amount`].

mod policy;
mod receipt;
mod simulate;
#[cfg(test)]
mod tests;
mod units;

pub use policy::{Caps, Entry, Policy, PolicyId, PolicyName, Rates, Reward, Uptime};
pub use receipt::{Health, MintInput, MintItem, MintLine, MintReceipt, Reason, receipt, recompute};
pub use simulate::{FarmPlan, PlanYear, simulate};
pub use units::{
    Certification, MONTH_MS, MicroUsd, NanoUnits, NanoUsd, Raw, compute_units, ipv4_hours,
    storage_units, traffic_units,
};

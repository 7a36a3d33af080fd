//! What a farm may expect, by the very function that mints.

use acre_types::{Amount, Bytes};

use super::policy::Policy;
use super::receipt::{Health, MintInput, receipt};
use super::units::{Certification, MONTH_MS, MicroUsd, Raw};
use crate::error::MintError;
use crate::limits::{COVER_PERCENT, FOUNDATION_PERCENT, PLAN_YEARS_MAX};
use crate::object::Prices;

/// A farm that somebody thinks of: some nodes of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmPlan {
    /// How many nodes.
    pub nodes: u32,
    /// What each of them will prove.
    pub node: Raw,
    /// Public traffic of one node a month that tenants pay for at the list price of a new grid.
    pub traffic: Bytes,
    /// Of the farm.
    pub certification: Certification,
    /// Share of the time for which the nodes will be up, in permille.
    pub uptime_permille: u16,
    /// Under which they register.
    pub policy: Policy,
    /// Price of one TFT when they register.
    pub price: MicroUsd,
    /// What one TFT is sold for.
    pub market: MicroUsd,
    /// Power that one node draws, in watts.
    pub watts: u32,
    /// Price of a kilowatt hour.
    pub kwh: MicroUsd,
    /// Price of one node.
    pub hardware: MicroUsd,
    /// As [`MintInput::witness_permille`]; each verdict is expected to be honest.
    pub witness_permille: u16,
    /// How far to look ahead, in years of twelve months, at most [`PLAN_YEARS_MAX`].
    pub years: u8,
}

/// One year of a plan, all nodes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanYear {
    /// From 1.
    pub year: u8,
    /// Tokens minted.
    pub minted: Amount,
    /// What they are sold for.
    pub income: MicroUsd,
    /// What the power costs.
    pub energy: MicroUsd,
    /// Millionths of a dollar gained or lost since the hardware was bought.
    pub balance: i64,
}

/// The years of a plan, each as twelve receipts.
///
/// # Errors
/// More years than [`PLAN_YEARS_MAX`], a policy out of bounds, or sums past their range.
pub fn simulate(plan: &FarmPlan) -> Result<Vec<PlanYear>, MintError> {
    plan.policy.check()?;
    if plan.years > PLAN_YEARS_MAX || plan.uptime_permille > 1000 {
        return Err(MintError::OutOfRange { what: "the plan" });
    }
    let out = || MintError::OutOfRange { what: "the sums of the plan" };
    let nodes = u64::from(plan.nodes);
    let hardware = nodes.checked_mul(plan.hardware.0).ok_or_else(out)?;
    let mut balance = i64::try_from(hardware).ok().and_then(i64::checked_neg).ok_or_else(out)?;
    let energy = energy_of_year(plan).ok_or_else(out)?;
    let (mut vested_ms, mut spent, mut table) = (0, Amount::ZERO, Vec::new());
    for year in 1..=plan.years {
        let mut minted = Amount::ZERO;
        for month in 0..12 {
            let period = u64::from(year).saturating_sub(1).saturating_mul(12).saturating_add(month);
            let made = receipt(&month_of(plan, period, vested_ms))?;
            vested_ms = made.vested_ms;
            let all = made.total.0.checked_mul(nodes).map(Amount).ok_or_else(out)?;
            let left = plan.policy.caps.budget.map(|budget| budget.0.saturating_sub(spent.0));
            let all = left.map_or(all, |left| Amount(all.0.min(left)));
            spent = spent.checked_add(all).ok_or_else(out)?;
            minted = minted.checked_add(all).ok_or_else(out)?;
        }
        let income = sold(minted, plan.market).ok_or_else(out)?;
        let gain = i64::try_from(income.0).ok().zip(i64::try_from(energy.0).ok());
        let gain = gain.and_then(|(income, energy)| income.checked_sub(energy));
        balance = gain.and_then(|gain| balance.checked_add(gain)).ok_or_else(out)?;
        table.push(PlanYear { year, minted, income, energy, balance });
    }
    Ok(table)
}

fn month_of(plan: &FarmPlan, period: u64, vested_ms: u64) -> MintInput {
    let up_ms = MONTH_MS.saturating_mul(plan.uptime_permille.into()).div_euclid(1000);
    MintInput {
        period,
        capacity: plan.node,
        traffic: plan.traffic,
        traffic_cover: traffic_cover(plan),
        ipv4_ms: 0,
        due_ms: MONTH_MS,
        up_ms,
        duties: 1,
        honest: 1,
        month_ms: MONTH_MS,
        certification: plan.certification,
        health: Health::Sound,
        policy: plan.policy.clone(),
        price: plan.price,
        vested_ms,
        witness_permille: plan.witness_permille,
        // All nodes share it; see the caller.
        budget_left: None,
        // Space that is not sold: what is sold earns its price.
        sold: Raw::default(),
        sold_owed: Amount::ZERO,
        sold_cover: Amount::ZERO,
    }
}

/// What is covered of what tenants pay for this traffic at the list price of a new grid.
fn traffic_cover(plan: &FarmPlan) -> Amount {
    let worth = u128::from(plan.traffic.0)
        .saturating_mul(Prices::default().traffic_gib.0.into())
        .saturating_mul(FOUNDATION_PERCENT.saturating_mul(COVER_PERCENT).into())
        .saturating_mul(Amount::UNITS_PER_TFT.into());
    let below = (10_000_u128 << 30).saturating_mul(u128::from(plan.price.0));
    Amount(u64::try_from(worth.checked_div(below).unwrap_or(0)).unwrap_or(u64::MAX))
}

/// Watts x hours / 1000 x price, over twelve months.
fn energy_of_year(plan: &FarmPlan) -> Option<MicroUsd> {
    let watt_ms = u128::from(plan.watts)
        .checked_mul(u128::from(plan.nodes))?
        .checked_mul(u128::from(MONTH_MS).checked_mul(12)?)?;
    let cost = watt_ms.checked_mul(u128::from(plan.kwh.0))?.div_euclid(3_600_000_000);
    u64::try_from(cost).ok().map(MicroUsd)
}

fn sold(amount: Amount, market: MicroUsd) -> Option<MicroUsd> {
    let product = u128::from(amount.0).checked_mul(u128::from(market.0))?;
    u64::try_from(product.div_euclid(u128::from(Amount::UNITS_PER_TFT))).ok().map(MicroUsd)
}

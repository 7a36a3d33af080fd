//! `acre farm simulate`: what a farm may expect, by the very code that mints.

use acre_ledger::mint::{Certification, FarmPlan, MicroUsd, PlanYear, Policy, Raw, simulate};
use serde_json::{Value, json};

use crate::cli::{PolicyName, Simulate};
use crate::exit::{Code, Failure, Outcome};
use crate::output::Output;
use crate::setting::read_usd;

pub(crate) fn run(options: &Simulate, out: &Output) -> Outcome {
    let policy = match options.policy {
        PolicyName::Standard => Policy::standard(),
        PolicyName::Seed2017 => Policy::seed2017(),
    };
    let certification =
        if options.certified { Certification::Certified } else { Certification::Diy };
    let plan = FarmPlan {
        nodes: options.nodes,
        node: Raw {
            cores: options.cores,
            memory: options.memory,
            ssd: options.ssd,
            hdd: options.hdd,
        },
        traffic: options.traffic,
        certification,
        uptime_permille: options.uptime_permille,
        policy,
        price: usd(&options.price)?,
        market: usd(options.market.as_deref().unwrap_or(&options.price))?,
        watts: options.watts,
        kwh: usd(&options.kwh)?,
        hardware: usd(&options.hardware)?,
        witness_permille: 0,
        years: options.years,
    };
    let years = simulate(&plan).map_err(|error| Failure::new(Code::Usage, error))?;
    let values: Vec<Value> = years.iter().map(year).collect();
    out.data(&json!({ "years": values }), || {
        let head = format!(
            "{:>4} {:>18} {:>14} {:>14} {:>14}",
            "YEAR", "MINTED", "INCOME USD", "POWER USD", "BALANCE USD"
        );
        let lines = years.iter().map(line);
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    });
    out.note("A plan is no promise: it says what these rules mint for what a node proves.");
    Ok(())
}

fn year(year: &PlanYear) -> Value {
    json!({
        "year": year.year, "minted": year.minted.to_string(), "minted_units": year.minted,
        "income_usd": year.income.to_string(), "energy_usd": year.energy.to_string(),
        "balance_usd_micro": year.balance,
    })
}

fn line(year: &PlanYear) -> String {
    let sign = if year.balance < 0 { "-" } else { "" };
    let balance = format!("{sign}{}", MicroUsd(year.balance.unsigned_abs()));
    let minted = year.minted.to_string();
    let (income, energy) = (year.income.to_string(), year.energy.to_string());
    format!("{:>4} {minted:>18} {income:>14} {energy:>14} {balance:>14}", year.year)
}

/// Dollars with at most six digits after the point.
fn usd(text: &str) -> Outcome<MicroUsd> {
    let wrong = || Failure::new(Code::Usage, format!("'{text}' is no amount of dollars"));
    Ok(read_usd(text).ok_or_else(wrong)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_to_the_millionth() {
        for (text, micro) in [("1", 1_000_000), ("0.08", 80_000), ("12.345678", 12_345_678)] {
            assert_eq!(usd(text).unwrap().0, micro, "{text}");
        }
        for text in ["", ".5", "-1", "1.2345678", "1e3", "99999999999999999999"] {
            assert!(usd(text).is_err(), "{text}");
        }
    }
}

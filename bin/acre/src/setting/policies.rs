//! Farming policies as text: `NAME:KEY=VALUE,KEY=VALUE;NAME:...`, in the order in which they were added.
//!
//! What is not named is as in the preset of that name, or as in `standard`; a policy that the grid has
//! already may be named by its name alone. So one that is added is written as
//! `standard;seed2017;village:cu=3,budget=1000`. The ledger lets a vote add policies and change none.

use acre_codec::List;
use acre_ledger::mint::{Caps, Certification, Entry, NanoUnits, Policy, Reward, Uptime};
use acre_ledger::{MicroUsd, Parameters};
use acre_types::{Amount, Text, UnixMs};

use super::read_usd;

/// Billionths of a unit in one.
const NANO: u64 = 1_000_000_000;

pub(super) fn write(parameters: &Parameters) -> String {
    let all: Vec<String> = parameters.minting.policies.iter().map(write_one).collect();
    all.join(";")
}

pub(super) fn read(parameters: &mut Parameters, text: &str) -> Option<()> {
    let known = &parameters.minting.policies;
    let all: Option<Vec<Policy>> = text.split(';').map(|one| read_one(known, one.trim())).collect();
    parameters.minting.policies = List::new(all?).ok()?;
    Some(())
}

fn write_one(policy: &Policy) -> String {
    let tft = |amount: Amount| amount.to_string().trim_end_matches(" TFT").to_owned();
    let mut parts = match &policy.reward {
        Reward::Monthly(rates) => vec![
            format!("cu={}", rates.compute),
            format!("idle_cu={}", rates.idle_compute),
            format!("su={}", rates.storage),
            format!("nu={}", rates.traffic),
            format!("ipv4={}", rates.ipv4),
            format!("certified={}", rates.certified_percent),
        ],
        Reward::Seed { per, grant, vest_months, yearly } => vec![
            format!("per={}", per.0),
            format!("grant={}", tft(*grant)),
            format!("months={vest_months}"),
            format!("yearly={}", tft(*yearly)),
        ],
    };
    parts.push(format!("up={}/{}", policy.uptime.diy, policy.uptime.certified));
    let Caps { compute, storage, budget } = policy.caps;
    parts.extend(compute.map(|units| format!("cu_max={}", whole(units))));
    parts.extend(storage.map(|units| format!("su_max={}", whole(units))));
    parts.extend(budget.map(|budget| format!("budget={}", tft(budget))));
    let Entry { least, closes } = policy.entry;
    match least {
        Certification::Diy => {}
        Certification::Certified => parts.push("least=certified".to_owned()),
        Certification::Gold => parts.push("least=gold".to_owned()),
    }
    parts.extend(closes.map(|closes| format!("closes_ms={}", closes.0)));
    parts.extend(policy.last_period.map(|last| format!("last_period={last}")));
    format!("{}:{}", policy.name, parts.join(","))
}

/// Units with the digits that they need.
fn whole(units: NanoUnits) -> String {
    let nano = units.0;
    let text = format!("{}.{:09}", nano / NANO, nano % NANO);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn units(text: &str) -> Option<NanoUnits> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if part.len() > 9 || !is_plain(whole) || !is_plain(part) {
        return None;
    }
    format!("{whole}{part:0<9}").parse::<u64>().ok().map(NanoUnits)
}

fn read_one(known: &[Policy], text: &str) -> Option<Policy> {
    let (name, parts) = text.split_once(':').unwrap_or((text, ""));
    let preset = [Policy::standard(), Policy::seed2017()];
    let of_name = |all: &[Policy]| all.iter().find(|one| one.name.as_str() == name).cloned();
    let found = of_name(known).or_else(|| of_name(&preset));
    // A name alone must mean something.
    if parts.is_empty() {
        return found;
    }
    let mut policy = of_name(&preset).unwrap_or_else(Policy::standard);
    policy.name = Text::new(name).ok()?;
    for part in parts.split(',') {
        let (key, value) = part.split_once('=')?;
        set(&mut policy, key.trim(), value.trim())?;
    }
    Some(policy)
}

fn set(policy: &mut Policy, key: &str, value: &str) -> Option<()> {
    if let Reward::Monthly(rates) = &mut policy.reward {
        let rate: Option<&mut MicroUsd> = match key {
            "cu" => Some(&mut rates.compute),
            "idle_cu" => Some(&mut rates.idle_compute),
            "su" => Some(&mut rates.storage),
            "nu" => Some(&mut rates.traffic),
            "ipv4" => Some(&mut rates.ipv4),
            _ => None,
        };
        if let Some(rate) = rate {
            *rate = read_usd(value)?;
            return Some(());
        }
        if key == "certified" {
            rates.certified_percent = value.parse().ok()?;
            return Some(());
        }
    }
    // The first of these makes it a policy of grants.
    if ["per", "grant", "months", "yearly"].contains(&key) {
        if matches!(policy.reward, Reward::Monthly(_)) {
            policy.reward = Policy::seed2017().reward;
        }
        if let Reward::Seed { per, grant, vest_months, yearly } = &mut policy.reward {
            match key {
                "per" => *per = value.parse().ok()?,
                "grant" => *grant = value.parse().ok()?,
                "months" => *vest_months = value.parse().ok()?,
                _ => *yearly = value.parse().ok()?,
            }
        }
        return Some(());
    }
    match key {
        "up" => {
            let (diy, certified) = value.split_once('/')?;
            policy.uptime = Uptime { diy: diy.parse().ok()?, certified: certified.parse().ok()? };
        }
        "cu_max" => policy.caps.compute = Some(units(value)?),
        "su_max" => policy.caps.storage = Some(units(value)?),
        "budget" => policy.caps.budget = Some(value.parse().ok()?),
        "least" => {
            policy.entry.least = match value {
                "diy" => Certification::Diy,
                "certified" => Certification::Certified,
                "gold" => Certification::Gold,
                _ => return None,
            }
        }
        "closes_ms" => policy.entry.closes = Some(UnixMs(value.parse().ok()?)),
        "last_period" => policy.last_period = Some(value.parse().ok()?),
        _ => return None,
    }
    Some(())
}

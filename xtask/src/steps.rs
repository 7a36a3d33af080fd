//! The steps of `cargo xtask test`, each timed.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{packages, tidy};

/// Everything CI checks, cheapest first.
pub(crate) fn test() -> Result<()> {
    packages::ensure()?;
    step("formatting", &["fmt", "--all", "--check"], &[])?;
    tidy::check(&tidy::root())?;
    step("tests", &["test", "--workspace", "--locked", "--no-fail-fast"], &[])?;
    let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    step("lints", &lints, &[])?;
    if Command::new("cargo").args(["deny", "--version"]).output().is_ok_and(|o| o.status.success())
    {
        step("dependencies", &["deny", "--offline", "check", "licenses", "bans", "sources"], &[])?;
    } else {
        eprintln!("note: cargo-deny is not installed, so deny.toml was not checked");
    }
    Ok(())
}

/// The simulator over `seeds` seeds in an optimised build.
pub(crate) fn simulate(seeds: &str) -> Result<()> {
    let run = ["test", "--release", "--locked", "-p", "acre-sim", "--", "--nocapture"];
    step("simulation", &run, &[("ACRE_SIM_SEEDS", seeds)])
}

fn step(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    eprintln!("== {name}: cargo {}", arguments.join(" "));
    let begun = Instant::now();
    let status = Command::new("cargo")
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(tidy::root())
        .status()
        .context("cargo could not be started")?;
    eprintln!("== {name}: {} s", begun.elapsed().as_secs());
    if !status.success() {
        bail!("{name} failed: cargo {}", arguments.join(" "));
    }
    Ok(())
}

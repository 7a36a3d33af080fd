//! The seeds of CI, those that once failed, and any that the environment asks for.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::time::Duration;

use acre_sim::{Options, Outcome, Reached, WANTED, run, run_ledger, run_traced};

/// Seeds of an ordinary run; `ACRE_SIM_SEEDS` asks for more.
const SEEDS: u64 = 64;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a seed; on a violation the lines before it are shown with the seed.
#[track_caller]
fn check(seed: u64) -> Outcome {
    match run(Options::from_seed(seed)) {
        Ok(outcome) => outcome,
        Err(violation) => {
            let (_, trace) = run_traced(Options::from_seed(seed));
            let from = trace.len().saturating_sub(60);
            eprintln!("{}", trace[from..].join("\n"));
            panic!("{violation}\nreplay: ACRE_SIM_SEED={seed} cargo test -p acre-sim seeds");
        }
    }
}

#[test]
fn every_invariant_holds_under_the_seeds_and_the_wanted_states_are_reached() {
    if let Some(seed) = number("ACRE_SIM_SEED") {
        let (result, trace) = run_traced(Options::from_seed(seed));
        eprintln!("{:#?}\n{}", Options::from_seed(seed), trace.join("\n"));
        result.unwrap();
        return;
    }
    let seeds = number("ACRE_SIM_SEEDS").unwrap_or(SEEDS);
    let (mut reached, mut events, mut elapsed) = (Reached::default(), 0, Duration::ZERO);
    let mut applied = 0;
    for seed in 0..seeds {
        let outcome = check(seed);
        reached.merge(&outcome.reached);
        events += outcome.events;
        elapsed += outcome.elapsed;
        let ledger = run_ledger(seed, None).unwrap_or_else(|violation| panic!("{violation}"));
        reached.merge(&ledger.reached);
        applied += ledger.applied;
    }
    eprintln!(
        "{seeds} seeds, {events} events, {elapsed:?} of virtual time, {applied} transactions, {:#?}",
        reached.0
    );
    if seeds >= SEEDS {
        let missed: Vec<_> = WANTED.iter().filter(|name| !reached.0.contains_key(*name)).collect();
        assert!(missed.is_empty(), "states never reached: {missed:?}");
    }
}

#[test]
fn a_seed_runs_the_same_twice() {
    for seed in [1, 2, 3, 17] {
        assert_eq!(check(seed), check(seed), "seed {seed}");
        assert_eq!(run_ledger(seed, None), run_ledger(seed, None), "seed {seed}");
    }
}

/// `sim/seeds/<seed>.txt`: what once broke stays mended.
#[test]
fn seeds_that_once_failed_pass() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let text = std::fs::read_to_string(&path).unwrap();
            check(text.lines().next().unwrap().trim().parse().unwrap());
        }
    }
}

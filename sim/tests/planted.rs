//! Measures the tester: each bug planted around the cores must be caught, and soon.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use acre_sim::{Options, Planted, run, run_ledger};

/// Seeds after which a planted bug must have been caught.
const SEEDS_MAX: u64 = 100;

#[track_caller]
fn check(planted: Planted, expected: &str) {
    for seed in 0..SEEDS_MAX {
        let Err(violation) = run(Options::from_seed(seed).with(planted)) else { continue };
        eprintln!("{planted:?} is caught by seed {seed}, of {SEEDS_MAX}: {violation}");
        assert!(violation.what.starts_with(expected), "{violation} is not about {expected}");
        return;
    }
    panic!("{planted:?} is not caught by {SEEDS_MAX} seeds");
}

#[test]
fn catches_a_node_that_says_stored_before_it_synced() {
    check(Planted::StoredBeforeSync, "S");
}

#[test]
fn catches_a_repair_from_unverified_shards() {
    check(Planted::UnverifiedRepair, "S4");
}

#[test]
fn catches_a_put_acknowledged_at_k_shards() {
    check(Planted::AcknowledgedAtData, "S1");
}

#[test]
fn catches_a_head_that_counts_without_a_majority() {
    check(Planted::HeadWithoutMajority, "S1: head");
}

#[test]
fn catches_a_reader_that_ignores_a_tag() {
    check(Planted::TagIgnored, "S2");
}

#[test]
fn catches_a_trim_beside_unverified_copies() {
    check(Planted::TrimUnverified, "S");
}

#[test]
fn catches_a_head_that_is_not_synced() {
    check(Planted::HeadNotSynced, "S1: head");
}

#[test]
fn catches_a_wallet_that_pays_twice() {
    let caught =
        (0..SEEDS_MAX).find_map(|seed| run_ledger(seed, Some(Planted::NonceIgnored)).err());
    let violation = caught.unwrap();
    eprintln!("NonceIgnored is caught by seed {}: {violation}", violation.seed);
    assert!(violation.what.starts_with("L4"), "{violation}");
}

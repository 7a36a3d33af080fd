//! Each cheat is found within the stated number of epochs, and honest nodes are left alone.
//! `cargo run -p acre-capacity --example cheats` prints the whole table.

#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::time::Duration;

use world::Net;
use world::node::Behaviour;
use world::scenes::{captured, captured_by_formula, run};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[track_caller]
fn is_found_within(epochs: u32, kind: Behaviour) {
    for seed in 1..=2 {
        let outcome = run(Net::new(seed), kind, 4, 8, epochs);
        assert!(outcome.all_found_after.is_some(), "seed {seed}, {kind:?}: {outcome:?}");
        assert_eq!(outcome.punished, 0, "seed {seed}, {kind:?}: {outcome:?}");
    }
}

#[test]
fn tenth_of_the_space_is_found_in_the_first_epoch() {
    is_found_within(1, Behaviour::Holes { percent: 10 });
    is_found_within(1, Behaviour::Part { percent: 10, fill: MS(8000) });
}

#[test]
fn four_fifths_of_the_space_are_found_within_two_epochs() {
    is_found_within(2, Behaviour::Holes { percent: 80 });
}

#[test]
fn slow_disk_is_found_in_the_first_epoch() {
    is_found_within(1, Behaviour::SlowDisk { read: MS(400) });
}

#[test]
fn neighbour_beyond_the_deadline_is_found_in_the_first_epoch() {
    is_found_within(1, Behaviour::Neighbour { round_trip: MS(3000) });
}

#[test]
fn reads_that_wait_for_each_other_tell_a_slow_disk_and_a_neighbour() {
    // Within the deadline of samples, both.
    is_found_within(1, Behaviour::SlowDisk { read: MS(150) });
    is_found_within(1, Behaviour::Neighbour { round_trip: MS(100) });
}

#[test]
fn chase_that_is_made_up_in_part_is_found() {
    is_found_within(1, Behaviour::Skipper { read: MS(100), percent: 65 });
    is_found_within(1, Behaviour::Skipper { read: MS(8), percent: 90 });
    // One try shows a tenth with 1 - 0.9^16 = 81 %, and what is false has no other; two of three
    // witnesses must: 91 % an epoch.
    is_found_within(3, Behaviour::Skipper { read: MS(10), percent: 10 });
}

#[test]
fn neighbour_that_chases_itself_is_not_found() {
    // Stated in docs/protocols/witnesses.md: it is as good as the node.
    let outcome = run(Net::new(1), Behaviour::Walker { round_trip: MS(100) }, 4, 8, 2);
    assert_eq!((outcome.found, outcome.solid_percent), (0, 100), "{outcome:?}");
}

#[test]
fn honest_disk_is_solid_or_spinning_and_never_wronged() {
    for (kind, solid) in [
        (Behaviour::Honest, 100),
        (Behaviour::Spinning { read: MS(8) }, 0),
        (Behaviour::Seller, 100),
        (Behaviour::Forgetful, 100),
    ] {
        let outcome = run(Net::new(3), kind, 4, 8, 2);
        assert_eq!((outcome.found, outcome.punished), (0, 0), "{kind:?}: {outcome:?}");
        let shown = (outcome.believed_percent, outcome.solid_percent);
        assert_eq!(shown, (100, solid), "{kind:?}: {outcome:?}");
    }
}

#[test]
fn cheap_plots_are_found() {
    is_found_within(1, Behaviour::Forger { percent: 0 });
    // Each witness makes one region again an epoch, which is a forged one with x = 1/2; two of
    // three must: 3x^2 - 2x^3 = 1/2 an epoch. One of 8 cheats (4 a run, 2 seeds) passes E epochs
    // with 1 - (1 - 2^-E)^8: 12 % for 6 epochs, 0.2 % for 12.
    is_found_within(12, Behaviour::Forger { percent: 50 });
}

#[test]
fn ring_of_a_tenth_is_found_most_of_the_time_and_hurts_no_majority() {
    let (mut cheating, mut found, mut punished, mut honest) = (0, 0, 0, 0);
    for seed in 1..=3 {
        let outcome = run(Net::new(seed), Behaviour::Ring, 3, 27, 4);
        cheating += outcome.cheating;
        found += outcome.found;
        punished += outcome.punished;
        honest += outcome.honest;
    }
    // Expected: 2.8 % of its node-epochs pass; the same share of honest ones is slandered.
    assert!(found * 100 >= cheating * 85, "{found} of {cheating}");
    assert!(punished * 100 <= honest * 6, "{punished} of {honest}");
}

#[test]
fn share_of_captured_majorities_is_that_of_the_formula() {
    for (witnesses, ring) in [(3, 10), (5, 10), (5, 25), (7, 20)] {
        let (drawn, formula) =
            (captured(witnesses, ring, 200_000) as f64 / 1e6, captured_by_formula(witnesses, ring));
        let apart = (drawn - formula).abs();
        assert!(apart < 0.1 * formula + 0.001, "k {witnesses}, ring {ring} %: {drawn} {formula}");
    }
}

#[test]
fn honest_nodes_keep_their_word_when_one_call_in_a_hundred_is_lost() {
    let net = Net { loss_permille: 10, ..Net::new(5) };
    let outcome = run(net, Behaviour::Honest, 0, 24, 6);
    assert_eq!(outcome.punished, 0, "{outcome:?}");
}

#[test]
fn same_seed_gives_the_same_run() {
    let kind = Behaviour::Holes { percent: 80 };
    let once = || format!("{:?}", run(Net::new(9), kind, 2, 6, 2));
    assert_eq!(once(), once());
}

//! One of four is not honest: no fork ever, and the other three go on.

use super::{check_agreement, counters, ms, simulate, submit};
use acre_engine::{
    byzantine::{Actor, InvalidProposer},
    simulation::{Simulation, run},
};
use std::sync::Arc;

/// Four validators of which the third is not honest, a lossy start, then twelve transactions.
fn with(seed: u64, actor: Actor) {
    let counters = counters(4);
    let mut simulation = Simulation::healthy(seed, 4);
    simulation.byzantine = [(2, actor)].into();
    simulation.duration = ms(40_000);
    simulation.loss_permille = 5;
    simulation.script = (0..12).map(|i| (ms(500 + 900 * i), submit(&counters, i))).collect();
    let outcome = simulate(simulation, &counters);
    assert_eq!(outcome.failures, [], "{actor:?}, seed {seed}");
    let honest = [0, 1, 3].map(|index: usize| counters[index].clone());
    let height = check_agreement(&honest, seed);
    assert!(height >= 15, "{actor:?}, seed {seed}: {height} blocks");
    for counter in &honest {
        assert_eq!(counter.disk().spent.len(), 12, "{actor:?}, seed {seed}");
    }
}

#[test]
fn equivocator_splits_nobody() {
    (300..303).for_each(|seed| with(seed, Actor::Equivocator));
}

#[test]
fn withholder_and_mute_stop_nobody() {
    (310..312).for_each(|seed| with(seed, Actor::Withholder));
    (320..322).for_each(|seed| with(seed, Actor::Mute));
}

#[test]
fn replayer_of_old_votes_changes_nothing() {
    (330..333).for_each(|seed| with(seed, Actor::Replayer));
}

#[test]
fn invalid_blocks_are_never_final() {
    let seed = 340;
    let counters = counters(4);
    let mut simulation = Simulation::healthy(seed, 4);
    simulation.duration = ms(40_000);
    simulation.script = (0..10).map(|i| (ms(500 + 900 * i), submit(&counters, i))).collect();
    let outcome = run(simulation, &mut |index| {
        let (honest, wake) = (counters[index].start(), Arc::clone(&counters[index].wake));
        (if index == 2 { Box::new(InvalidProposer(honest)) } else { honest }, wake)
    });
    assert_eq!(outcome.failures, [], "seed {seed}");
    check_agreement(&counters, seed);
    assert!(counters.iter().all(|counter| counter.disk().spent.len() == 10), "seed {seed}");
}

#[test]
fn clock_wrong_by_a_day_stops_only_its_owner() {
    const DAY_MS: i64 = 24 * 3_600_000;
    for (seed, error_ms) in [(350, DAY_MS), (351, -DAY_MS)] {
        let counters = counters(4);
        let mut simulation = Simulation::healthy(seed, 4);
        simulation.clock_error_ms = [(1, error_ms)].into();
        simulation.duration = ms(40_000);
        simulation.script = (0..10).map(|i| (ms(500 + 900 * i), submit(&counters, i))).collect();
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        let height = check_agreement(&counters, seed);
        assert!(height >= 10, "seed {seed}: {height} blocks");
        for counter in &counters {
            let disk = counter.disk();
            assert_eq!(disk.spent.len(), 10, "seed {seed}");
            // No block of tomorrow.
            let latest = disk
                .blocks
                .values()
                .map(|block| acre_engine::Header::decode(&block.header).unwrap().timestamp_ms());
            let end = acre_engine::simulation::START_MS + 40_000 + 500;
            assert!(latest.into_iter().all(|time| time <= end), "seed {seed}");
        }
    }
}

//! Whole networks in virtual time.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "network/byzantine.rs"]
mod byzantine;
mod common;
#[path = "network/faults.rs"]
mod faults;
#[path = "network/starts.rs"]
mod starts;
#[path = "network/terms.rs"]
mod terms;

use acre_engine::{
    FinalityProof, Header,
    simulation::{Action, Outcome, Simulation, run},
};
use common::{Counter, Roll};
use std::{num::NonZeroU64, sync::Arc, time::Duration};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Counters for the validators, and the outcome of running over them.
fn simulate(simulation: Simulation, counters: &[Counter]) -> Outcome {
    run(simulation, &mut |index| {
        let counter = &counters[index];
        (counter.start(), Arc::clone(&counter.wake))
    })
}

/// Ledgers of `n` validators.
fn counters(n: usize) -> Vec<Counter> {
    let roll = Roll::of(&Simulation::healthy(0, n).participants(), 0..n);
    (0..n).map(|_| Counter::new(roll.clone())).collect()
}

/// Submits `number` to every validator.
fn submit(counters: &[Counter], number: u64) -> Action {
    let counters = counters.to_vec();
    Action::Call(Box::new(move || counters.iter().for_each(|counter| counter.submit(number))))
}

/// All disks tell the same story as far as they go; the shortest length is returned.
#[track_caller]
fn check_agreement(counters: &[Counter], seed: u64) -> u64 {
    let shortest = counters.iter().map(|counter| counter.disk().applied).min().unwrap();
    for height in 1..=shortest {
        let ids: Vec<_> = counters.iter().map(|c| c.disk().blocks[&height].id).collect();
        assert!(ids.windows(2).all(|w| w[0] == w[1]), "seed {seed}: fork at height {height}");
    }
    for counter in counters {
        let disk = counter.disk();
        assert_eq!(disk.finalized, disk.applied, "seed {seed}: a block was applied twice");
    }
    shortest
}

#[test]
fn one_validator_commits_and_certifies_every_block() {
    let counters = counters(1);
    let mut simulation = Simulation::healthy(7, 1);
    simulation.script = vec![(ms(2_500), submit(&counters, 41)), (ms(2_501), submit(&counters, 1))];
    let (participants, namespace) = (simulation.participants(), simulation.namespace.clone());
    let outcome = simulate(simulation, &counters);
    assert_eq!(outcome.failures, []);

    let disk = counters[0].disk();
    assert_eq!(disk.spent, [1, 41].into());
    // One block a second while idle, and at most one each for the two transactions.
    assert!((8..=14).contains(&disk.applied), "{} blocks in 10 s", disk.applied);
    for (height, block) in &disk.blocks {
        let proof = FinalityProof {
            headers: vec![block.header.clone()],
            certificate: block.certificate.clone().unwrap(),
        };
        let header = proof.verify(&participants, &namespace).unwrap();
        assert_eq!(header.height(), *height);
    }
}

#[test]
fn four_validators_agree_and_commit_what_was_submitted() {
    for seed in 0..4 {
        let counters = counters(4);
        let mut simulation = Simulation::healthy(seed, 4);
        simulation.script = (0..20).map(|i| (ms(500 + 100 * i), submit(&counters, i))).collect();
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        let heights: Vec<_> = counters.iter().map(|c| c.disk().applied).collect();
        assert!(check_agreement(&counters, seed) >= 24, "seed {seed}: {heights:?}");
        for counter in &counters {
            assert_eq!(counter.disk().spent.len(), 20, "seed {seed}");
        }
    }
}

#[test]
fn equal_seeds_give_equal_runs() {
    let once = |seed| {
        let counters = counters(4);
        let mut simulation = Simulation::healthy(seed, 4);
        simulation.loss_permille = 20;
        simulation.script = vec![
            (ms(700), submit(&counters, 5)),
            (ms(2_000), Action::Kill(2)),
            (ms(4_000), Action::Start(2)),
        ];
        simulate(simulation, &counters)
    };
    assert_eq!(once(11), once(11));
    assert_ne!(once(11).auditor, once(12).auditor);
}

#[test]
fn killed_validator_catches_up_and_the_others_go_on() {
    for seed in 20..24 {
        let counters = counters(4);
        let mut simulation = Simulation::healthy(seed, 4);
        simulation.duration = ms(60_000);
        simulation.script = (0..100)
            .map(|i| (ms(500 + 300 * i), submit(&counters, i)))
            .chain([(ms(5_050 + 7 * seed), Action::Kill(1)), (ms(35_000), Action::Start(1))])
            .collect();
        simulation.script.sort_by_key(|(at, _)| *at);
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        check_agreement(&counters, seed);
        let heights: Vec<_> = counters.iter().map(|counter| counter.disk().applied).collect();
        let (low, high) = (heights.iter().min().unwrap(), heights.iter().max().unwrap());
        assert!(high - low <= 2, "seed {seed}: {heights:?}");
        assert!(counters.iter().all(|c| c.disk().spent.len() == 100), "seed {seed}");
    }
}

#[test]
fn power_loss_of_all_validators_loses_no_finalized_block() {
    for seed in 40..46 {
        let counters = counters(4);
        let mut simulation = Simulation::healthy(seed, 4);
        simulation.duration = ms(30_000);
        simulation.script = (0..60).map(|i| (ms(500 + 200 * i), submit(&counters, i))).collect();
        simulation.script.push((ms(4_010 + 13 * seed), Action::PowerLoss));
        simulation.script.push((ms(8_000 + 17 * seed), Action::PowerLoss));
        simulation.script.sort_by_key(|(at, _)| *at);
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        assert!(check_agreement(&counters, seed) >= 20, "seed {seed}");
        assert!(counters.iter().all(|c| c.disk().spent.len() == 60), "seed {seed}");
    }
}

#[test]
fn a_lying_proposer_gets_no_block_through_and_stops_nobody() {
    for seed in 50..53 {
        let counters = counters(4);
        counters[2].lie();
        let mut simulation = Simulation::healthy(seed, 4);
        simulation.duration = ms(40_000);
        simulation.script = (0..10).map(|i| (ms(500 + 900 * i), submit(&counters, i))).collect();
        let liar = simulation.participants()[2];
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        check_agreement(&counters, seed);
        for counter in &counters {
            let disk = counter.disk();
            assert_eq!(disk.spent.len(), 10, "seed {seed}: {} blocks", disk.applied);
            let proposers = disk.blocks.values().map(|block| Header::decode(&block.header));
            assert!(proposers.into_iter().all(|header| header.unwrap().proposer() != liar));
        }
    }
}

#[test]
fn a_minority_cut_off_decides_nothing_and_comes_back() {
    let counters = counters(4);
    let seed = 60;
    let mut simulation = Simulation::healthy(seed, 4);
    simulation.duration = ms(60_000);
    simulation.script = vec![
        (ms(3_000), Action::Cut(0)),
        (ms(3_000), Action::Cut(1)),
        // Two of four are no quorum: what comes now must wait.
        (ms(5_000), submit(&counters, 9)),
        (ms(12_000), {
            let counters = counters.clone();
            Action::Call(Box::new(move || {
                assert!(
                    counters.iter().all(|c| c.disk().spent.is_empty()),
                    "decided without quorum"
                );
            }))
        }),
        (ms(15_000), Action::Join(0)),
        (ms(15_000), Action::Join(1)),
    ];
    let outcome = simulate(simulation, &counters);
    assert_eq!(outcome.failures, []);
    check_agreement(&counters, seed);
    assert!(counters.iter().all(|counter| counter.disk().spent.contains(&9)));
}

#[test]
fn pruned_history_hinders_no_restart_but_that_of_an_application_that_needs_it() {
    let counters = counters(1);
    let (seed, middle, forget) = (70, counters.clone(), counters[0].clone());
    let mut simulation = Simulation::healthy(seed, 1);
    simulation.retain_blocks = NonZeroU64::new(100).unwrap();
    // An impatient chain: more blocks than one file of the archive holds.
    simulation.timing.idle_interval = ms(10);
    simulation.duration = ms(44_000);
    simulation.script = vec![
        (ms(35_000), Action::PowerLoss),
        (ms(36_000), Action::Kill(0)),
        (ms(36_500), Action::Start(0)),
        (ms(37_000), submit(&counters, 3)),
        // A validator killed while it led may wait for one leader timeout.
        (ms(41_000), {
            Action::Call(Box::new(move || {
                assert!(check_agreement(&middle, seed) > 1_400);
                assert!(middle[0].disk().spent.contains(&3));
            }))
        }),
        (ms(42_000), Action::Kill(0)),
        (ms(42_001), Action::Call(Box::new(move || *forget.disk() = common::Disk::default()))),
        (ms(42_002), Action::Start(0)),
    ];
    let outcome = simulate(simulation, &counters);
    let [(0, message)] = outcome.failures.as_slice() else {
        panic!("one failure expected: {:?}", outcome.failures);
    };
    assert!(message.contains("needs block 1,"), "{message}");
}

#[test]
fn an_application_that_lost_blocks_is_fed_again() {
    let counters = counters(1);
    let forget = counters[0].clone();
    let mut simulation = Simulation::healthy(80, 1);
    simulation.script = vec![
        (ms(1_500), submit(&counters, 3)),
        (ms(5_000), Action::Kill(0)),
        (ms(5_001), Action::Call(Box::new(move || *forget.disk() = common::Disk::default()))),
        (ms(5_002), Action::Start(0)),
    ];
    let outcome = simulate(simulation, &counters);
    assert_eq!(outcome.failures, []);
    assert!(check_agreement(&counters, 80) >= 8);
    assert!(counters[0].disk().spent.contains(&3));
}

#[test]
fn a_failing_application_stops_its_engine_and_acknowledges_nothing() {
    let counters = counters(1);
    counters[0].fail_at(4);
    let outcome = simulate(Simulation::healthy(90, 1), &counters);
    let [(0, message)] = outcome.failures.as_slice() else {
        panic!("one failure expected: {:?}", outcome.failures);
    };
    assert!(message.contains("height 4") && message.contains("disk on fire"), "{message}");
    assert_eq!(counters[0].disk().applied, 3);
}

#[test]
fn an_application_of_another_chain_is_refused() {
    let counters = counters(1);
    let swap = counters[0].clone();
    let mut simulation = Simulation::healthy(91, 1);
    simulation.script = vec![
        (ms(4_000), Action::Kill(0)),
        (ms(4_001), Action::Call(Box::new(move || swap.disk().id = Some([7; 32])))),
        (ms(4_002), Action::Start(0)),
    ];
    let outcome = simulate(simulation, &counters);
    assert!(outcome.failures[0].1.contains("another block"), "{:?}", outcome.failures);
}

#[test]
fn an_engine_that_lost_its_files_is_refused_if_nobody_can_help() {
    let counters = counters(1);
    let ahead = counters[0].clone();
    let mut simulation = Simulation::healthy(92, 1);
    simulation.script = vec![
        (ms(4_000), Action::Kill(0)),
        (ms(4_001), Action::Call(Box::new(move || ahead.disk().applied = 500))),
        (ms(4_002), Action::Start(0)),
    ];
    let outcome = simulate(simulation, &counters);
    assert!(outcome.failures[0].1.contains("lost blocks"), "{:?}", outcome.failures);
}

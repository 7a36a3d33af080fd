//! Lost disks, snapshots, missing quorums.

use super::{Counter, check_agreement, ms, simulate, submit, terms::network};
use acre_engine::{
    Role, Status,
    simulation::{Action, Simulation},
};
use std::{num::NonZeroU64, sync::Arc};

fn look(check: impl FnOnce(&[Status]) + Send + 'static) -> Action {
    Action::Look(Box::new(check))
}

/// Four validators in terms of 60 blocks, about 8 s each.
fn four(seed: u64) -> (Simulation, Vec<Counter>) {
    let (mut simulation, counters) = network(seed, 4, &[0, 1, 2, 3]);
    simulation.term_heights = NonZeroU64::new(60).unwrap();
    counters.iter().for_each(|counter| counter.change_roll(|roll| roll.term_heights = 60));
    (simulation, counters)
}

/// Submits a number each half second.
fn traffic(simulation: &mut Simulation, counters: &[Counter], count: u64) {
    simulation.script.extend((0..count).map(|i| (ms(300 + 500 * i), submit(counters, i))));
    simulation.script.sort_by_key(|(at, _)| *at);
}

#[test]
fn wiped_validator_is_silent_until_the_next_term() {
    for seed in [200, 201] {
        let (mut simulation, counters) = four(seed);
        simulation.duration = ms(30_000);
        simulation.script = vec![
            (ms(3_000), Action::Kill(2)),
            (ms(3_001), Action::Wipe(2)),
            (ms(3_200), Action::Start(2)),
            (
                ms(4_500),
                look(move |statuses| {
                    assert_eq!(statuses[2].role, Role::Silent, "seed {seed}: {:?}", statuses[2]);
                    assert_eq!(statuses[2].term, 0, "seed {seed}");
                }),
            ),
            // It does not forget in the same term that it must be silent.
            (ms(4_600), Action::Kill(2)),
            (ms(4_700), Action::Start(2)),
            (ms(5_200), look(move |statuses| assert_eq!(statuses[2].role, Role::Silent))),
        ];
        traffic(&mut simulation, &counters, 40);
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        assert!(check_agreement(&counters, seed) > 120, "seed {seed}");
        assert_eq!(outcome.statuses[2].role, Role::Validator, "seed {seed}");
    }
}

#[test]
fn snapshot_starts_a_newcomer_without_the_past() {
    let seed = 210;
    let (mut simulation, counters) = four(seed);
    simulation.duration = ms(40_000);
    let starts = Arc::clone(&simulation.starts);
    let (source, newcomer) = (counters[0].clone(), counters[3].clone());
    let install = move || {
        // The state as it would come with a proof.
        let copy = source.disk().clone();
        *newcomer.disk() = copy;
        starts.lock().unwrap().insert(3, source.anchor());
    };
    simulation.script = vec![
        (ms(500), Action::Kill(3)),
        (ms(501), Action::Wipe(3)),
        (ms(12_000), Action::Call(Box::new(install))),
        (ms(12_001), Action::Start(3)),
        (
            ms(13_500),
            look(|statuses| {
                assert_eq!(statuses[3].role, Role::Silent, "{:?}", statuses[3]);
                assert!(statuses[0].height - statuses[3].height <= 3, "{statuses:?}");
            }),
        ),
        // A restart finds its way from what is on disk.
        (ms(14_000), Action::Kill(3)),
        (ms(14_300), Action::Start(3)),
    ];
    traffic(&mut simulation, &counters, 50);
    let outcome = simulate(simulation, &counters);
    assert_eq!(outcome.failures, []);
    assert!(check_agreement(&counters, seed) > 180);
    assert_eq!(outcome.statuses[3].role, Role::Validator, "{:?}", outcome.statuses[3]);
}

#[test]
fn two_of_four_decide_nothing_and_say_so() {
    let seed = 220;
    let (mut simulation, counters) = four(seed);
    simulation.duration = ms(40_000);
    let height = Arc::new(std::sync::Mutex::new(0));
    let (stalled, later) = (Arc::clone(&height), Arc::clone(&height));
    simulation.script = vec![
        (ms(4_000), Action::Kill(0)),
        (ms(4_000), Action::Kill(1)),
        (
            ms(9_000),
            look(move |statuses| {
                *stalled.lock().unwrap() = statuses[2].height.max(statuses[3].height);
                assert!(statuses[2..].iter().all(|s| !s.has_quorum() && s.reachable == 2));
            }),
        ),
        (
            ms(16_000),
            look(move |statuses| {
                let height = *later.lock().unwrap();
                assert!(statuses[2..].iter().all(|s| s.height <= height), "decided without quorum");
            }),
        ),
        (ms(16_001), Action::Start(0)),
        (ms(22_000), Action::Start(1)),
        // All at once.
        (ms(28_000), Action::Kill(0)),
        (ms(28_000), Action::Kill(1)),
        (ms(28_000), Action::Kill(2)),
        (ms(28_000), Action::Kill(3)),
        (ms(29_000), Action::Start(0)),
        (ms(29_100), Action::Start(1)),
        (ms(29_200), Action::Start(2)),
        (ms(29_300), Action::Start(3)),
    ];
    traffic(&mut simulation, &counters, 60);
    let outcome = simulate(simulation, &counters);
    assert_eq!(outcome.failures, []);
    assert!(check_agreement(&counters, seed) > *height.lock().unwrap() + 50);
    assert!(outcome.statuses.iter().all(|s| s.has_quorum() && s.reachable == 4));
    assert!(counters.iter().all(|c| c.disk().spent.len() == 60), "{:?}", outcome.statuses);
}

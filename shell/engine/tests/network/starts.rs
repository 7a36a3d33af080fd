//! The first turns after a start: none is lost, and none waits for a timeout.

use super::{check_agreement, counters, ms, simulate, submit};
use acre_engine::{
    Status,
    simulation::{Action, Simulation},
};
use std::sync::{Arc, Mutex};

#[test]
fn no_turn_is_lost_when_healthy_validators_start() {
    for (seed, validators) in (400..410).zip([4, 4, 4, 7, 5].into_iter().cycle()) {
        let counters = counters(validators);
        let mut simulation = Simulation::healthy(seed, validators);
        // Slow and uneven lines: some hear the first leaders long before others.
        simulation.latency = (ms(40), ms(35));
        simulation.duration = ms(4_000);
        simulation.script = (0..20).map(|i| (ms(100 + 50 * i), submit(&counters, i))).collect();
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        check_agreement(&counters, seed);
        for status in &outcome.statuses {
            // In the first term each view makes one block, or is lost.
            assert_eq!(status.view, status.tip, "seed {seed}: {status:?}");
            assert!(status.tip >= 6, "seed {seed}: {status:?}");
        }
    }
}

#[test]
fn turns_go_on_at_once_after_a_kill() {
    // A single one is always killed in its own turn; of four, with votes under way.
    for (seed, validators) in (420..432).zip([1, 4].into_iter().cycle()) {
        let counters = counters(validators);
        let mut simulation = Simulation::healthy(seed, validators);
        simulation.timing.idle_interval = ms(100);
        simulation.duration = ms(6_000);
        let kill = ms(2_000 + 7 * (seed - 420));
        let before = Arc::new(Mutex::new(0));
        let (noted, compared) = (Arc::clone(&before), before);
        let highest = |statuses: &[Status]| statuses.iter().map(|s| s.tip).max().unwrap();
        simulation.script = vec![(
            kill,
            Action::Look(Box::new(move |statuses| *noted.lock().unwrap() = highest(statuses))),
        )];
        let all = || 0..validators;
        simulation.script.extend(all().map(|index| (kill, Action::Kill(index))));
        simulation.script.extend(all().map(|index| (kill + ms(100), Action::Start(index))));
        simulation.script.push((
            kill + ms(1_400),
            Action::Look(Box::new(move |statuses| {
                let before = *compared.lock().unwrap();
                assert!(highest(statuses) > before, "seed {seed}: stands at {before}");
            })),
        ));
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        check_agreement(&counters, seed);
    }
}

//! Committees that change from term to term.

use super::{Counter, check_agreement, ms, simulate, submit};
use crate::common::{JOIN, LEAVE, Roll};
use acre_engine::{
    FinalityProof, Header, Role,
    simulation::{Action, Simulation},
};
use std::{num::NonZeroU64, time::Duration};

const TERM: u64 = 10;

/// A network of which only `first` vote at first.
pub(crate) fn network(seed: u64, processes: usize, first: &[usize]) -> (Simulation, Vec<Counter>) {
    let mut simulation = Simulation::healthy(seed, processes);
    simulation.term_heights = NonZeroU64::new(TERM).unwrap();
    // Some 7 blocks a second.
    simulation.timing.idle_interval = ms(100);
    let mut roll = Roll::of(&simulation.participants(), first.iter().copied());
    roll.term_heights = TERM;
    let counters = (0..processes).map(|_| Counter::new(roll.clone())).collect();
    (simulation, counters)
}

/// Every certificate verifies with the committee of its term, and with no other.
#[track_caller]
fn check_certificates(simulation: &Simulation, counter: &Counter, first: &[usize]) {
    let keys = simulation.participants();
    let disk = counter.disk();
    for block in disk.blocks.values() {
        let Some(certificate) = &block.certificate else { continue };
        let term = Header::decode(&block.header).unwrap().epoch();
        let seats: Vec<_> = match disk.seats.get(&term) {
            Some(seats) => seats.iter().map(|index| keys[*index]).collect(),
            None => first.iter().map(|index| keys[*index]).collect(),
        };
        let proof =
            FinalityProof { headers: vec![block.header.clone()], certificate: certificate.clone() };
        let header = proof.verify(&seats, &simulation.namespace).unwrap();
        assert_eq!(header.epoch(), header.height() / TERM);
        assert!(proof.verify(&keys, &simulation.namespace).is_err() || seats.len() == keys.len());
    }
}

fn again(simulation: &Simulation) -> Simulation {
    Simulation::healthy(simulation.seed, simulation.validators)
}

#[test]
fn committee_grows_from_one_to_four_shrinks_and_swaps() {
    for seed in 100..102 {
        let (mut simulation, counters) = network(seed, 5, &[0]);
        simulation.duration = ms(40_000);
        let changes = [
            (1_000, JOIN + 1),
            (1_000, JOIN + 2),
            (1_000, JOIN + 3),
            // Four become three, and the founder is not among them.
            (10_000, LEAVE),
            // One goes, another comes.
            (20_000, LEAVE + 1),
            (20_000, JOIN + 4),
        ];
        simulation.script = changes
            .into_iter()
            .map(|(at, number)| (ms(at), submit(&counters, number)))
            .chain((0..30).map(|i| (ms(500 + 1_000 * i), submit(&counters, i))))
            .collect();
        simulation.script.sort_by_key(|(at, _)| *at);
        let kept = again(&simulation);
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        let height = check_agreement(&counters, seed);
        assert!(height > 10 * TERM, "seed {seed}: only {height} blocks");
        let disk = counters[0].disk().clone();
        let sizes: Vec<_> = disk.seats.values().map(|seats| seats.len()).collect();
        assert!(sizes.contains(&4), "seed {seed}: {sizes:?}");
        assert_eq!(disk.seats.values().last(), Some(&[2, 3, 4].into()), "seed {seed}");
        check_certificates(&kept, &counters[0], &[0]);
        // Those without a seat follow closely.
        let tip = outcome.statuses.iter().map(|status| status.height).max().unwrap();
        for (index, status) in outcome.statuses.iter().enumerate() {
            let role = if index >= 2 { Role::Validator } else { Role::Follower };
            assert_eq!(status.role, role, "seed {seed}, process {index}");
            assert!(tip - status.height <= 3, "seed {seed}: {} of {tip}", status.height);
        }
        assert!(counters.iter().all(|c| (0..30).all(|i| c.disk().spent.contains(&i))));
    }
}

#[test]
fn boundaries_survive_kills_and_power_loss() {
    for seed in 120..122_u64 {
        let (mut simulation, counters) = network(seed, 5, &[0, 1, 2, 3]);
        simulation.duration = ms(40_000);
        simulation.loss_permille = 10;
        let mut script: Vec<_> =
            (0..40).map(|i| (ms(300 + 700 * i), submit(&counters, i))).collect();
        script.push((ms(2_000), submit(&counters, JOIN + 4)));
        script.push((ms(9_000), submit(&counters, LEAVE + 2)));
        // A term takes one to three seconds: these fall all around the boundaries.
        for step in 0..12_u64 {
            let victim = usize::try_from((seed + step) % 5).unwrap();
            let at = 3_000 + step * 2_000 + (seed * 137 + step * 311) % 1_500;
            script.push((ms(at), Action::Kill(victim)));
            script.push((ms(at + 400), Action::Start(victim)));
        }
        for (step, at) in [11_111, 19_600, 29_300].into_iter().enumerate() {
            script.push((ms(at + 97 * (seed + step as u64)), Action::PowerLoss));
        }
        script.sort_by_key(|(at, _)| *at);
        simulation.script = script;
        let kept = again(&simulation);
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}");
        let height = check_agreement(&counters, seed);
        let heights: Vec<_> = counters.iter().map(|counter| counter.disk().applied).collect();
        assert!(height > 3 * TERM, "seed {seed}: {heights:?}");
        let tip = heights.iter().max().unwrap();
        assert!(tip - height <= 5, "seed {seed}: {heights:?}");
        check_certificates(&kept, &counters[4], &[0, 1, 2, 3]);
        let last = counters[0].disk().seats.values().last().cloned();
        assert_eq!(last, Some([0, 1, 3, 4].into()), "seed {seed}");
    }
}

#[test]
fn terms_give_equal_runs_for_equal_seeds() {
    let once = |seed| {
        let (mut simulation, counters) = network(seed, 4, &[0, 1, 2]);
        simulation.duration = ms(8_000);
        simulation.loss_permille = 20;
        simulation.script = vec![
            (ms(700), submit(&counters, JOIN + 3)),
            (ms(2_000), Action::Kill(2)),
            (ms(4_000), Action::Start(2)),
        ];
        simulate(simulation, &counters)
    };
    assert_eq!(once(140), once(140));
    assert_ne!(once(140).auditor, once(141).auditor);
}

#[test]
fn one_that_slept_through_terms_comes_back_into_its_seat() {
    let seed = 150;
    let (mut simulation, counters) = network(seed, 4, &[0, 1, 2, 3]);
    simulation.duration = Duration::from_secs(40);
    simulation.script = (0..60).map(|i| (ms(300 + 400 * i), submit(&counters, i))).collect();
    simulation.script.push((ms(3_000), Action::Kill(3)));
    simulation.script.push((ms(25_000), Action::Start(3)));
    simulation.script.sort_by_key(|(at, _)| *at);
    let outcome = simulate(simulation, &counters);
    assert_eq!(outcome.failures, [], "seed {seed}");
    let height = check_agreement(&counters, seed);
    assert!(height > 8 * TERM, "only {height} blocks");
    assert_eq!(outcome.statuses[3].role, Role::Validator);
    assert!(outcome.statuses[3].tip - height <= 3, "{:?}", outcome.statuses);
}

#[test]
fn killed_exactly_at_a_boundary_it_enters_the_next_term_or_the_last_block_again() {
    // Just when the last block of a term is applied, and at each step of the change after it.
    for (seed, delay_ms) in (160..164).zip([0, 3, 12, 60]) {
        let (mut simulation, counters) = network(seed, 4, &[0, 1, 2]);
        simulation.duration = ms(18_000);
        let boundary = |term: u64| TERM * (term + 1) - 1;
        let kill = |index, term| Action::KillAt { index, height: boundary(term), delay_ms };
        simulation.script = vec![
            (ms(300), submit(&counters, JOIN + 3)),
            (ms(400), kill(1, 0)),
            (ms(401), Action::Start(1)),
            // All of the term's validators, one after the other.
            (ms(402), kill(0, 2)),
            (ms(402), kill(2, 2)),
            (ms(402), kill(3, 2)),
            (ms(403), Action::Start(0)),
            (ms(403), Action::Start(2)),
            (ms(403), Action::Start(3)),
            // And the one that leads next, whoever that is.
            (ms(404), kill(1, 4)),
            (ms(405), Action::Start(1)),
        ];
        simulation.script.extend((0..20).map(|i| (ms(406), submit(&counters, i))));
        let kept = again(&simulation);
        let outcome = simulate(simulation, &counters);
        assert_eq!(outcome.failures, [], "seed {seed}, {delay_ms} ms");
        let height = check_agreement(&counters, seed);
        assert!(height > boundary(5), "seed {seed}, {delay_ms} ms: {height}");
        check_certificates(&kept, &counters[1], &[0, 1, 2]);
        for status in &outcome.statuses {
            assert_eq!(status.role, Role::Validator, "seed {seed}, {delay_ms} ms: {status:?}");
        }
    }
}

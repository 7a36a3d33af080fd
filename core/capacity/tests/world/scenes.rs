//! The scenes of the cheat simulation: who cheats how, and after how many epochs it is found.

use std::time::Duration;

use super::node::Behaviour;
use super::{CLAIMED, Net, Numbers, World, rules};

/// Time in which a cheat makes a region again on a real grid: 256 MiB in three layers, one chain,
/// ten times as fast as the machine that was measured, and 57 % of it (`plot_attack`).
pub const REFILL: Duration = Duration::from_millis(500);

/// What came of one scene.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Node-epochs of cheats, and how many of them were found.
    pub cheating: u32,
    pub found: u32,
    /// Cheats, and how many of them the first epoch found.
    pub cheats: u32,
    pub found_at_once: u32,
    /// Epochs until the last cheat was found for the first time; `None` if one never was.
    pub all_found_after: Option<u32>,
    /// Node-epochs of honest nodes, and how many were taken for cheats.
    pub honest: u32,
    pub punished: u32,
    /// Mean storage that the majority gave a cheat, in percent of what it claims.
    pub believed_percent: u64,
    /// The same of solid storage.
    pub solid_percent: u64,
}

/// Runs `cheats` nodes of `kind` among `honest` ones for some epochs.
pub fn run(net: Net, kind: Behaviour, cheats: usize, honest: usize, epochs: u32) -> Outcome {
    let mut behaviours = vec![kind; cheats];
    behaviours.resize(cheats + honest, Behaviour::Honest);
    let mut world = World::new(net, rules(), &behaviours);
    let mut outcome = Outcome::default();
    let mut first_found = vec![None; cheats];
    let (mut believed, mut solid) = (0, 0);
    for epoch in 1..=epochs {
        for (who, folded) in world.epoch().into_iter().enumerate() {
            let is_found = folded.is_found();
            if who < cheats {
                outcome.cheating += 1;
                outcome.found += u32::from(is_found);
                believed += folded.storage * 100 / CLAIMED;
                solid += folded.solid * 100 / CLAIMED;
                if is_found {
                    first_found[who].get_or_insert(epoch);
                }
            } else {
                outcome.honest += 1;
                outcome.punished += u32::from(is_found);
            }
        }
    }
    outcome.believed_percent = believed / u64::from(outcome.cheating.max(1));
    outcome.solid_percent = solid / u64::from(outcome.cheating.max(1));
    outcome.cheats = cheats as u32;
    outcome.found_at_once = first_found.iter().filter(|first| **first == Some(1)).count() as u32;
    let all: Option<Vec<u32>> = first_found.into_iter().collect();
    outcome.all_found_after = all.and_then(|all| all.into_iter().max());
    outcome
}

/// Named scenes with how they are described.
pub fn scenes() -> Vec<(&'static str, Behaviour)> {
    let ms = Duration::from_millis;
    let skips = |read, percent| Behaviour::Skipper { read: ms(read), percent };
    vec![
        ("keeps 10 %, rest missing", Behaviour::Holes { percent: 10 }),
        ("keeps 50 %, rest missing", Behaviour::Holes { percent: 50 }),
        ("keeps 80 %, rest missing", Behaviour::Holes { percent: 80 }),
        ("keeps 10 %, makes plots again in 8 s", Behaviour::Part { percent: 10, fill: ms(8000) }),
        ("keeps 90 %, makes plots again in 3 s", Behaviour::Part { percent: 90, fill: ms(3000) }),
        ("as before, ten times as fast", Behaviour::Part { percent: 90, fill: REFILL }),
        ("slow disk: 400 ms a read", Behaviour::SlowDisk { read: ms(400) }),
        ("slow disk: 150 ms a read", Behaviour::SlowDisk { read: ms(150) }),
        ("all with a neighbour at 3 s", Behaviour::Neighbour { round_trip: ms(3000) }),
        ("all with a neighbour at 100 ms", Behaviour::Neighbour { round_trip: ms(100) }),
        ("as before, 65 % of a chase made up", skips(100, 65)),
        ("all with a neighbour at 10 ms", Behaviour::Neighbour { round_trip: ms(10) }),
        ("neighbour at 100 ms that chases itself", Behaviour::Walker { round_trip: ms(100) }),
        ("honest, spinning: 8 ms a read", Behaviour::Spinning { read: ms(8) }),
        ("spinning, 90 % of a chase made up", skips(8, 90)),
        ("10 ms a read, a tenth of a chase made up", skips(10, 10)),
        ("10 ms a read, a 50th of a chase made up", skips(10, 2)),
        ("all plots are cheap numbers", Behaviour::Forger { percent: 0 }),
        ("half of its plots are cheap numbers", Behaviour::Forger { percent: 50 }),
        ("there 60 % of the time", Behaviour::Flaky { percent: 60 }),
    ]
}

/// Rings as (witnesses of a node, members, all nodes): the stated bounds, and one far past them.
pub fn rings() -> Vec<(usize, usize, usize)> {
    vec![(3, 3, 30), (5, 3, 30), (7, 6, 30), (3, 10, 30)]
}

/// Share of epochs, in millionths, in which a ring of `ring_percent` of all nodes has the majority
/// among the `witnesses` of one of its own: more than half lie, drawn without replacement. `None`
/// witnesses of the ring give its member away.
pub fn captured(witnesses: u64, ring_percent: u64, draws: u64) -> u64 {
    let (nodes, ring) = (10_000, 100 * ring_percent);
    let mut numbers = Numbers::new(witnesses * 1000 + ring_percent);
    let mut captured = 0;
    for _ in 0..draws {
        let mut liars = 0;
        for drawn in 0..witnesses {
            // The node itself is of the ring and no witness of its own.
            liars += u64::from(numbers.below(nodes - 1 - drawn) < ring - 1 - liars);
        }
        captured += u64::from(liars * 2 > witnesses);
    }
    captured * 1_000_000 / draws
}

/// The same by formula, with replacement: sum over j > k/2 of C(k, j) b^j (1-b)^(k-j).
pub fn captured_by_formula(witnesses: u64, ring_percent: u64) -> f64 {
    let share = ring_percent as f64 / 100.0;
    let term = |j: u64| {
        let ways = (0..j).fold(1.0, |ways, i| ways * (witnesses - i) as f64 / (i + 1) as f64);
        ways * share.powi(j as i32) * (1.0 - share).powi((witnesses - j) as i32)
    };
    (witnesses / 2 + 1..=witnesses).map(term).sum()
}

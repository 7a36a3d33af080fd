//! From the grid's rules to those of witnesses and plots.

use std::time::Duration;

use acre_capacity::chase::ChaseRules;
use acre_capacity::duty::{Rules, WorkRules};
use acre_capacity::limits::VISITS_MAX;
use acre_capacity::plot::PlotRules;
use acre_capacity::puzzle::LaneRules;
use acre_ledger::{CapacityRules, PlotParams, PuzzleParams};

/// How plots are made and nodes are examined in a grid with these rules. The same for all its
/// nodes, as it follows from what the ledger says; see `docs/protocols/witnesses.md`.
pub(crate) fn rules(grid: &CapacityRules) -> Rules {
    let visits = u8::try_from(grid.slots).unwrap_or(VISITS_MAX).clamp(1, VISITS_MAX);
    let epoch = Duration::from_millis(grid.epoch_ms);
    let PlotParams { region_bytes, layers, samples, rebuild_every } = grid.plots;
    let PuzzleParams { lane_bytes, steps, probes, par_ms, memory_scale, .. } = grid.puzzle;
    let chase = grid.chase;
    Rules {
        plot: PlotRules { region_bytes, layers },
        visits,
        samples,
        answer: Duration::from_millis(grid.answer_ms.into()),
        retry: (epoch / 40).min(Duration::from_secs(5)),
        rebuild_every,
        work: WorkRules {
            lane: LaneRules { lane_bytes, steps },
            probes,
            par: Duration::from_millis(par_ms.into()),
            memory_scale,
        },
        chase: ChaseRules {
            steps: chase.steps,
            probes: chase.probes,
            solid: Duration::from_micros(chase.solid_us.into()),
            spinning: Duration::from_micros(chase.spinning_us.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_rules_of_a_grid_give_rules_that_fit() {
        for grid in [CapacityRules::default(), CapacityRules::local()] {
            for slots in [1, 6, 20, u16::MAX] {
                assert_eq!(rules(&CapacityRules { slots, ..grid.clone() }).check(), Ok(()));
            }
        }
    }

    /// What the ledger lets pass, those who make plots and puzzles accept.
    #[test]
    fn bounds_of_the_ledger_lie_within_those_of_proofs() {
        use acre_capacity::limits;
        use acre_ledger::limits as ledger;

        assert!(u64::from(limits::REGION_BYTES_MIN) <= ledger::PLOT_BYTES_MIN);
        assert!(u64::from(limits::REGION_BYTES_MAX) >= ledger::PLOT_BYTES_MAX);
        assert!(u64::from(limits::LANE_BYTES_MIN) <= ledger::PLOT_BYTES_MIN);
        assert!(u64::from(limits::LANE_BYTES_MAX) >= ledger::PLOT_BYTES_MAX);
        assert!(u64::from(limits::WALK_STEPS_MAX) >= ledger::PUZZLE_STEPS_MAX);
        assert!(limits::SAMPLES_MAX as u64 >= ledger::SAMPLES_MAX);
        assert!(limits::PROBES_MAX as u64 >= ledger::PROBES_MAX);
        assert!(u64::from(limits::CHASE_STEPS_MAX) >= ledger::CHASE_STEPS_MAX);
        assert!(limits::CHASE_PROBES_MAX as u64 >= ledger::CHASE_PROBES_MAX);
        assert!(u64::from(limits::LAYERS_MAX) >= ledger::PLOT_LAYERS_MAX);
    }
}

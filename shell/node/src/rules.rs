//! From the grid's rules to those of witnesses and plots.

use std::time::Duration;

use acre_capacity::duty::{Rules, WorkRules};
use acre_capacity::limits::VISITS_MAX;
use acre_capacity::plot::PlotRules;
use acre_capacity::puzzle::LaneRules;
use acre_ledger::{CapacityRules, Independence};

const MIB: u32 = 1 << 20;

/// How plots are made and nodes are examined in a grid with these rules. The same for all its
/// nodes, as it follows from what the ledger says.
///
/// A grid on one machine ([`Independence::Node`]) gets small regions and puzzles: they show that all
/// parts work, and cost next to nothing. Any other gets regions that take seconds to make, which is
/// what makes a deadline mean something; see `docs/protocols/witnesses.md`.
pub(crate) fn rules(grid: &CapacityRules) -> Rules {
    let visits = u8::try_from(grid.slots).unwrap_or(VISITS_MAX).clamp(1, VISITS_MAX);
    let epoch = Duration::from_millis(grid.epoch_ms);
    let answer = Duration::from_millis(grid.answer_ms.into());
    let retry = (epoch / 40).min(Duration::from_secs(5));
    match grid.independence {
        Independence::Node => Rules {
            plot: PlotRules { region_bytes: MIB, layers: 3 },
            visits,
            samples: 8,
            answer,
            retry,
            rebuild_every: 2,
            work: WorkRules {
                lane: LaneRules { lane_bytes: 64 * 1024, steps: 256 },
                every: 16,
                probes: 2,
                // All nodes share the same cores.
                par: Duration::from_secs(5),
                memory_scale: 4096,
            },
        },
        Independence::Site | Independence::Operator => Rules {
            plot: PlotRules { region_bytes: 256 * MIB, layers: 3 },
            visits,
            samples: 8,
            answer,
            retry,
            rebuild_every: 1,
            work: WorkRules {
                lane: LaneRules { lane_bytes: 256 * MIB, steps: 1 << 20 },
                every: 24,
                probes: 4,
                par: Duration::from_secs(5),
                memory_scale: 1,
            },
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
}

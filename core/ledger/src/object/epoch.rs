//! Capacity epochs, and the rules of witnessing.

use acre_types::{Digest, Epoch, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use super::grid::GridKind;
use super::parameters::{at_least, bounded};
use crate::error::GenesisError;
use crate::limits::{
    BEACON_STEPS_MAX, CHASE_MS_MAX, CHASE_PROBES_MAX, CHASE_STEPS_MAX, CHASE_STEPS_MIN,
    EPOCH_MS_MAX, EPOCH_MS_MIN, MUSTER_PARS, MUSTER_SPACING_DIVISOR, MUSTERS_MAX, PLOT_BYTES_MAX,
    PLOT_BYTES_MIN, PLOT_LAYERS_MAX, PROBES_MAX, PUZZLE_STEPS_MAX, SAMPLES_MAX, WITNESSES_MAX,
};
use crate::witness::Assignment;

/// The capacity epoch that runs: it counts time, not heights. The first block whose time is
/// [`EpochState::ends`] or later begins the next.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EpochState {
    /// Which epoch, counted by time from genesis; numbers of epochs in which no block was made are
    /// left out.
    pub number: Epoch,
    /// Where it begins: whole epochs after genesis, however late its first block came.
    pub began: UnixMs,
    /// How long it lasts, in milliseconds: what the rule was when it began.
    pub span_ms: u64,
    /// Decides who witnesses whom in this epoch; nobody knew it when `nodes` were counted.
    pub seed: Digest,
    /// The nodes with registration indexes below this take part.
    pub nodes: u32,
    /// Witnesses of each node, where there are enough.
    pub witnesses: u8,
    /// Nodes registered when this epoch began; they take part from the next one on.
    pub joined: u32,
    /// The last epoch that is over: witnesses report about it while this one runs.
    pub past: Option<PastEpoch>,
}

/// An epoch that is over and may still be reported about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PastEpoch {
    /// Which epoch.
    pub number: Epoch,
    /// How long it lasted, in milliseconds, without any time in which the grid was down.
    pub span_ms: u64,
    /// Its seed.
    pub seed: Digest,
    /// The nodes that took part: those with registration indexes below this.
    pub nodes: u32,
    /// Witnesses of each node, where there are enough.
    pub witnesses: u8,
}

impl EpochState {
    /// From this block time on the epoch is over.
    #[must_use]
    pub const fn ends(&self) -> UnixMs {
        UnixMs(self.began.0.saturating_add(self.span_ms))
    }

    /// Who witnesses whom while it runs.
    #[must_use]
    pub fn assignment(&self) -> Assignment {
        Assignment::new(&self.seed, self.nodes, self.witnesses)
    }
}

impl PastEpoch {
    /// Who witnessed whom, and may report about it now.
    #[must_use]
    pub fn assignment(&self) -> Assignment {
        Assignment::new(&self.seed, self.nodes, self.witnesses)
    }
}

/// How independent of a node its witnesses must be. A witness that is not independent enough
/// counts as abstaining.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Independence {
    /// Another operator, hence another farm, and another site: for grids of many parties.
    Operator,
    /// Another site: for a grid of one owner with several houses.
    Site,
    /// Any other node: for a grid on one machine or in one hall, where it proves little.
    Node,
}

/// How capacity is proven.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CapacityRules {
    /// Length of an epoch, in milliseconds.
    pub epoch_ms: u64,
    /// Witnesses of each node and epoch; fewer where there are not as many other nodes.
    pub witnesses: u8,
    /// Reports below which an epoch of a node does not count, whatever the majority of its
    /// witnesses would be.
    pub reports_min: u8,
    /// Who may witness whom.
    pub independence: Independence,
    /// Times that each witness asks each of its nodes in one epoch.
    pub slots: u16,
    /// Time in which a node answers a challenge, in milliseconds.
    pub answer_ms: u32,
    /// A report of uptime further than this from the median is a strike, in percent of the epoch.
    pub uptime_tolerance_percent: u8,
    /// A report of storage, cores or memory further than this from the median is a strike, in
    /// percent of what the node claims.
    pub capacity_tolerance_percent: u8,
    /// Hashes one after the other from the mix of the beacon to the next seed.
    pub beacon_steps: u32,
    /// How free space is filled and sampled.
    pub plots: PlotParams,
    /// How cores and memory are measured.
    pub puzzle: PuzzleParams,
    /// How the speed of storage is measured.
    pub chase: ChaseParams,
}

/// How plots are made, and how often a witness looks into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PlotParams {
    /// Bytes of a region, which is made and checked as a whole; a power of two. Fixed for the life
    /// of a grid: all plots would be worth nothing.
    pub region_bytes: u32,
    /// Times that a region is written over. Fixed as well.
    pub layers: u8,
    /// Samples of one visit.
    pub samples: u8,
    /// A witness makes a region again in one of so many epochs.
    pub rebuild_every: u16,
}

/// The timed puzzle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PuzzleParams {
    /// Bytes of memory of one lane; a power of two.
    pub lane_bytes: u32,
    /// Steps of one lane over its memory; a multiple of eight.
    pub steps: u32,
    /// Musters of an epoch, on average: moments at which all nodes solve a puzzle at once. None
    /// falls into an epoch with e^-musters; two mean 13.5 %.
    pub musters: u16,
    /// Places at which a witness computes again what was answered.
    pub probes: u8,
    /// Time in which one lane on one core of the reference machine is solved, in milliseconds.
    pub par_ms: u32,
    /// What one byte of a lane counts for, so that a grid on one machine need not use its memory.
    pub memory_scale: u32,
}

/// The chase: reads that each need the one before, so that their time is that of one disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChaseParams {
    /// Reads of one chase.
    pub steps: u32,
    /// Steps that a witness has opened and computes again.
    pub probes: u8,
    /// Up to this mean time of a step, in microseconds, all storage counts as solid.
    pub solid_us: u32,
    /// Up to this mean time it counts as spinning, in microseconds; past it, none does in this epoch.
    pub spinning_us: u32,
}

impl Default for ChaseParams {
    /// A thousand reads within a second are those of no disk that spins; past 80 ms a read it is none at
    /// all, even one that seven others read from at the same time. Whoever makes up a tenth of them
    /// passes 16 probes with 19 %.
    fn default() -> Self {
        Self { steps: 1024, probes: 16, solid_us: 1_000, spinning_us: 80_000 }
    }
}

impl ChaseParams {
    /// Few steps and lenient, for a grid on one machine, all of whose nodes share the same disk.
    #[must_use]
    pub fn local() -> Self {
        Self { steps: 64, probes: 8, solid_us: 20_000, spinning_us: 100_000 }
    }

    fn check(&self) -> Result<(), GenesisError> {
        within("capacity.chase.steps", self.steps.into(), CHASE_STEPS_MIN, CHASE_STEPS_MAX)?;
        within("capacity.chase.probes", self.probes.into(), 1, CHASE_PROBES_MAX)?;
        let most = CHASE_MS_MAX.saturating_mul(1000).checked_div(self.steps.into());
        let what = "capacity.chase.spinning_us";
        within(what, self.spinning_us.into(), 1, most.unwrap_or(0))?;
        within("capacity.chase.solid_us", self.solid_us.into(), 1, self.spinning_us.into())
    }
}

impl Default for PlotParams {
    /// Regions of 256 MiB take seconds to make, which is what makes a deadline mean something.
    fn default() -> Self {
        Self { region_bytes: 256 << 20, layers: 3, samples: 8, rebuild_every: 1 }
    }
}

impl PlotParams {
    /// Small regions, for a grid on one machine: they show that all parts work, and prove nothing
    /// against recomputing.
    #[must_use]
    pub fn local() -> Self {
        Self { region_bytes: 1 << 20, rebuild_every: 2, ..Self::default() }
    }

    fn check(&self) -> Result<(), GenesisError> {
        size("capacity.plots.region_bytes", self.region_bytes)?;
        within("capacity.plots.layers", self.layers.into(), 1, PLOT_LAYERS_MAX)?;
        within("capacity.plots.samples", self.samples.into(), 1, SAMPLES_MAX)?;
        within("capacity.plots.rebuild_every", self.rebuild_every.into(), 1, 10_000)
    }
}

impl Default for PuzzleParams {
    /// Lanes of 256 MiB, twice an hour.
    fn default() -> Self {
        Self {
            lane_bytes: 256 << 20,
            steps: 1 << 20,
            musters: 2,
            probes: 4,
            par_ms: 5_000,
            memory_scale: 1,
        }
    }
}

impl PuzzleParams {
    /// Small lanes, for a grid on one machine, all of whose nodes share the same cores.
    #[must_use]
    pub fn local() -> Self {
        Self {
            lane_bytes: 64 << 10,
            steps: 256,
            musters: 2,
            probes: 2,
            par_ms: 250,
            memory_scale: 4096,
        }
    }

    fn check(&self) -> Result<(), GenesisError> {
        size("capacity.puzzle.lane_bytes", self.lane_bytes)?;
        within("capacity.puzzle.steps", self.steps.into(), 8, PUZZLE_STEPS_MAX)?;
        if !self.steps.is_multiple_of(8) {
            return Err(GenesisError::Parameter { what: "capacity.puzzle.steps" });
        }
        within("capacity.puzzle.musters", self.musters.into(), 1, MUSTERS_MAX)?;
        within("capacity.puzzle.probes", self.probes.into(), 1, PROBES_MAX)?;
        within("capacity.puzzle.par_ms", self.par_ms.into(), 1, 600_000)?;
        within("capacity.puzzle.memory_scale", self.memory_scale.into(), 1, 1 << 20)
    }
}

fn within(what: &'static str, value: u64, min: u64, max: u64) -> Result<(), GenesisError> {
    at_least(what, value, min)?;
    bounded(what, value, max)
}

/// Of a region or a lane, as those who make them can.
fn size(what: &'static str, bytes: u32) -> Result<(), GenesisError> {
    if !bytes.is_power_of_two() {
        return Err(GenesisError::Parameter { what });
    }
    within(what, bytes.into(), PLOT_BYTES_MIN, PLOT_BYTES_MAX)
}

impl Default for CapacityRules {
    /// For a real grid: one hour, five witnesses of other operators.
    fn default() -> Self {
        Self {
            epoch_ms: 3_600_000,
            witnesses: 5,
            reports_min: 2,
            independence: Independence::Operator,
            slots: 20,
            answer_ms: 2_000,
            uptime_tolerance_percent: 25,
            capacity_tolerance_percent: 20,
            beacon_steps: 1 << 20,
            plots: PlotParams::default(),
            puzzle: PuzzleParams::default(),
            chase: ChaseParams::default(),
        }
    }
}

impl CapacityRules {
    /// For a grid on one machine: an epoch of a minute, any other node may witness.
    #[must_use]
    pub fn local() -> Self {
        Self {
            epoch_ms: 60_000,
            witnesses: 3,
            reports_min: 1,
            independence: Independence::Node,
            slots: 6,
            beacon_steps: 1 << 14,
            plots: PlotParams::local(),
            puzzle: PuzzleParams::local(),
            chase: ChaseParams::local(),
            ..Self::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), GenesisError> {
        at_least("capacity.epoch_ms", self.epoch_ms, EPOCH_MS_MIN)?;
        bounded("capacity.epoch_ms", self.epoch_ms, EPOCH_MS_MAX)?;
        let witnesses_max = u64::try_from(WITNESSES_MAX).unwrap_or(u64::MAX);
        at_least("capacity.witnesses", self.witnesses.into(), 1)?;
        bounded("capacity.witnesses", self.witnesses.into(), witnesses_max)?;
        at_least("capacity.reports_min", self.reports_min.into(), 1)?;
        bounded("capacity.reports_min", self.reports_min.into(), self.witnesses.into())?;
        at_least("capacity.slots", self.slots.into(), 1)?;
        at_least("capacity.answer_ms", self.answer_ms.into(), 1)?;
        bounded("capacity.answer_ms", self.answer_ms.into(), 60_000)?;
        bounded("capacity.uptime_tolerance_percent", self.uptime_tolerance_percent.into(), 100)?;
        let tolerance = self.capacity_tolerance_percent.into();
        bounded("capacity.capacity_tolerance_percent", tolerance, 100)?;
        at_least("capacity.beacon_steps", self.beacon_steps.into(), 1)?;
        bounded("capacity.beacon_steps", self.beacon_steps.into(), BEACON_STEPS_MAX.into())?;
        self.plots.check()?;
        self.puzzle.check()?;
        self.chase.check()
    }

    /// What a live grid asks for beyond: that a muster ends before the next may be called, and
    /// before its epoch ends.
    pub(super) fn check_for(&self, kind: GridKind) -> Result<(), GenesisError> {
        let work = u64::from(self.puzzle.par_ms).saturating_mul(MUSTER_PARS);
        let needs = work.saturating_add(u64::from(self.answer_ms).saturating_mul(2));
        let room = self.epoch_ms.div_euclid(MUSTER_SPACING_DIVISOR);
        if kind == GridKind::Live { bounded("capacity.puzzle.par_ms", needs, room) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_plots_and_puzzles_are_those_that_can_be_made() {
        let refused = |change: fn(&mut CapacityRules)| {
            let mut rules = CapacityRules::default();
            change(&mut rules);
            assert!(rules.check().is_err(), "{rules:?}");
        };
        refused(|rules| rules.plots.region_bytes = 3 << 20);
        refused(|rules| rules.plots.region_bytes = 16 << 10);
        refused(|rules| rules.plots.region_bytes = 1 << 31);
        refused(|rules| rules.plots.layers = 0);
        refused(|rules| rules.plots.samples = 17);
        refused(|rules| rules.plots.rebuild_every = 0);
        refused(|rules| rules.puzzle.lane_bytes = 0);
        refused(|rules| rules.puzzle.steps = 12);
        refused(|rules| rules.puzzle.probes = 0);
        refused(|rules| rules.puzzle.musters = 0);
        refused(|rules| rules.puzzle.musters = 9);
        refused(|rules| rules.puzzle.par_ms = 0);
        refused(|rules| rules.puzzle.memory_scale = 0);
        refused(|rules| rules.chase.steps = 7);
        refused(|rules| rules.chase.steps = 1 << 17);
        refused(|rules| rules.chase.probes = 0);
        refused(|rules| rules.chase.probes = 33);
        refused(|rules| rules.chase.solid_us = 0);
        refused(|rules| rules.chase.solid_us = 80_001);
        refused(|rules| rules.chase.spinning_us = 300_000);
        assert_eq!(CapacityRules::default().check(), Ok(()));
        assert_eq!(CapacityRules::local().check(), Ok(()));
    }

    #[test]
    fn live_grid_has_time_for_its_musters() {
        let with = |epoch_ms, par_ms| {
            let puzzle = PuzzleParams { par_ms, ..PuzzleParams::default() };
            CapacityRules { epoch_ms, puzzle, ..CapacityRules::default() }
        };
        let default = CapacityRules::default();
        assert_eq!(default.check_for(GridKind::Live), Ok(()));
        // A sixteenth of an hour is 225 s: 12 x 18.416 s and two answers fit.
        assert_eq!(with(3_600_000, 18_416).check_for(GridKind::Live), Ok(()));
        assert!(with(3_600_000, 18_417).check_for(GridKind::Live).is_err());
        assert_eq!(with(60_000, 5_000).check_for(GridKind::Test), Ok(()));
    }
}

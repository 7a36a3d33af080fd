//! What a seed switches on: a random subset of the faults, each at a rate of its own (swarm
//! testing, Groce et al. 2012), so that rare mixes occur.

use std::time::Duration;

use acre_types::Profile;

use crate::planted::Planted;
use crate::rng::Rng;

/// How a node lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Sends other bytes than it was given.
    WrongBytes,
    /// Shows the first head it ever got, and says that it keeps each new one.
    StaleHead,
    /// Says it holds everything, and gives nothing.
    Withhold,
    /// Says it stored, and did not.
    Forget,
}

/// Everything that follows from a seed.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed.
    pub seed: u64,
    /// The code of the volume.
    pub profile: Profile,
    /// Devices of the owner that work at once, each with a machine of its own.
    pub devices: usize,
    /// Length of the first phase.
    pub chaos: Duration,
    /// Mean time between two operations of the client.
    pub work_gap: Duration,
    /// Longest way of a message.
    pub delay_max: Duration,
    /// Lost messages, of 1,000.
    pub loss: u64,
    /// Doubled messages, of 1,000.
    pub doubled: u64,
    /// Mean time between crashes of single nodes.
    pub crash: Option<Duration>,
    /// Power failures while something is being written, of 1,000 writes.
    pub crash_writing: u64,
    /// Mean time between crashes of most nodes at once.
    pub outage: Option<Duration>,
    /// Mean time between partitions.
    pub partition: Option<Duration>,
    /// Mean time between losses of a whole disk.
    pub wipe: Option<Duration>,
    /// Mean time between rotten shards.
    pub rot: Option<Duration>,
    /// Mean time between nodes that grow slow.
    pub slow: Option<Duration>,
    /// Room for so many shards on some nodes.
    pub full_after: Option<u64>,
    /// Mean time between clients that give an operation up.
    pub give_up: Option<Duration>,
    /// Nodes that lie.
    pub liars: Vec<Lie>,
    /// Whether more may be destroyed than the profile bears.
    pub destruction: Destruction,
    /// What the devices do most.
    pub workload: Workload,
    /// What is wrong on purpose.
    pub planted: Option<Planted>,
}

/// What the devices do most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Everything.
    Mixed,
    /// Reads and writes of heads.
    Heads,
}

/// How much may be destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destruction {
    /// No more places than an acknowledged pack bears.
    WithinBudget,
    /// As it comes.
    Unbounded,
}

impl Options {
    /// What this seed means.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0xac4e);
        let profile = match rng.below(10) {
            0..=3 => Profile::Tiny,
            4..=7 => Profile::Ten,
            _ => Profile::Standard,
        };
        let mut some = |permille: u64, low_s: u64, high_s: u64| {
            let gap = Duration::from_millis(rng.between(low_s * 1000, high_s * 1000));
            rng.chance(permille).then_some(gap)
        };
        let crash = some(600, 20, 600);
        let outage = some(300, 100, 900);
        let partition = some(400, 60, 600);
        let wipe = some(400, 100, 900);
        let rot = some(400, 20, 600);
        let slow = some(300, 60, 600);
        let give_up = some(400, 10, 120);
        let destruction = match rng.below(4) {
            0 => Destruction::Unbounded,
            _ => Destruction::WithinBudget,
        };
        let bears = u64::from(profile.acknowledge() - profile.data());
        let count = if rng.chance(400) { 1 + rng.below(bears) } else { 0 };
        let kinds = [Lie::WrongBytes, Lie::StaleHead, Lie::Withhold, Lie::Forget];
        let liars = (0..count).filter_map(|_| rng.pick(&kinds).copied()).collect();
        Self {
            seed,
            profile,
            devices: 1 + rng.index(2),
            chaos: Duration::from_secs(rng.between(300, 1500)),
            work_gap: Duration::from_millis(rng.between(1500, 8000)),
            delay_max: Duration::from_millis(*rng.pick(&[5, 40, 200, 1500]).unwrap_or(&5)),
            loss: *rng.pick(&[0, 0, 1, 10, 80]).unwrap_or(&0),
            doubled: *rng.pick(&[0, 0, 5, 100]).unwrap_or(&0),
            crash,
            crash_writing: *rng.pick(&[0, 0, 1, 5]).unwrap_or(&0),
            outage,
            partition,
            wipe,
            rot,
            slow,
            full_after: rng.chance(250).then(|| 4 + rng.below(40)),
            give_up,
            liars,
            destruction,
            workload: Workload::Mixed,
            planted: None,
        }
    }

    /// The same with something wrong, on the smallest profile and, for bugs about heads, with work
    /// mostly on heads: the fewer events a seed has, the more seeds there are in a minute.
    #[must_use]
    pub fn with(mut self, planted: Planted) -> Self {
        self.planted = Some(planted);
        self.profile = Profile::Tiny;
        self.liars.truncate(self.bearable());
        if matches!(planted, Planted::HeadWithoutMajority | Planted::HeadNotSynced) {
            self.workload = Workload::Heads;
        }
        self
    }

    /// Places that an acknowledged, not yet full pack can lose.
    #[must_use]
    pub fn bearable(&self) -> usize {
        usize::from(self.profile.acknowledge() - self.profile.data())
    }
}

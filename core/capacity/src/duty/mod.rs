//! The witness: visits the nodes it was assigned, and ends each epoch in one report.
//!
//! A *visit* is one conversation with one node: commit, open, and once an epoch also a chase; see
//! [`crate::message`]. When visits happen and what they draw comes from a secret that only the
//! witness has (a shell takes its signature over the epoch's seed, so that it cannot be chosen), so
//! a node cannot be there just then and cannot fetch just that.
//!
//! | what happens | counts as |
//! |---|---|
//! | commitment in time, at the second try at the latest | `asked`, `answered` |
//! | none | `asked` |
//! | a sample proven in time | held |
//! | samples after the deadline, twice in a row | `late`, none held |
//! | a sample missing, or the request refused or lost twice | `missing`, not held |
//! | a sample or signature that proves something else | `wrong`, not held |
//! | at a muster: a claim in time, and probes answered in time | cores and memory |
//! | at a muster: a claim or probes late, wrong or not at all | `late`, `wrong`, `missing`; no cores, no memory |
//! | a region whose root is not what its key gives | `wrong`, and no plot counts in this epoch |
//! | a chase that is too slow, twice | `late`, and no storage counts in this epoch |
//! | a chase that is not answered or not shown, twice | `missing`, and no storage counts |
//! | a chase whose steps were not taken as asked | `wrong`, and no storage counts |
//! | more steps of a chase gone than may be, twice | `missing`, and that share of the storage does not count |
//!
//! Storage is plots and shards, each on its own: the least that was committed in the epoch, less the
//! share of its samples that was not held. Of shards never more counts than contracts have reserved,
//! so bytes that nobody pays for are worth nothing, however well they open.
//!
//! Cores and memory are what the *musters* of the epoch showed, the least of them; see `mustering`.
//! All nodes solve their puzzles in the same moments, which nobody foresees, so a machine answers for
//! no more nodes than it has cores and memory. Where none was called, what was proven before stands.

mod chasing;
mod machine;
mod mustering;
mod schedule;
mod verdict;
mod visit;

use std::time::Duration;

use acre_types::{Bytes, Digest, Epoch, NodeId, Tick};

use crate::CapacityError;
use crate::chase::ChaseRules;
use crate::limits::{DUTIES_MAX, PROBES_MAX, SAMPLES_MAX, VISITS_MAX};
use crate::message::{Answer, Ask};
use crate::plot::PlotRules;
use crate::puzzle::LaneRules;
use crate::verify::HeaderCheck;

pub use machine::Witness;
pub use verdict::{Report, Verdict};

/// How much of cores and memory is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkRules {
    /// Most memory of a lane, and its steps; a node that claims less memory gets smaller lanes. A
    /// node is asked for at most eight lanes a core, so this bounds the memory that can be shown.
    pub lane: LaneRules,
    /// Probes of each claim.
    pub probes: u8,
    /// In this time a core of full worth does the work of one such lane. Cores = work of the task x
    /// par / (work of such a lane x time it took).
    pub par: Duration,
    /// A byte that was held stands for so many that are claimed. One on a real grid; more where all
    /// nodes share one machine.
    pub memory_scale: u32,
}

/// How nodes are examined: the same for all witnesses of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How plots are made.
    pub plot: PlotRules,
    /// Visits to each node in one epoch.
    pub visits: u8,
    /// Samples of each visit.
    pub samples: u8,
    /// Time for an answer, from the question to its last byte.
    pub answer: Duration,
    /// Pause before the second try.
    pub retry: Duration,
    /// One region is made again in one of this many epochs, for each node and by each witness on
    /// its own.
    pub rebuild_every: u16,
    /// The puzzle.
    pub work: WorkRules,
    /// The chase.
    pub chase: ChaseRules,
}

impl Rules {
    /// # Errors
    /// [`CapacityError::Rules`] for a figure out of its range.
    pub fn check(&self) -> Result<(), CapacityError> {
        self.plot.check()?;
        self.work.lane.check()?;
        self.chase.check()?;
        let wrong = |reason| Err(CapacityError::Rules { reason });
        if !(1..=VISITS_MAX).contains(&self.visits) {
            return wrong("visits must be from 1 to 32");
        }
        if !(1..=SAMPLES_MAX).contains(&usize::from(self.samples)) {
            return wrong("samples must be from 1 to 16");
        }
        if !(1..=PROBES_MAX).contains(&usize::from(self.work.probes)) {
            return wrong("probes must be from 1 to 8");
        }
        if self.rebuild_every == 0 || self.work.memory_scale == 0 {
            return wrong("rebuild_every and memory_scale must not be zero");
        }
        if self.answer.is_zero() || self.work.par.is_zero() {
            return wrong("answer and par must not be zero");
        }
        Ok(())
    }
}

/// A node to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Which.
    pub node: NodeId,
    /// Cores that it claims and no contract has reserved.
    pub cores: u32,
    /// The same of memory.
    pub memory: Bytes,
    /// Of both, what the ledger says was measured last: it stands where no muster is called.
    pub proven: (u32, Bytes),
    /// Storage that contracts have reserved there: more bytes of shards than that do not count.
    pub reserved: Bytes,
}

/// An epoch of one witness.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which.
    pub epoch: Epoch,
    /// What only this witness knows of it.
    pub secret: Digest,
    /// When it began, on the witness's clock.
    pub began: Tick,
    /// When it ends, and the report is due.
    pub ends: Tick,
    /// At most [`DUTIES_MAX`]; more are left out.
    pub duties: Vec<Duty>,
}

impl Plan {
    fn duties(&self) -> impl Iterator<Item = &Duty> {
        self.duties.iter().take(DUTIES_MAX)
    }
}

/// Names a question until it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call(pub u64);

/// What a witness is told.
#[derive(Clone, Debug)]
pub enum In {
    /// An epoch began. One that still ran is reported at once.
    Begin(Plan),
    /// All nodes are called. To be told at once: the time of their work runs from here.
    Muster {
        /// In which epoch; of another one it is not heard.
        epoch: Epoch,
        /// What the puzzle of each node is made from; of nodes that are no duty it is left out.
        seeds: Vec<(NodeId, Digest)>,
    },
    /// A node answered.
    Answered {
        /// Which question.
        call: Call,
        /// What it said.
        answer: Answer,
        /// One for each sample of [`Answer::Opened`], else none.
        headers: Vec<HeaderCheck>,
    },
    /// Contracts were found to have reserved more at a node than its duty said: some began since.
    Reserved {
        /// Where.
        node: NodeId,
        /// How much.
        bytes: Bytes,
    },
    /// A node could not be reached, broke off, or took longer than its patience.
    Failed {
        /// Which question.
        call: Call,
    },
    /// A region was made again.
    Rebuilt {
        /// Which order.
        call: Call,
        /// What it came to.
        root: Digest,
    },
}

/// What a witness wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Ask a node and feed [`In::Answered`] or [`In::Failed`].
    Ask {
        /// To be named in the answer.
        call: Call,
        /// Whom.
        node: NodeId,
        /// What.
        ask: Ask,
        /// How long to wait at most; longer than what counts as in time, so that a late answer can
        /// be told from none.
        patience: Duration,
    },
    /// Make a region and feed [`In::Rebuilt`]. Takes a core for seconds on a real grid.
    Rebuild {
        /// To be named in the answer.
        call: Call,
        /// Whose.
        node: NodeId,
        /// Which.
        region: u32,
        /// How.
        rules: PlotRules,
    },
    /// Say this to the ledger.
    Report(Report),
}

//! What witnesses report of nodes, and what is kept of it until it is folded.

use acre_codec::List;
use acre_types::{Bytes, Epoch, NodeId};
use borsh::{BorshDeserialize, BorshSerialize};

use super::Capacity;
use crate::limits::WITNESSES_MAX;

/// A witness's verdicts of one epoch, by the ids of the nodes, rising: one for each node that it
/// watched. A node that it could not watch is left out.
pub type Verdicts = List<Verdict, WITNESSES_MAX>;

/// What a witness found at one node in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Verdict {
    /// The node.
    pub node: NodeId,
    /// What was found.
    pub finding: Finding,
}

/// What one witness measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Finding {
    /// Times that the node was asked whether it is there; not zero.
    pub asked: u16,
    /// Times that it answered in time; at most `asked`.
    pub answered: u16,
    /// What it showed to have: storage as the lower end of what its samples allow (plots and
    /// stored shards together); of the cores and the memory that no contract has reserved, those that
    /// were used at once ([`super::Node::idle`] is what it is asked for).
    pub measured: Capacity,
    /// Stored shards of the storage measured; the rest are plots.
    pub sold: Bytes,
    /// Of the storage measured, shards and plots alike, what answered as fast as solid state does.
    pub solid: Bytes,
    /// Challenges that it failed.
    pub failures: Failures,
}

/// Failed challenges by kind. That a node was not there at all is no failure here: it shows in
/// [`Finding::answered`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Failures {
    /// Answered rightly, but after the deadline.
    pub late: u16,
    /// It said that it cannot answer, or that what it was to hold is gone.
    pub missing: u16,
    /// What it showed was false.
    pub wrong: u16,
}

impl Failures {
    /// Of all kinds together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let sum = u64::from(self.late).saturating_add(self.missing.into());
        sum.saturating_add(self.wrong.into())
    }
}

/// Parts of an epoch, in millionths: what an uptime is measured in.
pub const WHOLE: u64 = 1_000_000;

impl Finding {
    /// With shards up to what contracts have reserved: more of them are paid for by nobody.
    #[must_use]
    pub fn paid_for(self, reserved: Bytes) -> Self {
        let sold = self.sold.min(reserved);
        let unpaid = self.sold.0.saturating_sub(sold.0);
        let storage = Bytes(self.measured.storage.0.saturating_sub(unpaid));
        let solid = self.solid.min(storage);
        Self { measured: Capacity { storage, ..self.measured }, sold, solid, ..self }
    }

    /// Share of the questions that were answered in time, in millionths.
    #[must_use]
    pub fn uptime(&self) -> u64 {
        let answered = u64::from(self.answered).saturating_mul(WHOLE);
        answered.checked_div(self.asked.into()).unwrap_or(0)
    }
}

/// What was reported of a node for one epoch, until that is folded into the node.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tally {
    /// The epoch.
    pub epoch: Epoch,
    /// Its length, in milliseconds.
    pub span_ms: u64,
    /// Witnesses of the node whose word counts: of those assigned, without retired and dependent
    /// ones, as they were at the first report.
    pub witnesses: u8,
    /// Nodes that each node had to watch in that epoch.
    pub duties: u8,
    /// In the order in which they came; none once the tally was folded.
    pub heard: List<Heard, WITNESSES_MAX>,
}

/// One report about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Heard {
    /// Registration index of the witness.
    pub witness: u32,
    /// What it found.
    pub finding: Finding,
}

impl Tally {
    /// Reports from which on the epoch counts: the majority of the witnesses that could report,
    /// and no fewer than the rules ask for.
    #[must_use]
    pub fn quorum(&self, reports_min: u8) -> usize {
        let majority = usize::from(self.witnesses >> 1).saturating_add(1);
        majority.max(reports_min.into())
    }
}

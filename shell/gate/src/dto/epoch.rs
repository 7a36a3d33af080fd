//! Capacity epochs and who witnesses whom.

use acre_ledger as ledger;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Capacity, Id};
use crate::replica::Replica;

/// The capacity epoch that runs. It counts time, not heights.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Epoch {
    /// Its number.
    pub(crate) number: u64,
    /// When it began.
    pub(crate) began_ms: u64,
    /// From this block time on it is over.
    pub(crate) ends_ms: u64,
    /// Decides who witnesses whom.
    pub(crate) seed: Id,
    /// Nodes that take part: those with lower numbers of registration.
    pub(crate) nodes: u32,
    /// Witnesses of each node.
    pub(crate) witnesses_per_node: u8,
    /// Number of the epoch that witnesses report about now.
    pub(crate) reported_epoch: Option<u64>,
}

impl From<&ledger::EpochState> for Epoch {
    fn from(epoch: &ledger::EpochState) -> Self {
        Self {
            number: epoch.number.0,
            began_ms: epoch.began.0,
            ends_ms: epoch.ends().0,
            seed: Id::new(epoch.seed.0),
            nodes: epoch.nodes,
            witnesses_per_node: epoch.witnesses,
            reported_epoch: epoch.past.map(|past| past.number.0),
        }
    }
}

/// Who witnesses a node in the epoch that runs, and whom it witnesses. Anyone can compute this
/// from the epoch's seed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Witnesses {
    /// The epoch.
    pub(crate) epoch: u64,
    /// Nodes that challenge this one. Those that are not independent of it count as abstaining.
    pub(crate) witnessed_by: Vec<Witness>,
    /// Nodes that this one challenges.
    pub(crate) witness_of: Vec<Id>,
}

/// A node that challenges another.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Witness {
    /// The node.
    pub(crate) node: Id,
    /// Whether its word counts: it is there, and independent enough.
    pub(crate) counts: bool,
}

impl Witnesses {
    /// Of the node with this number of registration.
    pub(crate) fn new(
        replica: &Replica,
        epoch: &ledger::EpochState,
        rule: ledger::Independence,
        index: u32,
    ) -> Option<Self> {
        let assignment = epoch.assignment();
        let node = &replica.nodes.row(index)?.node;
        let row = |index: u32| replica.nodes.row(index);
        let witness = |other: u32| {
            let other = row(other)?;
            let counts = ledger::witness::may_witness(rule, &other.node, node);
            Some(Witness { node: Id::new(other.id.0), counts })
        };
        let duties = assignment.duties_of(index).into_iter();
        Some(Self {
            epoch: epoch.number.0,
            witnessed_by: assignment.witnesses_of(index).into_iter().filter_map(witness).collect(),
            witness_of: duties.filter_map(|other| Some(Id::new(row(other)?.id.0))).collect(),
        })
    }
}

/// What witnesses reported of a node and is not folded into its record yet.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "WitnessReports")]
pub(crate) struct Reports {
    /// The epoch they are about; null if there is no report.
    pub(crate) epoch: Option<u64>,
    /// Witnesses whose word counts.
    pub(crate) witnesses: u8,
    /// Reports from which on the epoch counts.
    pub(crate) quorum: usize,
    /// The reports, in the order in which they came.
    pub(crate) reports: Vec<Finding>,
}

/// What one witness found at a node in one epoch.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// The witness.
    pub(crate) witness: Option<Id>,
    /// Times that the node was asked whether it is there.
    pub(crate) asked: u16,
    /// Times that it answered in time.
    pub(crate) answered: u16,
    /// What it showed to have.
    pub(crate) measured: Capacity,
    /// Bytes of the storage measured that are stored shards; the rest are plots.
    pub(crate) sold: u64,
    /// Bytes of the storage measured that answered as fast as solid state does.
    pub(crate) solid: u64,
    /// Challenges answered rightly, but too late.
    pub(crate) failed_late: u16,
    /// Challenges that it could not answer.
    pub(crate) failed_missing: u16,
    /// Challenges answered with something false.
    pub(crate) failed_wrong: u16,
}

impl Reports {
    pub(crate) fn new(replica: &Replica, tally: Option<&ledger::Tally>, reports_min: u8) -> Self {
        let Some(tally) = tally else {
            return Self { epoch: None, witnesses: 0, quorum: 0, reports: Vec::new() };
        };
        let finding = |heard: &ledger::Heard| {
            let ledger::Finding { asked, answered, measured, sold, solid, failures } =
                heard.finding;
            Finding {
                witness: replica.nodes.row(heard.witness).map(|row| Id::new(row.id.0)),
                asked,
                answered,
                measured: measured.into(),
                sold: sold.0,
                solid: solid.0,
                failed_late: failures.late,
                failed_missing: failures.missing,
                failed_wrong: failures.wrong,
            }
        };
        Self {
            epoch: Some(tally.epoch.0),
            witnesses: tally.witnesses,
            quorum: tally.quorum(reports_min),
            reports: tally.heard.iter().map(finding).collect(),
        }
    }
}

//! The node's side of the puzzle.

use acre_codec::Blob;
use acre_types::Digest;

use crate::CapacityError;
use crate::limits::{GROUP_BYTES, GROUP_SIZE, LEAF_BYTES, PROBES_MAX, WALK_STRIDE};
use crate::plot::{Fill, Label, next_label, places};
use crate::puzzle::{
    Draw, LabelOpening, LaneClaim, LaneProof, LaneProofs, Task, leaf_of, walk_start,
};
use crate::tree;

/// A solved lane, kept until the witness has probed it. One core solves one lane at a time: share
/// the lanes of a task among all cores, and keep them all.
pub struct Lane {
    pub(super) key: Digest,
    pub(super) labels: Vec<Label>,
    pub(super) outboard: Vec<u8>,
    pub(super) checkpoints: Vec<Label>,
    pub(super) claim: LaneClaim,
}

impl Lane {
    /// Does the work of lane number `lane`.
    ///
    /// # Errors
    /// [`CapacityError::Rules`] for a task out of bounds.
    pub fn solve(task: &Task, lane: u16) -> Result<Self, CapacityError> {
        task.check()?;
        let key = task.key(lane);
        let labels = Fill::keyed(key, task.rules.labels(), 1).into_labels();
        let (outboard, memory) = tree::outboard(labels.as_flattened());
        let mut state = walk_start(&key, &memory);
        let mut checkpoints = vec![state];
        for step in 1..=task.rules.steps {
            state = walk_step(&key, &state, &labels);
            if step.is_multiple_of(WALK_STRIDE) {
                checkpoints.push(state);
            }
        }
        let walk = acre_crypto::digest(checkpoints.as_flattened());
        Ok(Self { key, labels, outboard, checkpoints, claim: LaneClaim { memory, walk } })
    }

    /// What it ended in.
    #[must_use]
    pub const fn claim(&self) -> LaneClaim {
        self.claim
    }

    fn label(&self, number: usize) -> Result<LabelOpening, CapacityError> {
        let (leaf, _) = leaf_of(number);
        let memory = self.labels.as_flattened();
        let wrong = || CapacityError::Malformed { reason: "a label that the lane does not have" };
        let at = usize::try_from(leaf).ok().and_then(|leaf| leaf.checked_mul(LEAF_BYTES));
        let at = at.ok_or_else(wrong)?;
        let group = at.saturating_sub(at % GROUP_SIZE);
        let group = memory.get(group..group.saturating_add(GROUP_BYTES)).ok_or_else(wrong)?;
        let bytes = u32::try_from(memory.len()).map_err(|_| wrong())?;
        let tree = tree::region_path(bytes, leaf, group, |place| {
            let place = usize::try_from(place).map_err(|_| wrong())?;
            let value = self.outboard.get(place..).and_then(|rest| rest.first_chunk::<32>());
            value.copied().map(Digest).ok_or_else(wrong)
        })?;
        let leaf = memory.get(at..at.saturating_add(LEAF_BYTES)).ok_or_else(wrong)?;
        Ok(LabelOpening { leaf: Blob::new(leaf.to_vec()).map_err(|_| wrong())?, tree })
    }

    fn checkpoint(&self, number: usize) -> Result<LabelOpening, CapacityError> {
        let (leaf, _) = leaf_of(number);
        let bytes = self.checkpoints.as_flattened();
        let wrong = || CapacityError::Malformed { reason: "a checkpoint that is not there" };
        let tree = tree::path(bytes, leaf).ok_or_else(wrong)?;
        let at = usize::try_from(leaf).ok().and_then(|leaf| leaf.checked_mul(LEAF_BYTES));
        let rest = at.and_then(|at| bytes.get(at..)).ok_or_else(wrong)?;
        let leaf = rest.iter().take(LEAF_BYTES).copied().collect();
        Ok(LabelOpening { leaf: Blob::new(leaf).map_err(|_| wrong())?, tree })
    }

    fn prove(&self, draw: Draw) -> Result<LaneProof, CapacityError> {
        let wrong = CapacityError::Malformed { reason: "a draw past the lane" };
        let before = draw.label.saturating_sub(1);
        let chain = self.labels.get(before).ok_or(wrong.clone())?;
        let [a, b] = places(chain, draw.label);
        let label = [self.label(draw.label)?, self.label(before)?, self.label(a)?, self.label(b)?];
        let from = usize::try_from(draw.stretch).unwrap_or(usize::MAX);
        let ends = [self.checkpoint(from)?, self.checkpoint(from.saturating_add(1))?];
        let mut state = *self.checkpoints.get(from).ok_or(wrong.clone())?;
        let mut reads = Vec::new();
        for _ in 0..WALK_STRIDE {
            let [a, b] = places(&state, self.labels.len());
            reads.push([self.label(a)?, self.label(b)?]);
            state = walk_step(&self.key, &state, &self.labels);
        }
        let reads = reads.try_into().map_err(|_| wrong)?;
        Ok(LaneProof { label, ends, reads })
    }
}

fn walk_step(key: &Digest, state: &Label, labels: &[Label]) -> Label {
    // No label stands past the end, so the place of the result reads as zeros.
    next_label(&key.0, state, usize::MAX, labels.len(), |place| {
        labels.get(place).copied().unwrap_or_default()
    })
}

/// Answers `probes` probes of the solved `lanes` of `task`.
///
/// # Errors
/// [`CapacityError::Malformed`] for more than [`PROBES_MAX`], or lanes of another task.
pub fn prove(
    task: &Task,
    lanes: &[Lane],
    nonce: &Digest,
    probes: u8,
) -> Result<LaneProofs, CapacityError> {
    if usize::from(probes) > PROBES_MAX || lanes.len() != usize::from(task.lanes) {
        return Err(CapacityError::Malformed { reason: "more probes than one answer has" });
    }
    let mut proofs = Vec::new();
    for probe in 0..probes {
        let draw = Draw::of(task, nonce, u64::from(probe));
        let lane = lanes.get(usize::from(draw.lane));
        let lane = lane.ok_or(CapacityError::Malformed { reason: "lanes of another task" })?;
        proofs.push(lane.prove(draw)?);
    }
    LaneProofs::new(proofs).map_err(|_| CapacityError::Malformed { reason: "too many probes" })
}

//! The node's side: one read after the other.

use std::sync::Arc;

use acre_codec::Blob;
use acre_types::{Digest, NodeId};

use super::{
    GONE_BYTES_MAX, State, StepProof, StepProofs, Trail, bit_of, drawn, gone_bytes, leaf_of, next,
    position, start,
};
use crate::CapacityError;
use crate::index::{self, Found, Index, Span};
use crate::limits::{CHASE_PROBES_MAX, CHASE_STEPS_MAX, LEAF, LEAF_BYTES};
use crate::message::Sample;
use crate::plot::Progress;
use crate::prove::{Holdings, leaf, sample};
use crate::puzzle::LabelOpening;
use crate::tree;

/// A chase that is under way. One step is one read, so that whoever runs it can give way to others
/// between two, or stop.
pub struct Walk {
    index: Arc<Index>,
    root: Span,
    nonce: Digest,
    steps: u32,
    start: State,
    states: Vec<State>,
    gone: Vec<u8>,
}

impl Walk {
    /// Begins it.
    ///
    /// # Errors
    /// [`CapacityError::NothingHeld`] for an empty index; [`CapacityError::Malformed`] for no steps,
    /// or more than [`CHASE_STEPS_MAX`].
    pub fn new(index: Arc<Index>, nonce: Digest, steps: u32) -> Result<Self, CapacityError> {
        if !(1..=CHASE_STEPS_MAX).contains(&steps) {
            return Err(CapacityError::Malformed { reason: "more steps than a chase has" });
        }
        let root = index.root().ok_or(CapacityError::NothingHeld)?;
        let start = start(&root.digest, &nonce, steps);
        let (states, gone) = (vec![start], vec![0; gone_bytes(steps)]);
        Ok(Self { index, root, nonce, steps, start, states, gone })
    }

    /// Number of the step that is next.
    fn step_number(&self) -> u32 {
        u32::try_from(self.states.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Reads the next leaf.
    pub fn step(&mut self, holdings: &dyn Holdings) -> Progress {
        let step = self.step_number();
        if step >= self.steps {
            return Progress::Done;
        }
        let state = self.states.last().copied().unwrap_or(self.start);
        let mut bytes = [0; LEAF_BYTES];
        let found = self.index.find(position(&state, &self.root));
        let length = found.and_then(|Found { item, offset, .. }| {
            leaf(&item, offset / LEAF, holdings, &mut bytes).ok()
        });
        let (byte, bit) = bit_of(step);
        if let (None, Some(bits)) = (length, self.gone.get_mut(byte)) {
            *bits |= bit;
        }
        let content = bytes.get(..length.unwrap_or(0)).unwrap_or_default();
        self.states.push(next(&self.start, step, &state, content));
        if self.step_number() < self.steps { Progress::More } else { Progress::Done }
    }

    /// Where it ended.
    ///
    /// # Errors
    /// [`CapacityError::Malformed`] while there are more steps.
    pub fn finish(self, node: NodeId) -> Result<Walked, CapacityError> {
        let wrong = |_| CapacityError::Malformed { reason: "more steps than a chase has" };
        if self.step_number() < self.steps {
            return Err(CapacityError::Malformed { reason: "a chase that is not over" });
        }
        let trail = Trail {
            node,
            index: self.root.digest,
            nonce: self.nonce,
            steps: self.steps,
            root: acre_crypto::digest(self.states.as_flattened()),
            gone: Blob::<GONE_BYTES_MAX>::new(self.gone).map_err(wrong)?,
        };
        Ok(Walked { index: self.index, root: self.root, states: self.states, trail })
    }
}

/// A chase that is over, kept until the witness has probed it. It keeps the index that it went
/// through, whatever the node commits to since.
pub struct Walked {
    pub(super) index: Arc<Index>,
    pub(super) root: Span,
    pub(super) states: Vec<State>,
    pub(super) trail: Trail,
}

impl Walked {
    /// Where it ended.
    #[must_use]
    pub const fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Opens the steps that `nonce` draws. A leaf that cannot be read any more is
    /// [`Sample::Missing`].
    ///
    /// # Errors
    /// [`CapacityError::Malformed`] for more than [`CHASE_PROBES_MAX`].
    pub fn prove(
        &self,
        holdings: &dyn Holdings,
        nonce: &Digest,
        probes: u8,
    ) -> Result<StepProofs, CapacityError> {
        let wrong = CapacityError::Malformed { reason: "more probes than one answer has" };
        if usize::from(probes) > CHASE_PROBES_MAX {
            return Err(wrong);
        }
        let proofs: Result<Vec<_>, _> = drawn(&self.trail, nonce, probes)
            .map(|step| {
                let after = step.saturating_add(1);
                let ends = [self.state(step)?, self.state(after)?];
                Ok(StepProof { ends, read: self.read(step, holdings)? })
            })
            .collect();
        StepProofs::new(proofs?).map_err(|_| wrong)
    }

    fn state(&self, number: u32) -> Result<LabelOpening, CapacityError> {
        let wrong = || CapacityError::Malformed { reason: "a state that is not there" };
        let (leaf, _) = leaf_of(number);
        let bytes = self.states.as_flattened();
        let tree = tree::path(bytes, leaf).ok_or_else(wrong)?;
        let at = usize::try_from(leaf).ok().and_then(|leaf| leaf.checked_mul(LEAF_BYTES));
        let rest = at.and_then(|at| bytes.get(at..)).ok_or_else(wrong)?;
        let leaf = rest.iter().take(LEAF_BYTES).copied().collect();
        Ok(LabelOpening { leaf: Blob::new(leaf).map_err(|_| wrong())?, tree })
    }

    fn read(&self, step: u32, holdings: &dyn Holdings) -> Result<Sample, CapacityError> {
        if self.trail.is_gone(step) {
            return Ok(Sample::Missing);
        }
        let number = usize::try_from(step).unwrap_or(usize::MAX);
        let wrong = CapacityError::Malformed { reason: "a state that is not there" };
        let state = self.states.get(number).ok_or(wrong)?;
        let wanted = position(state, &self.root);
        let Sample::Opened(mut opening) = sample(&self.index, holdings, wanted) else {
            return Ok(Sample::Missing);
        };
        opening.header = Blob::default();
        // Rot is missing, not false: nobody could tell it from a step that was made up.
        let first = index::verify(&self.root, &opening.item, &opening.index)?;
        let number = wanted.saturating_sub(first) / LEAF;
        let (item, leaf) = (&opening.item, &opening.leaf);
        let is_good = tree::verify(&item.root, item.bytes, number, leaf, &opening.tree).is_ok();
        Ok(if is_good { Sample::Opened(opening) } else { Sample::Missing })
    }
}

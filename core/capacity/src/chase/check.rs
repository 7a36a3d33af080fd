//! The witness's side of a chase.

use acre_types::Digest;

use super::{
    State, StepProof, StepProofs, Trail, drawn, leaf_of, list_bytes, next, position, start,
};
use crate::CapacityError;
use crate::index::{self, ItemId, Span};
use crate::limits::LEAF;
use crate::message::{Commitment, Opening, Sample};
use crate::puzzle::LabelOpening;
use crate::tree;

/// Checks the answers to `probes` probes of a trail through the index of `commitment`.
///
/// # Errors
/// [`CapacityError::Read`] if a leaf that the chase read cannot be shown any more: it may have gone
/// since. Any other: the steps were not taken as asked.
pub fn check(
    commitment: &Commitment,
    trail: &Trail,
    nonce: &Digest,
    probes: u8,
    proofs: &StepProofs,
) -> Result<(), CapacityError> {
    let root = commitment.index.as_ref().ok_or(CapacityError::NothingHeld)?;
    if root.digest != trail.index {
        return Err(CapacityError::Malformed { reason: "a trail of another index" });
    }
    if proofs.len() != usize::from(probes) {
        return Err(CapacityError::Malformed { reason: "not one proof for each probe" });
    }
    // What is false outweighs what is missing, wherever it stands.
    let mut missing = Ok(());
    for (step, proof) in drawn(trail, nonce, probes).zip(proofs.iter()) {
        match check_step(root, commitment.plots, trail, step, proof) {
            Err(CapacityError::Read { item, reason }) => {
                missing = Err(CapacityError::Read { item, reason });
            }
            other => other?,
        }
    }
    missing
}

fn check_step(
    root: &Span,
    plots: u64,
    trail: &Trail,
    step: u32,
    proof: &StepProof,
) -> Result<(), CapacityError> {
    let wrong = Err(CapacityError::WrongStep { step });
    let [before, after] = &proof.ends;
    let before = opened(trail, step, before)?;
    let after = opened(trail, step.saturating_add(1), after)?;
    let first = start(&trail.index, &trail.nonce, trail.steps);
    if step == 0 && before != first {
        return wrong;
    }
    let made = match (&proof.read, trail.is_gone(step)) {
        (Sample::Opened(opening), false) => {
            let wanted = position(&before, root);
            check_leaf(root, plots, wanted, opening)?;
            next(&first, step, &before, &opening.leaf)
        }
        (Sample::Missing, true) => next(&first, step, &before, &[]),
        (Sample::Missing, false) => {
            return Err(CapacityError::Read {
                item: root.first,
                reason: "a leaf of the chase is gone".to_owned(),
            });
        }
        (Sample::Opened(_), true) => return wrong,
    };
    if made == after { Ok(()) } else { wrong }
}

/// The state with this number, once its leaf is proven.
fn opened(trail: &Trail, number: u32, opening: &LabelOpening) -> Result<State, CapacityError> {
    let (leaf, at) = leaf_of(number);
    tree::verify(&trail.root, list_bytes(trail.steps), leaf, &opening.leaf, &opening.tree)?;
    let state = opening.leaf.get(at..).and_then(|rest| rest.first_chunk::<32>());
    state.copied().ok_or(CapacityError::Malformed { reason: "a leaf without the state" })
}

/// That the opening is of the leaf at this position of the index.
fn check_leaf(
    root: &Span,
    plots: u64,
    wanted: u64,
    opening: &Opening,
) -> Result<(), CapacityError> {
    let item = &opening.item;
    let first = index::verify(root, item, &opening.index)?;
    let offset = wanted.checked_sub(first).filter(|offset| *offset < item.bytes);
    let offset = offset.ok_or(CapacityError::WrongItem(item.id))?;
    if matches!(item.id, ItemId::Plot(_)) != (wanted < plots) {
        return Err(CapacityError::WrongItem(item.id));
    }
    tree::verify(&item.root, item.bytes, offset / LEAF, &opening.leaf, &opening.tree)
}

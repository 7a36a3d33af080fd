//! The witness's side of the puzzle.

use acre_types::Digest;

use crate::CapacityError;
use crate::plot::{Label, next_label, places};
use crate::puzzle::{Claim, Draw, LabelOpening, LaneProof, LaneProofs, Task, leaf_of, walk_start};
use crate::tree;

/// Checks the answers to `probes` probes of a claim.
///
/// # Errors
/// [`CapacityError`]: the work was not done as asked.
pub fn check(
    task: &Task,
    claim: &Claim,
    nonce: &Digest,
    probes: u8,
    proofs: &LaneProofs,
) -> Result<(), CapacityError> {
    if proofs.len() != usize::from(probes) {
        return Err(CapacityError::Malformed { reason: "not one proof for each probe" });
    }
    (0_u64..).zip(proofs.iter()).try_for_each(|(probe, proof)| {
        let draw = Draw::of(task, nonce, probe);
        check_label(task, claim, draw, proof)?;
        check_stretch(task, claim, draw, proof)
    })
}

/// The label with this number, once its leaf is proven.
fn opened(
    root: &Digest,
    bytes: u64,
    number: usize,
    opening: &LabelOpening,
) -> Result<Label, CapacityError> {
    let (leaf, at) = leaf_of(number);
    tree::verify(root, bytes, leaf, &opening.leaf, &opening.tree)?;
    let label = opening.leaf.get(at..).and_then(|rest| rest.first_chunk::<32>());
    label.copied().ok_or(CapacityError::Malformed { reason: "a leaf without the label" })
}

fn roots(claim: &Claim, lane: u16) -> Result<(Digest, Digest), CapacityError> {
    let lane = claim.lanes.get(usize::from(lane));
    let lane = lane.ok_or(CapacityError::Malformed { reason: "a claim of fewer lanes" })?;
    Ok((lane.memory, lane.walk))
}

fn check_label(
    task: &Task,
    claim: &Claim,
    draw: Draw,
    proof: &LaneProof,
) -> Result<(), CapacityError> {
    let (memory, _) = roots(claim, draw.lane)?;
    let bytes = u64::from(task.rules.lane_bytes);
    let [label, before, first, second] = &proof.label;
    let label = opened(&memory, bytes, draw.label, label)?;
    let chain = opened(&memory, bytes, draw.label.saturating_sub(1), before)?;
    let [a, b] = places(&chain, draw.label);
    let first = opened(&memory, bytes, a, first)?;
    let second = opened(&memory, bytes, b, second)?;
    let key = task.key(draw.lane);
    let made = next_label(&key.0, &chain, draw.label, draw.label, |place| match place {
        place if place == a => first,
        place if place == b => second,
        // The place of the label itself, not yet written in a first layer.
        _ => Label::default(),
    });
    if made == label { Ok(()) } else { Err(CapacityError::WrongWork { lane: draw.lane }) }
}

fn check_stretch(
    task: &Task,
    claim: &Claim,
    draw: Draw,
    proof: &LaneProof,
) -> Result<(), CapacityError> {
    let (memory, walk) = roots(claim, draw.lane)?;
    let (key, rules) = (task.key(draw.lane), &task.rules);
    let from = usize::try_from(draw.stretch).unwrap_or(usize::MAX);
    let [start, end] = &proof.ends;
    let mut state = opened(&walk, rules.walk_bytes(), from, start)?;
    let end = opened(&walk, rules.walk_bytes(), from.saturating_add(1), end)?;
    let wrong = Err(CapacityError::WrongWork { lane: draw.lane });
    if from == 0 && state != walk_start(&key, &memory) {
        return wrong;
    }
    if proof.reads.len() != crate::limits::WALK_STRIDE as usize {
        return Err(CapacityError::Malformed { reason: "not two labels for each step" });
    }
    for [first, second] in proof.reads.iter() {
        let [a, b] = places(&state, rules.labels());
        let bytes = u64::from(rules.lane_bytes);
        let first = opened(&memory, bytes, a, first)?;
        let second = opened(&memory, bytes, b, second)?;
        state = next_label(&key.0, &state, usize::MAX, rules.labels(), |place| match place {
            place if place == a => first,
            place if place == b => second,
            _ => Label::default(),
        });
    }
    if state == end { Ok(()) } else { wrong }
}

//! Cores and memory, timed: work on all cores at once that samples can check.
//!
//! A task has at least one lane a core, all in memory at once. Lane c of a task with digest d:
//!
//! ```text
//! key          = derive("acre 2026-11 puzzle lane", d | c u16)
//! M[0..n]      = a plot's first layer under this key (see plot): the memory that must be held
//! s_0          = derive("acre 2026-11 puzzle walk", key | BLAKE3(M))
//! s_(t+1)      = BLAKE3_keyed(key, s_t | M[a] xor M[b])       a, b from s_t, over all of M
//! checkpoints  = s_0, s_8, s_16, ... s_steps
//! claim        = BLAKE3(M), BLAKE3(checkpoints)               one pair a lane, all under one signature
//! ```
//! The witness takes the time from sending the task to the claim. Then it draws labels of M and
//! stretches between checkpoints, has them opened with what they are computed from, and computes
//! them again. A share f of wrong labels or steps passes q probes with (1 - f)^q. The figure is
//! labels and steps a second over all lanes: one core that pretends to be eight takes eight times
//! as long.

mod check;
mod solve;
#[cfg(test)]
mod tests;

use acre_codec::{Blob, Decode, Encode, List};
use acre_crypto::{Domain, Hasher, SigningKey};
use acre_types::{Digest, Epoch, NodeId, Signature};

use crate::CapacityError;
use crate::draw::{below, bits};
use crate::limits::{
    LABEL, LABEL_BYTES, LANE_BYTES_MAX, LANE_BYTES_MIN, LANES_MAX, LEAF, LEAF_BYTES, LEAF_SIZE,
    PROBES_MAX, WALK_STEPS_MAX, WALK_STRIDE,
};
use crate::tree::Path;

pub use check::check;
pub use solve::{Lane, prove};

/// How much a lane has to do: the same for all nodes of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LaneRules {
    /// Memory of a lane: a power of two, [`LANE_BYTES_MIN`] to [`LANE_BYTES_MAX`].
    pub lane_bytes: u32,
    /// Steps of the walk: a multiple of [`WALK_STRIDE`], up to [`WALK_STEPS_MAX`].
    pub steps: u32,
}

impl LaneRules {
    /// # Errors
    /// [`CapacityError::Rules`] for a figure out of its range.
    pub fn check(&self) -> Result<(), CapacityError> {
        let size = self.lane_bytes;
        if !size.is_power_of_two() || !(LANE_BYTES_MIN..=LANE_BYTES_MAX).contains(&size) {
            let reason = "lane_bytes must be a power of two from 32 KiB to 1 GiB";
            return Err(CapacityError::Rules { reason });
        }
        let steps = self.steps;
        if steps == 0 || steps > WALK_STEPS_MAX || !steps.is_multiple_of(WALK_STRIDE) {
            let reason = "steps must be a multiple of 8 from 8 to 2^20";
            return Err(CapacityError::Rules { reason });
        }
        Ok(())
    }

    /// Labels of a lane's memory.
    pub(crate) fn labels(&self) -> usize {
        self.lane_bytes as usize / LABEL
    }

    /// Stretches between checkpoints.
    const fn stretches(&self) -> u32 {
        self.steps.wrapping_div(WALK_STRIDE)
    }

    /// Bytes of the checkpoints.
    fn walk_bytes(&self) -> u64 {
        u64::from(self.stretches()).saturating_add(1).saturating_mul(LABEL_BYTES as u64)
    }

    /// Labels and steps of one lane: the work.
    #[must_use]
    pub fn work(&self) -> u64 {
        let labels = u64::try_from(self.labels()).unwrap_or(u64::MAX);
        labels.saturating_add(u64::from(self.steps))
    }
}

/// A puzzle for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Task {
    /// Who is to solve it.
    pub node: NodeId,
    /// When.
    pub epoch: Epoch,
    /// What nobody could know before.
    pub seed: Digest,
    /// Lanes, from 1 to [`LANES_MAX`]: together they fill the memory to be shown.
    pub lanes: u16,
    /// Size of each.
    pub rules: LaneRules,
}

impl Task {
    /// # Errors
    /// [`CapacityError::Rules`].
    pub fn check(&self) -> Result<(), CapacityError> {
        if !(1..=LANES_MAX).contains(&self.lanes) {
            return Err(CapacityError::Rules { reason: "lanes must be from 1 to 1024" });
        }
        self.rules.check()
    }

    /// Names the task.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Hasher::new("acre 2026-11 puzzle task").update(&acre_codec::encode(self)).finish()
    }

    fn key(&self, lane: u16) -> Digest {
        let mut hasher = Hasher::new("acre 2026-11 puzzle lane");
        hasher.update(&self.digest().0).update(&lane.to_le_bytes()).finish()
    }
}

fn walk_start(key: &Digest, memory: &Digest) -> [u8; LABEL_BYTES] {
    Hasher::new("acre 2026-11 puzzle walk").update(&key.0).update(&memory.0).finish().0
}

/// What a lane ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LaneClaim {
    /// BLAKE3 of its memory.
    pub memory: Digest,
    /// BLAKE3 of its checkpoints.
    pub walk: Digest,
}

/// What all lanes ended in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Claim {
    /// Digest of the task.
    pub task: Digest,
    /// One each.
    pub lanes: List<LaneClaim, { LANES_MAX as usize }>,
}

impl Domain for Claim {
    const DOMAIN: &'static str = "acre/capacity-work/1";
}

impl Claim {
    /// Signs it.
    #[must_use]
    pub fn sign(self, node: &SigningKey) -> SignedClaim {
        SignedClaim { signature: node.sign(&self), claim: self }
    }
}

/// A claim under the node's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedClaim {
    /// What is signed.
    pub claim: Claim,
    /// By the node's key.
    pub signature: Signature,
}

impl SignedClaim {
    /// Checks that it answers this task.
    ///
    /// # Errors
    /// [`CapacityError::Malformed`] for another task or count of lanes, [`CapacityError::Signature`].
    pub fn verify(&self, task: &Task) -> Result<(), CapacityError> {
        let is_of_task =
            self.claim.task == task.digest() && self.claim.lanes.len() == usize::from(task.lanes);
        if !is_of_task {
            return Err(CapacityError::Malformed { reason: "a claim to another task" });
        }
        acre_crypto::verify(&task.node.key(), &self.claim, &self.signature)
            .map_err(|source| CapacityError::Signature { what: "a claim of work", source })
    }
}

/// A leaf of a lane's memory or checkpoints; the label in it is known by its number.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LabelOpening {
    /// The leaf.
    pub leaf: Blob<LEAF_BYTES>,
    /// Its path.
    pub tree: Path,
}

/// A probe's answer: a label with what it was made from, and a stretch of the walk.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LaneProof {
    /// The drawn label, the one before, and the two it was made from.
    pub label: [LabelOpening; 4],
    /// The checkpoints before and after the stretch.
    pub ends: [LabelOpening; 2],
    /// The labels that its steps read, two each.
    pub reads: List<[LabelOpening; 2], { WALK_STRIDE as usize }>,
}

/// The answers of one request.
pub type LaneProofs = List<LaneProof, PROBES_MAX>;

/// What one probe draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    lane: u16,
    /// At least 1.
    label: usize,
    stretch: u32,
}

impl Draw {
    fn of(task: &Task, nonce: &Digest, probe: u64) -> Self {
        let mut hasher = Hasher::new("acre 2026-11 puzzle probes");
        let seed = hasher.update(&task.digest().0).update(&nonce.0).finish();
        let number = |which: u64, end: u64| {
            let index = probe.wrapping_mul(3).wrapping_add(which);
            below(bits("acre 2026-11 puzzle probe", &seed, index), end)
        };
        let labels = u64::try_from(task.rules.labels()).unwrap_or(u64::MAX).saturating_sub(1);
        let fits = "below the end it was drawn for";
        Self {
            lane: u16::try_from(number(0, task.lanes.into())).expect(fits),
            label: usize::try_from(number(1, labels)).expect(fits).saturating_add(1),
            stretch: u32::try_from(number(2, task.rules.stretches().into())).expect(fits),
        }
    }
}

/// The leaf that holds label `number`, and where in it.
fn leaf_of(number: usize) -> (u64, usize) {
    let at = number.saturating_mul(LABEL_BYTES);
    let leaf = u64::try_from(at).unwrap_or(u64::MAX) / LEAF;
    (leaf, at % LEAF_SIZE)
}

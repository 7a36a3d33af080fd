//! How fast storage is, and that it is here: reads that each need the one before.
//!
//! The witness names an index that the node just committed to, and a nonce. The node then reads leaf
//! after leaf, and only what a leaf holds tells where the next one stands:
//!
//! ```text
//! s_0      = derive("acre 2026-11 chase", index digest | nonce | steps u32)
//! position = below(first 64 bits of s_i, bytes of the index)  ->  item + leaf of 1 KiB
//! s_(i+1)  = derive("acre 2026-11 chase step", s_0 | i u32 | s_i | length u32 | leaf)
//! trail    = node | index digest | nonce | steps u32 | BLAKE3(s_0 .. s_steps) | gone, one bit a step     signed
//! probes   = below(bits(trail digest, nonce of the probes, number), steps)  ->  s_i, s_(i+1), the leaf's opening
//! ```
//! So no read can be begun before the one ahead of it ended, and the time of the whole is the latency
//! of wherever the bytes lie: a disk's, or a neighbour's round trip. Each step is bound to its chase
//! by s_0 and to its number by i, so that no stretch of one chase is of use in another or at another
//! place of the same.
//!
//! A leaf that cannot be read (its region was given up or its shard deleted since the node committed)
//! is hashed as one without bytes and named in `gone`. A few are nobody's fault ([`gone_allowed`]); the
//! whole share is not held where there are more. A share f of wrong steps passes q probes with (1-f)^q.
//!
//! Source: pointer chasing as memory latency is measured; the check by openings is that of
//! [`crate::puzzle`]. What this does not show is in `docs/protocols/witnesses.md`.

mod check;
#[cfg(test)]
mod tests;
mod walk;

use std::time::Duration;

use acre_codec::{Blob, Decode, Encode, List};
use acre_crypto::{Domain, Hasher, SigningKey};
use acre_types::{Digest, NodeId, Signature};

use crate::CapacityError;
use crate::draw::{below, bits, first_bits};
use crate::index::Span;
use crate::limits::{CHASE_PROBES_MAX, CHASE_STEPS_MAX, LABEL_BYTES, LEAF, LEAF_SIZE};
use crate::message::Sample;
use crate::puzzle::LabelOpening;

pub use check::check;
pub use walk::{Walk, Walked};

/// Most bytes of [`Trail::gone`].
pub const GONE_BYTES_MAX: usize = (CHASE_STEPS_MAX / 8) as usize;

/// How much is chased, and what its time means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChaseRules {
    /// Reads of one chase, up to [`CHASE_STEPS_MAX`].
    pub steps: u32,
    /// Steps that are opened, up to [`CHASE_PROBES_MAX`].
    pub probes: u8,
    /// Up to this mean time of a step storage is solid.
    pub solid: Duration,
    /// Up to this mean time it is at least a disk that spins.
    pub spinning: Duration,
}

/// What the time of a chase says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Slower than any disk that is here: does not count.
    Slow,
    /// As fast as a disk that spins.
    Spinning,
    /// As fast as a disk without moving parts.
    Solid,
}

impl ChaseRules {
    /// # Errors
    /// [`CapacityError::Rules`] for a figure out of its range.
    pub fn check(&self) -> Result<(), CapacityError> {
        let wrong = |reason| Err(CapacityError::Rules { reason });
        if !(1..=CHASE_STEPS_MAX).contains(&self.steps) {
            return wrong("steps of a chase must be from 1 to 65536");
        }
        if !(1..=CHASE_PROBES_MAX).contains(&usize::from(self.probes)) {
            return wrong("probes of a chase must be from 1 to 32");
        }
        if self.solid.is_zero() || self.spinning < self.solid {
            return wrong("solid must not be zero, nor more than spinning");
        }
        Ok(())
    }

    /// The longest that a chase may take to count.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        self.spinning.saturating_mul(self.steps)
    }

    /// What a chase shows that was answered after `took`, question and answer on their way included.
    #[must_use]
    pub fn class(&self, took: Duration) -> Class {
        if took <= self.solid.saturating_mul(self.steps) {
            Class::Solid
        } else if took <= self.slowest() {
            Class::Spinning
        } else {
            Class::Slow
        }
    }
}

/// Steps of a chase of `steps` that may be gone without anybody being to blame: one in 64, at least
/// one.
#[must_use]
pub fn gone_allowed(steps: u32) -> u32 {
    (steps / 64).max(1)
}

/// Where a chase ended, and what it missed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Trail {
    /// Who chased.
    pub node: NodeId,
    /// [`Span::digest`] of the index.
    pub index: Digest,
    /// The witness's.
    pub nonce: Digest,
    /// How many.
    pub steps: u32,
    /// BLAKE3 of all states, `steps` + 1 of 32 bytes.
    pub root: Digest,
    /// Bit i % 8 of byte i / 8 says that the leaf of step i could not be read.
    pub gone: Blob<GONE_BYTES_MAX>,
}

impl Domain for Trail {
    const DOMAIN: &'static str = "acre/capacity-trail/1";
}

impl Trail {
    /// Names it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Hasher::new("acre 2026-11 chase trail").update(&acre_codec::encode(self)).finish()
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, node: &SigningKey) -> SignedTrail {
        SignedTrail { signature: node.sign(&self), trail: self }
    }

    /// Whether it says that the leaf of this step was gone.
    #[must_use]
    pub fn is_gone(&self, step: u32) -> bool {
        let (byte, bit) = bit_of(step);
        self.gone.get(byte).is_some_and(|bits| bits & bit != 0)
    }

    /// Steps whose leaves were gone.
    #[must_use]
    pub fn gone_steps(&self) -> u32 {
        self.gone.iter().fold(0, |sum, byte| sum.saturating_add(byte.count_ones()))
    }
}

/// A trail under the node's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedTrail {
    /// What is signed.
    pub trail: Trail,
    /// By the node's key.
    pub signature: Signature,
}

impl SignedTrail {
    /// Checks that it answers this question.
    ///
    /// # Errors
    /// [`CapacityError::Malformed`] for an answer to another question or bits of steps that are not
    /// there, [`CapacityError::Signature`].
    pub fn verify(
        &self,
        node: NodeId,
        index: Digest,
        nonce: Digest,
        steps: u32,
    ) -> Result<(), CapacityError> {
        let given = &self.trail;
        if (given.node, given.index, given.nonce, given.steps) != (node, index, nonce, steps) {
            return Err(CapacityError::Malformed { reason: "a trail of another chase" });
        }
        let bytes = gone_bytes(steps);
        let past_end = (steps..steps.next_multiple_of(8)).any(|step| given.is_gone(step));
        if given.gone.len() != bytes || past_end {
            return Err(CapacityError::Malformed { reason: "not one bit for each step" });
        }
        acre_crypto::verify(&node.key(), given, &self.signature)
            .map_err(|source| CapacityError::Signature { what: "a trail", source })
    }
}

/// One step, opened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StepProof {
    /// The states before and after it, each within its leaf of the list.
    pub ends: [LabelOpening; 2],
    /// What it read. A shard's header is left out: samples show who pays.
    pub read: Sample,
}

/// The answers of one request.
pub type StepProofs = List<StepProof, CHASE_PROBES_MAX>;

type State = [u8; LABEL_BYTES];

fn start(index: &Digest, nonce: &Digest, steps: u32) -> State {
    let mut hasher = Hasher::new("acre 2026-11 chase");
    hasher.update(&index.0).update(&nonce.0).update(&steps.to_le_bytes()).finish().0
}

/// The state after step number `step`; a leaf without bytes is one that was gone.
fn next(start: &State, step: u32, state: &State, leaf: &[u8]) -> State {
    let length = u32::try_from(leaf.len()).unwrap_or(u32::MAX);
    let mut hasher = Hasher::new("acre 2026-11 chase step");
    hasher.update(start).update(&step.to_le_bytes()).update(state);
    hasher.update(&length.to_le_bytes()).update(leaf).finish().0
}

/// Where a state leads in an index of `bytes` > 0.
fn position(state: &State, index: &Span) -> u64 {
    below(first_bits(state), index.bytes)
}

/// The steps that `nonce` draws of a trail.
fn drawn(trail: &Trail, nonce: &Digest, probes: u8) -> impl Iterator<Item = u32> + use<> {
    let mut hasher = Hasher::new("acre 2026-11 chase probes");
    let seed = hasher.update(&trail.digest().0).update(&nonce.0).finish();
    let steps = u64::from(trail.steps);
    (0..u64::from(probes)).map(move |probe| {
        let step = below(bits("acre 2026-11 chase probe", &seed, probe), steps);
        u32::try_from(step).expect("below a number of 32 bits")
    })
}

fn gone_bytes(steps: u32) -> usize {
    usize::try_from(steps.div_ceil(8)).unwrap_or(usize::MAX)
}

fn bit_of(step: u32) -> (usize, u8) {
    (usize::try_from(step / 8).unwrap_or(usize::MAX), 1 << (step % 8))
}

/// Bytes of the list of states.
fn list_bytes(steps: u32) -> u64 {
    u64::from(steps).saturating_add(1).saturating_mul(LABEL_BYTES as u64)
}

/// The leaf of the list that holds state `number`, and where in it.
fn leaf_of(number: u32) -> (u64, usize) {
    let at = u64::from(number).saturating_mul(LABEL_BYTES as u64);
    (at / LEAF, usize::try_from(at).unwrap_or(usize::MAX) % LEAF_SIZE)
}

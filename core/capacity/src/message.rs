//! What a witness and a node say to each other: service `witness/1`.
//!
//! ```text
//! witness                                        node
//!   Commit { epoch, nonce }             ->
//!                                       <-  Committed: index, bytes of plots, signed with the nonce
//!   Open { index, nonce, samples }      ->
//!                                       <-  Opened: a leaf and its paths for each drawn position
//!   Work(task)                          ->
//!                                       <-  Worked: roots of each lane, signed
//!   Probe { task, nonce, probes }       ->
//!                                       <-  Probed: labels and steps that were drawn
//!   Chase { index, nonce, steps }       ->
//!                                       <-  Chased: where the reads ended, signed
//!   Trace { trail, nonce, probes }      ->
//!                                       <-  Traced: steps that were drawn, with what they read
//! ```
//! A nonce is drawn after the answer that it samples, by a witness who alone knows what it is drawn
//! from. What a node signs, a witness may show to anyone.

use acre_codec::{Blob, CodecError, Decode, Encode, List};
use acre_crypto::{Domain, SigningKey};
use acre_types::{Digest, Epoch, NodeId, Signature};

use crate::CapacityError;
use crate::chase::{SignedTrail, StepProofs};
use crate::draw::{below, bits};
use crate::index::{IndexPath, Item, Span};
use crate::limits::{ANSWER_BYTES_MAX, ASK_BYTES_MAX, HEADER_BYTES_MAX, LEAF_BYTES, SAMPLES_MAX};
use crate::puzzle::{LaneProofs, SignedClaim, Task};
use crate::tree::Path;

/// Name of the service.
pub const SERVICE: &str = "witness/1";

/// What a witness asks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Ask {
    /// To say that it is there, and what it holds.
    Commit {
        /// The epoch in which the witness is one.
        epoch: Epoch,
        /// To be repeated under the node's signature.
        nonce: Digest,
    },
    /// To open what the nonce draws from the index of this digest.
    Open {
        /// [`Span::digest`] of the index that was committed.
        index: Digest,
        /// From which the positions are drawn.
        nonce: Digest,
        /// How many, up to [`SAMPLES_MAX`].
        samples: u8,
    },
    /// To solve a puzzle on all cores at once.
    Work(Task),
    /// To show parts of a solved puzzle.
    Probe {
        /// Digest of the task.
        task: Digest,
        /// From which the parts are drawn.
        nonce: Digest,
        /// How many.
        probes: u8,
    },
    /// To read one leaf after the other, as each tells where the next stands.
    Chase {
        /// [`Span::digest`] of the index that was committed.
        index: Digest,
        /// Where it begins.
        nonce: Digest,
        /// How many, up to [`crate::limits::CHASE_STEPS_MAX`].
        steps: u32,
    },
    /// To show steps of a chase.
    Trace {
        /// [`crate::chase::Trail::digest`] of what it ended in.
        trail: Digest,
        /// From which the steps are drawn.
        nonce: Digest,
        /// How many, up to [`crate::limits::CHASE_PROBES_MAX`].
        probes: u8,
    },
}

/// What a node holds, as it says at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Commitment {
    /// The node.
    pub node: NodeId,
    /// The epoch it was asked in.
    pub epoch: Epoch,
    /// The witness's nonce.
    pub nonce: Digest,
    /// The root of its index; `None` if it holds nothing.
    pub index: Option<Span>,
    /// How many of the bytes are plots. They come first.
    pub plots: u64,
}

impl Domain for Commitment {
    const DOMAIN: &'static str = "acre/capacity-commitment/1";
}

impl Commitment {
    /// Bytes that it says are held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.index.as_ref().map_or(0, |index| index.bytes)
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, node: &SigningKey) -> SignedCommitment {
        SignedCommitment { signature: node.sign(&self), commitment: self }
    }
}

/// A commitment under the node's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedCommitment {
    /// What is signed.
    pub commitment: Commitment,
    /// By the node's key.
    pub signature: Signature,
}

impl SignedCommitment {
    /// Checks that it answers this question.
    ///
    /// # Errors
    /// [`CapacityError::Malformed`] for an answer to another question, [`CapacityError::Signature`].
    pub fn verify(&self, node: NodeId, epoch: Epoch, nonce: Digest) -> Result<(), CapacityError> {
        let given = &self.commitment;
        if (given.node, given.epoch, given.nonce) != (node, epoch, nonce) {
            return Err(CapacityError::Malformed { reason: "a commitment to another question" });
        }
        if given.plots > given.bytes() {
            return Err(CapacityError::Malformed { reason: "more bytes of plots than bytes" });
        }
        acre_crypto::verify(&node.key(), given, &self.signature)
            .map_err(|source| CapacityError::Signature { what: "a commitment", source })
    }
}

/// A leaf with its way to the index.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Opening {
    /// The item that holds the drawn position.
    pub item: Item,
    /// From the item to the root of the index.
    pub index: IndexPath,
    /// The leaf of the item's bytes.
    pub leaf: Blob<LEAF_BYTES>,
    /// From the leaf to the item's root.
    pub tree: Path,
    /// The shard's header as the contract's writer signed it; empty for plots.
    pub header: Blob<HEADER_BYTES_MAX>,
}

/// The answer for one drawn position.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Sample {
    /// It was there.
    Opened(Box<Opening>),
    /// The node could not read it. Counts as a sample that failed, and as no more than that.
    Missing,
}

/// The answers of one request.
pub type Samples = List<Sample, SAMPLES_MAX>;

/// Why a node does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Refusal {
    /// Who asks is no witness of this node in this epoch.
    NotWitness,
    /// The index or the task is not (or no longer) known.
    Unknown,
    /// Asked more often than the rules need.
    TooOften,
    /// At work on another puzzle or chase, or for its tenants.
    Busy,
    /// The question could not be read.
    Malformed,
    /// A disk or something else failed.
    Failed,
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Answer {
    /// To [`Ask::Commit`].
    Committed(SignedCommitment),
    /// To [`Ask::Open`], in the order of the drawn positions.
    Opened(Samples),
    /// To [`Ask::Work`].
    Worked(SignedClaim),
    /// To [`Ask::Probe`], in the order drawn.
    Probed(LaneProofs),
    /// To any.
    Refused(Refusal),
    /// To [`Ask::Chase`].
    Chased(SignedTrail),
    /// To [`Ask::Trace`], in the order drawn.
    Traced(StepProofs),
}

/// The `sample`-th position that `nonce` draws from an index of `bytes` > 0.
#[must_use]
pub fn position(index: &Span, nonce: &Digest, sample: u64) -> u64 {
    let mut hasher = acre_crypto::Hasher::new("acre 2026-11 capacity positions");
    let seed = hasher.update(&index.digest.0).update(&nonce.0).finish();
    below(bits("acre 2026-11 capacity position", &seed, sample), index.bytes)
}

/// Reads a question.
///
/// # Errors
/// As [`acre_codec::decode_bounded`].
pub fn decode_ask(bytes: &[u8]) -> Result<Ask, CodecError> {
    acre_codec::decode_bounded(bytes, ASK_BYTES_MAX)
}

/// Reads an answer.
///
/// # Errors
/// As [`acre_codec::decode_bounded`].
pub fn decode_answer(bytes: &[u8]) -> Result<Answer, CodecError> {
    acre_codec::decode_bounded(bytes, ANSWER_BYTES_MAX)
}

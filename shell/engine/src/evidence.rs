//! Votes by which a validator contradicted itself, as plain numbers, for an application that
//! punishes it.
//!
//! What a vote signs is written down in `docs/protocols/consensus.md`: so an application checks the
//! two signatures without knowing the engine.

use crate::{block::Digest, limits};
use commonware_codec::{Copying, Encode as _, ReadExt as _};
use commonware_consensus::{
    Epochable as _, Viewable as _,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Activity, Attributable as _, Finalize, Notarize, Nullify, Proposal},
    },
};
use commonware_cryptography::{
    certificate::{Attestation, Scheme as _},
    transcript::{Transcript, Version},
};
use commonware_parallel::Sequential;
use commonware_utils::ordered::Quorum as _;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a validator said of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// This block stands.
    Notarize {
        /// View of the block that it follows.
        parent: u64,
        /// Its digest.
        block: [u8; 32],
    },
    /// The view is given up.
    Nullify,
    /// This block is final.
    Finalize {
        /// View of the block that it follows.
        parent: u64,
        /// Its digest.
        block: [u8; 32],
    },
}

/// Two votes of one validator in one view that an honest one does not give both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The validator's key.
    pub validator: [u8; 32],
    /// The term of the votes.
    pub term: u64,
    /// The view of the votes.
    pub view: u64,
    /// The votes, each with its Ed25519 signature.
    pub votes: [(Said, [u8; 64]); 2],
}

/// Contradictions seen and not taken yet: the first of each validator and term. Shared by the
/// engine and the application's owner.
#[derive(Clone, Default)]
pub struct Evidence(Arc<Mutex<Kept>>);

/// By term and validator.
type Kept = BTreeMap<(u64, [u8; 32]), Contradiction>;

impl Evidence {
    fn known(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is known, oldest term first. It stays known until [`Evidence::forget`].
    #[must_use]
    pub fn all(&self) -> Vec<Contradiction> {
        self.known().values().copied().collect()
    }

    /// This one is dealt with, or of no use.
    pub fn forget(&self, contradiction: &Contradiction) {
        self.known().remove(&(contradiction.term, contradiction.validator));
    }

    pub(crate) fn keep(&self, contradiction: Contradiction) {
        let mut known = self.known();
        if known.len() < limits::KEPT_EVIDENCE {
            known.entry((contradiction.term, contradiction.validator)).or_insert(contradiction);
        }
    }
}

/// The two votes of an activity that is a contradiction, if both signatures are good.
pub(crate) fn contradiction(
    scheme: &Scheme,
    activity: &Activity<Scheme, Digest>,
) -> Option<Contradiction> {
    // Each signature is checked by itself, so nothing depends on these numbers.
    let rng = &mut Transcript::new(b"acre:evidence:v1", Version::V1).noise(b"single");
    // The votes within are private: their encoding is not.
    match activity {
        Activity::ConflictingNotarize(both) if both.verify(rng, scheme, &Sequential) => {
            let bytes = both.encode();
            let mut rest = Copying(bytes.as_ref());
            let first = Notarize::<Scheme, Digest>::read(&mut rest).ok()?;
            let second = Notarize::<Scheme, Digest>::read(&mut rest).ok()?;
            let votes = [&first, &second].map(|vote| {
                let (parent, block) = proposed(&vote.proposal);
                Some((Said::Notarize { parent, block }, signature(&vote.attestation)?))
            });
            of(scheme, (first.epoch().get(), first.view().get(), first.signer()), votes)
        }
        Activity::ConflictingFinalize(both) if both.verify(rng, scheme, &Sequential) => {
            let bytes = both.encode();
            let mut rest = Copying(bytes.as_ref());
            let first = Finalize::<Scheme, Digest>::read(&mut rest).ok()?;
            let second = Finalize::<Scheme, Digest>::read(&mut rest).ok()?;
            let votes = [&first, &second].map(final_vote);
            of(scheme, (first.epoch().get(), first.view().get(), first.signer()), votes)
        }
        Activity::NullifyFinalize(both) if both.verify(rng, scheme, &Sequential) => {
            let bytes = both.encode();
            let mut rest = Copying(bytes.as_ref());
            let first = Nullify::<Scheme>::read(&mut rest).ok()?;
            let second = Finalize::<Scheme, Digest>::read(&mut rest).ok()?;
            let given_up = signature(&first.attestation).map(|bytes| (Said::Nullify, bytes));
            let votes = [given_up, final_vote(&second)];
            of(scheme, (second.epoch().get(), second.view().get(), second.signer()), votes)
        }
        _ => None,
    }
}

fn final_vote(vote: &Finalize<Scheme, Digest>) -> Option<(Said, [u8; 64])> {
    let (parent, block) = proposed(&vote.proposal);
    Some((Said::Finalize { parent, block }, signature(&vote.attestation)?))
}

fn proposed(proposal: &Proposal<Digest>) -> (u64, [u8; 32]) {
    (proposal.parent.get(), proposal.payload.into())
}

fn signature(attestation: &Attestation<Scheme>) -> Option<[u8; 64]> {
    attestation.signature.get()?.as_ref().try_into().ok()
}

fn of(
    scheme: &Scheme,
    (term, view, signer): (u64, u64, commonware_utils::Participant),
    [first, second]: [Option<(Said, [u8; 64])>; 2],
) -> Option<Contradiction> {
    let validator = scheme.participants().key(signer)?.as_ref().try_into().ok()?;
    Some(Contradiction { validator, term, view, votes: [first?, second?] })
}

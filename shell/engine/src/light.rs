//! Proof that a block is final, for whoever knows the validators: pure functions, no network,
//! no clock.
//!
//! A certificate is the engine's finalization: term, view, parent view, block digest, a bitmap
//! of signers and one Ed25519 signature each. It speaks of exactly one header. A block that is
//! final only through a descendant is proved by the chain of headers up to that descendant, which
//! is of the same term: the last block of a term always has a certificate of its own.
//!
//! The signers are the validators of the header's term ([`Header::epoch`], also in the
//! certificate), which the caller must know: those of term 0 from the genesis, those of a later
//! term from the state that the last block of the term before, proved final, commits to.

use crate::{
    block::{BlockId, Digest, Header},
    error::{Error, Result},
    limits::{MAX_CERTIFICATE_BYTES, MAX_PROOF_HEADERS},
    term::committee,
};
use bytes::Bytes;
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Encode as _};
use commonware_consensus::{
    Epochable as _,
    simplex::{scheme::ed25519::Scheme, types::Finalization},
};
use commonware_cryptography::{
    certificate::{Scheme as _, Verifier as _},
    ed25519::PublicKey,
    transcript::{Transcript, Version},
};
use commonware_parallel::Sequential;
use commonware_utils::{N3f1, ordered::Quorum as _};

/// Evidence that a block is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalityProof {
    /// Headers from the block in question (first) to the one the certificate names (last), each
    /// the parent of the next; one to [`MAX_PROOF_HEADERS`].
    pub headers: Vec<Bytes>,
    /// The engine's certificate for the last header.
    pub certificate: Bytes,
}

impl FinalityProof {
    /// Checks the proof and gives the header of the block in question.
    ///
    /// `participants` are the Ed25519 keys of the validators of the header's term, in any order; `namespace`
    /// is the chain's.
    ///
    /// # Errors
    /// [`Error::BrokenChain`] if the headers are not each other's parents, and those of
    /// [`verify_certificate`].
    pub fn verify(&self, participants: &[[u8; 32]], namespace: &[u8]) -> Result<Header> {
        if self.headers.len() > MAX_PROOF_HEADERS {
            return Err(Error::BrokenChain);
        }
        let (last, earlier) = self.headers.split_last().ok_or(Error::BrokenChain)?;
        let mut child = verify_certificate(participants, namespace, last, &self.certificate)?;
        for bytes in earlier.iter().rev() {
            let header = Header::decode(bytes)?;
            if header.id() != child.parent()
                || header.height().checked_add(1) != Some(child.height())
            {
                return Err(Error::BrokenChain);
            }
            child = header;
        }
        Ok(child)
    }
}

/// Checks that a quorum of `participants` (Ed25519 keys of the term's validators, in any order)
/// finalized the block with this header on the chain called `namespace`.
///
/// # Errors
/// [`Error::Validators`] for an impossible list of keys, [`Error::MalformedHeader`] and
/// [`Error::MalformedCertificate`] for bytes that are none, [`Error::OtherBlock`],
/// [`Error::TooFewSigners`], and [`Error::BadSignatures`] for forgeries, other validators and other
/// chains.
pub fn verify_certificate(
    participants: &[[u8; 32]],
    namespace: &[u8],
    header: &[u8],
    certificate: &[u8],
) -> Result<Header> {
    let keys = participants
        .iter()
        .map(|key| PublicKey::decode(Copying(key.as_slice())))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Error::Validators { reason: "one is not an Ed25519 key" })?;
    let scheme = Scheme::verifier(namespace, committee(keys)?);
    let decoded = Header::decode(header)?;
    if certificate.len() > MAX_CERTIFICATE_BYTES {
        return Err(Error::MalformedCertificate);
    }
    let finalization = Finalization::<Scheme, Digest>::decode_cfg(
        Copying(certificate),
        &scheme.certificate_codec_config(),
    )
    .map_err(|_| Error::MalformedCertificate)?;
    if finalization.encode() != certificate {
        return Err(Error::MalformedCertificate);
    }
    let proposal = &finalization.proposal;
    if proposal.payload != decoded.digest() || proposal.epoch().get() != decoded.epoch() {
        return Err(Error::OtherBlock);
    }
    let quorum = scheme.participants().quorum::<N3f1>();
    let signers = u32::try_from(finalization.certificate.signers.count())
        .map_err(|_| Error::MalformedCertificate)?;
    if signers < quorum {
        return Err(Error::TooFewSigners { signers, quorum });
    }
    // Signatures are checked in one batch, which needs numbers the forger cannot choose around:
    // they are drawn from a hash of everything that is checked.
    let mut transcript = Transcript::new(b"acre:light-certificate:v1", Version::V1);
    transcript.commit(namespace).commit(header).commit(certificate);
    for key in participants {
        transcript.commit(key.as_slice());
    }
    if finalization.verify(&mut transcript.noise(b"batch"), &scheme, &Sequential) {
        Ok(decoded)
    } else {
        Err(Error::BadSignatures)
    }
}

/// The block a certificate names, without checking the certificate: to pick the header that
/// belongs to it.
///
/// # Errors
/// [`Error::MalformedCertificate`] if the bytes do not begin like one.
pub fn certified_block(certificate: &[u8]) -> Result<BlockId> {
    use commonware_codec::ReadExt as _;
    let mut rest = Copying(certificate);
    commonware_consensus::simplex::types::Proposal::<Digest>::read(&mut rest)
        .map(|proposal| proposal.payload.into())
        .map_err(|_| Error::MalformedCertificate)
}

//! The light client: pure functions and a small state that decide what a reader believes.
//!
//! A reader starts from a genesis, whose validators it trusts for term 0, or from a [`Checkpoint`]
//! that it kept or was given by somebody it trusts. From there on:
//!
//! 1. A header is final if a quorum (more than two thirds) of the validators of *its term* signed it.
//! 2. Validators change at the end of a term only. The last block of a term holds, in its state,
//!    the seats of the next one ([`acre_ledger::Seats::next`]); it is signed by those of its own
//!    term. So a [`Change`] (that block's finality and the proof of its seats) hands trust on
//!    from one set to the next.
//! 3. A set is taken for the validators of every term up to the next change that the reader has
//!    seen. It asks for changes when a certificate does not verify.
//! 4. Once it has seen a change, the old set's signatures are worth nothing for terms
//!    from there on.
//!
//! What this does not prevent is in `docs/protocols/light-client.md`: above all, validators of
//! long ago that sell their keys to somebody who shows a reader a chain of its own. A young
//! checkpoint is the remedy.
//!
//! It must not know: sockets, files, clocks. Nothing here trusts whoever answered.

mod checkpoint;
#[cfg(test)]
pub(crate) mod tests;

use acre_codec::{Decode, Encode};
use acre_engine::Header;
use acre_ledger::{Genesis, Key, Lookup, Proof, ProofError, TheSeats, proven};
use acre_types::{AccountId, Digest, Height, PublicKey, UnixMs};

pub use checkpoint::{Checkpoint, TrustedSet};

use crate::error::Lie;
use crate::namespace;
use crate::protocol::Finality;

/// A final block, as far as a reader needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Final {
    /// Its height.
    pub height: Height,
    /// Its term, whose validators signed it.
    pub term: u64,
    /// Its time.
    pub time: UnixMs,
    /// Root of the state after it.
    pub root: Digest,
    /// Name of the block.
    pub id: Digest,
    /// Name of the block before.
    pub parent: Digest,
    /// Hash of its payload, in the engine's domain.
    pub payload_hash: Digest,
}

impl Final {
    /// What a header says, once it was found final.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        Self {
            height: Height(header.height()),
            term: header.epoch(),
            time: UnixMs(header.timestamp_ms()),
            root: Digest(header.state_root()),
            id: Digest(header.id()),
            parent: Digest(header.parent()),
            payload_hash: Digest(header.payload_hash()),
        }
    }

    /// Whether these are the block's transactions: the engine hashes a payload under this domain.
    #[must_use]
    pub fn has_payload(&self, payload: &[u8]) -> bool {
        let hash = acre_crypto::digest(&[b"acre:block-payload:v1".as_slice(), payload].concat());
        hash == self.payload_hash
    }
}

/// The end of a term after which others sit: what hands trust on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Change {
    /// That the last block of the term is final.
    pub finality: Finality,
    /// The seats in the state after it.
    pub seats: Proof,
}

impl Change {
    /// The term that it says it ends; not checked.
    ///
    /// # Errors
    /// [`Lie::Malformed`] for a header that is none.
    pub fn term(&self) -> Result<u64, Lie> {
        let proof = self.finality.to_proof();
        let first = proof.headers.first().ok_or(Lie::Malformed)?;
        Ok(Header::decode(first).map_err(|_| Lie::Malformed)?.epoch())
    }
}

/// Who must have signed, and for which chain.
#[derive(Clone, Debug)]
pub struct Trust {
    namespace: Vec<u8>,
    checkpoint: Checkpoint,
}

impl Trust {
    /// Trusts the validators of a genesis, and those to whom they hand over.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        Self::from_checkpoint(Checkpoint::of(genesis))
    }

    /// Trusts what was proven before, or what somebody vouches for. The caller has made sure that
    /// it is a checkpoint of the chain that it means.
    #[must_use]
    pub fn from_checkpoint(checkpoint: Checkpoint) -> Self {
        Self { namespace: namespace(&checkpoint.chain), checkpoint }
    }

    /// Digest of the genesis.
    #[must_use]
    pub const fn chain(&self) -> Digest {
        self.checkpoint.chain
    }

    /// All that was learnt so far: worth keeping.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The newest set of validators known.
    #[must_use]
    pub fn newest(&self) -> &TrustedSet {
        self.checkpoint.newest()
    }

    /// Checks that a quorum of the validators of its term finalized the block.
    ///
    /// # Errors
    /// [`Lie::Certificate`]; if the term is not before [`Trust::newest`]'s, the reason may be a
    /// change that this reader has not seen. [`Lie::BeforeCheckpoint`] for terms of which the
    /// checkpoint knows nothing.
    pub fn check(&self, finality: &Finality) -> Result<Final, Lie> {
        self.check_header(finality).map(|header| Final::of(&header))
    }

    fn check_header(&self, finality: &Finality) -> Result<Header, Lie> {
        let proof = finality.to_proof();
        let bad = |error: acre_engine::Error| Lie::Certificate { reason: error.to_string() };
        // What is signed is the last header; it names its term, and the signatures cover that.
        let last = proof.headers.last().ok_or(Lie::Malformed)?;
        let term = Header::decode(last).map_err(bad)?.epoch();
        let set = self.checkpoint.of_term(term).ok_or(Lie::BeforeCheckpoint { term })?;
        let header = proof.verify(&set.keys(), &self.namespace).map_err(bad)?;
        // The engine cuts heights into terms by itself; nobody else may cut them otherwise.
        if self.checkpoint.term_of(Height(header.height())) != header.epoch() {
            return Err(Lie::WrongTerm { height: Height(header.height()), term: header.epoch() });
        }
        Ok(header)
    }

    /// Takes the next change of validators; one that is known already changes nothing.
    ///
    /// # Errors
    /// [`Lie::Certificate`], [`Lie::Proof`] if it is not true; [`Lie::NoChange`] if the block is
    /// not the last of a term, or hands over from other validators than those known, which
    /// means that a change before it was left out.
    pub fn advance(&mut self, change: &Change) -> Result<(), Lie> {
        let header = self.check_header(&change.finality)?;
        let block = Final::of(&header);
        let (term, height) = (block.term, block.height);
        if self.checkpoint.term_of(Height(height.0.saturating_add(1))) == term {
            return Err(Lie::NoChange { term });
        }
        let seats = proven(&block.root, &TheSeats, &change.seats)?.ok_or(Lie::NoChange { term })?;
        let known = self.checkpoint.of_term(term).ok_or(Lie::BeforeCheckpoint { term })?;
        if seats.term != term || !known.is(&seats.members) || seats.next.is_empty() {
            return Err(Lie::NoChange { term });
        }
        if term < self.newest().from {
            return Ok(());
        }
        self.checkpoint.add(TrustedSet::new(term.saturating_add(1), &seats.next));
        Ok(())
    }
}

/// Values that were all proven in one state.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The block after which they stand.
    pub block: Final,
    pub(crate) proofs: Vec<(Key, Proof)>,
}

impl Snapshot {
    /// Checks the first proofs against the keys asked for.
    ///
    /// # Errors
    /// [`Lie::Unfit`], [`Lie::Proof`].
    pub fn check(block: Final, keys: &[Key], proofs: Vec<Proof>) -> Result<Self, Lie> {
        if proofs.len() > keys.len() || (proofs.is_empty() && !keys.is_empty()) {
            return Err(Lie::Unfit);
        }
        for (key, proof) in keys.iter().zip(&proofs) {
            proof.verify(&block.root, &key.to_bytes())?;
        }
        let proofs = keys.iter().cloned().zip(proofs).collect();
        Ok(Self { block, proofs })
    }

    /// Values in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.proofs.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.proofs.is_empty()
    }

    /// The proof for a key that was asked for.
    #[must_use]
    pub fn proof(&self, key: &Key) -> Option<&Proof> {
        self.proofs.iter().find(|(given, _)| given == key).map(|(_, proof)| proof)
    }

    /// What stands at a place that was asked for; `None` if proven absent.
    ///
    /// # Errors
    /// [`Lie::Unfit`] if it was not asked for, [`Lie::Proof`] if it does not decode.
    pub fn read<L: Lookup>(&self, place: &L) -> Result<Option<L::Object>, Lie> {
        let proof = self.proof(&place.key()).ok_or(Lie::Unfit)?;
        Ok(proven(&self.block.root, place, proof)?)
    }
}

/// Whether the account's number has moved past a transaction's: then that transaction, or another
/// one of the same signer with its number, was applied.
///
/// # Errors
/// [`Lie::NotCommitted`], [`Lie::Proof`].
pub fn check_commit(
    block: &Final,
    from: AccountId,
    nonce: u64,
    account: &Proof,
) -> Result<(), Lie> {
    let account = proven(&block.root, &from, account).map_err(|error: ProofError| error)?;
    if account.is_some_and(|account| account.nonce > nonce) {
        Ok(())
    } else {
        Err(Lie::NotCommitted)
    }
}

/// Validators as readers dial them, from the seats of a proven state.
#[must_use]
pub fn addresses(seats: &acre_ledger::Seats) -> Vec<(PublicKey, acre_ledger::Address)> {
    let members = if seats.next.is_empty() { &seats.members } else { &seats.next };
    members.iter().map(|seat| (seat.validator, seat.rpc.clone())).collect()
}

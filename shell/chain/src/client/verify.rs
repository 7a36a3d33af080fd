//! What a reader checks before it believes: pure functions over a genesis and a reply.

use acre_engine::Header;
use acre_ledger::{Genesis, Key, Lookup, Proof, ProofError, proven};
use acre_types::{Digest, Height, UnixMs};

use crate::error::Lie;
use crate::namespace;
use crate::protocol::Finality;

/// Who must have signed, and for which chain.
pub struct Trust {
    chain: Digest,
    namespace: Vec<u8>,
    validators: Vec<[u8; 32]>,
}

/// A final block, as far as a reader needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Final {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: UnixMs,
    /// Root of the state after it.
    pub root: Digest,
    /// Name of the block.
    pub id: Digest,
    /// Hash of its payload, in the engine's domain.
    pub payload_hash: Digest,
}

impl Trust {
    /// Trusts the validators of a genesis, and nobody else.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        let chain = genesis.digest();
        let validators = genesis.validators.iter().map(|validator| validator.key.0).collect();
        Self { chain, namespace: namespace(&chain), validators }
    }

    /// Digest of the genesis.
    #[must_use]
    pub const fn chain(&self) -> Digest {
        self.chain
    }

    /// Checks that a quorum finalized the block.
    ///
    /// # Errors
    /// [`Lie::Certificate`].
    pub fn check(&self, finality: &Finality) -> Result<Final, Lie> {
        let header: Header = finality
            .to_proof()
            .verify(&self.validators, &self.namespace)
            .map_err(|error| Lie::Certificate { reason: error.to_string() })?;
        Ok(Final {
            height: Height(header.height()),
            time: UnixMs(header.timestamp_ms()),
            root: Digest(header.state_root()),
            id: Digest(header.id()),
            payload_hash: Digest(header.payload_hash()),
        })
    }
}

/// Values that were all proven in one state.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The block after which they stand.
    pub block: Final,
    pub(super) proofs: Vec<(Key, Proof)>,
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
    from: acre_types::AccountId,
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

/// Whether these are the block's transactions: the engine hashes a payload under this domain.
pub(super) fn is_payload(block: &Final, payload: &[u8]) -> bool {
    acre_crypto::digest(&[b"acre:block-payload:v1".as_slice(), payload].concat())
        == block.payload_hash
}

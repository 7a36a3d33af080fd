//! The one mutable thing of a volume: a signed, numbered pointer to its newest tree.
//!
//! A head is kept on every place of the contract and written to a majority of them. The newest
//! valid one wins: by fencing epoch, then counter, then digest, so that any two readers who see
//! the same heads agree, even if two devices wrote the same number at once.

use std::cmp::Ordering;

use acre_codec::{Blob, Decode, Encode};
use acre_crypto::{Domain, SigningKey};
use acre_types::{ContractId, Digest, PublicKey, Signature};

use crate::StoreError;
use crate::limits::SEALED_ROOT_BYTES_MAX;

/// The version this code writes and the only one it reads.
pub const VERSION: u8 = 1;

/// What a writer says about its volume.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    /// [`VERSION`].
    pub version: u8,
    /// The volume's contract.
    pub contract: ContractId,
    /// Fencing epoch of the writer; a writer that was shut out keeps an old one.
    pub epoch: u64,
    /// Counted up by one with each change.
    pub counter: u64,
    /// The sealed root; see [`Head::open`].
    pub sealed_root: Blob<SEALED_ROOT_BYTES_MAX>,
}

impl Domain for Head {
    const DOMAIN: &'static str = "acre/head/1";
}

impl Head {
    /// Signs this head.
    #[must_use]
    pub fn sign(self, writer: &SigningKey) -> SignedHead {
        let signature = writer.sign(&self);
        SignedHead { head: self, signature }
    }
}

/// A head with the signature of its contract's writer key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedHead {
    /// What is said.
    pub head: Head,
    /// By whom.
    pub signature: Signature,
}

impl SignedHead {
    /// Checks that `writer`, the writer key of the contract, signed this.
    ///
    /// # Errors
    /// [`StoreError::Crypto`].
    pub fn verify(&self, writer: &PublicKey) -> Result<(), StoreError> {
        acre_crypto::verify(writer, &self.head, &self.signature)
            .map_err(|source| StoreError::Crypto { what: "the head of a volume", source })
    }

    /// What tells this head from every other.
    #[must_use]
    pub fn digest(&self) -> Digest {
        acre_crypto::digest(&acre_codec::encode(&self.head))
    }

    /// Which of two *valid* heads of one contract is newer: `Greater` if this one is.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        let rank = |head: &Head| (head.epoch, head.counter);
        rank(&self.head).cmp(&rank(&other.head)).then_with(|| self.digest().cmp(&other.digest()))
    }
}

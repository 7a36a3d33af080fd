//! The one mutable thing of a volume: a signed, numbered pointer to its newest tree.
//!
//! A head is kept on every place of the contract and written to a majority of them. The newest
//! valid one wins: by fencing epoch, then counter, then digest, so that any two readers who see
//! the same heads agree, even if two devices wrote the same number at once.
//!
//! ```text
//! Head         version u8 = 1 | contract u64 | epoch u64 | counter u64 | length u32 | sealed_root
//! sealed_root  salt 16 | AES-256-GCM(key of the salt, nonce = counter, aad = contract, epoch) | tag 16
//! SignedHead   Head | signature 64 (domain "acre/head/1")
//! ```

use std::cmp::Ordering;

use acre_codec::{Blob, CodecError, Decode, Encode};
use acre_crypto::{CryptoError, Domain, SigningKey, aead::AeadKey};
use acre_types::{ContractId, Digest, PublicKey, Signature};

use crate::keys::VolumeKeys;
use crate::limits::SEALED_ROOT_BYTES_MAX;
use crate::tree::Root;
use crate::{Entropy, StoreError};

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

/// Which head of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The volume's contract.
    pub contract: ContractId,
    /// See [`Head::epoch`].
    pub epoch: u64,
    /// See [`Head::counter`].
    pub counter: u64,
}

impl Position {
    fn context(self) -> [u8; 16] {
        let mut context = [0; 16];
        let (contract, epoch) = context.split_at_mut(8);
        contract.copy_from_slice(&self.contract.0.to_le_bytes());
        epoch.copy_from_slice(&self.epoch.to_le_bytes());
        context
    }
}

impl Head {
    /// Seals a root and says which head it makes; [`Head::sign`] comes next.
    ///
    /// # Errors
    /// [`StoreError::Codec`] for a root that is too long, which none is.
    pub fn seal(
        at: Position,
        root: &Root,
        keys: &VolumeKeys,
        entropy: &mut Entropy,
    ) -> Result<Self, StoreError> {
        let salt = entropy.salt();
        let mut sealed = salt.to_vec();
        sealed.extend_from_slice(&acre_codec::encode(root));
        let key = AeadKey::new(&keys.head_seal(&salt));
        let body = sealed.get_mut(salt.len()..).unwrap_or_default();
        let tag = key.seal(at.counter, &at.context(), body);
        sealed.extend_from_slice(&tag);
        let Position { contract, epoch, counter } = at;
        Ok(Self { version: VERSION, contract, epoch, counter, sealed_root: Blob::new(sealed)? })
    }

    /// Which head this is.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { contract: self.contract, epoch: self.epoch, counter: self.counter }
    }

    /// Opens the root. Check the signature first.
    ///
    /// # Errors
    /// [`StoreError::Crypto`] if it was sealed with other keys or for another head;
    /// [`StoreError::Codec`] if it is no root.
    pub fn open(&self, keys: &VolumeKeys) -> Result<Root, StoreError> {
        if self.version != VERSION {
            let reason = "its version is unknown".to_owned();
            let bytes = self.sealed_root.len();
            return Err(CodecError::Malformed { what: "Head", bytes, reason }.into());
        }
        let bad = |source| StoreError::Crypto { what: "the root of a volume", source };
        let mut sealed = self.sealed_root.to_vec();
        let (salt, body) =
            sealed.split_first_chunk_mut::<16>().ok_or_else(|| bad(CryptoError::BadSeal))?;
        let at = self.position();
        let key = AeadKey::new(&keys.head_seal(salt));
        let root = key.open(at.counter, &at.context(), body).map_err(bad)?;
        Root::decode(root)
    }

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

/// The newest of some *valid* heads of one volume.
#[must_use]
pub fn newest<'a>(heads: impl IntoIterator<Item = &'a SignedHead>) -> Option<&'a SignedHead> {
    heads.into_iter().max_by(|a, b| a.compare(b))
}

/// What to think of the newest head that the places gave, beside the newest this reader has ever
/// seen. A majority holds each head that was acknowledged, so an older one means that places lie
/// or lost it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As new as the one known, or newer.
    Current,
    /// Older than the one known: do not build on it.
    Stale,
}

/// Compares a head with the newest one known, if any.
#[must_use]
pub fn freshness(found: &SignedHead, known: Option<Position>) -> Freshness {
    let rank = |at: Position| (at.epoch, at.counter);
    match known {
        Some(known) if rank(found.head.position()) < rank(known) => Freshness::Stale,
        _ => Freshness::Current,
    }
}

#[cfg(test)]
mod tests {
    use acre_crypto::Secret;
    use acre_types::UnixMs;

    use super::*;
    use crate::keys::Identity;

    fn volume(ordinal: u32) -> VolumeKeys {
        Identity::new(Secret::new([3; 32])).volume(ordinal)
    }

    fn head(epoch: u64, counter: u64) -> SignedHead {
        let at = Position { contract: ContractId(7), epoch, counter };
        let mut entropy = Entropy::new(Secret::new([9; 32]));
        let root = Root::empty(UnixMs(1_800_000_000_000));
        let keys = volume(0);
        Head::seal(at, &root, &keys, &mut entropy).unwrap().sign(keys.signing_key())
    }

    #[test]
    fn opens_with_the_keys_it_was_sealed_with_and_no_others() {
        let signed = head(0, 1);
        signed.verify(&volume(0).writer()).unwrap();
        assert_eq!(signed.head.open(&volume(0)).unwrap(), Root::empty(UnixMs(1_800_000_000_000)));
        assert!(signed.verify(&volume(1).writer()).is_err());
        assert!(signed.head.open(&volume(1)).is_err());
        for change in [
            |head: &mut Head| head.counter += 1,
            |head: &mut Head| head.epoch += 1,
            |head: &mut Head| head.contract = ContractId(8),
            |head: &mut Head| head.version += 1,
            |head: &mut Head| head.sealed_root = Blob::new(vec![1; 5]).unwrap(),
        ] {
            let mut wrong = signed.clone();
            change(&mut wrong.head);
            assert!(wrong.verify(&volume(0).writer()).is_err());
            assert!(wrong.head.open(&volume(0)).is_err());
        }
    }

    #[test]
    fn the_newest_wins_by_epoch_then_counter_then_digest() {
        let heads = [head(0, 9), head(1, 2), head(1, 3), head(0, 100)];
        assert_eq!(newest(&heads), Some(&heads[2]));
        let mut entropy = Entropy::new(Secret::new([1; 32]));
        let at = heads[2].head.position();
        let root = Root::empty(UnixMs(5));
        let keys = volume(0);
        let twin = Head::seal(at, &root, &keys, &mut entropy).unwrap().sign(keys.signing_key());
        assert_ne!(twin.digest(), heads[2].digest());
        assert_eq!(newest([&twin, &heads[2]]), newest([&heads[2], &twin]));
        assert_eq!(newest([]), None);
    }

    #[test]
    fn an_older_head_than_known_is_stale() {
        let known = Some(head(1, 5).head.position());
        assert_eq!(freshness(&head(1, 4), known), Freshness::Stale);
        assert_eq!(freshness(&head(0, 9), known), Freshness::Stale);
        assert_eq!(freshness(&head(1, 5), known), Freshness::Current);
        assert_eq!(freshness(&head(2, 0), known), Freshness::Current);
        assert_eq!(freshness(&head(0, 0), None), Freshness::Current);
    }

    #[test]
    fn the_format_stays_what_it_is() {
        let bytes = acre_codec::encode(&head(2, 3));
        acre_codec::golden::check(include_str!("golden/head.hex"), &bytes);
    }
}

//! Every key of a person's storage and how it grows from the 24 words.
//!
//! ```text
//! words ─ root ─┬─ account signing key          owns the person's account on the ledger
//!               ├─ chunk-id key                 names chunks within this person's data only
//!               └─ volume `ordinal` ─┬─ writer signing key   signs packs, heads and deletes
//!                                    ├─ metadata key ─ PackId ─ key of one metadata pack
//!                                    └─ head key ─ salt ─ key of one sealed root
//! data pack key, all-or-nothing key: not in the tree; fresh random, see `Entropy`
//! ```
//!
//! A contract must name its writer key before the ledger has numbered the contract, so volumes are
//! numbered by their owner: a new volume takes as `ordinal` the count of contracts that the account
//! has had so far. Recovery needs no more than the ledger: for each contract listed under the
//! account, [`Identity::find_volume`] looks for the ordinal whose writer key the contract names.
//! Two contracts with one ordinal (a race of two devices) are safe: every sealing key below also
//! depends on a random pack id or salt.

use acre_crypto::{Secret, SigningKey};
use acre_types::{AccountId, PackId, PublicKey};

const ACCOUNT: &str = "acre 2026-11 account signing key";
const CHUNK_ID: &str = "acre 2026-11 chunk id key";
const VOLUME: &str = "acre 2026-11 volume";
const WRITER: &str = "acre 2026-11 volume writer signing key";
const META: &str = "acre 2026-11 volume metadata key";
const META_PACK: &str = "acre 2026-11 metadata pack key";
const HEAD: &str = "acre 2026-11 volume head key";
const HEAD_SEAL: &str = "acre 2026-11 head sealing key";

/// All of a person's keys, from the root of the phrase.
pub struct Identity {
    root: Secret,
}

impl Identity {
    /// From [`acre_crypto::Phrase::root`].
    #[must_use]
    pub const fn new(root: Secret) -> Self {
        Self { root }
    }

    /// The key that owns the person's account.
    #[must_use]
    pub fn account(&self) -> SigningKey {
        SigningKey::from_seed(self.root.derive(ACCOUNT, b""))
    }

    /// The person's account on the ledger.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.account().public().into()
    }

    /// The keys of one volume.
    #[must_use]
    pub fn volume(&self, ordinal: u32) -> VolumeKeys {
        let volume = self.root.derive(VOLUME, &ordinal.to_le_bytes());
        VolumeKeys {
            ordinal,
            writer: SigningKey::from_seed(volume.derive(WRITER, b"")),
            meta: MetaKey(volume.derive(META, b"")),
            head: volume.derive(HEAD, b""),
            chunk_id: self.root.derive(CHUNK_ID, b""),
        }
    }

    /// The keys of the volume whose contract names `writer`, looked for among ordinals below
    /// `ordinals`; `None` if it is none of this person's. Costs about 30 us an ordinal.
    #[must_use]
    pub fn find_volume(&self, writer: &PublicKey, ordinals: u32) -> Option<VolumeKeys> {
        (0..ordinals).map(|ordinal| self.volume(ordinal)).find(|keys| keys.writer() == *writer)
    }
}

/// The keys of one volume.
pub struct VolumeKeys {
    ordinal: u32,
    writer: SigningKey,
    meta: MetaKey,
    head: Secret,
    chunk_id: Secret,
}

impl VolumeKeys {
    /// The owner's number for this volume.
    #[must_use]
    pub const fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// What the contract names as writer.
    #[must_use]
    pub const fn writer(&self) -> PublicKey {
        self.writer.public()
    }

    /// Signs packs, heads and deletes.
    #[must_use]
    pub const fn signing_key(&self) -> &SigningKey {
        &self.writer
    }

    /// Names chunks; see [`crate::chunk::chunk_id`].
    #[must_use]
    pub const fn chunk_id_key(&self) -> &Secret {
        &self.chunk_id
    }

    /// Seals metadata packs.
    #[must_use]
    pub const fn meta(&self) -> &MetaKey {
        &self.meta
    }

    /// The key of one sealed root: used for one head only, so that two devices that write the same
    /// counter at once never share a key and nonce.
    #[must_use]
    pub fn head_seal(&self, salt: &[u8; 16]) -> Secret {
        self.head.derive(HEAD_SEAL, salt)
    }
}

/// The key that a volume's metadata packs are keyed from.
pub struct MetaKey(Secret);

impl MetaKey {
    /// The key of one metadata pack.
    #[must_use]
    pub fn pack(&self, pack: PackId) -> Secret {
        self.0.derive(META_PACK, pack.as_bytes())
    }

    /// A second copy, wiped on its own.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_differs_and_a_volume_is_found_by_its_writer() {
        let identity = Identity::new(Secret::new([3; 32]));
        let (first, second) = (identity.volume(0), identity.volume(1));
        let mut seen: Vec<[u8; 32]> = vec![*identity.account().seed().expose()];
        for keys in [&first, &second] {
            seen.push(*keys.signing_key().seed().expose());
            seen.push(*keys.meta().pack(PackId([1; 16])).expose());
            seen.push(*keys.meta().pack(PackId([2; 16])).expose());
            seen.push(*keys.head_seal(&[1; 16]).expose());
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
        assert_eq!(identity.find_volume(&second.writer(), 8).map(|keys| keys.ordinal()), Some(1));
        assert!(identity.find_volume(&second.writer(), 1).is_none());
        let stranger = Identity::new(Secret::new([4; 32]));
        assert!(stranger.find_volume(&second.writer(), 8).is_none());
    }

    #[test]
    fn keys_stay_what_they_are() {
        let keys = Identity::new(Secret::new([3; 32])).volume(5);
        let mut all = keys.writer().0.to_vec();
        all.extend_from_slice(keys.meta().pack(PackId([1; 16])).expose());
        all.extend_from_slice(keys.head_seal(&[1; 16]).expose());
        all.extend_from_slice(keys.chunk_id_key().expose());
        acre_codec::golden::check(include_str!("golden/keys.hex"), &all);
    }
}

//! What a node keeps of a pack: one shard, with a header that explains itself.
//!
//! A [`ShardHeader`] says which pack the shard belongs to, how that pack is coded and what each of
//! its shards must hash to, signed by the writer of the contract. So an index of any node can be
//! rebuilt by scanning, and anyone may repair ciphertext without a key while its owner is away.
//!
//! ```text
//! PackHeader  version u8 = 1 | contract u64 | pack 16 | profile u8 | class u8
//!             | pack_bytes u32 | shard_bytes u32 | count u32 = n | n x root 32
//! ShardHeader PackHeader | signature 64 (domain "acre/pack/1") | index u8
//! ```

use std::io;

use acre_codec::{Decode, Encode, List};
use acre_crypto::{Domain, SigningKey};
use acre_types::{ContractId, Digest, PackId, Profile, PublicKey, ShardIndex, Signature};

use crate::StoreError;
use crate::limits::{META_SHARD_BYTES_MAX, SHARD_ALIGN, SHARD_BYTES_MAX, SHARDS_MAX};

/// The version this code writes and the only one it reads.
pub const VERSION: u8 = 1;

/// Names one shard among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ShardId {
    /// Its pack.
    pub pack: PackId,
    /// Its position in the pack.
    pub index: ShardIndex,
}

/// What a pack holds, which decides how it is keyed, transformed and sized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum PackClass {
    /// Chunks of files under a fresh key that stands only in the metadata.
    Data,
    /// Metadata under a derived key, all-or-nothing: readable only with k shards at hand.
    Meta,
}

impl PackClass {
    /// Largest shard body of this class, in bytes.
    #[must_use]
    pub const fn shard_bytes_max(self) -> u32 {
        match self {
            Self::Data => SHARD_BYTES_MAX,
            Self::Meta => META_SHARD_BYTES_MAX,
        }
    }

    /// Largest pack of this class, in bytes: k full shards.
    #[must_use]
    pub fn pack_bytes_max(self, profile: Profile) -> u32 {
        self.shard_bytes_max().saturating_mul(u32::from(profile.data()))
    }
}

/// Bytes of each shard of a pack of `pack_bytes`: a k-th of it, rounded up to [`SHARD_ALIGN`].
/// Layout is a function of the pack's length, so a reader who knows that knows every place.
#[must_use]
pub fn shard_bytes(profile: Profile, pack_bytes: u32) -> u32 {
    let part = pack_bytes.div_ceil(u32::from(profile.data()));
    part.checked_next_multiple_of(SHARD_ALIGN).unwrap_or(u32::MAX)
}

/// How one pack is laid out and what each shard of it must hash to.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct PackHeader {
    version: u8,
    contract: ContractId,
    pack: PackId,
    profile: Profile,
    class: PackClass,
    pack_bytes: u32,
    shard_bytes: u32,
    roots: List<Digest, SHARDS_MAX>,
}

impl Domain for PackHeader {
    const DOMAIN: &'static str = "acre/pack/1";
}

/// What a [`PackHeader`] is made of; see [`PackHeader::new`].
#[derive(Clone, Debug)]
pub struct PackParts {
    /// The contract that pays for the pack.
    pub contract: ContractId,
    /// The pack.
    pub pack: PackId,
    /// Its code.
    pub profile: Profile,
    /// What it holds.
    pub class: PackClass,
    /// Its length before padding: 1 ..= [`PackClass::pack_bytes_max`].
    pub pack_bytes: u32,
    /// BLAKE3 of each shard body, data shards first.
    pub roots: Vec<Digest>,
}

impl PackHeader {
    /// # Errors
    /// An empty or too long pack, or another count of roots than the profile has shards.
    pub fn new(parts: PackParts) -> Result<Self, StoreError> {
        let PackParts { contract, pack, profile, class, pack_bytes, roots } = parts;
        let header = Self {
            version: VERSION,
            contract,
            pack,
            profile,
            class,
            pack_bytes,
            shard_bytes: shard_bytes(profile, pack_bytes),
            roots: List::new(roots)?,
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), StoreError> {
        let wrong = |reason| Err(StoreError::BadHeader { pack: self.pack, reason });
        if self.version != VERSION {
            return wrong("its version is unknown");
        }
        if self.pack_bytes == 0 {
            return wrong("the pack is empty");
        }
        if self.pack_bytes > self.class.pack_bytes_max(self.profile) {
            return wrong("the pack is longer than its class and profile allow");
        }
        if self.shard_bytes != shard_bytes(self.profile, self.pack_bytes) {
            return wrong("the shard length does not follow from the pack length");
        }
        if self.roots.len() != usize::from(self.profile.shards()) {
            return wrong("there is not one root for each shard");
        }
        Ok(())
    }

    /// The contract that pays for the pack.
    #[must_use]
    pub const fn contract(&self) -> ContractId {
        self.contract
    }

    /// The pack.
    #[must_use]
    pub const fn pack(&self) -> PackId {
        self.pack
    }

    /// Its code.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// What it holds.
    #[must_use]
    pub const fn class(&self) -> PackClass {
        self.class
    }

    /// Bytes of the pack before padding.
    #[must_use]
    pub const fn pack_bytes(&self) -> u32 {
        self.pack_bytes
    }

    /// Bytes of each shard body.
    #[must_use]
    pub const fn shard_bytes(&self) -> u32 {
        self.shard_bytes
    }

    /// BLAKE3 of each shard body, data shards first.
    #[must_use]
    pub fn roots(&self) -> &[Digest] {
        &self.roots
    }

    /// The root of one shard, if the profile has it.
    #[must_use]
    pub fn root(&self, index: ShardIndex) -> Option<Digest> {
        self.roots.get(index.as_usize()).copied()
    }

    /// Signs the header once for all its shards.
    #[must_use]
    pub fn sign(&self, writer: &SigningKey) -> Signature {
        writer.sign(self)
    }

    /// Checks a body against the root of `index`.
    ///
    /// # Errors
    /// [`StoreError::BadLength`] or [`StoreError::BadRoot`].
    pub fn verify_body(&self, index: ShardIndex, body: &[u8]) -> Result<(), StoreError> {
        let wanted = usize::try_from(self.shard_bytes).unwrap_or(usize::MAX);
        if body.len() != wanted {
            let bytes = body.len();
            return Err(StoreError::BadLength { pack: self.pack, index, bytes, wanted });
        }
        if self.root(index) != Some(acre_crypto::digest(body)) {
            return Err(StoreError::BadRoot { pack: self.pack, index });
        }
        Ok(())
    }
}

#[derive(Decode)]
struct RawPackHeader {
    version: u8,
    contract: ContractId,
    pack: PackId,
    profile: Profile,
    class: PackClass,
    pack_bytes: u32,
    shard_bytes: u32,
    roots: List<Digest, SHARDS_MAX>,
}

impl Decode for PackHeader {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let raw = RawPackHeader::deserialize_reader(reader)?;
        let header = Self {
            version: raw.version,
            contract: raw.contract,
            pack: raw.pack,
            profile: raw.profile,
            class: raw.class,
            pack_bytes: raw.pack_bytes,
            shard_bytes: raw.shard_bytes,
            roots: raw.roots,
        };
        header.check().map_err(crate::error::invalid)?;
        Ok(header)
    }
}

/// A pack's signed header with the position of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct ShardHeader {
    pack: PackHeader,
    signature: Signature,
    index: ShardIndex,
}

impl ShardHeader {
    /// # Errors
    /// [`StoreError::BadHeader`] for an index the profile does not have.
    pub fn new(
        pack: PackHeader,
        signature: Signature,
        index: ShardIndex,
    ) -> Result<Self, StoreError> {
        if index.get() >= pack.profile.shards() {
            let reason = "the profile has no shard of this index";
            return Err(StoreError::BadHeader { pack: pack.pack, reason });
        }
        Ok(Self { pack, signature, index })
    }

    /// The header that all shards of the pack share.
    #[must_use]
    pub const fn pack(&self) -> &PackHeader {
        &self.pack
    }

    /// The writer's signature over [`ShardHeader::pack`].
    #[must_use]
    pub const fn signature(&self) -> Signature {
        self.signature
    }

    /// Position of this shard.
    #[must_use]
    pub const fn index(&self) -> ShardIndex {
        self.index
    }

    /// The name of this shard.
    #[must_use]
    pub const fn id(&self) -> ShardId {
        ShardId { pack: self.pack.pack, index: self.index }
    }

    /// The same pack's header for another shard; `None` if the profile has no such shard.
    #[must_use]
    pub fn sibling(&self, index: ShardIndex) -> Option<Self> {
        Self::new(self.pack.clone(), self.signature, index).ok()
    }

    /// Checks that `writer`, the writer key of the contract, signed this.
    ///
    /// # Errors
    /// [`StoreError::Crypto`].
    pub fn verify(&self, writer: &PublicKey) -> Result<(), StoreError> {
        acre_crypto::verify(writer, &self.pack, &self.signature)
            .map_err(|source| StoreError::Crypto { what: "the header of a shard", source })
    }

    /// Checks a body against its root.
    ///
    /// # Errors
    /// As [`PackHeader::verify_body`].
    pub fn verify_body(&self, body: &[u8]) -> Result<(), StoreError> {
        self.pack.verify_body(self.index, body)
    }
}

impl Decode for ShardHeader {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let pack = PackHeader::deserialize_reader(reader)?;
        let signature = Signature::deserialize_reader(reader)?;
        let index = ShardIndex::deserialize_reader(reader)?;
        Self::new(pack, signature, index).map_err(crate::error::invalid)
    }
}

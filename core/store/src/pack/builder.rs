//! Plain chunks in, signed shards out.

use acre_crypto::{Secret, SigningKey, aead, aont};
use acre_erasure::Codec;
use acre_types::{ContractId, Digest, PackId, Profile, ShardIndex, Signature};
use bytes::Bytes;

use super::buffers::Buffers;
use super::{ChunkRef, SEAL_BYTES};
use crate::compress::{Coding, Compression, Encoder};
use crate::keys::MetaKey;
use crate::shard::{PackClass, PackHeader, PackParts, ShardHeader, shard_bytes};
use crate::tree::Run;
use crate::{Entropy, StoreError};

/// Columns coded at once: a stripe of 20 such cells stays in the second-level cache.
const CELL_BYTES: usize = 32 * 1024;

enum Sealing {
    Data,
    Meta(MetaKey),
}

impl Sealing {
    const fn class(&self) -> PackClass {
        match self {
            Self::Data => PackClass::Data,
            Self::Meta(_) => PackClass::Meta,
        }
    }

    /// Bytes that closing adds to the pack.
    const fn closing_bytes(&self) -> usize {
        match self {
            Self::Data => 0,
            Self::Meta(_) => aont::OVERHEAD_BYTES,
        }
    }
}

/// What packs are built for.
#[derive(Clone, Copy, Debug)]
pub struct BuilderConfig {
    /// The contract that pays.
    pub contract: ContractId,
    /// Its code.
    pub profile: Profile,
    /// Whether to compress chunks.
    pub compression: Compression,
}

/// Fills one pack after the other. Holds one pack of n shards in memory, and lends as many as the
/// caller keeps.
pub struct Builder {
    config: BuilderConfig,
    sealing: Sealing,
    entropy: Entropy,
    codec: Codec,
    encoder: Encoder,
    scratch: Vec<u8>,
    buffers: Buffers,
    open: Option<Open>,
}

struct Open {
    pack: PackId,
    secret: Secret,
    key: aead::AeadKey,
    bytes: Vec<u8>,
}

/// What became of a chunk.
#[derive(Debug)]
pub struct Added {
    /// The pack that holds it.
    pub pack: PackId,
    /// Where in it.
    pub chunk: ChunkRef,
    /// The pack before, if the chunk did not fit in it.
    pub closed: Option<SealedPack>,
}

impl Builder {
    /// Builds data packs, each under a fresh key.
    #[must_use]
    pub fn data(config: BuilderConfig, entropy: Entropy) -> Self {
        Self::new(config, Sealing::Data, entropy)
    }

    /// Builds metadata packs of volume `key`: smaller ones, as they can only be read whole.
    #[must_use]
    pub fn meta(config: BuilderConfig, key: MetaKey, entropy: Entropy) -> Self {
        Self::new(config, Sealing::Meta(key), entropy)
    }

    fn new(config: BuilderConfig, sealing: Sealing, entropy: Entropy) -> Self {
        Self {
            config,
            sealing,
            entropy,
            codec: super::reader::codec(config.profile),
            encoder: Encoder::new(config.compression),
            scratch: Vec::new(),
            buffers: Buffers::default(),
            open: None,
        }
    }

    /// Bytes of sealed chunks that a pack holds.
    fn capacity(&self) -> usize {
        let pack = self.sealing.class().pack_bytes_max(self.config.profile);
        usize::try_from(pack).unwrap_or(usize::MAX).saturating_sub(self.sealing.closing_bytes())
    }

    /// Longest chunk that an empty pack takes, in bytes.
    #[must_use]
    pub fn chunk_bytes_max(&self) -> usize {
        self.capacity().saturating_sub(SEAL_BYTES)
    }

    /// The pack being filled, if any chunk is in it.
    #[must_use]
    pub fn open_pack(&self) -> Option<PackId> {
        self.open.as_ref().map(|open| open.pack)
    }

    /// Seals `plain` into the open pack, or into a new one if it does not fit.
    ///
    /// # Errors
    /// [`StoreError::ChunkTooLong`].
    pub fn add(&mut self, plain: &[u8]) -> Result<Added, StoreError> {
        let bytes_max = self.chunk_bytes_max();
        if plain.len() > bytes_max {
            return Err(StoreError::ChunkTooLong { bytes: plain.len(), bytes_max });
        }
        self.scratch.resize(plain.len(), 0);
        let compressed = self.encoder.encode(plain, &mut self.scratch);
        let (coding, coded) = match compressed.and_then(|length| self.scratch.get(..length)) {
            Some(coded) => (Coding::Zstd, coded),
            None => (Coding::Raw, plain),
        };
        let stored = coded.len().saturating_add(SEAL_BYTES);
        let capacity = self.capacity();
        let fits = |open: &Open| open.bytes.len().saturating_add(stored) <= capacity;
        let closed = match self.open.take() {
            Some(open) if fits(&open) => {
                self.open = Some(open);
                None
            }
            Some(open) => Some(self.seal(open)?),
            None => None,
        };
        if self.open.is_none() {
            self.open = Some(self.start());
        }
        let open = self.open.as_mut().expect("opened above");
        let coded = match coding {
            Coding::Zstd => {
                self.scratch.get(..stored.saturating_sub(SEAL_BYTES)).unwrap_or_default()
            }
            Coding::Raw => plain,
        };
        let chunk = open.push(coded, coding, plain.len());
        Ok(Added { pack: open.pack, chunk, closed })
    }

    /// Closes the open pack, if there is one: at the end, or when its chunks are needed.
    ///
    /// # Errors
    /// None in practice; a header that contradicts itself would be one.
    pub fn close(&mut self) -> Result<Option<SealedPack>, StoreError> {
        self.open.take().map(|open| self.seal(open)).transpose()
    }

    fn start(&mut self) -> Open {
        let pack = self.entropy.pack_id();
        let secret = match &self.sealing {
            Sealing::Data => self.entropy.secret(),
            Sealing::Meta(key) => key.pack(pack),
        };
        let key = aead::AeadKey::new(&secret);
        let class = self.sealing.class();
        let shard = usize::try_from(class.shard_bytes_max()).unwrap_or(usize::MAX);
        let shards = usize::from(self.config.profile.shards());
        let bytes = self.buffers.take(shard.saturating_mul(shards));
        Open { pack, secret, key, bytes }
    }

    fn seal(&mut self, open: Open) -> Result<SealedPack, StoreError> {
        let Open { pack, secret, mut bytes, .. } = open;
        let BuilderConfig { contract, profile, .. } = self.config;
        let class = self.sealing.class();
        if let Sealing::Meta(_) = self.sealing {
            aont::package(&self.entropy.secret(), &mut bytes);
        }
        let pack_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let shard = usize::try_from(shard_bytes(profile, pack_bytes)).unwrap_or(usize::MAX);
        let data = shard.saturating_mul(usize::from(profile.data()));
        bytes.resize(shard.saturating_mul(usize::from(profile.shards())), 0);
        let (data, parity) = bytes.split_at_mut(data);
        encode(&self.codec, shard, data, parity)?;
        let roots: Vec<Digest> = bytes.chunks_exact(shard).map(acre_crypto::digest).collect();
        let header =
            PackHeader::new(PackParts { contract, pack, profile, class, pack_bytes, roots })?;
        let secret = (class == PackClass::Data).then_some(secret);
        Ok(SealedPack { header, bodies: self.buffers.share(bytes), secret })
    }
}

impl Open {
    /// Seals coded bytes behind those already there.
    fn push(&mut self, coded: &[u8], coding: Coding, plain: usize) -> ChunkRef {
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(coded);
        self.bytes.push(coding as u8);
        let body = self.bytes.get_mut(offset..).unwrap_or_default();
        let nonce = u64::try_from(offset).unwrap_or(u64::MAX);
        let tag = self.key.seal(nonce, self.pack.as_bytes(), body);
        self.bytes.extend_from_slice(&tag);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        ChunkRef {
            offset: number(offset),
            stored: number(self.bytes.len().saturating_sub(offset)),
            plain: number(plain),
        }
    }
}

/// Codes in cells. `data`: k x `shard`, `parity`: m x `shard`.
fn encode(codec: &Codec, shard: usize, data: &[u8], parity: &mut [u8]) -> Result<(), StoreError> {
    let mut at = 0_usize;
    while at < shard {
        let end = at.saturating_add(CELL_BYTES).min(shard);
        let inputs: Vec<&[u8]> =
            data.chunks_exact(shard).filter_map(|body| body.get(at..end)).collect();
        let mut outputs: Vec<&mut [u8]> =
            parity.chunks_exact_mut(shard).filter_map(|body| body.get_mut(at..end)).collect();
        codec.encode(&inputs, &mut outputs)?;
        at = end;
    }
    Ok(())
}

/// A full pack with all its shards, not signed yet.
pub struct SealedPack {
    header: PackHeader,
    bodies: Bytes,
    secret: Option<Secret>,
}

impl std::fmt::Debug for SealedPack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedPack({})", self.header.pack())
    }
}

impl SealedPack {
    /// What there is to sign.
    #[must_use]
    pub const fn header(&self) -> &PackHeader {
        &self.header
    }

    /// The reference of consecutive chunks of a file in this pack, with the pack's key; `None` for
    /// a metadata pack.
    ///
    /// # Errors
    /// More than [`RUN_CHUNKS_MAX`](crate::limits::RUN_CHUNKS_MAX) chunks.
    pub fn run(&self, chunks: Vec<ChunkRef>) -> Result<Option<Run>, StoreError> {
        let Some(secret) = &self.secret else { return Ok(None) };
        Run::new(self.header.pack(), self.header.pack_bytes(), secret, chunks).map(Some)
    }

    /// The key of a data pack; `None` for a metadata pack.
    #[must_use]
    pub const fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// Signs for all shards at once.
    #[must_use]
    pub fn sign(self, writer: &SigningKey) -> SignedPack {
        let signature = self.header.sign(writer);
        SignedPack { header: self.header, signature, bodies: self.bodies }
    }
}

/// A pack whose shards are ready to be sent. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct SignedPack {
    header: PackHeader,
    signature: Signature,
    bodies: Bytes,
}

impl SignedPack {
    /// What was signed.
    #[must_use]
    pub const fn header(&self) -> &PackHeader {
        &self.header
    }

    /// One shard with its header, without copying; `None` past the profile's last.
    #[must_use]
    pub fn shard(&self, index: ShardIndex) -> Option<(ShardHeader, Bytes)> {
        let header = ShardHeader::new(self.header.clone(), self.signature, index).ok()?;
        let length = usize::try_from(self.header.shard_bytes()).ok()?;
        let start = length.checked_mul(index.as_usize())?;
        Some((header, self.bodies.slice(start..start.checked_add(length)?)))
    }
}

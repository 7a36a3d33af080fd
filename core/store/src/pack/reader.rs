//! Shards in, plain chunks out.

use acre_crypto::{CryptoError, aead, aont};
use acre_erasure::Codec;
use acre_types::{PackId, Profile, ShardIndex};
use bytes::Bytes;

use super::{ChunkRef, Layout, SEAL_BYTES};
use crate::StoreError;
use crate::compress::{Coding, Decoder};
use crate::keys::MetaKey;
use crate::limits::FIXED_CHUNK_BYTES_MAX;
use crate::shard::PackHeader;

/// The code of a profile.
pub(super) fn codec(profile: Profile) -> Codec {
    Codec::new(usize::from(profile.data()), usize::from(profile.parity()))
        .expect("every profile has data and parity and at most 255 shards")
}

/// Computes columns of shards from the same columns of any k others.
///
/// `given`: at least k slices of one length with their indices, of which the first k distinct ones
/// are used. `wanted`: slices of the same length, overwritten; indices not among those used.
///
/// # Errors
/// [`StoreError::Coding`] for too few, unequal or contradicting slices.
pub fn rebuild(
    profile: Profile,
    given: &[(ShardIndex, &[u8])],
    wanted: &mut [(ShardIndex, &mut [u8])],
) -> Result<(), StoreError> {
    let count = usize::from(profile.data());
    let given: Vec<(usize, &[u8])> =
        given.iter().take(count).map(|(index, bytes)| (index.as_usize(), *bytes)).collect();
    let mut wanted: Vec<(usize, &mut [u8])> =
        wanted.iter_mut().map(|(index, bytes)| (index.as_usize(), &mut **bytes)).collect();
    Ok(codec(profile).reconstruct(&given, &mut wanted)?)
}

/// The bytes of a pack from whole shards, any k of them; those past k are not looked at. Nothing
/// is verified here: what a chunk's tag says is proof enough, and [`liars`] tells whom to blame.
///
/// # Errors
/// [`StoreError::TooFewShards`], [`StoreError::BadLength`] or [`StoreError::Coding`].
pub fn assemble(
    layout: &Layout,
    pack: PackId,
    shards: &[(ShardIndex, Bytes)],
) -> Result<Vec<u8>, StoreError> {
    let profile = layout.profile();
    let (data, length) =
        (usize::from(profile.data()), usize::try_from(layout.shard_bytes()).unwrap_or(usize::MAX));
    let mut slots: Vec<Option<&Bytes>> = vec![None; usize::from(profile.shards())];
    for (index, body) in shards {
        if body.len() != length {
            let (index, bytes) = (*index, body.len());
            return Err(StoreError::BadLength { pack, index, bytes, wanted: length });
        }
        if let Some(slot) = slots.get_mut(index.as_usize()) {
            *slot = Some(body);
        }
    }
    let given: Vec<(usize, &[u8])> = slots
        .iter()
        .enumerate()
        .filter_map(|(index, body)| body.map(|body| (index, &**body)))
        .take(data)
        .collect();
    if given.len() < data {
        return Err(StoreError::TooFewShards { pack, profile, have: given.len() });
    }
    let mut bytes = vec![0; length.saturating_mul(data)];
    let mut wanted: Vec<(usize, &mut [u8])> = Vec::new();
    for ((index, slot), out) in slots.iter().enumerate().zip(bytes.chunks_exact_mut(length)) {
        match slot {
            Some(body) => out.copy_from_slice(body),
            None => wanted.push((index, out)),
        }
    }
    if !wanted.is_empty() {
        codec(profile).reconstruct(&given, &mut wanted)?;
    }
    bytes.truncate(usize::try_from(layout.pack_bytes()).unwrap_or(usize::MAX));
    Ok(bytes)
}

/// The shards whose content is not what the writer signed: to be called when a tag failed.
#[must_use]
pub fn liars(header: &PackHeader, shards: &[(ShardIndex, Bytes)]) -> Vec<ShardIndex> {
    shards
        .iter()
        .filter(|(index, body)| header.verify_body(*index, body).is_err())
        .map(|(index, _)| *index)
        .collect()
}

/// Opens chunks; keeps its memory between them.
#[derive(Default)]
pub struct Opener {
    decoder: Decoder,
    scratch: Vec<u8>,
}

impl Opener {
    /// An opener with its memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens one chunk and appends its plain bytes to `out`. `sealed`: the bytes at
    /// [`ChunkRef::range`] of the pack.
    ///
    /// # Errors
    /// [`StoreError::Crypto`] if any byte was changed (then look for [`liars`]);
    /// [`StoreError::BadChunk`] if the chunk is sealed well but says nonsense (its writer's fault).
    /// `out` is then as before.
    pub fn open(
        &mut self,
        key: &aead::AeadKey,
        pack: PackId,
        chunk: ChunkRef,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let start = out.len();
        let result = self.try_open(key, pack, chunk, sealed, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn try_open(
        &mut self,
        key: &aead::AeadKey,
        pack: PackId,
        chunk: ChunkRef,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let wrong = |reason| StoreError::BadChunk { pack, offset: chunk.offset, reason };
        let plain = usize::try_from(chunk.plain).unwrap_or(usize::MAX);
        if usize::try_from(chunk.stored) != Ok(sealed.len()) || sealed.len() < SEAL_BYTES {
            return Err(wrong("its length is not the one its reference says"));
        }
        if plain > FIXED_CHUNK_BYTES_MAX {
            return Err(wrong("it is longer than any chunk"));
        }
        let start = out.len();
        out.extend_from_slice(sealed);
        let opened = key
            .open(
                u64::from(chunk.offset),
                pack.as_bytes(),
                out.get_mut(start..).unwrap_or_default(),
            )
            .map_err(|source| StoreError::Crypto { what: "a chunk", source })?;
        let Some((coding, coded)) = opened.split_last() else { return Err(wrong("it is empty")) };
        match Coding::from_byte(*coding) {
            Some(Coding::Raw) if coded.len() == plain => {
                out.truncate(start.saturating_add(plain));
                Ok(())
            }
            Some(Coding::Zstd) => {
                self.scratch.clear();
                self.scratch.extend_from_slice(coded);
                out.truncate(start);
                out.resize(start.saturating_add(plain), 0);
                let place = out.get_mut(start..).unwrap_or_default();
                if self.decoder.decode(&self.scratch, place) {
                    Ok(())
                } else {
                    Err(wrong("it does not unpack to the length its reference says"))
                }
            }
            Some(Coding::Raw) => Err(wrong("its plain length is not the one its reference says")),
            None => Err(wrong("its coding is unknown")),
        }
    }
}

/// A metadata pack laid open by k shards: chunks can be read from it.
pub struct MetaPack {
    pack: PackId,
    key: aead::AeadKey,
    bytes: Vec<u8>,
}

impl MetaPack {
    /// Undoes the code and the all-or-nothing transform.
    ///
    /// # Errors
    /// As [`assemble`], or [`StoreError::Crypto`] if any byte was changed (then look for
    /// [`liars`], or doubt the pack length that a node told).
    pub fn open(
        layout: &Layout,
        pack: PackId,
        shards: &[(ShardIndex, Bytes)],
        key: &MetaKey,
    ) -> Result<Self, StoreError> {
        let mut bytes = assemble(layout, pack, shards)?;
        aont::unpackage(&mut bytes)
            .map_err(|source| StoreError::Crypto { what: "a metadata pack", source })?;
        Ok(Self { pack, key: aead::AeadKey::new(&key.pack(pack)), bytes })
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The plain bytes of one chunk.
    ///
    /// # Errors
    /// As [`Opener::open`]; [`StoreError::Crypto`] also for a place past the pack's end.
    pub fn chunk(&self, opener: &mut Opener, chunk: ChunkRef) -> Result<Vec<u8>, StoreError> {
        let range = chunk.range();
        let place = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let sealed = place
            .and_then(|(start, end)| self.bytes.get(start..end))
            .ok_or(StoreError::Crypto { what: "a metadata chunk", source: CryptoError::BadSeal })?;
        let mut out = Vec::new();
        opener.open(&self.key, self.pack, chunk, sealed, &mut out)?;
        Ok(out)
    }
}

//! Packs: sealed chunks end to end, coded into shards as a whole.
//!
//! ```text
//! sealed chunk  AES-256-GCM(pack key, nonce = offset in the pack, aad = pack id,
//!               [raw or zstd bytes | coding byte]) | tag 16
//! data pack     sealed chunks; key fresh and random, stands only in the metadata
//! meta pack     all-or-nothing transform of sealed chunks; key derived from the volume's
//! shard i       bytes i*s .. (i+1)*s of the pack, zero padded, for i < k; parity after those
//! ```
//!
//! Shards are contiguous slices, so a small file lies in one of them, rarely in two: one request.
//! The offset of a chunk is its nonce, which cannot repeat in a pack; the coding byte stands last,
//! so that a chunk is opened where it shall stay. A shard's length `s` is a function of the pack's.

mod buffers;
mod builder;
mod reader;

use std::ops::Range;

use acre_codec::{Decode, Encode};
use acre_crypto::aead;
use acre_types::{Profile, ShardIndex};

pub use builder::{Added, Builder, BuilderConfig, SealedPack, SignedPack};
pub use reader::{MetaPack, Opener, assemble, liars, rebuild};

use crate::StoreError;
use crate::shard::{PackClass, PackHeader, shard_bytes};

/// Bytes that sealing adds to a chunk: its coding byte and tag.
pub const SEAL_BYTES: usize = 1 + aead::TAG_BYTES;

/// Where a chunk lies in its pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ChunkRef {
    /// First byte of the sealed chunk.
    pub offset: u32,
    /// Bytes of the sealed chunk.
    pub stored: u32,
    /// Bytes of the chunk itself.
    pub plain: u32,
}

impl ChunkRef {
    /// The bytes of the pack that hold the sealed chunk.
    #[must_use]
    pub const fn range(&self) -> Range<u32> {
        self.offset..self.offset.saturating_add(self.stored)
    }
}

/// A range of columns of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which shard.
    pub index: ShardIndex,
    /// Which of its bytes.
    pub columns: Range<u32>,
}

/// Where the bytes of a pack lie in its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    profile: Profile,
    pack_bytes: u32,
    shard_bytes: u32,
}

impl Layout {
    /// The layout of a pack of `pack_bytes`.
    ///
    /// # Errors
    /// [`StoreError::PastLimit`] for an empty pack or one longer than its class allows.
    pub fn new(profile: Profile, class: PackClass, pack_bytes: u32) -> Result<Self, StoreError> {
        let limit = class.pack_bytes_max(profile);
        if pack_bytes == 0 || pack_bytes > limit {
            let (value, limit) = (u64::from(pack_bytes), u64::from(limit));
            return Err(StoreError::PastLimit { what: "bytes of a pack", value, limit });
        }
        Ok(Self { profile, pack_bytes, shard_bytes: shard_bytes(profile, pack_bytes) })
    }

    /// The layout that a header tells.
    #[must_use]
    pub const fn of(header: &PackHeader) -> Self {
        Self {
            profile: header.profile(),
            pack_bytes: header.pack_bytes(),
            shard_bytes: header.shard_bytes(),
        }
    }

    /// The code.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Bytes of the pack without padding.
    #[must_use]
    pub const fn pack_bytes(&self) -> u32 {
        self.pack_bytes
    }

    /// Bytes of each shard.
    #[must_use]
    pub const fn shard_bytes(&self) -> u32 {
        self.shard_bytes
    }

    /// The pieces that joined in order are `range` of the pack: what to read when all is well. If
    /// the shard of a piece is out of reach, the same columns of any k others give it back
    /// ([`rebuild`]). A range past the end of the pack is cut there.
    #[must_use]
    pub fn pieces(&self, range: Range<u32>) -> Vec<Piece> {
        let end = range.end.min(self.pack_bytes);
        let mut at = range.start;
        let mut pieces = Vec::new();
        while at < end {
            let (number, column) =
                (at.checked_div(self.shard_bytes), at.checked_rem(self.shard_bytes));
            let (Some(number), Some(column)) = (number, column) else { break };
            let rest_of_shard = self.shard_bytes.saturating_sub(column);
            let length = rest_of_shard.min(end.saturating_sub(at));
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            let Ok(index) = self.profile.shard(number) else { break };
            pieces.push(Piece { index, columns: column..column.saturating_add(length) });
            at = at.saturating_add(length);
        }
        pieces
    }
}

#[cfg(test)]
mod tests;

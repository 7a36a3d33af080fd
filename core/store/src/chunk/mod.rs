//! Cuts a stream into chunks where its content says so, so that an insertion moves only the
//! boundaries near it and everything else is found again by its id.
//!
//! A boundary may follow a byte where two hashes agree: a cheap one of the last 8 bytes, computed
//! for many positions at once (module `kernel`), and, where that one is small, a strong one of the last
//! 32. Both look only at content within [`CHUNK_BYTES_MIN`] before the boundary, so where a stream
//! is cut does not depend on the sizes of the buffers it comes in, nor on what stood before.
//! As in `FastCDC` (Xia et al., USENIX ATC 2016) a stricter rule holds before the normal length and a
//! looser one after it, which keeps lengths near the average; the hashes are our own.

mod kernel;
mod splitter;

use acre_codec::{Decode, Encode};
use acre_crypto::Secret;
use acre_types::{Digest, Profile};

pub use splitter::Splitter;

use crate::limits::{CHUNK_BYTES_AVERAGE, CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, FIXED_CHUNK_BYTES_MAX};
use crate::pack::SEAL_BYTES;
use crate::shard::PackClass;
use kernel::{BLOCK, GROUP, Kernel, LOOK_BACK};

/// Before this length the strict rule holds, after it the loose one; chosen so that random data is
/// cut into [`CHUNK_BYTES_AVERAGE`] on average.
const NORMAL_BYTES: usize = 52 * 1024;
/// Bits of the strong hash that must be zero before [`NORMAL_BYTES`]: with the ten of the cheap
/// hash one position in 2^18.
const STRICT_BITS: u32 = 8;
/// The same after it: one position in 2^14.
const LOOSE_BITS: u32 = 4;
/// Bytes that the strong hash looks at.
const WINDOW: usize = 32;

const _: () = assert!(WINDOW <= CHUNK_BYTES_MIN && LOOK_BACK <= CHUNK_BYTES_MIN);
const _: () = assert!(CHUNK_BYTES_MIN < NORMAL_BYTES && NORMAL_BYTES < CHUNK_BYTES_AVERAGE);
const _: () = assert!((CHUNK_BYTES_MAX - CHUNK_BYTES_MIN).is_multiple_of(BLOCK));

/// Names a chunk by its content, within one owner's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ChunkId(pub Digest);

/// The id of a chunk under its owner's [`chunk_id_key`](crate::keys::VolumeKeys::chunk_id_key):
/// nobody else can tell whether the owner has a certain file.
#[must_use]
pub fn chunk_id(key: &Secret, plain: &[u8]) -> ChunkId {
    ChunkId(acre_crypto::hash::keyed(key, plain))
}

/// Length of the chunks of a stream cut at fixed lengths: at most [`FIXED_CHUNK_BYTES_MAX`], and
/// so that a whole number of them fills a data pack with nothing left.
#[must_use]
pub fn fixed_chunk_bytes(profile: Profile) -> usize {
    let pack = usize::try_from(PackClass::Data.pack_bytes_max(profile)).unwrap_or(usize::MAX);
    let count = pack.div_ceil(FIXED_CHUNK_BYTES_MAX).max(1);
    let stored = pack.checked_div(count).expect("the count is at least one");
    stored.saturating_sub(SEAL_BYTES)
}

/// Whether more bytes will follow those at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The stream goes on.
    More,
    /// The stream ends here.
    Last,
}

#[derive(Clone, Debug)]
enum Rule {
    Content(Kernel),
    Fixed(usize),
}

/// Finds the end of one chunk after the other.
#[derive(Clone, Debug)]
pub struct Chunker {
    rule: Rule,
    /// Bytes of the current chunk known to hold no boundary.
    scanned: usize,
}

impl Chunker {
    /// Cuts by content: [`CHUNK_BYTES_MIN`] to [`CHUNK_BYTES_MAX`].
    #[must_use]
    pub fn content() -> Self {
        Self { rule: Rule::Content(Kernel::best()), scanned: 0 }
    }

    /// Cuts every `bytes` bytes (at least one); see [`fixed_chunk_bytes`].
    #[must_use]
    pub fn fixed(bytes: usize) -> Self {
        Self { rule: Rule::Fixed(bytes.max(1)), scanned: 0 }
    }

    #[cfg(test)]
    fn with_kernel(kernel: Kernel) -> Self {
        Self { rule: Rule::Content(kernel), scanned: 0 }
    }

    /// Longest chunk this will ever make, in bytes: a buffer of more always yields one.
    #[must_use]
    pub const fn chunk_bytes_max(&self) -> usize {
        match self.rule {
            Rule::Content(_) => CHUNK_BYTES_MAX,
            Rule::Fixed(bytes) => bytes,
        }
    }

    /// Length of the chunk that `buffer` begins with, or `None` if its end is not there yet: call
    /// again with the same bytes and more behind them; what was seen is not looked at twice.
    /// With [`Input::Last`], `None` means that `buffer` is empty.
    pub fn cut(&mut self, buffer: &[u8], input: Input) -> Option<usize> {
        let found = match self.rule {
            Rule::Content(kernel) => self.cut_content(kernel, buffer, input),
            Rule::Fixed(bytes) => (buffer.len() >= bytes).then_some(bytes),
        };
        let length = match (found, input) {
            (Some(length), _) => length,
            (None, Input::Last) if !buffer.is_empty() => buffer.len(),
            (None, _) => return None,
        };
        self.scanned = 0;
        Some(length)
    }

    fn cut_content(&mut self, kernel: Kernel, buffer: &[u8], input: Input) -> Option<usize> {
        // A boundary after byte `at` makes a chunk of `at + 1` bytes.
        let mut at = self.scanned.max(CHUNK_BYTES_MIN.saturating_sub(1));
        let last = CHUNK_BYTES_MAX.saturating_sub(1);
        let mut hashes = [0; BLOCK];
        while at < last {
            let start = at.saturating_sub(LOOK_BACK);
            let end = at.saturating_add(BLOCK);
            let flags = if let Some(block) = buffer.get(start..end) {
                kernel.scan(block.try_into().expect("cut to this length"), &mut hashes)
            } else if input == Input::Last && at < buffer.len() {
                let mut padded = [0; BLOCK + LOOK_BACK];
                let rest = buffer.get(start..).unwrap_or_default();
                padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                kernel.scan(&padded, &mut hashes)
            } else {
                self.scanned = at;
                return None;
            };
            if flags != 0
                && let Some(found) = first_boundary(buffer, at, flags, &hashes)
            {
                return Some(found);
            }
            at = end;
        }
        self.scanned = at;
        (buffer.len() >= CHUNK_BYTES_MAX).then_some(CHUNK_BYTES_MAX)
    }
}

/// The first position of a block from `at` on where both hashes agree, as a chunk length.
#[inline(never)]
fn first_boundary(buffer: &[u8], at: usize, flags: u8, hashes: &[u16; BLOCK]) -> Option<usize> {
    for (number, group) in hashes.chunks_exact(GROUP).enumerate() {
        if flags & (1 << number) == 0 {
            continue;
        }
        for (index, hash) in group.iter().enumerate() {
            if !kernel::is_candidate(*hash) {
                continue;
            }
            let offset = number.saturating_mul(GROUP).saturating_add(index);
            let length = at.saturating_add(offset).saturating_add(1);
            let bits = if length < NORMAL_BYTES { STRICT_BITS } else { LOOSE_BITS };
            let Some(window) = buffer.get(length.saturating_sub(WINDOW)..length) else {
                return None; // in the padding
            };
            if strong_hash(window) >> (64_u32.saturating_sub(bits)) == 0 {
                return Some(length);
            }
        }
    }
    None
}

/// 64 well-mixed bits of 32 bytes: two products of 128 bits, folded.
fn strong_hash(window: &[u8]) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a).wrapping_mul(u128::from(b));
        let low = u64::try_from(product & u128::from(u64::MAX)).expect("masked");
        let high = u64::try_from(product >> 64).expect("shifted");
        low ^ high
    };
    let mut words = [0_u64; WINDOW / 8];
    for (word, bytes) in words.iter_mut().zip(window.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().expect("cut to eight"));
    }
    let [a, b, c, d] = words;
    let left = fold(a ^ 0x2D35_8DCC_AA6C_78A5, b ^ 0x8BB8_4B93_962E_ACC9);
    let right = fold(c ^ 0x4B33_A62E_D433_D4A3, d ^ 0x4D5A_2DA5_1DE1_AA47);
    fold(left ^ 0xA076_1D64_78BD_642F, right ^ 0xE703_7ED1_A0B4_28DB)
}

#[cfg(test)]
mod tests;

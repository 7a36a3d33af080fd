//! Compression where it pays, decided by a probe that costs next to nothing where it does not.
//!
//! The probe counts byte values in at most 4 KiB taken from all over the chunk. The sum of squared
//! counts is the chance that two bytes are alike: random, encrypted or compressed data lies within
//! a few percent of the least possible, everything that zstd can shrink by order-0 statistics lies
//! far above. (Repetitions of random-looking data further apart than that are found by the
//! chunker's ids, not by zstd.)

use zstd::bulk::{Compressor, Decompressor};

/// zstd level: the fastest that still gains most of what there is.
const LEVEL: i32 = 1;
/// Pieces of a chunk that the probe looks at, and their length in bytes.
const PIECES: usize = 16;
const PIECE_BYTES: usize = 256;
/// Shortest chunk worth a compression frame.
const BYTES_MIN: usize = 64;
/// At least one byte in this many must be saved.
const SAVED_SHARE: usize = 16;

/// How a chunk is coded before it is sealed; the number is the coding byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Coding {
    /// As it is.
    Raw = 0,
    /// One zstd frame.
    Zstd = 1,
}

impl Coding {
    /// The coding of a byte, if it is one.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Raw),
            1 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Whether a writer compresses at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Where the probe says it pays.
    #[default]
    Probe,
    /// Never: for data known to be compressed.
    Never,
}

/// Whether compressing `bytes` is worth trying. About 2 us for any length.
#[must_use]
pub fn pays(bytes: &[u8]) -> bool {
    if bytes.len() < BYTES_MIN {
        return false;
    }
    let mut counts = [[0_u32; 256]; 2];
    let mut sampled = 0_u64;
    let stride = bytes.len().div_ceil(PIECES).max(PIECE_BYTES);
    for part in bytes.chunks(stride) {
        let piece = part.get(..PIECE_BYTES).unwrap_or(part);
        let [even, odd] = &mut counts;
        for pair in piece.chunks_exact(2) {
            let [first, second] = pair else { continue };
            count(even, *first);
            count(odd, *second);
        }
        sampled = sampled.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX) & !1);
    }
    let [even, odd] = &counts;
    let alike = even
        .iter()
        .zip(odd)
        .map(|(a, b)| u64::from(a.wrapping_add(*b)))
        .fold(0_u64, |sum, count| sum.saturating_add(count.saturating_mul(count)));
    // Random bytes: n^2 / 256 + n, deviation n / 11. An eighth and n / 2 more is beyond chance.
    let random = (sampled.saturating_mul(sampled) >> 8).saturating_add(sampled);
    alike > random.saturating_add(random >> 3).saturating_add(sampled >> 1)
}

fn count(counts: &mut [u32; 256], byte: u8) {
    if let Some(count) = counts.get_mut(usize::from(byte)) {
        *count = count.wrapping_add(1);
    }
}

/// A zstd encoder whose memory is kept between chunks.
pub struct Encoder {
    zstd: Compressor<'static>,
    compression: Compression,
}

impl Encoder {
    /// An encoder with its memory.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        let zstd = Compressor::new(LEVEL).expect("level 1 exists");
        Self { zstd, compression }
    }

    /// Writes `plain` compressed to the front of `out` and returns the bytes written, or `None` if
    /// it does not pay; `out` then holds nothing of use.
    pub fn encode(&mut self, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        if self.compression == Compression::Never || !pays(plain) {
            return None;
        }
        let room = plain.len().saturating_sub(plain.len().div_ceil(SAVED_SHARE));
        let out = out.get_mut(..room)?;
        self.zstd.compress_to_buffer(plain, out).ok()
    }
}

/// A zstd decoder whose memory is kept between chunks.
pub struct Decoder {
    zstd: Decompressor<'static>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder with its memory.
    #[must_use]
    pub fn new() -> Self {
        Self { zstd: Decompressor::new().expect("only fails without memory") }
    }

    /// Fills `plain` from one frame; whatever the frame says, no byte past `plain` is written.
    /// `false` if the frame is invalid or does not have exactly that length.
    #[must_use]
    pub fn decode(&mut self, frame: &[u8], plain: &mut [u8]) -> bool {
        let length = plain.len();
        self.zstd.decompress_to_buffer(frame, plain).is_ok_and(|written| written == length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random_bytes;

    #[test]
    fn leaves_random_bytes_alone() {
        for length in [0, 1, 63, 64, 300, 4096, 65_536, 262_144] {
            for seed in 0..50 {
                assert!(!pays(&random_bytes(seed, length)), "length {length} seed {seed}");
            }
        }
    }

    #[test]
    fn shrinks_text_and_gives_it_back() {
        let text = "the quick brown fox jumps over the lazy dog. ".repeat(1000);
        let mut out = vec![0; text.len()];
        let written = Encoder::new(Compression::Probe).encode(text.as_bytes(), &mut out).unwrap();
        assert!(written < text.len() / 10);
        let mut plain = vec![0; text.len()];
        let mut decoder = Decoder::new();
        assert!(decoder.decode(&out[..written], &mut plain));
        assert_eq!(plain, text.as_bytes());
        assert!(!decoder.decode(&out[..written], &mut plain[1..]), "too short a place");
        assert!(!decoder.decode(&out[..written - 1], &mut plain), "a cut frame");
        let mut longer = vec![0; text.len() + 1];
        assert!(!decoder.decode(&out[..written], &mut longer), "too long a place");
        assert!(Encoder::new(Compression::Never).encode(text.as_bytes(), &mut out).is_none());
    }

    #[test]
    fn a_bomb_fills_no_more_than_was_declared() {
        let zeros = vec![0; 1 << 24];
        let frame = zstd::bulk::compress(&zeros, 1).unwrap();
        assert!(frame.len() < 4096);
        assert!(!Decoder::new().decode(&frame, &mut [0; 1000]));
    }
}

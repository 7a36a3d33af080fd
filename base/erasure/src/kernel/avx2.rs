//! AVX2 without GFNI: `VPSHUFB` looks up the products of 32 low, then 32 high nibbles.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "offsets stay below the checked end of the range; indices of fixed arrays"
)]

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_loadu_si256,
    _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi64,
    _mm256_storeu_si256, _mm256_xor_si256,
};
use std::ops::Range;

use super::nibbles::Nibbles;
use super::scalar;

/// Bytes of a vector.
const LANE: usize = 32;

/// Vectors of each shard worked on at once: four outputs take 8 of the 16 registers.
const WIDE: usize = 2;

/// Computes the bytes `range` of up to four outputs. `tables`: `inputs x outputs`.
///
/// # Safety
/// The processor has AVX2; every slice holds `range`; there are `inputs x outputs` tables.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn group(
    tables: &[Nibbles],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    let tail = range.end - (range.end - range.start) % LANE;
    let whole = range.start..tail;
    // SAFETY: the caller's promise.
    unsafe {
        match outputs.len() {
            1 => rows::<1>(tables, inputs, outputs, whole),
            2 => rows::<2>(tables, inputs, outputs, whole),
            3 => rows::<3>(tables, inputs, outputs, whole),
            _ => rows::<4>(tables, inputs, outputs, whole),
        }
    }
    scalar::group(tables, inputs, outputs, tail..range.end);
}

/// Whole vectors of a fixed number of outputs.
#[target_feature(enable = "avx2")]
unsafe fn rows<const ROWS: usize>(
    tables: &[Nibbles],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    let tables = tables.as_chunks::<ROWS>().0;
    let mut at = range.start;
    while range.end - at >= WIDE * LANE {
        // SAFETY: the caller's promise, and `at + WIDE * LANE` is within the range.
        unsafe { block::<ROWS, WIDE>(tables, inputs, outputs, at) };
        at += WIDE * LANE;
    }
    while range.end - at >= LANE {
        // SAFETY: the caller's promise, and `at + LANE` is within the range.
        unsafe { block::<ROWS, 1>(tables, inputs, outputs, at) };
        at += LANE;
    }
}

/// `VECTORS` vectors of each output from byte `at`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn block<const ROWS: usize, const VECTORS: usize>(
    tables: &[[Nibbles; ROWS]],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    at: usize,
) {
    let nibble = _mm256_set1_epi8(15);
    let mut sums = [[_mm256_setzero_si256(); VECTORS]; ROWS];
    for (input, tables) in inputs.iter().zip(tables) {
        let bytes: [__m256i; VECTORS] = std::array::from_fn(|vector| {
            // SAFETY: the caller promised that these bytes are within the input.
            unsafe { _mm256_loadu_si256(input.as_ptr().add(at + vector * LANE).cast()) }
        });
        let low = bytes.map(|bytes| _mm256_and_si256(bytes, nibble));
        let high = bytes.map(|bytes| _mm256_and_si256(_mm256_srli_epi64::<4>(bytes), nibble));
        for row in 0..ROWS {
            let low_table = spread(&tables[row].low);
            let high_table = spread(&tables[row].high);
            for vector in 0..VECTORS {
                let product = _mm256_xor_si256(
                    _mm256_shuffle_epi8(low_table, low[vector]),
                    _mm256_shuffle_epi8(high_table, high[vector]),
                );
                sums[row][vector] = _mm256_xor_si256(sums[row][vector], product);
            }
        }
    }
    for (output, sums) in outputs.iter_mut().zip(sums) {
        for (vector, sum) in sums.into_iter().enumerate() {
            // SAFETY: the caller promised that these bytes are within the output.
            unsafe {
                _mm256_storeu_si256(output.as_mut_ptr().add(at + vector * LANE).cast(), sum);
            }
        }
    }
}

/// The table in both halves of a vector.
#[inline]
#[target_feature(enable = "avx2")]
fn spread(table: &[u8; 16]) -> __m256i {
    // SAFETY: the table has the 16 bytes that are read.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(table.as_ptr().cast()) })
}

//! GFNI and AVX2 (VEX encoding): one instruction multiplies 32 bytes by a constant.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "offsets stay below the checked end of the range; indices of fixed arrays"
)]

use std::arch::x86_64::{
    __m256i, _mm256_gf2p8affine_epi64_epi8, _mm256_loadu_si256, _mm256_set1_epi64x,
    _mm256_setzero_si256, _mm256_storeu_si256, _mm256_xor_si256,
};
use std::ops::Range;

use super::nibbles::Nibbles;
use super::scalar;

/// Bytes of a vector.
const LANE: usize = 32;

/// Vectors of each shard worked on at once: four outputs take 8 of the 16 registers.
const WIDE: usize = 2;

/// Computes the bytes `range` of up to four outputs.
///
/// `matrices` and `tables` (for the tail): `inputs x outputs`.
///
/// # Safety
/// The processor has GFNI and AVX2; every slice holds `range`; there are `inputs x outputs` matrices.
#[target_feature(enable = "gfni,avx2")]
pub(super) unsafe fn group(
    matrices: &[u64],
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
            1 => rows::<1>(matrices, inputs, outputs, whole),
            2 => rows::<2>(matrices, inputs, outputs, whole),
            3 => rows::<3>(matrices, inputs, outputs, whole),
            _ => rows::<4>(matrices, inputs, outputs, whole),
        }
    }
    scalar::group(tables, inputs, outputs, tail..range.end);
}

/// Whole vectors of a fixed number of outputs.
#[target_feature(enable = "gfni,avx2")]
unsafe fn rows<const ROWS: usize>(
    matrices: &[u64],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    let matrices = matrices.as_chunks::<ROWS>().0;
    let mut at = range.start;
    while range.end - at >= WIDE * LANE {
        // SAFETY: the caller's promise, and `at + WIDE * LANE` is within the range.
        unsafe { block::<ROWS, WIDE>(matrices, inputs, outputs, at) };
        at += WIDE * LANE;
    }
    while range.end - at >= LANE {
        // SAFETY: the caller's promise, and `at + LANE` is within the range.
        unsafe { block::<ROWS, 1>(matrices, inputs, outputs, at) };
        at += LANE;
    }
}

/// `VECTORS` vectors of each output from byte `at`.
#[inline]
#[target_feature(enable = "gfni,avx2")]
unsafe fn block<const ROWS: usize, const VECTORS: usize>(
    matrices: &[[u64; ROWS]],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    at: usize,
) {
    let mut sums = [[_mm256_setzero_si256(); VECTORS]; ROWS];
    for (input, matrices) in inputs.iter().zip(matrices) {
        let bytes: [__m256i; VECTORS] = std::array::from_fn(|vector| {
            // SAFETY: the caller promised that these bytes are within the input.
            unsafe { _mm256_loadu_si256(input.as_ptr().add(at + vector * LANE).cast()) }
        });
        for row in 0..ROWS {
            let matrix = _mm256_set1_epi64x(matrices[row].cast_signed());
            for vector in 0..VECTORS {
                let product = _mm256_gf2p8affine_epi64_epi8::<0>(bytes[vector], matrix);
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

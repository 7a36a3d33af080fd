//! GFNI and AVX-512: one instruction multiplies 64 bytes by a constant, as an 8 x 8 bit matrix each.
//!
//! The processors measured start one such 512-bit product per cycle but two exclusive-ors, so products
//! are what must be saved: [`dyadic`] does nine for sixteen. `VPTERNLOGQ` with 0x96 adds two products
//! to a sum at once. Tails use masked loads and stores.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "offsets stay below the checked end of the range; indices of fixed arrays"
)]

use std::arch::x86_64::{
    __m512i, _mm512_gf2p8affine_epi64_epi8, _mm512_mask_storeu_epi8, _mm512_maskz_loadu_epi8,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_ternarylogic_epi64, _mm512_xor_si512,
};
use std::ops::Range;

use super::tables::Dyadic;

/// Bytes of a vector.
const LANE: usize = 64;

/// Vectors of each shard worked on at once: enough to hide the latency of the sums.
const WIDE: usize = 2;

/// Mask of a whole vector.
const WHOLE: u64 = !0;

/// Computes the bytes `range` of up to four outputs. `matrices`: `inputs x outputs`.
///
/// # Safety
/// The processor has GFNI, AVX-512F and AVX-512BW; every slice holds `range`; there are `inputs x
/// outputs` matrices.
#[target_feature(enable = "gfni,avx512f,avx512bw")]
pub(super) unsafe fn group(
    matrices: &[u64],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match outputs.len() {
            1 => rows::<1>(matrices, inputs, outputs, range),
            2 => rows::<2>(matrices, inputs, outputs, range),
            3 => rows::<3>(matrices, inputs, outputs, range),
            _ => rows::<4>(matrices, inputs, outputs, range),
        }
    }
}

/// [`group`] with a fixed number of outputs.
#[target_feature(enable = "gfni,avx512f,avx512bw")]
unsafe fn rows<const ROWS: usize>(
    matrices: &[u64],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    let matrices = matrices.as_chunks::<ROWS>().0;
    let (head, whole) = cut(inputs, range.clone());
    let mut at = range.start;
    while at < range.end {
        // SAFETY: the caller's promise; `at` and the masks stay within the range.
        unsafe {
            if whole.contains(&at) {
                let sums = rows_block::<ROWS, WIDE>(matrices, inputs, at, WHOLE);
                store(outputs, sums, at, WHOLE);
                at += WIDE * LANE;
            } else {
                let bytes = step(at, head, range.end);
                let mask = WHOLE >> (LANE - bytes);
                let sums = rows_block::<ROWS, 1>(matrices, inputs, at, mask);
                store(outputs, sums, at, mask);
                at += bytes;
            }
        }
    }
}

/// The sums of `ROWS` outputs over `VECTORS` vectors from byte `at`.
#[inline]
#[target_feature(enable = "gfni,avx512f,avx512bw")]
unsafe fn rows_block<const ROWS: usize, const VECTORS: usize>(
    matrices: &[[u64; ROWS]],
    inputs: &[&[u8]],
    at: usize,
    mask: u64,
) -> [[__m512i; VECTORS]; ROWS] {
    let mut sums = [[_mm512_setzero_si512(); VECTORS]; ROWS];
    let (pairs, last) = inputs.as_chunks::<2>();
    let (matrix_pairs, last_matrices) = matrices.as_chunks::<2>();
    for ([left, right], [left_matrices, right_matrices]) in pairs.iter().zip(matrix_pairs) {
        // SAFETY: the caller's promise.
        let left: [_; VECTORS] = unsafe { load(left, at, mask) };
        // SAFETY: the caller's promise.
        let right: [_; VECTORS] = unsafe { load(right, at, mask) };
        for row in 0..ROWS {
            let left_matrix = _mm512_set1_epi64(left_matrices[row].cast_signed());
            let right_matrix = _mm512_set1_epi64(right_matrices[row].cast_signed());
            for vector in 0..VECTORS {
                sums[row][vector] = add2(
                    sums[row][vector],
                    product(left[vector], left_matrix),
                    product(right[vector], right_matrix),
                );
            }
        }
    }
    for (input, matrices) in last.iter().zip(last_matrices) {
        // SAFETY: the caller's promise.
        let input: [_; VECTORS] = unsafe { load(input, at, mask) };
        for row in 0..ROWS {
            let matrix = _mm512_set1_epi64(matrices[row].cast_signed());
            for vector in 0..VECTORS {
                sums[row][vector] =
                    _mm512_xor_si512(sums[row][vector], product(input[vector], matrix));
            }
        }
    }
    sums
}

/// Computes the bytes `range` of four outputs by the structure of [`Dyadic`].
///
/// # Safety
/// As [`group`], with four outputs and four inputs per block.
#[target_feature(enable = "gfni,avx512f,avx512bw")]
pub(super) unsafe fn dyadic(
    dyadic: &Dyadic,
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    let (head, whole) = cut(inputs, range.clone());
    let mut at = range.start;
    while at < range.end {
        // SAFETY: the caller's promise; `at` and the masks stay within the range.
        unsafe {
            if whole.contains(&at) {
                let sums = dyadic_block::<WIDE>(&dyadic.blocks, inputs, at, WHOLE);
                store(outputs, sums, at, WHOLE);
                at += WIDE * LANE;
            } else {
                let bytes = step(at, head, range.end);
                let mask = WHOLE >> (LANE - bytes);
                let sums = dyadic_block::<1>(&dyadic.blocks, inputs, at, mask);
                store(outputs, sums, at, mask);
                at += bytes;
            }
        }
    }
}

/// Cuts a range so that the loads of its middle are aligned: where the head ends, and the middle.
///
/// A vector across two cache lines costs two accesses. Shards of one stripe are mostly misaligned alike
/// (slices of one buffer, or buffers of one allocator), so aligning the first aligns all.
fn cut(inputs: &[&[u8]], range: Range<usize>) -> (usize, Range<usize>) {
    let address = inputs.first().map_or(0, |input| input.as_ptr().addr().wrapping_add(range.start));
    let head = (range.start + address.wrapping_neg() % LANE).min(range.end);
    let whole = (range.end - head) / (WIDE * LANE) * (WIDE * LANE);
    (head, head..head + whole)
}

/// Bytes of the next partial step: up to the end of the head, or a vector or what is left of it.
fn step(at: usize, head: usize, end: usize) -> usize {
    let until = if at < head { head } else { end };
    LANE.min(until - at)
}

/// The sums of four outputs over `VECTORS` vectors from byte `at`, nine products per four inputs.
#[inline]
#[target_feature(enable = "gfni,avx512f,avx512bw")]
unsafe fn dyadic_block<const VECTORS: usize>(
    blocks: &[[u64; 4]],
    inputs: &[&[u8]],
    at: usize,
    mask: u64,
) -> [[__m512i; VECTORS]; 4] {
    let mut own = [[_mm512_setzero_si512(); VECTORS]; 4];
    let mut shared = [[_mm512_setzero_si512(); VECTORS]; 2];
    for (matrices, block) in blocks.iter().zip(inputs.as_chunks::<4>().0) {
        // SAFETY: the caller's promise.
        let shards: [[_; VECTORS]; 4] = block.map(|input| unsafe { load(input, at, mask) });
        let [all, odd, upper, last] =
            matrices.map(|matrix| _mm512_set1_epi64(matrix.cast_signed()));
        for vector in 0..VECTORS {
            let [x0, x1, x2, x3] = shards.map(|shard| shard[vector]);
            let left = product(_mm512_xor_si512(x0, x1), odd);
            own[0][vector] = add2(own[0][vector], product(x0, all), left);
            own[1][vector] = add2(own[1][vector], product(x1, all), left);
            let right = product(_mm512_xor_si512(x2, x3), odd);
            own[2][vector] = add2(own[2][vector], product(x2, all), right);
            own[3][vector] = add2(own[3][vector], product(x3, all), right);
            let even = _mm512_xor_si512(x0, x2);
            let odds = _mm512_xor_si512(x1, x3);
            let both = product(_mm512_xor_si512(even, odds), last);
            shared[0][vector] = add2(shared[0][vector], product(even, upper), both);
            shared[1][vector] = add2(shared[1][vector], product(odds, upper), both);
        }
    }
    for (number, sums) in own.iter_mut().enumerate() {
        for (sum, &shared) in sums.iter_mut().zip(&shared[number % 2]) {
            *sum = _mm512_xor_si512(*sum, shared);
        }
    }
    own
}

/// Each byte times the coefficient whose bit matrix fills `matrix`.
#[inline]
#[target_feature(enable = "gfni,avx512f")]
fn product(bytes: __m512i, matrix: __m512i) -> __m512i {
    _mm512_gf2p8affine_epi64_epi8::<0>(bytes, matrix)
}

/// `sum + a + b`.
#[inline]
#[target_feature(enable = "avx512f")]
fn add2(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0x96>(sum, a, b)
}

/// The vectors of `shard` from byte `at`; `mask` names the bytes of each that are read.
///
/// # Safety
/// The bytes named are within the shard; the processor has AVX-512F and AVX-512BW.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn load<const VECTORS: usize>(shard: &[u8], at: usize, mask: u64) -> [__m512i; VECTORS] {
    std::array::from_fn(|vector| {
        // SAFETY: the caller's promise; a masked load reads only the bytes named.
        unsafe { _mm512_maskz_loadu_epi8(mask, shard.as_ptr().add(at + vector * LANE).cast()) }
    })
}

/// Writes the sums of each output from byte `at`; `mask` names the bytes of each vector.
///
/// # Safety
/// The bytes named are within each output; the processor has AVX-512F and AVX-512BW.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store<const ROWS: usize, const VECTORS: usize>(
    outputs: &mut [&mut [u8]],
    sums: [[__m512i; VECTORS]; ROWS],
    at: usize,
    mask: u64,
) {
    for (output, sums) in outputs.iter_mut().zip(sums) {
        for (vector, sum) in sums.into_iter().enumerate() {
            // SAFETY: the caller's promise; a masked store writes only the bytes named.
            unsafe {
                let target = output.as_mut_ptr().add(at + vector * LANE);
                _mm512_mask_storeu_epi8(target.cast(), mask, sum);
            }
        }
    }
}

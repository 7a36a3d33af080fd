//! GFNI and AVX-512: one instruction multiplies 64 bytes by a constant, as an 8 x 8 bit matrix each.
//!
//! The processors measured start one such 512-bit product per cycle but two exclusive-ors, so products
//! are what must be saved: [`Dyadic`] does nine for sixteen. `VPTERNLOGQ` with 0x96 adds two products to
//! a sum at once. Heads and tails use masked loads and stores. Tried without gain: prefetching, and
//! decoding through the encoder (13 products for 16, but in a burst that leaves the other port idle).
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

use super::matrices::Dyadic;

/// Bytes of a vector.
const LANE: usize = 64;

/// Vectors of each shard worked on at once: enough to hide the latency of the sums.
const WIDE: usize = 2;

/// Mask of a whole vector.
const WHOLE: u64 = !0;

/// The sums of `ROWS` outputs, `VECTORS` vectors of each.
type Sums<const ROWS: usize, const VECTORS: usize> = [[__m512i; VECTORS]; ROWS];

/// A way to compute `ROWS` outputs.
trait Pass<const ROWS: usize> {
    /// The outputs' vectors from byte `at`; `mask` names the bytes of each vector that are read.
    ///
    /// # Safety
    /// The bytes named are within the pass's shards; the processor has the instructions.
    unsafe fn sums<const VECTORS: usize>(&self, at: usize, mask: u64) -> Sums<ROWS, VECTORS>;
}

/// Computes the bytes `range` of up to four outputs. `matrices`: `inputs x outputs`.
///
/// # Safety
/// The processor has GFNI, AVX-512F and AVX-512BW; every slice holds `range`.
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
    let pass = RowsPass::<ROWS> { matrices: matrices.as_chunks().0, inputs };
    let anchor = inputs.first().copied().unwrap_or_default();
    // SAFETY: the caller's promise.
    unsafe { walk(&pass, anchor, outputs, range) }
}

/// Computes the bytes `range` of four outputs by the structure of [`Dyadic`].
///
/// # Safety
/// As [`group`].
#[target_feature(enable = "gfni,avx512f,avx512bw")]
pub(super) unsafe fn dyadic(
    dyadic: &Dyadic,
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    let pass = DyadicPass { blocks: &dyadic.blocks, inputs };
    let anchor = inputs.first().copied().unwrap_or_default();
    // SAFETY: the caller's promise.
    unsafe { walk(&pass, anchor, outputs, range) }
}

/// Runs a pass over the bytes `range`, so that loads as aligned as those of `anchor` are aligned.
///
/// A vector across two cache lines costs two accesses. Shards of one stripe are mostly misaligned alike
/// (slices of one buffer, or buffers of one allocator), so aligning one aligns all.
///
/// # Safety
/// The bytes `range` are within the pass's shards, `anchor` and `outputs`.
#[target_feature(enable = "gfni,avx512f,avx512bw")]
unsafe fn walk<const ROWS: usize>(
    pass: &impl Pass<ROWS>,
    anchor: &[u8],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    let address = anchor.as_ptr().addr().wrapping_add(range.start);
    let head = (range.start + address.wrapping_neg() % LANE).min(range.end);
    let mut at = range.start;
    while at < range.end {
        if at >= head && range.end - at >= WIDE * LANE {
            // SAFETY: the caller's promise, and these vectors end within the range.
            unsafe {
                let sums = pass.sums::<WIDE>(at, WHOLE);
                store(outputs, sums, at, WHOLE);
            }
            at += WIDE * LANE;
        } else {
            let until = if at < head { head } else { range.end };
            let bytes = LANE.min(until - at);
            let mask = WHOLE >> (LANE - bytes);
            // SAFETY: the caller's promise, and the mask names bytes within the range.
            unsafe {
                let sums = pass.sums::<1>(at, mask);
                store(outputs, sums, at, mask);
            }
            at += bytes;
        }
    }
}

/// Any coefficients: one product for each.
struct RowsPass<'a, const ROWS: usize> {
    matrices: &'a [[u64; ROWS]],
    inputs: &'a [&'a [u8]],
}

impl<const ROWS: usize> Pass<ROWS> for RowsPass<'_, ROWS> {
    #[inline]
    #[target_feature(enable = "gfni,avx512f,avx512bw")]
    unsafe fn sums<const VECTORS: usize>(&self, at: usize, mask: u64) -> Sums<ROWS, VECTORS> {
        let mut sums = [[_mm512_setzero_si512(); VECTORS]; ROWS];
        let (pairs, last) = self.inputs.as_chunks::<2>();
        let (matrix_pairs, last_matrices) = self.matrices.as_chunks::<2>();
        for ([left, right], [left_matrices, right_matrices]) in pairs.iter().zip(matrix_pairs) {
            // SAFETY: the caller's promise.
            let left: [_; VECTORS] = unsafe { load(left, at, mask) };
            // SAFETY: the caller's promise.
            let right: [_; VECTORS] = unsafe { load(right, at, mask) };
            for row in 0..ROWS {
                let left_matrix = spread(left_matrices[row]);
                let right_matrix = spread(right_matrices[row]);
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
                let matrix = spread(matrices[row]);
                for vector in 0..VECTORS {
                    sums[row][vector] =
                        _mm512_xor_si512(sums[row][vector], product(input[vector], matrix));
                }
            }
        }
        sums
    }
}

/// Blocks of four inputs: nine products each, see [`Dyadic`].
struct DyadicPass<'a> {
    blocks: &'a [[u64; 4]],
    inputs: &'a [&'a [u8]],
}

impl Pass<4> for DyadicPass<'_> {
    #[inline]
    #[target_feature(enable = "gfni,avx512f,avx512bw")]
    unsafe fn sums<const VECTORS: usize>(&self, at: usize, mask: u64) -> Sums<4, VECTORS> {
        let mut own = [[_mm512_setzero_si512(); VECTORS]; 4];
        let mut shared = [[_mm512_setzero_si512(); VECTORS]; 2];
        for (matrices, block) in self.blocks.iter().zip(self.inputs.as_chunks::<4>().0) {
            // SAFETY: the caller's promise.
            let shards: [[_; VECTORS]; 4] = block.map(|input| unsafe { load(input, at, mask) });
            let [all, odd, upper, last] = matrices.map(|matrix| spread(matrix));
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
}

/// The bit matrix in every 8 bytes of a vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn spread(matrix: u64) -> __m512i {
    _mm512_set1_epi64(matrix.cast_signed())
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
/// The bytes named are within the shard.
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
/// The bytes named are within each output.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store<const ROWS: usize, const VECTORS: usize>(
    outputs: &mut [&mut [u8]],
    sums: Sums<ROWS, VECTORS>,
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

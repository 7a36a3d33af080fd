//! 64-bit ARM: `TBL` looks up the products of 16 low, then 16 high nibbles.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "offsets stay below the checked end of the range; indices of fixed arrays"
)]

use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vdupq_n_u8, veorq_u8, vld1q_u8, vqtbl1q_u8, vshrq_n_u8, vst1q_u8,
};
use std::ops::Range;

use super::nibbles::Nibbles;
use super::scalar;

/// Bytes of a vector.
const LANE: usize = 16;

/// Vectors of each shard worked on at once: four outputs take 16 of the 32 registers.
const WIDE: usize = 4;

/// Computes the bytes `range` of up to four outputs. `tables`: `inputs x outputs`.
///
/// # Safety
/// The processor has NEON; every slice holds `range`; there are `inputs x outputs` tables.
#[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
unsafe fn block<const ROWS: usize, const VECTORS: usize>(
    tables: &[[Nibbles; ROWS]],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    at: usize,
) {
    let nibble = vdupq_n_u8(15);
    let mut sums = [[vdupq_n_u8(0); VECTORS]; ROWS];
    for (input, tables) in inputs.iter().zip(tables) {
        let bytes: [uint8x16_t; VECTORS] = std::array::from_fn(|vector| {
            // SAFETY: the caller promised that these bytes are within the input.
            unsafe { vld1q_u8(input.as_ptr().add(at + vector * LANE)) }
        });
        let low = bytes.map(|bytes| vandq_u8(bytes, nibble));
        let high = bytes.map(|bytes| vshrq_n_u8::<4>(bytes));
        for row in 0..ROWS {
            // SAFETY: each table has the 16 bytes that are read.
            let low_table = unsafe { vld1q_u8(tables[row].low.as_ptr()) };
            // SAFETY: as above.
            let high_table = unsafe { vld1q_u8(tables[row].high.as_ptr()) };
            for vector in 0..VECTORS {
                let product = veorq_u8(
                    vqtbl1q_u8(low_table, low[vector]),
                    vqtbl1q_u8(high_table, high[vector]),
                );
                sums[row][vector] = veorq_u8(sums[row][vector], product);
            }
        }
    }
    for (output, sums) in outputs.iter_mut().zip(sums) {
        for (vector, sum) in sums.into_iter().enumerate() {
            // SAFETY: the caller promised that these bytes are within the output.
            unsafe { vst1q_u8(output.as_mut_ptr().add(at + vector * LANE), sum) };
        }
    }
}

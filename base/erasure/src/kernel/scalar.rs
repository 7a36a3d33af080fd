//! Byte by byte, by nibble tables: the fallback, and the tail of the shorter vector kernels.

use std::ops::Range;

use super::nibbles::Nibbles;

/// Computes the bytes `range` of the outputs.
///
/// `tables`: `inputs x outputs`. Each slice holds `range`.
pub(super) fn group(
    tables: &[Nibbles],
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: Range<usize>,
) {
    let count = outputs.len();
    for (number, output) in outputs.iter_mut().enumerate() {
        let Some(output) = output.get_mut(range.clone()) else { continue };
        output.fill(0);
        let own_tables = tables.iter().skip(number).step_by(count);
        for (input, table) in inputs.iter().zip(own_tables) {
            let input = input.get(range.clone()).unwrap_or_default();
            for (sum, &byte) in output.iter_mut().zip(input) {
                *sum ^= table.mul(byte);
            }
        }
    }
}

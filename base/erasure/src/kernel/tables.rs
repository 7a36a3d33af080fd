//! Coefficients in the forms the kernels use.

use crate::field::mul;

/// The products of one coefficient with the 16 low and the 16 high nibbles.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Nibbles {
    /// `low[n]` = coefficient * n.
    pub(super) low: [u8; 16],
    /// `high[n]` = coefficient * 16n.
    pub(super) high: [u8; 16],
}

impl Nibbles {
    /// The tables of a coefficient.
    pub(super) fn of(coefficient: u8) -> Self {
        let mut tables = Self { low: [0; 16], high: [0; 16] };
        for (nibble, (low, high)) in (0u8..).zip(tables.low.iter_mut().zip(&mut tables.high)) {
            *low = mul(coefficient, nibble);
            *high = mul(coefficient, nibble << 4);
        }
        tables
    }

    /// The product of the coefficient with a byte.
    #[expect(clippy::indexing_slicing, reason = "a nibble is below 16")]
    #[inline]
    pub(super) fn mul(&self, byte: u8) -> u8 {
        self.low[usize::from(byte & 15)] ^ self.high[usize::from(byte >> 4)]
    }
}

/// Multiplication by `coefficient` as the 8 x 8 bit matrix of the instruction GF2P8AFFINEQB.
///
/// Byte `7 - i` of the matrix holds the row of result bit `i`; its bit `b` is set when x^b times the
/// coefficient has bit `i`.
pub(super) fn bit_matrix(coefficient: u8) -> u64 {
    let mut rows = [0u8; 8];
    for bit in 0..8 {
        let column = mul(coefficient, 1 << bit);
        for (result_bit, row) in rows.iter_mut().rev().enumerate() {
            *row |= (column >> result_bit & 1) << bit;
        }
    }
    u64::from_le_bytes(rows)
}

/// A group of four outputs in which each block of four inputs has the coefficients `a[row ^ column]`.
///
/// The Cauchy matrix `1 / (i ^ j)` is made of such blocks wherever `i` and `j` run over whole fours, so
/// the encoder of 16+4, 20+4, 16+20 or 100+20 is. Such a block is two nested 2 x 2 blocks
/// `[p q; q p]`, and `p x + q y`, `q x + p y` are `(p + q) x + e`, `(p + q) y + e` with
/// `e = q (x + y)`: three products for four. Nested, nine products do the work of sixteen, with only
/// four different coefficients.
#[derive(Debug, Clone)]
pub(super) struct Dyadic {
    /// Per block of four inputs the bit matrices of `a0+a1+a2+a3`, `a1+a3`, `a2+a3`, `a3`.
    pub(super) blocks: Vec<[u64; 4]>,
}

impl Dyadic {
    /// The structure, if `rows` (`outputs x inputs` coefficients) have it.
    pub(super) fn find(inputs: usize, rows: &[Vec<u8>]) -> Option<Self> {
        let [first, ..] = rows else { return None };
        if rows.len() != 4 || !inputs.is_multiple_of(4) {
            return None;
        }
        let blocks: Vec<[u8; 4]> = first.as_chunks().0.to_vec();
        for (number, row) in rows.iter().enumerate() {
            for (block, expected) in row.as_chunks::<4>().0.iter().zip(&blocks) {
                let dyadic =
                    (0..4).all(|column| block.get(column) == expected.get(number ^ column));
                if !dyadic {
                    return None;
                }
            }
        }
        let products = |[a0, a1, a2, a3]: [u8; 4]| [a0 ^ a1 ^ a2 ^ a3, a1 ^ a3, a2 ^ a3, a3];
        let blocks = blocks.into_iter().map(|block| products(block).map(bit_matrix)).collect();
        Some(Self { blocks })
    }
}

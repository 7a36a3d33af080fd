//! Coefficients as bit matrices, for the kernels that multiply by GF2P8AFFINEQB.

use crate::field::mul;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::interpolate::coefficients;
    use crate::kernel::Kernel;
    use crate::kernel::tests::check;

    proptest! {
        #[test]
        fn blocks_of_four_are_found_only_where_they_are(
            blocks in prop::collection::vec(any::<[u8; 4]>(), 1..6), flaw in 1u8.., at: prop::sample::Index,
        ) {
            let inputs = blocks.len() * 4;
            let mut rows: Vec<Vec<u8>> = (0..4)
                .map(|row| (0..inputs).map(|input| blocks[input / 4][row ^ (input % 4)]).collect())
                .collect();
            prop_assert!(Dyadic::find(inputs, &rows).is_some());
            check(Kernel::best(), &rows, 200, 1, 6);
            let place = at.index(4 * inputs);
            rows[place / inputs][place % inputs] ^= flaw;
            prop_assert!(Dyadic::find(inputs, &rows).is_none());
        }
    }

    #[test]
    fn encoders_of_the_profiles_have_blocks_of_four() {
        for (data, parity, blocks) in [(16, 4, 1), (20, 4, 1), (100, 20, 5), (16, 20, 5), (8, 2, 0)]
        {
            let given: Vec<u8> = (0..data).collect();
            let wanted: Vec<u8> = (data..data + parity).collect();
            let rows = coefficients(data, &given, &wanted);
            let found = rows
                .chunks(4)
                .filter(|rows| Dyadic::find(usize::from(data), rows).is_some())
                .count();
            assert_eq!(found, blocks, "{data}+{parity}");
        }
    }
}

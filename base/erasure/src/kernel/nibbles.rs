//! Coefficients as nibble tables, for the kernels that look products up.

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

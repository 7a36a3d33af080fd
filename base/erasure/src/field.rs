//! Arithmetic of GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D), whose generator is x (2).

/// The low byte of the field polynomial 0x11D: what x^8 reduces to.
const REDUCTION: u8 = 0x1D;

/// Non-zero elements of the field: the order of the generator.
const ORDER: usize = 255;

/// Powers of the generator, twice over, so that a sum of two logarithms needs no reduction.
const EXP: [u8; 2 * ORDER] = exp_table();

/// Logarithms to the base of the generator; the entry of 0 is not used.
const LOG: [u8; 256] = log_table();

/// `x * a`.
const fn double(a: u8) -> u8 {
    let reduction = if a & 0x80 == 0 { 0 } else { REDUCTION };
    (a << 1) ^ reduction
}

#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "checked when compiled"
)]
const fn exp_table() -> [u8; 2 * ORDER] {
    let mut table = [0; 2 * ORDER];
    let mut power = 1;
    let mut exponent = 0;
    while exponent < table.len() {
        table[exponent] = power;
        power = double(power);
        exponent += 1;
    }
    table
}

#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "checked when compiled; exponents are below 255"
)]
const fn log_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut exponent = 0;
    while exponent < ORDER {
        table[EXP[exponent] as usize] = exponent as u8;
        exponent += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "the table has an entry for each byte")]
fn log(a: u8) -> usize {
    usize::from(LOG[usize::from(a)])
}

/// The product of two elements.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "two logarithms are at most 254 each, the table has 510 entries"
)]
pub(crate) fn mul(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 { 0 } else { EXP[log(a) + log(b)] }
}

/// The quotient of two elements.
///
/// `b` must not be 0, which has no inverse; the answer would be meaningless.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "two logarithms are at most 254 each, the table has 510 entries"
)]
pub(crate) fn div(a: u8, b: u8) -> u8 {
    debug_assert_ne!(b, 0, "division by zero");
    if a == 0 { 0 } else { EXP[log(a) + ORDER - log(b)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: multiply polynomials, reduce by 0x11D.
    fn schoolbook(a: u8, b: u8) -> u8 {
        let mut product =
            (0..8).filter(|bit| b >> bit & 1 == 1).fold(0u16, |sum, bit| sum ^ u16::from(a) << bit);
        for bit in (8..16).rev() {
            if product >> bit & 1 == 1 {
                product ^= 0x11D << (bit - 8);
            }
        }
        product as u8
    }

    #[test]
    fn products_follow_the_definition() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(mul(a, b), schoolbook(a, b), "{a} * {b}");
            }
        }
    }

    #[test]
    fn division_undoes_multiplication() {
        for a in 0..=255 {
            for b in 1..=255 {
                assert_eq!(div(mul(a, b), b), a, "{a} * {b} / {b}");
            }
        }
    }
}

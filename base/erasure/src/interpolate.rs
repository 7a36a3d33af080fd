//! The coefficients that compute any shard from any `data` others.
//!
//! Parity shard `i` (`data <= i < shards`) is the sum of `d_j / (i + j)` over the data shards `j`: the
//! Cauchy matrix over the points 0..shards of GF(2^8). Put over one denominator, that sum is
//! `N(i) / Z(i)` with `Z(x) = prod (x + j)` and `N` a polynomial of degree below `data`; at a data point
//! `N(j) = d_j * prod' (j + j')`. So every shard, data or parity, is `w_i * N(i)` with
//! `w_i = 1 / prod (i + j)` over the data points `j != i`, and Lagrange's formula gives any shard `t`
//! from any `data` given ones: the coefficient of given shard `s` is
//!
//! ```text
//! (w_t / w_s) * prod (t + s') / (s + s')      over the given s' != s
//! ```
//!
//! No matrix is inverted, so nothing can be singular; and encoding is the case "all data given".

use crate::field::{div, mul};

/// The coefficients by which `given` shards are multiplied and summed to give each of `wanted`.
///
/// `data`: data shards of the code. `given`: `data` distinct shard indices. `wanted`: indices not among
/// `given`. Returns `wanted x given` coefficients, one row per wanted shard.
pub(crate) fn coefficients(data: u8, given: &[u8], wanted: &[u8]) -> Vec<Vec<u8>> {
    let inputs: Vec<(u8, u8)> = given
        .iter()
        .map(|&s| (s, mul(distance(s, 0..data), div(1, distance(s, given.iter().copied())))))
        .collect();
    wanted
        .iter()
        .map(|&t| {
            let scale = div(distance(t, given.iter().copied()), distance(t, 0..data));
            inputs.iter().map(|&(s, factor)| div(mul(scale, factor), t ^ s)).collect()
        })
        .collect()
}

/// The product of `point + other` over all `others` but the point itself; never 0.
fn distance(point: u8, others: impl Iterator<Item = u8>) -> u8 {
    others.filter(|&other| other != point).fold(1, |product, other| mul(product, point ^ other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_is_the_cauchy_matrix() {
        let data: Vec<u8> = (0..16).collect();
        let parity: Vec<u8> = (16..20).collect();
        for (i, row) in (16..).zip(coefficients(16, &data, &parity)) {
            for (j, coefficient) in (0..16).zip(row) {
                assert_eq!(mul(coefficient, i ^ j), 1, "row {i}, column {j}");
            }
        }
    }
}

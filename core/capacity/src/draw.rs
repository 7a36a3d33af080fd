//! Numbers drawn from digests, the same everywhere.

use acre_crypto::Hasher;
use acre_types::Digest;

/// A number below `end` out of 64 pseudo-random bits. The bias is below `end / 2^64`.
pub(crate) fn below(bits: u64, end: u64) -> u64 {
    let product = u128::from(bits).wrapping_mul(u128::from(end));
    u64::try_from(product >> 64).unwrap_or(u64::MAX)
}

/// The `index`-th 64 pseudo-random bits of `seed` for one use.
pub(crate) fn bits(context: &'static str, seed: &Digest, index: u64) -> u64 {
    let digest = Hasher::new(context).update(&seed.0).update(&index.to_le_bytes()).finish();
    first_bits(&digest.0)
}

/// The first 64 bits.
pub(crate) fn first_bits(bytes: &[u8; 32]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk::<8>().expect("32 bytes have eight"))
}

/// The next 64 bits.
pub(crate) fn second_bits(bytes: &[u8; 32]) -> u64 {
    let (_, rest) = bytes.split_first_chunk::<8>().expect("32 bytes have eight");
    u64::from_le_bytes(*rest.first_chunk::<8>().expect("24 bytes have eight"))
}

//! The cheap hash of the last 8 bytes, for a block of positions at once.
//!
//! `h[i] = sum over j < 8 of t(b[i - j]) * P^j mod 2^16`, with `t` quadratic in the byte so that it
//! is not a mere sum. Three doublings compute it: `h2[i] = t[i] + P t[i-1]`,
//! `h4[i] = h2[i] + P^2 h2[i-2]`, `h8[i] = h4[i] + P^4 h4[i-4]`. There is no dependency from one
//! position to the next, so the compiler makes vector code of it; the same source is compiled a
//! second time for AVX2. Lanes are 16 bits wide because every instruction set multiplies those.
#![expect(clippy::indexing_slicing, reason = "fixed arrays with constant bounds, in the hot loop")]
#![expect(clippy::arithmetic_side_effects, reason = "indices below 264; hashes wrap explicitly")]

/// Positions hashed at once.
pub(super) const BLOCK: usize = 256;
/// Positions that share one flag.
pub(super) const GROUP: usize = 32;
/// Bytes needed before the first position. (The oldest is loaded and not used.)
pub(super) const LOOK_BACK: usize = 8;

/// Bits of the cheap hash that must be zero: one position in 1024 is looked at closer.
const MASK: u16 = 0xFFC0;
const P: u16 = 0x6F4D;
const P2: u16 = P.wrapping_mul(P);
const P4: u16 = P2.wrapping_mul(P2);
const LOADED: usize = BLOCK + LOOK_BACK;

/// Which compilation of the loop runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// For any processor.
    Portable,
    /// For x86-64 with AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
}

/// Proof that the processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Avx2(());

impl Kernel {
    /// The fastest on this processor. All give the same hashes.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Self::Avx2(Avx2(()));
        }
        Self::Portable
    }

    /// Hashes at `BLOCK` positions, the first of which is byte `LOOK_BACK` of `bytes`. Bit `g` of
    /// the answer is set if any of group `g` is a candidate.
    #[inline]
    pub(super) fn scan(self, bytes: &[u8; LOADED], hashes: &mut [u16; BLOCK]) -> u8 {
        match self {
            Self::Portable => scan(bytes, hashes),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(Avx2(())) => scan_with_avx2(bytes, hashes),
        }
    }
}

/// Whether a hash is one in 1024.
pub(super) const fn is_candidate(hash: u16) -> bool {
    hash & MASK == 0
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[expect(unsafe_code, reason = "enters code compiled for AVX2")]
fn scan_with_avx2(bytes: &[u8; LOADED], hashes: &mut [u16; BLOCK]) -> u8 {
    #[target_feature(enable = "avx2")]
    fn inner(bytes: &[u8; LOADED], hashes: &mut [u16; BLOCK]) -> u8 {
        scan(bytes, hashes)
    }
    // SAFETY: only called with an `Avx2`, which is only made where AVX2 was detected.
    unsafe { inner(bytes, hashes) }
}

#[inline(always)]
fn scan(bytes: &[u8; LOADED], hashes: &mut [u16; BLOCK]) -> u8 {
    let mut a = [0_u16; LOADED];
    for i in 0..LOADED {
        let byte = u16::from(bytes[i]);
        a[i] = byte.wrapping_mul(0x9E35).wrapping_add(0x3C6F).wrapping_mul(byte ^ 0x02A7);
    }
    let mut b = [0_u16; LOADED];
    for i in 0..LOADED - 1 {
        b[i] = a[i + 1].wrapping_add(a[i].wrapping_mul(P));
    }
    for i in 0..LOADED - 3 {
        a[i] = b[i + 2].wrapping_add(b[i].wrapping_mul(P2));
    }
    // a[i] now covers bytes i..i+4; position 0 of the block is byte LOOK_BACK.
    for i in 0..BLOCK {
        hashes[i] = a[i + 5].wrapping_add(a[i + 1].wrapping_mul(P4));
    }
    let mut flags = 0;
    for group in 0..BLOCK / GROUP {
        let mut any = 0_u16;
        for i in 0..GROUP {
            any |= u16::from(is_candidate(hashes[group * GROUP + i]));
        }
        flags |= u8::from(any != 0) << group;
    }
    flags
}

/// The hash at byte `newest`, as the module header defines it.
#[cfg(test)]
pub(super) fn by_definition(bytes: &[u8], newest: usize) -> u16 {
    let term = |at: usize| {
        let byte = u16::from(bytes[at]);
        byte.wrapping_mul(0x9E35).wrapping_add(0x3C6F).wrapping_mul(byte ^ 0x02A7)
    };
    (0..8_u32).fold(0_u16, |sum, j| {
        sum.wrapping_add(term(newest - j as usize).wrapping_mul(P.wrapping_pow(j)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random_bytes;

    #[test]
    fn every_kernel_gives_the_hash_by_definition() {
        for seed in 0..20 {
            let bytes: [u8; LOADED] = random_bytes(seed, LOADED).try_into().unwrap();
            for kernel in [Kernel::Portable, Kernel::best()] {
                let mut hashes = [0; BLOCK];
                let flags = kernel.scan(&bytes, &mut hashes);
                for (position, hash) in hashes.iter().enumerate() {
                    let newest = position + LOOK_BACK;
                    let wanted = by_definition(&bytes, newest);
                    assert_eq!(*hash, wanted, "{kernel:?} seed {seed} at {position}");
                    if is_candidate(wanted) {
                        assert!(flags & (1 << (position / GROUP)) != 0);
                    }
                }
            }
        }
    }
}

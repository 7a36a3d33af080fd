//! Seeded mutations: the same everywhere, for an ordinary test.

/// Lengths and counts that decoders trip over.
const MAGIC: [u32; 10] = [0, 1, 255, 256, 1024, 65_535, 65_536, 1 << 22, u32::MAX - 1, u32::MAX];

/// A stream of mutants.
pub struct Mutator(u64);

impl Mutator {
    /// The stream of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw().checked_rem(end as u64).unwrap_or(0)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.draw().to_le_bytes()[0]
    }

    /// One of `corpus` with up to six changes; at most 64 KiB.
    #[must_use]
    pub fn mutant(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus.get(self.below(corpus.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(9) {
                0 => self.change(&mut bytes, at, |old, new| old ^ (1 << (new % 8))),
                1 => self.change(&mut bytes, at, |_, new| new),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.byte()),
                4 => {
                    let end = (at + self.below(16)).min(bytes.len());
                    bytes.drain(at..end);
                }
                5 => {
                    let magic = MAGIC[self.below(MAGIC.len())].to_le_bytes();
                    let end = (at + 4).min(bytes.len());
                    bytes.splice(at..end, magic);
                }
                6 => {
                    let end = (at + self.below(64)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, copy);
                }
                7 => {
                    let other = corpus.get(self.below(corpus.len())).cloned().unwrap_or_default();
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                _ => {
                    let count = self.below(8);
                    bytes.extend((0..count).map(|_| self.byte()).collect::<Vec<_>>());
                }
            }
        }
        bytes.truncate(1 << 16);
        bytes
    }

    fn change(&mut self, bytes: &mut [u8], at: usize, how: impl Fn(u8, u8) -> u8) {
        let new = self.byte();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = how(*byte, new);
        }
    }
}

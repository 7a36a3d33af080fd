//! The memory of a stripe: one page-aligned block, shards one after the other, as slices of a pack lie.

/// A stripe's shards, data first, and as many spare buffers as there are parities.
pub struct Stripe {
    memory: Vec<u8>,
    start: usize,
    cell: usize,
    count: usize,
}

impl Stripe {
    /// `count` cells of noise.
    pub fn new(count: usize, cell: usize) -> Self {
        const PAGE: usize = 4096;
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let memory: Vec<u8> = (0..count * cell + 2 * PAGE)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[5]
            })
            .collect();
        let start = memory.as_ptr().align_offset(PAGE) + std::env::var("OFF").map_or(0, |v| v.parse().unwrap());
        Self { memory, start, cell, count }
    }

    /// The cells in order.
    pub fn cells(&mut self) -> Vec<&mut [u8]> {
        let end = self.start + self.count * self.cell;
        self.memory[self.start..end].chunks_exact_mut(self.cell).collect()
    }
}

//! The memory of a stripe: one block, shards one after the other, as slices of a pack lie.

/// Where a stripe begins.
#[derive(Clone, Copy)]
pub enum Layout {
    /// On a page.
    Page,
    /// 16 bytes past a page, as the system's allocator lays out large buffers.
    Allocator,
}

/// A stripe's shards, data first.
pub struct Stripe {
    memory: Vec<u8>,
    start: usize,
    cell: usize,
    count: usize,
}

impl Stripe {
    /// `count` cells of `cell` bytes of noise.
    pub fn new(count: usize, cell: usize, layout: Layout) -> Self {
        const PAGE: usize = 4096;
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let memory: Vec<u8> = (0..count * cell + PAGE + 16)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[5]
            })
            .collect();
        let start = memory.as_ptr().align_offset(PAGE)
            + match layout {
                Layout::Page => 0,
                Layout::Allocator => 16,
            };
        Self { memory, start, cell, count }
    }

    /// The cells in order.
    pub fn cells(&mut self) -> Vec<&mut [u8]> {
        let end = self.start + self.count * self.cell;
        self.memory[self.start..end].chunks_exact_mut(self.cell).collect()
    }
}

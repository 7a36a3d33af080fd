//! A buffer that a stream is read into and chunks are taken from.

use super::{Chunker, Input};

/// Bytes read ahead beside the longest chunk: fits the second-level cache together with it.
const READ_AHEAD: usize = 1024 * 1024;

/// Cuts a stream that comes in pieces of any size; holds at most one read-ahead and one chunk.
///
/// ```
/// use acre_store::chunk::{Chunker, Input, Splitter};
///
/// let mut splitter = Splitter::new(Chunker::fixed(4));
/// let mut stream: &[u8] = b"some text";
/// let mut chunks = Vec::new();
/// loop {
///     let read = std::io::Read::read(&mut stream, splitter.space()).unwrap_or(0);
///     splitter.filled(read);
///     let input = if read == 0 { Input::Last } else { Input::More };
///     while let Some(chunk) = splitter.next_chunk(input) {
///         chunks.push(chunk.to_vec());
///     }
///     if read == 0 {
///         break;
///     }
/// }
/// assert_eq!(chunks, [b"some".to_vec(), b" tex".to_vec(), b"t".to_vec()]);
/// ```
#[derive(Debug)]
pub struct Splitter {
    chunker: Chunker,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Splitter {
    /// An empty buffer for `chunker`.
    #[must_use]
    pub fn new(chunker: Chunker) -> Self {
        let bytes = chunker.chunk_bytes_max().saturating_add(READ_AHEAD);
        Self { chunker, buffer: vec![0; bytes], start: 0, end: 0 }
    }

    /// Where to read to. Never empty once [`Splitter::next_chunk`] gave `None`.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Tells how many bytes of [`Splitter::space`] were read.
    pub fn filled(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(self.buffer.len());
    }

    /// The next chunk, or `None` if more must be read first or, with [`Input::Last`], all was
    /// given out.
    pub fn next_chunk(&mut self, input: Input) -> Option<&[u8]> {
        let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
        let length = self.chunker.cut(rest, input)?;
        let start = self.start;
        self.start = start.saturating_add(length);
        self.buffer.get(start..self.start)
    }
}

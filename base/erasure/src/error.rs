//! What can be wrong with a call.

use crate::Kernel;

/// The result of this crate's calls.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call was refused; nothing was written to any output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The code needs at least one shard of either kind and at most [`SHARDS_MAX`](crate::SHARDS_MAX).
    #[error(
        "no code of {data} data and {parity} parity shards: each must be 1 or more, 255 together"
    )]
    Shape {
        /// Data shards asked for.
        data: usize,
        /// Parity shards asked for.
        parity: usize,
    },
    /// Fewer shards were given than the code needs: the stripe cannot be recovered from them.
    #[error("{given} shards given, {needed} needed to recover the rest")]
    TooFewShards {
        /// Data shards of the code.
        needed: usize,
        /// Shards given.
        given: usize,
    },
    /// More shards were given than are used; the caller chooses which.
    #[error("{given} shards given, exactly {needed} are used")]
    TooManyShards {
        /// Data shards of the code.
        needed: usize,
        /// Shards given.
        given: usize,
    },
    /// The number of input slices is not that of the code or plan.
    #[error("{given} input slices given, expected {expected}")]
    InputCount {
        /// Slices expected.
        expected: usize,
        /// Slices given.
        given: usize,
    },
    /// The number of output slices is not that of the code or plan.
    #[error("{given} output slices given, expected {expected}")]
    OutputCount {
        /// Slices expected.
        expected: usize,
        /// Slices given.
        given: usize,
    },
    /// One slice is not as long as the first input.
    #[error("a slice of {given} bytes among slices of {expected} bytes")]
    UnequalLengths {
        /// Bytes of the first input.
        expected: usize,
        /// Bytes of the slice that differs.
        given: usize,
    },
    /// A shard index is not below the number of shards.
    #[error("shard index {index} in a code of {shards} shards")]
    IndexOutOfRange {
        /// The index.
        index: usize,
        /// Shards of the code.
        shards: usize,
    },
    /// A shard is given twice, wanted twice, or given and wanted.
    #[error("shard index {index} named twice")]
    DuplicateIndex {
        /// The index.
        index: usize,
    },
    /// This processor lacks the instructions of the kernel asked for.
    #[error("kernel {kernel} does not run on this processor")]
    KernelUnavailable {
        /// The kernel.
        kernel: Kernel,
    },
}

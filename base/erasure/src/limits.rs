//! The limits of this crate, each with its reason.

/// Most shards (data and parity together) of one code.
///
/// GF(2^8) has room for 256 evaluation points; 255 keeps every count, not only every index, in a byte.
pub const SHARDS_MAX: usize = 255;

/// Most bytes of each shard worked on before going to the next column.
///
/// A 16+4 stripe of such columns (1.25 MiB) stays in the level 2 cache of today's servers.
pub(crate) const COLUMN_BYTES_MAX: usize = 64 * 1024;

/// Fewest bytes of each shard in a column: below this the bookkeeping of a column shows.
pub(crate) const COLUMN_BYTES_MIN: usize = 1024;

/// Bytes of all shards of one column together, where the inputs are read more than once.
pub(crate) const COLUMN_SET_BYTES: usize = 512 * 1024;

/// Columns start at multiples of this, so that only the last one has a tail.
pub(crate) const COLUMN_ALIGN: usize = 256;

const _: () = assert!(SHARDS_MAX < 256, "an index must fit a byte");
const _: () = assert!(COLUMN_BYTES_MAX.is_multiple_of(COLUMN_ALIGN));
const _: () = assert!(COLUMN_BYTES_MIN.is_multiple_of(COLUMN_ALIGN));
const _: () = assert!(COLUMN_BYTES_MIN * SHARDS_MAX <= COLUMN_SET_BYTES);

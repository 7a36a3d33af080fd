//! Every limit of the proofs of capacity, each once, with its reason.

/// Bytes of a label: the output of one BLAKE3 compression. A longer one made from a 32-byte state
/// could be stored as that state.
pub const LABEL_BYTES: usize = 32;
/// Bytes of a leaf that is opened: the chunk of BLAKE3, the smallest thing its tree can prove.
pub const LEAF_BYTES: usize = blake3::CHUNK_LEN;
/// Leaves of a region under one stored node: with 16 the stored part of the tree is 0.4 % of the
/// data, and an answer reads 16 KiB.
pub const GROUP_LEAVES: usize = 16;
/// Bytes of such a group.
pub const GROUP_BYTES: usize = GROUP_LEAVES * LEAF_BYTES;
/// Smallest region of a plot (tests use it).
pub const REGION_BYTES_MIN: u32 = 2 * GROUP_BYTES as u32;
/// Largest region. It is held in memory while it is made and when a witness makes it again.
pub const REGION_BYTES_MAX: u32 = 1 << 30;
/// Most layers of a plot: past four a cheat gains next to nothing (docs/protocols/witnesses.md).
pub const LAYERS_MAX: u8 = 8;
/// Most nodes on a path in BLAKE3's tree: bodies of up to 4 TiB.
pub const TREE_DEPTH_MAX: usize = 32;

/// Most items of an index: 256 TiB of shards of 256 KiB. Its paths have at most 30 steps.
pub const ITEMS_MAX: usize = 1 << 30;
/// Most steps of a path in an index.
pub const INDEX_DEPTH_MAX: usize = 30;
/// Largest header of a shard in an opening: that of 255 shards has less than 8.4 KiB.
pub const HEADER_BYTES_MAX: usize = 12 * 1024;
/// Most samples of one request. With the largest headers and the deepest paths an answer of 16 has
/// less than 300 KiB.
pub const SAMPLES_MAX: usize = 16;

const _: () = assert!(LEAF_BYTES.is_multiple_of(LABEL_BYTES));
const _: () = assert!(REGION_BYTES_MIN.is_power_of_two() && REGION_BYTES_MAX.is_power_of_two());
const _: () = assert!(GROUP_LEAVES.is_power_of_two());
const _: () = assert!(ITEMS_MAX == 1 << INDEX_DEPTH_MAX);

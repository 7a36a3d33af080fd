//! Every limit of the proofs of capacity, each once, with its reason.

use std::num::{NonZeroU64, NonZeroUsize};

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
pub const REGION_BYTES_MIN: u32 = 32 * 1024;
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

/// Largest encoded question: tasks and nonces have less than 200 bytes.
pub const ASK_BYTES_MAX: usize = 1024;
/// Largest encoded answer; what does not fit is refused unread.
pub const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// Most lanes of a puzzle: one a core.
pub const LANES_MAX: u16 = 1024;
/// Smallest memory of a lane (tests use it).
pub const LANE_BYTES_MIN: u32 = REGION_BYTES_MIN;
/// Largest memory of a lane.
pub const LANE_BYTES_MAX: u32 = 1 << 30;
/// Most steps of a lane's walk: its checkpoints then take 4 MiB.
pub const WALK_STEPS_MAX: u32 = 1 << 20;
/// Steps between two checkpoints of a walk: what a witness repeats for one probe.
pub const WALK_STRIDE: u32 = 8;
/// Most probes of one answer: each has about 30 KiB.
pub const PROBES_MAX: usize = 8;

/// Most steps of a chase: its states then take 2 MiB.
pub const CHASE_STEPS_MAX: u32 = 1 << 16;
/// Most probes of a chase: each has less than 9 KiB, as headers are left out.
pub const CHASE_PROBES_MAX: usize = 32;

/// Most nodes that one witness has to do with in an epoch.
pub const DUTIES_MAX: usize = 16;
/// Most visits to one node in an epoch.
pub const VISITS_MAX: u8 = 32;

/// [`LEAF_BYTES`] to divide by.
pub(crate) const LEAF: NonZeroU64 = NonZeroU64::new(LEAF_BYTES as u64).expect("1024 is not zero");
/// [`GROUP_BYTES`] to divide by.
pub(crate) const GROUP: NonZeroU64 =
    NonZeroU64::new(GROUP_BYTES as u64).expect("16384 is not zero");
/// The same for places in memory.
pub(crate) const LEAF_SIZE: NonZeroUsize = NonZeroUsize::new(LEAF_BYTES).expect("1024 is not zero");
/// The same for places in memory.
pub(crate) const GROUP_SIZE: NonZeroUsize =
    NonZeroUsize::new(GROUP_BYTES).expect("16384 is not zero");
/// [`LABEL_BYTES`] to divide by.
pub(crate) const LABEL: NonZeroUsize = NonZeroUsize::new(LABEL_BYTES).expect("32 is not zero");

const _: () = assert!(LEAF_BYTES.is_multiple_of(LABEL_BYTES));
const _: () = assert!(REGION_BYTES_MIN as usize == 2 * GROUP_BYTES);
const _: () = assert!(REGION_BYTES_MIN.is_power_of_two() && REGION_BYTES_MAX.is_power_of_two());
const _: () = assert!(GROUP_LEAVES.is_power_of_two());
const _: () = assert!(LANE_BYTES_MIN.is_power_of_two() && LANE_BYTES_MAX.is_power_of_two());
const _: () = assert!(WALK_STEPS_MAX.is_multiple_of(WALK_STRIDE));
const _: () = assert!(SAMPLES_MAX * (HEADER_BYTES_MAX + 8 * 1024) <= ANSWER_BYTES_MAX);
const _: () = assert!(PROBES_MAX * 40 * 1024 <= ANSWER_BYTES_MAX);
const _: () = assert!(CHASE_PROBES_MAX * 9 * 1024 <= ANSWER_BYTES_MAX);
const _: () = assert!(CHASE_STEPS_MAX.is_multiple_of(8));
const _: () = assert!(ITEMS_MAX == 1 << INDEX_DEPTH_MAX);

//! Every limit of the storage formats, each once, with its reason.

use acre_types::Profile;

/// Largest shard body. 256 KiB keeps a 16+4 pack at 4 MiB: large enough that one request a shard
/// costs little beside its bytes, small enough that twenty of them fit any home's memory.
pub const SHARD_BYTES_MAX: u32 = 256 * 1024;
/// Largest shard body of a metadata pack. A metadata pack is only readable whole (all-or-nothing),
/// so a single look-up moves k of these: 64 KiB makes that 1 MiB at 16+4.
pub const META_SHARD_BYTES_MAX: u32 = 64 * 1024;
/// Shard bodies are a multiple of this: one cache line and one AVX-512 register.
pub const SHARD_ALIGN: u32 = 64;
/// Most shards a pack can have: all positions of GF(2^8) but one.
pub const SHARDS_MAX: usize = 255;

/// Largest codec part of one message of the shard protocol.
pub const MESSAGE_META_BYTES_MAX: usize = 64 * 1024;
/// Packs one `Locate` may ask for: 16 KiB of ids.
pub const LOCATE_PACKS_MAX: usize = 1024;
/// Shards one `Located` or one page of `List` may name: 51 KiB, below the message limit.
pub const SHARD_IDS_MAX: usize = 3072;
/// Packs one `Delete` may name.
pub const DELETE_PACKS_MAX: usize = 1024;
/// Largest sealed root inside a head.
pub const SEALED_ROOT_BYTES_MAX: usize = 1024;

/// Shortest content-defined chunk, but for the last of a file. A quarter of the average: shorter
/// ones cost more in references than they gain in finding repetitions.
pub const CHUNK_BYTES_MIN: usize = 16 * 1024;
/// Average content-defined chunk: 1 MiB finds next to no repetition after scattered edits
/// (research), and less than this makes the metadata grow.
pub const CHUNK_BYTES_AVERAGE: usize = 64 * 1024;
/// Longest content-defined chunk; even the smallest pack (2 x 256 KiB) holds one.
pub const CHUNK_BYTES_MAX: usize = 256 * 1024;
/// Longest chunk of a stream cut at fixed lengths, where the pack is large enough.
pub const FIXED_CHUNK_BYTES_MAX: usize = 1024 * 1024;

/// Largest node of the metadata tree before compression. At most sixteen fill a metadata pack of
/// 16+4, which a look-up must read as a whole.
pub const NODE_BYTES_MAX: usize = 64 * 1024;
/// A node is split before it grows past this; the room up to [`NODE_BYTES_MAX`] is for the item
/// that makes it overflow.
pub const NODE_BYTES_FULL: usize = 48 * 1024;
/// A node that an edit leaves shorter than this is joined with a neighbour.
pub const NODE_BYTES_LOW: usize = 12 * 1024;
/// Most items of a node. The smallest child reference has more than 60 bytes and the smallest
/// entry more than 20, so bytes run out first.
pub const NODE_ITEMS_MAX: usize = 4096;
/// Levels of inner nodes. With at least two children each this is past any count of entries.
pub const LEVELS_MAX: u8 = 12;

/// Longest name, as in Linux.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest target of a symbolic link, as in Linux.
pub const TARGET_BYTES_MAX: usize = 4095;
/// Names in a path. Deeper than any sane tree, shallow enough to recurse on any stack.
pub const PATH_NAMES_MAX: usize = 256;
/// A file up to this long stands in its entry: below it the reference of a chunk in a pack (about
/// 100 bytes), its seal and the share of a request cost more than the bytes themselves.
pub const INLINE_BYTES_MAX: usize = 512;
/// Chunks that an entry names itself; a longer list goes to pages. 128 chunks are about 8 MiB of
/// file and 1.5 KiB of entry.
pub const ENTRY_CHUNKS_MAX: usize = 128;
/// Pieces (runs and holes) that an entry names itself: at most 3 KiB.
pub const ENTRY_PIECES_MAX: usize = 32;
/// Chunks in one run: a 4 MiB pack holds 256 of the shortest; whole small files may be shorter.
pub const RUN_CHUNKS_MAX: usize = 1024;
/// Most bytes that a file may have: what a signed 64-bit offset of an operating system can tell.
pub const FILE_BYTES_MAX: u64 = i64::MAX as u64;

const _: () = assert!(CHUNK_BYTES_MIN < CHUNK_BYTES_AVERAGE);
const _: () = assert!(CHUNK_BYTES_AVERAGE < CHUNK_BYTES_MAX);
const _: () = assert!(CHUNK_BYTES_MAX + 64 <= 2 * SHARD_BYTES_MAX as usize);
const _: () = assert!(NODE_BYTES_MAX + 256 <= 2 * META_SHARD_BYTES_MAX as usize);
// The largest entry: a name, and either a target, or an inline file, or chunks in their runs.
const _: () = assert!(
    NAME_BYTES_MAX + TARGET_BYTES_MAX + 256 <= NODE_BYTES_MAX - NODE_BYTES_FULL
        && NAME_BYTES_MAX + ENTRY_CHUNKS_MAX * 12 + ENTRY_PIECES_MAX * 64 + 256
            <= NODE_BYTES_MAX - NODE_BYTES_FULL
);
const _: () = assert!(RUN_CHUNKS_MAX * 12 + 128 <= NODE_BYTES_MAX - NODE_BYTES_FULL);
const _: () = assert!(META_SHARD_BYTES_MAX <= SHARD_BYTES_MAX);
const _: () = assert!(SHARD_BYTES_MAX.is_multiple_of(SHARD_ALIGN));
const _: () = assert!(META_SHARD_BYTES_MAX.is_multiple_of(SHARD_ALIGN));
const _: () = assert!(SHARD_IDS_MAX * 17 + 64 <= MESSAGE_META_BYTES_MAX);
const _: () = assert!(LOCATE_PACKS_MAX * 16 + 64 <= MESSAGE_META_BYTES_MAX);
const _: () = assert!(LOCATE_PACKS_MAX <= SHARD_IDS_MAX);
const _: () = {
    // A header with all its roots fits a message, whatever the profile.
    let mut rest: &[Profile] = &Profile::ALL;
    while let [profile, others @ ..] = rest {
        assert!(profile.shards() as usize * 32 + 256 <= MESSAGE_META_BYTES_MAX);
        rest = others;
    }
};

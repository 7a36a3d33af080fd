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

const _: () = assert!(META_SHARD_BYTES_MAX <= SHARD_BYTES_MAX);
const _: () = assert!(SHARD_BYTES_MAX.is_multiple_of(SHARD_ALIGN));
const _: () = assert!(META_SHARD_BYTES_MAX.is_multiple_of(SHARD_ALIGN));
const _: () = assert!(SHARD_IDS_MAX * 17 + 64 <= MESSAGE_META_BYTES_MAX);
const _: () = assert!(LOCATE_PACKS_MAX * 16 + 64 <= MESSAGE_META_BYTES_MAX);
const _: () = assert!(LOCATE_PACKS_MAX <= SHARD_IDS_MAX);
const _: () = {
    let mut index = 0;
    while index < Profile::ALL.len() {
        // A header with all its roots fits a message.
        assert!(Profile::ALL[index].shards() as usize * 32 + 256 <= MESSAGE_META_BYTES_MAX);
        index += 1;
    }
};

//! The bytes on disk. All integers are little-endian.
//!
//! A segment `seg-<8 hex digits>.log` is one header block of 4096 bytes and then groups, each starting at a multiple of
//! 4096 and filled up with zeros to the next one. The header block holds the same 44 bytes twice, at 0 and at 2048:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic `ACRESEG1` |
//! | 8 | 4 | format version, 1 |
//! | 12 | 4 | segment number, as in the file's name |
//! | 16 | 8 | tag: a number drawn once per log |
//! | 24 | 8 | number of the first group in this segment |
//! | 32 | 8 | zero |
//! | 40 | 4 | CRC-32 of bytes 0..40 |
//!
//! A group is the records that one sync made durable; groups are numbered from 1 without gaps. Records lie one after the
//! other at multiples of 8:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | magic `ASR1` |
//! | 4 | 1 | kind: 1 put, 2 delete |
//! | 5 | 1 | key length k, 1..=47 |
//! | 6 | 2 | header length h, 0..=16384 |
//! | 8 | 4 | body length b, 0..=4 MiB |
//! | 12 | 4 | CRC-32 of bytes 0..12 and of 16 to the end of the table |
//! | 16 | 8 | group number |
//! | 24 | 4 | segment number |
//! | 28 | 4 | offset of this record in the segment |
//! | 32 | 8 | tag |
//! | 40 | k | key |
//! | 40+k | h | header |
//! | 40+k+h | 4n | table: CRC-32 of each 16 KiB block of the body, n = ceil(b / 16384) |
//! | … | b | body |
//! | … | 0..8 | zeros up to a multiple of 8 |
//!
//! Segment, offset and tag let a search after damage tell a record from a copy of one inside somebody's body: clients
//! never learn the tag.

use crate::key::Key;
use crate::limits::{
    BODY_BYTES_MAX, CHECK_BLOCK_BYTES, GROUP_ALIGN, HEADER_BYTES_MAX, KEY_BYTES_MAX, PAGE_BYTES,
    PREFIX_BYTES, RECORD_ALIGN,
};

/// Version of the layout above.
pub(crate) const VERSION: u32 = 1;
/// The header block of a segment, in bytes.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = GROUP_ALIGN;
/// First bytes of a record.
pub(crate) const RECORD_MAGIC: [u8; 4] = *b"ASR1";

const SEGMENT_MAGIC: [u8; 8] = *b"ACRESEG1";
const HEADER_COPY_BYTES: usize = 44;
const HEADER_COPIES_AT: [usize; 2] = [0, 2048];

/// What a record says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Put,
    Delete,
}

impl Kind {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Put => 1,
            Self::Delete => 2,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Put),
            2 => Some(Self::Delete),
            _ => None,
        }
    }
}

/// Sizes of a record, from which every offset inside it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub key_len: u8,
    pub header_len: u16,
    pub body_len: u32,
}

impl Shape {
    /// The shape of a record, when the parts are inside their limits.
    pub(crate) fn new(key: &Key, header: &[u8], body: &[u8]) -> Option<Self> {
        let shape = Self {
            key_len: u8::try_from(key.as_bytes().len()).ok()?,
            header_len: u16::try_from(header.len()).ok()?,
            body_len: u32::try_from(body.len()).ok()?,
        };
        shape.is_allowed().then_some(shape)
    }

    fn is_allowed(self) -> bool {
        (1..=KEY_BYTES_MAX).contains(&usize::from(self.key_len))
            && usize::from(self.header_len) <= HEADER_BYTES_MAX
            && self.body_len as usize <= BODY_BYTES_MAX
    }

    pub(crate) fn header_at(self) -> usize {
        PREFIX_BYTES + usize::from(self.key_len)
    }

    pub(crate) fn table_at(self) -> usize {
        self.header_at() + usize::from(self.header_len)
    }

    /// Bytes of fixed part, key, header and table; the body follows.
    pub(crate) fn meta_len(self) -> usize {
        self.table_at() + 4 * (self.body_len as usize).div_ceil(CHECK_BLOCK_BYTES)
    }

    /// Bytes without the padding.
    pub(crate) fn unpadded_len(self) -> usize {
        self.meta_len() + self.body_len as usize
    }

    /// Bytes on disk.
    pub(crate) fn record_len(self) -> u64 {
        (self.unpadded_len() as u64).next_multiple_of(RECORD_ALIGN)
    }
}

/// Where a record lies, which it also says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub tag: u64,
    pub segment: u32,
    pub offset: u32,
}

/// The fixed part of a record, read but not yet checked against its CRC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefix {
    pub kind: Kind,
    pub shape: Shape,
    pub group: u64,
}

/// Reads the fixed part at `place`; `None` when the bytes cannot be a record there.
pub(crate) fn decode_prefix(bytes: &[u8], place: Place) -> Option<Prefix> {
    let bytes = bytes.get(..PREFIX_BYTES)?;
    if bytes[..4] != RECORD_MAGIC
        || u32_at(bytes, 24) != place.segment
        || u32_at(bytes, 28) != place.offset
        || u64_at(bytes, 32) != place.tag
    {
        return None;
    }
    let shape = Shape {
        key_len: bytes[5],
        header_len: u16::from_le_bytes([bytes[6], bytes[7]]),
        body_len: u32_at(bytes, 8),
    };
    let kind = Kind::from_byte(bytes[4])?;
    shape.is_allowed().then_some(Prefix { kind, shape, group: u64_at(bytes, 16) })
}

/// Whether `meta` (fixed part to end of table) matches its CRC.
pub(crate) fn meta_is_intact(meta: &[u8]) -> bool {
    meta.len() > PREFIX_BYTES && meta_crc(meta) == u32_at(meta, 12)
}

/// The key in a checked `meta`.
pub(crate) fn meta_key(meta: &[u8], shape: Shape) -> Option<Key> {
    Key::new(meta.get(PREFIX_BYTES..shape.header_at())?).ok()
}

/// Whether `block` is block number `index` of the body that `meta` describes.
pub(crate) fn block_is_intact(meta: &[u8], shape: Shape, index: usize, block: &[u8]) -> bool {
    let at = shape.table_at() + 4 * index;
    at + 4 <= meta.len() && u32_at(meta, at) == crc32fast::hash(block)
}

/// The CRC table of a body, as it stands in the record.
pub(crate) fn body_table(body: &[u8]) -> Vec<u8> {
    body.chunks(CHECK_BLOCK_BYTES).flat_map(|block| crc32fast::hash(block).to_le_bytes()).collect()
}

/// Appends the metadata of a record to `out`: all of it but body and padding.
pub(crate) fn encode_meta(
    out: &mut Vec<u8>,
    place: Place,
    prefix: Prefix,
    key: &Key,
    header: &[u8],
    table: &[u8],
) {
    let start = out.len();
    out.extend_from_slice(&RECORD_MAGIC);
    out.push(prefix.kind.byte());
    out.push(prefix.shape.key_len);
    out.extend_from_slice(&prefix.shape.header_len.to_le_bytes());
    out.extend_from_slice(&prefix.shape.body_len.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&prefix.group.to_le_bytes());
    out.extend_from_slice(&place.segment.to_le_bytes());
    out.extend_from_slice(&place.offset.to_le_bytes());
    out.extend_from_slice(&place.tag.to_le_bytes());
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(header);
    out.extend_from_slice(table);
    let crc = meta_crc(&out[start..]);
    out[start + 12..start + 16].copy_from_slice(&crc.to_le_bytes());
}

fn meta_crc(meta: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&meta[..12]);
    hasher.update(&meta[16..]);
    hasher.finalize()
}

/// The head of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub segment: u32,
    pub tag: u64,
    pub first_group: u64,
}

/// What a header block turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderBlock {
    Good(SegmentHeader),
    Unknown { version: u32 },
    Damaged,
}

impl SegmentHeader {
    /// The whole header block.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(HEADER_COPY_BYTES);
        copy.extend_from_slice(&SEGMENT_MAGIC);
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&self.segment.to_le_bytes());
        copy.extend_from_slice(&self.tag.to_le_bytes());
        copy.extend_from_slice(&self.first_group.to_le_bytes());
        copy.extend_from_slice(&[0; 8]);
        copy.extend_from_slice(&crc32fast::hash(&copy).to_le_bytes());
        let mut block = vec![0; PAGE_BYTES];
        for at in HEADER_COPIES_AT {
            block[at..at + HEADER_COPY_BYTES].copy_from_slice(&copy);
        }
        block
    }

    /// Reads a header block, from whichever copy is intact.
    pub(crate) fn decode(block: &[u8], segment: u32) -> HeaderBlock {
        let copies =
            HEADER_COPIES_AT.iter().filter_map(|at| block.get(*at..at + HEADER_COPY_BYTES));
        for copy in copies {
            if copy[..8] != SEGMENT_MAGIC || u32_at(copy, 40) != crc32fast::hash(&copy[..40]) {
                continue;
            }
            let version = u32_at(copy, 8);
            if version != VERSION {
                return HeaderBlock::Unknown { version };
            }
            if u32_at(copy, 12) == segment {
                let (tag, first_group) = (u64_at(copy, 16), u64_at(copy, 24));
                return HeaderBlock::Good(Self { segment, tag, first_group });
            }
        }
        HeaderBlock::Damaged
    }
}

/// File name of a segment.
pub(crate) fn segment_name(segment: u32) -> String {
    format!("seg-{segment:08x}.log")
}

/// File name of a sealed segment's list of records.
pub(crate) fn footer_name(segment: u32) -> String {
    format!("seg-{segment:08x}.idx")
}

/// The segment number in a file name made by [`segment_name`].
pub(crate) fn parse_segment_name(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("seg-")?.strip_suffix(".log")?;
    let segment = u32::from_str_radix(digits, 16).ok()?;
    (segment_name(segment) == name).then_some(segment)
}

/// Reads 4 bytes at `at`, which the caller knows to be inside.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut own = [0; 4];
    own.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(own)
}

/// Reads 8 bytes at `at`, which the caller knows to be inside.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut own = [0; 8];
    own.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(own)
}

//! The list of a sealed segment's records, in a file beside it. It is only a cache: when it is missing, stale or damaged the
//! segment is scanned and the list written again.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic `ACREIDX1` |
//! | 8 | 4 | segment number |
//! | 12 | 4 | number of records n |
//! | 16 | 8 | length of the segment in bytes |
//! | 24 | 8 | tag of the log |
//! | 32 | 8 | last group in the segment |
//! | 40 | … | n entries: kind 1, key length k 1, header length 2, offset 4, body length 4, key k |
//! | end | 4 | CRC-32 of everything before |

use std::io::{self, IoSlice};

use crate::disk::Disk;
use crate::format::{Kind, Shape, footer_name, u32_at, u64_at};
use crate::key::Key;
use crate::limits::{KEY_BYTES_MAX, SEGMENT_RECORDS_MAX};

const MAGIC: [u8; 8] = *b"ACREIDX1";
const HEAD_BYTES: usize = 40;
const ENTRY_BYTES: usize = 12;
const FOOTER_BYTES_MAX: u64 =
    (HEAD_BYTES + SEGMENT_RECORDS_MAX * (ENTRY_BYTES + KEY_BYTES_MAX) + 4) as u64;

/// One record of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub kind: Kind,
    pub key: Key,
    pub offset: u32,
    pub shape: Shape,
}

/// A sealed segment's records, in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    pub segment: u32,
    pub segment_len: u64,
    pub tag: u64,
    pub last_group: u64,
    pub entries: Vec<Entry>,
}

impl Footer {
    /// The file's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let count = u32::try_from(self.entries.len()).expect("a segment has at most 65536 records");
        let mut out = Vec::with_capacity(HEAD_BYTES + self.entries.len() * 48 + 4);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&self.segment_len.to_le_bytes());
        out.extend_from_slice(&self.tag.to_le_bytes());
        out.extend_from_slice(&self.last_group.to_le_bytes());
        for entry in &self.entries {
            out.push(entry.kind.byte());
            out.push(entry.shape.key_len);
            out.extend_from_slice(&entry.shape.header_len.to_le_bytes());
            out.extend_from_slice(&entry.offset.to_le_bytes());
            out.extend_from_slice(&entry.shape.body_len.to_le_bytes());
            out.extend_from_slice(entry.key.as_bytes());
        }
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    /// Reads a file's bytes; `None` when they are not a whole footer.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if body.len() < HEAD_BYTES || body[..8] != MAGIC || u32_at(crc, 0) != crc32fast::hash(body)
        {
            return None;
        }
        let mut footer = Self {
            segment: u32_at(body, 8),
            segment_len: u64_at(body, 16),
            tag: u64_at(body, 24),
            last_group: u64_at(body, 32),
            entries: Vec::new(),
        };
        let mut rest = &body[HEAD_BYTES..];
        for _ in 0..u32_at(body, 12) {
            let (head, tail) = rest.split_at_checked(ENTRY_BYTES)?;
            let (key, tail) = tail.split_at_checked(usize::from(head[1]))?;
            let shape = Shape {
                key_len: head[1],
                header_len: u16::from_le_bytes([head[2], head[3]]),
                body_len: u32_at(head, 8),
            };
            let (kind, key) = (Kind::from_byte(head[0])?, Key::new(key).ok()?);
            footer.entries.push(Entry { kind, key, offset: u32_at(head, 4), shape });
            rest = tail;
        }
        rest.is_empty().then_some(footer)
    }

    /// The footer of `segment`, when there is an intact one that fits the segment as it is now.
    pub(crate) fn load(disk: &dyn Disk, segment: u32, segment_len: u64, tag: u64) -> Option<Self> {
        let file = disk.open(&footer_name(segment)).ok()?;
        let len = file.size().ok().filter(|len| *len <= FOOTER_BYTES_MAX)?;
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        let read = file.read_at(0, &mut bytes).ok()?;
        let footer = Self::decode(&bytes[..read])?;
        let fits =
            footer.segment == segment && footer.segment_len == segment_len && footer.tag == tag;
        fits.then_some(footer)
    }

    /// Writes the file, in place of an older one. Not synced: it is only a cache.
    pub(crate) fn save(&self, disk: &dyn Disk) -> io::Result<()> {
        remove(disk, self.segment)?;
        let file = disk.create(&footer_name(self.segment))?;
        let written = file.write_at(0, &[IoSlice::new(&self.encode())]);
        if written.is_err() {
            remove(disk, self.segment)?;
        }
        written
    }
}

/// Removes the footer of `segment`, if there is one.
pub(crate) fn remove(disk: &dyn Disk, segment: u32) -> io::Result<()> {
    match disk.remove(&footer_name(segment)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

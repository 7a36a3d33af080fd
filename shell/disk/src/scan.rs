//! Reads a segment from its first to its last record, telling a torn tail from rot.
//!
//! At most one group is unsynced at any time, and no group shares a page with another. So whatever is broken in the last
//! group of a segment may never have been acknowledged and is dropped (torn); whatever is broken before it was whole
//! once (rot) and is reported. Where a broken record's own head is intact the scan steps over it by its lengths; otherwise
//! it looks for the next record head.

use std::io;

use crate::disk::DiskFile;
use crate::footer::Entry;
use crate::format::{
    Place, Prefix, RECORD_MAGIC, SEGMENT_HEADER_BYTES, SegmentHeader, block_is_intact,
    decode_prefix, meta_is_intact, meta_key,
};
use crate::key::Key;
use crate::limits::{
    CHECK_BLOCK_BYTES, GROUP_ALIGN, PAGE_BYTES, PREFIX_BYTES, RECORD_ALIGN, SCAN_BUFFER_BYTES,
    SLOT_BYTES,
};

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Records to index, in order: the whole ones and those that rotted but whose head still says whose they are.
    pub entries: Vec<Entry>,
    /// Rot: the offset, and the key where it can still be read.
    pub damaged: Vec<(u64, Option<Key>)>,
    /// End of the last record to keep; a torn tail begins there.
    pub end: u64,
    /// Bytes after `end`, or broken inside the last group.
    pub torn_bytes: u64,
    /// Whether something torn lies before `end`, so that the segment must not be appended to.
    pub has_gap: bool,
    /// Number of the last group.
    pub last_group: u64,
}

enum Item {
    Record { entry: Entry, group: u64, body_is_intact: bool },
    Hole { start: u64, end: u64, is_blank: bool },
}

/// Reads all of the segment behind `header`.
pub(crate) fn scan_segment(file: &dyn DiskFile, header: SegmentHeader) -> io::Result<Scan> {
    let mut window = Window::new(file)?;
    let mut items = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES;
    while at < window.len {
        if let Some((entry, group, body_is_intact)) = read_record(&mut window, header, at)? {
            at += entry.shape.record_len();
            items.push(Item::Record { entry, group, body_is_intact });
        } else if let Some(next) = skip_padding(&mut window, at)? {
            at = next;
        } else {
            let (found, is_blank) = find_record(&mut window, header, at)?;
            let end = found.unwrap_or(window.len);
            items.push(Item::Hole { start: at, end, is_blank });
            at = end;
        }
    }
    Ok(judge(&items, header, window.len))
}

/// Sorts what was found into records to keep, rot and torn writes.
fn judge(items: &[Item], header: SegmentHeader, len: u64) -> Scan {
    let before = header.first_group.saturating_sub(1);
    let groups = items.iter().filter_map(|item| match item {
        Item::Record { group, .. } => Some(*group),
        Item::Hole { .. } => None,
    });
    let last_group = groups.max().unwrap_or(before);
    let mut scan = Scan { end: SEGMENT_HEADER_BYTES, last_group, ..Scan::default() };
    let mut previous = before;
    let mut torn_since_end = 0_u64;
    for item in items {
        match item {
            Item::Record { entry, group, body_is_intact } => {
                previous = *group;
                if !body_is_intact && *group == last_group {
                    torn_since_end += entry.shape.record_len();
                    continue;
                }
                if !body_is_intact {
                    scan.damaged.push((entry.offset.into(), Some(entry.key)));
                }
                scan.entries.push(*entry);
                scan.end = u64::from(entry.offset) + entry.shape.record_len();
                scan.has_gap |= torn_since_end > 0;
                scan.torn_bytes += torn_since_end;
                torn_since_end = 0;
            }
            // Blocks that were allocated ahead and not used yet.
            Item::Hole { end, is_blank: true, .. } if *end == len => {}
            Item::Hole { start, end, .. } => {
                let next_is_last_group = previous == last_group
                    || (previous + 1 == last_group && start.is_multiple_of(GROUP_ALIGN));
                if *end == len || next_is_last_group {
                    torn_since_end += end - start;
                } else {
                    scan.damaged.push((*start, None));
                }
            }
        }
    }
    scan.torn_bytes += torn_since_end;
    scan
}

/// The record at `at`, its group, and whether its body is whole; `None` when no record head is there.
fn read_record(
    window: &mut Window<'_>,
    header: SegmentHeader,
    at: u64,
) -> io::Result<Option<(Entry, u64, bool)>> {
    let Ok(offset) = u32::try_from(at) else { return Ok(None) };
    let place = Place { tag: header.tag, segment: header.segment, offset };
    let Some(Prefix { kind, shape, group }) = decode_prefix(window.view(at, PREFIX_BYTES)?, place)
    else {
        return Ok(None);
    };
    let meta = window.view(at, shape.meta_len())?;
    if meta.len() < shape.meta_len() || !meta_is_intact(meta) {
        return Ok(None);
    }
    let meta = meta.to_vec();
    let Some(key) = meta_key(&meta, shape) else { return Ok(None) };
    let entry = Entry { kind, key, offset, shape };
    let body_at = at + meta.len() as u64;
    let body_end = body_at + u64::from(shape.body_len);
    let mut block_at = body_at;
    for index in 0.. {
        if block_at == body_end {
            break;
        }
        let want =
            CHECK_BLOCK_BYTES.min(usize::try_from(body_end - block_at).unwrap_or(usize::MAX));
        let block = window.view(block_at, want)?;
        if block.len() < want || !block_is_intact(&meta, shape, index, block) {
            return Ok(Some((entry, group, false)));
        }
        block_at += want as u64;
    }
    Ok(Some((entry, group, true)))
}

/// The start of the next group, when `at` is followed by nothing but zeros up to there.
fn skip_padding(window: &mut Window<'_>, at: u64) -> io::Result<Option<u64>> {
    let next = at.next_multiple_of(GROUP_ALIGN);
    let want = usize::try_from(next - at).unwrap_or(0);
    let zeros = window.view(at, want)?.iter().all(|byte| *byte == 0);
    Ok((want > 0 && zeros).then_some(next))
}

/// The offset of the next record head after `from`, where there is none; and whether all up to there is zeros.
fn find_record(
    window: &mut Window<'_>,
    header: SegmentHeader,
    from: u64,
) -> io::Result<(Option<u64>, bool)> {
    let mut at = from;
    let mut is_blank = true;
    while at < window.len {
        let view = window.view(at, PAGE_BYTES)?;
        let seen = view.len() as u64;
        is_blank &= view.iter().all(|byte| *byte == 0);
        let is_candidate = |slot: &[u8]| slot.starts_with(&RECORD_MAGIC);
        let candidates: Vec<u64> = view
            .chunks(SLOT_BYTES)
            .zip(0_u64..)
            .filter(|(slot, _)| is_candidate(slot))
            .map(|(_, index)| at + index * RECORD_ALIGN)
            .collect();
        for candidate in candidates {
            if read_record(window, header, candidate)?.is_some() {
                return Ok((Some(candidate), is_blank));
            }
        }
        at += seen.max(RECORD_ALIGN);
    }
    Ok((None, is_blank))
}

/// A file seen through one buffer of fixed size that moves forward.
struct Window<'a> {
    file: &'a dyn DiskFile,
    len: u64,
    start: u64,
    filled: usize,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile) -> io::Result<Self> {
        let len = file.size()?;
        let capacity = usize::try_from(len).unwrap_or(usize::MAX).min(SCAN_BUFFER_BYTES);
        Ok(Self { file, len, start: 0, filled: 0, buffer: vec![0; capacity] })
    }

    /// `want` bytes at `at`, fewer at the end of the file.
    fn view(&mut self, at: u64, want: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let want = want.min(left).min(self.buffer.len());
        let is_inside = at >= self.start && at + want as u64 <= self.start + self.filled as u64;
        if !is_inside {
            self.start = at;
            self.filled = self.file.read_at(at, &mut self.buffer)?;
        }
        let skip = usize::try_from(at - self.start).unwrap_or(usize::MAX).min(self.filled);
        Ok(&self.buffer[skip..self.filled.min(skip + want)])
    }
}

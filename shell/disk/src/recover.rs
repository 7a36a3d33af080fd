//! Opens the segments that are there, rebuilds the index and makes what was found durable.

use std::io;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::error::Error;
use crate::footer::{self, Entry, Footer};
use crate::format::{
    HeaderBlock, SEGMENT_HEADER_BYTES, SegmentHeader, VERSION, parse_segment_name, segment_name,
};
use crate::index::Index;
use crate::key::Key;
use crate::limits::{DAMAGE_LISTED_MAX, GROUP_ALIGN, PAGE_BYTES};
use crate::scan::{Scan, scan_segment};

/// A place in the log whose bytes are not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Segment number.
    pub segment: u32,
    /// Byte offset in the segment.
    pub offset: u64,
    /// Whose record it was, where that can still be read.
    pub key: Option<Key>,
}

/// What opening the log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments read from their first to their last byte, because they had no usable list.
    pub scanned_segments: u64,
    /// Bytes of those.
    pub scanned_bytes: u64,
    /// Bytes of the last, unacknowledged group that a crash had left incomplete.
    pub torn_bytes: u64,
    /// Rot found on the way; keys listed here answer [`Error::Damaged`] until they are put again.
    pub damaged: Vec<Damage>,
    /// Rotten places not listed because there were too many.
    pub damaged_unlisted: u64,
}

impl Recovery {
    fn note(&mut self, damage: Damage) {
        if self.damaged.len() < DAMAGE_LISTED_MAX {
            self.damaged.push(damage);
        } else {
            self.damaged_unlisted += 1;
        }
    }
}

/// The segment that is being appended to.
pub(crate) struct Active {
    pub segment: u32,
    pub file: Arc<dyn DiskFile>,
    /// Where the next group starts.
    pub tail: u64,
    /// Length of the file; beyond `tail` it is zeros.
    pub allocated: u64,
    pub last_group: u64,
    pub entries: Vec<Entry>,
}

/// What the writer starts from.
pub(crate) struct Opened {
    pub index: Index,
    pub active: Option<Active>,
    pub next_segment: u32,
    pub next_group: u64,
    pub tag: Option<u64>,
    pub recovery: Recovery,
}

/// Reads the state of the log on `disk`.
pub(crate) fn recover(disk: &dyn Disk) -> Result<Opened, Error> {
    let names = disk.list().map_err(|error| Error::io("list", ".", error))?;
    let mut segments: Vec<u32> = names.iter().filter_map(|name| parse_segment_name(name)).collect();
    segments.sort_unstable();
    let mut opened = Opened {
        index: Index::default(),
        active: None,
        next_segment: segments.last().map_or(1, |last| last.saturating_add(1)),
        next_group: 1,
        tag: None,
        recovery: Recovery::default(),
    };
    for segment in &segments {
        let is_last = Some(segment) == segments.last();
        recover_segment(disk, &mut opened, *segment, is_last)
            .map_err(|failure| failure.named(*segment))?;
    }
    Ok(opened)
}

enum Failure {
    Io(&'static str, io::Error),
    Version(u32),
}

impl Failure {
    fn named(self, segment: u32) -> Error {
        let name = segment_name(segment);
        match self {
            Self::Io(doing, error) => Error::io(doing, &name, error),
            Self::Version(version) => Error::Version { name, version, known: VERSION },
        }
    }
}

fn doing(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Io(what, error)
}

fn recover_segment(
    disk: &dyn Disk,
    opened: &mut Opened,
    segment: u32,
    is_last: bool,
) -> Result<(), Failure> {
    let name = segment_name(segment);
    let file = disk.open(&name).map_err(doing("open"))?;
    let len = file.size().map_err(doing("measure"))?;
    let header = match read_header(&*file, segment).map_err(doing("read"))? {
        HeaderBlock::Good(header) => header,
        HeaderBlock::Unknown { version } => return Err(Failure::Version(version)),
        HeaderBlock::Damaged if is_last && len <= SEGMENT_HEADER_BYTES => {
            // It was being made when the machine stopped; groups are only written behind a synced header.
            tracing::info!(%name, "removing a segment that was never finished");
            footer::remove(disk, segment).map_err(doing("remove the list of"))?;
            disk.remove(&name).map_err(doing("remove"))?;
            disk.sync_dir().map_err(doing("sync the directory of"))?;
            opened.next_segment = segment;
            return Ok(());
        }
        HeaderBlock::Damaged => {
            tracing::error!(%name, "both copies of the segment's header are damaged; leaving it alone");
            opened.recovery.note(Damage { segment, offset: 0, key: None });
            *opened.index.usage(segment) =
                crate::index::Usage { len, needed: 0, is_sealed: true, is_blocked: true };
            return Ok(());
        }
    };
    opened.tag = Some(header.tag);
    let footer = (!is_last).then(|| Footer::load(disk, segment, len, header.tag)).flatten();
    if let Some(footer) = footer {
        index_segment(opened, segment, len, &footer.entries);
        opened.next_group = opened.next_group.max(footer.last_group + 1);
        return Ok(());
    }
    let scan = scan_segment(&*file, header).map_err(doing("read"))?;
    report(&mut opened.recovery, segment, len, &scan);
    opened.next_group = opened.next_group.max(scan.last_group + 1);
    if is_last {
        return adopt_last(disk, opened, &file, header, scan);
    }
    index_segment(opened, segment, len, &scan.entries);
    save_footer(disk, header, len, scan.last_group, scan.entries);
    Ok(())
}

/// Cuts off a torn tail, makes the rest durable and either goes on appending or seals the segment.
fn adopt_last(
    disk: &dyn Disk,
    opened: &mut Opened,
    file: &Arc<dyn DiskFile>,
    header: SegmentHeader,
    scan: Scan,
) -> Result<(), Failure> {
    let segment = header.segment;
    let tail = scan.end.next_multiple_of(GROUP_ALIGN);
    if file.size().map_err(doing("measure"))? != tail || scan.torn_bytes > 0 {
        file.set_len(scan.end).map_err(doing("cut"))?;
        file.set_len(tail).map_err(doing("cut"))?;
    }
    // A killed process leaves bytes that reads would see but a power cut would take.
    file.sync_data().map_err(doing("sync"))?;
    disk.sync_dir().map_err(doing("sync the directory of"))?;
    index_segment(opened, segment, tail, &scan.entries);
    if scan.has_gap {
        save_footer(disk, header, tail, scan.last_group, scan.entries);
        return Ok(());
    }
    opened.index.usage(segment).is_sealed = false;
    opened.active = Some(Active {
        segment,
        file: Arc::clone(file),
        tail,
        allocated: tail,
        last_group: scan.last_group,
        entries: scan.entries,
    });
    Ok(())
}

fn index_segment(opened: &mut Opened, segment: u32, len: u64, entries: &[Entry]) {
    let usage = opened.index.usage(segment);
    usage.len = len;
    usage.is_sealed = true;
    for entry in entries {
        opened.index.apply(segment, entry);
    }
}

fn report(recovery: &mut Recovery, segment: u32, len: u64, scan: &Scan) {
    recovery.scanned_segments += 1;
    recovery.scanned_bytes += len;
    recovery.torn_bytes += scan.torn_bytes;
    for (offset, key) in &scan.damaged {
        tracing::error!(segment, offset, key = ?key, "damage in the shard log");
        recovery.note(Damage { segment, offset: *offset, key: *key });
    }
    if scan.torn_bytes > 0 {
        tracing::warn!(segment, bytes = scan.torn_bytes, "dropped an unfinished group");
    }
}

/// Reads and judges the header block of a segment.
pub(crate) fn read_header(file: &dyn DiskFile, segment: u32) -> io::Result<HeaderBlock> {
    let mut block = vec![0; PAGE_BYTES];
    let read = file.read_at(0, &mut block)?;
    Ok(SegmentHeader::decode(&block[..read], segment))
}

/// Writes the list of a sealed segment; a failure only costs a scan at the next open.
pub(crate) fn save_footer(
    disk: &dyn Disk,
    header: SegmentHeader,
    segment_len: u64,
    last_group: u64,
    entries: Vec<Entry>,
) {
    let segment = header.segment;
    let footer = Footer { segment, segment_len, tag: header.tag, last_group, entries };
    if let Err(error) = footer.save(disk) {
        tracing::warn!(segment, %error, "cannot write the list of a segment");
    }
}

/// The records of a sealed segment: from its list, or by reading all of it.
pub(crate) fn segment_entries(
    disk: &dyn Disk,
    segment: u32,
    segment_len: u64,
    tag: u64,
) -> Result<Vec<Entry>, Error> {
    if let Some(footer) = Footer::load(disk, segment, segment_len, tag) {
        return Ok(footer.entries);
    }
    let name = segment_name(segment);
    let read = || {
        let file = disk.open(&name)?;
        match read_header(&*file, segment)? {
            HeaderBlock::Good(header) => scan_segment(&*file, header),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    };
    let scan = read().map_err(|error| Error::io("read", &name, error))?;
    Ok(scan.entries)
}

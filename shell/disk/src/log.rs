//! The handle.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use bytes::Bytes;

use crate::compact::CompactReport;
use crate::config::Config;
use crate::disk::{Disk, DiskFile, OsDisk};
use crate::error::{Error, Part};
use crate::format::{Kind, Place, Shape, body_table, segment_name};
use crate::index::Slot;
use crate::key::Key;
use crate::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, KEYS_PAGE_MAX};
use crate::read;
use crate::recover::{Recovery, recover};
use crate::shared::{Job, Op, Shared, lock};
use crate::writer::Writer;

/// A record as it was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The header.
    pub header: Bytes,
    /// The body.
    pub body: Bytes,
}

/// Sizes of a record, known without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordSize {
    /// Bytes of the header.
    pub header_len: usize,
    /// Bytes of the body.
    pub body_len: usize,
    /// Bytes that it takes on disk.
    pub disk_bytes: u64,
}

/// How full the log is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records that can be read.
    pub records: u64,
    /// Delete records that still hide an older put.
    pub tombstones: u64,
    /// Segment files.
    pub segments: u64,
    /// Bytes of all segment files.
    pub used_bytes: u64,
    /// Bytes of records that are needed.
    pub live_bytes: u64,
    /// Bytes that compaction could give back (padding and headers among them).
    pub dead_bytes: u64,
    /// The configured capacity.
    pub capacity_bytes: u64,
    /// Bytes that puts may still use, by capacity and by the file system, before compaction.
    pub free_bytes: u64,
}

/// A node's shard log. Cheap to clone; the last clone that is dropped waits for what is queued and closes the log.
#[derive(Clone)]
pub struct ShardLog {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    tag: u64,
    recovery: Recovery,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
        let Some(writer) = lock(&self.writer).take() else { return };
        // The last handle may be dropped by a callback, which runs on the writer itself.
        if writer.thread().id() != std::thread::current().id() && writer.join().is_err() {
            tracing::error!("the shard log's writer panicked");
        }
    }
}

impl ShardLog {
    /// Opens the log in `dir`, making it when there is none, and recovers it from whatever a crash left.
    ///
    /// # Errors
    /// [`Error::Locked`] when it is open elsewhere, [`Error::Config`], [`Error::Version`], or [`Error::Io`].
    pub fn open(dir: &Path, config: Config) -> Result<Self, Error> {
        let name = dir.to_string_lossy();
        let disk = OsDisk::new(dir).map_err(|error| Error::io("make", &name, error))?;
        Self::open_on(Arc::new(disk), config)
    }

    /// Opens the log on any disk.
    ///
    /// # Errors
    /// As [`ShardLog::open`].
    pub fn open_on(disk: Arc<dyn Disk>, config: Config) -> Result<Self, Error> {
        config.check()?;
        let guard = disk.lock().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::Locked,
            _ => Error::io("lock", "lock", error),
        })?;
        let mut opened = recover(&*disk)?;
        let tag = opened.tag.or(config.tag).unwrap_or_else(draw_tag);
        let recovery = std::mem::take(&mut opened.recovery);
        let index = std::mem::take(&mut opened.index);
        let shared = Arc::new(Shared::new(disk, config, index, guard));
        let writer = Writer::new(Arc::clone(&shared), opened, tag);
        let thread = std::thread::Builder::new()
            .name("shard-log".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| Error::io("start", "the writer's thread", error))?;
        let writer = Mutex::new(Some(thread));
        Ok(Self { inner: Arc::new(Inner { shared, tag, recovery, writer }) })
    }

    /// What opening found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.inner.recovery
    }

    /// Stores a record and returns once it is durable; waits while the queue is full. An older record of the key is replaced.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NoSpace`] (nothing changed), [`Error::Poisoned`] (outcome known after the next open),
    /// [`Error::Closed`].
    pub fn put(
        &self,
        key: Key,
        header: impl Into<Bytes>,
        body: impl Into<Bytes>,
    ) -> Result<(), Error> {
        self.write(put_op(key, header.into(), body.into())?)
    }

    /// As [`ShardLog::put`], but returns at once; `on_done` is called exactly once, with [`Error::Busy`] when the queue is
    /// full. It runs on the writer's thread (or here, when refused) and must be quick: send on a channel, wake a task.
    pub fn put_with(
        &self,
        key: Key,
        header: impl Into<Bytes>,
        body: impl Into<Bytes>,
        on_done: impl FnOnce(Result<(), Error>) + Send + 'static,
    ) {
        match put_op(key, header.into(), body.into()) {
            Ok(op) => self.write_with(op, on_done),
            Err(error) => on_done(Err(error)),
        }
    }

    /// Deletes the record of `key` and returns once that is durable; fine when there is none.
    ///
    /// # Errors
    /// As [`ShardLog::put`]. A log that refuses puts for want of space still has room for deletes.
    pub fn delete(&self, key: Key) -> Result<(), Error> {
        self.write(Op::delete(key))
    }

    /// As [`ShardLog::delete`], with a callback as in [`ShardLog::put_with`].
    pub fn delete_with(&self, key: Key, on_done: impl FnOnce(Result<(), Error>) + Send + 'static) {
        self.write_with(Op::delete(key), on_done);
    }

    /// Reads a record, checking all of it; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Io`].
    pub fn get(&self, key: &Key) -> Result<Option<Record>, Error> {
        self.read(key, |file, place, shape| {
            let read = read::read_record(file, place, shape, key)?;
            Ok(read.map(|read| Record { header: read.header, body: read.body }))
        })
    }

    /// Reads the header of a record, checking it; `None` when there is none.
    ///
    /// # Errors
    /// As [`ShardLog::get`].
    pub fn header(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        self.read(key, |file, place, shape| read::read_header(file, place, shape, key))
    }

    /// Reads `len` bytes of the body from `offset`; only the 16 KiB blocks that they touch are read and checked.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when the body is shorter, else as [`ShardLog::get`].
    pub fn get_range(&self, key: &Key, offset: u64, len: u64) -> Result<Option<Bytes>, Error> {
        self.read(key, |file, place, shape| match range_inside(offset, len, shape) {
            Some(range) => read::read_range(file, place, shape, key, range),
            None => Ok(Err(Error::OutOfRange { offset, len, body_len: u64::from(shape.body_len) })),
        })
    }

    /// Whether there is a durable record of `key`.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        self.inner.shared.read_index().live(key).is_some()
    }

    /// Sizes of the record of `key`.
    #[must_use]
    pub fn size_of(&self, key: &Key) -> Option<RecordSize> {
        let shape = self.inner.shared.read_index().live(key)?.shape(key);
        Some(RecordSize {
            header_len: usize::from(shape.header_len),
            body_len: shape.body_len as usize,
            disk_bytes: shape.record_len(),
        })
    }

    /// Up to `count` (at most [`KEYS_PAGE_MAX`]) keys in order, from the first one after `after`. An empty page is the end.
    #[must_use]
    pub fn keys(&self, after: Option<&Key>, count: usize) -> Vec<Key> {
        self.inner.shared.read_index().keys_after(after, count.min(KEYS_PAGE_MAX))
    }

    /// How full the log is. Costs one look at every segment's entry, and one question to the file system.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &self.inner.shared;
        let disk_free = shared.disk.free_bytes().unwrap_or(u64::MAX);
        let index = shared.read_index();
        let (used, live) = (index.used_bytes(), index.needed_bytes());
        let by_disk = disk_free.saturating_sub(shared.config.disk_free_min_bytes);
        Stats {
            records: index.live_records(),
            tombstones: index.tombstones(),
            segments: index.segments().len() as u64,
            used_bytes: used,
            live_bytes: live,
            dead_bytes: used.saturating_sub(live),
            capacity_bytes: shared.config.capacity_bytes,
            free_bytes: shared.config.put_limit().saturating_sub(used).min(by_disk),
        }
    }

    /// Gives dead space back, copying about `budget_bytes` (at least 256 KiB) out of the segment with most of it; writes
    /// wait meanwhile. Call it every now and then, and again at once while it answers [`crate::Progress::More`].
    ///
    /// # Errors
    /// [`Error::NoSpace`] when there is no room to copy to, [`Error::Poisoned`], [`Error::Io`], [`Error::Closed`].
    pub fn compact_step(&self, budget_bytes: u64) -> Result<CompactReport, Error> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.inner.shared.send(Job::Compact { budget_bytes, reply })?;
        answer.recv().unwrap_or(Err(Error::Closed))
    }

    fn write(&self, op: Op) -> Result<(), Error> {
        let (reply, answer) = mpsc::sync_channel(1);
        let done = Box::new(move |result| {
            // The receiver waits below, so it is there.
            let _ = reply.send(result);
        });
        self.inner.shared.send(Job::Write { op, done })?;
        answer.recv().unwrap_or(Err(Error::Closed))
    }

    fn write_with(&self, op: Op, on_done: impl FnOnce(Result<(), Error>) + Send + 'static) {
        if let Err((done, error)) = self.inner.shared.try_send_write(op, Box::new(on_done)) {
            done(Err(error));
        }
    }

    /// Finds the record of `key` and reads from it with `reader`.
    pub(crate) fn read<T>(
        &self,
        key: &Key,
        reader: impl Fn(&dyn DiskFile, Place, Shape) -> io::Result<Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        loop {
            let Some(slot) = self.inner.shared.read_index().live(key) else { return Ok(None) };
            let failed = |error| Error::io("read", &segment_name(slot.segment), error);
            match self.inner.shared.file(slot.segment) {
                Ok(file) => {
                    let shape = slot.shape(key);
                    return reader(&*file, self.place(&slot), shape).map_err(failed)?.map(Some);
                }
                // Compaction moved the record after we looked it up: look again.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && self.has_moved(key, slot) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    pub(crate) fn has_moved(&self, key: &Key, slot: Slot) -> bool {
        self.inner.shared.read_index().get(key) != Some(&slot)
    }

    pub(crate) fn place(&self, slot: &Slot) -> Place {
        Place { tag: self.inner.tag, segment: slot.segment, offset: slot.offset }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }
}

fn put_op(key: Key, header: Bytes, body: Bytes) -> Result<Op, Error> {
    let too_large = |part, len, max| Err(Error::TooLarge { part, len, max });
    if header.len() > HEADER_BYTES_MAX {
        return too_large(Part::Header, header.len(), HEADER_BYTES_MAX);
    }
    match Shape::new(&key, &header, &body) {
        Some(shape) => {
            let table = body_table(&body);
            Ok(Op { kind: Kind::Put, key, shape, header, table, body })
        }
        None => too_large(Part::Body, body.len(), BODY_BYTES_MAX),
    }
}

fn range_inside(offset: u64, len: u64, shape: Shape) -> Option<Range<usize>> {
    let end = offset.checked_add(len).filter(|end| *end <= u64::from(shape.body_len))?;
    Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?)
}

/// A number no client can guess: the standard library's hash seed comes from the system's randomness.
fn draw_tag() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one("shard log")
}

//! What the handles and the writer share: the queue between them, the index and the open files.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;

use crate::compact::CompactReport;
use crate::config::Config;
use crate::disk::{Disk, DiskFile};
use crate::error::Error;
use crate::format::{Kind, Shape, segment_name};
use crate::index::Index;
use crate::key::Key;
use crate::limits::{OPEN_FILES_MAX, QUEUE_REQUESTS_MAX};

/// Called once when a request is durable or has failed.
pub(crate) type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// A record on its way to disk.
#[derive(Clone)]
pub(crate) struct Op {
    pub kind: Kind,
    pub key: Key,
    pub shape: Shape,
    pub header: Bytes,
    /// CRC of each block of the body, made by the caller's thread.
    pub table: Vec<u8>,
    pub body: Bytes,
}

impl Op {
    pub(crate) fn delete(key: Key) -> Self {
        let shape = Shape::new(&key, &[], &[]).expect("a key alone is inside the limits");
        let nothing = Bytes::new();
        Self {
            kind: Kind::Delete,
            key,
            shape,
            header: nothing.clone(),
            table: Vec::new(),
            body: nothing,
        }
    }
}

/// A request to the writer.
pub(crate) enum Job {
    Write { op: Op, done: Done },
    Compact { budget_bytes: u64, reply: SyncSender<Result<CompactReport, Error>> },
}

impl Job {
    fn bytes(&self) -> u64 {
        match self {
            Self::Write { op, .. } => op.shape.record_len(),
            Self::Compact { .. } => 0,
        }
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    bytes: u64,
    is_closed: bool,
}

impl Queue {
    /// Whether `bytes` more may wait. Something always may when nothing waits.
    fn has_room(&self, bytes: u64, config: &Config) -> bool {
        self.jobs.is_empty()
            || (self.jobs.len() < QUEUE_REQUESTS_MAX && self.bytes + bytes <= config.queue_bytes)
    }
}

pub(crate) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub config: Config,
    pub index: RwLock<Index>,
    pub scrub_cursor: Mutex<Option<Key>>,
    /// Set by the first failed write or sync.
    pub poison: OnceLock<Arc<io::Error>>,
    queue: Mutex<Queue>,
    work: Condvar,
    room: Condvar,
    /// Most recently used last.
    files: Mutex<VecDeque<(u32, Arc<dyn DiskFile>)>>,
    _lock: Box<dyn Any + Send + Sync>,
}

/// Every lock here guards plain data that is consistent between statements, so a panic elsewhere does not spoil it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        config: Config,
        index: Index,
        guard: Box<dyn Send + Sync>,
    ) -> Self {
        Self {
            disk,
            config,
            index: RwLock::new(index),
            scrub_cursor: Mutex::new(None),
            poison: OnceLock::new(),
            queue: Mutex::new(Queue::default()),
            work: Condvar::new(),
            room: Condvar::new(),
            files: Mutex::new(VecDeque::new()),
            _lock: Box::new(guard),
        }
    }

    pub(crate) fn read_index(&self) -> std::sync::RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write_index(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error that every write gets once one of them has failed.
    pub(crate) fn poisoned(&self) -> Option<Error> {
        self.poison.get().map(|source| Error::Poisoned { source: Arc::clone(source) })
    }

    /// Hands a write to the writer, or its callback back with the reason why not.
    pub(crate) fn try_send_write(&self, op: Op, done: Done) -> Result<(), (Done, Error)> {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            return Err((done, Error::Closed));
        }
        if !queue.has_room(op.shape.record_len(), &self.config) {
            let waiting = queue.jobs.len();
            return Err((done, Error::Busy { waiting }));
        }
        self.push(&mut queue, Job::Write { op, done });
        Ok(())
    }

    /// Hands `job` to the writer, waiting for room.
    pub(crate) fn send(&self, job: Job) -> Result<(), Error> {
        let mut queue = lock(&self.queue);
        while !queue.is_closed && !queue.has_room(job.bytes(), &self.config) {
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if queue.is_closed {
            return Err(Error::Closed);
        }
        self.push(&mut queue, job);
        Ok(())
    }

    fn push(&self, queue: &mut Queue, job: Job) {
        queue.bytes += job.bytes();
        queue.jobs.push_back(job);
        self.work.notify_one();
    }

    /// Waits for work; takes writes up to the limits of a group, or one other job. `None` when closed and drained.
    ///
    /// When the last group answered `last_count` callers, these are about to come back: it gives them up to `patience`, so
    /// that they end up in one group again instead of two.
    pub(crate) fn take_jobs(
        &self,
        records_max: usize,
        last_count: usize,
        patience: Duration,
    ) -> Option<Vec<Job>> {
        let mut queue = lock(&self.queue);
        while queue.jobs.is_empty() {
            if queue.is_closed {
                return None;
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        if last_count > 1 {
            let too_few = |queue: &mut Queue| queue.jobs.len() < last_count && !queue.is_closed;
            let waited = self.work.wait_timeout_while(queue, patience, too_few);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(job) = queue.jobs.pop_front() {
            let is_write = matches!(job, Job::Write { .. });
            let fits = is_write
                && taken.len() < records_max
                && bytes + job.bytes() <= self.config.group_bytes;
            if !taken.is_empty() && !fits {
                queue.jobs.push_front(job);
                break;
            }
            bytes += job.bytes();
            taken.push(job);
            if !is_write {
                break;
            }
        }
        queue.bytes -= bytes;
        self.room.notify_all();
        Some(taken)
    }

    /// Lets the writer end after what is queued.
    pub(crate) fn close(&self) {
        lock(&self.queue).is_closed = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    /// The file of `segment`, from the few that are kept open or from the disk.
    pub(crate) fn file(&self, segment: u32) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = lock(&self.files);
        if let Some(at) = files.iter().position(|(id, _)| *id == segment) {
            let found = files.remove(at).expect("position is inside");
            let file = Arc::clone(&found.1);
            files.push_back(found);
            return Ok(file);
        }
        drop(files);
        let file = self.disk.open(&segment_name(segment))?;
        self.keep_file(segment, Arc::clone(&file));
        Ok(file)
    }

    pub(crate) fn keep_file(&self, segment: u32, file: Arc<dyn DiskFile>) {
        let mut files = lock(&self.files);
        files.retain(|(id, _)| *id != segment);
        files.push_back((segment, file));
        if files.len() > OPEN_FILES_MAX {
            files.pop_front();
        }
    }

    pub(crate) fn drop_file(&self, segment: u32) {
        lock(&self.files).retain(|(id, _)| *id != segment);
    }
}

//! The one thread that appends: takes what has queued up, writes it as one group, syncs once and answers everybody.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::compact::Victim;
use crate::error::{Error, is_full};
use crate::footer::Entry;
use crate::format::{
    Kind, Place, Prefix, SEGMENT_HEADER_BYTES, SegmentHeader, encode_meta, segment_name,
};
use crate::limits::{
    ALLOCATE_BYTES, GROUP_ALIGN, GROUP_RECORDS_MAX, PAGE_BYTES, REGROUP_WAIT_MAX,
    SEGMENT_RECORDS_MAX,
};
use crate::recover::{Active, Opened, save_footer};
use crate::shared::{Done, Job, Op, Shared};

static ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// Why a group was not written.
pub(crate) enum GroupError {
    /// The disk is full; the log is as it was.
    Full,
    /// The log takes no more writes.
    Fatal(Error),
}

pub(crate) struct Writer {
    pub shared: Arc<Shared>,
    active: Option<Active>,
    next_segment: u32,
    next_group: u64,
    pub tag: u64,
    pub victim: Option<Victim>,
    last_sync: Duration,
    /// Free bytes of the file system when it was last asked.
    disk_free: u64,
    metas: Vec<u8>,
}

impl Writer {
    /// A writer that goes on where `opened` ends.
    pub(crate) fn new(shared: Arc<Shared>, opened: Opened, tag: u64) -> Self {
        if let Some(active) = &opened.active {
            shared.keep_file(active.segment, Arc::clone(&active.file));
        }
        Self {
            shared,
            active: opened.active,
            next_segment: opened.next_segment,
            next_group: opened.next_group,
            tag,
            victim: None,
            last_sync: Duration::ZERO,
            disk_free: 0,
            metas: Vec::new(),
        }
    }

    /// Serves until the log is closed and the queue is empty.
    pub(crate) fn run(mut self) {
        let mut last_count = 0;
        loop {
            let patience = (self.last_sync / 2).min(REGROUP_WAIT_MAX);
            let Some(jobs) = self.shared.take_jobs(GROUP_RECORDS_MAX, last_count, patience) else {
                return;
            };
            last_count = jobs.len();
            let mut writes = Vec::new();
            for job in jobs {
                match job {
                    Job::Write { op, done } => writes.push((op, done)),
                    Job::Compact { budget_bytes, reply } => {
                        // The caller may have gone; compaction is done all the same.
                        let _ = reply.send(self.compact(budget_bytes));
                    }
                }
            }
            self.commit(writes);
        }
    }

    /// Writes what fits and answers every caller.
    fn commit(&mut self, writes: Vec<(Op, Done)>) {
        let (mut writes, mut answers) = self.admit(writes);
        loop {
            let (ops, dones): (Vec<Op>, Vec<Done>) = writes.into_iter().unzip();
            let result = if ops.is_empty() { Ok(()) } else { self.append(&ops) };
            match result {
                Ok(()) => {
                    answers.extend(dones.into_iter().map(|done| (done, Ok(()))));
                    break;
                }
                Err(GroupError::Fatal(error)) => {
                    answers.extend(dones.into_iter().map(|done| (done, Err(error.clone()))));
                    break;
                }
                Err(GroupError::Full) => {
                    // The disk filled up under us: give up the puts, try the deletes once more alone.
                    let has_puts = ops.iter().any(|op| op.kind == Kind::Put);
                    let all = ops.into_iter().zip(dones);
                    let (deletes, refused): (Vec<_>, Vec<_>) =
                        all.partition(|(op, _)| has_puts && op.kind == Kind::Delete);
                    answers.extend(refused.into_iter().map(|(op, done)| {
                        (done, Err(Error::NoSpace { wanted: op.shape.record_len(), free: 0 }))
                    }));
                    writes = deletes;
                }
            }
        }
        for (done, answer) in answers {
            done(answer);
        }
    }

    /// Splits off what is answered without writing: deletes of nothing, and what the capacity cannot take.
    #[expect(clippy::type_complexity, reason = "two lists of pairs, used once")]
    fn admit(
        &mut self,
        writes: Vec<(Op, Done)>,
    ) -> (Vec<(Op, Done)>, Vec<(Done, Result<(), Error>)>) {
        let mut answers = Vec::new();
        let mut admitted = Vec::new();
        let mut put_keys = BTreeSet::new();
        let mut group_bytes = 0;
        self.disk_free = self.shared.disk.free_bytes().unwrap_or(u64::MAX);
        for (op, done) in writes {
            if let Some(error) = self.shared.poisoned() {
                answers.push((done, Err(error)));
                continue;
            }
            let wanted = op.shape.record_len();
            let free = match op.kind {
                Kind::Put => self.put_room(),
                Kind::Delete => self.room_below(self.shared.config.capacity_bytes),
            };
            let is_known =
                put_keys.contains(&op.key) || self.shared.read_index().live(&op.key).is_some();
            if op.kind == Kind::Delete && !is_known {
                answers.push((done, Ok(())));
            } else if (group_bytes + wanted).next_multiple_of(GROUP_ALIGN) > free {
                let free = free.saturating_sub(group_bytes);
                answers.push((done, Err(Error::NoSpace { wanted, free })));
            } else {
                if op.kind == Kind::Put {
                    put_keys.insert(op.key);
                }
                group_bytes += wanted;
                admitted.push((op, done));
            }
        }
        (admitted, answers)
    }

    fn put_room(&self) -> u64 {
        let allocated = self.active.as_ref().map_or(0, |active| active.allocated - active.tail);
        let spare = self.disk_free.saturating_sub(self.shared.config.disk_free_min_bytes);
        let disk_room = spare.saturating_add(allocated);
        self.room_below(self.shared.config.put_limit()).min(disk_room)
    }

    /// Bytes of records that may still be written while the segments stay below `limit`.
    pub(crate) fn room_below(&self, limit: u64) -> u64 {
        // A group may open a new segment, whose header takes room too.
        let used = self.shared.read_index().used_bytes() + SEGMENT_HEADER_BYTES;
        limit.saturating_sub(used)
    }

    /// Writes `ops` as one group, syncs it and takes it into the index.
    pub(crate) fn append(&mut self, ops: &[Op]) -> Result<(), GroupError> {
        if let Some(error) = self.shared.poisoned() {
            return Err(GroupError::Fatal(error));
        }
        let bytes: u64 = ops.iter().map(|op| op.shape.record_len()).sum();
        let bytes = bytes.next_multiple_of(GROUP_ALIGN);
        let mut active = self.active_for(bytes, ops.len())?;
        let group = self.next_group;
        self.next_group += 1;
        let end = active.tail + bytes;
        let result =
            self.allocate(&mut active, end).and_then(|()| self.write_group(&active, ops, group));
        let entries = match result {
            Ok(entries) => entries,
            Err(error) => return Err(self.undo_group(active, error)),
        };
        let start = Instant::now();
        if let Err(error) = active.file.sync_data() {
            return Err(GroupError::Fatal(self.fail(error)));
        }
        self.last_sync = start.elapsed();
        active.tail = end;
        active.allocated = active.allocated.max(end);
        active.last_group = group;
        let mut index = self.shared.write_index();
        index.usage(active.segment).len = active.tail;
        for entry in &entries {
            index.apply(active.segment, entry);
        }
        drop(index);
        active.entries.extend(entries);
        self.active = Some(active);
        Ok(())
    }

    /// Lays the records out and writes them, with their padding, in one call.
    fn write_group(&mut self, active: &Active, ops: &[Op], group: u64) -> io::Result<Vec<Entry>> {
        self.metas.clear();
        let mut entries = Vec::with_capacity(ops.len());
        let mut at = active.tail;
        for op in ops {
            let offset =
                u32::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
            let place = Place { tag: self.tag, segment: active.segment, offset };
            let prefix = Prefix { kind: op.kind, shape: op.shape, group };
            encode_meta(&mut self.metas, place, prefix, &op.key, &op.header, &op.table);
            entries.push(Entry { kind: op.kind, key: op.key, offset, shape: op.shape });
            at += op.shape.record_len();
        }
        let mut parts = Vec::with_capacity(3 * ops.len() + 1);
        let mut metas = self.metas.as_slice();
        for op in ops {
            let (meta, rest) = metas.split_at(op.shape.meta_len());
            metas = rest;
            let padding = op.shape.record_len() - op.shape.unpadded_len() as u64;
            parts.extend([IoSlice::new(meta), IoSlice::new(&op.body), zeros(padding)]);
        }
        parts.push(zeros(at.next_multiple_of(GROUP_ALIGN) - at));
        parts.retain(|part| !part.is_empty());
        active.file.write_at(active.tail, &parts)?;
        Ok(entries)
    }

    /// After a failed write: a full disk leaves the log as it was, anything else stops it.
    fn undo_group(&mut self, active: Active, error: io::Error) -> GroupError {
        if !is_full(&error) {
            return GroupError::Fatal(self.fail(error));
        }
        // Synced, so that nothing of this try can come back between the records of the next one.
        let cut = active.file.set_len(active.tail).and_then(|()| active.file.sync_data());
        match cut {
            Ok(()) => {
                let allocated = active.tail;
                self.active = Some(Active { allocated, ..active });
                self.next_group -= 1;
                GroupError::Full
            }
            Err(error) => GroupError::Fatal(self.fail(error)),
        }
    }

    /// The active segment, after sealing it and making the next one where `bytes` and `records` do not fit.
    fn active_for(&mut self, bytes: u64, records: usize) -> Result<Active, GroupError> {
        if let Some(active) = self.active.take() {
            let fits = active.tail + bytes <= self.shared.config.segment_bytes
                && active.entries.len() + records <= SEGMENT_RECORDS_MAX;
            if fits || active.entries.is_empty() {
                return Ok(active);
            }
            self.seal(active).map_err(|error| GroupError::Fatal(self.fail(error)))?;
        }
        let segment = self.next_segment;
        let header = SegmentHeader { segment, tag: self.tag, first_group: self.next_group };
        match self.create_segment(header) {
            Ok(active) => {
                self.next_segment += 1;
                let mut index = self.shared.write_index();
                index.usage(segment).len = SEGMENT_HEADER_BYTES;
                drop(index);
                self.shared.keep_file(segment, Arc::clone(&active.file));
                Ok(active)
            }
            Err(error) if is_full(&error) => {
                match self.shared.disk.remove(&segment_name(segment)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(GroupError::Fatal(self.fail(error)))
                    }
                    _ => Err(GroupError::Full),
                }
            }
            Err(error) => Err(GroupError::Fatal(self.fail(error))),
        }
    }

    fn create_segment(&self, header: SegmentHeader) -> io::Result<Active> {
        let disk = &self.shared.disk;
        let file = disk.create(&segment_name(header.segment))?;
        file.write_at(0, &[IoSlice::new(&header.encode())])?;
        file.sync_data()?;
        disk.sync_dir()?;
        Ok(Active {
            segment: header.segment,
            file,
            tail: SEGMENT_HEADER_BYTES,
            allocated: SEGMENT_HEADER_BYTES,
            last_group: header.first_group.saturating_sub(1),
            entries: Vec::new(),
        })
    }

    fn seal(&self, active: Active) -> io::Result<()> {
        if active.allocated > active.tail {
            active.file.set_len(active.tail)?;
            active.file.sync_data()?;
        }
        let header = SegmentHeader { segment: active.segment, tag: self.tag, first_group: 0 };
        save_footer(&*self.shared.disk, header, active.tail, active.last_group, active.entries);
        self.shared.write_index().usage(active.segment).is_sealed = true;
        Ok(())
    }

    /// Gets blocks for the next groups where the active segment has none left. A full disk is met again, and handled, by
    /// the write itself.
    fn allocate(&self, active: &mut Active, end: u64) -> io::Result<()> {
        if end <= active.allocated {
            return Ok(());
        }
        let spare = self.disk_free.saturating_sub(self.shared.config.disk_free_min_bytes);
        let ahead = active.tail + ALLOCATE_BYTES.min(spare);
        let goal = ahead.min(self.shared.config.segment_bytes).max(end);
        match active.file.allocate(goal) {
            Ok(()) => active.allocated = goal,
            Err(error) if is_full(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Stops all further writes.
    pub(crate) fn fail(&self, error: io::Error) -> Error {
        tracing::error!(%error, "a write to the shard log failed; it takes no more until it is opened again");
        let source = self.shared.poison.get_or_init(|| Arc::new(error));
        Error::Poisoned { source: Arc::clone(source) }
    }
}

fn zeros(count: u64) -> IoSlice<'static> {
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
    IoSlice::new(&ZEROS[..count])
}

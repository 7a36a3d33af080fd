//! Gives dead space back: copies what is still needed out of a sealed segment, syncs the copy, then removes the segment.

use crate::error::Error;
use crate::footer::{self, Entry};
use crate::format::{Kind, segment_name};
use crate::key::Key;
use crate::limits::{COMPACT_COPY_BYTES_MIN, DAMAGE_LISTED_MAX, GROUP_RECORDS_MAX};
use crate::read::read_record;
use crate::recover::segment_entries;
use crate::shared::Op;
use crate::writer::{GroupError, Writer};

/// What one step of compaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Bytes of records copied.
    pub copied_bytes: u64,
    /// Bytes of files removed.
    pub freed_bytes: u64,
    /// Keys whose record could not be copied because it is damaged; their segment stays until they are put again or deleted.
    pub damaged: Vec<Key>,
    /// Whether there is more to do.
    pub progress: Progress,
}

/// Whether a step-wise task has more to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// Call again.
    More,
    /// Nothing left to do for now.
    #[default]
    Done,
}

/// The segment being emptied.
pub(crate) struct Victim {
    segment: u32,
    len: u64,
    entries: Vec<Entry>,
    next: usize,
}

impl Writer {
    /// Copies about `budget_bytes` out of the worst segment, and removes it once nothing in it is needed.
    pub(crate) fn compact(&mut self, budget_bytes: u64) -> Result<CompactReport, Error> {
        let mut report = CompactReport::default();
        if let Some(error) = self.shared.poisoned() {
            return Err(error);
        }
        let mut victim = match self.victim.take() {
            Some(victim) => victim,
            None => match self.choose_victim()? {
                Some(victim) => victim,
                None => return Ok(report),
            },
        };
        self.copy_some(&mut victim, budget_bytes.max(COMPACT_COPY_BYTES_MIN), &mut report)?;
        if victim.next < victim.entries.len() {
            self.victim = Some(victim);
            report.progress = Progress::More;
        } else if report.damaged.is_empty() && self.is_empty(&victim) {
            report.freed_bytes = self.remove_victim(&victim)?;
            let more = self.shared.read_index().compaction_victim().is_some();
            report.progress = if more { Progress::More } else { Progress::Done };
        } else {
            self.shared.write_index().usage(victim.segment).is_blocked = true;
        }
        Ok(report)
    }

    fn choose_victim(&self) -> Result<Option<Victim>, Error> {
        let index = self.shared.read_index();
        let Some(segment) = index.compaction_victim() else { return Ok(None) };
        let len = index.segments().get(&segment).map_or(0, |usage| usage.len);
        drop(index);
        let entries = segment_entries(&*self.shared.disk, segment, len, self.tag)?;
        Ok(Some(Victim { segment, len, entries, next: 0 }))
    }

    /// Copies needed records in groups until the budget is used up or the segment's end is reached.
    fn copy_some(
        &mut self,
        victim: &mut Victim,
        mut budget: u64,
        report: &mut CompactReport,
    ) -> Result<(), Error> {
        while budget > 0 && victim.next < victim.entries.len() {
            let from = victim.next;
            let group_bytes = budget.min(self.shared.config.group_bytes);
            let (ops, bytes) = self.gather(victim, group_bytes, report)?;
            budget = budget.saturating_sub(bytes);
            if ops.is_empty() {
                continue;
            }
            let result = if bytes > self.room_below(self.shared.config.copy_limit()) {
                Err(GroupError::Full)
            } else {
                self.append(&ops)
            };
            match result {
                Ok(()) => report.copied_bytes += bytes,
                Err(GroupError::Fatal(error)) => return Err(error),
                Err(GroupError::Full) => {
                    victim.next = from;
                    let free = self.room_below(self.shared.config.copy_limit());
                    return Err(Error::NoSpace { wanted: bytes, free });
                }
            }
        }
        Ok(())
    }

    /// Reads the next needed records, up to `bytes_max` (at least one).
    fn gather(
        &self,
        victim: &mut Victim,
        bytes_max: u64,
        report: &mut CompactReport,
    ) -> Result<(Vec<Op>, u64), Error> {
        let mut ops = Vec::new();
        let mut bytes = 0;
        while let Some(entry) = victim.entries.get(victim.next).copied() {
            let len = entry.shape.record_len();
            if ops.len() == GROUP_RECORDS_MAX || (!ops.is_empty() && bytes + len > bytes_max) {
                break;
            }
            victim.next += 1;
            if !self.shared.read_index().needs(victim.segment, &entry) {
                continue;
            }
            match self.reread(victim.segment, &entry) {
                Ok(op) => {
                    ops.push(op);
                    bytes += len;
                }
                Err(Error::Damaged { key, .. }) if report.damaged.len() < DAMAGE_LISTED_MAX => {
                    report.damaged.push(key);
                }
                Err(Error::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((ops, bytes))
    }

    fn reread(&self, segment: u32, entry: &Entry) -> Result<Op, Error> {
        if entry.kind == Kind::Delete {
            return Ok(Op::delete(entry.key));
        }
        let name = segment_name(segment);
        let failed = |error| Error::io("read", &name, error);
        let file = self.shared.file(segment).map_err(failed)?;
        let place = crate::format::Place { tag: self.tag, segment, offset: entry.offset };
        let read = read_record(&*file, place, entry.shape, &entry.key).map_err(failed)??;
        Ok(Op {
            kind: Kind::Put,
            key: entry.key,
            shape: entry.shape,
            header: read.header,
            table: read.table.to_vec(),
            body: read.body,
        })
    }

    fn is_empty(&self, victim: &Victim) -> bool {
        let index = self.shared.read_index();
        !victim.entries.iter().any(|entry| index.needs(victim.segment, entry))
    }

    /// Removes the file; the removal is durable before the index counts on it.
    fn remove_victim(&mut self, victim: &Victim) -> Result<u64, Error> {
        let disk = &self.shared.disk;
        let removed = footer::remove(&**disk, victim.segment)
            .and_then(|()| disk.remove(&segment_name(victim.segment)))
            .and_then(|()| disk.sync_dir());
        if let Err(error) = removed {
            return Err(self.fail(error));
        }
        self.shared.drop_file(victim.segment);
        self.shared.write_index().forget_segment(victim.segment, &victim.entries);
        Ok(victim.len)
    }
}

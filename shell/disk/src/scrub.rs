//! Reads all records at a pace the caller sets, so that rot is found while the other shards of the pack are still there.

use crate::compact::Progress;
use crate::error::Error;
use crate::key::Key;
use crate::log::ShardLog;
use crate::shared::lock;

/// What one step of a scrub found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Records read.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Records whose bytes are not what was put, or that the disk cannot read: fetch them from elsewhere and put them again.
    pub damaged: Vec<Key>,
    /// [`Progress::Done`] at the end of a round; the next step starts the next one.
    pub progress: Progress,
}

impl ShardLog {
    /// Verifies the next records, in key order, until about `budget_bytes` have been read. Runs on the caller's thread.
    ///
    /// # Errors
    /// None of a record's; they are in the report. [`Error::Io`] when a segment cannot be opened at all.
    pub fn scrub_step(&self, budget_bytes: u64) -> Result<ScrubReport, Error> {
        let mut cursor = lock(&self.shared().scrub_cursor);
        let mut report = ScrubReport { progress: Progress::More, ..ScrubReport::default() };
        while report.bytes < budget_bytes.max(1) {
            let next = self.shared().read_index().next_after(cursor.as_ref());
            let Some((key, slot)) = next else {
                *cursor = None;
                report.progress = Progress::Done;
                break;
            };
            *cursor = Some(key);
            if !slot.is_live() {
                continue;
            }
            report.records += 1;
            report.bytes += slot.shape(&key).record_len();
            match self.get(&key) {
                Ok(_) => {}
                Err(Error::Damaged { .. } | Error::Io { .. }) => report.damaged.push(key),
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }
}

//! Counts for a [`Progress`], from any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::ClientError;
use crate::progress::{Moment, Phase, Progress};

const UNKNOWN: u64 = u64::MAX;

/// See the module. Also carries the wish to stop.
pub(crate) struct Meter {
    progress: Arc<dyn Progress>,
    phase: Phase,
    done: AtomicU64,
    total: AtomicU64,
    files: AtomicU64,
    stop: Arc<AtomicBool>,
}

/// Raises the wish to stop when it is dropped: held by the future that waits for the work.
pub(crate) struct StopOnDrop(pub(crate) Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Meter {
    pub(crate) fn new(progress: Arc<dyn Progress>, phase: Phase, stop: Arc<AtomicBool>) -> Self {
        let (done, files) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { progress, phase, done, total: AtomicU64::new(UNKNOWN), files, stop }
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.tell(self.phase);
    }

    /// Begins anew: what was counted is done again.
    pub(crate) fn restart(&self) {
        self.done.store(0, Ordering::Relaxed);
        self.files.store(0, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        self.tell(self.phase);
    }

    pub(crate) fn add_file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Tells where things stand.
    pub(crate) fn tell(&self, phase: Phase) {
        let total = self.total.load(Ordering::Relaxed);
        let total = (total != UNKNOWN).then_some(total);
        self.progress.at(Moment { phase, done: self.done(), total, files: self.files() });
    }

    /// # Errors
    /// [`ClientError::Closed`] once nobody waits any more.
    pub(crate) fn check(&self) -> Result<(), ClientError> {
        if self.stop.load(Ordering::Relaxed) { Err(ClientError::Closed) } else { Ok(()) }
    }
}

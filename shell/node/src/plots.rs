//! Plots on disk: one file a region, made in the background, given up as space is sold.
//!
//! ```text
//! plots/region-<8 hex digits>   region | stored part of its tree | root 32
//! ```
//! A file appears under its name only when it is whole and synced, so a crash costs at most the
//! region that was being made. A file of another length is removed at start.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acre_capacity::CapacityError;
use acre_capacity::index::{Item, ItemId};
use acre_capacity::plot::{Fill, PlotRules, Progress, Region};
use acre_capacity::tree::outboard_bytes;
use acre_types::{Bytes, Digest, NodeId};

use crate::limits::{PLOT_LOOK, PLOT_REST, PLOT_STEP_LABELS};

const ROOT_BYTES: u64 = 32;
const UNFINISHED: &str = "unfinished";

/// The regions of one node.
pub(crate) struct Plots {
    dir: PathBuf,
    node: NodeId,
    rules: PlotRules,
    roots: Mutex<BTreeMap<u32, Digest>>,
    is_stopped: AtomicBool,
}

impl Plots {
    /// Opens the regions in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// Whatever the file system answers.
    pub(crate) fn open(dir: &Path, node: NodeId, rules: PlotRules) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let plots = Self {
            dir: dir.to_owned(),
            node,
            rules,
            roots: Mutex::default(),
            is_stopped: AtomicBool::new(false),
        };
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let region = entry.file_name().to_str().and_then(region_of);
            match region.map(|region| (region, plots.read_root(region))) {
                Some((region, Ok(root))) => {
                    plots.roots().insert(region, root);
                }
                _ => fs::remove_file(entry.path())?,
            }
        }
        Ok(plots)
    }

    fn roots(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Digest>> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, region: u32) -> PathBuf {
        self.dir.join(format!("region-{region:08x}"))
    }

    fn file_bytes(&self) -> u64 {
        u64::from(self.rules.region_bytes) + outboard_bytes(self.rules.region_bytes) + ROOT_BYTES
    }

    fn read_root(&self, region: u32) -> io::Result<Digest> {
        let file = File::open(self.path(region))?;
        if file.metadata()?.len() != self.file_bytes() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut root = Digest([0; 32]);
        file.read_exact_at(&mut root.0, self.file_bytes() - ROOT_BYTES)?;
        Ok(root)
    }

    /// The regions that are whole, in order.
    pub(crate) fn items(&self) -> Vec<Item> {
        let bytes = self.rules.region_bytes.into();
        let item = |(region, root): (&u32, &Digest)| Item {
            id: ItemId::Plot(*region),
            bytes,
            root: *root,
        };
        self.roots().iter().map(item).collect()
    }

    /// Fills `into` from a region, from its stored tree on if `offset` is past its bytes.
    fn read(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        let read = File::open(self.path(region)).and_then(|file| file.read_exact_at(into, offset));
        read.map_err(|error| CapacityError::Read {
            item: ItemId::Plot(region),
            reason: error.to_string(),
        })
    }

    /// As [`acre_capacity::prove::Holdings::plot`].
    pub(crate) fn data(&self, region: u32, at: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        self.read(region, at, into)
    }

    /// As [`acre_capacity::prove::Holdings::outboard`].
    pub(crate) fn tree(&self, region: u32, at: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        self.read(region, u64::from(self.rules.region_bytes).saturating_add(at), into)
    }

    /// Makes or gives up regions until they fit what `wanted` says, again and again until stopped.
    /// Runs on a thread of its own, at the lowest priority, with a rest after each small step.
    pub(crate) fn keep(&self, wanted: &dyn Fn() -> Bytes) {
        // Of this thread alone, on Linux. Where it fails the rests remain.
        let _ = rustix::process::nice(19);
        while !self.is_stopped() {
            let target = wanted().0 / self.file_bytes();
            let target = u32::try_from(target).unwrap_or(u32::MAX);
            let outcome = match self.next(target) {
                Some(Step::Make(region)) => self.make(region),
                Some(Step::GiveUp(region)) => self.give_up(region),
                None => {
                    std::thread::park_timeout(PLOT_LOOK);
                    Ok(())
                }
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, "a region of the plots could not be made");
                std::thread::park_timeout(PLOT_LOOK);
            }
        }
    }

    fn next(&self, target: u32) -> Option<Step> {
        let roots = self.roots();
        if let Some(last) = roots.keys().next_back().filter(|last| **last >= target) {
            return Some(Step::GiveUp(*last));
        }
        (0..target).find(|region| !roots.contains_key(region)).map(Step::Make)
    }

    fn make(&self, region: u32) -> io::Result<()> {
        let fill = Fill::new(self.node, region, self.rules);
        let mut fill = fill.map_err(|error| io::Error::other(error.to_string()))?;
        while fill.step(PLOT_STEP_LABELS) == Progress::More {
            if self.is_stopped() {
                return Ok(());
            }
            rest(PLOT_REST);
        }
        let made = fill.finish();
        self.write(region, &made)?;
        self.roots().insert(region, made.root);
        Ok(())
    }

    fn write(&self, region: u32, made: &Region) -> io::Result<()> {
        let unfinished = self.dir.join(UNFINISHED);
        let mut file = File::create(&unfinished)?;
        file.write_all(made.bytes())?;
        file.write_all(&made.outboard)?;
        file.write_all(&made.root.0)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.path(region))?;
        File::open(&self.dir)?.sync_all()
    }

    fn give_up(&self, region: u32) -> io::Result<()> {
        self.roots().remove(&region);
        fs::remove_file(self.path(region))
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Ends [`Plots::keep`] within one rest.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }
}

fn rest(pause: Duration) {
    std::thread::sleep(pause);
}

enum Step {
    Make(u32),
    GiveUp(u32),
}

fn region_of(name: &str) -> Option<u32> {
    u32::from_str_radix(name.strip_prefix("region-")?, 16).ok()
}

/// The thread that keeps the plots; stops when dropped.
pub(crate) struct Keeper {
    plots: Arc<Plots>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Keeper {
    /// Keeps as many regions as `wanted` says.
    ///
    /// # Errors
    /// No thread could be made.
    pub(crate) fn start(
        plots: Arc<Plots>,
        wanted: impl Fn() -> Bytes + Send + 'static,
    ) -> io::Result<Self> {
        let own = Arc::clone(&plots);
        let thread = std::thread::Builder::new()
            .name("plots".to_owned())
            .spawn(move || own.keep(&wanted))?;
        Ok(Self { plots, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.plots.stop();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the thread of the plots panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use acre_capacity::limits::REGION_BYTES_MIN;

    use super::*;

    const RULES: PlotRules = PlotRules { region_bytes: REGION_BYTES_MIN, layers: 1 };
    const NODE: NodeId = NodeId([4; 32]);

    fn open(dir: &Path) -> Plots {
        Plots::open(dir, NODE, RULES).unwrap()
    }

    fn settle(plots: &Plots, target: u32) {
        while let Some(step) = plots.next(target) {
            match step {
                Step::Make(region) => plots.make(region).unwrap(),
                Step::GiveUp(region) => plots.give_up(region).unwrap(),
            }
        }
    }

    #[test]
    fn regions_are_made_given_up_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let plots = open(dir.path());
        settle(&plots, 3);
        let items = plots.items();
        assert_eq!(items.len(), 3);
        let root = Fill::new(NODE, 1, RULES).unwrap().root();
        assert_eq!(items[1].root, root);
        assert_eq!(open(dir.path()).items(), items);
        settle(&plots, 1);
        assert_eq!(plots.items(), items[..1]);
        assert_eq!(open(dir.path()).items(), items[..1]);
    }

    #[test]
    fn what_a_crash_left_half_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        settle(&open(dir.path()), 2);
        let half = dir.path().join("region-00000001");
        File::options().write(true).open(&half).unwrap().set_len(1000).unwrap();
        fs::write(dir.path().join(UNFINISHED), b"half").unwrap();
        let plots = open(dir.path());
        assert_eq!(plots.items().len(), 1);
        settle(&plots, 2);
        assert_eq!(plots.items().len(), 2);
    }
}

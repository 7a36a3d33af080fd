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

use crate::limits::{PLOT_LOOK, PLOT_REST, PLOT_REST_BUSY, PLOT_STEP_LABELS};

const ROOT_BYTES: u64 = 32;
const UNFINISHED: &str = "unfinished";

/// How many plots there shall be, and how fast they may be made. Both are asked while they are made.
pub(crate) struct Demand {
    /// Bytes of files.
    pub(crate) bytes: Box<dyn Fn() -> Bytes + Send>,
    /// Whether somebody waits for the node. Asked often: must be quick.
    pub(crate) is_busy: Box<dyn Fn() -> bool + Send>,
}

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
                // That it cannot be read now is no proof that it is not whole.
                Some((_, Err(error))) if error.kind() != io::ErrorKind::InvalidData => {
                    return Err(error);
                }
                _ if entry.file_type()?.is_file() => fs::remove_file(entry.path())?,
                _ => {}
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

    /// Makes or gives up regions until they fit what `demand` says, again and again until stopped.
    /// Runs on a thread of its own, at the lowest priority, with a rest after each small step.
    pub(crate) fn keep(&self, demand: &Demand) {
        // Of this thread alone, on Linux. Where it fails the rests remain.
        let _ = rustix::process::nice(19);
        while !self.is_stopped() {
            let target = (demand.bytes)().0 / self.file_bytes();
            let target = u32::try_from(target).unwrap_or(u32::MAX);
            let outcome = match self.next(target) {
                Some(Step::Make(region)) => self.make(region, demand),
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

    fn make(&self, region: u32, demand: &Demand) -> io::Result<()> {
        let fill = Fill::new(self.node, region, self.rules);
        let mut fill = fill.map_err(|error| io::Error::other(error.to_string()))?;
        while fill.step(PLOT_STEP_LABELS) == Progress::More {
            if self.is_stopped() {
                return Ok(());
            }
            rest(if (demand.is_busy)() { PLOT_REST_BUSY } else { PLOT_REST });
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
    /// Keeps as many regions as `demand` says.
    ///
    /// # Errors
    /// No thread could be made.
    pub(crate) fn start(plots: Arc<Plots>, demand: Demand) -> io::Result<Self> {
        let own = Arc::clone(&plots);
        let thread = std::thread::Builder::new()
            .name("plots".to_owned())
            .spawn(move || own.keep(&demand))?;
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

    fn eager() -> Demand {
        Demand { bytes: Box::new(|| Bytes(1 << 40)), is_busy: Box::new(|| false) }
    }

    fn settle(plots: &Plots, target: u32) {
        while let Some(step) = plots.next(target) {
            match step {
                Step::Make(region) => plots.make(region, &eager()).unwrap(),
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
    fn what_cannot_be_read_now_is_not_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        settle(&open(dir.path()), 2);
        fs::create_dir(dir.path().join("lost+found")).unwrap();
        let region = dir.path().join("region-00000001");
        let kept = dir.path().with_extension("kept");
        fs::rename(&region, &kept).unwrap();
        // Of itself: no file is opened through it.
        std::os::unix::fs::symlink(&region, &region).unwrap();
        assert!(Plots::open(dir.path(), NODE, RULES).is_err());
        fs::remove_file(&region).unwrap();
        fs::rename(&kept, &region).unwrap();
        assert_eq!(open(dir.path()).items().len(), 2);
        fs::write(&region, "half").unwrap();
        assert_eq!(open(dir.path()).items().len(), 1);
        assert!(!region.exists() && dir.path().join("lost+found").exists());
    }

    /// Everything that is believed is what the rules give: bytes, stored tree and root.
    #[track_caller]
    fn check_believed(plots: &Plots, when: &str) {
        for item in plots.items() {
            let ItemId::Plot(region) = item.id else { panic!("{item:?}") };
            let whole = Fill::new(NODE, region, plots.rules).unwrap().finish();
            assert_eq!(item.root, whole.root, "region {region} {when}");
            let (mut bytes, mut tree) =
                (vec![0; whole.bytes().len()], vec![0; whole.outboard.len()]);
            plots.data(region, 0, &mut bytes).unwrap();
            plots.tree(region, 0, &mut tree).unwrap();
            assert!(bytes == whole.bytes() && tree == whole.outboard, "region {region} {when}");
        }
    }

    #[test]
    fn region_cut_at_any_point_is_made_again_and_never_believed() {
        let dir = tempfile::tempdir().unwrap();
        settle(&open(dir.path()), 2);
        let (whole, half) = (dir.path().join("region-00000001"), dir.path().join(UNFINISHED));
        let bytes = fs::read(&whole).unwrap();
        // Where the parts of the file meet, the byte before and behind, and a grid between.
        let region = usize::try_from(RULES.region_bytes).unwrap();
        let seams = [region, bytes.len() - usize::try_from(ROOT_BYTES).unwrap(), bytes.len()];
        let near = seams.iter().flat_map(|seam| [seam - 1, *seam, seam + 1]);
        let cuts = (0..bytes.len()).step_by(97).chain(near).filter(|cut| *cut < bytes.len());
        for cut in cuts {
            fs::write(&whole, &bytes[..cut]).unwrap();
            fs::write(&half, &bytes[..cut]).unwrap();
            let plots = open(dir.path());
            assert_eq!(plots.items().len(), 1, "cut at {cut}");
            assert!(!whole.exists() && !half.exists(), "cut at {cut}");
        }
        fs::write(&whole, [bytes.as_slice(), b"x"].concat()).unwrap();
        let plots = open(dir.path());
        assert_eq!(plots.items().len(), 1, "longer");
        settle(&plots, 2);
        assert_eq!(plots.items().len(), 2);
        check_believed(&plots, "made again");
        assert_eq!(fs::read(&whole).unwrap(), bytes);
    }

    /// Directory in which [`child_that_plots`] works.
    const CHILD_DIR: &str = "ACRE_TEST_PLOTS";
    /// Large enough that most of the time of the child is within a region.
    const CHILD_RULES: PlotRules = PlotRules { region_bytes: 64 * REGION_BYTES_MIN, layers: 1 };

    /// Ends the process also where a test fails.
    struct Child(std::process::Child);

    impl Drop for Child {
        fn drop(&mut self) {
            // SIGKILL; one that has ended cannot be killed.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Not a test by itself: the process that the next one kills.
    #[test]
    fn child_that_plots() {
        let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
        Plots::open(Path::new(&dir), NODE, CHILD_RULES).unwrap().keep(&eager());
    }

    #[test]
    fn plots_of_a_killed_process_are_whole_and_the_next_one_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let count = || {
            let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.to_str().and_then(region_of).is_some()).count()
        };
        let mut before = Vec::new();
        for round in 1..=4 {
            let had = before.len();
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "plots::tests::child_that_plots", "--nocapture"])
                .env(CHILD_DIR, dir.path())
                .stdout(std::process::Stdio::null())
                .spawn();
            let mut child = Child(child.unwrap());
            while count() < had + 2 {
                assert!(child.0.try_wait().unwrap().is_none(), "the child ended, round {round}");
                std::thread::yield_now();
            }
            // In the middle of the third or a later region.
            drop(child);
            let plots = Plots::open(dir.path(), NODE, CHILD_RULES).unwrap();
            let items = plots.items();
            assert!(items.len() >= had + 2, "round {round}");
            assert_eq!(items[..had], before, "what was whole is not made again, round {round}");
            check_believed(&plots, &format!("after kill {round}"));
            before = items;
        }
    }
}

//! What the tour happens on: a grid in a directory of its own, and what is done with it.

mod bill;
mod farmer;
mod ledger;
mod liar;
mod storage;
mod validator;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::time::{Duration, Instant};

use acre_types::Bytes;
use anyhow::{Context as _, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::{Value, json};

use crate::cli;
use crate::exit::{Code, Failure, Outcome};
use crate::grid::control::{self, Answer, Request};
use crate::grid::{process, up};
use crate::home::Home;
use farmer::Farmer;

pub(super) const NODES: u16 = 24;
/// As many as bear the loss of one.
pub(super) const VALIDATORS: u8 = 4;
/// Processes with a key and a directory of their own: nodes, validators, the gateway, and the
/// farmer's node.
pub(super) const PROCESSES: u16 = NODES + VALIDATORS as u16 + 1 + 1;
/// Long enough for 24 nodes on two cores to visit each other, short enough to wait for.
const EPOCH_SECONDS: u16 = 5;
/// Of each node: all share one disk and two cores.
const PLOTS: Bytes = Bytes(4 << 20);
/// Three hundred times the usual price, so that the seconds of a tour show on a bill.
const TIB_HOUR_USD: &str = "4.08";
/// Held by a tour while it runs, so that the next one knows which directories were left behind.
const LOCK: &str = "lock";
/// How long a grid may take to end by itself: its processes have some seconds each.
const ENDS: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };
/// Processes without a lifeline have this long to end by themselves.
const GONE: Duration = Duration::from_secs(10);
/// Whatever is waited for is there long before, even on a slow machine that does much else.
const PATIENCE: Duration = Duration::from_secs(240);
/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// What a step shows: to people, and in the report.
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) facts: Value,
}

/// The process of the grid, which ends when its lifeline is dropped.
struct Supervisor {
    pid: Pid,
    end: OwnedFd,
    lifeline: ChildStdin,
}

pub(super) struct Stage {
    folder: PathBuf,
    home: Home,
    _lock: File,
    supervisor: Option<Supervisor>,
    killed: BTreeSet<String>,
    farmer: Option<Farmer>,
}

impl Stage {
    /// Makes the tour's own directory inside the home.
    pub(super) fn new(home: &Home) -> Outcome<Self> {
        remove_left_behind(home);
        let folder = home.root().join(format!("tour-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let lock = File::create(folder.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let home = Home::find(Some(folder.join("home")))?;
        Ok(Self {
            folder,
            home,
            _lock: lock,
            supervisor: None,
            killed: BTreeSet::new(),
            farmer: None,
        })
    }

    /// Stops the grid and removes the directory.
    pub(super) fn clean_up(&mut self) -> Outcome {
        // Her node ends with this, and what it has goes with the directory.
        self.farmer = None;
        if let Some(Supervisor { pid, end, lifeline }) = self.supervisor.take() {
            drop(lifeline);
            let is_gone = || {
                let mut fds = [PollFd::new(&end, PollFlags::IN)];
                poll(&mut fds, Some(&ENDS)).is_ok_and(|ended| ended > 0)
            };
            if !is_gone() {
                // It hangs; its children end with it.
                let _ = kill_process(pid, Signal::KILL);
                is_gone();
            }
        }
        end_processes(&self.folder);
        remove(&self.folder)
    }

    /// Starts the grid. Ends with this process, however that ends.
    pub(super) async fn start(&mut self) -> Outcome<Shown> {
        let options = cli::Up {
            nodes: NODES,
            validators: VALIDATORS,
            settings: vec![format!("prices.storage_tib_hour={TIB_HOUR_USD}")],
            capacity: Bytes(64 << 30),
            epoch: Some(EPOCH_SECONDS),
            plots: PLOTS,
            detach: true,
            supervisor: false,
            supervised: true,
        };
        let begun = Instant::now();
        let mut child = up::launch(&self.home, &options)?;
        let pid = Pid::from_child(&child);
        let end = pidfd_open(pid, PidfdFlags::empty())?;
        let lifeline = child.stdin.take().context("standard input was piped")?;
        self.supervisor = Some(Supervisor { pid, end, lifeline });
        let home = self.home.clone();
        tokio::task::spawn_blocking(move || up::ready(&home, &mut child)).await??;
        let seconds = begun.elapsed().as_secs_f64();
        let status = up::processes(&self.home)?;
        let countries: BTreeSet<_> =
            status.nodes.iter().filter_map(|node| node.country.clone()).collect();
        let text = format!(
            "{} validators agree on every block; any one of them may fail.\n\
             {} nodes in {} countries, each with a site, a farm and an operator of its own, ready after {seconds:.1} s.\n\
             Nodes watch each other in epochs of {EPOCH_SECONDS} s (an hour on a real grid).\n\
             See them: {}",
            status.validators.len(),
            status.nodes.len(),
            countries.len(),
            status.dashboard.as_deref().unwrap_or_default()
        );
        let facts = json!({
            "validators": status.validators.len(), "nodes": status.nodes.len(),
            "countries": countries.len(), "epoch_seconds": EPOCH_SECONDS,
            "ready_after_seconds": seconds,
        });
        Ok(Shown { text, facts })
    }

    async fn switch(&self, request: Request) -> Outcome {
        let grid = self.home.grid();
        match tokio::task::spawn_blocking(move || control::ask(&grid, &request)).await?? {
            Answer::Done => Ok(()),
            answer => bail!("the grid said {answer:?}"),
        }
    }

    /// Runs a command as anybody would, for another home.
    async fn acre(home: &Home, words: &[impl AsRef<OsStr>]) -> Outcome<Said> {
        let done = tokio::process::Command::new(process::EXECUTABLE)
            .arg0(process::name()?)
            .args(words)
            .arg("--json")
            .arg("--home")
            .arg(home.root())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said { code: done.status.code(), out: text(&done.stdout), err: text(&done.stderr) })
    }
}

/// How a command ended, and what it said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// What it printed, if it ended well.
    fn well(&self) -> Outcome<Value> {
        if self.code != Some(0) {
            let code = self.code.and_then(Code::of_number).unwrap_or(Code::Failed);
            return Err(Failure::new(code, self.error()).into());
        }
        Ok(serde_json::from_str(&self.out)?)
    }

    /// What went wrong, in its own words.
    fn error(&self) -> String {
        let last = self.err.lines().last().unwrap_or_default();
        let error = serde_json::from_str::<Value>(last).ok();
        let error = error.and_then(|error| error["error"].as_str().map(ToOwned::to_owned));
        error.unwrap_or_else(|| last.to_owned())
    }
}

/// Looks again and again until there is something.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if begun.elapsed() > PATIENCE {
            bail!("{what}: not within {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.folder.exists() {
            let _ = self.clean_up();
        }
    }
}

/// Waits for the processes of a tour, which have lost their lifelines, and ends those that hang.
fn end_processes(folder: &Path) {
    let begun = Instant::now();
    loop {
        let left = processes_in(folder);
        if left.is_empty() || begun.elapsed() > GONE + GONE {
            return;
        }
        if begun.elapsed() > GONE {
            for pid in left {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes that run and have this directory in their arguments.
fn processes_in(folder: &Path) -> Vec<Pid> {
    let name = folder.as_os_str().as_encoded_bytes();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            // One that has ended, but was not waited for, has no arguments.
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.windows(name.len()).any(|part| part == name))
        })
        .filter_map(Pid::from_raw)
        .collect()
}

/// Directories of tours that were killed: nobody holds their locks.
fn remove_left_behind(home: &Home) {
    let Ok(entries) = fs::read_dir(home.root()) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("tour-"));
        if number.is_none_or(|number| number.parse::<u32>().is_err()) {
            continue;
        }
        let is_free = |path: PathBuf| match File::open(path) {
            Ok(file) => flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok(),
            Err(_) => false,
        };
        let folder = entry.path();
        if is_free(folder.join(LOCK)) && processes_in(&folder).is_empty() {
            let _ = remove(&folder);
        }
    }
}

/// Removes a directory, and what a process that is just ending still writes into it.
fn remove(folder: &Path) -> Outcome {
    let begun = Instant::now();
    loop {
        // A recovered tree may hold directories without write permission.
        make_removable(folder);
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                if begun.elapsed() > Duration::from_secs(10) {
                    return Err(error).context(folder.display().to_string());
                }
                std::thread::sleep(LOOK);
            }
            _ => return Ok(()),
        }
    }
}

/// Lets the owner remove a tree whose directories were stored without write permission.
fn make_removable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = fs::symlink_metadata(folder) else { return };
    if !metadata.is_dir() {
        return;
    }
    let mode = metadata.permissions().mode() | 0o700;
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(mode));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        make_removable(&entry.path());
    }
}

//! What processes use, read from `/proc`; commands run and measured.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::exit::{Code, Failure, Outcome};

/// Clock ticks a second in `/proc/PID/stat`: `USER_HZ`, which Linux fixes at 100 on the processors that
/// we run on.
const TICKS_PER_SECOND: f64 = 100.0;
/// How often the memory of a running command is read. Its high-water mark only rises, so only what it
/// rises by in its last moments can be missed.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Longest tail of an error message that is repeated.
const MESSAGE_CHARS_MAX: usize = 600;

/// A command that has ended well.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// From start to end.
    pub(crate) seconds: f64,
    /// Processor time of the command and of what it started and waited for.
    pub(crate) cpu_seconds: f64,
    /// Its largest resident memory.
    pub(crate) peak_bytes: u64,
    /// What it printed.
    pub(crate) stdout: String,
}

/// Runs a command to its end. Dropped before that, the command is killed.
///
/// One at a time: the processor time is what the ended children of this process have used.
///
/// # Errors
/// If it cannot be started or does not end well; the message carries the end of what it said.
pub(crate) async fn run(name: &str, mut command: Command) -> Outcome<Run> {
    let cpu_before = ended_children_seconds()?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{name} could not be started"))?;
    let pid = child.id().context("a child just started has a pid")?;
    let mut stdout = child.stdout.take().context("standard output was piped")?;
    let mut stderr = child.stderr.take().context("standard error was piped")?;
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let watch = async {
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut peak_bytes = 0;
        loop {
            tokio::select! {
                status = child.wait() => return (status, begun.elapsed().as_secs_f64(), peak_bytes),
                _ = look.tick() => peak_bytes = memory_bytes(pid, "VmHWM").unwrap_or(0).max(peak_bytes),
            }
        }
    };
    let (_, _, (status, seconds, peak_bytes)) =
        tokio::join!(stdout.read_to_end(&mut said), stderr.read_to_end(&mut complained), watch);
    let status = status.with_context(|| format!("{name} was lost"))?;
    if !status.success() {
        let message = tail(&String::from_utf8_lossy(&complained));
        return Err(
            Failure::new(Code::Failed, format!("{name} failed ({status}): {message}")).into()
        );
    }
    let cpu_seconds = ended_children_seconds()? - cpu_before;
    Ok(Run {
        seconds,
        cpu_seconds,
        peak_bytes,
        stdout: String::from_utf8_lossy(&said).into_owned(),
    })
}

fn tail(text: &str) -> String {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(MESSAGE_CHARS_MAX);
    text.chars().skip(skipped).collect()
}

/// The numbers of `/proc/PID/stat` that are of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    ticks: u64,
    ended_children_ticks: u64,
}

impl Stat {
    /// proc(5): the name in brackets may hold anything, so fields are counted from the last bracket; the
    /// state after it is field 3.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| -> Option<u64> { fields.get(number - 3)?.parse().ok() };
        Some(Self { ticks: field(14)? + field(15)?, ended_children_ticks: field(16)? + field(17)? })
    }

    fn of(pid: &str) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND
}

fn ended_children_seconds() -> Outcome<f64> {
    let stat = Stat::of("self").context("/proc/self/stat cannot be read")?;
    Ok(seconds(stat.ended_children_ticks))
}

/// A field of `/proc/PID/status` in bytes, such as `VmRSS` or `VmHWM`.
pub(crate) fn memory_bytes(pid: u32, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    parse_memory(&text, field)
}

fn parse_memory(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Processes of which an argument is this path or one below it. The dead and unburied have none.
pub(crate) fn that_name(path: &Path) -> Vec<u32> {
    let names_it = |pid: u32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut arguments = arguments.split(|byte| *byte == 0);
        arguments.any(|argument| Path::new(OsStr::from_bytes(argument)).starts_with(path))
    };
    (std::fs::read_dir("/proc").into_iter().flatten().flatten())
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| names_it(*pid))
        .collect()
}

/// Processor time of some processes at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage(BTreeMap<u32, u64>);

impl Usage {
    /// In ticks of 10 ms; right for work of seconds. Threads that have ended count.
    pub(crate) fn of(pids: &[u32]) -> Self {
        let ticks = |pid: u32| Some((pid, Stat::of(&pid.to_string())?.ticks));
        Self(pids.iter().filter_map(|pid| ticks(*pid)).collect())
    }

    /// Seconds since `before`, of the processes that lived at both moments.
    pub(crate) fn since(&self, before: &Self) -> f64 {
        seconds(self.difference(before))
    }

    fn difference(&self, before: &Self) -> u64 {
        let used = |(pid, now): (&u32, &u64)| Some(now.saturating_sub(*before.0.get(pid)?));
        self.0.iter().filter_map(used).sum()
    }
}

/// Processor time of the threads of some processes at one moment, in nanoseconds: for idle processes,
/// of which each uses less than a tick. Threads that end in between are missed.
#[derive(Clone, Debug, Default)]
pub(crate) struct FineUsage(BTreeMap<u32, u64>);

impl FineUsage {
    /// `None` where the kernel keeps no such count.
    pub(crate) fn of(pids: &[u32]) -> Option<Self> {
        let mut threads = BTreeMap::new();
        for pid in pids {
            let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
            for task in tasks.flatten() {
                let Some(id) = task.file_name().to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                let Ok(text) = std::fs::read_to_string(task.path().join("schedstat")) else {
                    continue;
                };
                let nanoseconds = text.split_ascii_whitespace().next()?.parse().ok()?;
                threads.insert(id, nanoseconds);
            }
        }
        (!threads.is_empty()).then_some(Self(threads))
    }

    /// Seconds since `before`; a thread that is new since then counts from its start.
    pub(crate) fn since(&self, before: &Self) -> f64 {
        let used =
            |(id, now): (&u32, &u64)| now.saturating_sub(before.0.get(id).copied().unwrap_or(0));
        let nanoseconds: u64 = self.0.iter().map(used).sum();
        Duration::from_nanos(nanoseconds).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "4711 (a (odd) name) S 42 1 1 0 -1 4194560 1 2 3 4 150 50 7 3 20 0 9 0 100 1 2";

    #[test]
    fn stat_is_read_after_the_last_bracket() {
        let expected = Stat { ticks: 200, ended_children_ticks: 10 };
        assert_eq!(Stat::parse(STAT), Some(expected));
        assert_eq!(Stat::parse("4711 (cut) S 42"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tacre\nVmHWMX:\t 1 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 12 kB\n";
        assert_eq!(parse_memory(status, "VmHWM"), Some(2 << 20));
        assert_eq!(parse_memory(status, "VmSwap"), None);
    }

    #[test]
    fn only_processes_alive_at_both_moments_are_compared() {
        let before = Usage([(1, 100), (2, 500)].into());
        let after = Usage([(1, 130), (3, 900)].into());
        assert_eq!(after.difference(&before), 30);
    }

    #[test]
    fn process_is_found_by_a_path_below_the_one_it_names() {
        let me = std::process::id();
        let program = std::env::args_os().next().unwrap();
        assert!(that_name(Path::new(&program)).contains(&me));
        assert!(!that_name(Path::new("/no/such/path")).contains(&me));
        assert!(memory_bytes(me, "VmRSS").unwrap() > 0);
    }

    #[tokio::test]
    async fn failed_command_tells_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo broken >&2; exit 3"]);
        let error = run("it", command).await.unwrap_err().to_string();
        assert!(error.contains("it failed") && error.contains("broken"), "{error}");
    }

    #[tokio::test]
    async fn command_that_ends_well_is_measured() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out"]);
        let run = run("it", command).await.unwrap();
        assert_eq!(run.stdout, "out\n");
        assert!(run.seconds > 0.0 && run.cpu_seconds >= 0.0);
    }
}

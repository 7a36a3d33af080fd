//! A child process of the local grid: started with its directory, ready when it says so, ended
//! when its supervisor ends.
//!
//! The child prints one JSON line ([`Ready`]) on standard output when it serves; all else it says
//! goes to `log` in its directory. Its standard input is a pipe that the supervisor holds open: at
//! its end the child stops, so that no process outlives a killed supervisor.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::exit::{Code, Failure, Outcome};

/// How long a process may take from its start to its ready line. A validator that replays a long
/// log is the slowest.
const READY: Duration = Duration::from_secs(60);
/// How long a process may take to end by itself before it is killed.
const END: Duration = Duration::from_secs(5);

/// The line that a child prints when it serves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Its public key.
    pub(crate) id: String,
    /// Where it is dialed, or the page's address for a gateway.
    pub(crate) address: String,
}

impl Ready {
    /// Tells the supervisor. The one line that a role prints.
    pub(crate) fn announce(&self) -> Outcome {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }
}

/// This very program, even if its file was replaced or removed since it started.
pub(crate) const EXECUTABLE: &str = "/proc/self/exe";

/// What it is called in a list of processes.
pub(crate) fn name() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// For messages: `node 03`.
    pub(crate) name: String,
    /// The words after `acre`, without `--dir`.
    pub(crate) role: &'static [&'static str],
    pub(crate) dir: PathBuf,
}

/// A child that has said it is ready.
pub(crate) struct Running {
    pub(crate) ready: Ready,
    pub(crate) pid: u32,
    pub(crate) child: Child,
    /// Dropped, it tells the child to stop.
    pub(crate) lifeline: ChildStdin,
}

/// The log of a process whose directory this is.
pub(crate) fn log_file(dir: &Path) -> PathBuf {
    dir.join("log")
}

/// Starts a process and waits until it is ready.
pub(crate) async fn start(spec: &Spec) -> Outcome<Running> {
    let path = log_file(&spec.dir);
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| path.display().to_string())?;
    let mut child = Command::new(EXECUTABLE)
        .arg0(name()?)
        .args(spec.role)
        .arg("--dir")
        .arg(&spec.dir)
        .arg("--supervised")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C in a terminal reaches the supervisor only, which then ends its children in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} could not be started", spec.name))?;
    let pid = child.id().context("a child just started has a pid")?;
    let lifeline = child.stdin.take().context("standard input was piped")?;
    let stdout = child.stdout.take().context("standard output was piped")?;
    let mut line = String::new();
    let mut stdout = BufReader::new(stdout);
    let read = tokio::time::timeout(READY, stdout.read_line(&mut line)).await;
    match read {
        Ok(Ok(length)) if length > 0 => {
            let ready = serde_json::from_str(&line)
                .with_context(|| format!("{} said '{}'", spec.name, line.trim()))?;
            Ok(Running { ready, pid, child, lifeline })
        }
        Ok(_) => {
            let status = child.wait().await?;
            Err(failed(spec, &format!("ended before it was ready ({status})")))
        }
        Err(_) => {
            child.kill().await?;
            Err(failed(spec, &format!("was not ready after {} s", READY.as_secs())))
        }
    }
}

fn failed(spec: &Spec, why: &str) -> anyhow::Error {
    let log = log_file(&spec.dir);
    let tail = std::fs::read_to_string(&log).unwrap_or_default();
    let last: Vec<&str> = tail.lines().rev().take(3).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    let mut what = format!("{} {why}", spec.name);
    if !last.is_empty() {
        what = format!("{what}; its log ends with:\n    {}", last.join("\n    "));
    }
    Failure::new(Code::Failed, what).hint(format!("less {}", log.display())).into()
}

/// Asks a child to stop and kills it if it does not.
pub(crate) async fn end(child: &mut Child, lifeline: Option<ChildStdin>) {
    drop(lifeline);
    let is_slow = tokio::time::timeout(END, child.wait()).await.is_err();
    if is_slow && let Err(error) = child.kill().await {
        tracing::warn!(%error, "a process could not be killed");
    }
}

/// Completes when the supervisor is gone or asks this process to stop: its end of standard input
/// was closed.
pub(crate) async fn supervisor_gone() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let watch = move || {
        let mut stdin = std::io::stdin().lock();
        let _ = std::io::copy(&mut stdin, &mut std::io::sink());
        let _ = tell.send(());
    };
    if std::thread::Builder::new().name("lifeline".to_owned()).spawn(watch).is_ok() {
        let _ = told.await;
    } else {
        std::future::pending::<()>().await;
    }
}

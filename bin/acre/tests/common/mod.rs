//! Grids of real processes for tests: started, asked and ended through the binary alone.
//!
//! Knows the command line and what it prints, nothing of the code behind it.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

pub(crate) mod tree;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const ACRE: &str = env!("CARGO_BIN_EXE_acre");
/// No command of these tests takes so long, on a busy machine either: past it, it hangs.
const COMMAND: Duration = Duration::from_secs(180);
/// Whatever is waited for is there long before, or never.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Output {
    /// The command, for messages.
    pub(crate) words: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// The exit code; 128 and more for a signal, as a shell counts.
    pub(crate) fn code(&self) -> i32 {
        let by_signal = || self.status.signal().map_or(-1, |signal| signal + 128);
        self.status.code().unwrap_or_else(by_signal)
    }

    /// Insists on an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            code,
            "exit code of {}\nstdout: {}\nstderr: {}",
            self.words,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{}: {error} in '{}'", self.words, self.stdout))
    }

    /// The error that `--json` puts on standard error: its last line.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("{}: {error} in '{}'", self.words, self.stderr));
        assert_eq!(error["exit_code"], self.code(), "{}: {error}", self.words);
        assert!(self.stdout.is_empty(), "{} failed but printed {}", self.words, self.stdout);
        error
    }

    /// Insists that standard output holds this text.
    #[track_caller]
    pub(crate) fn shows(&self, part: &str) {
        assert!(self.stdout.contains(part), "'{part}' is not in: {}", self.stdout);
    }

    /// Insists that the error's text holds all of `parts`.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.stderr.contains(part), "'{part}' is not in: {}", self.stderr);
        }
    }
}

/// A command of the binary, apart from the surroundings of the one who runs the tests.
pub(crate) fn command<W: AsRef<OsStr>>(words: &[W]) -> Command {
    let mut command = Command::new(ACRE);
    command.args(words).env_remove("ACRE_HOME").env_remove("ACRE_LOG").stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
#[track_caller]
pub(crate) fn acre<W: AsRef<OsStr>>(words: &[W]) -> Output {
    finish(command(words))
}

/// Runs the binary for a home, with JSON as its output.
#[track_caller]
pub(crate) fn acre_at<W: AsRef<OsStr>>(home: &Path, words: &[W]) -> Output {
    let mut command = command(words);
    command.arg("--json").arg("--home").arg(home);
    finish(command)
}

/// Runs a command to its end; one that hangs is killed and fails the test.
#[track_caller]
pub(crate) fn finish(command: Command) -> Output {
    finish_within(command, COMMAND)
}

/// As [`finish`], for what takes longer than other commands.
#[track_caller]
pub(crate) fn finish_within(mut command: Command, limit: Duration) -> Output {
    let words = format!("{:?}", command.get_args().collect::<Vec<_>>());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(child.wait_with_output()));
    let Ok(done) = receive.recv_timeout(limit) else {
        kill(pid);
        panic!("{words} did not end within {limit:?}");
    };
    let done = done.unwrap();
    Output {
        words,
        status: done.status,
        stdout: String::from_utf8(done.stdout).unwrap(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    }
}

/// Runs a command whose standard output nobody reads any more: exit code and standard error.
#[track_caller]
pub(crate) fn without_reader(mut command: Command) -> (i32, String) {
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    let done = command.stdout(Stdio::from(pipe)).stderr(Stdio::piped()).output().unwrap();
    (done.status.code().unwrap_or(-1), String::from_utf8(done.stderr).unwrap())
}

/// Looks again and again until `found` finds something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(LOOK);
    }
}

/// `kill -9`.
pub(crate) fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may be gone already.
    let _ = kill_process(pid, Signal::KILL);
}

/// Whether a process runs; one that has ended but was not waited for does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Processes whose arguments name this directory, which only one test knows.
pub(crate) fn processes_of(home: &Path) -> BTreeSet<u32> {
    let name = home.as_os_str().as_encoded_bytes();
    let names_it = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.windows(name.len()).any(|part| part == name))
    };
    (std::fs::read_dir("/proc").unwrap())
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| names_it(pid) && is_alive(*pid))
        .collect()
}

/// Keys of a JSON object, sorted.
#[track_caller]
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"))
        .keys()
        .map(String::as_str)
        .collect()
}

/// A text field.
#[track_caller]
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("'{key}' is no text in {value}"))
}

/// A number field.
#[track_caller]
pub(crate) fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("'{key}' is no whole number in {value}"))
}

/// A list field.
#[track_caller]
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("'{key}' is no list in {value}"))
}

/// What a process says on `admin.sock` in its directory.
#[track_caller]
pub(crate) fn administered(dir: &Path, path: &str) -> (u16, String) {
    let socket = dir.join("admin.sock");
    let mut stream = UnixStream::connect(&socket)
        .unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// One figure that a process tells of itself.
#[track_caller]
pub(crate) fn metric(dir: &Path, name: &str) -> u64 {
    let (code, text) = administered(dir, "/metrics");
    assert_eq!(code, 200, "{text}");
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let found = found.unwrap_or_else(|| panic!("no {name} in {text}"));
    found.parse().unwrap_or_else(|error| panic!("{name} {found}: {error}"))
}

/// A grid in a directory of its own, ended and removed with this value.
pub(crate) struct Grid {
    folder: TempDir,
    nodes: u16,
    validators: u8,
    settings: Vec<String>,
}

impl Grid {
    /// Starts a grid.
    #[track_caller]
    pub(crate) fn up(nodes: u16) -> Self {
        Self::with_validators(nodes, 1)
    }

    /// Starts a grid of several validators.
    #[track_caller]
    pub(crate) fn with_validators(nodes: u16, validators: u8) -> Self {
        Self::with_settings(nodes, validators, &[])
    }

    /// The same with settings other than usual.
    #[track_caller]
    pub(crate) fn with_settings(nodes: u16, validators: u8, settings: &[&str]) -> Self {
        let settings = settings.iter().map(|setting| format!("--set={setting}")).collect();
        let grid = Self { folder: tempfile::tempdir().unwrap(), nodes, validators, settings };
        grid.up_again();
        grid
    }

    /// `acre up` on the same home; what it reported.
    #[track_caller]
    pub(crate) fn up_again(&self) -> Value {
        let (nodes, validators) = (self.nodes.to_string(), self.validators.to_string());
        let mut words = vec!["up", "--detach", "--nodes", &nodes, "--validators", &validators];
        words.extend(self.settings.iter().map(String::as_str));
        let report = self.acre(&words).exits(0).json();
        assert_eq!(report["ready"], true, "{report}");
        report
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A path beside the home, which no other test uses.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As [`Self::path`], for arguments.
    pub(crate) fn arg(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().unwrap()
    }

    /// Runs the binary with `--json` for this grid's home.
    #[track_caller]
    pub(crate) fn acre<W: AsRef<OsStr>>(&self, words: &[W]) -> Output {
        acre_at(&self.home(), words)
    }

    /// Runs the binary for this grid's home, for people.
    #[track_caller]
    pub(crate) fn words<W: AsRef<OsStr>>(&self, words: &[W]) -> Output {
        let mut command = command(words);
        command.arg("--home").arg(self.home());
        finish(command)
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.acre(&["status"]).exits(0).json()
    }

    /// What the status says of one node.
    #[track_caller]
    pub(crate) fn node(&self, id: &str) -> Value {
        let status = self.status();
        let found = list(&status, "nodes").iter().find(|node| node["id"] == id);
        found.unwrap_or_else(|| panic!("no node {id} in {status}")).clone()
    }

    /// Directories of the processes of this kind, as `nodes` or `validators`.
    #[track_caller]
    pub(crate) fn dirs(&self, kind: &str) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.home().join("grid").join(kind)).unwrap();
        let mut all: Vec<PathBuf> = all.map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    }

    /// Ids of all nodes.
    #[track_caller]
    pub(crate) fn node_ids(&self) -> Vec<String> {
        let status = self.status();
        list(&status, "nodes").iter().map(|node| text(node, "id").to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn stop(&self, nodes: &[String]) {
        for node in nodes {
            self.acre(&["node", "stop", node]).exits(0);
        }
    }

    #[track_caller]
    pub(crate) fn start(&self, nodes: &[String]) {
        for node in nodes {
            self.acre(&["node", "start", node]).exits(0);
        }
    }
}

impl Drop for Grid {
    fn drop(&mut self) {
        let home = self.home();
        let mut down = command(&["down", "--home"]);
        let stopped = down.arg(&home).output().is_ok_and(|done| done.status.success());
        if !stopped {
            // It was down already, or it hangs: nothing of it may stay.
            for pid in processes_of(&home) {
                kill(pid);
            }
        }
    }
}

/// A loopback address whose port nobody uses now, for what listens later.
pub(crate) fn free_address() -> String {
    format!("127.0.0.1:{}", free_ports(1))
}

/// The first of so many ports in a row that nobody uses now. They lie below those that the system
/// gives to outgoing connections, any of which could take one before its owner listens; a process
/// never draws one twice, and processes begin far apart.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const LOWEST: u32 = 10_000;
    const PORTS: u32 = 20_000;
    let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    eventually("some ports in a row are free", || {
        let drawn = NEXT.fetch_add(count.into(), Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(64).wrapping_add(drawn) % PORTS;
        let first = u16::try_from(LOWEST + place).unwrap();
        (first..first + count).all(is_free).then_some(first)
    })
}

/// A process that ends with this value.
pub(crate) struct Kept(pub(crate) Child);

impl Kept {
    /// Starts a role's process, which logs to `log` in its directory, and waits until it serves;
    /// what it said then.
    #[track_caller]
    pub(crate) fn role(words: &[&str], dir: &Path) -> (Self, Value) {
        Self::run(command(words), dir)
    }

    /// As [`Self::role`], for a command in surroundings of its own.
    #[track_caller]
    pub(crate) fn run(mut run: Command, dir: &Path) -> (Self, Value) {
        let words = format!("{:?}", run.get_args().collect::<Vec<_>>());
        let log = std::fs::File::create(dir.join("log")).unwrap();
        run.arg("--dir").arg(dir).stdout(Stdio::piped()).stderr(log);
        let mut kept = Self(run.spawn().unwrap());
        let line = kept.first_line();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| {
            let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
            panic!("{words} says '{line}' and logs {log}")
        });
        (kept, ready)
    }

    /// The first line it prints.
    #[track_caller]
    pub(crate) fn first_line(&mut self) -> String {
        let mut stdout = self.0.stdout.take().unwrap();
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            let (mut line, mut byte) = (Vec::new(), [0]);
            while stdout.read(&mut byte).is_ok_and(|length| length > 0) && byte != [b'\n'] {
                line.extend(byte);
            }
            let _ = send.send(line);
            // Read on, so that it never writes to a closed pipe.
            let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        });
        let line = receive.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it says nothing"));
        String::from_utf8(line).unwrap()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Named checks on one grid, in order. A failed one does not keep the next from being tried; all
/// are told at the end.
#[derive(Default)]
pub(crate) struct Story {
    failed: Vec<&'static str>,
}

impl Story {
    pub(crate) fn check(&mut self, name: &'static str, run: impl FnOnce()) {
        let begun = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(run));
        let seconds = begun.elapsed().as_secs_f64();
        let word = if done.is_ok() { "ok" } else { "FAILED" };
        eprintln!("    {name} ... {word} ({seconds:.1} s)");
        if done.is_err() {
            self.failed.push(name);
        }
    }

    #[track_caller]
    pub(crate) fn end(self) {
        assert!(self.failed.is_empty(), "failed: {:#?}", self.failed);
    }
}

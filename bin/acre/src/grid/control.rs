//! The control socket of a local grid: one JSON line asked, one answered.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::{Code, Failure, Outcome};

/// The socket's name in the grid's directory.
const SOCKET: &str = "control.sock";

/// No answer within this time means that the supervisor hangs: starting a node is the longest.
const ANSWER: Duration = Duration::from_secs(60);

/// What a process of a local grid is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Validator,
    Node,
    Gateway,
}

impl Kind {
    /// In lower case.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Node => "node",
            Self::Gateway => "gateway",
        }
    }
}

/// What one may ask of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    Status,
    Stop { kind: Kind, id: String },
    Start { kind: Kind, id: String },
    Down,
}

/// What it answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Status(GridStatus),
    Done,
    NotFound(String),
    Failed(String),
}

/// The processes of a local grid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GridStatus {
    pub(crate) ready: bool,
    pub(crate) supervisor_pid: u32,
    pub(crate) dashboard: Option<String>,
    pub(crate) validators: Vec<ProcessStatus>,
    pub(crate) nodes: Vec<ProcessStatus>,
}

/// Validators of so many that must agree: more than two thirds.
pub(crate) const fn quorum(validators: usize) -> usize {
    validators - validators.saturating_sub(1) / 3
}

/// One process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProcessStatus {
    pub(crate) id: String,
    pub(crate) pid: Option<u32>,
    pub(crate) farm: Option<String>,
    pub(crate) site: Option<String>,
    pub(crate) country: Option<String>,
    /// `running`, `stopped` (by command) or `failed` (ended by itself).
    pub(crate) state: String,
}

/// A path to the socket that is short enough for `sun_path` however deep the home lies. The
/// returned directory must stay open while the path is used.
pub(crate) fn socket(grid: &Path) -> std::io::Result<(std::fs::File, PathBuf)> {
    let folder = std::fs::File::open(grid)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
    Ok((folder, path))
}

/// Asks the supervisor of the grid in `grid`.
pub(crate) fn ask(grid: &Path, request: &Request) -> Outcome<Answer> {
    let not_running = || {
        let what = format!("no grid runs in {}", grid.display());
        let home = grid.parent().unwrap_or(grid);
        let is_elsewhere = !grid.join("genesis").exists() && home.join("context/genesis").exists();
        Failure::new(Code::Unreachable, what).state("nothing was changed").hint(if is_elsewhere {
            "this home's grid runs elsewhere: acre validator list, acre node list"
        } else {
            "acre up"
        })
    };
    let (_folder, path) = socket(grid).map_err(|_| not_running())?;
    let mut stream = UnixStream::connect(path).map_err(|_| not_running())?;
    stream.set_read_timeout(Some(ANSWER))?;
    serde_json::to_writer(&mut stream, request)?;
    stream.write_all(b"\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(|error| {
        Failure::new(Code::OutcomeUnknown, format!("the grid did not answer: {error}"))
            .hint("acre status")
    })?;
    if line.is_empty() {
        return Err(Failure::new(Code::OutcomeUnknown, "the grid ended before it answered")
            .hint("acre status")
            .into());
    }
    Ok(serde_json::from_str(&line)?)
}

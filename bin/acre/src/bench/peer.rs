//! The peer: restic, with a repository on the same disk.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::process::{self, Run};
use crate::exit::Outcome;

/// What a row says where the peer is absent.
pub(crate) const ABSENT: &str = "restic is not installed (apt-get install restic)";

/// restic, and where its repositories go.
pub(crate) struct Restic {
    folder: PathBuf,
    /// Its name and version.
    pub(crate) version: String,
}

impl Restic {
    /// `None` if it is not installed.
    pub(crate) async fn find(folder: &Path) -> Option<Self> {
        let mut command = Command::new("restic");
        command.arg("version");
        let run = process::run("restic version", command).await.ok()?;
        let version = run.stdout.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ");
        Some(Self { folder: folder.to_owned(), version })
    }

    /// Where a repository lies.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        self.folder.join(format!("restic-{name}"))
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new("restic");
        command.env("RESTIC_PASSWORD", "for a measurement only");
        command.env("RESTIC_REPOSITORY", self.repository(name));
        command.env("RESTIC_CACHE_DIR", self.folder.join("restic-cache"));
        command.arg("--quiet");
        command
    }

    /// Makes an empty repository.
    pub(crate) async fn init(&self, name: &str) -> Outcome {
        let mut command = self.command(name);
        command.arg("init");
        process::run("restic init", command).await.map(drop)
    }

    /// `restic backup`.
    pub(crate) async fn backup(&self, name: &str, path: &Path) -> Outcome<Run> {
        let mut command = self.command(name);
        command.arg("backup").arg(path);
        process::run("restic backup", command).await
    }

    /// `restic restore`; what was at `path` then lies below `target` at the same path.
    pub(crate) async fn restore(&self, name: &str, target: &Path) -> Outcome<Run> {
        let mut command = self.command(name);
        command.args(["restore", "latest", "--target"]).arg(target);
        process::run("restic restore", command).await
    }

    /// Forgets a repository.
    pub(crate) fn remove(&self, name: &str) {
        let _ = std::fs::remove_dir_all(self.repository(name));
        let _ = std::fs::remove_dir_all(self.folder.join("restic-cache"));
    }
}

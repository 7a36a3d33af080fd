//! System packages that building and testing need, beyond Rust.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

/// A Debian package and a program whose presence shows that it is there.
const NEEDED: [(&str, &str); 2] = [
    ("build-essential", "cc"),
    // A clock of its own for one process, in tests.
    ("faketime", "faketime"),
];

/// Installs what is missing through apt when it may, and says which when it may not.
pub(crate) fn ensure() -> Result<()> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(_, program)| !is_on_path(program))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_on_path("apt-get") || !is_root() {
        bail!("these packages are missing: {names}\n  try: sudo apt-get install {names}");
    }
    eprintln!("installing {names}");
    let apt = |arguments: &[&str]| -> Result<bool> {
        let mut command = Command::new("apt-get");
        command
            .args(["-o", "Acquire::Retries=3"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        Ok(command.status()?.success())
    };
    let mut install = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    install.extend(missing);
    if !apt(&["update", "--quiet"])? || !apt(&install)? {
        bail!("apt-get could not install {names}; nothing was tested");
    }
    Ok(())
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    std::fs::read_to_string(Path::new("/proc/self/status")).is_ok_and(|status| {
        status.lines().any(|line| {
            line.strip_prefix("Uid:").is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"))
        })
    })
}

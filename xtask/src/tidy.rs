//! What no compiler checks: the direction of arrows between crates, the length of files, leftover
//! marks, and that each file says what it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// Lines past which a file must be split by what it is about.
const FILE_LINES_MAX: usize = 800;

/// Marks that promise work instead of doing it. Spelled apart so that this file has none.
const MARKS: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("HA", "CK"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ig", "nore"),
];

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Fails with all that is untidy, each on a line.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut complaints = arrows(root)?;
    for file in rust_files(root)? {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        complaints.extend(read_file(&name, &text));
    }
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("the tree is not tidy:\n  {}", complaints.join("\n  "))
}

/// Layers from the bottom; a crate may use its own layer and those below.
const LAYERS: [&str; 4] = ["base", "core", "shell", "bin"];

fn layer(path: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| path.starts_with(&format!("{layer}/")))
}

fn arrows(root: &Path) -> Result<Vec<String>> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let folder = |manifest: &Path| {
        manifest.strip_prefix(root).unwrap_or(manifest).to_string_lossy().into_owned()
    };
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        let from = folder(package.manifest_path.as_std_path());
        for dependency in &package.dependencies {
            let Some(path) = &dependency.path else { continue };
            let to = format!("{}/", folder(path.as_std_path()));
            if let Some(complaint) = arrow(&from, &to, dependency.kind) {
                complaints.push(complaint);
            }
        }
    }
    Ok(complaints)
}

fn arrow(from: &str, to: &str, kind: DependencyKind) -> Option<String> {
    if kind == DependencyKind::Development {
        return None;
    }
    match (layer(from), layer(to)) {
        (Some(from_layer), Some(to_layer)) if to_layer > from_layer => {
            Some(format!("{from}: arrow upward to {to}"))
        }
        (Some(_), None) => Some(format!("{from}: uses {to}, which nothing may use")),
        _ => None,
    }
}

fn read_file(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        complaints.push(format!("{name}: {lines} lines, split it (at most {FILE_LINES_MAX})"));
    }
    if !text.starts_with("//!") {
        complaints.push(format!("{name}: does not begin by saying what it is (//!)"));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(mark) = MARKS.iter().find(|mark| line.contains(**mark)) {
            complaints.push(format!("{name}:{}: leftover mark {mark}", number + 1));
        }
    }
    complaints
}

fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let is_skipped = name.is_none_or(|name| name.starts_with('.') || name == "target");
            if path.is_dir() && !is_skipped {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_is_tidy() {
        check(&root()).map_err(|error| error.to_string()).expect("tidy");
    }

    #[test]
    fn upward_arrow_is_refused() {
        let normal = DependencyKind::Normal;
        assert!(arrow("core/store/Cargo.toml", "shell/net/", normal).is_some());
        assert!(arrow("shell/net/Cargo.toml", "sim/", normal).is_some());
        assert!(arrow("shell/net/Cargo.toml", "core/store/", normal).is_none());
        assert!(arrow("sim/Cargo.toml", "shell/net/", normal).is_none());
    }

    #[test]
    fn long_nameless_and_marked_files_are_refused() {
        let line = "//! Says what it is.\n";
        assert!(read_file("a.rs", line).is_empty());
        assert_eq!(read_file("a.rs", "fn main() {}").len(), 1);
        assert_eq!(read_file("a.rs", &line.repeat(FILE_LINES_MAX)).len(), 0);
        assert_eq!(read_file("a.rs", &line.repeat(FILE_LINES_MAX + 1)).len(), 1);
        for mark in MARKS {
            assert_eq!(read_file("a.rs", &format!("{line}{mark}\n")).len(), 1, "{mark}");
        }
    }
}

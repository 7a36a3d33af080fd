//! Whether a copy of a directory is the directory.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::exit::Outcome;

/// What was found equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Compares names, kinds, bytes, link targets, permissions and times of change, all the way down.
///
/// Sockets, pipes and devices of the source are passed over: they are not stored.
pub(crate) fn trees(source: &Path, copy: &Path) -> Outcome<Counts> {
    let mut counts = Counts::default();
    compare(source, copy, &mut counts)?;
    Ok(counts)
}

fn compare(source: &Path, copy: &Path, counts: &mut Counts) -> Outcome {
    let stat = |path: &Path| {
        fs::symlink_metadata(path).with_context(|| format!("{} is missing", path.display()))
    };
    let (ours, theirs) = (stat(source)?, stat(copy)?);
    if ours.file_type() != theirs.file_type() {
        bail!("{} is of another kind than {}", copy.display(), source.display());
    }
    if ours.is_symlink() {
        if fs::read_link(source)? != fs::read_link(copy)? {
            bail!("{} points elsewhere than {}", copy.display(), source.display());
        }
        return Ok(());
    }
    let attributes = |metadata: &Metadata| (metadata.mode() & 0o7777, mtime(metadata));
    if attributes(&ours) != attributes(&theirs) {
        bail!("{} has other permissions or times than {}", copy.display(), source.display());
    }
    if ours.is_dir() {
        let (mine, other) = (names(source)?, names(copy)?);
        if mine != other {
            bail!("{} lists other names than {}", copy.display(), source.display());
        }
        return mine
            .iter()
            .try_for_each(|name| compare(&source.join(name), &copy.join(name), counts));
    }
    same_bytes(source, copy)?;
    counts.files += 1;
    counts.bytes += ours.len();
    Ok(())
}

fn mtime(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

fn names(folder: &Path) -> Outcome<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let is_special =
            kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device();
        if !is_special {
            names.push(entry.file_name());
        }
    }
    names.sort();
    Ok(names)
}

fn same_bytes(source: &Path, copy: &Path) -> Outcome {
    let open = |path: &Path| File::open(path).with_context(|| path.display().to_string());
    let (mut ours, mut theirs) = (open(source)?, open(copy)?);
    let (mut mine, mut other) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let (read, also) = (fill(&mut ours, &mut mine)?, fill(&mut theirs, &mut other)?);
        if mine.get(..read) != other.get(..also) {
            bail!("{} differs from {}", copy.display(), source.display());
        }
        if read == 0 {
            return Ok(());
        }
    }
}

fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_equal_from_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for side in [&a, &b] {
            fs::create_dir_all(side).unwrap();
            fs::write(side.join("f"), "text").unwrap();
        }
        let keep = |path: &Path| {
            let time = std::time::SystemTime::UNIX_EPOCH;
            File::open(path).unwrap().set_modified(time).unwrap();
        };
        let settle = || {
            [a.join("f"), b.join("f"), a.clone(), b.clone()].iter().for_each(|path| keep(path));
        };
        settle();
        assert_eq!(trees(&a, &b).unwrap(), Counts { files: 1, bytes: 4 });
        fs::write(b.join("f"), "tex!").unwrap();
        settle();
        assert!(trees(&a, &b).unwrap_err().to_string().contains("differs"));
        fs::write(b.join("f"), "text").unwrap();
        fs::write(b.join("g"), "").unwrap();
        settle();
        assert!(trees(&a, &b).unwrap_err().to_string().contains("lists other names"));
    }
}

//! Data to store: random, so that neither compression nor repetition helps anybody.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context as _, bail};
use rustix::fs::{SeekFrom, seek};

use crate::exit::Outcome;

const BLOCK_BYTES: usize = 64 * 1024;
/// Small files in one directory, as people's directories are rather than all in one.
const FILES_PER_FOLDER: u32 = 100;

/// SplitMix64: the same bytes for the same seed, and nothing that compresses.
struct Random(u64);

impl Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let fresh = (mixed ^ (mixed >> 31)).to_le_bytes();
            word.copy_from_slice(fresh.get(..word.len()).unwrap_or_default());
        }
    }
}

fn write_random(file: File, mut left: u64, random: &mut Random) -> io::Result<File> {
    let mut file = BufWriter::with_capacity(BLOCK_BYTES, file);
    let mut block = vec![0; BLOCK_BYTES];
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let (now, _) = block.split_at_mut(now);
        random.fill(now);
        file.write_all(now)?;
        left -= now.len() as u64;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)
}

/// A file of random bytes, on the disk when this returns.
pub(crate) fn file(path: &Path, bytes: u64, seed: u64) -> Outcome {
    let write = || write_random(File::create(path)?, bytes, &mut Random(seed))?.sync_all();
    write().with_context(|| path.display().to_string())
}

/// A directory of files of random bytes; nothing is synced.
pub(crate) fn tree(root: &Path, files: u32, bytes_each: u64, seed: u64) -> Outcome {
    let mut random = Random(seed);
    let mut write = || -> io::Result<()> {
        for number in 0..files {
            let folder = root.join(format!("{:05}", number / FILES_PER_FOLDER));
            if number % FILES_PER_FOLDER == 0 {
                fs::create_dir_all(&folder)?;
            }
            let path = folder.join(format!("{number:07}.bin"));
            write_random(File::create(path)?, bytes_each, &mut random)?;
        }
        Ok(())
    };
    write().with_context(|| root.display().to_string())
}

/// Blocks on disk of a file or of all below a directory; 0 if there is nothing.
pub(crate) fn disk_bytes(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    let own = metadata.blocks() * 512;
    if !metadata.is_dir() {
        return own;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    own + entries.map(|entry| disk_bytes(&entry.path())).sum::<u64>()
}

/// Bytes written to a file or to all files below a directory, in whole blocks: what is only allocated
/// ahead is a hole to the file system and does not count. 0 if there is nothing.
pub(crate) fn written_bytes(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| written_bytes(&entry.path())).sum()
        }
        Ok(metadata) if metadata.is_file() => File::open(path).map_or(0, |file| data_bytes(&file)),
        _ => 0,
    }
}

fn data_bytes(file: &File) -> u64 {
    let (mut at, mut sum) = (0, 0);
    // After the last data the first call fails, which ends the walk.
    while let Ok(begin) = seek(file, SeekFrom::Data(at))
        && let Ok(end) = seek(file, SeekFrom::Hole(begin))
        && end > begin
    {
        (at, sum) = (end, sum + (end - begin));
    }
    sum
}

/// Refuses two files or directories that differ in a name or a byte.
///
/// # Errors
/// Names the first difference.
pub(crate) fn compare(left: &Path, right: &Path) -> Outcome {
    let is_folder = |path: &Path| {
        fs::metadata(path).map(|m| m.is_dir()).with_context(|| path.display().to_string())
    };
    match (is_folder(left)?, is_folder(right)?) {
        (true, true) => {
            let names = names(left)?;
            if names != self::names(right)? {
                bail!("{} and {} hold different names", left.display(), right.display());
            }
            names.iter().try_for_each(|name| compare(&left.join(name), &right.join(name)))
        }
        (false, false) => compare_files(left, right),
        _ => bail!("{} and {} are not of one kind", left.display(), right.display()),
    }
}

fn names(folder: &Path) -> Outcome<Vec<std::ffi::OsString>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

fn compare_files(left: &Path, right: &Path) -> Outcome {
    let open = |path: &Path| File::open(path).with_context(|| path.display().to_string());
    let (one, other) = (open(left)?, open(right)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        bail!("{} and {} differ in length", left.display(), right.display());
    }
    let (mut a, mut b) = (Vec::with_capacity(BLOCK_BYTES), Vec::with_capacity(BLOCK_BYTES));
    loop {
        a.clear();
        b.clear();
        (&one).take(BLOCK_BYTES as u64).read_to_end(&mut a)?;
        (&other).take(BLOCK_BYTES as u64).read_to_end(&mut b)?;
        if a != b {
            bail!("{} and {} differ", left.display(), right.display());
        }
        if a.is_empty() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_makes_the_same_tree_and_another_seed_another() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        tree(&at("a"), 250, 100, 7).unwrap();
        tree(&at("b"), 250, 100, 7).unwrap();
        tree(&at("c"), 250, 100, 8).unwrap();
        compare(&at("a"), &at("b")).unwrap();
        assert!(compare(&at("a"), &at("c")).is_err());
        assert!(disk_bytes(&at("a")) >= 250 * 512);
    }

    #[test]
    fn hole_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let sparse = File::create(&path).unwrap();
        sparse.set_len(64 << 20).unwrap();
        assert!(written_bytes(folder.path()) < 64 << 20);
        (&sparse).write_all(b"data").unwrap();
        assert!((4..1 << 20).contains(&written_bytes(folder.path())));
        assert_eq!(written_bytes(&folder.path().join("none")), 0);
    }

    #[test]
    fn one_changed_byte_missing_byte_or_missing_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let bytes = 3 * BLOCK_BYTES as u64 + 5;
        file(&at("a"), bytes, 1).unwrap();
        assert_eq!(fs::metadata(at("a")).unwrap().len(), bytes);
        let mut changed = fs::read(at("a")).unwrap();
        fs::write(at("b"), &changed).unwrap();
        compare(&at("a"), &at("b")).unwrap();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(at("b"), &changed).unwrap();
        assert!(compare(&at("a"), &at("b")).is_err());
        changed.pop();
        fs::write(at("b"), &changed).unwrap();
        assert!(compare(&at("a"), &at("b")).is_err());
        assert!(compare(&at("a"), &at("none")).is_err());
    }
}

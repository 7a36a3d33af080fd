//! Directories full of what file systems allow, and their comparison.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Bytes that nothing can compress, the same for the same seed (splitmix64).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend((word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Length of the sparse file, of which only the two ends are there.
pub(crate) const SPARSE: u64 = 64 << 20;

fn name(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>, mode: u32) {
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
}

fn date(path: &Path, since_1970: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH + since_1970).unwrap();
}

/// Makes a directory with names of odd bytes, links (also dangling), empty files and directories,
/// a sparse file, a file of several packs, and modes and times of all kinds.
pub(crate) fn make(root: &Path) {
    fs::create_dir(root).unwrap();
    fs::create_dir(root.join("empty directory")).unwrap();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    write(root.join("empty"), b"", 0o644);
    write(root.join("one byte"), b"x", 0o600);
    write(root.join("a/b/c/deep.txt"), b"deep\n".repeat(3000), 0o444);
    write(root.join("run.sh"), b"#!/bin/sh\n", 0o755);
    write(root.join("large.bin"), noise(1, 9_000_000), 0o640);
    write(root.join("large copy.bin"), noise(1, 9_000_000), 0o640);
    for odd in [
        &b"\xff\xfe not utf-8 \x80"[..],
        b"new\nline",
        b"-rf",
        b" leading space",
        b"quote\" and \\ and '",
        b"\x1b[31mred\x07",
        "Zürich 東京 🌍".as_bytes(),
        &[b'n'; 255],
    ] {
        write(root.join(name(odd)), [b"in ", odd].concat(), 0o644);
    }
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.write_all_at(b"begin", 0).unwrap();
    sparse.write_all_at(b"end", SPARSE - 3).unwrap();
    symlink("a/b/c/deep.txt", root.join("to file")).unwrap();
    symlink("a", root.join("to directory")).unwrap();
    symlink("/nowhere/at all", root.join("dangling")).unwrap();
    symlink(name(b"\xff target"), root.join(name(b"odd link \xff"))).unwrap();
    for number in 0..200 {
        write(root.join(format!("a/b/{number:03}.txt")), format!("file {number}\n"), 0o644);
    }
    date(&root.join("run.sh"), Duration::new(1_000_000_000, 123_456_789));
    date(&root.join("empty"), Duration::ZERO);
    date(&root.join("one byte"), Duration::new(4_200_000_000, 1));
    fs::set_permissions(root.join("empty directory"), Permissions::from_mode(0o700)).unwrap();
    date(&root.join("empty directory"), Duration::new(1_234_567_890, 5));
    date(&root.join("a/b"), Duration::new(1_111_111_111, 0));
    date(root, Duration::new(1_500_000_000, 999_999_999));
}

/// What is to be kept of an entry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    kind: &'static str,
    mode: u32,
    mtime: (i64, i64),
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, mode, mtime, length) = (self.kind, self.mode, self.mtime, self.bytes.len());
        write!(f, "{kind} {mode:o} {mtime:?} {length} bytes")
    }
}

/// All entries below a path, that path's own under the empty name.
pub(crate) fn read(root: &Path) -> BTreeMap<OsString, Entry> {
    let mut entries = BTreeMap::new();
    let mut left = vec![PathBuf::from(root)];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let (kind, bytes) = if metadata.is_symlink() {
            ("symlink", fs::read_link(&path).unwrap().into_os_string().into_vec())
        } else if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            ("directory", Vec::new())
        } else {
            ("file", fs::read(&path).unwrap())
        };
        let mtime = (metadata.mtime(), metadata.mtime_nsec());
        let entry = Entry { kind, mode: metadata.mode() & 0o7777, mtime, bytes };
        entries.insert(path.strip_prefix(root).unwrap().as_os_str().to_owned(), entry);
    }
    entries
}

/// Insists that two trees are the same, and names what is not.
#[track_caller]
pub(crate) fn assert_same(source: &Path, target: &Path) {
    let (source, target) = (read(source), read(target));
    let names = source.keys().chain(target.keys());
    let mut differing: Vec<_> = names
        .filter(|name| source.get(*name) != target.get(*name))
        .map(|name| format!("{name:?}: {:?} became {:?}", source.get(name), target.get(name)))
        .collect();
    differing.sort();
    differing.dedup();
    assert!(differing.is_empty(), "{} entries differ: {differing:#?}", differing.len());
}

/// Names in a directory, sorted; to see that nothing was left behind.
pub(crate) fn names_in(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

//! Reads a file or directory of this machine, entry by entry, and hands it to the packer.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use acre_store::chunk::{Chunker, Input, Splitter};
use acre_store::limits::{INLINE_BYTES_MAX, PATH_NAMES_MAX};
use acre_store::tree::{ContentBuilder, Entry, Kind, Meta, Name, Target};
use rustix::fs::SeekFrom as Sparse;

use super::names::Names;
use super::packer::Packer;
use super::tree::Step;
use crate::ClientError;
use crate::limits::WARNINGS_MAX;
use crate::meter::Meter;
use crate::report::{Warning, WarningKind};

/// Bytes of one block of `st_blocks`.
const BLOCK_BYTES: u64 = 512;

/// See the module.
pub(super) struct Walker<'a> {
    pub(super) packer: Packer,
    meter: &'a Meter,
    splitter: Splitter,
    pub(super) warnings: Vec<Warning>,
    pub(super) warnings_total: u64,
    /// Names from the root of the volume to the directory being read.
    depth: usize,
}

impl<'a> Walker<'a> {
    /// `depth`: names of the path under which this will stand.
    pub(super) fn new(packer: Packer, meter: &'a Meter, depth: usize) -> Self {
        let splitter = Splitter::new(Chunker::content());
        let (warnings, warnings_total) = (Vec::new(), 0);
        Self { packer, meter, splitter, warnings, warnings_total, depth }
    }

    /// Reads what is at `path` and calls it `name`.
    pub(super) fn walk(&mut self, path: &Path, name: Name) -> Result<(), ClientError> {
        self.meter.check()?;
        let found = match std::fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) => {
                self.unreadable(path, &error);
                return Ok(());
            }
        };
        let kind = found.file_type();
        if kind.is_dir() {
            self.directory(path, name, &found)
        } else if kind.is_symlink() {
            self.symlink(path, name, &found)
        } else if kind.is_file() {
            self.file(path, name)
        } else {
            debug_assert!(kind.is_socket() || kind.is_fifo() || is_device(&found));
            self.warn(path, WarningKind::Special);
            Ok(())
        }
    }

    fn directory(&mut self, path: &Path, name: Name, found: &Metadata) -> Result<(), ClientError> {
        if self.depth >= PATH_NAMES_MAX {
            let reason = format!("more than {PATH_NAMES_MAX} names deep");
            self.warn(path, WarningKind::Unreadable(reason));
            return Ok(());
        }
        let mut names = match Names::read(path) {
            Ok(names) => names,
            Err(error) => {
                self.unreadable(path, &error);
                return Ok(());
            }
        };
        self.packer.step(Step::Enter(name, meta(found)))?;
        self.depth += 1;
        loop {
            match names.next() {
                Ok(Some(bytes)) => {
                    let below = path.join(OsString::from_vec(bytes.clone()));
                    self.walk(&below, Name::new(bytes)?)?;
                }
                Ok(None) => break,
                Err(error) => return Err(ClientError::io("sorting the names of", path)(error)),
            }
        }
        self.depth -= 1;
        self.packer.step(Step::Leave)
    }

    fn symlink(&mut self, path: &Path, name: Name, found: &Metadata) -> Result<(), ClientError> {
        let target = match std::fs::read_link(path) {
            Ok(target) => target,
            Err(error) => {
                self.unreadable(path, &error);
                return Ok(());
            }
        };
        match Target::new(target.as_os_str().as_bytes()) {
            Ok(target) => {
                let entry = Entry { name, meta: meta(found), kind: Kind::Symlink(target) };
                self.packer.step(Step::Entry(entry))
            }
            Err(error) => {
                self.warn(path, WarningKind::Unreadable(error.to_string()));
                Ok(())
            }
        }
    }

    fn file(&mut self, path: &Path, name: Name) -> Result<(), ClientError> {
        let mut file = match open(path) {
            Ok(file) => file,
            Err(error) => {
                self.unreadable(path, &error);
                return Ok(());
            }
        };
        let mut is_second = false;
        loop {
            let read = match self.try_file(&mut file) {
                Ok(read) => read,
                Err(Trouble::Read(error)) => {
                    self.packer.step(Step::Restart)?;
                    self.unreadable(path, &error);
                    return Ok(());
                }
                Err(Trouble::Store(error)) => return Err(error),
            };
            if read.changed && !is_second {
                is_second = true;
                if read.inline.is_none() {
                    self.packer.step(Step::Restart)?;
                }
                continue;
            }
            if read.changed {
                self.warn(path, WarningKind::Changed);
            }
            self.meter.add_file();
            return self.packer.step(match read.inline {
                Some(content) => {
                    Step::Entry(Entry { name, meta: read.meta, kind: Kind::File(content) })
                }
                None => Step::File(name, read.meta),
            });
        }
    }

    /// Reads a file once, from its begin.
    fn try_file(&mut self, file: &mut File) -> Result<FileRead, Trouble> {
        let before = file.metadata().map_err(Trouble::Read)?;
        file.seek(SeekFrom::Start(0)).map_err(Trouble::Read)?;
        if !before.is_file() {
            return Err(Trouble::Read(io::Error::other("it is no file any more")));
        }
        let mut inline = None;
        let mut read = 0;
        if before.size() <= u64::try_from(INLINE_BYTES_MAX).unwrap_or(u64::MAX) {
            let mut small = Vec::with_capacity(INLINE_BYTES_MAX);
            let limit = u64::try_from(INLINE_BYTES_MAX).unwrap_or(u64::MAX);
            read = (&mut *file).take(limit).read_to_end(&mut small).map_err(Trouble::Read)?;
            inline = ContentBuilder::inline(&small);
            self.meter.add(small.len() as u64);
        }
        let mut end = u64::try_from(read).unwrap_or(u64::MAX);
        if inline.is_none() {
            let is_sparse = before.blocks().saturating_mul(BLOCK_BYTES) < before.size();
            // Not past the length it had: a file may grow faster than it is read.
            let size = before.size();
            end = if is_sparse { self.sparse(file, size)? } else { self.data(file, 0, size)? };
        }
        let after = file.metadata().map_err(Trouble::Read)?;
        let stamp = |found: &Metadata| (found.size(), found.mtime(), found.mtime_nsec());
        let changed = stamp(&before) != stamp(&after) || end != after.size();
        Ok(FileRead { inline, meta: meta(&after), changed })
    }

    /// Reads data of the first `size` bytes and leaves out holes; where it ended.
    fn sparse(&mut self, file: &mut File, size: u64) -> Result<u64, Trouble> {
        let mut at = 0;
        while at < size {
            let data = match rustix::fs::seek(&*file, Sparse::Data(at)) {
                Ok(data) => data,
                Err(rustix::io::Errno::NXIO) => size,
                Err(error) => return Err(Trouble::Read(error.into())),
            };
            let data = data.min(size);
            if data > at {
                self.packer.step(Step::Hole(data - at)).map_err(Trouble::Store)?;
            }
            if data == size {
                return Ok(size);
            }
            let hole = rustix::fs::seek(&*file, Sparse::Hole(data));
            let hole = hole.map_err(|error| Trouble::Read(error.into()))?.min(size);
            let end = self.data(file, data, hole - data)?;
            at = end;
            if end < hole {
                break;
            }
        }
        Ok(at)
    }

    /// Reads up to `length` bytes from `start`, cut into chunks; where it ended.
    fn data(&mut self, file: &mut File, start: u64, length: u64) -> Result<u64, Trouble> {
        file.seek(SeekFrom::Start(start)).map_err(Trouble::Read)?;
        let mut rest = length;
        let mut at = start;
        loop {
            let space = self.splitter.space();
            let most = usize::try_from(rest).unwrap_or(usize::MAX).min(space.len());
            let read = match file.read(&mut space[..most]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    // What was read of this file must not begin the next one.
                    self.splitter = Splitter::new(Chunker::content());
                    return Err(Trouble::Read(error));
                }
            };
            self.splitter.filled(read);
            let count = u64::try_from(read).unwrap_or(u64::MAX);
            (at, rest) = (at + count, rest - count);
            let input = if read == 0 { Input::Last } else { Input::More };
            while let Some(chunk) = self.splitter.next_chunk(input) {
                self.packer.chunk(chunk).map_err(Trouble::Store)?;
            }
            if read == 0 {
                return Ok(at);
            }
            self.meter.add(count);
            self.meter.check().map_err(Trouble::Store)?;
        }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => WarningKind::Vanished,
            _ => WarningKind::Unreadable(error.to_string()),
        };
        self.warn(path, kind);
    }

    fn warn(&mut self, path: &Path, kind: WarningKind) {
        tracing::warn!(path = %path.display(), ?kind, "not stored as asked");
        self.warnings_total += 1;
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(Warning { path: PathBuf::from(path), kind });
        }
    }
}

/// What came of reading a file once.
struct FileRead {
    inline: Option<acre_store::tree::Content>,
    meta: Meta,
    changed: bool,
}

/// Whose fault it is.
enum Trouble {
    Read(io::Error),
    Store(ClientError),
}

/// Opens a file to read: no link is followed, and a pipe that took its place is not waited for.
fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn is_device(found: &Metadata) -> bool {
    found.file_type().is_block_device() || found.file_type().is_char_device()
}

fn meta(found: &Metadata) -> Meta {
    let ns = found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
    Meta::new(found.mode(), ns)
}

/// Sums up the bytes of everything below a path, for a progress bar. Runs beside the put.
pub(super) fn measure(path: &Path, meter: &Meter) -> Option<u64> {
    let mut total = 0_u64;
    let mut open = vec![path.to_path_buf()];
    while let Some(path) = open.pop() {
        meter.check().ok()?;
        let Ok(found) = std::fs::symlink_metadata(&path) else { continue };
        if found.is_file() {
            let held = found.blocks().saturating_mul(BLOCK_BYTES);
            total = total.saturating_add(found.size().min(held.max(BLOCK_BYTES)));
        } else if found.is_dir() {
            // Names of one directory after the other; too many at once are not counted.
            let Ok(entries) = std::fs::read_dir(&path) else { continue };
            open.extend(entries.flatten().map(|entry| entry.path()));
            if open.len() > crate::limits::NAMES_IN_MEMORY {
                return None;
            }
        }
    }
    Some(total)
}

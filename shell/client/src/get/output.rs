//! What is written stands aside until it is complete.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use acre_store::tree::Meta;
use acre_types::PackId;
use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps};

use crate::meter::Meter;
use crate::{ClientError, random};

/// Mode of directories while they are filled.
const FILLING: u32 = 0o700;

/// A place beside the wanted one; removed with all that is in it unless it was published.
pub(super) struct Output {
    wanted: PathBuf,
    aside: PathBuf,
    published: bool,
}

/// # Errors
/// [`ClientError::Conflict`] if something is there.
pub(super) fn check_free(out: &Path) -> Result<(), ClientError> {
    match std::fs::symlink_metadata(out) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(ClientError::io("looking at", out)(error)),
        Ok(_) => {
            let path = out.as_os_str().as_bytes().to_vec();
            Err(ClientError::Conflict { path, reason: "is there already" })
        }
    }
}

impl Output {
    pub(super) fn new(out: &Path) -> Result<Self, ClientError> {
        let given = || out.as_os_str().as_bytes().to_vec();
        let bad =
            || ClientError::BadName { given: given(), reason: "nothing can be written there" };
        let name = out.file_name().ok_or_else(bad)?;
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let is_dir = std::fs::metadata(parent).map_err(ClientError::io("looking at", parent))?;
        if !is_dir.is_dir() {
            return Err(bad());
        }
        let mut aside = b".".to_vec();
        aside.extend(name.as_bytes().iter().take(180));
        aside.extend_from_slice(b".acre-");
        aside.extend_from_slice(&PackId(random::entropy()?.salt()).to_string().as_bytes()[..12]);
        let aside = parent.join(std::ffi::OsStr::from_bytes(&aside));
        Ok(Self { wanted: out.to_owned(), aside, published: false })
    }

    /// Where to write.
    pub(super) fn path(&self) -> &Path {
        &self.aside
    }

    /// Moves what was written to where it was wanted.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] if something is there by now.
    pub(super) fn publish(mut self) -> Result<(), ClientError> {
        let moved =
            rustix::fs::renameat_with(CWD, &self.aside, CWD, &self.wanted, RenameFlags::NOREPLACE);
        match moved {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                // A file system that cannot tell: look, then move.
                check_free(&self.wanted)?;
                std::fs::rename(&self.aside, &self.wanted)
                    .map_err(ClientError::io("moving into place", &self.wanted))?;
            }
            Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOTEMPTY) => {
                check_free(&self.wanted)?;
            }
            Err(error) => {
                return Err(ClientError::io("moving into place", &self.wanted)(error.into()));
            }
        }
        self.published = true;
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        let removed = match std::fs::symlink_metadata(&self.aside) {
            Ok(found) if found.is_dir() => remove_tree(&self.aside),
            Ok(_) => std::fs::remove_file(&self.aside),
            Err(_) => Ok(()),
        };
        if let Err(error) = removed {
            tracing::warn!(path = %self.aside.display(), %error, "a left-over could not be removed");
        }
    }
}

/// Removes a directory even if some below it may not be written.
fn remove_tree(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        done => return done,
    }
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let mode = rustix::fs::Mode::from_raw_mode(FILLING);
        rustix::fs::chmod(&path, mode)?;
        for entry in std::fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    std::fs::remove_dir_all(path)
}

/// Makes a directory to be filled, unless it is there from another volume.
pub(super) fn make_directory(path: &Path) -> Result<(), ClientError> {
    match std::fs::DirBuilder::new().mode(FILLING).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        done => done.map_err(ClientError::io("making directory", path)),
    }
}

/// Sets mode and time of what is complete. For links only the time.
pub(super) fn finish(path: &Path, meta: &Meta, is_link: IsLink) -> Result<(), ClientError> {
    if is_link == IsLink::No {
        rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(meta.mode()))
            .map_err(|error| ClientError::io("setting the mode of", path)(error.into()))?;
    }
    let time = Timespec {
        tv_sec: meta.mtime_ns().div_euclid(1_000_000_000),
        tv_nsec: meta.mtime_ns().rem_euclid(1_000_000_000),
    };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| ClientError::io("setting the time of", path)(error.into()))
}

/// Whether something is a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsLink {
    Yes,
    No,
}

/// A file being written, by several threads at once. When the last part is there, it is finished.
pub(super) struct Target {
    path: PathBuf,
    meta: Meta,
    bytes: u64,
    /// Parts still to come, and one for the planner.
    open: AtomicU64,
    meter: Arc<Meter>,
}

impl Target {
    pub(super) fn new(path: PathBuf, meta: Meta, bytes: u64, meter: &Arc<Meter>) -> Arc<Self> {
        let (open, meter) = (AtomicU64::new(1), Arc::clone(meter));
        Arc::new(Self { path, meta, bytes, open, meter })
    }

    fn file(&self) -> Result<File, ClientError> {
        let mut options = std::fs::OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)
            .map_err(ClientError::io("writing", &self.path))
    }

    /// A further part will come.
    pub(super) fn expect(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes parts of it, each at its offset; `parts` of those expected are done then.
    pub(super) fn write(&self, pieces: &[(u64, &[u8])], parts: u64) -> Result<(), ClientError> {
        let file = self.file()?;
        for (offset, bytes) in pieces {
            file.write_all_at(bytes, *offset).map_err(ClientError::io("writing", &self.path))?;
            self.meter.add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        self.done(Some(file), parts)
    }

    /// The planner has said all about it.
    pub(super) fn planned(&self) -> Result<(), ClientError> {
        self.done(None, 1)
    }

    fn done(&self, file: Option<File>, parts: u64) -> Result<(), ClientError> {
        if self.open.fetch_sub(parts, Ordering::AcqRel) != parts {
            return Ok(());
        }
        let file = file.map_or_else(|| self.file(), Ok)?;
        // For a hole at the end, and a file that is nothing but one.
        let length = file.metadata().map_err(ClientError::io("writing", &self.path))?.len();
        if length != self.bytes {
            file.set_len(self.bytes).map_err(ClientError::io("writing", &self.path))?;
        }
        drop(file);
        finish(&self.path, &self.meta, IsLink::No)?;
        self.meter.add_file();
        Ok(())
    }
}

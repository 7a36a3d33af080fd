//! The few calls the log makes to a disk, so that tests can put a faulty one underneath.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

/// One flat directory of files.
pub trait Disk: Send + Sync {
    /// Takes the directory for this process; released when the guard is dropped.
    ///
    /// # Errors
    /// `WouldBlock` when someone else has it.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>>;
    /// Names of all files, in no order.
    ///
    /// # Errors
    /// Whatever the disk answers.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes a new empty file; durable only after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file; durable only after [`Disk::sync_dir`]. Handles that are open stay readable.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations and removals durable.
    ///
    /// # Errors
    /// Whatever the disk answers.
    fn sync_dir(&self) -> io::Result<()>;
    /// Bytes an ordinary user may still write.
    ///
    /// # Errors
    /// Whatever the disk answers.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// One open file. All calls take an offset, so a handle can be shared by readers and the writer.
pub trait DiskFile: Send + Sync {
    /// Length in bytes.
    ///
    /// # Errors
    /// Whatever the disk answers.
    fn size(&self) -> io::Result<u64>;
    /// Fills `buf` from `offset`; returns fewer bytes only at the end of the file.
    ///
    /// # Errors
    /// Whatever the disk answers.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes all `parts`, one after the other, from `offset` on.
    ///
    /// # Errors
    /// Whatever the disk answers; any part of the bytes may then have been written.
    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()>;
    /// Makes the bytes and the length durable.
    ///
    /// # Errors
    /// Whatever the disk answers; what is durable is then unknown.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts or extends (with zeros) the file.
    ///
    /// # Errors
    /// Whatever the disk answers.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Extends the file with zeros up to `len` bytes and reserves their blocks, where the file system can do that.
    ///
    /// # Errors
    /// `StorageFull`, or whatever else the disk answers.
    fn allocate(&self, len: u64) -> io::Result<()>;
}

/// A directory of the machine's file system.
pub struct OsDisk {
    dir: PathBuf,
}

impl OsDisk {
    /// Uses `dir`, making it (and what is missing above it) when it is not there.
    ///
    /// # Errors
    /// Whatever the file system answers.
    pub fn new(dir: &Path) -> io::Result<Self> {
        if !dir.is_dir() {
            fs::create_dir_all(dir)?;
            if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
                File::open(parent)?.sync_all()?;
            }
        }
        Ok(Self { dir: dir.to_owned() })
    }
}

impl Disk for OsDisk {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let options = OpenOptions::new().write(true).create(true).truncate(false).clone();
        let file = options.open(self.dir.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.dir.join(name))?;
        Ok(Arc::new(OsFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let options = OpenOptions::new().read(true).write(true).create_new(true).clone();
        Ok(Arc::new(OsFile(options.open(self.dir.join(name))?)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.dir.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

struct OsFile(File);

/// `pwritev` takes at most this many parts.
const PARTS_MAX: usize = 1024;

impl DiskFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.0.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, mut offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut own = parts.to_vec();
        let mut left = own.as_mut_slice();
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            let count =
                match rustix::io::pwritev(&self.0, &left[..left.len().min(PARTS_MAX)], offset) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => count,
                    Err(Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                };
            offset += count as u64;
            IoSlice::advance_slices(&mut left, count);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let from = self.size()?;
        if len <= from {
            return Ok(());
        }
        match fallocate(&self.0, FallocateFlags::empty(), from, len - from) {
            // The file then just grows as it is written.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            other => Ok(other?),
        }
    }
}

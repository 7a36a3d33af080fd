//! The disk itself.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::image::Image;
use crate::disk::{Disk, DiskFile};

/// A call that changed something, as recorded. Files are numbered in the order in which they appeared.
#[derive(Debug, Clone)]
pub enum Call {
    /// A new file.
    Create {
        /// Its number.
        file: usize,
        /// Its name.
        name: String,
    },
    /// A name taken away.
    Remove {
        /// The name.
        name: String,
    },
    /// Bytes written.
    Write {
        /// Where.
        file: usize,
        /// From which byte on.
        offset: u64,
        /// What.
        bytes: Arc<Vec<u8>>,
    },
    /// A file cut or extended.
    SetLen {
        /// Which.
        file: usize,
        /// To how many bytes.
        len: u64,
    },
    /// A file made durable.
    Sync {
        /// Which.
        file: usize,
    },
    /// Names made durable.
    SyncDir,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`, nothing done.
    Io,
    /// `ENOSPC`, nothing done.
    Full,
    /// A write does half of its work, then `EIO`; any other call just `EIO`.
    HalfThenIo,
    /// A write does half of its work, then `ENOSPC`; any other call just `ENOSPC`.
    HalfThenFull,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Io | Self::HalfThenIo => {
                io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
            }
            Self::Full | Self::HalfThenFull => io::ErrorKind::StorageFull.into(),
        }
    }

    fn does_half(self) -> bool {
        matches!(self, Self::HalfThenIo | Self::HalfThenFull)
    }
}

#[derive(Default)]
struct State {
    names: BTreeMap<String, usize>,
    files: Vec<Arc<Vec<u8>>>,
    trace: Vec<Call>,
    calls: u64,
    fault: Option<(u64, Fault)>,
    capacity_bytes: Option<u64>,
    drops_syncs: bool,
    is_locked: bool,
}

/// A directory in memory. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk on which `image` is durable.
    #[must_use]
    pub fn from_image(image: &Image) -> Self {
        let disk = Self::new();
        let mut state = disk.state();
        for (name, bytes) in image.files() {
            let file = state.files.len();
            state.files.push(Arc::clone(bytes));
            state.names.insert(name.clone(), file);
        }
        drop(state);
        disk
    }

    /// The files as programs see them, synced or not.
    #[must_use]
    pub fn image(&self) -> Image {
        let state = self.state();
        let files =
            state.names.iter().map(|(name, file)| (name.clone(), Arc::clone(&state.files[*file])));
        Image::new(files.collect())
    }

    /// All changing calls so far.
    #[must_use]
    pub fn trace(&self) -> Vec<Call> {
        self.state().trace.clone()
    }

    /// Number of changing calls so far.
    #[must_use]
    pub fn trace_len(&self) -> usize {
        self.state().trace.len()
    }

    /// Number of calls of any kind so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Lets call number `call` (counted from 0 over calls of any kind) fail, once.
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.state().fault = Some((call, fault));
    }

    /// Limits the bytes of all files together.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity_bytes = Some(bytes);
    }

    /// From now on file syncs answer `Ok` and do nothing: a planted bug for tests of the tests.
    pub fn drop_syncs(&self) {
        self.state().drops_syncs = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; the fault to play, when it is this one's turn.
    fn count(&self) -> (MutexGuard<'_, State>, Option<Fault>) {
        let mut state = self.state();
        let now = state.calls;
        state.calls += 1;
        let fault = state.fault.filter(|(call, _)| *call == now).map(|(_, fault)| fault);
        (state, fault)
    }

    fn enter(&self) -> io::Result<MutexGuard<'_, State>> {
        match self.count() {
            (_, Some(fault)) => Err(fault.error()),
            (state, None) => Ok(state),
        }
    }

    fn handle(&self, file: usize) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), file })
    }
}

struct Guard(SimDisk);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.state().is_locked = false;
    }
}

impl Disk for SimDisk {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.enter()?;
        if state.is_locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.is_locked = true;
        drop(state);
        Ok(Box::new(Guard(self.clone())))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.enter()?.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.enter()?;
        let file = state.names.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        drop(state);
        Ok(self.handle(file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.enter()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.files.len();
        state.files.push(Arc::default());
        state.names.insert(name.to_owned(), file);
        state.trace.push(Call::Create { file, name: name.to_owned() });
        drop(state);
        Ok(self.handle(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.enter()?;
        state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.trace.push(Call::Remove { name: name.to_owned() });
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.enter()?.trace.push(Call::SyncDir);
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.enter()?;
        Ok(state.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used())))
    }
}

impl State {
    fn used(&self) -> u64 {
        self.names.values().map(|file| self.files[*file].len() as u64).sum()
    }

    /// How many of `bytes` written at `offset` of `file` still fit.
    fn fitting(&self, file: usize, offset: u64, bytes: usize) -> usize {
        let Some(capacity) = self.capacity_bytes else { return bytes };
        let len = self.files[file].len() as u64;
        let free = capacity.saturating_sub(self.used());
        let inside = len.saturating_sub(offset);
        usize::try_from(inside.saturating_add(free)).unwrap_or(usize::MAX).min(bytes)
    }

    fn write(&mut self, file: usize, offset: u64, bytes: Vec<u8>) {
        super::image::write(Arc::make_mut(&mut self.files[file]), offset, &bytes);
        self.trace.push(Call::Write { file, offset, bytes: Arc::new(bytes) });
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.enter()?.files[self.file].len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.enter()?;
        let bytes = &state.files[self.file];
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buf.len().min(bytes.len() - from);
        buf[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let (mut state, fault) = self.disk.count();
        if let Some(fault) = fault {
            if fault.does_half() {
                bytes.truncate(bytes.len() / 2);
                state.write(self.file, offset, bytes);
            }
            return Err(fault.error());
        }
        let fitting = state.fitting(self.file, offset, bytes.len());
        let is_short = fitting < bytes.len();
        bytes.truncate(fitting);
        state.write(self.file, offset, bytes);
        if is_short { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.enter()?;
        if !state.drops_syncs {
            state.trace.push(Call::Sync { file: self.file });
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.enter()?;
        let new_len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Arc::make_mut(&mut state.files[self.file]).resize(new_len, 0);
        state.trace.push(Call::SetLen { file: self.file, len });
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.enter()?;
        let old_len = state.files[self.file].len();
        let new_len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if new_len <= old_len {
            return Ok(());
        }
        let more = new_len - old_len;
        if state.fitting(self.file, old_len as u64, more) < more {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Arc::make_mut(&mut state.files[self.file]).resize(new_len, 0);
        state.trace.push(Call::SetLen { file: self.file, len });
        Ok(())
    }
}

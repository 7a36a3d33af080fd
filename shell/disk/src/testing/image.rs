//! What a crash leaves: the durable bytes, and any part of what was not synced yet.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Arc;

use super::rng::Rng;
use super::sim_disk::{Call, SimDisk};
use crate::disk::Disk;

/// Bytes that a disk writes as a whole, mostly.
const SECTOR_BYTES: usize = 512;

/// All files of a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    files: BTreeMap<String, Arc<Vec<u8>>>,
}

impl Image {
    pub(super) fn new(files: BTreeMap<String, Arc<Vec<u8>>>) -> Self {
        Self { files }
    }

    /// Names and bytes.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, Arc<Vec<u8>>> {
        &self.files
    }

    /// The bytes of a file, to be spoilt; made when there is none.
    pub fn bytes_mut(&mut self, name: &str) -> &mut Vec<u8> {
        Arc::make_mut(self.files.entry(name.to_owned()).or_default())
    }

    /// Takes a file away.
    pub fn remove(&mut self, name: &str) {
        self.files.remove(name);
    }
}

/// How much of what was not synced survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Everything.
    All,
    /// The first calls, the last of them cut at any byte.
    Prefix,
    /// Any sectors of any calls, the last of them cut at any byte.
    Subset,
    /// The new lengths and names, but zeros instead of the bytes.
    Lengths,
}

struct FileState {
    durable: Arc<Vec<u8>>,
    pending: Vec<Call>,
}

/// Follows a trace of calls and makes the images that a crash at this point may leave. Names become durable in the order
/// of the calls, as journaling file systems do it; bytes in any order.
pub struct Crash {
    names: BTreeMap<String, usize>,
    pending_names: Vec<Call>,
    files: Vec<FileState>,
}

impl Crash {
    /// Starts from a disk on which `base` is durable.
    #[must_use]
    pub fn new(base: &Image) -> Self {
        let files = base.files.values();
        let files =
            files.map(|bytes| FileState { durable: Arc::clone(bytes), pending: Vec::new() });
        Self {
            names: base.files.keys().cloned().zip(0..).collect(),
            pending_names: Vec::new(),
            files: files.collect(),
        }
    }

    /// Takes note of the next call.
    pub fn step(&mut self, call: &Call) {
        match call {
            Call::Create { .. } => {
                self.files.push(FileState { durable: Arc::default(), pending: Vec::new() });
                self.pending_names.push(call.clone());
            }
            Call::Remove { .. } => self.pending_names.push(call.clone()),
            Call::Write { file, .. } | Call::SetLen { file, .. } => {
                self.files[*file].pending.push(call.clone());
            }
            Call::Sync { file } => {
                let state = &mut self.files[*file];
                let bytes = Arc::make_mut(&mut state.durable);
                state.pending.drain(..).for_each(|call| apply(bytes, &call));
            }
            Call::SyncDir => {
                let pending = std::mem::take(&mut self.pending_names);
                pending.iter().for_each(|call| rename(&mut self.names, call));
            }
        }
    }

    /// Whether anything is not synced.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        !self.pending_names.is_empty() || self.files.iter().any(|file| !file.pending.is_empty())
    }

    /// An image that a crash now may leave.
    #[must_use]
    pub fn image(&self, survival: Survival, rng: &mut Rng) -> Image {
        let mut names = self.names.clone();
        let surviving_names = match survival {
            Survival::Nothing => 0,
            Survival::All | Survival::Lengths => self.pending_names.len(),
            Survival::Prefix | Survival::Subset => below(rng, self.pending_names.len() + 1),
        };
        self.pending_names[..surviving_names].iter().for_each(|call| rename(&mut names, call));
        let files = names.into_iter().map(|(name, file)| {
            let state = &self.files[file];
            let mut bytes = Arc::clone(&state.durable);
            if !state.pending.is_empty() && survival != Survival::Nothing {
                survive(Arc::make_mut(&mut bytes), &state.pending, survival, rng);
            }
            (name, bytes)
        });
        Image { files: files.collect() }
    }

    /// The disk as another process finds it after this one was killed: everything can be read, but what was not synced is
    /// still not synced.
    ///
    /// # Panics
    /// Never: a disk in memory without planted faults does not fail.
    #[must_use]
    pub fn killed(&self) -> SimDisk {
        let why = "a disk in memory without faults";
        let disk = SimDisk::from_image(&Image {
            files: self
                .names
                .iter()
                .map(|(name, file)| (name.clone(), Arc::clone(&self.files[*file].durable)))
                .collect(),
        });
        let mut names = self.names.clone();
        for call in &self.pending_names {
            rename(&mut names, call);
            match call {
                Call::Create { name, .. } => drop(disk.create(name).expect(why)),
                Call::Remove { name } => disk.remove(name).expect(why),
                _ => {}
            }
        }
        for (name, file) in names {
            let handle = disk.open(&name).expect(why);
            let state = &self.files[file];
            if self.names.get(&name) != Some(&file) && !state.durable.is_empty() {
                handle.write_at(0, &[IoSlice::new(&state.durable)]).expect(why);
                handle.sync_data().expect(why);
            }
            for call in &state.pending {
                match call {
                    Call::Write { offset, bytes, .. } => {
                        handle.write_at(*offset, &[IoSlice::new(bytes)]).expect(why);
                    }
                    Call::SetLen { len, .. } => handle.set_len(*len).expect(why),
                    _ => {}
                }
            }
        }
        disk
    }
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap_or(0)
}

fn rename(names: &mut BTreeMap<String, usize>, call: &Call) {
    match call {
        Call::Create { file, name } => drop(names.insert(name.clone(), *file)),
        Call::Remove { name } => drop(names.remove(name)),
        _ => {}
    }
}

/// Writes into `target`, extending it with zeros where needed.
pub(super) fn write(target: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let from = usize::try_from(offset).expect("a file in memory has an offset in memory");
    let end = from + bytes.len();
    if target.len() < end {
        target.resize(end, 0);
    }
    target[from..end].copy_from_slice(bytes);
}

fn apply(target: &mut Vec<u8>, call: &Call) {
    match call {
        Call::Write { offset, bytes, .. } => write(target, *offset, bytes),
        Call::SetLen { len, .. } => {
            target.resize(usize::try_from(*len).expect("a file in memory"), 0);
        }
        _ => {}
    }
}

fn survive(target: &mut Vec<u8>, pending: &[Call], survival: Survival, rng: &mut Rng) {
    match survival {
        Survival::Nothing => {}
        Survival::All => pending.iter().for_each(|call| apply(target, call)),
        Survival::Lengths => {
            for call in pending {
                match call {
                    Call::Write { offset, bytes, .. } => {
                        let end = usize::try_from(*offset).unwrap_or(0) + bytes.len();
                        target.resize(target.len().max(end), 0);
                    }
                    other => apply(target, other),
                }
            }
        }
        Survival::Prefix => {
            let whole = below(rng, pending.len());
            pending[..whole].iter().for_each(|call| apply(target, call));
            if let Call::Write { offset, bytes, .. } = &pending[whole] {
                write(target, *offset, &bytes[..below(rng, bytes.len() + 1)]);
            }
        }
        Survival::Subset => pending.iter().for_each(|call| survive_in_part(target, call, rng)),
    }
}

/// Any sectors of a write, one of which may be torn; or a change of length, or not.
fn survive_in_part(target: &mut Vec<u8>, call: &Call, rng: &mut Rng) {
    let Call::Write { offset, bytes, .. } = call else {
        if rng.coin() {
            apply(target, call);
        }
        return;
    };
    // Mostly-kept, mostly-lost and even mixes all occur.
    let keep_of_8 = 1 + rng.below(7);
    let torn = below(rng, bytes.len().div_ceil(SECTOR_BYTES).max(1));
    let mut at = 0;
    let mut sector = 0;
    while at < bytes.len() {
        let absolute = usize::try_from(*offset).unwrap_or(0) + at;
        let end = bytes.len().min(at + SECTOR_BYTES - absolute % SECTOR_BYTES);
        if rng.below(8) < keep_of_8 {
            let kept = if sector == torn { below(rng, end - at + 1) } else { end - at };
            write(target, absolute as u64, &bytes[at..at + kept]);
        }
        at = end;
        sector += 1;
    }
}

//! Storing a file or directory: read, cut, look up, seal, send; then one new head.
//!
//! One thread reads, cuts, compresses, seals and codes (two cores are full with it, as the nodes
//! need theirs), the network is driven beside it. What was sent stays invisible until the head is
//! written, and is found again by the next put if this one is killed.

mod names;
mod packer;
mod tree;
mod walk;

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use acre_store::tree::{Entry, Name};
use acre_types::{Bytes, PackId, Profile};
use tokio::runtime::Handle;

use crate::meta::MetaStore;
use crate::meter::Meter;
use crate::object::given_path;
use crate::progress::Phase;
use crate::report::PutReport;
use crate::send::{Sender, Take};
use crate::shared::Core;
use crate::space::{View, publish, shown};
use crate::volume::Volume;
use crate::{ClientError, ObjectId, collect, contract, random};
use packer::Packer;
use walk::Walker;

/// Times a put is done anew because packs that it wanted to refer to are gone.
const TRIES: usize = 3;

/// How something is stored.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// The profile; if none, that of what has the name already, else `standard`.
    pub profile: Option<Profile>,
    /// Path under which it is stored; if none, its own last name in the root.
    pub to: Option<Vec<u8>>,
}

/// What one put is about.
struct Job<'a> {
    core: &'a Arc<Core>,
    handle: &'a Handle,
    source: &'a Path,
    path: Vec<Name>,
    meter: &'a Arc<Meter>,
}

pub(crate) fn run(
    core: &Arc<Core>,
    handle: &Handle,
    source: &Path,
    options: &PutOptions,
    meter: &Arc<Meter>,
) -> Result<PutReport, ClientError> {
    let started = Instant::now();
    let found = std::fs::symlink_metadata(source).map_err(ClientError::io("reading", source))?;
    let kind = found.file_type();
    if !kind.is_file() && !kind.is_dir() && !kind.is_symlink() {
        let given = source.as_os_str().as_bytes().to_vec();
        return Err(ClientError::BadName { given, reason: "neither file, directory nor link" });
    }
    if kind.is_dir() {
        std::fs::read_dir(source).map(drop).map_err(ClientError::io("reading", source))?;
    } else if kind.is_file() {
        std::fs::File::open(source).map(drop).map_err(ClientError::io("reading", source))?;
    }
    let path = target(source, options)?;
    let size = if kind.is_file() { found.len() } else { 0 };
    let job = Job { core, handle, source, path, meter };
    let volume = job.volume(options.profile, Bytes(size))?;
    volume.check_live()?;
    if kind.is_file() {
        meter.set_total(size);
        handle.block_on(volume.reserve(Bytes(size)));
    } else {
        let (source, meter) = (source.to_owned(), Arc::clone(meter));
        std::thread::spawn(move || {
            walk::measure(&source, &meter).map(|total| meter.set_total(total))
        });
    }
    let mut report = job.store(&volume)?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Where it will stand.
fn target(source: &Path, options: &PutOptions) -> Result<Vec<Name>, ClientError> {
    if let Some(to) = &options.to {
        return given_path(to);
    }
    let whole = source.canonicalize().map_err(ClientError::io("reading", source))?;
    let name = source.file_name().or_else(|| whole.file_name());
    let given = source.as_os_str().as_bytes();
    let bad = || ClientError::BadName { given: given.to_vec(), reason: "a name is needed for it" };
    Ok(vec![Name::new(name.ok_or_else(bad)?.as_bytes())?])
}

impl Job<'_> {
    /// The volume that it goes to: where the name is, else of the profile.
    fn volume(&self, profile: Option<Profile>, bytes: Bytes) -> Result<Arc<Volume>, ClientError> {
        for volume in self.handle.block_on(self.core.volumes())? {
            let mut view = View::open(self.core, &volume, self.handle)?;
            if self.path.is_empty() || view.lookup(&self.path)?.is_none() {
                continue;
            }
            if profile.is_some_and(|profile| profile != volume.profile) {
                let reason = "is there already, in another profile; remove it first";
                return Err(ClientError::Conflict { path: shown(&self.path), reason });
            }
            return Ok(volume);
        }
        let profile = profile.unwrap_or(Profile::Standard);
        self.handle.block_on(contract::find_or_create(self.core, profile, bytes))
    }

    fn store(&self, volume: &Arc<Volume>) -> Result<PutReport, ClientError> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.try_store(volume) {
                Err(Stop::Gone(packs)) if tried < TRIES => {
                    tracing::info!(packs = packs.len(), "known chunks are gone; storing them anew");
                    self.core.cache.forget(&packs);
                    self.meter.restart();
                }
                Err(Stop::Gone(packs)) => {
                    let pack = packs.first().copied().unwrap_or(PackId([0; 16]));
                    let need = volume.profile.data();
                    return Err(ClientError::Damaged { pack, have: 0, need, places: Vec::new() });
                }
                Err(Stop::Failed(error)) => return Err(error),
                Ok(report) => return Ok(report),
            }
        }
    }

    fn try_store(&self, volume: &Arc<Volume>) -> Result<PutReport, Stop> {
        let Self { core, handle, meter, .. } = *self;
        let before = handle.block_on(volume.read_head(&core.courier))?.tree.totals().bytes;
        let sender = Sender::new(core, volume, handle);
        let store = MetaStore::saving(core, volume, handle, &sender)?;
        let packer = Packer::new(store, sender.clone(), before)?;
        let mut walker = Walker::new(packer, meter, self.path.len());
        let name = match self.path.last() {
            Some(name) => name.clone(),
            None => Name::new("root")?,
        };
        let walked = walker.walk(self.source, name).and_then(|()| walker.packer.close());
        if walked.is_err() {
            // What got through is known the next time.
            sender.finish();
            walker.packer.index(Take::All);
        }
        walked?;
        meter.tell(Phase::Publishing);
        let settled = walker.packer.store.flush();
        walker.packer.index(Take::All);
        settled?;
        let Walker { packer, warnings, warnings_total, .. } = walker;
        let Packer { mut store, tree, reused, .. } = packer;
        let Some((entry, entries)) = tree.finish() else {
            let source = std::io::Error::other("it changed or vanished while it was read");
            return Err(ClientError::io("reading", self.source)(source).into());
        };
        let object = ObjectId { contract: volume.id, number: random::entropy()?.salt() };
        self.publish(&mut store, &entry, object, &reused)?;
        let sent = sender.finish();
        Ok(PutReport {
            object,
            name: shown(&self.path),
            profile: volume.profile,
            bytes_plain: meter.done(),
            bytes_stored: sent.bytes,
            shards: sent.shards,
            not_yet_full: sent.not_yet_full,
            entries,
            files: meter.files(),
            seconds: 0.0,
            warnings,
            warnings_total,
        })
    }

    fn publish(
        &self,
        store: &mut MetaStore,
        entry: &Entry,
        object: ObjectId,
        reused: &BTreeSet<PackId>,
    ) -> Result<(), Stop> {
        let mut gone = Vec::new();
        let path = shown(&self.path);
        let done = publish(store, self.handle, |store, space| {
            self.meter.check()?;
            gone = collect::gone(self.core, &store.volume, self.handle, reused)?;
            if !gone.is_empty() {
                return Err(ClientError::Closed);
            }
            space.put(store, &self.path, entry.clone())?;
            space.add_object(store, object.number, &path)
        });
        match done {
            Ok(_) => Ok(()),
            Err(_) if !gone.is_empty() => Err(Stop::Gone(gone)),
            Err(error) => Err(Stop::Failed(error)),
        }
    }
}

/// Why a try ended.
enum Stop {
    Failed(ClientError),
    /// These packs, which were to be referred to, are gone.
    Gone(Vec<PackId>),
}

impl<E: Into<ClientError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

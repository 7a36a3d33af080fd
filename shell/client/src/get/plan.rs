//! Which chunks of which packs go where, in what order, and how many at once.

use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use acre_crypto::aead::AeadKey;
use acre_store::pack::{ChunkRef, Opener};
use acre_store::tree::{
    Content, Directory, Entry, Extent, Extents, Kind, Listing, Meta, PackKey, Run,
};
use acre_types::PackId;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::output::{IsLink, Target, finish, make_directory};
use crate::ClientError;
use crate::courier::Verdict;
use crate::limits::{READ_CHUNKS_MAX, READ_GAP_BYTES, READ_WINDOW_PACKS, READS_AT_ONCE};
use crate::meter::Meter;
use crate::read::{self, Bytewise};
use crate::shared::Core;
use crate::space::View;
use crate::volume::Volume;

/// A chunk and where its plain bytes go.
struct Wish {
    chunk: ChunkRef,
    target: Arc<Target>,
    offset: u64,
}

/// What is wanted of one pack.
struct PackWish {
    pack: PackId,
    pack_bytes: u32,
    key: PackKey,
    wishes: Vec<Wish>,
}

/// Writes entries below a path.
pub(super) struct Planner<'a> {
    view: View,
    handle: &'a Handle,
    meter: &'a Arc<Meter>,
    window: VecDeque<PackWish>,
    reads: Reads,
    entries: u64,
}

/// Reads under way.
#[derive(Clone)]
struct Reads {
    core: Arc<Core>,
    volume: Arc<Volume>,
    room: Arc<Semaphore>,
    failed: Arc<Mutex<Option<ClientError>>>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(view: View, handle: &'a Handle, meter: &'a Arc<Meter>) -> Self {
        let (core, volume) = (Arc::clone(&view.store.core), Arc::clone(&view.volume));
        let room = Arc::new(Semaphore::new(READS_AT_ONCE));
        let reads = Reads { core, volume, room, failed: Arc::default() };
        Self { view, handle, meter, window: VecDeque::new(), reads, entries: 0 }
    }

    /// Writes an entry and all below it to `path`; modes and times of directories come later.
    pub(super) fn write(&mut self, entry: &Entry, path: &Path) -> Result<(), ClientError> {
        self.meter.check()?;
        self.entries += 1;
        match &entry.kind {
            Kind::File(content) => self.file(content, entry.meta, path.to_owned()),
            Kind::Symlink(target) => {
                std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target.as_bytes()), path)
                    .map_err(ClientError::io("making link", path))?;
                finish(path, &entry.meta, IsLink::Yes)
            }
            Kind::Directory(directory) => {
                make_directory(path)?;
                let mut listing = Listing::new(directory);
                while let Some(below) = listing.next(&mut self.view.store)? {
                    self.write(&below, &join(path, &below))?;
                }
                Ok(())
            }
        }
    }

    /// Waits for all reads, then sets modes and times of directories. Gives the count of entries.
    pub(super) fn finish(mut self, entry: &Entry, path: &Path) -> Result<u64, ClientError> {
        while let Some(wish) = self.window.pop_front() {
            self.send(wish)?;
        }
        self.wait();
        self.reads.check()?;
        if let Kind::Directory(directory) = &entry.kind {
            self.finish_directory(directory, &entry.meta, path)?;
        }
        Ok(self.entries)
    }

    /// Until no read is under way.
    fn wait(&self) {
        let all = u32::try_from(READS_AT_ONCE).unwrap_or(u32::MAX);
        // It fails if the semaphore was closed, which nobody does.
        let _ = self.handle.block_on(self.reads.room.acquire_many(all));
    }

    fn finish_directory(
        &mut self,
        directory: &Directory,
        meta: &Meta,
        path: &Path,
    ) -> Result<(), ClientError> {
        if directory.totals().directories > 0 {
            let mut listing = Listing::new(directory);
            while let Some(below) = listing.next(&mut self.view.store)? {
                if let Kind::Directory(directory) = &below.kind {
                    self.finish_directory(directory, &below.meta, &join(path, &below))?;
                }
            }
        }
        finish(path, meta, IsLink::No)
    }

    fn file(&mut self, content: &Content, meta: Meta, path: PathBuf) -> Result<(), ClientError> {
        let target = Target::new(path, meta, content.bytes(), self.meter);
        if let Content::Inline(bytes) = content {
            return target.write(&[(0, bytes)], 1);
        }
        let mut extents = Extents::new(content, 0);
        let mut offset = 0;
        while let Some((extent, _)) = extents.next(&mut self.view.store)? {
            let bytes = extent.bytes();
            if let Extent::Data(run) = extent {
                self.run(&run, &target, offset)?;
            }
            offset += bytes;
        }
        target.planned()
    }

    fn run(&mut self, run: &Run, target: &Arc<Target>, mut offset: u64) -> Result<(), ClientError> {
        let at = match self.window.iter().position(|wish| wish.pack == run.pack) {
            Some(at) => at,
            None => {
                if self.window.len() >= READ_WINDOW_PACKS
                    && let Some(wish) = self.window.pop_front()
                {
                    self.send(wish)?;
                }
                let (pack, pack_bytes, key) = (run.pack, run.pack_bytes, run.key.clone());
                self.window.push_back(PackWish { pack, pack_bytes, key, wishes: Vec::new() });
                self.window.len() - 1
            }
        };
        let Some(wish) = self.window.get_mut(at) else { return Ok(()) };
        for chunk in run.chunks.iter() {
            target.expect();
            wish.wishes.push(Wish { chunk: *chunk, target: Arc::clone(target), offset });
            offset += u64::from(chunk.plain);
        }
        if wish.wishes.len() >= READ_CHUNKS_MAX
            && let Some(wish) = self.window.remove(at)
        {
            self.send(wish)?;
        }
        Ok(())
    }

    /// Starts the reads of a pack: one for each cluster of chunks.
    fn send(&self, wish: PackWish) -> Result<(), ClientError> {
        let PackWish { pack, pack_bytes, key, mut wishes } = wish;
        wishes.sort_by_key(|wish| wish.chunk.offset);
        let mut cluster: Vec<Wish> = Vec::new();
        let mut end = 0;
        for wish in wishes {
            let range = wish.chunk.range();
            if !cluster.is_empty() && range.start > end + READ_GAP_BYTES {
                self.start(pack, pack_bytes, &key, std::mem::take(&mut cluster))?;
            }
            end = end.max(range.end);
            cluster.push(wish);
        }
        if cluster.is_empty() { Ok(()) } else { self.start(pack, pack_bytes, &key, cluster) }
    }

    fn start(
        &self,
        pack: PackId,
        pack_bytes: u32,
        key: &PackKey,
        wishes: Vec<Wish>,
    ) -> Result<(), ClientError> {
        self.meter.check()?;
        self.reads.check()?;
        let room = Arc::clone(&self.reads.room);
        let room = self.handle.block_on(room.acquire_owned()).map_err(|_| ClientError::Closed)?;
        let (reads, key) = (self.reads.clone(), key.clone());
        self.handle.spawn(async move {
            if let Err(error) = reads.read(pack, pack_bytes, key, wishes).await {
                let mut failed = reads.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(error);
            }
            drop(room);
        });
        Ok(())
    }
}

/// No read may write once the planner is gone: what it wrote to is removed then.
impl Drop for Planner<'_> {
    fn drop(&mut self) {
        self.wait();
    }
}

impl Reads {
    fn check(&self) -> Result<(), ClientError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone().map_or(Ok(()), Err)
    }

    /// Reads one range of a pack, opens its chunks and writes them.
    async fn read(
        &self,
        pack: PackId,
        pack_bytes: u32,
        key: PackKey,
        wishes: Vec<Wish>,
    ) -> Result<(), ClientError> {
        let profile = self.volume.profile;
        let start = wishes.iter().map(|wish| wish.chunk.offset).min().unwrap_or(0);
        let end = wishes.iter().map(|wish| wish.chunk.range().end).max().unwrap_or(0);
        let extent = read::extent(profile, pack_bytes, &(start..end));
        let mut reading = read::begin(&self.core, &self.volume, pack, extent);
        let work = Arc::new((key.expand(), wishes));
        loop {
            let (ready, bodies) = read::ready(&self.core, &self.volume, &mut reading).await?;
            let work = Arc::clone(&work);
            let opened = tokio::task::spawn_blocking(move || {
                let Some(bytes) = Bytewise::new(profile, pack_bytes, &ready, &bodies) else {
                    return Ok(Verdict::Bad);
                };
                let (key, wishes) = work.as_ref();
                open(pack, key, wishes, &bytes)
            });
            let verdict = opened.await.map_err(|_| ClientError::Closed)??;
            reading.judge(verdict);
            if verdict == Verdict::Good {
                return Ok(());
            }
        }
    }
}

/// Opens all chunks, and only then writes them.
fn open(
    pack: PackId,
    key: &AeadKey,
    wishes: &[Wish],
    bytes: &Bytewise,
) -> Result<Verdict, ClientError> {
    let mut opener = Opener::new();
    let plain_bytes: usize =
        wishes.iter().map(|wish| usize::try_from(wish.chunk.plain).unwrap_or(0)).sum();
    let mut plain = Vec::with_capacity(plain_bytes + acre_store::pack::SEAL_BYTES);
    let mut places = Vec::with_capacity(wishes.len());
    let mut last: Option<(ChunkRef, std::ops::Range<usize>)> = None;
    for wish in wishes {
        if let Some((chunk, place)) = &last
            && *chunk == wish.chunk
        {
            places.push(place.clone());
            continue;
        }
        let Some(sealed) = bytes.get(wish.chunk.range()) else { return Ok(Verdict::Bad) };
        let from = plain.len();
        match opener.open(key, pack, wish.chunk, &sealed, &mut plain) {
            Ok(()) => {}
            Err(acre_store::StoreError::Crypto { .. }) => return Ok(Verdict::Bad),
            Err(error) => return Err(error.into()),
        }
        let place = from..plain.len();
        last = Some((wish.chunk, place.clone()));
        places.push(place);
    }
    write(wishes, &places, &plain)?;
    Ok(Verdict::Good)
}

/// Writes chunk by chunk, but joins neighbours of one file that are neighbours in memory.
fn write(
    wishes: &[Wish],
    places: &[std::ops::Range<usize>],
    plain: &[u8],
) -> Result<(), ClientError> {
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by_key(|at| (Arc::as_ptr(&wishes[*at].target).addr(), wishes[*at].offset));
    for group in order.chunk_by(|a, b| Arc::ptr_eq(&wishes[*a].target, &wishes[*b].target)) {
        let mut joined: Vec<(u64, std::ops::Range<usize>)> = Vec::new();
        for at in group {
            let (offset, place) = (wishes[*at].offset, places[*at].clone());
            match joined.last_mut() {
                Some((from, last))
                    if last.end == place.start
                        && *from + u64::try_from(last.len()).unwrap_or(u64::MAX) == offset =>
                {
                    last.end = place.end;
                }
                _ => joined.push((offset, place)),
            }
        }
        let pieces: Vec<(u64, &[u8])> =
            joined.into_iter().map(|(offset, place)| (offset, &plain[place])).collect();
        let parts = u64::try_from(group.len()).unwrap_or(u64::MAX);
        wishes[group[0]].target.write(&pieces, parts)?;
    }
    Ok(())
}

fn join(path: &Path, entry: &Entry) -> PathBuf {
    path.join(std::ffi::OsStr::from_bytes(entry.name.as_bytes()))
}

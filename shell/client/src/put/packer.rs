//! Chunks into packs: known ones are only referred to, new ones are sealed and sent.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use acre_store::chunk::{ChunkId, chunk_id};
use acre_store::compress::Compression;
use acre_store::pack::{Builder, BuilderConfig, ChunkRef, SealedPack};
use acre_types::{Bytes, PackId};

use super::tree::{Step, TreeBuilder};
use crate::cache::{PackInfo, Stored};
use crate::limits::PENDING_ENTRIES_MAX;
use crate::meta::MetaStore;
use crate::send::{Sender, Take};
use crate::{ClientError, random};

/// See the module.
pub(super) struct Packer {
    pub(super) store: MetaStore,
    pub(super) tree: TreeBuilder,
    sender: Sender,
    builder: Builder,
    /// Chunks of the open pack.
    open: HashMap<ChunkId, ChunkRef>,
    /// Chunks of packs that are sent and not yet in the index.
    sent: HashMap<ChunkId, Stored>,
    /// Packs of earlier puts that are referred to.
    pub(super) reused: BTreeSet<PackId>,
    /// Bytes of packs sent.
    packed: u64,
    /// Plain bytes in the volume before, as an estimate of what it holds.
    before: u64,
}

impl Packer {
    pub(super) fn new(store: MetaStore, sender: Sender, before: u64) -> Result<Self, ClientError> {
        let volume = &store.volume;
        let config = BuilderConfig {
            contract: volume.id,
            profile: volume.profile,
            compression: Compression::Probe,
        };
        let builder = Builder::data(config, random::entropy()?);
        Ok(Self {
            store,
            tree: TreeBuilder::new(),
            sender,
            builder,
            open: HashMap::new(),
            sent: HashMap::new(),
            reused: BTreeSet::new(),
            packed: 0,
            before,
        })
    }

    /// Stores the next chunk of the file being read, unless it is stored already.
    pub(super) fn chunk(&mut self, plain: &[u8]) -> Result<(), ClientError> {
        let id = chunk_id(self.store.volume.keys.chunk_id_key(), plain);
        if let Some(chunk) = self.open.get(&id) {
            return self.step(Step::Open(*chunk));
        }
        if let Some(stored) = self.sent.get(&id) {
            return self.step(Step::Stored(stored.clone()));
        }
        let known = self.store.core.cache.chunk(self.store.volume.id, id);
        if let Some(stored) =
            known.filter(|known| usize::try_from(known.chunk.plain) == Ok(plain.len()))
        {
            if !self.sender.has_stored(stored.pack.pack) {
                self.reused.insert(stored.pack.pack);
            }
            return self.step(Step::Stored(stored));
        }
        let added = self.builder.add(plain)?;
        if let Some(sealed) = added.closed {
            self.closed(sealed)?;
        }
        self.open.insert(id, added.chunk);
        self.step(Step::Open(added.chunk))
    }

    /// Takes a step of the tree.
    pub(super) fn step(&mut self, step: Step) -> Result<(), ClientError> {
        self.tree.push(&mut self.store, step)?;
        if self.tree.waiting() >= PENDING_ENTRIES_MAX {
            self.close()?;
        }
        Ok(())
    }

    /// Closes the open pack, so that nothing of the tree waits.
    pub(super) fn close(&mut self) -> Result<(), ClientError> {
        match self.builder.close()? {
            Some(sealed) => self.closed(sealed),
            None => Ok(()),
        }
    }

    fn closed(&mut self, sealed: SealedPack) -> Result<(), ClientError> {
        let header = sealed.header();
        let key = sealed.secret().ok_or(ClientError::Closed)?.duplicate();
        let (pack, pack_bytes) = (header.pack(), header.pack_bytes());
        let info = Arc::new(PackInfo { pack, pack_bytes, key });
        let chunks: Vec<(ChunkId, ChunkRef)> = self.open.drain().collect();
        for (id, chunk) in &chunks {
            self.sent.insert(*id, Stored { pack: Arc::clone(&info), chunk: *chunk });
        }
        self.tree.closed(&mut self.store, &info)?;
        self.packed += u64::from(pack_bytes);
        self.reserve_ahead();
        self.sender.send(sealed, Some((info, chunks)))?;
        self.index(Take::Many);
        Ok(())
    }

    /// Has the contract grow before it is full.
    fn reserve_ahead(&self) {
        let held = self.before.saturating_add(self.packed);
        let volume = &self.store.volume;
        let reserved = volume.storage().bytes.0;
        if held > reserved - reserved / 8 {
            self.sender.reserve(Bytes(held.saturating_mul(2)));
        }
    }

    /// Puts chunks of acknowledged packs into the index.
    pub(super) fn index(&mut self, take: Take) {
        for (_, chunks) in self.sender.take_acknowledged(take) {
            for (id, _) in chunks {
                self.sent.remove(&id);
            }
        }
    }
}

//! Nodes of a volume's tree: loaded from metadata packs through the caches, saved into new packs.
//!
//! All of it blocks: it runs on threads of [`crate::shared::blocking`].

use std::collections::HashMap;
use std::sync::Arc;

use acre_store::compress::Compression;
use acre_store::pack::{Builder, BuilderConfig, MetaPack, Opener};
use acre_store::tree::{MetaRef, Nodes};
use acre_types::PackId;
use bytes::Bytes;
use tokio::runtime::Handle;

use crate::limits::META_PACKS_IN_MEMORY;
use crate::send::Sender;
use crate::shared::Core;
use crate::volume::Volume;
use crate::{ClientError, random, read};

/// The tree of one volume for one operation.
pub(crate) struct MetaStore {
    pub(crate) core: Arc<Core>,
    pub(crate) volume: Arc<Volume>,
    handle: Handle,
    opener: Opener,
    /// Opened packs, the newest last.
    packs: Vec<(PackId, MetaPack)>,
    /// Nodes loaded from packs, not yet on disk.
    loaded: Vec<(MetaRef, Bytes)>,
    saving: Option<Saving>,
}

/// What saving needs.
struct Saving {
    builder: Builder,
    sender: Sender,
    /// Nodes of packs that are not acknowledged, which must be found here.
    fresh: HashMap<PackId, Vec<(MetaRef, Bytes)>>,
}

/// Nodes written to the cache on disk in one go.
const LOADED_MAX: usize = 64;

impl MetaStore {
    /// For reading only.
    pub(crate) fn reading(core: &Arc<Core>, volume: &Arc<Volume>, handle: &Handle) -> Self {
        Self {
            core: Arc::clone(core),
            volume: Arc::clone(volume),
            handle: handle.clone(),
            opener: Opener::new(),
            packs: Vec::new(),
            loaded: Vec::new(),
            saving: None,
        }
    }

    /// For reading and saving; what is saved is sent by `sender`.
    ///
    /// # Errors
    /// No randomness.
    pub(crate) fn saving(
        core: &Arc<Core>,
        volume: &Arc<Volume>,
        handle: &Handle,
        sender: &Sender,
    ) -> Result<Self, ClientError> {
        let config = BuilderConfig {
            contract: volume.id,
            profile: volume.profile,
            compression: Compression::Probe,
        };
        let builder = Builder::meta(config, volume.keys.meta().duplicate(), random::entropy()?);
        let saving = Saving { builder, sender: sender.clone(), fresh: HashMap::new() };
        let mut store = Self::reading(core, volume, handle);
        store.saving = Some(saving);
        Ok(store)
    }

    /// Sends what was saved and waits until it is acknowledged.
    ///
    /// # Errors
    /// What a pack failed of.
    pub(crate) fn flush(&mut self) -> Result<(), ClientError> {
        self.store_loaded();
        let Some(saving) = &mut self.saving else { return Ok(()) };
        if let Some(sealed) = saving.builder.close()? {
            saving.sender.send(sealed, None)?;
        }
        saving.sender.settle()?;
        let fresh: Vec<_> = saving.fresh.drain().flat_map(|(_, nodes)| nodes).collect();
        for (at, node) in &fresh {
            self.core.cache.keep_node(*at, node.clone());
        }
        self.core.cache.store_nodes(&fresh);
        Ok(())
    }

    fn store_loaded(&mut self) {
        self.core.cache.store_nodes(&self.loaded);
        self.loaded.clear();
    }

    fn opened(&mut self, at: MetaRef) -> Option<Result<Vec<u8>, ClientError>> {
        let (_, pack) = self.packs.iter().find(|(id, _)| *id == at.pack)?;
        Some(pack.chunk(&mut self.opener, at.chunk).map_err(ClientError::from))
    }
}

impl Drop for MetaStore {
    fn drop(&mut self) {
        self.store_loaded();
    }
}

impl Nodes for MetaStore {
    type Error = ClientError;

    fn load(&mut self, at: MetaRef) -> Result<Bytes, ClientError> {
        if let Some(saving) = &self.saving
            && let Some(nodes) = saving.fresh.get(&at.pack)
            && let Some((_, node)) = nodes.iter().find(|(other, _)| *other == at)
        {
            return Ok(node.clone());
        }
        if let Some(node) = self.core.cache.node(at) {
            return Ok(node);
        }
        if !self.packs.iter().any(|(id, _)| *id == at.pack) {
            let pack = self.handle.block_on(read::meta_pack(&self.core, &self.volume, at.pack))?;
            if self.packs.len() >= META_PACKS_IN_MEMORY {
                self.packs.remove(0);
            }
            self.packs.push((at.pack, pack));
        }
        let node = self.opened(at).unwrap_or(Err(ClientError::Closed))?;
        let node = Bytes::from(node);
        self.core.cache.keep_node(at, node.clone());
        self.loaded.push((at, node.clone()));
        if self.loaded.len() >= LOADED_MAX {
            self.store_loaded();
        }
        Ok(node)
    }

    fn save(&mut self, node: Vec<u8>) -> Result<MetaRef, ClientError> {
        let saving = self.saving.as_mut().ok_or(ClientError::Closed)?;
        let added = saving.builder.add(&node)?;
        let at = MetaRef { pack: added.pack, chunk: added.chunk };
        saving.fresh.entry(at.pack).or_default().push((at, Bytes::from(node)));
        if let Some(sealed) = added.closed {
            saving.sender.send(sealed, None)?;
            let sender = &saving.sender;
            let done: Vec<PackId> =
                saving.fresh.keys().copied().filter(|pack| sender.has_stored(*pack)).collect();
            for pack in done {
                let nodes = saving.fresh.remove(&pack).unwrap_or_default();
                for (at, node) in &nodes {
                    self.core.cache.keep_node(*at, node.clone());
                }
                self.core.cache.store_nodes(&nodes);
            }
        }
        Ok(at)
    }
}

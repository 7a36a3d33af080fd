//! The metadata of the volume: its nodes, the packs they lie in, and the tree made of them.

use std::collections::BTreeMap;

use acre_crypto::Secret;
use acre_store::compress::Compression;
use acre_store::pack::{Builder, BuilderConfig, MetaPack, Opener, SealedPack};
use acre_store::tree::{
    Content, ContentBuilder, Directory, Entry, Extent, Kind, Meta, MetaRef, Name, Nodes, Run, Walk,
    put,
};
use acre_store::{Entropy, StoreError};
use acre_types::PackId;
use bytes::Bytes;

use crate::client::{Located, Volume};

/// Why a node of the tree cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its pack must be fetched first.
    #[error("metadata pack {0} is not here")]
    Missing(PackId),
    /// It is no such node.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Metadata packs that were fetched.
#[derive(Default)]
pub struct Shelf {
    packs: BTreeMap<PackId, MetaPack>,
    opener: Opener,
}

impl Shelf {
    /// Keeps a pack.
    pub fn keep(&mut self, id: PackId, pack: MetaPack) {
        self.packs.insert(id, pack);
    }

    /// All files below a directory by their paths, and where their bytes are.
    ///
    /// # Errors
    /// [`LoadError::Missing`] names the pack to fetch before the next try.
    pub fn files(&mut self, tree: &Directory) -> Result<BTreeMap<Vec<u8>, Located>, LoadError> {
        let mut files = BTreeMap::new();
        let mut walk = Walk::new(tree);
        while let Some(visit) = walk.next(self)? {
            let Kind::File(Content::Extents(extents)) = &visit.entry.kind else { continue };
            let Some(Extent::Data(run)) = extents.first() else { continue };
            let located = Located {
                pack: run.pack,
                pack_bytes: run.pack_bytes,
                key: run.key.expand(),
                chunks: run.chunks.to_vec(),
            };
            files.insert(acre_store::tree::join(&visit.path), located);
        }
        Ok(files)
    }
}

impl Nodes for Shelf {
    type Error = LoadError;

    fn load(&mut self, at: MetaRef) -> Result<Bytes, LoadError> {
        let pack = self.packs.get(&at.pack).ok_or(LoadError::Missing(at.pack))?;
        Ok(pack.chunk(&mut self.opener, at.chunk)?.into())
    }

    fn save(&mut self, _node: Vec<u8>) -> Result<MetaRef, LoadError> {
        unreachable!("a reader of a tree saves nothing")
    }
}

/// The nodes a writer made, and the packs that close as they fill.
pub struct Library {
    nodes: BTreeMap<MetaRef, Bytes>,
    builder: Builder,
    closed: Vec<SealedPack>,
}

impl Library {
    /// An empty one.
    #[must_use]
    pub fn new(volume: &Volume, seed: [u8; 32]) -> Self {
        let config = BuilderConfig {
            contract: volume.contract,
            profile: volume.places.profile(),
            compression: Compression::default(),
        };
        let entropy = Entropy::new(Secret::new(seed));
        let builder = Builder::meta(config, volume.keys.meta().duplicate(), entropy);
        Self { nodes: BTreeMap::new(), builder, closed: Vec::new() }
    }

    /// The tree with a file at `folder/name` whose bytes are in a run.
    ///
    /// # Errors
    /// As [`put`].
    pub fn add(
        &mut self,
        tree: &Directory,
        folder: &str,
        name: &str,
        run: Run,
    ) -> Result<Directory, StoreError> {
        let mut content = ContentBuilder::new();
        content.push(self, Extent::Data(run))?;
        let kind = Kind::File(content.finish(self)?);
        let meta = Meta::new(0o644, 1);
        let entry = Entry { name: Name::new(name)?, meta, kind };
        put(self, tree, &[Name::new(folder)?], entry, Meta::new(0o755, 1))
    }

    /// The packs of everything added since the last time, to be put before a head names them.
    ///
    /// # Errors
    /// As [`Builder::close`].
    pub fn close(&mut self) -> Result<Vec<SealedPack>, StoreError> {
        let last = self.builder.close()?;
        self.closed.extend(last);
        Ok(std::mem::take(&mut self.closed))
    }
}

impl Nodes for Library {
    type Error = StoreError;

    fn load(&mut self, at: MetaRef) -> Result<Bytes, StoreError> {
        Ok(self.nodes.get(&at).cloned().unwrap_or_default())
    }

    fn save(&mut self, node: Vec<u8>) -> Result<MetaRef, StoreError> {
        let added = self.builder.add(&node)?;
        self.closed.extend(added.closed);
        let at = MetaRef { pack: added.pack, chunk: added.chunk };
        self.nodes.insert(at, node.into());
        Ok(at)
    }
}

//! What spares work and may be lost at any time: which chunks are stored already, and decrypted
//! nodes of trees. One redb file of mode 0600; without a directory, or while another process has
//! the file, nothing is remembered and everything works the same.
//!
//! ```text
//! chunks     contract u64 be | chunk id 32   -> pack 16 | key 32 | pack_bytes u32 | ChunkRef 12
//! nodes      pack 16 | offset u32 be         -> plain bytes of a node
//! gone       pack 16                         -> nothing: this pack was dropped or not found
//! strangers  contract u64 be | pack 16       -> ms since 1970 when first seen unreferenced
//! noticed    contract u64 be                 -> packs whose repair waits, and since when
//! ```
//! An entry of `chunks` is only written once its pack is acknowledged, and a put that used any
//! asks the places whether those packs are still there before it refers to them.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use acre_crypto::Secret;
use acre_store::chunk::ChunkId;
use acre_store::pack::ChunkRef;
use acre_store::tree::MetaRef;
use acre_types::{ContractId, PackId, Tick, UnixMs};
use bytes::Bytes;
use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition,
};

use crate::limits::{NODES_IN_MEMORY_BYTES, NODES_ON_DISK_MAX};

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const CHUNKS: Table = TableDefinition::new("chunks");
const NODES: Table = TableDefinition::new("nodes");
const GONE: Table = TableDefinition::new("gone");
const NOTICED: Table = TableDefinition::new("noticed");
const STRANGERS: Table = TableDefinition::new("strangers");

/// A data pack that is stored, with its key.
pub(crate) struct PackInfo {
    pub(crate) pack: PackId,
    pub(crate) pack_bytes: u32,
    pub(crate) key: Secret,
}

/// The chunks that a pack brought.
pub(crate) type Chunks = (Arc<PackInfo>, Vec<(ChunkId, ChunkRef)>);

/// Where a chunk is stored.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) pack: Arc<PackInfo>,
    pub(crate) chunk: ChunkRef,
}

/// See the module.
pub(crate) struct Cache {
    disk: Option<Database>,
    memory: Mutex<Memory>,
}

/// Nodes in two generations: when the young one is full, the old one goes.
#[derive(Default)]
struct Memory {
    young: HashMap<MetaRef, Bytes>,
    old: HashMap<MetaRef, Bytes>,
    young_bytes: usize,
    /// The index as of the last write.
    index: Option<ReadOnlyTable<&'static [u8], &'static [u8]>>,
    /// The pack of the last chunk looked up, as neighbours are mostly asked for next.
    last: Option<Arc<PackInfo>>,
}

impl Cache {
    /// Opens the cache in `dir`, which is made; whatever goes wrong, there is just no memory of
    /// earlier runs.
    pub(crate) fn open(dir: Option<&Path>) -> Self {
        let disk = dir.and_then(|dir| match open(dir) {
            Ok(disk) => Some(disk),
            Err(error) => {
                tracing::info!(%error, "working without the cache");
                None
            }
        });
        Self { disk, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, table: Table, key: &[u8]) -> Option<Vec<u8>> {
        let read = self.disk.as_ref()?.begin_read().ok()?;
        let value = read.open_table(table).ok()?.get(key).ok()??;
        Some(value.value().to_vec())
    }

    /// Writes; a failure only costs work later.
    fn write(&self, what: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>) {
        let Some(disk) = &self.disk else { return };
        self.memory().index = None;
        let done = || -> Result<(), redb::Error> {
            let write = disk.begin_write()?;
            what(&write)?;
            write.commit()?;
            Ok(())
        };
        if let Err(error) = done() {
            tracing::info!(%error, "the cache could not be written");
        }
        self.memory().index = None;
    }

    /// Where this chunk was stored, as far as is remembered.
    pub(crate) fn chunk(&self, contract: ContractId, id: ChunkId) -> Option<Stored> {
        let (pack, key, pack_bytes, chunk) = self.indexed(&chunk_key(contract, id))?;
        let last = self.memory().last.clone();
        if let Some(info) = last.filter(|info| info.pack == pack) {
            return Some(Stored { pack: info, chunk });
        }
        if self.get(GONE, pack.as_bytes()).is_some() {
            return None;
        }
        let info = Arc::new(PackInfo { pack, pack_bytes, key: Secret::new(key) });
        self.memory().last = Some(Arc::clone(&info));
        Some(Stored { pack: info, chunk })
    }

    /// What stands in the index; its table stays open between look-ups.
    fn indexed(&self, key: &[u8]) -> Option<(PackId, [u8; 32], u32, ChunkRef)> {
        let disk = self.disk.as_ref()?;
        let mut memory = self.memory();
        let index = match &memory.index {
            Some(index) => index,
            None => memory.index.insert(disk.begin_read().ok()?.open_table(CHUNKS).ok()?),
        };
        acre_codec::decode(index.get(key).ok()??.value()).ok()
    }

    /// Remembers the chunks of packs that are acknowledged.
    pub(crate) fn remember(&self, contract: ContractId, packs: &[Chunks]) {
        if packs.is_empty() {
            return;
        }
        self.write(|write| {
            let mut table = write.open_table(CHUNKS)?;
            for (info, chunks) in packs {
                for (id, chunk) in chunks {
                    let value = (info.pack, info.key.expose(), info.pack_bytes, chunk);
                    let value = acre_codec::encode(&value);
                    table.insert(chunk_key(contract, *id).as_slice(), value.as_slice())?;
                }
            }
            Ok(())
        });
    }

    /// Forgets packs: what is looked up from now on is not in them.
    pub(crate) fn forget(&self, packs: &[PackId]) {
        self.memory().last = None;
        self.write(|write| {
            let mut table = write.open_table(GONE)?;
            for pack in packs {
                table.insert(pack.as_bytes().as_slice(), [].as_slice())?;
            }
            Ok(())
        });
    }

    /// A node that was loaded or saved before.
    pub(crate) fn node(&self, at: MetaRef) -> Option<Bytes> {
        {
            let mut memory = self.memory();
            if let Some(node) = memory.young.get(&at) {
                return Some(node.clone());
            }
            if let Some(node) = memory.old.remove(&at) {
                memory.keep(at, node.clone());
                return Some(node);
            }
        }
        let node = Bytes::from(self.get(NODES, &node_key(at))?);
        if usize::try_from(at.chunk.plain) != Ok(node.len()) {
            return None;
        }
        self.memory().keep(at, node.clone());
        Some(node)
    }

    /// Keeps a node in memory.
    pub(crate) fn keep_node(&self, at: MetaRef, node: Bytes) {
        self.memory().keep(at, node);
    }

    /// Keeps nodes on disk, too.
    pub(crate) fn store_nodes(&self, nodes: &[(MetaRef, Bytes)]) {
        if nodes.is_empty() {
            return;
        }
        self.write(|write| {
            let is_full = write.open_table(NODES)?.len()? > NODES_ON_DISK_MAX;
            if is_full {
                write.delete_table(NODES)?;
            }
            let mut table = write.open_table(NODES)?;
            for (at, node) in nodes {
                table.insert(node_key(*at).as_slice(), node.as_ref())?;
            }
            Ok(())
        });
    }

    /// When packs whose repair waits were first found damaged.
    pub(crate) fn noticed(&self, contract: ContractId) -> BTreeMap<PackId, Tick> {
        let value = self.get(NOTICED, &contract.0.to_be_bytes());
        let noticed: Option<Vec<(PackId, u64)>> =
            value.and_then(|value| acre_codec::decode(&value).ok());
        noticed.unwrap_or_default().into_iter().map(|(pack, at)| (pack, Tick(at))).collect()
    }

    /// Replaces that.
    pub(crate) fn set_noticed(&self, contract: ContractId, noticed: &BTreeMap<PackId, Tick>) {
        let noticed: Vec<(PackId, u64)> = noticed.iter().map(|(pack, at)| (*pack, at.0)).collect();
        let value = acre_codec::encode(&noticed);
        self.write(|write| {
            let mut table = write.open_table(NOTICED)?;
            table.insert(contract.0.to_be_bytes().as_slice(), value.as_slice())?;
            Ok(())
        });
    }

    /// When each of these packs was first seen without a reference; those not named are forgotten.
    pub(crate) fn strangers(
        &self,
        contract: ContractId,
        packs: &[PackId],
        now: UnixMs,
    ) -> Vec<(PackId, UnixMs)> {
        let since: Vec<_> = packs
            .iter()
            .map(|pack| {
                let value = self.get(STRANGERS, &stranger_key(contract, *pack));
                let since = value.and_then(|value| acre_codec::decode(&value).ok());
                (*pack, UnixMs(since.unwrap_or(now.0)))
            })
            .collect();
        self.write(|write| {
            let mut table = write.open_table(STRANGERS)?;
            let (first, last) = (
                stranger_key(contract, PackId([0; 16])),
                stranger_key(contract, PackId([255; 16])),
            );
            let range = first.as_slice()..=last.as_slice();
            let old: Vec<Vec<u8>> = table
                .range(range)?
                .filter_map(|entry| entry.ok().map(|(key, _)| key.value().to_vec()))
                .collect();
            for key in old {
                table.remove(key.as_slice())?;
            }
            for (pack, since) in &since {
                let value = acre_codec::encode(&since.0);
                table.insert(stranger_key(contract, *pack).as_slice(), value.as_slice())?;
            }
            Ok(())
        });
        since
    }
}

impl Memory {
    fn keep(&mut self, at: MetaRef, node: Bytes) {
        if self.young_bytes > NODES_IN_MEMORY_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += node.len();
        self.young.insert(at, node);
    }
}

fn open(dir: &Path) -> Result<Database, redb::Error> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let path = dir.join("client.redb");
    let file = |path: &Path| {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
    };
    match redb::Builder::new().set_cache_size(16 << 20).create_file(file(&path)?) {
        Ok(disk) => Ok(disk),
        Err(redb::DatabaseError::DatabaseAlreadyOpen) => {
            Err(redb::DatabaseError::DatabaseAlreadyOpen.into())
        }
        Err(error) => {
            // Damaged or of another version: it holds nothing that cannot be had again.
            tracing::info!(%error, "beginning the cache anew");
            std::fs::remove_file(&path)?;
            Ok(redb::Builder::new().set_cache_size(16 << 20).create_file(file(&path)?)?)
        }
    }
}

fn chunk_key(contract: ContractId, id: ChunkId) -> [u8; 40] {
    let mut key = [0; 40];
    key[..8].copy_from_slice(&contract.0.to_be_bytes());
    key[8..].copy_from_slice(id.0.as_bytes());
    key
}

fn node_key(at: MetaRef) -> [u8; 20] {
    let mut key = [0; 20];
    key[..16].copy_from_slice(at.pack.as_bytes());
    key[16..].copy_from_slice(&at.chunk.offset.to_be_bytes());
    key
}

fn stranger_key(contract: ContractId, pack: PackId) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&contract.0.to_be_bytes());
    key[8..].copy_from_slice(pack.as_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use acre_types::Digest;

    fn info(number: u8) -> Arc<PackInfo> {
        let key = Secret::new([number; 32]);
        Arc::new(PackInfo { pack: PackId([number; 16]), pack_bytes: 9, key })
    }

    #[test]
    fn remembers_chunks_over_a_restart_until_their_pack_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("cache");
        let (contract, id) = (ContractId(3), ChunkId(Digest([4; 32])));
        let chunk = ChunkRef { offset: 1, stored: 20, plain: 3 };
        let cache = Cache::open(Some(&dir));
        assert!(cache.chunk(contract, id).is_none());
        cache.remember(contract, &[(info(1), vec![(id, chunk)])]);
        let second = Cache::open(Some(&dir));
        assert!(second.chunk(contract, id).is_none(), "another process has the file");
        drop((second, cache));
        let cache = Cache::open(Some(&dir));
        let found = cache.chunk(contract, id).unwrap();
        assert_eq!((found.pack.pack, found.chunk), (PackId([1; 16]), chunk));
        assert!(cache.chunk(ContractId(4), id).is_none(), "another volume's");
        cache.forget(&[PackId([1; 16])]);
        assert!(cache.chunk(contract, id).is_none());
        let mode = std::os::unix::fs::MetadataExt::mode(
            &std::fs::metadata(dir.join("client.redb")).unwrap(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn damaged_file_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("client.redb"), vec![7; 10_000]).unwrap();
        assert!(Cache::open(Some(folder.path())).disk.is_some());
    }
}

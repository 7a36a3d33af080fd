//! The durable state: one synced transaction a block, sequential in what it writes.
//!
//! The state's leaves lie in [`BUCKETS`] blobs by key hash; the Merkle map over them lives in
//! memory and is rebuilt at start. A block does not touch the buckets of its keys (6,000 random
//! keys would mean rewriting nearly all): its changes are appended to a log as one blob, and the
//! buckets whose changes are oldest are rewritten a few at a time, in proportion to what the
//! block changed. So the work of a block is bounded and the log settles at about half the state.
//!
//! ```text
//! meta    name   -> bytes    "genesis": digest of the genesis this state grew from; "format": u32
//! blocks  height -> codec of Head (header, certificate, size of the body)
//! bodies  height -> codec of Body (transactions, their ids, events); absent if the block has none
//! changes height -> entries  what the block changed; absent if nothing
//! turns   term   -> bytes    proof that others sit after this term; only where they do
//! buckets number -> entries  the leaves, as of some height not below the log's start
//! ```
//! A restart loads the buckets and replays the whole log over them. Changes are whole values, so
//! replaying one that a bucket holds already does no harm.
//!
//! It must not know: what keys, values, transactions and events mean.

mod bucket;
mod install;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Weak};

use acre_codec::{Blob, Decode, Encode};
use acre_types::Digest;
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table,
    TableDefinition, WriteTransaction,
};

pub use self::install::{Beginning, install};

use self::bucket::{Entries, Pending};
use crate::error::StoreError;
use crate::limits::{
    BUCKETS, DATABASE_CACHE_BYTES, FLUSH_BYTES_MIN, FLUSH_FACTOR, LOG_BLOCKS_SOFT, LOG_BYTES_SOFT,
    PRUNE_BLOCKS_MAX, PRUNE_STEP, RETAIN_BLOCKS, RETAIN_BODY_BYTES,
};

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const BLOCKS: TableDefinition<u64, &[u8]> = TableDefinition::new("blocks");
const BODIES: TableDefinition<u64, &[u8]> = TableDefinition::new("bodies");
const CHANGES: TableDefinition<u64, &[u8]> = TableDefinition::new("changes");
const TURNS: TableDefinition<u64, &[u8]> = TableDefinition::new("turns");
const BUCKET: TableDefinition<u16, &[u8]> = TableDefinition::new("buckets");

const FORMAT: u32 = 1;

/// What is kept of every block, small enough for one a second.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    /// The engine's name of the block.
    pub id: [u8; 32],
    /// The engine's header.
    pub header: Blob<{ acre_engine::limits::MAX_HEADER_BYTES }>,
    /// The engine's certificate for this very block, if it has one of its own.
    pub certificate: Option<Blob<{ acre_engine::limits::MAX_CERTIFICATE_BYTES }>>,
    /// Size of the body in bytes; 0 if the block has none.
    pub body_bytes: u64,
}

/// What is kept of a block that carries anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Body {
    /// The transactions as the engine ordered them.
    pub payload: Vec<u8>,
    /// Their ids, in order.
    pub transactions: Vec<Digest>,
    /// What happened: the ledger's events, encoded.
    pub events: Vec<u8>,
}

impl Body {
    fn is_empty(&self) -> bool {
        self.transactions.is_empty() && self.events.is_empty()
    }
}

/// One block as it is committed.
pub struct Commit<'a> {
    /// Height; one more than the last.
    pub height: u64,
    /// The engine's name of the block.
    pub id: [u8; 32],
    /// The engine's header.
    pub header: &'a [u8],
    /// The engine's certificate, if there is one.
    pub certificate: Option<&'a [u8]>,
    /// Transactions and events.
    pub body: &'a Body,
    /// Proof that others sit after the term that this block ends: kept for ever.
    pub turn: Option<(u64, Vec<u8>)>,
}

/// How much of the past is kept, and when buckets are rewritten.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Blocks kept at least; see [`RETAIN_BLOCKS`].
    pub blocks: u64,
    /// Bytes of bodies kept; see [`RETAIN_BODY_BYTES`].
    pub body_bytes: u64,
    /// See [`LOG_BYTES_SOFT`].
    pub log_bytes: u64,
    /// See [`LOG_BLOCKS_SOFT`].
    pub log_blocks: usize,
    /// Blocks past the horizon before they are pruned; see [`PRUNE_STEP`].
    pub prune_step: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            blocks: RETAIN_BLOCKS,
            body_bytes: RETAIN_BODY_BYTES,
            log_bytes: LOG_BYTES_SOFT,
            log_blocks: LOG_BLOCKS_SOFT,
            prune_step: PRUNE_STEP,
        }
    }
}

/// Size of something kept by height.
#[derive(Clone, Copy)]
struct Kept {
    height: u64,
    bytes: u64,
}

/// Heights in order with their sizes.
#[derive(Default)]
struct Heights {
    kept: VecDeque<Kept>,
    bytes: u64,
}

impl Heights {
    fn push(&mut self, height: u64, bytes: u64) {
        self.kept.push_back(Kept { height, bytes });
        self.bytes += bytes;
    }

    fn pop_if(&mut self, predicate: impl FnOnce(&Kept) -> bool) -> Option<u64> {
        let first = self.kept.pop_front_if(|kept| predicate(kept))?;
        self.bytes -= first.bytes;
        Some(first.height)
    }
}

/// The writer: there is one, in the thread of the engine's application.
pub struct Store {
    database: Arc<Database>,
    retention: Retention,
    applied: u64,
    /// By bucket: what its blob lacks.
    pending: Vec<Pending>,
    /// By bucket: height of its oldest pending change.
    oldest: Vec<Option<u64>>,
    /// The same, ordered: next to be rewritten first.
    queue: BTreeSet<(u64, u16)>,
    log: Heights,
    blocks: Heights,
    poisoned: bool,
}

/// Where a store stands that was just opened.
pub struct Loaded {
    /// The writer.
    pub store: Store,
    /// Height and head of the last block; `None` if there was no block yet.
    pub last: Option<(u64, Head)>,
}

/// Reads of committed blocks, from any thread; never sees half a block. Does not keep the file open:
/// once the store is dropped, reads fail.
#[derive(Clone)]
pub struct Reader(Weak<Database>);

impl Store {
    /// Opens the store in `file`, or makes it from the genesis `leaves`. Either way every leaf as of
    /// the last block is given to `give`, in no particular order.
    ///
    /// # Errors
    /// [`StoreError::OtherGenesis`] if the file belongs to another chain, [`StoreError::Damaged`],
    /// [`StoreError::Database`].
    pub fn open(
        file: &Path,
        retention: Retention,
        genesis: Digest,
        leaves: impl FnOnce() -> Vec<(Vec<u8>, Vec<u8>)>,
        give: impl FnMut(&[u8], &[u8]),
    ) -> Result<Loaded, StoreError> {
        let database = Database::builder()
            .set_cache_size(DATABASE_CACHE_BYTES)
            .create(file)
            .map_err(|source| StoreError::database("opening the state", source))?;
        Self::with_database(database, retention, genesis, leaves, give)
    }

    fn with_database(
        database: Database,
        retention: Retention,
        genesis: Digest,
        leaves: impl FnOnce() -> Vec<(Vec<u8>, Vec<u8>)>,
        give: impl FnMut(&[u8], &[u8]),
    ) -> Result<Loaded, StoreError> {
        let known = genesis_of(&database)?;
        match known {
            None => create(&database, genesis, leaves())?,
            Some(found) if found != genesis => {
                return Err(StoreError::OtherGenesis { wanted: genesis, found });
            }
            Some(_) => {}
        }
        let mut store = Self {
            database: Arc::new(database),
            retention,
            applied: 0,
            pending: vec![Pending::new(); usize::from(BUCKETS)],
            oldest: vec![None; usize::from(BUCKETS)],
            queue: BTreeSet::new(),
            log: Heights::default(),
            blocks: Heights::default(),
            poisoned: false,
        };
        let last = store.load(give)?;
        Ok(Loaded { store, last })
    }

    /// Reads of what is committed.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader(Arc::downgrade(&self.database))
    }

    /// Height of the last block.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Heights of the blocks that have a body, newest first.
    pub fn body_heights(&self) -> impl Iterator<Item = u64> + '_ {
        self.blocks.kept.iter().rev().filter(|kept| kept.bytes > 0).map(|kept| kept.height)
    }

    /// Bytes of the log of changes.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.log.bytes
    }

    fn load(
        &mut self,
        mut give: impl FnMut(&[u8], &[u8]),
    ) -> Result<Option<(u64, Head)>, StoreError> {
        let failed = |source: redb::Error| StoreError::database("loading", source);
        let transaction = self.database.begin_read().map_err(|e| failed(e.into()))?;
        let mut last = None;
        let blocks = transaction.open_table(BLOCKS).map_err(|e| failed(e.into()))?;
        for row in blocks.iter().map_err(|e| failed(e.into()))? {
            let (height, head) = row.map_err(|e| failed(e.into()))?;
            let head: Head = decode("head of a block", head.value())?;
            self.blocks.push(height.value(), head.body_bytes);
            last = Some((height.value(), head));
        }
        self.applied = last.as_ref().map_or(0, |(height, _)| *height);
        let changes = transaction.open_table(CHANGES).map_err(|e| failed(e.into()))?;
        for row in changes.iter().map_err(|e| failed(e.into()))? {
            let (height, entries) = row.map_err(|e| failed(e.into()))?;
            let (height, entries) = (height.value(), entries.value());
            for entry in Entries(entries) {
                let (key, value) = entry?;
                self.note(height, key, value);
            }
            self.log.push(height, entries.len() as u64);
        }
        let buckets = transaction.open_table(BUCKET).map_err(|e| failed(e.into()))?;
        for (number, pending) in (0..BUCKETS).zip(&self.pending) {
            let blob = buckets.get(number).map_err(|e| failed(e.into()))?;
            let blob = blob.as_ref().map_or(&[][..], redb::AccessGuard::value);
            bucket::merge(blob, pending, |key, value| {
                give(key, value);
                Ok(())
            })?;
        }
        Ok(last)
    }

    /// Remembers a change until its bucket is rewritten.
    fn note(&mut self, height: u64, key: &[u8], value: Option<&[u8]>) {
        let number = bucket::of(key);
        let index = usize::from(number);
        self.pending[index].insert(key.to_vec(), value.map(<[u8]>::to_vec));
        if self.oldest[index].is_none() {
            self.oldest[index] = Some(height);
            self.queue.insert((height, number));
        }
    }

    /// Makes a block durable: it is there wholly when this returns, or not at all.
    ///
    /// After an error the store accepts nothing more; open it again.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`], [`StoreError::OutOfOrder`], [`StoreError::EntryTooLarge`],
    /// [`StoreError::Database`].
    pub fn commit<'a>(
        &mut self,
        block: &Commit<'_>,
        changes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        if self.applied.checked_add(1) != Some(block.height) {
            return Err(StoreError::OutOfOrder { applied: self.applied, given: block.height });
        }
        // Memory changes before the disk does, so a failure in between must end it all.
        self.poisoned = true;
        self.write(block, changes)?;
        self.applied = block.height;
        self.poisoned = false;
        Ok(())
    }

    fn write<'a>(
        &mut self,
        block: &Commit<'_>,
        changes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), StoreError> {
        let mut log = Vec::new();
        for (key, value) in changes {
            bucket::push(&mut log, key, value)?;
            self.note(block.height, key, value);
        }
        let body = if block.body.is_empty() { Vec::new() } else { acre_codec::encode(block.body) };
        let head = head_of(block, body.len())?;
        let database = Arc::clone(&self.database);
        let failed = |source: redb::Error| StoreError::database("writing a block", source);
        let mut transaction = database.begin_write().map_err(|e| failed(e.into()))?;
        transaction.set_durability(Durability::Immediate).map_err(|e| failed(e.into()))?;
        put(&transaction, BLOCKS, block.height, &acre_codec::encode(&head))?;
        if !body.is_empty() {
            put(&transaction, BODIES, block.height, &body)?;
        }
        if let Some((term, turn)) = &block.turn {
            put(&transaction, TURNS, *term, turn)?;
        }
        if !log.is_empty() {
            put(&transaction, CHANGES, block.height, &log)?;
            self.log.push(block.height, log.len() as u64);
        }
        self.blocks.push(block.height, body.len() as u64);
        if self.log_is_long() {
            self.flush(&transaction, log.len() as u64)?;
        }
        self.prune(&transaction, block.height)?;
        transaction.commit().map_err(|e| failed(e.into()))
    }

    fn log_is_long(&self) -> bool {
        self.log.bytes > self.retention.log_bytes || self.log.kept.len() > self.retention.log_blocks
    }

    /// Rewrites the buckets with the oldest changes, within the block's budget, and cuts the log
    /// below what is still needed.
    fn flush(
        &mut self,
        transaction: &WriteTransaction,
        changed_bytes: u64,
    ) -> Result<(), StoreError> {
        let mut budget = changed_bytes.saturating_mul(FLUSH_FACTOR).max(FLUSH_BYTES_MIN);
        let mut buckets = open(transaction, BUCKET)?;
        while budget > 0 && self.log_is_long() {
            let Some((_, number)) = self.queue.pop_first() else { break };
            let index = usize::from(number);
            let mut blob = Vec::new();
            {
                let old = buckets.get(number).map_err(|e| writing(e.into()))?;
                let old = old.as_ref().map_or(&[][..], redb::AccessGuard::value);
                bucket::merge(old, &self.pending[index], |key, value| {
                    bucket::push(&mut blob, key, Some(value))
                })?;
            }
            buckets.insert(number, blob.as_slice()).map_err(|e| writing(e.into()))?;
            self.pending[index].clear();
            self.oldest[index] = None;
            budget = budget.saturating_sub(blob.len() as u64 + 1);
            self.cut_log(transaction)?;
        }
        Ok(())
    }

    fn cut_log(&mut self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let needed = self.queue.first().map_or(u64::MAX, |(height, _)| *height);
        if self.log.kept.front().is_none_or(|first| first.height >= needed) {
            return Ok(());
        }
        let mut changes = open(transaction, CHANGES)?;
        while let Some(height) = self.log.pop_if(|kept| kept.height < needed) {
            changes.remove(height).map_err(|e| writing(e.into()))?;
        }
        Ok(())
    }

    /// Forgets blocks past the horizon.
    fn prune(&mut self, transaction: &WriteTransaction, height: u64) -> Result<(), StoreError> {
        let Retention { blocks: keep, body_bytes, prune_step, .. } = self.retention;
        let oldest = height.saturating_sub(keep);
        let late =
            self.blocks.kept.front().is_some_and(|first| first.height + prune_step <= oldest);
        if !late && self.blocks.bytes <= body_bytes {
            return Ok(());
        }
        let mut heads = open(transaction, BLOCKS)?;
        let mut bodies = open(transaction, BODIES)?;
        for _ in 0..PRUNE_BLOCKS_MAX {
            let too_much = self.blocks.bytes > body_bytes;
            // The last block is where a restart continues.
            let Some(past) = self
                .blocks
                .pop_if(|kept| kept.height != height && (kept.height < oldest || too_much))
            else {
                break;
            };
            heads.remove(past).map_err(|e| writing(e.into()))?;
            bodies.remove(past).map_err(|e| writing(e.into()))?;
        }
        Ok(())
    }
}

impl Reader {
    /// Heights kept, lowest and highest; `None` before the first block.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub fn range(&self) -> Result<Option<(u64, u64)>, StoreError> {
        let database = self.0.upgrade().ok_or(StoreError::Closed)?;
        let transaction = database.begin_read().map_err(|e| reading(e.into()))?;
        let blocks = transaction.open_table(BLOCKS).map_err(|e| reading(e.into()))?;
        let first = blocks.first().map_err(|e| reading(e.into()))?;
        let last = blocks.last().map_err(|e| reading(e.into()))?;
        Ok(first.zip(last).map(|((first, _), (last, _))| (first.value(), last.value())))
    }

    /// The head of a block; `None` if it is not there (yet, or any more).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`], [`StoreError::Closed`].
    pub fn head(&self, height: u64) -> Result<Option<Head>, StoreError> {
        self.get(BLOCKS, "head of a block", height)
    }

    /// The body of a block; `None` if it has none or is not there.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`], [`StoreError::Closed`].
    pub fn body(&self, height: u64) -> Result<Option<Body>, StoreError> {
        self.get(BODIES, "body of a block", height)
    }

    /// Puts the transactions of a block back that the disk has lost; false if its body is gone or holds
    /// nothing that can be read, too. The caller has made sure that they are those of the block.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::DiskFull`], [`StoreError::Closed`].
    pub(crate) fn mend(&self, height: u64, payload: Vec<u8>) -> Result<bool, StoreError> {
        let database = self.0.upgrade().ok_or(StoreError::Closed)?;
        let Ok(Some(old)) = self.body(height) else { return Ok(false) };
        let body = Body { payload, ..old };
        let transaction = database.begin_write().map_err(|e| writing(e.into()))?;
        {
            let mut bodies = open(&transaction, BODIES)?;
            // Pruned meanwhile: then it is not wanted any more.
            if bodies.get(height).map_err(|e| writing(e.into()))?.is_none() {
                return Ok(false);
            }
            let bytes = acre_codec::encode(&body);
            bodies.insert(height, bytes.as_slice()).map_err(|e| writing(e.into()))?;
        }
        transaction.commit().map_err(|e| writing(e.into()))?;
        Ok(true)
    }

    /// Proofs of changes of validators after this term and later, oldest first, until `enough`
    /// bytes.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub fn turns(&self, from: u64, enough: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let database = self.0.upgrade().ok_or(StoreError::Closed)?;
        let transaction = database.begin_read().map_err(|e| reading(e.into()))?;
        let table = transaction.open_table(TURNS).map_err(|e| reading(e.into()))?;
        let (mut turns, mut bytes) = (Vec::new(), 0);
        for row in table.range(from..).map_err(|e| reading(e.into()))? {
            let (_, turn) = row.map_err(|e| reading(e.into()))?;
            bytes += turn.value().len();
            if bytes > enough && !turns.is_empty() {
                break;
            }
            turns.push(turn.value().to_vec());
        }
        Ok(turns)
    }

    fn get<T: Decode>(
        &self,
        table: TableDefinition<'static, u64, &'static [u8]>,
        what: &'static str,
        height: u64,
    ) -> Result<Option<T>, StoreError> {
        let database = self.0.upgrade().ok_or(StoreError::Closed)?;
        let transaction = database.begin_read().map_err(|e| reading(e.into()))?;
        let table = transaction.open_table(table).map_err(|e| reading(e.into()))?;
        let row = table.get(height).map_err(|e| reading(e.into()))?;
        row.map(|row| decode(what, row.value())).transpose()
    }
}

fn writing(source: redb::Error) -> StoreError {
    StoreError::database("writing a block", source)
}

fn reading(source: redb::Error) -> StoreError {
    StoreError::database("reading a block", source)
}

fn decode<T: Decode>(what: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    acre_codec::decode(bytes).map_err(|_| StoreError::Damaged { what })
}

fn open<'t, K: redb::Key + 'static>(
    transaction: &'t WriteTransaction,
    table: TableDefinition<'static, K, &'static [u8]>,
) -> Result<Table<'t, K, &'static [u8]>, StoreError> {
    transaction.open_table(table).map_err(|e| writing(e.into()))
}

fn put(
    transaction: &WriteTransaction,
    table: TableDefinition<'static, u64, &'static [u8]>,
    height: u64,
    bytes: &[u8],
) -> Result<(), StoreError> {
    open(transaction, table)?.insert(height, bytes).map_err(|e| writing(e.into()))?;
    Ok(())
}

fn head_of(block: &Commit<'_>, body_bytes: usize) -> Result<Head, StoreError> {
    let unfit = |_| StoreError::Damaged { what: "header or certificate from the engine" };
    Ok(Head {
        id: block.id,
        header: Blob::new(block.header.to_vec()).map_err(unfit)?,
        certificate: block
            .certificate
            .map(|bytes| Blob::new(bytes.to_vec()))
            .transpose()
            .map_err(unfit)?,
        body_bytes: body_bytes as u64,
    })
}

/// The genesis a database belongs to; `None` if it is fresh.
fn genesis_of(database: &Database) -> Result<Option<Digest>, StoreError> {
    let failed = |source: redb::Error| StoreError::database("opening", source);
    let transaction = database.begin_read().map_err(|e| failed(e.into()))?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(source) => return Err(failed(source.into())),
    };
    let format = meta.get("format").map_err(|e| failed(e.into()))?;
    let format: Option<u32> = format.map(|row| decode("format number", row.value())).transpose()?;
    if format != Some(FORMAT) {
        return Err(StoreError::Format { found: format.unwrap_or(0), known: FORMAT });
    }
    let genesis = meta.get("genesis").map_err(|e| failed(e.into()))?;
    genesis.map(|row| decode("genesis digest", row.value())).transpose()
}

/// Lays out a fresh database, in one transaction.
fn create(
    database: &Database,
    genesis: Digest,
    leaves: Vec<(Vec<u8>, Vec<u8>)>,
) -> Result<(), StoreError> {
    let mut sorted = vec![Pending::new(); usize::from(BUCKETS)];
    for (key, value) in leaves {
        sorted[usize::from(bucket::of(&key))].insert(key, Some(value));
    }
    let failed = |source: redb::Error| StoreError::database("creating the state", source);
    let transaction = database.begin_write().map_err(|e| failed(e.into()))?;
    {
        let mut buckets = open(&transaction, BUCKET)?;
        for (number, pending) in (0..BUCKETS).zip(&sorted).filter(|(_, list)| !list.is_empty()) {
            let mut blob = Vec::new();
            bucket::merge(&[], pending, |key, value| bucket::push(&mut blob, key, Some(value)))?;
            buckets.insert(number, blob.as_slice()).map_err(|e| failed(e.into()))?;
        }
        for table in [BLOCKS, BODIES, CHANGES, TURNS] {
            open(&transaction, table)?.len().map_err(|e| failed(e.into()))?;
        }
        let mut meta = open(&transaction, META)?;
        for (name, bytes) in
            [("format", acre_codec::encode(&FORMAT)), ("genesis", acre_codec::encode(&genesis))]
        {
            meta.insert(name, bytes.as_slice()).map_err(|e| failed(e.into()))?;
        }
    }
    transaction.commit().map_err(|e| failed(e.into()))
}

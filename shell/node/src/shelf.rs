//! Answers the requests of service `shard/1` from the shard log.
//!
//! Order of checks: what costs nothing, then the ledger, then the signature, then the body's hash,
//! then the disk. A request may be repeated at will.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use acre_codec::List;
use acre_crypto::SigningKey;
use acre_disk::{Key, ShardLog};
use acre_ledger::{Contract, ContractStatus, Storage};
use acre_net::rpc::Message;
use acre_store::head::SignedHead;
use acre_store::limits::SHARD_IDS_MAX;
use acre_store::protocol::{
    NodeMode, NodeStatus, Receipt, Refusal, Reply, Request, Rest, SignedDelete, decode_request,
};
use acre_store::shard::{ShardHeader, ShardId};
use acre_types::{Bytes, ContractId, NodeId, PackId, Text, UnixMs};
use tokio::sync::oneshot;

use crate::contracts::{ContractSource, Contracts, Read, Unknown};
use crate::error::NodeError;
use crate::inventory::{Inventory, Meaning, head_key, meaning, shard_key};
use crate::limits::{ALLOWANCE_BYTES, ALLOWANCE_DIVISOR, BUSY};

type Body = bytes::Bytes;

/// Keys looked at in one go when the shards of a pack are sought.
const PACK_PAGE: usize = 2;

/// The storage of one node and the rules by which it takes and gives.
pub struct Shelf {
    log: ShardLog,
    key: SigningKey,
    contracts: Contracts,
    inventory: Mutex<Inventory>,
    /// Contracts that are only kept: past being frozen, and neither read nor written.
    archived: Mutex<BTreeSet<ContractId>>,
    /// One head is compared and replaced at a time.
    heads: tokio::sync::Mutex<()>,
    capacity: Bytes,
    opened: Instant,
    /// Milliseconds from `opened` to the last request, and one; 0 before the first.
    asked: AtomicU64,
}

impl Shelf {
    /// Opens the shard log in `dir` and indexes what it holds.
    ///
    /// # Errors
    /// [`NodeError::Log`].
    pub fn open(
        dir: &Path,
        capacity: Bytes,
        key: SigningKey,
        source: Arc<dyn ContractSource>,
    ) -> Result<Self, NodeError> {
        let config = acre_disk::Config::with_capacity(capacity.0);
        let log = ShardLog::open(dir, config).map_err(NodeError::Log)?;
        let inventory = Mutex::new(Inventory::of(&log));
        let heads = tokio::sync::Mutex::new(());
        let (contracts, archived) = (Contracts::new(source), Mutex::default());
        let (opened, asked) = (Instant::now(), AtomicU64::new(0));
        Ok(Self { log, key, contracts, inventory, archived, heads, capacity, opened, asked })
    }

    /// The log, for housekeeping.
    pub(crate) const fn log(&self) -> &ShardLog {
        &self.log
    }

    fn tick(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Whether somebody was served just now.
    pub(crate) fn is_busy(&self) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        asked > 0 && u128::from(self.tick().saturating_sub(asked)) < BUSY.as_millis()
    }

    /// Answers one message.
    pub async fn answer(&self, message: Message) -> Message {
        let Ok(request) = decode_request(&message.meta) else {
            return reply(Err(Refusal::Malformed));
        };
        let is_plain = matches!(request, Request::Status | Request::Locate { .. });
        let taken = self.take(request, message.body).await;
        // What is refused or costs nothing must not hold up the making of plots.
        if taken.is_ok() && !is_plain {
            self.asked.store(self.tick(), Ordering::Relaxed);
        }
        reply(taken)
    }

    async fn take(&self, request: Request, body: Body) -> Result<(Reply, Body), Refusal> {
        let plain = |reply| (reply, Body::new());
        match request {
            Request::Put(header) => self.put(header, body).await.map(plain),
            Request::Get { shard, offset, length } => self.get(shard, offset, length).await,
            Request::Header(shard) => self.header(shard).await.map(plain),
            Request::Locate { packs } => Ok(plain(self.locate(&packs))),
            Request::Verify(shard) => self.verify(shard).await.map(plain),
            Request::List { contract, after } => Ok(plain(self.list(contract, after))),
            Request::Delete(delete) => self.delete(delete).await.map(plain),
            Request::PutHead(head) => self.put_head(head).await.map(plain),
            Request::GetHead { contract } => {
                self.held_head(contract).await.map(|head| plain(Reply::HeadIs(head)))
            }
            Request::Status => Ok(plain(Reply::Status(self.status()))),
        }
    }

    fn inventory(&self) -> MutexGuard<'_, Inventory> {
        self.inventory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The contract if it is live and names this node.
    async fn contract(&self, id: ContractId) -> Result<Arc<Contract>, Refusal> {
        let me = NodeId::from(self.key.public());
        let admit = |read: Result<Option<Read>, Unknown>| {
            let read = read.map_err(|Unknown| Refusal::Busy)?;
            let read = read.ok_or(Refusal::NoSuchContract(id))?;
            if !storage(&read.contract)?.places.contains(&me) {
                return Err(Refusal::NotMyContract(id));
            }
            if read.status() != ContractStatus::Live {
                return Err(Refusal::ContractEnded(id));
            }
            Ok(read.contract)
        };
        match admit(self.contracts.get(id).await) {
            Ok(contract) => Ok(contract),
            Err(_) => admit(self.contracts.again(id).await),
        }
    }

    async fn put(&self, header: ShardHeader, body: Body) -> Result<Reply, Refusal> {
        let id = header.pack().contract();
        let contract = self.contract(id).await?;
        let storage = storage(&contract)?;
        if header.pack().profile() != storage.profile {
            return Err(Refusal::BadRoot);
        }
        header.verify(&storage.writer).map_err(|_| Refusal::BadSignature)?;
        header.verify_body(&body).map_err(|_| Refusal::BadRoot)?;
        if self.inventory().contract_of(&header.pack().pack()).is_some_and(|held| held != id) {
            return Err(Refusal::Conflict);
        }
        let key = shard_key(id, header.id());
        let encoded = acre_codec::encode(&header);
        if self.log.contains(&key) {
            match self.read(key).await {
                Ok(Some(held)) if held.header == encoded => return Ok(Reply::Stored),
                Ok(Some(_)) => return Err(Refusal::Conflict),
                // Damaged or gone: the fresh copy replaces it.
                Ok(None) | Err(_) => {}
            }
        }
        self.check_allowance(&contract, encoded.len().saturating_add(body.len())).await?;
        self.write(key, encoded, body).await?;
        Ok(Reply::Stored)
    }

    async fn check_allowance(&self, contract: &Contract, wanted: usize) -> Result<(), Refusal> {
        let id = contract.id;
        let held = self.inventory().held(id).bytes;
        let wanted = held.saturating_add(u64::try_from(wanted).unwrap_or(u64::MAX));
        if wanted <= allowance(storage(contract)?) {
            return Ok(());
        }
        let contract = self.contracts.again(id).await.map_err(|Unknown| Refusal::Busy)?;
        let paid = contract.as_ref().and_then(|read| read.contract.storage()).map_or(0, allowance);
        if wanted <= paid {
            return Ok(());
        }
        Err(Refusal::OverContract { contract: id, paid: Bytes(paid), held: Bytes(held) })
    }

    async fn get(
        &self,
        shard: ShardId,
        offset: u32,
        length: u32,
    ) -> Result<(Reply, Body), Refusal> {
        let key = self.find(shard)?;
        self.check_readable(&shard.pack).await?;
        let log = self.log.clone();
        let read = move || -> Result<Option<(Body, Body)>, acre_disk::Error> {
            let Some(size) = log.size_of(&key) else { return Ok(None) };
            let Some(header) = log.header(&key)? else { return Ok(None) };
            let body_bytes = u64::try_from(size.body_len).unwrap_or(u64::MAX);
            let offset = u64::from(offset).min(body_bytes);
            let length = u64::from(length).min(body_bytes.saturating_sub(offset));
            let body =
                if length == 0 { Some(Body::new()) } else { log.get_range(&key, offset, length)? };
            Ok(body.map(|body| (header, body)))
        };
        let (header, body) = blocking(read).await?.ok_or(Refusal::NotFound)?;
        let header = decode_header(&header)?;
        let shard_bytes = header.pack().shard_bytes();
        if offset >= shard_bytes {
            return Err(Refusal::BadRange { shard_bytes });
        }
        Ok((Reply::Shard { pack_bytes: header.pack().pack_bytes() }, body))
    }

    /// What is archived is read again only after its owner extended the contract.
    async fn check_readable(&self, pack: &PackId) -> Result<(), Refusal> {
        let Some(id) = self.inventory().contract_of(pack) else { return Ok(()) };
        if !self.archived().contains(&id) {
            return Ok(());
        }
        let read = self.contracts.again(id).await.map_err(|Unknown| Refusal::Busy)?;
        self.note(id, read.as_ref());
        if self.archived().contains(&id) { Err(Refusal::ContractEnded(id)) } else { Ok(()) }
    }

    fn archived(&self) -> MutexGuard<'_, BTreeSet<ContractId>> {
        self.archived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers whether a contract is archived.
    pub(crate) fn note(&self, id: ContractId, read: Option<&Read>) {
        let is_archived =
            read.is_some_and(|read| matches!(read.status(), ContractStatus::Archived { .. }));
        let mut archived = self.archived();
        if is_archived {
            archived.insert(id);
        } else {
            archived.remove(&id);
        }
    }

    /// Contracts for which anything is held.
    pub(crate) fn held(&self) -> BTreeSet<ContractId> {
        self.inventory().contracts()
    }

    /// As [`Contracts::first`].
    pub(crate) async fn read_first(
        &self,
        ids: &[ContractId],
    ) -> Result<Vec<Option<Read>>, Unknown> {
        self.contracts.first(ids).await
    }

    /// Deletes all that is held for a contract: its shards, then its head. Says how many records
    /// there were. Interrupted, it leaves what a second call deletes.
    ///
    /// # Errors
    /// What the log says.
    pub(crate) async fn forget(&self, id: ContractId) -> Result<u64, Refusal> {
        let mut records = 0_u64;
        loop {
            let keys = self.log.keys(prefix(id, PackId([0; 16])).as_ref(), SHARD_IDS_MAX);
            let ours: Vec<_> = (keys.iter())
                .map_while(|key| shard_of(key).filter(|(of, _)| *of == id).map(|(_, s)| (*key, s)))
                .collect();
            if ours.is_empty() {
                break;
            }
            for (key, shard) in ours {
                self.remove(key, id, shard.pack).await?;
                records = records.saturating_add(1);
            }
        }
        let _one_at_a_time = self.heads.lock().await;
        let head = head_key(id);
        if self.log.contains(&head) {
            self.delete_record(head).await?;
            records = records.saturating_add(1);
        }
        self.inventory().remove_head(id);
        self.archived().remove(&id);
        Ok(records)
    }

    async fn header(&self, shard: ShardId) -> Result<Reply, Refusal> {
        let key = self.find(shard)?;
        let log = self.log.clone();
        let header = blocking(move || log.header(&key)).await?.ok_or(Refusal::NotFound)?;
        decode_header(&header).map(Reply::Header)
    }

    fn locate(&self, packs: &[PackId]) -> Reply {
        let mut shards = Vec::new();
        for pack in packs {
            let Some(contract) = self.inventory().contract_of(pack) else { continue };
            let held = self.keys_of(contract, *pack);
            shards.extend(held.iter().filter_map(shard_of).map(|(_, shard)| shard));
            shards.truncate(SHARD_IDS_MAX);
        }
        Reply::Located(List::new(shards).expect("cut to the limit just now"))
    }

    async fn verify(&self, shard: ShardId) -> Result<Reply, Refusal> {
        let key = self.find(shard)?;
        let log = self.log.clone();
        let is_good = blocking(move || {
            let Some(record) = log.get(&key)? else { return Ok(None) };
            let header = decode_header(&record.header);
            Ok(Some(header.is_ok_and(|header| header.verify_body(&record.body).is_ok())))
        });
        match is_good.await {
            Ok(Some(true)) => Ok(Reply::Verified),
            Ok(Some(false)) | Err(Refusal::Damaged) => Ok(Reply::Damaged),
            Ok(None) => Err(Refusal::NotFound),
            Err(refusal) => Err(refusal),
        }
    }

    fn list(&self, contract: ContractId, after: Option<ShardId>) -> Reply {
        let mut from = match after {
            Some(shard) => Some(shard_key(contract, shard)),
            None => prefix(contract, PackId([0; 16])),
        };
        let mut shards = Vec::new();
        // The log gives short pages; one of ours may take several.
        let rest = loop {
            let keys = self.log.keys(from.as_ref(), SHARD_IDS_MAX.saturating_sub(shards.len()));
            let found: Vec<ShardId> = (keys.iter())
                .map_while(shard_of)
                .take_while(|(id, _)| *id == contract)
                .map(|(_, shard)| shard)
                .collect();
            let is_last = keys.is_empty() || found.len() < keys.len();
            shards.extend(found);
            if is_last {
                break Rest::End;
            }
            if shards.len() >= SHARD_IDS_MAX {
                break Rest::More;
            }
            from = keys.last().copied();
        };
        Reply::Page { shards: List::new(shards).expect("asked for no more than the limit"), rest }
    }

    async fn delete(&self, signed: SignedDelete) -> Result<Reply, Refusal> {
        let id = signed.delete.contract;
        let contract = self.contracts.get(id).await.map_err(|Unknown| Refusal::Busy)?;
        let contract = contract.ok_or(Refusal::NoSuchContract(id))?.contract;
        signed.verify(&storage(&contract)?.writer).map_err(|_| Refusal::BadSignature)?;
        let mut shards = 0_u32;
        for pack in signed.delete.packs.iter() {
            for key in self.keys_of(id, *pack) {
                self.remove(key, id, *pack).await?;
                shards = shards.saturating_add(1);
            }
        }
        let delete = signed.delete.digest();
        let node = NodeId::from(self.key.public());
        Ok(Reply::Deleted(Receipt { node, delete, shards, at: now() }.sign(&self.key)))
    }

    async fn put_head(&self, head: SignedHead) -> Result<Reply, Refusal> {
        let id = head.head.contract;
        let contract = self.contract(id).await?;
        head.verify(&storage(&contract)?.writer).map_err(|_| Refusal::BadSignature)?;
        let _one_at_a_time = self.heads.lock().await;
        let held = self.held_head(id).await.unwrap_or(None);
        if let Some(held) = &held
            && head.compare(held).is_le()
        {
            return Ok(Reply::HeadIs(Some(held.clone())));
        }
        self.write(head_key(id), Vec::new(), acre_codec::encode(&head).into()).await?;
        self.inventory().add_head(id);
        Ok(Reply::HeadIs(Some(head)))
    }

    async fn held_head(&self, contract: ContractId) -> Result<Option<SignedHead>, Refusal> {
        match self.read(head_key(contract)).await? {
            Some(record) => {
                acre_codec::decode(&record.body).map(Some).map_err(|_| Refusal::Damaged)
            }
            None => Ok(None),
        }
    }

    pub(crate) fn status(&self) -> NodeStatus {
        let stats = self.log.stats();
        let inventory = self.inventory();
        NodeStatus {
            node: NodeId::from(self.key.public()),
            version: Text::new(env!("CARGO_PKG_VERSION")).unwrap_or_default(),
            capacity: self.capacity,
            used: Bytes(stats.used_bytes),
            free: Bytes(stats.free_bytes),
            shards: inventory.shards(),
            heads: inventory.heads(),
            mode: if stats.free_bytes == 0 { NodeMode::ReadOnly } else { NodeMode::Open },
        }
    }

    /// Keys of the shards held of a pack. A place holds one of them, seldom two.
    fn keys_of(&self, contract: ContractId, pack: PackId) -> Vec<Key> {
        let mut found = Vec::new();
        let mut after = prefix(contract, pack);
        loop {
            let page = self.log.keys(after.as_ref(), PACK_PAGE);
            let is_ours = |key: &Key| {
                shard_of(key).is_some_and(|(of, shard)| (of, shard.pack) == (contract, pack))
            };
            let ours = page.iter().take_while(|key| is_ours(key)).count();
            found.extend(page.iter().take(ours));
            if ours < PACK_PAGE {
                return found;
            }
            after = found.last().copied();
        }
    }

    fn find(&self, shard: ShardId) -> Result<Key, Refusal> {
        let contract = self.inventory().contract_of(&shard.pack).ok_or(Refusal::NotFound)?;
        let key = shard_key(contract, shard);
        if self.log.contains(&key) { Ok(key) } else { Err(Refusal::NotFound) }
    }

    async fn read(&self, key: Key) -> Result<Option<acre_disk::Record>, Refusal> {
        let log = self.log.clone();
        blocking(move || log.get(&key)).await
    }

    /// Returns once the record is durable.
    async fn write(&self, key: Key, header: Vec<u8>, body: Body) -> Result<(), Refusal> {
        let before = self.log.size_of(&key).map_or(0, |size| size.disk_bytes);
        let (tell, told) = oneshot::channel();
        self.log.put_with(key, header, body, move |result| {
            let _ = tell.send(result);
        });
        told.await.map_err(|_| Refusal::Failed)?.map_err(refusal)?;
        if let Some(Meaning::Shard { contract, pack, .. }) = meaning(&key) {
            let after = self.log.size_of(&key).map_or(0, |size| size.disk_bytes);
            let mut inventory = self.inventory();
            if before > 0 {
                inventory.remove(contract, pack, before);
            }
            inventory.add(contract, pack, after);
        }
        Ok(())
    }

    async fn remove(&self, key: Key, contract: ContractId, pack: PackId) -> Result<(), Refusal> {
        let bytes = self.log.size_of(&key).map_or(0, |size| size.disk_bytes);
        self.delete_record(key).await?;
        self.inventory().remove(contract, pack, bytes);
        Ok(())
    }

    /// Returns once the record is gone for good.
    async fn delete_record(&self, key: Key) -> Result<(), Refusal> {
        let (tell, told) = oneshot::channel();
        self.log.delete_with(key, move |result| {
            let _ = tell.send(result);
        });
        told.await.map_err(|_| Refusal::Failed)?.map_err(refusal)
    }
}

/// What a contract says about storage; other kinds are none of ours.
fn storage(contract: &Contract) -> Result<&Storage, Refusal> {
    contract.storage().ok_or(Refusal::NoSuchContract(contract.id))
}

/// Bytes of records that a contract may keep at one place.
pub(crate) fn allowance(storage: &Storage) -> u64 {
    let share = storage.place_bytes().0;
    share.saturating_add(share / ALLOWANCE_DIVISOR).saturating_add(ALLOWANCE_BYTES)
}

/// The last key before those of a pack; `None` if there is none such, so that all keys are after.
fn prefix(contract: ContractId, pack: PackId) -> Option<Key> {
    let mut bytes = [0; 25];
    bytes[0] = b's';
    bytes[1..9].copy_from_slice(&contract.0.to_be_bytes());
    bytes[9..].copy_from_slice(pack.as_bytes());
    // A key that is a proper prefix sorts before all that it begins.
    Key::new(&bytes).ok()
}

fn shard_of(key: &Key) -> Option<(ContractId, ShardId)> {
    match meaning(key)? {
        Meaning::Shard { contract, pack, index } => {
            let index = acre_codec::decode(&[index]).ok()?;
            Some((contract, ShardId { pack, index }))
        }
        Meaning::Head { .. } => None,
    }
}

fn decode_header(bytes: &[u8]) -> Result<ShardHeader, Refusal> {
    acre_codec::decode(bytes).map_err(|_| Refusal::Damaged)
}

fn reply(result: Result<(Reply, Body), Refusal>) -> Message {
    let (reply, body) = result.unwrap_or_else(|refusal| (Reply::Refused(refusal), Body::new()));
    Message { meta: acre_codec::encode(&reply).into(), body }
}

async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, acre_disk::Error> + Send + 'static,
) -> Result<T, Refusal> {
    let result = tokio::task::spawn_blocking(read).await.map_err(|_| Refusal::Failed)?;
    result.map_err(refusal)
}

fn refusal(error: acre_disk::Error) -> Refusal {
    match error {
        acre_disk::Error::NoSpace { wanted, free } => {
            Refusal::NoSpace { wanted: Bytes(wanted), free: Bytes(free) }
        }
        acre_disk::Error::Busy { .. } => Refusal::Busy,
        acre_disk::Error::Damaged { .. } => Refusal::Damaged,
        error => {
            tracing::error!(%error, "the shard log failed");
            Refusal::Failed
        }
    }
}

pub(crate) fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

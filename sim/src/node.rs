//! A node as the simulator sees it: the words of `shard/1` over a virtual disk.
//!
//! What is synced is served; a wish to keep something is answered after the sync that covers it.

use std::collections::{BTreeMap, BTreeSet};

use acre_codec::List;
use acre_crypto::{SigningKey, verify};
use acre_store::head::SignedHead;
use acre_store::limits::SHARD_IDS_MAX;
use acre_store::protocol::{Receipt, Refusal, Reply, Request, Rest};
use acre_store::shard::{PackHeader, ShardHeader, ShardId};
use acre_types::{
    Bytes as Amount, ContractId, Digest, NodeId, PackId, PublicKey, Signature, UnixMs,
};
use bytes::Bytes;

use crate::disk::{Damage, Disk, Record};
use crate::options::Lie;
use crate::planted::Planted;
use crate::reached;
use crate::reached::Reached;
use crate::rng::Rng;

/// Shards in one page of a list: small, so that paging is exercised.
const PAGE: usize = 7;

/// Whom to answer: a client's request, by the numbers the network gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller {
    /// Which client.
    pub client: usize,
    /// Its request.
    pub request: u64,
}

/// What a node does with a request.
pub enum Served {
    /// Answers at once.
    Now(Reply, Bytes),
    /// Answers after the next sync.
    AfterSync,
}

enum Answer {
    Stored,
    Deleted(Digest),
    Head,
}

/// One node.
pub struct Node {
    /// Who it is.
    pub id: NodeId,
    /// Whether it runs.
    pub up: bool,
    /// Counts its starts; what belongs to an earlier one is void.
    pub incarnation: u64,
    /// How it lies, if it does.
    pub lie: Option<Lie>,
    /// Times as slow as others.
    pub slowness: u32,
    /// Room in bytes.
    pub capacity: u64,
    /// Whether a sync is under way.
    pub is_syncing: bool,
    key: SigningKey,
    disk: Disk,
    shards: BTreeMap<ShardId, (ShardHeader, Bytes)>,
    head: Option<SignedHead>,
    first_head: Option<SignedHead>,
    waiters: Vec<(usize, Caller, Answer)>,
    trusted: BTreeSet<Digest>,
}

/// What a node knows of the ledger.
pub struct Terms {
    /// The contract.
    pub contract: ContractId,
    /// Who may write.
    pub writer: PublicKey,
    /// What is wrong on purpose.
    pub planted: Option<Planted>,
}

impl Node {
    /// An empty node with the key of `seed`.
    #[must_use]
    pub fn new(key: SigningKey, capacity: u64) -> Self {
        Self {
            id: key.public().into(),
            up: true,
            incarnation: 0,
            lie: None,
            slowness: 1,
            capacity,
            is_syncing: false,
            key,
            disk: Disk::default(),
            shards: BTreeMap::new(),
            head: None,
            first_head: None,
            waiters: Vec::new(),
            trusted: BTreeSet::new(),
        }
    }

    fn used(&self) -> u64 {
        self.shards.values().map(|(_, body)| body.len() as u64).sum()
    }

    /// The shards held of a pack, as an omniscient observer sees them: whole ones only.
    pub fn whole(&self, pack: PackId) -> impl Iterator<Item = ShardId> {
        let held = self.shards.iter().filter(move |(id, _)| id.pack == pack);
        held.filter(|(_, (header, body))| header.verify_body(body).is_ok()).map(|(id, _)| *id)
    }

    /// Every shard held and its bytes, whole or not.
    pub fn bodies(&self) -> impl Iterator<Item = (ShardId, &Bytes)> {
        self.shards.iter().map(|(id, (_, body))| (*id, body))
    }

    /// Every shard held, whole or not.
    pub fn held(&self) -> impl Iterator<Item = ShardId> {
        self.shards.keys().copied()
    }

    /// Counter of the head held.
    #[must_use]
    pub fn head_counter(&self) -> Option<u64> {
        self.head.as_ref().map(|signed| signed.head.counter)
    }

    fn is_signed(&mut self, header: &PackHeader, signature: &Signature, by: &PublicKey) -> bool {
        let mut bytes = acre_codec::encode(header);
        bytes.extend_from_slice(&signature.0);
        let digest = acre_crypto::digest(&bytes);
        if self.trusted.contains(&digest) {
            return true;
        }
        let is_good = verify(by, header, signature).is_ok();
        if is_good {
            self.trusted.insert(digest);
        }
        is_good
    }

    /// Handles one request.
    pub fn serve(
        &mut self,
        terms: &Terms,
        caller: Caller,
        request: Request,
        body: Bytes,
        reached: &mut Reached,
    ) -> Served {
        let now = |reply| Served::Now(reply, Bytes::new());
        match request {
            Request::Put(header) => match self.put(terms, caller, header, body, reached) {
                Ok(served) => served,
                Err(refusal) => now(Reply::Refused(refusal)),
            },
            Request::Get { shard, offset, length } => match self.get(shard, offset, length) {
                Ok((reply, body)) => Served::Now(reply, body),
                Err(refusal) => now(Reply::Refused(refusal)),
            },
            Request::Header(shard) => now(match self.shards.get(&shard) {
                Some((header, _)) => Reply::Header(header.clone()),
                None => Reply::Refused(Refusal::NotFound),
            }),
            Request::Locate { packs } => {
                let held = self.shards.keys().filter(|id| packs.contains(&id.pack)).copied();
                now(Reply::Located(ids(held.collect())))
            }
            Request::Verify(shard) => now(self.verify(shard)),
            Request::List { after, .. } => now(self.list(after)),
            Request::Delete(signed) => {
                if signed.verify(&terms.writer).is_err() {
                    return now(Reply::Refused(Refusal::BadSignature));
                }
                let digest = signed.delete.digest();
                for pack in signed.delete.packs.iter() {
                    self.disk.write(Record::Dropped(*pack));
                    self.wait(caller, Answer::Deleted(digest));
                }
                Served::AfterSync
            }
            Request::PutHead(signed) => self.put_head(terms, caller, signed, reached),
            Request::GetHead { .. } => {
                let head =
                    if self.lie == Some(Lie::StaleHead) { &self.first_head } else { &self.head };
                now(Reply::HeadIs(head.clone()))
            }
            Request::Status => now(Reply::Refused(Refusal::Malformed)),
        }
    }

    fn wait(&mut self, caller: Caller, answer: Answer) {
        self.waiters.push((self.disk.written(), caller, answer));
    }

    fn put(
        &mut self,
        terms: &Terms,
        caller: Caller,
        header: ShardHeader,
        body: Bytes,
        reached: &mut Reached,
    ) -> Result<Served, Refusal> {
        let stored = || Ok(Served::Now(Reply::Stored, Bytes::new()));
        if header.pack().contract() != terms.contract {
            return Err(Refusal::NoSuchContract(header.pack().contract()));
        }
        if !self.is_signed(header.pack(), &header.signature(), &terms.writer) {
            return Err(Refusal::BadSignature);
        }
        if terms.planted != Some(Planted::UnverifiedRepair) {
            header.verify_body(&body).map_err(|_| Refusal::BadRoot)?;
        }
        if self.lie == Some(Lie::Forget) {
            return stored();
        }
        if let Some((held, old)) = self.shards.get(&header.id())
            && held.verify_body(old).is_ok()
        {
            return if *held == header { stored() } else { Err(Refusal::Conflict) };
        }
        let wanted = body.len() as u64;
        let free = self.capacity.saturating_sub(self.used());
        if wanted > free {
            reached!(reached, "disk_full");
            return Err(Refusal::NoSpace { wanted: Amount(wanted), free: Amount(free) });
        }
        self.disk.write(Record::Shard(header.clone(), body.clone()));
        if terms.planted == Some(Planted::StoredBeforeSync) {
            self.shards.insert(header.id(), (header, body));
            return stored();
        }
        self.wait(caller, Answer::Stored);
        Ok(Served::AfterSync)
    }

    fn get(&self, shard: ShardId, offset: u32, length: u32) -> Result<(Reply, Bytes), Refusal> {
        if self.lie == Some(Lie::Withhold) {
            return Err(Refusal::NotFound);
        }
        let (header, body) = self.shards.get(&shard).ok_or(Refusal::NotFound)?;
        let shard_bytes = header.pack().shard_bytes();
        if offset >= shard_bytes {
            return Err(Refusal::BadRange { shard_bytes });
        }
        if self.lie != Some(Lie::WrongBytes) && header.verify_body(body).is_err() {
            return Err(Refusal::Damaged);
        }
        let start = offset as usize;
        let end = start.saturating_add(length as usize).min(body.len());
        let mut part = body.slice(start.min(end)..end);
        if self.lie == Some(Lie::WrongBytes) {
            let mut wrong = part.to_vec();
            if let Some(first) = wrong.first_mut() {
                *first ^= 0x55;
            }
            part = wrong.into();
        }
        Ok((Reply::Shard { pack_bytes: header.pack().pack_bytes() }, part))
    }

    fn verify(&self, shard: ShardId) -> Reply {
        match self.shards.get(&shard) {
            _ if self.lie.is_some_and(|lie| lie != Lie::StaleHead) => Reply::Verified,
            Some((header, body)) if header.verify_body(body).is_ok() => Reply::Verified,
            Some(_) => Reply::Damaged,
            None => Reply::Refused(Refusal::NotFound),
        }
    }

    fn list(&self, after: Option<ShardId>) -> Reply {
        let mut held: Vec<_> =
            self.shards.keys().filter(|id| Some(**id) > after).copied().collect();
        let rest = if held.len() > PAGE { Rest::More } else { Rest::End };
        held.truncate(PAGE);
        Reply::Page { shards: ids(held), rest }
    }

    fn put_head(
        &mut self,
        terms: &Terms,
        caller: Caller,
        signed: SignedHead,
        reached: &mut Reached,
    ) -> Served {
        let now = |reply| Served::Now(reply, Bytes::new());
        if signed.verify(&terms.writer).is_err() || signed.head.contract != terms.contract {
            return now(Reply::Refused(Refusal::BadSignature));
        }
        if self.lie == Some(Lie::StaleHead) && self.first_head.is_some() {
            reached!(reached, "head_stale_by_liar");
            return now(Reply::HeadIs(Some(signed)));
        }
        if let Some(held) = &self.head
            && signed.compare(held).is_le()
        {
            return now(Reply::HeadIs(Some(held.clone())));
        }
        if terms.planted == Some(Planted::HeadNotSynced) {
            self.keep_head(signed.clone());
            return now(Reply::HeadIs(Some(signed)));
        }
        self.disk.write(Record::Head(signed));
        self.wait(caller, Answer::Head);
        Served::AfterSync
    }

    fn keep_head(&mut self, signed: SignedHead) {
        if self.first_head.is_none() {
            self.first_head = Some(signed.clone());
        }
        if self.head.as_ref().is_none_or(|held| signed.compare(held).is_gt()) {
            self.head = Some(signed);
        }
    }

    fn keep(&mut self, record: Record) {
        match record {
            Record::Shard(header, body) => {
                self.shards.insert(header.id(), (header, body));
            }
            Record::Dropped(pack) => self.shards.retain(|id, _| id.pack != pack),
            Record::Head(signed) => self.keep_head(signed),
        }
    }

    /// Bytes on the log; a sync started now covers them.
    #[must_use]
    pub fn written(&self) -> usize {
        self.disk.written()
    }

    /// Whether a sync should start.
    #[must_use]
    pub fn wants_sync(&self) -> bool {
        self.disk.has_unsynced() && !self.is_syncing
    }

    /// A sync of the first `count` records completed: what it made safe is served from now on, and
    /// those who waited for it are answered.
    pub fn synced(&mut self, count: usize) -> Vec<(Caller, Reply)> {
        self.is_syncing = false;
        for record in self.disk.sync(count) {
            self.keep(record);
        }
        let mut replies = Vec::new();
        for (at, caller, answer) in std::mem::take(&mut self.waiters) {
            if at > count {
                self.waiters.push((at, caller, answer));
                continue;
            }
            let reply = match answer {
                Answer::Stored => Reply::Stored,
                Answer::Head => Reply::HeadIs(self.head.clone()),
                Answer::Deleted(delete) => {
                    let receipt = Receipt { node: self.id, delete, shards: 1, at: UnixMs(0) };
                    Reply::Deleted(receipt.sign(&self.key))
                }
            };
            replies.push((caller, reply));
        }
        replies
    }

    /// Power fails. Returns whose connections broke, and what the disk lost.
    pub fn crash(&mut self, rng: &mut Rng) -> (Vec<Caller>, Damage) {
        self.up = false;
        self.incarnation += 1;
        self.is_syncing = false;
        self.trusted.clear();
        let broken = std::mem::take(&mut self.waiters).into_iter().map(|(_, caller, _)| caller);
        (broken.collect(), self.disk.crash(rng))
    }

    /// Starts again from the disk.
    pub fn restart(&mut self) {
        self.up = true;
        self.incarnation += 1;
        self.shards.clear();
        self.head = None;
        self.first_head = None;
        for record in self.disk.recover() {
            self.keep(record);
        }
    }

    /// The disk is replaced by an empty one; the node runs.
    pub fn wipe(&mut self) -> Vec<Caller> {
        let broken = std::mem::take(&mut self.waiters).into_iter().map(|(_, caller, _)| caller);
        let broken = broken.collect();
        self.disk = Disk::default();
        self.is_syncing = false;
        self.restart();
        broken
    }

    /// A bit of a shard turns. Returns whether it is held.
    pub fn rot(&mut self, id: ShardId, rng: &mut Rng) -> bool {
        let Some((header, _)) = self.shards.get(&id) else { return false };
        let header = header.clone();
        self.disk.rot(id, rng);
        if let Some(body) = self.disk.newest(id) {
            self.shards.insert(id, (header, body));
        }
        true
    }
}

fn ids(list: Vec<ShardId>) -> List<ShardId, SHARD_IDS_MAX> {
    List::new(list).expect("a page is within the limit")
}

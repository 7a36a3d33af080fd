//! What is still there, and dropping what nothing refers to.
//!
//! A pack is only dropped if the newest tree does not refer to it, by an exact mark, and
//! - it was referred to by the state before, which a removal here has just replaced, or
//! - it was seen without a reference for [`STRANGER_AGE`]: younger ones may belong to a put that is
//!   under way on another device.
//!
//! A put, in turn, makes sure just before each try to publish that the packs of earlier puts which
//! it refers to are there. A pack of which only some chunks are referred to is kept as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use acre_net::rpc::{Caller, Message};
use acre_store::limits::{DELETE_PACKS_MAX, LOCATE_PACKS_MAX};
use acre_store::machine::limits::REQUEST_TIMEOUT;
use acre_store::protocol::{Delete, Reply, Request, Rest, decode_reply};
use acre_store::shard::ShardId;
use acre_store::tree::{Content, Directory, Extent, Extents, Kind, MetaRef, Nodes, Walk};
use acre_types::{ContractId, NodeId, PackId, ShardIndex, UnixMs};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::ClientError;
use crate::limits::{PROBE_TIMEOUT, STRANGER_AGE};
use crate::meta::MetaStore;
use crate::report::CollectReport;
use crate::shared::{Core, now};
use crate::space::View;
use crate::volume::Volume;

/// Asks one node; `None` if it gives no answer that makes sense.
pub(crate) async fn ask(caller: &Caller, node: NodeId, request: &Request) -> Option<Reply> {
    let message = Message::new(acre_codec::encode(request), bytes::Bytes::new());
    let within = match request {
        Request::Delete(_) => REQUEST_TIMEOUT,
        _ => PROBE_TIMEOUT,
    };
    let reply = caller.call(node.key(), message, within).await.ok()?;
    decode_reply(&reply.meta).ok()
}

/// Which of these packs cannot be read any more: places show fewer shards than it takes.
pub(crate) fn gone(
    core: &Arc<Core>,
    volume: &Arc<Volume>,
    handle: &Handle,
    packs: &BTreeSet<PackId>,
) -> Result<Vec<PackId>, ClientError> {
    let mut gone = Vec::new();
    let all: Vec<PackId> = packs.iter().copied().collect();
    for batch in all.chunks(LOCATE_PACKS_MAX) {
        let packs = batch.to_vec().try_into().map_err(acre_store::StoreError::from)?;
        let request = Arc::new(Request::Locate { packs });
        let places = volume.places();
        let mut asking = JoinSet::new();
        for node in places.all() {
            let (caller, node, request) = (core.caller.clone(), *node, Arc::clone(&request));
            asking.spawn_on(async move { ask(&caller, node, &request).await }, handle);
        }
        let mut held: BTreeMap<PackId, BTreeSet<ShardIndex>> = BTreeMap::new();
        for reply in handle.block_on(asking.join_all()) {
            if let Some(Reply::Located(shards)) = reply {
                for ShardId { pack, index } in shards.iter() {
                    held.entry(*pack).or_default().insert(*index);
                }
            }
        }
        let needed = usize::from(volume.profile.data());
        let is_gone = |pack: &&PackId| held.get(*pack).is_none_or(|shards| shards.len() < needed);
        gone.extend(batch.iter().filter(is_gone));
    }
    Ok(gone)
}

/// Every pack that a tree refers to, of data and of metadata.
pub(crate) fn mark(
    store: &mut MetaStore,
    tree: &Directory,
) -> Result<BTreeSet<PackId>, ClientError> {
    let mut marker = Marker::new(store);
    let mut walk = Walk::new(tree);
    while let Some(visit) = walk.next(&mut marker)? {
        if let Kind::File(content) = &visit.entry.kind {
            marker.file(content)?;
        }
    }
    Ok(marker.packs)
}

/// Every pack that a file refers to, of data and of pages.
pub(crate) fn mark_file(
    store: &mut MetaStore,
    content: &Content,
) -> Result<BTreeSet<PackId>, ClientError> {
    let mut marker = Marker::new(store);
    marker.file(content)?;
    Ok(marker.packs)
}

/// Notes the pack of every node that is loaded.
pub(crate) struct Marker<'a> {
    store: &'a mut MetaStore,
    pub(crate) packs: BTreeSet<PackId>,
}

impl<'a> Marker<'a> {
    pub(crate) const fn new(store: &'a mut MetaStore) -> Self {
        Self { store, packs: BTreeSet::new() }
    }

    fn file(&mut self, content: &Content) -> Result<(), ClientError> {
        let mut extents = Extents::new(content, 0);
        while let Some((extent, _)) = extents.next(self)? {
            if let Extent::Data(run) = extent {
                self.packs.insert(run.pack);
            }
        }
        Ok(())
    }
}

impl Nodes for Marker<'_> {
    type Error = ClientError;

    fn load(&mut self, at: MetaRef) -> Result<bytes::Bytes, ClientError> {
        self.packs.insert(at.pack);
        self.store.load(at)
    }

    fn save(&mut self, node: Vec<u8>) -> Result<MetaRef, ClientError> {
        self.store.save(node)
    }
}

/// Drops packs that `before` referred to and the newest tree does not.
pub(crate) fn dropped(
    view: &mut View,
    handle: &Handle,
    before: &Directory,
) -> Result<CollectReport, ClientError> {
    let volume = Arc::clone(&view.volume);
    let core = Arc::clone(&view.store.core);
    let _turn = handle.block_on(volume.turns.take());
    let old = mark(&mut view.store, before)?;
    let newest = handle.block_on(volume.read_head(&core.courier))?;
    let new = mark(&mut view.store, &newest.tree)?;
    let dead: Vec<PackId> = old.difference(&new).copied().collect();
    delete(&core, &volume, handle, &dead)
}

/// Drops packs that its places hold, nothing refers to, and that are old enough.
pub(crate) fn strangers(
    view: &mut View,
    handle: &Handle,
    held: &BTreeSet<PackId>,
    referenced: &BTreeSet<PackId>,
) -> Result<CollectReport, ClientError> {
    let (volume, core) = (Arc::clone(&view.volume), Arc::clone(&view.store.core));
    let strangers: Vec<PackId> = held.difference(referenced).copied().collect();
    let age_ms = u64::try_from(STRANGER_AGE.as_millis()).unwrap_or(u64::MAX);
    let time = now();
    let since = core.cache.strangers(volume.id, &strangers, time);
    let is_old = |seen: &UnixMs| time.0.saturating_sub(seen.0) >= age_ms;
    let (old, young): (Vec<_>, Vec<_>) = since.into_iter().partition(|(_, seen)| is_old(seen));
    let old: Vec<PackId> = old.into_iter().map(|(pack, _)| pack).collect();
    let mut report = delete(&core, &volume, handle, &old)?;
    report.kept = u64::try_from(young.len()).unwrap_or(u64::MAX);
    Ok(report)
}

fn delete(
    core: &Arc<Core>,
    volume: &Arc<Volume>,
    handle: &Handle,
    packs: &[PackId],
) -> Result<CollectReport, ClientError> {
    let mut report = CollectReport::default();
    // Whatever becomes of the request, nobody may refer to them any more.
    core.cache.forget(packs);
    let mut unconfirmed: BTreeMap<NodeId, Vec<PackId>> = BTreeMap::new();
    for batch in packs.chunks(DELETE_PACKS_MAX) {
        let listed = batch.to_vec().try_into().map_err(acre_store::StoreError::from)?;
        let wish = Delete { contract: volume.id, packs: listed, serial: now().0 };
        let signed = Arc::new(wish.clone().sign(volume.keys.signing_key()));
        let mut asking = JoinSet::new();
        for node in volume.places().all() {
            let (caller, node, signed) = (core.caller.clone(), *node, Arc::clone(&signed));
            let request = async move {
                let request = Request::Delete(signed.as_ref().clone());
                (node, ask(&caller, node, &request).await)
            };
            asking.spawn_on(request, handle);
        }
        let mut is_confirmed = true;
        for (node, reply) in handle.block_on(asking.join_all()) {
            match reply {
                Some(Reply::Deleted(receipt))
                    if receipt.receipt.node == node && receipt.verify(&wish).is_ok() =>
                {
                    report.shards += u64::from(receipt.receipt.shards);
                }
                _ => {
                    is_confirmed = false;
                    unconfirmed.entry(node).or_default().extend_from_slice(batch);
                }
            }
        }
        if is_confirmed {
            report.packs += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        }
    }
    report.unconfirmed = unconfirmed.into_iter().collect();
    Ok(report)
}

/// What one place holds of a contract; `None` if it does not answer to the end.
pub(crate) async fn list(
    caller: &Caller,
    node: NodeId,
    contract: ContractId,
) -> Option<Vec<ShardId>> {
    let mut held: Vec<ShardId> = Vec::new();
    loop {
        let request = Request::List { contract, after: held.last().copied() };
        let Some(Reply::Page { shards, rest }) = ask(caller, node, &request).await else {
            return None;
        };
        // Pages must ascend, or a liar could go on for ever.
        let ascends = shards.is_sorted_by(|a, b| a < b)
            && shards.first().is_none_or(|first| held.last().is_none_or(|last| last < first));
        if !ascends {
            return None;
        }
        held.extend_from_slice(&shards);
        if rest == Rest::End || shards.is_empty() {
            return Some(held);
        }
    }
}

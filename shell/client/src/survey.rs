//! How safe volumes are, for those who do not have the words: by what places list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use acre_ledger::Storage;
use acre_net::rpc::Caller;
use acre_store::machine::{Condition, Places, Seen, Sighting, explain};
use acre_store::protocol::{Reply, Request};
use acre_store::shard::ShardId;
use acre_types::{ContractId, NodeId, PackId, Profile, ShardIndex};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::collect::{ask, list};

/// Headers asked for at once to learn the length of packs.
const HEADERS_AT_ONCE: usize = 32;
/// Packs whose length is remembered between surveys; past it, they are learned anew.
const LENGTHS_MAX: usize = 1 << 20;

/// A volume as its places show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSurvey {
    /// The contract.
    pub contract: ContractId,
    /// Its profile.
    pub profile: Profile,
    /// Places that answer.
    pub places_up: usize,
    /// Places.
    pub places: usize,
    /// Packs of which a place that answers holds a shard.
    pub packs: u64,
    /// Bytes of the shards at places that answer.
    pub stored_bytes: u64,
    /// How the weakest pack is.
    pub safety: Safety,
}

/// Whether all packs can be read, and how much more they bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// Every pack has all its shards.
    Full {
        /// Further losses the weakest pack bears.
        losses_survivable: u32,
    },
    /// Every pack can be read, but shards are missing.
    Degraded {
        /// Further losses the weakest pack bears.
        losses_survivable: u32,
    },
    /// Some pack has too few shards now.
    Unavailable {
        /// How many packs.
        packs: u64,
    },
    /// Nothing is stored at places that answer.
    Empty,
}

/// Surveys volumes, and remembers the length of packs, which never changes.
pub struct Surveyor {
    caller: Caller,
    lengths: Mutex<BTreeMap<PackId, u32>>,
}

impl Surveyor {
    /// A surveyor that calls for [`SHARD`](crate::SHARD); the address book behind the caller must
    /// know the nodes.
    #[must_use]
    pub fn new(caller: Caller) -> Self {
        Self { caller, lengths: Mutex::default() }
    }

    /// How a volume is now. Never fails: a place that does not answer counts as lost.
    pub async fn survey(&self, id: ContractId, storage: &Storage) -> VolumeSurvey {
        let mut asking = JoinSet::new();
        for node in storage.places.iter().copied() {
            let caller = self.caller.clone();
            asking.spawn(async move { (node, list(&caller, node, id).await) });
        }
        let mut held: BTreeMap<PackId, Vec<(ShardIndex, NodeId)>> = BTreeMap::new();
        let mut up = BTreeSet::new();
        for (node, shards) in asking.join_all().await {
            let Some(shards) = shards else { continue };
            up.insert(node);
            for ShardId { pack, index } in shards {
                if index.get() < storage.profile.shards() {
                    held.entry(pack).or_default().push((index, node));
                }
            }
        }
        let stored_bytes = self.stored_bytes(&held).await;
        VolumeSurvey {
            contract: id,
            profile: storage.profile,
            places_up: up.len(),
            places: storage.places.len(),
            packs: u64::try_from(held.len()).unwrap_or(u64::MAX),
            stored_bytes,
            safety: safety(storage, &held, &up),
        }
    }

    async fn stored_bytes(&self, held: &BTreeMap<PackId, Vec<(ShardIndex, NodeId)>>) -> u64 {
        let room = Arc::new(Semaphore::new(HEADERS_AT_ONCE));
        let mut asking = JoinSet::new();
        for (pack, copies) in held {
            let known =
                self.lengths.lock().unwrap_or_else(PoisonError::into_inner).contains_key(pack);
            let Some((index, node)) = copies.first().copied().filter(|_| !known) else { continue };
            let (caller, room, pack) = (self.caller.clone(), Arc::clone(&room), *pack);
            asking.spawn(async move {
                let _room = room.acquire().await;
                let request = Request::Header(ShardId { pack, index });
                match ask(&caller, node, &request).await {
                    Some(Reply::Header(header)) if header.pack().pack() == pack => {
                        Some((pack, header.pack().shard_bytes()))
                    }
                    _ => None,
                }
            });
        }
        let learned = asking.join_all().await;
        let mut lengths = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        if lengths.len() > LENGTHS_MAX {
            lengths.clear();
        }
        lengths.extend(learned.into_iter().flatten());
        let bytes = held.iter().map(|(pack, copies)| {
            let length = lengths.get(pack).copied().unwrap_or(0);
            u64::from(length).saturating_mul(u64::try_from(copies.len()).unwrap_or(u64::MAX))
        });
        bytes.fold(0, u64::saturating_add)
    }
}

fn safety(
    storage: &Storage,
    held: &BTreeMap<PackId, Vec<(ShardIndex, NodeId)>>,
    up: &BTreeSet<NodeId>,
) -> Safety {
    let Ok(places) = Places::new(storage.profile, storage.places.to_vec()) else {
        return Safety::Empty;
    };
    let full = u32::from(storage.profile.parity());
    let mut weakest: Option<u32> = None;
    let mut unreadable = 0_u64;
    for (pack, copies) in held {
        let sightings: Vec<Sighting> = places
            .all()
            .iter()
            .map(|place| {
                let shards = copies.iter().filter(|(_, node)| node == place);
                let shards = shards.map(|(index, _)| (*index, Condition::Verified)).collect();
                let seen =
                    if up.contains(place) { Seen::Shards(shards) } else { Seen::Unreachable };
                Sighting { node: *place, seen }
            })
            .collect();
        match explain(*pack, &places, &sightings, |_| None).losses_survivable {
            Some(losses) => {
                let losses = u32::from(losses);
                weakest = Some(weakest.map_or(losses, |weakest| weakest.min(losses)));
            }
            None => unreadable += 1,
        }
    }
    match (unreadable, weakest) {
        (1.., _) => Safety::Unavailable { packs: unreadable },
        (0, None) => Safety::Empty,
        (0, Some(losses_survivable)) if losses_survivable >= full => {
            Safety::Full { losses_survivable }
        }
        (0, Some(losses_survivable)) => Safety::Degraded { losses_survivable },
    }
}

//! Which records the log holds for whom: an index over its keys, rebuilt when it is opened.
//!
//! ```text
//! shard  's' | contract u64 big endian | pack 16 | index u8      header = ShardHeader, body = shard
//! head   'h' | contract u64 big endian                           header empty, body = SignedHead
//! ```
//! Contracts come first in the key, so that one contract's shards lie together, in order.

use std::collections::{BTreeSet, HashMap};

use acre_disk::{Key, ShardLog};
use acre_store::shard::ShardId;
use acre_types::{ContractId, PackId};

const SHARD: u8 = b's';
const HEAD: u8 = b'h';
/// Keys looked at in one go.
const PAGE: usize = 4096;

pub(crate) fn shard_key(contract: ContractId, shard: ShardId) -> Key {
    let mut bytes = [0; 26];
    bytes[0] = SHARD;
    bytes[1..9].copy_from_slice(&contract.0.to_be_bytes());
    bytes[9..25].copy_from_slice(shard.pack.as_bytes());
    bytes[25] = shard.index.get();
    Key::new(&bytes).expect("26 bytes are a key")
}

pub(crate) fn head_key(contract: ContractId) -> Key {
    let mut bytes = [0; 9];
    bytes[0] = HEAD;
    bytes[1..].copy_from_slice(&contract.0.to_be_bytes());
    Key::new(&bytes).expect("9 bytes are a key")
}

/// What a key of the log means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Shard { contract: ContractId, pack: PackId, index: u8 },
    Head { contract: ContractId },
}

pub(crate) fn meaning(key: &Key) -> Option<Meaning> {
    match key.as_bytes() {
        [SHARD, rest @ ..] if rest.len() == 25 => {
            let (contract, rest) = rest.split_first_chunk::<8>()?;
            let (pack, index) = rest.split_first_chunk::<16>()?;
            let contract = ContractId(u64::from_be_bytes(*contract));
            Some(Meaning::Shard { contract, pack: PackId(*pack), index: *index.first()? })
        }
        [HEAD, rest @ ..] => {
            let contract = ContractId(u64::from_be_bytes(rest.try_into().ok()?));
            Some(Meaning::Head { contract })
        }
        _ => None,
    }
}

/// What is held for one contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) bytes: u64,
    pub(crate) shards: u64,
}

/// For which contract a pack is held, and how much is held for each contract.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    packs: HashMap<PackId, (ContractId, u8)>,
    contracts: HashMap<ContractId, Held>,
    /// Contracts whose heads are held.
    heads: BTreeSet<ContractId>,
}

impl Inventory {
    /// Reads all keys of the log.
    pub(crate) fn of(log: &ShardLog) -> Self {
        let mut inventory = Self::default();
        let mut after = None;
        loop {
            let page = log.keys(after.as_ref(), PAGE);
            for key in &page {
                let size = log.size_of(key).map_or(0, |size| size.disk_bytes);
                match meaning(key) {
                    Some(Meaning::Shard { contract, pack, .. }) => {
                        inventory.add(contract, pack, size);
                    }
                    Some(Meaning::Head { contract }) => {
                        inventory.heads.insert(contract);
                    }
                    None => tracing::warn!(%key, "a record of an unknown kind is kept as it is"),
                }
            }
            match page.last() {
                Some(last) => after = Some(*last),
                None => return inventory,
            }
        }
    }

    pub(crate) fn contract_of(&self, pack: &PackId) -> Option<ContractId> {
        self.packs.get(pack).map(|(contract, _)| *contract)
    }

    pub(crate) fn held(&self, contract: ContractId) -> Held {
        self.contracts.get(&contract).copied().unwrap_or_default()
    }

    pub(crate) fn shards(&self) -> u64 {
        self.contracts.values().map(|held| held.shards).sum()
    }

    pub(crate) fn heads(&self) -> u64 {
        self.heads.len().try_into().unwrap_or(u64::MAX)
    }

    /// Contracts for which anything is held.
    pub(crate) fn contracts(&self) -> BTreeSet<ContractId> {
        self.contracts.keys().chain(&self.heads).copied().collect()
    }

    pub(crate) fn add_head(&mut self, contract: ContractId) {
        self.heads.insert(contract);
    }

    pub(crate) fn remove_head(&mut self, contract: ContractId) {
        self.heads.remove(&contract);
    }

    pub(crate) fn add(&mut self, contract: ContractId, pack: PackId, bytes: u64) {
        let entry = self.packs.entry(pack).or_insert((contract, 0));
        entry.1 = entry.1.saturating_add(1);
        let held = self.contracts.entry(contract).or_default();
        held.bytes = held.bytes.saturating_add(bytes);
        held.shards += 1;
    }

    pub(crate) fn remove(&mut self, contract: ContractId, pack: PackId, bytes: u64) {
        if let Some((_, shards)) = self.packs.get_mut(&pack) {
            *shards = shards.saturating_sub(1);
            if *shards == 0 {
                self.packs.remove(&pack);
            }
        }
        if let Some(held) = self.contracts.get_mut(&contract) {
            held.bytes = held.bytes.saturating_sub(bytes);
            held.shards = held.shards.saturating_sub(1);
            if held.shards == 0 {
                self.contracts.remove(&contract);
            }
        }
    }
}

//! A disk: an append-only log of which only the synced part is sure to outlive a crash.

use acre_codec::encode;
use acre_store::head::SignedHead;
use acre_store::shard::{ShardHeader, ShardId};
use acre_types::{Digest, PackId};
use bytes::Bytes;

use crate::rng::Rng;

/// Something a node keeps.
#[derive(Clone, Debug)]
pub enum Record {
    /// A shard.
    Shard(ShardHeader, Bytes),
    /// All shards of this pack are gone.
    Dropped(PackId),
    /// The head of the volume.
    Head(SignedHead),
}

#[derive(Clone, Debug)]
struct Kept {
    record: Record,
    checksum: Digest,
    is_torn: bool,
}

/// What a crash did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Records that were written, not synced, and are gone.
    pub lost: usize,
    /// Records of which a part was written.
    pub torn: usize,
}

/// A disk of one node.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    records: Vec<Kept>,
    synced: usize,
}

fn checksum(record: &Record) -> Digest {
    match record {
        Record::Shard(header, body) => {
            let mut bytes = encode(header);
            bytes.extend_from_slice(body);
            acre_crypto::digest(&bytes)
        }
        Record::Dropped(pack) => acre_crypto::digest(pack.as_bytes()),
        Record::Head(head) => acre_crypto::digest(&encode(head)),
    }
}

impl Disk {
    /// Appends; not yet safe.
    pub fn write(&mut self, record: Record) {
        let checksum = checksum(&record);
        self.records.push(Kept { record, checksum, is_torn: false });
    }

    /// Records written so far.
    #[must_use]
    pub fn written(&self) -> usize {
        self.records.len()
    }

    /// Whether anything written is not safe yet.
    #[must_use]
    pub fn has_unsynced(&self) -> bool {
        self.synced < self.records.len()
    }

    /// Makes the first `count` records safe and gives those that became so.
    pub fn sync(&mut self, count: usize) -> Vec<Record> {
        let end = count.min(self.records.len());
        let start = self.synced.min(end);
        self.synced = self.synced.max(end);
        self.records[start..end].iter().map(|kept| kept.record.clone()).collect()
    }

    /// Power fails: of what was not synced, nothing, a beginning or any part is kept, and the last
    /// of it may be torn.
    pub fn crash(&mut self, rng: &mut Rng) -> Damage {
        let tail = self.records.split_off(self.synced);
        let before = tail.len();
        let mut kept: Vec<Kept> = match rng.below(3) {
            0 => Vec::new(),
            1 => tail.into_iter().take(rng.index(before + 1)).collect(),
            _ => tail.into_iter().filter(|_| rng.chance(500)).collect(),
        };
        let mut damage = Damage { lost: before - kept.len(), torn: 0 };
        if let Some(last) = kept.last_mut()
            && rng.chance(500)
        {
            last.is_torn = true;
            damage.torn = 1;
        }
        self.records.append(&mut kept);
        damage
    }

    /// Starts again: the log up to the first record that is not whole; the rest is cut off.
    pub fn recover(&mut self) -> Vec<Record> {
        let synced = self.synced;
        // Before the synced end a bad record is rot, kept and reported when read; after it, a torn
        // write, where the log ends.
        let is_end = |(at, kept): (usize, &Kept)| {
            at >= synced && (kept.is_torn || checksum(&kept.record) != kept.checksum)
        };
        let end = self.records.iter().enumerate().position(is_end);
        self.records.truncate(end.unwrap_or(self.records.len()));
        self.synced = self.records.len();
        self.records.iter().map(|kept| kept.record.clone()).collect()
    }

    /// Turns a bit of the newest copy of a shard.
    pub fn rot(&mut self, id: ShardId, rng: &mut Rng) {
        for kept in self.records.iter_mut().rev() {
            if let Record::Shard(header, body) = &mut kept.record
                && header.id() == id
            {
                let mut bytes = body.to_vec();
                let at = rng.index(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
                *body = bytes.into();
                return;
            }
        }
    }
}

impl Disk {
    /// The newest body of a shard on the disk.
    #[must_use]
    pub fn newest(&self, id: ShardId) -> Option<Bytes> {
        self.records.iter().rev().find_map(|kept| match &kept.record {
            Record::Shard(header, body) if header.id() == id => Some(body.clone()),
            _ => None,
        })
    }
}

//! Where each key's newest record lies, and how much of each segment is still needed.
//!
//! Only a cache: replaying the segments' records in order rebuilds it. A delete record is needed as long as any older put
//! of its key is still on disk (`stale` counts them); after that it is dead weight too.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::footer::Entry;
use crate::format::{Kind, SEGMENT_HEADER_BYTES, Shape};
use crate::key::Key;
use crate::limits::COMPACT_DEAD_PERCENT;

/// Where the newest record of a key lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub segment: u32,
    pub offset: u32,
    /// Older put records of the key that are still on disk.
    stale: u32,
    pub state: State,
}

/// What the newest record of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Live { header_len: u16, body_len: u32 },
    Deleted,
}

impl Slot {
    /// Sizes of the record this slot points to.
    pub(crate) fn shape(&self, key: &Key) -> Shape {
        let key_len = u8::try_from(key.as_bytes().len()).unwrap_or(u8::MAX);
        match self.state {
            State::Live { header_len, body_len } => Shape { key_len, header_len, body_len },
            State::Deleted => Shape { key_len, header_len: 0, body_len: 0 },
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Live { .. })
    }
}

/// Book-keeping of one segment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Bytes of the file.
    pub len: u64,
    /// Bytes of records that are still needed.
    pub needed: u64,
    /// Whether nothing is appended to it any more.
    pub is_sealed: bool,
    /// Whether compaction leaves it alone until some of it is overwritten or deleted: it holds damage.
    pub is_blocked: bool,
}

impl Usage {
    fn dead(&self) -> u64 {
        self.len.saturating_sub(SEGMENT_HEADER_BYTES).saturating_sub(self.needed)
    }

    fn is_worth_compacting(&self) -> bool {
        let payload = self.len.saturating_sub(SEGMENT_HEADER_BYTES);
        self.is_sealed
            && !self.is_blocked
            && (self.needed == 0 || self.dead() * 100 > payload * COMPACT_DEAD_PERCENT)
    }
}

/// The whole index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: BTreeMap<Key, Slot>,
    segments: BTreeMap<u32, Usage>,
    live_records: u64,
}

impl Index {
    pub(crate) fn get(&self, key: &Key) -> Option<&Slot> {
        self.slots.get(key)
    }

    pub(crate) fn live(&self, key: &Key) -> Option<Slot> {
        self.slots.get(key).copied().filter(Slot::is_live)
    }

    /// Up to `count` keys with a live record, after `after`.
    pub(crate) fn keys_after(&self, after: Option<&Key>, count: usize) -> Vec<Key> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.slots.range::<Key, _>((from, Bound::Unbounded));
        range.filter(|(_, slot)| slot.is_live()).map(|(key, _)| *key).take(count).collect()
    }

    /// The next key, live or deleted, after `after`.
    pub(crate) fn next_after(&self, after: Option<&Key>) -> Option<(Key, Slot)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut range = self.slots.range::<Key, _>((from, Bound::Unbounded));
        range.next().map(|(key, slot)| (*key, *slot))
    }

    /// Takes note of a durable record, which is newer than all before it.
    pub(crate) fn apply(&mut self, segment: u32, entry: &Entry) {
        let state = match entry.kind {
            Kind::Put => {
                State::Live { header_len: entry.shape.header_len, body_len: entry.shape.body_len }
            }
            Kind::Delete => State::Deleted,
        };
        let mut stale = 0;
        if let Some(old) = self.slots.get(&entry.key).copied() {
            stale = old.stale.saturating_add(u32::from(old.is_live()));
            self.release(old.segment, old.shape(&entry.key).record_len());
            self.live_records -= u64::from(old.is_live());
        }
        if state == State::Deleted && stale == 0 {
            self.slots.remove(&entry.key);
            return;
        }
        let slot = Slot { segment, offset: entry.offset, stale, state };
        self.live_records += u64::from(slot.is_live());
        self.usage(segment).needed += slot.shape(&entry.key).record_len();
        self.slots.insert(entry.key, slot);
    }

    /// Takes note that `segment` with these records is gone for good. None of them may be needed any more.
    pub(crate) fn forget_segment(&mut self, segment: u32, entries: &[Entry]) {
        self.segments.remove(&segment);
        for entry in entries.iter().filter(|entry| entry.kind == Kind::Put) {
            let Some(slot) = self.slots.get_mut(&entry.key) else { continue };
            slot.stale = slot.stale.saturating_sub(1);
            if slot.stale == 0 && !slot.is_live() {
                let gone = *slot;
                self.slots.remove(&entry.key);
                self.release(gone.segment, gone.shape(&entry.key).record_len());
            }
        }
    }

    /// Whether the record `entry` of `segment` is the one its key needs.
    pub(crate) fn needs(&self, segment: u32, entry: &Entry) -> bool {
        self.slots
            .get(&entry.key)
            .is_some_and(|slot| slot.segment == segment && slot.offset == entry.offset)
    }

    pub(crate) fn usage(&mut self, segment: u32) -> &mut Usage {
        self.segments.entry(segment).or_default()
    }

    pub(crate) fn segments(&self) -> &BTreeMap<u32, Usage> {
        &self.segments
    }

    /// The sealed segment with the largest dead share, when it is worth compacting.
    pub(crate) fn compaction_victim(&self) -> Option<u32> {
        let worth = self.segments.iter().filter(|(_, usage)| usage.is_worth_compacting());
        worth.max_by_key(|(_, usage)| usage.dead() * 1000 / usage.len.max(1)).map(|(id, _)| *id)
    }

    pub(crate) fn live_records(&self) -> u64 {
        self.live_records
    }

    pub(crate) fn tombstones(&self) -> u64 {
        self.slots.len() as u64 - self.live_records
    }

    /// Bytes of all segment files.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.segments.values().map(|usage| usage.len).sum()
    }

    /// Bytes of records that are still needed.
    pub(crate) fn needed_bytes(&self) -> u64 {
        self.segments.values().map(|usage| usage.needed).sum()
    }

    fn release(&mut self, segment: u32, bytes: u64) {
        if let Some(usage) = self.segments.get_mut(&segment) {
            usage.needed = usage.needed.saturating_sub(bytes);
            usage.is_blocked = false;
        }
    }
}

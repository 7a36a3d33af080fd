//! The latest events, for streams that read them at their own pace and may come back.
//!
//! There is one copy for all streams: a slow reader costs no memory. One that fell behind what is
//! kept hears of the gap and reads the state again.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::limits::{HISTORY_BYTES, HISTORY_EVENTS};

/// Bytes that an event is counted with beside its text.
const OVERHEAD_BYTES: usize = 96;

/// Position of an event: block, and place among the events of that block, as in `1200-3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventId {
    pub(crate) height: u64,
    pub(crate) index: u32,
}

impl EventId {
    /// Behind all events of a block.
    pub(crate) const fn end_of(height: u64) -> Self {
        Self { height, index: u32::MAX }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.height, self.index)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (height, index) = text.split_once('-').ok_or(())?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(height) || !is_number(index) {
            return Err(());
        }
        Ok(Self { height: height.parse().map_err(drop)?, index: index.parse().map_err(drop)? })
    }
}

/// An event as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: EventId,
    pub(crate) kind: Arc<str>,
    /// JSON on one line.
    pub(crate) json: Arc<str>,
}

/// What is behind a position.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Events up to here are not kept, and some of them were asked for.
    pub(crate) gap: Option<EventId>,
    pub(crate) items: Vec<Item>,
}

#[derive(Debug, Default)]
struct Ring {
    items: VecDeque<Item>,
    bytes: usize,
    /// Events up to here are not kept.
    floor: EventId,
    /// The newest event, or the floor.
    last: EventId,
}

impl Ring {
    fn forget_first(&mut self) {
        if let Some(first) = self.items.pop_front() {
            self.bytes -= first.json.len() + OVERHEAD_BYTES;
            self.floor = first.id;
        }
    }
}

/// The latest events.
#[derive(Debug)]
pub(crate) struct History {
    ring: Mutex<Ring>,
    news: watch::Sender<EventId>,
}

impl Default for History {
    fn default() -> Self {
        Self { ring: Mutex::default(), news: watch::Sender::new(EventId::default()) }
    }
}

impl History {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing in here leaves the ring half changed.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything: what happened up to this block was not heard.
    pub(crate) fn begin_after(&self, height: u64) {
        let mut ring = self.ring();
        let end = EventId::end_of(height);
        *ring = Ring { floor: end, last: end, ..Ring::default() };
        drop(ring);
        self.news.send_replace(end);
    }

    /// Takes events in order; those that are not behind the newest one are dropped.
    pub(crate) fn publish(&self, items: impl IntoIterator<Item = Item>) {
        let mut ring = self.ring();
        for item in items {
            if item.id <= ring.last {
                continue;
            }
            ring.bytes += item.json.len() + OVERHEAD_BYTES;
            ring.last = item.id;
            ring.items.push_back(item);
        }
        while ring.bytes > HISTORY_BYTES || ring.items.len() > HISTORY_EVENTS {
            ring.forget_first();
        }
        let last = ring.last;
        drop(ring);
        self.news.send_replace(last);
    }

    /// Tells of news from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<EventId> {
        self.news.subscribe()
    }

    /// Wakes all who wait for news, without any.
    pub(crate) fn wake(&self) {
        self.news.send_modify(|_| ());
    }

    /// The newest position.
    pub(crate) fn last(&self) -> EventId {
        self.ring().last
    }

    /// At most `limit` events behind a position. One that lies past the newest event belongs to
    /// another history, and is answered with a gap.
    pub(crate) fn behind(&self, position: EventId, limit: usize) -> Batch {
        let ring = self.ring();
        if position > ring.last {
            return Batch { gap: Some(ring.last), items: Vec::new() };
        }
        let gap = (position < ring.floor).then_some(ring.floor);
        let first = ring.items.partition_point(|item| item.id <= position);
        Batch { gap, items: ring.items.iter().skip(first).take(limit).cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(height: u64, index: u32, bytes: usize) -> Item {
        let id = EventId { height, index };
        Item { id, kind: "test".into(), json: "x".repeat(bytes).into() }
    }

    fn ids(batch: &Batch) -> Vec<String> {
        batch.items.iter().map(|item| item.id.to_string()).collect()
    }

    #[test]
    fn position_survives_text_and_refuses_other_text() {
        let id = EventId { height: 12, index: 3 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "-", "1", "1-", "-1", "1-2-3", "+1-2", "1-99999999999", "a-b"] {
            assert!(wrong.parse::<EventId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn gives_what_is_behind_a_position_once_and_in_order() {
        let history = History::default();
        history.begin_after(4);
        history.publish([item(5, 0, 1), item(5, 1, 1), item(7, 0, 1)]);
        history.publish([item(5, 1, 1), item(8, 0, 1)]);
        let all = history.behind(EventId::end_of(4), 10);
        assert_eq!(
            (ids(&all), all.gap),
            (["5-0", "5-1", "7-0", "8-0"].map(String::from).into(), None)
        );
        let rest = history.behind(EventId { height: 5, index: 0 }, 2);
        assert_eq!(ids(&rest), ["5-1", "7-0"]);
        assert!(history.behind(history.last(), 10).items.is_empty());
    }

    #[test]
    fn names_the_gap_to_whoever_asks_for_more_than_is_kept() {
        let history = History::default();
        history.begin_after(4);
        assert!(history.behind(EventId::end_of(4), 10).gap.is_none());
        assert_eq!(history.behind(EventId::end_of(3), 10).gap, Some(EventId::end_of(4)));
        let of_another_grid = history.behind(EventId::end_of(1 << 40), 10);
        assert_eq!(of_another_grid.gap, Some(EventId::end_of(4)));
    }

    #[test]
    fn keeps_to_its_bounds_in_number_and_bytes() {
        let history = History::default();
        let many = u32::try_from(HISTORY_EVENTS).unwrap() + 10;
        history.publish((0..many).map(|index| item(1, index, 0)));
        let batch = history.behind(EventId::default(), usize::MAX);
        assert!(batch.items.len() <= HISTORY_EVENTS && batch.gap.is_some());

        let history = History::default();
        history.publish((0..10).map(|index| item(1, index, HISTORY_BYTES / 4)));
        assert_eq!(ids(&history.behind(EventId::default(), 100)), ["1-7", "1-8", "1-9"]);
    }
}

//! Virtual time: what happens next, and a digest of all that happened.

use std::collections::BTreeMap;
use std::time::Duration;

use acre_types::Tick;

use crate::rng::mix;

/// Events in order of time, and of insertion where the time is the same.
pub struct Clock<E> {
    now: Tick,
    next: u64,
    queue: BTreeMap<(Tick, u64), E>,
}

impl<E> Default for Clock<E> {
    fn default() -> Self {
        Self { now: Tick(1_000_000), next: 0, queue: BTreeMap::new() }
    }
}

impl<E> Clock<E> {
    /// The present.
    #[must_use]
    pub const fn now(&self) -> Tick {
        self.now
    }

    /// Lets `event` happen after `delay`.
    pub fn after(&mut self, delay: Duration, event: E) {
        self.queue.insert((self.now.after(delay), self.next), event);
        self.next += 1;
    }

    /// When something happens next.
    #[must_use]
    pub fn due(&self) -> Option<Tick> {
        self.queue.first_key_value().map(|((tick, _), _)| *tick)
    }

    /// Moves on to `tick`; never back.
    pub fn advance(&mut self, tick: Tick) {
        self.now = self.now.max(tick);
    }

    /// Takes the next event, if it is due by now.
    pub fn take(&mut self) -> Option<E> {
        let key = *self.queue.first_key_value()?.0;
        if key.0 > self.now {
            return None;
        }
        self.queue.remove(&key)
    }
}

/// A digest that every event is folded into: two runs of one seed must agree in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rolling(pub u64);

impl Rolling {
    /// Folds bytes in.
    pub fn add(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = mix(self.0 ^ u64::from_le_bytes(word)).wrapping_add(1);
        }
    }
}

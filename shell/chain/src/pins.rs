//! States that newcomers fetch page by page: each is held until nobody has asked for it for a while.
//!
//! A state is a tree of shared nodes, so holding one costs what has changed since, not a copy. A page
//! begins at the start or where another one ended: the key there is remembered, so that no question
//! costs more than its page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use acre_codec::{Blob, List};
use acre_ledger::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use acre_types::Height;
use tokio::time::Instant;

use crate::defaults::{PIN_FRESH, PIN_IDLE, PIN_LEAST};
use crate::limits::{LEAF_BYTES_PER_PAGE, LEAVES_PER_PAGE, PINS};
use crate::shared::Head;

/// Some leaves of a state: key bytes and value bytes, in the state's order.
pub type Leaves = List<(Blob<KEY_BYTES_MAX>, Blob<VALUE_BYTES_MAX>), LEAVES_PER_PAGE>;

/// A state that is held.
pub(crate) struct Pinned {
    pub(crate) head: Arc<Head>,
    /// How many leaves the state has.
    pub(crate) leaves: u64,
    /// The keys at which pages begin, by their number.
    marks: Mutex<BTreeMap<u64, Box<[u8]>>>,
}

struct Pin {
    state: Arc<Pinned>,
    made: Instant,
    used: Instant,
}

/// The states held.
#[derive(Default)]
pub(crate) struct Pins(Mutex<Vec<Pin>>);

impl Pins {
    /// A state to fetch from the start: the newest, or one that others began to fetch lately. `None`
    /// if as many as may be are being fetched, none of them for long.
    pub(crate) fn begin(&self, newest: &Arc<Head>, now: Instant) -> Option<Arc<Pinned>> {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pins.retain(|pin| now.duration_since(pin.used) < PIN_IDLE);
        let fresh = |pin: &&mut Pin| now.duration_since(pin.made) < PIN_FRESH;
        if let Some(pin) = pins.iter_mut().find(fresh) {
            pin.used = now;
            return Some(Arc::clone(&pin.state));
        }
        if pins.len() >= PINS {
            // The oldest had its time: nobody keeps newcomers out by asking on and on.
            let (place, oldest) = pins.iter().enumerate().min_by_key(|(_, pin)| pin.made)?;
            if now.duration_since(oldest.made) < PIN_LEAST {
                return None;
            }
            pins.remove(place);
        }
        let leaves = newest.state.leaves().count() as u64;
        let state = Arc::new(Pinned { head: Arc::clone(newest), leaves, marks: Mutex::default() });
        pins.push(Pin { state: Arc::clone(&state), made: now, used: now });
        Some(state)
    }

    /// A state that is being fetched.
    pub(crate) fn resume(&self, height: Height, now: Instant) -> Option<Arc<Pinned>> {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pin = pins.iter_mut().find(|pin| pin.state.head.height == height)?;
        pin.used = now;
        Some(Arc::clone(&pin.state))
    }
}

impl Pinned {
    /// The leaves from this one on, as many as fit a page, at least one unless there are no more.
    /// `None` if no page that was given ends there.
    pub(crate) fn page(&self, from: u64) -> Option<Leaves> {
        let state = &self.head.state;
        if from >= self.leaves {
            return Some(List::default());
        }
        if from == 0 {
            return Some(self.cut(from, state.leaves()));
        }
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let key = marks.get(&from).cloned()?;
        drop(marks);
        Some(self.cut(from, state.leaves_from(&key)))
    }

    fn cut<'a>(
        &self,
        from: u64,
        leaves: impl Iterator<Item = (&'a [u8], &'a Arc<[u8]>)>,
    ) -> Leaves {
        let (mut page, mut bytes) = (Vec::new(), 0);
        for (key, value) in leaves {
            bytes += key.len() + value.len() + 8;
            let is_full = page.len() >= LEAVES_PER_PAGE || bytes > LEAF_BYTES_PER_PAGE;
            if is_full && !page.is_empty() {
                let next = from + page.len() as u64;
                let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
                marks.insert(next, key.into());
                break;
            }
            let (Ok(key), Ok(value)) = (Blob::new(key.to_vec()), Blob::new(value.to_vec())) else {
                // The map takes no larger ones.
                break;
            };
            page.push((key, value));
        }
        List::new(page).expect("cut to its limit above")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::proof_of;
    use crate::testing::genesis;
    use acre_ledger::State;
    use bytes::Bytes;
    use std::time::Duration;

    fn head(height: u64) -> Arc<Head> {
        let proof = proof_of(Bytes::new(), &[]);
        let state = genesis(&[[1; 32]]).state().unwrap();
        Arc::new(Head { height: Height(height), proof, state })
    }

    #[test]
    fn states_are_shared_by_those_who_come_together_and_let_go_when_nobody_asks() {
        let (pins, begun) = (Pins::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(pins.begin(&head(1), begun).unwrap().head.height, Height(1));
        assert_eq!(pins.begin(&head(5), after(1)).unwrap().head.height, Height(1));
        let late = after(1) + PIN_FRESH;
        assert!(pins.resume(Height(1), late).is_some());
        assert_eq!(pins.begin(&head(9), late).unwrap().head.height, Height(9));
        let later = late + PIN_FRESH;
        assert!(pins.resume(Height(1), later).is_some() && pins.resume(Height(9), later).is_some());
        assert!(pins.begin(&head(12), later).is_none(), "as many as may be");
        assert_eq!(pins.begin(&head(12), later + PIN_IDLE).unwrap().head.height, Height(12));
        assert!(pins.resume(Height(1), later + PIN_IDLE).is_none());
    }

    #[test]
    fn who_asks_on_and_on_keeps_no_newcomer_out() {
        let (pins, begun) = (Pins::default(), Instant::now());
        let mut now = begun;
        for height in 1..=PINS as u64 {
            assert!(pins.begin(&head(height), now).is_some());
            now += PIN_FRESH;
        }
        while now.duration_since(begun) < PIN_LEAST {
            (1..=PINS as u64).for_each(|height| drop(pins.resume(Height(height), now).unwrap()));
            assert!(pins.begin(&head(99), now).is_none(), "as many as may be");
            now += PIN_IDLE / 2;
        }
        assert_eq!(pins.begin(&head(99), now).unwrap().head.height, Height(99));
        assert!(pins.resume(Height(1), now).is_none(), "the oldest gave way");
        assert!(pins.resume(Height(2), now).is_some());
    }

    #[test]
    fn pages_give_every_leaf_once() {
        let pins = Pins::default();
        let genesis = genesis(&[[1; 32]]).state().unwrap();
        let more = (0..3 * LEAVES_PER_PAGE as u64 / 2)
            .map(|number| (Box::from(number.to_le_bytes()), Arc::from([1])));
        let known =
            genesis.leaves().map(|(key, value)| (Box::<[u8]>::from(key), Arc::clone(value)));
        let state = State::from_leaves(known.chain(more)).unwrap();
        let newest = Head { height: Height(1), proof: proof_of(Bytes::new(), &[]), state };
        let pinned = pins.begin(&Arc::new(newest), Instant::now()).unwrap();
        assert!(pinned.page(LEAVES_PER_PAGE as u64).is_none(), "nobody was there yet");
        let mut all = Vec::new();
        loop {
            let page = pinned.page(all.len() as u64).unwrap();
            if page.is_empty() {
                break;
            }
            all.extend(page.into_vec());
        }
        let whole = pinned.head.state.leaves().map(|(key, value)| (key.to_vec(), value.to_vec()));
        let all = all.into_iter().map(|(key, value)| (key.into_vec(), value.into_vec()));
        assert!(all.eq(whole));
        assert!(pinned.page(7).is_none(), "in the middle of one");
        assert_eq!(pinned.page(u64::MAX).unwrap().len(), 0);
    }
}

//! States that newcomers fetch page by page: each is held until nobody has asked for it for a while.
//!
//! A state is a tree of shared nodes, so holding one costs what has changed since, not a copy.

use std::sync::{Arc, Mutex, PoisonError};

use acre_codec::{Blob, List};
use acre_ledger::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use acre_types::Height;
use tokio::time::Instant;

use crate::defaults::{PIN_FRESH, PIN_IDLE};
use crate::limits::{LEAF_BYTES_PER_PAGE, LEAVES_PER_PAGE, PINS};
use crate::shared::Head;

/// Some leaves of a state: key bytes and value bytes, in the state's order.
pub type Leaves = List<(Blob<KEY_BYTES_MAX>, Blob<VALUE_BYTES_MAX>), LEAVES_PER_PAGE>;

#[derive(Clone)]
struct Pin {
    head: Arc<Head>,
    leaves: u64,
    made: Instant,
    used: Instant,
}

/// What a page is cut from.
pub(crate) struct Pinned {
    pub(crate) head: Arc<Head>,
    /// How many leaves the state has.
    pub(crate) leaves: u64,
}

/// The states held.
#[derive(Default)]
pub(crate) struct Pins(Mutex<Vec<Pin>>);

impl Pins {
    /// A state to fetch from the start: the newest, or one that others began to fetch lately. `None`
    /// if as many as may be are being fetched.
    pub(crate) fn begin(&self, newest: &Arc<Head>, now: Instant) -> Option<Pinned> {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pins.retain(|pin| now.duration_since(pin.used) < PIN_IDLE);
        let fresh = |pin: &&mut Pin| now.duration_since(pin.made) < PIN_FRESH;
        let held = pins.len();
        let pin = match pins.iter_mut().find(fresh) {
            Some(pin) => {
                pin.used = now;
                pin.clone()
            }
            None if held < PINS => {
                let leaves = newest.state.leaves().count() as u64;
                let pin = Pin { head: Arc::clone(newest), leaves, made: now, used: now };
                pins.push(pin.clone());
                pin
            }
            None => return None,
        };
        Some(Pinned { head: pin.head, leaves: pin.leaves })
    }

    /// A state that is being fetched.
    pub(crate) fn resume(&self, height: Height, now: Instant) -> Option<Pinned> {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pin = pins.iter_mut().find(|pin| pin.head.height == height)?;
        pin.used = now;
        Some(Pinned { head: Arc::clone(&pin.head), leaves: pin.leaves })
    }
}

impl Pinned {
    /// The leaves from this one on, as many as fit a page, at least one unless there are no more.
    pub(crate) fn page(&self, from: u64) -> Leaves {
        let mut page = Vec::new();
        let mut bytes = 0;
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        for (key, value) in self.head.state.leaves().skip(skip).take(LEAVES_PER_PAGE) {
            bytes += key.len() + value.len() + 8;
            if bytes > LEAF_BYTES_PER_PAGE && !page.is_empty() {
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
    fn pages_give_every_leaf_once() {
        let pins = Pins::default();
        let pinned = pins.begin(&head(1), Instant::now()).unwrap();
        let mut all = Vec::new();
        loop {
            let page = pinned.page(all.len() as u64);
            if page.is_empty() {
                break;
            }
            all.push(page[0].clone());
        }
        assert_eq!(all.len() as u64, pinned.leaves);
        let whole: Vec<_> = pinned.page(0).into_vec();
        assert_eq!(whole, all);
    }
}

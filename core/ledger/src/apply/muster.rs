//! When all nodes are called to show their cores and memory.
//!
//! | value | formula |
//! |---|---|
//! | draw | `H("acre 2026-11 muster", seed of the epoch ++ root of the state before ++ height u64 ++ time u64)` |
//! | called | first 8 bytes of the draw x mean < 2^64 x dt |
//! | dt | time since the block before, at most 10 s |
//! | mean | (5/8 of the epoch) / `puzzle.musters` |
//! | seed | `H("acre 2026-11 muster seed", draw)` |
//!
//! Only after the first eighth and before the last quarter of an epoch, and a sixteenth of it after the
//! muster before. The chance grows with the time that a block covers and not with the number of blocks, and it has
//! no memory: however long none came, the next is as far away as ever. What the maker of a block
//! can still do: `docs/protocols/witnesses.md`.

use acre_crypto::Hasher;
use acre_types::{Digest, UnixMs};

use super::Work;
use crate::error::StateError;
use crate::event::Event;
use crate::key::{TheEpoch, TheMuster};
use crate::limits::{
    MUSTER_LATEST_DIVISOR, MUSTER_SOONEST_DIVISOR, MUSTER_SPACING_DIVISOR, MUSTER_STEP_MS_MAX,
};
use crate::object::{EpochState, Muster};

impl Work<'_> {
    /// Calls a muster if the draw of this block says so. Comes after the epoch has begun.
    pub(super) fn call_muster(&mut self) -> Result<(), StateError> {
        let running = self.overlay.must(&TheEpoch)?;
        let Some(mean) = mean_ms(&running, self.parameters.capacity.puzzle.musters) else {
            return Ok(());
        };
        if !is_open(&running, self.now) {
            return Ok(());
        }
        let draw = self.draw(&running);
        if !is_called(&draw, self.step_ms(), mean) {
            return Ok(());
        }
        let last = self.overlay.get(&TheMuster)?;
        if last.is_some_and(|last| self.now.0 < earliest_after(&last, &running)) {
            return Ok(());
        }
        let number = last.map_or(0, |last| last.number).saturating_add(1);
        let seed = Hasher::new("acre 2026-11 muster seed").update(&draw.0).finish();
        let epoch = running.number;
        self.overlay.put(&TheMuster, Muster { number, epoch, seed, at: self.now });
        self.own_events.push(Event::MusterCalled { number, epoch, seed });
        Ok(())
    }

    fn step_ms(&self) -> u64 {
        self.now.0.saturating_sub(self.before.0).min(MUSTER_STEP_MS_MAX)
    }

    fn draw(&self, running: &EpochState) -> Digest {
        let mut hasher = Hasher::new("acre 2026-11 muster");
        hasher.update(&running.seed.0).update(&self.overlay.base().root().0);
        hasher.update(&self.height.0.to_le_bytes()).update(&self.now.0.to_le_bytes()).finish()
    }
}

/// Mean time between musters within the part of an epoch in which they are called; `None` where
/// nobody watches anybody.
fn mean_ms(running: &EpochState, musters: u16) -> Option<u64> {
    if running.nodes < 2 {
        return None;
    }
    latest(running).saturating_sub(soonest(running)).checked_div(musters.into())
}

fn soonest(running: &EpochState) -> u64 {
    running.began.0.saturating_add(running.span_ms.div_euclid(MUSTER_SOONEST_DIVISOR))
}

fn latest(running: &EpochState) -> u64 {
    running.ends().0.saturating_sub(running.span_ms.div_euclid(MUSTER_LATEST_DIVISOR))
}

fn is_open(running: &EpochState, now: UnixMs) -> bool {
    (soonest(running)..latest(running)).contains(&now.0)
}

fn earliest_after(last: &Muster, running: &EpochState) -> u64 {
    last.at.0.saturating_add(running.span_ms.div_euclid(MUSTER_SPACING_DIVISOR))
}

fn is_called(draw: &Digest, step_ms: u64, mean_ms: u64) -> bool {
    let drawn = draw.0.first_chunk().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes));
    u128::from(drawn).saturating_mul(mean_ms.into()) < u128::from(step_ms) << 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_share_of_the_mean() {
        let draw = |first: u64| {
            let mut bytes = [0xff; 32];
            bytes[..8].copy_from_slice(&first.to_le_bytes());
            Digest(bytes)
        };
        assert!(is_called(&draw(u64::MAX / 4 - 1), 250, 1000));
        assert!(!is_called(&draw(u64::MAX / 4 + 1), 250, 1000));
        assert!(!is_called(&draw(0), 0, 1000), "no time, no muster");
        assert!(is_called(&draw(u64::MAX), 1000, 1000), "more than sure is sure");
        assert!(is_called(&draw(u64::MAX), u64::MAX, 1));
    }
}

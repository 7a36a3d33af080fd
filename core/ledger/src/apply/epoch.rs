//! The epoch moves on by the time of blocks.

use acre_types::{Epoch, UnixMs};

use super::Work;
use crate::error::StateError;
use crate::event::Event;
use crate::key::{TheEpoch, TheGap};
use crate::object::{EpochState, PastEpoch};

impl Work<'_> {
    /// Begins the next epoch if this block is the first past the end of the one that runs: one
    /// read in most blocks.
    ///
    /// Time in which the grid made no block is nobody's fault: the epochs in it never were, so no
    /// node was to serve in them and no witness was to report. The last epoch that was stays open
    /// to reports while the new one runs, however much time lies between.
    pub(super) fn begin_epoch(&mut self) -> Result<(), StateError> {
        let now = self.now.0;
        let running = self.overlay.must(&TheEpoch)?;
        if now < running.ends().0 {
            return Ok(());
        }
        let ahead = whole_epochs(now, &running);
        let (nodes, joined) = (running.joined, self.totals()?.nodes);
        let began = running.began.0.saturating_add(running.span_ms.saturating_mul(ahead));
        let skipped = ahead.saturating_sub(1);
        let seed = self.next_seed(&running, skipped)?;
        let next = EpochState {
            number: Epoch(running.number.0.saturating_add(ahead)),
            began: UnixMs(began),
            span_ms: self.parameters.capacity.epoch_ms,
            seed,
            nodes,
            witnesses: self.parameters.capacity.witnesses,
            joined,
            past: Some(PastEpoch {
                number: running.number,
                span_ms: running.span_ms,
                seed: running.seed,
                nodes: running.nodes,
                witnesses: running.witnesses,
            }),
        };
        if skipped > 0 {
            self.overlay.put(&TheGap, next.number);
        }
        self.own_events.push(Event::EpochBegan { epoch: next.number, seed: next.seed, skipped });
        self.overlay.put(&TheEpoch, next);
        Ok(())
    }
}

/// Epochs from the beginning of the one that ran to that of the one that `now` lies in.
fn whole_epochs(now: u64, running: &EpochState) -> u64 {
    now.saturating_sub(running.began.0).checked_div(running.span_ms).unwrap_or(1).max(1)
}

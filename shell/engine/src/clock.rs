//! That the system's clock is set back while the engine runs.
//!
//! The engine's timers end at times of that clock. Set back by a day, it reaches them a day late:
//! until then the process dials nobody and skips no turn. So the engine ends, and says why: a start is
//! what cures it. A clock that is set forward only makes timers end at once.

use crate::{defaults, error::Error};
use commonware_runtime::Clock;
use std::time::{Duration, Instant, SystemTime};

/// Returns when the clock was set back by more than [`defaults::CLOCK_SET_BACK`].
pub(crate) async fn set_back(context: &impl Clock) -> Error {
    let mut before = (Instant::now(), SystemTime::now());
    loop {
        context.sleep(defaults::CLOCK_LOOK).await;
        let now = (Instant::now(), SystemTime::now());
        let by = lost(before, now);
        if by > defaults::CLOCK_SET_BACK {
            return Error::ClockSetBack { seconds: by.as_secs() };
        }
        before = now;
    }
}

/// How far the clock has fallen behind a steady one.
fn lost(before: (Instant, SystemTime), now: (Instant, SystemTime)) -> Duration {
    let expected = before.1 + now.0.saturating_duration_since(before.0);
    expected.duration_since(now.1).unwrap_or_default()
}

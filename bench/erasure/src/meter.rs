//! Processor time, so that other work on the machine shows less.

use std::time::Duration;

use crate::stripe::Stripe;

/// Processor time of this process, all threads.
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "the clock of the process exists");
    let seconds = u64::try_from(time.tv_sec).expect("time runs forward");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("below 10^9"))
}

/// One contestant: works once on a stripe per call.
pub struct Runner {
    pub name: String,
    pub work: Box<dyn FnMut(&mut Stripe)>,
    /// Best window so far, seconds per call.
    pub best: f64,
}

/// Stripes that take turns.
pub const STRIPES: usize = 4;

/// Calls before a window, so that what the one before left in the caches is gone.
const WARM_UP: usize = 4;

/// Runs the contestants in turns on the same memory, `windows` windows of `window` processor time each.
///
/// Several stripes take turns too, as where their pages lie in the level 2 cache is luck; and every other
/// turn goes backwards, as a contestant may suffer from the one before it.
pub fn race(
    runners: &mut [Runner],
    stripes: &mut [Stripe; STRIPES],
    windows: usize,
    window: Duration,
) {
    for turn in 0..windows {
        let stripe = &mut stripes[turn / 2 % STRIPES];
        for place in 0..runners.len() {
            let place = if turn % 2 == 0 { place } else { runners.len() - 1 - place };
            let runner = &mut runners[place];
            for _ in 0..WARM_UP {
                (runner.work)(stripe);
            }
            let start = cpu_time();
            let mut calls = 0u32;
            let spent = loop {
                for _ in 0..4 {
                    (runner.work)(stripe);
                }
                calls += 4;
                let spent = cpu_time() - start;
                if spent >= window {
                    break spent;
                }
            };
            runner.best = runner.best.min(spent.as_secs_f64() / f64::from(calls));
        }
    }
}

//! Processor time, so that other work on the machine shows less.

use std::time::Duration;

/// Processor time of this process, all threads.
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "the clock of the process exists");
    let seconds = u64::try_from(time.tv_sec).expect("time runs forward");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("below 10^9"))
}

/// One contestant: does one stripe per call.
pub struct Runner {
    pub name: String,
    pub work: Box<dyn FnMut()>,
    /// Best window so far, seconds per call.
    pub best: f64,
}

/// Runs the contestants in turns, `windows` windows of `window` processor time each.
pub fn race(runners: &mut [Runner], windows: usize, window: Duration) {
    for _ in 0..windows {
        for runner in &mut *runners {
            (runner.work)();
            let start = cpu_time();
            let mut calls = 0u32;
            let spent = loop {
                for _ in 0..4 {
                    (runner.work)();
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

//! Start-up, commit latency, idle cost and disk of one validator, printed as one line each.
//!
//! `cargo run --release -p acre-engine --example measure`

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails may say so bluntly")]

#[path = "../tests/common/mod.rs"]
mod common;

use acre_engine::{Config, Handle, ValidatorKey, spawn};
use common::Counter;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// User and system time of this process so far, in clock ticks of 10 ms.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn disk_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata().unwrap() {
            data if data.is_dir() => disk_bytes(&entry.path()),
            data => data.len(),
        })
        .sum()
}

fn start(dir: &Path, counter: &Counter) -> (Handle, Duration) {
    let key = ValidatorKey::from_seed(&[1; 32]);
    let config = Config::alone(dir, b"measure", key, Arc::clone(&counter.wake));
    let begin = Instant::now();
    let handle = spawn(config, counter.start()).unwrap();
    (handle, begin.elapsed())
}

fn main() {
    let dir = std::env::args()
        .nth(1)
        .map_or_else(|| tempfile::tempdir().unwrap().keep(), std::path::PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let counter = Counter::alone(ValidatorKey::from_seed(&[1; 32]).public());
    let (handle, opening) = start(&dir, &counter);
    println!("start, empty: {} ms", opening.as_millis());

    let mut latencies = Vec::new();
    for number in 1..=100 {
        // Somewhere within the idle interval.
        runtime
            .block_on(async { tokio::time::sleep(Duration::from_millis(number * 37 % 200)).await });
        let begin = Instant::now();
        counter.submit(number);
        let mut status = handle.subscribe();
        runtime.block_on(status.wait_for(|_| counter.disk().spent.contains(&number))).unwrap();
        latencies.push(begin.elapsed());
    }
    latencies.sort();
    println!(
        "submit to commit, ms: p50 {:.1}, p90 {:.1}, p99 {:.1}",
        latencies[50].as_secs_f64() * 1e3,
        latencies[90].as_secs_f64() * 1e3,
        latencies[98].as_secs_f64() * 1e3,
    );

    let (ticks, height, bytes) = (cpu_ticks(), handle.status().height, disk_bytes(&dir));
    runtime.block_on(async { tokio::time::sleep(Duration::from_secs(30)).await });
    let blocks = handle.status().height - height;
    println!("idle 30 s: {blocks} blocks, {:.2} % of a core", (cpu_ticks() - ticks) as f64 / 30.0);
    println!(
        "disk: {} bytes a block idle, {bytes} in all",
        (disk_bytes(&dir) - bytes) / blocks.max(1)
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmRSS")).unwrap());

    let begin = Instant::now();
    handle.stop().unwrap();
    println!("stop: {} ms", begin.elapsed().as_millis());
    drop(handle);
    let (handle, opening) = start(&dir, &counter);
    println!("start, reopened: {} ms", opening.as_millis());
    handle.stop().unwrap();
    disk_over_time();
}

/// A chain in a hurry that keeps 1,024 blocks: how its directory grows, and how it reopens.
fn disk_over_time() {
    let dir = tempfile::tempdir().unwrap();
    let counter = Counter::alone(ValidatorKey::from_seed(&[1; 32]).public());
    let open = || {
        let key = ValidatorKey::from_seed(&[1; 32]);
        let mut config = Config::alone(dir.path(), b"measure", key, Arc::clone(&counter.wake));
        config.timing.idle_interval = Duration::from_millis(1);
        config.retain_blocks = 1_024.try_into().unwrap();
        let begin = Instant::now();
        (spawn(config, counter.start()).unwrap(), begin.elapsed())
    };
    let (handle, _) = open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for height in (1_000..=6_000).step_by(1_000) {
        let begin = Instant::now();
        let mut status = handle.subscribe();
        runtime.block_on(status.wait_for(|s| s.height >= height)).unwrap();
        let bytes = disk_bytes(dir.path());
        println!("height {height}: {bytes} bytes, {:.1} s more", begin.elapsed().as_secs_f64());
    }
    handle.stop().unwrap();
    drop(handle);
    println!("start with pruned history: {} ms", open().1.as_millis());
}

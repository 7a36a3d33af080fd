//! Durable 64 KiB shards per second of the log against one file per shard with fsync of file and directory, interleaved in
//! one run on one disk; the rate at which a log without lists is scanned; CPU and memory. `cargo bench -p acre-disk`.
//!
//! `ACRE_BENCH_DIR` chooses the disk (default: the target directory's).

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may stop")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use acre_disk::{Config, Key, Progress, ShardLog};

const WRITERS: u64 = 16;
const BODY_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_secs(2);

fn main() {
    let base = std::env::var_os("ACRE_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let dir = base.join(format!("acre-disk-bench-{}", std::process::id()));
    fs::create_dir_all(dir.join("files")).unwrap();
    println!("disk: {}", dir.display());
    let log = ShardLog::open(&dir.join("log"), Config::with_capacity(16 << 30)).unwrap();
    let body = bytes_of(BODY_BYTES);
    let next = AtomicU64::new(0);

    let put_log = |number: u64| log.put(key(number), header(), body.clone()).unwrap();
    let put_file = |number: u64| write_file(&dir.join("files"), number, &body);
    let mut rates = Vec::new();
    for round in 1..=ROUNDS {
        let cpu = cpu_seconds();
        let (log_rate, log_count) = window(WRITERS, &next, &put_log);
        let log_cpu_us = (cpu_seconds() - cpu) * 1e6 / log_count;
        let cpu = cpu_seconds();
        let (file_rate, file_count) = window(WRITERS, &next, &put_file);
        let file_cpu_us = (cpu_seconds() - cpu) * 1e6 / file_count;
        let (lone_rate, _) = window(1, &next, &put_file);
        println!(
            "round {round}: log {log_rate:.0} shards/s ({log_cpu_us:.0} CPU us each), one file per shard \
             {file_rate:.0} with {WRITERS} writers ({file_cpu_us:.0} CPU us), {lone_rate:.0} with one: \
             ratios {:.1} and {:.1}",
            log_rate / file_rate,
            log_rate / lone_rate
        );
        rates.push((log_rate / file_rate, log_rate / lone_rate));
    }
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!("median ratio against {WRITERS} file writers: {:.1}", rates[ROUNDS / 2].0);
    rates.sort_by(|a, b| a.1.total_cmp(&b.1));
    println!("median ratio against one file writer: {:.1}", rates[ROUNDS / 2].1);

    let stats = log.stats();
    println!("resident after {} records: {} MiB", stats.records, resident_mib());
    drop(log);
    open_rates(&dir.join("log"), stats.used_bytes);
    fs::remove_dir_all(&dir).unwrap();
}

/// Opens with the lists, then without them (a full scan), then scrubs and compacts nothing.
fn open_rates(dir: &Path, bytes: u64) {
    let config = Config::with_capacity(16 << 30);
    let start = Instant::now();
    drop(ShardLog::open(dir, config.clone()).unwrap());
    let with_lists = start.elapsed();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ext| ext == "idx") {
            fs::remove_file(path).unwrap();
        }
    }
    let cpu = cpu_seconds();
    let start = Instant::now();
    let log = ShardLog::open(dir, config).unwrap();
    let scan = start.elapsed().as_secs_f64();
    let gigabytes = bytes as f64 / 1e9;
    println!(
        "open: {:.0} ms with lists; scan of {gigabytes:.2} GB: {:.2} GB/s, {:.2} GB per CPU second; resident {} MiB",
        with_lists.as_secs_f64() * 1e3,
        gigabytes / scan,
        gigabytes / (cpu_seconds() - cpu),
        resident_mib()
    );
    let (start, cpu) = (Instant::now(), cpu_seconds());
    while log.scrub_step(64 << 20).unwrap().progress == Progress::More {}
    println!(
        "scrub: {:.2} GB/s, {:.2} GB per CPU second",
        gigabytes / start.elapsed().as_secs_f64(),
        gigabytes / (cpu_seconds() - cpu)
    );
}

/// Runs `put` in `writers` threads for one window; gives puts per second and their number.
fn window(writers: u64, next: &AtomicU64, put: &(dyn Fn(u64) + Sync)) -> (f64, f64) {
    let done = AtomicU64::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                while start.elapsed() < WINDOW {
                    put(next.fetch_add(1, Ordering::Relaxed));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let count = done.into_inner() as f64;
    (count / start.elapsed().as_secs_f64(), count)
}

fn write_file(dir: &Path, number: u64, body: &[u8]) {
    let mut file = File::create_new(dir.join(format!("{number:016x}"))).unwrap();
    file.write_all(&header()).unwrap();
    file.write_all(body).unwrap();
    file.sync_all().unwrap();
    File::open(dir).unwrap().sync_all().unwrap();
}

fn key(number: u64) -> Key {
    let mut bytes = [0; 33];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    Key::new(&bytes).unwrap()
}

fn header() -> Vec<u8> {
    vec![0x5a; 200]
}

fn bytes_of(len: usize) -> bytes::Bytes {
    acre_disk::testing::Rng::new(1).bytes(len).into()
}

/// User and system time of this process so far, from the kernel's clock ticks (1/100 s).
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks as f64 / 100.0
}

fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

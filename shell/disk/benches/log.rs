//! Durable 64 KiB shards per second of the log against one file per shard with fsync of file and directory, interleaved in
//! one run on one disk; the rate at which a log without lists is scanned; CPU and memory. `cargo bench -p acre-disk`.
//!
//! `ACRE_BENCH_DIR` chooses the disk (default: the target directory's).

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may stop")]

use std::fs::{self, File};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use acre_disk::{Config, Disk, DiskFile, Key, OsDisk, Progress, ShardLog};

const WRITERS: u64 = 16;
const BODY_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_millis(1200);

fn main() {
    let base = std::env::var_os("ACRE_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let dir = base.join(format!("acre-disk-bench-{}", std::process::id()));
    fs::create_dir_all(dir.join("files")).unwrap();
    println!("disk: {}", dir.display());
    let disk = Arc::new(Counting::new(&dir.join("log")));
    let log = ShardLog::open_on(disk.clone(), Config::with_capacity(16 << 30)).unwrap();
    let body = bytes_of(BODY_BYTES);
    let next = AtomicU64::new(0);

    let put_log = |number: u64| log.put(key(number), header(), body.clone()).unwrap();
    let put_file = |number: u64| write_file(&dir.join("files"), number, &body);
    let mut rates = Vec::new();
    for round in 1..=ROUNDS {
        let cpu = cpu_seconds();
        disk.reset();
        let (log_rate, log_count) = window(WRITERS, &next, &put_log);
        let (syncs, sync_ms, write_ms) = disk.figures();
        let log_cpu_us = (cpu_seconds() - cpu) * 1e6 / log_count;
        let cpu = cpu_seconds();
        let (file_rate, file_count) = window(WRITERS, &next, &put_file);
        let file_cpu_us = (cpu_seconds() - cpu) * 1e6 / file_count;
        let (lone_rate, _) = window(1, &next, &put_file);
        println!(
            "round {round}: groups of {:.1}, write {write_ms:.2} ms, sync {sync_ms:.2} ms each",
            log_count / syncs
        );
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

/// The real disk, counting how long writes and syncs take.
struct Counting {
    disk: OsDisk,
    times: Arc<Times>,
}

#[derive(Default)]
struct Times {
    syncs: AtomicU64,
    sync_ns: AtomicU64,
    write_ns: AtomicU64,
}

impl Counting {
    fn new(dir: &Path) -> Self {
        Self { disk: OsDisk::new(dir).unwrap(), times: Arc::default() }
    }

    fn reset(&self) {
        for counter in [&self.times.syncs, &self.times.sync_ns, &self.times.write_ns] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// Syncs, milliseconds per sync and milliseconds of writing per sync.
    fn figures(&self) -> (f64, f64, f64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let syncs = load(&self.times.syncs).max(1.0);
        (syncs, load(&self.times.sync_ns) / 1e6 / syncs, load(&self.times.write_ns) / 1e6 / syncs)
    }

    fn wrap(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(CountingFile { file, times: self.times.clone() })
    }
}

impl Disk for Counting {
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.disk.lock()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(self.disk.open(name)?))
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(self.disk.create(name)?))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

struct CountingFile {
    file: Arc<dyn DiskFile>,
    times: Arc<Times>,
}

fn add(counter: &AtomicU64, start: Instant) {
    let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap();
    counter.fetch_add(nanos, Ordering::Relaxed);
}

impl DiskFile for CountingFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buf)
    }
    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let start = Instant::now();
        self.file.write_at(offset, parts)?;
        add(&self.times.write_ns, start);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let start = Instant::now();
        self.file.sync_data()?;
        add(&self.times.sync_ns, start);
        self.times.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }
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

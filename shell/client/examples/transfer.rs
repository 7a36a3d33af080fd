//! What put and get cost: CPU seconds of client and 24 nodes together, and peak memory, in one
//! process over loopback. `cargo run --release -p acre-client --example transfer [MiB] [FILES]`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for developers")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use acre_client::{PutOptions, Silent, Wanted};
use acre_types::Bytes;
use common::{Grid, random_bytes};

fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn peak_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

async fn timed<T>(what: &str, gigabytes: f64, work: impl Future<Output = T>) -> T {
    let (cpu_before, started) = (cpu(), Instant::now());
    let done = work.await;
    let (wall, used) = (started.elapsed().as_secs_f64(), (cpu() - cpu_before).as_secs_f64());
    println!(
        "{what}: {wall:.2} s, {used:.2} CPU-s, {:.2} CPU-s/GB, {:.0} MB/s, peak {} MiB",
        used / gigabytes,
        gigabytes * 1000.0 / wall,
        peak_mib()
    );
    done
}

async fn both(grid: &Grid, source: &Path, out: &Path, what: &str, gigabytes: f64) {
    let client = grid.client(1, Some(&out.with_extension("cache"))).await;
    let name = format!("/{what}");
    let options = || PutOptions { profile: None, to: Some(name.clone().into_bytes()) };
    let title = format!("put {what}");
    let put = client.put(source, options(), Arc::new(Silent));
    let put = timed(&title, gigabytes, put).await.unwrap();
    let ratio = put.bytes_stored as f64 / put.bytes_plain as f64;
    println!("  stored/plain {ratio:.3}, not yet full {}", put.not_yet_full);
    let again = client.put(source, options(), Arc::new(Silent));
    let again = timed(&format!("put {what} again"), gigabytes, again).await.unwrap();
    println!("  stored {} bytes more", again.bytes_stored);
    grid.take_gets();
    let wanted = Wanted::from(name.as_str());
    let (healthy, degraded) = (out.join(what), out.join(format!("{what} degraded")));
    let get = client.get(&wanted, &healthy, Arc::new(Silent));
    timed(&format!("get {what}"), gigabytes, get).await.unwrap();
    println!("  {} reads of shards", grid.take_gets());
    for number in 0..4 {
        grid.stop(number).await;
    }
    let client = grid.client(1, None).await;
    let get = client.get(&wanted, &degraded, Arc::new(Silent));
    timed(&format!("get {what}, 4 dead"), gigabytes, get).await.unwrap();
    for number in 0..4 {
        grid.restart(number).await;
    }
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let (mib, files) = (numbers.next().unwrap_or(256), numbers.next().unwrap_or(10_000));
    let grid = Grid::start(24, Bytes(8 << 30)).await;
    let place = tempfile::tempdir().unwrap();
    let (source, out) = (place.path().join("large"), place.path().join("out"));
    std::fs::create_dir(&out).unwrap();
    let mut file = std::fs::File::create(&source).unwrap();
    for seed in 0..mib.div_ceil(16) {
        std::io::Write::write_all(&mut file, &random_bytes(seed as u64 + 1, 16 << 20)).unwrap();
    }
    drop(file);
    both(&grid, &source, &out, "large", (mib << 20) as f64 / 1e9).await;
    let source = place.path().join("small");
    std::fs::create_dir(&source).unwrap();
    for number in 0..files {
        let bytes = random_bytes(number as u64 + 7, 10 << 10);
        std::fs::write(source.join(format!("{number:06}")), bytes).unwrap();
    }
    both(&grid, &source, &out, "small", (files * (10 << 10)) as f64 / 1e9).await;
}

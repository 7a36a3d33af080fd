//! How fast a region is made, by its size, on one core: `cargo bench -p acre-capacity`. CPU time
//! beside wall time, as the machine may be shared; then what a witness and a node spend on a sample
//! and on a lane of the puzzle.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reads the clock, prints and may stop"
)]

use std::time::Instant;

use acre_capacity::plot::{Fill, PlotRules};
use acre_capacity::puzzle::{Lane, LaneRules, Task};
use acre_capacity::tree;
use acre_types::{Digest, Epoch, NodeId};

/// User and system time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

fn main() {
    let node = NodeId([1; 32]);
    println!("region   layers   CPU s   MB/s of CPU   ns a label   wall s");
    for mib in [1_u32, 16, 64, 256] {
        let rules = PlotRules { region_bytes: mib << 20, layers: 3 };
        let (begun, cpu) = (Instant::now(), cpu_seconds());
        let repeat = (64 / mib).max(1);
        for region in 0..repeat {
            std::hint::black_box(Fill::new(node, region, rules).unwrap().finish());
        }
        let cpu = (cpu_seconds() - cpu) / f64::from(repeat);
        let wall = begun.elapsed().as_secs_f64() / f64::from(repeat);
        let bytes = f64::from(rules.region_bytes);
        println!(
            "{mib:>4} MiB {:>6} {cpu:>8.2} {:>13.1} {:>12.0} {wall:>8.2}",
            rules.layers,
            bytes / 1e6 / cpu,
            cpu * 1e9 / (bytes / 32.0 * f64::from(rules.layers)),
        );
    }
    let body = vec![7; 256 * 1024];
    let begun = Instant::now();
    for leaf in 0..200 {
        std::hint::black_box(tree::path(&body, leaf).unwrap());
    }
    println!(
        "path of a leaf of a 256 KiB shard: {:.0} us",
        begun.elapsed().as_micros() as f64 / 200.0
    );
    let rules = LaneRules { lane_bytes: 64 << 20, steps: 1 << 20 };
    let task = Task { node, epoch: Epoch(1), seed: Digest([2; 32]), lanes: 1, rules };
    let cpu = cpu_seconds();
    std::hint::black_box(Lane::solve(&task, 0).unwrap());
    println!("lane of 64 MiB and 2^20 steps: {:.2} s of CPU", cpu_seconds() - cpu);
}

//! Prints throughput and ratios of Acre's kernels and their peers, raced in one run.
//!
//! `cargo run --release --ignore-rust-version` for the table, `-- golden` for the golden file.

use std::time::Duration;

use acre_erasure::Kernel;
use erasure_bench::codecs::{self, Task};
use erasure_bench::golden;
use erasure_bench::meter::{self, Runner};
use erasure_bench::stripe::Layout;

/// Processor time of one window.
const WINDOW: Duration = Duration::from_millis(5);

/// Windows per contestant, of which the best counts.
const WINDOWS: usize = 60;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("golden") {
        print!("{}", golden::file());
        return;
    }
    println!(
        "GB/s of data bytes by processor time, best of {WINDOWS} interleaved windows, one core;"
    );
    println!("in brackets how many times faster the best Acre kernel is.");
    for layout in [Layout::Page, Layout::Allocator] {
        match layout {
            Layout::Page => println!("\nShards begin on pages"),
            Layout::Allocator => println!("\nShards begin 16 bytes past a page, as allocated"),
        }
        let mut is_first = true;
        for (data, parity) in [(16, 4), (20, 4)] {
            for cell in [64 << 10, 1 << 20] {
                for lost in [vec![], vec![1, 6, 9, 15]] {
                    let task = Task { data, parity, cell, lost };
                    let runners = race(&task, layout);
                    if is_first {
                        let names: String =
                            runners.iter().map(|r| format!("{:>24}", r.name)).collect();
                        println!("{:<20}{names}", "");
                        is_first = false;
                    }
                    print_row(&task, &runners);
                }
            }
        }
    }
}

/// Races Acre's vector kernels and the peers.
fn race(task: &Task, layout: Layout) -> Vec<Runner> {
    let kernels = Kernel::available().filter(|&kernel| kernel != Kernel::Scalar);
    let mut runners: Vec<Runner> = kernels.map(|kernel| codecs::acre(task, kernel)).collect();
    runners.push(codecs::isal(task));
    runners.push(codecs::rustfs(task));
    runners.push(codecs::fec(task));
    runners.push(codecs::leopard(task));
    let mut stripes = std::array::from_fn(|_| task.stripe(layout));
    meter::race(&mut runners, &mut stripes, WINDOWS, WINDOW);
    runners
}

fn print_row(task: &Task, runners: &[Runner]) {
    let Task { data, parity, cell, lost } = task;
    let bytes = f64::from(u32::try_from(data * cell).expect("a stripe is small"));
    let ours = runners[0].best;
    let verb = if lost.is_empty() { "encode" } else { "decode 4" };
    let rates: String = runners
        .iter()
        .map(|r| format!("{:>14.2} [{:>5.2}x]", bytes / r.best / 1e9, r.best / ours))
        .map(|rate| format!("{rate:>24}"))
        .collect();
    println!("{:<20}{rates}", format!("{data}+{parity} {}K {verb}", cell >> 10));
}

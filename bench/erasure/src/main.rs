//! Prints throughput and ratios of Acre's kernels and their peers, raced in one run.
//!
//! `cargo run --release --ignore-rust-version` for the table, `-- golden` for the golden file.

use std::time::Duration;

use acre_erasure::Kernel;
use erasure_bench::codecs::{self, Task};
use erasure_bench::{golden, meter};

/// Processor time of one window.
const WINDOW: Duration = Duration::from_millis(15);

/// Windows per contestant, of which the best counts.
const WINDOWS: usize = 25;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("golden") {
        print!("{}", golden::file());
        return;
    }
    println!("GB/s of data bytes by processor time, best of {WINDOWS} interleaved windows;");
    println!("in brackets: how many times the best Acre kernel is faster\n");
    let mut header_printed = false;
    for (data, parity) in [(16, 4), (20, 4)] {
        for cell in [64 << 10, 1 << 20] {
            for lost in [vec![], vec![1, 6, 9, 15]] {
                let task = Task { data, parity, cell, lost };
                let mut runners: Vec<_> =
                    Kernel::available().map(|kernel| codecs::acre(&task, kernel)).collect();
                runners.push(codecs::isal(&task));
                if std::env::var("FAST").is_ok() { runners.truncate(1); runners.push(codecs::isal(&task)); } else {
                runners.push(codecs::rustfs(&task));
                runners.push(codecs::fec(&task));
                runners.push(codecs::leopard(&task));
                }
                meter::race(&mut runners, WINDOWS, WINDOW);
                if !header_printed {
                    let names: Vec<String> =
                        runners.iter().map(|r| format!("{:>23}", r.name)).collect();
                    println!("{:<20}{}", "", names.join(""));
                    header_printed = true;
                }
                let bytes = f64::from(u32::try_from(data * cell).expect("a stripe is small"));
                let ours = runners[0].best;
                let cells: Vec<String> = runners
                    .iter()
                    .map(|r| format!("{:>14.2} [{:>5.2}x]", bytes / r.best / 1e9, r.best / ours))
                    .collect();
                let verb = if task.lost.is_empty() { "encode" } else { "decode 4" };
                let name = format!("{data}+{parity} {}K {verb}", cell >> 10);
                println!("{name:<20}{}", cells.join(" "));
            }
        }
    }
}

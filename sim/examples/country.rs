//! What a whole country costs one validator:
//! `cargo run --release -p acre-sim --example country` (100,000 nodes), or with
//! `-- <nodes> <epochs>`. Processor time is that of this thread, as Linux counts it;
//! the time of single blocks is on the clock.
#![expect(clippy::print_stdout, reason = "prints its figures")]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use acre_sim::country::{CountryOptions, EpochFigures, run_country};

/// Time that this thread was on a processor.
fn processor() -> Duration {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = line.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Time that passed since the first call.
fn clock() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn argument(at: usize) -> Option<u32> {
    std::env::args().nth(at)?.parse().ok()
}

fn share(part: Duration, of_ms: u64) -> f64 {
    part.as_secs_f64() * 100_000.0 / of_ms as f64
}

fn show(figures: &EpochFigures, span_ms: u64, nodes: u32) {
    let EpochFigures { reports, folded, strikes, turns, users, .. } = figures;
    println!(
        "  {reports} reports, {turns} turns, {users} of users: {:.1} tx/s, {:.1} kB/s; {folded} folds, {strikes} strikes",
        figures.transactions() as f64 * 1_000.0 / span_ms as f64,
        figures.bytes as f64 / span_ms as f64,
    );
    println!(
        "  processor {:.1} s = {:.2} % of a core: admitting {:.1} s, signatures {:.1} s, applying {:.1} s",
        figures.processor().as_secs_f64(),
        share(figures.processor(), span_ms),
        figures.admitting.as_secs_f64(),
        figures.signatures.as_secs_f64(),
        figures.applying.as_secs_f64(),
    );
    println!(
        "  a block p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms; state {} leaves, {:.1} MB = {} bytes a node",
        figures.percentile(50).as_secs_f64() * 1e3,
        figures.percentile(99).as_secs_f64() * 1e3,
        figures.percentile(100).as_secs_f64() * 1e3,
        figures.leaves,
        figures.state_bytes as f64 / 1e6,
        figures.state_bytes / u64::from(nodes.max(1)),
    );
    println!("  wronged {}, ring believed {}", figures.wronged, figures.believed);
    let tft = |units: u64| units as f64 / 1e7;
    println!(
        "  {} claims: {} receipts paid, {} not; {:.1} TFT minted, {:.1} of them for the ring",
        figures.claims,
        figures.paid,
        figures.unpaid,
        tft(figures.minted),
        tft(figures.minted_ring),
    );
}

fn main() -> Result<(), acre_sim::Violation> {
    let mut options = CountryOptions::country(processor, clock);
    options.nodes = argument(1).unwrap_or(options.nodes);
    options.epochs = argument(2).unwrap_or(options.epochs);
    let (nodes, span_ms) = (options.nodes, options.rules.epoch_ms);
    println!(
        "{nodes} nodes, {} farms, {} countries, {} cores, {} GB; epochs of {span_ms} ms with {} blocks, {} witnesses a node",
        options.farms,
        options.countries,
        options.cores,
        options.storage / 1_000_000_000,
        options.blocks,
        options.rules.witnesses,
    );
    let outcome = run_country(options)?;
    println!(
        "registering: {:.1} s; ring of {} nodes",
        outcome.registering.as_secs_f64(),
        outcome.ring
    );
    for (number, figures) in (1..).zip(&outcome.epochs) {
        println!("epoch {number}");
        show(figures, span_ms, nodes);
    }
    Ok(())
}

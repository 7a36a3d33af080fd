//! `acre bench`: the promises about a whole grid, measured from outside.
//!
//! It starts this same executable with a home of its own, gives it work as a person would, and reads
//! from `/proc` what its processes used. It knows nothing of packs, shards or the ledger, so that what
//! it measures is what a person gets. Where there is a peer, both do the same work in turns, in one
//! run, on one disk: ratios of one run are what counts.

mod data;
mod grid;
mod machine;
mod peer;
mod process;
mod report;
mod section;
mod small;

use std::path::{Path, PathBuf};
use std::time::Instant;

use acre_types::Bytes;
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::json;

use self::grid::Grid;
use self::report::Row;
use self::section::Bench;
use crate::exit::{Code, Failure, Outcome};
use crate::output::Output;

/// What to measure, and with how much.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these parts [default: all].
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    only: Vec<Part>,
    /// Bytes of the large file.
    #[arg(long, default_value = "1GiB", value_name = "SIZE")]
    size: Bytes,
    /// Small files, of 10 KiB each.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    files: u32,
    /// Times that put and get are measured in turns with the peer; the median counts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    rounds: u8,
    /// Where the grid and the data lie meanwhile; its disk is measured too [default: the directory for temporary files].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// A grid of 24 nodes: time to ready, memory and processor when idle.
    Up,
    /// One large file stored.
    Put,
    /// The same file fetched, healthy and with four places dead.
    Get,
    /// Many small files stored and fetched.
    Files,
    /// Memory of the client for a small and a large file.
    Memory,
}

impl Part {
    const ALL: [Self; 5] = [Self::Up, Self::Put, Self::Get, Self::Files, Self::Memory];
}

/// Measures and prints one table.
///
/// A goal that was missed is no error; a part that could not be measured is.
pub(crate) async fn run(options: &Options, out: &Output) -> Outcome {
    let begun = Instant::now();
    let base = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = Folder::create(&base)?;
    refuse_small_disk(folder.path(), options)?;
    let machine = machine::describe(folder.path());
    for line in machine.lines() {
        out.note(&line);
    }
    let grid = Grid::new(folder.path().join("home"))?;
    let mut bench = Bench::new(options, grid.clone(), folder.path(), out);
    let measured = tokio::select! {
        () = bench.run() => Ok(()),
        _ = tokio::signal::ctrl_c() => Err(()),
    };
    let rows = bench.into_rows();
    out.note("stopping the grid");
    grid.end().await;
    drop(folder);
    if measured.is_err() {
        return Err(Failure::new(Code::Interrupted, "interrupted")
            .state("the grid of the measurement was stopped and its data deleted")
            .into());
    }
    let value = json!({
        "machine": machine.json(),
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "seconds": begun.elapsed().as_secs_f64(),
    });
    out.data(&value, || format!("{}\n\n{}", machine.lines().join("\n"), report::table(&rows)));
    let failed = rows.iter().filter(|row| row.has_failed()).count();
    if failed > 0 {
        return Err(
            Failure::new(Code::Failed, format!("{failed} parts could not be measured")).into()
        );
    }
    Ok(())
}

/// Of the large file: the data, the shards of a round (1.25 times) and its removal not yet compacted, the
/// peer's copy, outputs. Of the small ones: all that and the outputs of all turns.
fn refuse_small_disk(folder: &Path, options: &Options) -> Outcome {
    let files = u64::from(options.files) * section::SMALL_FILE_BYTES;
    let rounds = u64::from(options.rounds);
    let needed = (options.size.0.max(files)).saturating_mul(6).saturating_add(files * rounds * 8);
    let disk = rustix::fs::statvfs(folder).context("the disk does not tell its free space")?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < needed {
        let what = format!("{} is free, {} are needed", Bytes(free), Bytes(needed));
        return Err(Failure::new(Code::NotEnough, what)
            .state("nothing was measured")
            .hint("--dir DIR on a larger disk, or a smaller --size")
            .into());
    }
    Ok(())
}

/// A directory that goes away with its owner.
struct Folder(PathBuf);

impl Folder {
    fn create(base: &Path) -> Outcome<Self> {
        let base = std::path::absolute(base).with_context(|| base.display().to_string())?;
        let path = base.join(format!("acre-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("warning: {} could not be deleted: {error}", self.0.display());
        }
    }
}

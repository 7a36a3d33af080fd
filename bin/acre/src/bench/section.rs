//! The parts of the measurement.

use std::path::{Path, PathBuf};
use std::time::Duration;

use acre_types::Bytes;

use super::grid::{Grid, NODES};
use super::peer::{ABSENT, Restic};
use super::process::Run;
use super::report::{Goal, Row, Unit};
use super::{Options, Part, data};
use crate::exit::{Code, Failure, Outcome};
use crate::output::Output;

/// A small file.
pub(crate) const SMALL_FILE_BYTES: u64 = 10 * 1024;
/// Places that die before a degraded read: what `standard` bears.
const LOSSES: usize = 4;
/// After the start a grid is left alone for so long before it counts as idle.
const SETTLE: Duration = Duration::from_secs(5);
/// So long it is watched then.
const IDLE: Duration = Duration::from_secs(20);
/// The small file of the memory measurement is the large one by this.
const MEMORY_STEP: u64 = 4;
/// Memory of the client may differ by so much between them: pools that fill, not data kept.
const MEMORY_RATIO_MAX: f64 = 1.25;

const MEGABYTE: f64 = 1e6;
const GIGABYTE: f64 = 1e9;

/// A measurement under way.
pub(crate) struct Bench<'a> {
    pub(super) options: &'a Options,
    pub(super) grid: Grid,
    pub(super) folder: PathBuf,
    pub(super) out: &'a Output,
    pub(super) restic: Option<Restic>,
    large: Large,
    pub(super) rows: Vec<Row>,
}

/// A run, with the processor time of the grid added to its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) seconds: f64,
    pub(super) cpu_seconds: f64,
    peak_bytes: f64,
}

impl Sample {
    pub(super) fn of(run: &Run, grid_seconds: f64) -> Self {
        let peak_bytes = run.peak_bytes as f64;
        Self { seconds: run.seconds, cpu_seconds: run.cpu_seconds + grid_seconds, peak_bytes }
    }
}

/// What was measured with the large file, one sample a round.
#[derive(Debug, Default)]
struct Large {
    put: Vec<Sample>,
    backup: Vec<Sample>,
    get: Vec<Sample>,
    restore: Vec<Sample>,
    degraded: Vec<Sample>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(options: &'a Options, grid: Grid, folder: &Path, out: &'a Output) -> Self {
        let (restic, large, rows) = (None, Large::default(), Vec::new());
        Self { options, grid, folder: folder.to_owned(), out, restic, large, rows }
    }

    /// All parts asked for. A part that fails becomes a row, and the next one has its turn.
    pub(crate) async fn run(&mut self) {
        self.restic = Restic::find(&self.folder).await;
        match &self.restic {
            Some(restic) => self.out.note(&format!("peer: {}", restic.version)),
            None => self.out.note(ABSENT),
        }
        let wanted = Part::ALL.map(|part| self.wants(part).then_some(part));
        for part in wanted.into_iter().flatten() {
            let (name, done) = match part {
                Part::Up => ("up", self.up().await),
                // Put and get share the file and the turns.
                Part::Get if self.wants(Part::Put) => continue,
                Part::Put | Part::Get => ("put and get", self.put_and_get().await),
                Part::Files => ("files", self.files().await),
                Part::Memory => ("memory", self.memory().await),
            };
            if let Err(error) = done {
                self.rows.push(Row::failure(name, &error));
            }
        }
    }

    pub(crate) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    fn wants(&self, part: Part) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&part)
    }

    pub(super) async fn ensure_up(&self) -> Outcome {
        if !self.grid.is_up() {
            self.out.note("starting a grid");
            self.grid.up().await?;
        }
        Ok(())
    }

    async fn up(&mut self) -> Outcome {
        self.out.note(&format!("starting {NODES} nodes in a fresh home"));
        let first = self.grid.up().await?;
        let ready = |name, run: &Run| {
            Row::new(name, Unit::Seconds, Some(run.seconds)).goal(Goal::AtMost(10.0))
        };
        self.rows.push(ready("up, 24 nodes in a fresh home, until ready", &first));
        self.grid.down().await?;
        self.out.note("starting it a second time");
        let second = self.grid.up().await?;
        self.rows.push(ready("up, the second time", &second));
        self.idle().await
    }

    async fn idle(&mut self) -> Outcome {
        self.out.note(&format!("watching the idle grid for {} s", IDLE.as_secs()));
        tokio::time::sleep(SETTLE).await;
        let (fine, coarse) = (self.grid.fine_usage(), self.grid.usage());
        let disk_before = data::disk_bytes(&self.grid.folder());
        tokio::time::sleep(IDLE).await;
        let used = match (fine, self.grid.fine_usage()) {
            (Some(before), Some(after)) => after.since(&before),
            _ => self.grid.usage().since(&coarse),
        };
        let grown = data::disk_bytes(&self.grid.folder()) as f64 - disk_before as f64;
        let memory = self.grid.node_memory().await?;
        let at = |index: usize| memory.get(index).map(|bytes| *bytes as f64 / MEGABYTE);
        let hours = IDLE.as_secs_f64() / 3600.0;
        let processes = self.grid.pids().len();
        self.rows.extend([
            Row::new("memory of an idle node, median", Unit::Megabytes, at(memory.len() / 2)),
            Row::new(
                "memory of an idle node, largest",
                Unit::Megabytes,
                at(memory.len().saturating_sub(1)),
            )
            .goal(Goal::AtMost(40.0)),
            Row::new(
                format!("processor of the idle grid ({processes} processes)"),
                Unit::Percent,
                Some(used / IDLE.as_secs_f64() * 100.0),
            )
            .goal(Goal::AtMost(5.0)),
            Row::new(
                "disk growth of the idle grid",
                Unit::MegabytesPerHour,
                Some(grown / MEGABYTE / hours),
            ),
        ]);
        Ok(())
    }

    async fn put_and_get(&mut self) -> Outcome {
        self.ensure_up().await?;
        let mut done = Ok(());
        for round in 0..self.options.rounds {
            done = self.round(round).await;
            if done.is_err() {
                break;
            }
        }
        if self.wants(Part::Put) {
            self.put_rows();
        }
        if self.wants(Part::Get) {
            self.get_rows();
        }
        done
    }

    /// Each side stores and fetches the same fresh file; who begins changes from round to round.
    async fn round(&mut self, round: u8) -> Outcome {
        let name = format!("large-{round}");
        let (path, stored) = (self.folder.join(&name), format!("/{name}"));
        data::file(&path, self.options.size.0, u64::from(round))?;
        let ours_first = round.is_multiple_of(2);
        if ours_first {
            self.put_large(&path, &stored).await?;
            self.back_up_large(&path, &name).await?;
        } else {
            self.back_up_large(&path, &name).await?;
            self.put_large(&path, &stored).await?;
        }
        if self.wants(Part::Get) {
            if ours_first {
                self.get_large(&path, &stored).await?;
                self.restore_large(&path, &name).await?;
            } else {
                self.restore_large(&path, &name).await?;
                self.get_large(&path, &stored).await?;
            }
            self.get_degraded(&path, &stored).await?;
        }
        if let Some(restic) = &self.restic {
            restic.remove(&name);
        }
        self.grid.remove(&stored).await?;
        Ok(std::fs::remove_file(&path)?)
    }

    async fn put_large(&mut self, path: &Path, stored: &str) -> Outcome {
        self.out.note(&format!("put of {}", self.options.size));
        let sample = self.put(path, stored).await?.0;
        self.large.put.push(sample);
        Ok(())
    }

    pub(super) async fn put(
        &self,
        path: &Path,
        stored: &str,
    ) -> Outcome<(Sample, serde_json::Value)> {
        quiet_disk();
        let before = self.grid.usage();
        let (run, report) = self.grid.put(path, stored).await?;
        Ok((Sample::of(&run, self.grid.usage().since(&before)), report))
    }

    pub(super) async fn get(&self, stored: &str, target: &Path) -> Outcome<Sample> {
        quiet_disk();
        let before = self.grid.usage();
        let run = self.grid.get(stored, target).await?;
        Ok(Sample::of(&run, self.grid.usage().since(&before)))
    }

    async fn back_up_large(&mut self, path: &Path, name: &str) -> Outcome {
        let Some(restic) = &self.restic else { return Ok(()) };
        self.out.note("restic backup of the same");
        restic.init(name).await?;
        quiet_disk();
        let run = restic.backup(name, path).await?;
        self.large.backup.push(Sample::of(&run, 0.0));
        Ok(())
    }

    async fn get_large(&mut self, path: &Path, stored: &str) -> Outcome {
        self.out.note("get");
        let target = self.folder.join("fetched");
        let sample = self.get(stored, &target).await?;
        data::compare(path, &target)?;
        std::fs::remove_file(&target)?;
        self.large.get.push(sample);
        Ok(())
    }

    async fn restore_large(&mut self, path: &Path, name: &str) -> Outcome {
        let Some(restic) = &self.restic else { return Ok(()) };
        self.out.note("restic restore");
        let target = self.folder.join("restored");
        quiet_disk();
        let run = restic.restore(name, &target).await?;
        data::compare(path, &below(&target, path))?;
        std::fs::remove_dir_all(&target)?;
        self.large.restore.push(Sample::of(&run, 0.0));
        Ok(())
    }

    async fn get_degraded(&mut self, path: &Path, stored: &str) -> Outcome {
        let mut dead = self.grid.holders(stored).await?;
        dead.truncate(LOSSES);
        if dead.len() < LOSSES {
            let what = format!("only {} nodes hold shards of {stored}", dead.len());
            return Err(Failure::new(Code::Failed, what).into());
        }
        self.out.note(&format!("get with {LOSSES} of the places that hold shards dead"));
        self.grid.switch("stop", &dead).await?;
        let target = self.folder.join("fetched-degraded");
        let sample = self.get(stored, &target).await;
        self.grid.switch("start", &dead).await?;
        let sample = sample?;
        data::compare(path, &target)?;
        std::fs::remove_file(&target)?;
        self.large.degraded.push(sample);
        Ok(())
    }

    /// Says in each row that compares why the peer's figure is missing.
    pub(super) fn beside(&self, row: Row, peer: Option<f64>) -> Row {
        match &self.restic {
            Some(_) => row.beside(peer),
            None => row.note(ABSENT),
        }
    }

    fn put_rows(&mut self) {
        let (size, gigabytes) = (self.options.size, self.options.size.0 as f64 / GIGABYTE);
        let cpu = |samples: &[Sample]| median(samples, |s| s.cpu_seconds / gigabytes);
        let wall = |samples: &[Sample]| median(samples, |s| s.seconds);
        let peak = |samples: &[Sample]| median(samples, |s| s.peak_bytes / MEGABYTE);
        let Large { put, backup, .. } = &self.large;
        let rows = [
            self.beside(
                Row::new(
                    format!("put {size}, processor of client and grid"),
                    Unit::SecondsPerGb,
                    cpu(put),
                ),
                cpu(backup),
            )
            .goal(Goal::AtMost(5.0)),
            self.beside(
                Row::new(format!("put {size}, time"), Unit::Seconds, wall(put)),
                wall(backup),
            )
            .goal(Goal::RatioAtMost(1.0)),
            self.beside(
                Row::new(
                    format!("put {size}, peak memory of the client"),
                    Unit::Megabytes,
                    peak(put),
                ),
                peak(backup),
            ),
        ];
        self.rows.extend(rows);
    }

    fn get_rows(&mut self) {
        let bytes = self.options.size.0 as f64;
        let size = self.options.size;
        let cpu = |samples: &[Sample]| median(samples, |s| s.cpu_seconds / (bytes / GIGABYTE));
        let wall = |samples: &[Sample]| median(samples, |s| s.seconds);
        let rate = |samples: &[Sample]| median(samples, |s| bytes / MEGABYTE / s.seconds);
        let Large { get, restore, degraded, .. } = &self.large;
        let rows = [
            self.beside(
                Row::new(
                    format!("get {size}, processor of client and grid"),
                    Unit::SecondsPerGb,
                    cpu(get),
                ),
                cpu(restore),
            )
            .goal(Goal::AtMost(3.0)),
            self.beside(
                Row::new(format!("get {size}, time"), Unit::Seconds, wall(get)),
                wall(restore),
            ),
            Row::new(
                "get, 4 of 20 places dead, beside healthy",
                Unit::MegabytesPerSecond,
                rate(degraded),
            )
            .beside(rate(get))
            .goal(Goal::RatioAtLeast(0.8)),
            Row::new(
                "get, 4 of 20 places dead, processor, beside healthy",
                Unit::SecondsPerGb,
                cpu(degraded),
            )
            .beside(cpu(get)),
        ];
        self.rows.extend(rows);
    }

    async fn memory(&mut self) -> Outcome {
        self.ensure_up().await?;
        let mut peaks = Vec::new();
        let large = self.options.size;
        let small = Bytes(large.0 / MEMORY_STEP);
        for (size, name) in [(small, "memory-small"), (large, "memory-large")] {
            self.out.note(&format!("put of {size}, watching the client's memory"));
            let path = self.folder.join(name);
            // Seeds of its own: nothing here was stored before.
            data::file(&path, size.0, size.0)?;
            let (sample, _) = self.put(&path, &format!("/{name}")).await?;
            peaks.push(sample.peak_bytes / MEGABYTE);
            std::fs::remove_file(&path)?;
        }
        let name = format!("peak memory of the client, {large} beside {small}");
        self.rows.push(
            Row::new(name, Unit::Megabytes, peaks.last().copied())
                .beside(peaks.first().copied())
                .goal(Goal::RatioAtMost(MEMORY_RATIO_MAX)),
        );
        Ok(())
    }
}

/// What others left to be written must not be written on somebody's time.
pub(super) fn quiet_disk() {
    rustix::fs::sync();
}

/// Where restic puts what stood at an absolute path.
pub(super) fn below(target: &Path, path: &Path) -> PathBuf {
    target.join(path.strip_prefix("/").unwrap_or(path))
}

pub(super) fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Option<f64> {
    let mut figures: Vec<f64> = samples.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        count if count.is_multiple_of(2) => {
            Some((figures.get(middle.checked_sub(1)?)? + figures.get(middle)?) / 2.0)
        }
        _ => figures.get(middle).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_none_one_even_and_odd() {
        let of = |figures: &[f64]| {
            let samples: Vec<Sample> = figures
                .iter()
                .map(|seconds| Sample { seconds: *seconds, ..Sample::default() })
                .collect();
            median(&samples, |sample| sample.seconds)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some(3.0));
        assert_eq!(of(&[4.0, 1.0]), Some(2.5));
        assert_eq!(of(&[9.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn restored_file_is_sought_below_the_target_at_its_old_path() {
        assert_eq!(below(Path::new("/t"), Path::new("/a/b")), Path::new("/t/a/b"));
    }
}

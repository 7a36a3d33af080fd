//! Many small files: what a directory of documents costs.

use super::data;
use super::report::{Goal, Row, Unit};
use super::section::{Bench, SMALL_FILE_BYTES, Sample, below, median, quiet_disk};
use crate::exit::Outcome;

/// Times that the files are fetched, in turns with the peer. The cost of making many files hangs on
/// what the file system did shortly before: ext4 steps over inodes that were just freed, one by one.
const GET_TURNS: u8 = 3;

/// What was measured.
#[derive(Debug, Default)]
struct Small {
    put: Vec<Sample>,
    backup: Vec<Sample>,
    get: Vec<Sample>,
    restore: Vec<Sample>,
    /// By the plain bytes.
    stored: Option<f64>,
    written: Option<f64>,
    peer_written: Option<f64>,
}

impl Bench<'_> {
    pub(super) async fn files(&mut self) -> Outcome {
        self.ensure_up().await?;
        let mut small = Small::default();
        let mut done = Ok(());
        for round in 0..self.options.rounds {
            done = self.small_round(round, &mut small).await;
            if done.is_err() {
                break;
            }
        }
        self.small_rows(&small);
        done
    }

    async fn small_round(&self, round: u8, small: &mut Small) -> Outcome {
        let name = format!("small-{round}");
        let source = self.folder.join(&name);
        data::tree(&source, self.options.files, SMALL_FILE_BYTES, u64::MAX - u64::from(round))?;
        if round.is_multiple_of(2) {
            self.put_small(&name, small).await?;
            self.back_up_small(&name, small).await?;
        } else {
            self.back_up_small(&name, small).await?;
            self.put_small(&name, small).await?;
        }
        for turn in 0..GET_TURNS {
            if turn.is_multiple_of(2) {
                self.get_small(&name, turn, small).await?;
                self.restore_small(&name, turn, small).await?;
            } else {
                self.restore_small(&name, turn, small).await?;
                self.get_small(&name, turn, small).await?;
            }
        }
        // Nothing is deleted here: that would burden whoever makes files next.
        Ok(())
    }

    fn plain_bytes(&self) -> f64 {
        (u64::from(self.options.files) * SMALL_FILE_BYTES) as f64
    }

    async fn put_small(&self, name: &str, small: &mut Small) -> Outcome {
        self.out.note(&format!("put of {} files of 10 KiB", self.options.files));
        let before = data::written_bytes(&self.grid.nodes());
        let (sample, report) = self.put(&self.folder.join(name), &format!("/{name}")).await?;
        small.put.push(sample);
        quiet_disk();
        let written = data::written_bytes(&self.grid.nodes()).saturating_sub(before);
        small.written = Some(written as f64 / self.plain_bytes());
        let stored = report["bytes_stored"].as_u64();
        small.stored = stored.map(|bytes| bytes as f64 / self.plain_bytes());
        Ok(())
    }

    async fn back_up_small(&self, name: &str, small: &mut Small) -> Outcome {
        let Some(restic) = &self.restic else { return Ok(()) };
        self.out.note("restic backup of the same");
        restic.init(name).await?;
        quiet_disk();
        let run = restic.backup(name, &self.folder.join(name)).await?;
        small.backup.push(Sample::of(&run, 0.0));
        let written = data::written_bytes(&restic.repository(name));
        small.peer_written = Some(written as f64 / self.plain_bytes());
        Ok(())
    }

    async fn get_small(&self, name: &str, turn: u8, small: &mut Small) -> Outcome {
        self.out.note("get");
        let target = self.folder.join(format!("{name}-fetched-{turn}"));
        small.get.push(self.get(&format!("/{name}"), &target).await?);
        data::compare(&self.folder.join(name), &target)
    }

    async fn restore_small(&self, name: &str, turn: u8, small: &mut Small) -> Outcome {
        let Some(restic) = &self.restic else { return Ok(()) };
        self.out.note("restic restore");
        let (source, target) =
            (self.folder.join(name), self.folder.join(format!("{name}-restored-{turn}")));
        quiet_disk();
        let run = restic.restore(name, &target).await?;
        small.restore.push(Sample::of(&run, 0.0));
        data::compare(&source, &below(&target, &source))
    }

    fn small_rows(&mut self, small: &Small) {
        let count = self.options.files;
        let what = format!("{count} files of 10 KiB");
        let rate = |samples: &[Sample]| median(samples, |s| f64::from(count) / s.seconds);
        let cpu = |samples: &[Sample]| median(samples, |s| s.cpu_seconds);
        let compared =
            |name: String, unit, ours, peer| self.beside(Row::new(name, unit, ours), peer);
        let rows = [
            compared(
                format!("put {what}"),
                Unit::FilesPerSecond,
                rate(&small.put),
                rate(&small.backup),
            )
            .goal(Goal::RatioAtLeast(1.0)),
            compared(
                format!("put {what}, processor of client and grid"),
                Unit::Seconds,
                cpu(&small.put),
                cpu(&small.backup),
            ),
            compared(
                format!("get {what}"),
                Unit::FilesPerSecond,
                rate(&small.get),
                rate(&small.restore),
            )
            .goal(Goal::RatioAtLeast(1.0)),
            compared(
                format!("get {what}, processor of client and grid"),
                Unit::Seconds,
                cpu(&small.get),
                cpu(&small.restore),
            ),
            Row::new(format!("{what}, stored / plain"), Unit::Times, small.stored)
                .goal(Goal::AtMost(1.30)),
            compared(
                format!("{what}, written to disk / plain"),
                Unit::Times,
                small.written,
                small.peer_written,
            ),
        ];
        self.rows.extend(rows);
    }
}

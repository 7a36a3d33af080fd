//! Validators as real processes of which one has a wrong clock.
//!
//! Debian's `faketime` gives one process a clock of its own (`cargo xtask test` installs it).
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Grid, Kept, Story, command, eventually, list, number, text};

/// An account that nobody has the key of.
const NOBODY: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

#[test]
fn clock_that_is_wrong_by_a_day_harms_nobody_else() {
    let library = faketime();
    let grid = Grid::with_validators(1, 4);
    let mut dreamer = Dreamer::new(&grid, library);
    let mut story = Story::default();
    story.check("started a day behind", || started_at(&mut dreamer, "-1d"));
    story.check("started a day ahead", || started_at(&mut dreamer, "+1d"));
    story.check("it votes with the right clock", || votes_with_the_right_clock(&mut dreamer));
    story.check("it goes a day ahead", || goes_ahead(&dreamer));
    story.check("it is set back", || is_set_back(&mut dreamer));
    story.check("it comes back", || dreamer.comes_back());
    story.check("all blocks are sound", || {
        let verified = grid.acre(&["ledger", "verify"]).exits(0).json();
        assert!(number(&verified, "height") > 1, "{verified}");
    });
    story.end();
}

/// What to load into a process so that it takes its clock from a file.
#[track_caller]
fn faketime() -> String {
    let shown = Command::new("faketime").args(["-f", "+0", "env"]).output();
    let shown = shown.unwrap_or_else(|error| {
        panic!("this test needs the program faketime (apt-get install faketime): {error}")
    });
    let shown = String::from_utf8(shown.stdout).unwrap();
    let library = shown.lines().find_map(|line| line.strip_prefix("LD_PRELOAD="));
    library.expect("faketime loads a library").to_owned()
}

/// The last of the validators, run by this test with a clock that the test sets.
struct Dreamer<'a> {
    grid: &'a Grid,
    library: String,
    id: String,
    dir: PathBuf,
    process: Option<Kept>,
}

impl<'a> Dreamer<'a> {
    fn new(grid: &'a Grid, library: String) -> Self {
        let dir = grid.home().join("grid/validators/3");
        let id = text(&list(&grid.status(), "validators")[3], "id").to_owned();
        grid.acre(&["validator", "stop", &id]).exits(0);
        Self { grid, library, id, dir, process: None }
    }

    fn set_clock(&self, offset: &str) {
        // Never seen half written.
        let (new, clock) = (self.grid.path("clock.new"), self.grid.path("clock"));
        fs::write(&new, format!("{offset}\n")).unwrap();
        fs::rename(new, clock).unwrap();
    }

    fn start(&mut self, offset: &str) {
        self.process = None;
        self.set_clock(offset);
        let mut run = command(&["validator", "run"]);
        run.env("LD_PRELOAD", &self.library).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        run.env("FAKETIME_TIMESTAMP_FILE", self.grid.path("clock"));
        // The file is read whenever the clock is.
        run.env("FAKETIME_NO_CACHE", "1");
        let (process, ready) = Kept::run(run, &self.dir);
        assert_eq!(text(&ready, "id"), self.id);
        self.process = Some(process);
    }

    /// With the right clock.
    fn comes_back(&mut self) {
        self.start("+0");
        let info = self.grid.acre(&["ledger", "info"]).exits(0).json();
        let tip = number(&info, "height");
        eventually("it catches up", || (self.height() > tip).then_some(()));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap()
    }

    fn height(&self) -> u64 {
        let shown = self.grid.acre(&["validator", "list"]).exits(0).json();
        let own = list(&shown, "validators").iter().find(|one| one["id"] == *self.id).cloned();
        own.unwrap()["height"].as_u64().unwrap_or(0)
    }

    /// The others go on, and their time is not that of the wrong clock.
    fn others_go_on(&self) {
        for amount in ["1", "2"] {
            self.grid.acre(&["wallet", "send", NOBODY, amount]).exits(0);
        }
        let info = self.grid.acre(&["ledger", "info"]).exits(0).json();
        let time = UNIX_EPOCH + Duration::from_millis(number(&info, "time"));
        let hours = |from: SystemTime, to: SystemTime| {
            to.duration_since(from).map_or(0, |since| since.as_secs() / 3600)
        };
        let now = SystemTime::now();
        assert_eq!((hours(time, now), hours(now, time)), (0, 0), "{info}");
    }
}

fn started_at(dreamer: &mut Dreamer<'_>, offset: &str) {
    dreamer.start(offset);
    dreamer.others_go_on();
    let info = dreamer.grid.acre(&["ledger", "info"]).exits(0).json();
    assert!(dreamer.height() < number(&info, "height"), "nobody talks to it");
    eventually("its log says to look at the clock", || {
        dreamer.log().contains("clock").then_some(())
    });
    dreamer.others_go_on();
}

fn votes_with_the_right_clock(dreamer: &mut Dreamer<'_>) {
    dreamer.comes_back();
    // Without one of the others nothing goes on but by its vote.
    let other = text(&list(&dreamer.grid.status(), "validators")[0], "id").to_owned();
    dreamer.grid.acre(&["validator", "stop", &other]).exits(0);
    dreamer.others_go_on();
    dreamer.grid.acre(&["validator", "start", &other]).exits(0);
    dreamer.others_go_on();
}

/// While it is connected: its blocks from tomorrow are not voted for.
fn goes_ahead(dreamer: &Dreamer<'_>) {
    dreamer.set_clock("+1d");
    dreamer.others_go_on();
    // Blocks of an idle grid: time in which it lives a day ahead.
    let height = || number(&dreamer.grid.acre(&["ledger", "info"]).exits(0).json(), "height");
    let later = height() + 4;
    eventually("idle blocks are made", || (height() >= later).then_some(()));
}

/// Its timers would stand still for a day: it ends, and says why.
fn is_set_back(dreamer: &mut Dreamer<'_>) {
    dreamer.set_clock("+0");
    let mut process = dreamer.process.take().unwrap();
    let ended = eventually("it ends", || process.0.try_wait().unwrap());
    assert!(!ended.success());
    let log = dreamer.log();
    assert!(log.contains("clock was set back by 86"), "{log}");
    dreamer.others_go_on();
}

//! Several validators as real processes: any one may die at any moment, two stop all commits, and
//! nothing that was committed is ever lost or contradicted.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use common::{Grid, Story, eventually, kill, list, number, text};

/// An account that nobody has the key of.
const NOBODY: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

#[test]
fn four_validators_bear_the_loss_of_any_one() {
    let grid = Grid::with_validators(4, 4);
    let mut story = Story::default();
    story.check("status tells of four", || status_tells_of_four(&grid));
    story.check("each may die and return", || each_may_die_and_return(&grid));
    story.check("two lost stop commits", || two_lost_stop_commits(&grid));
    story.check("all killed at once come back", || all_killed_at_once_come_back(&grid));
    story.end();
}

fn validators(grid: &Grid) -> Vec<Value> {
    let report = grid.acre(&["validator", "list"]).exits(0).json();
    list(&report, "validators").to_vec()
}

fn ids(grid: &Grid) -> Vec<String> {
    validators(grid).iter().map(|validator| text(validator, "id").to_owned()).collect()
}

/// What the account of [`NOBODY`] has, proven.
fn received(grid: &Grid) -> u64 {
    let got = grid.acre(&["ledger", "get", "account", NOBODY]);
    if got.code() == 3 { 0 } else { number(&got.exits(0).json()["object"], "balance_units") }
}

#[track_caller]
fn send(grid: &Grid) {
    let before = received(grid);
    grid.acre(&["wallet", "send", NOBODY, &amount()]).exits(0);
    arrived(grid, before);
}

/// Another amount each time: two transactions are never the same.
fn amount() -> String {
    static SENT: AtomicU64 = AtomicU64::new(1);
    SENT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A validator that catches up may be asked first.
#[track_caller]
fn arrived(grid: &Grid, before: u64) {
    eventually("what was sent arrives", || (received(grid) > before).then_some(()));
}

fn status_tells_of_four(grid: &Grid) {
    let status = grid.status();
    assert_eq!(list(&status, "validators").len(), 4, "{status}");
    assert_eq!(number(&status, "validators_quorum"), 3);
    let pids: std::collections::BTreeSet<_> =
        list(&status, "validators").iter().map(|validator| number(validator, "pid")).collect();
    assert_eq!(pids.len(), 4, "each is a process of its own");
    send(grid);
}

fn each_may_die_and_return(grid: &Grid) {
    for id in ids(grid) {
        let status = grid.status();
        let list = list(&status, "validators");
        let one = list.iter().find(|validator| validator["id"] == *id).unwrap();
        kill(u32::try_from(number(one, "pid")).unwrap());
        send(grid);
        grid.acre(&["validator", "start", &id]).exits(0);
        send(grid);
    }
    assert_eq!(number(&grid.status(), "validators_quorum"), 3);
}

fn two_lost_stop_commits(grid: &Grid) {
    let ids = ids(grid);
    let before = received(grid);
    for id in &ids[..2] {
        grid.acre(&["validator", "stop", id]).exits(0);
    }
    let status = grid.status();
    assert_eq!(status["ready"], false, "{status}");
    grid.words(&["status"]).exits(0).shows("no quorum");
    // What is sent meanwhile waits, and is committed when there is a quorum again.
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| grid.acre(&["wallet", "send", NOBODY, &amount()]).exits(0));
        for id in &ids[..2] {
            grid.acre(&["validator", "start", id]).exits(0);
        }
        sent.join().unwrap();
    });
    eventually("the ledger goes on", || (grid.status()["ready"] == true).then_some(()));
    arrived(grid, before);
}

fn all_killed_at_once_come_back(grid: &Grid) {
    let before = received(grid);
    for validator in list(&grid.status(), "validators") {
        kill(u32::try_from(number(validator, "pid")).unwrap());
    }
    for id in eventually("all are seen to be dead", || {
        let status = grid.status();
        let validators = list(&status, "validators");
        let dead = validators.iter().all(|validator| validator["state"] == "failed");
        dead.then(|| validators.iter().map(|one| text(one, "id").to_owned()).collect::<Vec<_>>())
    }) {
        grid.acre(&["validator", "start", &id]).exits(0);
    }
    eventually("nothing is lost", || (received(grid) == before).then_some(()));
    send(grid);
}

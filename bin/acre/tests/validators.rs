//! Several validators as real processes: any one may die at any moment, two stop all commits, and
//! nothing that was committed is ever lost or contradicted.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use common::{Grid, Kept, Story, acre, eventually, free_address, kill, list, number, text};

/// An account that nobody has the key of.
const NOBODY: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
const UNITS_PER_TFT: u64 = 10_000_000;

#[test]
fn four_validators_bear_the_loss_of_any_one() {
    let grid = Grid::with_validators(4, 4);
    let mut story = Story::default();
    story.check("status tells of four", || status_tells_of_four(&grid));
    story.check("each may die and return", || each_may_die_and_return(&grid));
    story.check("two lost stop commits", || two_lost_stop_commits(&grid));
    story.check("who sends without a quorum is told", || without_quorum_one_is_told(&grid));
    story.check("all killed at once come back", || all_killed_at_once_come_back(&grid));
    story.end();
}

/// Terms of six blocks: an idle grid makes one a second.
#[test]
fn validators_join_by_stake_and_leave_at_the_end_of_a_term() {
    let settings = ["seats.term_heights=6", "seats.by=stake:100", "seats.unbonding_terms=1"];
    let grid = Grid::with_settings(1, 4, &settings);
    let mut story = Story::default();
    let fifth = Joined::new(&grid);
    story.check("a fifth joins and sits", || fifth_joins_and_sits(&grid, &fifth));
    story.check("its vote counts", || its_vote_counts(&grid));
    story.check("a founder leaves", || founder_leaves(&grid));
    story.check("the fifth leaves with its stake", || fifth_leaves(&grid, &fifth));
    story.end();
}

/// A validator in a directory of its own, run by nobody but this test.
struct Joined {
    id: String,
    dir: String,
    _process: Kept,
}

impl Joined {
    fn new(grid: &Grid) -> Self {
        let (dir, home) = (grid.arg("fifth"), grid.home());
        let (rpc, engine) = (free_address(), free_address());
        let new = ["validator", "new", "--dir", &dir, "--rpc", &rpc, "--engine", &engine];
        let made =
            acre(&[&new[..], &["--grid", home.to_str().unwrap(), "--json"]].concat()).exits(0);
        let id = text(&made.json(), "id").to_owned();
        let (process, ready) = Kept::role(&["validator", "run"], &grid.path("fifth"));
        assert_eq!(text(&ready, "id"), id);
        Self { id, dir, _process: process }
    }
}

/// Waits until so many sit, and all of them are up to date. Each payment makes a block at once, so
/// that a term is over sooner than an idle grid would end it.
#[track_caller]
fn until_seated(grid: &Grid, count: usize) -> Vec<String> {
    eventually("the seats change hands", || {
        grid.acre(&["wallet", "send", NOBODY, &amount()]).exits(0);
        let all = validators(grid);
        let are_well = all.iter().all(|validator| validator["state"] == "voting");
        let id = |validator: &Value| text(validator, "id").to_owned();
        (all.len() == count && are_well).then(|| all.iter().map(id).collect())
    })
}

fn fifth_joins_and_sits(grid: &Grid, fifth: &Joined) {
    assert_eq!(validators(grid).len(), 4);
    let joined = grid.acre(&["validator", "join", "--dir", &fifth.dir]).exits(0).json();
    assert_eq!((text(&joined, "stake"), text(&joined, "standing")), ("100 TFT", "standing"));
    // It is not registered twice.
    grid.acre(&["validator", "join", "--dir", &fifth.dir]).exits(7).says(&["candidate already"]);
    let listed = grid.acre(&["validator", "list"]).exits(0).json();
    let is_named = |list: &[Value]| list.iter().any(|it| it == &Value::from(&*fifth.id));
    assert!(is_named(list(&listed, "next")), "it sits next: {listed}");
    assert!(until_seated(grid, 5).contains(&fifth.id));
    // A seat cannot go below the least stake.
    grid.acre(&["validator", "unstake", "1"]).exits(7).says(&["give up the seat first"]);
    send(grid);
}

/// Four of five are a quorum: without one founder nothing goes on but by the vote of the fifth.
fn its_vote_counts(grid: &Grid) {
    let founder = text(&list(&grid.status(), "validators")[3], "id").to_owned();
    grid.acre(&["validator", "stop", &founder]).exits(0);
    send(grid);
    grid.acre(&["validator", "start", &founder]).exits(0);
    until_seated(grid, 5);
}

fn founder_leaves(grid: &Grid) {
    let dir = grid.home().join("grid/validators/0");
    let founder = text(&list(&grid.status(), "validators")[0], "id").to_owned();
    let leave = ["validator", "leave", "--dir", dir.to_str().unwrap()];
    // A founder's account is its own, and has nothing to pay fees with.
    let error = grid.acre(&leave).exits(8).error();
    assert!(text(&error, "try").contains("acre wallet send"), "{error}");
    grid.acre(&["wallet", "send", &founder, "1"]).exits(0);
    grid.acre(&leave).exits(0);
    assert!(!until_seated(grid, 4).contains(&founder));
    send(grid);
}

fn fifth_leaves(grid: &Grid, fifth: &Joined) {
    grid.acre(&["validator", "leave"]).exits(0);
    assert!(!until_seated(grid, 3).contains(&fifth.id));
    let gone = eventually("the stake is due", || {
        grid.acre(&["wallet", "send", NOBODY, &amount()]).exits(0);
        let done = grid.acre(&["validator", "collect"]);
        (done.code() == 0).then(|| done.json())
    });
    assert_eq!(text(&gone, "standing"), "gone", "{gone}");
    grid.acre(&["validator", "leave"]).exits(3).error();
    send(grid);
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

/// What was sent is neither lost nor done twice, and the command says what it waits for.
fn without_quorum_one_is_told(grid: &Grid) {
    let ids = ids(grid);
    let before = received(grid);
    for id in &ids[2..] {
        grid.acre(&["validator", "stop", id]).exits(0);
    }
    let sent = grid.acre(&["wallet", "send", NOBODY, &amount(), "--timeout", "3s"]);
    sent.says(&["2 of 4 validators answer, 3 are needed: waiting for more"]);
    let error = sent.exits(6).error();
    assert!(text(&error, "state").contains("once"), "{error}");
    for id in &ids[2..] {
        grid.acre(&["validator", "start", id]).exits(0);
    }
    arrived(grid, before);
}

/// While payments are on their way: what was told to be final is there again, and no block is another
/// one than before.
fn all_killed_at_once_come_back(grid: &Grid) {
    let before = received(grid);
    let (sent, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
    // Until one is not final any more.
    let pay = || {
        for _ in 0..200 {
            let amount = amount();
            let units = amount.parse::<u64>().unwrap() * UNITS_PER_TFT;
            sent.fetch_add(units, Ordering::SeqCst);
            if grid.acre(&["wallet", "send", NOBODY, &amount, "--timeout", "2s"]).code() != 0 {
                break;
            }
            acknowledged.fetch_add(units, Ordering::SeqCst);
        }
    };
    let last = std::thread::scope(|scope| {
        scope.spawn(pay);
        eventually("payments are on their way", || {
            (acknowledged.load(Ordering::SeqCst) > 0).then_some(())
        });
        let last = newest_block(grid);
        for validator in list(&grid.status(), "validators") {
            kill(u32::try_from(number(validator, "pid")).unwrap());
        }
        last
    });
    for id in eventually("all are seen to be dead", || {
        let status = grid.status();
        let validators = list(&status, "validators");
        let dead = validators.iter().all(|validator| validator["state"] == "failed");
        dead.then(|| validators.iter().map(|one| text(one, "id").to_owned()).collect::<Vec<_>>())
    }) {
        grid.acre(&["validator", "start", &id]).exits(0);
    }
    let (sent, acknowledged) = (sent.into_inner(), acknowledged.into_inner());
    let kept = eventually("what was acknowledged is there", || {
        let kept = received(grid) - before;
        (kept >= acknowledged).then_some(kept)
    });
    assert!(kept <= sent, "{kept} of {sent}");
    send(grid);
    assert_eq!(block(grid, number(&last, "height")), last, "a final block is another one now");
    grid.acre(&["ledger", "verify"]).exits(0);
}

fn block(grid: &Grid, height: u64) -> Value {
    grid.acre(&["ledger", "block", &height.to_string()]).exits(0).json()
}

fn newest_block(grid: &Grid) -> Value {
    let info = grid.acre(&["ledger", "info"]).exits(0).json();
    block(grid, number(&info, "height"))
}

//! The guided tour, which is also a test of the whole: it must end well, show what it promises, and
//! leave nothing behind, however it ends.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{
    Kept, command, eventually, finish_within, kill, list, number, processes_of, text, tree,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Half a minute on an idle machine; a busy one with two cores may take ten times as long.
const TOUR: Duration = Duration::from_secs(600);

fn tour(folder: &Path) -> Command {
    let path = |name: &str| folder.join(name);
    fs::create_dir_all(path("source/more")).unwrap();
    fs::create_dir_all(path("tmp")).unwrap();
    for number in 0..40 {
        let file = path("source/more").join(format!("{number}.txt"));
        fs::write(file, format!("page {number}\n").repeat(200)).unwrap();
    }
    fs::write(path("source/noise"), tree::noise(1, 6_000_000)).unwrap();
    let mut tour = command(&["tour", "--no-pause", "--json"]);
    tour.arg(path("source")).env("TMPDIR", path("tmp")).env("ACRE_HOME", path("home"));
    tour.env("HOME", path("tmp")).current_dir(path("tmp"));
    tour
}

fn home_is_empty(folder: &Path) -> bool {
    let home = folder.join("home");
    !home.exists() || tree::names_in(&home).is_empty()
}

#[test]
fn tour_shows_what_it_promises_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tour = tour(folder.path());
    let before = tree::read(&path("source"));
    let done = finish_within(tour, TOUR).exits(0);
    eprintln!("{}", done.stdout);

    let left = processes_of(folder.path());
    assert!(left.is_empty(), "processes are left: {left:?}");
    assert_eq!(tree::names_in(&path("tmp")), [""; 0], "something is left in the temporary folder");
    assert!(home_is_empty(folder.path()), "the tour left something in the person's home");
    assert_eq!(tree::read(&path("source")), before, "the tour changed what it was shown");
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);

    let report = done.json();
    assert_eq!(report["passed"], true);
    assert_eq!(number(&report, "files"), 41);
    assert_eq!(number(&report["grid"], "validators"), 4);
    farmer_earned_what_others_saw(&report["farmer"]);
    bill_sums(&report["bill"]);
    payment_went_through_without_a_validator(&report["validator"]);
    liar_was_refused(&report["liar"]);
    ledger_adds_up(&report["ledger"], number(&report["farmer"], "minted_units"));
}

fn ledger_adds_up(ledger: &Value, farmed: u64) {
    assert_eq!(ledger["verified"], true);
    assert!(number(ledger, "replayed") > 0 && number(ledger, "transactions") > 0, "{ledger}");
    let there = number(ledger, "balances_units") + number(ledger, "escrow_units");
    assert_eq!(there, number(ledger, "minted_units") - number(ledger, "burned_units"));
    assert!(number(ledger, "rewarded_units") >= farmed, "{ledger}");
}

fn farmer_earned_what_others_saw(farmer: &Value) {
    assert!(number(farmer, "minted_units") > 0, "{farmer}");
    let (verified, claimed) = (number(farmer, "verified_bytes"), number(farmer, "claimed_bytes"));
    assert!(0 < verified && verified < claimed, "only what is filled is proven: {farmer}");
    assert!(number(farmer, "epochs_witnessed") > 0 && number(farmer, "receipts_paid") > 0);
    assert_eq!(farmer["receipts_recomputed"], true);
}

/// From the facts of the report alone.
fn bill_sums(bill: &Value) {
    let units = |line: &Value, key: &str| {
        let amount = text(line, key).trim_end_matches(" TFT");
        let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
        format!("{whole}{part:0<7}").parse::<u64>().unwrap()
    };
    let of = |entry: &'static str| {
        list(bill, "lines").iter().filter(move |line| text(line, "entry") == entry)
    };
    assert!(of("lock").count() > 0 && of("pay").count() > 0, "{bill}");
    let given_in = of("lock").chain(of("deposit")).chain(of("closing"));
    let in_all: u64 = given_in.map(|line| units(line, "net")).sum();
    let back: u64 = of("pay").map(|line| units(line, "refund")).sum();
    assert_eq!(in_all - back, number(bill, "paid_units"));
    let out: u64 = of("pay").map(|line| units(line, "net")).sum();
    assert_eq!(in_all - out, number(bill, "held_units"));
    let shares = ["farms", "foundation", "fund", "burned"];
    let given: u64 = of("pay")
        .map(|line| shares.map(|share| units(&line["shares"], share)).into_iter().sum::<u64>())
        .sum();
    assert_eq!(given, number(bill, "given_units"));
    assert_eq!(bill["lines_recomputed"], true);
}

fn payment_went_through_without_a_validator(validator: &Value) {
    assert_eq!(number(validator, "validators"), 4);
    assert_eq!(number(validator, "running_while_dead"), 3);
    assert_eq!(validator["committed_while_dead"], true);
    let committed = number(validator, "committed_height");
    assert!(number(validator, "caught_up_height") >= committed, "{validator}");
}

fn liar_was_refused(liar: &Value) {
    assert!(number(liar, "told_units") > number(liar, "true_units"), "{liar}");
    assert_eq!(liar["refused"], true);
    assert_eq!(number(liar, "exit_code"), 9);
    assert_eq!(liar["honest_answer_passes"], true);
    assert_eq!(liar["proof_file"]["verified"], true);
    assert_eq!(number(&liar["proof_file"], "forged_exit_code"), 9);
}

/// Its grid has processes, but is not ready yet.
fn is_starting(folder: &Path) -> bool {
    processes_of(folder).len() > 8
}

/// Its grid is ready, and the farmer has a node beside it.
fn is_under_way(folder: &Path) -> bool {
    let Ok(tours) = fs::read_dir(folder.join("home")) else { return false };
    tours.filter_map(Result::ok).any(|tour| tour.path().join("farmer-node/settings.json").exists())
}

#[test]
fn ended_tour_takes_its_processes_along() {
    let folder = tempfile::tempdir().unwrap();
    let begin = |is_there: fn(&Path) -> bool| {
        let mut tour = tour(folder.path());
        let child = Kept(tour.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        eventually("the tour gets so far", || is_there(folder.path()).then_some(()));
        child
    };
    let is_over = || processes_of(folder.path()).is_empty().then_some(());

    // The next one removes what a killed one could not.
    let killed = begin(is_under_way);
    kill(killed.0.id());
    eventually("nothing runs on", is_over);
    assert!(!home_is_empty(folder.path()), "nobody was there to remove it");

    for (signal, is_there) in
        [(Signal::INT, is_starting as fn(&Path) -> bool), (Signal::TERM, is_under_way)]
    {
        let mut stopped = begin(is_there);
        send(&stopped.0, signal);
        let code = eventually("the tour ends", || stopped.0.try_wait().unwrap()).code();
        assert_eq!(code, Some(130), "{signal:?}");
        assert!(is_over().is_some(), "{:?} are left", processes_of(folder.path()));
        assert!(home_is_empty(folder.path()), "{signal:?} left something in the home");
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

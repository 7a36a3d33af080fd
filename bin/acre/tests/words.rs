//! The command line itself: what it refuses, and what scripts may rely on. No grid is needed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{acre, acre_at, command, text, without_reader};

#[test]
fn wrong_words_and_flags_are_usage_errors() {
    let home = tempfile::tempdir().unwrap();
    for words in [
        &["frobnicate"][..],
        &[],
        &["up", "--nodes", "0"],
        &["up", "--nodes", "100000"],
        &["up", "--nodes", "many"],
        &["up", "--no-such-flag"],
        &["put"],
        &["put", "x", "--profile", "no such profile"],
        &["put", "x", "--to", ""],
        &["up", "--capacity", "1MiB", "--detach"],
        &["up", "--plots", "1TiB", "--detach"],
        &["get"],
        &["rm"],
        &["mv", "/only one"],
        &["explain"],
        &["node", "start"],
        &["wallet", "send", "not an account", "1"],
        &["wallet", "send", &"07".repeat(32), "1,5"],
        &["ledger", "block", "first"],
        &["id", "restore"],
        &["completions", "no such shell"],
        &["tour", "--no-such-flag"],
    ] {
        let done = acre_at(home.path(), words).exits(2);
        assert!(done.stdout.is_empty(), "{words:?} printed {}", done.stdout);
        assert!(!text(&done.error(), "error").is_empty(), "{words:?} said nothing");
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    }
    let left = common::tree::names_in(home.path());
    assert!(left.is_empty(), "a usage error makes nothing, but there is {left:?}");
}

/// A flag of a command and one of all commands must not have the same name: that shows only when the
/// command is run.
#[test]
fn every_command_reads_its_flags() {
    let home = tempfile::tempdir().unwrap();
    for words in [
        &["repair", "--wait"][..],
        &["status"],
        &["vote", "list"],
        &["validator", "list"],
        &["farm", "show"],
        &["id", "handle", "show", "nobody"],
        &["wallet", "balance", "--timeout", "1s"],
    ] {
        let done = acre_at(home.path(), words);
        assert!([3, 5].contains(&done.code()), "without a grid: {done:?}");
        done.error();
    }
}

#[test]
fn help_and_version_are_data() {
    for words in [&["--help"][..], &["help"], &["up", "--help"], &["put", "--help"]] {
        let done = acre(words).exits(0);
        assert!(done.stdout.contains("Usage:") && done.stderr.is_empty(), "{done:?}");
    }
    let version = acre(&["version", "--json"]).exits(0).json();
    assert_eq!(text(&version, "version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(
        acre(&["version"]).exits(0).stdout,
        concat!("acre ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = acre(&["completions", shell]).exits(0).stdout;
        for word in ["explain", "repair", "ledger", "wallet"] {
            assert!(script.contains(word), "{word} is missing for {shell}");
        }
    }
}

#[test]
fn reader_that_goes_away_is_no_error() {
    for words in [&["version"][..], &["completions", "zsh"], &["--help"]] {
        let (code, stderr) = without_reader(command(words));
        assert_eq!((code, stderr.as_str()), (0, ""), "{words:?}");
    }
}

/// An answer that a full disk swallowed was not given; a remark that it swallowed is no matter.
#[test]
fn full_disk_is_told_where_the_answer_was_to_go() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let home = tempfile::tempdir().unwrap();
    let run = |words: &[&str], change: &dyn Fn(&mut std::process::Command)| {
        let mut command = command(words);
        change(command.arg("--home").arg(home.path()));
        let done = command.output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    acre_at(home.path(), &["id", "new"]).exits(0);
    for words in [&["id", "words"][..], &["version"], &["id", "show", "--json"]] {
        let (code, stderr) = run(words, &|command| {
            command.stdout(full());
        });
        assert!(code == Some(8) && stderr.contains("could not be written"), "{words:?}: {stderr}");
    }
    let (code, _) = run(&["node", "list"], &|command| {
        command.stderr(full());
    });
    assert_eq!(code, Some(3));
    // Nor does a line of the log matter: nobody listens at port 1, and that is logged.
    let genesis = home.path().join("village");
    let line = format!("{},127.0.0.1:2,127.0.0.1:1", "07".repeat(32));
    let account = "08".repeat(32);
    let words = ["grid", "new", "Village", "--validator", &line, "--foundation", &account, "-o"];
    let mut new = command(&words);
    new.arg(&genesis);
    common::finish(new).exits(0);
    acre_at(home.path(), &["grid", "join", genesis.to_str().unwrap()]).exits(0);
    let (code, _) = run(&["wallet", "balance"], &|command| {
        command.stderr(full()).env("ACRE_LOG", "debug");
    });
    assert_eq!(code, Some(5));
}

#[test]
fn home_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join(std::ffi::OsStr::from_bytes(b"h\xff"));
    acre_at(&home, &["id", "new"]).exits(0).json();
    acre_at(&home, &["id", "show"]).exits(0).json();
}

/// A village's home must not lose its grid to an `acre up`.
#[test]
fn home_of_one_grid_is_taken_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (home, genesis) = (folder.path().join("home"), folder.path().join("genesis"));
    let key = acre_at(&home, &["id", "new"]).exits(0).json();
    let account = text(&key, "account");
    let line = format!("{account},127.0.0.1:7001,127.0.0.1:7002");
    let words = ["grid", "new", "Village", "--validator", &line, "--foundation", account, "-o"];
    let mut new = command(&words);
    new.arg(&genesis);
    common::finish(new).exits(0);
    acre_at(&home, &["grid", "join", genesis.to_str().unwrap()]).exits(0);
    for words in [&["up", "--nodes", "3", "--detach"][..], &["up", "--nodes", "3"]] {
        let error = acre_at(&home, words).exits(7).error();
        assert!(text(&error, "error").contains("'Village'"), "{error}");
    }
    assert_eq!(text(&acre_at(&home, &["grid", "show"]).exits(0).json(), "name"), "Village");
}

#[test]
fn home_is_taken_from_the_environment_and_the_flag_wins() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut new = command(&["id", "new", "--json"]);
    common::finish({
        new.env("ACRE_HOME", first.path());
        new
    })
    .exits(0);
    assert!(first.path().join("id/words").exists());
    let mut new = command(&["id", "new", "--json", "--home"]);
    new.arg(second.path()).env("ACRE_HOME", first.path());
    common::finish(new).exits(0);
    assert!(second.path().join("id/words").exists());
}

#[test]
fn home_without_a_grid_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    acre_at(home.path(), &["id", "new"]).exits(0);
    for words in [
        &["put", "/etc/hostname"][..],
        &["get", "/x", "/tmp/never made"],
        &["ls"],
        &["explain", "/x"],
        &["wallet", "balance"],
        &["ledger", "info"],
        &["node", "list"],
    ] {
        let error = acre_at(home.path(), words).exits(3).error();
        assert!(text(&error, "try").contains("acre up"), "{error}");
    }
    acre_at(home.path(), &["down"]).exits(5).error();
    acre_at(home.path(), &["status"]).exits(5).error();
}

//! Storage on a grid of 24 nodes: what was put comes back as it was, whatever is lost on the way.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{
    ACRE, Grid, Kept, Output, Story, acre_at, command, eventually, finish, is_alive, keys, list,
    number, text, tree, without_reader,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Places of `standard`.
const SHARDS: usize = 20;
/// How many of them may be lost.
const LOSSES: usize = 4;

#[test]
fn stored_data_outlives_what_a_grid_may_lose() {
    let grid = Grid::up(24);
    tree::make(&grid.path("source"));
    let mut story = Story::default();
    story.check("put_reports_what_it_did", || put_reports_what_it_did(&grid));
    story.check("directory_comes_back_equal", || directory_comes_back_equal(&grid));
    story.check("part_of_a_directory_comes_back", || part_of_a_directory_comes_back(&grid));
    story.check("existing_target_is_left_alone", || existing_target_is_left_alone(&grid));
    story.check("missing_things_are_not_found", || missing_things_are_not_found(&grid));
    story.check("names_are_listed", || names_are_listed(&grid));
    story.check("names_cannot_speak_to_terminals", || names_cannot_speak_to_terminals(&grid));
    story.check("object_survives_renames", || object_survives_renames(&grid));
    story.check("second_put_replaces_and_merges", || second_put_replaces_and_merges(&grid));
    story.check("removal_takes_what_was_named", || removal_takes_what_was_named(&grid));
    story.check("unreadable_file_is_reported", || unreadable_file_is_reported(&grid));
    story.check("special_file_is_reported", || special_file_is_reported(&grid));
    story.check("names_that_make_no_sense_are_refused", || senseless_names_are_refused(&grid));
    story.check("closed_pipe_is_quiet", || closed_pipe_is_quiet(&grid));
    story.check("explain_has_the_documented_shape", || explain_has_the_documented_shape(&grid));
    story.check("words_alone_bring_all_back", || words_alone_bring_all_back(&grid));
    story.check("killed_put_leaves_nothing_visible", || killed_put_leaves_nothing_visible(&grid));
    story.check("interrupted_put_says_so", || interrupted_put_says_so(&grid));
    story.check("interrupted_get_leaves_nothing", || interrupted_get_leaves_nothing(&grid));
    story.check("first_puts_at_once_share_a_volume", || first_puts_at_once_share(&grid));
    story.check("restarted_grid_has_all_data", || restarted_grid_has_all_data(&grid));
    story.check("as_many_losses_as_promised_are_borne", || promised_losses_are_borne(&grid));
    story.check("repair_bears_as_many_losses_again", || repair_bears_losses_again(&grid));
    story.check("flipped_bit_is_found_and_mended", || flipped_bit_is_found_and_mended(&grid));
    story.end();
}

/// Stores a path under a name; what it reported.
#[track_caller]
fn put(grid: &Grid, path: &Path, name: &str) -> Value {
    grid.acre(&["put", path.to_str().unwrap(), "--to", name]).exits(0).json()
}

/// Stores noise of its own under a name.
#[track_caller]
fn put_noise(grid: &Grid, name: &str, seed: u64, length: usize) -> Value {
    let file = grid.path(&format!("noise {seed}"));
    fs::write(&file, tree::noise(seed, length)).unwrap();
    put(grid, &file, name)
}

/// Fetches a thing to a fresh path and compares it with its source.
#[track_caller]
fn assert_comes_back(grid: &Grid, wanted: &str, source: &Path) {
    assert_comes_back_to(&grid.home(), grid, wanted, source);
}

#[track_caller]
fn assert_comes_back_to(home: &Path, grid: &Grid, wanted: &str, source: &Path) {
    let folder = tempfile::tempdir_in(grid.path("")).unwrap();
    let out = folder.path().join("out");
    acre_at(home, &["get", wanted, out.to_str().unwrap()]).exits(0);
    tree::assert_same(source, &out);
    assert_eq!(tree::names_in(folder.path()), ["out"], "something was left beside OUT");
}

/// Fetches a thing that cannot be had: nothing may be left behind.
#[track_caller]
fn assert_fails(grid: &Grid, wanted: &str, code: i32) -> Output {
    let folder = tempfile::tempdir_in(grid.path("")).unwrap();
    let out = folder.path().join("out");
    let done = grid.acre(&["get", wanted, out.to_str().unwrap()]).exits(code);
    let left = tree::names_in(folder.path());
    assert!(left.is_empty(), "a failed get left {left:?}");
    done
}

/// Names directly below a path.
#[track_caller]
fn names(grid: &Grid, path: &str) -> BTreeSet<String> {
    let listed = grid.acre(&["ls", path]).exits(0).json();
    list(&listed, "entries").iter().map(|entry| text(entry, "name").to_owned()).collect()
}

#[track_caller]
fn explain(grid: &Grid, name: &str) -> Value {
    grid.acre(&["explain", name]).exits(0).json()
}

/// The nodes that hold the first stripe of a thing.
#[track_caller]
fn holders(grid: &Grid, name: &str) -> Vec<String> {
    let explained = explain(grid, name);
    let shards = list(&list(&explained, "stripes")[0], "shards");
    shards.iter().map(|shard| text(shard, "node").to_owned()).collect()
}

fn put_reports_what_it_did(grid: &Grid) {
    let report = put(grid, &grid.path("source"), "/tree");
    for key in ["object", "bytes_plain", "bytes_stored", "shards", "durable", "seconds"] {
        assert!(keys(&report).contains(&key), "no {key} in {report}");
    }
    assert!(!text(&report, "object").is_empty());
    assert_eq!(report["durable"], true);
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
    let (plain, stored) = (number(&report, "bytes_plain"), number(&report, "bytes_stored"));
    assert!(plain > 9_000_000 && plain < tree::SPARSE / 2, "holes are not read: {plain}");
    assert!(stored > 9_000_000 * 5 / 4, "20 shards of 16: {stored}");
    assert!(number(&report, "shards") >= 3 * 19, "three packs at least: {report}");
    assert_eq!(number(&report, "warnings_total"), 0, "{report}");
}

fn directory_comes_back_equal(grid: &Grid) {
    let (source, out) = (grid.path("source"), grid.path("out"));
    let report = grid.acre(&["get", "/tree", &grid.arg("out")]).exits(0).json();
    tree::assert_same(&source, &out);
    let sparse = fs::metadata(out.join("sparse")).unwrap();
    assert!(sparse.blocks() * 512 < tree::SPARSE / 4, "the hole was filled");
    assert_eq!(number(&report, "entries"), tree::read(&source).len() as u64);
    // Without OUT it goes to the last part of the name, here.
    let here = tempfile::tempdir().unwrap();
    let mut get = command(&["get", "/tree/a", "--home"]);
    get.arg(grid.home()).current_dir(here.path());
    finish(get).exits(0);
    tree::assert_same(&source.join("a"), &here.path().join("a"));
}

fn part_of_a_directory_comes_back(grid: &Grid) {
    let source = grid.path("source");
    for part in ["a/b/c/deep.txt", "a", "empty", "empty directory", "large.bin", "new\nline"] {
        assert_comes_back(grid, &format!("/tree/{part}"), &source.join(part));
    }
}

fn existing_target_is_left_alone(grid: &Grid) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "precious").unwrap();
    fs::create_dir(path("directory")).unwrap();
    symlink("/nowhere", path("dangling")).unwrap();
    let before = tree::read(folder.path());
    for target in ["file", "directory", "dangling"] {
        for wanted in ["/tree", "/tree/run.sh"] {
            grid.acre(&["get", wanted, path(target).to_str().unwrap()]).exits(7).error();
        }
    }
    assert_eq!(tree::read(folder.path()), before);
    grid.acre(&["get", "/tree", path("no such folder/out").to_str().unwrap()]).exits(3).error();
}

fn missing_things_are_not_found(grid: &Grid) {
    let report = put_noise(grid, "/there", 11, 1000);
    let mut object = text(&report, "object").to_owned();
    let last = object.pop().unwrap();
    object.push(if last == '0' { '1' } else { '0' });
    for wanted in ["/nowhere", "/tree/nowhere", "/tree/run.sh/below", &object] {
        assert_fails(grid, wanted, 3).error();
        grid.acre(&["explain", wanted]).exits(3).error();
        grid.acre(&["ls", wanted]).exits(3).error();
        grid.acre(&["rm", "-r", wanted]).exits(3).error();
        grid.acre(&["mv", wanted, "/moved"]).exits(3).error();
    }
    grid.acre(&["put", "/no/such/file"]).exits(3).error();
}

fn names_are_listed(grid: &Grid) {
    assert!(names(grid, "/").contains("tree"));
    let listed = names(grid, "/tree");
    for name in ["empty", "new\nline", "-rf", "Zürich 東京 🌍", "quote\" and \\ and '", "dangling"]
    {
        assert!(listed.contains(name), "{name:?} is not in {listed:?}");
    }
    assert_eq!(listed.len(), fs::read_dir(grid.path("source")).unwrap().count());
    assert_eq!(names(grid, "/tree/a/b").len(), 201);
    let files = grid.acre(&["ls", "/tree"]).exits(0).json();
    let of = |name: &str| {
        list(&files, "entries").iter().find(|entry| entry["name"] == name).unwrap().clone()
    };
    let run = of("run.sh");
    assert_eq!((text(&run, "kind"), text(&run, "mode")), ("file", "755"));
    assert_eq!(number(&run, "mtime_ns"), 1_000_000_000_123_456_789);
    assert_eq!(number(&run, "size_bytes"), 10);
    assert_eq!(text(&of("dangling"), "target"), "/nowhere/at all");
    assert_eq!(text(&of("a"), "kind"), "directory");
    let people = grid.words(&["ls", "-l", "/tree"]).exits(0).stdout;
    let line = people.lines().find(|line| line.ends_with("run.sh")).unwrap();
    assert!(line.starts_with("-0755") && line.contains("2001-09-09 01:46"), "{line}");
    assert!(people.contains("dangling -> /nowhere/at all"), "{people}");
    let short = grid.words(&["ls", "/tree/a"]).exits(0).stdout;
    assert_eq!(short, "b/\n");
}

/// A stored name is a stranger's text where directories are shared: it must not steer a terminal,
/// nor look like two names.
fn names_cannot_speak_to_terminals(grid: &Grid) {
    for words in [&["ls", "/tree"][..], &["ls", "-l", "/tree"]] {
        let shown = grid.words(words).exits(0).stdout;
        assert!(!shown.contains(['\x1b', '\x07']), "{words:?} printed {shown:?}");
        let lines = fs::read_dir(grid.path("source")).unwrap().count();
        assert_eq!(shown.lines().count(), lines, "a line a name");
    }
}

fn object_survives_renames(grid: &Grid) {
    let object = put_noise(grid, "/old name", 12, 300_000)["object"].clone();
    let object = object.as_str().unwrap();
    let source = grid.path("noise 12");
    assert_comes_back(grid, object, &source);
    grid.acre(&["mv", "/old name", "/new name"]).exits(0);
    assert_comes_back(grid, object, &source);
    assert_comes_back(grid, "/new name", &source);
    assert_fails(grid, "/old name", 3);
    // Into a directory; and back by its object.
    let moved = grid.acre(&["mv", "/new name", "/tree/a"]).exits(0).json();
    assert_eq!(text(&moved, "to"), "/tree/a/new name");
    assert_comes_back(grid, object, &source);
    grid.acre(&["mv", object, "/back again"]).exits(0);
    assert_comes_back(grid, object, &source);
    assert_comes_back(grid, "/tree", &grid.path("source").clone());
    // Nothing is overwritten, and no directory goes into itself.
    grid.acre(&["mv", "/back again", "/tree/run.sh"]).exits(7).error();
    let into_itself = grid.acre(&["mv", "/tree", "/tree/a/b/tree"]);
    assert!([2, 7].contains(&into_itself.code()), "{into_itself:?}");
    assert_comes_back(grid, object, &source);
    assert_comes_back(grid, "/tree/run.sh", &grid.path("source/run.sh"));
}

/// As `cp -rT`: a file replaces a file, a directory is merged into a directory.
fn second_put_replaces_and_merges(grid: &Grid) {
    put_noise(grid, "/replaced", 20, 400_000);
    put_noise(grid, "/replaced", 21, 500_000);
    assert_comes_back(grid, "/replaced", &grid.path("noise 21"));

    let (first, second, both) = (grid.path("first"), grid.path("second"), grid.path("both"));
    for (folder, files) in [
        (&first, &[("kept", "old"), ("changed", "old")][..]),
        (&second, &[("added", "new"), ("changed", "new")]),
        (&both, &[("kept", "old"), ("added", "new"), ("changed", "new")]),
    ] {
        fs::create_dir(folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    put(grid, &first, "/merged");
    put(grid, &second, "/merged");
    let out = grid.path("merged");
    grid.acre(&["get", "/merged", out.to_str().unwrap()]).exits(0);
    for name in ["kept", "added", "changed"] {
        assert_eq!(fs::read(out.join(name)).unwrap(), fs::read(both.join(name)).unwrap());
    }
    assert_eq!(names(grid, "/merged").len(), 3);

    // A file never takes a directory's place, and nothing changes its profile by the way.
    let file = grid.arg("noise 20");
    grid.acre(&["put", &file, "--to", "/merged"]).exits(7).error();
    grid.acre(&["put", &file, "--to", "/replaced", "--profile", "tiny"]).exits(7).error();
    assert_eq!(names(grid, "/merged").len(), 3);
    assert_comes_back(grid, "/replaced", &grid.path("noise 21"));
}

fn removal_takes_what_was_named(grid: &Grid) {
    put(grid, &grid.path("source/a"), "/doomed");
    let object = put_noise(grid, "/doomed/file", 13, 200_000)["object"].clone();
    let refused = grid.acre(&["rm", "/doomed"]);
    assert!([2, 7].contains(&refused.code()), "{refused:?}");
    refused.error();
    assert!(names(grid, "/doomed").contains("b"), "a refused removal removes nothing");
    grid.acre(&["rm", "/doomed/file"]).exits(0);
    assert!(!names(grid, "/doomed").contains("file"));
    assert_fails(grid, object.as_str().unwrap(), 3);
    grid.acre(&["rm", "-r", "/doomed"]).exits(0);
    assert!(!names(grid, "/").contains("doomed"));
    assert_fails(grid, "/doomed", 3);
    grid.acre(&["rm", "-r", "/doomed"]).exits(3).error();
    // What it shared with the rest is still there.
    assert_comes_back(grid, "/tree/a", &grid.path("source/a"));
}

/// A put by somebody to whom modes of files apply: root gives up the right to pass them by.
fn bound_by_modes(words: &[&str], grid: &Grid, file: &Path) -> Output {
    let mut put = if fs::File::open(file).is_ok() {
        let mut put = Command::new("setpriv");
        put.args(["--bounding-set", "-dac_override,-dac_read_search"]).arg(ACRE).args(words);
        put.env_remove("ACRE_HOME").env_remove("ACRE_LOG");
        put
    } else {
        command(words)
    };
    put.arg("--json").arg("--home").arg(grid.home()).stdin(Stdio::null());
    finish(put)
}

fn unreadable_file_is_reported(grid: &Grid) {
    let source = grid.path("partly readable");
    fs::create_dir_all(source.join("folder")).unwrap();
    fs::write(source.join("open"), "open").unwrap();
    fs::write(source.join("secret"), "secret").unwrap();
    fs::write(source.join("folder/deep secret"), "secret").unwrap();
    fs::set_permissions(source.join("secret"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(source.join("folder/deep secret"), Permissions::from_mode(0o000)).unwrap();
    let words = ["put", source.to_str().unwrap(), "--to", "/partly"];
    let done = bound_by_modes(&words, grid, &source.join("secret")).exits(0);
    let report = done.json();
    assert_eq!(number(&report, "warnings_total"), 2, "{report}");
    for name in ["/secret", "/deep secret"] {
        let told = list(&report, "warnings").iter().any(|w| w.as_str().unwrap().contains(name));
        assert!(told && done.stderr.contains(name), "{name} is not reported: {done:?}");
    }
    assert_eq!(names(grid, "/partly"), ["folder", "open"].map(ToOwned::to_owned).into());
    assert!(names(grid, "/partly/folder").is_empty());
    assert_comes_back(grid, "/partly/open", &source.join("open"));
    // A file that was named itself is not silently left out.
    let secret = source.join("secret");
    let words = ["put", secret.to_str().unwrap(), "--to", "/secret"];
    let done = bound_by_modes(&words, grid, &secret).exits(4);
    done.error();
    assert!(!names(grid, "/").contains("secret"));
}

fn special_file_is_reported(grid: &Grid) {
    let source = grid.path("with a socket");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "file").unwrap();
    let socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
    let report = put(grid, &source, "/with a socket");
    assert_eq!(number(&report, "warnings_total"), 1, "{report}");
    assert!(report["warnings"][0].as_str().unwrap().contains("/socket"), "{report}");
    assert_eq!(names(grid, "/with a socket"), ["file".to_owned()].into());
    drop(socket);
}

fn senseless_names_are_refused(grid: &Grid) {
    let before = names(grid, "/");
    let source = grid.path("source/run.sh");
    let long = format!("/{}", "n".repeat(300));
    for name in ["", "/", "/a/../b", "/.", "/..", &long] {
        let done = grid.acre(&["put", source.to_str().unwrap(), "--to", name]);
        assert!([2, 7].contains(&done.code()), "'{name}': {done:?}");
        done.error();
    }
    assert_eq!(names(grid, "/"), before);
}

fn closed_pipe_is_quiet(grid: &Grid) {
    for words in [&["ls", "/tree/a/b"][..], &["explain", "/tree"], &["status"]] {
        let mut command = command(words);
        command.arg("--home").arg(grid.home());
        let (code, stderr) = without_reader(command);
        assert_eq!((code, stderr.as_str()), (0, ""), "{words:?}");
    }
}

fn explain_has_the_documented_shape(grid: &Grid) {
    let explained = explain(grid, "/tree");
    assert_eq!(text(&explained, "profile"), "16+4");
    assert_eq!(number(&explained, "losses_survivable"), LOSSES as u64);
    assert!(list(&explained, "stripes").len() >= 3, "{explained}");
    for stripe in list(&explained, "stripes") {
        assert!(!text(stripe, "id").is_empty());
        let shards = list(stripe, "shards");
        let indices: Vec<u64> = shards.iter().map(|shard| number(shard, "index")).collect();
        assert_eq!(indices, (0..SHARDS as u64).collect::<Vec<_>>());
        let nodes: BTreeSet<&str> = shards.iter().map(|shard| text(shard, "node")).collect();
        let sites: BTreeSet<&str> = shards.iter().map(|shard| text(shard, "site")).collect();
        assert_eq!((nodes.len(), sites.len()), (SHARDS, SHARDS), "each at a site of its own");
        for shard in shards {
            assert_eq!(keys(shard), ["index", "node", "site", "state"]);
            assert_eq!(text(shard, "state"), "verified", "{explained}");
        }
    }
    let people = grid.words(&["explain", "/tree"]).exits(0).stdout;
    assert!(people.contains("any 4 more places may be lost"), "{people}");
}

fn words_alone_bring_all_back(grid: &Grid) {
    let words = grid.acre(&["id", "words"]).exits(0).json();
    fs::write(grid.path("words"), text(&words, "words")).unwrap();
    let (home, friend, file) = (grid.home(), grid.path("friend"), grid.arg("words"));
    let restore = ["id", "restore", "--words-file", &file, "--grid", home.to_str().unwrap()];
    acre_at(&friend, &restore).exits(0);
    let of = |home: &Path| acre_at(home, &["ls"]).exits(0).json()["entries"].clone();
    assert_eq!(of(&friend), of(&home));
    assert_comes_back_to(&friend, grid, "/tree", &grid.path("source"));
    // Both homes may write; each sees what the other wrote.
    let source = grid.path("source/run.sh");
    acre_at(&friend, &["put", source.to_str().unwrap(), "--to", "/from a friend"]).exits(0);
    assert_comes_back(grid, "/from a friend", &source);
    // Without its cache a home knows as much.
    let cache = grid.home().join("cache");
    if cache.exists() {
        fs::remove_dir_all(cache).unwrap();
    }
    assert_comes_back(grid, "/tree", &grid.path("source"));
    // A stranger on the same grid sees nothing of it.
    let stranger = grid.path("stranger");
    acre_at(&stranger, &["id", "new"]).exits(0);
    fs::create_dir_all(stranger.join("context")).unwrap();
    for name in ["genesis", "source.json"] {
        fs::copy(home.join("context").join(name), stranger.join("context").join(name)).unwrap();
    }
    let seen = acre_at(&stranger, &["ls"]);
    assert!(seen.code() == 3 || list(&seen.json(), "entries").is_empty(), "{seen:?}");
}

/// Bytes that a process has read from files so far.
fn bytes_read(pid: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    io.lines().find_map(|line| line.strip_prefix("rchar: "))?.parse().ok()
}

/// Runs a command until it is time, then sends it a signal; how it ended, as a shell counts.
fn interrupted(grid: &Grid, words: &[&str], signal: Signal, is_time: impl Fn(u32) -> bool) -> i32 {
    let mut running = command(words);
    running.arg("--home").arg(grid.home()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Kept(running.spawn().unwrap());
    let id = running.0.id();
    eventually("its middle", || (is_time(id) || !is_alive(id)).then_some(()));
    kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
    let status = running.0.wait().unwrap();
    status.code().or_else(|| status.signal().map(|signal| signal + 128)).unwrap()
}

/// Starts a put of 48 MiB and sends it a signal when it has read half of them.
fn put_interrupted_by(grid: &Grid, source: &Path, name: &str, signal: Signal) -> i32 {
    let words = ["put", source.to_str().unwrap(), "--to", name];
    interrupted(grid, &words, signal, |id| bytes_read(id).is_some_and(|bytes| bytes > 24 << 20))
}

fn killed_put_leaves_nothing_visible(grid: &Grid) {
    let source = grid.path("big");
    fs::write(&source, tree::noise(14, 48 << 20)).unwrap();
    let before = names(grid, "/");
    let code = put_interrupted_by(grid, &source, "/big", Signal::KILL);
    assert_eq!(code, 128 + 9, "it was to die in the middle");
    assert_eq!(names(grid, "/"), before);
    assert_fails(grid, "/big", 3);
    put(grid, &source, "/big");
    assert_comes_back(grid, "/big", &source);
}

fn interrupted_put_says_so(grid: &Grid) {
    let source = grid.path("big 2");
    fs::write(&source, tree::noise(15, 48 << 20)).unwrap();
    let before = names(grid, "/");
    assert_eq!(put_interrupted_by(grid, &source, "/big 2", Signal::INT), 130);
    assert_eq!(names(grid, "/"), before);
    assert_comes_back(grid, "/tree", &grid.path("source"));
}

/// Needs `/big`, which is large enough to be interrupted.
fn interrupted_get_leaves_nothing(grid: &Grid) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let words = ["get", "/big", out.to_str().unwrap()];
    let is_begun = |_| !tree::names_in(folder.path()).is_empty();
    assert_eq!(interrupted(grid, &words, Signal::INT, is_begun), 130);
    let left = tree::names_in(folder.path());
    assert!(left.is_empty(), "Ctrl-C left {left:?}");
}

/// Three first puts of an account at once make one volume, not three with a name of the same kind
/// in each: a removed name would show what it hid.
fn first_puts_at_once_share(grid: &Grid) {
    let home = grid.path("newcomer");
    let account = acre_at(&home, &["id", "new"]).exits(0).json();
    let account = text(&account, "account");
    fs::create_dir_all(home.join("context")).unwrap();
    for name in ["genesis", "source.json"] {
        let from = grid.home().join("context").join(name);
        fs::copy(from, home.join("context").join(name)).unwrap();
    }
    grid.acre(&["wallet", "send", account, "10000"]).exits(0);
    let source = grid.path("source/run.sh");
    let put = ["put", source.to_str().unwrap(), "--to", "/same", "--profile", "tiny"];
    let puts: Vec<Output> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..3).map(|_| scope.spawn(|| acre_at(&home, &put))).collect();
        started.into_iter().map(|put| put.join().unwrap()).collect()
    });
    for put in puts {
        put.exits(0);
    }
    let account = acre_at(&home, &["ledger", "get", "account", account]).exits(0);
    acre_at(&home, &["rm", "/same"]).exits(0);
    let left = acre_at(&home, &["ls"]).exits(0).json();
    assert!(list(&left, "entries").is_empty(), "a removed name is back: {left}");
    assert!(account.stdout.contains("\"contracts\":1"), "one volume is enough: {account:?}");
}

fn restarted_grid_has_all_data(grid: &Grid) {
    let before = names(grid, "/");
    grid.acre(&["down"]).exits(0);
    grid.acre(&["get", "/tree", &grid.arg("never")]).exits(5).error();
    assert!(!grid.path("never").exists());
    grid.up_again();
    assert_eq!(names(grid, "/"), before);
    assert_comes_back(grid, "/tree", &grid.path("source"));
    assert_eq!(number(&explain(grid, "/tree"), "losses_survivable"), LOSSES as u64);
}

/// Directory of a node's shards: that of the process whose key is the node's id.
fn disk_of(grid: &Grid, node: &str) -> std::path::PathBuf {
    let pid = number(&grid.node(node), "pid");
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words: Vec<&str> =
        line.split(|byte| *byte == 0).map(|word| std::str::from_utf8(word).unwrap()).collect();
    let at = words.iter().position(|word| *word == "--dir").unwrap();
    Path::new(words[at + 1]).join("shards")
}

/// Flips a bit every 64 KiB of the longest file below a directory: no shard there stays whole.
fn rot(folder: &Path) {
    let mut left = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files.push((fs::metadata(&path).unwrap().len(), path));
        }
    }
    let (length, path) = files.into_iter().max().unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    for at in (100_000..length).step_by(65_536) {
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }
}

fn flipped_bit_is_found_and_mended(grid: &Grid) {
    let source = grid.path("source");
    let victim = holders(grid, "/tree")[0].clone();
    let disk = disk_of(grid, &victim);
    grid.stop(std::slice::from_ref(&victim));
    rot(&disk);
    grid.start(std::slice::from_ref(&victim));
    let explained = explain(grid, "/tree");
    assert_eq!(number(&explained, "losses_survivable"), LOSSES as u64 - 1, "{explained}");
    let bad: BTreeSet<&str> = (list(&explained, "stripes").iter())
        .flat_map(|stripe| list(stripe, "shards"))
        .filter(|shard| shard["state"] != "verified")
        .map(|shard| text(shard, "node"))
        .collect();
    assert_eq!(bad, BTreeSet::from([victim.as_str()]), "{explained}");
    assert_comes_back(grid, "/tree", &source);
    grid.acre(&["scrub"]).exits(0);
    let explained = explain(grid, "/tree");
    assert_eq!(number(&explained, "losses_survivable"), LOSSES as u64, "{explained}");
    assert_comes_back(grid, "/tree", &source);
}

/// Comes before all repairs: these may leave more copies than the promised ones.
fn promised_losses_are_borne(grid: &Grid) {
    let holders = holders(grid, "/tree");
    let source = grid.path("source");
    grid.stop(&holders[..LOSSES]);
    assert_comes_back(grid, "/tree", &source);
    let explained = explain(grid, "/tree");
    assert_eq!(number(&explained, "losses_survivable"), 0, "{explained}");
    let shards = list(&list(&explained, "stripes")[0], "shards");
    let lost = shards.iter().filter(|shard| shard["state"] != "verified").count();
    assert_eq!(lost, LOSSES, "{explained}");
    // The grid still takes and gives new data.
    put_noise(grid, "/put in bad times", 16, 3_000_000);
    assert_comes_back(grid, "/put in bad times", &grid.path("noise 16"));

    grid.stop(&holders[LOSSES..=LOSSES]);
    let error = assert_fails(grid, "/tree", 5).error();
    assert!(!text(&error, "try").is_empty(), "{error}");
    let explained = grid.acre(&["explain", "/tree"]).exits(5);
    let shown: Value = serde_json::from_str(&explained.stdout).unwrap();
    assert!(shown["losses_survivable"].is_null(), "{shown}");

    grid.start(&holders[..1]);
    assert_comes_back(grid, "/tree", &source);
    grid.start(&holders[1..=LOSSES]);
    assert_comes_back(grid, "/tree", &source);
    assert_eq!(number(&explain(grid, "/tree"), "losses_survivable"), LOSSES as u64);
}

fn repair_bears_losses_again(grid: &Grid) {
    grid.start(&grid.node_ids());
    let source = grid.path("source");
    let first = holders(grid, "/tree");
    grid.stop(&first[..LOSSES]);
    let report = grid.acre(&["repair", "--wait"]).exits(0).json();
    assert!(number(&report, "rebuilt_shards") >= 3 * LOSSES as u64, "{report}");
    let explained = explain(grid, "/tree");
    assert_eq!(number(&explained, "losses_survivable"), LOSSES as u64, "{explained}");
    // So it does bear as many again: 8 of 24 nodes are gone by now.
    let second = holders(grid, "/tree");
    assert!(first[..LOSSES].iter().all(|lost| !second.contains(lost)), "{second:?}");
    grid.stop(&second[..LOSSES]);
    assert_comes_back(grid, "/tree", &source);
    grid.start(&second[..LOSSES]);
    grid.start(&first[..LOSSES]);
    grid.acre(&["repair", "--wait"]).exits(0);
    let explained = explain(grid, "/tree");
    assert_eq!(number(&explained, "losses_survivable"), LOSSES as u64, "{explained}");
    assert_comes_back(grid, "/tree", &source);
}

//! The guided tour, which is also a test of the whole: it must end well and leave nothing behind.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{command, finish, processes_of, tree};

#[test]
fn tour_ends_well_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("source/more")).unwrap();
    fs::create_dir(path("tmp")).unwrap();
    for number in 0..40 {
        let file = path("source/more").join(format!("{number}.txt"));
        fs::write(file, format!("page {number}\n").repeat(200)).unwrap();
    }
    fs::write(path("source/noise"), tree::noise(1, 6_000_000)).unwrap();
    let before = tree::read(&path("source"));

    let mut tour = command(&["tour", "--no-pause"]);
    tour.arg(path("source")).env("TMPDIR", path("tmp")).env("ACRE_HOME", path("home"));
    tour.env("HOME", path("tmp")).current_dir(path("tmp"));
    let done = finish(tour).exits(0);
    eprintln!("{}", done.stdout);

    let left = processes_of(folder.path());
    assert!(left.is_empty(), "processes are left: {left:?}");
    assert_eq!(tree::names_in(&path("tmp")), [""; 0], "something is left in the temporary folder");
    let home = path("home");
    let names = if home.exists() { tree::names_in(&home) } else { Vec::new() };
    assert!(names.is_empty(), "the tour left {names:?} in the person's home");
    assert_eq!(tree::read(&path("source")), before, "the tour changed what it was shown");
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
}

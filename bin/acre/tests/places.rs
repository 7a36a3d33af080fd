//! A grid with too few places for a profile says so, and serves those that fit.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{Grid, Story, list, number, text, tree};

const NODES: u16 = 5;

#[test]
fn few_places_serve_the_profiles_that_fit() {
    let grid = Grid::up(NODES);
    let mut story = Story::default();
    fs::write(grid.path("file"), tree::noise(1, 2_000_000)).unwrap();
    story.check("profile_that_does_not_fit_is_refused", || too_wide_is_refused(&grid));
    story.check("tiny_fits_and_bears_one_loss", || tiny_fits_and_bears_one_loss(&grid));
    story.end();
}

fn too_wide_is_refused(grid: &Grid) {
    let balance = || grid.acre(&["wallet", "balance"]).exits(0).json()["balance"].clone();
    let before = balance();
    let file = grid.arg("file");
    for (words, missing) in
        [(&[][..], 15), (&["--profile", "standard"], 15), (&["--profile", "ten"], 5)]
    {
        let words = [&["put", &file], words].concat();
        let error = grid.acre(&words).exits(8).error();
        let what = text(&error, "error");
        assert!(what.contains(&format!("{missing} are missing")), "{error}");
        assert!(text(&error, "try").contains("--profile tiny"), "{error}");
        assert!(text(&error, "state").contains("nothing was stored"), "{error}");
    }
    let listed = grid.acre(&["ls"]);
    let nothing = listed.code() == 3 || list(&listed.json(), "entries").is_empty();
    assert!(nothing, "{listed:?}");
    assert_eq!(balance(), before, "a refused put costs nothing");
    let totals = grid.acre(&["ledger", "get", "totals"]).exits(0).stdout;
    assert!(totals.contains("\"contracts\":0"), "{totals}");
}

fn tiny_fits_and_bears_one_loss(grid: &Grid) {
    let report = grid.acre(&["put", &grid.arg("file"), "--profile", "tiny"]).exits(0).json();
    assert_eq!(report["durable"], true);
    let explained = grid.acre(&["explain", "/file"]).exits(0).json();
    assert_eq!(text(&explained, "profile"), "2+1");
    assert_eq!(number(&explained, "losses_survivable"), 1);
    let shards = list(&list(&explained, "stripes")[0], "shards");
    let holders: Vec<String> = shards.iter().map(|shard| text(shard, "node").to_owned()).collect();
    assert_eq!(holders.len(), 3);
    grid.stop(&holders[..1]);
    grid.acre(&["get", "/file", &grid.arg("copy")]).exits(0);
    tree::assert_same(&grid.path("file"), &grid.path("copy"));
    grid.stop(&holders[1..2]);
    grid.acre(&["get", "/file", &grid.arg("never")]).exits(5).error();
    assert!(!grid.path("never").exists());
    grid.start(&holders[..2]);
    grid.acre(&["get", "/file", &grid.arg("again")]).exits(0);
    tree::assert_same(&grid.path("file"), &grid.path("again"));
}

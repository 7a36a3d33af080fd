//! Twenty places may be lost at once (C61), at 20 % on data over 120 places (C58) and compactly over 36.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{Grid, Story, list, number, text, tree};

/// 120 places and a spare one.
const NODES: u16 = 121;
/// What both profiles bear.
const LOSSES: usize = 20;

#[test]
fn twenty_places_may_be_lost_at_once() {
    let grid = Grid::up(NODES);
    fs::write(grid.path("file"), tree::noise(1, 30_000_000)).unwrap();
    let mut story = Story::default();
    story.check("wide_costs_a_fifth_on_data", || wide_costs_a_fifth_on_data(&grid));
    story.check("fortress_fits_beside_it", || fortress_fits_beside_it(&grid));
    story.check("losses_are_borne", || losses_are_borne(&grid));
    story.check("one_more_is_refused", || one_more_is_refused(&grid));
    story.end();
}

fn wide_costs_a_fifth_on_data(grid: &Grid) {
    let file = grid.arg("file");
    let report = grid.acre(&["put", &file, "--profile", "wide", "--to", "/wide"]).exits(0).json();
    let (plain, stored) = (number(&report, "bytes_plain"), number(&report, "bytes_stored"));
    assert!(stored * 100 <= plain * 122, "{stored} bytes stored for {plain}");
}

fn fortress_fits_beside_it(grid: &Grid) {
    let put = ["put", &grid.arg("file"), "--profile", "fortress", "--to", "/fortress"];
    grid.acre(&put).exits(0);
}

/// Places of the first pack of a name.
fn holders(grid: &Grid, name: &str) -> Vec<String> {
    let explained = grid.acre(&["explain", name]).exits(0).json();
    let shards = list(&list(&explained, "stripes")[0], "shards");
    shards.iter().map(|shard| text(shard, "node").to_owned()).collect()
}

fn losses_are_borne(grid: &Grid) {
    // Every holder of a fortress shard may be one of a wide shard too: twenty are lost for both.
    grid.stop(&holders(grid, "/fortress")[..LOSSES]);
    for name in ["wide", "fortress"] {
        let copy = format!("{name}-copy");
        grid.acre(&["get", &format!("/{name}"), &grid.arg(&copy)]).exits(0);
        tree::assert_same(&grid.path("file"), &grid.path(&copy));
    }
}

fn one_more_is_refused(grid: &Grid) {
    let status = grid.status();
    let alive = |id: &String| {
        let nodes = list(&status, "nodes");
        nodes.iter().any(|node| text(node, "id") == id && text(node, "state") == "running")
    };
    let explained = grid.acre(&["explain", "/fortress"]).json();
    let shards = list(&list(&explained, "stripes")[0], "shards");
    let left: Vec<String> =
        shards.iter().map(|shard| text(shard, "node").to_owned()).filter(alive).collect();
    assert_eq!(left.len(), 16, "16 of 36 places are left");
    grid.stop(&left[..1]);
    grid.acre(&["get", "/fortress", &grid.arg("never")]).exits(5).error();
    assert!(!grid.path("never").exists());
}

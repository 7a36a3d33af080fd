//! Real nodes, a validator and epochs of seconds: who holds what it says is verified, who does not
//! is found.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;

use acre_types::Bytes;
use common::{Grid, PLOTTED};

const NODES: usize = 5;

/// Keeps the length of each plot and loses what is in it.
fn empty_plots(dir: &Path) {
    for entry in std::fs::read_dir(dir.join("plots")).unwrap() {
        let path = entry.unwrap().path();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let bytes = file.metadata().unwrap().len();
        file.set_len(0).unwrap();
        file.set_len(bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn holders_are_verified_and_cheats_are_found() {
    let grid = Grid::start_with_musters(NODES).await;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(grid.join(number).await);
    }
    for node in &nodes {
        let seen = grid.until(node.id(), "verified", |node| {
            node.verified.storage == PLOTTED && node.verified.cores == 1 && node.solid == PLOTTED
        });
        let seen = seen.await;
        assert_eq!(seen.verified.memory, Bytes(1 << 30), "a lane stands for all of it");
        assert!(seen.witnessing.reports > 0 || seen.record.epochs > 0);
    }

    // One is gone, one lost its plots without noticing.
    let gone = nodes.pop().unwrap();
    let gone_id = gone.id();
    gone.stop().await;
    let emptied = nodes.last().unwrap().id();
    empty_plots(&grid.dir(NODES - 2));
    let seen = grid.until(gone_id, "found gone", |node| {
        node.verified.storage == Bytes(0) && node.record.up < node.record.due
    });
    seen.await;
    let seen = grid.until(emptied, "found empty", |node| {
        node.verified.storage == Bytes(0) && node.record.failed > 0
    });
    let seen = seen.await;
    assert!(seen.record.up > 0, "it is there, though: {:?}", seen.record);

    let honest = nodes.first().unwrap().id();
    let seen = grid.until(honest, "still verified", |node| node.verified.storage == PLOTTED);
    seen.await;
    for node in nodes {
        node.stop().await;
    }
}

//! Sold shards need no plots: their own bytes are asked, by a random leaf with its BLAKE3 path. A
//! node that lost some of what it is paid for is found by its witnesses, whether its disk knows or not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use acre_disk::ShardLog;
use acre_ledger::Parameters;
use acre_node::Node;
use acre_store::protocol::{Reply, Request};
use acre_types::{Bytes, ContractId};
use common::{Grid, PLOTTED, SHARD_BYTES, shard};

const NODES: usize = 5;
const PACKS: u8 = 24;
/// What each of the three places holds, and proves.
const HELD: Bytes = Bytes(PLOTTED.0 + PACKS as u64 * SHARD_BYTES as u64);

async fn fill(grid: &Grid, nodes: &[Node], contract: ContractId) {
    for (place, node) in nodes.iter().enumerate().take(3) {
        for pack in 0..PACKS {
            let (header, body) = shard(contract, pack, place);
            assert_eq!(grid.ask(node, Request::Put(header), &body).await, Reply::Stored);
        }
    }
}

/// Turns bits in the middle of each body, as it lies on the disk of a running node.
fn rot(dir: &Path, contract: ContractId, place: usize) {
    let mut rotten = 0;
    for entry in std::fs::read_dir(dir.join("shards")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        for pack in 0..PACKS {
            let (_, body) = shard(contract, pack, place);
            // Bodies repeat their first bytes.
            let places = bytes.windows(64).enumerate();
            let found = places.filter(|(_, window)| *window == &body[..64]).map(|(at, _)| at);
            let Some(begin) = found.clone().next() else { continue };
            rotten += 1;
            for at in found.filter(|at| (at - begin) % 1024 == 0) {
                file.write_all_at(&[bytes[at] ^ 1], u64::try_from(at).unwrap()).unwrap();
            }
        }
    }
    assert_eq!(rotten, u32::from(PACKS));
}

/// Puts other bodies under the same headers, with good checksums: what a cheat does that keeps the
/// headers and saves the space.
fn replace(dir: &Path) {
    let config = acre_disk::Config::with_capacity(64 << 20);
    let log = ShardLog::open(&dir.join("shards"), config).unwrap();
    let keys = log.keys(None, 100);
    for key in &keys {
        let record = log.get(key).unwrap().unwrap();
        log.put(*key, record.header, vec![0; record.body.len()]).unwrap();
    }
    assert_eq!(keys.len(), usize::from(PACKS));
}

#[tokio::test(flavor = "multi_thread")]
async fn sold_shards_that_were_lost_are_found_by_witnesses() {
    let grid = Grid::start(NODES, Parameters::default()).await;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(grid.join(number).await);
    }
    let contract = grid.storage(&nodes, 3_600_000).await;
    fill(&grid, &nodes, contract).await;
    for node in &nodes[..3] {
        grid.until(node.id(), "paid for its shards", |node| node.verified.storage == HELD).await;
    }
    let figures = nodes[0].meter().read();
    assert_eq!((figures.shards, figures.contracts), (PACKS.into(), 1));
    assert_eq!((figures.plots, figures.plot_bytes), (4, PLOTTED.0));
    assert!(figures.used_bytes > HELD.0 - PLOTTED.0 && figures.free_bytes > 0, "{figures:?}");
    assert_eq!((figures.witnesses, figures.duties), (3, 3), "{figures:?}");
    assert!(figures.epoch > 0 && figures.challenges_answered > 0, "{figures:?}");
    assert!(figures.reports > 0 && figures.verdicts >= figures.reports, "{figures:?}");
    let other = grid.ledger.node(nodes[4].id()).await.unwrap().unwrap();
    assert!(other.verified.storage <= PLOTTED, "it sold nothing: {:?}", other.verified);

    rot(&grid.dir(1), contract, 1);
    let cheat = nodes.remove(2);
    let cheat_id = cheat.id();
    cheat.stop().await;
    replace(&grid.dir(2));
    nodes.push(grid.run(2, None).await);
    let failed_before = grid.ledger.node(cheat_id).await.unwrap().unwrap().record.failed;
    // What its log knows to be rotten a node calls gone, and keeps the rest. Of other bytes it only
    // learns when it is to show what a chase read there: then nothing may count in that epoch.
    for (id, least) in [(nodes[1].id(), 1), (cheat_id, 0)] {
        let seen = grid.until(id, "found", |node| {
            let held = node.verified.storage.0;
            (least..HELD.0 / 10 * 7).contains(&held) && node.record.failed > failed_before
        });
        let seen = seen.await;
        assert!(seen.record.up > 0, "it is there, though: {:?}", seen.record);
    }
    let honest = nodes[0].id();
    grid.until(honest, "still paid", |node| node.verified.storage == HELD).await;
    for node in nodes {
        node.stop().await;
    }
}

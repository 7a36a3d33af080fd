//! Growth, rot, fresh places, interrupted and odd puts.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use acre_client::{Moment, PutOptions, RepairMode, Silent, Wanted, WarningKind};
use acre_codec::List;
use acre_ledger::{Action, NewContract, NewKind, NewStorage};
use acre_store::keys::Identity;
use acre_types::{Amount, Bytes, Profile};
use common::{Grid, assert_same, random_bytes, root};

fn tiny(name: &str) -> PutOptions {
    PutOptions { profile: Some(Profile::Tiny), to: Some(name.as_bytes().to_vec()) }
}

fn silent() -> Arc<Silent> {
    Arc::new(Silent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_files_are_told_and_an_interrupted_put_is_cheap_to_repeat() {
    let grid = Grid::start(4, Bytes(2 << 30)).await;
    let place = tempfile::tempdir().unwrap();
    let cache = place.path().join("cache");
    let client = grid.client(1, Some(&cache)).await;

    // What is no file, and a file that never holds still.
    let source = place.path().join("odd");
    std::fs::create_dir(&source).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        source.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
    let restless = source.join("restless");
    std::fs::write(&restless, random_bytes(1, 3_000_000)).unwrap();
    std::fs::write(source.join("still"), random_bytes(2, 3_000)).unwrap();
    let writes = restless.clone();
    let progress = move |moment: Moment| {
        if moment.done > 0 {
            let mut file = std::fs::OpenOptions::new().append(true).open(&writes).unwrap();
            std::io::Write::write_all(&mut file, b"more").unwrap();
        }
    };
    let put = client.put(&source, tiny("/odd"), Arc::new(progress)).await.unwrap();
    let mut warned: Vec<_> = put
        .warnings
        .iter()
        .map(|warning| (warning.path.file_name().unwrap().to_str().unwrap(), &warning.kind))
        .collect();
    warned.sort_by_key(|(name, _)| *name);
    let wanted = [
        ("pipe", &WarningKind::Special),
        ("restless", &WarningKind::Changed),
        ("socket", &WarningKind::Special),
    ];
    assert_eq!(warned, wanted);
    let items = client.list(&Wanted::from("/odd"), None).await.unwrap();
    assert_eq!(items.len(), 2);

    // Given up in the middle: nothing is visible, and most of it is not sent again.
    let source = place.path().join("large");
    std::fs::write(&source, random_bytes(3, 40_000_000)).unwrap();
    grid.take_put_bytes();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop = std::sync::Mutex::new(Some(stop));
    let progress = move |moment: Moment| {
        if moment.done > 30_000_000 {
            let _ = stop.lock().unwrap().take().map(|stop| stop.send(()));
        }
    };
    tokio::select! {
        done = client.put(&source, tiny("/large"), Arc::new(progress)) => panic!("{done:?}"),
        _ = stopped => {}
    }
    client.idle().await;
    assert!(client.stat(&Wanted::from("/large")).await.is_err());
    let first = grid.take_put_bytes();
    drop(client);
    let client = grid.client(1, Some(&cache)).await;
    client.put(&source, tiny("/large"), silent()).await.unwrap();
    let second = grid.take_put_bytes();
    assert!(second < 45_000_000, "{second} after {first} of 60 MB");
    let out = place.path().join("out");
    client.get(&Wanted::from("/large"), &out, silent()).await.unwrap();
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&source).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contract_grows_rot_is_repaired_and_lost_places_are_replaced() {
    let grid = Grid::start(6, Bytes(256 << 20)).await;
    let place = tempfile::tempdir().unwrap();
    // A contract made too small by another device, without spares.
    let identity = Identity::new(root(1));
    let (ledger, _) =
        grid.ledger(&acre_crypto::SigningKey::from_seed(acre_crypto::Secret::new([66; 32]))).await;
    let places: Vec<_> = grid.peers.iter().take(3).map(common::Peer::id).collect();
    let kind = NewKind::Storage(NewStorage {
        profile: Profile::Tiny,
        places: List::new(places).unwrap(),
        bytes: Bytes(1 << 20),
        writer: identity.volume(0).writer(),
    });
    let new = NewContract { kind, period_ms: 3_600_000, budget: Amount(u64::MAX) };
    ledger.submit(&identity.account(), Action::CreateContract(new)).await.unwrap();

    let client = grid.client(1, None).await;
    let source = place.path().join("source");
    std::fs::write(&source, random_bytes(1, 40_000_000)).unwrap();
    client.put(&source, tiny("/file"), silent()).await.unwrap();
    let volumes = client.volumes().await.unwrap();
    assert_eq!(volumes.len(), 1);
    assert!(volumes[0].reserved >= Bytes(40_000_000), "{volumes:?}");
    assert_eq!(volumes[0].content.unwrap().bytes, 40_000_000);

    // Bits rot at one place.
    grid.stop(1).await;
    rot(&grid.dir.path().join("n1"));
    grid.restart(1).await;
    let client = grid.client(1, None).await;
    let out = place.path().join("rotten");
    client.get(&Wanted::from("/file"), &out, silent()).await.unwrap();
    assert_same(&source, &out);
    let scrubbed = client.repair(RepairMode::Scrub, silent()).await.unwrap();
    assert!(scrubbed.rebuilt > 0, "{scrubbed:?}");
    assert_eq!(scrubbed.full, scrubbed.packs, "{scrubbed:?}");
    let explained = client.explain(&Wanted::from("/file")).await.unwrap();
    assert_eq!(explained.losses_survivable, Some(1));

    // A place is gone for good, and there is no spare: a fresh node takes its position.
    grid.stop(0).await;
    let repaired = client.repair(RepairMode::Now, silent()).await.unwrap();
    assert_eq!(repaired.replaced.len(), 1, "{repaired:?}");
    assert_eq!(repaired.full, repaired.packs, "{repaired:?}");
    grid.stop(1).await;
    let client = grid.client(1, None).await;
    let out = place.path().join("moved");
    client.get(&Wanted::from("/file"), &out, silent()).await.unwrap();
    assert_same(&source, &out);
}

/// Flips bits all over the files of a stopped node, but for the beginnings.
fn rot(dir: &Path) {
    let mut open = vec![dir.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        for byte in bytes.iter_mut().take(length / 2).skip(4096).step_by(1_500_000).skip(1) {
            *byte ^= 1;
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

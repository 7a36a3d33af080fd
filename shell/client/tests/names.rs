//! Listing, moving, removing, profiles side by side, and what is left at the nodes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use acre_client::{Depth, Failure, ItemKind, PutOptions, Safety, Silent, Surveyor, Wanted};
use acre_net::rpc::Caller;
use acre_types::{Bytes, Profile};
use common::{Grid, random_bytes};

fn silent() -> Arc<Silent> {
    Arc::new(Silent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_listed_moved_merged_and_removed_over_all_volumes() {
    let grid = Grid::start(12, Bytes(2 << 30)).await;
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("dir");
    std::fs::create_dir(&source).unwrap();
    for number in 0..3 {
        let bytes = random_bytes(number, 700_000);
        std::fs::write(source.join(format!("f{number}")), bytes).unwrap();
    }
    let client = grid.client(1, Some(&place.path().join("cache"))).await;
    let put = |path: std::path::PathBuf, profile, to: &str| {
        let (client, to) = (client.clone(), Some(to.as_bytes().to_vec()));
        async move { client.put(&path, PutOptions { profile, to }, silent()).await }
    };
    let names = |path: &str| {
        let (client, wanted) = (client.clone(), Wanted::from(path));
        async move {
            let items = client.list(&wanted, None).await.unwrap();
            let names = items.into_iter().map(|item| String::from_utf8(item.name).unwrap());
            names.collect::<Vec<_>>()
        }
    };
    assert!(names("/").await.is_empty(), "no volume yet");

    let ten = put(source.clone(), Some(Profile::Ten), "/a/ten").await.unwrap();
    put(source.join("f0"), Some(Profile::Tiny), "/a/tiny").await.unwrap();
    assert_eq!(names("/a").await, ["ten", "tiny"], "one directory over two volumes");
    assert_eq!(names("/a/ten").await, ["f0", "f1", "f2"]);
    let item = client.stat(&Wanted::from("/a/tiny")).await.unwrap();
    assert_eq!((item.kind, item.bytes, item.profile), (ItemKind::File, 700_000, Profile::Tiny));
    let after = client.list(&Wanted::from("/a/ten"), Some(b"f1")).await.unwrap();
    assert_eq!(after.len(), 1);

    // What has the name is merged into, in its volume.
    std::fs::remove_file(source.join("f1")).unwrap();
    std::fs::write(source.join("f9"), b"new").unwrap();
    put(source.clone(), None, "/a/ten").await.unwrap();
    assert_eq!(names("/a/ten").await, ["f0", "f1", "f2", "f9"]);
    let conflict = put(source.clone(), Some(Profile::Tiny), "/a/ten").await.unwrap_err();
    assert_eq!(conflict.failure(), Failure::Conflict);
    let conflict = put(source.join("f0"), None, "/a/ten").await.unwrap_err();
    assert_eq!(conflict.failure(), Failure::Conflict, "a file never replaces a directory");

    // A move keeps the object.
    client.rename(&Wanted::from("/a/ten"), b"/b/c").await.unwrap();
    assert_eq!(names("/a").await, ["tiny"]);
    let object = Wanted::Object(ten.object);
    assert_eq!(client.stat(&object).await.unwrap().name, b"c");
    let taken = client.rename(&object, b"/a/tiny").await.unwrap_err();
    assert_eq!(taken.failure(), Failure::Conflict);
    let explained = client.explain(&object).await.unwrap();
    assert_eq!((explained.profile, explained.losses_survivable), (Profile::Ten, Some(2)));

    // Without keys one sees how safe it is.
    let (ledger, (endpoint, book)) =
        grid.ledger(&acre_crypto::SigningKey::from_seed(acre_crypto::Secret::new([77; 32]))).await;
    for (id, node) in ledger.nodes().await.unwrap() {
        book.insert(id.key(), vec![node.addresses[0].as_str().parse().unwrap()]);
    }
    let surveyor = Surveyor::new(Caller::new(endpoint, acre_client::SHARD));
    let contract = ledger.contract(ten.object.contract).await.unwrap().unwrap();
    let seen = surveyor.survey(contract.id, contract.storage().unwrap()).await;
    assert_eq!(seen.safety, Safety::Full { losses_survivable: 2 });
    assert!(seen.packs > 0 && seen.stored_bytes > 2_000_000, "{seen:?}");

    // A removal drops what nothing refers to.
    let full = client.remove(&Wanted::from("/b/c"), Depth::Entry, silent()).await.unwrap_err();
    assert_eq!(full.failure(), Failure::Conflict);
    let removed = client.remove(&Wanted::from("/b/c"), Depth::Tree, silent()).await.unwrap();
    assert_eq!(removed.entries, 5);
    let collected = removed.collected.unwrap();
    assert!(collected.packs > 0 && collected.unconfirmed.is_empty(), "{collected:?}");
    assert_eq!(client.stat(&object).await.unwrap_err().failure(), Failure::NotFound);
    let after = surveyor.survey(contract.id, contract.storage().unwrap()).await;
    assert!(after.stored_bytes * 10 < seen.stored_bytes, "{after:?} after {seen:?}");
    assert_eq!(names("/").await, ["a", "b"]);

    // What was dropped is not taken for stored.
    put(source.clone(), Some(Profile::Ten), "/back").await.unwrap();
    let out = place.path().join("out");
    client.get(&Wanted::from("/back"), &out, silent()).await.unwrap();
    common::assert_same(&source, &out);
}

/// Processes of one home, as a script starts them: what was called durable is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_of_one_home_lose_nothing_of_each_other() {
    let grid = Grid::start(5, Bytes(1 << 30)).await;
    let place = tempfile::tempdir().unwrap();
    let cache = place.path().join("cache");
    let source = place.path().join("file");
    std::fs::write(&source, random_bytes(1, 20_000)).unwrap();
    let mut writers = Vec::new();
    for _ in 0..6 {
        writers.push(grid.client(1, Some(&cache)).await);
    }
    for round in 0..4 {
        let mut writing = tokio::task::JoinSet::new();
        for (number, client) in writers.iter().enumerate() {
            let (client, source) = (client.clone(), source.clone());
            let to = Some(format!("/{round}-{number}").into_bytes());
            let options = PutOptions { profile: Some(Profile::Tiny), to };
            writing.spawn(async move { client.put(&source, options, silent()).await.unwrap() });
        }
        writing.join_all().await;
        let there = writers[0].list(&Wanted::from("/"), None).await.unwrap();
        assert_eq!(there.len(), 6 * (round + 1), "round {round}");
    }
}

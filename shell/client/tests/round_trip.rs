//! Real files through a real grid and back.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use acre_client::{Failure, PutOptions, Silent, Wanted};
use acre_types::Bytes;
use common::{Grid, assert_same, random_bytes};

/// A tree with everything that can be odd about one.
fn odd_tree(root: &Path) {
    let dir = root.join("deep/er/still");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::create_dir(root.join("empty")).unwrap();
    std::fs::write(root.join("empty file"), b"").unwrap();
    std::fs::write(root.join("small"), b"a few bytes").unwrap();
    std::fs::write(dir.join("513"), random_bytes(1, 513)).unwrap();
    std::fs::write(root.join("large"), random_bytes(2, 9_000_000)).unwrap();
    std::fs::write(root.join("again"), random_bytes(2, 9_000_000)).unwrap();
    std::fs::write(root.join("text"), "all work and no play ".repeat(50_000)).unwrap();
    std::fs::write(root.join(std::ffi::OsStr::from_bytes(b"odd \xff\xfe\n name")), b"x").unwrap();
    symlink("small", root.join("link")).unwrap();
    symlink("/nowhere/\u{e9}", root.join("broken link")).unwrap();
    let sparse = std::fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(50_000_000).unwrap();
    sparse.write_all_at(&random_bytes(3, 100_000), 20_000_000).unwrap();
    std::fs::File::create(root.join("all hole")).unwrap().set_len(3_000_000).unwrap();
    for number in 0..300 {
        std::fs::write(dir.join(format!("{number:04}")), random_bytes(number, 3000)).unwrap();
    }
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(root.join("small"), mode(0o4751)).unwrap();
    std::fs::set_permissions(root.join("deep/er"), mode(0o555)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_234_567_890, 123_456_789);
    std::fs::File::open(root.join("small")).unwrap().set_modified(time).unwrap();
    std::fs::File::open(root.join("empty")).unwrap().set_modified(time).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_comes_back_as_it_was() {
    let grid = Grid::start(24, Bytes(2 << 30)).await;
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("source");
    odd_tree(&source);
    let client = grid.client(1, Some(&place.path().join("cache"))).await;
    let silent = || Arc::new(Silent);
    let options = PutOptions { profile: None, to: Some(b"/doc".to_vec()) };
    let put = client.put(&source, options.clone(), silent()).await.unwrap();
    assert!(put.warnings.is_empty(), "{:?}", put.warnings);
    assert_eq!(put.not_yet_full, 0);
    let sent = grid.take_put_bytes();
    assert!(sent < 16_000_000, "{sent} bytes for 10 MB, one file twice");
    assert!(put.bytes_stored <= sent && put.bytes_stored * 10 > sent * 9);

    let out = place.path().join("out");
    let got = client.get(&Wanted::from("/doc"), &out, silent()).await.unwrap();
    assert_same(&source, &out);
    assert_eq!(got.files, put.files);
    let sparse = std::fs::metadata(out.join("sparse")).unwrap();
    assert!(std::os::unix::fs::MetadataExt::blocks(&sparse) * 512 < 1_000_000, "holes stay holes");

    // What is there already is not sent again.
    client.put(&source, options, silent()).await.unwrap();
    let again = grid.take_put_bytes();
    assert!(again * 10 < sent, "{again} bytes the second time, {sent} the first");

    // Nothing is written over.
    let taken = client.get(&Wanted::from("/doc"), &out, silent()).await.unwrap_err();
    assert_eq!(taken.failure(), Failure::Conflict);
    let none = client.get(&Wanted::from("/no"), &place.path().join("no"), silent()).await;
    assert_eq!(none.unwrap_err().failure(), Failure::NotFound);

    // Four of the places go; by its object id it still comes back.
    for number in 0..4 {
        grid.stop(number).await;
    }
    let object = Wanted::Object(put.object);
    let out = place.path().join("degraded");
    client.get(&object, &out, silent()).await.unwrap();
    assert_same(&source, &out);

    // Another machine, nothing but the words.
    let other = grid.client(1, None).await;
    let out = place.path().join("recovered");
    other.get(&Wanted::from("/doc"), &out, silent()).await.unwrap();
    assert_same(&source, &out);
}

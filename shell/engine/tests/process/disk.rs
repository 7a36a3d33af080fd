//! Disks that are full, and disks that forget or invent bits.

use super::{CHILD, FileLedger, NAMESPACE, alone, block_on, lone, reach};
use acre_engine::{Error, Start, ValidatorKey, spawn};
use std::{fs, path::Path, process::Command};

#[test]
fn full_disk_stops_it_with_an_error_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // No file may grow past 64 blocks of the shell: writing fails like on a full disk.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact child_process --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("DiskFull"), "{said}");
    let height = FileLedger::read(&dir.path().join("ledger")).height;
    assert!(height > 0, "{said}");
    // With room again it goes on, from where it was.
    let handle = super::file_ledger(dir.path());
    reach(&handle, height + 5);
    let key = ValidatorKey::from_seed(&[1; 32]).public();
    for height in 1..=height {
        let proof = block_on(handle.proof(height)).unwrap();
        assert_eq!(proof.verify(&[key], NAMESPACE).unwrap().height(), height);
    }
}

/// The largest file below a directory.
fn largest(dir: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn damaged_archive_is_refused_by_name_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let counter = lone();
    let handle = spawn(alone(dir.path(), &counter), counter.start()).unwrap();
    (1..=30).for_each(|number| {
        counter.submit(number);
        let height = handle.status().height;
        reach(&handle, height + 1);
    });
    handle.stop().unwrap();
    drop(handle);
    let file = largest(&dir.path().join("engine/ledger-blocks-value"));
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&file, bytes).unwrap();

    let error = spawn(alone(dir.path(), &counter), counter.start()).err().unwrap();
    let Error::Damaged { archive, .. } = &error else { panic!("{error:?}") };
    assert!(archive.contains("blocks"), "{error}");

    // Aside with it; the application's last block is where a new one begins.
    fs::rename(dir.path().join("engine"), dir.path().join("damaged")).unwrap();
    let before = counter.disk().applied;
    let mut config = alone(dir.path(), &counter);
    config.start = counter.anchor();
    assert!(matches!(config.start, Start::At { .. }));
    let handle = spawn(config, counter.start()).unwrap();
    counter.submit(99);
    reach(&handle, before + 2);
    assert!(counter.disk().spent.contains(&99));
}

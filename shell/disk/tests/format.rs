//! The bytes on disk stay what they are: version 1 as it was first written.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use acre_disk::testing::{Image, SimDisk};
use common::{contents, key, open, small};

const SEGMENT: &[u8] = include_bytes!("golden/segment-v1.log");
const LIST: &[u8] = include_bytes!("golden/segment-v1.idx");

/// Two puts, a delete and enough more to seal the first segment.
fn write_some(disk: &SimDisk) {
    let log = open(disk, small());
    log.put(key(1), b"header one".as_slice(), b"body one".as_slice()).unwrap();
    log.put(key(2), b"".as_slice(), vec![7; 20_000]).unwrap();
    log.delete(key(1)).unwrap();
    log.put(key(3), b"third".as_slice(), vec![0; 31_000]).unwrap();
    log.put(key(4), b"fourth".as_slice(), vec![1; 10_000]).unwrap();
}

/// Writes the golden files anew when `ACRE_BLESS` is set: only for a new format version.
#[test]
fn writes_version_1_byte_for_byte() {
    let disk = SimDisk::new();
    write_some(&disk);
    let image = disk.image();
    let segment = &image.files()["seg-00000001.log"];
    let list = &image.files()["seg-00000001.idx"];
    if std::env::var_os("ACRE_BLESS").is_some() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
        std::fs::write(format!("{dir}/segment-v1.log"), &**segment).unwrap();
        std::fs::write(format!("{dir}/segment-v1.idx"), &**list).unwrap();
    }
    assert!(segment.as_slice() == SEGMENT, "the segment changed");
    assert!(list.as_slice() == LIST, "the list changed");
}

#[test]
fn reads_version_1_with_and_without_its_list() {
    for with_list in [Some(()), None] {
        let mut image = Image::default();
        *image.bytes_mut("seg-00000001.log") = SEGMENT.to_vec();
        if with_list.is_some() {
            *image.bytes_mut("seg-00000001.idx") = LIST.to_vec();
        }
        let log = open(&SimDisk::from_image(&image), small());
        let all = contents(&log);
        assert_eq!(all.keys().copied().collect::<Vec<_>>(), [key(2), key(3)]);
        assert_eq!(all[&key(2)].1, [7; 20_000]);
        assert_eq!(all[&key(3)], (b"third".to_vec(), vec![0; 31_000]));
        assert_eq!(log.stats().tombstones, 1);
    }
}

#[test]
fn refuses_a_version_it_does_not_know() {
    let mut image = Image::default();
    let mut segment = SEGMENT.to_vec();
    for copy in [0, 2048] {
        segment[copy + 8] = 9;
        let crc = crc32fast::hash(&segment[copy..copy + 40]);
        segment[copy + 40..copy + 44].copy_from_slice(&crc.to_le_bytes());
    }
    *image.bytes_mut("seg-00000001.log") = segment;
    let refused =
        acre_disk::ShardLog::open_on(std::sync::Arc::new(SimDisk::from_image(&image)), small());
    assert!(matches!(refused, Err(acre_disk::Error::Version { version: 9, known: 1, .. })));
}

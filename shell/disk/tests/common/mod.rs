//! What the tests share.
#![allow(dead_code, reason = "not every test file uses all of it")]

pub(crate) mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;

use acre_disk::testing::SimDisk;
use acre_disk::{Config, Key, Progress, ShardLog};

/// Small segments, so that short workloads roll and compact.
pub(crate) fn small() -> Config {
    Config {
        capacity_bytes: 8 << 20,
        segment_bytes: 64 << 10,
        group_bytes: 48 << 10,
        queue_bytes: 4 << 20,
        delete_reserve_bytes: 64 << 10,
        disk_free_min_bytes: 0,
        tag: Some(0x1122_3344_5566_7788),
    }
}

pub(crate) fn open(disk: &SimDisk, config: Config) -> ShardLog {
    ShardLog::open_on(Arc::new(disk.clone()), config).unwrap()
}

pub(crate) fn key(number: u64) -> Key {
    Key::new(&[b"pack-".as_slice(), &number.to_be_bytes()].concat()).unwrap()
}

/// All records, by key.
pub(crate) fn contents(log: &ShardLog) -> BTreeMap<Key, (Vec<u8>, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let page = log.keys(after.as_ref(), 7);
        let Some(last) = page.last() else { return all };
        after = Some(*last);
        for key in page {
            let record = log.get(&key).unwrap().unwrap();
            all.insert(key, (record.header.to_vec(), record.body.to_vec()));
        }
    }
}

pub(crate) fn compact_fully(log: &ShardLog) {
    while log.compact_step(u64::MAX).unwrap().progress == Progress::More {}
}

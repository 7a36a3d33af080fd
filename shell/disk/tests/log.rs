//! What the log does when nothing goes wrong.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use acre_disk::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, KEY_BYTES_MAX};
use acre_disk::testing::{Rng, SimDisk};
use acre_disk::{Config, Error, Key, Progress, ShardLog};
use common::{compact_fully, contents, key, open, small};

#[test]
fn gives_back_what_was_put_after_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::with_capacity(1 << 30);
    let log = ShardLog::open(dir.path(), config.clone()).unwrap();
    let body = Rng::new(1).bytes(100_000);
    log.put(key(1), b"header".as_slice(), body.clone()).unwrap();
    log.put(key(2), Vec::new(), Vec::new()).unwrap();
    log.put(key(3), b"gone".as_slice(), body.clone()).unwrap();
    log.delete(key(3)).unwrap();
    let mut log = log;
    for _ in 0..2 {
        let record = log.get(&key(1)).unwrap().unwrap();
        assert_eq!((&record.header[..], &record.body[..]), (b"header".as_slice(), &body[..]));
        assert_eq!(log.header(&key(1)).unwrap().unwrap(), b"header".as_slice());
        assert_eq!(log.get(&key(2)).unwrap().unwrap().body.len(), 0);
        assert!(!log.contains(&key(3)) && log.get(&key(3)).unwrap().is_none());
        assert_eq!(log.keys(None, 10), [key(1), key(2)]);
        assert_eq!(log.size_of(&key(1)).unwrap().body_len, 100_000);
        drop(log);
        log = ShardLog::open(dir.path(), config.clone()).unwrap();
    }
}

#[test]
fn refuses_a_second_handle_on_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let log = ShardLog::open(dir.path(), Config::with_capacity(1 << 30)).unwrap();
    let second = ShardLog::open(dir.path(), Config::with_capacity(1 << 30));
    assert!(matches!(second, Err(Error::Locked)));
    drop(log);
    ShardLog::open(dir.path(), Config::with_capacity(1 << 30)).unwrap();
}

#[test]
fn limits_hold_at_and_one_past() {
    let disk = SimDisk::new();
    let config = Config { capacity_bytes: 64 << 20, queue_bytes: 1, ..small() };
    let log = open(&disk, config);
    let longest = Key::new(&[7; KEY_BYTES_MAX]).unwrap();
    assert!(matches!(Key::new(&[7; KEY_BYTES_MAX + 1]), Err(Error::KeyLength { .. })));
    assert!(matches!(Key::new(&[]), Err(Error::KeyLength { .. })));
    log.put(longest, vec![1; HEADER_BYTES_MAX], vec![2; BODY_BYTES_MAX]).unwrap();
    let record = log.get(&longest).unwrap().unwrap();
    assert_eq!((record.header.len(), record.body.len()), (HEADER_BYTES_MAX, BODY_BYTES_MAX));
    let header = log.put(key(1), vec![1; HEADER_BYTES_MAX + 1], vec![2; 1]);
    assert!(matches!(header, Err(Error::TooLarge { .. })));
    let body = log.put(key(1), vec![1; 1], vec![2; BODY_BYTES_MAX + 1]);
    assert!(matches!(body, Err(Error::TooLarge { .. })));
    drop(log);
    assert_eq!(open(&disk, Config { capacity_bytes: 64 << 20, ..small() }).stats().records, 1);
}

#[test]
fn reads_ranges_of_a_body() {
    let log = open(&SimDisk::new(), small());
    let body = Rng::new(2).bytes(40_000);
    log.put(key(1), vec![9; 33], body.clone()).unwrap();
    for (offset, len) in
        [(0, 0), (0, 1), (16_383, 2), (16_384, 16_384), (39_999, 1), (0, 40_000), (40_000, 0)]
    {
        let range = log.get_range(&key(1), offset as u64, len as u64).unwrap().unwrap();
        assert_eq!(&range[..], &body[offset..offset + len], "{offset}+{len}");
    }
    for (offset, len) in [(40_000, 1), (u64::MAX, 1), (1, u64::MAX)] {
        let range = log.get_range(&key(1), offset, len);
        assert!(matches!(range, Err(Error::OutOfRange { body_len: 40_000, .. })));
    }
    assert!(log.get_range(&key(2), 0, 1).unwrap().is_none());
}

#[test]
fn writes_that_wait_together_share_one_sync() {
    let disk = SimDisk::new();
    let log = open(&disk, Config { group_bytes: 64 << 10, ..small() });
    log.put(key(0), vec![], vec![0; 100]).unwrap();
    let before = disk.trace_len();
    // The first callback holds the writer up until all others are queued.
    let (go, wait) = mpsc::channel::<()>();
    let (done, finished) = mpsc::channel();
    log.put_with(key(1), vec![], vec![1; 100], move |result| {
        result.unwrap();
        wait.recv().unwrap();
    });
    for number in 2..34 {
        let done = done.clone();
        log.put_with(key(number), vec![], vec![2; 1000], move |result| done.send(result).unwrap());
    }
    go.send(()).unwrap();
    for _ in 2..34 {
        finished.recv().unwrap().unwrap();
    }
    let calls = disk.trace_len() - before;
    assert!(calls <= 6, "{calls} calls for 33 puts");
    assert_eq!(log.stats().records, 34);
}

#[test]
fn a_full_queue_answers_busy_and_loses_nothing() {
    let log = open(&SimDisk::new(), Config { queue_bytes: 4096, ..small() });
    let (go, wait) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel::<()>();
    log.put_with(key(0), vec![], vec![0; 10], move |_| {
        entered.send(()).unwrap();
        wait.recv().unwrap();
    });
    inside.recv().unwrap();
    let (done, finished) = mpsc::channel();
    for number in 1..=10 {
        let done = done.clone();
        log.put_with(key(number), vec![], vec![0; 1000], move |result| {
            done.send((number, result)).unwrap()
        });
    }
    go.send(()).unwrap();
    drop(done);
    let answers: Vec<_> = finished.iter().collect();
    let busy =
        answers.iter().filter(|(_, result)| matches!(result, Err(Error::Busy { .. }))).count();
    assert!(busy > 0 && answers.len() == 10);
    for (number, result) in answers {
        assert_eq!(log.contains(&key(number)), result.is_ok());
    }
}

#[test]
fn last_handle_may_be_dropped_by_a_callback() {
    let disk = SimDisk::new();
    let log = open(&disk, small());
    let (done, finished) = mpsc::channel();
    let (gate, opened) = mpsc::channel::<()>();
    let own = log.clone();
    log.put_with(key(1), vec![], vec![1; 10], move |result| {
        opened.recv().unwrap();
        drop(own);
        done.send(result).unwrap();
    });
    drop(log);
    gate.send(()).unwrap();
    finished.recv().unwrap().unwrap();
}

#[test]
fn agrees_with_a_plain_map_through_compaction_and_reopen() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let disk = SimDisk::new();
        let mut log = open(&disk, small());
        let mut model = BTreeMap::new();
        for step in 0..300 {
            let key = key(rng.below(25));
            match rng.below(20) {
                0..=10 => {
                    let (header, len) = (rng.bytes(step % 50), rng.below(20_000));
                    let body = rng.bytes(usize::try_from(len).unwrap());
                    log.put(key, header.clone(), body.clone()).unwrap();
                    model.insert(key, (header, body));
                }
                11..=16 => {
                    log.delete(key).unwrap();
                    model.remove(&key);
                }
                17..=18 => drop(log.compact_step(rng.below(100_000)).unwrap()),
                _ => {
                    drop(log);
                    log = open(&disk, small());
                    assert_eq!(log.recovery().torn_bytes, 0, "seed {seed} step {step}");
                }
            }
        }
        assert_eq!(contents(&log), model, "seed {seed}");
        assert_eq!(log.stats().records, model.len() as u64);
        let before = log.stats();
        drop(log);
        let log = open(&disk, small());
        assert_eq!(log.stats(), before, "seed {seed}: the index rebuilt is not the one kept");
        assert_eq!(contents(&log), model, "seed {seed}");
    }
}

#[test]
fn compaction_gives_the_space_of_deleted_records_back() {
    let disk = SimDisk::new();
    let log = open(&disk, small());
    for number in 0..200 {
        log.put(key(number), vec![], vec![1; 10_000]).unwrap();
    }
    let full = log.stats();
    for number in (0..200).filter(|number| number % 10 != 0) {
        log.delete(key(number)).unwrap();
    }
    compact_fully(&log);
    let stats = log.stats();
    assert_eq!(stats.records, 20);
    assert!(stats.used_bytes * 4 < full.used_bytes, "{stats:?} after {full:?}");
    assert_eq!(log.compact_step(u64::MAX).unwrap().progress, Progress::Done);
    assert_eq!(contents(&log).len(), 20);
    drop(log);
    assert_eq!(contents(&open(&disk, small())).len(), 20);
}

#[test]
fn a_missing_or_spoilt_list_costs_a_scan_and_nothing_else() {
    let disk = SimDisk::new();
    let log = open(&disk, small());
    for number in 0..60 {
        log.put(key(number % 40), vec![3; 5], vec![u8::try_from(number).unwrap(); 5_000]).unwrap();
    }
    let before = contents(&log);
    drop(log);
    let image = disk.image();
    let lists: Vec<String> =
        image.files().keys().filter(|name| name.ends_with(".idx")).cloned().collect();
    assert!(lists.len() > 3);
    for (number, name) in lists.iter().enumerate() {
        let mut spoilt = image.clone();
        match number % 3 {
            0 => spoilt.remove(name),
            1 => spoilt.bytes_mut(name)[50] ^= 1,
            _ => spoilt.bytes_mut(name).truncate(30),
        }
        let log = open(&SimDisk::from_image(&spoilt), small());
        assert_eq!(log.recovery().scanned_segments, 2, "{name} and the last segment");
        assert_eq!(contents(&log), before);
    }
}

#[test]
fn handles_are_shared_by_threads() {
    let log = open(&SimDisk::new(), small());
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let log = log.clone();
            scope.spawn(move || {
                for number in 0..20 {
                    let own = key(thread * 100 + number);
                    let body = Arc::new(vec![u8::try_from(thread).unwrap(); 3_000]);
                    log.put(own, vec![], body.to_vec()).unwrap();
                    assert_eq!(log.get(&own).unwrap().unwrap().body, *body);
                    if number % 2 == 0 {
                        log.delete(own).unwrap();
                    }
                    log.compact_step(50_000).unwrap();
                }
            });
        }
    });
    assert_eq!(log.stats().records, 80);
}

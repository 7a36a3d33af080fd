//! Every call of the disk fails once; disks fill up; bits rot.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use acre_disk::testing::{Fault, Rng, SimDisk};
use acre_disk::{Config, Error, Progress, ShardLog};
use common::workload::{Recorder, allowed, compare, operation};
use common::{compact_fully, contents, key, open, small};

/// Runs a workload, opening the log again where it stops, and says how many calls the disk saw.
fn run_with_fault(seed: u64, fault: Option<(u64, Fault)>) -> u64 {
    let context = format!("seed {seed}, fault {fault:?}");
    let mut rng = Rng::new(seed);
    let disk = SimDisk::new();
    if let Some((call, fault)) = fault {
        disk.fail_at(call, fault);
    }
    let mut recorder = Recorder::new(&disk);
    let mut log = reopen(&disk, &context);
    for step in 0..25 {
        match step % 6 {
            0..=3 => recorder.burst(&log, vec![operation(&mut rng)]),
            4 => recorder.burst(&log, (0..5).map(|_| operation(&mut rng)).collect()),
            _ => drop(log.compact_step(30_000)),
        }
        let is_poisoned = matches!(log.delete(key(77)), Err(Error::Poisoned { .. }));
        if is_poisoned {
            assert!(matches!(log.put(key(0), vec![], vec![]), Err(Error::Poisoned { .. })));
            for key in log.keys(None, 100) {
                assert!(log.get(&key).or_else(|_| log.get(&key)).is_ok(), "{context}");
            }
            drop(log);
            log = reopen(&disk, &context);
        }
        let now = allowed(&recorder.events, disk.trace_len());
        compare(&log, &now)
            .or_else(|_| compare(&log, &now))
            .unwrap_or_else(|why| panic!("{context}: {why}"));
    }
    disk.fail_at(u64::MAX, Fault::Io);
    let before = contents(&log);
    drop(log);
    assert_eq!(contents(&reopen(&disk, &context)), before, "{context}");
    disk.calls()
}

/// Opens the log, once more when the planted fault struck.
fn reopen(disk: &SimDisk, context: &str) -> ShardLog {
    let open = || ShardLog::open_on(Arc::new(disk.clone()), small());
    let log = open().or_else(|_| open()).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(log.recovery().damaged.is_empty(), "{context}: {:?}", log.recovery());
    log
}

#[test]
fn a_failure_of_any_call_loses_nothing_acknowledged() {
    for seed in 0..2 {
        let calls = run_with_fault(seed, None);
        for call in 0..calls {
            for fault in [Fault::Io, Fault::Full, Fault::HalfThenIo, Fault::HalfThenFull] {
                run_with_fault(seed, Some((call, fault)));
            }
        }
    }
}

/// Puts until the log is full; gives back how many records it took.
fn fill(log: &ShardLog, body_len: usize) -> u64 {
    for number in 0..100_000 {
        match log.put(key(number), vec![], vec![5; body_len]) {
            Ok(()) => {}
            Err(Error::NoSpace { wanted, free }) => {
                assert!(wanted > body_len as u64 && free < wanted + 4096, "{wanted} {free}");
                return number;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never got full");
}

#[test]
fn a_full_log_refuses_puts_but_reads_deletes_and_compacts() {
    let disk = SimDisk::new();
    let config = Config { capacity_bytes: 1 << 20, ..small() };
    let log = open(&disk, config.clone());
    let count = fill(&log, 5_000);
    assert!(count > 100);
    assert!(log.stats().used_bytes <= config.capacity_bytes);
    assert_eq!(log.get(&key(count - 1)).unwrap().unwrap().body.len(), 5_000);
    for number in 0..count / 2 {
        if let Err(error) = log.delete(key(number)) {
            // Each lone delete takes a page: the reserve is for many, not for all.
            assert!(matches!(error, Error::NoSpace { .. }));
            compact_fully(&log);
            log.delete(key(number)).unwrap();
        }
    }
    compact_fully(&log);
    assert!(log.stats().used_bytes < config.capacity_bytes * 3 / 4, "{:?}", log.stats());
    log.put(key(0), vec![], vec![6; 5_000]).unwrap();
    drop(log);
    assert_eq!(open(&disk, config).stats().records, count - count / 2 + 1);
}

#[test]
fn a_full_disk_refuses_puts_and_keeps_working_after_room_was_made() {
    for capacity in (100_000..400_000).step_by(3_333) {
        let disk = SimDisk::new();
        disk.set_capacity(capacity);
        let log = open(&disk, small());
        let count = fill(&log, 3_000);
        let before = contents(&log);
        assert_eq!(before.len() as u64, count);
        // Room for one group, in the worst case behind the header of a new segment and a list.
        disk.set_capacity(capacity + 16_384);
        log.delete(key(0)).unwrap();
        drop(log);
        disk.set_capacity(capacity * 2);
        let log = open(&disk, small());
        assert_eq!(log.recovery().torn_bytes, 0);
        assert_eq!(log.stats().records, count - 1);
        assert!(fill(&log, 3_000) > count / 2);
    }
}

#[test]
fn puts_leave_the_free_space_that_was_asked_for() {
    let disk = SimDisk::new();
    disk.set_capacity(1 << 20);
    let log = open(&disk, Config { disk_free_min_bytes: 200_000, ..small() });
    let count = fill(&log, 3_000);
    let used: usize = disk.image().files().values().map(|bytes| bytes.len()).sum();
    // The header and list of the segment that the last put opened come on top.
    assert!(used + 200_000 <= (1 << 20) + 8192, "{used}");
    for number in 0..count.min(20) {
        log.delete(key(number)).unwrap();
    }
}

#[test]
fn one_flipped_bit_never_gives_wrong_bytes_and_harms_one_record() {
    let disk = SimDisk::new();
    let log = open(&disk, small());
    for number in 0..40 {
        log.put(
            key(number),
            vec![7; 30],
            Rng::new(number).bytes(3_000 + usize::try_from(number).unwrap()),
        )
        .unwrap();
    }
    let before = contents(&log);
    drop(log);
    let image = disk.image();
    let mut rng = Rng::new(5);
    let mut reported = 0;
    for round in 0..1500 {
        let names: Vec<&String> =
            image.files().keys().filter(|name| name.ends_with(".log")).collect();
        let name = names[usize::try_from(rng.below(names.len() as u64)).unwrap()];
        let mut rotten = image.clone();
        let at = usize::try_from(rng.below(rotten.bytes_mut(name).len() as u64)).unwrap();
        rotten.bytes_mut(name)[at] ^= 1 << rng.below(8);
        if rng.coin() {
            rotten.remove(&name.replace(".log", ".idx"));
        }
        let log = open(&SimDisk::from_image(&rotten), small());
        let mut bad = Vec::new();
        for (key, value) in &before {
            match log.get(key) {
                Ok(Some(found)) => {
                    assert_eq!((&found.header[..], &found.body[..]), (&value.0[..], &value.1[..]))
                }
                Ok(None) => bad.push(*key),
                Err(Error::Damaged { key: named, .. }) => {
                    assert_eq!(named, *key);
                    bad.push(*key);
                    reported += 1;
                }
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        assert!(bad.len() <= 1, "round {round}: {name} at {at} harmed {bad:?}");
        assert!(log.keys(None, 100).iter().all(|key| before.contains_key(key)));
    }
    assert!(reported > 500, "only {reported} reported as damaged");
}

#[test]
fn scrub_finds_rot_and_a_new_put_heals_it() {
    let disk = SimDisk::new();
    let log = open(&disk, small());
    for number in 0..40 {
        log.put(key(number), vec![], vec![4; 4_000]).unwrap();
    }
    drop(log);
    let mut image = disk.image();
    let bytes = image.bytes_mut("seg-00000001.log");
    bytes[4096 + 2_000] ^= 4;
    bytes[2 * 4096 + 4096 + 2_000] ^= 4;
    let log = open(&SimDisk::from_image(&image), small());
    let (mut damaged, mut records) = (Vec::new(), 0);
    loop {
        let step = log.scrub_step(10_000).unwrap();
        assert!(step.bytes <= 20_000);
        records += step.records;
        damaged.extend(step.damaged);
        if step.progress == Progress::Done {
            break;
        }
    }
    assert_eq!((records, damaged.len()), (40, 2));
    for number in 0..30 {
        log.delete(key(number + 10)).unwrap();
    }
    for key in &damaged {
        assert!(matches!(log.get(key), Err(Error::Damaged { .. })));
    }
    // Compaction keeps its hands off what it cannot copy.
    compact_fully(&log);
    assert!(damaged.iter().all(|key| log.contains(key)));
    for key in &damaged {
        log.put(*key, vec![], vec![4; 4_000]).unwrap();
        assert_eq!(log.get(key).unwrap().unwrap().body, vec![4; 4_000]);
    }
    assert!(log.scrub_step(u64::MAX).unwrap().damaged.is_empty());
}

#[test]
fn copies_of_records_inside_a_body_are_not_taken_for_records() {
    let disk = SimDisk::new();
    let log = open(&disk, small());
    log.put(key(1), vec![], vec![1; 64]).unwrap();
    let stolen = disk.image().files()["seg-00000001.log"][4096..8192].to_vec();
    log.put(key(2), vec![], stolen.repeat(3)).unwrap();
    log.put(key(3), vec![], vec![3; 64]).unwrap();
    drop(log);
    let mut image = disk.image();
    image.bytes_mut("seg-00000001.log")[8192 + 13] ^= 1;
    let log = open(&SimDisk::from_image(&image), small());
    assert_eq!(log.keys(None, 10), [key(1), key(3)]);
    assert_eq!(log.recovery().damaged.len(), 1);
}

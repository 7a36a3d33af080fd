//! A crash at every call of the disk, with every kind of loss: what was acknowledged is there, what was not is there as a
//! whole or not at all, and the same holds for a crash during the recovery from a crash.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use acre_disk::ShardLog;
use acre_disk::testing::{Crash, Image, Rng, SimDisk, Survival};
use common::workload::{Event, Recorder, Value, allowed, compare, operation};
use common::{contents, key, open, small};

const SURVIVALS: [Survival; 12] = {
    let mut all = [Survival::Subset; 12];
    all[0] = Survival::Nothing;
    all[1] = Survival::All;
    all[2] = Survival::Lengths;
    all[3] = Survival::Prefix;
    all
};

/// Runs 60 to 110 operations with rolls, bursts, compaction and reopening.
fn run_workload(disk: &SimDisk, rng: &mut Rng) -> Vec<Event> {
    let mut recorder = Recorder::new(disk);
    let mut log = open(disk, small());
    for _ in 0..40 {
        match rng.below(12) {
            0..=7 => recorder.burst(&log, vec![operation(rng)]),
            8..=9 => {
                let count = 2 + rng.below(8);
                recorder.burst(&log, (0..count).map(|_| operation(rng)).collect());
            }
            10 => drop(log.compact_step(rng.below(60_000)).unwrap()),
            _ => {
                drop(log);
                log = open(disk, small());
            }
        }
    }
    recorder.events
}

#[derive(Default)]
struct Tally {
    images: u64,
    second_crashes: u64,
    torn: u64,
}

/// Checks all images of all crash points of a workload.
fn check_workload(seed: u64, disk: &SimDisk) -> Result<Tally, String> {
    let mut rng = Rng::new(seed);
    let events = run_workload(disk, &mut rng);
    let mut crash = Crash::new(&Image::default());
    let mut tally = Tally::default();
    let trace = disk.trace();
    for calls in 0..=trace.len() {
        if calls > 0 {
            crash.step(&trace[calls - 1]);
        }
        let allowed = allowed(&events, calls);
        let survivals = if crash.is_pending() { &SURVIVALS[..] } else { &SURVIVALS[..1] };
        for survival in survivals {
            let image = crash.image(*survival, &mut rng);
            check_image(&image, &allowed, &mut rng, &mut tally)
                .map_err(|why| format!("seed {seed}, after call {calls}, {survival:?}: {why}"))?;
        }
        if crash.is_pending() {
            check_killed(&crash, &allowed, &mut rng)
                .map_err(|why| format!("seed {seed}, killed after call {calls}: {why}"))?;
        }
    }
    Ok(tally)
}

/// Opens `image`, twice, crashes during the recovery, and goes on writing.
fn check_image(
    image: &Image,
    allowed: &BTreeMap<acre_disk::Key, Vec<Value>>,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<(), String> {
    tally.images += 1;
    let disk = SimDisk::from_image(image);
    let log = try_open(&disk)?;
    tally.torn += u64::from(log.recovery().torn_bytes > 0);
    if !log.recovery().damaged.is_empty() {
        return Err(format!("a torn write was taken for rot: {:?}", log.recovery()));
    }
    compare(&log, allowed)?;
    let first = contents(&log);
    drop(log);

    let recovery = disk.trace();
    let mut crash = Crash::new(image);
    for call in &recovery {
        crash.step(call);
        if crash.is_pending() && rng.below(3) == 0 {
            tally.second_crashes += 1;
            let again = crash.image(SURVIVALS[usize::try_from(rng.below(12)).unwrap()], rng);
            compare(&try_open(&SimDisk::from_image(&again))?, allowed)
                .map_err(|why| format!("after a second crash: {why}"))?;
        }
    }
    let durable = SimDisk::from_image(&crash.image(Survival::Nothing, rng));
    let log = try_open(&durable)?;
    if contents(&log) != first {
        return Err("the second open differs from the first".to_owned());
    }
    if rng.below(4) == 0 {
        log.put(key(99), vec![1; 3], vec![2; 700]).map_err(|error| error.to_string())?;
        drop(log);
        let log = try_open(&durable)?;
        let mut with_new = first;
        with_new.insert(key(99), (vec![1; 3], vec![2; 700]));
        if contents(&log) != with_new || !log.recovery().damaged.is_empty() {
            return Err("a put after recovery disturbed the log".to_owned());
        }
    }
    Ok(())
}

/// After the process alone was killed: what the next one shows must survive a power cut.
fn check_killed(
    crash: &Crash,
    allowed: &BTreeMap<acre_disk::Key, Vec<Value>>,
    rng: &mut Rng,
) -> Result<(), String> {
    let disk = crash.killed();
    let log = try_open(&disk)?;
    compare(&log, allowed)?;
    let shown = contents(&log);
    drop(log);
    let mut power = Crash::new(&crash.image(Survival::Nothing, rng));
    disk.trace().iter().for_each(|call| power.step(call));
    let log = try_open(&SimDisk::from_image(&power.image(Survival::Nothing, rng)))?;
    if contents(&log) != shown {
        return Err("what was shown after the kill is gone after the power cut".to_owned());
    }
    Ok(())
}

fn try_open(disk: &SimDisk) -> Result<ShardLog, String> {
    ShardLog::open_on(std::sync::Arc::new(disk.clone()), small()).map_err(|error| error.to_string())
}

#[test]
fn acknowledged_records_survive_a_crash_at_every_call() {
    let mut total = Tally::default();
    for seed in 0..14 {
        let tally = check_workload(seed, &SimDisk::new()).unwrap();
        total.images += tally.images;
        total.second_crashes += tally.second_crashes;
        total.torn += tally.torn;
    }
    assert!(total.images >= 10_000, "only {} images", total.images);
    assert!(total.second_crashes >= 1_000, "only {} second crashes", total.second_crashes);
    assert!(total.torn >= 1_000, "only {} images were torn", total.torn);
}

#[test]
fn the_check_catches_a_disk_that_does_not_sync() {
    let disk = SimDisk::new();
    disk.drop_syncs();
    assert!(check_workload(0, &disk).is_err());
}

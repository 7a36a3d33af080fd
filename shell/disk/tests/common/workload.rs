//! A workload whose every step and answer is written down beside the disk's own record of calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, mpsc};

use acre_disk::testing::{Rng, SimDisk};
use acre_disk::{Error, Key, ShardLog};

use super::key;

pub(crate) type Value = Option<(Vec<u8>, Vec<u8>)>;
pub(crate) type Answer = (usize, Result<(), Error>);

/// One put (`Some`) or delete (`None`).
#[derive(Clone)]
pub(crate) struct Event {
    pub key: Key,
    pub value: Value,
    /// Changing calls the disk had seen when it was handed in.
    pub submitted_at: usize,
    /// Changing calls the disk had seen when it was answered, and the answer.
    pub answer: Arc<Mutex<Option<Answer>>>,
}

impl Event {
    fn is_acknowledged(&self, calls: usize) -> bool {
        matches!(&*self.answer.lock().unwrap(), Some((at, Ok(()))) if *at <= calls)
    }

    /// Whether it was refused in a way that promises that nothing changed.
    fn is_refused(&self) -> bool {
        let answer = self.answer.lock().unwrap();
        matches!(&*answer, Some((_, Err(Error::NoSpace { .. } | Error::Busy { .. }))))
    }
}

/// Writes down what it does to a log.
pub(crate) struct Recorder {
    pub disk: SimDisk,
    pub events: Vec<Event>,
}

impl Recorder {
    pub(crate) fn new(disk: &SimDisk) -> Self {
        Self { disk: disk.clone(), events: Vec::new() }
    }

    /// Hands one operation in; `done` runs after the answer was written down.
    pub(crate) fn submit(
        &mut self,
        log: &ShardLog,
        key: Key,
        value: Value,
        done: impl FnOnce() + Send + 'static,
    ) {
        let answer = Arc::new(Mutex::new(None));
        let submitted_at = self.disk.trace_len();
        self.events.push(Event { key, value: value.clone(), submitted_at, answer: answer.clone() });
        let disk = self.disk.clone();
        let on_done = move |result| {
            *answer.lock().unwrap() = Some((disk.trace_len(), result));
            done();
        };
        match value {
            Some((header, body)) => log.put_with(key, header, body, on_done),
            None => log.delete_with(key, on_done),
        }
    }

    /// Hands operations in such that all but the first form one group, and waits for all answers.
    pub(crate) fn burst(&mut self, log: &ShardLog, operations: Vec<(Key, Value)>) {
        let (entered, inside) = mpsc::channel::<()>();
        let (go, wait) = mpsc::channel::<()>();
        let (done, finished) = mpsc::channel::<()>();
        let mut operations = operations.into_iter();
        let Some((key, value)) = operations.next() else { return };
        let first_done = done.clone();
        self.submit(log, key, value, move || {
            entered.send(()).unwrap();
            // Until all others are queued; an error means the same.
            let _ = wait.recv();
            drop(first_done);
        });
        inside.recv().unwrap();
        for (key, value) in operations {
            let done = done.clone();
            self.submit(log, key, value, move || drop(done));
        }
        drop((go, done));
        assert!(finished.recv().is_err(), "all answers have dropped their end");
    }
}

/// What may be read after a crash behind `calls` calls of the disk: the last acknowledged value of each key, or that of any
/// operation that was on its way.
pub(crate) fn allowed(events: &[Event], calls: usize) -> BTreeMap<Key, Vec<Value>> {
    let mut allowed: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.submitted_at <= calls) {
        let values = allowed.entry(event.key).or_insert_with(|| vec![None]);
        if event.is_acknowledged(calls) {
            values.clear();
        }
        if !event.is_refused() {
            values.push(event.value.clone());
        }
    }
    allowed
}

/// Compares what is there with what may be there.
pub(crate) fn compare(log: &ShardLog, allowed: &BTreeMap<Key, Vec<Value>>) -> Result<(), String> {
    let mut keys: BTreeSet<Key> = allowed.keys().copied().collect();
    keys.extend(log.keys(None, usize::MAX));
    for key in keys {
        let found = log.get(&key).map_err(|error| format!("{key}: {error}"))?;
        let found = found.map(|record| (record.header.to_vec(), record.body.to_vec()));
        let values = allowed.get(&key).map_or(&[][..], Vec::as_slice);
        if !values.contains(&found) {
            let lens: Vec<_> =
                values.iter().map(|value| value.as_ref().map(|v| v.1.len())).collect();
            let found = found.map(|value| value.1.len());
            return Err(format!("{key}: found a body of {found:?}, allowed are {lens:?}"));
        }
    }
    Ok(())
}

/// A random operation on one of a few keys; bodies from nothing to a few blocks.
pub(crate) fn operation(rng: &mut Rng) -> (Key, Value) {
    let key = key(rng.below(12));
    if rng.below(10) < 4 {
        return (key, None);
    }
    let body_len = match rng.below(6) {
        0 => 0,
        1..=3 => rng.below(2_000),
        4 => rng.below(9_000),
        _ => 16_384 + rng.below(10_000),
    };
    let header = (0..rng.below(40)).map(|_| b'h').collect();
    let body = rng.bytes(usize::try_from(body_len).unwrap());
    (key, Some((header, body)))
}

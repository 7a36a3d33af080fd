//! The store against a plain map, across restarts, crashes and pruning.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use acre_crypto::digest;
use redb::StorageBackend;

use super::*;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;
type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Small numbers, so that flushing and pruning happen within a few blocks.
const SMALL: Retention =
    Retention { blocks: 20, body_bytes: 4_000, log_bytes: 2_000, log_blocks: 8, prune_step: 5 };

/// A disk that forgets what was not synced, and fails where told.
#[derive(Debug, Default)]
struct Disk {
    now: Mutex<Vec<u8>>,
    synced: Mutex<Vec<u8>>,
    /// Writes and syncs until the disk breaks.
    left: Mutex<Option<u64>>,
}

/// A handle to it, as the database wants one.
#[derive(Debug, Clone)]
struct Handle(Arc<Disk>);

impl Disk {
    fn spend(&self) -> io::Result<()> {
        match &mut *self.left.lock().unwrap() {
            Some(0) => Err(io::Error::other("injected fault")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn break_after(&self, operations: Option<u64>) {
        *self.left.lock().unwrap() = operations;
    }

    /// The power fails: `torn` of the bytes that were not synced are there nevertheless.
    fn crash(&self, seed: u64) -> Arc<Self> {
        let (now, synced) = (self.now.lock().unwrap(), self.synced.lock().unwrap());
        let mut image = synced.clone();
        for (index, (old, new)) in image.chunks_mut(512).zip(now.chunks(512)).enumerate() {
            let coin = digest(&[seed.to_le_bytes(), (index as u64).to_le_bytes()].concat()).0[0];
            if coin & 1 == 1 && old.len() == new.len() {
                old.copy_from_slice(new);
            }
        }
        Arc::new(Self {
            now: Mutex::new(image.clone()),
            synced: Mutex::new(image),
            left: Mutex::new(None),
        })
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.now.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let now = self.0.now.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let bytes = now.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.spend()?;
        let len = usize::try_from(len).unwrap();
        self.0.now.lock().unwrap().resize(len, 0);
        // The size of a file is kept in its journal; contents are not.
        self.0.synced.lock().unwrap().resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.spend()?;
        let now = self.0.now.lock().unwrap().clone();
        *self.0.synced.lock().unwrap() = now;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.spend()?;
        let start = usize::try_from(offset).unwrap();
        let mut now = self.0.now.lock().unwrap();
        let room = now.get_mut(start..start + data.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        room.copy_from_slice(data);
        Ok(())
    }
}

fn genesis_leaves() -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..50_u32).map(|n| (n.to_le_bytes().to_vec(), vec![7; 20])).collect()
}

type Opened = (Store, Option<(u64, Head)>, Model);

fn open(disk: &Arc<Disk>) -> Result<Opened, StoreError> {
    let database = Database::builder()
        .create_with_backend(Handle(Arc::clone(disk)))
        .map_err(|e| StoreError::database("opening", e))?;
    let mut leaves = Model::new();
    let loaded =
        Store::with_database(database, SMALL, Digest([1; 32]), genesis_leaves, |key, value| {
            assert!(leaves.insert(key.to_vec(), value.to_vec()).is_none(), "a leaf twice");
        })?;
    Ok((loaded.store, loaded.last, leaves))
}

fn low(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

/// Some changes that depend on seed and height alone.
fn changes(seed: u64, height: u64) -> Changes {
    let coin = |n: u64| {
        let bytes = [seed, height, n].map(u64::to_le_bytes).concat();
        u64::from_le_bytes(*digest(&bytes).0.first_chunk().unwrap())
    };
    let count = if coin(0).is_multiple_of(3) { 0 } else { coin(1) % 12 };
    (0..count)
        .map(|n| {
            let key = u32::try_from(coin(10 + n) % 120).unwrap().to_le_bytes().to_vec();
            let length = usize::try_from(coin(40 + n) % 60).unwrap();
            (key, (!coin(80 + n).is_multiple_of(4)).then(|| vec![low(n); length]))
        })
        .collect()
}

fn body(seed: u64, height: u64) -> Body {
    if changes(seed, height).is_empty() {
        return Body::default();
    }
    let transactions = vec![digest(&height.to_le_bytes())];
    Body { payload: vec![low(height); 100], transactions, events: vec![1; 10] }
}

fn commit(store: &mut Store, seed: u64, height: u64) -> Result<(), StoreError> {
    let id = digest(&height.to_le_bytes()).0;
    let (header, body) = ([low(height); 180], body(seed, height));
    let certificate = (!height.is_multiple_of(5)).then_some(&[9_u8; 120][..]);
    let block = Commit { height, id, header: &header, certificate, body: &body, turn: None };
    let changes = changes(seed, height);
    store.commit(&block, changes.iter().map(|(key, value)| (&**key, value.as_deref())))
}

fn apply(model: &mut Model, changes: Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(model.insert(key, value)),
            None => drop(model.remove(&key)),
        }
    }
}

fn model_at(seed: u64, height: u64) -> Model {
    let mut model: Model = genesis_leaves().into_iter().collect();
    (1..=height).for_each(|height| apply(&mut model, changes(seed, height)));
    model
}

#[test]
fn leaves_after_restarts_are_those_of_a_plain_map() {
    for seed in 0..4 {
        let disk = Arc::new(Disk::default());
        let mut height = 0;
        for round in 0..12 {
            let (mut store, last, leaves) = open(&disk).unwrap();
            assert_eq!(last.map_or(0, |(height, _)| height), height, "seed {seed}");
            assert_eq!(leaves, model_at(seed, height), "seed {seed}, round {round}");
            for _ in 0..9 {
                height += 1;
                commit(&mut store, seed, height).unwrap();
            }
        }
    }
}

#[test]
fn block_is_there_wholly_or_not_at_all_wherever_the_disk_breaks() {
    for seed in 0..6 {
        for operations in (0..160).step_by(3) {
            let disk = Arc::new(Disk::default());
            let (mut store, ..) = open(&disk).unwrap();
            let mut height = 0;
            for _ in 0..12 {
                height += 1;
                commit(&mut store, seed, height).unwrap();
            }
            disk.break_after(Some(operations));
            let failed = loop {
                match commit(&mut store, seed, height + 1) {
                    Ok(()) => height += 1,
                    Err(error) => break error,
                }
            };
            assert!(matches!(failed, StoreError::Database { .. }), "{failed}");
            let poisoned = commit(&mut store, seed, height + 1);
            assert!(matches!(poisoned, Err(StoreError::Poisoned)), "{poisoned:?}");
            let image = disk.crash(seed + operations);
            drop(store);
            let (mut store, last, leaves) = open(&image).unwrap();
            // The commit that failed may have become durable: then it is there wholly.
            let found = last.map_or(0, |(height, _)| height);
            assert!(found == height || found == height + 1, "{found} after {height}");
            assert_eq!(leaves, model_at(seed, found), "seed {seed}, operations {operations}");
            commit(&mut store, seed, found + 1).unwrap();
        }
    }
}

#[test]
fn old_blocks_and_changes_are_pruned() {
    let disk = Arc::new(Disk::default());
    let (mut store, ..) = open(&disk).unwrap();
    let mut longest = 0;
    for height in 1..=300 {
        commit(&mut store, 3, height).unwrap();
        longest = longest.max(store.log.kept.len());
    }
    assert!(longest < 2 * SMALL.log_blocks, "the log reached {longest} blocks");
    let (oldest, newest) = store.reader().range().unwrap().unwrap();
    assert_eq!(newest, 300);
    assert!(newest - oldest <= SMALL.blocks + SMALL.prune_step, "{oldest}");
    assert!(store.blocks.bytes <= SMALL.body_bytes);
    assert_eq!(store.reader().head(oldest - 1).unwrap(), None);
    let head = store.reader().head(299).unwrap().unwrap();
    assert_eq!(head.header.as_ref(), [low(299); 180]);
    let expected = body(3, 299);
    let found = store.reader().body(299).unwrap();
    assert_eq!(found.unwrap_or_default(), expected);
}

#[test]
fn other_genesis_and_wrong_order_are_refused() {
    let disk = Arc::new(Disk::default());
    let (mut store, ..) = open(&disk).unwrap();
    commit(&mut store, 1, 1).unwrap();
    assert!(matches!(commit(&mut store, 1, 1), Err(StoreError::OutOfOrder { .. })));
    assert!(matches!(commit(&mut store, 1, 3), Err(StoreError::OutOfOrder { .. })));
    commit(&mut store, 1, 2).unwrap();
    drop(store);
    let database = Database::builder().create_with_backend(Handle(Arc::clone(&disk))).unwrap();
    let other = Store::with_database(database, SMALL, Digest([2; 32]), Vec::new, |_, _| {});
    assert!(matches!(other, Err(StoreError::OtherGenesis { .. })));
}

#[test]
fn damaged_entries_are_an_error() {
    let mut blob = Vec::new();
    bucket::push(&mut blob, b"key", Some(b"value")).unwrap();
    bucket::push(&mut blob, b"gone", None).unwrap();
    let whole: Vec<_> = Entries(&blob).collect::<Result<_, _>>().unwrap();
    assert_eq!(whole, [(&b"key"[..], Some(&b"value"[..])), (&b"gone"[..], None)]);
    for cut in 1..blob.len() {
        let entries: Result<Vec<_>, _> = Entries(&blob[..cut]).collect();
        assert!(entries.is_err() || entries.unwrap().len() == 1, "cut at {cut}");
    }
    assert!(bucket::push(&mut blob, &[0; 1025], None).is_err());
}

#[test]
fn empty_block_writes_next_to_nothing() {
    /// Counts bytes.
    #[derive(Debug)]
    struct Meter(Handle, Arc<Mutex<u64>>);
    impl StorageBackend for Meter {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read(offset, out)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.set_len(len)
        }
        fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            *self.1.lock().unwrap() += data.len() as u64;
            self.0.write(offset, data)
        }
    }
    let written = Arc::new(Mutex::new(0));
    let meter = Meter(Handle(Arc::new(Disk::default())), Arc::clone(&written));
    let database = Database::builder().create_with_backend(meter).unwrap();
    let default = Retention::default();
    let loaded =
        Store::with_database(database, default, Digest([1; 32]), genesis_leaves, |_, _| {});
    let mut store = loaded.unwrap().store;
    let body = Body::default();
    for height in 1..=400 {
        if height == 201 {
            *written.lock().unwrap() = 0;
        }
        let certificate = Some(&[9_u8; 120][..]);
        let block =
            Commit { height, id: [1; 32], header: &[3; 180], certificate, body: &body, turn: None };
        store.commit(&block, []).unwrap();
    }
    let per_block = *written.lock().unwrap() / 200;
    assert!(per_block < 64 << 10, "{per_block} bytes");
}

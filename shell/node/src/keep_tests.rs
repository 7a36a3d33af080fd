//! A contract's time passes; what the node then writes, reads and deletes.

use acre_codec::Blob;
use acre_ledger::{Cause, Contract, ContractState, Grace};
use acre_store::head::Head;
use acre_store::protocol::{Refusal, Reply, Request};
use acre_types::Bytes;

use super::*;
use crate::tests::{Bench, CONTRACT, Ledger, NOW, contract, id, shard, source};

const OTHER: ContractId = ContractId(CONTRACT.0 + 1);
const HOUR: u64 = 3_600_000;

struct Scene {
    bench: Bench,
    ledger: Arc<Ledger>,
    keeper: Keeper,
}

/// An hour, then an hour of being frozen and one of being archived.
fn of_hours(id: ContractId) -> Contract {
    let grace = Grace { freeze_ms: HOUR, archive_ms: HOUR };
    Contract { id, expires: UnixMs(NOW.0 + HOUR), grace, ..contract(Bytes(1 << 20)) }
}

impl Scene {
    /// Holds two shards and a head of one contract and a shard of another.
    async fn new() -> Self {
        let ledger = source(of_hours(CONTRACT));
        let endless = Contract { id: OTHER, ..contract(Bytes(1 << 20)) };
        ledger.contracts.lock().unwrap().insert(OTHER, endless);
        let bench = Bench::on(tempfile::tempdir().unwrap(), Arc::clone(&ledger));
        for pack in [5, 6] {
            let shard = shard(&bench.writer, CONTRACT, pack, 0);
            assert_eq!(bench.put(&shard).await, Reply::Stored);
        }
        assert_eq!(bench.put(&shard(&bench.writer, OTHER, 9, 0)).await, Reply::Stored);
        let sealed_root = Blob::new(vec![1; 9]).unwrap();
        let head = Head { version: 1, contract: CONTRACT, epoch: 0, counter: 1, sealed_root };
        let head = head.sign(&bench.writer);
        assert_eq!(
            bench.ask(Request::PutHead(head.clone())).await,
            Reply::HeadIs(Some(head.clone()))
        );
        let keeper = Keeper::new(Arc::clone(&bench.shelf));
        Self { bench, ledger, keeper }
    }

    /// The ledger's newest block is so much younger now; every contract is due.
    async fn pass(&mut self, ms: u64) -> Result<u64, Unknown> {
        *self.ledger.time.lock().unwrap() = Some(UnixMs(NOW.0 + ms));
        self.look().await
    }

    async fn look(&mut self) -> Result<u64, Unknown> {
        self.keeper.due.clear();
        self.keeper.look().await
    }

    async fn write(&self) -> Reply {
        self.bench.put(&shard(&self.bench.writer, CONTRACT, 7, 0)).await
    }

    async fn read(&self, pack: u8) -> Reply {
        self.bench.ask(Request::Get { shard: id(pack, 0), offset: 0, length: 1 }).await
    }
}

const READ: Reply = Reply::Shard { pack_bytes: 1280 };
const ENDED: Reply = Reply::Refused(Refusal::ContractEnded(CONTRACT));
const GONE: Reply = Reply::Refused(Refusal::NotFound);

#[tokio::test]
async fn storage_is_frozen_then_archived_then_deleted() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.pass(HOUR - 1000).await, Ok(0));
    assert_eq!(scene.read(5).await, READ);

    assert_eq!(scene.pass(HOUR).await, Ok(0));
    assert_eq!((scene.write().await, scene.read(5).await), (ENDED, READ), "frozen");

    assert_eq!(scene.pass(2 * HOUR).await, Ok(0));
    assert_eq!((scene.write().await, scene.read(5).await), (ENDED, ENDED), "archived");
    assert_eq!(scene.read(9).await, READ, "another one is not touched");

    assert_eq!(scene.pass(3 * HOUR).await, Ok(3), "two shards and a head");
    assert_eq!((scene.read(5).await, scene.read(6).await), (GONE, GONE));
    let head = Request::GetHead { contract: CONTRACT };
    assert_eq!(scene.bench.ask(head).await, Reply::HeadIs(None));
    assert_eq!(scene.read(9).await, READ);
    assert_eq!(scene.look().await, Ok(0), "once");
    let Scene { bench, keeper, .. } = scene;
    drop(keeper);
    let bench = bench.reopened();
    let get = Request::Get { shard: id(5, 0), offset: 0, length: 1 };
    assert_eq!(bench.ask(get).await, GONE, "for good");
}

#[tokio::test]
async fn archived_storage_is_read_again_when_its_owner_pays() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.pass(2 * HOUR).await, Ok(0));
    assert_eq!(scene.read(5).await, ENDED);
    scene.ledger.contracts.lock().unwrap().get_mut(&CONTRACT).unwrap().expires =
        UnixMs(NOW.0 + 9 * HOUR);
    assert_eq!(scene.look().await, Ok(0));
    assert_eq!((scene.read(5).await, scene.write().await), (READ, Reply::Stored));
}

#[tokio::test]
async fn cancelled_storage_is_deleted() {
    let mut scene = Scene::new().await;
    scene.ledger.contracts.lock().unwrap().get_mut(&CONTRACT).unwrap().state =
        ContractState::Closed { at: NOW, cause: Cause::Cancelled };
    assert_eq!(scene.look().await, Ok(3));
    assert_eq!(scene.read(5).await, GONE);
}

#[tokio::test]
async fn nothing_is_deleted_without_the_word_of_the_ledger() {
    let mut scene = Scene::new().await;
    *scene.ledger.time.lock().unwrap() = None;
    assert_eq!(scene.look().await, Err(Unknown), "nobody answers");
    assert_eq!(scene.read(5).await, READ);

    // The clock of this machine is decades past the end, the newest certified block is not.
    assert_eq!(scene.pass(3 * HOUR - 1).await, Ok(0));
    scene.ledger.contracts.lock().unwrap().remove(&CONTRACT);
    assert_eq!(scene.pass(9 * HOUR).await, Ok(0), "a contract that is not shown");
    assert_eq!(scene.read(5).await, READ, "not known to be archived either");
}

#[tokio::test]
async fn contracts_are_read_when_they_are_due_and_no_sooner() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.keeper.look().await, Ok(0));
    assert_eq!(scene.keeper.due.len(), 2);
    *scene.ledger.time.lock().unwrap() = None;
    assert_eq!(scene.keeper.look().await, Ok(0), "nothing is asked");
}

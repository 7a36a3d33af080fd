//! What the shelf takes, gives and refuses.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use acre_codec::{Blob, List};
use acre_crypto::{Secret, SigningKey};
use acre_ledger::{Contract, ContractKind, ContractState, Grace, Stand, Storage};
use acre_net::rpc::Message;
use acre_store::head::{Head, SignedHead};
use acre_store::protocol::{Delete, Refusal, Reply, Request, Rest, decode_reply};
use acre_store::shard::{PackClass, PackHeader, PackParts, ShardHeader, ShardId};
use acre_types::{Amount, Bytes, ContractId, NodeId, PackId, Profile, UnixMs};

use crate::{ContractSource, Proven, Shelf, Unknown};

/// The ledger as a table.
pub(crate) struct Ledger {
    pub(crate) contracts: Mutex<BTreeMap<ContractId, Contract>>,
    /// Time of its newest block; `None` while nobody answers.
    pub(crate) time: Mutex<Option<UnixMs>>,
}

impl ContractSource for Ledger {
    fn contracts<'a>(
        &'a self,
        ids: &'a [ContractId],
    ) -> Pin<Box<dyn Future<Output = Result<Proven, Unknown>> + Send + 'a>> {
        Box::pin(async move {
            let at = self.time.lock().unwrap().ok_or(Unknown)?;
            let known = self.contracts.lock().unwrap();
            // Two at a time, as a real one may give fewer than asked for.
            let contracts = ids.iter().take(2).map(|id| known.get(id).cloned()).collect();
            Ok(Proven { at, contracts })
        })
    }
}

pub(crate) struct Bench {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) writer: SigningKey,
    folder: tempfile::TempDir,
}

pub(crate) const CONTRACT: ContractId = ContractId(7);
/// Time of the ledger.
pub(crate) const NOW: UnixMs = UnixMs(1_000_000);
pub(crate) const CAPACITY: Bytes = Bytes(64 << 20);

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Secret::new([seed; 32]))
}

pub(crate) fn contract(bytes: Bytes) -> Contract {
    at(key(1).public().into(), bytes)
}

fn at(node: NodeId, bytes: Bytes) -> Contract {
    Contract {
        id: CONTRACT,
        owner: key(3).public().into(),
        kind: ContractKind::Storage(Storage {
            writer: key(2).public(),
            profile: Profile::Tiny,
            places: List::new(vec![node]).unwrap(),
            bytes,
        }),
        created: UnixMs(0),
        since: UnixMs(0),
        settled: UnixMs(0),
        expires: UnixMs(u64::MAX),
        grace: Grace::default(),
        escrow: Amount::ZERO,
        listed: Amount::ZERO,
        usage: Amount::ZERO,
        deposit: Amount::ZERO,
        closing: Amount::ZERO,
        paid: Amount::ZERO,
        paid_listed: Amount::ZERO,
        stands: List::new(vec![Stand::default()]).unwrap(),
        bills: 0,
        gang: None,
        state: ContractState::Open,
    }
}

pub(crate) fn source(contract: Contract) -> Arc<Ledger> {
    let contracts = Mutex::new([(contract.id, contract)].into());
    Arc::new(Ledger { contracts, time: Mutex::new(Some(NOW)) })
}

impl Bench {
    pub(crate) fn new(contract: Contract) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::on(folder, source(contract))
    }

    pub(crate) fn on(folder: tempfile::TempDir, ledger: Arc<Ledger>) -> Self {
        let shelf = Shelf::open(folder.path(), CAPACITY, key(1), ledger).unwrap();
        Self { shelf: Arc::new(shelf), writer: key(2), folder }
    }

    pub(crate) fn reopened(self) -> Self {
        let Self { shelf, writer, folder } = self;
        drop(shelf);
        let shelf = Shelf::open(folder.path(), CAPACITY, key(1), source(contract(Bytes(1 << 20))));
        Self { shelf: Arc::new(shelf.unwrap()), writer, folder }
    }

    async fn ask_with(&self, request: Request, body: &[u8]) -> (Reply, Vec<u8>) {
        let meta = acre_codec::encode(&request);
        let reply = self.shelf.answer(Message::new(meta, body.to_vec())).await;
        (decode_reply(&reply.meta).unwrap(), reply.body.to_vec())
    }

    pub(crate) async fn ask(&self, request: Request) -> Reply {
        self.ask_with(request, b"").await.0
    }

    pub(crate) async fn put(&self, shard: &(ShardHeader, Vec<u8>)) -> Reply {
        self.ask_with(Request::Put(shard.0.clone()), &shard.1).await.0
    }
}

/// Shard `index` of a pack whose bodies are filled with a byte.
pub(crate) fn shard(
    writer: &SigningKey,
    contract: ContractId,
    pack: u8,
    index: usize,
) -> (ShardHeader, Vec<u8>) {
    let body = |index: u8| vec![pack ^ (index << 4); 640];
    let header = PackHeader::new(PackParts {
        contract,
        pack: PackId([pack; 16]),
        profile: Profile::Tiny,
        class: PackClass::Data,
        pack_bytes: 1280,
        roots: (0..3).map(|index| acre_crypto::digest(&body(index))).collect(),
    });
    let header = header.unwrap();
    let signature = header.sign(writer);
    let position = Profile::Tiny.shard(index).unwrap();
    (ShardHeader::new(header, signature, position).unwrap(), body(position.get()))
}

pub(crate) fn id(pack: u8, index: usize) -> ShardId {
    ShardId { pack: PackId([pack; 16]), index: Profile::Tiny.shard(index).unwrap() }
}

#[tokio::test]
async fn keeps_what_a_contract_pays_for_and_gives_it_back() {
    let bench = Bench::new(contract(Bytes(1 << 20)));
    let shard = shard(&bench.writer, CONTRACT, 5, 1);
    assert_eq!(bench.put(&shard).await, Reply::Stored);
    assert_eq!(bench.put(&shard).await, Reply::Stored, "a repetition is fine");
    let bench = bench.reopened();
    let get = Request::Get { shard: id(5, 1), offset: 100, length: 50 };
    let (reply, body) = bench.ask_with(get, b"").await;
    assert_eq!(reply, Reply::Shard { pack_bytes: 1280 });
    assert_eq!(body, shard.1[100..150]);
    assert_eq!(bench.ask(Request::Header(id(5, 1))).await, Reply::Header(shard.0));
    assert_eq!(bench.ask(Request::Verify(id(5, 1))).await, Reply::Verified);
    assert_eq!(bench.ask(Request::Verify(id(5, 0))).await, Reply::Refused(Refusal::NotFound));
}

#[tokio::test]
async fn names_what_it_holds() {
    let bench = Bench::new(contract(Bytes(1 << 20)));
    for (pack, index) in [(9, 0), (4, 2), (4, 0)] {
        assert_eq!(bench.put(&shard(&bench.writer, CONTRACT, pack, index)).await, Reply::Stored);
    }
    let packs = List::new(vec![PackId([9; 16]), PackId([1; 16]), PackId([4; 16])]).unwrap();
    let located = List::new(vec![id(9, 0), id(4, 0), id(4, 2)]).unwrap();
    assert_eq!(bench.ask(Request::Locate { packs }).await, Reply::Located(located));
    let page = |shards| Reply::Page { shards: List::new(shards).unwrap(), rest: Rest::End };
    let list = |after| Request::List { contract: CONTRACT, after };
    assert_eq!(bench.ask(list(None)).await, page(vec![id(4, 0), id(4, 2), id(9, 0)]));
    assert_eq!(bench.ask(list(Some(id(4, 2)))).await, page(vec![id(9, 0)]));
    let other = Request::List { contract: ContractId(8), after: None };
    assert_eq!(bench.ask(other).await, page(vec![]));
}

#[tokio::test]
async fn refuses_what_nobody_pays_for() {
    let bench = Bench::new(contract(Bytes(1 << 20)));
    let unknown = shard(&bench.writer, ContractId(8), 5, 0);
    let refused = Reply::Refused(Refusal::NoSuchContract(ContractId(8)));
    assert_eq!(bench.put(&unknown).await, refused);
    let foreign = shard(&key(9), CONTRACT, 5, 0);
    assert_eq!(bench.put(&foreign).await, Reply::Refused(Refusal::BadSignature));
    let (header, mut body) = shard(&bench.writer, CONTRACT, 5, 0);
    body[0] ^= 1;
    assert_eq!(bench.put(&(header, body)).await, Reply::Refused(Refusal::BadRoot));

    let elsewhere = at(key(8).public().into(), Bytes(1 << 20));
    let bench = Bench::new(elsewhere);
    let refused = Reply::Refused(Refusal::NotMyContract(CONTRACT));
    assert_eq!(bench.put(&shard(&bench.writer, CONTRACT, 5, 0)).await, refused);

    let mut over = contract(Bytes(1 << 20));
    over.expires = UnixMs(1);
    let bench = Bench::new(over);
    let refused = Reply::Refused(Refusal::ContractEnded(CONTRACT));
    assert_eq!(bench.put(&shard(&bench.writer, CONTRACT, 5, 0)).await, refused);
}

#[tokio::test]
async fn refuses_another_pack_of_the_same_name() {
    let bench = Bench::new(contract(Bytes(1 << 20)));
    assert_eq!(bench.put(&shard(&bench.writer, CONTRACT, 5, 0)).await, Reply::Stored);
    let (header, body) = shard(&bench.writer, CONTRACT, 6, 0);
    let parts = PackParts {
        contract: CONTRACT,
        pack: PackId([5; 16]),
        profile: Profile::Tiny,
        class: PackClass::Data,
        pack_bytes: 1280,
        roots: header.pack().roots().to_vec(),
    };
    let pack = PackHeader::new(parts).unwrap();
    let signature = pack.sign(&bench.writer);
    let header = ShardHeader::new(pack, signature, header.index()).unwrap();
    assert_eq!(bench.put(&(header, body)).await, Reply::Refused(Refusal::Conflict));
}

#[tokio::test]
async fn deletes_for_the_writer_only_and_signs_a_receipt() {
    let bench = Bench::new(contract(Bytes(1 << 20)));
    for index in [0, 2] {
        assert_eq!(bench.put(&shard(&bench.writer, CONTRACT, 5, index)).await, Reply::Stored);
    }
    assert_eq!(bench.put(&shard(&bench.writer, CONTRACT, 6, 0)).await, Reply::Stored);
    let packs = List::new(vec![PackId([5; 16])]).unwrap();
    let delete = Delete { contract: CONTRACT, packs, serial: 1 };
    let forged = Request::Delete(delete.clone().sign(&key(9)));
    assert_eq!(bench.ask(forged).await, Reply::Refused(Refusal::BadSignature));
    let Reply::Deleted(receipt) =
        bench.ask(Request::Delete(delete.clone().sign(&bench.writer))).await
    else {
        panic!("not deleted")
    };
    receipt.verify(&delete).unwrap();
    assert_eq!(receipt.receipt.shards, 2);
    let bench = bench.reopened();
    let get = |pack| Request::Get { shard: id(pack, 0), offset: 0, length: 1 };
    assert_eq!(bench.ask(get(5)).await, Reply::Refused(Refusal::NotFound));
    assert_eq!(bench.ask(get(6)).await, Reply::Shard { pack_bytes: 1280 });
}

#[tokio::test]
async fn keeps_the_newest_head() {
    let bench = Bench::new(contract(Bytes(1 << 20)));
    let head = |counter, writer: &SigningKey| -> SignedHead {
        let sealed_root = Blob::new(vec![counter as u8; 9]).unwrap();
        let contract = CONTRACT;
        Head { version: 1, contract, epoch: 0, counter, sealed_root }.sign(writer)
    };
    let is = |head: &SignedHead| Reply::HeadIs(Some(head.clone()));
    let get = || Request::GetHead { contract: CONTRACT };
    assert_eq!(bench.ask(get()).await, Reply::HeadIs(None));
    let (old, new) = (head(1, &bench.writer), head(2, &bench.writer));
    assert_eq!(bench.ask(Request::PutHead(old.clone())).await, is(&old));
    assert_eq!(bench.ask(Request::PutHead(new.clone())).await, is(&new));
    assert_eq!(bench.ask(Request::PutHead(old)).await, is(&new), "an older one changes nothing");
    let forged = Request::PutHead(head(3, &key(9)));
    assert_eq!(bench.ask(forged).await, Reply::Refused(Refusal::BadSignature));
    assert_eq!(bench.reopened().ask(get()).await, is(&new));
}

#[tokio::test]
async fn refuses_more_than_the_contract_pays_for_until_it_grows() {
    let small = contract(Bytes(2));
    let ledger = source(small);
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::on(folder, ledger);
    let big = |pack: u8| {
        let body = vec![pack; 256 * 1024];
        let parts = PackParts {
            contract: CONTRACT,
            pack: PackId([pack; 16]),
            profile: Profile::Tiny,
            class: PackClass::Data,
            pack_bytes: 512 * 1024,
            roots: vec![acre_crypto::digest(&body); 3],
        };
        let header = PackHeader::new(parts).unwrap();
        let signature = header.sign(&key(2));
        (ShardHeader::new(header, signature, Profile::Tiny.shard(0).unwrap()).unwrap(), body)
    };
    let mut stored = 0;
    let refused = loop {
        match bench.put(&big(stored)).await {
            Reply::Stored => stored += 1,
            refused => break refused,
        }
    };
    assert!((28..=32).contains(&stored), "8 MiB hold {stored} shards of 256 KiB");
    let is_over = matches!(refused, Reply::Refused(Refusal::OverContract { .. }));
    assert!(is_over, "{refused:?}");
}

#[tokio::test]
async fn full_node_refuses_writes_and_still_reads_and_deletes() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = source(contract(Bytes(1 << 40)));
    let shelf = Shelf::open(folder.path(), Bytes(8 << 20), key(1), ledger).unwrap();
    let bench = Bench { shelf: Arc::new(shelf), writer: key(2), folder };
    let mut stored = 0_u32;
    let refused = loop {
        let body = vec![1; 256 * 1024];
        let mut pack = [0; 16];
        pack[..4].copy_from_slice(&stored.to_be_bytes());
        let parts = PackParts {
            contract: CONTRACT,
            pack: PackId(pack),
            profile: Profile::Tiny,
            class: PackClass::Data,
            pack_bytes: 512 * 1024,
            roots: vec![acre_crypto::digest(&body); 3],
        };
        let header = PackHeader::new(parts).unwrap();
        let signature = header.sign(&key(2));
        let header = ShardHeader::new(header, signature, Profile::Tiny.shard(0).unwrap()).unwrap();
        match bench.put(&(header, body)).await {
            Reply::Stored => stored += 1,
            refused => break refused,
        }
    };
    assert!(stored > 4, "{stored}");
    assert!(matches!(refused, Reply::Refused(Refusal::NoSpace { .. })), "{refused:?}");
    let first = ShardId { pack: PackId([0; 16]), index: Profile::Tiny.shard(0).unwrap() };
    let get = Request::Get { shard: first, offset: 0, length: 1 };
    assert!(matches!(bench.ask(get).await, Reply::Shard { .. }));
    let packs = List::new(vec![PackId([0; 16])]).unwrap();
    let delete = Delete { contract: CONTRACT, packs, serial: 1 }.sign(&bench.writer);
    assert!(matches!(bench.ask(Request::Delete(delete)).await, Reply::Deleted(_)));
}

#[tokio::test]
async fn nonsense_is_malformed() {
    let bench = Bench::new(contract(Bytes(1 << 20)));
    for meta in [vec![], vec![255], vec![0; 100_000]] {
        let reply = bench.shelf.answer(Message::new(meta, vec![])).await;
        assert_eq!(decode_reply(&reply.meta).unwrap(), Reply::Refused(Refusal::Malformed));
    }
}

/// Two packets a second must not keep a node from making its plots.
#[tokio::test]
async fn only_who_is_served_makes_the_node_busy() {
    let bench = Bench::new(contract(Bytes(1 << 20)));
    let nonsense = Message::new(b"nonsense".to_vec(), Vec::new());
    let refused = bench.shelf.answer(nonsense).await;
    assert_eq!(decode_reply(&refused.meta).unwrap(), Reply::Refused(Refusal::Malformed));
    assert!(matches!(bench.ask(Request::Status).await, Reply::Status(_)));
    let other = shard(&bench.writer, ContractId(CONTRACT.0 + 7), 5, 0);
    assert!(matches!(bench.put(&other).await, Reply::Refused(_)));
    assert!(!bench.shelf.is_busy());
    assert_eq!(bench.put(&shard(&bench.writer, CONTRACT, 5, 0)).await, Reply::Stored);
    assert!(bench.shelf.is_busy());
}

//! A whole grid in this process: a validator, nodes that can be told to misbehave, a client.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use acre_chain::{LedgerClient, Validator};
use acre_client::{Client, Config};
use acre_codec::List;
use acre_crypto::{Phrase, Secret, SigningKey};
use acre_ledger::{
    Action, Capacity, Genesis, GridKind, JoinToken, NodeOffer, Parameters, SignedJoinToken,
};
use acre_net::rpc::{Message, Server, Services, serve};
use acre_net::{Endpoint, StaticBook};
use acre_node::Shelf;
use acre_store::protocol::{Request, decode_request};
use acre_types::{AccountId, Amount, Bytes, NodeId, Text, UnixMs};
use tempfile::TempDir;

/// How a node behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Behaviour {
    Well = 0,
    /// Sends wrong bytes.
    Liar = 1,
    /// Says that it is full.
    Full = 2,
}

pub(crate) struct Peer {
    pub(crate) key: SigningKey,
    dir: PathBuf,
    capacity: Bytes,
    behaviour: Arc<AtomicU8>,
    /// Bytes of shards that were put here, stored already or not.
    put_bytes: Arc<AtomicU64>,
    gets: Arc<AtomicU64>,
    running: Mutex<Option<(Endpoint, Server)>>,
}

impl Peer {
    /// Reads of shards it answered since the last [`Grid::take_gets`].
    pub(crate) fn gets(&self) -> u64 {
        self.gets.load(Ordering::Relaxed)
    }

    pub(crate) fn id(&self) -> NodeId {
        self.key.public().into()
    }
}

pub(crate) struct Grid {
    pub(crate) dir: TempDir,
    pub(crate) genesis: Genesis,
    validator: Validator,
    pub(crate) peers: Vec<Peer>,
}

fn key(kind: u8, number: usize) -> SigningKey {
    let mut seed = [kind; 32];
    seed[0] = u8::try_from(number).unwrap();
    SigningKey::from_seed(Secret::new(seed))
}

/// The words of user `number`.
pub(crate) fn root(number: u8) -> Secret {
    Phrase::from_entropy([number; 32]).root()
}

impl Grid {
    /// A grid of `count` nodes of `capacity` each, each at its own site and of its own operator.
    pub(crate) async fn start(count: usize, capacity: Bytes) -> Self {
        let dir = TempDir::new().unwrap();
        let validator_key = key(1, 0);
        let rich = Amount::tft(1_000_000).unwrap();
        let mut grants: Vec<_> =
            (0..count).map(|n| (AccountId::from(key(2, n).public()), rich)).collect();
        for user in 1..=4 {
            let account = acre_store::keys::Identity::new(root(user)).account_id();
            grants.push((account, rich));
        }
        let genesis = Genesis {
            name: Text::new("test").unwrap(),
            kind: GridKind::Test,
            time: UnixMs(1_700_000_000_000),
            validators: List::new(vec![acre_ledger::Validator {
                key: validator_key.public(),
                engine: Text::new("127.0.0.1:1").unwrap(),
                rpc: Text::new("127.0.0.1:2").unwrap(),
            }])
            .unwrap(),
            parameters: Parameters::default(),
            foundation: AccountId([0xf0; 32]),
            admitted: List::default(),
            grants: List::new(grants).unwrap(),
        };
        let config =
            acre_chain::Config::local(dir.path().join("v"), genesis.clone(), validator_key);
        let validator = Validator::start(config).await.unwrap();
        let mut grid = Self { dir, genesis, validator, peers: Vec::new() };
        for number in 0..count {
            let dir = grid.dir.path().join(format!("n{number}"));
            let (behaviour, put_bytes) = (Arc::default(), Arc::default());
            let (gets, running) = (Arc::default(), Mutex::default());
            let key = key(3, number);
            grid.peers.push(Peer { key, dir, capacity, behaviour, put_bytes, gets, running });
        }
        let (ledger, _) = grid.ledger(&key(9, 0)).await;
        let joins = (0..count).map(|number| grid.join(ledger.clone(), number));
        futures_join(joins).await;
        grid
    }

    /// A ledger client with an endpoint and book of its own.
    pub(crate) async fn ledger(
        &self,
        key: &SigningKey,
    ) -> (LedgerClient, (Endpoint, Arc<StaticBook>)) {
        let address = self.validator.rpc_address();
        let book = Arc::new(StaticBook::from_iter([(self.validator.key(), address)]));
        let endpoint = Endpoint::bind(key, None, book.clone()).await.unwrap();
        let keys = vec![self.validator.key()];
        (LedgerClient::new(&self.genesis, endpoint.clone(), keys), (endpoint, book))
    }

    async fn join(&self, ledger: LedgerClient, number: usize) {
        let owner = key(2, number);
        let account = AccountId::from(owner.public());
        let name = Text::new(format!("farm {number}")).unwrap();
        ledger.submit(&owner, Action::CreateFarm { name, payout: account }).await.unwrap();
        let farm = ledger.farms_of(account).await.unwrap()[0].0;
        let expires = UnixMs(u64::MAX);
        let chain = self.genesis.digest();
        let token = SignedJoinToken::new(JoinToken { chain, farm, node: None, expires }, &owner);
        let address = self.serve(number).await;
        let peer = &self.peers[number];
        let country = format!("A{}", char::from(b'A' + u8::try_from(number % 9).unwrap()));
        let offer = NodeOffer {
            site: Text::new(format!("site {number}")).unwrap(),
            country: country.parse().unwrap(),
            capacity: Capacity { storage: peer.capacity, cores: 1, memory: Bytes(1 << 30) },
            addresses: List::new(vec![Text::new(address.to_string()).unwrap()]).unwrap(),
        };
        ledger.submit(&peer.key, Action::RegisterNode { token, offer }).await.unwrap();
    }

    /// Opens the shelf of a node and answers for it.
    async fn serve(&self, number: usize) -> std::net::SocketAddr {
        let peer = &self.peers[number];
        let address = self.validator.rpc_address();
        let book = Arc::new(StaticBook::from_iter([(self.validator.key(), address)]));
        let listen = "127.0.0.1:0".parse().unwrap();
        let endpoint = Endpoint::bind(&peer.key, Some(listen), book).await.unwrap();
        let ledger = LedgerClient::new(&self.genesis, endpoint.clone(), vec![self.validator.key()]);
        let own = SigningKey::from_seed(peer.key.seed().duplicate());
        let shelf = Shelf::open(&peer.dir, peer.capacity, own, Arc::new(ledger)).unwrap();
        let shelf = Arc::new(shelf);
        let (behaviour, put_bytes) = (Arc::clone(&peer.behaviour), Arc::clone(&peer.put_bytes));
        let gets = Arc::clone(&peer.gets);
        let handler = move |_peer, message: Message| {
            let (shelf, behaviour) = (Arc::clone(&shelf), behaviour.load(Ordering::Relaxed));
            let request = decode_request(&message.meta);
            if let Ok(Request::Put(_)) = &request {
                put_bytes.fetch_add(message.body.len() as u64, Ordering::Relaxed);
            }
            let is_get = matches!(request, Ok(Request::Get { .. }));
            gets.fetch_add(u64::from(is_get), Ordering::Relaxed);
            async move {
                if behaviour == Behaviour::Full as u8 && matches!(request, Ok(Request::Put(_))) {
                    let none =
                        acre_store::protocol::Refusal::NoSpace { wanted: Bytes(1), free: Bytes(0) };
                    let reply = acre_store::protocol::Reply::Refused(none);
                    return Message::new(acre_codec::encode(&reply), bytes::Bytes::new());
                }
                let mut reply = shelf.answer(message).await;
                if behaviour == Behaviour::Liar as u8 && is_get && !reply.body.is_empty() {
                    let mut wrong = reply.body.to_vec();
                    for byte in wrong.iter_mut().step_by(1000) {
                        *byte ^= 1;
                    }
                    reply.body = wrong.into();
                }
                reply
            }
        };
        let services = Services::new().calls(acre_client::SHARD, handler);
        let server = serve(&endpoint, services);
        let address = endpoint.local_addr().unwrap();
        *peer.running.lock().unwrap() = Some((endpoint, server));
        address
    }

    /// Kills a node; its shards stay on its disk.
    pub(crate) async fn stop(&self, number: usize) {
        let running = self.peers[number].running.lock().unwrap().take();
        if let Some((endpoint, server)) = running {
            endpoint.close();
            server.shutdown(Duration::ZERO).await;
        }
    }

    /// Starts a killed node again, at another address.
    pub(crate) async fn restart(&self, number: usize) {
        let address = self.serve(number).await;
        let peer = &self.peers[number];
        let (ledger, _) = self.ledger(&key(8, number)).await;
        let node = ledger.node(peer.id()).await.unwrap().unwrap();
        let addresses = List::new(vec![Text::new(address.to_string()).unwrap()]).unwrap();
        let (capacity, state) = (node.capacity, node.state);
        let action = Action::UpdateNode { node: peer.id(), capacity, addresses, state };
        ledger.submit(&peer.key, action).await.unwrap();
    }

    pub(crate) fn behave(&self, number: usize, behaviour: Behaviour) {
        self.peers[number].behaviour.store(behaviour as u8, Ordering::Relaxed);
    }

    /// Bytes of shards that nodes were sent since the last call.
    pub(crate) fn take_put_bytes(&self) -> u64 {
        self.peers.iter().map(|peer| peer.put_bytes.swap(0, Ordering::Relaxed)).sum()
    }

    /// Reads of shards since the last call.
    pub(crate) fn take_gets(&self) -> u64 {
        self.peers.iter().map(|peer| peer.gets.swap(0, Ordering::Relaxed)).sum()
    }

    /// A client of user `number` that keeps its cache in `cache`.
    pub(crate) async fn client(&self, number: u8, cache: Option<&Path>) -> Client {
        let (ledger, (endpoint, book)) = self.ledger(&key(7, usize::from(number))).await;
        let cache_dir = cache.map(Path::to_owned);
        let config = Config { root: root(number), ledger, endpoint, book, cache_dir };
        Client::open(config).await.unwrap()
    }
}

async fn futures_join<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut open: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(move |cx| {
        open.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if open.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// Bytes that look random and are the same for the same seed.
pub(crate) fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Compares two trees: kinds, content, modes, times, targets, holes.
#[track_caller]
pub(crate) fn assert_same(left: &Path, right: &Path) {
    let (left, right) = (describe(left), describe(right));
    for (one, other) in left.iter().zip(&right) {
        assert_eq!(one, other);
    }
    assert_eq!(left.len(), right.len());
}

fn describe(root: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut lines = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(path) = open.pop() {
        let found = std::fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap();
        let content = if found.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            format!("{} bytes, {}", bytes.len(), acre_crypto::digest(&bytes))
        } else if found.is_symlink() {
            format!("{:?}", std::fs::read_link(&path).unwrap())
        } else {
            let entries = std::fs::read_dir(&path).unwrap();
            open.extend(entries.map(|entry| entry.unwrap().path()));
            "directory".to_owned()
        };
        lines.push(format!(
            "{name:?}: {:o} {}.{} {content}",
            found.mode(),
            found.mtime(),
            found.mtime_nsec()
        ));
    }
    lines.sort();
    lines
}

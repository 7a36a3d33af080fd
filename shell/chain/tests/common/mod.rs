//! Grids for tests, over real sockets and directories.
#![allow(dead_code, reason = "each test uses its part")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use acre_chain::client::Options;
use acre_chain::protocol::{LEDGER, Reply};
use acre_chain::{Config, LedgerClient, PeerAddress, Validator};
use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_engine::Timing;
use acre_ledger::{Genesis, GridKind, Parameters, Validator as GenesisValidator};
use acre_net::rpc::{Caller, Message, Server, Services, serve};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, Height, PublicKey, Text, UnixMs};
use tempfile::TempDir;

/// A key by number; 0 is the validator's, 1 to 5 have tokens.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(Secret::new([number; 32]))
}

/// A genesis with these validators, at addresses where nobody is.
pub(crate) fn genesis(validators: &[SigningKey]) -> Genesis {
    let nowhere = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let address = PeerAddress { engine: nowhere(1), rpc: nowhere(2) };
    genesis_at(&validators.iter().map(|key| (key.public(), address)).collect::<Vec<_>>())
}

/// A genesis with these validators.
pub(crate) fn genesis_at(validators: &[(PublicKey, PeerAddress)]) -> Genesis {
    let validators = validators.iter().map(|(key, address)| GenesisValidator {
        key: *key,
        engine: text(address.engine),
        rpc: text(address.rpc),
    });
    let rich = (1..=5).map(|n| (AccountId::from(key(n).public()), Amount::tft(1_000_000).unwrap()));
    Genesis {
        name: Text::new("test").unwrap(),
        kind: GridKind::Test,
        time: UnixMs(1_700_000_000_000),
        validators: List::new(validators.collect()).unwrap(),
        parameters: Parameters::default(),
        foundation: AccountId([0xf0; 32]),
        admitted: List::default(),
        grants: List::new(rich.collect()).unwrap(),
    }
}

/// Directories, addresses and a genesis, of one validator or several.
pub(crate) struct Grid {
    dir: TempDir,
    pub(crate) genesis: Genesis,
    pub(crate) addresses: Vec<PeerAddress>,
    pub(crate) timing: Timing,
}

/// Number of the key of the i-th validator.
pub(crate) fn validator_key(index: usize) -> SigningKey {
    key(if index == 0 { 0 } else { 100 + u8::try_from(index).unwrap() })
}

/// A port that nobody uses now, below those that the system gives to outgoing connections: one of
/// these could take it while its validator is stopped.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const PORTS: u32 = 20_000;
    loop {
        let drawn = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(64).wrapping_add(drawn) % PORTS;
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(10_000 + place).unwrap()));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

pub(crate) fn text(address: SocketAddr) -> acre_ledger::Address {
    Text::new(address.to_string()).unwrap()
}

impl Grid {
    pub(crate) fn new() -> Self {
        Self::of(1)
    }

    pub(crate) fn of(validators: usize) -> Self {
        Self::with(validators, validators, |_| {})
    }

    /// So many validators in the genesis, and addresses for so many in all.
    pub(crate) fn with(
        validators: usize,
        addresses: usize,
        change: impl FnOnce(&mut Genesis),
    ) -> Self {
        let address = |_| PeerAddress { engine: free_address(), rpc: free_address() };
        let addresses: Vec<_> = (0..addresses).map(address).collect();
        let list = (0..validators).map(|index| (validator_key(index).public(), addresses[index]));
        let mut genesis = genesis_at(&list.collect::<Vec<_>>());
        change(&mut genesis);
        let timing = Timing::default();
        Self { dir: TempDir::new().unwrap(), genesis, addresses, timing }
    }

    pub(crate) async fn start(&mut self) -> Validator {
        self.start_at(0).await
    }

    pub(crate) fn dir(&self, index: usize) -> PathBuf {
        self.dir.path().join(index.to_string())
    }

    pub(crate) fn config(&self, index: usize) -> Config {
        let own = self.addresses[index];
        Config {
            rpc: own.rpc,
            engine: own.engine,
            timing: self.timing,
            ..Config::local(self.dir(index), self.genesis.clone(), validator_key(index))
        }
    }

    pub(crate) async fn start_at(&self, index: usize) -> Validator {
        Validator::start(self.config(index)).await.unwrap()
    }

    pub(crate) async fn client(&self, validator: &Validator) -> LedgerClient {
        self.client_of(&[validator], 200).await
    }

    /// A client that asks these and nobody else, in this order.
    pub(crate) async fn client_of(&self, validators: &[&Validator], number: u8) -> LedgerClient {
        let known = validators.iter().map(|validator| (validator.key(), validator.rpc_address()));
        let book = Arc::new(StaticBook::from_iter(known));
        let endpoint = Endpoint::bind(&key(number), None, book).await.unwrap();
        let keys = validators.iter().map(|validator| validator.key()).collect();
        LedgerClient::new(&self.genesis, endpoint, keys)
    }

    /// A client that begins with these and learns by itself where validators are.
    pub(crate) async fn client_with(
        &self,
        validators: &[&Validator],
        number: u8,
        options: Options,
    ) -> LedgerClient {
        let known = validators.iter().map(|validator| (validator.key(), validator.rpc_address()));
        let book = Arc::new(StaticBook::from_iter(known));
        let endpoint = Endpoint::bind(&key(number), None, Arc::<StaticBook>::clone(&book)).await;
        let keys = validators.iter().map(|validator| validator.key()).collect();
        let options = options.with_book(book);
        LedgerClient::with(&self.genesis, endpoint.unwrap(), keys, options)
    }
}

/// Waits until this client has seen the height, wherever it asks.
pub(crate) async fn reach(client: &LedgerClient, height: Height) {
    let mut events = client.subscribe(height);
    while client.seen() < height {
        events.next().await.unwrap();
    }
}

/// Stands between client and validator and changes the answers.
pub(crate) async fn liar(
    validator: &Validator,
    change: impl Fn(Reply) -> Reply + Send + Sync + 'static,
) -> (Endpoint, Server) {
    let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
    let listen = "127.0.0.1:0".parse().unwrap();
    let endpoint = Endpoint::bind(&key(66), Some(listen), Arc::new(book)).await.unwrap();
    let caller = Caller::new(endpoint.clone(), LEDGER);
    let (honest, change) = (validator.key(), Arc::new(change));
    let handler = move |_, message: Message| {
        let (caller, change) = (caller.clone(), Arc::clone(&change));
        async move {
            let reply = caller.call(honest, message, Duration::from_secs(10)).await.unwrap();
            let reply = change(acre_codec::decode(&reply.body).unwrap());
            Message::new(Vec::new(), acre_codec::encode(&reply))
        }
    };
    let server = serve(&endpoint, Services::new().calls(LEDGER, handler));
    (endpoint, server)
}

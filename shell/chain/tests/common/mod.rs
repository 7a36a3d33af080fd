//! Grids for tests, over real sockets and directories.
#![allow(dead_code, reason = "each test uses its part")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use acre_chain::{Config, LedgerClient, PeerAddress, Validator};
use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_ledger::{Genesis, GridKind, Parameters, Validator as GenesisValidator};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, Text, UnixMs};
use tempfile::TempDir;

/// A key by number; 0 is the validator's, 1 to 5 have tokens.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(Secret::new([number; 32]))
}

/// A genesis with these validators.
pub(crate) fn genesis(validators: &[SigningKey]) -> Genesis {
    let validators = validators.iter().map(|key| GenesisValidator {
        key: key.public(),
        engine: Text::new("127.0.0.1:1").unwrap(),
        rpc: Text::new("127.0.0.1:2").unwrap(),
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
}

/// Number of the key of the i-th validator.
pub(crate) fn validator_key(index: usize) -> SigningKey {
    key(if index == 0 { 0 } else { 100 + u8::try_from(index).unwrap() })
}

/// A port that nobody uses now; another process may take it, which fails the test.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl Grid {
    pub(crate) fn new() -> Self {
        Self::of(1)
    }

    pub(crate) fn of(validators: usize) -> Self {
        let keys: Vec<_> = (0..validators).map(validator_key).collect();
        let address = |_| PeerAddress { engine: free_address(), rpc: free_address() };
        let addresses = (0..validators).map(address).collect();
        Self { dir: TempDir::new().unwrap(), genesis: genesis(&keys), addresses }
    }

    pub(crate) async fn start(&mut self) -> Validator {
        self.start_at(0).await
    }

    pub(crate) fn dir(&self, index: usize) -> PathBuf {
        self.dir.path().join(index.to_string())
    }

    pub(crate) async fn start_at(&self, index: usize) -> Validator {
        let own = self.addresses[index];
        let peers = self.addresses.iter().enumerate();
        let peers = peers.map(|(index, at)| (validator_key(index).public(), *at)).collect();
        let config = Config {
            rpc: own.rpc,
            engine: own.engine,
            peers,
            ..Config::local(self.dir(index), self.genesis.clone(), validator_key(index))
        };
        Validator::start(config).await.unwrap()
    }

    pub(crate) async fn client(&self, validator: &Validator) -> LedgerClient {
        self.client_of(&[validator], 200).await
    }

    /// A client that asks these, in this order.
    pub(crate) async fn client_of(&self, validators: &[&Validator], number: u8) -> LedgerClient {
        let known = validators.iter().map(|validator| (validator.key(), validator.rpc_address()));
        let book = StaticBook::from_iter(known);
        let endpoint = Endpoint::bind(&key(number), None, Arc::new(book)).await.unwrap();
        let keys = validators.iter().map(|validator| validator.key()).collect();
        LedgerClient::new(&self.genesis, endpoint, keys)
    }
}

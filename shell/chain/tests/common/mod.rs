//! A grid of one validator for tests.
#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;

use acre_chain::{Config, LedgerClient, Validator};
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
        address: Text::new("127.0.0.1:1").unwrap(),
    });
    let rich = (1..=5).map(|n| (AccountId::from(key(n).public()), Amount::tft(1_000_000).unwrap()));
    Genesis {
        name: Text::new("test").unwrap(),
        kind: GridKind::Test,
        time: UnixMs(1_700_000_000_000),
        validators: List::new(validators.collect()).unwrap(),
        parameters: Parameters::default(),
        foundation: AccountId([0xf0; 32]),
        grants: List::new(rich.collect()).unwrap(),
    }
}

/// A directory and a genesis.
pub(crate) struct Grid {
    dir: TempDir,
    pub(crate) genesis: Genesis,
}

impl Grid {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), genesis: genesis(&[key(0)]) }
    }

    pub(crate) async fn start(&mut self) -> Validator {
        let config = Config::local(self.dir.path(), self.genesis.clone(), key(0));
        Validator::start(config).await.unwrap()
    }

    pub(crate) async fn client(&self, validator: &Validator) -> LedgerClient {
        let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
        let endpoint = Endpoint::bind(&key(200), None, Arc::new(book)).await.unwrap();
        LedgerClient::new(&self.genesis, endpoint, vec![validator.key()])
    }
}

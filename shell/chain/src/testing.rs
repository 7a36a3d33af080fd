//! Keys, genesis and transactions for the tests of this crate.

use acre_codec::List;
use acre_crypto::{Secret, SigningKey};
use acre_ledger::{
    Action, Genesis, GridKind, Parameters, SignedTransaction, Transaction,
    Validator as GenesisValidator,
};
use acre_types::{AccountId, Amount, PublicKey, Text, UnixMs};

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(Secret::new([number; 32]))
}

pub(crate) fn account(number: u8) -> AccountId {
    AccountId::from(key(number).public())
}

/// Accounts 1 to 5 have a million TFT each.
pub(crate) fn genesis(validators: &[[u8; 32]]) -> Genesis {
    let validators = validators.iter().map(|key| GenesisValidator {
        key: PublicKey(*key),
        engine: Text::new("127.0.0.1:1").unwrap(),
        rpc: Text::new("127.0.0.1:2").unwrap(),
    });
    let rich = (1..=5).map(|number| (account(number), Amount::tft(1_000_000).unwrap()));
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

/// A transfer with the least fee.
pub(crate) fn transfer(
    genesis: &Genesis,
    from: u8,
    nonce: u64,
    to: AccountId,
    amount: u64,
) -> SignedTransaction {
    signed(genesis, from, nonce, Action::Transfer { to, amount: Amount(amount) })
}

/// An action with the least fee.
pub(crate) fn signed(genesis: &Genesis, from: u8, nonce: u64, action: Action) -> SignedTransaction {
    let (chain, fee) = (genesis.digest(), Amount::ZERO);
    Transaction { chain, from: account(from), nonce, fee, action }
        .with_least_fee(&genesis.parameters)
        .sign(&key(from))
}

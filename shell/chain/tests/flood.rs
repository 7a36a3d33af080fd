//! Bad input: what it costs, and who pays.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use acre_chain::protocol::{LEDGER, Reply, Request};
use acre_chain::{Refused, Validator};
use acre_crypto::{Secret, SigningKey};
use acre_ledger::limits::TRANSACTION_BYTES_MAX;
use acre_ledger::{Action, Genesis, SignedTransaction, Transaction};
use acre_net::rpc::{Caller, Message};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, Digest};
use common::{Grid, key};
use tokio::task::JoinSet;

const TO: AccountId = AccountId([0xaa; 32]);

async fn caller(validator: &Validator, key: &SigningKey) -> Caller {
    let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
    let endpoint = Endpoint::bind(key, None, Arc::new(book)).await.unwrap();
    Caller::new(endpoint, LEDGER)
}

async fn submit(caller: &Caller, validator: &Validator, bytes: Vec<u8>) -> Reply {
    let message = Message::new(acre_codec::encode(&Request::Submit), bytes);
    let reply = caller.call(validator.key(), message, Duration::from_secs(30)).await.unwrap();
    acre_codec::decode(&reply.body).unwrap()
}

fn transfer(genesis: &Genesis, from: u8, nonce: u64) -> Transaction {
    let action = Action::Transfer { to: TO, amount: Amount(1) };
    let (chain, from) = (genesis.digest(), AccountId::from(key(from).public()));
    Transaction { chain, from, nonce, fee: Amount::ZERO, action }
        .with_least_fee(&genesis.parameters)
}

fn forged(genesis: &Genesis, from: u8, nonce: u64) -> SignedTransaction {
    let mut signed = transfer(genesis, from, nonce).sign(&key(from));
    signed.signature.0[9] ^= 1;
    signed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_can_be_seen_without_a_signature_is_refused_without_checking_one() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let caller = caller(&validator, &key(210)).await;
    let genesis = &grid.genesis;
    let honest = transfer(genesis, 1, 0).sign(&key(1)).to_bytes();
    let committed = submit(&caller, &validator, honest.clone()).await;
    assert!(matches!(committed, Reply::Committed { .. }), "{committed:?}");

    let mut wrong_chain = transfer(genesis, 1, 1);
    wrong_chain.chain = Digest([9; 32]);
    let mut cheap = transfer(genesis, 1, 1);
    cheap.fee = Amount(1);
    let mut rich = transfer(genesis, 1, 1);
    rich.fee = Amount::tft(2_000_000).unwrap();
    let other_key = transfer(genesis, 1, 1).sign(&key(2));
    let mut longer = honest.clone();
    longer.push(0);
    let all = [
        ("malformed", vec![255; 100]),
        ("a byte too many", longer),
        ("oversized", vec![0; TRANSACTION_BYTES_MAX + 1]),
        ("wrong chain", wrong_chain.sign(&key(1)).to_bytes()),
        ("underpriced", cheap.sign(&key(1)).to_bytes()),
        ("cannot pay", rich.sign(&key(1)).to_bytes()),
        ("another's account", other_key.to_bytes()),
        ("used number", honest),
        ("far ahead", transfer(genesis, 1, 100_000).sign(&key(1)).to_bytes()),
        ("nobody's account", transfer(genesis, 90, 0).sign(&key(90)).to_bytes()),
    ];
    let before = validator.metrics();
    for (what, bytes) in all {
        let reply = submit(&caller, &validator, bytes).await;
        // The very transaction that was applied is recognised: a replay changes nothing (L4).
        let is_replay = what == "used number" && matches!(reply, Reply::Committed { .. });
        assert!(is_replay || matches!(reply, Reply::Refused(_)), "{what}: {reply:?}");
    }
    let after = validator.metrics();
    assert_eq!(after.signatures_good, before.signatures_good);
    assert_eq!(after.signatures_bad, before.signatures_bad);
    assert!(after.refused >= before.refused + 9, "{after:?}");
    // Only one that everything else speaks for is worth the check.
    let reply = submit(&caller, &validator, forged(genesis, 1, 1).to_bytes()).await;
    assert!(matches!(reply, Reply::Refused(Refused::Rule { .. })), "{reply:?}");
    assert_eq!(validator.metrics().signatures_bad, before.signatures_bad + 1);
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_many_peers_leaves_an_honest_user_served() {
    const PEERS: u8 = 8;
    const EACH: u64 = 100;
    let mut grid = Grid::new();
    let validator = Arc::new(grid.start().await);
    let client = grid.client(&validator).await;
    client.totals().await.unwrap();
    let mut flooding = JoinSet::new();
    for number in 0..PEERS {
        let peer = SigningKey::from_seed(Secret::new([150 + number; 32]));
        let caller = caller(&validator, &peer).await;
        for nonce in 0..EACH {
            // Others' accounts, that could pay; numbers ahead, that could wait.
            let bytes = forged(&grid.genesis, 2 + number % 3, nonce).to_bytes();
            let (caller, validator) = (caller.clone(), Arc::clone(&validator));
            flooding.spawn(async move { submit(&caller, &validator, bytes).await });
        }
    }
    let pay = Action::Transfer { to: TO, amount: Amount(1) };
    for _ in 0..10 {
        client.submit(&key(1), pay.clone()).await.unwrap();
    }
    for reply in flooding.join_all().await {
        assert!(matches!(reply, Reply::Refused(_)), "{reply:?}");
    }
    // The accounts in whose names the flood came were not held up either.
    client.submit(&key(2), pay).await.unwrap();
    assert_eq!(client.account(TO).await.unwrap().balance, Amount(11));
    let metrics = validator.metrics();
    let sent = u64::from(PEERS) * EACH;
    assert_eq!(metrics.signatures_bad + metrics.signatures_turned_away, sent, "{metrics:?}");
    assert_eq!(metrics.submitted, 11, "{metrics:?}");
    let validator = Arc::into_inner(validator).unwrap();
    validator.stop().await.unwrap();
}

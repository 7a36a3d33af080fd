//! Validators that do not tell the truth, and what a client makes of them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use acre_chain::client::{Snapshot, Trust};
use acre_chain::protocol::{LEDGER, Reply, Request};
use acre_chain::{ClientError, LedgerClient, Lie, Validator};
use acre_codec::List;
use acre_ledger::{Action, Key};
use acre_net::rpc::{Caller, Message, Services, serve};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, Height};
use common::{Grid, key, liar};

const SECOND: Duration = Duration::from_secs(10);

async fn ask(caller: &Caller, validator: &Validator, request: &Request) -> Reply {
    let message = Message::new(acre_codec::encode(request), Vec::new());
    let reply = caller.call(validator.key(), message, SECOND).await.unwrap();
    acre_codec::decode(&reply.body).unwrap()
}

fn get(keys: &[Key], at_least: Height) -> Request {
    Request::Get { keys: List::new(keys.to_vec()).unwrap(), at_least }
}

/// What a reader makes of the reply to a question for these keys.
fn check(trust: &Trust, keys: &[Key], reply: &[u8]) -> Option<Snapshot> {
    let Ok(Reply::Values { finality, proofs }) = acre_codec::decode::<Reply>(reply) else {
        return None;
    };
    let block = trust.check(&finality).ok()?;
    Snapshot::check(block, keys, proofs.into_vec()).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_changed_byte_of_an_answer_is_believed() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
    let endpoint = Endpoint::bind(&key(201), None, Arc::new(book)).await.unwrap();
    let caller = Caller::new(endpoint, LEDGER);
    let (rich, nobody) = (AccountId::from(key(1).public()), AccountId([9; 32]));
    let keys = [Key::Account(rich), Key::Account(nobody)];
    let reply = ask(&caller, &validator, &get(&keys, Height(1))).await;
    let bytes = acre_codec::encode(&reply);

    let trust = Trust::new(&grid.genesis);
    let honest = check(&trust, &keys, &bytes).unwrap();
    let truth = honest.read(&rich).unwrap().unwrap();
    assert_eq!(truth.balance, Amount::tft(1_000_000).unwrap());
    assert_eq!(honest.read(&nobody).unwrap(), None);

    for position in 0..bytes.len() {
        let mut lie = bytes.clone();
        lie[position] ^= 1 << (position % 8);
        assert!(check(&trust, &keys, &lie).is_none(), "byte {position} was changed");
    }
    // Proofs of other keys, of another order, or missing ones.
    assert!(check(&trust, &[keys[1].clone(), keys[0].clone()], &bytes).is_none());
    assert!(check(&trust, &keys[..1], &bytes).is_none());
    // The same answer on another chain, or by other validators.
    let mut other = grid.genesis.clone();
    other.time.0 += 1;
    assert!(check(&Trust::new(&other), &keys, &bytes).is_none());
    let mut other = common::genesis(&[key(7)]);
    other.time = grid.genesis.time;
    assert!(check(&Trust::new(&other), &keys, &bytes).is_none());
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_that_is_not_where_a_validator_says_is_not_believed() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let pay = Action::Transfer { to: AccountId([5; 32]), amount: Amount(1) };
    let paid = grid.client(&validator).await.submit(&key(1), pay).await.unwrap();
    // It says of a transaction that nobody sent that it is in a block, which it shows.
    let (liar, _server) = liar(&validator, move |reply| match reply {
        Reply::NotFound => Reply::Found { height: paid.height },
        other => other,
    })
    .await;
    let never = acre_types::Digest([9; 32]);
    let alone = client_of(&grid, &liar, None).await;
    let lied = alone.find(never).await;
    assert!(
        matches!(&lied, Err(ClientError::Lied { peer, lie: Lie::Unfit }) if *peer == liar.key()),
        "{lied:?}"
    );
    let both = client_of(&grid, &liar, Some(&validator)).await;
    assert_eq!(both.find(never).await.unwrap(), None);
    assert_eq!(both.find(paid.id).await.unwrap().unwrap().block.height, paid.height);
    validator.stop().await.unwrap();
}

async fn client_of(grid: &Grid, liar: &Endpoint, honest: Option<&Validator>) -> LedgerClient {
    let mut known = vec![(liar.key(), liar.local_addr().unwrap())];
    known.extend(honest.map(|honest| (honest.key(), honest.rpc_address())));
    let validators = known.iter().map(|(key, _)| *key).collect();
    let book = StaticBook::from_iter(known);
    let endpoint = Endpoint::bind(&key(202), None, Arc::new(book)).await.unwrap();
    LedgerClient::new(&grid.genesis, endpoint, validators)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn liar_is_named_and_an_honest_validator_asked_instead() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let (liar, _server) = liar(&validator, |reply| match reply {
        // Proofs of an older state under the newest header would look like this.
        Reply::Values { finality, proofs } => {
            let mut proofs = proofs.into_vec();
            proofs.reverse();
            Reply::Values { finality, proofs: List::new(proofs).unwrap() }
        }
        other => other,
    })
    .await;
    let rich = [1, 2].map(|n| AccountId::from(key(n).public()));
    let alone = client_of(&grid, &liar, None).await;
    let lied = alone.read_all(&rich).await;
    assert!(
        matches!(&lied, Err(ClientError::Lied { peer, lie: Lie::Proof(_) }) if *peer == liar.key()),
        "{lied:?}"
    );
    let both = client_of(&grid, &liar, Some(&validator)).await;
    let accounts = both.read_all(&rich).await.unwrap();
    assert!(accounts.iter().all(Option::is_some));
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claimed_commit_without_proof_is_not_believed() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let client = grid.client(&validator).await;
    let from = AccountId::from(key(1).public());
    let to = AccountId([5; 32]);
    let pay = [Action::Transfer { to, amount: Amount(1) }];
    let signed = client.prepare(from, &key(1), &pay).await.unwrap().remove(0);
    // A true proof, of the state before.
    let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
    let endpoint = Endpoint::bind(&key(203), None, Arc::new(book)).await.unwrap();
    let caller = Caller::new(endpoint, LEDGER);
    let before = ask(&caller, &validator, &get(&[Key::Account(from)], Height(1))).await;
    let Reply::Values { finality, proofs } = before else { panic!("{before:?}") };
    let account = proofs[0].clone();
    let (liar, _server) = liar(&validator, move |_| Reply::Committed {
        height: Height(1),
        finality: finality.clone(),
        account: account.clone(),
    })
    .await;
    let fooled = client_of(&grid, &liar, None).await.send(&signed).await;
    assert!(matches!(fooled, Err(ClientError::OutcomeUnknown { .. })), "{fooled:?}");
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_older_than_one_seen_is_refused() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
    let endpoint = Endpoint::bind(&key(204), None, Arc::new(book)).await.unwrap();
    let caller = Caller::new(endpoint, LEDGER);
    let rich = AccountId::from(key(1).public());
    let old = ask(&caller, &validator, &get(&[Key::Account(rich)], Height(1))).await;
    let (liar, _server) = liar(&validator, move |reply| match reply {
        Reply::Values { .. } => old.clone(),
        other => other,
    })
    .await;
    let client = client_of(&grid, &liar, None).await;
    let first = client.account(rich).await.unwrap();
    let pay = Action::Transfer { to: AccountId([5; 32]), amount: Amount(1) };
    let honest = grid.client(&validator).await;
    let signed = honest.prepare(rich, &key(1), &[pay]).await.unwrap().remove(0);
    let committed = client.send(&signed).await.unwrap();
    assert!(client.seen() >= committed.height);
    let stale = client.account(rich).await;
    assert!(matches!(stale, Err(ClientError::Stale { .. })), "{stale:?} after {first:?}");
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_that_another_one_overtook_is_no_lie() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let rich = AccountId::from(key(1).public());
    // The first answer waits in the middleman until a later question was answered.
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let (release, released) = tokio::sync::watch::channel(false);
    let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
    let listen = "127.0.0.1:0".parse().unwrap();
    let slow = Endpoint::bind(&key(67), Some(listen), Arc::new(book)).await.unwrap();
    let caller = Caller::new(slow.clone(), LEDGER);
    let (honest, first) = (validator.key(), Arc::new(std::sync::atomic::AtomicBool::new(true)));
    let handler = move |_, message: Message| {
        let (caller, arrived, mut released) = (caller.clone(), arrived.clone(), released.clone());
        let is_first = first.swap(false, std::sync::atomic::Ordering::SeqCst);
        async move {
            let reply = caller.call(honest, message, SECOND).await.unwrap();
            if is_first {
                arrived.send(()).unwrap();
                released.wait_for(|released| *released).await.unwrap();
            }
            Message::new(Vec::new(), reply.body.to_vec())
        }
    };
    let _server = serve(&slow, Services::new().calls(LEDGER, handler));
    let client = client_of(&grid, &slow, None).await;
    let overtaken = {
        let client = client.clone();
        tokio::spawn(async move { client.account(rich).await })
    };
    arrivals.recv().await.unwrap();
    let pay = Action::Transfer { to: AccountId([5; 32]), amount: Amount(1) };
    let paid = client.submit(&key(1), pay).await.unwrap();
    assert!(client.seen() >= paid.proven);
    release.send(true).unwrap();
    overtaken.await.unwrap().unwrap();
    validator.stop().await.unwrap();
}

//! Readers that are shown old states, and senders without a quorum.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use acre_chain::client::{Freshness, Options, Waiting};
use acre_chain::protocol::{LEDGER, Request};
use acre_chain::{ClientError, LedgerClient, Validator};
use acre_ledger::{Action, Lookup as _};
use acre_net::rpc::{Caller, Message, Server, Services, serve};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, Height};
use common::{Grid, key};
use tokio::sync::mpsc;

const TO: AccountId = AccountId([0xaa; 32]);

fn pay(amount: u64) -> Action {
    Action::Transfer { to: TO, amount: Amount(amount) }
}

/// One that goes on answering each question as it did first: a validator that was cut off, or one
/// that hides what came later.
async fn lagging(validator: &Validator) -> (Endpoint, Server) {
    let book = StaticBook::from_iter([(validator.key(), validator.rpc_address())]);
    let listen = "127.0.0.1:0".parse().unwrap();
    let endpoint = Endpoint::bind(&key(66), Some(listen), Arc::new(book)).await.unwrap();
    let caller = Caller::new(endpoint.clone(), LEDGER);
    let (honest, first) = (validator.key(), Arc::new(Mutex::new(BTreeMap::new())));
    let handler = move |_, message: Message| {
        let (caller, first) = (caller.clone(), Arc::clone(&first));
        async move {
            let mut question: Request = acre_codec::decode(&message.meta).unwrap();
            if let Request::Get { at_least, .. } = &mut question {
                *at_least = Height(0);
            }
            let question = acre_codec::encode(&question);
            let known = first.lock().unwrap().get(&question).cloned();
            let answer = match known {
                Some(answer) => answer,
                None => {
                    let asked = caller.call(honest, message, Duration::from_secs(10)).await;
                    asked.unwrap().body.to_vec()
                }
            };
            first.lock().unwrap().insert(question, answer.clone());
            Message::new(Vec::new(), answer)
        }
    };
    let server = serve(&endpoint, Services::new().calls(LEDGER, handler));
    (endpoint, server)
}

async fn client_of(
    grid: &Grid,
    lagging: &Endpoint,
    honest: Option<&Validator>,
    options: Options,
) -> LedgerClient {
    let mut known = vec![(lagging.key(), lagging.local_addr().unwrap())];
    known.extend(honest.map(|honest| (honest.key(), honest.rpc_address())));
    let validators = known.iter().map(|(key, _)| *key).collect();
    let book = StaticBook::from_iter(known);
    let endpoint = Endpoint::bind(&key(202), None, Arc::new(book)).await.unwrap();
    LedgerClient::with(&grid.genesis, endpoint, validators, options)
}

/// Takes no block for the newest by its time alone.
fn strict() -> Options {
    let recent = Some(Duration::ZERO);
    Options { recent, patience: Some(Duration::from_millis(10)), ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_state_is_called_old_and_nothing_is_signed_upon_it() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let (lagging, _server) = lagging(&validator).await;
    let mine = AccountId::from(key(1).public());
    // It sees the beginning, and later shows it again.
    let before = client_of(&grid, &lagging, None, Options::default()).await;
    before.account(mine).await.unwrap();
    before.prepare(mine, &key(1), &[pay(1)]).await.unwrap();
    before.survey().await;
    grid.client(&validator).await.submit(&key(1), pay(1)).await.unwrap();

    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let options = strict().with_told(move |waiting| hears.lock().unwrap().push(*waiting));
    let fooled = client_of(&grid, &lagging, None, options).await;
    let (old, freshness) = fooled.snapshot_with_freshness(&[mine.key()]).await.unwrap();
    assert_eq!(old.read(&mine).unwrap().unwrap().nonce, 0, "not old at all");
    let Freshness::Unsure(survey) = freshness else { panic!("{freshness:?}") };
    assert_eq!((survey.answered, survey.needed, survey.validators), (0, 1, 1));
    fooled.account(mine).await.unwrap();
    let said = told.lock().unwrap().clone();
    assert!(matches!(said.as_slice(), [Waiting::OldState { .. }]), "{said:?}");
    assert!(said[0].to_string().starts_with("0 of 1 validators answer, 1 are needed: this state"));
    let signed = fooled.submit(&key(1), pay(2)).await;
    assert!(matches!(signed, Err(ClientError::NoQuorum { .. })), "{signed:?}");

    // With a quorum to ask, the old state is found out, and the present one read.
    let options = Options { patience: None, ..strict() };
    let sure = client_of(&grid, &lagging, Some(&validator), options).await;
    let (new, freshness) = sure.snapshot_with_freshness(&[mine.key()]).await.unwrap();
    assert_eq!(freshness, Freshness::Confirmed);
    assert_eq!(new.read(&mine).unwrap().unwrap().nonce, 1);
    sure.submit(&key(1), pay(3)).await.unwrap();
    assert_eq!(sure.account(TO).await.unwrap().balance, Amount(4));
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sender_without_a_quorum_hears_what_it_waits_for_and_is_served_in_the_end() {
    let grid = Grid::of(4);
    let mut validators = Vec::new();
    for index in 0..4 {
        validators.push(grid.start_at(index).await);
    }
    let (tells, mut hears) = mpsc::unbounded_channel();
    let known = validators.iter().map(|validator| (validator.key(), validator.rpc_address()));
    let book = StaticBook::from_iter(known);
    let endpoint = Endpoint::bind(&key(200), None, Arc::new(book)).await.unwrap();
    let keys = validators.iter().map(Validator::key).collect();
    let options = Options::default().with_told(move |waiting| tells.send(*waiting).unwrap());
    let client = LedgerClient::with(&grid.genesis, endpoint, keys, options);
    client.submit(&key(1), pay(1)).await.unwrap();

    for validator in validators.drain(2..) {
        validator.stop().await.unwrap();
    }
    let sending = {
        let client = client.clone();
        tokio::spawn(async move { client.submit(&key(1), pay(10)).await })
    };
    let survey = loop {
        // What was sent before may have been told of.
        match hears.recv().await.unwrap() {
            Waiting::Quorum(survey) => break survey,
            Waiting::Block(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((survey.answered, survey.needed, survey.validators), (2, 3, 4));
    assert_eq!(survey.to_string(), "2 of 4 validators answer, 3 are needed");
    assert!(!sending.is_finished());
    validators.push(grid.start_at(2).await);
    sending.await.unwrap().unwrap();
    assert_eq!(client.account(TO).await.unwrap().balance, Amount(11));
    for validator in validators {
        validator.stop().await.unwrap();
    }
}

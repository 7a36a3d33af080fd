//! One validator in this process, over real sockets and a real directory.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use acre_chain::ClientError;
use acre_chain::Validator;
use acre_chain::audit::Depth;
use acre_chain::client::Events;
use acre_ledger::{Action, Event};
use acre_types::{AccountId, Amount, Height};
use common::{Grid, key, reach};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committed_transfer_is_proven_and_survives_a_restart() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let client = grid.client(&validator).await;
    let to = AccountId::from(key(9).public());
    let pay = Action::Transfer { to, amount: Amount(5) };

    let committed = client.submit(&key(1), pay.clone()).await.unwrap();
    assert!(committed.proven >= committed.height);
    assert_eq!(client.account(to).await.unwrap().balance, Amount(5));
    assert_eq!(client.transaction(committed.id).await.unwrap(), Some(committed.height));
    let block = client.block(committed.height).await.unwrap().unwrap();
    let ids: Vec<_> = block.payload.transactions.iter().map(|t| t.transaction.id()).collect();
    // The validator's own duty may be among them.
    assert!(ids.contains(&committed.id), "{ids:?}");
    let found = client.find(committed.id).await.unwrap().unwrap();
    assert_eq!((found.block, found.signed.transaction.id()), (block.block, committed.id));
    assert_eq!(ids[found.index], committed.id);
    assert_eq!(client.find(acre_types::Digest([3; 32])).await.unwrap(), None);
    validator.stop().await.unwrap();

    let validator = grid.start().await;
    let client = grid.client(&validator).await;
    assert_eq!(client.account(to).await.unwrap().balance, Amount(5));
    assert!(client.seen() >= committed.height);
    let again = client.submit(&key(1), pay).await.unwrap();
    assert!(again.height > committed.height);
    assert_eq!(client.account(to).await.unwrap().balance, Amount(10));
    assert_eq!(client.transaction(committed.id).await.unwrap(), Some(committed.height));
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_signed_transaction_is_applied_once() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let client = grid.client(&validator).await;
    let to = AccountId::from(key(9).public());
    let pay = Action::Transfer { to, amount: Amount(7) };
    let from = AccountId::from(key(1).public());
    let signed = client.prepare(from, &key(1), &[pay]).await.unwrap().remove(0);

    let (first, second) = tokio::join!(client.send(&signed), client.send(&signed));
    let (first, second) = (first.unwrap(), second.unwrap());
    let third = client.send(&signed).await.unwrap();
    assert_eq!(first.height, second.height);
    assert_eq!(first.height, third.height);
    assert_eq!(client.account(to).await.unwrap().balance, Amount(7));

    validator.stop().await.unwrap();
    let validator = grid.start().await;
    let client = grid.client(&validator).await;
    assert_eq!(client.send(&signed).await.unwrap().height, first.height);
    assert_eq!(client.account(to).await.unwrap().balance, Amount(7));
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusal_says_why() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let client = grid.client(&validator).await;
    let to = AccountId::from(key(1).public());
    let poor = client.submit(&key(77), Action::Transfer { to, amount: Amount(1) }).await;
    let Err(ClientError::Refused(reason)) = poor else { panic!("{poor:?}") };
    assert!(reason.to_string().contains("holds"), "{reason}");
    let nothing = client.submit(&key(1), Action::Transfer { to, amount: Amount(0) }).await;
    assert!(matches!(nothing, Err(ClientError::Refused(_))), "{nothing:?}");
    // What was refused blocks nobody: the next one goes through.
    let fine = client.submit(&key(1), Action::Transfer { to, amount: Amount(1) }).await;
    assert!(fine.is_ok(), "{fine:?}");
    validator.stop().await.unwrap();
}

/// Blocks have events of their own, too: a new epoch, the seats of a term.
fn is_transfer(event: &Event) -> bool {
    matches!(event, Event::Transferred { .. })
}

async fn next_transfer(events: &mut Events) -> Height {
    loop {
        let block = events.next().await.unwrap();
        if block.events.iter().any(is_transfer) {
            return block.block.height;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriber_hears_of_each_block_with_events_and_resumes() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let client = grid.client(&validator).await;
    let to = AccountId::from(key(9).public());
    let mut events = client.subscribe(Height(1));
    let mut heights = Vec::new();
    for amount in 1..=3 {
        let pay = Action::Transfer { to, amount: Amount(amount) };
        heights.push(client.submit(&key(1), pay).await.unwrap().height);
    }
    let mut heard = Vec::new();
    while heard.len() < 3 {
        let block = events.next().await.unwrap();
        if block.events.iter().any(is_transfer) {
            heard.push(block.block.height);
        }
    }
    assert_eq!(heard, heights);
    assert!(events.position() > heights[2]);

    let mut late = client.subscribe(heights[1]);
    for height in &heights[1..] {
        assert_eq!(next_transfer(&mut late).await, *height);
    }

    // The stream outlives the validator.
    validator.stop().await.unwrap();
    let validator = grid.start().await;
    let client = grid.client(&validator).await;
    let pay = Action::Transfer { to, amount: Amount(4) };
    let committed = client.submit(&key(1), pay).await.unwrap();
    let mut resumed = client.subscribe(late.position());
    assert_eq!(next_transfer(&mut resumed).await, committed.height);
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_transactions_of_one_account_go_in_order() {
    let mut grid = Grid::new();
    let validator = grid.start().await;
    let client = grid.client(&validator).await;
    let to = AccountId::from(key(9).public());
    let actions: Vec<_> = (0..250).map(|_| Action::Transfer { to, amount: Amount(1) }).collect();
    let results = client.submit_all(&key(1), &actions).await.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(client.account(to).await.unwrap().balance, Amount(250));
    assert_eq!(client.account(AccountId::from(key(1).public())).await.unwrap().nonce, 250);
    validator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chain_whose_beginning_is_gone_is_replayed_from_a_state_that_is_proven() {
    let mut grid = Grid::new();
    grid.timing.idle_interval = Duration::from_millis(50);
    let mut config = grid.config(0);
    config.retention.blocks = 8;
    config.retention.prune_step = 4;
    let validator = Validator::start(config).await.unwrap();
    let client = grid.client(&validator).await;
    client
        .submit(&key(1), Action::Transfer { to: AccountId([5; 32]), amount: Amount(1) })
        .await
        .unwrap();
    reach(&client, Height(30)).await;
    let all = Height(1)..=Height(u64::MAX);
    let report = client.verify_chain(&grid.genesis, all, Depth::Replay, |_| {}).await.unwrap();
    let begun = report.state_of.unwrap();
    assert!(report.oldest > Height(1) && begun >= Height(30), "{report:?}");
    assert_eq!(report.replayed, report.to.0 - begun.0, "{report:?}");
    assert!(report.replayed >= 3 && report.blocks > report.replayed, "{report:?}");
    validator.stop().await.unwrap();
}

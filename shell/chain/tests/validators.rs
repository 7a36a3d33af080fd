//! Four validators in this process, over real sockets and real directories.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use acre_chain::Validator;
use acre_ledger::Action;
use acre_types::{AccountId, Amount, Height};
use common::{Grid, key, reach};

const TO: AccountId = AccountId([0xaa; 32]);

fn pay(amount: u64) -> Action {
    Action::Transfer { to: TO, amount: Amount(amount) }
}

async fn start(grid: &Grid) -> Vec<Validator> {
    let mut validators = Vec::new();
    for index in 0..grid.addresses.len() {
        validators.push(grid.start_at(index).await);
    }
    validators
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_commit_go_on_without_one_and_take_it_back() {
    let grid = Grid::of(4);
    let mut validators = start(&grid).await;
    let all: Vec<_> = validators.iter().collect();
    let client = grid.client_of(&all, 200).await;
    client.submit(&key(1), pay(1)).await.unwrap();

    // One goes without a word.
    drop(validators.remove(3));
    for _ in 0..3 {
        client.submit(&key(1), pay(10)).await.unwrap();
    }
    let last = client.submit(&key(2), pay(100)).await.unwrap();

    validators.push(grid.start_at(3).await);
    let its_client = grid.client_of(&[&validators[3]], 201).await;
    reach(&its_client, last.proven).await;
    assert_eq!(its_client.account(TO).await.unwrap().balance, Amount(131));
    let after = its_client.submit(&key(3), pay(1_000)).await.unwrap();
    assert!(after.height > last.height);
    reach(&client, after.proven).await;
    assert_eq!(client.account(TO).await.unwrap().balance, Amount(1_131));
    for validator in validators {
        validator.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_given_to_any_validator_reaches_all_once() {
    let grid = Grid::of(4);
    let validators = start(&grid).await;
    let (mut sent, mut last) = (0, Height(0));
    for (index, validator) in validators.iter().enumerate() {
        let number = u8::try_from(index).unwrap();
        let client = grid.client_of(&[validator], 200 + number).await;
        let from = key(1 + number);
        let results = client.submit_all(&from, &vec![pay(1); 25]).await.unwrap();
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        sent += results.len() as u64;
        last = last.max(results[24].as_ref().unwrap().proven);
    }
    let reader = grid.client_of(&[&validators[0]], 210).await;
    reach(&reader, last).await;
    assert_eq!(reader.account(TO).await.unwrap().balance, Amount(sent));
    let metrics: Vec<_> = validators.iter().map(Validator::metrics).collect();
    assert_eq!(metrics.iter().map(|m| m.submitted).sum::<u64>(), sent);
    // Each validator's own duty comes on top, once in each of a few epochs.
    let duties = 3 * 3;
    for one in &metrics {
        assert_eq!(one.submitted, 25, "{metrics:?}");
        // Those that were in a block before the batch arrived came in vain.
        assert!(one.relayed_in + one.relayed_in_vain <= sent - 25 + duties, "{metrics:?}");
        assert!(one.relayed_out <= 3 * 25 + duties, "{metrics:?}");
        assert_eq!(one.signatures_bad, 0);
    }
    assert!(metrics.iter().any(|one| one.relayed_in > 0), "{metrics:?}");
    for validator in validators {
        validator.stop().await.unwrap();
    }
}

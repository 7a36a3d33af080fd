//! Newcomers, and validators whose disks failed: what they do with and without others.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use acre_chain::{ChainError, ClientError, Validator};
use acre_ledger::Action;
use acre_types::{AccountId, Amount, Height};
use common::{Grid, key, reach};

const TO: AccountId = AccountId([0xaa; 32]);

fn pay(amount: u64) -> Action {
    Action::Transfer { to: TO, amount: Amount(amount) }
}

fn grid(validators: usize) -> Grid {
    let mut grid =
        Grid::with(validators, validators, |genesis| genesis.parameters.seats.term_heights = 20);
    grid.timing.idle_interval = Duration::from_millis(100);
    grid
}

/// Changes each byte that follows this account's id in a file.
fn damage(file: &Path, account: &AccountId) {
    let mut bytes = std::fs::read(file).unwrap();
    let found: Vec<_> =
        (0..bytes.len() - 40).filter(|at| bytes[*at..].starts_with(&account.0)).collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at + 37] ^= 1;
    }
    std::fs::write(file, bytes).unwrap();
}

/// Changes a byte of each transaction of this chain that a file holds.
fn damage_transactions(file: &Path, grid: &Grid) {
    let mut bytes = std::fs::read(file).unwrap();
    // A transaction begins with its chain and its account.
    let begin = [grid.genesis.digest().0, AccountId::from(key(1).public()).0].concat();
    let found: Vec<_> =
        (0..bytes.len() - 80).filter(|at| bytes[*at..].starts_with(&begin)).collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at + begin.len()] ^= 1;
    }
    std::fs::write(file, bytes).unwrap();
}

fn set_aside(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("damaged")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newcomer_begins_with_a_state_and_damage_is_found_and_restored_from_the_others() {
    let grid = grid(4);
    let mut three = Vec::new();
    for index in 0..3 {
        three.push(grid.start_at(index).await);
    }
    let client = grid.client_of(&three.iter().collect::<Vec<_>>(), 200).await;
    client.submit(&key(1), pay(7)).await.unwrap();
    reach(&client, Height(12)).await;

    let start = |sync_from| {
        let mut config = grid.config(3);
        config.sync_from = sync_from;
        Validator::start(config)
    };
    let newcomer = start(10).await.unwrap();
    let paid = client.submit(&key(1), pay(70)).await.unwrap();
    let its_client = grid.client_of(&[&newcomer], 201).await;
    reach(&its_client, paid.proven).await;
    assert_eq!(its_client.account(TO).await.unwrap().balance, Amount(77));
    let (info, _) = its_client.info().await.unwrap();
    assert!(info.oldest >= Height(10), "{info:?}");
    // It takes part from the next term on: one of the others is not needed any more then.
    reach(&client, Height(41)).await;
    three.pop().unwrap().stop().await.unwrap();
    its_client.submit(&key(2), pay(700)).await.unwrap();

    newcomer.stop().await.unwrap();
    let (dir, file) = (grid.dir(3), grid.dir(3).join("state.redb"));
    damage(&file, &TO);
    // Two of four make no blocks, but give what they have.
    let restored = start(u64::MAX).await.unwrap();
    assert_eq!(set_aside(&dir).len(), 1);
    let its_client = grid.client_of(&[&restored], 202).await;
    reach(&its_client, client.seen()).await;
    assert_eq!(its_client.account(TO).await.unwrap().balance, Amount(777));
    its_client.submit(&key(2), pay(7_000)).await.unwrap();
    for validator in three.into_iter().chain([restored]) {
        validator.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_without_others_is_refused_and_left_as_it_is() {
    let grid = grid(1);
    let validator = grid.start_at(0).await;
    let client = grid.client(&validator).await;
    client.submit(&key(1), pay(7)).await.unwrap();
    validator.stop().await.unwrap();
    let file = grid.dir(0).join("state.redb");
    damage(&file, &TO);
    let refused = Validator::start(grid.config(0)).await.err().unwrap();
    assert!(matches!(&refused, ChainError::Irreparable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("backup"), "{refused}");
    assert!(file.exists());
    assert!(set_aside(&grid.dir(0)).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_damaged_in_the_middle_of_the_store_is_shown_to_nobody_and_restored_from_another() {
    let grid = grid(2);
    let (damaged, sound) = tokio::join!(grid.start_at(0), grid.start_at(1));
    let client = grid.client_of(&[&damaged, &sound], 200).await;
    let paid = client.submit(&key(1), pay(7)).await.unwrap();
    reach(&client, Height(paid.height.0 + 5)).await;
    let its_client = grid.client_of(&[&damaged], 201).await;
    reach(&its_client, client.seen()).await;
    damaged.stop().await.unwrap();
    sound.stop().await.unwrap();
    damage_transactions(&grid.dir(0).join("state.redb"), &grid);

    let damaged = grid.start_at(0).await;
    let alone = grid.client_of(&[&damaged], 202).await;
    let refused = alone.block(paid.height).await;
    assert!(matches!(refused, Err(ClientError::NotReady { .. })), "{refused:?}");
    // Nothing else is lost with it: state, certificates, other blocks.
    assert_eq!(alone.account(TO).await.unwrap().balance, Amount(7));
    assert!(alone.block(paid.height.next()).await.unwrap().is_some());
    let sound = grid.start_at(1).await;
    let restored = async {
        loop {
            if let Ok(Some(block)) = alone.block(paid.height).await {
                break block;
            }
        }
    };
    let block = tokio::time::timeout(Duration::from_secs(60), restored).await.unwrap();
    assert!(block.payload.transactions.iter().any(|one| one.transaction.id() == paid.id));
    for validator in [damaged, sound] {
        validator.stop().await.unwrap();
    }
}

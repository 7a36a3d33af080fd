//! Validators that join and leave while the chain runs, over real sockets, by transactions alone.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use acre_chain::audit::Depth;
use acre_chain::client::{Checkpoint, Options};
use acre_chain::proof::{ProofFile, Shown};
use acre_chain::protocol::Reply;
use acre_chain::{ClientError, LedgerClient, Lie, Validator};
use acre_codec::List;
use acre_ledger::{
    Action, BackingNodes, Lookup as _, NewCandidate, Possession, Seats, SeatsBy, TheSeats,
};
use acre_net::{Endpoint, StaticBook};
use acre_types::{AccountId, Amount, Height, PublicKey};
use common::{Grid, key, liar, reach, text, validator_key};

const TO: AccountId = AccountId([0xaa; 32]);

fn pay(amount: u64) -> Action {
    Action::Transfer { to: TO, amount: Amount(amount) }
}

/// Addresses for five, the first of whom sits from the start; terms of ten quick blocks.
fn grid() -> Grid {
    let mut grid = Grid::with(1, 5, |genesis| {
        let rules = &mut genesis.parameters.seats;
        rules.term_heights = 10;
        rules.by = SeatsBy::Stake { min: Amount::tft(100).unwrap() };
        rules.seats_max = 4;
        rules.unbonding_terms = 1;
    });
    grid.timing.idle_interval = Duration::from_millis(100);
    grid
}

/// Account `index` registers validator `index`.
async fn register(grid: &Grid, client: &LedgerClient, index: usize) {
    let owner = key(u8::try_from(index).unwrap());
    let account = AccountId::from(owner.public());
    let possession = Possession { chain: grid.genesis.digest(), account };
    let validator = validator_key(index);
    let new = NewCandidate {
        validator: validator.public(),
        possession: validator.sign(&possession),
        engine: text(grid.addresses[index].engine),
        rpc: text(grid.addresses[index].rpc),
        stake: Amount::tft(1_000).unwrap(),
        nodes: BackingNodes::default(),
    };
    client.submit(&owner, Action::RegisterCandidate(new)).await.unwrap();
}

/// Waits until the members are exactly these.
async fn until_seated(client: &LedgerClient, members: &[PublicKey]) -> Seats {
    let mut wanted = members.to_vec();
    wanted.sort();
    let mut events = client.subscribe(client.seen().next());
    loop {
        let seats = client.read(&TheSeats).await.unwrap().unwrap();
        if seats.members.iter().map(|seat| seat.validator).eq(wanted.iter().copied()) {
            return seats;
        }
        events.next().await.unwrap();
    }
}

fn keys(validators: &[&Validator]) -> Vec<PublicKey> {
    validators.iter().map(|validator| validator.key()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_becomes_four_one_leaves_and_another_takes_its_seat() {
    let grid = grid();
    let file = grid.dir(9).with_extension("checkpoint");
    let first = grid.start_at(0).await;
    let options = Options::in_file(&file, &grid.genesis).unwrap();
    let client = grid.client_with(&[&first], 200, options).await;
    client.submit(&key(1), pay(1)).await.unwrap();

    let mut joined = Vec::new();
    for index in 1..4 {
        register(&grid, &client, index).await;
        joined.push(grid.start_at(index).await);
    }
    let four: Vec<_> = std::iter::once(&first).chain(&joined).collect();
    until_seated(&client, &keys(&four)).await;
    // The client has learnt whom to ask.
    assert!(keys(&four).iter().all(|key| client.validators().contains(key)));
    client.submit(&key(5), pay(10)).await.unwrap();

    // One wants to go, another one to come.
    client
        .submit(&key(1), Action::LeaveSeats { validator: validator_key(1).public() })
        .await
        .unwrap();
    register(&grid, &client, 4).await;
    let last = grid.start_at(4).await;
    let present = [&first, &joined[1], &joined[2], &last];
    until_seated(&client, &keys(&present)).await;
    joined.remove(0).stop().await.unwrap();
    let paid = client.submit(&key(5), pay(100)).await.unwrap();

    // One that trusts the genesis alone follows every change, from whomever it asks.
    let newcomer = grid.client_with(&[&last], 201, Options::default()).await;
    reach(&newcomer, paid.proven).await;
    assert_eq!(newcomer.account(TO).await.unwrap().balance, Amount(111));
    newcomer.refresh().await.unwrap();
    let known = newcomer.checkpoint();
    let mut wanted = keys(&[&first, &joined[0], &joined[1], &last]);
    wanted.sort();
    assert_eq!(known.newest().validators(), wanted);
    client.refresh().await.unwrap();
    // And one that kept what it knew begins there.
    let kept = Checkpoint::load(&file, &grid.genesis.digest()).unwrap().unwrap();
    assert_eq!(kept, client.checkpoint());
    assert_eq!(kept.newest().validators(), wanted, "{kept:?}");

    // One who hides the changes cannot be told from one who made up the new set, and is named.
    let (hiding, _server) = liar(&last, |reply| match reply {
        Reply::Changes { .. } => Reply::Changes { changes: List::default() },
        other => other,
    })
    .await;
    let asked = |known: Vec<(PublicKey, SocketAddr)>| {
        let keys = known.iter().map(|(key, _)| *key).collect();
        (StaticBook::from_iter(known), keys)
    };
    let mut known = vec![(hiding.key(), hiding.local_addr().unwrap())];
    for believes in [false, true] {
        if believes {
            known.push((last.key(), last.rpc_address()));
        }
        let (book, keys) = asked(known.clone());
        let endpoint = Endpoint::bind(&key(203), None, Arc::new(book)).await.unwrap();
        let client = LedgerClient::new(&grid.genesis, endpoint, keys);
        match client.account(TO).await {
            Ok(account) => assert!(believes && account.balance == Amount(111)),
            Err(ClientError::Lied { peer, lie: Lie::Certificate { .. } }) => {
                assert!(!believes && peer == hiding.key());
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    // A proof of today's state leads an offline reader through every change.
    let file = client.export_value(&grid.genesis, TO.key()).await.unwrap();
    let proven = ProofFile::decode(&file.to_bytes()).unwrap().verify(&grid.genesis).unwrap();
    assert!(matches!(proven.shown, Shown::Value { object: Some(_), .. }));
    let file = client.export_transaction(&grid.genesis, paid.id).await.unwrap();
    let proven = file.verify(&grid.genesis).unwrap();
    assert!(matches!(proven.shown, Shown::Transaction { id, .. } if id == paid.id));
    // And the whole chain holds, from the genesis on.
    let (all, mut heard) = (Height(0)..=Height(u64::MAX), 0);
    let report = client
        .verify_chain(&grid.genesis, all.clone(), Depth::Replay, |_| heard += 1)
        .await
        .unwrap();
    assert_eq!((report.from, report.blocks), (Height(1), report.replayed), "{report:?}");
    assert!(report.to >= paid.height && heard == report.blocks, "{report:?}");
    let depth = Depth::Sample { blocks: 10, seed: 1 };
    let report = client.verify_chain(&grid.genesis, all, depth, |_| {}).await.unwrap();
    assert_eq!((report.blocks, report.replayed), (10, 0), "{report:?}");

    for validator in joined.into_iter().chain([first, last]) {
        validator.stop().await.unwrap();
    }
}

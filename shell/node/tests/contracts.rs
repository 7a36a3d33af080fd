//! What becomes of contracts at a real node: storage that is over is deleted, workloads are declined.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use acre_codec::Blob;
use acre_ledger::{
    Action, Cause, ContractRules, ContractState, GraceRules, Lookup as _, MicroUsd, NewKind,
    NewWorkload, Parameters, Resources, TheTotals,
};
use acre_node::Node;
use acre_store::head::Head;
use acre_store::protocol::{Refusal, Reply, Request};
use acre_types::{Amount, Bytes, ContractId, Digest, UnixMs};
use common::{Grid, LOOK, LOOKS, shard, tenant};

const HOUR: u64 = 3_600_000;

/// Three nodes, and a ledger that knows no grace.
async fn grid() -> (Grid, Vec<Node>) {
    let grace = GraceRules { freeze_ms: 0, archive_ms: 0, percent: 0 };
    let grid = Grid::start(
        3,
        Parameters { grace, contracts: ContractRules::local(), ..Parameters::default() },
    )
    .await;
    let mut nodes = Vec::new();
    for number in 0..3 {
        nodes.push(grid.join(number).await);
    }
    (grid, nodes)
}

async fn put(grid: &Grid, node: &Node, contract: ContractId, pack: u8) -> Reply {
    let (header, body) = shard(contract, pack, 0);
    grid.ask(node, Request::Put(header), &body).await
}

/// Waits until a node answers so.
async fn until(grid: &Grid, node: &Node, request: Request, wanted: &Reply) {
    let mut told = None;
    for _ in 0..LOOKS {
        let reply = grid.ask(node, request.clone(), b"").await;
        if reply == *wanted {
            return;
        }
        told = Some(reply);
        tokio::time::sleep(LOOK).await;
    }
    panic!("{request:?} is answered {told:?}, not {wanted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_is_over_is_deleted_and_paid_storage_stays() {
    let (grid, nodes) = grid().await;
    let node = &nodes[0];
    let kept = grid.storage(&nodes, HOUR).await;
    let cancelled = grid.storage(&nodes, HOUR).await;
    for contract in [kept, cancelled] {
        assert_eq!(
            put(&grid, node, contract, u8::try_from(contract.0).unwrap()).await,
            Reply::Stored
        );
    }
    let sealed_root = Blob::new(vec![1; 9]).unwrap();
    let head = Head { version: 1, contract: cancelled, epoch: 0, counter: 1, sealed_root };
    let head = head.sign(&tenant());
    let is_there = Reply::HeadIs(Some(head.clone()));
    assert_eq!(grid.ask(node, Request::PutHead(head), b"").await, is_there);
    // Short, so that its time passes by itself; made anew where a slow machine needs longer than that
    // for a put.
    let expired = loop {
        let contract = grid.storage(&nodes, 4000).await;
        if put(&grid, node, contract, 9).await == Reply::Stored {
            break contract;
        }
    };

    let action = Action::CancelContract { contract: cancelled };
    grid.ledger.submit(&tenant(), action).await.unwrap();
    let page = |contract| Request::List { contract, after: None };
    let empty =
        Reply::Page { shards: acre_codec::List::default(), rest: acre_store::protocol::Rest::End };
    until(&grid, node, page(expired), &empty).await;
    let refused = Reply::Refused(Refusal::ContractEnded(expired));
    assert_eq!(put(&grid, node, expired, 9).await, refused, "nothing more is taken");
    assert!(node.meter().read().records_deleted > 0);
    // A node looks after a contract that was cancelled within minutes, or when it starts.
    for node in nodes {
        node.stop().await;
    }
    let node = grid.run(0, None).await;
    until(&grid, &node, page(cancelled), &empty).await;
    let head = Request::GetHead { contract: cancelled };
    until(&grid, &node, head, &Reply::HeadIs(None)).await;
    let Reply::Page { shards, .. } = grid.ask(&node, page(kept), b"").await else { panic!() };
    assert_eq!(shards.len(), 1, "what is paid for is there");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workload_is_declined_with_the_reason_and_refunded() {
    let (grid, nodes) = grid().await;
    let balance = || async { grid.ledger.account(tenant().public().into()).await.unwrap().balance };
    let before = balance().await;
    let now = grid.ledger.snapshot(&[TheTotals.key()]).await.unwrap().block.time;
    let kind = NewKind::Workload(NewWorkload {
        spec: Digest([5; 32]),
        node: nodes[1].id(),
        resources: Resources { cores_milli: 500, memory: Bytes(1 << 28), ..Resources::default() },
        traffic: Bytes(0),
        hour_max: MicroUsd(u64::MAX),
        deadline: UnixMs(now.0 + HOUR),
    });
    let id = grid.buy(kind, 1000 * HOUR).await;
    let mut looks = 0;
    let closed = loop {
        let contract = grid.contract(id).await;
        if matches!(contract.state, ContractState::Closed { .. }) {
            break contract;
        }
        looks += 1;
        assert!(looks < LOOKS, "{contract:?}");
        tokio::time::sleep(LOOK).await;
    };
    let ContractState::Closed { cause: Cause::Rejected { reason }, at } = &closed.state else {
        panic!("{:?}", closed.state)
    };
    assert_eq!(reason.as_str(), "this node runs no workloads yet");
    assert!(at.0 < now.0 + HOUR, "before its deadline");
    assert_eq!(closed.held(), Some(Amount::ZERO));
    let node = grid.ledger.node(nodes[1].id()).await.unwrap().unwrap();
    assert_eq!(node.reserved, Resources::default(), "nothing is reserved any more");
    assert_eq!(nodes[1].meter().read().workloads_declined, 1);
    let lines = grid.ledger.bill(&closed).await.unwrap();
    assert!(lines.iter().all(|line| acre_ledger::bill::recompute(line).as_ref() == Some(line)));
    let fees = before.checked_sub(balance().await).unwrap();
    assert!(fees < Amount::tft(1).unwrap(), "all but the fee came back: {fees:?}");
    for node in nodes {
        node.stop().await;
    }
}

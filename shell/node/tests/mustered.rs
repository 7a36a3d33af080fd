//! Musters over real sockets: nodes hear them, solve once for all who ask, and for no other seed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use acre_capacity::duty::{Duty, WorkRules};
use acre_capacity::message::{Answer, Ask, Refusal, SERVICE, decode_answer};
use acre_capacity::puzzle::{self, LaneRules, Task};
use acre_ledger::{Muster, TheMuster};
use acre_net::rpc::{Caller, Message};
use acre_net::{Endpoint, Service, StaticBook};
use acre_node::Node;
use acre_types::{Bytes, Digest};
use common::{Grid, LOOK, LOOKS, key};

/// Each is watched by the two others.
const NODES: usize = 3;
const CALL: Duration = Duration::from_secs(20);

/// Somebody with the key of a node, so a witness of the others.
struct Witness(Caller);

impl Witness {
    async fn of(number: usize, watched: &Node) -> Self {
        let book = StaticBook::from_iter([(watched.id().key(), watched.address())]);
        let endpoint = Endpoint::bind(&key(3, number), None, Arc::new(book)).await.unwrap();
        Self(Caller::new(endpoint, Service::new(SERVICE)))
    }

    async fn ask(&self, node: &Node, ask: &Ask) -> Answer {
        let message = Message::new(acre_codec::encode(ask), bytes::Bytes::new());
        let reply = self.0.call(node.id().key(), message, CALL).await.unwrap();
        decode_answer(&reply.body).unwrap()
    }
}

/// What all witnesses ask of a node that offers one core and a GiB.
fn task(node: &Node, muster: &Muster) -> Task {
    let work = WorkRules {
        lane: LaneRules { lane_bytes: 64 << 10, steps: 256 },
        probes: 2,
        par: Duration::from_millis(60),
        memory_scale: 4096,
    };
    let (id, proven, reserved) = (node.id(), (0, Bytes(0)), Bytes(0));
    let duty = Duty { node: id, cores: 1, memory: Bytes(1 << 30), proven, reserved };
    duty.task(&work, muster.epoch, muster.seed_of(id)).unwrap()
}

impl Grid {
    async fn muster(&self) -> Option<Muster> {
        self.ledger.read(&TheMuster).await.unwrap()
    }

    /// The first muster after this number.
    async fn muster_after(&self, number: u64) -> Muster {
        for _ in 0..LOOKS {
            if let Some(muster) = self.muster().await.filter(|muster| muster.number > number) {
                return muster;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("no muster after {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cores_and_memory_are_those_of_musters_and_each_is_solved_once() {
    let grid = Grid::start_with_musters(NODES).await;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(grid.join(number).await);
    }
    for node in &nodes {
        let id = node.id();
        let seen = grid.until(id, "mustered", |node| {
            (node.verified.cores, node.verified.memory) == (1, Bytes(1 << 30))
        });
        assert_eq!(seen.await.lent.cores, 0, "all of it was measured");
    }
    assert!(grid.muster().await.is_some(), "nothing else shows cores");

    let asked = nodes.first().unwrap();
    let (first, second) = (Witness::of(1, asked).await, Witness::of(2, asked).await);
    // Nobody else's seed, nor more than the node ever offered: both would cost it all its memory.
    let muster = grid.muster_after(0).await;
    let real = task(asked, &muster);
    let forged = Ask::Work(Task { seed: Digest([7; 32]), ..real });
    assert_eq!(first.ask(asked, &forged).await, Answer::Refused(Refusal::Unknown));
    let huge = Ask::Work(Task { lanes: 1024, ..real });
    assert_eq!(first.ask(asked, &huge).await, Answer::Refused(Refusal::Malformed));
    // One of an epoch that is over may be refused; the next one is not.
    let mut number = 0;
    let (real, claim) = loop {
        let muster = grid.muster_after(number).await;
        let real = task(asked, &muster);
        match first.ask(asked, &Ask::Work(real)).await {
            Answer::Worked(claim) => break (real, claim),
            Answer::Refused(refusal) => assert!(number < 100, "{refusal:?}"),
            other => panic!("{other:?}"),
        }
        number = muster.number;
    };
    claim.verify(&real).unwrap();
    let again = second.ask(asked, &Ask::Work(real)).await;
    assert_eq!(again, Answer::Worked(claim.clone()), "one claim for all who ask");
    let (nonce, probes) = (Digest([9; 32]), 2);
    let ask = Ask::Probe { task: real.digest(), nonce, probes };
    let Answer::Probed(proofs) = second.ask(asked, &ask).await else { panic!("not held") };
    puzzle::check(&real, &claim.claim, &nonce, probes, &proofs).unwrap();
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_gone_at_a_muster_loses_what_it_had() {
    let grid = Grid::start_with_musters(NODES).await;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(grid.join(number).await);
    }
    let gone = nodes.pop().unwrap();
    let id = gone.id();
    grid.until(id, "mustered", |node| node.verified.cores == 1).await;
    gone.stop().await;
    grid.until(id, "without cores", |node| node.verified.cores == 0).await;
    for node in nodes {
        node.stop().await;
    }
}

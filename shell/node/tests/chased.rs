//! How fast storage is, over real sockets: what a witness sees of a chase, and what the ledger makes
//! of its time.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use acre_capacity::chase::{self, SignedTrail, StepProofs};
use acre_capacity::message::{Answer, Ask, Commitment, Refusal, SERVICE, decode_answer};
use acre_ledger::{ChaseParams, Parameters, TheEpoch};
use acre_net::rpc::{Caller, Message};
use acre_node::Node;
use acre_types::{Bytes, Digest, Epoch};
use common::{Grid, PLOTTED, key};

const NODES: usize = 4;
const CALL: Duration = Duration::from_secs(30);

async fn join(grid: &Grid) -> Vec<Node> {
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(grid.join(number).await);
    }
    nodes
}

async fn stop(nodes: Vec<Node>) {
    for node in nodes {
        node.stop().await;
    }
}

/// Another node's key, which is a witness of the first one: there are as many others as witnesses.
struct Hand<'a> {
    caller: Caller,
    node: &'a Node,
}

impl Hand<'_> {
    async fn ask(&self, ask: &Ask) -> Answer {
        let message = Message::new(acre_codec::encode(ask), bytes::Bytes::new());
        let reply = self.caller.call(self.node.id().key(), message, CALL).await.unwrap();
        decode_answer(&reply.body).unwrap()
    }

    async fn commit(&self, epoch: Epoch) -> Commitment {
        let nonce = Digest([1; 32]);
        match self.ask(&Ask::Commit { epoch, nonce }).await {
            Answer::Committed(signed) => {
                assert_eq!(signed.verify(self.node.id(), epoch, nonce), Ok(()));
                signed.commitment
            }
            other => panic!("{other:?}"),
        }
    }

    async fn chase(&self, index: Digest, nonce: u8, steps: u32) -> Result<SignedTrail, Refusal> {
        // The node's own witnesses chase, too, one at a time.
        loop {
            let nonce = Digest([nonce; 32]);
            match self.ask(&Ask::Chase { index, nonce, steps }).await {
                Answer::Chased(signed) => return Ok(signed),
                Answer::Refused(Refusal::Busy) => tokio::task::yield_now().await,
                Answer::Refused(refusal) => return Err(refusal),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn trace(&self, trail: Digest, nonce: u8, probes: u8) -> Result<StepProofs, Refusal> {
        match self.ask(&Ask::Trace { trail, nonce: Digest([nonce; 32]), probes }).await {
            Answer::Traced(proofs) => Ok(proofs),
            Answer::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_chases_through_its_plots_and_shows_any_step() {
    let grid = Grid::start(NODES, Parameters::default()).await;
    let nodes = join(&grid).await;
    let node = &nodes[0];
    grid.until(node.id(), "verified", |node| node.solid == PLOTTED).await;

    let hand = Hand { caller: grid.caller(&key(3, 1), SERVICE).await, node };
    let epoch = grid.ledger.read(&TheEpoch).await.unwrap().unwrap().number;
    let commitment = hand.commit(epoch).await;
    let index = commitment.index.as_ref().unwrap().digest;
    let signed = hand.chase(index, 2, 64).await.unwrap();
    assert_eq!(signed.verify(node.id(), index, Digest([2; 32]), 64), Ok(()));
    assert!(signed.verify(node.id(), index, Digest([3; 32]), 64).is_err(), "to another question");
    assert_eq!(signed.trail.gone_steps(), 0);
    let proofs = hand.trace(signed.trail.digest(), 4, 32).await.unwrap();
    let judge = |nonce, probes: u8, proofs: &StepProofs| {
        chase::check(&commitment, &signed.trail, &Digest([nonce; 32]), probes, proofs)
    };
    assert_eq!(judge(4, 32, &proofs), Ok(()));
    assert!(judge(5, 32, &proofs).is_err(), "other steps were drawn");

    assert_eq!(hand.chase(index, 2, 65).await.unwrap_err(), Refusal::Malformed);
    assert_eq!(hand.chase(Digest([9; 32]), 2, 64).await.unwrap_err(), Refusal::Unknown);
    assert_eq!(hand.trace(Digest([9; 32]), 4, 4).await.unwrap_err(), Refusal::Unknown);
    assert_eq!(hand.trace(signed.trail.digest(), 4, 33).await.unwrap_err(), Refusal::Malformed);
    let stranger = Hand { caller: grid.caller(&key(9, 7), SERVICE).await, node };
    assert_eq!(stranger.chase(index, 2, 64).await.unwrap_err(), Refusal::NotWitness);

    // More often than the rules need. A new epoch counts anew.
    let mut tries = 0;
    while hand.chase(index, 2, 65).await.unwrap_err() != Refusal::TooOften {
        tries += 1;
        assert!(tries < 100, "it is never enough");
    }
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_slower_than_solid_is_spinning() {
    let rules = ChaseParams { solid_us: 1, spinning_us: 1_000_000, ..ChaseParams::local() };
    let grid = Grid::chased(NODES, Parameters::default(), rules).await;
    let nodes = join(&grid).await;
    let seen = grid.until(nodes[0].id(), "verified", |node| node.verified.storage == PLOTTED).await;
    assert_eq!(seen.solid, Bytes(0));
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_slower_than_any_disk_does_not_count() {
    let rules = ChaseParams { solid_us: 1, spinning_us: 1, ..ChaseParams::local() };
    let grid = Grid::chased(NODES, Parameters::default(), rules).await;
    let nodes = join(&grid).await;
    let seen = grid.until(nodes[0].id(), "found slow", |node| {
        // It is there, and what it is asked for it shows: only its chases fail.
        node.record.failed > 0 && node.record.up > 0 && node.verified.storage == Bytes(0)
    });
    assert_eq!(seen.await.solid, Bytes(0));
    stop(nodes).await;
}

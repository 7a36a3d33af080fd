//! What witnesses and nodes say to each other.

use acre_capacity::chase;
use acre_capacity::message::{Answer, Ask, Sample, decode_answer, decode_ask};
use acre_capacity::plot::PlotRules;
use acre_capacity::puzzle;
use acre_capacity::verify::{self, HeaderCheck};
use acre_types::Digest;

use crate::canonical;

const RULES: PlotRules = PlotRules { region_bytes: 32 * 1024, layers: 1 };

pub(crate) fn ask(data: &[u8]) {
    if let Ok(ask) = decode_ask(data) {
        assert_eq!(canonical::<Ask>(data).as_ref(), Some(&ask));
    }
}

pub(crate) fn answer(data: &[u8]) {
    let Ok(answer) = decode_answer(data) else { return };
    assert_eq!(canonical::<Answer>(data).as_ref(), Some(&answer));
    match &answer {
        Answer::Opened(samples) => samples.iter().for_each(refuse_sample),
        Answer::Probed(proofs) => {
            let rules = puzzle::LaneRules { lane_bytes: 32 * 1024, steps: 64 };
            let (node, epoch) = (acre_types::NodeId([1; 32]), acre_types::Epoch(1));
            let task = puzzle::Task { node, epoch, seed: Digest([2; 32]), lanes: 1, rules };
            let lane = puzzle::LaneClaim { memory: Digest([3; 32]), walk: Digest([4; 32]) };
            let lanes = acre_codec::List::new(vec![lane]).expect("one lane");
            let claim = puzzle::Claim { task: task.digest(), lanes };
            assert!(puzzle::check(&task, &claim, &Digest([5; 32]), 1, proofs).is_err());
        }
        Answer::Chased(signed) => {
            let trail = &signed.trail;
            let (index, nonce) = (trail.index, trail.nonce);
            // Its own words, but for the node: nobody has that key.
            let node = acre_types::NodeId([1; 32]);
            assert!(signed.verify(node, index, nonce, trail.steps).is_err());
            assert!(u64::from(trail.gone_steps()) <= 8 * trail.gone.len() as u64);
        }
        Answer::Traced(proofs) => refuse_steps(proofs),
        _ => {}
    }
}

/// Nobody opens the steps of a chase that never was.
fn refuse_steps(proofs: &chase::StepProofs) {
    let Ok(probes) = u8::try_from(proofs.len()) else { return };
    let id = acre_capacity::index::ItemId::Plot(0);
    let index =
        acre_capacity::index::Span { first: id, last: id, bytes: 1 << 20, digest: Digest([3; 32]) };
    let node = acre_types::NodeId([1; 32]);
    let trail = chase::Trail {
        node,
        index: index.digest,
        nonce: Digest([4; 32]),
        steps: 16,
        root: Digest([5; 32]),
        gone: acre_codec::Blob::new(vec![0xf0, 0x0f]).expect("two bytes"),
    };
    let commitment = acre_capacity::message::Commitment {
        node,
        epoch: acre_types::Epoch(1),
        nonce: Digest([2; 32]),
        index: Some(index),
        plots: 1 << 20,
    };
    let result = chase::check(&commitment, &trail, &Digest([6; 32]), probes, proofs);
    assert!(result.is_err() || proofs.is_empty());
}

/// Nobody opens an index that was never committed.
fn refuse_sample(sample: &Sample) {
    let Sample::Opened(opening) = sample else { return };
    let item = &opening.item;
    let commitment = acre_capacity::message::Commitment {
        node: acre_types::NodeId([1; 32]),
        epoch: acre_types::Epoch(1),
        nonce: Digest([2; 32]),
        index: Some(acre_capacity::index::Span {
            first: item.id,
            last: item.id,
            bytes: item.bytes,
            digest: Digest([3; 32]),
        }),
        plots: item.bytes,
    };
    let header = HeaderCheck::Signed { root: item.root, bytes: item.bytes, most: u64::MAX };
    let nonce = Digest([4; 32]);
    assert!(verify::check(&commitment, &RULES, &nonce, 0, opening, header).is_err());
}

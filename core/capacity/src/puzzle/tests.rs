//! Work that was done is believed, work that was not is found.

use acre_codec::{Blob, List};
use acre_crypto::{Secret, SigningKey};
use acre_types::{Digest, Epoch};

use super::{Claim, Lane, LaneRules, Task, check, prove};
use crate::limits::{LANE_BYTES_MIN, PROBES_MAX};

fn key() -> SigningKey {
    SigningKey::from_seed(Secret::new([5; 32]))
}

fn task() -> Task {
    Task {
        node: key().public().into(),
        epoch: Epoch(3),
        seed: Digest([9; 32]),
        lanes: 2,
        rules: LaneRules { lane_bytes: LANE_BYTES_MIN, steps: 64 },
    }
}

fn solved(task: &Task) -> (Vec<Lane>, Claim) {
    let lanes: Vec<Lane> = (0..task.lanes).map(|lane| Lane::solve(task, lane).unwrap()).collect();
    let claims = lanes.iter().map(Lane::claim).collect();
    (lanes, Claim { task: task.digest(), lanes: List::new(claims).unwrap() })
}

#[test]
fn honest_work_is_believed() {
    let task = task();
    let (lanes, claim) = solved(&task);
    claim.clone().sign(&key()).verify(&task).unwrap();
    for nonce in 0..20 {
        let nonce = Digest([nonce; 32]);
        let proofs = prove(&task, &lanes, &nonce, PROBES_MAX as u8).unwrap();
        assert!(acre_codec::encode(&proofs).len() < crate::limits::ANSWER_BYTES_MAX);
        check(&task, &claim, &nonce, PROBES_MAX as u8, &proofs).unwrap();
    }
}

#[test]
fn walk_that_skips_steps_is_found() {
    let task = task();
    let (mut lanes, _) = solved(&task);
    for lane in &mut lanes {
        for state in lane.checkpoints.iter_mut().skip(1).step_by(2) {
            state[0] ^= 1;
        }
        lane.claim.walk = acre_crypto::digest(lane.checkpoints.as_flattened());
    }
    let claims = lanes.iter().map(Lane::claim).collect();
    let claim = Claim { task: task.digest(), lanes: List::new(claims).unwrap() };
    let nonce = Digest([1; 32]);
    let proofs = prove(&task, &lanes, &nonce, 4).unwrap();
    assert!(check(&task, &claim, &nonce, 4, &proofs).is_err());
}

#[test]
fn memory_of_cheap_numbers_is_found() {
    let task = task();
    let (mut lanes, _) = solved(&task);
    for lane in &mut lanes {
        for (number, label) in lane.labels.iter_mut().enumerate().skip(1).step_by(2) {
            label[..8].copy_from_slice(&number.to_le_bytes());
        }
        let (outboard, memory) = crate::tree::outboard(lane.labels.as_flattened());
        (lane.outboard, lane.claim.memory) = (outboard, memory);
    }
    let claims = lanes.iter().map(Lane::claim).collect();
    let claim = Claim { task: task.digest(), lanes: List::new(claims).unwrap() };
    let nonce = Digest([1; 32]);
    let proofs = prove(&task, &lanes, &nonce, 4).unwrap();
    assert!(check(&task, &claim, &nonce, 4, &proofs).is_err());
}

#[test]
fn answers_to_another_task_nonce_or_count_are_refused() {
    let task = task();
    let (lanes, claim) = solved(&task);
    let nonce = Digest([1; 32]);
    let proofs = prove(&task, &lanes, &nonce, 2).unwrap();
    assert!(check(&task, &claim, &Digest([2; 32]), 2, &proofs).is_err());
    assert!(check(&task, &claim, &nonce, 3, &proofs).is_err());
    let other = Task { seed: Digest([8; 32]), ..task };
    assert!(check(&other, &claim, &nonce, 2, &proofs).is_err());
    let signed = claim.clone().sign(&key());
    assert!(signed.verify(&other).is_err());
    let mut forged = signed.clone();
    forged.claim.lanes = List::new(vec![claim.lanes[1], claim.lanes[0]]).unwrap();
    assert!(forged.verify(&task).is_err());
    assert!(prove(&task, &lanes, &nonce, PROBES_MAX as u8 + 1).is_err());
    let mut bent = proofs.into_vec();
    bent[0].label[0].leaf = Blob::new(vec![0; 1024]).unwrap();
    assert!(check(&task, &claim, &nonce, 2, &List::new(bent).unwrap()).is_err());
}

#[test]
fn refuses_tasks_out_of_bounds() {
    let rules = task().rules;
    let wrong = [
        Task { lanes: 0, ..task() },
        Task { lanes: 1025, ..task() },
        Task { rules: LaneRules { lane_bytes: 48 << 10, ..rules }, ..task() },
        Task { rules: LaneRules { steps: 0, ..rules }, ..task() },
        Task { rules: LaneRules { steps: 12, ..rules }, ..task() },
        Task { rules: LaneRules { steps: (1 << 20) + 8, ..rules }, ..task() },
    ];
    for task in wrong {
        assert!(Lane::solve(&task, 0).is_err(), "{task:?}");
    }
}

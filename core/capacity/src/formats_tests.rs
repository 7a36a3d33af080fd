//! Golden files and hostile bytes of `witness/1`.

use acre_codec::{Blob, Encode, List};
use acre_crypto::{Secret, SigningKey};
use acre_types::{ContractId, Digest, Epoch, PackId};

use crate::chase::{GONE_BYTES_MAX, StepProof, Trail};
use crate::index::{Index, Item, ItemId, Span};
use crate::limits::{
    ANSWER_BYTES_MAX, ASK_BYTES_MAX, CHASE_PROBES_MAX, CHASE_STEPS_MAX, HEADER_BYTES_MAX,
    INDEX_DEPTH_MAX, LANE_BYTES_MIN, LEAF_BYTES, SAMPLES_MAX, TREE_DEPTH_MAX, WALK_STRIDE,
};
use crate::message::{
    Answer, Ask, Commitment, Opening, Refusal, Sample, decode_answer, decode_ask,
};
use crate::puzzle::{Claim, LabelOpening, LaneClaim, LaneProof, LaneRules, Task};

fn key() -> SigningKey {
    SigningKey::from_seed(Secret::new([1; 32]))
}

fn items() -> Vec<Item> {
    let shard = ItemId::Shard { contract: ContractId(7), pack: PackId([5; 16]), index: 3 };
    vec![
        Item { id: ItemId::Plot(2), bytes: 32 * 1024, root: Digest([2; 32]) },
        Item { id: shard, bytes: 640, root: Digest([3; 32]) },
    ]
}

fn root() -> Span {
    Index::build(items()).unwrap().root().unwrap()
}

fn task() -> Task {
    let rules = LaneRules { lane_bytes: LANE_BYTES_MIN, steps: 64 };
    Task { node: key().public().into(), epoch: Epoch(9), seed: Digest([4; 32]), lanes: 2, rules }
}

fn asks() -> Vec<Ask> {
    vec![
        Ask::Commit { epoch: Epoch(9), nonce: Digest([6; 32]) },
        Ask::Open { index: root().digest, nonce: Digest([7; 32]), samples: 8 },
        Ask::Work(task()),
        Ask::Probe { task: task().digest(), nonce: Digest([8; 32]), probes: 4 },
        Ask::Chase { index: root().digest, nonce: Digest([9; 32]), steps: 1024 },
        Ask::Trace { trail: trail().digest(), nonce: Digest([10; 32]), probes: 16 },
    ]
}

fn trail() -> Trail {
    Trail {
        node: key().public().into(),
        index: root().digest,
        nonce: Digest([9; 32]),
        steps: 20,
        root: Digest([11; 32]),
        gone: Blob::new(vec![0, 4, 8]).unwrap(),
    }
}

fn label(leaf: usize, depth: usize) -> LabelOpening {
    LabelOpening {
        leaf: Blob::new(vec![1; leaf]).unwrap(),
        tree: List::new(vec![Digest([2; 32]); depth]).unwrap(),
    }
}

fn commitment(index: Option<Span>) -> Answer {
    let plots = index.as_ref().map_or(0, |_| 32 * 1024);
    let node = key().public().into();
    let commitment = Commitment { node, epoch: Epoch(9), nonce: Digest([6; 32]), index, plots };
    Answer::Committed(commitment.sign(&key()))
}

fn opening() -> Opening {
    let index = Index::build(items()).unwrap();
    let found = index.find(32 * 1024 + 5).unwrap();
    Opening {
        item: found.item,
        index: found.path,
        leaf: Blob::new(vec![1, 2, 3]).unwrap(),
        tree: List::new(vec![Digest([9; 32])]).unwrap(),
        header: Blob::new(vec![4, 5]).unwrap(),
    }
}

fn proof(leaf: usize, depth: usize) -> LaneProof {
    let opening = || label(leaf, depth);
    let reads = (0..WALK_STRIDE).map(|_| [opening(), opening()]).collect();
    LaneProof {
        label: std::array::from_fn(|_| opening()),
        ends: std::array::from_fn(|_| opening()),
        reads: List::new(reads).unwrap(),
    }
}

fn answers() -> Vec<Answer> {
    let lane = LaneClaim { memory: Digest([1; 32]), walk: Digest([2; 32]) };
    let claim = Claim { task: task().digest(), lanes: List::new(vec![lane, lane]).unwrap() };
    let samples = vec![Sample::Opened(Box::new(opening())), Sample::Missing];
    let refusals = [
        Refusal::NotWitness,
        Refusal::Unknown,
        Refusal::TooOften,
        Refusal::Busy,
        Refusal::Malformed,
        Refusal::Failed,
    ];
    let mut answers = vec![
        commitment(Some(root())),
        commitment(None),
        Answer::Opened(List::new(samples).unwrap()),
        Answer::Worked(claim.sign(&key())),
        Answer::Probed(List::new(vec![proof(2, 1)]).unwrap()),
    ];
    answers.extend(refusals.map(Answer::Refused));
    answers.push(Answer::Chased(trail().sign(&key())));
    let ends = || std::array::from_fn(|_| label(2, 1));
    let read = Sample::Opened(Box::new(Opening { header: Blob::default(), ..opening() }));
    let steps = [read, Sample::Missing].map(|read| StepProof { ends: ends(), read });
    answers.push(Answer::Traced(List::new(steps.into()).unwrap()));
    answers
}

fn lines<T: Encode>(values: &[T]) -> Vec<u8> {
    values.iter().flat_map(acre_codec::encode).collect()
}

#[test]
fn questions_and_answers_are_what_their_golden_files_say() {
    acre_codec::golden::check(include_str!("golden/asks.hex"), &lines(&asks()));
    acre_codec::golden::check(include_str!("golden/answers.hex"), &lines(&answers()));
}

#[test]
fn each_message_comes_back_and_no_part_of_it_does() {
    for ask in asks() {
        let bytes = acre_codec::encode(&ask);
        assert_eq!(decode_ask(&bytes).as_ref(), Ok(&ask));
        (0..bytes.len()).for_each(|end| assert!(decode_ask(&bytes[..end]).is_err()));
    }
    for answer in answers() {
        let bytes = acre_codec::encode(&answer);
        assert_eq!(decode_answer(&bytes).as_ref(), Ok(&answer));
        (0..bytes.len()).for_each(|end| assert!(decode_answer(&bytes[..end]).is_err()));
    }
    assert!(decode_ask(&vec![0; ASK_BYTES_MAX + 1]).is_err());
    assert!(decode_answer(&vec![0; ANSWER_BYTES_MAX + 1]).is_err());
}

#[test]
fn largest_answers_are_within_the_limit() {
    let span = root();
    let opening = Opening {
        index: List::new(vec![crate::index::Step::Left(span); INDEX_DEPTH_MAX]).unwrap(),
        leaf: Blob::new(vec![0; LEAF_BYTES]).unwrap(),
        tree: List::new(vec![Digest([0; 32]); TREE_DEPTH_MAX]).unwrap(),
        header: Blob::new(vec![0; HEADER_BYTES_MAX]).unwrap(),
        ..opening()
    };
    // States of a chase have at most 2 MiB: paths of 12.
    let read = Opening { header: Blob::default(), ..opening.clone() };
    let ends = std::array::from_fn(|_| label(LEAF_BYTES, 12));
    let step = StepProof { ends, read: Sample::Opened(Box::new(read)) };
    let answer = Answer::Traced(List::new(vec![step; CHASE_PROBES_MAX]).unwrap());
    assert!(decode_answer(&acre_codec::encode(&answer)).is_ok());
    let gone = Blob::new(vec![255; GONE_BYTES_MAX]).unwrap();
    let trail = Trail { gone, steps: CHASE_STEPS_MAX, ..trail() };
    assert!(decode_answer(&acre_codec::encode(&Answer::Chased(trail.sign(&key())))).is_ok());
    let samples = vec![Sample::Opened(Box::new(opening)); SAMPLES_MAX];
    let answer = Answer::Opened(List::new(samples).unwrap());
    assert!(decode_answer(&acre_codec::encode(&answer)).is_ok());
    // Lanes have at most 1 GiB: paths of 20.
    let proofs = vec![proof(LEAF_BYTES, 20); crate::limits::PROBES_MAX];
    let answer = Answer::Probed(List::new(proofs).unwrap());
    assert!(decode_answer(&acre_codec::encode(&answer)).is_ok());
}

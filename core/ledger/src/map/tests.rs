//! The authenticated map beside a plain one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::error::ProofError;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn map_of(model: &Model) -> Map {
    Map::from_leaves(model.iter().map(|(key, value)| (&**key, &**value))).unwrap()
}

fn small_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..40_u8).prop_map(|n| vec![n]),
        proptest::collection::vec(any::<u8>(), 0..=KEY_BYTES_MAX),
    ]
}

type Batch = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let value = proptest::option::weighted(0.7, proptest::collection::vec(any::<u8>(), 0..40));
    let batch = proptest::collection::vec((small_key(), value), 0..30);
    proptest::collection::vec(batch, 0..8)
}

fn update(map: &Map, batch: &Batch) -> Map {
    map.update(batch.iter().map(|(key, value)| (&**key, value.as_deref())))
}

fn contents(map: &Map) -> Model {
    map.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

proptest! {
    #[test]
    fn agrees_with_a_plain_map(batches in batches()) {
        let mut model = Model::new();
        let mut map = Map::default();
        for batch in &batches {
            let before = (map.clone(), model.clone());
            map = update(&map, batch);
            for (key, value) in batch {
                match value {
                    Some(value) => model.insert(key.clone(), value.clone()),
                    None => model.remove(key),
                };
            }
            prop_assert_eq!(&contents(&map), &model);
            // Neither order nor history shows in the root.
            prop_assert_eq!(map.root(), map_of(&model).root());
            // The old map is untouched.
            prop_assert_eq!(&contents(&before.0), &before.1);
            prop_assert_eq!(before.0.root(), map_of(&before.1).root());
            prop_assert_eq!(map.root() == before.0.root(), model == before.1);
        }
        for key in (0..40).map(|n| vec![n]).chain(model.keys().cloned()) {
            prop_assert_eq!(map.get(&key).map(|v| v.to_vec()), model.get(&key).cloned());
        }
    }

    #[test]
    fn goes_on_from_any_key(batches in batches(), others in proptest::collection::vec(small_key(), 1..10)) {
        let map = batches.iter().fold(Map::default(), |map, batch| update(&map, batch));
        let all: Vec<_> = map.iter().map(|(key, _)| key.to_vec()).collect();
        for (index, key) in all.iter().enumerate() {
            let rest: Vec<_> = map.iter_from(key).map(|(key, _)| key.to_vec()).collect();
            prop_assert_eq!(&rest, &all[index..]);
        }
        for key in &others {
            let rest = map.iter_from(key).count();
            prop_assert_eq!(rest, all.iter().filter(|other| Path::of(other) >= Path::of(key)).count());
        }
    }

    #[test]
    fn proves_what_is_there_and_what_is_not(batches in batches(), others in proptest::collection::vec(small_key(), 1..10)) {
        let map = batches.iter().fold(Map::default(), |map, batch| update(&map, batch));
        let model = contents(&map);
        for key in model.keys().chain(&others) {
            let proof = Proof::decode(&map.prove(key).to_bytes()).unwrap();
            let proven = proof.verify(&map.root(), key).unwrap();
            prop_assert_eq!(proven, model.get(key).map(|value| &**value));
        }
    }

    #[test]
    fn changed_proof_never_proves_another_answer(
        batches in batches(),
        key in small_key(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let map = batches.iter().fold(Map::default(), |map, batch| update(&map, batch));
        let mut bytes = map.prove(&key).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(proof) = Proof::decode(&bytes)
            && let Ok(value) = proof.verify(&map.root(), &key)
        {
            prop_assert_eq!(value, map.get(&key).map(|value| &**value));
        }
    }

    #[test]
    fn proof_of_one_key_says_nothing_false_of_another(batches in batches(), other in small_key()) {
        let map = batches.iter().fold(Map::default(), |map, batch| update(&map, batch));
        for (key, _) in &map {
            if let Ok(value) = map.prove(key).verify(&map.root(), &other) {
                prop_assert_eq!(value, map.get(&other).map(|value| &**value));
            }
        }
    }

    #[test]
    fn decoding_garbage_is_an_error_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(proof) = Proof::decode(&bytes) {
            prop_assert_eq!(proof.to_bytes(), bytes);
        }
    }
}

#[test]
fn presence_cannot_be_denied() {
    let map = map_of(&(0..100_u8).map(|n| (vec![n], vec![n; 3])).collect());
    let absent = map.prove(&[200]);
    for key in 0..100_u8 {
        // The honest siblings of a present key, with every way to say that nothing is there.
        let honest = map.prove(&[key]).to_bytes();
        let siblings = &honest[..honest.len() - (1 + 4 + 3)];
        let empty = Proof::decode(&[siblings, &[1]].concat()).unwrap();
        assert!(matches!(empty.verify(&map.root(), &[key]), Err(ProofError::WrongRoot { .. })));
        let value = acre_crypto::digest(&[key; 3]);
        let itself = [siblings, &[2], &Path::of(&[key]).0, &value.0].concat();
        let itself = Proof::decode(&itself).unwrap();
        assert_eq!(itself.verify(&map.root(), &[key]), Err(ProofError::WrongLeaf));
        if let Ok(value) = absent.verify(&map.root(), &[key]) {
            panic!("key {key}: {value:?}");
        }
    }
}

#[test]
fn last_entry_for_a_key_counts() {
    let batch = vec![(vec![1], Some(vec![1])), (vec![1], None), (vec![1], Some(vec![3]))];
    let map = update(&Map::default(), &batch);
    assert_eq!(contents(&map), Model::from([(vec![1], vec![3])]));
}

#[test]
fn writing_the_same_value_shares_every_node() {
    let map = map_of(&(0..100_u8).map(|n| (vec![n], vec![n])).collect());
    let same = update(&map, &vec![(vec![7], Some(vec![7])), (vec![200], None)]);
    let (Link::Inner(a), Link::Inner(b)) = (&map.root, &same.root) else { panic!("two leaves") };
    assert!(Arc::ptr_eq(a, b));
}

#[test]
fn refuses_leaves_past_their_limit() {
    let leaf = |key, value| Map::from_leaves([(vec![0; key], vec![0; value])]);
    assert!(leaf(KEY_BYTES_MAX, VALUE_BYTES_MAX).is_ok());
    assert!(leaf(KEY_BYTES_MAX + 1, 0).is_err());
    assert!(leaf(0, VALUE_BYTES_MAX + 1).is_err());
}

#[test]
fn refuses_a_proof_deeper_than_any_tree() {
    let deep = |siblings: usize| {
        let length = u32::try_from(siblings).unwrap().to_le_bytes();
        [&length[..], &vec![0; siblings * 32], &[1]].concat()
    };
    let proof = Proof::decode(&deep(DEPTH_MAX)).unwrap();
    assert!(proof.verify(&EMPTY, b"key").is_err());
    assert!(Proof::decode(&deep(DEPTH_MAX + 1)).is_err());
    assert!(Proof::decode(&vec![0; PROOF_BYTES_MAX_PLUS_ONE]).is_err());
}

const PROOF_BYTES_MAX_PLUS_ONE: usize = crate::limits::PROOF_BYTES_MAX + 1;

#[test]
fn deepest_tree_is_built_changed_proven_and_dropped() {
    // Two paths that part at the last bit: no key is known to have them, so they are made by hand.
    let leaf = |last: u8| {
        let mut path = Path([0xff; 32]);
        path.0[31] = last;
        let digest = leaf_digest(&path, &acre_crypto::digest(&[last]));
        Link::Leaf(Arc::new(Leaf { path, digest, key: [last].into(), value: [last].into() }))
    };
    let mut root = update::join(leaf(0xfe), leaf(0xff));
    for _ in 0..255 {
        root = update::join(Link::Empty, root);
    }
    let map = Map { root };
    assert_eq!(map.iter().count(), 2);
    let more = update(&map, &(0..50).map(|n| (vec![n, n], Some(vec![n]))).collect());
    assert_eq!(more.iter().count(), 52);
    let fewer = update(&more, &(0..50).map(|n| (vec![n, n], None)).collect());
    assert_eq!(fewer.root(), map.root());
    assert!(map.prove(b"other").verify(&map.root(), b"other").unwrap().is_none());
}

#[test]
fn inner_node_and_leaf_of_the_same_bytes_differ() {
    let (a, b) = ([1; 32], [2; 32]);
    assert_ne!(inner_digest(&Digest(a), &Digest(b)), leaf_digest(&Path(a), &Digest(b)));
}

#[test]
fn leaf_in_the_wrong_place_denies_nothing() {
    // A root that no map has: two leaves, each where the other belongs.
    let turning = |right: bool| {
        let keys =
            (0..=255_u8).map(|n| [n]).filter(move |key| Path::of(key).turns_right(0) == right);
        keys.map(|key| (Path::of(&key), leaf_digest(&Path::of(&key), &acre_crypto::digest(b""))))
    };
    let ((_, low), (high_path, high)) =
        (turning(false).next().unwrap(), turning(true).next().unwrap());
    let root = inner_digest(&high, &low);
    let wanted =
        (0..=255_u8).map(|n| [n]).filter(|key| !Path::of(key).turns_right(0)).nth(1).unwrap();
    let value = acre_crypto::digest(b"");
    let bytes = [&[1, 0, 0, 0][..], &low.0, &[2], &high_path.0, &value.0].concat();
    let proof = Proof::decode(&bytes).unwrap();
    assert_eq!(proof.verify(&root, &wanted), Err(ProofError::WrongLeaf));
}

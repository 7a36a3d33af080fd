//! Chases that are honest, forged, replayed and cut short.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use acre_codec::{Blob, List};
use acre_crypto::{Secret, SigningKey};
use acre_types::{ContractId, Digest, Epoch, NodeId, PackId};

use super::*;
use crate::index::{Index, Item, ItemId};
use crate::limits::{LEAF_BYTES, REGION_BYTES_MIN};
use crate::message::{Commitment, Sample};
use crate::plot::{Fill, PlotRules, Progress, Region};
use crate::prove::{Holdings, Shard};

const STEPS: u32 = 100;
const RULES: PlotRules = PlotRules { region_bytes: REGION_BYTES_MIN, layers: 1 };

fn key() -> SigningKey {
    SigningKey::from_seed(Secret::new([3; 32]))
}

fn node() -> NodeId {
    key().public().into()
}

/// A node's plots and shards, some of which it lost.
struct Store {
    regions: Vec<Region>,
    shards: Vec<Vec<u8>>,
    index: Arc<Index>,
    lost: RefCell<BTreeSet<u32>>,
    rotten: RefCell<BTreeSet<u32>>,
}

impl Store {
    fn new() -> Self {
        let regions: Vec<_> =
            (0..4).map(|number| Fill::new(node(), number, RULES).unwrap().finish()).collect();
        let shard = |number: usize| (0..9_000 + number).map(|at| (at * 7 + number) as u8).collect();
        let shards: Vec<Vec<u8>> = (0..8).map(shard).collect();
        let plots = (0..).zip(&regions).map(|(number, region)| Item {
            id: ItemId::Plot(number),
            bytes: REGION_BYTES_MIN.into(),
            root: region.root,
        });
        let stored = (0..).zip(&shards).map(|(number, body)| Item {
            id: ItemId::Shard { contract: ContractId(1), pack: PackId([number; 16]), index: 0 },
            bytes: body.len() as u64,
            root: acre_crypto::digest(body),
        });
        let index = Arc::new(Index::build(plots.chain(stored).collect()).unwrap());
        Self { regions, shards, index, lost: RefCell::default(), rotten: RefCell::default() }
    }

    fn commitment(&self) -> Commitment {
        let (index, plots) = (self.index.root(), self.index.plot_bytes());
        Commitment { node: node(), epoch: Epoch(1), nonce: Digest([0; 32]), index, plots }
    }

    fn chase(&self, nonce: u8) -> Walked {
        self.walk(nonce, |_| {})
    }

    fn walk(&self, nonce: u8, mut between: impl FnMut(&mut Walk)) -> Walked {
        let mut walk = Walk::new(Arc::clone(&self.index), Digest([nonce; 32]), STEPS).unwrap();
        while walk.step(self) == Progress::More {
            between(&mut walk);
        }
        walk.finish(node()).unwrap()
    }
}

impl Holdings for Store {
    fn plot(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        if self.lost.borrow().contains(&region) {
            let (item, reason) = (ItemId::Plot(region), "given up".to_owned());
            return Err(CapacityError::Read { item, reason });
        }
        let bytes = self.regions[region as usize].bytes();
        into.copy_from_slice(&bytes[offset as usize..][..into.len()]);
        if self.rotten.borrow().contains(&region) {
            into[0] ^= 1;
        }
        Ok(())
    }

    fn outboard(&self, region: u32, offset: u64, into: &mut [u8]) -> Result<(), CapacityError> {
        let stored = &self.regions[region as usize].outboard;
        into.copy_from_slice(&stored[offset as usize..][..into.len()]);
        Ok(())
    }

    fn shard(&self, _: ContractId, pack: PackId, _: u8) -> Result<Shard, CapacityError> {
        let body = self.shards[usize::from(pack.0[0])].clone();
        Ok(Shard { header: vec![1, 2, 3], body })
    }
}

/// What a witness says of a chase, with this nonce for its probes.
fn judged(store: &Store, walked: &Walked, probes: u8, nonce: u8) -> Result<(), CapacityError> {
    let nonce = Digest([nonce; 32]);
    let proofs = walked.prove(store, &nonce, probes)?;
    check(&store.commitment(), walked.trail(), &nonce, probes, &proofs)
}

fn leaf_of_step(store: &Store, walked: &Walked, step: u32) -> Item {
    let state = walked.states[step as usize];
    store.index.find(position(&state, &store.index.root().unwrap())).unwrap().item
}

#[test]
fn chase_through_plots_and_shards_is_believed() {
    let store = Store::new();
    let walked = store.chase(1);
    let signed = walked.trail().clone().sign(&key());
    let index = store.index.root().unwrap().digest;
    assert_eq!(signed.verify(node(), index, Digest([1; 32]), STEPS), Ok(()));
    assert_eq!(walked.trail().gone_steps(), 0);
    for nonce in 0..8 {
        assert_eq!(judged(&store, &walked, 32, nonce), Ok(()), "probes by {nonce}");
    }
    let items: BTreeSet<_> = (0..STEPS).map(|s| leaf_of_step(&store, &walked, s).id).collect();
    assert_eq!(items.len(), 12, "it goes through all of them");
}

#[test]
fn trail_to_another_question_is_refused() {
    let store = Store::new();
    let index = store.index.root().unwrap().digest;
    let trail = store.chase(1).trail().clone();
    let nonce = Digest([1; 32]);
    let (longer, shorter) = (Blob::new(vec![0; 14]).unwrap(), Blob::new(vec![0; 12]).unwrap());
    let past_end = Blob::new([vec![0; 12], vec![16]].concat()).unwrap();
    let others = [
        Trail { nonce: Digest([2; 32]), ..trail.clone() },
        Trail { index: Digest([2; 32]), ..trail.clone() },
        Trail { steps: STEPS - 1, ..trail.clone() },
        Trail { steps: STEPS + 1, ..trail.clone() },
        Trail { node: NodeId([7; 32]), ..trail.clone() },
        Trail { gone: longer, ..trail.clone() },
        Trail { gone: shorter, ..trail.clone() },
        Trail { gone: past_end, ..trail.clone() },
    ];
    for other in others {
        assert!(
            other.clone().sign(&key()).verify(node(), index, nonce, STEPS).is_err(),
            "{other:?}"
        );
    }
    let mut changed = trail.sign(&key());
    changed.trail.root = Digest([9; 32]);
    assert!(changed.verify(node(), index, nonce, STEPS).is_err());
}

/// The trail of these states, as if they were honest.
fn forge(store: &Store, honest: Walked, states: Vec<State>) -> Walked {
    let root = acre_crypto::digest(states.as_flattened());
    let trail = Trail { root, ..honest.trail.clone() };
    Walked { index: Arc::clone(&store.index), states, trail, ..honest }
}

/// Nonces of single probes, of 500, by which a chase passes.
fn passes(store: &Store, walked: &Walked) -> usize {
    let is_passed = |nonce: u16| {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&nonce.to_le_bytes());
        let nonce = Digest(bytes);
        let proofs = walked.prove(store, &nonce, 1).unwrap();
        check(&store.commitment(), walked.trail(), &nonce, 1, &proofs).is_ok()
    };
    (0..500).filter(|nonce| is_passed(*nonce)).count()
}

#[test]
fn one_forged_step_is_found_wherever_it_is_probed() {
    let store = Store::new();
    for forged in [0, 1, 50, STEPS - 1] {
        let honest = store.chase(1);
        // Everything behind it follows as it should.
        let mut states = honest.states[..=forged as usize].to_vec();
        states.push([0xee; 32]);
        let first = states[0];
        for step in forged + 1..STEPS {
            let state = *states.last().unwrap();
            let found = store.index.find(position(&state, &store.index.root().unwrap())).unwrap();
            let mut bytes = [0; LEAF_BYTES];
            let leaf = found.offset / LEAF;
            let length = crate::prove::leaf(&found.item, leaf, &store, &mut bytes).unwrap();
            states.push(next(&first, step, &state, &bytes[..length]));
        }
        let walked = forge(&store, honest, states);
        let passed = passes(&store, &walked);
        // One step in a hundred: 495 of 500 expected.
        assert!((480..500).contains(&passed), "step {forged}: {passed} of 500 passed");
    }
}

#[test]
fn reads_that_were_skipped_are_found_with_their_share() {
    let store = Store::new();
    let honest = store.chase(1);
    let mut states = vec![honest.states[0]];
    for step in 0..STEPS {
        // Every other step is made up.
        let state = *states.last().unwrap();
        states.push(if step % 2 == 0 {
            [step as u8; 32]
        } else {
            let found = store.index.find(position(&state, &store.index.root().unwrap())).unwrap();
            let mut bytes = [0; LEAF_BYTES];
            let leaf = found.offset / LEAF;
            let length = crate::prove::leaf(&found.item, leaf, &store, &mut bytes).unwrap();
            next(&states[0], step, &state, &bytes[..length])
        });
    }
    let walked = forge(&store, honest, states);
    let passed = passes(&store, &walked);
    assert!((200..300).contains(&passed), "{passed} of 500 passed");
    for nonce in 0..4 {
        let found = judged(&store, &walked, 32, nonce);
        assert!(matches!(found, Err(CapacityError::WrongStep { .. })), "{found:?}");
    }
}

#[test]
fn no_stretch_of_another_chase_or_place_is_of_use() {
    let store = Store::new();
    let (old, new) = (store.chase(1), store.chase(2));
    // Begins as asked, and goes on as another chase did.
    let mut states = old.states.clone();
    states[0] = new.states[0];
    let replayed = forge(&store, store.chase(2), states);
    assert_eq!(passes(&store, &replayed), 0);
    // As a whole.
    let whole = forge(&store, store.chase(2), old.states.clone());
    assert_eq!(passes(&store, &whole), 0);
    // A round of ten steps, again and again.
    let round = new.states[..10].iter().cycle().take(STEPS as usize + 1).copied().collect();
    let walked = forge(&store, store.chase(2), round);
    assert!(passes(&store, &walked) < 75, "only its first round holds");
}

#[test]
fn leaf_that_was_gone_is_named_and_no_other() {
    let store = Store::new();
    let mut steps = 0;
    let walked = store.walk(1, |_| {
        steps += 1;
        if steps == 50 {
            store.lost.borrow_mut().insert(3);
        }
    });
    let gone: Vec<u32> = (0..STEPS).filter(|step| walked.trail().is_gone(*step)).collect();
    assert!(gone.len() > 2 && gone.iter().all(|step| *step >= 50), "{gone:?}");
    assert_eq!(walked.trail().gone_steps() as usize, gone.len());
    for step in 50..STEPS {
        let is_lost = leaf_of_step(&store, &walked, step).id == ItemId::Plot(3);
        assert_eq!(walked.trail().is_gone(step), is_lost, "step {step}");
    }
    // Steps before that read the region can no longer be shown: missing, and not false.
    let judged: Vec<_> = (0..32).map(|nonce| judged(&store, &walked, 8, nonce)).collect();
    let is_fair = |one: &Result<(), _>| matches!(one, Ok(()) | Err(CapacityError::Read { .. }));
    assert!(judged.iter().all(is_fair), "{judged:?}");
    assert!(judged.iter().any(Result::is_ok) && judged.iter().any(Result::is_err));

    // Who says that less, or more, is gone than is, made up a step.
    for change in [1_u8, 0] {
        let mut bits = walked.trail().gone.to_vec();
        let step = if change == 1 { 3 } else { gone[0] };
        let (byte, bit) = bit_of(step);
        bits[byte] ^= bit;
        let trail = Trail { gone: Blob::new(bits).unwrap(), ..walked.trail.clone() };
        let (index, states) = (Arc::clone(&store.index), walked.states.clone());
        store.lost.borrow_mut().clear();
        let lie = Walked { index, root: walked.root, states, trail };
        assert!(passes(&store, &lie) < 500, "change {change}");
    }
}

#[test]
fn rot_is_missing_and_not_false() {
    let store = Store::new();
    store.rotten.borrow_mut().extend(0..4);
    let walked = store.chase(1);
    let found = judged(&store, &walked, 32, 1);
    assert!(matches!(found, Err(CapacityError::Read { .. })), "{found:?}");
}

#[test]
fn proof_with_anything_changed_is_refused() {
    let store = Store::new();
    let walked = store.chase(1);
    let (nonce, probes) = (Digest([5; 32]), 4);
    let proofs = walked.prove(&store, &nonce, probes).unwrap().into_vec();
    let judge = |proofs: Vec<StepProof>, nonce: &Digest| {
        let proofs = List::new(proofs).unwrap();
        check(&store.commitment(), walked.trail(), nonce, probes, &proofs)
    };
    assert_eq!(judge(proofs.clone(), &nonce), Ok(()));
    assert!(judge(proofs.clone(), &Digest([6; 32])).is_err(), "other probes were drawn");
    assert!(judge(proofs[1..].to_vec(), &nonce).is_err());
    let mut swapped = proofs.clone();
    swapped.swap(0, 1);
    assert!(judge(swapped, &nonce).is_err());
    for number in 0..proofs.len() {
        let changed = |change: &dyn Fn(&mut StepProof)| {
            let mut proofs = proofs.clone();
            change(&mut proofs[number]);
            judge(proofs, &nonce)
        };
        let flip = |blob: &Blob<LEAF_BYTES>| {
            let mut bytes = blob.to_vec();
            bytes[0] ^= 1;
            Blob::new(bytes).unwrap()
        };
        let opening = |proof: &mut StepProof, change: &dyn Fn(&mut crate::message::Opening)| {
            let Sample::Opened(opening) = &mut proof.read else { panic!("all was there") };
            change(opening);
        };
        assert!(changed(&|p| p.ends[0].leaf = flip(&p.ends[0].leaf)).is_err());
        assert!(changed(&|p| p.ends[1].leaf = flip(&p.ends[1].leaf)).is_err());
        assert!(changed(&|p| opening(p, &|o| o.leaf = flip(&o.leaf))).is_err());
        assert!(changed(&|p| opening(p, &|o| o.item.root = Digest([1; 32]))).is_err());
        assert!(changed(&|p| opening(p, &|o| o.index = List::default())).is_err());
        assert!(changed(&|p| p.read = Sample::Missing).is_err());
    }
    let other = Commitment { index: None, ..store.commitment() };
    let proofs = List::new(proofs).unwrap();
    assert!(check(&other, walked.trail(), &nonce, probes, &proofs).is_err());
}

#[test]
fn limits_of_a_chase_hold() {
    let store = Store::new();
    let begin = |steps| Walk::new(Arc::clone(&store.index), Digest([1; 32]), steps).is_ok();
    assert!(begin(1) && begin(CHASE_STEPS_MAX));
    assert!(!begin(0) && !begin(CHASE_STEPS_MAX + 1));
    assert!(Walk::new(Arc::default(), Digest([1; 32]), 1).is_err(), "nothing is held");
    let unfinished = Walk::new(Arc::clone(&store.index), Digest([1; 32]), 2).unwrap();
    assert!(unfinished.finish(node()).is_err());
    let walked = store.chase(1);
    assert!(walked.prove(&store, &Digest([1; 32]), 32).is_ok());
    assert!(walked.prove(&store, &Digest([1; 32]), 33).is_err());
}

#[test]
fn time_of_a_step_makes_the_class() {
    let (solid, spinning) = (Duration::from_millis(1), Duration::from_millis(40));
    let rules = ChaseRules { steps: 1000, probes: 16, solid, spinning };
    assert_eq!(rules.check(), Ok(()));
    for (ms, class) in [
        (0, Class::Solid),
        (1_000, Class::Solid),
        (1_001, Class::Spinning),
        (40_000, Class::Spinning),
        (40_001, Class::Slow),
    ] {
        assert_eq!(rules.class(Duration::from_millis(ms)), class, "{ms} ms");
    }
    let wrong = [
        ChaseRules { steps: 0, ..rules },
        ChaseRules { steps: CHASE_STEPS_MAX + 1, ..rules },
        ChaseRules { probes: 0, ..rules },
        ChaseRules { probes: 33, ..rules },
        ChaseRules { solid: Duration::ZERO, ..rules },
        ChaseRules { spinning: solid / 2, ..rules },
    ];
    assert!(wrong.iter().all(|rules| rules.check().is_err()));
}

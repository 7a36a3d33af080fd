//! Which contracts a node reads, and when it is to close one.

use acre_codec::List;
use acre_ledger::{Capacity, Grace, Rent};
use acre_types::Bytes;

use super::*;
use crate::tests::{NOW, contract, key};

const TURN: Duration = Duration::from_secs(10);
const TURN_MS: u64 = 10_000;
const HOUR_MS: u64 = 3_600_000;

fn named(seed: u8) -> NodeId {
    key(seed).public().into()
}

fn at(ms: u64) -> UnixMs {
    UnixMs(NOW.0 + ms)
}

/// Storage at nodes 1 to 3, over after an hour.
fn storage(id: u64) -> Contract {
    let mut made = contract(Bytes(2048));
    if let ContractKind::Storage(storage) = &mut made.kind {
        storage.places = List::new((1..=3).map(named).collect()).unwrap();
    }
    let grace = Grace { freeze_ms: HOUR_MS / 4, archive_ms: HOUR_MS / 4 };
    Contract { id: ContractId(id), expires: at(HOUR_MS / 2), grace, ..made }
}

fn rent(id: u64, deadline: Option<UnixMs>) -> Contract {
    let kind = ContractKind::Rent(Rent { node: named(1), capacity: Capacity::default() });
    let state = match deadline {
        Some(deadline) => {
            ContractState::Pending { deadline, answer: acre_ledger::Answer::Accepted }
        }
        None => ContractState::Open,
    };
    Contract { kind, state, ..storage(id) }
}

fn followed(me: u8) -> Followed {
    Followed::new(named(me), TURN, BTreeSet::new())
}

fn ids(range: std::ops::RangeInclusive<u64>) -> Vec<ContractId> {
    range.map(ContractId).collect()
}

#[test]
fn nodes_of_a_contract_close_it_in_turns_that_each_begins_once() {
    for id in 0..3 {
        let contract = storage(id);
        let turns = [1, 2, 3].map(|me| followed(me).turn(&contract).unwrap());
        for (place, turn) in (0..).zip(turns) {
            assert_eq!(turn, at(HOUR_MS + (place + 3 - id) % 3 * TURN_MS), "contract {id}");
        }
        assert_eq!(followed(4).turn(&contract), None, "a stranger has no turn");
    }
}

#[test]
fn contract_is_closed_when_it_is_over_and_not_before() {
    let mut one = followed(1);
    assert!(!one.take(ContractId(3), Some(&storage(3)), NOW));
    assert!(one.wanted(at(HOUR_MS - 1)).is_empty(), "not read before its end");
    assert_eq!(one.wanted(at(HOUR_MS)), ids(3..=3));
    // It was extended.
    let longer = Contract { expires: at(2 * HOUR_MS), ..storage(3) };
    assert!(!one.take(ContractId(3), Some(&longer), at(HOUR_MS)));
    assert!(one.wanted(at(2 * HOUR_MS)).is_empty());
    assert_eq!(one.wanted(at(3 * HOUR_MS)), ids(3..=3));
    assert!(one.take(ContractId(3), Some(&longer), at(3 * HOUR_MS)));
    one.tried(ContractId(3), at(3 * HOUR_MS));
    assert!(one.wanted(at(3 * HOUR_MS + 1)).is_empty(), "not again at once");
    let later = at(4 * HOUR_MS);
    assert_eq!(one.wanted(later), ids(3..=3));
    let cause = acre_ledger::Cause::Expired;
    let closed = Contract { state: ContractState::Closed { at: later, cause }, ..longer };
    assert!(!one.take(ContractId(3), Some(&closed), later));
    assert!(one.due.is_empty());
}

#[test]
fn what_nobody_answered_is_closed_at_its_deadline() {
    let mut one = followed(1);
    let waiting = rent(5, Some(at(7)));
    assert!(!one.take(ContractId(5), Some(&waiting), at(6)));
    assert!(one.take(ContractId(5), Some(&waiting), at(7)));
}

#[test]
fn contracts_are_looked_through_only_when_what_is_held_changes() {
    let mut one = followed(1);
    one.see(Held::default(), ContractId(9_000));
    assert!(one.wanted(NOW).is_empty(), "nothing is held, so nothing is sought");
    // One of 300 that were made since is at this node.
    let held = (Resources::storage(Bytes(1024)), None);
    one.see(held, ContractId(9_300));
    let first = one.wanted(NOW);
    assert_eq!(first, ids(9_045..=9_300));
    for id in &first {
        let here = (id.0 == 9_300).then(|| storage(id.0));
        one.take(*id, here.as_ref(), NOW);
    }
    // Something else may have ended meanwhile: all that are new are read.
    assert_eq!(one.wanted(NOW), ids(9_001..=9_044));
    assert!(one.wanted(NOW).is_empty());
    one.see(held, ContractId(20_000));
    assert!(one.wanted(NOW).is_empty(), "others' contracts are not read");
    assert_eq!(one.due.keys().copied().collect::<Vec<_>>(), ids(9_300..=9_300));
}

#[test]
fn first_look_ends_as_soon_as_all_that_is_held_was_found() {
    let shards_of = BTreeSet::from([ContractId(4)]);
    let mut one = Followed::new(named(1), TURN, shards_of);
    one.see((Resources::storage(Bytes(2048)), Some(ContractId(6))), ContractId(1_000));
    assert_eq!(one.wanted(NOW), [4, 6].map(ContractId), "what is known comes first");
    one.take(ContractId(4), Some(&storage(4)), NOW);
    one.take(ContractId(6), Some(&rent(6, None)), NOW);
    for id in one.wanted(NOW) {
        let here = (id.0 == 990).then(|| storage(990));
        one.take(id, here.as_ref(), NOW);
    }
    assert!(one.wanted(NOW).is_empty(), "the other 744 are not read");
    assert_eq!(one.due.len(), 3);
}

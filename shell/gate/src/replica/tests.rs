//! The replica against plain walks over plain rows.

use std::collections::BTreeMap;

use acre_codec::List;
use acre_ledger::{
    Capacity, Cause, Contract, ContractKind, ContractState, Farm, Grace, Node, NodeState,
    Resources, Stand, Storage,
};
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Country, FarmId, NodeId, Profile, PublicKey, Text, UnixMs,
};
use proptest::prelude::*;

use super::*;

const COUNTRIES: [&str; 4] = ["AA", "BE", "NL", "ZZ"];

fn country(number: u8) -> Country {
    COUNTRIES[usize::from(number) % COUNTRIES.len()].parse().unwrap()
}

fn state(number: u8) -> NodeState {
    [NodeState::Active, NodeState::Draining, NodeState::Retired][usize::from(number) % 3]
}

fn id(number: u32) -> NodeId {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    NodeId(bytes)
}

fn farm(owner: u8) -> Farm {
    let owner = AccountId([owner; 32]);
    Farm::new(Text::new("farm").unwrap(), owner, owner)
}

fn node(farm: u32, place: u8, state: NodeState, storage: u64) -> Node {
    Node {
        farm: FarmId(farm),
        operator: AccountId([1; 32]),
        site: Text::new("site").unwrap(),
        country: country(place),
        capacity: Capacity { storage: Bytes(storage), cores: 4, memory: Bytes(8) },
        reserved: Resources::storage(Bytes(storage / 2)),
        asked: Resources::default(),
        rented: None,
        addresses: List::new(vec![]).unwrap(),
        state,
        registered: UnixMs(1),
        index: 0,
        verified: Capacity { storage: Bytes(storage / 3), cores: 3, memory: Bytes(9) },
        solid: Bytes(0),
        lent: Capacity::default(),
        record: acre_ledger::Record::default(),
        witnessing: acre_ledger::WitnessRecord::default(),
    }
}

fn contract(number: u64, places: &[u32], state: ContractState) -> Contract {
    Contract {
        id: ContractId(number),
        owner: AccountId([3; 32]),
        kind: ContractKind::Storage(Storage {
            writer: PublicKey([4; 32]),
            profile: Profile::Tiny,
            places: List::new(places.iter().map(|place| id(*place)).collect()).unwrap(),
            bytes: Bytes(10),
        }),
        created: UnixMs(1),
        since: UnixMs(1),
        settled: UnixMs(1),
        expires: UnixMs(2),
        grace: Grace::default(),
        escrow: Amount(5),
        listed: Amount(5),
        usage: Amount::ZERO,
        deposit: Amount::ZERO,
        closing: Amount::ZERO,
        paid: Amount::ZERO,
        paid_listed: Amount::ZERO,
        stands: List::new(vec![Stand::default(); places.len()]).unwrap(),
        bills: 0,
        gang: None,
        state,
    }
}

/// All pages one after the other.
fn walk(nodes: &Nodes, filter: &NodeFilter, limit: usize) -> Vec<u32> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let slice = nodes.page(filter, after, limit);
        assert!(slice.rows.len() <= limit);
        all.extend(slice.rows);
        match slice.next_after {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

proptest! {
    #[test]
    fn pages_and_sums_are_those_of_a_plain_walk(
        rows in prop::collection::vec((1u32..5, 0u8..4, 0u8..3, 0u64..1000), 0..60),
        changes in prop::collection::vec((0u32..60, 1u32..5, 0u8..4, 0u8..3, 0u64..1000), 0..40),
        filter in (prop::option::of(0u32..6), prop::option::of(0u8..4), prop::option::of(0u8..3)),
        limit in 1usize..20,
    ) {
        let mut nodes = Nodes::default();
        let mut plain = BTreeMap::new();
        for (index, (farm, place, at, storage)) in (0..).zip(rows) {
            let node = node(farm, place, state(at), storage);
            prop_assert!(nodes.push(id(index), node.clone()));
            plain.insert(index, node);
        }
        for (index, farm, place, at, storage) in changes {
            let node = node(farm, place, state(at), storage);
            let is_news = plain.get(&index).is_some_and(|old| *old != node);
            prop_assert_eq!(nodes.update(&id(index), node.clone()), is_news);
            plain.entry(index).and_modify(|old| *old = node);
        }
        let filter = NodeFilter {
            farm: filter.0.map(FarmId),
            country: filter.1.map(country),
            state: filter.2.map(state),
        };
        let wanted: Vec<u32> = plain
            .iter()
            .filter(|(_, node)| {
                filter.farm.is_none_or(|farm| farm == node.farm)
                    && filter.country.is_none_or(|country| country == node.country)
                    && filter.state.is_none_or(|state| state == node.state)
            })
            .map(|(index, _)| *index)
            .collect();
        prop_assert_eq!(walk(&nodes, &filter, limit), wanted);

        let sum = |keep: &dyn Fn(&Node) -> bool| {
            let mut sums = Sums::default();
            plain.values().filter(|node| keep(node)).for_each(|node| sums.add(&Sums::of(node)));
            sums
        };
        prop_assert_eq!(*nodes.sums(), sum(&|_| true));
        for farm in (1..5).map(FarmId) {
            prop_assert_eq!(nodes.farm_sums(farm), sum(&|node| node.farm == farm));
        }
        let countries: Vec<_> = nodes.countries().map(|(name, sums)| (name, *sums)).collect();
        for (name, sums) in &countries {
            prop_assert_eq!(*sums, sum(&|node| node.country == *name));
        }
        let total: u64 = countries.iter().map(|(_, sums)| sums.present() + sums.retired).sum();
        prop_assert_eq!(total, plain.len() as u64);
    }

    #[test]
    fn shares_are_those_of_a_plain_sort(holdings in prop::collection::vec(0u128..1_000_000, 0..40)) {
        let shares = Shares::of(holdings.clone());
        let mut sorted = holdings;
        sorted.sort_unstable();
        sorted.reverse();
        let all: u128 = sorted.iter().sum();
        let top = |count: usize| sorted.iter().take(count).sum::<u128>();
        for (count, ppm) in [(1, shares.top_1_ppm), (5, shares.top_5_ppm), (20, shares.top_20_ppm)] {
            let wanted = (top(count) * 1_000_000).checked_div(all).unwrap_or(0);
            prop_assert_eq!(u128::from(ppm), wanted);
        }
        for (parts, owners) in [(2, shares.owners_for_half), (3, shares.owners_for_third)] {
            let owners = usize::try_from(owners).unwrap();
            if all == 0 {
                prop_assert_eq!(owners, 0);
            } else {
                prop_assert!(top(owners) * parts > all && top(owners - 1) * parts <= all);
            }
        }
    }
}

#[test]
fn statistics_count_owners_once_and_leave_the_retired_out() {
    let mut replica = Replica::default();
    for owner in [1, 1, 2, 3] {
        assert!(replica.farms.push(farm(owner)));
    }
    let rows = [
        node(1, 0, NodeState::Active, 50),
        node(2, 1, NodeState::Draining, 25),
        node(3, 1, NodeState::Active, 25),
        node(4, 2, NodeState::Retired, 900),
    ];
    for (index, row) in (0..).zip(rows) {
        assert!(replica.nodes.push(id(index), row));
    }
    let found = replica.statistics();
    assert_eq!((found.farms, found.farmers, found.countries.len()), (4, 2, 2));
    assert_eq!((found.all.offered.storage_bytes, found.all.retired), (100, 1));
    assert_eq!((found.storage.top_1_ppm, found.storage.top_5_ppm), (750_000, 1_000_000));
    assert_eq!((found.storage.owners_for_half, found.storage.owners_for_third), (1, 1));
}

#[test]
fn a_known_node_is_not_pushed_twice_and_an_unknown_one_not_updated() {
    let mut nodes = Nodes::default();
    assert!(nodes.push(id(1), node(1, 0, NodeState::Active, 1)));
    assert!(!nodes.push(id(1), node(2, 0, NodeState::Active, 1)));
    assert!(!nodes.update(&id(2), node(2, 0, NodeState::Active, 1)));
    assert_eq!(nodes.len(), 1);
}

#[test]
fn open_contracts_are_found_by_node_until_they_close() {
    let mut contracts = Contracts::default();
    assert!(contracts.put(contract(1, &[1, 2, 3], ContractState::Open)));
    assert!(contracts.put(contract(2, &[2, 4, 5], ContractState::Open)));
    let on = |contracts: &Contracts, node| contracts.page(Some(id(node)), |_| true, None, 10).rows;
    assert_eq!((on(&contracts, 2), on(&contracts, 4)), (vec![1, 2], vec![2]));
    assert!(!contracts.put(contract(2, &[2, 4, 5], ContractState::Open)), "no news");
    assert!(contracts.put(contract(2, &[4, 5, 6], ContractState::Open)), "moved");
    assert_eq!((on(&contracts, 2), on(&contracts, 6)), (vec![1], vec![2]));
    let (at, cause) = (UnixMs(9), Cause::Cancelled);
    assert!(contracts.put(contract(1, &[1, 2, 3], ContractState::Closed { at, cause })));
    assert!(on(&contracts, 2).is_empty());
    assert_eq!((contracts.open(), contracts.known(), contracts.bytes()), (1, 2, 10));
}

#[test]
fn a_page_never_looks_at_more_than_its_limit() {
    let slice = Slice::take(0..u32::MAX, |number| number > 1 << 20, 5);
    assert!(slice.rows.is_empty());
    assert_eq!(slice.next_after, Some(u32::try_from(SCAN_MAX).unwrap() - 1));
    let exact = Slice::take(0..5u32, |_| true, 5);
    assert_eq!((exact.rows.len(), exact.next_after), (5, None), "no empty page behind a full one");
}

//! Who witnesses whom: a bijection for each place, its exact inverse, nobody himself, no pattern.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use std::collections::BTreeSet;

use acre_crypto::digest;
use acre_ledger::limits::WITNESSES_MAX;
use acre_ledger::witness::{Assignment, duties_of, witnesses_of};
use acre_types::Digest;
use proptest::prelude::*;

fn seed(number: u64) -> Digest {
    digest(&number.to_le_bytes())
}

#[track_caller]
fn check_whole(number: u64, nodes: u32, witnesses: u8) {
    let what = format!("seed {number}, {nodes} nodes, {witnesses} witnesses");
    let assignment = Assignment::new(&seed(number), nodes, witnesses);
    let wanted = usize::from(witnesses).min(WITNESSES_MAX);
    let wanted = wanted.min(usize::try_from(nodes).unwrap().saturating_sub(1));
    let all: Vec<_> = (0..nodes).map(|node| assignment.witnesses_of(node)).collect();
    for (node, own) in (0..).zip(&all) {
        let distinct: BTreeSet<_> = own.iter().copied().collect();
        assert_eq!((own.len(), distinct.len()), (wanted, wanted), "{what}");
        assert!(!distinct.contains(&node), "{what}: {node} witnesses itself");
        for witness in own {
            assert!(assignment.duties_of(*witness).contains(&node), "{what}: {witness} of {node}");
        }
        for duty in assignment.duties_of(node) {
            assert!(all[usize::try_from(duty).unwrap()].contains(&node), "{what}");
        }
        assert_eq!(assignment.duties_of(node).len(), wanted, "{what}");
    }
    for j in 0..wanted {
        let hit: BTreeSet<_> = all.iter().map(|own| own[j]).collect();
        assert_eq!(hit.len(), all.len(), "{what}: the {j}-th witness is no bijection");
    }
    assert!(assignment.witnesses_of(nodes).is_empty() && assignment.duties_of(nodes).is_empty());
}

#[test]
fn smallest_grids_are_assigned_too() {
    for nodes in 0..=20 {
        for witnesses in [0, 1, 3, 16, 200] {
            check_whole(u64::from(nodes), nodes, witnesses);
        }
    }
    for nodes in [255, 256, 257, 1023, 1025] {
        check_whole(7, nodes, 5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn assignment_is_a_regular_bijection(number: u64, nodes in 1..600_u32, witnesses in 1..=16_u8) {
        check_whole(number, nodes, witnesses);
    }

    #[test]
    fn inverse_holds_in_the_largest_grids(
        number: u64,
        nodes in prop_oneof![100_000..200_000_u32, Just(u32::MAX), Just(1 << 31)],
        node: u32,
        witnesses in 1..=16_u8,
    ) {
        let (seed, node) = (seed(number), node % nodes);
        for witness in witnesses_of(&seed, node, nodes, witnesses) {
            prop_assert!(witness < nodes && witness != node);
            prop_assert!(duties_of(&seed, witness, nodes, witnesses).contains(&node));
        }
        for duty in duties_of(&seed, node, nodes, witnesses) {
            prop_assert!(witnesses_of(&seed, duty, nodes, witnesses).contains(&node));
        }
    }
}

/// Chi square of counts against a flat expectation.
fn chi_square(counts: &[u32], expected: f64) -> f64 {
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

/// Over many seeds each node is equally often the first, the second, … witness of a given node,
/// and of a given pair.
#[test]
fn every_other_node_is_equally_likely() {
    for nodes in [3_u32, 10, 33, 100] {
        let cells = usize::try_from(nodes).unwrap();
        let draws = nodes * 200;
        let mut first = vec![0_u32; cells];
        let mut any = vec![0_u32; cells];
        for number in 0..draws {
            let own = witnesses_of(&seed(number.into()), 0, nodes, 2);
            first[usize::try_from(own[0]).unwrap()] += 1;
            own.iter().for_each(|node| any[usize::try_from(*node).unwrap()] += 1);
        }
        assert_eq!((first[0], any[0]), (0, 0));
        let others = f64::from(nodes - 1);
        // Of n - 1 cells, chi square is n - 2 on average with a deviation of sqrt(2(n - 2)); five
        // deviations are not reached by chance, and the seeds are fixed anyway.
        let bound = others + 5.0 * (2.0 * others).sqrt();
        let of_first = chi_square(&first[1..], f64::from(draws) / others);
        let of_any = chi_square(&any[1..], f64::from(draws) * 2.0 / others);
        assert!(of_first < bound, "{nodes} nodes, first: {of_first} > {bound}");
        assert!(of_any < bound, "{nodes} nodes, any: {of_any} > {bound}");
    }
}

/// Neighbours in registration are not neighbours on the ring: how often the witnesses of node i
/// and i + 1 stand next to each other is what chance gives.
#[test]
fn order_of_registration_does_not_show() {
    let nodes = 1_000;
    let mut near = 0;
    for number in 0..20 {
        let assignment = Assignment::new(&seed(number), nodes, 1);
        for node in 0..nodes - 1 {
            let (a, b) = (assignment.witnesses_of(node)[0], assignment.witnesses_of(node + 1)[0]);
            near += u32::from(a.abs_diff(b) <= 5);
        }
    }
    // About ten of a thousand pairs by chance: 200 of 20 seeds.
    assert!((140..=260).contains(&near), "{near}");
}

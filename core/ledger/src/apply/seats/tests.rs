//! Who sits next, as a pure function.

use acre_types::PublicKey;
use proptest::prelude::*;

use super::choose;

fn keys(numbers: &[u8]) -> Vec<PublicKey> {
    numbers.iter().map(|number| PublicKey([*number; 32])).collect()
}

#[track_caller]
fn check(members: &[u8], ranked: &[u8], seats_max: usize, wanted: &[u8]) {
    assert_eq!(choose(&keys(members), &keys(ranked), seats_max), keys(wanted));
}

#[test]
fn seats_are_filled_from_the_best() {
    check(&[1, 2, 3, 4], &[1, 2, 3, 4], 10, &[1, 2, 3, 4]);
    check(&[1, 2, 3, 4], &[9, 8, 1, 2, 3, 4], 10, &[1, 2, 3, 4, 9]);
    check(&[1, 2, 3, 4], &[9, 1, 2, 3, 4], 4, &[1, 2, 3, 9]);
    check(&[1, 2, 3, 4], &[1, 2, 3, 4, 9], 4, &[1, 2, 3, 4]);
}

#[test]
fn those_that_left_go_before_the_worst() {
    check(&[1, 2, 3, 4], &[9, 1, 3, 4], 10, &[1, 3, 4, 9]);
    check(&[1, 2, 3, 4], &[8, 9, 7, 1, 3], 3, &[1, 3, 4]);
}

#[test]
fn one_third_changes_at_most() {
    let (old, new): (Vec<u8>, Vec<u8>) = ((1..=10).collect(), (11..=20).collect());
    check(&old, &new, 10, &[4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
}

#[test]
fn nobody_left_to_sit_means_that_all_stay() {
    check(&[1, 2], &[], 10, &[1, 2]);
    check(&[1], &[], 1, &[1]);
}

#[test]
fn only_member_hands_over_before_it_goes() {
    check(&[1], &[2], 10, &[1, 2]);
    check(&[1, 2], &[2], 10, &[2]);
    check(&[1], &[2], 1, &[2]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    /// Never empty, never more than may be or were, at most a third new or gone; and so often
    /// repeated as there are seats, the wanted ones sit.
    #[test]
    fn seats_change_slowly_and_arrive(
        members in proptest::collection::btree_set(0..40_u8, 1..20),
        ranked in Just((0..40_u8).collect::<Vec<_>>()).prop_shuffle(),
        ranked_len in 0..40_usize,
        seats_max in 1..20_usize,
    ) {
        let ranked = keys(&ranked[..ranked_len]);
        let mut seats = keys(&members.into_iter().collect::<Vec<_>>());
        for _ in 0..60 {
            let next = choose(&seats, &ranked, seats_max);
            let changes_max = ((seats.len() - 1) / 3).max(1);
            prop_assert!(!next.is_empty());
            prop_assert!(next.len() <= seats.len().max(seats_max));
            prop_assert!(next.iter().filter(|key| !seats.contains(key)).count() <= changes_max);
            prop_assert!(seats.iter().filter(|key| !next.contains(key)).count() <= changes_max);
            prop_assert!(seats_max == 1 || seats.iter().any(|key| next.contains(key)));
            seats = next;
        }
        let mut wanted = ranked[..seats_max.min(ranked.len())].to_vec();
        wanted.sort();
        if !wanted.is_empty() {
            seats.sort();
            prop_assert_eq!(seats, wanted);
        }
    }
}

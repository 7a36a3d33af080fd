//! Puts among faults.

use super::*;

use proptest::prelude::*;

#[test]
fn every_shard_goes_to_its_primary_when_all_are_well() {
    for profile in Profile::ALL {
        let mut cluster = Cluster::new(profile);
        assert!(is_full(&cluster.put(pack(9))));
        for index in profile.indices() {
            let place = cluster.places.primary(pack(9), index);
            assert!(cluster.nodes[&place].shards.contains_key(&(pack(9), index)));
        }
        assert_eq!(cluster.sent.len(), usize::from(profile.shards()));
    }
}

#[test]
fn dead_full_and_mute_places_are_worked_around_by_spares() {
    for how in [Behaviour::Dead, Behaviour::Full, Behaviour::Mute] {
        let mut cluster = Cluster::new(Profile::Standard);
        cluster.behave([2, 5, 7, 11], how);
        let result = cluster.put(pack(0));
        assert!(is_full(&result), "{how:?}: {result:?}");
        cluster.behave([2, 5, 7, 11], Behaviour::Dead);
        assert!(cluster.get(pack(0), cluster.whole()).is_ok());
        cluster.assert_one_shard_per_place();
    }
}

#[test]
fn acknowledges_at_k_plus_3_and_says_what_is_not_yet_full() {
    let mut cluster = Cluster::with_spares(Profile::Standard, 0);
    cluster.behave([4], Behaviour::Full);
    let op = cluster.start_put(pack(0));
    let Ok(Event::Stored { missing, copies }) = cluster.finish(op) else {
        panic!("{:?}", cluster.of(op))
    };
    assert_eq!((missing.len(), copies.len()), (1, 19));
    assert!(matches!(cluster.of(op)[0], Event::Acknowledged { stored: 19 }));
}

#[test]
fn too_few_places_fail_and_tell_what_to_delete() {
    let mut cluster = Cluster::new(Profile::Standard);
    cluster.behave(0..4, Behaviour::Full);
    cluster.behave(4..6, Behaviour::Dead);
    let error = cluster.put(pack(0)).unwrap_err();
    let MachineError::NotEnoughPlaces { stored, needed, no_space, unreachable, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((*needed, *no_space, *unreachable), (19, 4, 2));
    // 18 are synced; the two that did not answer may hold theirs.
    assert_eq!(stored.len(), 20);
    assert!(error.to_string().contains("4 places are full, 2 do not answer"), "{error}");
}

#[test]
fn all_disks_full_stores_nothing_and_fails_at_once() {
    let mut cluster = Cluster::new(Profile::Ten);
    cluster.behave(0..12, Behaviour::Full);
    let begun = cluster.now;
    let error = cluster.put(pack(0)).unwrap_err();
    assert!(
        matches!(&error, MachineError::NotEnoughPlaces { stored, no_space: 12, .. } if stored.is_empty())
    );
    assert!(cluster.now.since(begun) < Duration::from_millis(100));
}

#[test]
fn dead_and_full_places_are_not_asked_again_for_the_next_pack() {
    for how in [Behaviour::Dead, Behaviour::Full, Behaviour::Mute] {
        let mut cluster = Cluster::new(Profile::Standard);
        cluster.behave([3], how);
        // A mute place is given up after it was overtaken a few times.
        for i in 0..8 {
            assert!(is_full(&cluster.put(pack(i))), "{how:?}");
        }
        cluster.sent.clear();
        assert!(is_full(&cluster.put(pack(9))));
        assert!(cluster.sent.iter().all(|(to, _)| *to != node(3)), "{how:?}");
    }
}

#[test]
fn place_that_returns_is_used_again() {
    let mut cluster = Cluster::new(Profile::Standard);
    cluster.behave([3], Behaviour::Dead);
    assert!(is_full(&cluster.put(pack(0))));
    cluster.behave([3], Behaviour::Well);
    cluster.run_for(limits::BACK_OFF_FIRST);
    assert!(is_full(&cluster.put(pack(1))));
    assert_eq!(cluster.nodes[&node(3)].shards.len(), 1);
}

#[test]
fn mute_place_delays_the_acknowledgement_by_a_hedge_not_by_a_timeout() {
    let mut cluster = Cluster::new(Profile::Tiny);
    cluster.behave([1], Behaviour::Mute);
    let begun = cluster.now;
    assert!(is_full(&cluster.put(pack(0))));
    assert!(cluster.now.since(begun) <= limits::HEDGE_MAX);
}

#[test]
fn last_resort_is_to_ask_places_in_back_off() {
    let mut cluster = Cluster::with_spares(Profile::Tiny, 0);
    cluster.behave([1], Behaviour::Dead);
    assert!(cluster.put(pack(0)).is_err());
    cluster.behave([1], Behaviour::Well);
    assert!(is_full(&cluster.put(pack(1))));
}

#[test]
fn broken_connection_is_tried_once_more_before_the_put_fails() {
    let mut cluster = Cluster::with_spares(Profile::Tiny, 0);
    cluster.behave([1], Behaviour::DeadUntil(cluster.now.after(Duration::from_micros(500))));
    assert!(is_full(&cluster.put(pack(0))));
}

#[test]
fn busy_places_are_asked_again_at_the_same_place() {
    let mut cluster = Cluster::with_spares(Profile::Ten, 2);
    cluster.behave(0..12, Behaviour::Busy(cluster.now.after(Duration::from_secs(4))));
    assert!(is_full(&cluster.put(pack(0))));
    assert!((0..10).all(|i| cluster.nodes[&node(i)].shards.len() == 1));
}

#[test]
fn place_busy_for_good_is_worked_around() {
    let mut cluster = Cluster::new(Profile::Ten);
    cluster.behave([2], Behaviour::Busy(Tick(u64::MAX)));
    assert!(is_full(&cluster.put(pack(0))));
}

#[test]
fn bytes_in_flight_stay_in_the_window_however_many_packs_wait() {
    let mut cluster = Cluster::new(Profile::Standard);
    cluster.behave([3], Behaviour::Mute);
    let ops: Vec<_> = (0..100).map(|i| cluster.start_put(pack(i))).collect();
    assert!(!cluster.traffic.has_room());
    for op in ops {
        assert!(is_full(&cluster.finish(op)));
    }
    assert!(cluster.put_bytes_max <= limits::PUT_WINDOW_BYTES);
    assert!(cluster.put_bytes_max > limits::PUT_WINDOW_BYTES / 2);
    assert!(cluster.traffic.has_room());
    assert_eq!(cluster.traffic.put_bytes(), 0);
}

#[test]
fn cancelled_put_leaves_nothing_behind() {
    let mut cluster = Cluster::new(Profile::Standard);
    let op = cluster.start_put(pack(0));
    cluster.traffic.input(cluster.now, In::Cancel { op });
    cluster.drain();
    assert!(cluster.is_over(op));
    assert_eq!((cluster.traffic.put_bytes(), cluster.traffic.deadline()), (0, None));
}

fn any_behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        6 => Just(Behaviour::Well),
        1 => Just(Behaviour::Dead),
        1 => Just(Behaviour::Mute),
        1 => Just(Behaviour::Full),
        1 => Just(Behaviour::Slow(Duration::from_secs(3))),
        1 => Just(Behaviour::Slow(Duration::from_secs(60))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn s1_s3_s6_acknowledged_is_readable_with_any_further_losses_borne(
        behaviours in proptest::collection::vec(any_behaviour(), 24),
        packs in proptest::collection::vec(any::<u8>(), 1..6),
        lost in proptest::collection::btree_set(0usize..24, 0..4),
    ) {
        let mut cluster = Cluster::new(Profile::Standard);
        for (i, how) in behaviours.iter().enumerate() {
            cluster.behave([i], *how);
        }
        let packs: BTreeSet<_> = packs.into_iter().map(pack).collect();
        let ops: Vec<_> = packs.iter().map(|id| (*id, cluster.start_put(*id))).collect();
        let results: Vec<_> = ops.into_iter().map(|(id, op)| (id, op, cluster.finish(op))).collect();
        cluster.assert_one_shard_per_place();
        // Acknowledged at k+3: any three places may go; whoever is slow, mute or full heals.
        cluster.behave(0..24, Behaviour::Well);
        cluster.behave(lost, Behaviour::Dead);
        for (id, op, result) in results {
            let acknowledged = cluster.of(op).iter().any(|e| matches!(e, Event::Acknowledged { .. }));
            prop_assert_eq!(acknowledged, result.is_ok());
            if acknowledged {
                let read = cluster.get(id, cluster.whole());
                prop_assert!(matches!(read, Ok(Event::Ready(_))), "{:?}", read);
            } else {
                // Everything that is somewhere was named for deletion.
                let Err(MachineError::NotEnoughPlaces { stored, .. }) = &result else {
                    return Err(TestCaseError::fail(format!("{result:?}")));
                };
                for (place, node) in &cluster.nodes {
                    for (_, index) in node.shards.keys().filter(|(p, _)| *p == id) {
                        prop_assert!(stored.contains(&(*index, *place)));
                    }
                }
            }
        }
    }
}

//! Reads among faults.

use super::*;

use proptest::prelude::*;

fn stored(profile: Profile) -> Cluster {
    let mut cluster = Cluster::new(profile);
    assert!(is_full(&cluster.put(pack(0))));
    cluster.sent.clear();
    cluster
}

/// A range within the first shard, which is at place 0.
const SMALL: Range = Range { offset: 1000, length: 20_000 };

fn blamed(cluster: &Cluster, op: OpId) -> Vec<NodeId> {
    let blame = |event| match event {
        Event::Blame { node, .. } => Some(node),
        _ => None,
    };
    cluster.of(op).into_iter().filter_map(blame).collect()
}

#[test]
fn small_range_is_one_request() {
    let mut cluster = stored(Profile::Standard);
    assert!(cluster.get(pack(0), SMALL).is_ok());
    assert_eq!(cluster.sent.len(), 1);
    let small = Range { offset: 1000, length: 20_000 };
    assert!(matches!(cluster.sent[0].1, Ask::Fetch { range, .. } if range == small));
}

#[test]
fn range_over_a_border_is_two_requests() {
    let mut cluster = stored(Profile::Standard);
    let result = cluster.get(pack(0), Range { offset: SHARD_BYTES - 10, length: 30 });
    let Ok(Event::Ready(ready)) = result else { panic!("{result:?}") };
    assert_eq!(ready.parts.len(), 2);
    assert_eq!(ready.parts[0].1, Range::between(SHARD_BYTES - 10, SHARD_BYTES));
    assert_eq!(ready.parts[1].1, Range::between(0, 20));
    assert_eq!(cluster.sent.len(), 2);
}

#[test]
fn whole_pack_asks_for_k_shards_at_once() {
    let mut cluster = stored(Profile::Standard);
    let result = cluster.get(pack(0), cluster.whole());
    assert!(matches!(result, Ok(Event::Ready(Ready { decode: None, .. }))));
    assert_eq!(cluster.sent.len(), 16);
}

#[test]
fn range_beyond_the_pack_is_refused() {
    let mut cluster = stored(Profile::Tiny);
    let end = 2 * SHARD_BYTES;
    for (offset, length) in [(0, 0), (end, 1), (end - 1, 2), (u32::MAX, 1), (1, u32::MAX)] {
        let result = cluster.get(pack(0), Range { offset, length });
        assert!(matches!(result, Err(MachineError::Range { .. })), "{offset}+{length}");
    }
    assert!(cluster.get(pack(0), Range { offset: end - 1, length: 1 }).is_ok());
}

#[test]
fn lost_shard_is_decoded_from_the_same_columns_of_k_others() {
    let mut cluster = stored(Profile::Standard);
    cluster.behave([0], Behaviour::Dead);
    let result = cluster.get(pack(0), SMALL);
    let Ok(Event::Ready(Ready { decode: Some(decode), .. })) = result else { panic!("{result:?}") };
    assert_eq!(decode.columns, SMALL);
    assert_eq!(cluster.count_sent(|ask| matches!(ask, Ask::Fetch { .. })), 17);
    assert_eq!(cluster.count_sent(|ask| matches!(ask, Ask::Locate { .. })), 0);
}

#[test]
fn known_dead_place_costs_no_request_the_next_time() {
    let mut cluster = stored(Profile::Standard);
    cluster.behave([0], Behaviour::Dead);
    assert!(cluster.get(pack(0), SMALL).is_ok());
    cluster.sent.clear();
    assert!(cluster.get(pack(0), SMALL).is_ok());
    assert!(cluster.sent.iter().all(|(to, _)| *to != node(0)));
    assert_eq!(cluster.sent.len(), 16);
}

#[test]
fn mute_places_cost_a_hedge_not_a_timeout_and_later_nothing() {
    let mut cluster = stored(Profile::Standard);
    cluster.behave([0, 1, 2, 3], Behaviour::Mute);
    let mut spans = Vec::new();
    for _ in 0..6 {
        let begun = cluster.now;
        assert!(cluster.get(pack(0), cluster.whole()).is_ok());
        spans.push(cluster.now.since(begun));
    }
    assert!(spans[0] < limits::HEDGE_MAX * 2, "{spans:?}");
    // After three times overtaken they are left alone: as fast as with nobody missing.
    assert!(spans[3..].iter().all(|span| *span < Duration::from_millis(10)), "{spans:?}");
}

#[test]
fn busy_places_are_tried_once_more() {
    let mut cluster = stored(Profile::Tiny);
    cluster.behave([0, 1], Behaviour::Busy(cluster.now.after(Duration::from_millis(8))));
    assert!(cluster.get(pack(0), SMALL).is_ok());
}

#[test]
fn broken_connections_are_tried_once_more_before_the_read_fails() {
    let mut cluster = stored(Profile::Tiny);
    let soon = cluster.now.after(Duration::from_micros(500));
    cluster.behave([0, 1], Behaviour::DeadUntil(soon));
    assert!(cluster.get(pack(0), SMALL).is_ok());
}

#[test]
fn one_slow_place_is_overtaken() {
    let mut cluster = stored(Profile::Standard);
    cluster.behave([5], Behaviour::Slow(Duration::from_secs(8)));
    let begun = cluster.now;
    let result = cluster.get(pack(0), cluster.whole());
    assert!(matches!(result, Ok(Event::Ready(Ready { decode: Some(_), .. }))));
    assert!(cluster.now.since(begun) < Duration::from_secs(1));
}

#[test]
fn liar_is_found_blamed_and_left_out() {
    for liar in 0..16 {
        let mut cluster = stored(Profile::Standard);
        cluster.behave([liar], Behaviour::Liar);
        let range = cluster.whole();
        let op = cluster.start_get(pack(0), range, Vec::new());
        assert!(matches!(cluster.finish(op), Ok(Event::Ready(_))));
        assert_eq!(blamed(&cluster, op), [node(liar)]);
        cluster.sent.clear();
        assert!(cluster.get(pack(0), range).is_ok());
        assert!(cluster.sent.iter().all(|(to, _)| *to != node(liar)));
    }
}

#[test]
fn as_many_liars_as_the_profile_bears_are_worked_around() {
    let mut cluster = stored(Profile::Standard);
    cluster.behave([0, 3, 17, 19], Behaviour::Liar);
    for range in [SMALL, cluster.whole()] {
        assert!(matches!(cluster.get(pack(0), range), Ok(Event::Ready(_))));
    }
}

#[test]
fn one_liar_too_many_is_unavailable_never_wrong() {
    let mut cluster = stored(Profile::Standard);
    cluster.behave([0, 3, 5, 17, 19], Behaviour::Liar);
    let error = cluster.get(pack(0), cluster.whole()).unwrap_err();
    assert!(matches!(error, MachineError::Unavailable { have: 15, need: 16, .. }), "{error}");
}

#[test]
fn beyond_the_profile_is_unavailable_with_the_missing_places_named() {
    let mut cluster = stored(Profile::Standard);
    cluster.behave(0..5, Behaviour::Dead);
    let error = cluster.get(pack(0), SMALL).unwrap_err();
    let MachineError::Unavailable { have: 15, need: 16, missing, .. } = &error else {
        panic!("{error}")
    };
    assert!((0..5).all(|i| missing.contains(&node(i))));
    cluster.behave([4], Behaviour::Well);
    assert!(cluster.get(pack(0), SMALL).is_ok());
}

#[test]
fn shards_moved_to_spares_are_located() {
    let mut cluster = Cluster::new(Profile::Standard);
    cluster.behave(0..4, Behaviour::Dead);
    assert!(is_full(&cluster.put(pack(0))));
    // The first four stay away, four more go: only with the spares are there still 16.
    cluster.behave(4..8, Behaviour::Dead);
    assert!(cluster.get(pack(0), cluster.whole()).is_ok());
}

#[test]
fn hint_spares_the_search() {
    let mut cluster = Cluster::new(Profile::Standard);
    cluster.behave(0..4, Behaviour::Dead);
    let Ok(Event::Stored { copies, .. }) = cluster.put(pack(0)) else { panic!("not stored") };
    cluster.sent.clear();
    let op = cluster.start_get(pack(0), SMALL, copies);
    assert!(cluster.finish(op).is_ok());
    assert_eq!(cluster.sent.len(), 1);
}

#[test]
fn content_that_never_opens_is_damaged_not_unavailable() {
    let mut cluster = stored(Profile::Tiny);
    let op = cluster.start_get(pack(0), SMALL, Vec::new());
    // A shell with the wrong key: it refuses bytes that are good.
    for _ in 0..2 {
        let ready = |cluster: &Cluster| cluster.of(op).len();
        let before = ready(&cluster);
        while ready(&cluster) == before {
            let next = cluster.next().unwrap();
            cluster.now = next;
            let key = *cluster.queue.keys().next().unwrap();
            let (request, answer) = cluster.queue.remove(&key).unwrap();
            cluster.traffic.input(next, In::Answer { request, answer });
            while let Some(out) = cluster.traffic.output() {
                match out {
                    Out::Send { request, node, ask, .. } => cluster.deliver(request, node, ask),
                    Out::Event { op, event } => cluster.events.push((op, event)),
                    _ => {}
                }
            }
        }
        cluster.traffic.input(cluster.now, In::TagFailed { op });
        cluster.drain();
    }
    assert!(matches!(cluster.of(op).last(), Some(Event::Failed(MachineError::PackDamaged { .. }))));
}

fn any_fault() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        Just(Behaviour::Dead),
        Just(Behaviour::Mute),
        Just(Behaviour::Liar),
        Just(Behaviour::Full),
        Just(Behaviour::Slow(Duration::from_secs(5))),
        Just(Behaviour::Slow(Duration::from_secs(50))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn s1_s2_any_faults_at_m_places_are_borne_and_more_are_never_wrong(
        faults in proptest::collection::btree_map(0usize..20, any_fault(), 0..9),
        start in 0u32..16 * SHARD_BYTES,
        length in 1u32..3 * SHARD_BYTES,
        reads in 1usize..4,
    ) {
        let mut cluster = stored(Profile::Standard);
        for (place, how) in &faults {
            cluster.behave([*place], *how);
        }
        let range = Range::between(start, (start + length).min(16 * SHARD_BYTES));
        for _ in 0..reads {
            // `check_ready` of the cluster refuses wrong bytes; what is left is right or an error.
            let result = cluster.get(pack(0), range);
            if faults.len() <= 4 {
                prop_assert!(matches!(result, Ok(Event::Ready(_))), "{:?}", result);
            }
        }
    }
}

//! Repair among faults.

use super::*;

use proptest::prelude::*;

fn spec(cluster: &Cluster) -> RepairSpec {
    RepairSpec {
        places: cluster.places.clone(),
        referenced: None,
        when: When::Now,
        trust: Trust::Listed,
        noticed: BTreeMap::new(),
    }
}

fn repair_with(cluster: &mut Cluster, spec: RepairSpec) -> RepairReport {
    let op = cluster.start(Operation::Repair(spec));
    match cluster.finish(op) {
        Ok(Event::Repaired(report)) => report,
        other => panic!("{other:?}"),
    }
}

fn repair(cluster: &mut Cluster) -> RepairReport {
    let spec = spec(cluster);
    repair_with(cluster, spec)
}

/// Packs 0, 1, … stored in full.
fn stored(profile: Profile, packs: u8) -> Cluster {
    let mut cluster = Cluster::new(profile);
    for i in 0..packs {
        assert!(is_full(&cluster.put(pack(i))));
    }
    cluster.sent.clear();
    cluster
}

fn wipe(cluster: &mut Cluster, place: usize) {
    cluster.nodes.get_mut(&node(place)).unwrap().shards.clear();
}

#[test]
fn healthy_contract_costs_only_the_listing() {
    let mut cluster = stored(Profile::Standard, 9);
    let report = repair(&mut cluster);
    assert_eq!((report.packs, report.full, report.stored), (9, 9, 0));
    assert!(cluster.sent.iter().all(|(_, ask)| matches!(ask, Ask::List { .. })));
}

#[test]
fn lost_shards_are_rebuilt_on_spares() {
    let mut cluster = stored(Profile::Standard, 9);
    cluster.behave(0..4, Behaviour::Dead);
    let report = repair(&mut cluster);
    assert_eq!((report.full, report.stored, report.unplaced), (9, 36, 0));
    assert_eq!(report.silent.len(), 4);
    cluster.assert_one_shard_per_place();
    // Four more may go now.
    cluster.behave(4..8, Behaviour::Dead);
    assert!(cluster.get(pack(3), cluster.whole()).is_ok());
}

#[test]
fn emptied_place_gets_its_shards_back() {
    let mut cluster = stored(Profile::Ten, 5);
    wipe(&mut cluster, 3);
    assert_eq!(repair(&mut cluster).stored, 5);
    assert_eq!(cluster.nodes[&node(3)].shards.len(), 5);
}

#[test]
fn surplus_is_dropped_when_a_lost_place_returns() {
    let mut cluster = stored(Profile::Standard, 6);
    cluster.behave(0..2, Behaviour::Dead);
    assert_eq!(repair(&mut cluster).stored, 12);
    cluster.behave(0..2, Behaviour::Well);
    let report = repair(&mut cluster);
    assert_eq!((report.full, report.stored, report.trimmed), (6, 0, 12));
    for i in 0..6 {
        assert_eq!(cluster.held(pack(i)), 20);
    }
    let copies: usize = cluster.nodes.values().map(|node| node.shards.len()).sum();
    assert_eq!(copies, 120);
}

#[test]
fn rotten_surplus_is_dropped_too() {
    let mut cluster = stored(Profile::Standard, 1);
    cluster.behave([0], Behaviour::Dead);
    assert_eq!(repair(&mut cluster).stored, 1);
    cluster.behave([0], Behaviour::Well);
    rot(&mut cluster, 0);
    let spec = RepairSpec { trust: Trust::Verified, ..spec(&cluster) };
    assert_eq!(repair_with(&mut cluster, spec).trimmed, 1);
    assert!(cluster.nodes[&node(0)].shards.is_empty());
    assert_eq!(cluster.held(pack(0)), 20);
}

#[test]
fn surplus_stays_while_a_copy_is_not_verified() {
    let mut cluster = stored(Profile::Standard, 1);
    cluster.behave([0], Behaviour::Dead);
    assert_eq!(repair(&mut cluster).stored, 1);
    cluster.behave([0], Behaviour::Well);
    // Shard 7 is listed but rotten: dropping the surplus would be fine, counting 7 would not.
    rot(&mut cluster, 7);
    let report = repair(&mut cluster);
    assert_eq!(report.trimmed, 0);
    assert_eq!(cluster.held(pack(0)), 19);
}

fn rot(cluster: &mut Cluster, place: usize) {
    for content in cluster.nodes.get_mut(&node(place)).unwrap().shards.values_mut() {
        *content = Content::Rotten;
    }
}

#[test]
fn scrub_finds_rot_and_repairs_it() {
    let mut cluster = stored(Profile::Standard, 3);
    rot(&mut cluster, 2);
    rot(&mut cluster, 9);
    assert_eq!(repair(&mut cluster).stored, 0);
    let spec = RepairSpec { trust: Trust::Verified, ..spec(&cluster) };
    let report = repair_with(&mut cluster, spec);
    assert_eq!((report.full, report.stored), (3, 6));
    for i in 0..3 {
        assert_eq!(cluster.held(pack(i)), 20);
    }
    cluster.assert_one_shard_per_place();
}

#[test]
fn nothing_is_rebuilt_from_rot() {
    let mut cluster = stored(Profile::Standard, 2);
    cluster.behave([0], Behaviour::Dead);
    rot(&mut cluster, 1);
    rot(&mut cluster, 2);
    // The rot shows when the shards are fetched, and is repaired with the loss.
    let report = repair(&mut cluster);
    assert_eq!(report.full, 2);
    assert!(cluster.held(pack(0)) >= 20, "{}", cluster.held(pack(0)));
}

#[test]
fn one_loss_waits_a_day_two_an_hour_three_not_at_all() {
    for (lost, wait) in [(1, 24 * 3600), (2, 3600), (3, 0), (4, 0)] {
        let mut cluster = stored(Profile::Standard, 2);
        cluster.behave(0..lost, Behaviour::Dead);
        let by_urgency = RepairSpec { when: When::ByUrgency(Urgency::default()), ..spec(&cluster) };
        let report = repair_with(&mut cluster, by_urgency.clone());
        if wait == 0 {
            assert_eq!((report.full, report.waiting.len()), (2, 0));
            continue;
        }
        assert_eq!((report.stored, report.waiting.len()), (0, 2));
        let due = report.due.unwrap();
        assert!(due.since(cluster.now) <= Duration::from_secs(wait));
        assert!(due.since(cluster.now) > Duration::from_secs(wait - 60));
        cluster.run_for(due.since(cluster.now));
        let again = RepairSpec { noticed: report.waiting, ..by_urgency };
        assert_eq!(repair_with(&mut cluster, again).full, 2, "{lost} lost");
    }
}

#[test]
fn last_bearable_loss_never_waits() {
    let urgency = Urgency::default();
    for (profile, losses) in [(Profile::Tiny, 1), (Profile::Ten, 1), (Profile::Standard, 3)] {
        assert_eq!(urgency.wait(profile, losses), Duration::ZERO);
    }
    assert_eq!(urgency.wait(Profile::Wide, 1), urgency.one);
    assert_eq!(urgency.wait(Profile::Wide, 2), urgency.two);
}

#[test]
fn most_urgent_packs_go_first() {
    let mut cluster = stored(Profile::Standard, 30);
    for place in 0..3 {
        cluster.nodes.get_mut(&node(place)).unwrap().shards.retain(|(p, _), _| *p != pack(20));
    }
    cluster.behave([9], Behaviour::Dead);
    let op = cluster.start(Operation::Repair(spec(&cluster)));
    assert!(cluster.finish(op).is_ok());
    let first = cluster.of(op).into_iter().find_map(|event| match event {
        Event::Rebuild { pack, .. } => Some(pack),
        _ => None,
    });
    assert_eq!(first, Some(pack(20)));
}

#[test]
fn unrepairable_packs_are_counted_and_left_as_they_are() {
    let mut cluster = stored(Profile::Standard, 4);
    cluster.behave(0..5, Behaviour::Dead);
    let report = repair(&mut cluster);
    assert_eq!((report.unrepairable, report.stored, report.trimmed), (4, 0, 0));
    assert_eq!(report.unrepairable_first, (0..4).map(pack).collect::<Vec<_>>());
    // One returns, and so do all packs.
    cluster.behave([0], Behaviour::Well);
    assert_eq!(repair(&mut cluster).full, 4);
}

#[test]
fn left_overs_of_broken_puts_are_not_repaired() {
    let mut cluster = stored(Profile::Standard, 2);
    wipe(&mut cluster, 0);
    let referenced = Some(std::sync::Arc::new([pack(1), pack(77)].into()));
    let spec = RepairSpec { referenced, ..spec(&cluster) };
    let report = repair_with(&mut cluster, spec);
    assert_eq!((report.packs, report.stored, report.unreferenced), (2, 1, 1));
    assert_eq!(report.unrepairable_first, [pack(77)]);
}

#[test]
fn full_spares_are_worked_around_and_what_finds_no_place_is_told() {
    let mut cluster = stored(Profile::Standard, 2);
    cluster.behave(0..2, Behaviour::Dead);
    cluster.behave(20..22, Behaviour::Full);
    assert_eq!(repair(&mut cluster).full, 2);

    let mut cluster = stored(Profile::Standard, 2);
    cluster.behave(0..2, Behaviour::Dead);
    cluster.behave(20..23, Behaviour::Full);
    let report = repair(&mut cluster);
    assert_eq!((report.full, report.stored, report.unplaced), (0, 2, 2));
}

#[test]
fn pace_bounds_the_packs_at_work() {
    let mut cluster = stored(Profile::Standard, 60);
    wipe(&mut cluster, 5);
    let op = cluster.start(Operation::Repair(spec(&cluster)));
    assert!(cluster.finish(op).is_ok());
    // Never more packs being rebuilt than fit the window.
    let (mut at_work, mut most) = (0usize, 0usize);
    for event in cluster.of(op) {
        match event {
            Event::Rebuild { .. } => at_work += 1,
            Event::PackDone { .. } => at_work -= 1,
            _ => {}
        }
        most = most.max(at_work);
    }
    let shards = u64::from(Profile::Standard.shards());
    let packs = limits::REPAIR_WINDOW_BYTES / (shards * u64::from(SHARD_BYTES));
    assert!(most > 1 && most as u64 <= packs, "{most} packs at once");
}

fn any_fault() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        Just(Behaviour::Dead),
        Just(Behaviour::Mute),
        Just(Behaviour::Liar),
        Just(Behaviour::Full),
        Just(Behaviour::Slow(Duration::from_secs(3))),
    ]
}

/// Faults of one round, the places whose shards rot before it, and whether it scrubs.
type Round = (BTreeMap<usize, Behaviour>, BTreeSet<usize>, Trust);

/// S3 and S4 through rounds of faults, then convergence, then S1.
#[track_caller]
fn survives(rounds: Vec<Round>, lost: BTreeSet<usize>) {
    let mut cluster = stored(Profile::Standard, 3);
    for (faults, rotten, trust) in rounds {
        cluster.behave(0..24, Behaviour::Well);
        // Rot only where the pack can bear it.
        for place in rotten {
            if (0..3).all(|i| cluster.held(pack(i)) >= 18) {
                rot(&mut cluster, place);
            }
        }
        for (place, how) in faults {
            cluster.behave([place], how);
        }
        let before: Vec<_> = (0..3).map(|i| cluster.held(pack(i))).collect();
        let spec = RepairSpec { trust, ..spec(&cluster) };
        repair_with(&mut cluster, spec);
        for (i, held) in (0..3).zip(before) {
            assert!(cluster.held(pack(i)) >= held, "pack {i} had {held} shards");
        }
        cluster.assert_one_shard_per_place();
    }
    cluster.behave(0..24, Behaviour::Well);
    for _ in 0..3 {
        cluster.run_for(limits::BACK_OFF_MAX);
        let spec = RepairSpec { trust: Trust::Verified, ..spec(&cluster) };
        repair_with(&mut cluster, spec);
    }
    for i in 0..3 {
        assert_eq!(cluster.held(pack(i)), 20);
    }
    let copies: usize = cluster.nodes.values().map(|node| node.shards.len()).sum();
    assert_eq!(copies, 60);
    cluster.behave(lost, Behaviour::Dead);
    assert!(cluster.get(pack(1), cluster.whole()).is_ok());
}

#[test]
fn case_of_loss_and_rot_while_surplus_copies_remain() {
    use Behaviour::Dead;
    let rounds = vec![
        ([(2, Dead), (3, Dead)].into(), [].into(), Trust::Listed),
        ([(4, Dead), (5, Dead), (21, Dead)].into(), [6].into(), Trust::Verified),
        ([(7, Dead)].into(), [8].into(), Trust::Verified),
    ];
    survives(rounds, (0..4).collect());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn s4_repair_never_lowers_redundancy_and_converges_once_faults_heal(
        rounds in proptest::collection::vec((
            proptest::collection::btree_map(0usize..24, any_fault(), 0..5),
            proptest::collection::btree_set(0usize..24, 0..3),
            prop_oneof![Just(Trust::Listed), Just(Trust::Verified)],
        ), 1..4),
        lost in proptest::collection::btree_set(0usize..24, 4),
    ) {
        survives(rounds, lost);
    }
}

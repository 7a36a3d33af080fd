//! Heads among faults.

use super::*;

use proptest::prelude::*;

fn spec(cluster: &Cluster) -> HeadSpec {
    HeadSpec { places: cluster.places.clone() }
}

fn write(cluster: &mut Cluster, counter: u64) -> Result<Event, MachineError> {
    let spec = spec(cluster);
    let op = cluster.start(Operation::WriteHead { spec, head: head(counter) });
    cluster.finish(op)
}

fn read(cluster: &mut Cluster) -> Result<HeadRead, MachineError> {
    let op = cluster.start(Operation::ReadHead(spec(cluster)));
    cluster.finish(op).map(|event| match event {
        Event::HeadRead(read) => read,
        other => panic!("{other:?}"),
    })
}

#[test]
fn quorums_intersect_and_bear_the_losses_of_every_profile() {
    for profile in Profile::ALL {
        for spares in [0, usize::from(profile.spares())] {
            let cluster = Cluster::with_spares(profile, spares);
            let (total, lost) = (cluster.places.all().len(), usize::from(profile.parity()));
            let (r, w) = (spec(&cluster).read_quorum(), spec(&cluster).write_quorum());
            assert!(r + w > total, "{profile} with {spares} spares: R {r}, W {w} of {total}");
            assert!(r <= total - lost && w > lost && w <= total && w > total / 2);
        }
    }
}

#[test]
fn head_is_read_back_with_m_places_lost() {
    for profile in Profile::ALL {
        for spares in [0, usize::from(profile.spares())] {
            let mut cluster = Cluster::with_spares(profile, spares);
            assert!(write(&mut cluster, 1).is_ok());
            cluster.behave(0..usize::from(profile.parity()), Behaviour::Dead);
            assert_eq!(read(&mut cluster).unwrap().newest, Some(head(1)), "{profile}");
        }
    }
}

#[test]
fn volume_without_a_head_reads_as_none() {
    let mut cluster = Cluster::new(Profile::Tiny);
    assert_eq!(read(&mut cluster).unwrap().newest, None);
}

#[test]
fn stale_places_are_outvoted_and_brought_up_to_date() {
    let mut cluster = Cluster::new(Profile::Standard);
    assert!(write(&mut cluster, 1).is_ok());
    cluster.behave(0..3, Behaviour::Stale);
    cluster.behave([9], Behaviour::Dead);
    assert!(write(&mut cluster, 2).is_ok());
    cluster.behave([9], Behaviour::Well);
    cluster.run_for(limits::BACK_OFF_FIRST);
    let found = read(&mut cluster).unwrap();
    assert_eq!(found.newest, Some(head(2)));
    assert_eq!(found.stale, [node(0), node(1), node(2), node(9)]);
    assert_eq!(cluster.nodes[&node(9)].head, Some(head(2)));
}

#[test]
fn reader_waits_a_moment_for_places_beyond_its_quorum() {
    let mut cluster = Cluster::new(Profile::Standard);
    // A write that just counted: 13 places have it, 4 of them lie about it, the others are slow.
    for (i, known) in cluster.nodes.values_mut().enumerate() {
        known.head = Some(head(if i < 15 { 1 } else { 2 }));
    }
    cluster.behave(11..15, Behaviour::Stale);
    cluster.behave(15..24, Behaviour::Slow(Duration::from_millis(100)));
    assert_eq!(read(&mut cluster).unwrap().newest, Some(head(2)));
}

#[test]
fn too_few_answers_are_unavailable() {
    let mut cluster = Cluster::new(Profile::Standard);
    assert!(write(&mut cluster, 1).is_ok());
    cluster.behave(0..12, Behaviour::Dead);
    let error = read(&mut cluster).unwrap_err();
    assert_eq!(error, MachineError::HeadUnavailable { answered: 12, needed: 13 });
    let error = write(&mut cluster, 2).unwrap_err();
    assert_eq!(error, MachineError::HeadNotWritten { stored: 12, needed: 13 });
}

#[test]
fn writer_behind_another_is_told_of_the_conflict() {
    let mut cluster = Cluster::new(Profile::Ten);
    assert!(write(&mut cluster, 5).is_ok());
    let error = write(&mut cluster, 4).unwrap_err();
    assert_eq!(error, MachineError::HeadConflict { newer: 5 });
    assert_eq!(read(&mut cluster).unwrap().newest, Some(head(5)));
}

#[test]
fn mute_places_delay_a_read_by_a_hedge_not_by_a_timeout() {
    let mut cluster = Cluster::new(Profile::Standard);
    assert!(write(&mut cluster, 1).is_ok());
    cluster.behave(0..4, Behaviour::Mute);
    let op = cluster.start(Operation::ReadHead(spec(&cluster)));
    let begun = cluster.now;
    while cluster.of(op).is_empty() {
        cluster.step();
    }
    assert!(cluster.now.since(begun) <= limits::HEDGE_MAX);
}

proptest! {
    #[test]
    fn written_head_is_seen_with_m_places_silent_or_stale(
        faults in proptest::collection::btree_map(0usize..24, prop_oneof![
            Just(Behaviour::Dead), Just(Behaviour::Mute), Just(Behaviour::Stale),
        ], 0..5),
    ) {
        let mut cluster = Cluster::new(Profile::Standard);
        prop_assert!(write(&mut cluster, 1).is_ok());
        for (place, how) in &faults {
            cluster.behave([*place], *how);
        }
        prop_assert!(write(&mut cluster, 2).is_ok());
        prop_assert_eq!(read(&mut cluster).unwrap().newest, Some(head(2)));
    }
}

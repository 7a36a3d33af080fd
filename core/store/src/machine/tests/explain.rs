//! Surveys and what they mean.

use super::*;

/// The states in order of the shards, and the losses left to bear.
fn table(cluster: &mut Cluster) -> (Vec<&'static str>, Option<u8>) {
    let places = cluster.places.clone();
    let spec = SurveySpec { pack: pack(0), places: places.clone() };
    let op = cluster.start(Operation::Survey(spec));
    let Ok(Event::Sighted(sightings)) = cluster.finish(op) else { panic!("no survey") };
    let explained = explain(pack(0), &places, &sightings, |id| Some(format!("site {}", id.0[0])));
    assert!(explained.rows.iter().all(|row| row.site == Some(format!("site {}", row.node.0[0]))));
    (explained.rows.iter().map(|row| row.state.name()).collect(), explained.losses_survivable)
}

#[test]
fn table_tells_what_is_whole_damaged_missing_and_unreachable() {
    let mut cluster = Cluster::new(Profile::Ten);
    assert!(is_full(&cluster.put(pack(0))));
    assert_eq!(table(&mut cluster), (vec!["verified"; 10], Some(2)));

    cluster.nodes.get_mut(&node(0)).unwrap().shards.clear();
    cluster.behave([1], Behaviour::Dead);
    let (states, losses) = table(&mut cluster);
    assert_eq!(states[..3], ["missing", "unreachable", "verified"]);
    assert_eq!(losses, Some(0));

    let shards = &mut cluster.nodes.get_mut(&node(2)).unwrap().shards;
    shards.values_mut().for_each(|content| *content = Content::Rotten);
    let (states, losses) = table(&mut cluster);
    assert_eq!(states[..4], ["missing", "unreachable", "damaged", "verified"]);
    assert_eq!(losses, None);
}

#[test]
fn shard_at_a_spare_is_found_and_surplus_adds_no_losses_to_bear() {
    let mut cluster = Cluster::new(Profile::Ten);
    cluster.behave([0], Behaviour::Dead);
    assert!(is_full(&cluster.put(pack(0))));
    cluster.behave([0], Behaviour::Well);
    assert_eq!(table(&mut cluster), (vec!["verified"; 10], Some(2)));
    let index = Profile::Ten.shard(0).unwrap();
    cluster.nodes.get_mut(&node(0)).unwrap().shards.insert((pack(0), index), Content::Good);
    assert_eq!(table(&mut cluster), (vec!["verified"; 10], Some(2)));
}

#[test]
fn two_shards_at_one_place_are_lost_together() {
    let mut cluster = Cluster::new(Profile::Ten);
    assert!(is_full(&cluster.put(pack(0))));
    let (index, content) = cluster.nodes.get_mut(&node(0)).unwrap().shards.pop_first().unwrap();
    cluster.nodes.get_mut(&node(1)).unwrap().shards.insert(index, content);
    assert_eq!(table(&mut cluster), (vec!["verified"; 10], Some(1)));
}

#[test]
fn what_holds_no_shard_counts_as_far_as_the_head_needs_it() {
    let mut cluster = Cluster::with_spares(Profile::Tiny, 2);
    assert!(is_full(&cluster.put(pack(0))));
    assert_eq!(table(&mut cluster), (vec!["verified"; 3], Some(1)));
    // Every shard is whole, but of five places three must answer for the head to be known.
    let idle: Vec<usize> =
        (0..5).filter(|index| cluster.nodes[&node(*index)].shards.is_empty()).collect();
    cluster.behave(idle.clone(), Behaviour::Dead);
    assert_eq!((idle.len(), table(&mut cluster)), (2, (vec!["verified"; 3], Some(0))));
    let third = (0..5).find(|index| !idle.contains(index)).unwrap();
    cluster.behave([third], Behaviour::Dead);
    assert_eq!(table(&mut cluster).1, None);
}

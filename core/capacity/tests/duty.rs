//! What the witness machine says of honest and of broken nodes.

#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::time::Duration;

use acre_capacity::duty::{Duty, In, Out, Plan, Rules, Witness, WorkRules};
use acre_types::{Bytes, Digest, Epoch, Machine, NodeId, Tick};
use world::node::Behaviour;
use world::{CLAIMED, Net, World, rules};

fn all_honest() -> Vec<Behaviour> {
    vec![Behaviour::Honest; 6]
}

#[test]
fn honest_nodes_are_believed_in_full() {
    let mut world = World::new(Net::new(1), rules(), &all_honest());
    for _ in 0..3 {
        for folded in world.epoch() {
            assert_eq!(folded.uptime_permille, 1000, "{folded:?}");
            assert_eq!(folded.storage, CLAIMED, "{folded:?}");
            assert_eq!((folded.late, folded.missing, folded.wrong), (0, 0, 0));
            assert_eq!((folded.cores, folded.memory), (2, 1 << 30), "as proven before");
        }
    }
}

#[test]
fn puzzle_shows_cores_and_memory() {
    let work = WorkRules { memory_scale: 1 << 12, ..rules().work };
    let mut world = World::new(Net::new(2), Rules { work, ..rules() }, &all_honest());
    world.muster = Some(Duration::from_secs(20));
    for folded in world.epoch() {
        assert_eq!((folded.cores, folded.memory), (2, 1 << 30), "{folded:?}");
        assert_eq!((folded.late, folded.missing, folded.wrong), (0, 0, 0));
    }
}

#[test]
fn core_that_is_slow_counts_as_less() {
    // Half of par is gone on the network alone, so a tenth of par shows as few cores.
    let work = WorkRules { par: Duration::from_millis(1), ..rules().work };
    let mut world = World::new(Net::new(2), Rules { work, ..rules() }, &all_honest());
    world.muster = Some(Duration::from_secs(20));
    assert!(world.epoch().iter().all(|folded| folded.cores == 0));
}

#[test]
fn broken_nodes_are_told_apart() {
    let kinds = [
        Behaviour::Honest,
        Behaviour::Holes { percent: 50 },
        Behaviour::SlowDisk { read: Duration::from_millis(400) },
        Behaviour::Forger { percent: 0 },
        Behaviour::Flaky { percent: 40 },
    ];
    let mut world = World::new(Net::new(3), rules(), &kinds);
    let [honest, holes, slow, forger, flaky] = world.epoch().try_into().unwrap();
    assert!(!honest.is_found(), "{honest:?}");
    assert!(holes.missing > 0 && (CLAIMED / 4..CLAIMED / 4 * 3).contains(&holes.storage));
    assert!(slow.late > 0 && slow.storage == 0 && slow.uptime_permille == 1000, "{slow:?}");
    assert!(forger.wrong > 0 && forger.storage == CLAIMED / 2, "only shards count: {forger:?}");
    assert!(flaky.uptime_permille < 900, "{flaky:?}");
}

fn plan(ends: u64) -> Plan {
    let duty = |node| Duty {
        node: NodeId([node; 32]),
        cores: 1,
        memory: Bytes(0),
        proven: (1, Bytes(0)),
        reserved: Bytes(0),
    };
    let (began, ends) = (Tick(0), Tick(ends));
    Plan { epoch: Epoch(4), secret: Digest([1; 32]), began, ends, duties: vec![duty(2), duty(1)] }
}

#[test]
fn node_that_never_answers_is_asked_twice_a_visit_and_reported_as_gone() {
    let mut witness = Witness::new(rules()).unwrap();
    witness.input(Tick(0), In::Begin(plan(60_000_000)));
    let mut asks = 0;
    let report = loop {
        let now = witness.deadline().unwrap();
        witness.wake(now);
        let mut report = None;
        while let Some(out) = witness.output() {
            match out {
                Out::Ask { call, .. } => {
                    asks += 1;
                    witness.input(now, In::Failed { call });
                }
                Out::Report(found) => report = Some(found),
                Out::Rebuild { .. } => panic!("nothing was shown"),
            }
        }
        if let Some(report) = report {
            break report;
        }
    };
    assert_eq!(asks, 2 * 2 * rules().visits);
    assert_eq!(report.epoch, Epoch(4));
    let nodes: Vec<_> = report.verdicts.iter().map(|verdict| verdict.node.0[0]).collect();
    assert_eq!(nodes, [1, 2], "by rising node");
    for verdict in &report.verdicts {
        assert_eq!((verdict.asked, verdict.answered), (rules().visits.into(), 0));
        assert_eq!((verdict.storage, verdict.cores), (Bytes(0), 0));
    }
    assert_eq!(witness.deadline(), None);
}

#[test]
fn epoch_that_is_cut_short_is_reported_when_the_next_begins() {
    let mut witness = Witness::new(rules()).unwrap();
    witness.input(Tick(0), In::Begin(plan(60_000_000)));
    let first = witness.deadline().unwrap();
    witness.wake(first);
    assert!(matches!(witness.output(), Some(Out::Ask { .. })));
    witness.input(first, In::Begin(Plan { epoch: Epoch(5), ..plan(120_000_000) }));
    let Some(Out::Report(report)) = witness.output() else { panic!("no report") };
    assert_eq!((report.epoch, report.verdicts.len()), (Epoch(4), 1));
}

#[test]
fn who_begins_late_skips_what_is_past() {
    let mut witness = Witness::new(rules()).unwrap();
    witness.input(Tick(59_000_000), In::Begin(plan(60_000_000)));
    assert_eq!(witness.deadline(), Some(Tick(60_000_000)));
    witness.wake(Tick(60_000_000));
    assert_eq!(witness.output(), None, "nobody was visited, so nothing is said");
}

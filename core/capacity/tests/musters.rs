//! Musters: what honest nodes show, and what one machine can show for many nodes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod world;

use std::time::Duration;

use acre_capacity::duty::{Duty, In, Out, Verdict, Witness, WorkRules};
use acre_capacity::message::{Answer, Ask, Refusal};
use acre_capacity::puzzle;
use acre_types::{Bytes, Epoch, Machine, Tick};
use world::shared::{
    HEARD, Shared, answered, believed, duty, machines, muster, muster_rules, par, plan, solve,
};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// What a node does at a muster.
#[derive(Clone, Copy)]
enum Act {
    /// Claims after so long, and shows its lanes after so long.
    Claim { after: Duration, probed_after: Duration },
    /// Shows the lanes of another seed.
    Forge,
    /// Says that it is busy.
    Busy,
    /// Does not answer.
    Nothing,
}

fn in_time() -> Act {
    Act::Claim { after: par() / 2, probed_after: MS(50) }
}

/// What is said of a node of 8 cores, of which 3 and half the memory were proven before, that acts like this at each of
/// the epoch's musters.
fn after(acts: &[Act]) -> Verdict {
    let before = duty(1, 8, (3, Bytes(1 << 19)));
    let mut witness = Witness::new(muster_rules()).unwrap();
    witness.input(Tick(0), In::Begin(plan(vec![before])));
    for (number, act) in (0..).zip(acts) {
        let heard = HEARD.after(MS(12_000) * number);
        settle(&mut witness, heard);
        witness.input(heard, muster(&[before], u8::try_from(number).unwrap()));
        let Some(Out::Ask { call, ask: Ask::Work(task), .. }) = witness.output() else {
            panic!("asked at once")
        };
        let (answer, lanes) = solve(1, &task);
        let (after, probed_after) = match act {
            Act::Claim { after, probed_after } => (*after, *probed_after),
            Act::Forge => (par(), MS(50)),
            Act::Busy => {
                witness.input(heard, answered(call, Answer::Refused(Refusal::Busy)));
                continue;
            }
            Act::Nothing => {
                witness.input(heard, In::Failed { call });
                continue;
            }
        };
        witness.input(heard.after(after), answered(call, answer));
        let asked = loop {
            let now = witness.deadline().unwrap();
            if now > heard.after(MS(11_000)) {
                break None;
            }
            witness.wake(now);
            match witness.output() {
                Some(Out::Ask { call, ask: Ask::Probe { nonce, probes, .. }, .. }) => {
                    break Some((now, call, nonce, probes));
                }
                Some(Out::Ask { call, .. }) => visit(&mut witness, now, call),
                _ => {}
            }
        };
        let Some((now, call, nonce, probes)) = asked else { continue };
        assert!(now >= heard.after(muster_rules().work.last_claim()), "all are held at once");
        assert!(now < heard.after(muster_rules().work.held_until()));
        let lanes = match act {
            Act::Forge => {
                let other = puzzle::Task { seed: acre_types::Digest([77; 32]), ..task };
                solve(1, &other).1
            }
            _ => lanes,
        };
        let proofs = puzzle::prove(&task, &lanes, &nonce, probes).unwrap();
        witness.input(now.after(probed_after), answered(call, Answer::Probed(proofs)));
    }
    settle(&mut witness, Tick(60_000_000)).unwrap()
}

/// The node is there when it is visited; it holds nothing.
fn visit(witness: &mut Witness, now: Tick, call: acre_capacity::duty::Call) {
    witness.input(now, In::Failed { call });
}

/// Lets time pass, with visits that fail.
fn settle(witness: &mut Witness, until: Tick) -> Option<Verdict> {
    while let Some(now) = witness.deadline().filter(|now| *now <= until) {
        witness.wake(now);
        while let Some(out) = witness.output() {
            match out {
                Out::Ask { call, .. } => visit(witness, now, call),
                Out::Report(report) => return report.verdicts.first().copied(),
                Out::Rebuild { .. } => panic!("nothing was shown"),
            }
        }
    }
    None
}

#[track_caller]
fn check(acts: &[Act], cores: u32, memory: u64, failures: (u16, u16)) {
    let verdict = after(acts);
    assert_eq!((verdict.cores, verdict.memory.0), (cores, memory), "{verdict:?}");
    assert_eq!((verdict.late, verdict.wrong), failures, "{verdict:?}");
}

const ALL: u64 = 8 * 4 * 32 * 1024;

#[test]
fn node_that_claims_and_shows_in_time_has_what_it_claims() {
    check(&[in_time()], 8, ALL, (0, 0));
}

#[test]
fn slower_than_par_counts_in_proportion_and_later_than_half_more_counts_nothing() {
    let after = |percent| Act::Claim { after: par() * percent / 100, probed_after: MS(50) };
    check(&[after(103)], 8, ALL, (0, 0));
    check(&[after(125)], 6, ALL, (0, 0));
    check(&[after(150)], 5, ALL, (0, 0));
    check(&[after(151)], 0, 0, (1, 0));
}

#[test]
fn probes_that_are_late_or_false_show_nothing() {
    let late = Act::Claim { after: par(), probed_after: MS(2001) };
    check(&[late], 0, 0, (1, 0));
    check(&[Act::Forge], 0, 0, (0, 1));
}

#[test]
fn who_is_busy_or_gone_at_a_muster_has_nothing() {
    check(&[Act::Busy], 0, 0, (0, 0));
    check(&[Act::Nothing], 0, 0, (0, 0));
}

#[test]
fn least_of_several_musters_counts() {
    let slow = Act::Claim { after: par() * 5 / 4, probed_after: MS(50) };
    check(&[in_time(), slow], 6, ALL, (0, 0));
    check(&[slow, in_time()], 6, ALL, (0, 0));
    check(&[in_time(), Act::Nothing], 0, 0, (0, 0));
}

#[test]
fn muster_of_another_epoch_is_not_heard_nor_is_nothing_asked() {
    let (busy, free) = (duty(1, 0, (0, Bytes(0))), duty(2, 1, (0, Bytes(0))));
    let mut witness = Witness::new(muster_rules()).unwrap();
    witness.input(Tick(0), In::Begin(plan(vec![busy, free])));
    let In::Muster { seeds, .. } = muster(&[busy, free], 1) else { panic!() };
    witness.input(HEARD, In::Muster { epoch: Epoch(5), seeds });
    assert_eq!(witness.output(), None);
    witness.input(HEARD, muster(&[busy, free], 1));
    let Some(Out::Ask { node, ask: Ask::Work(task), .. }) = witness.output() else { panic!() };
    assert_eq!((node, task.lanes), (free.node, 4));
    assert_eq!(witness.output(), None, "all of the other is reserved");
}

#[test]
fn all_witnesses_ask_the_same_of_a_node() {
    let work = muster_rules().work;
    let seed = acre_types::Digest([3; 32]);
    let task = |duty: Duty| duty.task(&work, Epoch(4), seed).unwrap();
    assert_eq!(task(duty(1, 8, (0, Bytes(0)))), task(duty(1, 8, (8, Bytes(1)))));
    assert_ne!(task(duty(1, 8, (0, Bytes(0)))), task(duty(2, 8, (0, Bytes(0)))));
    let large = WorkRules { memory_scale: 1, ..work };
    let memory = Bytes(u64::MAX);
    let most = Duty { memory, ..duty(1, 8, (0, Bytes(0))) }.task(&large, Epoch(4), seed).unwrap();
    assert_eq!(most.lanes, 64, "never more than eight a core");
}

#[test]
fn one_machine_shows_little_more_than_its_cores_however_many_nodes_it_has() {
    for (name, machine) in machines() {
        let (cores, lanes) = believed(machine);
        assert!(cores <= 64 * 141 / 100, "{name}: {cores} of 64");
        let memory = machine.holds as u64 * u64::from(machine.each) * 4;
        assert!(lanes <= memory, "{name}: {lanes} lanes of {memory} that fit");
    }
    let honest = Shared { cores: 64, nodes: 1, each: 64, holds: 1 };
    assert_eq!(believed(honest), (64, 256));
    // By the integral 1.41 with the memory for it, without rounding; 1 with the memory that it has.
    let many = Shared { cores: 64, nodes: 16, each: 8, holds: 16 };
    assert!((80..=90).contains(&believed(many).0), "{:?}", believed(many));
    assert_eq!(believed(Shared { holds: 8, ..many }), (64, 256));
}

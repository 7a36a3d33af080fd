//! Reports of witnesses: who may, what they do to a node's record, what liars get.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use acre_codec::List;
use acre_ledger::fold::fold;
use acre_ledger::witness::may_witness;
use acre_ledger::{
    Action, Capacity, CapacityRules, EpochState, Event, Failures, Finding, Heard, Independence,
    NewContract, NewKind, NewStorage, Node, NodeAt, NodeState, Parameters, Refusal, Tally, TallyOf,
    TheEpoch, Verdict, Verified, apply_block, build_block, check_tx,
};
use acre_types::{Amount, Bytes, Epoch, Height, Profile, UnixMs};
use proptest::prelude::*;

use common::{Grid, account, addresses, capacity, key, node};

const EPOCH_MS: u64 = 1_000;
const CLAIMED: u64 = 1_000_000;

fn rules() -> CapacityRules {
    CapacityRules {
        epoch_ms: EPOCH_MS,
        witnesses: 3,
        reports_min: 1,
        independence: Independence::Operator,
        beacon_steps: 2,
        ..CapacityRules::default()
    }
}

fn good() -> Finding {
    let (measured, failures) = (capacity(CLAIMED), Failures::default());
    Finding { asked: 10, answered: 10, measured, failures, ..Finding::default() }
}

impl Grid {
    /// Nodes 101 to 100 + `farms`, each of its own operator; epoch 2, the first in which they are
    /// watched, is just over.
    fn watched(capacity: CapacityRules, farms: u8) -> Self {
        let mut grid =
            Self::with_farms_under(Parameters { capacity, ..Parameters::default() }, farms);
        for _ in 0..3 {
            grid.pass();
        }
        assert_eq!(grid.epoch().past.unwrap().nodes, u32::from(farms));
        grid
    }

    fn epoch(&self) -> EpochState {
        self.state.read(&TheEpoch).unwrap().unwrap()
    }

    fn pass(&mut self) {
        self.now = self.epoch().ends().0;
        self.height += 1;
        let (height, time) = (Height(self.height), UnixMs(self.now));
        self.state = apply_block::<Verified>(&self.state, &[], height, time).unwrap().state;
    }

    fn node(&self, number: u8) -> Node {
        self.state.read(&node(number)).unwrap().unwrap()
    }

    fn number_of(&self, index: u32) -> u8 {
        let id = self.state.read(&NodeAt(index)).unwrap().unwrap();
        (101..=120).find(|number| node(*number) == id).unwrap()
    }

    /// Numbers of the nodes that this one was to watch.
    fn duties(&self, witness: u8) -> Vec<u8> {
        let duties = self.epoch().past.unwrap().assignment().duties_of(self.node(witness).index);
        duties.into_iter().map(|index| self.number_of(index)).collect()
    }

    fn witnesses(&self, number: u8) -> Vec<u8> {
        let past = self.epoch().past.unwrap();
        let all = past.assignment().witnesses_of(self.node(number).index);
        all.into_iter().map(|index| self.number_of(index)).collect()
    }

    fn verdicts(&self, about: &[u8], finding: impl Fn(u8) -> Finding) -> Action {
        let mut verdicts: Vec<_> = about
            .iter()
            .map(|number| Verdict { node: node(*number), finding: finding(*number) })
            .collect();
        verdicts.sort_by_key(|verdict| verdict.node);
        let epoch = self.epoch().past.unwrap().number;
        Action::ReportWitness { epoch, verdicts: List::new(verdicts).unwrap() }
    }

    fn report(
        &mut self,
        witness: u8,
        finding: impl Fn(u8) -> Finding,
    ) -> Result<Vec<Event>, Refusal> {
        let action = self.verdicts(&self.duties(witness), finding);
        self.act(witness, action)
    }

    fn pass_and_report(&mut self, witness: u8, finding: Finding) -> Result<Vec<Event>, Refusal> {
        self.pass();
        self.report(witness, |_| finding)
    }

    fn report_all(&mut self, farms: u8, finding: impl Fn(u8, u8) -> Finding) {
        for witness in 101..=100 + farms {
            self.report(witness, |about| finding(witness, about)).unwrap();
        }
    }
}

#[test]
fn what_witnesses_agree_on_is_verified_with_the_next_epochs_reports() {
    let mut grid = Grid::watched(rules(), 6);
    grid.report_all(6, |_, _| Finding { answered: 9, ..good() });
    assert_eq!(grid.node(101).verified, Capacity::default());
    grid.pass();
    grid.report_all(6, |_, _| good());
    for number in 101..=106 {
        let node = grid.node(number);
        assert_eq!(node.verified, capacity(CLAIMED));
        assert_eq!((node.record.due, node.record.up), (EPOCH_MS, EPOCH_MS * 9 / 10));
        assert_eq!((node.record.epochs, node.record.last), (1, Some(Epoch(2))));
        assert_eq!((node.witnessing.reports, node.witnessing.verdicts), (2, 6));
        assert_eq!((node.witnessing.off, node.witnessing.last), (0, Some(Epoch(3))));
        assert_eq!(grid.balance(account(number)), 0);
    }
}

#[test]
fn report_costs_nothing_and_may_cost_nothing() {
    let mut grid = Grid::watched(rules(), 6);
    let burned = grid.state.totals().unwrap().burned;
    let action = grid.verdicts(&grid.duties(101), |_| good());
    let mut paying = grid.transaction(101, action);
    assert_eq!(paying.fee, Amount(0));
    paying.fee = Amount(1);
    let refusal = Refusal::FeeTooHigh { given: Amount(1), wanted: Amount(0) };
    let signed = paying.sign(&key(101));
    assert_eq!(check_tx(&grid.state, &signed, UnixMs(0)), Err(refusal.into()));
    grid.report(101, |_| good()).unwrap();
    assert_eq!(grid.state.totals().unwrap().burned, burned);
}

#[test]
fn only_the_assigned_report_once_an_epoch_about_their_duties() {
    let mut grid = Grid::watched(rules(), 8);
    let duties = grid.duties(101);
    let other = (101..=108).find(|n| !duties.contains(n) && *n != 101).unwrap();
    for number in [other, 101] {
        let action = grid.verdicts(&[number], |_| good());
        let refusal = Refusal::NotADuty { node: node(number) };
        assert_eq!(grid.act(101, action), Err(refusal));
    }
    let stranger = grid.verdicts(&[101], |_| good());
    assert_eq!(grid.act(1, stranger), Err(Refusal::NoSuchNode { node: node(1) }));
    let wrong = Refusal::WrongEpoch { given: Epoch(1), wanted: Epoch(2) };
    let Action::ReportWitness { verdicts, .. } = grid.verdicts(&duties, |_| good()) else {
        unreachable!()
    };
    let early = Action::ReportWitness { epoch: Epoch(1), verdicts };
    assert_eq!(grid.act(101, early), Err(wrong));
    grid.report(101, |_| good()).unwrap();
    let twice = grid.report(101, |_| good());
    assert_eq!(twice, Err(Refusal::DoneThisEpoch { epoch: Epoch(2) }));
    grid.pass();
    grid.report(101, |_| good()).unwrap();
}

#[test]
fn impossible_verdicts_are_refused() {
    let mut grid = Grid::watched(rules(), 6);
    let epoch = Epoch(2);
    let range = Err(Refusal::OutOfRange { what: "a verdict" });
    let empty = List::new(Vec::new()).unwrap();
    assert_eq!(grid.act(101, Action::ReportWitness { epoch, verdicts: empty }), range);
    for (asked, answered) in [(0, 0), (3, 4)] {
        let refused = grid.report(101, |_| Finding { asked, answered, ..good() });
        assert_eq!(refused, range);
    }
    let verdict = Verdict { node: node(grid.duties(101)[0]), finding: good() };
    let twice = List::new(vec![verdict.clone(), verdict]).unwrap();
    assert_eq!(grid.act(101, Action::ReportWitness { epoch, verdicts: twice }), range);
}

#[test]
fn new_nodes_have_no_duties_yet() {
    let mut grid = Grid::watched(rules(), 6);
    grid.join(110, 1, 1, "annex").unwrap();
    let refusal = Refusal::NotADuty { node: node(101) };
    let action = grid.verdicts(&[101], |_| good());
    assert_eq!(grid.act(110, action), Err(refusal));
}

#[test]
fn liar_moves_nothing_and_gets_a_strike() {
    for lie in [
        Finding { answered: 0, ..good() },
        Finding { measured: capacity(0), ..good() },
        Finding { measured: Capacity { cores: 0, ..capacity(CLAIMED) }, ..good() },
    ] {
        let mut grid = Grid::watched(rules(), 6);
        let liar = grid.witnesses(101)[0];
        grid.report_all(
            6,
            |witness, about| if (witness, about) == (liar, 101) { lie } else { good() },
        );
        grid.pass();
        grid.report_all(6, |_, _| good());
        assert_eq!(grid.node(101).verified, capacity(CLAIMED));
        assert_eq!(grid.node(101).record.up, EPOCH_MS);
        for number in 101..=106 {
            assert_eq!(grid.node(number).witnessing.off, u64::from(number == liar), "{lie:?}");
        }
        assert_eq!(grid.node(liar).witnessing.honest(), 5);
    }
}

/// Praise above the claim is worth nothing, so it is no strike either.
#[test]
fn nothing_is_verified_beyond_what_is_claimed() {
    let mut grid = Grid::watched(rules(), 6);
    let huge = Capacity { storage: Bytes(u64::MAX), cores: u32::MAX, memory: Bytes(u64::MAX) };
    grid.report_all(6, |_, _| Finding { measured: huge, ..good() });
    grid.pass();
    grid.report_all(6, |_, _| good());
    assert_eq!(grid.node(103).verified, capacity(CLAIMED));
    assert_eq!(grid.node(103).witnessing.off, 0);
    let action = Action::UpdateNode {
        node: node(103),
        capacity: capacity(CLAIMED / 2),
        addresses: addresses(),
        state: NodeState::Active,
    };
    grid.act(3, action).unwrap();
    assert_eq!(grid.node(103).verified, capacity(CLAIMED / 2));
}

/// A contract of two bytes over three own nodes, and an index that claims all of them sold: what no
/// contract has reserved is not verified, whatever all witnesses say.
#[test]
fn shards_beyond_what_contracts_have_reserved_are_not_verified() {
    let mut grid = Grid::watched(rules(), 6);
    let storage = NewStorage {
        profile: Profile::Tiny,
        places: List::new(vec![node(101), node(102), node(103)]).unwrap(),
        bytes: Bytes(2),
        writer: key(1).public(),
    };
    let (kind, budget) = (NewKind::Storage(storage), Amount(u64::MAX));
    let period_ms = 30 * 24 * 3_600_000;
    grid.act(1, Action::CreateContract(NewContract { kind, period_ms, budget })).unwrap();
    let reserved = grid.node(101).reserved.storage;
    assert!((Bytes(1)..=Bytes(2)).contains(&reserved));
    let sold = |sold, storage| Finding {
        measured: Capacity { storage: Bytes(storage), ..capacity(0) },
        sold: Bytes(sold),
        ..good()
    };
    grid.report_all(6, |_, about| {
        if about == 101 { sold(CLAIMED, CLAIMED) } else { sold(CLAIMED / 2, CLAIMED) }
    });
    grid.pass();
    grid.report_all(6, |_, _| good());
    assert_eq!(grid.node(101).verified.storage, reserved, "all was said to be shards");
    assert_eq!(grid.node(102).verified.storage, Bytes(CLAIMED / 2 + reserved.0));
    assert_eq!(grid.node(104).verified.storage, Bytes(CLAIMED / 2), "no contract there");
    assert_eq!(grid.node(105).witnessing.off, 0);
    let refused = grid.pass_and_report(101, sold(CLAIMED + 1, CLAIMED));
    assert_eq!(refused, Err(Refusal::OutOfRange { what: "a verdict" }));
}

#[test]
fn too_few_reports_count_neither_for_a_node_nor_against_it() {
    let mut grid = Grid::watched(rules(), 6);
    let alone = grid.witnesses(101)[0];
    grid.report(alone, |_| Finding { answered: 0, ..good() }).unwrap();
    grid.pass();
    grid.report_all(6, |_, _| good());
    let record = grid.node(101).record;
    assert_eq!((record.due, record.up, record.epochs, record.last), (0, 0, 0, None));
    assert_eq!(grid.node(alone).witnessing.off, 0);
    grid.pass();
    grid.report_all(6, |_, _| good());
    assert_eq!(grid.node(101).record.due, EPOCH_MS);
}

#[test]
fn reports_are_folded_before_a_claim_changes_once_the_epoch_is_closed() {
    let mut grid = Grid::watched(rules(), 6);
    grid.report_all(6, |_, _| good());
    let update = |storage| Action::UpdateNode {
        node: node(104),
        capacity: capacity(storage),
        addresses: addresses(),
        state: NodeState::Active,
    };
    grid.act(104, update(CLAIMED + 1)).unwrap();
    assert_eq!(grid.node(104).record.epochs, 0);
    grid.pass();
    grid.act(104, update(CLAIMED + 2)).unwrap();
    assert_eq!((grid.node(104).record.epochs, grid.node(104).verified), (1, capacity(CLAIMED)));
    // The same reports do not count twice.
    grid.act(104, update(CLAIMED + 3)).unwrap();
    grid.report_all(6, |_, _| good());
    assert_eq!(grid.node(104).record.epochs, 1);
}

#[test]
fn witness_of_the_same_operator_abstains() {
    let mut grid =
        Grid::with_farms_under(Parameters { capacity: rules(), ..Parameters::default() }, 4);
    grid.join(111, 1, 1, "another site").unwrap();
    for _ in 0..3 {
        grid.pass();
    }
    let mates = (grid.node(101), grid.node(111));
    for (rule, may) in
        [(Independence::Operator, false), (Independence::Site, true), (Independence::Node, true)]
    {
        assert_eq!(may_witness(rule, &mates.0, &mates.1), may);
        assert!(!may_witness(
            rule,
            &Node { state: NodeState::Retired, ..mates.0.clone() },
            &mates.1
        ));
    }
    assert!(!may_witness(Independence::Node, &mates.0, &mates.0));
    let mut seen = 0;
    for _ in 0..20 {
        if grid.duties(101).contains(&111) {
            seen += 1;
            let action = grid.verdicts(&[111], |_| good());
            assert_eq!(grid.act(101, action), Err(Refusal::NotADuty { node: node(111) }));
            // The two others are a majority of those whose word counts.
            let others: Vec<_> = grid.witnesses(111).into_iter().filter(|n| *n != 101).collect();
            for witness in others {
                let action = grid.verdicts(&[111], |_| good());
                grid.act(witness, action).unwrap();
            }
            let tally = grid.state.read(&TallyOf(node(111))).unwrap().unwrap();
            assert_eq!((tally.witnesses, tally.heard.len()), (2, 2));
        }
        grid.pass();
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn retired_nodes_neither_watch_nor_are_watched() {
    let mut grid = Grid::watched(rules(), 6);
    let retire = Action::UpdateNode {
        node: node(101),
        capacity: capacity(CLAIMED),
        addresses: addresses(),
        state: NodeState::Retired,
    };
    grid.act(1, retire).unwrap();
    assert!(matches!(grid.report(101, |_| good()), Err(Refusal::NotADuty { .. })));
    let witness = grid.witnesses(101)[0];
    grid.report(witness, |_| good()).unwrap();
    assert_eq!(grid.state.read(&TallyOf(node(101))).unwrap(), None);
    assert_eq!(grid.node(witness).witnessing.verdicts, 2);
}

#[test]
fn quorum_is_the_majority_and_no_less_than_the_rules_ask() {
    let check = |witnesses, reports_min, wanted| {
        let heard = List::new(Vec::new()).unwrap();
        let tally = Tally { epoch: Epoch(1), span_ms: 1, witnesses, duties: 0, heard };
        assert_eq!(tally.quorum(reports_min), wanted, "{witnesses} {reports_min}");
    };
    check(0, 1, 1);
    check(1, 1, 1);
    check(2, 1, 2);
    check(3, 1, 2);
    check(5, 1, 3);
    check(16, 1, 9);
    check(3, 3, 3);
    check(1, 4, 4);
}

fn finding() -> impl Strategy<Value = Finding> {
    let storage = prop_oneof![Just(0), Just(u64::MAX), 0..3 * CLAIMED];
    (1..=20_u16, 0..=20_u16, storage, 0..9_u32, any::<u64>(), any::<(u16, u16, u16)>()).prop_map(
        |(asked, answered, storage, cores, memory, (late, missing, wrong))| Finding {
            asked,
            answered: answered.min(asked),
            measured: Capacity { storage: Bytes(storage), cores, memory: Bytes(memory) },
            sold: Bytes(storage / 2),
            solid: Bytes(storage / 4 * u64::from(cores % 5)),
            failures: Failures { late, missing, wrong },
        },
    )
}

/// Lowest and highest of what the honest said.
fn range<T: Ord + Copy>(
    honest: &[Finding],
    field: fn(&Finding) -> T,
) -> std::ops::RangeInclusive<T> {
    let values = || honest.iter().map(field);
    values().min().unwrap()..=values().max().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn minority_of_reports_cannot_move_the_fold_out_of_the_honest_range(
        honest in proptest::collection::vec(finding(), 1..9),
        liars in proptest::collection::vec(finding(), 0..8),
        at in proptest::collection::vec(any::<proptest::sample::Index>(), 8),
    ) {
        let mut all = honest.clone();
        for (liar, at) in liars.iter().take(honest.len() - 1).zip(at) {
            all.insert(at.index(all.len() + 1), *liar);
        }
        let heard = (0..).zip(all).map(|(witness, finding)| Heard { witness, finding }).collect();
        let tally = Tally {
            epoch: Epoch(1),
            span_ms: EPOCH_MS,
            witnesses: 16,
            duties: 16,
            heard: List::new(heard).unwrap(),
        };
        let Some(folded) = fold(&tally, (capacity(CLAIMED), Bytes(u64::MAX)), &rules()) else {
            prop_assert!(tally.heard.len() < 9);
            return Ok(());
        };
        prop_assert!(range(&honest, Finding::uptime).contains(&folded.uptime));
        prop_assert!(range(&honest, |f| f.measured.storage).contains(&folded.measured.storage));
        prop_assert!(range(&honest, |f| f.measured.cores).contains(&folded.measured.cores));
        prop_assert!(range(&honest, |f| f.measured.memory).contains(&folded.measured.memory));
        prop_assert!(range(&honest, |f| f.failures.wrong).contains(&folded.failures.wrong));
        prop_assert!(range(&honest, |f| f.failures.late).contains(&folded.failures.late));
    }
}

/// Epoch, witnesses whose word counts, and what was said: answered, asked, storage.
type Said = (u64, usize, Vec<(u64, u64, u64)>);

/// The books of one node once more, as plainly as possible.
#[derive(Clone, Debug, Default)]
struct PlainNode {
    claimed: u64,
    verified: u64,
    due: u64,
    up: u64,
    said: Option<Said>,
    is_retired: bool,
}

impl PlainNode {
    /// Only for an epoch before `open`, the one that reports may be about.
    fn fold(&mut self, open: u64) {
        let Some((epoch, witnesses, said)) = self.said.take() else { return };
        if epoch >= open {
            self.said = Some((epoch, witnesses, said));
            return;
        }
        if said.len() * 2 <= witnesses {
            return;
        }
        let lower_median = |mut values: Vec<u64>| {
            values.sort();
            values[(values.len() - 1) / 2]
        };
        let ppm =
            lower_median(said.iter().map(|(yes, asked, _)| yes * 1_000_000 / asked).collect());
        self.due += EPOCH_MS;
        self.up += EPOCH_MS * ppm / 1_000_000;
        self.verified = lower_median(said.iter().map(|said| said.2).collect()).min(self.claimed);
    }
}

/// What happens in one block of a random history.
#[derive(Clone, Debug)]
enum Step {
    Report { witness: u8, finding: Finding },
    Claim { number: u8, storage: u64, state: u8 },
    Pass { epochs: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (101..=106_u8, finding()).prop_map(|(witness, finding)| Step::Report { witness, finding }),
        2 => (101..=106_u8, 0..2 * CLAIMED, 0..9_u8)
            .prop_map(|(number, storage, state)| Step::Claim { number, storage, state }),
        3 => (0..3_u64).prop_map(|epochs| Step::Pass { epochs }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    /// L3 and L7 hold and records are what a plain model says, whatever witnesses and owners do.
    #[test]
    fn records_agree_with_a_plain_model_and_never_exceed_claims(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut grid = Grid::watched(rules(), 6);
        let mut plain: BTreeMap<u8, PlainNode> = (101..=106)
            .map(|number| (number, PlainNode { claimed: CLAIMED, ..PlainNode::default() }))
            .collect();
        let issued = |grid: &Grid| {
            let totals = grid.state.totals().unwrap();
            totals.minted.0 - totals.burned.0
        };
        for step in steps {
            let open = grid.epoch().past.unwrap().number.0;
            match step {
                Step::Report { witness, finding } => {
                    let is_retired = plain[&witness].is_retired;
                    let is_new = grid.node(witness).witnessing.last != Some(Epoch(open));
                    let done = grid.report(witness, |_| finding);
                    prop_assert_eq!(done.is_ok(), is_new && !is_retired, "{:?}", done);
                    for about in grid.duties(witness).into_iter().filter(|_| done.is_ok()) {
                        let able = grid.witnesses(about);
                        let able = able.iter().filter(|number| !plain[*number].is_retired).count();
                        let entry = plain.get_mut(&about).unwrap();
                        if entry.is_retired {
                            continue;
                        }
                        entry.fold(open);
                        let said = entry.said.get_or_insert((open, able, Vec::new()));
                        let (yes, asked) = (finding.answered.into(), finding.asked.into());
                        // No contract has reserved anything, so no shard counts.
                        let plots = finding.measured.storage.0 - finding.sold.0;
                        said.2.push((yes, asked, plots));
                    }
                }
                Step::Claim { number, storage, state } => {
                    let state = [NodeState::Draining, NodeState::Retired, NodeState::Active]
                        [usize::from(state.min(2))];
                    let action = Action::UpdateNode {
                        node: node(number),
                        capacity: Capacity { memory: Bytes(9 << 30), ..capacity(storage) },
                        addresses: addresses(),
                        state,
                    };
                    let was_retired = plain[&number].is_retired;
                    let done = grid.act(number - 100, action);
                    if was_retired && state != NodeState::Retired {
                        prop_assert_eq!(&done, &Err(Refusal::NodeRetired { node: node(number) }));
                    }
                    if done.is_ok() {
                        let entry = plain.get_mut(&number).unwrap();
                        entry.fold(open);
                        entry.claimed = storage;
                        entry.verified = entry.verified.min(storage);
                        entry.is_retired = state == NodeState::Retired;
                    }
                }
                Step::Pass { epochs } => {
                    grid.now += epochs * EPOCH_MS;
                    let (height, time) = (Height(grid.height + 1), UnixMs(grid.now));
                    let empty = build_block::<Verified>(&grid.state, [], height, time).unwrap();
                    let again = apply_block::<Verified>(&grid.state, &[], height, time).unwrap();
                    prop_assert_eq!(empty.applied.root, again.root);
                    grid.state = again.state;
                }
            }
            let (mut sum, mut units) = (0, 0);
            for (number, wanted) in &plain {
                let node = grid.node(*number);
                prop_assert_eq!(node.verified, node.proven(), "L7 at {}", number);
                prop_assert_eq!(node.verified.storage.0, wanted.verified);
                units += u128::from(acre_ledger::proven_units(&node));
                prop_assert_eq!((node.record.due, node.record.up), (wanted.due, wanted.up));
                prop_assert!(node.witnessing.off <= node.witnessing.verdicts);
                sum += grid.balance(account(*number)) + grid.balance(account(number - 100));
            }
            prop_assert_eq!(sum, issued(&grid), "L3");
            let assembly = grid.state.read(&acre_ledger::TheAssembly).unwrap().unwrap_or_default();
            prop_assert_eq!(assembly.units, units, "what farmers vote with");
        }
    }
}

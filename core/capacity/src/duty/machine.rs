//! The machine of one witness.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use acre_types::{Digest, Epoch, Machine, NodeId, Tick};

use super::chasing::Fault;
use super::mustering::Wanted;
use super::visit::{Charge, Phase, Question, Rebuild, Try};
use super::{Call, In, Out, Plan, Report, Rules};
use crate::CapacityError;
use crate::message::{Answer, Ask, SignedCommitment};
use crate::verify::HeaderCheck;

/// A late answer is waited for this many times as long as one in time, so that "slow" can be told
/// from "gone".
const PATIENCE: u32 = 3;
/// A chase that is too slow is waited for this many times as long as the slowest that counts.
const CHASE_PATIENCE: u32 = 2;

/// A witness. It asks every node on its own: one that does not answer delays no other.
pub struct Witness {
    rules: Rules,
    plan: Option<Plan>,
    charges: BTreeMap<NodeId, Charge>,
    calls: BTreeMap<Call, NodeId>,
    rebuilds: BTreeMap<Call, (NodeId, Digest)>,
    next_call: u64,
    out: VecDeque<Out>,
}

impl Witness {
    /// # Errors
    /// [`CapacityError::Rules`].
    pub fn new(rules: Rules) -> Result<Self, CapacityError> {
        rules.check()?;
        Ok(Self {
            rules,
            plan: None,
            charges: BTreeMap::new(),
            calls: BTreeMap::new(),
            rebuilds: BTreeMap::new(),
            next_call: 0,
            out: VecDeque::new(),
        })
    }

    fn call(&mut self) -> Call {
        self.next_call = self.next_call.saturating_add(1);
        Call(self.next_call)
    }

    fn begin(&mut self, now: Tick, plan: Plan) {
        self.report(now);
        for duty in plan.duties() {
            self.charges.insert(duty.node, Charge::new(*duty, &plan, &self.rules, now));
        }
        self.plan = Some(plan);
    }

    /// Ends the epoch, whatever is still awaited.
    fn report(&mut self, now: Tick) {
        let mut charges = std::mem::take(&mut self.charges);
        charges.values_mut().for_each(|charge| charge.end_chase(now, &self.rules));
        self.calls.clear();
        self.rebuilds.clear();
        let Some(plan) = self.plan.take() else { return };
        let verdicts: Vec<_> = charges.values().filter_map(Charge::verdict).collect();
        if !verdicts.is_empty() {
            self.out.push_back(Out::Report(Report { epoch: plan.epoch, verdicts }));
        }
    }

    fn ask(&mut self, now: Tick, node: NodeId, question: Question, tried: Try) {
        let call = self.call();
        let Some(plan) = &self.plan else { return };
        let epoch = plan.epoch;
        let Some(charge) = self.charges.get_mut(&node) else { return };
        let nonce = charge.nonce();
        let answer = self.rules.answer;
        let (ask, patience) = match &question {
            Question::Commitment => (Ask::Commit { epoch, nonce }, answer),
            Question::Samples { commitment } => {
                let index = commitment.index.as_ref().map_or(Digest([0; 32]), |span| span.digest);
                let samples = self.rules.samples;
                (Ask::Open { index, nonce, samples }, answer.saturating_mul(PATIENCE))
            }
            Question::Chase { commitment } => {
                let index = commitment.index.as_ref().map_or(Digest([0; 32]), |span| span.digest);
                let steps = self.rules.chase.steps;
                let slowest = self.rules.chase.slowest().saturating_mul(CHASE_PATIENCE);
                (Ask::Chase { index, nonce, steps }, slowest.saturating_add(answer))
            }
            Question::Trace { trail, nonce, .. } => {
                // The same nonce at each try: a node cannot draw again by saying nothing.
                let (nonce, probes) = (*nonce, self.rules.chase.probes);
                let ask = Ask::Trace { trail: trail.digest(), nonce, probes };
                (ask, answer.saturating_mul(PATIENCE))
            }
        };
        charge.phase = Phase::Waiting { call, sent: now, nonce, tried, question };
        self.calls.insert(call, node);
        self.out.push_back(Out::Ask { call, node, ask, patience });
    }

    /// What the node is asked next within this visit, or nothing.
    fn go_on(&mut self, now: Tick, node: NodeId, after: After) {
        let Some(charge) = self.charges.get_mut(&node) else { return };
        charge.phase = Phase::Idle;
        let question = match after {
            After::Commitment(commitment) => {
                charge.committed(&commitment);
                if commitment.index.is_some() {
                    Some(Question::Samples { commitment })
                } else {
                    None
                }
            }
            After::Samples(commitment) => charge.chase(&commitment),
            After::Chase => None,
            After::First(question) => Some(question),
        };
        if let Some(question) = question {
            self.ask(now, node, question, Try::First);
        }
    }

    /// A question that was not answered: once more, or never.
    fn not_answered(&mut self, now: Tick, waiting: Waiting, why: Why) {
        let Waiting { node, nonce, tried, question, .. } = waiting;
        let until = now.after(self.rules.retry);
        let Some(charge) = self.charges.get_mut(&node) else { return };
        match (&question, tried) {
            (
                Question::Commitment | Question::Samples { .. } | Question::Trace { .. },
                Try::First,
            ) => {
                charge.phase = Phase::Pausing { until, question };
            }
            (Question::Commitment, Try::Second) => charge.phase = Phase::Idle,
            (Question::Samples { commitment }, Try::Second) => {
                match why {
                    Why::Late => charge.late(),
                    Why::Gone => charge.missing(),
                }
                charge.not_sampled(&self.rules, commitment, &nonce);
                let commitment = commitment.clone();
                self.go_on(now, node, After::Samples(commitment));
            }
            (Question::Chase { .. }, _) | (Question::Trace { .. }, Try::Second) => {
                charge.chase_failed(Fault::Missing);
                self.go_on(now, node, After::Chase);
            }
        }
    }

    fn answered(&mut self, now: Tick, call: Call, answer: Answer, headers: &[HeaderCheck]) {
        let Some(waiting) = self.take(call) else { return };
        let Waiting { node, sent, nonce, tried, question } = waiting;
        let took = now.since(sent);
        match (question, answer) {
            (Question::Commitment, Answer::Committed(signed)) => {
                let waiting = Waiting { node, sent, nonce, tried, question: Question::Commitment };
                self.judge_commitment(now, waiting, took, signed);
            }
            (Question::Samples { commitment }, Answer::Opened(samples)) => {
                if took > self.rules.answer {
                    let question = Question::Samples { commitment };
                    let waiting = Waiting { node, sent, nonce, tried, question };
                    return self.not_answered(now, waiting, Why::Late);
                }
                let Some(charge) = self.charges.get_mut(&node) else { return };
                let rules = self.rules;
                let rebuild = charge.sampled(&rules, &commitment, &nonce, &samples, headers);
                if let Some(rebuild) = rebuild {
                    self.rebuild(node, &rebuild);
                }
                self.go_on(now, node, After::Samples(commitment));
            }
            (Question::Chase { commitment }, Answer::Chased(signed)) => {
                let (rules, asked) = (self.rules, (commitment, nonce));
                let Some(charge) = self.charges.get_mut(&node) else { return };
                let trace = charge.chased(&rules, asked, took, signed);
                self.go_on(now, node, trace.map_or(After::Chase, After::First));
            }
            (Question::Trace { commitment, trail, class, nonce }, Answer::Traced(proofs)) => {
                let rules = self.rules;
                let Some(charge) = self.charges.get_mut(&node) else { return };
                charge.traced(&rules, (&commitment, &trail), (class, &nonce), &proofs);
                self.go_on(now, node, After::Chase);
            }
            (question, _) => {
                let waiting = Waiting { node, sent, nonce, tried, question };
                self.not_answered(now, waiting, Why::Gone);
            }
        }
    }

    fn judge_commitment(
        &mut self,
        now: Tick,
        waiting: Waiting,
        took: Duration,
        signed: SignedCommitment,
    ) {
        let Some(plan) = &self.plan else { return };
        if took > self.rules.answer {
            return self.not_answered(now, waiting, Why::Late);
        }
        let Waiting { node, nonce, .. } = waiting;
        if signed.verify(node, plan.epoch, nonce).is_err() {
            let Some(charge) = self.charges.get_mut(&node) else { return };
            charge.wrong();
            return charge.phase = Phase::Idle;
        }
        self.go_on(now, node, After::Commitment(signed.commitment));
    }

    /// All nodes at once, whatever else they are asked.
    fn muster(&mut self, now: Tick, epoch: Epoch, seeds: &[(NodeId, Digest)]) {
        if self.plan.as_ref().is_none_or(|plan| plan.epoch != epoch) {
            return;
        }
        for (node, seed) in seeds {
            let (call, rules) = (self.call(), self.rules);
            let Some(charge) = self.charges.get_mut(node) else { continue };
            let wanted = charge.muster((now, call), &rules, (epoch, *seed));
            self.want(call, wanted);
        }
    }

    fn want(&mut self, call: Call, wanted: Option<Wanted>) {
        let Some((node, ask, patience)) = wanted else { return };
        self.calls.insert(call, node);
        self.out.push_back(Out::Ask { call, node, ask, patience });
    }

    /// Whether this call is a question of a muster.
    fn is_of_muster(&self, call: Call) -> bool {
        let charge = self.calls.get(&call).and_then(|node| self.charges.get(node));
        charge.is_some_and(|charge| charge.mustering.awaits(call))
    }

    /// The answer to a question of a muster; `None` if there was none.
    fn mustered(&mut self, now: Tick, call: Call, answer: Option<Answer>) {
        let node = self.calls.remove(&call);
        if let Some(charge) = node.and_then(|node| self.charges.get_mut(&node)) {
            charge.mustered(now, &self.rules, answer);
        }
    }

    fn rebuild(&mut self, node: NodeId, rebuild: &Rebuild) {
        let call = self.call();
        self.rebuilds.insert(call, (node, rebuild.root));
        let (region, rules) = (rebuild.region, self.rules.plot);
        self.out.push_back(Out::Rebuild { call, node, region, rules });
    }

    /// What was awaited under this name; nothing if the epoch ended meanwhile.
    fn take(&mut self, call: Call) -> Option<Waiting> {
        let node = self.calls.remove(&call)?;
        let charge = self.charges.get_mut(&node)?;
        match std::mem::replace(&mut charge.phase, Phase::Idle) {
            Phase::Waiting { call: awaited, sent, nonce, tried, question } if awaited == call => {
                Some(Waiting { node, sent, nonce, tried, question })
            }
            other => {
                charge.phase = other;
                None
            }
        }
    }
}

/// A question that was on its way.
struct Waiting {
    node: NodeId,
    sent: Tick,
    nonce: Digest,
    tried: Try,
    question: Question,
}

/// What part of a visit went well.
enum After {
    Commitment(crate::message::Commitment),
    Samples(crate::message::Commitment),
    Chase,
    /// A part of which this is the rest.
    First(Question),
}

/// How a question failed.
#[derive(Clone, Copy)]
enum Why {
    Late,
    Gone,
}

impl Machine for Witness {
    type In = In;
    type Out = Out;

    fn input(&mut self, now: Tick, input: In) {
        match input {
            In::Begin(plan) => self.begin(now, plan),
            In::Muster { epoch, seeds } => self.muster(now, epoch, &seeds),
            In::Answered { call, answer, .. } if self.is_of_muster(call) => {
                self.mustered(now, call, Some(answer));
            }
            In::Failed { call } if self.is_of_muster(call) => self.mustered(now, call, None),
            In::Answered { call, answer, headers } => self.answered(now, call, answer, &headers),
            In::Failed { call } => {
                if let Some(waiting) = self.take(call) {
                    self.not_answered(now, waiting, Why::Gone);
                }
            }
            In::Reserved { node, bytes } => {
                if let Some(charge) = self.charges.get_mut(&node) {
                    charge.duty.reserved = charge.duty.reserved.max(bytes);
                }
            }
            In::Rebuilt { call, root } => {
                let Some((node, wanted)) = self.rebuilds.remove(&call) else { return };
                if root != wanted
                    && let Some(charge) = self.charges.get_mut(&node)
                {
                    charge.forged(root);
                }
            }
        }
    }

    fn wake(&mut self, now: Tick) {
        if self.plan.as_ref().is_some_and(|plan| plan.ends <= now) {
            return self.report(now);
        }
        let is_due = |charge: &Charge| charge.deadline().is_some_and(|deadline| deadline <= now);
        let due: Vec<NodeId> = (self.charges.iter())
            .filter(|(_, charge)| is_due(charge))
            .map(|(node, _)| *node)
            .collect();
        for node in due {
            let (call, rules) = (self.call(), self.rules);
            let wanted = self.charges.get_mut(&node).and_then(|it| it.probe(now, call, &rules));
            self.want(call, wanted);
            let is_due = |it: &&mut Charge| it.visit_due().is_some_and(|due| due <= now);
            let Some(charge) = self.charges.get_mut(&node).filter(is_due) else { continue };
            match std::mem::replace(&mut charge.phase, Phase::Idle) {
                Phase::Pausing { question, .. } => self.ask(now, node, question, Try::Second),
                _ => {
                    charge.begin();
                    self.ask(now, node, Question::Commitment, Try::First);
                }
            }
        }
    }

    fn deadline(&self) -> Option<Tick> {
        let ends = self.plan.as_ref()?.ends;
        let next = self.charges.values().filter_map(Charge::deadline).min();
        Some(next.map_or(ends, |next| next.min(ends)))
    }

    fn output(&mut self) -> Option<Out> {
        self.out.pop_front()
    }
}

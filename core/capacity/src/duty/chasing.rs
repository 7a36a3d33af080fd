//! The chase of one node in one epoch: when it is asked, and what it comes to.
//!
//! It is asked in a drawn visit of the first half of an epoch, once its samples are settled. A chase
//! that fails is asked once more, at the next visit; only a false one is not. So a node that was busy,
//! or whose disk was, has another chance, and one that is slow by nature gains nothing by it.

use std::time::Duration;

use acre_types::{Digest, Tick};

use super::visit::{Charge, Phase, Question};
use super::{Plan, Rules, schedule};
use crate::CapacityError;
use crate::chase::{self, Class, SignedTrail, StepProofs, Trail, gone_allowed};
use crate::message::Commitment;

/// Tries of one chase.
const TRIES: u8 = 2;

/// How a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Slower than anything that counts.
    Late,
    /// Not answered, or a step that is not there any more.
    Missing,
    /// Steps that were not taken as asked.
    Wrong,
}

/// What a chase has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is to be asked, so many times at most.
    Due { tries: u8 },
    /// It was checked.
    Passed { class: Class, gone: u32, steps: u32 },
    /// Each try failed.
    Failed,
}

/// The chase of one node.
#[derive(Clone, Debug)]
pub(super) struct Chasing {
    /// The visit from which on it is asked.
    from: usize,
    state: State,
}

impl Chasing {
    /// Draws its visit out of so many.
    pub(super) fn new(plan: &Plan, duty: &super::Duty, visits: usize) -> Self {
        let half = u64::try_from(visits.div_ceil(2)).unwrap_or(u64::MAX);
        let context = "acre 2026-11 witness chase at";
        let from = schedule::choice(context, &plan.secret, plan.epoch, duty.node, half);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let tries = u8::try_from(visits).unwrap_or(TRIES).min(TRIES);
        Self { from, state: State::Due { tries } }
    }

    fn failed(&mut self, fault: Fault) {
        self.state = match self.state {
            State::Due { tries } if tries > 1 && fault != Fault::Wrong => {
                State::Due { tries: tries.saturating_sub(1) }
            }
            _ => State::Failed,
        };
    }

    /// What remains of `shown` bytes out of `least` that were committed.
    pub(super) fn held(&self, shown: u64, least: u64) -> u64 {
        match self.state {
            State::Due { .. } => shown,
            State::Failed => 0,
            State::Passed { gone, steps, .. } if gone > gone_allowed(steps) => {
                let held = u128::from(least).saturating_mul(steps.saturating_sub(gone).into());
                let held = held.checked_div(steps.into()).unwrap_or(0);
                shown.min(u64::try_from(held).unwrap_or(u64::MAX))
            }
            State::Passed { .. } => shown,
        }
    }

    /// Whether what is held is solid. What was never chased counts as spinning.
    pub(super) fn is_solid(&self) -> bool {
        matches!(self.state, State::Passed { class: Class::Solid, .. })
    }
}

impl Charge {
    /// The chase of this visit, if it has one.
    pub(super) fn chase(&self, commitment: &Commitment) -> Option<Question> {
        let is_due = matches!(self.chasing.state, State::Due { .. })
            && self.running() >= self.chasing.from
            && commitment.index.is_some();
        is_due.then(|| Question::Chase { commitment: commitment.clone() })
    }

    /// Judges what the node answered after `took`, and gives what is asked next, if it is in time.
    pub(super) fn chased(
        &mut self,
        rules: &Rules,
        (commitment, nonce): (Commitment, Digest),
        took: Duration,
        signed: SignedTrail,
    ) -> Option<Question> {
        let index = commitment.index.as_ref().map_or(Digest([0; 32]), |span| span.digest);
        if signed.verify(self.duty.node, index, nonce, rules.chase.steps).is_err() {
            self.chase_failed(Fault::Wrong);
            return None;
        }
        match rules.chase.class(took) {
            Class::Slow => {
                self.chase_failed(Fault::Late);
                None
            }
            class => {
                let (trail, nonce) = (signed.trail, self.nonce());
                Some(Question::Trace { commitment, trail, class, nonce })
            }
        }
    }

    /// Judges the steps that were opened.
    pub(super) fn traced(
        &mut self,
        rules: &Rules,
        (commitment, trail): (&Commitment, &Trail),
        (class, nonce): (Class, &Digest),
        proofs: &StepProofs,
    ) {
        match chase::check(commitment, trail, nonce, rules.chase.probes, proofs) {
            Ok(()) => {
                let (gone, steps) = (trail.gone_steps(), trail.steps);
                match self.chasing.state {
                    // Much was given up or deleted just then: the next try shows whether it stays so.
                    State::Due { tries } if tries > 1 && gone > gone_allowed(steps) => {
                        return self.chase_failed(Fault::Missing);
                    }
                    _ => self.chasing.state = State::Passed { class, gone, steps },
                }
                if gone > gone_allowed(steps) {
                    self.missing();
                }
            }
            Err(CapacityError::Read { .. }) => self.chase_failed(Fault::Missing),
            Err(_) => self.chase_failed(Fault::Wrong),
        }
    }

    /// A try failed; the last one counts.
    pub(super) fn chase_failed(&mut self, fault: Fault) {
        self.chasing.failed(fault);
        match (self.chasing.state, fault) {
            (State::Failed, Fault::Late) => self.late(),
            (State::Failed, Fault::Missing) => self.missing(),
            (State::Failed, Fault::Wrong) => self.wrong(),
            _ => {}
        }
    }

    /// The epoch ends: a chase that is still awaited past its time has failed, and for good.
    pub(super) fn end_chase(&mut self, now: Tick, rules: &Rules) {
        if let Phase::Waiting { sent, question: Question::Chase { .. }, .. } = &self.phase
            && rules.chase.class(now.since(*sent)) == Class::Slow
        {
            self.chasing.state = State::Due { tries: 1 };
            self.chase_failed(Fault::Late);
        }
    }
}

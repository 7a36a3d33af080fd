//! The muster of one node in one epoch: asked the moment it is heard, probed once all are held.
//!
//! ```text
//! P        = lanes x work of a lane x par / (cores x work of a full lane)     what the task takes at par
//! H        = par x 8 lanes x 3/2                                     after H no claim counts any more
//! 0        the muster is heard: Work to all nodes at once
//! t        the claim; later than 3/2 P counts as nothing
//! H + d    probes, with d drawn below 4 par: nobody knows when, and lanes must be held until then
//! cores    = work x par / (work of a full lane x (t - allowance)), at most what was asked
//! ```
//! The time runs from when this witness heard of the muster, less an allowance for a node that heard
//! later: a fourth of the time for an answer, at most P / 32. One machine that does the tasks of many
//! nodes one after the other, of one P all, gains at most `1 + a + ln(3/2 - a)` = 1.42 times its
//! cores with a = 1/32; and since all must be held until the probes, not a byte of memory.

use std::time::Duration;

use acre_types::{Bytes, Digest, Epoch, NodeId, Tick};

use super::visit::Charge;
use super::{Call, Duty, Rules, WorkRules, schedule};
use crate::limits::{LANE_BYTES_MIN, LANES_MAX};
use crate::message::{Answer, Ask};
use crate::puzzle::{self, Claim, LaneRules, SignedClaim, Task};

/// Lanes that share a core, at least, so that powers of two fill its memory to within a fourth.
const LANES_A_CORE: u64 = 4;
/// Lanes that share a core at most.
const LANES_A_CORE_MAX: u64 = 2 * LANES_A_CORE;
/// Probes are sent within so many times par after the last claim counts.
const SPREAD: u32 = 4;
/// The allowance is at most this part of what the task takes.
const ALLOWANCE_DIVISOR: u32 = 32;
/// And this part of the time for an answer.
const ALLOWANCE_ANSWERS: u32 = 4;
/// A late answer to probes is waited for this many times as long as one in time.
const PATIENCE: u32 = 3;

impl WorkRules {
    /// After this no claim counts any more, whatever was asked: lanes are held for longer.
    #[must_use]
    pub fn last_claim(&self) -> Duration {
        half_more(self.par.saturating_mul(u32::try_from(LANES_A_CORE_MAX).unwrap_or(u32::MAX)))
    }

    /// The last probes are sent before this time after a muster.
    #[must_use]
    pub fn held_until(&self) -> Duration {
        self.last_claim().saturating_add(self.par.saturating_mul(SPREAD))
    }

    /// Work of the task times par, over the work of a full lane: microseconds on one core.
    fn core_micros(&self, task: &Task) -> u64 {
        let par = u64::try_from(self.par.as_micros()).unwrap_or(u64::MAX);
        let work = u128::from(task.lanes).saturating_mul(task.rules.work().into());
        let micros = work.saturating_mul(par.into()).checked_div(self.lane.work().into());
        micros.and_then(|micros| u64::try_from(micros).ok()).unwrap_or(u64::MAX)
    }

    /// What the task takes on so many cores of reference.
    fn par_of(&self, task: &Task, cores: u32) -> Duration {
        Duration::from_micros(self.core_micros(task).checked_div(cores.into()).unwrap_or(0))
    }
}

fn part(time: Duration, divisor: u32) -> Duration {
    time.checked_div(divisor).unwrap_or_default()
}

fn half_more(time: Duration) -> Duration {
    time.saturating_add(part(time, 2))
}

impl Duty {
    /// The puzzle of a muster with this seed for this node: as many lanes as fill its memory, from
    /// four to eight a core, unless lanes are at their limit. `None` if nothing of it is free.
    #[must_use]
    pub fn task(&self, work: &WorkRules, epoch: Epoch, seed: Digest) -> Option<Task> {
        let cores = u64::from(self.cores).min(LANES_MAX.into());
        let memory = self.memory.0.checked_div(work.memory_scale.into()).unwrap_or(0);
        let a_lane = memory.checked_div(cores.saturating_mul(LANES_A_CORE)).unwrap_or(0);
        let a_lane = a_lane.checked_ilog2().map_or(0, |bits| 1_u64 << bits);
        let lane_bytes = u32::try_from(a_lane).unwrap_or(u32::MAX);
        let lane_bytes = lane_bytes.min(work.lane.lane_bytes).max(LANE_BYTES_MIN);
        let lanes = memory.checked_div(lane_bytes.into()).unwrap_or(0);
        let lanes = lanes.clamp(cores, cores.saturating_mul(LANES_A_CORE_MAX));
        let lanes = u16::try_from(lanes).unwrap_or(u16::MAX).min(LANES_MAX);
        let rules = LaneRules { lane_bytes, ..work.lane };
        (lanes > 0).then_some(Task { node: self.node, epoch, seed, lanes, rules })
    }
}

/// Cores and memory.
pub(super) type Shown = (u32, Bytes);

/// How far a muster is.
#[derive(Debug)]
enum Stage {
    Idle,
    /// The node was asked and is at work.
    Working {
        call: Call,
        seen: Tick,
        task: Task,
    },
    /// It claimed in time, and holds its lanes.
    Holding {
        until: Tick,
        held: Held,
    },
    /// It was asked to show parts of them.
    Probing {
        call: Call,
        sent: Tick,
        nonce: Digest,
        held: Held,
    },
}

/// A claim, and what it is worth once it is probed.
#[derive(Debug)]
struct Held {
    task: Task,
    claim: Claim,
    worth: Shown,
}

/// The musters of one node.
#[derive(Debug)]
pub(super) struct Mustering {
    stage: Stage,
    /// The least of the musters that are over; `None` if there was none.
    shown: Option<Shown>,
}

impl Mustering {
    pub(super) const fn new() -> Self {
        Self { stage: Stage::Idle, shown: None }
    }

    pub(super) const fn shown(&self) -> Option<Shown> {
        self.shown
    }

    pub(super) const fn deadline(&self) -> Option<Tick> {
        match &self.stage {
            Stage::Holding { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Whether the answer to this call is one of a muster's.
    pub(super) fn awaits(&self, wanted: Call) -> bool {
        match &self.stage {
            Stage::Working { call, .. } | Stage::Probing { call, .. } => *call == wanted,
            Stage::Idle | Stage::Holding { .. } => false,
        }
    }

    /// A muster is over, and came to this.
    fn end(&mut self, (cores, memory): Shown) {
        self.stage = Stage::Idle;
        let least = self.shown.map_or((cores, memory), |(c, m)| (c.min(cores), m.min(memory)));
        self.shown = Some(least);
    }
}

const NOTHING: Shown = (0, Bytes(0));

/// What a node is asked, and how long to wait.
pub(super) type Wanted = (NodeId, Ask, Duration);

impl Charge {
    /// The task of a muster, if anything is free. One that still runs is forgotten: they are called
    /// further apart than one takes.
    pub(super) fn muster(
        &mut self,
        (now, call): (Tick, Call),
        rules: &Rules,
        (epoch, seed): (Epoch, Digest),
    ) -> Option<Wanted> {
        let task = self.duty.task(&rules.work, epoch, seed)?;
        self.mustering.stage = Stage::Working { call, seen: now, task };
        let limit = half_more(rules.work.par_of(&task, self.duty.cores));
        Some((self.duty.node, Ask::Work(task), limit.saturating_add(rules.answer)))
    }

    /// Asks for parts of what was claimed, if it is time.
    pub(super) fn probe(&mut self, now: Tick, call: Call, rules: &Rules) -> Option<Wanted> {
        if self.mustering.deadline().is_none_or(|until| until > now) {
            return None;
        }
        let nonce = self.nonce();
        let Stage::Holding { held, .. } = std::mem::replace(&mut self.mustering.stage, Stage::Idle)
        else {
            return None;
        };
        let ask = Ask::Probe { task: held.task.digest(), nonce, probes: rules.work.probes };
        self.mustering.stage = Stage::Probing { call, sent: now, nonce, held };
        Some((self.duty.node, ask, rules.answer.saturating_mul(PATIENCE)))
    }

    /// The node answered what a muster asked; `None` if it could not be reached.
    pub(super) fn mustered(&mut self, now: Tick, rules: &Rules, answer: Option<Answer>) {
        match (std::mem::replace(&mut self.mustering.stage, Stage::Idle), answer) {
            (Stage::Working { seen, task, .. }, Some(Answer::Worked(signed))) => {
                self.claimed((now, seen), rules, task, signed);
            }
            (Stage::Probing { sent, nonce, held, .. }, Some(Answer::Probed(proofs))) => {
                let Held { task, claim, worth } = held;
                if puzzle::check(&task, &claim, &nonce, rules.work.probes, &proofs).is_err() {
                    self.wrong();
                    self.mustering.end(NOTHING);
                } else if now.since(sent) > rules.answer {
                    self.late();
                    self.mustering.end(NOTHING);
                } else {
                    self.mustering.end(worth);
                }
            }
            // Not there, or busy: at a muster that is the same.
            _ => {
                self.missing();
                self.mustering.end(NOTHING);
            }
        }
    }

    fn claimed(
        &mut self,
        (now, seen): (Tick, Tick),
        rules: &Rules,
        task: Task,
        signed: SignedClaim,
    ) {
        if signed.verify(&task).is_err() {
            self.wrong();
            return self.mustering.end(NOTHING);
        }
        let (work, took) = (&rules.work, now.since(seen));
        let par = work.par_of(&task, self.duty.cores);
        if took > half_more(par) {
            self.late();
            return self.mustering.end(NOTHING);
        }
        let allowance = part(rules.answer, ALLOWANCE_ANSWERS).min(part(par, ALLOWANCE_DIVISOR));
        let micros = took.saturating_sub(allowance).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX).max(1);
        let cores = work.core_micros(&task).checked_div(micros).unwrap_or(0);
        let cores = u32::try_from(cores).unwrap_or(u32::MAX).min(self.duty.cores);
        let held = u64::from(task.lanes).saturating_mul(task.rules.lane_bytes.into());
        let memory = Bytes(held.saturating_mul(work.memory_scale.into())).min(self.duty.memory);
        let spread = work.held_until().saturating_sub(work.last_claim());
        let spread = u64::try_from(spread.as_micros()).unwrap_or(u64::MAX);
        let drawn = schedule::choice_of(&self.nonce(), spread);
        let until = seen.after(work.last_claim()).after(Duration::from_micros(drawn));
        let held = Held { task, claim: signed.claim, worth: (cores, memory) };
        self.mustering.stage = Stage::Holding { until: until.max(now), held };
    }
}

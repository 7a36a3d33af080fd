//! One node in one epoch: what was asked, what is awaited, what was found.

use acre_types::{Bytes, Digest, Epoch, Tick};

use super::chasing::Chasing;
use super::mustering::Mustering;
use super::{Call, Duty, Plan, Rules, Verdict, schedule};
use crate::chase::{Class, Trail};
use crate::index::ItemId;
use crate::message::{Commitment, Sample, Samples, position};
use crate::verify::{self, HeaderCheck, Shown};

/// Which try of a question it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    First,
    Second,
}

/// What is asked, with what is needed to judge the answer.
#[derive(Clone, Debug)]
pub(super) enum Question {
    Commitment,
    Samples { commitment: Commitment },
    Chase { commitment: Commitment },
    Trace { commitment: Commitment, trail: Trail, class: Class, nonce: Digest },
}

/// What a visit is doing.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Idle,
    /// Asks again then.
    Pausing {
        until: Tick,
        question: Question,
    },
    Waiting {
        call: Call,
        sent: Tick,
        nonce: Digest,
        tried: Try,
        question: Question,
    },
}

/// A region to be made again.
pub(super) struct Rebuild {
    pub(super) region: u32,
    pub(super) root: Digest,
}

/// A node being watched in one epoch.
pub(super) struct Charge {
    pub(super) duty: Duty,
    epoch: Epoch,
    secret: Digest,
    /// Rising; those before `visit` are over or running.
    visits: Vec<Tick>,
    visit: usize,
    /// Number of the visit with a rebuild; past all visits for none.
    rebuild_visit: usize,
    nonces: u64,
    pub(super) phase: Phase,
    pub(super) chasing: Chasing,
    pub(super) mustering: Mustering,
    found: Found,
}

/// Counted so far.
#[derive(Default)]
struct Found {
    asked: u16,
    answered: u16,
    late: u16,
    missing: u16,
    wrong: u16,
    plots: Kind,
    shards: Kind,
    /// Shards were committed beyond what contracts have reserved.
    has_excess: bool,
    is_forged: Option<Digest>,
}

/// Plots or shards: what was committed, and the samples among these bytes.
#[derive(Default)]
struct Kind {
    /// Least bytes in the epoch, as far as they count.
    least: Option<u64>,
    /// Most bytes in the epoch, whether they count or not.
    most: u64,
    samples: u64,
    held: u64,
}

impl Kind {
    fn committed(&mut self, bytes: u64, counted: u64) {
        self.least = Some(self.least.map_or(counted, |least| least.min(counted)));
        self.most = self.most.max(bytes);
    }

    /// What is believed. The share that was not held is one of all bytes that were committed, so
    /// bytes that do not count hide nothing.
    fn shown(&self) -> u64 {
        let lost = u128::from(self.most)
            .saturating_mul(self.samples.saturating_sub(self.held).into())
            .checked_add(u128::from(self.samples.saturating_sub(1)))
            .and_then(|up| up.checked_div(self.samples.into()))
            .unwrap_or(u128::MAX);
        let lost = u64::try_from(lost).unwrap_or(u64::MAX);
        self.least.unwrap_or(0).saturating_sub(lost)
    }
}

fn count(counter: &mut u16) {
    *counter = counter.saturating_add(1);
}

impl Charge {
    pub(super) fn new(duty: Duty, plan: &Plan, rules: &Rules, now: Tick) -> Self {
        let (epoch, secret, node) = (plan.epoch, plan.secret, duty.node);
        let mut visits =
            schedule::visits(&secret, epoch, node, (plan.began, plan.ends), rules.visits);
        // A witness that begins late does not make up for what it missed.
        visits.retain(|visit| *visit >= now);
        let drawn = |context, end: u64| schedule::choice(context, &secret, epoch, node, end);
        let which = |context| {
            let count = u64::try_from(visits.len()).unwrap_or(u64::MAX);
            usize::try_from(drawn(context, count)).unwrap_or(usize::MAX)
        };
        let has_rebuild = drawn("acre 2026-11 witness rebuild", rules.rebuild_every.into()) == 0;
        let rebuild_visit =
            if has_rebuild { which("acre 2026-11 witness rebuild at") } else { usize::MAX };
        let chasing = Chasing::new(plan, &duty, visits.len());
        Self {
            duty,
            epoch,
            secret,
            chasing,
            visits,
            visit: 0,
            rebuild_visit,
            nonces: 0,
            phase: Phase::Idle,
            mustering: Mustering::new(),
            found: Found::default(),
        }
    }

    /// When something is due, of visits or of a muster.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.visit_due().into_iter().chain(self.mustering.deadline()).min()
    }

    pub(super) fn visit_due(&self) -> Option<Tick> {
        match &self.phase {
            Phase::Idle => self.visits.get(self.visit).copied(),
            Phase::Pausing { until, .. } => Some(*until),
            Phase::Waiting { .. } => None,
        }
    }

    pub(super) fn nonce(&mut self) -> Digest {
        self.nonces = self.nonces.saturating_add(1);
        schedule::nonce(&self.secret, self.epoch, self.duty.node, self.nonces)
    }

    /// Begins the visit that is due.
    pub(super) fn begin(&mut self) {
        self.visit = self.visit.saturating_add(1);
        count(&mut self.found.asked);
    }

    /// The visit that runs has this number.
    pub(super) fn running(&self) -> usize {
        self.visit.saturating_sub(1)
    }

    /// The node said what it holds.
    pub(super) fn committed(&mut self, commitment: &Commitment) {
        count(&mut self.found.answered);
        let (plots, shards) =
            (commitment.plots, commitment.bytes().saturating_sub(commitment.plots));
        let counted = shards.min(self.duty.reserved.0);
        self.found.plots.committed(plots, plots);
        self.found.shards.committed(shards, counted);
        self.found.has_excess |= counted < shards;
    }

    /// The kind that sample `number` of a commitment is of.
    fn kind(&mut self, commitment: &Commitment, nonce: &Digest, number: u64) -> &mut Kind {
        let drawn = commitment.index.as_ref().map(|index| position(index, nonce, number));
        if drawn.is_some_and(|position| position >= commitment.plots) {
            &mut self.found.shards
        } else {
            &mut self.found.plots
        }
    }

    /// Counts the samples of one visit; the region that is to be made again, if this visit has one.
    pub(super) fn sampled(
        &mut self,
        rules: &Rules,
        commitment: &Commitment,
        nonce: &Digest,
        samples: &Samples,
        headers: &[HeaderCheck],
    ) -> Option<Rebuild> {
        let mut plot = None;
        for number in 0..usize::from(rules.samples) {
            let place = u64::try_from(number).unwrap_or(u64::MAX);
            let kind = self.kind(commitment, nonce, place);
            kind.samples = kind.samples.saturating_add(1);
            let opening = match samples.get(number) {
                Some(Sample::Opened(opening)) => opening,
                Some(Sample::Missing) | None => {
                    count(&mut self.found.missing);
                    continue;
                }
            };
            let header = headers.get(number).copied().unwrap_or(HeaderCheck::Unknown);
            match verify::check(commitment, &rules.plot, nonce, place, opening, header) {
                Ok(Shown::Held) => {
                    let kind = self.kind(commitment, nonce, place);
                    kind.held = kind.held.saturating_add(1);
                    if let ItemId::Plot(region) = opening.item.id {
                        plot.get_or_insert(Rebuild { region, root: opening.item.root });
                    }
                }
                Ok(Shown::Unknown) => {
                    let kind = self.kind(commitment, nonce, place);
                    kind.samples = kind.samples.saturating_sub(1);
                }
                Err(_) => count(&mut self.found.wrong),
            }
        }
        plot.filter(|_| self.running() == self.rebuild_visit)
    }

    /// No sample of this visit came, or none in time.
    pub(super) fn not_sampled(&mut self, rules: &Rules, commitment: &Commitment, nonce: &Digest) {
        for number in 0..u64::from(rules.samples) {
            let kind = self.kind(commitment, nonce, number);
            kind.samples = kind.samples.saturating_add(1);
        }
    }

    pub(super) fn late(&mut self) {
        count(&mut self.found.late);
    }

    pub(super) fn missing(&mut self) {
        count(&mut self.found.missing);
    }

    pub(super) fn wrong(&mut self) {
        count(&mut self.found.wrong);
    }

    /// A region was made again and came to another root.
    pub(super) fn forged(&mut self, root: Digest) {
        self.wrong();
        self.found.is_forged = Some(root);
    }

    /// Bytes of plots and of shards that are believed. A kind so small that no sample fell on it is
    /// as good as all samples together; but where bytes that do not count drew the samples away,
    /// nothing of it was shown.
    fn storage(&self) -> (u64, u64) {
        let found = &self.found;
        let together = Kind {
            samples: found.plots.samples.saturating_add(found.shards.samples),
            held: found.plots.held.saturating_add(found.shards.held),
            ..Kind::default()
        };
        let shown = |kind: &Kind| match kind {
            Kind { samples: 0, .. } if found.has_excess => 0,
            Kind { samples: 0, least, most, .. } => {
                Kind { least: *least, most: *most, ..together }.shown()
            }
            _ => kind.shown(),
        };
        let held = |kind: &Kind| self.chasing.held(shown(kind), kind.least.unwrap_or(0));
        let plots = if found.is_forged.is_some() { 0 } else { held(&found.plots) };
        (plots, held(&found.shards))
    }

    /// What is to be said of the node; `None` if it was never visited.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let found = &self.found;
        let (plots, sold) = self.storage();
        let storage = plots.saturating_add(sold);
        let solid = if self.chasing.is_solid() { storage } else { 0 };
        let known = if found.answered > 0 { self.duty.proven } else { (0, Bytes(0)) };
        let (cores, memory) = self.mustering.shown().unwrap_or(known);
        (found.asked > 0).then_some(Verdict {
            node: self.duty.node,
            asked: found.asked,
            answered: found.answered,
            storage: Bytes(storage),
            sold: Bytes(sold),
            solid: Bytes(solid),
            cores,
            memory,
            late: found.late,
            missing: found.missing,
            wrong: found.wrong,
        })
    }
}

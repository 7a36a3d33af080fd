//! Reads and writes the one mutable thing of a volume, on all places of its contract.
//!
//! With T places and m = the losses the profile bears, a write counts once W places keep it and a
//! read knows the newest once R places answered, where
//! ```text
//! R = min(majority of T, T - m)      W = max(majority of T, T - R + 1)
//! ```
//! - R + W > T, so each read meets at least one place of the last counted write.
//! - R <= T - m, so a read succeeds with any m places lost, as the data does. (In `fortress`
//!   without spares, 36 places of which 20 may be lost, a bare majority would not.)
//! - W >= m + 1, so with any m places lost or lying, one honest holder of the newest is left.
//!   To meet it, a reader does not stop at R answers: it waits for every place that answers
//!   within the hedge delay. A place that serves a stale head is then outvoted by one newer valid
//!   signature, as long as silent and lying places together are at most m.
//!
//! Newest = highest counter, then highest digest, the same order for everyone. A reader writes
//! the newest back to places that showed an older one or none. A writer that meets a newer head
//! stops: somebody else wrote, and has to be read and merged first.

use std::collections::BTreeMap;

use acre_types::{NodeId, Tick};

use super::error::MachineError;
use super::health::Kind;
use super::limits;
use super::traffic::{Cx, Event, Process};
use super::types::{Answer, Ask, HeadSeen, Places, RequestId};

/// Where a head is kept.
#[derive(Clone, Debug)]
pub struct HeadSpec {
    /// The places of the contract.
    pub places: Places,
}

impl HeadSpec {
    fn total(&self) -> usize {
        self.places.all().len()
    }

    fn majority(&self) -> usize {
        (self.total() >> 1).saturating_add(1)
    }

    /// R: answers after which the newest head is known.
    #[must_use]
    pub fn read_quorum(&self) -> usize {
        let bearable = usize::from(self.places.profile().parity());
        self.majority().min(self.total().saturating_sub(bearable))
    }

    /// W: places after which a write counts.
    #[must_use]
    pub fn write_quorum(&self) -> usize {
        let beyond_readers = self.total().saturating_sub(self.read_quorum()).saturating_add(1);
        self.majority().max(beyond_readers)
    }
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadRead {
    /// The newest valid head; `None` if the volume never had one.
    pub newest: Option<HeadSeen>,
    /// Places that answered.
    pub answered: usize,
    /// Places that showed an older head or none; they are being brought up to date.
    pub stale: Vec<NodeId>,
}

pub(crate) struct HeadReader {
    spec: HeadSpec,
    asked: BTreeMap<RequestId, NodeId>,
    answers: BTreeMap<NodeId, Option<HeadSeen>>,
    patience: Option<Tick>,
    told: bool,
}

impl HeadReader {
    pub(crate) const fn new(spec: HeadSpec) -> Self {
        Self { spec, asked: BTreeMap::new(), answers: BTreeMap::new(), patience: None, told: false }
    }

    fn settle(&mut self, cx: &mut Cx<'_>) {
        let needed = self.spec.read_quorum();
        let answered = self.answers.len();
        let is_patient = self.patience.is_some_and(|until| cx.now < until);
        if self.told || (!self.asked.is_empty() && (answered < needed || is_patient)) {
            return;
        }
        self.told = true;
        for request in std::mem::take(&mut self.asked).into_keys() {
            cx.cancel(request);
        }
        if answered < needed {
            let error = MachineError::HeadUnavailable { answered, needed };
            cx.emit(Event::Failed(error));
            return;
        }
        let newest = self.answers.values().copied().flatten().max();
        let behind = self.answers.iter().filter(|(_, seen)| **seen < newest);
        let stale: Vec<_> = behind.map(|(node, _)| *node).collect();
        if let Some(head) = newest {
            for node in &stale {
                self.asked.insert(cx.ask(*node, Ask::PutHead { head }), *node);
            }
        }
        cx.emit(Event::HeadRead(HeadRead { newest, answered, stale }));
    }
}

impl Process for HeadReader {
    fn start(&mut self, cx: &mut Cx<'_>) {
        for node in self.spec.places.all() {
            self.asked.insert(cx.ask(*node, Ask::GetHead), *node);
        }
        self.patience = Some(cx.hedge_at(Kind::Small, limits::HEDGE_HEAD_FACTOR));
    }

    fn answer(&mut self, cx: &mut Cx<'_>, request: RequestId, node: NodeId, answer: Answer) {
        if self.asked.remove(&request).is_none() {
            return;
        }
        if let Answer::Head(seen) = answer
            && !self.told
        {
            self.answers.insert(node, seen);
        }
        self.settle(cx);
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        if self.patience.is_some_and(|until| until <= cx.now) {
            self.patience = None;
        }
        self.settle(cx);
    }

    fn deadline(&self) -> Option<Tick> {
        if self.told { None } else { self.patience }
    }

    fn is_over(&self) -> bool {
        self.told && self.asked.is_empty()
    }
}

pub(crate) struct HeadWriter {
    spec: HeadSpec,
    head: HeadSeen,
    asked: BTreeMap<RequestId, NodeId>,
    stored: usize,
    told: bool,
}

impl HeadWriter {
    pub(crate) const fn new(spec: HeadSpec, head: HeadSeen) -> Self {
        Self { spec, head, asked: BTreeMap::new(), stored: 0, told: false }
    }

    fn tell(&mut self, cx: &mut Cx<'_>, event: Event) {
        if !self.told {
            self.told = true;
            cx.emit(event);
        }
    }
}

impl Process for HeadWriter {
    fn start(&mut self, cx: &mut Cx<'_>) {
        for node in self.spec.places.all() {
            self.asked.insert(cx.ask(*node, Ask::PutHead { head: self.head }), *node);
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_>, request: RequestId, _node: NodeId, answer: Answer) {
        if self.asked.remove(&request).is_none() {
            return;
        }
        match answer {
            Answer::Head(Some(seen)) if seen == self.head => {
                self.stored = self.stored.saturating_add(1);
            }
            Answer::Head(Some(seen)) if seen > self.head => {
                let error = MachineError::HeadConflict { newer: seen.counter };
                self.tell(cx, Event::Failed(error));
                for request in std::mem::take(&mut self.asked).into_keys() {
                    cx.cancel(request);
                }
            }
            _ => {}
        }
        let (stored, needed) = (self.stored, self.spec.write_quorum());
        if stored >= needed {
            self.tell(cx, Event::HeadWritten { stored });
        } else if self.asked.is_empty() {
            let error = MachineError::HeadNotWritten { stored, needed };
            self.tell(cx, Event::Failed(error));
        }
    }

    fn wake(&mut self, _cx: &mut Cx<'_>) {}

    fn deadline(&self) -> Option<Tick> {
        None
    }

    fn is_over(&self) -> bool {
        self.told && self.asked.is_empty()
    }
}

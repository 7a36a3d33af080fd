//! Looks where the shards of one pack are, and has each node check its own.
//!
//! The answer is what nodes say of themselves: good for showing a person what is where. A read
//! or a repair checks bytes, whatever a survey said.

use std::collections::BTreeMap;

use acre_types::{NodeId, PackId, ShardIndex, Tick};

use super::traffic::{Cx, Event, Process};
use super::types::{Answer, Ask, Failure, Places, RequestId};

/// A pack to look for.
#[derive(Clone, Debug)]
pub struct SurveySpec {
    /// The pack.
    pub pack: PackId,
    /// The places of its contract.
    pub places: Places,
}

/// What one place said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The place.
    pub node: NodeId,
    /// What it holds.
    pub seen: Seen,
}

/// Whether a place answered, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The shards it holds of the pack.
    Shards(Vec<(ShardIndex, Condition)>),
    /// It did not answer.
    Unreachable,
}

/// State of a shard at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Read and found whole by its node.
    Verified,
    /// Found damaged by its node.
    Damaged,
    /// The node said it holds it, and did not answer when asked to check.
    Unknown,
}

pub(crate) struct Survey {
    spec: SurveySpec,
    sightings: BTreeMap<NodeId, Seen>,
    open: BTreeMap<RequestId, Option<ShardIndex>>,
    over: bool,
}

impl Survey {
    pub(crate) const fn new(spec: SurveySpec) -> Self {
        Self { spec, sightings: BTreeMap::new(), open: BTreeMap::new(), over: false }
    }

    fn located(&mut self, cx: &mut Cx<'_>, node: NodeId, answer: &Answer) {
        let Answer::Located(held) = answer else {
            self.sightings.insert(node, Seen::Unreachable);
            return;
        };
        self.sightings.insert(node, Seen::Shards(Vec::new()));
        for index in held {
            let request = cx.ask(node, Ask::Verify { pack: self.spec.pack, index: *index });
            self.open.insert(request, Some(*index));
        }
    }

    fn verified(&mut self, node: NodeId, index: ShardIndex, answer: &Answer) {
        let condition = match answer {
            Answer::Verified => Condition::Verified,
            Answer::Failed(Failure::Damaged | Failure::WrongBytes) => Condition::Damaged,
            Answer::Failed(Failure::NotFound) => return,
            _ => Condition::Unknown,
        };
        if let Some(Seen::Shards(shards)) = self.sightings.get_mut(&node) {
            shards.push((index, condition));
        }
    }
}

impl Process for Survey {
    fn start(&mut self, cx: &mut Cx<'_>) {
        for node in self.spec.places.all() {
            let request = cx.ask(*node, Ask::Locate { pack: self.spec.pack });
            self.open.insert(request, None);
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_>, request: RequestId, node: NodeId, answer: Answer) {
        match self.open.remove(&request) {
            Some(Some(index)) => self.verified(node, index, &answer),
            Some(None) => self.located(cx, node, &answer),
            None => return,
        }
        if self.open.is_empty() {
            self.over = true;
            let sightings = std::mem::take(&mut self.sightings).into_iter();
            let sightings = sightings.map(|(node, seen)| Sighting { node, seen }).collect();
            cx.emit(Event::Sighted(sightings));
        }
    }

    fn wake(&mut self, _cx: &mut Cx<'_>) {}

    fn deadline(&self) -> Option<Tick> {
        None
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

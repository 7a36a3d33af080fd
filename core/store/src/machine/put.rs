//! Stores one pack: each shard at its primary place, or at a spare where that one fails.
//!
//! Acknowledged at [`Profile::acknowledge`](acre_types::Profile::acknowledge) synced shards (S1);
//! the rest goes on until the pack is full or no place is left. A place is asked for one index of
//! a pack only, for ever: if it did not answer it may hold that shard, and a second one there
//! would put two into one failure domain (S3).
//!
//! Order of choice for a shard: its primary, a spare that is in good health, and, only when the
//! put would fail otherwise, places that are left alone for now, each at most
//! [`limits::ATTEMPTS_PER_PLACE`] times.

use std::collections::BTreeMap;

use acre_types::{NodeId, PackId, ShardIndex, Tick};

use super::error::MachineError;
use super::health::Kind;
use super::limits;
use super::mix;
use super::traffic::{Cx, Event, Process};
use super::types::{Answer, Ask, Failure, Places, RequestId, ShardAt};

/// A pack to store. The shell keeps its shards under the operation.
#[derive(Clone, Debug)]
pub struct PutSpec {
    /// The pack, with a fresh id: nothing of it is stored anywhere.
    pub pack: PackId,
    /// Where it may go.
    pub places: Places,
    /// Length of each shard body.
    pub shard_bytes: u32,
}

impl PutSpec {
    /// Bytes of all shards together.
    #[must_use]
    pub fn coded_bytes(&self) -> u64 {
        u64::from(self.shard_bytes).saturating_mul(u64::from(self.places.profile().shards()))
    }
}

/// What this pack has had to do with a place.
struct Dealing {
    index: ShardIndex,
    attempts: u8,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Asked {
        request: RequestId,
        hedge_at: Option<Tick>,
    },
    /// Busy; asked again then.
    Resting {
        until: Tick,
    },
    Stored,
    Failed(Failure),
}

impl State {
    const fn is_open(self) -> bool {
        matches!(self, Self::Asked { .. } | Self::Resting { .. })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Eagerness {
    Healthy,
    Anyone,
}

pub(crate) struct Put {
    spec: PutSpec,
    dealings: BTreeMap<NodeId, Dealing>,
    acknowledged: bool,
    hedges: u8,
    over: bool,
}

impl Put {
    pub(crate) const fn new(spec: PutSpec) -> Self {
        let dealings = BTreeMap::new();
        Self { spec, dealings, acknowledged: false, hedges: 0, over: false }
    }

    fn indices_in(&self, is_wanted: impl Fn(State) -> bool) -> Vec<ShardIndex> {
        let mut indices: Vec<_> = self
            .dealings
            .values()
            .filter(|dealing| is_wanted(dealing.state))
            .map(|dealing| dealing.index)
            .collect();
        indices.sort_unstable_by_key(|index| index.get());
        indices.dedup();
        indices
    }

    fn stored(&self) -> Vec<ShardIndex> {
        self.indices_in(|state| state == State::Stored)
    }

    /// Indices that are stored or being stored.
    fn covered(&self) -> Vec<ShardIndex> {
        self.indices_in(|state| !matches!(state, State::Failed(_)))
    }

    fn missing(&self, present: &[ShardIndex]) -> Vec<ShardIndex> {
        self.spec.places.profile().indices().filter(|index| !present.contains(index)).collect()
    }

    fn advance(&mut self, cx: &mut Cx<'_>) {
        for index in self.missing(&self.covered()) {
            if let Some(node) = self.home(cx, index, Eagerness::Healthy) {
                self.send(cx, index, node);
            }
        }
        let needed = usize::from(self.spec.places.profile().acknowledge());
        for index in self.missing(&self.covered()) {
            if self.covered().len() >= needed {
                break;
            }
            if let Some(node) = self.home(cx, index, Eagerness::Anyone) {
                self.send(cx, index, node);
            }
        }
        self.settle(cx, needed);
    }

    fn settle(&mut self, cx: &mut Cx<'_>, needed: usize) {
        let stored = self.stored();
        if stored.len() >= needed && !self.acknowledged {
            self.acknowledged = true;
            cx.emit(Event::Acknowledged { stored: u8::try_from(stored.len()).unwrap_or(u8::MAX) });
        }
        let missing = self.missing(&stored);
        let is_waiting = self.dealings.values().any(|dealing| dealing.state.is_open());
        if !missing.is_empty() && is_waiting {
            return;
        }
        self.over = true;
        if self.acknowledged {
            let copies = self.copies(|state| state == State::Stored);
            cx.emit(Event::Stored { copies, missing });
        } else {
            let error = self.failure(cx);
            cx.emit(Event::Failed(error));
        }
    }

    fn copies(&self, is_wanted: impl Fn(State) -> bool) -> Vec<ShardAt> {
        let wanted = self.dealings.iter().filter(|(_, dealing)| is_wanted(dealing.state));
        wanted.map(|(node, dealing)| (dealing.index, *node)).collect()
    }

    fn failure(&self, cx: &Cx<'_>) -> MachineError {
        let (mut no_space, mut unreachable, mut refused) = (0usize, 0usize, 0usize);
        for node in self.spec.places.all() {
            let failure = match self.dealings.get(node).map(|dealing| dealing.state) {
                Some(State::Failed(failure)) => Some(failure),
                Some(_) => None,
                None => cx.health.trouble(*node, cx.now),
            };
            let count = match failure {
                Some(Failure::NoSpace) => &mut no_space,
                Some(Failure::Unreachable | Failure::Timeout) => &mut unreachable,
                Some(_) => &mut refused,
                None => continue,
            };
            *count = count.saturating_add(1);
        }
        let stored = self.copies(|state| match state {
            State::Failed(failure) => failure.is_ambiguous(),
            State::Stored | State::Asked { .. } | State::Resting { .. } => true,
        });
        let needed = self.spec.places.profile().acknowledge();
        MachineError::NotEnoughPlaces {
            pack: self.spec.pack,
            stored,
            needed,
            no_space,
            unreachable,
            refused,
        }
    }

    /// Where this shard could go now.
    fn home(&self, cx: &Cx<'_>, index: ShardIndex, eagerness: Eagerness) -> Option<NodeId> {
        let primary = self.spec.places.primary(self.spec.pack, index);
        let is_open = |node: &NodeId| match (self.dealings.get(node), eagerness) {
            (None, Eagerness::Healthy) => cx.health.is_usable(*node, Kind::Write, cx.now),
            (None, Eagerness::Anyone) => true,
            (Some(_), Eagerness::Healthy) => false,
            (Some(dealing), Eagerness::Anyone) => {
                dealing.index == index
                    && dealing.attempts < limits::ATTEMPTS_PER_PLACE
                    && matches!(dealing.state, State::Failed(failure) if failure.is_ambiguous())
            }
        };
        if is_open(&primary) {
            return Some(primary);
        }
        let spares = self.spec.places.spares().iter().copied().filter(is_open);
        let lottery = |node| mix::pair(cx.seed, self.spec.pack, node);
        spares.min_by_key(|node| (cx.health.rank(*node), lottery(*node)))
    }

    fn send(&mut self, cx: &mut Cx<'_>, index: ShardIndex, node: NodeId) {
        let request = cx.ask(node, Ask::Store { pack: self.spec.pack, index });
        let hedge_at = Some(cx.hedge_at(Kind::Write, limits::HEDGE_STORE_FACTOR));
        let attempts = self.dealings.get(&node).map_or(0, |dealing| dealing.attempts);
        let state = State::Asked { request, hedge_at };
        let attempts = attempts.saturating_add(1);
        self.dealings.insert(node, Dealing { index, attempts, state });
    }

    fn ask_rested(&mut self, cx: &mut Cx<'_>) {
        let is_rested = |state| matches!(state, State::Resting { until } if until <= cx.now);
        for (index, node) in self.copies(is_rested) {
            self.send(cx, index, node);
        }
    }

    /// Sends the shard of a late place to a spare too; at most m a pack, so that a slow client
    /// cannot double its own traffic.
    fn hedge(&mut self, cx: &mut Cx<'_>) {
        let mut late = Vec::new();
        for (node, dealing) in &mut self.dealings {
            if let State::Asked { hedge_at, .. } = &mut dealing.state
                && hedge_at.is_some_and(|due| due <= cx.now)
            {
                *hedge_at = None;
                late.push((dealing.index, *node));
            }
        }
        let stored = self.stored();
        for (index, node) in late {
            if stored.contains(&index) || self.hedges >= self.spec.places.profile().parity() {
                continue;
            }
            cx.health.overtaken(node, cx.now);
            if let Some(spare) = self.home(cx, index, Eagerness::Healthy) {
                self.hedges = self.hedges.saturating_add(1);
                self.send(cx, index, spare);
            }
        }
    }
}

impl Process for Put {
    fn start(&mut self, cx: &mut Cx<'_>) {
        self.advance(cx);
    }

    fn answer(&mut self, cx: &mut Cx<'_>, request: RequestId, node: NodeId, answer: Answer) {
        let Some(dealing) = self.dealings.get_mut(&node) else { return };
        if !matches!(dealing.state, State::Asked { request: asked, .. } if asked == request) {
            return;
        }
        dealing.state = match answer {
            Answer::Stored => State::Stored,
            Answer::Failed(Failure::Busy) if dealing.attempts < limits::BUSY_ATTEMPTS => {
                let doublings = u32::from(dealing.attempts).saturating_sub(1);
                let wait = limits::BUSY_WAIT.saturating_mul(2u32.saturating_pow(doublings));
                State::Resting { until: cx.now.after(wait) }
            }
            Answer::Failed(failure) => State::Failed(failure),
            _ => State::Failed(Failure::WrongBytes),
        };
        self.advance(cx);
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        self.hedge(cx);
        self.ask_rested(cx);
        self.advance(cx);
    }

    fn deadline(&self) -> Option<Tick> {
        let states = self.dealings.values().map(|dealing| dealing.state);
        states
            .filter_map(|state| match state {
                State::Asked { hedge_at, .. } => hedge_at,
                State::Resting { until } => Some(until),
                State::Stored | State::Failed(_) => None,
            })
            .min()
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

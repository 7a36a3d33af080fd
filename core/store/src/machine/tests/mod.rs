//! A small cluster in memory and in virtual time, driving the shipped machine.

mod explain;
mod get;
mod head;
mod put;
mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acre_types::{Digest, Machine, NodeId, PackId, Profile, ShardIndex, Tick};

use super::*;

/// How a node behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Well,
    /// Refuses connections.
    Dead,
    /// Refuses connections until then.
    DeadUntil(Tick),
    /// Does what it is asked and never answers.
    Mute,
    Full,
    Slow(Duration),
    /// Sends wrong bytes.
    Liar,
    /// Refuses for the moment, until then.
    Busy(Tick),
    /// Keeps the head it has, whatever it is told.
    Stale,
}

/// What stands for the bytes of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Good,
    Rotten,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub behaviour: Behaviour,
    pub shards: BTreeMap<(PackId, ShardIndex), Content>,
    pub head: Option<HeadSeen>,
}

pub(super) struct Cluster {
    pub now: Tick,
    pub traffic: Traffic,
    pub places: Places,
    pub nodes: BTreeMap<NodeId, Node>,
    pub events: Vec<(OpId, Event)>,
    /// Every request sent, in order.
    pub sent: Vec<(NodeId, Ask)>,
    pub put_bytes_max: u64,
    queue: BTreeMap<(Tick, u64), (RequestId, Answer)>,
    bodies: BTreeMap<RequestId, Content>,
    over: BTreeSet<OpId>,
    counter: u64,
}

pub(super) const SHARD_BYTES: u32 = 256 << 10;

pub(super) fn node(i: usize) -> NodeId {
    NodeId([u8::try_from(i).unwrap(); 32])
}

pub(super) fn pack(i: u8) -> PackId {
    PackId([i; 16])
}

pub(super) fn head(counter: u64) -> HeadSeen {
    HeadSeen { epoch: 0, counter, digest: Digest([7; 32]) }
}

impl Cluster {
    /// With all places the profile wants, spares included, all well.
    pub(super) fn new(profile: Profile) -> Self {
        Self::with_spares(profile, usize::from(profile.spares()))
    }

    pub(super) fn with_spares(profile: Profile, spares: usize) -> Self {
        let ids: Vec<_> = (0..usize::from(profile.shards()) + spares).map(node).collect();
        let new = || Node { behaviour: Behaviour::Well, shards: BTreeMap::new(), head: None };
        Self {
            now: Tick(1_000_000),
            traffic: Traffic::new(1),
            places: Places::new(profile, ids.clone()).unwrap(),
            nodes: ids.into_iter().map(|id| (id, new())).collect(),
            events: Vec::new(),
            sent: Vec::new(),
            put_bytes_max: 0,
            queue: BTreeMap::new(),
            bodies: BTreeMap::new(),
            over: BTreeSet::new(),
            counter: 0,
        }
    }

    pub(super) fn behave(&mut self, places: impl IntoIterator<Item = usize>, how: Behaviour) {
        for i in places {
            self.nodes.get_mut(&node(i)).unwrap().behaviour = how;
        }
    }

    pub(super) fn start(&mut self, what: Operation) -> OpId {
        self.counter += 1;
        let op = OpId(self.counter);
        self.traffic.input(self.now, In::Start { op, what });
        self.drain();
        op
    }

    pub(super) fn start_put(&mut self, pack: PackId) -> OpId {
        let places = self.places.clone();
        self.start(Operation::Put(PutSpec { pack, places, shard_bytes: SHARD_BYTES }))
    }

    pub(super) fn start_get(&mut self, pack: PackId, range: Range, hints: Vec<ShardAt>) -> OpId {
        let places = self.places.clone();
        let extent = match range {
            Range::ALL => Extent::Whole,
            range => Extent::Bytes { range, shard_bytes: SHARD_BYTES },
        };
        let spec = GetSpec { pack, places, extent, hints };
        self.start(Operation::Get(spec))
    }

    /// Puts a pack and waits until that is over.
    pub(super) fn put(&mut self, pack: PackId) -> Result<Event, MachineError> {
        let op = self.start_put(pack);
        self.finish(op)
    }

    /// Reads a range: `Ok` only if every byte used was good.
    pub(super) fn get(&mut self, pack: PackId, range: Range) -> Result<Event, MachineError> {
        let op = self.start_get(pack, range, Vec::new());
        self.finish(op)
    }

    pub(super) fn whole(&self) -> Range {
        Range::between(0, SHARD_BYTES * u32::from(self.places.profile().data()))
    }

    /// Lets time pass until the operation is over; its last event other than blame.
    #[track_caller]
    pub(super) fn finish(&mut self, op: OpId) -> Result<Event, MachineError> {
        while !self.over.contains(&op) {
            assert!(self.step(), "nothing left to happen and {op:?} is not over");
        }
        let last = self.of(op).into_iter().rfind(|event| !matches!(event, Event::Blame { .. }));
        match last.expect("an operation ends with an event") {
            Event::Failed(error) => Err(error),
            event => Ok(event),
        }
    }

    pub(super) fn of(&self, op: OpId) -> Vec<Event> {
        let events = self.events.iter().filter(|(other, _)| *other == op);
        events.map(|(_, event)| event.clone()).collect()
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        let end = self.now.after(span);
        while self.next().is_some_and(|tick| tick <= end) {
            self.step();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Tick> {
        let arrival = self.queue.keys().next().map(|(tick, _)| *tick);
        [arrival, self.traffic.deadline()].into_iter().flatten().min()
    }

    /// The next thing that happens; `false` if nothing will.
    fn step(&mut self) -> bool {
        let Some(next) = self.next() else { return false };
        self.now = self.now.max(next);
        let arrival = self.queue.keys().next().copied().filter(|(tick, _)| *tick <= self.now);
        if let Some(key) = arrival {
            let (request, answer) = self.queue.remove(&key).unwrap();
            self.traffic.input(self.now, In::Answer { request, answer });
        } else {
            self.traffic.wake(self.now);
        }
        self.drain();
        true
    }

    fn drain(&mut self) {
        self.put_bytes_max = self.put_bytes_max.max(self.traffic.put_bytes());
        while let Some(out) = self.traffic.output() {
            match out {
                Out::Send { request, node, ask, .. } => self.deliver(request, node, ask),
                Out::Cancel { .. } => {}
                Out::Over { op } => assert!(self.over.insert(op), "{op:?} was over twice"),
                Out::Event { op, event } => {
                    assert!(!self.over.contains(&op), "{op:?} is over and tells {event:?}");
                    self.happened(op, &event);
                    self.events.push((op, event));
                }
            }
        }
    }

    /// The part of a shell: look at the bytes.
    fn happened(&mut self, op: OpId, event: &Event) {
        if let Event::Ready(ready) = event {
            let good = self.check_ready(ready);
            let input = if good { In::Accepted { op } } else { In::TagFailed { op } };
            self.traffic.input(self.now, input);
        }
        if let Event::Rebuild { pack, decode } = event {
            assert!(self.check_decode(decode), "rebuilt from unverified shards");
            let (pack, outcome) = (*pack, Rebuilt::Verified);
            self.traffic.input(self.now, In::Rebuilt { op, pack, outcome });
        }
    }

    fn is_good(&self, piece: &Piece) -> bool {
        self.bodies[&piece.request] == Content::Good
    }

    fn check_ready(&self, ready: &Ready) -> bool {
        for (index, range) in &ready.parts {
            let direct = ready.direct.iter().any(|p| p.index == *index && p.range.covers(*range));
            let made = ready
                .decode
                .as_ref()
                .is_some_and(|d| d.make.contains(index) && d.columns.covers(*range));
            assert!(direct != made, "part {index} comes from one source: {ready:?}");
        }
        let mut good = ready.direct.iter().all(|piece| self.is_good(piece));
        if let Some(decode) = &ready.decode {
            good &= self.check_decode(decode);
        }
        good
    }

    fn check_decode(&self, decode: &Decode) -> bool {
        let distinct: BTreeSet<_> = decode.from.iter().map(|piece| piece.index).collect();
        assert_eq!(distinct.len(), usize::from(self.places.profile().data()));
        assert_eq!(decode.from.len(), distinct.len());
        assert!(decode.from.iter().all(|piece| piece.range.covers(decode.columns)));
        decode.from.iter().all(|piece| self.is_good(piece))
    }

    fn deliver(&mut self, request: RequestId, to: NodeId, ask: Ask) {
        self.sent.push((to, ask.clone()));
        let behaviour = self.nodes[&to].behaviour;
        let mut delay = Duration::from_micros(5_000 + u64::from(to.0[0]) * 20);
        let answer = match behaviour {
            Behaviour::Dead => {
                delay = Duration::from_millis(1);
                Answer::Failed(Failure::Unreachable)
            }
            Behaviour::DeadUntil(until) if self.now < until => {
                delay = Duration::from_millis(1);
                Answer::Failed(Failure::Unreachable)
            }
            Behaviour::Busy(until) if self.now < until => Answer::Failed(Failure::Busy),
            _ => self.serve(request, to, &ask),
        };
        if let Behaviour::Slow(more) = behaviour {
            delay += more;
        }
        if behaviour != Behaviour::Mute {
            self.counter += 1;
            self.queue.insert((self.now.after(delay), self.counter), (request, answer));
        }
    }

    fn serve(&mut self, request: RequestId, to: NodeId, ask: &Ask) -> Answer {
        let node = self.nodes.get_mut(&to).unwrap();
        let missing = Answer::Failed(Failure::NotFound);
        match ask {
            Ask::Store { .. } if node.behaviour == Behaviour::Full => {
                Answer::Failed(Failure::NoSpace)
            }
            Ask::Store { pack, index } => {
                node.shards.insert((*pack, *index), Content::Good);
                Answer::Stored
            }
            Ask::Fetch { pack, index, check, .. } => {
                let Some(mut content) = node.shards.get(&(*pack, *index)).copied() else {
                    return missing;
                };
                if node.behaviour == Behaviour::Liar {
                    content = Content::Rotten;
                }
                self.bodies.insert(request, content);
                match (content, check) {
                    (Content::Rotten, Check::Root) => Answer::Failed(Failure::WrongBytes),
                    _ => Answer::Shard,
                }
            }
            Ask::Header { pack, index } => match node.shards.get(&(*pack, *index)) {
                Some(_) => Answer::Header { shard_bytes: SHARD_BYTES },
                None => missing,
            },
            Ask::Locate { pack } => {
                let held = node.shards.keys().filter(|(other, _)| other == pack);
                Answer::Located(held.map(|(_, index)| *index).collect())
            }
            Ask::Verify { pack, index } => match node.shards.get(&(*pack, *index)) {
                Some(Content::Good) => Answer::Verified,
                Some(Content::Rotten) => Answer::Failed(Failure::Damaged),
                None => missing,
            },
            Ask::List { after } => {
                let held: Vec<_> =
                    node.shards.keys().copied().filter(|k| Some(*k) > *after).collect();
                let page = if held.len() > 3 { Page::More } else { Page::Last };
                Answer::Listed { held: held.into_iter().take(3).collect(), page }
            }
            Ask::Delete { pack } => {
                node.shards.retain(|(other, _), _| other != pack);
                Answer::Deleted
            }
            Ask::PutHead { head } => {
                if node.behaviour != Behaviour::Stale {
                    node.head = node.head.max(Some(*head));
                }
                Answer::Head(node.head)
            }
            Ask::GetHead => Answer::Head(node.head),
        }
    }

    /// S3: no place holds two different shards of one pack.
    #[track_caller]
    pub(super) fn assert_one_shard_per_place(&self) {
        for (id, node) in &self.nodes {
            let packs: BTreeSet<_> = node.shards.keys().map(|(pack, _)| *pack).collect();
            assert_eq!(packs.len(), node.shards.len(), "{id:?} holds two shards of one pack");
        }
    }

    /// Distinct shards of a pack that are held somewhere and whole.
    pub(super) fn held(&self, pack: PackId) -> usize {
        let shards = self.nodes.values().flat_map(|node| &node.shards);
        let good = shards.filter(|((p, _), content)| *p == pack && **content == Content::Good);
        good.map(|((_, index), _)| *index).collect::<BTreeSet<_>>().len()
    }

    pub(super) fn count_sent(&self, is_wanted: impl Fn(&Ask) -> bool) -> usize {
        self.sent.iter().filter(|(_, ask)| is_wanted(ask)).count()
    }

    pub(super) fn is_over(&self, op: OpId) -> bool {
        self.over.contains(&op)
    }
}

/// Whether a put ended with every shard stored.
pub(super) fn is_full(result: &Result<Event, MachineError>) -> bool {
    matches!(result, Ok(Event::Stored { missing, .. }) if missing.is_empty())
}

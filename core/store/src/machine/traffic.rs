//! The one machine a client runs: all its operations over one table of nodes and one budget.
//!
//! An operation (a put of one pack, a read, a repair, …) is a [`Process`]; what it learns about
//! nodes is at once known to the others. The shell starts operations, sends what it is told to
//! send, keeps bodies under the number of the request until the operation is over, and feeds back
//! answers it has checked. It times nothing: a request without an answer fails here.
//!
//! A shell that was busy itself must not take that for slow nodes: it feeds the answers that have
//! arrived before it calls `wake`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use acre_types::{Machine, NodeId, PackId, ShardIndex, Tick};

use super::error::MachineError;
use super::get::{Get, GetSpec, Ready};
use super::head::{HeadRead, HeadReader, HeadSpec, HeadWriter};
use super::health::{Health, Kind};
use super::limits;
use super::put::{Put, PutSpec};
use super::repair::{Repair, RepairReport, RepairSpec};
use super::survey::{Sighting, Survey, SurveySpec};
use super::types::{Answer, Ask, Decode, Failure, Fault, HeadSeen, OpId, RequestId, ShardAt};

/// What the shell tells the machine.
#[derive(Clone, Debug)]
pub enum In {
    /// Begin an operation.
    Start {
        /// A number never used before.
        op: OpId,
        /// What to do.
        what: Operation,
    },
    /// A request was answered, or failed.
    Answer {
        /// Which.
        request: RequestId,
        /// How.
        answer: Answer,
    },
    /// The bytes of [`Event::Ready`] were good: the read is over.
    Accepted {
        /// The read.
        op: OpId,
    },
    /// The bytes of [`Event::Ready`] did not open: find the liar and read again.
    TagFailed {
        /// The read.
        op: OpId,
    },
    /// The shell did what [`Event::Rebuild`] asked.
    Rebuilt {
        /// The repair.
        op: OpId,
        /// The pack.
        pack: PackId,
        /// Whether every shard made matches its root in the header.
        outcome: Rebuilt,
    },
    /// Give an operation up; its requests are cancelled and it has no further events.
    Cancel {
        /// Which.
        op: OpId,
    },
}

/// How a rebuild went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// Every shard made matches its root.
    Verified,
    /// One does not: the pack was damaged before it was coded.
    Mismatch,
}

/// An operation to start.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Store one pack.
    Put(PutSpec),
    /// Read bytes of a pack.
    Get(GetSpec),
    /// Look where the shards of a pack are and whether they are whole.
    Survey(SurveySpec),
    /// Bring the packs of a contract back to full redundancy.
    Repair(RepairSpec),
    /// Write a head.
    WriteHead {
        /// The places.
        spec: HeadSpec,
        /// The head, kept by the shell under its digest.
        head: HeadSeen,
    },
    /// Read the newest head.
    ReadHead(HeadSpec),
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Send a request and answer it with [`In::Answer`].
    Send {
        /// For which operation.
        op: OpId,
        /// The number to answer under.
        request: RequestId,
        /// To whom.
        node: NodeId,
        /// What.
        ask: Ask,
    },
    /// Nobody waits for this request any more.
    Cancel {
        /// Which.
        request: RequestId,
    },
    /// Tell whoever started the operation.
    Event {
        /// Which.
        op: OpId,
        /// What happened.
        event: Event,
    },
    /// The operation is over: drop what is kept for it. Follows its last event.
    Over {
        /// Which.
        op: OpId,
    },
}

/// What happens in an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Put: enough shards are synced (S1 holds from here); the rest goes on.
    Acknowledged {
        /// Distinct shards stored.
        stored: u8,
    },
    /// Put: over. With nothing missing the pack is full, else it is readable and not yet full.
    Stored {
        /// Where the shards are.
        copies: Vec<ShardAt>,
        /// Shards that found no place.
        missing: Vec<ShardIndex>,
    },
    /// Get: the pieces are here; answer with [`In::Accepted`] or [`In::TagFailed`].
    Ready(Ready),
    /// A node is at fault; worth a line in the log.
    Blame {
        /// Who.
        node: NodeId,
        /// For which pack.
        pack: PackId,
        /// For which shard.
        index: ShardIndex,
        /// For what.
        fault: Fault,
    },
    /// Survey: over.
    Sighted(Vec<Sighting>),
    /// Repair: all places are listed, work begins.
    RepairPlanned {
        /// Packs of the contract.
        packs: u64,
        /// Packs to work on in this pass; each ends with an [`Event::PackDone`].
        jobs: u64,
    },
    /// Repair: make these shards, check each against its root, answer with [`In::Rebuilt`], keep
    /// them for the [`Ask::Store`] that follow.
    Rebuild {
        /// The pack.
        pack: PackId,
        /// From what.
        decode: Decode,
    },
    /// Repair: nothing more is kept for this pack.
    PackDone {
        /// The pack.
        pack: PackId,
        /// Copies stored by this repair.
        stored: Vec<ShardAt>,
    },
    /// Repair: the pass is over.
    Repaired(RepairReport),
    /// Head written to enough places; the others are still being tried.
    HeadWritten {
        /// Places that have it.
        stored: usize,
    },
    /// The newest head.
    HeadRead(HeadRead),
    /// Over without result.
    Failed(MachineError),
}

/// One operation under way.
pub(crate) trait Process: Send {
    fn start(&mut self, cx: &mut Cx<'_>);
    fn answer(&mut self, cx: &mut Cx<'_>, request: RequestId, node: NodeId, answer: Answer);
    /// A deadline given by `deadline` was reached.
    fn wake(&mut self, cx: &mut Cx<'_>);
    fn deadline(&self) -> Option<Tick>;
    fn is_over(&self) -> bool;
    /// Bytes opened or not; only reads care.
    fn judged(&mut self, _cx: &mut Cx<'_>, _verdict: Verdict) {}
    /// Only repairs care.
    fn rebuilt(&mut self, _cx: &mut Cx<'_>, _pack: PackId, _outcome: Rebuilt) {}
}

/// What the shell found in the bytes of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

/// What a process may touch while it runs.
pub(crate) struct Cx<'a> {
    pub(crate) now: Tick,
    pub(crate) health: &'a mut Health,
    pub(crate) seed: u64,
    op: OpId,
    wire: &'a mut Wire,
}

impl Cx<'_> {
    pub(crate) fn ask(&mut self, node: NodeId, ask: Ask) -> RequestId {
        self.health.asked(node, self.now);
        self.wire.ask(self.now, self.op, node, ask)
    }

    pub(crate) fn cancel(&mut self, request: RequestId) {
        if self.wire.close(request).is_some() {
            self.wire.out.push_back(Out::Cancel { request });
        }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.wire.out.push_back(Out::Event { op: self.op, event });
    }

    pub(crate) fn blame(&mut self, node: NodeId, pack: PackId, index: ShardIndex, fault: Fault) {
        if fault == Fault::WrongBytes {
            self.health.failed(node, Failure::WrongBytes, self.now);
        }
        self.emit(Event::Blame { node, pack, index, fault });
    }

    /// When a hedge is due for a request sent now.
    pub(crate) fn hedge_at(&self, kind: Kind, factor: u32) -> Tick {
        self.now.after(self.health.hedge_delay(kind, factor))
    }
}

struct Open {
    op: OpId,
    node: NodeId,
    kind: Kind,
    sent: Tick,
    timeout: Tick,
}

/// Requests under way and what waits to be taken by the shell.
#[derive(Default)]
struct Wire {
    next: u64,
    open: BTreeMap<RequestId, Open>,
    timeouts: BTreeSet<(Tick, RequestId)>,
    by_op: BTreeSet<(OpId, RequestId)>,
    out: VecDeque<Out>,
}

impl Wire {
    fn ask(&mut self, now: Tick, op: OpId, node: NodeId, ask: Ask) -> RequestId {
        let request = RequestId(self.next);
        self.next = self.next.saturating_add(1);
        let kind = match &ask {
            Ask::Store { .. } => Kind::Write,
            Ask::Fetch { .. } | Ask::Verify { .. } => Kind::Read,
            _ => Kind::Small,
        };
        let timeout = now.after(limits::REQUEST_TIMEOUT);
        self.open.insert(request, Open { op, node, kind, sent: now, timeout });
        self.timeouts.insert((timeout, request));
        self.by_op.insert((op, request));
        self.out.push_back(Out::Send { op, request, node, ask });
        request
    }

    fn close(&mut self, request: RequestId) -> Option<Open> {
        let open = self.open.remove(&request)?;
        self.timeouts.remove(&(open.timeout, request));
        self.by_op.remove(&(open.op, request));
        Some(open)
    }

    fn close_all(&mut self, op: OpId) {
        let range = (op, RequestId(0))..=(op, RequestId(u64::MAX));
        let requests: Vec<_> = self.by_op.range(range).map(|(_, request)| *request).collect();
        for request in requests {
            self.close(request);
            self.out.push_back(Out::Cancel { request });
        }
    }
}

struct Running {
    process: Box<dyn Process>,
    alarm: Option<Tick>,
    put_bytes: u64,
}

/// All operations of one client. See the module.
pub struct Traffic {
    health: Health,
    wire: Wire,
    running: BTreeMap<OpId, Running>,
    alarms: BTreeSet<(Tick, OpId)>,
    waiting: VecDeque<(OpId, PutSpec)>,
    put_bytes: u64,
    seed: u64,
}

impl Traffic {
    /// A machine that knows nothing about nodes yet; `seed` decides between equals.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            health: Health::default(),
            wire: Wire::default(),
            running: BTreeMap::new(),
            alarms: BTreeSet::new(),
            waiting: VecDeque::new(),
            put_bytes: 0,
            seed,
        }
    }

    /// What is known about nodes.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Whether a put started now would begin at once. A shell prepares the next pack only then;
    /// that is what bounds its memory, since it keeps a pack's shards until [`Out::Over`].
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.waiting.is_empty() && self.put_bytes < limits::PUT_WINDOW_BYTES
    }

    /// Coded bytes of the puts under way.
    #[must_use]
    pub const fn put_bytes(&self) -> u64 {
        self.put_bytes
    }

    fn start(&mut self, now: Tick, op: OpId, what: Operation) {
        let put_bytes = match &what {
            Operation::Put(spec) => {
                let bytes = spec.coded_bytes();
                let fits = self.put_bytes.saturating_add(bytes) <= limits::PUT_WINDOW_BYTES;
                if self.put_bytes > 0 && !fits {
                    self.waiting.push_back((op, spec.clone()));
                    return;
                }
                bytes
            }
            _ => 0,
        };
        let process: Box<dyn Process> = match what {
            Operation::Put(spec) => Box::new(Put::new(spec)),
            Operation::Get(spec) => Box::new(Get::new(spec)),
            Operation::Survey(spec) => Box::new(Survey::new(spec)),
            Operation::Repair(spec) => Box::new(Repair::new(spec)),
            Operation::WriteHead { spec, head } => Box::new(HeadWriter::new(spec, head)),
            Operation::ReadHead(spec) => Box::new(HeadReader::new(spec)),
        };
        self.put_bytes = self.put_bytes.saturating_add(put_bytes);
        self.running.insert(op, Running { process, alarm: None, put_bytes });
        self.with(now, op, |process, cx| process.start(cx));
    }

    /// Lets one process act, then looks whether it is over and when it wants to be woken.
    fn with(&mut self, now: Tick, op: OpId, act: impl FnOnce(&mut dyn Process, &mut Cx<'_>)) {
        let Some(running) = self.running.get_mut(&op) else { return };
        let mut cx =
            Cx { now, op, seed: self.seed, health: &mut self.health, wire: &mut self.wire };
        act(running.process.as_mut(), &mut cx);
        if running.process.is_over() {
            self.end(now, op);
            return;
        }
        let alarm = running.process.deadline();
        if alarm != running.alarm {
            if let Some(old) = running.alarm {
                self.alarms.remove(&(old, op));
            }
            if let Some(new) = alarm {
                self.alarms.insert((new, op));
            }
            running.alarm = alarm;
        }
    }

    fn end(&mut self, now: Tick, op: OpId) {
        let waiting = self.waiting.len();
        self.waiting.retain(|(other, _)| *other != op);
        if let Some(running) = self.running.remove(&op) {
            if let Some(alarm) = running.alarm {
                self.alarms.remove(&(alarm, op));
            }
            self.put_bytes = self.put_bytes.saturating_sub(running.put_bytes);
        } else if self.waiting.len() == waiting {
            return;
        }
        self.wire.close_all(op);
        self.wire.out.push_back(Out::Over { op });
        while let Some((_, spec)) = self.waiting.front() {
            let needed = self.put_bytes.saturating_add(spec.coded_bytes());
            if self.put_bytes > 0 && needed > limits::PUT_WINDOW_BYTES {
                break;
            }
            let Some((op, spec)) = self.waiting.pop_front() else { break };
            self.start(now, op, Operation::Put(spec));
        }
    }

    fn answered(&mut self, now: Tick, request: RequestId, answer: Answer) {
        let Some(open) = self.wire.close(request) else { return };
        match &answer {
            Answer::Failed(failure) => self.health.failed(open.node, *failure, now),
            _ => self.health.answered(open.node, open.kind, now.since(open.sent)),
        }
        self.with(now, open.op, |process, cx| process.answer(cx, request, open.node, answer));
    }
}

impl Machine for Traffic {
    type In = In;
    type Out = Out;

    fn input(&mut self, now: Tick, input: In) {
        match input {
            In::Start { op, what } => self.start(now, op, what),
            In::Answer { request, answer } => self.answered(now, request, answer),
            In::Accepted { op } => self.with(now, op, |p, cx| p.judged(cx, Verdict::Good)),
            In::TagFailed { op } => self.with(now, op, |p, cx| p.judged(cx, Verdict::Bad)),
            In::Rebuilt { op, pack, outcome } => {
                self.with(now, op, |process, cx| process.rebuilt(cx, pack, outcome));
            }
            In::Cancel { op } => self.end(now, op),
        }
    }

    fn wake(&mut self, now: Tick) {
        while let Some((due, request)) = self.wire.timeouts.first().copied()
            && due <= now
        {
            self.wire.out.push_back(Out::Cancel { request });
            self.answered(now, request, Answer::Failed(Failure::Timeout));
        }
        let due: Vec<_> = self.alarms.range(..=(now, OpId(u64::MAX))).map(|(_, op)| *op).collect();
        for op in due {
            self.with(now, op, |process, cx| process.wake(cx));
        }
    }

    fn deadline(&self) -> Option<Tick> {
        let timeout = self.wire.timeouts.first().map(|(tick, _)| *tick);
        let alarm = self.alarms.first().map(|(tick, _)| *tick);
        [timeout, alarm].into_iter().flatten().min()
    }

    fn output(&mut self) -> Option<Out> {
        self.wire.out.pop_front()
    }
}

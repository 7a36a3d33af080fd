//! Drives the machine of [`acre_store::machine`] over the network: sends what it asks for, checks
//! what comes back, keeps bodies while their operation lasts, and tells events.
//!
//! One task owns the machine. Each request is a task of its own, so that thousands can be under
//! way; only this one decides. Bytes of shards are never copied here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use acre_net::Service;
use acre_net::rpc::{Caller, Message};
use acre_store::head::SignedHead;
use acre_store::keys::VolumeKeys;
use acre_store::machine::limits::REQUEST_TIMEOUT;
use acre_store::machine::{
    Answer, Ask, Check, Decode, Event, Failure, HeadSeen, In, OpId, Operation, Out, Page, Range,
    Ready, Rebuilt, RequestId, Traffic,
};
use acre_store::pack::SignedPack;
use acre_store::protocol::{Delete, Refusal, Reply, Request, Rest, SERVICE, decode_reply};
use acre_store::shard::{ShardHeader, ShardId};
use acre_types::{ContractId, Digest, Machine, NodeId, PackId, PublicKey, ShardIndex, Tick};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::shared::now;
use crate::volume::Growth;

/// The service that nodes answer.
pub const SHARD: Service = Service::new(SERVICE);

/// What a request needs to know of its volume.
pub(crate) struct Party {
    pub(crate) contract: ContractId,
    pub(crate) writer: PublicKey,
    pub(crate) keys: Arc<VolumeKeys>,
    /// Asked to reserve more when a place says that the contract is used up.
    pub(crate) grow: mpsc::Sender<Growth>,
}

/// The bytes that a read brought.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    /// Length of the whole pack, by the word of the node.
    pub(crate) pack_bytes: u32,
}

/// What happened, with the bytes that belong to it.
pub(crate) enum Told {
    Event(Event),
    Ready(Ready, HashMap<RequestId, Arc<Body>>),
    Head(Option<SignedHead>),
    Rebuild(PackId, Decode, HashMap<RequestId, Arc<Body>>, Option<Arc<ShardHeader>>),
}

enum Command {
    Start(Box<Start>),
    Input(In),
    Made { op: OpId, pack: PackId, shards: Vec<(ShardIndex, Bytes)>, outcome: Rebuilt },
}

/// An operation to begin.
struct Start {
    op: OpId,
    what: Operation,
    load: Load,
    to: mpsc::UnboundedSender<Told>,
}

/// What an operation brings along.
pub(crate) struct Load {
    pub(crate) party: Arc<Party>,
    pub(crate) pack: Option<SignedPack>,
    pub(crate) head: Option<SignedHead>,
}

/// A handle to the task; clones are the same.
#[derive(Clone)]
pub(crate) struct Courier {
    commands: mpsc::UnboundedSender<Command>,
    next: Arc<std::sync::atomic::AtomicU64>,
}

/// An operation under way. Dropped, it is given up.
pub(crate) struct Operating {
    op: OpId,
    commands: mpsc::UnboundedSender<Command>,
    events: mpsc::UnboundedReceiver<Told>,
}

impl Courier {
    /// Starts the task; it ends when the last handle is gone.
    pub(crate) fn start(caller: Caller, seed: u64) -> Self {
        let (commands, taken) = mpsc::unbounded_channel();
        tokio::spawn(Task::new(caller, seed).run(taken));
        Self { commands, next: Arc::default() }
    }

    /// Begins an operation.
    pub(crate) fn begin(&self, what: Operation, load: Load) -> Operating {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (to, events) = mpsc::unbounded_channel();
        let op = OpId(number);
        // It fails if the task is gone; then no event ever comes.
        let _ = self.commands.send(Command::Start(Box::new(Start { op, what, load, to })));
        Operating { op, commands: self.commands.clone(), events }
    }
}

impl Operating {
    /// The next event; `None` after the last.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        self.events.recv().await
    }

    /// Tells whether the bytes of a read were good.
    pub(crate) fn judge(&self, is_good: Verdict) {
        let op = self.op;
        let input = match is_good {
            Verdict::Good => In::Accepted { op },
            Verdict::Bad => In::TagFailed { op },
        };
        let _ = self.commands.send(Command::Input(input));
    }

    /// Hands over rebuilt shards.
    pub(crate) fn made(&self, pack: PackId, shards: Vec<(ShardIndex, Bytes)>, outcome: Rebuilt) {
        let _ = self.commands.send(Command::Made { op: self.op, pack, shards, outcome });
    }
}

impl Drop for Operating {
    fn drop(&mut self) {
        let input = In::Cancel { op: self.op };
        let _ = self.commands.send(Command::Input(input));
    }
}

/// What the tags of a read say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

/// What is kept for an operation.
struct Kept {
    load: Load,
    to: mpsc::UnboundedSender<Told>,
    bodies: HashMap<RequestId, Arc<Body>>,
    headers: HashMap<PackId, Arc<ShardHeader>>,
    made: HashMap<(PackId, ShardIndex), Bytes>,
    heads: HashMap<Digest, SignedHead>,
}

/// What came with an answer.
enum Extra {
    Nothing,
    Body(Body),
    Header(Box<ShardHeader>),
    Head(Box<SignedHead>),
}

struct Task {
    caller: Caller,
    machine: Traffic,
    start: Instant,
    /// The time of day at `start`, so that ticks mean something to the next process, too.
    zero: Tick,
    kept: BTreeMap<OpId, Kept>,
    calls: HashMap<RequestId, (OpId, Option<AbortHandle>)>,
    answers: mpsc::UnboundedSender<(RequestId, Answer, Extra)>,
    answered: mpsc::UnboundedReceiver<(RequestId, Answer, Extra)>,
}

impl Task {
    fn new(caller: Caller, seed: u64) -> Self {
        let (answers, answered) = mpsc::unbounded_channel();
        Self {
            caller,
            machine: Traffic::new(seed),
            start: Instant::now(),
            zero: Tick(now().0.saturating_mul(1000)),
            kept: BTreeMap::new(),
            calls: HashMap::new(),
            answers,
            answered,
        }
    }

    fn now(&self) -> Tick {
        self.zero.after(self.start.elapsed())
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            let deadline = self.machine.deadline();
            let due = deadline.map(|tick| self.start + tick.since(self.zero));
            let sleep = async move {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some((request, answer, extra)) = self.answered.recv() => {
                    self.take(request, answer, extra);
                    while let Ok((request, answer, extra)) = self.answered.try_recv() {
                        self.take(request, answer, extra);
                    }
                }
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => break,
                },
                () = sleep => {
                    let now = self.now();
                    self.machine.wake(now);
                }
            }
            self.drain();
        }
        for (_, call) in self.calls.into_values() {
            abort(call);
        }
    }

    fn take(&mut self, request: RequestId, answer: Answer, extra: Extra) {
        // Absent if the request was cancelled meanwhile.
        let Some((op, _)) = self.calls.remove(&request) else { return };
        if let Some(kept) = self.kept.get_mut(&op) {
            match extra {
                Extra::Nothing => {}
                Extra::Body(body) => {
                    kept.bodies.insert(request, Arc::new(body));
                }
                Extra::Header(header) => {
                    kept.headers.insert(header.pack().pack(), Arc::from(header));
                }
                Extra::Head(head) => {
                    kept.heads.insert(head.digest(), *head);
                }
            }
        }
        let now = self.now();
        self.machine.input(now, In::Answer { request, answer });
        self.drain();
    }

    fn obey(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Start(start) => {
                let Start { op, what, load, to } = *start;
                let heads = load.head.iter().map(|head| (head.digest(), head.clone())).collect();
                let (bodies, headers, made) = (HashMap::new(), HashMap::new(), HashMap::new());
                self.kept.insert(op, Kept { load, to, bodies, headers, made, heads });
                self.machine.input(now, In::Start { op, what });
            }
            Command::Input(input) => self.machine.input(now, input),
            Command::Made { op, pack, shards, outcome } => {
                if let Some(kept) = self.kept.get_mut(&op) {
                    let shards = shards.into_iter();
                    kept.made.extend(shards.map(|(index, bytes)| ((pack, index), bytes)));
                }
                self.machine.input(now, In::Rebuilt { op, pack, outcome });
            }
        }
    }

    fn drain(&mut self) {
        while let Some(out) = self.machine.output() {
            match out {
                Out::Send { op, request, node, ask } => self.send(op, request, node, ask),
                Out::Cancel { request } => {
                    if let Some((_, call)) = self.calls.remove(&request) {
                        abort(call);
                    }
                }
                Out::Event { op, event } => self.tell(op, event),
                Out::Over { op } => {
                    self.kept.remove(&op);
                }
            }
        }
    }

    fn tell(&mut self, op: OpId, event: Event) {
        if let Event::Blame { node, pack, index, fault } = &event {
            tracing::warn!(%node, %pack, %index, ?fault, "a node is at fault");
        }
        let Some(kept) = self.kept.get_mut(&op) else { return };
        let told = match event {
            Event::Ready(ready) => Told::Ready(ready, kept.bodies.clone()),
            Event::HeadRead(read) => {
                Told::Head(read.newest.and_then(|seen| kept.heads.get(&seen.digest).cloned()))
            }
            Event::Rebuild { pack, decode } => {
                let mut bodies = HashMap::new();
                for piece in &decode.from {
                    if let Some(body) = kept.bodies.remove(&piece.request) {
                        bodies.insert(piece.request, body);
                    }
                }
                Told::Rebuild(pack, decode, bodies, kept.headers.get(&pack).cloned())
            }
            Event::PackDone { pack, stored } => {
                kept.made.retain(|(other, _), _| *other != pack);
                kept.headers.remove(&pack);
                Told::Event(Event::PackDone { pack, stored })
            }
            event => Told::Event(event),
        };
        // Nobody may care any more.
        let _ = kept.to.send(told);
    }

    fn send(&mut self, op: OpId, request: RequestId, node: NodeId, ask: Ask) {
        let Some(kept) = self.kept.get(&op) else { return };
        let party = Arc::clone(&kept.load.party);
        let Some((wire, body)) = kept.request(&ask) else {
            let answer = Answer::Failed(Failure::Refused);
            let _ = self.answers.send((request, answer, Extra::Nothing));
            self.calls.insert(request, (op, None));
            return;
        };
        let header = match &ask {
            Ask::Fetch { pack, .. } => kept.headers.get(pack).cloned(),
            _ => None,
        };
        let call = Call { caller: self.caller.clone(), node, ask, party, header };
        let answers = self.answers.clone();
        let task = tokio::spawn(async move {
            let (answer, extra) = call.make(wire, body).await;
            // It fails if the client is gone.
            let _ = answers.send((request, answer, extra));
        });
        self.calls.insert(request, (op, Some(task.abort_handle())));
    }
}

impl Kept {
    /// What to send; `None` if the bytes are not here, which would be a fault of the machine.
    fn request(&self, ask: &Ask) -> Option<(Request, Bytes)> {
        let contract = self.load.party.contract;
        let request = match ask {
            Ask::Store { pack, index } => {
                if let Some(body) = self.made.get(&(*pack, *index)) {
                    let header = self.headers.get(pack)?.sibling(*index)?;
                    return Some((Request::Put(header), body.clone()));
                }
                let (header, body) = self.load.pack.as_ref()?.shard(*index)?;
                return Some((Request::Put(header), body));
            }
            Ask::Fetch { pack, index, range, .. } => Request::Get {
                shard: ShardId { pack: *pack, index: *index },
                offset: range.offset,
                length: range.length,
            },
            Ask::Header { pack, index } => Request::Header(ShardId { pack: *pack, index: *index }),
            Ask::Locate { pack } => Request::Locate { packs: vec![*pack].try_into().ok()? },
            Ask::Verify { pack, index } => Request::Verify(ShardId { pack: *pack, index: *index }),
            Ask::List { after } => {
                let after = after.map(|(pack, index)| ShardId { pack, index });
                Request::List { contract, after }
            }
            Ask::Delete { pack } => {
                Request::Delete(delete(contract, *pack)?.sign(self.load.party.keys.signing_key()))
            }
            Ask::PutHead { head } => Request::PutHead(self.heads.get(&head.digest)?.clone()),
            Ask::GetHead => Request::GetHead { contract },
        };
        Some((request, Bytes::new()))
    }
}

fn delete(contract: ContractId, pack: PackId) -> Option<Delete> {
    Some(Delete { contract, packs: vec![pack].try_into().ok()?, serial: 0 })
}

/// One request on its way.
struct Call {
    caller: Caller,
    node: NodeId,
    ask: Ask,
    party: Arc<Party>,
    header: Option<Arc<ShardHeader>>,
}

impl Call {
    async fn make(self, request: Request, body: Bytes) -> (Answer, Extra) {
        let meta = Bytes::from(acre_codec::encode(&request));
        let mut grown = false;
        loop {
            let message = Message::new(meta.clone(), body.clone());
            let reply = match self.caller.call(self.node.key(), message, REQUEST_TIMEOUT).await {
                Ok(reply) => reply,
                Err(error) => {
                    tracing::debug!(node = %self.node, %error, "a node does not answer");
                    return failed(Failure::Unreachable);
                }
            };
            let Ok(meta) = decode_reply(&reply.meta) else { return failed(Failure::WrongBytes) };
            if let Reply::Refused(Refusal::OverContract { .. }) = meta
                && !grown
            {
                grown = true;
                if self.grow().await {
                    continue;
                }
            }
            return self.understand(meta, reply.body);
        }
    }

    /// Has the contract extended; whether it was.
    async fn grow(&self) -> bool {
        let (done, is_done) = oneshot::channel();
        let growth = Growth { at_least: acre_types::Bytes(0), done };
        self.party.grow.send(growth).await.is_ok() && is_done.await.unwrap_or(false)
    }

    fn understand(&self, reply: Reply, body: Bytes) -> (Answer, Extra) {
        let plain = |answer| (answer, Extra::Nothing);
        match (&self.ask, reply) {
            (_, Reply::Refused(refusal)) => {
                tracing::debug!(node = %self.node, %refusal, "a node refuses");
                failed(Failure::from(&refusal))
            }
            (Ask::Store { .. }, Reply::Stored) => plain(Answer::Stored),
            (Ask::Fetch { index, range, check, .. }, Reply::Shard { pack_bytes }) => {
                self.fetched(*index, *range, *check, Body { bytes: body, pack_bytes })
            }
            (Ask::Header { pack, .. }, Reply::Header(header)) => {
                let is_ours = header.pack().pack() == *pack
                    && header.pack().contract() == self.party.contract
                    && header.verify(&self.party.writer).is_ok();
                if !is_ours {
                    return failed(Failure::WrongBytes);
                }
                let shard_bytes = header.pack().shard_bytes();
                (Answer::Header { shard_bytes }, Extra::Header(Box::new(header)))
            }
            (Ask::Locate { pack }, Reply::Located(shards)) => {
                let held = shards.iter().filter(|shard| shard.pack == *pack);
                plain(Answer::Located(held.map(|shard| shard.index).collect()))
            }
            (Ask::Verify { .. }, Reply::Verified) => plain(Answer::Verified),
            (Ask::Verify { .. }, Reply::Damaged) => failed(Failure::Damaged),
            (Ask::List { .. }, Reply::Page { shards, rest }) => {
                let held = shards.iter().map(|shard| (shard.pack, shard.index)).collect();
                let page = if rest == Rest::More { Page::More } else { Page::Last };
                plain(Answer::Listed { held, page })
            }
            (Ask::Delete { pack }, Reply::Deleted(receipt)) => {
                let wish = delete(self.party.contract, *pack);
                let is_good = wish.is_some_and(|wish| receipt.verify(&wish).is_ok());
                if is_good && receipt.receipt.node == self.node {
                    plain(Answer::Deleted)
                } else {
                    failed(Failure::WrongBytes)
                }
            }
            (Ask::PutHead { .. } | Ask::GetHead, Reply::HeadIs(head)) => self.head(head),
            _ => failed(Failure::WrongBytes),
        }
    }

    fn fetched(
        &self,
        index: ShardIndex,
        range: Range,
        check: Check,
        body: Body,
    ) -> (Answer, Extra) {
        let is_whole = range == Range::ALL;
        let is_short = usize::try_from(range.length) != Ok(body.bytes.len());
        if body.bytes.is_empty() || (!is_whole && is_short) {
            return failed(Failure::WrongBytes);
        }
        if check == Check::Root {
            let header = self.header.as_ref().map(|header| header.pack());
            if header.is_none_or(|header| header.verify_body(index, &body.bytes).is_err()) {
                return failed(Failure::WrongBytes);
            }
        }
        (Answer::Shard, Extra::Body(body))
    }

    fn head(&self, head: Option<SignedHead>) -> (Answer, Extra) {
        let Some(head) = head else { return (Answer::Head(None), Extra::Nothing) };
        let is_ours =
            head.head.contract == self.party.contract && head.verify(&self.party.writer).is_ok();
        if !is_ours {
            tracing::warn!(node = %self.node, "a node shows a head that the owner never signed");
            return failed(Failure::WrongBytes);
        }
        (Answer::Head(Some(HeadSeen::from(&head))), Extra::Head(Box::new(head)))
    }
}

fn abort(call: Option<AbortHandle>) {
    if let Some(call) = call {
        call.abort();
    }
}

fn failed(failure: Failure) -> (Answer, Extra) {
    (Answer::Failed(failure), Extra::Nothing)
}

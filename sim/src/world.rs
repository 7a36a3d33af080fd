//! The world of one seed: nodes, clients, the network between them, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use acre_crypto::{Secret, SigningKey};
use acre_store::keys::Identity;
use acre_store::machine::placement::{Candidate, choose};
use acre_store::machine::{Explained, Fault, MachineError, OpId, Places, Trust, Urgency, When};
use acre_store::pack::SignedPack;
use acre_store::protocol::{Reply, Request, decode_reply, decode_request};
use acre_store::tree::{Directory, Run};
use acre_types::{AccountId, Bytes as Amount, ContractId, NodeId, PackId, Tick};
use bytes::Bytes;

use crate::atlas::Atlas;
use crate::client::{Client, Located, Note, Volume, What};
use crate::clock::{Clock, Rolling};
use crate::faults::Trouble;
use crate::library::Library;
use crate::node::{Caller, Node, Served, Terms};
use crate::options::{Options, Workload};
use crate::reached;
use crate::reached::Reached;
use crate::rng::Rng;

/// What can happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A request reaches a node.
    Request { to: usize, caller: Caller, meta: Vec<u8>, body: Bytes },
    /// A reply reaches a client.
    Reply { from: usize, caller: Caller, meta: Vec<u8>, body: Bytes },
    /// A connection of a client breaks.
    Broken { caller: Caller },
    /// A sync of so many records ends.
    Synced { node: usize, incarnation: u64, count: usize },
    /// The client does something.
    Work,
    /// Something goes wrong.
    Trouble(Trouble),
}

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}, {at} ms: {what}")]
pub struct Violation {
    /// The seed.
    pub seed: u64,
    /// Virtual time in milliseconds.
    pub at: u64,
    /// Invariant and what broke it.
    pub what: String,
}

/// What the oracle remembers of an object: its bytes, and what became of it.
pub(crate) struct Object {
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) located: Arc<Located>,
    pub(crate) acknowledged: bool,
    /// Digest of each shard as it was made.
    pub(crate) shards: Vec<acre_types::Digest>,
    /// What the metadata says; none for a metadata pack.
    pub(crate) run: Option<Run>,
}

/// A state of the volume on its way: to be named by heads once all its packs are acknowledged.
pub(crate) struct Pending {
    tree: Directory,
    packs: Vec<PackId>,
    files: BTreeMap<Vec<u8>, PackId>,
}

/// Whether faults still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Chaos,
    Calm,
}

/// All of it.
pub struct World {
    pub(crate) options: Options,
    pub(crate) clock: Clock<Event>,
    pub(crate) rng: Rng,
    pub(crate) nodes: Vec<Node>,
    pub(crate) by_id: BTreeMap<NodeId, usize>,
    pub(crate) clients: Vec<Client>,
    pub(crate) volume: Volume,
    pub(crate) objects: BTreeMap<PackId, Object>,
    pub(crate) atlas: Atlas,
    pub(crate) cut: BTreeSet<usize>,
    pub(crate) phase: Phase,
    pub(crate) heads_acknowledged: u64,
    pub(crate) heads_signed: u64,
    /// What each read of the head must find at least, where no place lies or lost its disk.
    pub(crate) head_floors: BTreeMap<(usize, OpId), u64>,
    pub(crate) library: Library,
    pub(crate) pending: Option<Pending>,
    /// The newest tree of which every pack is acknowledged, and its files.
    pub(crate) tree: Directory,
    pub(crate) files: BTreeMap<Vec<u8>, PackId>,
    /// The files below each head that was signed.
    pub(crate) snapshots: BTreeMap<u64, BTreeMap<Vec<u8>, PackId>>,
    pub(crate) last_survey: Option<Explained>,
    pub(crate) last_head: Option<Option<u64>>,
    pub(crate) failed_reads: BTreeMap<(usize, PackId), MachineError>,
    /// Drops after healing: at which node, and the redundancy of each pack before.
    pub(crate) deletes: Vec<(usize, Vec<(PackId, usize)>)>,
    pub(crate) over: BTreeSet<(usize, OpId)>,
    /// States reached.
    pub reached: Reached,
    /// Digest of all events.
    pub rolling: Rolling,
    /// Events so far.
    pub events: u64,
    pub(crate) trace: Option<Vec<String>>,
}

const CONTRACT: ContractId = ContractId(1);

impl World {
    /// The world of these options, before anything happened.
    ///
    /// # Errors
    /// S3 if the places chosen share a site or an operator.
    pub fn new(options: Options) -> Result<Self, Violation> {
        let mut rng = Rng::new(options.seed);
        let count = usize::from(options.profile.shards() + options.profile.spares());
        let mut keys = BTreeMap::new();
        let mut candidates = Vec::new();
        for number in 0..count * 2 + 4 {
            let key = SigningKey::from_seed(Secret::new(rng.secret()));
            let id = NodeId::from(key.public());
            // Every third box shares its hall or its owner with another one.
            let site = if number % 3 == 2 { number - 1 } else { number };
            let operator = if number % 5 == 4 { number - 1 } else { number };
            candidates.push(Candidate {
                node: id,
                site: format!("site {site}"),
                operator: AccountId([u8::try_from(operator).unwrap_or(u8::MAX); 32]),
                country: ["BE", "DE", "FR", "TZ"][number % 4].parse().expect("a country"),
                free: Amount(1 << 30),
                failures: 0,
            });
            keys.insert(id, key);
        }
        let placement = choose(options.profile, &candidates, Amount(1 << 20), rng.draw())
            .expect("there are twice as many boxes as places");
        let ids = [placement.primaries, placement.spares].concat();
        check_domains(&options, &candidates, &ids)?;
        let mut nodes = Vec::new();
        for id in &ids {
            let key = keys.remove(id).expect("a candidate was chosen");
            nodes.push(Node::new(key, u64::MAX));
        }
        let mut atlas = Atlas::default();
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        for lie in &options.liars {
            let at = order.swap_remove(rng.index(order.len()));
            nodes[at].lie = Some(*lie);
            atlas.lose_place(at);
        }
        let volume = Volume {
            contract: CONTRACT,
            places: Places::new(options.profile, ids.clone()).expect("distinct, and enough"),
            keys: Identity::new(Secret::new(rng.secret())).volume(0),
            planted: options.planted,
        };
        let library = Library::new(&volume, rng.secret());
        let trace = None;
        let mut world = Self {
            by_id: ids.into_iter().enumerate().map(|(at, id)| (id, at)).collect(),
            clients: (0..options.devices).map(|_| Client::new(rng.draw())).collect(),
            clock: Clock::default(),
            nodes,
            volume,
            objects: BTreeMap::new(),
            atlas,
            cut: BTreeSet::new(),
            phase: Phase::Chaos,
            heads_acknowledged: 0,
            heads_signed: 0,
            head_floors: BTreeMap::new(),
            library,
            pending: None,
            tree: Directory::empty(),
            files: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            last_survey: None,
            last_head: None,
            failed_reads: BTreeMap::new(),
            deletes: Vec::new(),
            over: BTreeSet::new(),
            reached: Reached::default(),
            rolling: Rolling::default(),
            events: 0,
            trace,
            rng,
            options,
        };
        world.plan();
        world.clock.after(Duration::ZERO, Event::Work);
        Ok(world)
    }

    /// Keeps a line for each event.
    pub fn keep_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// The lines kept.
    #[must_use]
    pub fn trace(&self) -> &[String] {
        self.trace.as_deref().unwrap_or_default()
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.trace {
            lines.push(format!("{:>12.3} s  {}", self.clock.now().0 as f64 / 1e6, line()));
        }
    }

    /// That something must never be.
    #[must_use]
    pub(crate) fn violation(&self, what: String) -> Violation {
        Violation { seed: self.options.seed, at: self.clock.now().0 / 1000, what }
    }

    /// Virtual time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.now().since(Tick(1_000_000))
    }

    /// Lets everything happen until `end`, or until `is_done`.
    pub(crate) fn run_until(
        &mut self,
        end: Tick,
        mut is_done: impl FnMut(&Self) -> bool,
    ) -> Result<(), Violation> {
        self.settle()?;
        while !is_done(self) {
            let wake = self.clients.iter().filter_map(Client::deadline).min();
            let due = self.clock.due();
            let Some(next) = [wake, due].into_iter().flatten().min() else { break };
            if next > end {
                break;
            }
            self.clock.advance(next);
            self.events += 1;
            if let Some(event) = self.clock.take() {
                self.happen(event)?;
            } else {
                let now = self.clock.now();
                for client in &mut self.clients {
                    if client.deadline().is_some_and(|due| due <= now) {
                        client.wake(now, &self.volume);
                    }
                }
            }
            self.settle()?;
        }
        if !is_done(self) {
            self.clock.advance(end);
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        let now = self.clock.now();
        self.rolling.add(&now.0.to_le_bytes());
        match event {
            Event::Request { to, caller, meta, body } => self.request(to, caller, &meta, body),
            Event::Reply { from, caller, meta, body } => {
                self.rolling.add(&meta);
                let reply = decode_reply(&meta).map_err(|error| {
                    self.violation(format!("own reply does not decode: {error}"))
                })?;
                self.note(|| format!("{from} -> client: {}", short(&reply)));
                let node = self.nodes[from].id;
                if let Some(client) = self.clients.get_mut(caller.client) {
                    client.reply(now, &self.volume, caller.request, node, reply, body);
                }
            }
            Event::Broken { caller } => {
                if let Some(client) = self.clients.get_mut(caller.client) {
                    client.broken(now, &self.volume, caller.request);
                }
            }
            Event::Synced { node, incarnation, count } => {
                if self.nodes[node].incarnation == incarnation {
                    for (caller, reply) in self.nodes[node].synced(count) {
                        self.send_back(node, caller, &reply, Bytes::new());
                    }
                    self.sync(node);
                }
            }
            Event::Work => self.work(),
            Event::Trouble(trouble) => self.trouble(trouble),
        }
        Ok(())
    }

    fn request(&mut self, to: usize, caller: Caller, meta: &[u8], body: Bytes) {
        self.rolling.add(meta);
        if !self.nodes[to].up {
            if self.rng.chance(700) {
                let delay = self.delay(to);
                self.clock.after(delay, Event::Broken { caller });
            }
            return;
        }
        let Ok(request) = decode_request(meta) else { return };
        self.note(|| format!("client -> {to}: {}", short_request(&request)));
        let before = match (&request, self.phase) {
            (Request::Delete(signed), Phase::Calm) => Some(
                signed.delete.packs.iter().map(|pack| (*pack, self.redundancy(*pack))).collect(),
            ),
            _ => None,
        };
        if let Some(before) = before {
            self.deletes.push((to, before));
        }
        let terms = Terms {
            contract: self.volume.contract,
            writer: self.volume.keys.writer(),
            planted: self.options.planted,
        };
        let served = self.nodes[to].serve(&terms, caller, request, body, &mut self.reached);
        if let Served::Now(reply, body) = served {
            self.send_back(to, caller, &reply, body);
        }
        self.sync(to);
    }

    fn sync(&mut self, at: usize) {
        if !self.nodes[at].wants_sync() {
            return;
        }
        let node = &mut self.nodes[at];
        node.is_syncing = true;
        let (incarnation, count) = (node.incarnation, node.written());
        let longest = if self.rng.chance(20) { 800_000 } else { 20_000 };
        let micros = self.rng.between(500, longest) * u64::from(node.slowness);
        let event = Event::Synced { node: at, incarnation, count };
        self.clock.after(Duration::from_micros(micros), event);
        if self.phase == Phase::Chaos && self.rng.chance(self.options.crash_writing) {
            let wait = Duration::from_micros(self.rng.between(1, micros.max(2)));
            self.clock.after(wait, Event::Trouble(Trouble::PowerFailure(at)));
        }
    }

    fn delay(&mut self, node: usize) -> Duration {
        let most = u64::try_from(self.options.delay_max.as_micros()).unwrap_or(u64::MAX);
        let most = if self.phase == Phase::Calm { most.min(20_000) } else { most };
        let slowness = u64::from(self.nodes[node].slowness);
        Duration::from_micros(self.rng.between(200, 200 + most) * slowness)
    }

    /// Whether a message between a client and this node is lost now.
    fn is_lost(&mut self, node: usize) -> bool {
        if self.cut.contains(&node) {
            return true;
        }
        let lost = self.phase == Phase::Chaos && self.rng.chance(self.options.loss);
        reached!(self.reached, "message_lost" if lost);
        lost
    }

    fn copies(&mut self) -> usize {
        let twice = self.phase == Phase::Chaos && self.rng.chance(self.options.doubled);
        reached!(self.reached, "message_doubled" if twice);
        if twice { 2 } else { 1 }
    }

    fn send_back(&mut self, from: usize, caller: Caller, reply: &Reply, body: Bytes) {
        if self.is_lost(from) {
            return;
        }
        let meta = acre_codec::encode(reply);
        for _ in 0..self.copies() {
            let delay = self.delay(from);
            let (meta, body) = (meta.clone(), body.clone());
            self.clock.after(delay, Event::Reply { from, caller, meta, body });
        }
    }

    /// Takes from the clients what they want sent and what they have to tell.
    fn settle(&mut self) -> Result<(), Violation> {
        for at in 0..self.clients.len() {
            for sent in std::mem::take(&mut self.clients[at].sent) {
                let to = self.by_id[&sent.node];
                if self.is_lost(to) {
                    continue;
                }
                let caller = Caller { client: at, request: sent.request };
                let meta = acre_codec::encode(&sent.message);
                for _ in 0..self.copies() {
                    let delay = self.delay(to);
                    let (meta, body) = (meta.clone(), sent.body.clone());
                    self.clock.after(delay, Event::Request { to, caller, meta, body });
                }
            }
            for note in std::mem::take(&mut self.clients[at].notes) {
                self.judge(at, note)?;
            }
        }
        Ok(())
    }

    /// A device does one random thing.
    fn work(&mut self) {
        if self.phase == Phase::Calm {
            return;
        }
        let gap = u64::try_from(self.options.work_gap.as_millis()).unwrap_or(1000);
        let next = Duration::from_millis(self.rng.between(gap / 4, gap * 2));
        self.clock.after(next, Event::Work);
        let now = self.clock.now();
        let packs: Vec<_> = self.acknowledged();
        let device = self.rng.index(self.options.devices);
        let lowest = match self.options.workload {
            Workload::Heads if self.rng.chance(800) => 16,
            _ => 0,
        };
        match self.rng.between(lowest, 22) {
            0..=6 => self.put(device),
            7..=12 => {
                if let Some(pack) = self.rng.pick(&packs).copied() {
                    let what = self.any_part(pack);
                    self.get(device, pack, what);
                }
            }
            13..=14 => {
                let referenced = packs.into_iter().collect();
                let when = match self.rng.below(3) {
                    0 => When::ByUrgency(Urgency::default()),
                    _ => When::Now,
                };
                let trust = if self.rng.chance(500) { Trust::Listed } else { Trust::Verified };
                self.clients[device].repair(now, &self.volume, referenced, when, trust);
            }
            15 => {
                if let Some(pack) = self.rng.pick(&packs).copied() {
                    self.clients[device].survey(now, &self.volume, pack);
                }
            }
            16..=18 => {
                let op = self.clients[device].read_head(now, &self.volume);
                self.head_floors.insert((device, op), self.heads_acknowledged);
            }
            _ => {
                self.heads_signed += 1;
                let (counter, seed) = (self.heads_signed, self.rng.secret());
                self.commit(device);
                self.snapshots.insert(counter, self.files.clone());
                let written =
                    self.clients[device].write_head(now, &self.volume, counter, self.tree, seed);
                debug_assert!(written.is_ok());
            }
        }
    }

    fn put(&mut self, device: usize) {
        let count = 1 + self.rng.index(4);
        let mut chunks = Vec::new();
        for _ in 0..count {
            let length = 1 + self.rng.index(1500);
            chunks.push(self.rng.bytes(length));
        }
        let seed = self.rng.secret();
        let prepared = self.volume.prepare(&chunks, seed).expect("small chunks fit into a pack");
        let located = Arc::new(prepared.located);
        let pack = located.pack;
        let bodies =
            self.volume.places.profile().indices().filter_map(|index| prepared.pack.shard(index));
        let shards = bodies.map(|(_, body)| acre_crypto::digest(&body)).collect();
        let run = Some(prepared.run);
        self.objects.insert(pack, Object { chunks, located, acknowledged: false, shards, run });
        self.clients[device].put(self.clock.now(), &self.volume, prepared.pack);
    }

    /// Takes up the state that was on its way if all of it is acknowledged, and sends the next one.
    fn commit(&mut self, device: usize) {
        if let Some(pending) = self.pending.take() {
            if pending.packs.iter().all(|pack| self.objects[pack].acknowledged) {
                reached!(self.reached, "tree_committed");
                self.tree = pending.tree;
                self.files = pending.files;
            } else {
                reached!(self.reached, "tree_given_up");
            }
        }
        let (mut tree, mut files) = (self.tree, self.files.clone());
        let known: BTreeSet<PackId> = files.values().copied().collect();
        for (pack, object) in &self.objects {
            let Some(run) = object.run.as_ref() else { continue };
            if !object.acknowledged || known.contains(pack) {
                continue;
            }
            let (folder, name) = (format!("folder {}", pack.0[0] % 5), pack.to_string());
            tree = self.library.add(&tree, &folder, &name, run.clone()).expect("small names");
            files.insert(format!("{folder}/{name}").into_bytes(), *pack);
        }
        let mut packs = Vec::new();
        for sealed in self.library.close().expect("nodes fit into packs") {
            let pack = sealed.sign(self.volume.keys.signing_key());
            packs.push(pack.header().pack());
            self.remember(&pack);
            self.clients[device].put(self.clock.now(), &self.volume, pack);
        }
        if !packs.is_empty() {
            self.pending = Some(Pending { tree, packs, files });
        }
    }

    /// Enters a metadata pack into the oracle.
    fn remember(&mut self, pack: &SignedPack) {
        let id = pack.header().pack();
        let bodies = self.volume.places.profile().indices().filter_map(|index| pack.shard(index));
        let shards = bodies.map(|(_, body)| acre_crypto::digest(&body)).collect();
        let located = Arc::new(Located::unknown(id));
        let (chunks, acknowledged, run) = (Vec::new(), false, None);
        self.objects.insert(id, Object { chunks, located, acknowledged, shards, run });
    }

    pub(crate) fn any_part(&mut self, pack: PackId) -> What {
        let chunks = self.objects[&pack].chunks.len();
        if chunks == 0 {
            return What::Meta;
        }
        if self.rng.chance(500) { What::All } else { What::Chunk(self.rng.index(chunks)) }
    }

    pub(crate) fn get(&mut self, client: usize, pack: PackId, what: What) -> OpId {
        let located = Arc::clone(&self.objects[&pack].located);
        self.clients[client].get(self.clock.now(), &self.volume, located, what)
    }

    pub(crate) fn acknowledged(&self) -> Vec<PackId> {
        let packs = self.objects.iter().filter(|(_, object)| object.acknowledged);
        packs.map(|(pack, _)| *pack).collect()
    }

    /// Compares what a client tells with what the oracle knows.
    fn judge(&mut self, client: usize, note: Note) -> Result<(), Violation> {
        self.note(|| format!("client {client}: {}", brief(&note)));
        match note {
            Note::Acknowledged(pack) => {
                reached!(self.reached, "put_acknowledged");
                if let Some(object) = self.objects.get_mut(&pack) {
                    object.acknowledged = true;
                }
            }
            Note::PutOver(_, missing) => {
                reached!(self.reached, "put_full" if missing == 0);
                reached!(self.reached, "put_not_full" if missing > 0);
            }
            Note::PutFailed(..) => reached!(self.reached, "put_failed"),
            Note::Read(pack, what, plain) => self.check_read(pack, what, &plain)?,
            Note::ReadFailed(pack, error) => {
                reached!(self.reached, "get_unavailable");
                let known = matches!(
                    error,
                    MachineError::Unavailable { .. } | MachineError::PackDamaged { .. }
                );
                if !known {
                    return Err(self.violation(format!("S1: read of {pack:?} failed by {error}")));
                }
                self.failed_reads.insert((client, pack), error);
            }
            Note::HeadWritten(counter) => {
                reached!(self.reached, "head_written");
                self.heads_acknowledged = self.heads_acknowledged.max(counter);
            }
            Note::HeadFailed(_, error) => {
                reached!(self.reached, "head_not_written");
                let is_conflict = matches!(error, MachineError::HeadConflict { .. });
                reached!(self.reached, "head_conflict" if is_conflict);
            }
            Note::HeadRead(op, counter) => {
                if counter.is_some_and(|counter| counter > self.heads_signed) {
                    return Err(self.violation("S2: a head that nobody signed".to_owned()));
                }
                let floor = self.head_floors.remove(&(client, op)).unwrap_or(0);
                if self.atlas.places() == 0 && counter.unwrap_or(0) < floor {
                    return Err(self.violation(format!(
                        "S1: head {floor} was acknowledged before a read that found {counter:?}"
                    )));
                }
                self.last_head = Some(counter);
            }
            Note::HeadUnread(_) => {}
            Note::Surveyed(_, explained) => self.last_survey = Some(explained),
            Note::Repaired(report) => {
                reached!(self.reached, "repair_stored" if report.stored > 0);
                reached!(self.reached, "repair_trimmed" if report.trimmed > 0);
                reached!(self.reached, "repair_waiting" if !report.waiting.is_empty());
                reached!(self.reached, "repair_unrepairable" if report.unrepairable > 0);
            }
            Note::Blamed(_, Fault::WrongBytes) => reached!(self.reached, "blamed_wrong_bytes"),
            Note::Blamed(_, Fault::Damaged) => reached!(self.reached, "blamed_damaged"),
            Note::Over(op) => {
                self.over.insert((client, op));
            }
        }
        Ok(())
    }
}

fn check_domains(
    options: &Options,
    candidates: &[Candidate],
    ids: &[NodeId],
) -> Result<(), Violation> {
    let chosen: Vec<_> = candidates.iter().filter(|one| ids.contains(&one.node)).collect();
    let sites: BTreeSet<_> = chosen.iter().map(|one| &one.site).collect();
    let operators: BTreeSet<_> = chosen.iter().map(|one| one.operator).collect();
    if sites.len() == ids.len() && operators.len() == ids.len() {
        return Ok(());
    }
    let what = "S3: two places share a site or an operator".to_owned();
    Err(Violation { seed: options.seed, at: 0, what })
}

fn short(reply: &Reply) -> String {
    let text = format!("{reply:?}");
    text.chars().take(90).collect()
}

fn short_request(request: &Request) -> String {
    match request {
        Request::Put(header) => format!("Put {:?} {}", header.pack().pack(), header.index()),
        Request::PutHead(signed) => format!("PutHead {}", signed.head.counter),
        other => format!("{other:?}").chars().take(90).collect(),
    }
}

fn brief(note: &Note) -> String {
    match note {
        Note::Read(pack, what, plain) => format!("Read {pack:?} {what:?} {} bytes", plain.len()),
        other => format!("{other:?}").chars().take(200).collect(),
    }
}

//! The shell of a client: keys, formats and bytes around the shipped [`Traffic`] machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use acre_codec::List;
use acre_crypto::Secret;
use acre_crypto::aead::AeadKey;
use acre_store::head::{Head, Position, SignedHead};
use acre_store::keys::VolumeKeys;
use acre_store::machine::{
    Answer, Ask, Check, Decode, Event, Explained, Extent, Failure, Fault, GetSpec, HeadSeen,
    HeadSpec, In, MachineError, OpId, Operation, Out, Page, Places, PutSpec, Range, Ready, Rebuilt,
    RepairReport, RepairSpec, RequestId, ShardAt, SurveySpec, Traffic, Trust, When, explain,
};
use acre_store::pack::{
    Builder, BuilderConfig, ChunkRef, Layout, MetaPack, Opener, SignedPack, rebuild,
};
use acre_store::protocol::{Delete, Reply, Request, Rest};
use acre_store::shard::{PackClass, PackHeader, ShardHeader, ShardId, shard_bytes};
use acre_store::tree::{Directory, Root, Run};
use acre_store::{Entropy, StoreError};
use acre_types::{ContractId, Machine, NodeId, PackId, Profile, ShardIndex, Tick, UnixMs};
use bytes::Bytes;

use crate::library::Shelf;
use crate::planted::Planted;
use crate::reached;
use crate::reached::Reached;

/// What every client of the volume knows: the words, hence the keys, and the metadata.
pub struct Volume {
    /// The contract.
    pub contract: ContractId,
    /// Its places.
    pub places: Places,
    /// Its keys.
    pub keys: VolumeKeys,
    /// What is wrong on purpose.
    pub planted: Option<Planted>,
}

/// Where an object is: what the metadata of a volume would say.
pub struct Located {
    /// Its pack.
    pub pack: PackId,
    /// Length of the pack.
    pub pack_bytes: u32,
    /// Key of the pack.
    pub key: AeadKey,
    /// Its chunks, in order.
    pub chunks: Vec<ChunkRef>,
}

impl Located {
    /// A metadata pack, of which only the name is known.
    #[must_use]
    pub fn unknown(pack: PackId) -> Self {
        let key = AeadKey::new(&Secret::new([0; 32]));
        Self { pack, pack_bytes: 0, key, chunks: Vec::new() }
    }

    fn shard_bytes(&self, profile: Profile) -> u32 {
        shard_bytes(profile, self.pack_bytes)
    }
}

/// A pack ready to be put, and how to read it again.
pub struct Prepared {
    /// The pack.
    pub pack: SignedPack,
    /// How to read it.
    pub located: Located,
    /// What the metadata says of it.
    pub run: Run,
}

impl Volume {
    /// Seals the chunks of an object into a pack of its own.
    ///
    /// # Errors
    /// As [`Builder::add`] and [`Builder::close`].
    pub fn prepare(&self, chunks: &[Vec<u8>], seed: [u8; 32]) -> Result<Prepared, StoreError> {
        let config = BuilderConfig {
            contract: self.contract,
            profile: self.places.profile(),
            compression: acre_store::compress::Compression::default(),
        };
        let mut builder = Builder::data(config, Entropy::new(Secret::new(seed)));
        let mut refs = Vec::new();
        for chunk in chunks {
            refs.push(builder.add(chunk)?.chunk);
        }
        let sealed = builder.close()?.expect("a chunk was added");
        let run = sealed.run(refs.clone())?.expect("a data pack has a key");
        let pack = sealed.sign(self.keys.signing_key());
        let header = pack.header();
        let located = Located {
            pack: header.pack(),
            pack_bytes: header.pack_bytes(),
            key: run.key.expand(),
            chunks: refs,
        };
        Ok(Prepared { pack, located, run })
    }
}

/// Which bytes of an object to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The whole pack, all chunks.
    All,
    /// One chunk.
    Chunk(usize),
    /// The whole of a metadata pack, of which nothing but the name is known.
    Meta,
}

/// What came of an operation, for the oracle.
#[derive(Clone, Debug)]
pub enum Note {
    /// The put of this pack counts.
    Acknowledged(PackId),
    /// The put of this pack is over; so many shards found no place.
    PutOver(PackId, usize),
    /// The put failed.
    PutFailed(PackId, MachineError),
    /// Bytes of an object.
    Read(PackId, What, Vec<u8>),
    /// The read failed.
    ReadFailed(PackId, MachineError),
    /// The head with this counter counts as written.
    HeadWritten(u64),
    /// It does not.
    HeadFailed(u64, MachineError),
    /// The newest head that this read found.
    HeadRead(OpId, Option<u64>),
    /// No head could be read.
    HeadUnread(MachineError),
    /// A pass of repair is over.
    Repaired(RepairReport),
    /// A survey is over: what it means for a person.
    Surveyed(OpId, Explained),
    /// A node was blamed.
    Blamed(NodeId, Fault),
    /// The operation is over.
    Over(OpId),
}

/// A request on its way out.
pub struct Sent {
    /// The number to answer under.
    pub request: u64,
    /// To whom.
    pub node: NodeId,
    /// What.
    pub message: Request,
    /// Its body.
    pub body: Bytes,
}

enum Op {
    Put { pack: Box<SignedPack>, stored: BTreeSet<ShardIndex>, acknowledged: bool },
    Get { object: Arc<Located>, what: What },
    Repair { made: BTreeMap<(PackId, ShardIndex), (ShardHeader, Bytes)> },
    WriteHead { counter: u64, told: bool },
    ReadHead,
    Survey(PackId),
}

struct Open {
    op: OpId,
    ask: Ask,
}

/// One client.
pub struct Client {
    traffic: Traffic,
    ops: BTreeMap<OpId, Op>,
    open: BTreeMap<RequestId, Open>,
    bodies: BTreeMap<RequestId, (OpId, Bytes)>,
    headers: BTreeMap<PackId, ShardHeader>,
    heads: BTreeMap<acre_types::Digest, SignedHead>,
    next: u64,
    serial: u64,
    opener: Opener,
    is_hunting: BTreeSet<OpId>,
    /// Length of the metadata pack being read, as a node told it.
    told: BTreeMap<OpId, u32>,
    /// The root of the newest head that was read.
    pub root: Option<Root>,
    /// Metadata packs that were fetched.
    pub shelf: Shelf,
    /// What is to be sent.
    pub sent: Vec<Sent>,
    /// What happened.
    pub notes: Vec<Note>,
    /// States reached.
    pub reached: Reached,
}

impl Client {
    /// A client that has met nobody yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            traffic: Traffic::new(seed),
            ops: BTreeMap::new(),
            open: BTreeMap::new(),
            bodies: BTreeMap::new(),
            headers: BTreeMap::new(),
            heads: BTreeMap::new(),
            next: 0,
            serial: 0,
            opener: Opener::new(),
            is_hunting: BTreeSet::new(),
            told: BTreeMap::new(),
            root: None,
            shelf: Shelf::default(),
            sent: Vec::new(),
            notes: Vec::new(),
            reached: Reached::default(),
        }
    }

    /// When to wake it.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        self.traffic.deadline()
    }

    /// Operations under way.
    #[must_use]
    pub fn running(&self) -> Vec<OpId> {
        self.ops.keys().copied().collect()
    }

    /// Whether an operation is under way.
    #[must_use]
    pub fn is_running(&self, op: OpId) -> bool {
        self.ops.contains_key(&op)
    }

    fn start(&mut self, now: Tick, volume: &Volume, op: Op, what: Operation) -> OpId {
        let id = OpId(self.next);
        self.next += 1;
        self.ops.insert(id, op);
        self.traffic.input(now, In::Start { op: id, what });
        self.drain(now, volume);
        id
    }

    /// Stores a pack.
    pub fn put(&mut self, now: Tick, volume: &Volume, pack: SignedPack) -> OpId {
        let spec = PutSpec {
            pack: pack.header().pack(),
            places: volume.places.clone(),
            shard_bytes: pack.header().shard_bytes(),
        };
        let op = Op::Put { pack: Box::new(pack), stored: BTreeSet::new(), acknowledged: false };
        self.start(now, volume, op, Operation::Put(spec))
    }

    /// Reads an object, or a part of it.
    pub fn get(&mut self, now: Tick, volume: &Volume, object: Arc<Located>, what: What) -> OpId {
        let extent = match what {
            What::All | What::Meta => Extent::Whole,
            What::Chunk(at) => {
                let shard_bytes = object.shard_bytes(volume.places.profile());
                let ChunkRef { offset, stored, .. } = object.chunks[at];
                Extent::Bytes { range: Range { offset, length: stored }, shard_bytes }
            }
        };
        let (pack, places) = (object.pack, volume.places.clone());
        let spec = GetSpec { pack, places, extent, hints: Vec::new() };
        self.start(now, volume, Op::Get { object, what }, Operation::Get(spec))
    }

    /// One pass of repair over the packs the volume refers to.
    pub fn repair(
        &mut self,
        now: Tick,
        volume: &Volume,
        referenced: BTreeSet<PackId>,
        when: When,
        trust: Trust,
    ) -> OpId {
        let spec = RepairSpec {
            places: volume.places.clone(),
            referenced: Some(Arc::new(referenced)),
            when,
            trust,
            noticed: BTreeMap::new(),
        };
        self.start(now, volume, Op::Repair { made: BTreeMap::new() }, Operation::Repair(spec))
    }

    /// Looks where a pack is.
    pub fn survey(&mut self, now: Tick, volume: &Volume, pack: PackId) -> OpId {
        let spec = SurveySpec { pack, places: volume.places.clone() };
        self.start(now, volume, Op::Survey(pack), Operation::Survey(spec))
    }

    /// Reads the newest head.
    pub fn read_head(&mut self, now: Tick, volume: &Volume) -> OpId {
        let spec = HeadSpec { places: volume.places.clone() };
        self.start(now, volume, Op::ReadHead, Operation::ReadHead(spec))
    }

    /// Writes the head with this counter and tree; its root says when it was made, which is its
    /// counter.
    ///
    /// # Errors
    /// As [`Head::seal`].
    pub fn write_head(
        &mut self,
        now: Tick,
        volume: &Volume,
        counter: u64,
        tree: Directory,
        seed: [u8; 32],
    ) -> Result<OpId, StoreError> {
        let at = Position { contract: volume.contract, epoch: 0, counter };
        let mut entropy = Entropy::new(Secret::new(seed));
        let root = Root { tree, previous: None, created: UnixMs(counter) };
        let signed =
            Head::seal(at, &root, &volume.keys, &mut entropy)?.sign(volume.keys.signing_key());
        let head = HeadSeen::from(&signed);
        self.heads.insert(head.digest, signed);
        let spec = HeadSpec { places: volume.places.clone() };
        let what = Operation::WriteHead { spec, head };
        Ok(self.start(now, volume, Op::WriteHead { counter, told: false }, what))
    }

    /// Gives an operation up.
    pub fn cancel(&mut self, now: Tick, volume: &Volume, op: OpId) {
        self.traffic.input(now, In::Cancel { op });
        self.drain(now, volume);
    }

    /// A deadline was reached.
    pub fn wake(&mut self, now: Tick, volume: &Volume) {
        self.traffic.wake(now);
        self.drain(now, volume);
    }

    /// The connection broke, or could not be made.
    pub fn broken(&mut self, now: Tick, volume: &Volume, request: u64) {
        self.answer(now, volume, RequestId(request), Answer::Failed(Failure::Unreachable));
    }

    /// A node replied.
    pub fn reply(
        &mut self,
        now: Tick,
        volume: &Volume,
        request: u64,
        from: NodeId,
        reply: Reply,
        body: Bytes,
    ) {
        let request = RequestId(request);
        let Some(open) = self.open.get(&request) else {
            reached!(self.reached, "reply_too_late");
            return;
        };
        let (op, ask) = (open.op, open.ask.clone());
        let answer = self.understand(volume, request, op, &ask, from, reply, body);
        self.answer(now, volume, request, answer);
    }

    fn answer(&mut self, now: Tick, volume: &Volume, request: RequestId, answer: Answer) {
        let Some(open) = self.open.remove(&request) else { return };
        self.observe(volume, open.op, &open.ask, &answer);
        self.traffic.input(now, In::Answer { request, answer });
        self.drain(now, volume);
    }

    /// Where planted bugs make the shell count too early.
    fn observe(&mut self, volume: &Volume, op: OpId, ask: &Ask, answer: &Answer) {
        match (self.ops.get_mut(&op), ask, answer) {
            (
                Some(Op::Put { pack, stored, acknowledged }),
                Ask::Store { index, .. },
                Answer::Stored,
            ) => {
                stored.insert(*index);
                let enough = usize::from(volume.places.profile().data());
                if volume.planted == Some(Planted::AcknowledgedAtData)
                    && stored.len() >= enough
                    && !*acknowledged
                {
                    *acknowledged = true;
                    self.notes.push(Note::Acknowledged(pack.header().pack()));
                }
            }
            (Some(Op::WriteHead { counter, told }), _, Answer::Head(Some(seen)))
                if volume.planted == Some(Planted::HeadWithoutMajority)
                    && seen.counter == *counter
                    && !*told =>
            {
                *told = true;
                self.notes.push(Note::HeadWritten(*counter));
            }
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a reply with all it must be checked against")]
    fn understand(
        &mut self,
        volume: &Volume,
        request: RequestId,
        op: OpId,
        ask: &Ask,
        from: NodeId,
        reply: Reply,
        body: Bytes,
    ) -> Answer {
        let wrong = Answer::Failed(Failure::WrongBytes);
        match (ask, reply) {
            (_, Reply::Refused(refusal)) => Answer::Failed(Failure::from(&refusal)),
            (Ask::Store { .. }, Reply::Stored) => Answer::Stored,
            (Ask::Fetch { pack, index, range, check }, Reply::Shard { pack_bytes }) => {
                if matches!(self.ops.get(&op), Some(Op::Get { what: What::Meta, .. })) {
                    self.told.insert(op, pack_bytes);
                }
                let good = self.is_expected(volume, op, *pack, *index, *range, *check, &body);
                if !good {
                    return wrong;
                }
                self.bodies.insert(request, (op, body));
                Answer::Shard
            }
            (Ask::Header { pack, index }, Reply::Header(header)) => {
                let is_asked = header.pack().pack() == *pack && header.index() == *index;
                if !is_asked || header.verify(&volume.keys.writer()).is_err() {
                    return wrong;
                }
                let shard_bytes = header.pack().shard_bytes();
                self.headers.insert(*pack, header);
                Answer::Header { shard_bytes }
            }
            (Ask::Locate { pack }, Reply::Located(held)) => {
                let held = held.iter().filter(|id| id.pack == *pack);
                Answer::Located(held.map(|id| id.index).collect())
            }
            (Ask::Verify { .. }, Reply::Verified) => Answer::Verified,
            (Ask::Verify { .. }, Reply::Damaged) => {
                if volume.planted == Some(Planted::TrimUnverified) {
                    return Answer::Verified;
                }
                Answer::Failed(Failure::Damaged)
            }
            (Ask::List { .. }, Reply::Page { shards, rest }) => Answer::Listed {
                held: shards.iter().map(|id| (id.pack, id.index)).collect(),
                page: if rest == Rest::More { Page::More } else { Page::Last },
            },
            (Ask::Delete { .. }, Reply::Deleted(receipt)) if receipt.receipt.node == from => {
                Answer::Deleted
            }
            (Ask::PutHead { .. } | Ask::GetHead, Reply::HeadIs(head)) => match head {
                None => Answer::Head(None),
                Some(signed) if signed.verify(&volume.keys.writer()).is_ok() => {
                    let seen = HeadSeen::from(&signed);
                    self.heads.insert(seen.digest, signed);
                    Answer::Head(Some(seen))
                }
                Some(_) => wrong,
            },
            _ => wrong,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a body with all it must be checked against")]
    fn is_expected(
        &self,
        volume: &Volume,
        op: OpId,
        pack: PackId,
        index: ShardIndex,
        range: Range,
        check: Check,
        body: &Bytes,
    ) -> bool {
        let header = self.headers.get(&pack).map(ShardHeader::pack);
        if check == Check::Root {
            if volume.planted == Some(Planted::UnverifiedRepair)
                && matches!(self.ops.get(&op), Some(Op::Repair { .. }))
            {
                return true;
            }
            return header.is_some_and(|header| header.verify_body(index, body).is_ok());
        }
        let whole = match self.ops.get(&op) {
            Some(Op::Get { what: What::Meta, .. }) => {
                let told = self.told.get(&op).copied().unwrap_or(0);
                shard_bytes(volume.places.profile(), told)
            }
            Some(Op::Get { object, .. }) => object.shard_bytes(volume.places.profile()),
            _ => header.map_or(0, PackHeader::shard_bytes),
        };
        let wanted = if range == Range::ALL { whole } else { range.length };
        body.len() == wanted as usize
    }

    fn drain(&mut self, now: Tick, volume: &Volume) {
        while let Some(out) = self.traffic.output() {
            match out {
                Out::Send { op, request, node, ask } => self.send(volume, op, request, node, ask),
                Out::Cancel { request } => {
                    self.open.remove(&request);
                }
                Out::Event { op, event } => self.happened(now, volume, op, event),
                Out::Over { op } => {
                    self.ops.remove(&op);
                    self.is_hunting.remove(&op);
                    self.told.remove(&op);
                    self.bodies.retain(|_, (owner, _)| *owner != op);
                    self.notes.push(Note::Over(op));
                }
            }
        }
    }

    fn send(&mut self, volume: &Volume, op: OpId, request: RequestId, node: NodeId, ask: Ask) {
        let mut body = Bytes::new();
        let shard = |pack: PackId, index: ShardIndex| ShardId { pack, index };
        let message = match &ask {
            Ask::Store { pack, index } => {
                let held = match self.ops.get(&op) {
                    Some(Op::Put { pack, .. }) => pack.shard(*index),
                    Some(Op::Repair { made }) => made.get(&(*pack, *index)).cloned(),
                    _ => None,
                };
                let Some((header, bytes)) = held else { return };
                body = bytes;
                Request::Put(header)
            }
            Ask::Fetch { pack, index, range, .. } => {
                let Range { offset, length } = *range;
                Request::Get { shard: shard(*pack, *index), offset, length }
            }
            Ask::Header { pack, index } => Request::Header(shard(*pack, *index)),
            Ask::Locate { pack } => {
                Request::Locate { packs: List::new(vec![*pack]).expect("one is within the limit") }
            }
            Ask::Verify { pack, index } => Request::Verify(shard(*pack, *index)),
            Ask::List { after } => Request::List {
                contract: volume.contract,
                after: after.map(|(pack, index)| shard(pack, index)),
            },
            Ask::Delete { pack } => {
                self.serial += 1;
                let packs = List::new(vec![*pack]).expect("one is within the limit");
                let delete = Delete { contract: volume.contract, packs, serial: self.serial };
                Request::Delete(delete.sign(volume.keys.signing_key()))
            }
            Ask::PutHead { head } => {
                let Some(signed) = self.heads.get(&head.digest) else { return };
                Request::PutHead(signed.clone())
            }
            Ask::GetHead => Request::GetHead { contract: volume.contract },
        };
        self.open.insert(request, Open { op, ask });
        self.sent.push(Sent { request: request.0, node, message, body });
    }

    fn happened(&mut self, now: Tick, volume: &Volume, op: OpId, event: Event) {
        let pack = match self.ops.get(&op) {
            Some(Op::Put { pack, .. }) => pack.header().pack(),
            Some(Op::Get { object, .. }) => object.pack,
            _ => PackId([0; 16]),
        };
        let note = match event {
            Event::Acknowledged { .. } => Note::Acknowledged(pack),
            Event::Stored { copies, missing } => {
                let moved = |(index, node): &ShardAt| volume.places.primary(pack, *index) != *node;
                reached!(self.reached, "put_hedged_or_moved_to_spare" if copies.iter().any(moved));
                Note::PutOver(pack, missing.len())
            }
            Event::Ready(ready) => return self.ready(now, volume, op, &ready),
            Event::Rebuild { pack, decode } => return self.rebuild(now, volume, op, pack, &decode),
            Event::Blame { node, fault, .. } => Note::Blamed(node, fault),
            Event::Sighted(sightings) => {
                let Some(Op::Survey(pack)) = self.ops.get(&op) else { return };
                Note::Surveyed(op, explain(*pack, &volume.places, &sightings, |_| None))
            }
            Event::RepairPlanned { .. } => return,
            Event::PackDone { pack, .. } => {
                if let Some(Op::Repair { made }) = self.ops.get_mut(&op) {
                    made.retain(|(other, _), _| *other != pack);
                }
                return;
            }
            Event::Repaired(report) => Note::Repaired(report),
            Event::HeadWritten { .. } => match self.ops.get(&op) {
                Some(Op::WriteHead { counter, .. }) => Note::HeadWritten(*counter),
                _ => return,
            },
            Event::HeadRead(read) => {
                reached!(self.reached, "head_read_mended_stale" if read.newest.is_some() && !read.stale.is_empty());
                let opened = read.newest.and_then(|seen| {
                    let signed = self.heads.get(&seen.digest)?;
                    signed.head.open(&volume.keys).ok()
                });
                let opened = opened.map(|root| {
                    let counter = root.created.0;
                    self.root = Some(root);
                    counter
                });
                Note::HeadRead(op, opened)
            }
            Event::Failed(error) => match self.ops.get(&op) {
                Some(Op::Put { .. }) => Note::PutFailed(pack, error),
                Some(Op::Get { .. }) => Note::ReadFailed(pack, error),
                Some(Op::WriteHead { counter, .. }) => Note::HeadFailed(*counter, error),
                Some(Op::ReadHead) => Note::HeadUnread(error),
                _ => return,
            },
            _ => return,
        };
        self.notes.push(note);
    }

    /// The bytes of each part of a read, end to end.
    fn join(&self, profile: Profile, ready: &Ready, whole: u32) -> Option<Vec<u8>> {
        let slice = |request: &RequestId, has: Range, wanted: Range| {
            let (_, body) = self.bodies.get(request)?;
            let start = wanted.offset.checked_sub(has.offset)? as usize;
            let end =
                if wanted == Range::ALL { body.len() } else { start + wanted.length as usize };
            body.get(start..end)
        };
        let mut out = Vec::new();
        for (index, range) in &ready.parts {
            let direct = ready.direct.iter().find(|piece| piece.index == *index);
            if let Some(piece) = direct {
                out.extend_from_slice(slice(&piece.request, piece.range, *range)?);
                continue;
            }
            let decode = ready.decode.as_ref()?;
            let from: Option<Vec<_>> = decode
                .from
                .iter()
                .map(|piece| {
                    Some((piece.index, slice(&piece.request, piece.range, decode.columns)?))
                })
                .collect();
            let from = from?;
            let mut column = vec![0; from.first()?.1.len()];
            rebuild(profile, &from, &mut [(*index, &mut column)]).ok()?;
            let wanted = if *range == Range::ALL { Range::between(0, whole) } else { *range };
            let base = if decode.columns == Range::ALL { 0 } else { decode.columns.offset };
            let start = wanted.offset.checked_sub(base)? as usize;
            out.extend_from_slice(column.get(start..start + wanted.length as usize)?);
        }
        Some(out)
    }

    fn ready(&mut self, now: Tick, volume: &Volume, op: OpId, ready: &Ready) {
        let Some(Op::Get { object, what }) = self.ops.get(&op) else { return };
        let (object, what) = (Arc::clone(object), *what);
        let profile = volume.places.profile();
        let whole = match what {
            What::Meta => shard_bytes(profile, self.pack_bytes(op, object.pack)),
            _ => object.shard_bytes(profile),
        };
        let joined = self.join(profile, ready, whole).unwrap_or_default();
        reached!(self.reached, "get_decoded" if ready.decode.is_some());
        reached!(self.reached, "get_direct" if ready.decode.is_none());
        let opened = match what {
            What::Meta => self.open_meta(volume, op, object.pack, whole, &joined),
            _ => self.open_chunks(volume, &object, what, &joined),
        };
        let input = match opened {
            Some(plain) => {
                reached!(self.reached, "get_hunted_a_liar" if self.is_hunting.contains(&op));
                self.notes.push(Note::Read(object.pack, what, plain));
                In::Accepted { op }
            }
            None => {
                self.is_hunting.insert(op);
                In::TagFailed { op }
            }
        };
        self.traffic.input(now, input);
    }

    /// Length of a metadata pack: by its signed header if that is known, else as a node told.
    fn pack_bytes(&self, op: OpId, pack: PackId) -> u32 {
        let header = self.headers.get(&pack).map(|header| header.pack().pack_bytes());
        header.or(self.told.get(&op).copied()).unwrap_or(0)
    }

    fn open_meta(
        &mut self,
        volume: &Volume,
        op: OpId,
        pack: PackId,
        whole: u32,
        joined: &[u8],
    ) -> Option<Vec<u8>> {
        let profile = volume.places.profile();
        let layout = Layout::new(profile, PackClass::Meta, self.pack_bytes(op, pack)).ok()?;
        let bodies = joined.chunks(whole as usize);
        let shards: Vec<_> = profile
            .indices()
            .zip(bodies)
            .map(|(index, body)| (index, Bytes::copy_from_slice(body)))
            .collect();
        let opened = MetaPack::open(&layout, pack, &shards, volume.keys.meta()).ok()?;
        self.shelf.keep(pack, opened);
        Some(Vec::new())
    }

    fn open_chunks(
        &mut self,
        volume: &Volume,
        object: &Located,
        what: What,
        joined: &[u8],
    ) -> Option<Vec<u8>> {
        let (chunks, base) = match what {
            What::All => (object.chunks.as_slice(), 0),
            What::Chunk(at) => (&object.chunks[at..=at], object.chunks[at].offset),
            What::Meta => return None,
        };
        let mut plain = Vec::new();
        for chunk in chunks {
            let start = (chunk.offset - base) as usize;
            let sealed = joined.get(start..start + chunk.stored as usize)?;
            let opened = self.opener.open(&object.key, object.pack, *chunk, sealed, &mut plain);
            if opened.is_err() {
                if volume.planted == Some(Planted::TagIgnored) {
                    plain.extend_from_slice(&sealed[..sealed.len().min(chunk.plain as usize)]);
                    continue;
                }
                return None;
            }
        }
        Some(plain)
    }

    fn rebuild(&mut self, now: Tick, volume: &Volume, op: OpId, pack: PackId, decode: &Decode) {
        let outcome = match self.make(volume, op, pack, decode) {
            Some(()) => Rebuilt::Verified,
            None => Rebuilt::Mismatch,
        };
        self.traffic.input(now, In::Rebuilt { op, pack, outcome });
    }

    fn make(&mut self, volume: &Volume, op: OpId, pack: PackId, decode: &Decode) -> Option<()> {
        let header = self.headers.get(&pack)?.clone();
        let from: Option<Vec<(ShardIndex, &[u8])>> = decode
            .from
            .iter()
            .map(|piece| Some((piece.index, &*self.bodies.get(&piece.request)?.1)))
            .collect();
        let from = from?;
        let length = header.pack().shard_bytes() as usize;
        let mut fresh = Vec::new();
        for index in &decode.make {
            let mut body = match from.iter().find(|(has, _)| has == index) {
                Some((_, body)) => body.to_vec(),
                None => {
                    let mut body = vec![0; length];
                    rebuild(volume.places.profile(), &from, &mut [(*index, &mut body)]).ok()?;
                    body
                }
            };
            body.truncate(length);
            let header = header.sibling(*index)?;
            if volume.planted != Some(Planted::UnverifiedRepair) {
                header.verify_body(&body).ok()?;
            }
            fresh.push(((pack, *index), (header, Bytes::from(body))));
        }
        let Some(Op::Repair { made }) = self.ops.get_mut(&op) else { return None };
        made.extend(fresh);
        let used: Vec<_> = decode.from.iter().map(|piece| piece.request).collect();
        for request in used {
            self.bodies.remove(&request);
        }
        Some(())
    }
}

//! Reads a range of bytes of one pack.
//!
//! Shards are contiguous slices of the pack, so a small range lies in one shard and is one
//! request, and a whole pack is k requests at once. A shard that cannot be had in time is decoded
//! from the same columns of any k others. Nodes known to be in trouble are not waited for: their
//! shards count as lost from the start. Only when that leaves too few are all places asked what
//! they hold, and only after that the troubled ones (see `Stage`).
//!
//! The shell checks what comes out by the tags of the chunks (S2). If a tag fails, the pack's
//! signed header is fetched, whole shards are checked against its roots, those used before first,
//! and whoever sent wrong bytes is blamed and left out.
//!
//! Deviation from "hedge at the 95th percentile": where the hedge of one late request is k others,
//! it waits [`limits::HEDGE_DECODE_FACTOR`] times as long.

use std::collections::{BTreeMap, BTreeSet};

use acre_types::{NodeId, PackId, ShardIndex, Tick};

use super::error::MachineError;
use super::health::Kind;
use super::limits;
use super::mix;
use super::traffic::{Cx, Event, Process, Verdict};
use super::types::{
    Answer, Ask, Check, Decode, Failure, Fault, Piece, Places, Range, RequestId, ShardAt,
};

/// What to read.
#[derive(Clone, Debug)]
pub struct GetSpec {
    /// The pack.
    pub pack: PackId,
    /// The places of its contract.
    pub places: Places,
    /// Which part of it.
    pub extent: Extent,
    /// Where shards were last seen, if anywhere but at their primaries.
    pub hints: Vec<ShardAt>,
}

/// Which part of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Its k data shards, whatever their length.
    Whole,
    /// Some bytes of it.
    Bytes {
        /// Which bytes (of the k data shards end to end).
        range: Range,
        /// Length of each shard body.
        shard_bytes: u32,
    },
}

/// The pieces of a read: for each shard the range touches, either a piece or a decode makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The shards touched, ascending, and which bytes of each.
    pub parts: Vec<(ShardIndex, Range)>,
    /// Pieces that cover a part.
    pub direct: Vec<Piece>,
    /// How to make the parts that no piece covers.
    pub decode: Option<Decode>,
}

/// Whom to ask; each stage includes those before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Places in good health that should hold a shard.
    Expected,
    /// All places in good health, by what they say they hold.
    Located,
    /// Also places that were to be left alone.
    Anyone,
}

struct Asked {
    request: RequestId,
    index: ShardIndex,
    range: Range,
    node: NodeId,
    hedge_at: Tick,
    is_late: bool,
}

enum Header {
    NotWanted,
    Wanted,
    Known,
}

pub(crate) struct Get {
    spec: GetSpec,
    parts: Vec<(ShardIndex, Range)>,
    holders: BTreeSet<ShardAt>,
    failed: BTreeMap<ShardAt, Failure>,
    silent: BTreeSet<NodeId>,
    have: Vec<Piece>,
    asked: Vec<Asked>,
    /// Questions under way about who holds what, and to whom.
    locating: BTreeMap<RequestId, NodeId>,
    /// Until then the next stage waits for answers about who holds what.
    patience: Option<Tick>,
    located: BTreeSet<NodeId>,
    heading: BTreeSet<RequestId>,
    headless: BTreeSet<NodeId>,
    stage: Stage,
    header: Header,
    suspects: BTreeSet<ShardAt>,
    delivered: bool,
    over: bool,
}

impl Get {
    pub(crate) fn new(spec: GetSpec) -> Self {
        let profile = spec.places.profile();
        let mut holders: BTreeSet<_> = spec.hints.iter().copied().collect();
        for index in profile.indices() {
            if !spec.hints.iter().any(|(hinted, _)| *hinted == index) {
                holders.insert((index, spec.places.primary(spec.pack, index)));
            }
        }
        Self {
            parts: Vec::new(),
            holders,
            failed: BTreeMap::new(),
            silent: BTreeSet::new(),
            have: Vec::new(),
            asked: Vec::new(),
            locating: BTreeMap::new(),
            patience: None,
            located: BTreeSet::new(),
            heading: BTreeSet::new(),
            headless: BTreeSet::new(),
            stage: Stage::Expected,
            header: Header::NotWanted,
            suspects: BTreeSet::new(),
            delivered: false,
            over: false,
            spec,
        }
    }

    fn data(&self) -> usize {
        usize::from(self.spec.places.profile().data())
    }

    fn is_hunting(&self) -> bool {
        !matches!(self.header, Header::NotWanted)
    }

    fn fail(&mut self, cx: &mut Cx<'_>, error: MachineError) {
        self.over = true;
        cx.emit(Event::Failed(error));
    }

    /// The next thing to ask, wait for or say.
    fn advance(&mut self, cx: &mut Cx<'_>) {
        if self.delivered || self.over {
            return;
        }
        if matches!(self.header, Header::Wanted) {
            return self.ask_headers(cx);
        }
        loop {
            let (lost, columns) = self.ask_parts(cx);
            let short = if lost.is_empty() { 0 } else { self.ask_others(cx, columns) };
            if self.deliver(cx, &lost, columns) || short == 0 || !self.widen(cx) {
                break;
            }
        }
        let is_idle = self.asked.is_empty() && self.locating.is_empty();
        if !self.delivered && is_idle {
            let error = self.unavailable();
            self.fail(cx, error);
        }
    }

    /// Asks for the shards the range touches. Returns those that must be decoded, as far as one
    /// knows now, and the columns they have in common.
    fn ask_parts(&mut self, cx: &mut Cx<'_>) -> (Vec<ShardIndex>, Range) {
        let mut lost = Vec::new();
        let mut columns: Option<Range> = None;
        for (index, range) in self.parts.clone() {
            if self.piece(index, range).is_some() || self.is_coming(index, range) {
                continue;
            }
            // In a hunt all pieces are whole shards, chosen by suspicion in `ask_others`.
            let node = if self.is_hunting() { None } else { self.source(cx, index) };
            if let Some(node) = node {
                let factor = if self.parts.len() < self.data() && lost.is_empty() {
                    limits::HEDGE_DECODE_FACTOR
                } else {
                    1
                };
                self.fetch(cx, index, range, node, factor);
                continue;
            }
            lost.push(index);
            columns = Some(columns.map_or(range, |hull| hull.hull(range)));
        }
        let columns = columns.filter(|_| !self.is_hunting());
        (lost, columns.unwrap_or(Range::ALL))
    }

    /// Asks for `columns` of further shards until k are here or coming. Returns how many lack.
    fn ask_others(&mut self, cx: &mut Cx<'_>, columns: Range) -> usize {
        let indices: Vec<_> = self.spec.places.profile().indices().collect();
        let mut candidates = Vec::new();
        let mut sure = 0usize;
        for index in indices {
            if self.piece(index, columns).is_some() || self.is_coming(index, columns) {
                sure = sure.saturating_add(1);
            } else if let Some(node) = self.source(cx, index) {
                let trust = !self.suspects.contains(&(index, node));
                let lottery = mix::pair(cx.seed, self.spec.pack, node);
                candidates.push((trust, cx.health.rank(node), lottery, index, node));
            }
        }
        candidates.sort_unstable();
        let wanted = self.data().saturating_sub(sure);
        let short = wanted.saturating_sub(candidates.len());
        for (.., index, node) in candidates.into_iter().take(wanted) {
            self.fetch(cx, index, columns, node, 1);
        }
        short
    }

    /// Goes on to the next stage, unless answers of this one are still to come. Returns whether
    /// there may be more to ask now.
    fn widen(&mut self, cx: &mut Cx<'_>) -> bool {
        if !self.locating.is_empty() && self.patience.is_some() {
            return false;
        }
        self.stage = match self.stage {
            Stage::Expected => Stage::Located,
            Stage::Located => {
                // Perhaps it was only the connection or the moment: one more try each.
                self.failed.retain(|_, failure| !failure.is_passing());
                Stage::Anyone
            }
            Stage::Anyone => return false,
        };
        for node in self.spec.places.all().to_vec() {
            if self.is_askable(cx, node) && self.located.insert(node) {
                self.locating.insert(cx.ask(node, Ask::Locate { pack: self.spec.pack }), node);
            }
        }
        self.patience = Some(cx.hedge_at(Kind::Small, 1));
        true
    }

    fn is_askable(&self, cx: &Cx<'_>, node: NodeId) -> bool {
        self.stage == Stage::Anyone || cx.health.is_usable(node, Kind::Read, cx.now)
    }

    /// A node to ask for this shard now.
    fn source(&self, cx: &Cx<'_>, index: ShardIndex) -> Option<NodeId> {
        let first = (index, NodeId([0; 32]));
        let last = (index, NodeId([255; 32]));
        self.holders
            .range(first..=last)
            .filter(|held| !self.failed.contains_key(held))
            .map(|(_, node)| *node)
            .filter(|node| !self.asked.iter().any(|a| a.index == index && a.node == *node))
            .filter(|node| self.is_askable(cx, *node))
            .min_by_key(|node| cx.health.rank(*node))
    }

    fn piece(&self, index: ShardIndex, range: Range) -> Option<Piece> {
        self.have.iter().find(|piece| piece.index == index && piece.range.covers(range)).copied()
    }

    /// Whether an answer with these bytes is still expected in time.
    fn is_coming(&self, index: ShardIndex, range: Range) -> bool {
        let mut asked = self.asked.iter();
        asked.any(|asked| asked.index == index && asked.range.covers(range) && !asked.is_late)
    }

    fn fetch(
        &mut self,
        cx: &mut Cx<'_>,
        index: ShardIndex,
        range: Range,
        node: NodeId,
        factor: u32,
    ) {
        let check = if self.is_hunting() { Check::Root } else { Check::Later };
        let request = cx.ask(node, Ask::Fetch { pack: self.spec.pack, index, range, check });
        let hedge_at = cx.hedge_at(Kind::Read, factor);
        self.asked.push(Asked { request, index, range, node, hedge_at, is_late: false });
    }

    fn deliver(&mut self, cx: &mut Cx<'_>, lost: &[ShardIndex], columns: Range) -> bool {
        let pieces = self.parts.iter().map(|(index, range)| self.piece(*index, *range));
        let direct: Vec<_> = pieces.flatten().collect();
        let make: Vec<_> = self
            .parts
            .iter()
            .filter(|(index, range)| self.piece(*index, *range).is_none())
            .map(|(index, _)| *index)
            .collect();
        let decode = if make.is_empty() {
            None
        } else {
            let indices = self.spec.places.profile().indices();
            let from = indices.filter_map(|index| self.piece(index, columns));
            let from: Vec<_> = from.take(self.data()).collect();
            // What is asked but late is made too, so every part not here must be in the columns.
            if from.len() < self.data() || make.iter().any(|index| !lost.contains(index)) {
                return false;
            }
            Some(Decode { columns, from, make })
        };
        self.delivered = true;
        for asked in std::mem::take(&mut self.asked) {
            cx.cancel(asked.request);
        }
        for (request, node) in std::mem::take(&mut self.locating) {
            cx.cancel(request);
            // It has not said what it holds: a hunt that begins later must ask it again.
            self.located.remove(&node);
        }
        cx.emit(Event::Ready(Ready { parts: self.parts.clone(), direct, decode }));
        true
    }

    fn unavailable(&self) -> MachineError {
        let have: BTreeSet<_> = self.have.iter().map(|piece| piece.index).collect();
        let served: BTreeSet<_> = self.have.iter().map(|piece| piece.node).collect();
        let failed = self.failed.keys().map(|(_, node)| *node);
        let missing: BTreeSet<_> =
            failed.chain(self.silent.iter().copied()).filter(|n| !served.contains(n)).collect();
        MachineError::Unavailable {
            pack: self.spec.pack,
            have: u8::try_from(have.len()).unwrap_or(u8::MAX),
            need: self.spec.places.profile().data(),
            missing: missing.into_iter().collect(),
        }
    }

    /// Asks a few holders for the signed header; one valid answer suffices.
    fn ask_headers(&mut self, cx: &mut Cx<'_>) {
        while self.heading.len() < limits::HEADERS_AT_ONCE {
            let mut holders: Vec<_> = self
                .holders
                .iter()
                .filter(|(_, node)| !self.headless.contains(node) && self.is_askable(cx, *node))
                .copied()
                .collect();
            holders.sort_by_key(|(_, node)| cx.health.rank(*node));
            let Some((index, node)) = holders.first().copied() else { break };
            self.headless.insert(node);
            let request = cx.ask(node, Ask::Header { pack: self.spec.pack, index });
            self.heading.insert(request);
        }
        if self.heading.is_empty() {
            if self.stage < Stage::Anyone {
                self.stage = Stage::Anyone;
                return self.ask_headers(cx);
            }
            let error = self.unavailable();
            self.fail(cx, error);
        }
    }

    fn header_answered(&mut self, cx: &mut Cx<'_>, answer: &Answer) {
        if matches!(answer, Answer::Header { .. }) {
            self.header = Header::Known;
            for request in std::mem::take(&mut self.heading) {
                cx.cancel(request);
            }
        }
    }

    fn located(&mut self, node: NodeId, answer: &Answer) {
        match answer {
            Answer::Located(held) => {
                self.holders.extend(held.iter().map(|index| (*index, node)));
            }
            _ => {
                self.silent.insert(node);
            }
        }
    }

    fn fetched(&mut self, cx: &mut Cx<'_>, asked: &Asked, answer: &Answer) {
        let Answer::Failed(failure) = answer else {
            let Asked { request, index, range, node, .. } = *asked;
            self.have.push(Piece { request, index, range, node });
            return;
        };
        self.failed.insert((asked.index, asked.node), *failure);
        match failure {
            Failure::WrongBytes => {
                cx.blame(asked.node, self.spec.pack, asked.index, Fault::WrongBytes);
            }
            Failure::Damaged => cx.blame(asked.node, self.spec.pack, asked.index, Fault::Damaged),
            Failure::Unreachable | Failure::Timeout => {
                self.silent.insert(asked.node);
            }
            Failure::NoSpace | Failure::NotFound | Failure::Busy | Failure::Refused => {}
        }
    }

    /// The shards the extent touches, and which bytes of each.
    fn split(&self) -> Result<Vec<(ShardIndex, Range)>, MachineError> {
        let profile = self.spec.places.profile();
        let Extent::Bytes { range, shard_bytes } = self.spec.extent else {
            return Ok(profile.indices().take(self.data()).map(|i| (i, Range::ALL)).collect());
        };
        let pack_bytes = u64::from(shard_bytes).saturating_mul(u64::from(profile.data()));
        let start = u64::from(range.offset);
        let end = start.saturating_add(u64::from(range.length));
        if range.length == 0 || end > pack_bytes {
            let (pack, Range { offset, length }) = (self.spec.pack, range);
            return Err(MachineError::Range { pack, offset, length, pack_bytes });
        }
        let mut parts = Vec::new();
        for (index, base) in profile.indices().zip((0u64..).step_by(shard_bytes as usize)) {
            let (from, until) = (start.max(base), end.min(base.saturating_add(shard_bytes.into())));
            if from < until {
                let within = |at: u64| u32::try_from(at.saturating_sub(base)).unwrap_or(u32::MAX);
                parts.push((index, Range::between(within(from), within(until))));
            }
        }
        Ok(parts)
    }
}

impl Process for Get {
    fn start(&mut self, cx: &mut Cx<'_>) {
        match self.split() {
            Ok(parts) => {
                self.parts = parts;
                self.advance(cx);
            }
            Err(error) => self.fail(cx, error),
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_>, request: RequestId, node: NodeId, answer: Answer) {
        if self.heading.remove(&request) {
            self.header_answered(cx, &answer);
        } else if self.locating.remove(&request).is_some() {
            self.located(node, &answer);
        } else if let Some(at) = self.asked.iter().position(|asked| asked.request == request) {
            let asked = self.asked.swap_remove(at);
            self.fetched(cx, &asked, &answer);
        }
        self.advance(cx);
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        self.patience = self.patience.filter(|until| cx.now < *until);
        for asked in &mut self.asked {
            if !asked.is_late && asked.hedge_at <= cx.now {
                asked.is_late = true;
                cx.health.overtaken(asked.node, cx.now);
            }
        }
        self.advance(cx);
    }

    fn deadline(&self) -> Option<Tick> {
        let waiting = self.asked.iter().filter(|asked| !asked.is_late);
        waiting.map(|asked| asked.hedge_at).chain(self.patience).min()
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn judged(&mut self, cx: &mut Cx<'_>, verdict: Verdict) {
        if !self.delivered {
            return;
        }
        if verdict == Verdict::Good {
            self.over = true;
            return;
        }
        if self.is_hunting() {
            return self.fail(cx, MachineError::PackDamaged { pack: self.spec.pack });
        }
        self.delivered = false;
        self.header = Header::Wanted;
        // What the first read gave up on may matter now that its pieces are in doubt.
        self.stage = Stage::Expected;
        self.patience = None;
        let used = std::mem::take(&mut self.have);
        self.suspects = used.iter().map(|piece| (piece.index, piece.node)).collect();
        self.advance(cx);
    }
}

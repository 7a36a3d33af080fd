//! The repair of one pack.

use std::collections::{BTreeMap, BTreeSet};

use acre_types::{NodeId, PackId, ShardIndex, Tick};

use super::Trust;
use crate::machine::health::Kind;
use crate::machine::mix;
use crate::machine::redundancy;
use crate::machine::traffic::{Cx, Event, Rebuilt};
use crate::machine::types::{
    Answer, Ask, Check, Decode, Failure, Fault, Piece, Places, Range, RequestId, ShardAt,
};

/// How a job ended.
pub(super) struct Done {
    pub(super) stored: Vec<ShardAt>,
    pub(super) trimmed: u64,
    pub(super) unplaced: u64,
    pub(super) end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Full,
    NotFull,
    Unrepairable,
}

/// In the order in which a job passes through them; some are skipped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Each copy is verified by its node (only in a scrub).
    Scrubbing,
    /// The signed header is fetched.
    Heading,
    /// k whole shards are fetched and checked.
    Fetching,
    /// The shell makes the lost shards.
    Rebuilding,
    /// The made shards are stored; where no place is left, a damaged or surplus copy
    /// makes room first.
    Storing,
    /// Every copy that is to stay is verified, before a surplus one is dropped.
    Confirming,
    /// Surplus copies are dropped.
    Trimming,
    Over,
}

struct Asked {
    copy: ShardAt,
    hedge_at: Tick,
    is_late: bool,
}

pub(super) struct Job {
    pack: PackId,
    places: Places,
    /// Copies believed good.
    copies: BTreeSet<ShardAt>,
    /// Of those, the ones stored, fetched or verified by this job.
    confirmed: BTreeSet<ShardAt>,
    /// Copies that did not come, though perhaps good.
    unread: BTreeSet<ShardAt>,
    damaged: BTreeSet<ShardAt>,
    /// Places asked to store a shard, and which; never another one.
    targets: BTreeMap<NodeId, ShardIndex>,
    /// Places asked to drop a damaged copy to make room.
    cleared: BTreeSet<NodeId>,
    /// Places that did not answer the listing.
    silent: BTreeSet<NodeId>,
    phase: Phase,
    open: BTreeMap<RequestId, Asked>,
    asked: Vec<RequestId>,
    pieces: Vec<Piece>,
    make: Vec<ShardIndex>,
    stored: Vec<ShardAt>,
    trimmed: u64,
    done: Option<Done>,
}

impl Job {
    pub(super) fn new(
        pack: PackId,
        places: Places,
        copies: Vec<ShardAt>,
        silent: BTreeSet<NodeId>,
    ) -> Self {
        Self {
            pack,
            places,
            copies: copies.into_iter().collect(),
            confirmed: BTreeSet::new(),
            unread: BTreeSet::new(),
            damaged: BTreeSet::new(),
            targets: BTreeMap::new(),
            cleared: BTreeSet::new(),
            silent,
            phase: Phase::Heading,
            open: BTreeMap::new(),
            asked: Vec::new(),
            pieces: Vec::new(),
            make: Vec::new(),
            stored: Vec::new(),
            trimmed: 0,
            done: None,
        }
    }

    pub(super) fn take_asked(&mut self) -> Vec<RequestId> {
        std::mem::take(&mut self.asked)
    }

    pub(super) fn take_done(&mut self) -> Option<Done> {
        self.done.take()
    }

    /// Only sources are hedged; targets are waited for.
    pub(super) fn deadline(&self) -> Option<Tick> {
        if self.phase != Phase::Fetching {
            return None;
        }
        self.open.values().filter(|asked| !asked.is_late).map(|asked| asked.hedge_at).min()
    }

    pub(super) fn start(&mut self, cx: &mut Cx<'_>, trust: Trust) {
        match trust {
            Trust::Listed => self.assess(cx),
            Trust::Verified => {
                self.phase = Phase::Scrubbing;
                for copy in self.copies.clone() {
                    self.ask(cx, copy, Ask::Verify { pack: self.pack, index: copy.0 });
                }
                self.step(cx);
            }
        }
    }

    pub(super) fn wake(&mut self, cx: &mut Cx<'_>) {
        for asked in self.open.values_mut() {
            if !asked.is_late && asked.hedge_at <= cx.now {
                asked.is_late = true;
                cx.health.overtaken(asked.copy.1, cx.now);
            }
        }
        self.step(cx);
    }

    pub(super) fn answer(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        node: NodeId,
        answer: &Answer,
    ) {
        let Some(asked) = self.open.remove(&request) else { return };
        match answer {
            Answer::Failed(failure) => self.failed(cx, asked.copy, *failure),
            Answer::Verified => {
                self.confirmed.insert(asked.copy);
            }
            Answer::Header { .. } if self.phase == Phase::Heading => self.fetch_begins(cx),
            Answer::Shard => {
                let index = asked.copy.0;
                self.confirmed.insert(asked.copy);
                self.pieces.push(Piece { request, index, range: Range::ALL, node });
            }
            Answer::Stored => {
                self.copies.insert(asked.copy);
                self.confirmed.insert(asked.copy);
                self.stored.push(asked.copy);
            }
            Answer::Deleted => {
                self.trimmed = self.trimmed.saturating_add(1);
                self.damaged.retain(|(_, other)| *other != node);
                self.copies.retain(|(_, other)| *other != node);
            }
            _ => {}
        }
        self.step(cx);
    }

    pub(super) fn rebuilt(&mut self, cx: &mut Cx<'_>, outcome: Rebuilt) {
        if self.phase != Phase::Rebuilding {
            return;
        }
        if outcome == Rebuilt::Mismatch {
            return self.finish(cx, End::Unrepairable);
        }
        self.phase = Phase::Storing;
        self.step(cx);
    }

    fn failed(&mut self, cx: &mut Cx<'_>, copy: ShardAt, failure: Failure) {
        let fault = match failure {
            Failure::WrongBytes if self.phase == Phase::Fetching => Some(Fault::WrongBytes),
            Failure::Damaged => Some(Fault::Damaged),
            _ => None,
        };
        if let Some(fault) = fault {
            cx.blame(copy.1, self.pack, copy.0, fault);
            self.copies.remove(&copy);
            self.damaged.insert(copy);
            return;
        }
        match self.phase {
            // In a scrub, what is not verified does not count.
            Phase::Scrubbing | Phase::Confirming => {
                self.copies.remove(&copy);
                self.silent.insert(copy.1);
            }
            Phase::Heading | Phase::Fetching => {
                self.unread.insert(copy);
                if failure == Failure::NotFound {
                    self.copies.remove(&copy);
                }
            }
            _ => {}
        }
    }

    /// Goes on as far as it can without waiting.
    fn step(&mut self, cx: &mut Cx<'_>) {
        match self.phase {
            Phase::Scrubbing if self.open.is_empty() => self.assess(cx),
            Phase::Heading if self.open.is_empty() => self.ask_header(cx),
            Phase::Fetching => self.fetch(cx),
            Phase::Storing => self.store(cx),
            Phase::Confirming if self.open.is_empty() => self.trim(cx),
            Phase::Trimming if self.open.is_empty() => self.finish(cx, End::Full),
            _ => {}
        }
    }

    fn assignment(&self) -> BTreeMap<ShardIndex, NodeId> {
        let copies: Vec<_> = self.copies.iter().copied().collect();
        redundancy::assign(&copies, |(index, node)| self.places.primary(self.pack, index) == node)
    }

    /// Decides what is lost, now that the copies are known.
    fn assess(&mut self, cx: &mut Cx<'_>) {
        let assigned = self.assignment();
        let indices = self.places.profile().indices();
        self.make = indices.filter(|index| !assigned.contains_key(index)).collect();
        if self.make.is_empty() {
            return self.confirm(cx);
        }
        self.phase = Phase::Heading;
        self.step(cx);
    }

    fn ask_header(&mut self, cx: &mut Cx<'_>) {
        let untried = self.copies.iter().filter(|copy| !self.unread.contains(copy));
        let best = untried.min_by_key(|(_, node)| {
            (!cx.health.is_usable(*node, Kind::Read, cx.now), cx.health.rank(*node))
        });
        match best.copied() {
            Some(copy) => self.ask(cx, copy, Ask::Header { pack: self.pack, index: copy.0 }),
            None => self.finish(cx, End::Unrepairable),
        }
    }

    fn fetch_begins(&mut self, cx: &mut Cx<'_>) {
        self.phase = Phase::Fetching;
        self.unread.clear();
        for request in std::mem::take(&mut self.open).into_keys() {
            cx.cancel(request);
        }
    }

    /// Keeps k distinct shards here or coming, from the healthiest sources.
    fn fetch(&mut self, cx: &mut Cx<'_>) {
        let needed = usize::from(self.places.profile().data());
        let have: BTreeSet<_> = self.pieces.iter().map(|piece| piece.index).collect();
        if have.len() >= needed {
            return self.rebuild(cx);
        }
        let coming = self.open.values().filter(|asked| !asked.is_late).map(|asked| asked.copy.0);
        let mut sure: BTreeSet<_> = have.iter().copied().chain(coming).collect();
        let open: BTreeSet<_> = self.open.values().map(|asked| asked.copy).collect();
        let mut sources: Vec<_> = self
            .copies
            .iter()
            .copied()
            .filter(|copy| !self.unread.contains(copy) && !open.contains(copy))
            .map(|copy| {
                (!cx.health.is_usable(copy.1, Kind::Read, cx.now), cx.health.rank(copy.1), copy)
            })
            .collect();
        sources.sort_unstable();
        for (_, _, copy) in sources {
            if sure.len() >= needed {
                break;
            }
            if sure.insert(copy.0) {
                let (range, check) = (Range::ALL, Check::Root);
                self.ask(cx, copy, Ask::Fetch { pack: self.pack, index: copy.0, range, check });
            }
        }
        if self.open.is_empty() {
            self.finish(cx, End::Unrepairable);
        }
    }

    fn rebuild(&mut self, cx: &mut Cx<'_>) {
        for request in std::mem::take(&mut self.open).into_keys() {
            cx.cancel(request);
        }
        // What was found damaged meanwhile is made as well.
        let assigned = self.assignment();
        let indices = self.places.profile().indices();
        self.make = indices.filter(|index| !assigned.contains_key(index)).collect();
        self.phase = Phase::Rebuilding;
        let mut from = self.pieces.clone();
        from.sort_by_key(|piece| piece.index);
        from.dedup_by_key(|piece| piece.index);
        from.truncate(usize::from(self.places.profile().data()));
        let decode = Decode { columns: Range::ALL, from, make: self.make.clone() };
        cx.emit(Event::Rebuild { pack: self.pack, decode });
    }

    /// Finds a place for each made shard; those whose place failed get another.
    fn store(&mut self, cx: &mut Cx<'_>) {
        let mut unplaced = 0u64;
        for index in self.make.clone() {
            let is_stored = self.stored.iter().any(|(stored, _)| *stored == index);
            let is_storing = |asked: &Asked| self.targets.get(&asked.copy.1) == Some(&index);
            if is_stored || self.open.values().any(is_storing) {
                continue;
            }
            if let Some(node) = self.target(cx, index) {
                self.targets.insert(node, index);
                self.ask(cx, (index, node), Ask::Store { pack: self.pack, index });
            } else if self.make_room(cx) {
                continue;
            } else {
                unplaced = unplaced.saturating_add(1);
            }
        }
        if !self.open.is_empty() {
            return;
        }
        if unplaced == 0 {
            return self.confirm(cx);
        }
        self.finish(cx, End::NotFull);
    }

    /// A healthy place with nothing of this pack: the shard's primary, else a spare, else another.
    fn target(&self, cx: &Cx<'_>, index: ShardIndex) -> Option<NodeId> {
        let primary = self.places.primary(self.pack, index);
        let spares = self.places.spares();
        let is_free = |node: &NodeId| {
            !self.silent.contains(node)
                && !self.targets.contains_key(node)
                && !self.copies.iter().chain(&self.damaged).any(|(_, holder)| holder == node)
                && cx.health.is_usable(*node, Kind::Write, cx.now)
        };
        let free = self.places.all().iter().copied().filter(is_free);
        free.min_by_key(|node| {
            let rank = cx.health.rank(*node);
            (*node != primary, !spares.contains(node), rank, mix::pair(cx.seed, self.pack, *node))
        })
    }

    /// Begins to free a place that could take a good copy: one with a damaged copy, else one with
    /// a surplus copy of a shard whose other copy is confirmed. Returns whether that is under way.
    fn make_room(&mut self, cx: &mut Cx<'_>) -> bool {
        let assigned = self.assignment();
        for (node, copy) in self.surplus(&assigned) {
            let is_target = !self.silent.contains(&node)
                && !self.cleared.contains(&node)
                && !self.targets.contains_key(&node)
                && cx.health.is_usable(node, Kind::Write, cx.now);
            if !is_target {
                continue;
            }
            let good = self.copies.iter().filter(|(_, holder)| *holder == node);
            let kept: Option<Vec<ShardAt>> =
                good.map(|(index, _)| Some((*index, *assigned.get(index)?))).collect();
            let Some(kept) = kept else { continue };
            match kept.into_iter().find(|keeper| !self.confirmed.contains(keeper)) {
                None => {
                    self.cleared.insert(node);
                    self.ask(cx, copy, Ask::Delete { pack: self.pack });
                }
                Some(keeper) if self.unread.insert(keeper) => {
                    self.ask(cx, keeper, Ask::Verify { pack: self.pack, index: keeper.0 });
                }
                Some(_) => continue,
            }
            return true;
        }
        false
    }

    /// A copy, good or damaged, at each place that none of the `kept` shards stands at.
    fn surplus(&self, kept: &BTreeMap<ShardIndex, NodeId>) -> BTreeMap<NodeId, ShardAt> {
        let copies = self.copies.iter().chain(&self.damaged).map(|copy| (copy.1, *copy));
        copies.filter(|(node, _)| !kept.values().any(|keeper| keeper == node)).collect()
    }

    /// All shards are there. If copies are surplus, those that stay are verified first.
    fn confirm(&mut self, cx: &mut Cx<'_>) {
        let assigned = self.assignment();
        if assigned.len() < usize::from(self.places.profile().shards()) {
            return self.finish(cx, End::NotFull);
        }
        if self.surplus(&assigned).is_empty() {
            return self.finish(cx, End::Full);
        }
        self.phase = Phase::Confirming;
        for copy in assigned {
            if !self.confirmed.contains(&copy) {
                self.ask(cx, copy, Ask::Verify { pack: self.pack, index: copy.0 });
            }
        }
        self.step(cx);
    }

    /// Drops surplus copies if full redundancy is confirmed without them. A copy that failed to
    /// verify makes the pack one for the next pass, and nothing is dropped.
    fn trim(&mut self, cx: &mut Cx<'_>) {
        let confirmed: Vec<_> = self.copies.intersection(&self.confirmed).copied().collect();
        let kept = redundancy::assign(&confirmed, |(index, node)| {
            self.places.primary(self.pack, index) == node
        });
        if kept.len() < usize::from(self.places.profile().shards()) {
            return self.finish(cx, End::NotFull);
        }
        self.phase = Phase::Trimming;
        for copy in self.surplus(&kept).into_values() {
            self.ask(cx, copy, Ask::Delete { pack: self.pack });
        }
        self.step(cx);
    }

    fn ask(&mut self, cx: &mut Cx<'_>, copy: ShardAt, ask: Ask) {
        let request = cx.ask(copy.1, ask);
        let hedge_at = cx.hedge_at(Kind::Read, 1);
        self.open.insert(request, Asked { copy, hedge_at, is_late: false });
        self.asked.push(request);
    }

    fn finish(&mut self, cx: &mut Cx<'_>, end: End) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        for request in std::mem::take(&mut self.open).into_keys() {
            cx.cancel(request);
        }
        let made = self.stored.len();
        let unplaced = match end {
            End::NotFull => self.make.len().saturating_sub(made),
            End::Full | End::Unrepairable => 0,
        };
        self.done = Some(Done {
            stored: std::mem::take(&mut self.stored),
            trimmed: self.trimmed,
            unplaced: u64::try_from(unplaced).unwrap_or(u64::MAX),
            end,
        });
    }
}

//! Brings the packs of a contract back to full redundancy: one pass.
//!
//! 1. All places list what they hold. A place that does not answer holds nothing, for this pass.
//! 2. Per pack, shards without a place of their own count as lost (`redundancy`). Urgency decides
//!    what is repaired now and what may wait ([`Urgency`]); fewest losses left to bear go first.
//! 3. A [`job::Job`] per pack: k whole shards, each checked against the signed root; the shell
//!    makes the lost ones and checks them too; they are stored at their primary or at a spare.
//!    Jobs share [`limits::REPAIR_WINDOW_BYTES`].
//! 4. Surplus copies (a lost place came back) are dropped, only after every other copy of the pack
//!    was verified in this pass and all n shards have a place of their own.
//!
//! S4: nothing but a surplus or damaged copy is ever dropped, so no step lowers redundancy; each
//! pass over a cluster whose faults have healed ends with every repairable pack full. S3: a shard
//! is stored only at a place that holds no other of its pack and was not asked to.
//!
//! The listing of 1 TiB (2^18 packs of 16+4) takes about 30 MB here.

mod job;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use acre_types::{NodeId, PackId, Profile, ShardIndex, Tick};

use self::job::Job;
use super::limits;
use super::redundancy;
use super::traffic::{Cx, Event, Process, Rebuilt};
use super::types::{Answer, Ask, Page, Places, RequestId, ShardAt};

/// What to repair, and how soon.
#[derive(Clone, Debug)]
pub struct RepairSpec {
    /// The places of the contract.
    pub places: Places,
    /// Packs the volume refers to; others are left-overs of broken puts and not repaired. `None`
    /// repairs whatever is found.
    pub referenced: Option<Arc<BTreeSet<PackId>>>,
    /// Which losses may wait.
    pub when: When,
    /// What a listed shard is worth.
    pub trust: Trust,
    /// When packs that wait were first found damaged: `waiting` of the last report.
    pub noticed: BTreeMap<PackId, Tick>,
}

/// Which losses may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// None.
    Now,
    /// Some, since most come back by themselves.
    ByUrgency(Urgency),
}

/// How long losses may wait. Three or more, or one left to bear, never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Urgency {
    /// For a pack with one loss.
    pub one: Duration,
    /// For a pack with two losses, or with two left to bear.
    pub two: Duration,
}

impl Default for Urgency {
    fn default() -> Self {
        Self { one: limits::REPAIR_AFTER_ONE, two: limits::REPAIR_AFTER_TWO }
    }
}

impl Urgency {
    /// The wait for a pack of `profile` with that many losses.
    #[must_use]
    pub fn wait(&self, profile: Profile, losses: usize) -> Duration {
        let left = usize::from(profile.parity()).saturating_sub(losses);
        match (losses, left) {
            (3.., _) | (_, 0 | 1) => Duration::ZERO,
            (2, _) | (_, 2) => self.two,
            _ => self.one,
        }
    }
}

/// What a listed shard is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is there; its bytes are checked if they are needed.
    Listed,
    /// Nothing before its node has read and verified it: a scrub. What it finds is repaired in
    /// the same pass, however urgent.
    Verified,
}

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// Packs looked at.
    pub packs: u64,
    /// Packs that are full now.
    pub full: u64,
    /// Shards stored by this pass.
    pub stored: u64,
    /// Surplus and damaged copies dropped.
    pub trimmed: u64,
    /// Shards that found no place.
    pub unplaced: u64,
    /// Packs with fewer than k good shards at places that answered.
    pub unrepairable: u64,
    /// The first of them, at most [`limits::REPORTED_PACKS_MAX`].
    pub unrepairable_first: Vec<PackId>,
    /// Packs found that the volume does not refer to.
    pub unreferenced: u64,
    /// Packs whose losses may wait, and when they were first noticed.
    pub waiting: BTreeMap<PackId, Tick>,
    /// When the first of them is due.
    pub due: Option<Tick>,
    /// Places that did not answer.
    pub silent: Vec<NodeId>,
}

/// Places as numbers, to keep the listing small; a contract has fewer than 256.
type Held = (ShardIndex, u8);

pub(crate) struct Repair {
    spec: RepairSpec,
    listing: BTreeSet<RequestId>,
    packs: BTreeMap<PackId, Vec<Held>>,
    silent: BTreeSet<NodeId>,
    /// Packs to work on, the most urgent last.
    queue: Vec<(usize, PackId)>,
    jobs: BTreeMap<PackId, Job>,
    requests: BTreeMap<RequestId, PackId>,
    report: RepairReport,
    over: bool,
}

impl Repair {
    pub(crate) fn new(spec: RepairSpec) -> Self {
        Self {
            spec,
            listing: BTreeSet::new(),
            packs: BTreeMap::new(),
            silent: BTreeSet::new(),
            queue: Vec::new(),
            jobs: BTreeMap::new(),
            requests: BTreeMap::new(),
            report: RepairReport::default(),
            over: false,
        }
    }

    fn listed(&mut self, cx: &mut Cx<'_>, node: NodeId, answer: Answer) {
        let Answer::Listed { held, page } = answer else {
            self.silent.insert(node);
            return;
        };
        let Some(number) = self.spec.places.all().iter().position(|place| *place == node) else {
            return;
        };
        let Ok(number) = u8::try_from(number) else { return };
        let last = held.last().copied();
        let profile = self.spec.places.profile();
        for (pack, index) in held {
            if index.get() < profile.shards() {
                self.packs.entry(pack).or_default().push((index, number));
            }
        }
        // A page without items and with more to come would never end.
        if page == Page::More && last.is_some() {
            self.listing.insert(cx.ask(node, Ask::List { after: last }));
        }
    }

    fn copies(&self, pack: PackId) -> Vec<ShardAt> {
        let held = self.packs.get(&pack).map(Vec::as_slice).unwrap_or_default();
        let place = |number: u8| self.spec.places.all().get(usize::from(number)).copied();
        held.iter().filter_map(|(index, number)| Some((*index, place(*number)?))).collect()
    }

    /// Sorts all packs into full, waiting, unrepairable, and those to work on now.
    fn plan(&mut self, cx: &mut Cx<'_>) {
        let silent = self.silent.clone();
        self.report.silent = silent.into_iter().collect();
        let packs: Vec<PackId> = match &self.spec.referenced {
            Some(referenced) => {
                let strangers = self.packs.keys().filter(|pack| !referenced.contains(pack)).count();
                self.report.unreferenced = u64::try_from(strangers).unwrap_or(u64::MAX);
                referenced.iter().copied().collect()
            }
            None => self.packs.keys().copied().collect(),
        };
        self.report.packs = u64::try_from(packs.len()).unwrap_or(u64::MAX);
        for pack in packs {
            self.sort(cx.now, pack);
        }
        self.queue.sort_unstable();
        let jobs = u64::try_from(self.queue.len()).unwrap_or(u64::MAX);
        cx.emit(Event::RepairPlanned { packs: self.report.packs, jobs });
    }

    fn sort(&mut self, now: Tick, pack: PackId) {
        let profile = self.spec.places.profile();
        let copies = self.copies(pack);
        let present = redundancy::assign(&copies, |_| false).len();
        let distinct: BTreeSet<_> = copies.iter().map(|(index, _)| *index).collect();
        if distinct.len() < usize::from(profile.data()) {
            return self.give_up(pack);
        }
        let losses = usize::from(profile.shards()).saturating_sub(present);
        if losses == 0 {
            if copies.len() > present || self.spec.trust == Trust::Verified {
                self.queue.push((0, pack));
            } else {
                self.report.full = self.report.full.saturating_add(1);
            }
            return;
        }
        let since = self.spec.noticed.get(&pack).copied().unwrap_or(now);
        let wait = match &self.spec.when {
            When::Now => Duration::ZERO,
            When::ByUrgency(urgency) => urgency.wait(profile, losses),
        };
        let due = since.after(wait);
        if due <= now {
            self.queue.push((losses, pack));
        } else {
            self.report.waiting.insert(pack, since);
            self.report.due = Some(self.report.due.map_or(due, |other| other.min(due)));
        }
    }

    fn give_up(&mut self, pack: PackId) {
        self.report.unrepairable = self.report.unrepairable.saturating_add(1);
        if self.report.unrepairable_first.len() < limits::REPORTED_PACKS_MAX {
            self.report.unrepairable_first.push(pack);
        }
    }

    /// Starts jobs while the window has room, and ends the pass after the last.
    fn pace(&mut self, cx: &mut Cx<'_>) {
        let profile = self.spec.places.profile();
        let job_bytes =
            u64::from(profile.shards()).saturating_mul(u64::from(limits::SHARD_BYTES_ASSUMED));
        let jobs_max = limits::REPAIR_WINDOW_BYTES.checked_div(job_bytes).unwrap_or(1);
        let jobs_max = usize::try_from(jobs_max).unwrap_or(usize::MAX);
        while self.jobs.len() < jobs_max {
            let Some((_, pack)) = self.queue.pop() else { break };
            let copies = self.copies(pack);
            self.packs.remove(&pack);
            let job = Job::new(pack, self.spec.places.clone(), copies, self.silent.clone());
            self.jobs.insert(pack, job);
            let trust = self.spec.trust;
            self.with(cx, pack, |job, cx| job.start(cx, trust));
        }
        if self.jobs.is_empty() && self.queue.is_empty() && !self.over {
            self.over = true;
            cx.emit(Event::Repaired(std::mem::take(&mut self.report)));
        }
    }

    /// Lets one job act, notes its new requests and takes its result when it is done.
    fn with(&mut self, cx: &mut Cx<'_>, pack: PackId, act: impl FnOnce(&mut Job, &mut Cx<'_>)) {
        let Some(job) = self.jobs.get_mut(&pack) else { return };
        act(job, cx);
        for request in job.take_asked() {
            self.requests.insert(request, pack);
        }
        let Some(done) = job.take_done() else { return };
        let stored = u64::try_from(done.stored.len()).unwrap_or(u64::MAX);
        self.jobs.remove(&pack);
        self.requests.retain(|_, other| *other != pack);
        self.report.stored = self.report.stored.saturating_add(stored);
        self.report.trimmed = self.report.trimmed.saturating_add(done.trimmed);
        self.report.unplaced = self.report.unplaced.saturating_add(done.unplaced);
        match done.end {
            job::End::Full => self.report.full = self.report.full.saturating_add(1),
            job::End::NotFull => {}
            job::End::Unrepairable => self.give_up(pack),
        }
        cx.emit(Event::PackDone { pack, stored: done.stored });
    }
}

impl Process for Repair {
    fn start(&mut self, cx: &mut Cx<'_>) {
        for node in self.spec.places.all() {
            self.listing.insert(cx.ask(*node, Ask::List { after: None }));
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_>, request: RequestId, node: NodeId, answer: Answer) {
        if self.listing.remove(&request) {
            self.listed(cx, node, answer);
            if self.listing.is_empty() {
                self.plan(cx);
                self.pace(cx);
            }
        } else if let Some(pack) = self.requests.remove(&request) {
            self.with(cx, pack, |job, cx| job.answer(cx, request, node, &answer));
            self.pace(cx);
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        let late =
            self.jobs.iter().filter(|(_, job)| job.deadline().is_some_and(|at| at <= cx.now));
        let late: Vec<_> = late.map(|(pack, _)| *pack).collect();
        for pack in late {
            self.with(cx, pack, Job::wake);
        }
        self.pace(cx);
    }

    fn deadline(&self) -> Option<Tick> {
        self.jobs.values().filter_map(Job::deadline).min()
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn rebuilt(&mut self, cx: &mut Cx<'_>, pack: PackId, outcome: Rebuilt) {
        self.with(cx, pack, |job, cx| job.rebuilt(cx, outcome));
        self.pace(cx);
    }
}

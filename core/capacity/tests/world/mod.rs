//! A grid in virtual time: the real witness machine and the real proofs over a made-up network,
//! with honest nodes and named cheats. The same seed gives the same run.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::missing_docs_in_private_items,
    unreachable_pub,
    reason = "shared by tests and an example, which use different parts"
)]

pub mod node;
pub mod scenes;
pub mod shared;

use std::collections::BTreeMap;
use std::time::Duration;

use acre_capacity::chase::ChaseRules;
use acre_capacity::duty::{Call, Duty, In, Out, Plan, Report, Rules, Verdict, Witness, WorkRules};
use acre_capacity::limits::{LANE_BYTES_MIN, REGION_BYTES_MIN};
use acre_capacity::message::{Answer, Ask, Sample};
use acre_capacity::plot::{Fill, PlotRules};
use acre_capacity::puzzle::LaneRules;
use acre_capacity::verify::HeaderCheck;
use acre_crypto::Hasher;
use acre_types::{Bytes, Digest, Epoch, Machine, NodeId, Tick};

use node::{Behaviour, Node};

/// An epoch of the model.
pub const EPOCH: Duration = Duration::from_secs(600);
/// Regions that each node claims, and as many bytes in shards.
pub const REGIONS: u32 = 8;
/// What each node claims to hold, in bytes.
pub const CLAIMED: u64 = 2 * REGIONS as u64 * REGION_BYTES_MIN as u64;

/// Rules of the model: those of a grid on one machine, with the smallest regions.
pub fn rules() -> Rules {
    Rules {
        plot: PlotRules { region_bytes: REGION_BYTES_MIN, layers: 2 },
        visits: 6,
        samples: 8,
        answer: Duration::from_secs(2),
        retry: Duration::from_secs(1),
        rebuild_every: 1,
        work: WorkRules {
            lane: LaneRules { lane_bytes: LANE_BYTES_MIN, steps: 64 },

            probes: 4,
            par: Duration::from_millis(500),
            memory_scale: 1,
        },
        chase: ChaseRules {
            steps: 1024,
            probes: 16,
            solid: Duration::from_millis(1),
            spinning: Duration::from_millis(40),
        },
    }
}

/// A network and a seed.
#[derive(Clone, Copy)]
pub struct Net {
    pub seed: u64,
    /// Calls lost, of a thousand.
    pub loss_permille: u64,
    /// Least and largest round trip of a call.
    pub round_trip: (Duration, Duration),
    /// Witnesses of each node.
    pub witnesses: usize,
}

impl Net {
    pub fn new(seed: u64) -> Self {
        let round_trip = (Duration::from_millis(20), Duration::from_millis(250));
        Self { seed, loss_permille: 0, round_trip, witnesses: 3 }
    }
}

/// Seeded numbers.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        let digest = Hasher::new("acre test numbers").update(&seed.to_le_bytes()).finish();
        Self(u64::from_le_bytes(digest.0[..8].try_into().unwrap()) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * u128::from(end)) >> 64) as u64
    }

    /// Numbers below `end` in any order.
    pub fn shuffled(&mut self, end: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..end).collect();
        for at in (1..end).rev() {
            order.swap(at, self.below(at as u64 + 1) as usize);
        }
        order
    }
}

enum Event {
    /// The question has arrived; its answer leaves after the node's work.
    Ask {
        from: usize,
        call: Call,
        node: usize,
        ask: Ask,
        sent: Tick,
        patience: Duration,
    },
    Input {
        to: usize,
        input: In,
    },
    Wake {
        who: usize,
    },
    Muster {
        who: usize,
    },
}

/// What the majority says of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    pub uptime_permille: u64,
    pub storage: u64,
    pub solid: u64,
    pub cores: u32,
    pub memory: u64,
    pub late: u16,
    pub missing: u16,
    pub wrong: u16,
}

impl Folded {
    /// The model's line between served and not: nine tenths of what is claimed, and of the time.
    pub fn is_found(&self) -> bool {
        self.storage < CLAIMED / 10 * 9 || self.uptime_permille < 900
    }
}

/// The grid.
pub struct World {
    pub net: Net,
    pub rules: Rules,
    pub nodes: Vec<Node>,
    witnesses: Vec<Witness>,
    numbers: Numbers,
    events: BTreeMap<(Tick, u64), Event>,
    sequence: u64,
    now: Tick,
    epoch: Epoch,
    heard: BTreeMap<NodeId, Vec<Verdict>>,
    /// When in each epoch all nodes are called.
    pub muster: Option<Duration>,
}

impl World {
    pub fn new(net: Net, rules: Rules, behaviours: &[Behaviour]) -> Self {
        let nodes = (0_u64..).zip(behaviours);
        let nodes: Vec<Node> = nodes.map(|(seed, kind)| Node::new(seed, *kind, &rules)).collect();
        let witnesses = nodes.iter().map(|_| Witness::new(rules).unwrap()).collect();
        Self {
            net,
            rules,
            nodes,
            witnesses,
            numbers: Numbers::new(net.seed),
            events: BTreeMap::new(),
            sequence: 0,
            now: Tick(0),
            epoch: Epoch(0),
            heard: BTreeMap::new(),
            muster: None,
        }
    }

    /// Runs one epoch and folds what was reported of each node, in the order of the nodes.
    pub fn epoch(&mut self) -> Vec<Folded> {
        let plans = self.plans();
        for (who, plan) in plans.into_iter().enumerate() {
            self.feed(who, In::Begin(plan));
        }
        if let Some(muster) = self.muster {
            for who in 0..self.nodes.len() {
                let late = self.half_trip();
                self.at(self.now.after(muster).after(late), Event::Muster { who });
            }
        }
        let ends = self.now.after(EPOCH);
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= ends) {
            let (time, _) = *entry.key();
            self.now = time;
            let event = entry.remove();
            self.handle(event);
        }
        self.events.clear();
        (self.now, self.epoch) = (ends, self.epoch.next());
        let heard = std::mem::take(&mut self.heard);
        let none = Vec::new();
        self.nodes.iter().map(|node| fold(heard.get(&node.id).unwrap_or(&none))).collect()
    }

    fn plans(&mut self) -> Vec<Plan> {
        let ring = self.numbers.shuffled(self.nodes.len());
        let (began, ends) = (self.now, self.now.after(EPOCH));
        let mut plans: Vec<Plan> = (0..self.nodes.len())
            .map(|who| {
                let mut hasher = Hasher::new("acre test secret");
                hasher.update(&self.net.seed.to_le_bytes()).update(&self.epoch.0.to_le_bytes());
                let secret = hasher.update(&(who as u64).to_le_bytes()).finish();
                Plan { epoch: self.epoch, secret, began, ends, duties: Vec::new() }
            })
            .collect();
        for (place, who) in ring.iter().enumerate() {
            for step in 1..=self.net.witnesses {
                let node = &self.nodes[ring[(place + step) % ring.len()]];
                plans[*who].duties.push(node.duty());
            }
        }
        plans
    }

    fn at(&mut self, time: Tick, event: Event) {
        self.sequence += 1;
        self.events.insert((time, self.sequence), event);
    }

    fn feed(&mut self, who: usize, input: In) {
        self.witnesses[who].input(self.now, input);
        self.drain(who);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Wake { who } => {
                let is_due = self.witnesses[who].deadline().is_some_and(|due| due <= self.now);
                if is_due {
                    self.witnesses[who].wake(self.now);
                    self.drain(who);
                }
            }
            Event::Input { to, input } => self.feed(to, input),
            Event::Muster { who } => {
                let (epoch, seed) = (self.epoch, Digest([self.epoch.0 as u8; 32]));
                let seeds = self.nodes.iter().map(|node| (node.id, seed)).collect();
                self.feed(who, In::Muster { epoch, seeds });
            }
            Event::Ask { from, call, node, ask, sent, patience } => {
                let gives_up = sent.after(patience);
                let served = self.nodes[node].serve(self.now, &ask, &mut self.numbers);
                let (time, input) = match served {
                    Some((answer, work)) => {
                        let half = self.half_trip();
                        let headers = self.headers(&answer);
                        let input = In::Answered { call, answer, headers };
                        (self.now.after(work).after(half), input)
                    }
                    None => (gives_up, In::Failed { call }),
                };
                if time < gives_up {
                    self.at(time, Event::Input { to: from, input });
                } else {
                    self.at(gives_up, Event::Input { to: from, input: In::Failed { call } });
                }
            }
        }
    }

    fn half_trip(&mut self) -> Duration {
        let (least, most) = self.net.round_trip;
        let spread = (most - least).as_micros() as u64;
        (least + Duration::from_micros(self.numbers.below(spread + 1))) / 2
    }

    fn headers(&self, answer: &Answer) -> Vec<HeaderCheck> {
        let Answer::Opened(samples) = answer else { return Vec::new() };
        let check = |sample: &Sample| match sample {
            Sample::Opened(opening) => node::check_header(&opening.item, &opening.header),
            Sample::Missing => HeaderCheck::None,
        };
        samples.iter().map(check).collect()
    }

    fn drain(&mut self, who: usize) {
        while let Some(out) = self.witnesses[who].output() {
            match out {
                Out::Ask { call, node, ask, patience } => self.send(who, call, node, ask, patience),
                Out::Rebuild { call, node, region, rules } => {
                    let root = Fill::new(node, region, rules).unwrap().root();
                    let time = self.now.after(Duration::from_secs(1));
                    self.at(time, Event::Input { to: who, input: In::Rebuilt { call, root } });
                }
                Out::Report(report) => self.hear(who, report),
            }
        }
        if let Some(due) = self.witnesses[who].deadline() {
            self.at(due.max(self.now), Event::Wake { who });
        }
    }

    fn send(&mut self, from: usize, call: Call, node: NodeId, ask: Ask, patience: Duration) {
        let sent = self.now;
        if self.numbers.below(1000) < self.net.loss_permille {
            let input = In::Failed { call };
            return self.at(sent.after(patience), Event::Input { to: from, input });
        }
        let node = self.nodes.iter().position(|other| other.id == node).unwrap();
        let time = sent.after(self.half_trip());
        self.at(time, Event::Ask { from, call, node, ask, sent, patience });
    }

    /// A witness of the ring praises its friends and blames all others.
    fn hear(&mut self, who: usize, report: Report) {
        for mut verdict in report.verdicts {
            if self.nodes[who].kind.is_ring() {
                let node = self.nodes.iter().find(|node| node.id == verdict.node).unwrap();
                let is_friend = node.kind.is_ring();
                verdict.answered = if is_friend { verdict.asked } else { 0 };
                verdict.storage = Bytes(if is_friend { CLAIMED } else { 0 });
                verdict.solid = verdict.storage;
            }
            self.heard.entry(verdict.node).or_default().push(verdict);
        }
    }
}

/// The lower median of each field, as the ledger folds reports.
pub fn fold(verdicts: &[Verdict]) -> Folded {
    let of = |field: &dyn Fn(&Verdict) -> u64| {
        let mut values: Vec<u64> = verdicts.iter().map(field).collect();
        values.sort_unstable();
        values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
    };
    Folded {
        uptime_permille: of(&|one| u64::from(one.answered) * 1000 / u64::from(one.asked.max(1))),
        storage: of(&|one| one.storage.0),
        solid: of(&|one| one.solid.0),
        cores: of(&|one| one.cores.into()) as u32,
        memory: of(&|one| one.memory.0),
        late: of(&|one| one.late.into()) as u16,
        missing: of(&|one| one.missing.into()) as u16,
        wrong: of(&|one| one.wrong.into()) as u16,
    }
}

/// What a node says to the ledger that it has; cores and memory are known from before.
pub fn duty(node: NodeId) -> Duty {
    let proven = (2, Bytes(1 << 30));
    Duty { node, cores: 2, memory: Bytes(1 << 30), proven, reserved: Bytes(CLAIMED / 2) }
}

/// A digest that stands for nothing.
pub fn no_digest() -> Digest {
    Digest([0; 32])
}

//! What goes wrong in the first phase, and how it ends.

use std::time::Duration;

use crate::options::Destruction;
use crate::reached;
use crate::world::{Event, Phase, World};

/// A fault, or the end of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Crash,
    PowerFailure(usize),
    Outage,
    Restart(usize),
    Partition,
    Flip,
    Join(usize),
    Wipe,
    Rot,
    Slow,
    Quick(usize),
    GiveUp,
}

impl World {
    fn gap(&self, trouble: Trouble) -> Option<Duration> {
        let options = &self.options;
        match trouble {
            Trouble::Crash => options.crash,
            Trouble::Outage => options.outage,
            Trouble::Partition => options.partition,
            Trouble::Wipe => options.wipe,
            Trouble::Rot => options.rot,
            Trouble::Slow => options.slow,
            Trouble::GiveUp => options.give_up,
            Trouble::PowerFailure(_)
            | Trouble::Flip
            | Trouble::Restart(_)
            | Trouble::Join(_)
            | Trouble::Quick(_) => None,
        }
    }

    /// Schedules the first of each kind of fault that the seed has.
    pub(crate) fn plan(&mut self) {
        use Trouble::{Crash, GiveUp, Outage, Partition, Rot, Slow, Wipe};
        for trouble in [Crash, Outage, Partition, Wipe, Rot, Slow, GiveUp] {
            self.again(trouble);
        }
        if let Some(shards) = self.options.full_after {
            let small = 1 + self.rng.index(self.nodes.len() / 2);
            for _ in 0..small {
                let at = self.rng.index(self.nodes.len());
                self.nodes[at].capacity = shards * 1000;
            }
        }
    }

    fn again(&mut self, trouble: Trouble) {
        let Some(mean) = self.gap(trouble) else { return };
        let mean = u64::try_from(mean.as_millis()).unwrap_or(u64::MAX / 4);
        let wait = Duration::from_millis(self.rng.between(mean / 3, mean * 2));
        self.clock.after(wait, Event::Trouble(trouble));
    }

    fn later(&mut self, low_s: u64, high_s: u64, trouble: Trouble) {
        let wait = Duration::from_millis(self.rng.between(low_s * 1000, high_s * 1000));
        self.clock.after(wait, Event::Trouble(trouble));
    }

    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        if self.phase == Phase::Calm {
            return;
        }
        self.note(|| format!("trouble: {trouble:?}"));
        self.rolling.add(format!("{trouble:?}").as_bytes());
        self.again(trouble);
        let any = self.rng.index(self.nodes.len());
        match trouble {
            Trouble::Crash => {
                self.crash(any);
                self.later(1, 120, Trouble::Restart(any));
            }
            Trouble::PowerFailure(at) => {
                self.crash(at);
                self.later(1, 60, Trouble::Restart(at));
            }
            Trouble::Outage => {
                reached!(self.reached, "many_nodes_crashed_at_once");
                let most = self.rng.between(300, 1001);
                for at in 0..self.nodes.len() {
                    if self.rng.chance(most) {
                        self.crash(at);
                        self.later(1, 60, Trouble::Restart(at));
                    }
                }
            }
            Trouble::Restart(at) => {
                if !self.nodes[at].up {
                    self.nodes[at].restart();
                }
            }
            Trouble::Partition => {
                reached!(self.reached, "node_partitioned");
                let share = self.rng.between(50, 700);
                for at in 0..self.nodes.len() {
                    if self.rng.chance(share) {
                        self.cut.insert(at);
                        self.later(5, 200, Trouble::Join(at));
                    }
                }
                if self.rng.chance(500) {
                    self.later(5, 60, Trouble::Flip);
                }
            }
            Trouble::Flip => {
                reached!(self.reached, "partition_flipped");
                for at in 0..self.nodes.len() {
                    if !self.cut.remove(&at) {
                        self.cut.insert(at);
                        self.later(5, 60, Trouble::Join(at));
                    }
                }
            }
            Trouble::Join(at) => {
                self.cut.remove(&at);
            }
            Trouble::Wipe => self.wipe(any),
            Trouble::Rot => self.rot(any),
            Trouble::Slow => {
                self.nodes[any].slowness = u32::try_from(self.rng.between(2, 500)).unwrap_or(2);
                self.later(10, 200, Trouble::Quick(any));
            }
            Trouble::Quick(at) => self.nodes[at].slowness = 1,
            Trouble::GiveUp => {
                let device = self.rng.index(self.options.devices);
                let running = self.clients[device].running();
                if let Some(op) = self.rng.pick(&running).copied() {
                    reached!(self.reached, "client_gave_up");
                    self.clients[device].cancel(self.clock.now(), &self.volume, op);
                }
            }
        }
    }

    fn crash(&mut self, at: usize) {
        if !self.nodes[at].up {
            return;
        }
        reached!(self.reached, "node_crashed");
        let (broken, damage) = self.nodes[at].crash(&mut self.rng);
        reached!(self.reached, "crash_lost_unsynced_writes" if damage.lost > 0);
        reached!(self.reached, "crash_tore_a_sector" if damage.torn > 0);
        for caller in broken {
            if self.rng.chance(500) {
                let wait = Duration::from_millis(self.rng.between(1, 500));
                self.clock.after(wait, Event::Broken { caller });
            }
        }
    }

    /// Whether so many hits are allowed.
    fn may_hit(&mut self, worst: usize) -> bool {
        let is_within = worst <= self.options.bearable();
        reached!(self.reached, "beyond_the_budget" if !is_within && self.options.destruction == Destruction::Unbounded);
        is_within || self.options.destruction == Destruction::Unbounded
    }

    fn wipe(&mut self, at: usize) {
        let worst = self.atlas.worst_with(at, None);
        if !self.nodes[at].up || !self.may_hit(worst) {
            return;
        }
        reached!(self.reached, "node_wiped");
        self.atlas.lose_place(at);
        for caller in self.nodes[at].wipe() {
            self.clock.after(Duration::from_millis(1), Event::Broken { caller });
        }
    }

    fn rot(&mut self, at: usize) {
        let held: Vec<_> = self.nodes[at].held().collect();
        let Some(id) = self.rng.pick(&held).copied() else { return };
        let worst = self.atlas.worst_with(at, Some(id.pack));
        if self.may_hit(worst) && self.nodes[at].rot(id, &mut self.rng) {
            reached!(self.reached, "bit_rot");
            self.atlas.lose_shard(at, id.pack);
        }
    }

    /// All faults end: nodes run, disks have room, messages arrive. What is lost stays lost.
    pub(crate) fn heal(&mut self) {
        self.phase = Phase::Calm;
        self.cut.clear();
        for node in &mut self.nodes {
            node.slowness = 1;
            node.capacity = u64::MAX;
            if !node.up {
                node.restart();
            }
        }
    }

    /// Liars are replaced by honest software, which keeps what it finds on the disk.
    pub(crate) fn reform(&mut self) {
        for node in &mut self.nodes {
            node.lie = None;
        }
    }
}

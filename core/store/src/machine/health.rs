//! What was learned about nodes, shared by all operations of a client.
//!
//! A node that is full, silent or lying is left alone for a while (back-off, doubled by each
//! failure), so that each pack does not wait for the same dead node again. After the back-off one
//! request is its trial; until that has an answer, the node stays left alone by everyone else.
//! Delays are estimated over all nodes, by kind of request, and answer the question when a hedge
//! is due.

use std::collections::BTreeMap;
use std::time::Duration;

use acre_types::{NodeId, Tick};

use super::limits;
use super::types::Failure;

/// What a node is asked for, as far as health and delay differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A question answered without reading or writing a shard.
    Small,
    /// Reading bytes of a shard.
    Read,
    /// Storing a shard, synced.
    Write,
}

#[derive(Clone, Debug, Default)]
struct Node {
    failures: u32,
    overtaken: u8,
    /// Left alone until then.
    resting: Tick,
    /// Left alone by writes until then.
    full: Tick,
    /// Sent wrong bytes; an answer alone does not restore the trust.
    distrusted: Tick,
    last: Option<Failure>,
    delay: Option<Delay>,
}

/// State of all nodes this client has met; unknown nodes are healthy.
#[derive(Clone, Debug)]
pub struct Health {
    nodes: BTreeMap<NodeId, Node>,
    small: Delay,
    read: Delay,
    write: Delay,
}

impl Default for Health {
    fn default() -> Self {
        let delay = Delay::new(limits::DELAY_ASSUMED);
        Self { nodes: BTreeMap::new(), small: delay, read: delay, write: delay }
    }
}

impl Health {
    /// Whether to ask this node now, while others can be asked instead.
    #[must_use]
    pub fn is_usable(&self, node: NodeId, kind: Kind, now: Tick) -> bool {
        self.nodes.get(&node).is_none_or(|state| {
            state.resting <= now
                && state.distrusted <= now
                && (kind != Kind::Write || state.full <= now)
        })
    }

    /// Smaller is better: failures since the last success, then the delay in powers of two.
    #[must_use]
    pub fn rank(&self, node: NodeId) -> (u32, u32) {
        self.nodes.get(&node).map_or((0, 0), |state| {
            let delay = state.delay.map_or(0, |delay| delay.micros.max(1).ilog2());
            (state.failures.saturating_add(u32::from(state.overtaken)), delay)
        })
    }

    /// The last failure of a node that is left alone at `now`.
    #[must_use]
    pub fn trouble(&self, node: NodeId, now: Tick) -> Option<Failure> {
        let state = self.nodes.get(&node)?;
        let until = state.resting.max(state.full).max(state.distrusted);
        if until > now { state.last } else { None }
    }

    /// When an answer is so late that a second source should be asked.
    #[must_use]
    pub fn hedge_delay(&self, kind: Kind, factor: u32) -> Duration {
        let micros = match kind {
            Kind::Small => self.small.micros,
            Kind::Read => self.read.micros,
            Kind::Write => self.write.micros,
        };
        Duration::from_micros(micros)
            .saturating_mul(factor)
            .clamp(limits::HEDGE_MIN, limits::HEDGE_MAX)
    }

    /// A request leaves. If it is the trial after a back-off, others wait for its answer.
    pub fn asked(&mut self, node: NodeId, now: Tick) {
        if let Some(state) = self.nodes.get_mut(&node)
            && state.failures > 0
        {
            state.resting = state.resting.max(now.after(back_off(state.failures)));
        }
    }

    /// An answer came, of whatever content; `took` since it was asked.
    pub fn answered(&mut self, node: NodeId, kind: Kind, took: Duration) {
        match kind {
            Kind::Small => self.small.observe(took),
            Kind::Read => self.read.observe(took),
            Kind::Write => self.write.observe(took),
        }
        let state = self.nodes.entry(node).or_default();
        state.delay.get_or_insert(Delay::new(took)).observe(took);
        state.failures = 0;
        state.overtaken = 0;
        state.resting = Tick(0);
        if kind == Kind::Write {
            state.full = Tick(0);
            state.last = None;
        }
    }

    /// A hedge had to be sent because this node is late.
    pub fn overtaken(&mut self, node: NodeId, now: Tick) {
        let state = self.nodes.entry(node).or_default();
        state.overtaken = state.overtaken.saturating_add(1);
        if state.overtaken >= limits::OVERTAKEN_MAX {
            state.overtaken = 0;
            self.failed(node, Failure::Timeout, now);
        }
    }

    /// A request failed.
    pub fn failed(&mut self, node: NodeId, failure: Failure, now: Tick) {
        let state = self.nodes.entry(node).or_default();
        match failure {
            // The node is there and honest about this one shard or moment.
            Failure::NotFound | Failure::Damaged | Failure::Busy => {
                state.failures = 0;
                state.resting = Tick(0);
                return;
            }
            Failure::NoSpace => {
                state.failures = 0;
                state.resting = Tick(0);
                state.full = now.after(limits::BACK_OFF_FULL);
            }
            Failure::WrongBytes => state.distrusted = now.after(limits::BACK_OFF_LIAR),
            Failure::Unreachable | Failure::Timeout | Failure::Refused => {
                state.failures = state.failures.saturating_add(1);
                state.resting = state.resting.max(now.after(back_off(state.failures)));
            }
        }
        state.last = Some(failure);
    }
}

fn back_off(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    limits::BACK_OFF_FIRST
        .saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX))
        .min(limits::BACK_OFF_MAX)
}

/// Running estimate of the 95th percentile: up by 19 parts for each delay above it, down by one
/// for each below, so that it rests where one in twenty is above (a stochastic approximation,
/// Robbins and Monro 1951, with steps relative to the estimate).
#[derive(Clone, Copy, Debug)]
struct Delay {
    micros: u64,
}

impl Delay {
    fn new(first: Duration) -> Self {
        Self { micros: u64::try_from(first.as_micros()).unwrap_or(u64::MAX).max(1) }
    }

    fn observe(&mut self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let part = (self.micros >> 8).max(1);
        self.micros = if took > self.micros {
            self.micros.saturating_add(part.saturating_mul(19))
        } else {
            self.micros.saturating_sub(part).max(took).max(1)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::mix;

    const NODE: NodeId = NodeId([1; 32]);

    fn at(seconds: u64) -> Tick {
        Tick(seconds * 1_000_000)
    }

    #[test]
    fn silent_node_is_left_alone_longer_each_time() {
        let mut health = Health::default();
        health.failed(NODE, Failure::Timeout, at(0));
        assert!(!health.is_usable(NODE, Kind::Read, at(1)));
        assert!(health.is_usable(NODE, Kind::Read, at(2)));
        health.failed(NODE, Failure::Timeout, at(2));
        assert!(!health.is_usable(NODE, Kind::Read, at(5)));
        assert!(health.is_usable(NODE, Kind::Read, at(6)));
        for _ in 0..100 {
            health.failed(NODE, Failure::Timeout, at(10));
        }
        assert!(health.is_usable(NODE, Kind::Read, at(310)));
    }

    #[test]
    fn one_trial_after_a_back_off() {
        let mut health = Health::default();
        health.failed(NODE, Failure::Unreachable, at(0));
        health.asked(NODE, at(3));
        assert!(!health.is_usable(NODE, Kind::Read, at(4)));
        health.answered(NODE, Kind::Read, Duration::from_millis(1));
        assert!(health.is_usable(NODE, Kind::Read, at(4)));
    }

    #[test]
    fn full_node_is_still_read_from() {
        let mut health = Health::default();
        health.failed(NODE, Failure::NoSpace, at(0));
        assert!(health.is_usable(NODE, Kind::Read, at(1)));
        assert!(!health.is_usable(NODE, Kind::Write, at(1)));
        health.answered(NODE, Kind::Read, Duration::from_millis(1));
        assert!(!health.is_usable(NODE, Kind::Write, at(1)));
        assert_eq!(health.trouble(NODE, at(1)), Some(Failure::NoSpace));
        assert!(health.is_usable(NODE, Kind::Write, at(60)));
    }

    #[test]
    fn node_overtaken_again_and_again_counts_as_silent() {
        let mut health = Health::default();
        health.overtaken(NODE, at(0));
        health.overtaken(NODE, at(0));
        assert!(health.is_usable(NODE, Kind::Read, at(0)));
        health.overtaken(NODE, at(0));
        assert!(!health.is_usable(NODE, Kind::Read, at(0)));
    }

    #[test]
    fn missing_shard_says_nothing_about_the_node() {
        let mut health = Health::default();
        health.failed(NODE, Failure::NotFound, at(0));
        assert!(health.is_usable(NODE, Kind::Read, at(0)));
    }

    #[test]
    fn delay_rests_near_the_95th_percentile() {
        let mut health = Health::default();
        let mut draw = 9;
        for _ in 0..4000 {
            draw = mix::step(draw);
            // Evenly spread over 0..100 ms.
            health.answered(NODE, Kind::Read, Duration::from_micros(draw % 100_000));
        }
        let estimate = health.hedge_delay(Kind::Read, 1).as_millis();
        assert!((85..=105).contains(&estimate), "{estimate} ms");
    }
}

//! Sleep of nodes: announced before, short, and paid for only once the node was awake again.

use acre_crypto::Hasher;
use acre_types::{Digest, Epoch, NodeId};
use borsh::{BorshDeserialize, BorshSerialize};

use super::node::Capacity;
use super::parameters::{at_least, bounded};
use crate::error::GenesisError;
use crate::limits::{NAP_EPOCHS_MAX, NAPS_MAX, WAKE_EPOCHS_MAX};

/// How nodes may sleep, and what that is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PowerRules {
    /// Naps of a node in one period of minting; zero: nobody sleeps.
    pub naps_max: u16,
    /// Least epochs of a nap.
    pub epochs_min: u16,
    /// Most epochs of a nap.
    pub epochs_max: u16,
    /// Epochs after the one in which it is called, from which on a node has to serve again.
    pub wake_epochs: u16,
    /// Chance in each epoch that a node asleep is called to show that it can, in permille.
    pub call_permille: u16,
    /// What time asleep is paid for of time awake, in permille.
    pub asleep_permille: u16,
    /// Least uptime in the first epoch that is witnessed after a nap, in permille. Below it the nap
    /// counts as time down.
    pub awake_permille: u16,
}

impl Default for PowerRules {
    /// For a real grid: once a day, two to 24 hours, up again one epoch after a call, called at random
    /// about once in two days, paid by half.
    fn default() -> Self {
        Self {
            naps_max: 31,
            epochs_min: 2,
            epochs_max: 24,
            wake_epochs: 1,
            call_permille: 20,
            asleep_permille: 500,
            awake_permille: 900,
        }
    }
}

impl PowerRules {
    /// Whether a node that sleeps in the epoch of this seed is called at random. Known to all when
    /// that epoch begins, to nobody when the nap was announced.
    #[must_use]
    pub fn calls(&self, seed: &Digest, node: NodeId) -> bool {
        let drawn = Hasher::new("acre 2026-11 wake call").update(&seed.0).update(&node.0).finish();
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(drawn.0).for_each(|(to, from)| *to = from);
        u64::from_le_bytes(bytes).rem_euclid(1000) < self.call_permille.into()
    }

    /// Whether each value lies within its bounds.
    ///
    /// # Errors
    /// The name of the first that does not.
    pub fn check(&self) -> Result<(), GenesisError> {
        bounded("power.naps_max", self.naps_max.into(), NAPS_MAX)?;
        at_least("power.epochs_min", self.epochs_min.into(), 1)?;
        at_least("power.epochs_max", self.epochs_max.into(), self.epochs_min.into())?;
        bounded("power.epochs_max", self.epochs_max.into(), NAP_EPOCHS_MAX)?;
        at_least("power.wake_epochs", self.wake_epochs.into(), 1)?;
        bounded("power.wake_epochs", self.wake_epochs.into(), WAKE_EPOCHS_MAX)?;
        bounded("power.call_permille", self.call_permille.into(), 1000)?;
        bounded("power.asleep_permille", self.asleep_permille.into(), 1000)?;
        at_least("power.awake_permille", self.awake_permille.into(), 500)?;
        bounded("power.awake_permille", self.awake_permille.into(), 1000)
    }
}

/// A time for which a node need not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Nap {
    /// The first epoch.
    pub from: Epoch,
    /// The first epoch in which it has to serve again.
    pub until: Epoch,
    /// The epoch in which a contract, or its farmer, called it before its time.
    pub called: Option<Epoch>,
    /// Length of an epoch when it was announced, in milliseconds.
    pub span_ms: u64,
    /// What the node had proven when it was announced, without what contracts had reserved before.
    pub proven: Capacity,
}

impl Nap {
    /// Whether the node need not serve in an epoch.
    #[must_use]
    pub fn covers(&self, epoch: Epoch) -> bool {
        self.from <= epoch && epoch < self.until
    }
}

/// The naps of a node. The last one is kept until the node was witnessed awake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Power {
    /// The period of minting that `naps` are counted in.
    pub period: u64,
    /// Naps announced that begin in it.
    pub naps: u16,
    /// The one that is announced, runs, or is not settled yet.
    pub nap: Option<Nap>,
}

/// What a node is to do in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// Serve.
    Awake,
    /// Nothing before this epoch, unless it is called.
    Asleep {
        /// The first epoch in which it serves again.
        until: Epoch,
    },
    /// Get up: it was called.
    Waking {
        /// The first epoch in which it serves again.
        until: Epoch,
    },
}

impl Power {
    /// What the node is to do in an epoch. Fixed once that epoch has begun.
    #[must_use]
    pub fn state(&self, epoch: Epoch) -> PowerState {
        match self.nap {
            Some(nap) if nap.covers(epoch) => match nap.called {
                Some(_) => PowerState::Waking { until: nap.until },
                None => PowerState::Asleep { until: nap.until },
            },
            _ => PowerState::Awake,
        }
    }

    /// Whether it serves in an epoch, is asked by witnesses, and is one.
    #[must_use]
    pub fn is_awake(&self, epoch: Epoch) -> bool {
        self.state(epoch) == PowerState::Awake
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked() {
        let refused = |change: fn(&mut PowerRules)| {
            let mut rules = PowerRules::default();
            change(&mut rules);
            assert!(rules.check().is_err(), "{rules:?}");
        };
        refused(|rules| rules.epochs_min = 0);
        refused(|rules| rules.epochs_max = 1);
        refused(|rules| rules.epochs_max = 169);
        refused(|rules| rules.wake_epochs = 0);
        refused(|rules| rules.asleep_permille = 1001);
        refused(|rules| rules.awake_permille = 499);
        assert!(PowerRules::default().check().is_ok());
    }

    #[test]
    fn calls_are_as_likely_as_the_rule_says() {
        let rules = PowerRules { call_permille: 100, ..PowerRules::default() };
        let nodes = (0..200_u8).map(|n| NodeId([n; 32]));
        let called = nodes.filter(|node| rules.calls(&Digest([7; 32]), *node)).count();
        assert!((8..36).contains(&called), "{called} of 200");
        let never = PowerRules { call_permille: 0, ..rules };
        assert!(!never.calls(&Digest([7; 32]), NodeId([1; 32])));
    }

    #[test]
    fn state_follows_the_nap() {
        let nap = Nap {
            from: Epoch(5),
            until: Epoch(8),
            called: None,
            span_ms: 1,
            proven: Capacity::default(),
        };
        let of = |nap, epoch| Power { nap, ..Power::default() }.state(Epoch(epoch));
        let until = Epoch(8);
        assert_eq!(of(Some(nap), 4), PowerState::Awake);
        assert_eq!(of(Some(nap), 5), PowerState::Asleep { until });
        assert_eq!(of(Some(nap), 7), PowerState::Asleep { until });
        assert_eq!(of(Some(nap), 8), PowerState::Awake);
        let called = Nap { called: Some(Epoch(6)), ..nap };
        assert_eq!(of(Some(called), 6), PowerState::Waking { until });
        assert_eq!(of(None, 6), PowerState::Awake);
    }
}

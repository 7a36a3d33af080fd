//! Sleep: who may, when a node is called, and what a nap is worth once the node is back.
//!
//! Whether a node sleeps in an epoch is settled before that epoch begins, so neither bad luck with
//! witnesses nor a failure can be slept away afterwards.

use acre_types::{AccountId, Epoch, NodeId};

use super::farm::may_update;
use super::{Done, Work};
use crate::error::{Refusal, StateError};
use crate::event::Event;
use crate::fold::Folded;
use crate::key::{PowerOf, TheEpoch, TheGap};
use crate::mint::Raw;
use crate::object::{Nap, Node, NodeState, Power, Resources, Tally, WHOLE};

/// What a nap adds to the span of a node.
#[derive(Clone, Copy)]
pub(super) struct NapWorth {
    pub(super) due_ms: u64,
    pub(super) up_ms: u64,
    pub(super) capacity: Raw,
}

impl Work<'_> {
    /// An empty node announces that it sleeps from a later epoch on.
    pub(super) fn sleep_node(
        &mut self,
        from: AccountId,
        id: NodeId,
        first: Epoch,
        epochs: u16,
    ) -> Done {
        self.own_node(from, id)?;
        self.fold_node(id)?;
        let node = self.overlay.must(&id)?;
        if node.state == NodeState::Retired {
            return Err(Refusal::NodeNotActive { node: id }.into());
        }
        if node.reserved != Resources::default() || node.rented.is_some() {
            return Err(Refusal::NodeInUse { node: id }.into());
        }
        let rules = self.parameters.power;
        if epochs < rules.epochs_min || epochs > rules.epochs_max {
            return Err(Refusal::OutOfRange { what: "the length of a nap" }.into());
        }
        let running = self.overlay.must(&TheEpoch)?;
        let latest = running.number.0.saturating_add(rules.epochs_max.into());
        if first <= running.number || first.0 > latest {
            return Err(Refusal::OutOfRange { what: "the first epoch of a nap" }.into());
        }
        let mut power = self.power(id)?;
        if power.nap.is_some() {
            return Err(Refusal::NapUnsettled { node: id }.into());
        }
        let period = self.parameters.minting.period_of(first);
        if power.period != period {
            power = Power { period, naps: 0, nap: None };
        }
        if power.naps >= rules.naps_max {
            return Err(Refusal::TooManyNaps { node: id, naps_max: rules.naps_max }.into());
        }
        power.naps = power.naps.saturating_add(1);
        let until = Epoch(first.0.saturating_add(epochs.into()));
        // What contracts reserved when it was last folded, they no longer do.
        let proven = node.unlent();
        let span_ms = running.span_ms;
        power.nap = Some(Nap { from: first, until, called: None, span_ms, proven });
        self.overlay.put(&PowerOf(id), power);
        self.events.push(Event::SleepAnnounced { node: id, from: first, until });
        Ok(())
    }

    /// Ends a nap before its time, or calls it off.
    pub(super) fn wake_node(&mut self, from: AccountId, id: NodeId) -> Done {
        self.own_node(from, id)?;
        if self.call_node(id)? { Ok(()) } else { Err(Refusal::NothingToDo.into()) }
    }

    /// Somebody needs the node: if it sleeps, it has to be up `wake_epochs` later; if it was about to, it
    /// does not. Says whether that changed anything.
    pub(super) fn call_node(&mut self, id: NodeId) -> Result<bool, StateError> {
        let mut power = self.power(id)?;
        let Some(mut nap) = power.nap else { return Ok(false) };
        let running = self.overlay.must(&TheEpoch)?.number;
        let wake = running.0.saturating_add(self.parameters.power.wake_epochs.into());
        let until = if running < nap.from { running } else { Epoch(wake).min(nap.until) };
        if running < nap.from {
            power.nap = None;
        } else if until < nap.until {
            nap.until = until;
            nap.called = Some(running);
            power.nap = Some(nap);
        } else {
            return Ok(false);
        }
        self.overlay.put(&PowerOf(id), power);
        self.events.push(Event::NodeCalled { node: id, until });
        Ok(true)
    }

    pub(super) fn power(&mut self, id: NodeId) -> Result<Power, StateError> {
        Ok(self.overlay.get(&PowerOf(id))?.unwrap_or_default())
    }

    /// The node was witnessed: if that is the first time after a nap, the nap is settled. It is worth
    /// something if the node is back, and time down if not. Nothing if the grid itself stood still
    /// since the nap began: nobody knows for how much of it.
    pub(super) fn settle_nap(
        &mut self,
        id: NodeId,
        tally: &Tally,
        folded: &Folded,
        node: &Node,
    ) -> Result<Option<NapWorth>, StateError> {
        let mut power = self.power(id)?;
        let Some(nap) = power.nap.filter(|nap| nap.until <= tally.epoch) else { return Ok(None) };
        power.nap = None;
        self.overlay.put(&PowerOf(id), power);
        let stood_still = self.overlay.get(&TheGap)?.is_some_and(|gap| gap > nap.from);
        let epochs = if stood_still { 0 } else { nap.until.0.saturating_sub(nap.from.0) };
        let slept_ms = epochs.saturating_mul(nap.span_ms.min(tally.span_ms));
        let rules = self.parameters.power;
        let is_back =
            folded.uptime.saturating_mul(1000) >= WHOLE.saturating_mul(rules.awake_permille.into());
        let worth = if is_back {
            let paid = u128::from(slept_ms).saturating_mul(rules.asleep_permille.into()) / 1000;
            let paid_ms = u64::try_from(paid).unwrap_or(slept_ms);
            // Nobody calls a muster to who sleeps: a machine that is rented for an hour a day would be
            // paid for the day. Storage keeps what it holds.
            let storage = nap.proven.min(node.unlent()).storage;
            let capacity = Raw { hdd: storage, ..Raw::default() };
            NapWorth { due_ms: paid_ms, up_ms: paid_ms, capacity }
        } else {
            NapWorth { due_ms: slept_ms, up_ms: 0, capacity: Raw::default() }
        };
        let NapWorth { due_ms, up_ms, .. } = worth;
        self.events.push(Event::NapSettled { node: id, slept_ms, due_ms, up_ms });
        Ok(Some(worth))
    }

    fn own_node(&mut self, from: AccountId, id: NodeId) -> Done<Node> {
        let node = self.overlay.get(&id)?.ok_or(Refusal::NoSuchNode { node: id })?;
        if !may_update(from, id, &node) {
            return Err(Refusal::NotYours { what: "the node" }.into());
        }
        Ok(node)
    }
}

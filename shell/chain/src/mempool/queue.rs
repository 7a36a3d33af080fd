//! What one account has waiting, and where that puts the account among all others.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use acre_ledger::Verified;
use acre_types::Amount;

use super::Origin;

/// What a transaction offers, in 1024ths of the least fee of its size. What the ledger takes without
/// a fee counts as paid in full: it is limited by other means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rate(u64);

impl Rate {
    const LEAST: u64 = 1024;

    pub(super) fn new(fee: Amount, least: Amount) -> Self {
        let offered = u128::from(fee.0) * u128::from(Self::LEAST) / u128::from(least.0.max(1));
        Self(u64::try_from(offered).unwrap_or(u64::MAX).max(Self::LEAST))
    }
}

/// Order of service: who offers more, then who came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(Reverse<Rate>, u64);

/// Order of making room: who offers less, then who has more waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tail(Rate, Reverse<usize>);

impl Tail {
    pub(super) const fn new(rate: Rate, waiting: usize) -> Self {
        Self(rate, Reverse(waiting))
    }
}

/// One transaction that waits.
pub(super) struct Entry {
    pub(super) transaction: Arc<Verified>,
    pub(super) rate: Rate,
    pub(super) origin: Origin,
}

/// All of one account, by number.
pub(super) struct Queue {
    entries: BTreeMap<u64, Entry>,
    turn: u64,
    fees: Amount,
}

impl Queue {
    pub(super) const fn new(turn: u64) -> Self {
        Self { entries: BTreeMap::new(), turn, fees: Amount::ZERO }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, nonce: u64) -> Option<&Entry> {
        self.entries.get(&nonce)
    }

    pub(super) fn contains(&self, nonce: u64) -> bool {
        self.entries.contains_key(&nonce)
    }

    pub(super) fn last(&self) -> Option<&Entry> {
        self.entries.last_key_value().map(|(_, entry)| entry)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Those with numbers below `wanted`.
    pub(super) fn below(&self, wanted: u64) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.range(..wanted).map(|(nonce, entry)| (*nonce, entry))
    }

    /// Sum of the fees of all that wait.
    pub(super) const fn fees(&self) -> Amount {
        self.fees
    }

    pub(super) fn insert(&mut self, nonce: u64, entry: Entry) {
        self.fees.0 = self.fees.0.saturating_add(entry.transaction.transaction().fee.0);
        self.entries.insert(nonce, entry);
    }

    /// Takes one out; the account's next turn is `turn`.
    pub(super) fn remove(&mut self, nonce: u64, turn: u64) -> Option<Entry> {
        let entry = self.entries.remove(&nonce)?;
        self.fees.0 = self.fees.0.saturating_sub(entry.transaction.transaction().fee.0);
        self.turn = turn;
        Some(entry)
    }

    pub(super) fn place(&self) -> Place {
        let rate = self.entries.first_key_value().map_or(Rate(0), |(_, entry)| entry.rate);
        Place(Reverse(rate), self.turn)
    }

    pub(super) fn tail(&self) -> Tail {
        Tail::new(self.last().map_or(Rate(0), |entry| entry.rate), self.len())
    }
}

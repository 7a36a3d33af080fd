//! Books kept apart from the ledger's own, from the leaves that each block changed.

use std::collections::{BTreeMap, BTreeSet};

use acre_ledger::{AnyObject, Applied, Key, State, Totals};
use acre_types::Digest;

/// Tokens in one object.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Money {
    balance: u64,
    escrow: u64,
}

/// What the oracle remembers.
#[derive(Default)]
pub(super) struct Books {
    /// By the bytes of the key, of those objects that hold any.
    money: BTreeMap<Vec<u8>, Money>,
    totals: Totals,
    balances: u128,
    escrow: u128,
    seen: BTreeSet<Digest>,
}

impl Books {
    pub(super) fn of(state: &State) -> Result<Self, String> {
        let mut books = Self::default();
        for (key, value) in state.leaves() {
            books.enter(key, Some(value))?;
        }
        books.check()?;
        Ok(books)
    }

    /// Enters a block: L3, L4, and L7 of what it changed.
    pub(super) fn block(&mut self, applied: &Applied) -> Result<(), String> {
        for receipt in &applied.receipts {
            if !self.seen.insert(receipt.transaction) {
                return Err(format!("L4: {} is in two blocks", receipt.transaction));
            }
        }
        for (key, value) in &applied.changes {
            self.enter(key, value.as_deref())?;
        }
        self.check()
    }

    fn enter(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        let damaged = |error| format!("L1: a leaf does not decode: {error}");
        let typed = acre_codec::decode::<Key>(key).map_err(damaged)?;
        let object = value.map(|bytes| AnyObject::decode(&typed, bytes)).transpose();
        let object = object.map_err(damaged)?;
        let new = object.as_ref().map_or(Money::default(), money);
        let old = if new == Money::default() {
            self.money.remove(key).unwrap_or_default()
        } else {
            self.money.insert(key.to_vec(), new).unwrap_or_default()
        };
        self.balances = self.balances + u128::from(new.balance) - u128::from(old.balance);
        self.escrow = self.escrow + u128::from(new.escrow) - u128::from(old.escrow);
        match object {
            Some(AnyObject::Totals(totals)) => self.totals = totals,
            Some(AnyObject::Node(node)) if node.verified != node.proven() => {
                return Err(format!("L7: more is verified than is claimed at {typed:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let Totals { minted, burned, escrow, .. } = self.totals;
        let issued = u128::from(minted.0) - u128::from(burned.0);
        if self.balances + self.escrow != issued || self.escrow != u128::from(escrow.0) {
            let (balances, held) = (self.balances, self.escrow);
            return Err(format!("L3: balances {balances} + escrow {held} are not {issued}"));
        }
        Ok(())
    }

    /// The whole state once more, and that it is what the changes of all blocks made.
    pub(super) fn check_whole(&self, state: &State) -> Result<(u64, u64), String> {
        let whole = Self::of(state)?;
        if (whole.balances, whole.escrow) != (self.balances, self.escrow) {
            return Err("L3: the changes of blocks are not those of the state".to_owned());
        }
        let sizes = state.leaves().map(|(key, value)| key.len() as u64 + value.len() as u64);
        let (mut leaves, mut bytes) = (0, 0);
        for size in sizes {
            leaves += 1;
            bytes += size;
        }
        Ok((leaves, bytes))
    }
}

/// What an object holds.
fn money(object: &AnyObject) -> Money {
    let (balance, escrow) = match object {
        AnyObject::Account(account) => (account.balance.0, 0),
        AnyObject::Contract(contract) => (0, contract.held().map_or(0, |held| held.0)),
        AnyObject::Twin(twin) => (0, twin.deposit.0),
        AnyObject::Voice(voice) => (0, voice.amount.0),
        AnyObject::Proposal(proposal) => (0, proposal.deposit.0),
        AnyObject::Candidate(candidate) => {
            let released = candidate.releases.iter().map(|release| release.amount.0);
            (0, candidate.stake.0 + released.sum::<u64>())
        }
        _ => (0, 0),
    };
    Money { balance, escrow }
}

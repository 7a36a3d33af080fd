//! Books kept apart from the ledger's own, from the leaves that each block changed.

use std::collections::{BTreeMap, BTreeSet};

use acre_ledger::{AnyObject, Applied, Key, MintReceiptObject, State, Totals, mint};
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
    /// Tokens of genesis.
    granted: u64,
    /// What receipts of minting say, by the bytes of the key.
    receipts: BTreeMap<Vec<u8>, u64>,
    rewarded: u128,
}

impl Books {
    pub(super) fn of(state: &State) -> Result<Self, String> {
        let mut books = Self::default();
        for (key, value) in state.leaves() {
            books.enter(key, Some(value))?;
        }
        books.granted = books.totals.minted.0 - books.totals.rewarded.0;
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
            Some(AnyObject::MintReceiptObject(stored)) => self.receipt(key, &stored)?,
            Some(AnyObject::Node(node)) if node.verified != node.proven() => {
                return Err(format!("L7: more is verified than is claimed at {typed:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// L7: each receipt follows from its own input, and is written once.
    fn receipt(&mut self, key: &[u8], stored: &MintReceiptObject) -> Result<(), String> {
        let node = stored.node;
        if mint::recompute(stored).as_ref() != Ok(&stored.receipt) {
            return Err(format!("L7: a receipt of {node} does not follow from its input"));
        }
        let amount = stored.receipt.total.0;
        self.rewarded += u128::from(amount);
        match self.receipts.insert(key.to_vec(), amount) {
            None => Ok(()),
            Some(_) => Err(format!("L7: a period of {node} has two receipts")),
        }
    }

    fn check(&self) -> Result<(), String> {
        let Totals { minted, burned, escrow, rewarded, .. } = self.totals;
        let granted = minted.0.checked_sub(rewarded.0);
        if granted != Some(self.granted) || u128::from(rewarded.0) != self.rewarded {
            let receipts = self.rewarded;
            return Err(format!(
                "L7: {minted} minted, {rewarded} of them by receipts, which say {receipts}"
            ));
        }
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
        if (whole.balances, whole.escrow) != (self.balances, self.escrow)
            || (whole.rewarded, whole.granted) != (self.rewarded, self.granted)
        {
            return Err("L3, L7: the changes of blocks are not those of the state".to_owned());
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
        AnyObject::Farm(farm) => (0, farm.at_stake().0),
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

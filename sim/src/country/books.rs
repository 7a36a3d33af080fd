//! Books kept apart from the ledger's own, from the leaves that each block changed.

use std::collections::{BTreeMap, BTreeSet};

use acre_ledger::{Account, Applied, Candidate, Contract, Key, Node, State, Totals};
use acre_types::{AccountId, ContractId, Digest, PublicKey};

/// What the oracle remembers.
#[derive(Default)]
pub(super) struct Books {
    accounts: BTreeMap<AccountId, u64>,
    contracts: BTreeMap<ContractId, u64>,
    candidates: BTreeMap<PublicKey, u64>,
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
        match acre_codec::decode::<Key>(key).map_err(damaged)? {
            Key::Account(id) => {
                let held = value.map(acre_codec::decode::<Account>).transpose().map_err(damaged)?;
                let held = held.map_or(0, |account| account.balance.0);
                let old = self.accounts.insert(id, held).unwrap_or(0);
                self.balances = self.balances + u128::from(held) - u128::from(old);
            }
            Key::Contract(id) => {
                let held = value.map(acre_codec::decode::<Contract>).transpose();
                let held = held.map_err(damaged)?.and_then(|contract| contract.held());
                let held = held.map_or(0, |held| held.0);
                let old = self.contracts.insert(id, held).unwrap_or(0);
                self.escrow = self.escrow + u128::from(held) - u128::from(old);
            }
            Key::Candidate(id) => {
                let held = value.map(acre_codec::decode::<Candidate>).transpose();
                let held = held.map_err(damaged)?.map_or(0, |candidate| staked(&candidate));
                let old = self.candidates.insert(id, held).unwrap_or(0);
                self.escrow = self.escrow + u128::from(held) - u128::from(old);
            }
            Key::Totals => {
                let totals = value.map(acre_codec::decode).transpose().map_err(damaged)?;
                self.totals = totals.unwrap_or_default();
            }
            Key::Node(id) => {
                let node = value.map(acre_codec::decode::<Node>).transpose().map_err(damaged)?;
                if node.is_some_and(|node| node.verified != node.proven()) {
                    return Err(format!("L7: more is verified of {id} than it claims"));
                }
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

fn staked(candidate: &Candidate) -> u64 {
    candidate.stake.0 + candidate.releases.iter().map(|release| release.amount.0).sum::<u64>()
}

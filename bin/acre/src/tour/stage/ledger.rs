//! The ledger as a whole: every token of it added up, every block of it applied again.

use acre_ledger::{AnyObject, Key};
use acre_types::Amount;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Shown, Stage};
use crate::asking::{failure, reader};
use crate::exit::Outcome;

/// All tokens there are, and where they came from.
struct Books {
    balances: Amount,
    accounts: u64,
    escrow: Amount,
    minted: Amount,
    burned: Amount,
    /// Of all minted, by receipts.
    rewarded: Amount,
    receipts: u64,
}

impl Stage {
    /// Fetches the whole state with its proof, and adds up every account (L3) and receipt (L7).
    async fn books(&self) -> Outcome<Books> {
        let ledger = reader(&self.home).await?;
        let fetched = ledger.fetch_state().await.map_err(failure)?;
        let (mut balances, mut accounts) = (Amount::ZERO, 0_u64);
        let (mut rewarded, mut receipts) = (Amount::ZERO, 0_u64);
        let more = |sum: Amount, amount| {
            sum.checked_add(amount).context("there are more tokens than there can be")
        };
        for (key, value) in &fetched.leaves {
            let key: Key = acre_codec::decode(key)?;
            match AnyObject::decode(&key, value)? {
                AnyObject::Account(account) => {
                    accounts += 1;
                    balances = more(balances, account.balance)?;
                }
                AnyObject::MintReceiptObject(stored) => {
                    receipts += 1;
                    rewarded = more(rewarded, stored.receipt.total)?;
                }
                _ => {}
            }
        }
        let totals = fetched.state.totals()?;
        let (minted, burned, escrow) = (totals.minted, totals.burned, totals.escrow);
        ensure!(
            more(more(balances, escrow)?, burned)? == minted,
            "the ledger breaks L3: {balances} + {escrow} are not {minted} - {burned}"
        );
        ensure!(
            rewarded == totals.rewarded,
            "the ledger breaks L7: receipts say {rewarded}, {} were minted",
            totals.rewarded
        );
        Ok(Books { balances, accounts, escrow, minted, burned, rewarded, receipts })
    }

    /// `acre ledger verify`, and the sum of all that people have.
    pub(in crate::tour) async fn check_ledger(&self) -> Outcome<Shown> {
        let checked = Self::acre(&self.home, &["ledger", "verify"]).await?.well()?;
        let number = |name: &str| {
            checked[name].as_u64().with_context(|| format!("the check tells no {name}"))
        };
        let [blocks, replayed, transactions] =
            [number("blocks")?, number("replayed")?, number("transactions")?];
        let books = self.books().await?;
        let text = format!(
            "acre ledger verify: {blocks} blocks are final by a quorum of validators; {replayed} of them, with {transactions}\n\
             transactions, were applied again on this machine and gave the state that the validators signed.\n\
             And every token: {} in {} accounts + {} in escrow = {} made - {} burned, to the last unit.\n\
             Of those made, {} are from the receipts of farmers, {} in all, and the rest from the genesis of this toy grid.",
            books.balances,
            books.accounts,
            books.escrow,
            books.minted,
            books.burned,
            books.rewarded,
            books.receipts,
        );
        let facts = json!({
            "verified": checked["verified"] == Value::Bool(true), "height": checked["height"],
            "blocks": blocks, "replayed": replayed, "transactions": transactions,
            "accounts": books.accounts, "balances_units": books.balances,
            "escrow_units": books.escrow, "minted_units": books.minted,
            "burned_units": books.burned, "rewarded_units": books.rewarded,
            "receipts": books.receipts,
        });
        Ok(Shown { text, facts })
    }
}

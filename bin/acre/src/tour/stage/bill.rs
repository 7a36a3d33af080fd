//! What the stored data cost: every line computed again, and no token made or lost on the way.

use acre_ledger::bill::{Book, Ledger, recompute};
use acre_ledger::{Action, BillEntry, BillLine, Contract, MicroUsd};
use acre_types::Amount;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Shown, Stage};
use crate::asking::failure;
use crate::command::contract::tft;
use crate::command::person::Person;
use crate::command::show;
use crate::exit::Outcome;

/// Where tokens of a contract may have gone.
const OTHERS: [(Book, &str); 6] = [
    (Book::Farms, "to the farms"),
    (Book::Foundation, "to the foundation"),
    (Book::Fund, "to the fund"),
    (Book::Burned, "burned"),
    (Book::Stakes, "from stakes"),
    (Book::Settler, "to who closed it"),
];

impl Stage {
    /// Has what is due paid, and reckons the bill of the first contract up.
    pub(in crate::tour) async fn bill(&self) -> Outcome<Shown> {
        let person = Person::of(&self.home).await?;
        let ledger = &person.ledger;
        let contracts = ledger.contracts_of(person.account()).await.map_err(failure)?;
        let contract = contracts.first().context("what was stored has a contract")?.id;
        let settle = Action::SettleContract { contract };
        ledger.submit(&person.key(), settle).await.map_err(failure)?;
        let contract = ledger.contract(contract).await.map_err(failure)?;
        let contract = contract.context("a contract is never removed")?;
        let lines = ledger.bill(&contract).await.map_err(failure)?;

        let mut text = vec![format!(
            "Contract {}, for a year; acre contract bill {} shows the same.\n\
             Prices here are three hundred times the usual ones, so that seconds count.",
            contract.id, contract.id
        )];
        text.extend(lines.iter().flat_map(explained));
        let (sums, paid) = sums(&contract, &lines)?;
        text.extend(sums);
        let held = contract.held().context("purses sum")?;
        let values: Vec<Value> = lines.iter().map(show::bill_line).collect();
        let facts = json!({
            "contract": contract.id, "lines": values, "lines_recomputed": true,
            "paid_units": i64::try_from(paid)?, "held_units": held,
            "given_units": i64::try_from(paid - i128::from(held.0))?,
        });
        Ok(Shown { text: text.join("\n"), facts })
    }
}

/// Computes each line again and insists on the sums; what the owner paid, in units.
fn sums(contract: &Contract, lines: &[BillLine]) -> Outcome<(Vec<String>, i128)> {
    let mut books = Ledger::default();
    for line in lines {
        ensure!(
            recompute(line).as_ref() == Some(line),
            "a line of contract {} is not what its facts make: {line:?}",
            contract.id
        );
        books.add(line);
    }
    let held = i128::from(contract.held().context("purses sum")?.0);
    let paid = -books.of(Book::Owner);
    let given: i128 = OTHERS.iter().map(|(book, _)| books.of(*book)).sum();
    ensure!(
        books.sum() == 0 && paid == given + held,
        "the bill of contract {} does not sum: {paid} paid, {given} given, {held} held",
        contract.id
    );
    let mut text = vec![format!("You paid, less what came back:  {:>18}", tft(paid))];
    for (book, what) in OTHERS {
        if books.of(book) != 0 {
            text.push(format!("  {what:<28}  {:>18}", tft(books.of(book))));
        }
    }
    text.push(format!("  {:<28}  {:>18}", "still held for your time", tft(held)));
    text.push(format!(
        "{} lines, each computed again from its facts; what you paid is what others got and what is held: exact.",
        lines.len()
    ));
    Ok((text, paid))
}

/// A line and how it comes about.
fn explained(line: &BillLine) -> Vec<String> {
    let named = |what: &str, net: Amount| format!("  {what:<28}  {:>18}", net.to_string());
    match &line.entry {
        BillEntry::Lock(lock) => {
            vec![
                named(&format!("locked for {}", lock.item.name()), lock.net),
                format!(
                    "      {} {} x {}/1000 places x {} USD / {} / {} USD a TFT, less {} %",
                    lock.quantity,
                    lock.item.unit(),
                    lock.weight,
                    lock.unit_price,
                    lock.item.per(),
                    MicroUsd(lock.token.0),
                    lock.discount_percent,
                ),
            ]
        }
        BillEntry::Deposit(deposit) => vec![
            named("deposit for grace", deposit.net),
            format!(
                "      {} x {} ms / {} ms, less the {} held",
                deposit.listed, deposit.grace_ms, deposit.whole_ms, deposit.held
            ),
        ],
        BillEntry::Pay(pay) => vec![
            named("paid out of what was locked", pay.net),
            format!("      {} x {} / {} ms", pay.held, pay.part, pay.whole),
            format!(
                "      farms {}, foundation {}, burned {}; back to you for time that nodes were down: {}",
                pay.shares.farms, pay.shares.foundation, pay.shares.burned, pay.refund
            ),
        ],
        BillEntry::Recall(recall) => vec![named("discount taken back", recall.net)],
        BillEntry::Refund(refund) => vec![named("refund to you", refund.net)],
        BillEntry::Closing(closing) => vec![named("kept for who closes it", closing.net)],
        BillEntry::Reward(reward) => vec![named("to who closed it", reward.net)],
    }
}

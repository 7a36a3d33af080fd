//! `acre contract`: what one has reserved, and bills that anyone computes again.

mod change;
mod make;

use acre_chain::LedgerClient;
use acre_ledger::bill::{Book, Ledger, recompute};
use acre_ledger::{BillEntry, BillLine, Contract};
use acre_types::{Amount, ContractId};
use serde_json::{Value, json};

use super::person::Person;
use super::show;
use crate::asking::{failure, reader};
use crate::cli::{Contract as Command, Service};
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

pub(crate) async fn run(home: &Home, command: Command, out: &Output) -> Outcome {
    match command {
        Command::List => list(home, out).await,
        Command::Show { id } => {
            let (_, contract) = find(home, id).await?;
            let value = show::contract(&contract);
            out.data(&value, || show::lines(&value));
            Ok(())
        }
        Command::Bill { id } => bill(home, id, out).await,
        Command::Settle { id } => change::settle(home, id, out).await,
        Command::Rent { node, term } => make::rent(home, &node, &term, out).await,
        Command::Name { label, term } => make::name(home, label, &term, out).await,
        Command::Workload(asked) => make::workload(home, &asked, out).await,
        Command::Service(command) => service(home, command, out).await,
        Command::Extend { id, period, bytes } => change::extend(home, id, period, bytes, out).await,
        Command::Cancel { id, with_data } => {
            let data = if with_data { Data::Too } else { Data::Stays };
            change::cancel(home, id, data, out).await
        }
    }
}

/// What becomes of data that a contract holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Stays,
    Too,
}

async fn service(home: &Home, command: Service, out: &Output) -> Outcome {
    match command {
        Service::Offer(offer) => make::offer(home, &offer, out).await,
        Service::Accept { id, terms } => change::accept(home, id, terms.as_deref(), out).await,
        Service::Charge { id, amount } => change::charge(home, id, amount, out).await,
        Service::Cancel { id } => change::cancel_service(home, id, out).await,
    }
}

fn missing(id: ContractId) -> Failure {
    Failure::new(Code::NotFound, format!("there is no contract {id}")).hint("acre contract list")
}

/// What came back to the owner of a contract that was closed.
async fn refunded(ledger: &LedgerClient, contract: &Contract) -> Outcome<Amount> {
    let lines = ledger.bill(contract).await.map_err(failure)?;
    let back = lines.iter().rev().find_map(|line| match &line.entry {
        BillEntry::Refund(refund) => Some(refund.net),
        _ => None,
    });
    Ok(back.unwrap_or(Amount::ZERO))
}

async fn find(home: &Home, id: ContractId) -> Outcome<(LedgerClient, Contract)> {
    let ledger = reader(home).await?;
    let contract = ledger.contract(id).await.map_err(failure)?;
    Ok((ledger, contract.ok_or_else(|| missing(id))?))
}

async fn list(home: &Home, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let contracts = person.ledger.contracts_of(person.account()).await.map_err(failure)?;
    let values: Vec<Value> = contracts.iter().map(show::contract).collect();
    out.data(&json!({ "contracts": values }), || {
        let head = format!(
            "{:>8}  {:<9} {:<8} {:>7} {:>18}",
            "CONTRACT", "KIND", "STATE", "PLACES", "HELD"
        );
        let lines = contracts.iter().map(|contract| {
            let value = show::contract(contract);
            let state = value["state"].as_str().unwrap_or_default().to_owned();
            let held = contract.held().unwrap_or(Amount::ZERO).to_string();
            let (kind, places) = (contract.kind.name(), contract.nodes().len());
            format!("{:>8}  {kind:<9} {state:<8} {places:>7} {held:>18}", contract.id)
        });
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// Each line is computed again from its facts, and all of them must sum to what the contract took.
async fn bill(home: &Home, id: ContractId, out: &Output) -> Outcome {
    let (ledger, contract) = find(home, id).await?;
    let lines = ledger.bill(&contract).await.map_err(failure)?;
    let mut books = Ledger::default();
    for line in &lines {
        books.add(line);
        if recompute(line).as_ref() != Some(line) {
            let what = format!("a line of contract {id} is not what its facts make: {line:?}");
            return Err(Failure::new(Code::Damaged, what).state("the ledger breaks L8").into());
        }
    }
    let owner = books.of(Book::Owner);
    let held = contract.held().unwrap_or(Amount::ZERO);
    let given =
        [Book::Farms, Book::Foundation, Book::Fund, Book::Burned, Book::Stakes, Book::Settler];
    let [farms, foundation, fund, burned, stakes, settler] = given.map(|book| books.of(book));
    // What the owner gave is what others got and what is still held.
    let is_exact =
        -owner == farms + foundation + fund + burned + stakes + settler + i128::from(held.0);
    if books.sum() != 0 || !is_exact {
        let what = format!("the bill of contract {id} does not sum");
        return Err(Failure::new(Code::Damaged, what).state("the ledger breaks L8").into());
    }
    let values: Vec<Value> = lines.iter().map(show::bill_line).collect();
    let report = json!({
        "contract": id, "lines": values, "exact": true, "held": held.to_string(),
        "sum_units": {
            "owner": owner.to_string(), "farms": farms.to_string(),
            "foundation": foundation.to_string(), "fund": fund.to_string(),
            "burned": burned.to_string(), "stakes": stakes.to_string(),
            "settler": settler.to_string(),
        },
    });
    out.data(&report, || {
        let mut text: Vec<String> = lines.iter().map(line).collect();
        text.push(format!("{:<44} {:>18}", "paid by you, less what came back", tft(-owner)));
        for (what, amount) in [
            ("  to farms", farms),
            ("  to the foundation (10 % of revenue)", foundation),
            ("  to the fund", fund),
            ("  burned", burned),
            ("  still held for you", i128::from(held.0)),
        ] {
            text.push(format!("{what:<44} {:>18}", tft(amount)));
        }
        text.push("Every line was computed again from its facts, and the sums agree.".to_owned());
        text.join("\n")
    });
    Ok(())
}

pub(crate) fn tft(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let amount = u64::try_from(units.unsigned_abs()).map_or(Amount(u64::MAX), Amount);
    format!("{sign}{amount}")
}

fn line(line: &BillLine) -> String {
    let (what, amount) = match &line.entry {
        BillEntry::Lock(lock) => {
            let off = match lock.discount_percent {
                0 => String::new(),
                percent => format!(", {percent} % off"),
            };
            (format!("locked for {}{off}", lock.item.name()), lock.net)
        }
        BillEntry::Deposit(deposit) => ("deposit for grace".to_owned(), deposit.net),
        BillEntry::Pay(pay) => {
            let back = match pay.refund {
                Amount::ZERO => String::new(),
                refund => format!(" ({refund} back to you)"),
            };
            (format!("paid out{back}"), pay.net)
        }
        BillEntry::Recall(recall) => ("discount taken back".to_owned(), recall.net),
        BillEntry::Refund(refund) => ("refund to you".to_owned(), refund.net),
        BillEntry::Closing(closing) => ("kept for who closes it".to_owned(), closing.net),
        BillEntry::Reward(reward) => ("to who closed it".to_owned(), reward.net),
    };
    format!("{what:<44} {:>18}", amount.to_string())
}

//! `acre wallet`.

use std::time::Duration;

use acre_chain::ClientError;
use acre_ledger::{Action, Event};
use acre_types::Height;
use serde_json::{Value, json};

use super::person::Person;
use crate::asking::failure;
use crate::cli::Wallet;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

/// A stream of events that is silent for so long has told all there is.
const SILENCE: Duration = Duration::from_secs(3);

pub(crate) async fn run(home: &Home, command: Wallet, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    match command {
        Wallet::Balance => balance(&person, out).await,
        Wallet::Send { to, amount } => {
            if amount.0 == 0 {
                return Err(Failure::new(Code::Usage, "an amount of nothing cannot be sent").into());
            }
            let action = Action::Transfer { to, amount };
            let committed = person.ledger.submit(&person.key(), action).await.map_err(failure)?;
            let report = json!({
                "tx": committed.id, "height": committed.height,
                "to": to, "amount": amount.to_string(), "amount_units": amount,
            });
            out.data(&report, || format!("{amount} sent, final at height {}", committed.height));
            Ok(())
        }
        Wallet::History => history(&person, out).await,
    }
}

async fn balance(person: &Person, out: &Output) -> Outcome {
    let account = person.ledger.account(person.account()).await.map_err(failure)?;
    let report = json!({
        "account": person.account(),
        "balance": account.balance.to_string(),
        "balance_units": account.balance,
        "nonce": account.nonce,
        "height": person.ledger.seen(),
    });
    out.data(&report, || account.balance.to_string());
    Ok(())
}

/// Transfers in the events that the validator still keeps.
async fn history(person: &Person, out: &Output) -> Outcome {
    person.ledger.totals().await.map_err(failure)?;
    let newest = person.ledger.seen();
    let mut from = Height(1);
    let transfers = loop {
        match read_transfers(person, from, newest).await {
            Err(ClientError::EventsGone { oldest, .. }) if oldest > from => from = oldest,
            done => break done.map_err(failure)?,
        }
    };
    let report =
        json!({ "account": person.account(), "from_height": from, "transfers": transfers });
    out.data(&report, || {
        let line = |transfer: &Value| {
            let text = |key: &str| transfer[key].as_str().unwrap_or_default().to_owned();
            let other: String = text("account").chars().take(16).collect();
            format!(
                "{:>8}  {:<8} {:>20}  {other}…",
                transfer["height"].as_u64().unwrap_or(0),
                text("kind"),
                text("amount")
            )
        };
        match transfers.is_empty() {
            true => "no transfers yet".to_owned(),
            false => transfers.iter().map(line).collect::<Vec<_>>().join("\n"),
        }
    });
    Ok(())
}

async fn read_transfers(
    person: &Person,
    from: Height,
    newest: Height,
) -> Result<Vec<Value>, ClientError> {
    let account = person.account();
    let mut events = person.ledger.subscribe(from);
    let mut transfers = Vec::new();
    while let Ok(next) = tokio::time::timeout(SILENCE, events.next()).await {
        let block = next?;
        for event in &block.events {
            let Event::Transferred { from, to, amount } = event else { continue };
            let (kind, other) = if *from == account {
                ("sent", to)
            } else if *to == account {
                ("received", from)
            } else {
                continue;
            };
            transfers.push(json!({
                "height": block.block.height, "kind": kind, "account": other,
                "amount": amount.to_string(), "amount_units": amount,
            }));
        }
        if block.block.height >= newest {
            break;
        }
    }
    Ok(transfers)
}

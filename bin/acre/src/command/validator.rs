//! `acre validator list`: who makes blocks, who would like to, and how far each is.

use acre_ledger::TheSeats;
use acre_types::PublicKey;
use serde_json::{Value, json};

use super::person::{failure, reader};
use crate::context::Context;
use crate::exit::{Code, Failure, Outcome};
use crate::grid::bootstrap::ledger_client;
use crate::grid::control::GridStatus;
use crate::home::Home;
use crate::output::Output;

pub(crate) async fn list(home: &Home, out: &Output) -> Outcome {
    let context = Context::of_home(home)?;
    let processes = crate::grid::up::processes(home).ok();
    let ledger = reader(home).await?;
    let seats = ledger.read(&TheSeats).await.map_err(failure)?;
    let seats = seats.ok_or_else(|| Failure::new(Code::Damaged, "the ledger has no seats"))?;
    let mut validators = Vec::new();
    for seat in seats.members.iter() {
        let height = head_of(&context, seat.validator).await;
        validators.push(json!({
            "id": seat.validator,
            "pid": processes.as_ref().and_then(|grid| pid(grid, seat.validator)),
            "power": 1,
            "height": height,
            "state": if height.is_some() { "voting" } else { "unreachable" },
        }));
    }
    let report = json!({ "validators": validators });
    out.data(&report, || {
        let line = |validator: &Value| {
            let id: String =
                validator["id"].as_str().unwrap_or_default().chars().take(16).collect();
            let state = validator["state"].as_str().unwrap_or_default();
            let height = validator["height"].as_u64();
            let height = height.map_or_else(|| "-".to_owned(), |height| height.to_string());
            format!("{id}…  {state:<11}  height {height}")
        };
        let head = format!("term {}: {} seats, equal votes", seats.term, validators.len());
        std::iter::once(head).chain(validators.iter().map(line)).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn pid(grid: &GridStatus, validator: PublicKey) -> Option<u32> {
    let id = validator.to_string();
    grid.validators.iter().find(|process| process.id == id)?.pid
}

/// The newest block that this one validator proves.
async fn head_of(context: &Context, validator: PublicKey) -> Option<u64> {
    let mut alone = context.clone();
    alone.validators.retain(|(key, _)| *key == validator);
    let ledger = ledger_client(&alone).await.ok()?;
    let (_, head) = ledger.info().await.ok()?;
    head.map(|head| head.height.0)
}

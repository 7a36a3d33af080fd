//! What parties do about a contract that there is: accept, charge, extend, settle, cancel.

use std::path::Path;
use std::time::Duration;

use acre_ledger::{Action, Contract, ContractKind, ContractState, MicroUsd};
use acre_types::{Bytes, ContractId};
use serde_json::json;

use super::make::{digest, ended};
use super::{Data, find, missing};
use crate::asking::failure;
use crate::command::person::Person;
use crate::command::show;
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

pub(super) async fn settle(home: &Home, id: ContractId, out: &Output) -> Outcome {
    act(home, Action::SettleContract { contract: id }, id, out).await
}

pub(super) async fn cancel(home: &Home, id: ContractId, data: Data, out: &Output) -> Outcome {
    let (_, contract) = find(home, id).await?;
    if matches!(contract.kind, ContractKind::Storage(_))
        && data == Data::Stays
        && is_there(&contract)
    {
        let what = format!("contract {id} is storage: all that it holds would be deleted");
        return Err(Failure::new(Code::Usage, what)
            .state("nothing was changed")
            .hint(format!("acre contract cancel {id} --with-data, if nothing of it is needed"))
            .into());
    }
    act(home, Action::CancelContract { contract: id }, id, out).await
}

const fn is_there(contract: &Contract) -> bool {
    !matches!(contract.state, ContractState::Closed { .. })
}

/// `acre contract service cancel`: of a service only.
pub(super) async fn cancel_service(home: &Home, id: ContractId, out: &Output) -> Outcome {
    service(home, id).await?;
    act(home, Action::CancelContract { contract: id }, id, out).await
}

pub(super) async fn extend(
    home: &Home,
    id: ContractId,
    period: Option<Duration>,
    bytes: Option<Bytes>,
    out: &Output,
) -> Outcome {
    if period.is_none() && bytes.is_none() {
        let what = "neither time nor bytes to add";
        return Err(Failure::new(Code::Usage, what)
            .state("nothing was changed")
            .hint(format!("acre contract extend {id} --for 30d"))
            .into());
    }
    let period_ms = u64::try_from(period.unwrap_or_default().as_millis())?;
    let bytes = bytes.unwrap_or(Bytes(0));
    act(home, Action::ExtendContract { contract: id, bytes, period_ms }, id, out).await
}

pub(super) async fn accept(
    home: &Home,
    id: ContractId,
    terms: Option<&Path>,
    out: &Output,
) -> Outcome {
    let offered = service(home, id).await?;
    if let (Some(file), ContractKind::Service(service)) = (terms, &offered.kind) {
        let at_hand = digest(file)?;
        if at_hand != service.terms {
            let what = format!(
                "{} is not what contract {id} is about: its hash is {at_hand}, there it is {}",
                file.display(),
                service.terms
            );
            return Err(Failure::new(Code::Conflict, what).state("nothing was accepted").into());
        }
    }
    act(home, Action::AcceptService { contract: id }, id, out).await
}

pub(super) async fn charge(home: &Home, id: ContractId, amount: MicroUsd, out: &Output) -> Outcome {
    service(home, id).await?;
    act(home, Action::BillService { contract: id, amount }, id, out).await
}

async fn service(home: &Home, id: ContractId) -> Outcome<Contract> {
    let (_, contract) = find(home, id).await?;
    if matches!(contract.kind, ContractKind::Service(_)) {
        return Ok(contract);
    }
    let what = format!("contract {id} is no service but {}", contract.kind.name());
    Err(Failure::new(Code::Usage, what).state("nothing was changed").into())
}

/// Submits, and prints how the contract stands then.
async fn act(home: &Home, action: Action, id: ContractId, out: &Output) -> Outcome {
    find(home, id).await?;
    let person = Person::of(home).await?;
    let committed = person.submit(action).await?;
    let contract = person.ledger.contract(id).await.map_err(failure)?;
    let contract = contract.ok_or_else(|| missing(id))?;
    let mut value = ended(&person.ledger, &contract).await?;
    value["tx"] = json!(committed.id);
    value["height"] = json!(committed.height);
    out.data(&value, || show::lines(&value));
    Ok(())
}

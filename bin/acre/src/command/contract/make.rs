//! `acre contract rent|name|workload` and `service offer`: contracts that begin here.

use std::path::Path;
use std::time::Duration;

use acre_chain::LedgerClient;
use acre_ledger::price::{PlaceTerms, WHOLE_WEIGHT, quote};
use acre_ledger::{
    Action, Cause, Contract, ContractKind, ContractOf, ContractState, Handle, Label, MicroUsd,
    NewContract, NewKind, NewService, NewWorkload, Node, Resources,
};
use acre_types::{AccountId, Amount, ContractId, Digest, NodeId, UnixMs};
use serde_json::{Value, json};

use super::refunded;
use crate::asking::failure;
use crate::cli::{Offer, Term, Workload};
use crate::command::person::Person;
use crate::command::{node, show};
use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::output::Output;

/// Between two looks whether a node has answered.
const LOOK: Duration = Duration::from_millis(300);

pub(super) async fn rent(home: &Home, node: &str, term: &Term, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let (id, node) = find_node(&person.ledger, node).await?;
    let made = make(&person, NewKind::Rent { node: id }, term, Some(&node)).await?;
    out.note(&format!(
        "The node is yours until {}, and for that time all that you put there costs no more.",
        made.expires
    ));
    tell(&made, out);
    Ok(())
}

pub(super) async fn name(home: &Home, label: Label, term: &Term, out: &Output) -> Outcome {
    let person = Person::of(home).await?;
    let made = make(&person, NewKind::Name(label), term, None).await?;
    tell(&made, out);
    Ok(())
}

pub(super) async fn workload(home: &Home, asked: &Workload, out: &Output) -> Outcome {
    let spec = match (&asked.spec, asked.hash) {
        (Some(file), _) => digest(file)?,
        (None, Some(hash)) => hash,
        (None, None) => {
            return Err(Failure::new(Code::Usage, "--spec FILE or --hash DIGEST").into());
        }
    };
    let person = Person::of(home).await?;
    let (id, node) = find_node(&person.ledger, &asked.node).await?;
    let deadline = in_time(&person.ledger, asked.deadline).await?;
    let kind = NewKind::Workload(NewWorkload {
        spec,
        node: id,
        resources: Resources {
            storage: asked.disk,
            cores_milli: asked.cores.0,
            memory: asked.memory,
            ipv4: asked.ipv4,
        },
        traffic: asked.traffic,
        hour_max: asked.hour_max.unwrap_or(MicroUsd(u64::MAX)),
        deadline,
    });
    let made = make(&person, kind, &asked.term, Some(&node)).await?;
    if asked.no_wait {
        out.note(&format!(
            "The node has until {} to answer: acre contract show {}",
            deadline, made.id
        ));
        tell(&made, out);
        return Ok(());
    }
    let answered = answer(&person.ledger, made.id, deadline).await?;
    let ContractState::Closed { cause, .. } = &answered.state else {
        tell(&answered, out);
        return Ok(());
    };
    let what = match cause {
        Cause::Rejected { reason } => format!("node {id} declined contract {}: {reason}", made.id),
        other => format!("contract {} came to nothing: {}", made.id, show::cause(other)),
    };
    let back = refunded(&person.ledger, &answered).await?;
    let state =
        format!("nothing is reserved; {back} came back, which is all but the fee of asking");
    let failed = Failure::new(Code::Denied, what).state(state);
    Err(failed.hint("another node: acre node list").into())
}

pub(super) async fn offer(home: &Home, offer: &Offer, out: &Output) -> Outcome {
    let terms = digest(&offer.terms)?;
    let person = Person::of(home).await?;
    let provider = account(&person.ledger, &offer.provider).await?;
    let deadline = in_time(&person.ledger, offer.deadline).await?;
    let kind = NewKind::Service(NewService {
        provider,
        terms,
        base_hour: offer.base,
        variable_hour: offer.variable,
        deadline,
    });
    let made = make(&person, kind, &offer.term, None).await?;
    out.note(&format!(
        "It begins when {provider} agrees: acre contract service accept {} --terms FILE",
        made.id
    ));
    tell(&made, out);
    Ok(())
}

fn tell(made: &Contract, out: &Output) {
    let value = show::contract(made);
    out.data(&value, || show::lines(&value));
}

/// Makes a contract and reads it back. The budget is what it may cost at most now.
async fn make(
    person: &Person,
    kind: NewKind,
    term: &Term,
    node: Option<&Node>,
) -> Outcome<Contract> {
    let ledger = &person.ledger;
    let period_ms = u64::try_from(term.period.as_millis())?;
    let mut new = NewContract { kind, period_ms, budget: Amount(u64::MAX) };
    new.budget = match term.budget {
        Some(budget) => budget,
        None => price(ledger, &new, node).await?,
    };
    let before = ledger.account(person.account()).await.map_err(failure)?.contracts;
    person.submit(Action::CreateContract(new.clone())).await.map_err(with_advice)?;
    // Others of this account may come between: ours is the newest that is about the same.
    let after = ledger.account(person.account()).await.map_err(failure)?.contracts;
    let places: Vec<_> = (before..after).map(|nth| ContractOf(person.account(), nth)).collect();
    let ids = ledger.read_all(&places).await.map_err(failure)?;
    let ids: Vec<ContractId> = ids.into_iter().flatten().collect();
    let made = ledger.read_all(&ids).await.map_err(failure)?;
    let ours = made.into_iter().flatten().rfind(|made| is_of(made, &new.kind));
    Ok(ours.ok_or_else(|| {
        Failure::new(Code::OutcomeUnknown, "the contract is not seen yet")
            .state("it was made")
            .hint("acre contract list")
    })?)
}

/// What to do about the refusals that a wrong word on the command line causes.
fn with_advice(error: anyhow::Error) -> anyhow::Error {
    let advice = [
        ("more than its budget", "a larger --budget, or less of it"),
        ("an hour would cost", "a larger --hour-max, or less of it"),
        ("the period of the contract", "acre vote settings contracts.period shows the least time"),
        ("the deadline of the contract", "acre vote settings contracts.answer shows the latest"),
        ("is rented whole", "another node: acre node list"),
        ("is in use", "only an empty node is rented: acre node list"),
    ];
    match error.downcast::<Failure>() {
        Ok(failed) => match advice.iter().find(|(part, _)| failed.what.contains(part)) {
            Some((_, hint)) => failed.hint(*hint).into(),
            None => failed.into(),
        },
        Err(error) => error,
    }
}

fn is_of(made: &Contract, kind: &NewKind) -> bool {
    match (&made.kind, kind) {
        (ContractKind::Rent(made), NewKind::Rent { node }) => made.node == *node,
        (ContractKind::Name(made), NewKind::Name(label)) => made == label,
        (ContractKind::Workload(made), NewKind::Workload(new)) => {
            (made.node, made.spec) == (new.node, new.spec)
        }
        (ContractKind::Service(made), NewKind::Service(new)) => {
            (made.provider, made.terms) == (new.provider, new.terms)
        }
        _ => false,
    }
}

/// The most that it costs now: as if the node were certified.
async fn price(ledger: &LedgerClient, new: &NewContract, node: Option<&Node>) -> Outcome<Amount> {
    let parameters = ledger.parameters().await.map_err(failure)?;
    let token = ledger.token_price().await.map_err(failure)?;
    let weight = WHOLE_WEIGHT.saturating_add(parameters.prices.certified_permille.into());
    let capacity = |node: &Node| PlaceTerms { weight, capacity: node.capacity };
    let places: Vec<_> = node.map(capacity).into_iter().collect();
    let priced = quote(&parameters, token, new, &places).ok();
    Ok(priced.and_then(|quote| quote.total()).unwrap_or(Amount(u64::MAX)))
}

/// The contract as soon as it was answered, or its deadline has passed.
async fn answer(ledger: &LedgerClient, id: ContractId, deadline: UnixMs) -> Outcome<Contract> {
    let late = UnixMs(deadline.0);
    loop {
        let contract = ledger.contract(id).await.map_err(failure)?;
        let missing = || Failure::new(Code::Damaged, format!("contract {id} is gone"));
        let contract = contract.ok_or_else(missing)?;
        if !matches!(contract.state, ContractState::Pending { .. }) {
            return Ok(contract);
        }
        if now(ledger).await? >= late {
            let what = format!("the node did not answer contract {id} in time");
            return Err(Failure::new(Code::Unreachable, what)
                .state("its price is held until somebody closes it, and comes back then")
                .hint(format!("acre contract settle {id}"))
                .into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Time of the newest block.
async fn now(ledger: &LedgerClient) -> Outcome<UnixMs> {
    let (_, last) = ledger.info().await.map_err(failure)?;
    let last = last.ok_or_else(|| Failure::new(Code::Unreachable, "there is no block yet"))?;
    Ok(last.time)
}

async fn in_time(ledger: &LedgerClient, deadline: Duration) -> Outcome<UnixMs> {
    let ahead = u64::try_from(deadline.as_millis())?;
    Ok(UnixMs(now(ledger).await?.0.saturating_add(ahead)))
}

async fn find_node(ledger: &LedgerClient, id: &str) -> Outcome<(NodeId, Node)> {
    let nodes = ledger.nodes().await.map_err(failure)?;
    Ok(node::find(&nodes, id)?.clone())
}

/// An account by its id or by its handle.
async fn account(ledger: &LedgerClient, who: &str) -> Outcome<AccountId> {
    if let Ok(account) = who.parse() {
        return Ok(account);
    }
    let usage = |error| {
        Failure::new(Code::Usage, format!("'{who}' is neither an account nor a handle: {error}"))
    };
    let handle: Handle = who.parse().map_err(usage)?;
    let twin = ledger.twin(&handle).await.map_err(failure)?;
    let missing = || {
        let what = format!("nobody has the handle {handle}");
        Failure::new(Code::NotFound, what).state("nothing was offered")
    };
    Ok(twin.ok_or_else(missing)?.owner)
}

/// BLAKE3 of a file, as `b3sum` prints it.
pub(super) fn digest(file: &Path) -> Outcome<Digest> {
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::new(Code::NotFound, format!("{}: {error}", file.display()))
            .state("nothing was changed")
    })?;
    Ok(acre_crypto::digest(&bytes))
}

/// A contract and what came back of it when it ended.
pub(super) async fn ended(ledger: &LedgerClient, contract: &Contract) -> Outcome<Value> {
    let mut value = show::contract(contract);
    if matches!(contract.state, ContractState::Closed { .. }) {
        value["refunded"] = json!(refunded(ledger, contract).await?.to_string());
    }
    Ok(value)
}

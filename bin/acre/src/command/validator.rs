//! `acre validator list`: who makes blocks, who would like to, how far each is, and who sits next.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use acre_chain::LedgerClient;
use acre_ledger::seating::{self, Contender};
use acre_ledger::{
    Address, AdmittedAs, Candidate, CandidateAt, CandidateBy, Parameters, Seats, Subject, TheSeats,
};
use acre_types::PublicKey;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::show;
use crate::asking::ledger_client;
use crate::asking::{failure, reader};
use crate::context::Context;
use crate::exit::{Code, Failure, Outcome};
use crate::grid::control::GridStatus;
use crate::home::Home;
use crate::output::Output;

/// A validator that is well proves its newest block within milliseconds; one that has to follow
/// changes of validators first takes longer.
const HEAD: Duration = Duration::from_secs(3);

pub(crate) async fn list(home: &Home, out: &Output) -> Outcome {
    let context = Context::of_home(home)?;
    let processes = crate::grid::up::processes(home).ok();
    let ledger = reader(home).await?;
    let seats = ledger.read(&TheSeats).await.map_err(failure)?;
    let seats = seats.ok_or_else(|| Failure::new(Code::Damaged, "the ledger has no seats"))?;
    let parameters = ledger.parameters().await.map_err(failure)?;
    let all = candidates(&ledger).await?;
    let next = next(&ledger, &parameters, &seats, &all).await?;
    let listed = all.iter().map(|(key, candidate)| (*key, candidate.rpc.clone()));
    let sitting = seats.members.iter().map(|seat| (seat.validator, seat.rpc.clone()));
    let heights = heads(&context, listed.chain(sitting)).await;
    let mut validators = Vec::new();
    for seat in seats.members.iter() {
        let height = heights.get(&seat.validator);
        validators.push(json!({
            "id": seat.validator,
            "pid": processes.as_ref().and_then(|grid| pid(grid, seat.validator)),
            "power": 1,
            "height": height,
            "state": if height.is_some() { "voting" } else { "unreachable" },
        }));
    }
    let mut waiting = Vec::new();
    for (key, candidate) in &all {
        if seats.members.iter().any(|seat| seat.validator == *key) {
            continue;
        }
        let mut value = show::candidate(candidate);
        value["id"] = json!(key);
        value["height"] = json!(heights.get(key));
        value["sits_next"] = json!(next.contains(key));
        waiting.push(value);
    }
    let begins = seats.term.saturating_add(1).saturating_mul(parameters.seats.term_heights);
    let report = json!({
        "validators": validators, "candidates": waiting, "term": seats.term,
        "next_term_height": begins, "next": next, "height": ledger.seen(),
    });
    out.data(&report, || {
        let mut text = vec![format!(
            "term {}: {} seats, equal votes; the next term begins at height {begins}, {} is reached",
            seats.term,
            validators.len(),
            ledger.seen(),
        )];
        let stays = |value: &Value| next.iter().any(|key| value["id"] == json!(key));
        text.extend(validators.iter().map(|value| {
            line(value, value["state"].as_str(), if stays(value) { "" } else { "  goes then" })
        }));
        text.extend(waiting.iter().map(|value| {
            let sits = if stays(value) { "  sits then" } else { "" };
            line(value, Some(if value["standing"] == "leaving" { "leaving" } else { "candidate" }), sits)
        }));
        text.join("\n")
    });
    Ok(())
}

fn line(value: &Value, state: Option<&str>, then: &str) -> String {
    let id: String = value["id"].as_str().unwrap_or_default().chars().take(16).collect();
    let height = value["height"].as_u64();
    let height = height.map_or_else(|| "-".to_owned(), |height| height.to_string());
    format!("{id}…  {:<11}  height {height}{then}", state.unwrap_or_default())
}

/// All candidates, in no lasting order.
async fn candidates(ledger: &LedgerClient) -> Outcome<Vec<(PublicKey, Candidate)>> {
    let count = ledger.totals().await.map_err(failure)?.candidates;
    let places: Vec<_> = (0..count).map(CandidateAt).collect();
    let keys = ledger.read_all(&places).await.map_err(failure)?;
    let keys: Vec<PublicKey> = keys.into_iter().flatten().collect();
    let places: Vec<_> = keys.iter().copied().map(CandidateBy).collect();
    let found = ledger.read_all(&places).await.map_err(failure)?;
    Ok(keys.into_iter().zip(found).filter_map(|(key, found)| Some((key, found?))).collect())
}

/// Who sits in the next term: as the ledger has decided, or would if the term ended now.
async fn next(
    ledger: &LedgerClient,
    parameters: &Parameters,
    seats: &Seats,
    candidates: &[(PublicKey, Candidate)],
) -> Outcome<Vec<PublicKey>> {
    if !seats.next.is_empty() {
        return Ok(seats.next.iter().map(|seat| seat.validator).collect());
    }
    let mut contenders = Vec::new();
    for (key, candidate) in candidates {
        let subject = AdmittedAs(Subject::Validator(*key));
        let entry = ledger.read(&subject).await.map_err(failure)?.map(|decided| decided.entry);
        let nodes = match seating::asks_for_nodes(parameters) {
            true => ledger.read_all(&candidate.nodes).await.map_err(failure)?,
            false => Vec::new(),
        };
        let nodes = nodes.into_iter().flatten().collect();
        contenders.push(Contender { key: *key, candidate, entry, nodes });
    }
    let members: Vec<_> = seats.members.iter().map(|seat| seat.validator).collect();
    let ranked = seating::ranked(parameters, &members, &contenders);
    let seats_max = usize::try_from(parameters.seats.seats_max).unwrap_or(usize::MAX);
    Ok(seating::choose(&members, &ranked, seats_max))
}

fn pid(grid: &GridStatus, validator: PublicKey) -> Option<u32> {
    let id = validator.to_string();
    grid.validators.iter().find(|process| process.id == id)?.pid
}

/// The newest block that each of these proves, asked all at once; nothing for one that is silent.
async fn heads(
    context: &Context,
    validators: impl Iterator<Item = (PublicKey, Address)>,
) -> BTreeMap<PublicKey, u64> {
    let mut asking = JoinSet::new();
    for (validator, rpc) in validators.collect::<BTreeMap<_, _>>() {
        let context = context.clone();
        asking.spawn(async move {
            let asked = tokio::time::timeout(HEAD, head_of(&context, validator, &rpc)).await;
            Some((validator, asked.ok()??))
        });
    }
    asking.join_all().await.into_iter().flatten().collect()
}

/// The newest block that this one validator proves. Its address is that of the grid's home, if it
/// is named there, else that of the ledger.
async fn head_of(context: &Context, validator: PublicKey, rpc: &Address) -> Option<u64> {
    let named = context.validators.iter().find(|(key, _)| *key == validator);
    let address: SocketAddr = match named {
        Some((_, address)) => *address,
        None => tokio::net::lookup_host(rpc.as_str()).await.ok()?.next()?,
    };
    let alone = Context { validators: vec![(validator, address)], ..context.clone() };
    let ledger = ledger_client(&alone).await.ok()?;
    let (_, head) = ledger.info().await.ok()?;
    head.map(|head| head.height.0)
}
